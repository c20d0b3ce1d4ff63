// Places moe.barrier: before an op that reads what another wrote since the last barrier, or writes what another read or wrote. Two ops that
// give each row of a buffer to the same thread need none. Also drops linalg.fill where the op behind it can start from the constant itself.
// Expects the entry on memrefs, straight-line.
#include "EntryPoint.h"
#include "LoopPlan.h"
#include "MemoryRoots.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "moe/IR/MoeDialect.h"
#include "moe/Lower/Passes.h"

namespace moe {
#define GEN_PASS_DEF_LOWERTHREADS
#include "moe/Lower/Passes.h.inc"
} // namespace moe

using namespace mlir;
using linalg::LinalgOp;

namespace moe {
namespace {

/// Which thread touches which part of a buffer.
struct Owner {
  enum Kind {
    Shared, ///< Any thread any part.
    First,  ///< Thread 0 all of it.
    Rows,   ///< Each thread its share of the rows of `space`, in multiples of `granule`.
  } kind = Shared;
  RowSpace space = {};
  int64_t granule = 1;

  bool isSameThreadAs(const Owner &other) const {
    if (kind != other.kind || kind == Shared)
      return false;
    return kind == First || (space.base == other.space.base && space.leadingDims == other.space.leadingDims && granule == other.granule);
  }
};

struct MemoryUse {
  Value root;
  bool writes;
  Owner owner;

  bool conflictsWith(const MemoryUse &later) const {
    return root == later.root && (writes || later.writes) && !owner.isSameThreadAs(later.owner);
  }
};

struct LowerThreads : impl::LowerThreadsBase<LowerThreads> {
  using Base::Base;

  void runOnOperation() override {
    func::FuncOp entry = findEntry(getOperation());
    if (!entry)
      return signalPassFailure();
    findCachePairs(entry);
    Block &body = entry.getBody().front();
    foldInitialValues(body);
    for (Operation &op : llvm::make_early_inc_range(body))
      if (failed(visit(&op)))
        return signalPassFailure();
  }

private:
  /// A condition that would need a barrier of its own, and what it reads.
  struct Waiting {
    Operation *op;
    SmallVector<MemoryUse> uses;
  };

  LogicalResult visit(Operation *op);
  void visitLoopMark(Operation *op);
  void meetBefore(Operation *op);
  bool hasConflict(ArrayRef<MemoryUse> earlier, ArrayRef<MemoryUse> later) const {
    return llvm::any_of(later, [&](const MemoryUse &use) {
      return llvm::any_of(earlier, [&](const MemoryUse &before) { return before.conflictsWith(use); });
    });
  }
  void findCachePairs(func::FuncOp entry);
  void foldInitialValues(Block &body);
  bool foldFill(linalg::FillOp fill);
  Value rootOf(Value memref) {
    Value root = memoryRoot(memref);
    return cacheRoots.lookup_or(root, root);
  }
  LogicalResult collectUses(Operation *op, SmallVectorImpl<MemoryUse> &uses);
  void addUse(SmallVectorImpl<MemoryUse> &uses, Value memref, bool writes, Owner owner);
  void collectLinalgUses(LinalgOp op, SmallVectorImpl<MemoryUse> &uses);

