// What the conversions of ONNX nodes share: inputs, attributes, results, errors, and the table.
#include "OnnxConversion.h"

#include "NumberRange.h"
#include "WeightViews.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using moe::SizedTensor;

//===-- Values ------------------------------------------------------------===//

bool moe::ConvertedValues::hasContents(Value value) const {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  const ValueFacts &facts = inference.facts(value);
  return facts.content && type && type.hasStaticShape() && isa<IntegerType>(type.getElementType()) &&
         llvm::none_of(*facts.content, [&](AffineExpr element) { return sizes.dependsOnData(element) || inference.usesElements(element); });
}

bool moe::ConvertedValues::isMissing(Value value) const {
  return isa_and_nonnull<OnnxOp>(value.getDefiningOp()) && !values.contains(value) && !hasContents(value);
}

Value moe::ConvertedValues::find(Value value) const {
  if (Value converted = values.lookup(value))
    return converted;
  auto type = dyn_cast<RankedTensorType>(value.getType());
  const bool isTensor = type && !isa_and_nonnull<OnnxOp>(value.getDefiningOp()) && codeType(type.getElementType()) == type.getElementType();
  return isTensor ? value : Value();
}

Value moe::ConvertedValues::materialise(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  auto elementType = cast<IntegerType>(codeType(type.getElementType()));
  type = type.clone(elementType);
  SmallVector<AffineExpr> contents = *inference.facts(value).content;
  SmallVector<APInt> constants;
  for (AffineExpr element : contents) {
    if (auto constant = dyn_cast<AffineConstantExpr>(element))
      constants.push_back(APInt(elementType.getWidth(), constant.getValue(), /*isSigned=*/true, /*implicitTrunc=*/true));
  }
  if (constants.size() == contents.size()) {
    OpBuilder builder = sizes.entryBuilder();
    auto op = arith::ConstantOp::create(builder, value.getLoc(), DenseElementsAttr::get(type, constants));
    sizes.placed(op);
    return op;
  }
  SmallVector<Value> elements;
  for (AffineExpr element : contents)
    elements.push_back(sizes.get(element));
  OpBuilder builder = sizes.entryBuilder();
  for (Value &element : elements)
    element = arith::IndexCastOp::create(builder, value.getLoc(), elementType, element);
  auto op = tensor::FromElementsOp::create(builder, value.getLoc(), type, elements);
  sizes.placed(op);
  return op;
}

/// A stored weight of two or four bits an element, which in the file share bytes: taken apart, the first element from the lowest bits.
static Value unpackWeight(moe::TensorBuilder t, Value weight, RankedTensorType type) {
  const int64_t bits = cast<ShapedType>(weight.getType()).getElementTypeBitWidth(), count = type.getNumElements(), each = 8 / bits;
  Value packed = moe::viewWeight(t.builder, weight, RankedTensorType::get({static_cast<int64_t>(llvm::divideCeil(count, each))}, type.getElementType()));
  if (!packed)
    return {};
  SmallVector<AffineExpr> dims;
  for (int64_t size : type.getShape())
    dims.push_back(t.size(size));
  return t.points({}, {}, dims, type.getElementType(), [&](OpBuilder &b, Location loc, ValueRange at, ValueRange) -> Value {
    auto index = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(b, loc, value); };
    Value flat = index(0);
    for (auto [coordinate, size] : llvm::zip_equal(at, type.getShape()))
      flat = arith::AddIOp::create(b, loc, arith::MulIOp::create(b, loc, flat, index(size)), coordinate);
    Value byte = tensor::ExtractOp::create(b, loc, packed, ValueRange{arith::DivUIOp::create(b, loc, flat, index(each))});
    Value shift = arith::MulIOp::create(b, loc, arith::RemUIOp::create(b, loc, flat, index(each)), index(bits));
    return arith::ShRUIOp::create(b, loc, byte, arith::IndexCastOp::create(b, loc, byte.getType(), shift));
  }).value;
}

