// Verifiers of what experts compute: experts, yield, dequant, layer. The labels are those of the constraints in ExpertOps.td.
#include "VerifierUtils.h"
#include "moe/IR/Quantization.h"

#include <cmath>

using namespace mlir;

namespace moe {
using namespace verify;

static Type typeOf(Value value) { return value ? value.getType() : Type(); }

namespace {
/// Sizes that the weights of a layer share; dynamic where not known.
struct LayerSizes {
  int64_t experts, hidden, intermediate, result;
};
} // namespace

static WeightOrder orderOfDown(ExpertsOp op) { return op.orderOfDown(); }
static WeightOrder orderOfDown(LayerOp op) { return op.getOrder(); }

/// Checks one weight against E, out and in, and its bias against E and out (experts-c4, experts-c6).
template <typename OpTy>
static LogicalResult verifyWeight(OpTy op, StringRef name, Type weight, Type bias, WeightOrder order, int64_t experts, int64_t out, int64_t in) {
  // experts-c4
  const bool outIn = order == WeightOrder::OutIn;
  if (failed(rank(op, name, weight, 3)) || failed(size(op, name, weight, 0, experts, "experts")) ||
      failed(size(op, name, weight, outIn ? 1 : 2, out, "columns of the product")) ||
      failed(size(op, name, weight, outIn ? 2 : 1, in, "columns of its rows")))
    return failure();
  // experts-c6
  if (!bias)
    return success();
  const std::string biasName = (name + "_bias").str();
  if (failed(rank(op, biasName, bias, 2)) || failed(size(op, biasName, bias, 0, shaped(weight).getDimSize(0), "experts")))
    return failure();
  return size(op, biasName, bias, 1, shaped(weight).getDimSize(outIn ? 1 : 2), "columns of " + name.str());
}

/// experts-c3 to experts-c6 for an op with gate and down weights. Completes `sizes`.
template <typename OpTy>
static LogicalResult verifyWeights(OpTy op, FfnAttr ffn, LayerSizes &sizes) {
  // experts-c3
  const GateLayout layout = ffn.getGate();
  if (failed(exactlyWhere(op, "up", bool(op.getUp()), layout == GateLayout::Separate, "where the gate layout is separate")))
    return failure();
  if (op.getUpBias() && !op.getUp())
    return op.emitOpError("expected up where there is up_bias, got none");
  const Type gate = typeOf(op.getGate());
  if (failed(rank(op, "gate", gate, 3)))
    return failure();
  const bool outIn = op.getOrder() == WeightOrder::OutIn;
  if (ShapedType::isDynamic(sizes.experts))
    sizes.experts = shaped(gate).getDimSize(0);
  const int64_t columns = shaped(gate).getDimSize(outIn ? 1 : 2);
  // experts-c5
  const bool shared = isOneTensor(layout);
  if (shared && !ShapedType::isDynamic(columns) && columns % 2 != 0)
    return op.emitOpError("expected an even number of gate and up columns, got ") << columns;
  sizes.intermediate = shared && !ShapedType::isDynamic(columns) ? columns / 2 : columns;
  if (failed(verifyWeight(op, "gate", gate, typeOf(op.getGateBias()), op.getOrder(), sizes.experts, columns, sizes.hidden)))
    return failure();
  if (op.getUp() &&
      failed(verifyWeight(op, "up", typeOf(op.getUp()), typeOf(op.getUpBias()), op.getOrder(), sizes.experts, sizes.intermediate, sizes.hidden)))
    return failure();
  return verifyWeight(op, "down", typeOf(op.getDown()), typeOf(op.getDownBias()), orderOfDown(op), sizes.experts, sizes.result, sizes.intermediate);
}

/// experts-c8.
static LogicalResult verifyRegion(ExpertsOp op) {
  Block &body = op.getBody().front();
  const auto rows = cast<RankedTensorType>(op.getRows().getType());
  const auto result = cast<RankedTensorType>(op.getResult().getType());
  if (body.getNumArguments() != op.getParameters().size() + 1)
    return op.emitOpError("expected ") << op.getParameters().size() + 1 << " region arguments (rows and parameters), got "
                                       << body.getNumArguments();
  auto slice = [](RankedTensorType type) { return RankedTensorType::get(type.getShape().drop_front(), type.getElementType()); };
  auto expertRows = [&](RankedTensorType type) {
    return RankedTensorType::get({ShapedType::kDynamic, type.getShape().back()}, type.getElementType());
  };
  SmallVector<RankedTensorType> expected = {expertRows(rows)};
  for (Value parameter : op.getParameters()) {
    auto type = cast<RankedTensorType>(parameter.getType());
    if (type.getRank() == 0)
      return op.emitOpError("expected parameters with a dim of experts, got ") << type;
    expected.push_back(slice(type));
  }
  auto fits = [](Type found, RankedTensorType wanted) {
    auto type = dyn_cast<RankedTensorType>(found);
    return type && type.getElementType() == wanted.getElementType() && succeeded(verifyCompatibleShape(type, wanted));
  };
  for (const auto &[number, argument] : llvm::enumerate(body.getArguments()))
    if (!fits(argument.getType(), expected[number]))
      return op.emitOpError("expected region argument ") << number << " of type " << expected[number] << ", got " << argument.getType();
  auto yield = body.empty() ? YieldOp() : dyn_cast<YieldOp>(body.back());
  if (!yield)
    return op.emitOpError("expected a region that ends in moe.yield, got ") << (body.empty() ? StringRef("no op") : body.back().getName().getStringRef());
  if (!fits(yield.getResult().getType(), expertRows(result)))
    return op.emitOpError("expected to yield ") << expertRows(result) << ", got " << yield.getResult().getType();
  return success();
}

/// experts-c1.
static LogicalResult verifyRows(ExpertsOp op, RankedTensorType rows, RankedTensorType result) {
  if (failed(rank(op, "rows", rows, 2, 3)) || failed(rank(op, "the result", result, rows.getRank())))
    return failure();
  if (result.getElementType() != rows.getElementType())
    return op.emitOpError("expected a result of ") << rows.getElementType() << " (that of rows), got " << result.getElementType();
  for (int64_t dim = 0; dim < rows.getRank() - 1; ++dim)
    if (failed(size(op, "the result", result, dim, rows.getDimSize(dim), "that of rows")))
      return failure();
  return success();
}

LogicalResult StepsAttr::verify(llvm::function_ref<InFlightDiagnostic()> error, StepsPlace, int64_t lower, int64_t upper, DenseF32ArrayAttr scales,
                                DenseI32ArrayAttr zeros) {
  // steps-c2
  if (lower < -32768 || lower >= upper || upper > 65535)
    return error() << "expected -32768 <= lower < upper <= 65535, got " << lower << " and " << upper;
  // steps-c3
  if (!scales) {
    if (zeros || lower != 0 || upper != 255)
      return error() << "expected no zeros and codes of 0 to 255 where there are no scales";
    return success();
  }
  // steps-c1
  if (!zeros || zeros.size() != scales.size())
    return error() << "expected as many zeros as scales, " << scales.size() << ", got " << (zeros ? zeros.size() : 0);
  for (float scale : scales.asArrayRef())
    if (!std::isfinite(scale) || !(scale > 0))
      return error() << "expected finite positive scales, got " << scale;
  for (int32_t zero : zeros.asArrayRef())
    if (zero < lower || zero > upper)
      return error() << "expected zeros of " << lower << " to " << upper << ", got " << zero;
  return success();
}

void StepsAttr::print(AsmPrinter &printer) const {
  printer << "<at = " << stringifyStepsPlace(getAt()) << ", lower = " << getLower() << ", upper = " << getUpper();
  if (getScales()) {
    printer << ", scales = [";
    llvm::interleaveComma(getScales().asArrayRef(), printer, [&](float scale) { printer.printFloat(APFloat(scale)); });
    printer << "], zeros = [";
    llvm::interleaveComma(getZeros().asArrayRef(), printer);
    printer << ']';
  }
  printer << '>';
}

Attribute StepsAttr::parse(AsmParser &parser, Type) {
  auto name = [&](StringRef keyword) { return failed(parser.parseKeyword(keyword)) || failed(parser.parseEqual()); };
  StringRef word;
  int64_t lower = 0, upper = 0;
  const SMLoc start = parser.getCurrentLocation();
  if (parser.parseLess() || name("at") || parser.parseKeyword(&word) || parser.parseComma() || name("lower") || parser.parseInteger(lower) ||
      parser.parseComma() || name("upper") || parser.parseInteger(upper))
    return {};
  const auto place = symbolizeStepsPlace(word);
  if (!place) {
    parser.emitError(start) << "expected one of input, gate, up, hidden and result, got " << word;
    return {};
  }
  SmallVector<float> scales;
  SmallVector<int32_t> zeros;
  const bool hasScales = succeeded(parser.parseOptionalComma());
  if (hasScales) {
    auto scale = [&]() -> ParseResult {
      APFloat number(0.0f);
      if (parser.parseFloat(APFloat::IEEEsingle(), number))
        return failure();
      scales.push_back(number.convertToFloat());
      return success();
    };
    auto zero = [&]() -> ParseResult { return parser.parseInteger(zeros.emplace_back()); };
    if (name("scales") || parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, scale) || parser.parseComma() || name("zeros") ||
        parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, zero))
      return {};
  }
  if (parser.parseGreater())
    return {};
  MLIRContext *context = parser.getContext();
  return StepsAttr::getChecked([&]() { return parser.emitError(start); }, context, *place, lower, upper,
                               hasScales ? DenseF32ArrayAttr::get(context, scales) : DenseF32ArrayAttr(),
                               hasScales ? DenseI32ArrayAttr::get(context, zeros) : DenseI32ArrayAttr());
}

