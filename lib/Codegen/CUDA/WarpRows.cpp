// See WarpRows.h.
#include "WarpRows.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <limits>

using namespace mlir;
namespace moe {
namespace {

/// A load or store of one place: the memref, indices, and how many elements of the last dim.
struct Access {
  Value memref;
  SmallVector<Value> indices;
  int64_t elements = 1;
  bool writes = false;
};

/// Nothing where `op` is another op.
std::optional<Access> accessOf(Operation *op) {
  auto lengthOf = [](VectorType type) { return type.getRank() == 1 ? type.getNumElements() : 0; };
  if (auto load = dyn_cast<memref::LoadOp>(op))
    return Access{load.getMemRef(), SmallVector<Value>(load.getIndices()), 1, false};
  if (auto store = dyn_cast<memref::StoreOp>(op))
    return Access{store.getMemRef(), SmallVector<Value>(store.getIndices()), 1, true};
  if (auto load = dyn_cast<vector::LoadOp>(op))
    return Access{load.getBase(), SmallVector<Value>(load.getIndices()), lengthOf(load.getVectorType()), false};
  if (auto store = dyn_cast<vector::StoreOp>(op))
    return Access{store.getBase(), SmallVector<Value>(store.getIndices()), lengthOf(store.getVectorType()), true};
  return std::nullopt;
}

bool hasWrites(Operation *op) {
  return op->walk([](Operation *inner) { return isa<memref::StoreOp, vector::StoreOp>(inner) ? WalkResult::interrupt() : WalkResult::advance(); }).wasInterrupted();
}

bool isInnermost(scf::ForOp loop) {
  return llvm::all_of(loop.getBody()->without_terminator(), [](Operation &op) { return op.getNumRegions() == 0; });
}

/// Rounds of the loop write to different places, and none reads what another writes.
bool hasOwnPlaces(scf::ForOp loop, llvm::function_ref<Value(Value)> rootOf) {
  const std::optional<llvm::APInt> constantStep = loop.getConstantStep();
  const int64_t step = constantStep ? constantStep->getSExtValue() : 1;
  SmallVector<Access> accesses;
  for (Operation &op : loop.getBody()->without_terminator())
    if (auto access = accessOf(&op))
      accesses.push_back(*access);
  for (const Access &store : accesses) {
    if (!store.writes)
      continue;
    const auto place = llvm::find(store.indices, loop.getInductionVar());
    if (place == store.indices.end() || store.elements == 0)
      return false;
    // Along the last dim a round writes as many elements as its vector has.
    if (std::next(place) == store.indices.end() && store.elements > step)
      return false;
    for (const Access &other : accesses) {
      const bool isSame = other.memref == store.memref && other.indices == store.indices && other.elements == store.elements;
      if (!isSame && rootOf(other.memref) == rootOf(store.memref))
        return false;
    }
  }
  return true;
}

/// What a loop carries from round to round: a sum, a product's sum or an extreme.
enum class Reduction { Sum, Max, Min };

/// How the result `number` of `loop` comes about; nothing where lanes could not each have a part of it.
std::optional<Reduction> reductionOf(scf::ForOp loop, unsigned number) {
  const Value carried = loop.getRegionIterArg(number), yielded = loop.getBody()->getTerminator()->getOperand(number);
  Operation *op = yielded.getDefiningOp();
  if (!op || op->getBlock() != loop.getBody() || !getElementTypeOrSelf(carried).isF32() || !carried.hasOneUse() || !yielded.hasOneUse() ||
      *carried.user_begin() != op)
    return std::nullopt;
  if (auto type = dyn_cast<VectorType>(carried.getType()); type && type.getRank() != 1)
    return std::nullopt;
  if (auto fma = dyn_cast<math::FmaOp>(op))
    return fma.getC() == carried ? std::optional(Reduction::Sum) : std::nullopt;
  if (isa<arith::AddFOp>(op))
    return Reduction::Sum;
  if (isa<arith::MaximumFOp>(op))
    return Reduction::Max;
  return isa<arith::MinimumFOp>(op) ? std::optional(Reduction::Min) : std::nullopt;
}

bool hasReductions(scf::ForOp loop) {
  return llvm::all_of(llvm::seq<unsigned>(0, loop->getNumResults()), [&](unsigned number) { return reductionOf(loop, number).has_value(); });
}

} // namespace

/// What canShareRows finds out while it walks.
struct Walk {
  llvm::function_ref<Value(Value)> rootOf;
  bool hasShared = false, hasVectorOfOne = false;
};

/// Lanes share the rounds of `loop`.
static bool isShared(scf::ForOp loop, llvm::function_ref<Value(Value)> rootOf) {
  return isInnermost(loop) && hasReductions(loop) && hasOwnPlaces(loop, rootOf);
}

static bool canShare(Block &body, Walk &walk) {
  return llvm::all_of(body.without_terminator(), [&](Operation &op) {
    auto loop = dyn_cast<scf::ForOp>(op);
    if (loop && (loop->getNumResults() || hasWrites(loop))) {
      const bool sharesLoop = isShared(loop, walk.rootOf), isFine = (sharesLoop || !loop->getNumResults()) && canShare(*loop.getBody(), walk);
      walk.hasShared |= isFine && sharesLoop;
      return isFine;
    }
    const std::optional<Access> access = accessOf(&op);
    auto parent = dyn_cast<scf::ForOp>(body.getParentOp());
    walk.hasVectorOfOne |= access && access->writes && access->elements != 1 && !(parent && isShared(parent, walk.rootOf));
    return access || (op.getNumRegions() == 0 && isMemoryEffectFree(&op));
  });
}

bool canShareRows(Block &body, llvm::function_ref<Value(Value)> rootOf) {
  Walk walk = {rootOf};
  return canShare(body, walk) && walk.hasShared && !walk.hasVectorOfOne;
}

/// `value` of all lanes, combined.
static Value combineLanes(GpuBuilder &b, Value value, Reduction reduction) {
  auto two = [&](Value left, Value right) -> Value {
    switch (reduction) {
    case Reduction::Sum:
      return b.addf(left, right);
    case Reduction::Max:
      return arith::MaximumFOp::create(b, left, right);
    case Reduction::Min:
      return arith::MinimumFOp::create(b, left, right);
    }
    llvm_unreachable("covered switch");
  };
  auto type = dyn_cast<VectorType>(value.getType());
  if (!type)
    return b.reduceWarp(value, two);
  SmallVector<Value> elements;
  for (int64_t i = 0; i < type.getNumElements(); ++i)
    elements.push_back(b.reduceWarp(vector::ExtractOp::create(b, value, i), two));
  return vector::FromElementsOp::create(b, type, elements);
}

/// Lanes take the rounds of `loop` in turn; what it carries begins with its first value in lane 0 alone.
static void shareRounds(GpuBuilder &b, scf::ForOp loop, Value lane, Value isFirst) {
  SmallVector<Reduction> reductions;
  for (unsigned number = 0; number < loop->getNumResults(); ++number)
    reductions.push_back(*reductionOf(loop, number));
  for (auto [number, reduction] : llvm::enumerate(reductions)) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const double none = reduction == Reduction::Sum ? 0.0 : reduction == Reduction::Max ? -infinity : infinity;
    Value first = loop.getInitArgs()[number], neutral = b.f32(none);
    if (auto type = dyn_cast<VectorType>(first.getType()))
      neutral = vector::BroadcastOp::create(b, type, neutral);
    loop.getInitArgsMutable()[number].assign(b.select(isFirst, first, neutral));
  }
  loop.setLowerBound(b.add(loop.getLowerBound(), b.mul(lane, loop.getStep())));
  loop.setStep(b.mul(loop.getStep(), warpSize));
  b.setInsertionPointAfter(loop);
  for (auto [number, reduction] : llvm::enumerate(reductions)) {
    Value result = loop->getResult(number);
    const SmallVector<OpOperand *> uses = llvm::map_to_vector(result.getUses(), [](OpOperand &use) { return &use; });
    Value all = combineLanes(b, result, reduction);
    for (OpOperand *use : uses)
      use->set(all);
  }
}

