// Reads pairs of QuantizeLinear and DequantizeLinear around rows of experts.
#include "RowSteps.h"
#include "LayerBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>

using namespace mlir;

namespace moe::raise {

/// The one positive scale of a node; none where it has more or is not known.
static std::optional<float> scaleOf(OnnxOp op) {
  RankedTensorType type = tensorType(op.getInputs()[1]);
  if (!type || !type.getElementType().isF32() || !type.hasStaticShape() || type.getNumElements() != 1)
    return std::nullopt;
  auto number = splatNumber(op.getInputs()[1]);
  return number && std::isfinite(*number) && *number > 0.0 ? std::optional<float>(static_cast<float>(*number)) : std::nullopt;
}

/// The one zero point of a node whose codes are `codes`: 0 where it has none.
static std::optional<int32_t> zeroOf(OnnxOp op, IntegerType codes) {
  Value input = inputOrNull(op, 2);
  if (!input)
    return 0;
  DenseElementsAttr elements = constantElements(input);
  if (!elements || elements.getNumElements() != 1 || elements.getElementType() != codes)
    return std::nullopt;
  const APInt zero = *elements.value_begin<APInt>();
  return static_cast<int32_t>(codes.isUnsigned() ? zero.getZExtValue() : zero.getSExtValue());
}

std::optional<RowSteps> matchSteps(Value value, Value &rows) {
  auto dequantize = value.getDefiningOp<OnnxOp>();
  if (!isLinear(dequantize, "DequantizeLinear") || !tensorType(value) || !tensorType(value).getElementType().isF32())
    return std::nullopt;
  auto quantize = dequantize.getInputs()[0].getDefiningOp<OnnxOp>();
  if (!quantize || !tensorType(quantize.getInputs()[0]) || !tensorType(quantize.getInputs()[0]).getElementType().isF32())
    return std::nullopt;
  RowSteps steps;
  rows = quantize.getInputs()[0];
  if (isNode(quantize, "DynamicQuantizeLinear")) {
    const bool isOwn = dequantize.getInputs()[0] == quantize->getResult(0) && dequantize.getInputs()[1] == quantize->getResult(1) &&
                       inputOrNull(dequantize, 2) == quantize->getResult(2);
    return isOwn ? std::optional(steps) : std::nullopt;
  }
  auto codes = dyn_cast<IntegerType>(tensorType(dequantize.getInputs()[0]).getElementType());
  constexpr unsigned most = 16; // bits; f32 has each code then
  if (!isLinear(quantize, "QuantizeLinear") || !codes || codes.getWidth() > most || intAttribute(quantize, "block_size", 0) != 0 ||
      intAttribute(dequantize, "block_size", 0) != 0)
    return std::nullopt;
  const auto scale = scaleOf(quantize), other = scaleOf(dequantize);
  const auto zero = zeroOf(quantize, codes), otherZero = zeroOf(dequantize, codes);
  if (!scale || scale != other || !zero || zero != otherZero)
    return std::nullopt;
  steps.scales = {*scale};
  steps.zeros = {*zero};
  steps.lower = codes.isUnsigned() ? 0 : -(int64_t(1) << (codes.getWidth() - 1));
  steps.upper = (int64_t(1) << (codes.getWidth() - (codes.isUnsigned() ? 0 : 1))) - 1;
  return steps;
}

std::optional<SmallVector<RowSteps>> mergeSteps(ArrayRef<ArrayRef<RowSteps>> experts, std::string &why) {
  SmallVector<RowSteps> merged(experts.front());
  for (ArrayRef<RowSteps> expert : experts.drop_front()) {
    why = "the rows of some experts are rounded where those of others are not, or to other codes";
    if (expert.size() != merged.size())
      return std::nullopt;
    for (auto [into, own] : llvm::zip_equal(merged, expert)) {
      if (into.at != own.at || into.lower != own.lower || into.upper != own.upper || into.isDynamic() != own.isDynamic())
        return std::nullopt;
      into.scales.append(own.scales);
      into.zeros.append(own.zeros);
    }
  }
  return merged;
}

std::optional<RowSteps> takeSharedInput(SmallVectorImpl<RowSteps> &steps) {
  if (steps.empty() || steps.front().at != StepsPlace::Input || steps.front().isDynamic() || !llvm::all_equal(steps.front().scales) ||
      !llvm::all_equal(steps.front().zeros))
    return std::nullopt;
  RowSteps shared = steps.front();
  steps.erase(steps.begin());
  return shared;
}

Value roundRows(OpBuilder &builder, Location loc, Value rows, const RowSteps &steps) {
  const unsigned width = llvm::Log2_64_Ceil(static_cast<uint64_t>(steps.upper - steps.lower));
  const bool isUnsigned = steps.lower >= 0;
  auto codes = IntegerType::get(builder.getContext(), width, isUnsigned ? IntegerType::Unsigned : IntegerType::Signless);
  auto scalar = [&](Type type, Attribute value) -> Value {
    return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(RankedTensorType::get({}, type), value));
  };
  Value scale = scalar(builder.getF32Type(), builder.getF32FloatAttr(steps.scales.front()));
  Value zero = scalar(codes, IntegerAttr::get(codes, APInt(width, static_cast<uint64_t>(steps.zeros.front()), !isUnsigned)));
  const NamedAttribute axis = builder.getNamedAttr("axis", builder.getI64IntegerAttr(1));
  constexpr int64_t version = 21; // with codes of 4 and 16 bits
  Value code = makeNode(builder, loc, "QuantizeLinear", version, {rows, scale, zero}, tensorType(rows).clone(codes), axis);
  return makeNode(builder, loc, "DequantizeLinear", version, {code, scale, zero}, tensorType(rows), axis);
}

ArrayAttr stepsAttr(MLIRContext *context, ArrayRef<RowSteps> steps, int64_t experts) {
  SmallVector<Attribute> attributes;
  for (const RowSteps &each : steps) {
    SmallVector<float> scales(each.scales);
    SmallVector<int32_t> zeros(each.zeros);
    if (scales.size() == 1) {
      scales.assign(experts, each.scales.front());
      zeros.assign(experts, each.zeros.front());
    }
    attributes.push_back(StepsAttr::get(context, each.at, each.lower, each.upper, each.isDynamic() ? DenseF32ArrayAttr() : DenseF32ArrayAttr::get(context, scales),
                                        each.isDynamic() ? DenseI32ArrayAttr() : DenseI32ArrayAttr::get(context, zeros)));
  }
  return attributes.empty() ? ArrayAttr() : ArrayAttr::get(context, attributes);
}

} // namespace moe::raise