Value moe::ConvertedValues::asCode(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  RankedTensorType code = type.clone(codeType(type.getElementType()));
  const unsigned width = type.getElementTypeBitWidth();
  Operation *producer = value.getDefiningOp();
  DenseElementsAttr elements;
  OpBuilder builder(value.getContext());
  if (auto constant = dyn_cast_or_null<arith::ConstantOp>(producer); constant && (elements = dyn_cast<DenseElementsAttr>(constant.getValue()))) {
    builder.setInsertionPointAfter(constant);
    elements = width < 8 ? constantBytes(elements, code) : elements.bitcast(code.getElementType());
    return arith::ConstantOp::create(builder, value.getLoc(), elements);
  }
  if (isa_and_nonnull<WeightRefOp>(producer)) {
    builder.setInsertionPointAfter(producer);
    Value view = viewWeight(builder, value, code);
    const bool isPacked = !view && width < 8 && 8 % width == 0;
    return isPacked ? unpackWeight(TensorBuilder(builder, value.getLoc(), sizes, inference), value, code) : view;
  }
  if (producer)
    return {};
  builder = sizes.entryBuilder();
  auto cast = UnrealizedConversionCastOp::create(builder, value.getLoc(), TypeRange{code}, value);
  sizes.placed(cast);
  return cast.getResult(0);
}

FailureOr<SizedTensor> moe::ConvertedValues::get(Value value, Operation *user) {
  Value converted = values.lookup(value);
  Operation *producer = value.getDefiningOp();
  if (!converted && isa_and_nonnull<OnnxOp>(producer)) {
    if (!hasContents(value))
      return user->emitError() << "node '" << nodeName(user->getLoc()) << "' uses '" << nodeName(value.getLoc()) << "', which is not converted";
    converted = values[value] = materialise(value);
  }
  if (auto plain = dyn_cast<RankedTensorType>(value.getType()); !converted && plain && codeType(plain.getElementType()) != plain.getElementType()) {
    converted = asCode(value);
    if (!converted)
      return user->emitError() << "node '" << nodeName(user->getLoc()) << "' uses elements of type " << plain.getElementType() << " made by an op that is no node";
    values[value] = converted;
  }
  if (!converted)
    converted = value;
  auto type = dyn_cast<RankedTensorType>(converted.getType());
  const ValueFacts facts = inference.facts(value);
  if (!type || static_cast<int64_t>(facts.dims.size()) != type.getRank())
    return user->emitError() << "node '" << nodeName(user->getLoc()) << "' uses a value of type " << value.getType()
                             << " whose size is not known";
  SizedTensor result{converted, facts.dims};
  return result;
}

//===-- Nodes -------------------------------------------------------------===//

bool moe::NodeConverter::has(unsigned i) { return i < numInputs() && !isa<NoneType>(op.getInputs()[i].getType()); }

SizedTensor moe::NodeConverter::input(unsigned i) {
  if (!has(i)) {
    hasFailed = true;
    error() << "input " << i << " is missing";
    return {};
  }
  FailureOr<SizedTensor> converted = tensor(op.getInputs()[i]);
  return mlir::failed(converted) ? SizedTensor() : *converted;
}

FailureOr<Value> moe::NodeConverter::onlyElement(unsigned i) {
  SizedTensor operand = input(i);
  if (!operand)
    return failure();
  if (!TensorBuilder::isOne(t.product(operand.dims)))
    return error() << "expected one element in input " << i;
  SmallVector<Value> first(operand.rank(), t.indexConstant(0));
  return tensor::ExtractOp::create(t.builder, t.loc, operand.value, first).getResult();
}

FailureOr<SizedTensor> moe::NodeConverter::tensor(Value value) {
  FailureOr<SizedTensor> converted = values.get(value, op);
  if (mlir::failed(converted)) {
    hasFailed = true;
    return failure();
  }
  return t.withDims(converted->value, converted->dims);
}

