// See WarpRows.h.
#include "WarpRows.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

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

} // namespace

/// What canShareRows finds out while it walks.
struct Walk {
  llvm::function_ref<Value(Value)> rootOf;
  bool hasShared = false, hasVectorOfOne = false;
};

/// Lanes share the rounds of `loop`.
static bool isShared(scf::ForOp loop, llvm::function_ref<Value(Value)> rootOf) {
  return isInnermost(loop) && hasOwnPlaces(loop, rootOf);
}

static bool canShare(Block &body, Walk &walk) {
  return llvm::all_of(body.without_terminator(), [&](Operation &op) {
    auto loop = dyn_cast<scf::ForOp>(op);
    if (loop && !loop->getNumResults() && hasWrites(loop)) {
      const bool isFine = canShare(*loop.getBody(), walk);
      walk.hasShared |= isFine && isShared(loop, walk.rootOf);
      return isFine;
    }
    const std::optional<Access> access = accessOf(&op);
    auto parent = dyn_cast<scf::ForOp>(body.getParentOp());
    walk.hasVectorOfOne |= access && access->writes && access->elements != 1 && !(parent && isShared(parent, walk.rootOf));
    // A sum along a row is left to the threads of other kernels: all lanes would do it.
    return access || (op.getNumRegions() == 0 && isMemoryEffectFree(&op));
  });
}

bool canShareRows(Block &body, llvm::function_ref<Value(Value)> rootOf) {
  Walk walk = {rootOf};
  return canShare(body, walk) && walk.hasShared && !walk.hasVectorOfOne;
}

static void shareRows(GpuBuilder &b, Block &body, llvm::function_ref<Value(Value)> rootOf, Value lane, Value isFirst) {
  for (Operation &op : llvm::make_early_inc_range(body.without_terminator())) {
    if (!hasWrites(&op))
      continue;
    auto loop = dyn_cast<scf::ForOp>(op);
    const bool sharesLoop = loop && isShared(loop, rootOf);
    if (loop && !sharesLoop) {
      shareRows(b, *loop.getBody(), rootOf, lane, isFirst);
      continue;
    }
    b.setInsertionPoint(&op);
    b.syncWarp();
    if (sharesLoop) {
      loop.setLowerBound(b.add(loop.getLowerBound(), b.mul(lane, loop.getStep())));
      loop.setStep(b.mul(loop.getStep(), warpSize));
    } else {
      b.ifTrue(isFirst, [&] { op.moveBefore(b.getInsertionBlock(), b.getInsertionPoint()); });
    }
    b.setInsertionPointAfter(sharesLoop ? &op : op.getParentOp());
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
