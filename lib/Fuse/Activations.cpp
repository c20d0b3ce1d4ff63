// Rounding of rows to the precision of a plan.
#include "Activations.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

Type moe::activationElement(PlanAttr plan, Type element) {
  return plan && plan.getActivations() == "bf16" ? BFloat16Type::get(element.getContext()) : element;
}

Value moe::roundActivations(OpBuilder &builder, Location loc, Value rows, PlanAttr plan) {
  const auto type = cast<RankedTensorType>(rows.getType());
  const Type element = activationElement(plan, type.getElementType());
  if (element == type.getElementType())
    return rows;
  const Value out = tensor::EmptyOp::create(builder, loc, tensor::getMixedSizes(builder, loc, rows), element);
  const SmallVector<AffineMap> maps(2, builder.getMultiDimIdentityMap(type.getRank()));
  const SmallVector<utils::IteratorType> loops(type.getRank(), utils::IteratorType::parallel);
  return linalg::GenericOp::create(builder, loc, out.getType(), rows, out, maps, loops,
                                   [element](OpBuilder &body, Location place, ValueRange arguments) {
                                     Value rounded = arith::TruncFOp::create(body, place, element, arguments[0]);
                                     linalg::YieldOp::create(body, place, rounded);
                                   })
      .getResult(0);
}