StepsAttr ExpertsOp::stepsAt(StepsPlace place) {
  if (const ArrayAttr all = getStepsAttr())
    for (auto steps : all.getAsRange<StepsAttr>())
      if (steps.getAt() == place)
        return steps;
  return {};
}

/// experts-c10.
static LogicalResult verifySteps(ExpertsOp op, int64_t experts) {
  const ArrayAttr all = op.getStepsAttr();
  if (!all)
    return success();
  const auto rows = cast<RankedTensorType>(op.getRows().getType());
  if (all.empty() || !op.getFfn() || !rows.getElementType().isF32())
    return op.emitOpError("expected steps only where there is an ffn and rows are f32, and not an empty list");
  std::optional<StepsPlace> last;
  for (auto steps : all.getAsRange<StepsAttr>()) {
    const StepsPlace at = steps.getAt();
    if (last && *last >= at)
      return op.emitOpError("expected steps in the order input, gate, up, hidden, result, each at most once, got ")
             << stringifyStepsPlace(at) << " behind " << stringifyStepsPlace(*last);
    if (at == StepsPlace::Up && !op.getUp())
      return op.emitOpError("expected steps of up only where up is given");
    if (!steps.getScales() && rows.getRank() != 2)
      return op.emitOpError("expected scales of the steps of padded rows, got none");
    if (steps.getScales() && !agree(steps.getScales().size(), experts))
      return op.emitOpError("expected ") << experts << " scales (experts) of the steps of " << stringifyStepsPlace(at) << ", got " << steps.getScales().size();
    last = at;
  }
  return success();
}

