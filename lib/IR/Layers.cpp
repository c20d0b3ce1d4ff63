// Questions that several stages ask about an op. No stage may include another; what they share about the dialect is here.
#include "moe/IR/Layers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

std::string moe::layerName(Operation *op) {
  if (auto origin = op->getAttrOfType<OriginAttr>("origin"))
    return origin.getName().str();
  if (auto name = op->getLoc()->findInstanceOf<NameLoc>())
    return name.getName().str();
  return "";
}

std::string moe::describeOp(Operation *op) {
  std::string text = ("op '" + op->getName().getStringRef() + "'").str();
  const std::string name = layerName(op);
  return name.empty() ? text : text + " of layer '" + name + "'";
}

Value moe::bfloat16Behind(Value rows) {
  if (getElementTypeOrSelf(rows).isBF16())
    return rows;
  auto loop = rows.getDefiningOp<linalg::GenericOp>();
  if (!loop || loop.getNumDpsInputs() != 1 || loop.getNumDpsInits() != 1 || !getElementTypeOrSelf(rows).isF32() || !linalg::isElementwise(loop) ||
      !llvm::all_of(loop.getIndexingMapsArray(), [](AffineMap map) { return map.isIdentity(); }))
    return {};
  const Value source = loop.getDpsInputs()[0];
  Block *body = loop.getBody();
  auto wide = dyn_cast<arith::ExtFOp>(body->front());
  const bool onlyWidens = wide && wide.getIn() == body->getArgument(0) && body->getTerminator()->getOperand(0) == wide.getResult();
  return onlyWidens && getElementTypeOrSelf(source).isBF16() ? source : Value();
}

bool moe::holdBfloat16(Value rows) {
  while (Operation *op = rows.getDefiningOp()) {
    if (auto dispatch = dyn_cast<DispatchOp>(op))
      rows = dispatch.getX();
    else if (isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp, tensor::CastOp>(op))
      rows = op->getOperand(0);
    else
      break;
  }
  return static_cast<bool>(bfloat16Behind(rows));
}

/// A stored weight, or what is dequantised from stored parts.
static bool isStored(Value value) {
  if (auto dequant = value.getDefiningOp<moe::DequantOp>())
    return llvm::all_of(dequant->getOperands(), isStored);
  return static_cast<bool>(value.getDefiningOp<moe::WeightRefOp>());
}

Value moe::storedWeightOf(linalg::MatmulOp matmul) {
  if (!matmul.hasPureTensorSemantics())
    return {};
  auto isF32Matrix = [](Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    return type && type.getRank() == 2 && type.getElementType().isF32();
  };
  const Value weight = matmul.getInputs()[1];
  if (!isStored(weight) || !isF32Matrix(matmul.getInputs()[0]) || !isF32Matrix(matmul.getOutputs()[0]))
    return {};
  auto type = cast<ShapedType>(weight.getType());
  const Type element = type.getElementType();
  return type.getRank() == 2 && (element.isF32() || element.isF16() || element.isBF16()) ? weight : Value();
}
