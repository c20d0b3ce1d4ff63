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

moe::WeightRefOp moe::storedWeightOf(linalg::MatmulOp matmul) {
  if (!matmul.hasPureTensorSemantics())
    return {};
  auto isF32Matrix = [](Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    return type && type.getRank() == 2 && type.getElementType().isF32();
  };
  auto reference = matmul.getInputs()[1].getDefiningOp<WeightRefOp>();
  if (!reference || !isF32Matrix(matmul.getInputs()[0]) || !isF32Matrix(matmul.getOutputs()[0]))
    return {};
  auto type = cast<ShapedType>(reference.getType());
  const Type element = type.getElementType();
  return type.getRank() == 2 && (element.isF32() || element.isF16() || element.isBF16()) ? reference : WeightRefOp();
}