LogicalResult ExpertsOp::verify() {
  const auto rows = cast<RankedTensorType>(getRows().getType());
  const auto result = cast<RankedTensorType>(getResult().getType());
  if (failed(verifyRows(*this, rows, result)))
    return failure();
  LayerSizes sizes = {rows.getRank() == 3 ? rows.getDimSize(0) : ShapedType::kDynamic, rows.getShape().back(), ShapedType::kDynamic,
                      result.getShape().back()};
  // experts-c2
  const bool weights = getGate() || getGateBias() || getUp() || getUpBias() || getDown() || getDownBias();
  if (getFfn()) {
    if (!getGate() || !getDown() || !getParameters().empty() || !getBody().empty())
      return emitOpError("expected gate and down, no parameters and no region where there is an ffn");
    if (failed(verify::ffn(*this, *getFfn())) || failed(verifyWeights(*this, *getFfn(), sizes)))
      return failure();
  } else {
    if (weights || !llvm::hasSingleElement(getBody()))
      return emitOpError("expected a region of one block and no weights where there is no ffn");
    if (failed(verifyRegion(*this)))
      return failure();
  }
  // experts-c10
  if (failed(verifySteps(*this, sizes.experts)))
    return failure();
  // experts-c7
  const int64_t offsets = getOffset().getType().getDimSize(0);
  if (failed(length(*this, "offset", getOffset().getType(), plus(sizes.experts, 1), "experts + 1")))
    return failure();
  if (offsets == 0)
    return emitOpError("expected offset of length experts + 1, got 0");
  // experts-c9
  if (getPlan() && getPlan()->getPacking() == PackingFamily::GateUp16 && !(getFfn() && getFfn()->isGated()))
    return emitOpError("expected packing gate_up16 only where the ffn is gated");
  if (failed(verify::plan(*this, getPlanAttr())))
    return failure();
  return verify::origin(*this, getOriginAttr());
}