  llvm::DenseMap<int64_t, Value> flags; // of loops, by their numbers
  SmallVector<MemoryUse> since;    // uses since the last barrier
  SmallVector<Waiting> waiting;    // conditions that come behind the next barrier
  llvm::DenseMap<Value, Value> cacheRoots; // a past argument to the present one: the caller may give one buffer for both
};

/// A condition on data may be checked anywhere before its values are overwritten: where another thread may still write them it waits for a barrier
/// that somebody else needs, at the latest the last one.
LogicalResult LowerThreads::visit(Operation *op) {
  if (isa<LoopBeginOp, LoopEndOp>(op)) {
    visitLoopMark(op);
    return success();
  }
  SmallVector<MemoryUse> uses;
  if (failed(collectUses(op, uses)))
    return failure();
  if (isa<RequireRangeOp>(op) && hasConflict(since, uses)) {
    waiting.push_back({op, uses});
    return success();
  }
  const bool endsWait = isa<func::ReturnOp>(op) && !waiting.empty();
  const bool overwrites = llvm::any_of(waiting, [&](const Waiting &condition) { return hasConflict(condition.uses, uses); });
  if (endsWait || overwrites || hasConflict(since, uses))
    meetBefore(op);
  // What has waited has read by now; the op that overwrites its values needs a second barrier, unless the threads' shares agree.
  if (hasConflict(since, uses))
    meetBefore(op);
  since.append(uses);
  return success();
}

/// Threads meet in front of both marks: the flag is there for all, and what the last run wrote. Behind either all have read the flag, which nobody may
/// write before they meet again.
void LowerThreads::visitLoopMark(Operation *op) {
  meetBefore(op);
  if (auto begin = dyn_cast<LoopBeginOp>(op))
    flags[begin.getNumber()] = begin.getInits().front();
  const int64_t number = isa<LoopBeginOp>(op) ? cast<LoopBeginOp>(op).getNumber() : cast<LoopEndOp>(op).getNumber();
  addUse(since, flags.lookup(number), false, Owner());
}

/// A barrier, and behind it the conditions that waited for one.
void LowerThreads::meetBefore(Operation *op) {
  OpBuilder builder(op);
  BarrierOp::create(builder, op->getLoc());
  since.clear();
  for (Waiting &condition : waiting) {
    condition.op->moveBefore(op);
    since.append(condition.uses);
  }
  waiting.clear();
}

void LowerThreads::findCachePairs(func::FuncOp entry) {
  llvm::DenseMap<int64_t, Value> outputs;
  for (BlockArgument argument : entry.getArguments())
    if (auto number = entry.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), "moe.output"))
      outputs[number.getInt()] = argument;
  for (BlockArgument argument : entry.getArguments())
    if (auto output = entry.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), "moe.past_of"))
      if (Value present = outputs.lookup(output.getInt()))
        cacheRoots[argument] = present;
}

/// The body's own reads of memory, wherever they are nested.
void forEachNestedRead(Operation *op, llvm::function_ref<void(Value)> visit) {
  for (Region &region : op->getRegions())
    region.walk([&](memref::LoadOp load) { visit(load.getMemRef()); });
}

/// Removes `fill` where the next op that touches its buffer overwrites the buffer, starting from the filled value or from nothing.
bool LowerThreads::foldFill(linalg::FillOp fill) {
  Attribute value;
  Value buffer = fill.getOutputs().front(), root = rootOf(buffer);
  if (!matchPattern(fill.getInputs().front(), m_Constant(&value)))
    return false;
  for (Operation *op = fill->getNextNode(); op; op = op->getNextNode()) {
    // A fill in front of a loop is done once, what the loop does with it every time.
    if (isa<LoopBeginOp, LoopEndOp>(op))
      return false;
    SmallVector<MemoryUse> uses;
    if (failed(collectUses(op, uses)))
      return false;
    unsigned touching = llvm::count_if(uses, [&](const MemoryUse &use) { return use.root == root; });
    if (touching == 0)
      continue;
    auto next = dyn_cast<LinalgOp>(op);
    if (!next || !LoopPlan::of(next).structured)
      return false;
    OpOperand *init = nullptr;
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isa<MemRefType>(operand.get().getType()) || rootOf(operand.get()) != root)
        continue;
      if (init || !next.isDpsInit(&operand) || operand.get() != buffer)
        return false;
      init = &operand;
    }
    bool readsBuffer = false;
    forEachNestedRead(op, [&](Value memref) { readsBuffer |= rootOf(memref) == root; });
    if (!init || readsBuffer)
      return false;
    if (next.payloadUsesValueFromOperand(init)) {
      SmallVector<Attribute> values(next.getNumDpsInits(), UnitAttr::get(fill.getContext()));
      if (auto old = op->getAttrOfType<ArrayAttr>("moe.init"))
        values.assign(old.begin(), old.end());
      values[init->getOperandNumber() - next.getNumDpsInputs()] = value;
      op->setAttr("moe.init", ArrayAttr::get(fill.getContext(), values));
    }
    fill.erase();
    return true;
  }
  return false;
}

