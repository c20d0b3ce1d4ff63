// Questions that several stages ask about an op. No stage may include another; what they share about the dialect is here.
#include "moe/IR/Layers.h"

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