LogicalResult LayerOp::verify() {
  const auto x = getX().getType(), logits = getLogits().getType(), result = getResult().getType();
  // layer-c1
  if (failed(size(*this, "logits", logits, 0, x.getDimSize(0), "tokens of x")) ||
      failed(size(*this, "the result", result, 0, x.getDimSize(0), "tokens of x")))
    return failure();
  if (result.getElementType() != x.getElementType())
    return emitOpError("expected a result of ") << x.getElementType() << " (that of x), got " << result.getElementType();
  // layer-c2
  LayerSizes sizes = {logits.getDimSize(1), x.getDimSize(1), ShapedType::kDynamic, result.getDimSize(1)};
  if (failed(verify::ffn(*this, getFfn())) || failed(verifyWeights(*this, getFfn(), sizes)))
    return failure();
  if (failed(verify::router(*this, getRouter(), sizes.experts)))
    return failure();
  return verify::origin(*this, getOriginAttr());
}

LogicalResult DequantOp::verify() {
  const auto result = cast<RankedTensorType>(getResult().getType());
  const QuantFormat format = getFormat().getFormat();
  // dequant-c1
  if (!getScales())
    return emitOpError("expected scales, got none");
  // dequant-c2
  if (getZeros() && !isIntegerFormat(format) && format != QuantFormat::TernaryDict)
    return emitOpError("expected zeros only for formats of integers and ternary_dict, got ") << stringifyQuantFormat(format);
  // dequant-c3
  if (failed(exactlyWhere(*this, "codebook", bool(getCodebook()), format == QuantFormat::TernaryDict, "for ternary_dict")))
    return failure();
  // dequant-c4 to dequant-c7, quant-c1 to quant-c3
  const auto typeOf = [](Value value) { return value ? cast<RankedTensorType>(value.getType()) : RankedTensorType(); };
  const QuantTypes types = {getFormat(), typeOf(getPayload()), typeOf(getScales()), typeOf(getZeros()), result, typeOf(getCodebook())};
  return QuantLayout::get(types, [&]() { return emitOpError(); });
}

} // namespace moe