void LowerThreads::foldInitialValues(Block &body) {
  for (auto fill : llvm::make_early_inc_range(body.getOps<linalg::FillOp>()))
    foldFill(fill);
}

void LowerThreads::addUse(SmallVectorImpl<MemoryUse> &uses, Value memref, bool writes, Owner owner) {
  Value root = rootOf(memref);
  if (!isReadOnlyRoot(root))
    uses.push_back({root, writes, owner});
}

void LowerThreads::collectLinalgUses(LinalgOp op, SmallVectorImpl<MemoryUse> &uses) {
  LoopPlan plan = LoopPlan::of(op);
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<MemRefType>(operand.get().getType()))
      continue;
    Owner owner;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    if (plan.single) {
      owner.kind = Owner::First;
    } else if (map.getNumResults() >= plan.split) {
      bool inOrder = true;
      for (unsigned i = 0; i < plan.split; ++i)
        inOrder &= map.getResult(i) == getAffineDimExpr(plan.parallelDims[i], op.getContext());
      if (inOrder)
        owner = {Owner::Rows, rowSpace(operand.get(), plan.split), plan.splitsVector ? plan.lanes : 1};
    }
    bool isInit = op.isDpsInit(&operand);
    // Reads of an output are the writer's own.
    addUse(uses, operand.get(), isInit, owner);
  }
  Owner nested;
  nested.kind = plan.single ? Owner::First : Owner::Shared;
  forEachNestedRead(op, [&](Value memref) { addUse(uses, memref, false, nested); });
}

LogicalResult LowerThreads::collectUses(Operation *op, SmallVectorImpl<MemoryUse> &uses) {
  if (auto linalgOp = dyn_cast<LinalgOp>(op)) {
    for (Type type : op->getOperandTypes())
      if (!getElementTypeOrSelf(type).isIntOrIndexOrFloat())
        return op->emitOpError() << "has an operand of type " << type << ", expected memrefs of integers or floats";
    collectLinalgUses(linalgOp, uses);
    return success();
  }
  if (auto store = dyn_cast<memref::StoreOp>(op)) {
    addUse(uses, store.getMemRef(), true, Owner{Owner::First});
    return success();
  }
  if (auto condition = dyn_cast<RequireRangeOp>(op)) {
    addUse(uses, condition.getValues(), false, Owner{isOnOneThread(condition) ? Owner::First : Owner::Shared});
    return success();
  }
  if (isa<memref::LoadOp, ConcatOp, AppendOp, RoutePermuteOp, GroupedMatmulOp, SumSlotsOp, AttentionOp, RoutineOp>(op)) {
    auto routine = dyn_cast<RoutineOp>(op);
    const Owner owner{routine && !routine.getItems() ? Owner::First : Owner::Shared};
    auto effects = cast<MemoryEffectOpInterface>(op);
    SmallVector<MemoryEffects::EffectInstance> instances;
    effects.getEffects(instances);
    for (const MemoryEffects::EffectInstance &effect : instances)
      addUse(uses, effect.getValue(), isa<MemoryEffects::Write>(effect.getEffect()), owner);
    return success();
  }
  // Every thread computes the condition from sizes that all have, so that all stop or none.
  if (isa<memref::AllocOp, func::ReturnOp, cf::AssertOp>(op) || (isMemoryEffectFree(op) && op->getNumRegions() == 0))
    return success();
  return op->emitOpError("is not supported at the top level of the entry: expected linalg, moe kernels and ops without side effects");
}

} // namespace
} // namespace moe
