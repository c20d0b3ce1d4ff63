// See Loops.h.
#include "moe/IR/Loops.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "llvm/ADT/DenseSet.h"

using namespace mlir;

namespace moe {

LoopEndOp endOf(LoopBeginOp begin) {
  for (Operation *op = begin->getNextNode(); op; op = op->getNextNode())
    if (auto end = dyn_cast<LoopEndOp>(op); end && end.getNumber() == begin.getNumber())
      return end;
  return {};
}

LoopBeginOp markOf(LoopBeginOp part) {
  for (Operation *op = part; op; op = op->getNextNode())
    if (auto mark = dyn_cast<LoopBeginOp>(op); mark && !mark.getApart() && mark.getNumber() == part.getNumber())
      return mark;
  return {};
}

SmallVector<std::pair<LoopBeginOp, LoopEndOp>> loopsOf(Block &block) {
  SmallVector<std::pair<LoopBeginOp, LoopEndOp>> loops;
  for (auto begin : block.getOps<LoopBeginOp>())
    if (LoopEndOp end = begin.getApart() ? LoopEndOp() : endOf(begin))
      loops.emplace_back(begin, end);
  return loops;
}

/// Is what `op` computes the same in every run, given the ops inside that are not?
static bool isAlike(Operation *op, const llvm::DenseSet<Operation *> &varying) {
  if (isa<LoopBeginOp, LoopEndOp>(op) || !isMemoryEffectFree(op) || op->hasTrait<OpTrait::IsTerminator>())
    return false;
  return !op->walk([&](Operation *inner) {
              const bool reads = llvm::any_of(inner->getOperands(), [&](Value operand) { return varying.contains(operand.getDefiningOp()); });
              return reads ? WalkResult::interrupt() : WalkResult::advance();
            }).wasInterrupted();
}

void moveOutOfLoop(LoopBeginOp begin, LoopEndOp end, bool onlyIfUsedBehind) {
  llvm::DenseSet<Operation *> varying;
  for (Operation &op : *begin->getBlock())
    if (auto part = dyn_cast<LoopBeginOp>(op); part && part.getNumber() == begin.getNumber())
      varying.insert(&op);
  SmallVector<Operation *> alike;
  for (Operation *op = begin->getNextNode(); op != end; op = op->getNextNode())
    if (isAlike(op, varying))
      alike.push_back(op);
    else
      varying.insert(op);
  llvm::DenseSet<Operation *> wanted;
  for (Operation *op : llvm::reverse(alike)) {
    const bool isUsed = llvm::any_of(op->getUsers(), [&](Operation *user) {
      Operation *place = begin->getBlock()->findAncestorOpInBlock(*user);
      return !place || wanted.contains(place) || end->isBeforeInBlock(place);
    });
    if (!onlyIfUsedBehind || isUsed)
      wanted.insert(op);
  }
  for (Operation *op : alike)
    if (wanted.contains(op))
      op->moveBefore(begin);
}

} // namespace moe