static void shareRows(GpuBuilder &b, Block &body, llvm::function_ref<Value(Value)> rootOf, Value lane, Value isFirst) {
  for (Operation &op : llvm::make_early_inc_range(body.without_terminator())) {
    auto loop = dyn_cast<scf::ForOp>(op);
    const bool writes = hasWrites(&op), sharesLoop = loop && isShared(loop, rootOf) && (writes || loop->getNumResults());
    if (loop && !sharesLoop && writes)
      shareRows(b, *loop.getBody(), rootOf, lane, isFirst);
    if (!sharesLoop && (loop || !writes))
      continue;
    b.setInsertionPoint(&op);
    if (writes)
      b.syncWarp();
    if (sharesLoop) {
      shareRounds(b, loop, lane, isFirst);
    } else {
      b.ifTrue(isFirst, [&] { op.moveBefore(b.getInsertionBlock(), b.getInsertionPoint()); });
      b.setInsertionPointAfter(op.getParentOp());
    }
    if (writes)
      b.syncWarp();
  }
}

void shareRows(GpuBuilder &b, Block &body, llvm::function_ref<Value(Value)> rootOf) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&body);
  Value lane = arith::IndexCastUIOp::create(b, b.getIndexType(), b.rem(b.threadX(), warpSize));
  Value isFirst = b.equal(lane, arith::ConstantIndexOp::create(b, 0));
  shareRows(b, body, rootOf, lane, isFirst);
}

} // namespace moe
