// Choices are the nodes that import marked (moe.choice): a Where by one condition, and an And whose second operand counts only if the first is true. A
// Where that stands in the model itself computes both of its operands, and what is wrong with either is an error.
#include "BranchDemand.h"

using namespace mlir;

namespace moe {

BranchDemand::BranchDemand(Block &body) {
  for (Operation &op : llvm::reverse(body)) {
    const auto own = demands.find(&op);
    SmallVector<BranchCondition> conditions;
    if (own != demands.end())
      conditions = own->second;
    auto node = dyn_cast<OnnxOp>(op);
    const bool chooses = node && node->hasAttr("moe.choice"), isAnd = chooses && node.getOpType() == "And";
    op.walk([&](Operation *inner) {
      for (auto [i, operand] : llvm::enumerate(inner->getOperands())) {
        SmallVector<BranchCondition> needed = conditions;
        if (chooses && i > 0)
          needed.emplace_back(op.getOperand(0), isAnd || i == 1);
        demand(operand, needed);
      }
    });
  }
}

/// What two users need is needed where either does: what both conditions have in common still holds there.
void BranchDemand::demand(Value value, ArrayRef<BranchCondition> conditions) {
  Operation *producer = value.getDefiningOp();
  if (!producer)
    return;
  auto [place, isNew] = demands.try_emplace(producer, conditions);
  if (!isNew)
    llvm::erase_if(place->second, [&](BranchCondition condition) { return !llvm::is_contained(conditions, condition); });
}

SmallVector<BranchCondition> BranchDemand::of(Operation *op) const {
  auto place = demands.find(op);
  if (place == demands.end())
    return {};
  SmallVector<BranchCondition> known = place->second;
  llvm::erase_if(known, [&](BranchCondition condition) {
    Operation *producer = condition.getPointer().getDefiningOp();
    return producer && (producer->getBlock() != op->getBlock() || !producer->isBeforeInBlock(op));
  });
  return known;
}

} // namespace moe