std::optional<SmallVector<AffineExpr>> moe::NodeConverter::contents(Value value) {
  const ValueFacts facts = values.inference.facts(value);
  if (!facts.content || !llvm::all_of(*facts.content, [&](AffineExpr element) { return values.sizes.isKnown(element); }))
    return std::nullopt;
  return facts.content;
}

std::optional<SmallVector<int64_t>> moe::NodeConverter::constants(unsigned i) { return ValueFacts{{}, contents(i)}.numbers(); }

bool moe::NodeConverter::wants(unsigned i) {
  return i < op.getOutputs().size() && !isa<NoneType>(op.getOutputs()[i].getType()) && !op.getOutputs()[i].use_empty();
}

int64_t moe::NodeConverter::getInt(StringRef name, int64_t otherwise) {
  auto value = dyn_cast_or_null<IntegerAttr>(op.getNodeAttributes().get(name));
  return value ? value.getInt() : otherwise;
}

double moe::NodeConverter::getFloat(StringRef name, double otherwise) {
  auto value = dyn_cast_or_null<FloatAttr>(op.getNodeAttributes().get(name));
  return value ? value.getValueAsDouble() : otherwise;
}

StringRef moe::NodeConverter::getString(StringRef name, StringRef otherwise) {
  auto value = dyn_cast_or_null<StringAttr>(op.getNodeAttributes().get(name));
  return value ? value.getValue() : otherwise;
}

std::optional<SmallVector<int64_t>> moe::NodeConverter::getInts(StringRef name) {
  auto value = dyn_cast_or_null<DenseI64ArrayAttr>(op.getNodeAttributes().get(name));
  if (!value)
    return std::nullopt;
  return llvm::to_vector(value.asArrayRef());
}

FailureOr<int64_t> moe::NodeConverter::axis(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank)
    return error() << "axis " << axis << " is outside [" << -rank << ", " << rank << ")";
  return axis < 0 ? axis + rank : axis;
}

FailureOr<SmallVector<int64_t>> moe::NodeConverter::axes(ArrayRef<int64_t> axes, int64_t rank) {
  SmallVector<int64_t> result;
  for (int64_t value : axes) {
    FailureOr<int64_t> counted = axis(value, rank);
    if (mlir::failed(counted))
      return failure();
    if (llvm::is_contained(result, *counted))
      return error() << "axis " << value << " is named twice";
    result.push_back(*counted);
  }
  return result;
}

/// "node 'embed' (Gather): an index"
std::string moe::NodeConverter::describe(StringRef what) {
  return ("node '" + nodeName(op.getLoc()) + "' (" + op.getOpType() + "): " + what).str();
}

LogicalResult moe::NodeConverter::requireWithin(Value origin, const SizedTensor &tensor, AffineExpr low, AffineExpr high, StringRef what) {
  if (isProvenWithin(values.inference, origin, low, high))
    return success();
  if (!values.demand.of(op).empty()) {
    requireWithin(tensor, low, high, what);
    return success();
  }
  // What the input dims decide is checked on entry; elements of inputs are data, though some of them decide sizes.
  auto isData = [&](AffineExpr number) { return values.sizes.dependsOnData(number) || values.inference.usesElements(number); };
  const std::optional<SmallVector<AffineExpr>> elements = contents(origin);
  const bool areDataBounds = isData(low) || isData(high);
  if (!elements || areDataBounds || llvm::any_of(*elements, isData)) {
    const NumberRange range = rangeOf(values.inference, origin);
    if (range.isExact && !areDataBounds && !isData(range.least) && !isData(range.most))
      for (AffineExpr bound : {range.least, range.most})
        values.sizes.requireWithin(bound, low, high, t.loc, describe(what));
    else
      requireWithin(tensor, low, high, what);
    return success();
  }
  const auto least = dyn_cast<AffineConstantExpr>(low), end = dyn_cast<AffineConstantExpr>(high);
  for (auto [position, element] : llvm::enumerate(*elements)) {
    const auto number = dyn_cast<AffineConstantExpr>(element);
    if (number && least && end && (number.getValue() < least.getValue() || number.getValue() >= end.getValue()))
      return error() << "has " << what << " " << number.getValue() << " (element " << position << "), expected " << least.getValue() << " to "
                     << end.getValue() - 1;
    values.sizes.requireWithin(element, low, high, t.loc, describe(what));
  }
  return success();
}

