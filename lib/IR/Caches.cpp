// See Caches.h.
#include "moe/IR/Caches.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "moe/IR/MoeDialect.h"

#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;

namespace moe {

Value peelCasts(Value value) {
  while (auto cast = value.getDefiningOp<tensor::CastOp>())
    value = cast.getSource();
  return value;
}

std::optional<KvCache> kvCacheOf(OpOperand &present) {
  Operation *grown = peelCasts(present.get()).getDefiningOp();
  Value source;
  if (auto concat = dyn_cast_or_null<ConcatOp>(grown); concat && concat.getInputs().size() > 1)
    source = concat.getInputs().front();
  else if (auto append = dyn_cast_or_null<AppendOp>(grown))
    source = append.getPast();
  auto past = source ? dyn_cast<BlockArgument>(peelCasts(source)) : BlockArgument();
  if (!past || past.getOwner() != present.getOwner()->getBlock())
    return std::nullopt;
  const auto before = dyn_cast<RankedTensorType>(past.getType()), after = dyn_cast<RankedTensorType>(present.get().getType());
  if (!before || !after || before.getRank() != after.getRank() || before.getElementType() != after.getElementType())
    return std::nullopt;
  return KvCache{past, &present, grown};
}

bool isReadByGrowthOnly(const KvCache &cache) {
  SmallVector<Value> reading = {cache.past};
  while (!reading.empty())
    for (Operation *user : reading.pop_back_val().getUsers()) {
      if (auto cast = dyn_cast<tensor::CastOp>(user))
        reading.push_back(cast);
      else if (user != cache.grown && !isa<tensor::DimOp>(user))
        return false;
    }
  return true;
}

SmallVector<KvCache> kvCachesOf(Block &body) {
  SmallVector<KvCache> caches;
  llvm::SmallPtrSet<void *, 16> taken;
  for (OpOperand &present : body.getTerminator()->getOpOperands())
    if (std::optional<KvCache> cache = kvCacheOf(present); cache && !taken.contains(cache->grown) && !taken.contains(cache->past.getAsOpaquePointer())) {
      taken.insert(cache->grown);
      taken.insert(cache->past.getAsOpaquePointer());
      caches.push_back(*cache);
    }
  return caches;
}

} // namespace moe
