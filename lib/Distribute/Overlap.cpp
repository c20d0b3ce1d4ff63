// See Overlap.h. Ops on tensors without effects may stand anywhere between what they need and who needs them.
#include "Overlap.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;

namespace moe {
namespace {

/// Worth to be moved for: a product.
bool isProduct(Operation *op) {
  if (isa<ExpertsOp>(op))
    return true;
  auto loop = dyn_cast<linalg::LinalgOp>(op);
  return loop && linalg::isaContractionOpInterface(loop);
}

bool isMovable(Operation *op) { return op->getNumResults() > 0 && isMemoryEffectFree(op) && !op->hasTrait<OpTrait::IsTerminator>(); }

/// The ops before the layer that only ops behind the arrival need, in their order.
SmallVector<Operation *> findBefore(const TravellingLayer &layer) {
  AllToAllWaitOp arrival = layer.arrival;
  Block *block = arrival->getBlock();
  llvm::SmallPtrSet<Operation *, 16> found;
  SmallVector<Operation *> ops;
  for (Operation *op = layer.first->getPrevNode(); op && !isa<AllGatherOp>(op); op = op->getPrevNode()) {
    auto isLater = [&](Operation *user) {
      Operation *outer = block->findAncestorOpInBlock(*user);
      return found.contains(outer) || !outer->isBeforeInBlock(arrival);
    };
    if (!isMovable(op) || !llvm::all_of(op->getUsers(), isLater))
      continue;
    found.insert(op);
    ops.push_back(op);
  }
  std::reverse(ops.begin(), ops.end());
  return ops;
}

/// The ops behind the layer, up to the first that needs what comes with the arrival or later.
SmallVector<Operation *> findBehind(const TravellingLayer &layer) {
  AllToAllWaitOp arrival = layer.arrival;
  AllGatherOp last = layer.last;
  Block *block = arrival->getBlock();
  llvm::SmallPtrSet<Operation *, 16> found;
  SmallVector<Operation *> ops;
  for (Operation *op = last->getNextNode(); op && isMovable(op); op = op->getNextNode()) {
    bool isIndependent = true;
    auto check = [&](Value operand) {
      Operation *definition = operand.getDefiningOp();
      Operation *outer = definition ? block->findAncestorOpInBlock(*definition) : nullptr;
      if (outer && outer != op && !found.contains(outer) && !outer->isBeforeInBlock(arrival))
        isIndependent = false;
    };
    op->walk([&](Operation *inner) { llvm::for_each(inner->getOperands(), check); });
    if (!isIndependent)
      break;
    found.insert(op);
    ops.push_back(op);
  }
  return ops;
}

} // namespace

void computeWhileTravelling(const TravellingLayer &layer) {
  for (const SmallVector<Operation *> &ops : {findBefore(layer), findBehind(layer)})
    if (llvm::any_of(ops, isProduct))
      for (Operation *op : ops)
        op->moveBefore(layer.arrival);
}

} // namespace moe