moe::SizedTensor moe::NodeConverter::whereDemanded(const SizedTensor &tensor, AffineExpr low) {
  SmallVector<SizedTensor> inputs = {tensor};
  SmallVector<bool> wanted;
  for (BranchCondition condition : values.demand.of(op)) {
    FailureOr<SizedTensor> converted = this->tensor(condition.getPointer());
    if (mlir::failed(converted))
      continue;
    inputs.push_back(*converted);
    wanted.push_back(condition.getInt());
  }
  if (wanted.empty())
    return tensor;
  Value least = t.indexOf(low);
  Type wide = t.builder.getI64Type();
  return t.elementwise(inputs, tensor.dims, wide, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    Value all;
    for (auto [condition, isWanted] : llvm::zip(in.drop_front(), wanted)) {
      Value holds = isWanted ? condition : arith::XOrIOp::create(b, loc, condition, arith::ConstantIntOp::create(b, loc, 1, 1)).getResult();
      all = all ? arith::AndIOp::create(b, loc, all, holds).getResult() : holds;
    }
    Value number = in[0].getType() == wide ? in[0] : arith::ExtSIOp::create(b, loc, wide, in[0]).getResult();
    return arith::SelectOp::create(b, loc, all, number, arith::IndexCastOp::create(b, loc, wide, least));
  });
}

void moe::NodeConverter::requireWithin(const SizedTensor &tensor, AffineExpr low, AffineExpr high, StringRef what) {
  RequireRangeOp::create(t.builder, t.loc, whereDemanded(tensor, low).value, t.indexOf(low), t.indexOf(high), t.builder.getStringAttr(describe(what)), IntegerAttr());
}

void moe::NodeConverter::result(unsigned i, const SizedTensor &tensor) {
  Value value = tensor.value;
  Value old = op.getOutputs()[i];
  auto wanted = cast<RankedTensorType>(old.getType());
  wanted = wanted.clone(codeType(wanted.getElementType()));
  if (value.getType() != wanted)
    value = tensor::CastOp::create(t.builder, t.loc, wanted, value);
  values.set(old, value);
}

InFlightDiagnostic moe::NodeConverter::error() {
  hasFailed = true;
  InFlightDiagnostic diagnostic = op.emitError();
  diagnostic << "node '" << nodeName(op.getLoc()) << "' (" << op.getOpType() << "): ";
  return diagnostic;
}

//===-- Table -------------------------------------------------------------===//

const moe::ConversionTable &moe::ConversionTable::get() {
  static const ConversionTable table = [] {
    ConversionTable all;
    addElementwiseConversions(all);
    addActivationConversions(all);
    addCastConversions(all);
    addShapeConversions(all);
    addMovementConversions(all);
    addReductionConversions(all);
    addNormalizationConversions(all);
    addMatmulConversions(all);
    addAttentionConversions(all);
    addMultiHeadAttentionConversions(all);
    addGroupQueryAttentionConversions(all);
    addRotaryConversions(all);
    addGatherConversions(all);
    addGatherBlockQuantizedConversions(all);
    addCompactConversions(all);
    addScanConversions(all);
    addQuantizeConversions(all);
    addConvolutionConversions(all);
    addLinearAttentionConversions(all);
    return all;
  }();
  return table;
}

moe::NodeConversion moe::ConversionTable::lookup(OnnxOp op) const {
  StringRef domain = op.getDomain() == "ai.onnx" ? "" : op.getDomain();
  return table.lookup((domain + ":" + op.getOpType()).str());
}
