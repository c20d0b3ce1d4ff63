// See Between.h. The roofline of Cost.h, with the weights of each product read once.
#include "Between.h"
#include "moe/IR/Layers.h"

#include <algorithm>

using namespace mlir;

namespace moe::plan {

double bytesOfWeight(Value weight) {
  auto dequant = weight.getDefiningOp<DequantOp>();
  const auto type = cast<ShapedType>(weight.getType());
  if (!dequant)
    return type.getElementTypeBitWidth() / 8.0;
  auto payload = cast<ShapedType>(dequant.getPayload().getType());
  if (!payload.hasStaticShape() || !type.hasStaticShape() || type.getNumElements() == 0)
    return 1;
  return std::max(0.125, double(payload.getNumElements()) * payload.getElementTypeBitWidth() / 8.0 / double(type.getNumElements()));
}

BetweenProduct betweenProductOf(linalg::MatmulOp op, const Device &device) {
  const auto weight = cast<RankedTensorType>(op.getInputs()[1].getType());
  auto plan = op->getAttrOfType<PlanAttr>(planAttrName);
  const std::string type = plan ? plan.getActivations().str() : "f32";
  const auto result = cast<ShapedType>(op.getResult(0).getType());
  const double elements = double(weight.getNumElements()), columns = double(std::max<int64_t>(1, result.getShape().back()));
  return {elements / columns, columns, elements * bytesOfWeight(op.getInputs()[1]), device.tflops.count(type) ? type : "f32"};
}

Between betweenOf(func::FuncOp function, const Device &device) {
  Between between;
  function.walk([&](linalg::MatmulOp op) {
    const auto weight = dyn_cast<RankedTensorType>(op.getInputs()[1].getType());
    if (weight && weight.hasStaticShape() && weight.getRank() == 2)
      between.products.push_back(betweenProductOf(op, device));
  });
  // Results with a token in each row; how many rows a cache has is not known.
  for (Type type : function.getResultTypes())
    if (auto result = dyn_cast<RankedTensorType>(type))
      if ((result.getRank() == 2 || result.getRank() == 3) && !result.isDynamicDim(result.getRank() - 1) && result.getElementType().isIntOrFloat())
        between.resultBytes += double(result.getShape().back()) * result.getElementTypeBitWidth() / 8.0;
  return between;
}

double betweenUs(const Device &device, const Between &between, double tokens) {
  double time = 0;
  for (const BetweenProduct &product : between.products) {
    const auto speed = device.tflops.find(product.computeType);
    if (speed == device.tflops.end())
      continue;
    const double arithmetic = 2 * product.depth * product.columns * (tokens + device.gemmHalfRows) / (speed->second * 1e6);
    time += device.gemmAlphaUs + std::max(arithmetic, product.weightBytes / (device.memoryGbps * 1e3));
  }
  return time;
}

double tokensOfShare(double tokens, int64_t sequences, int64_t devices) {
  return tokens / double(sequences) * double((sequences + devices - 1) / devices);
}

} // namespace moe::plan
