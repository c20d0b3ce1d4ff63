// Verifiers and memory effects of the marks of a loop. The labels are those of the constraints in LoopOps.td.
#include "moe/IR/MoeDialect.h"

using namespace mlir;

namespace moe {

using Effects = SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>;

/// Is each of `results` of the rank and element type of the value it goes on with?
static LogicalResult verifyCarried(Operation *op, TypeRange values, TypeRange results) {
  if (values.size() != results.size())
    return op->emitOpError("expected one result for each value that is carried, got ") << results.size() << " for " << values.size();
  for (auto [value, result] : llvm::zip_equal(values, results)) {
    auto from = dyn_cast<RankedTensorType>(value), to = dyn_cast<RankedTensorType>(result);
    if (!from || !to || from.getElementType() != to.getElementType() || failed(verifyCompatibleShape(from, to)))
      return op->emitOpError("expected a value that fits ") << result << ", got " << value;
  }
  return success();
}

LogicalResult LoopBeginOp::verify() {
  // loop_begin-c2
  const bool isMark = llvm::any_of(getInits().getTypes(), llvm::IsaPred<BaseMemRefType>);
  if (isMark) {
    auto flag = dyn_cast<MemRefType>(getInits().front().getType());
    if (getInits().size() != 1 || !getResults().empty() || !flag || flag.getRank() != 0 || !flag.getElementType().isInteger(1))
      return emitOpError("expected the flag alone, memref<i1>, and no result on memrefs");
    return success();
  }
  // loop_begin-c1
  if (failed(verifyCarried(*this, getInits().getTypes(), getResultTypes())))
    return failure();
  if (getApart())
    return success();
  auto flag = getInits().empty() ? RankedTensorType() : cast<RankedTensorType>(getInits().front().getType());
  if (!flag || flag.getRank() != 0 || !flag.getElementType().isInteger(1))
    return emitOpError("expected a flag of tensor<i1> as the first value");
  return success();
}

LogicalResult LoopEndOp::verify() {
  // loop_end-c1
  if (failed(verifyCarried(*this, getNext().getTypes(), getCarried().getTypes())) || failed(verifyCarried(*this, getCarried().getTypes(), getResultTypes())))
    return failure();
  // loop_end-c2
  for (Value carried : getCarried()) {
    auto begin = carried.getDefiningOp<LoopBeginOp>();
    if (!begin || begin.getNumber() != getNumber())
      return emitOpError("expected carried values that loop_begin ") << getNumber() << " gives";
  }
  return success();
}

/// On tensors the marks compute values; on memrefs no memory access may cross them.
static void markEffects(Operation *op, bool isMark, Effects &effects) {
  if (!isMark)
    return;
  effects.emplace_back(MemoryEffects::Read::get());
  effects.emplace_back(MemoryEffects::Write::get());
}

void LoopBeginOp::getEffects(Effects &effects) { markEffects(*this, getResults().empty(), effects); }
void LoopEndOp::getEffects(Effects &effects) { markEffects(*this, getResults().empty(), effects); }

} // namespace moe
