// Rounding of rows to the precision of a plan.
#include "moe/IR/Activations.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

// Kernels on rows of f32 read no others.
Type moe::activationElement(PlanAttr plan, Type element) {
  if (!plan)
    return element;
  return plan.getActivations() == "bf16" ? Type(BFloat16Type::get(element.getContext())) : Type(Float32Type::get(element.getContext()));
}

Value moe::roundActivations(OpBuilder &builder, Location loc, Value rows, PlanAttr plan) {
  const Type element = activationElement(plan, getElementTypeOrSelf(rows));
  if (element.isBF16())
    if (Value narrow = narrowRowsBehind(builder, loc, rows, element))
      return narrow;
  return convertElements(builder, loc, rows, element);
}

Value moe::codeOf(OpBuilder &builder, Location loc, Value x, Value scale, Value zero, double lower, double upper) {
  Value code = math::RoundEvenOp::create(builder, loc, arith::DivFOp::create(builder, loc, x, scale));
  if (zero)
    code = arith::AddFOp::create(builder, loc, code, zero);
  auto bound = [&](double value) -> Value { return arith::ConstantOp::create(builder, loc, builder.getFloatAttr(code.getType(), value)); };
  return arith::MinimumFOp::create(builder, loc, arith::MaximumFOp::create(builder, loc, code, bound(lower)), bound(upper));
}

static bool isNarrow(Value values) {
  const Type element = getElementTypeOrSelf(values);
  return element.isF16() || element.isBF16();
}

Value moe::narrowBehind(Value rows) {
  if (isNarrow(rows))
    return rows;
  auto loop = rows.getDefiningOp<linalg::GenericOp>();
  if (!loop || loop.getNumDpsInputs() != 1 || loop.getNumDpsInits() != 1 || !getElementTypeOrSelf(rows).isF32() || !linalg::isElementwise(loop) ||
      !llvm::all_of(loop.getIndexingMapsArray(), [](AffineMap map) { return map.isIdentity(); }))
    return {};
  const Value source = loop.getDpsInputs()[0];
  Block *body = loop.getBody();
  auto wide = dyn_cast<arith::ExtFOp>(body->front());
  const bool onlyWidens = wide && wide.getIn() == body->getArgument(0) && body->getTerminator()->getOperand(0) == wide.getResult();
  return onlyWidens && isNarrow(source) ? source : Value();
}

Value moe::narrowRowsBehind(OpBuilder &builder, Location loc, Value rows, Type element) {
  auto collapse = rows.getDefiningOp<tensor::CollapseShapeOp>();
  Value narrow = narrowBehind(collapse ? collapse.getSrc() : rows);
  if (!narrow || getElementTypeOrSelf(narrow) != element)
    return {};
  return collapse ? tensor::CollapseShapeOp::create(builder, loc, narrow, collapse.getReassociationIndices()).getResult() : narrow;
}

Value moe::convertElements(OpBuilder &builder, Location loc, Value values, Type element) {
  const auto type = cast<RankedTensorType>(values.getType());
  const Type from = type.getElementType();
  if (element == from)
    return values;
  // One step: f16 to bf16 goes through f32, which holds both.
  const unsigned fromBits = from.getIntOrFloatBitWidth(), toBits = element.getIntOrFloatBitWidth();
  if (fromBits == toBits)
    return convertElements(builder, loc, convertElements(builder, loc, values, builder.getF32Type()), element);
  const Value out = tensor::EmptyOp::create(builder, loc, tensor::getMixedSizes(builder, loc, values), element);
  const SmallVector<AffineMap> maps(2, builder.getMultiDimIdentityMap(type.getRank()));
  const SmallVector<utils::IteratorType> loops(type.getRank(), utils::IteratorType::parallel);
  return linalg::GenericOp::create(builder, loc, out.getType(), values, out, maps, loops,
                                   [&](OpBuilder &body, Location place, ValueRange arguments) {
                                     Value converted = toBits < fromBits ? arith::TruncFOp::create(body, place, element, arguments[0]).getResult()
                                                                         : arith::ExtFOp::create(body, place, element, arguments[0]).getResult();
                                     linalg::YieldOp::create(body, place, converted);
                                   })
      .getResult(0);
}
