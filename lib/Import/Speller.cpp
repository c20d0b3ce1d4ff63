// Nodes, constants and errors of a fused node that is being spelled out.
#include "Speller.h"
#include "OnnxVersions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace moe {

int64_t Speller::integer(StringRef name, int64_t standard) const {
  auto value = dyn_cast_or_null<IntegerAttr>(node.attributes.get(name));
  return value ? value.getInt() : standard;
}

double Speller::real(StringRef name, double standard) const {
  auto value = dyn_cast_or_null<FloatAttr>(node.attributes.get(name));
  return value ? value.getValueAsDouble() : standard;
}

StringRef Speller::string(StringRef name, StringRef standard) const {
  auto value = dyn_cast_or_null<StringAttr>(node.attributes.get(name));
  return value ? value.getValue() : standard;
}

std::optional<SmallVector<int64_t>> Speller::integers(StringRef name) const {
  auto value = dyn_cast_or_null<DenseI64ArrayAttr>(node.attributes.get(name));
  if (!value)
    return std::nullopt;
  return llvm::to_vector(value.asArrayRef());
}

SmallVector<int64_t> Speller::boundedIntegers(StringRef name, int64_t standard, int64_t count, int64_t least) {
  constexpr int64_t most = int64_t(1) << 30;
  SmallVector<int64_t> values = integers(name).value_or(SmallVector<int64_t>(count, standard));
  if (static_cast<int64_t>(values.size()) == count && llvm::all_of(values, [&](int64_t value) { return value >= least && value <= most; }))
    return values;
  if (!hasFailed) // One error a node.
    error() << "expected '" << name << "' to have " << count << " integers from " << least << " to 2^30, found [" << values << "]";
  return {};
}

SmallVector<NamedAttribute> Speller::kept(ArrayRef<StringRef> names) const {
  SmallVector<NamedAttribute> result;
  for (StringRef name : names)
    if (Attribute value = attribute(name))
      result.push_back(builder.getNamedAttr(name, value));
  return result;
}

InFlightDiagnostic Speller::error() {
  hasFailed = true;
  const auto name = node.loc->findInstanceOf<NameLoc>();
  return emitError(node.loc) << "node '" << (name ? name.getName().getValue() : StringRef()) << "' (" << node.opType << "): ";
}

SmallVector<Value> Speller::emitAll(StringRef opType, ArrayRef<Value> operands, ArrayRef<NamedAttribute> attributes, unsigned results, int64_t version,
                                    StringRef domain) {
  if (hasFailed || llvm::is_contained(operands, Value()))
    return SmallVector<Value>(results);
  const SmallVector<Type> placeholders(results, RankedTensorType::get({}, builder.getF32Type()));
  ArrayRef<int64_t> versions = sinceVersions(domain, opType);
  auto op = OnnxOp::create(builder, node.loc, placeholders, opType, operands, domain, version ? version : versions.empty() ? 1 : versions.back(),
                           builder.getDictionaryAttr(attributes), /*subgraphsCount=*/0);
  if (succeeded(inference.infer(op)))
    return SmallVector<Value>(op.getOutputs());
  hasFailed = true;
  return SmallVector<Value>(results);
}

Value Speller::quantised(Value y, unsigned i, unsigned like) {
  if (has(i + 1))
    return emit("QuantizeLinear", {y, input(i), input(i + 1)});
  // Numbers of TensorProto.DataType.
  return emit("QuantizeLinear", {y, input(i)}, {integerAttribute("output_dtype", type(like).getElementType().isUnsignedInteger(8) ? 2 : 3)});
}

Value Speller::scaledSums(Value sums, Value lhsScale, Value rhsScale, unsigned bias) {
  if (failed())
    return Value();
  const Type real = typeOf(rhsScale).getElementType();
  Value result = emit("Mul", {cast(sums, real), emit("Mul", {lhsScale, rhsScale})});
  return has(bias) ? emit("Add", {result, input(bias)}) : result;
}

Value Speller::cast(Value value, Type element) {
  if (!value || typeOf(value).getElementType() == element)
    return value;
  for (int64_t number = 1; number <= 16; ++number)
    if (onnxElementType(builder.getContext(), number) == element)
      return emit("Cast", {value}, {integerAttribute("to", number)});
  error() << "has no Cast to " << element;
  return {};
}

Value Speller::list(ArrayRef<int64_t> values) {
  auto type = RankedTensorType::get({static_cast<int64_t>(values.size())}, builder.getI64Type());
  auto op = arith::ConstantOp::create(builder, node.loc, DenseElementsAttr::get(type, values));
  hasFailed |= mlir::failed(inference.infer(op));
  return op;
}

Value Speller::constant(ArrayRef<int64_t> dims, ArrayRef<double> elements, Type element) {
  // Integers have a sign only in the attributes of arith where they have none in its types.
  SmallVector<Attribute> values;
  for (double value : elements)
    values.push_back(isa<FloatType>(element) ? Attribute(builder.getFloatAttr(element, value))
                                             : Attribute(builder.getIntegerAttr(element, APInt(element.getIntOrFloatBitWidth(), static_cast<int64_t>(value), true, true))));
  auto op = arith::ConstantOp::create(builder, node.loc, DenseElementsAttr::get(RankedTensorType::get(dims, element), values));
  hasFailed |= mlir::failed(inference.infer(op));
  return op;
}

Value Speller::number(double value, Type element) { return constant({}, {value}, element); }

Value Speller::reshape(Value value, ArrayRef<int64_t> dims) { return emit("Reshape", {value, list(dims)}); }

std::optional<SmallVector<int64_t>> Speller::constants(Value value) { return inference.facts(value).numbers(); }

bool Speller::isSizeOf(Value list, unsigned i, Value value, int64_t dim) {
  const std::optional<SmallVector<AffineExpr>> content = inference.facts(list).content;
  const SmallVector<AffineExpr> dims = inference.facts(value).dims;
  return content && i < content->size() && inference.provablyEqual((*content)[i], dims[dim]);
}

std::optional<int64_t> Speller::knownElement(Value list, unsigned i) {
  const std::optional<SmallVector<AffineExpr>> content = inference.facts(list).content;
  auto constant = content && i < content->size() ? dyn_cast<AffineConstantExpr>((*content)[i]) : AffineConstantExpr();
  return constant ? std::optional<int64_t>(constant.getValue()) : std::nullopt;
}

std::optional<SmallVector<double>> Speller::realConstants(Value value) {
  auto constant = value.getDefiningOp<arith::ConstantOp>();
  auto elements = constant ? dyn_cast<DenseFPElementsAttr>(constant.getValue()) : DenseFPElementsAttr();
  if (!elements)
    return std::nullopt;
  SmallVector<double> result;
  for (const APFloat &element : elements.getValues<APFloat>()) {
    APFloat wide = element;
    bool losesInfo = false;
    wide.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &losesInfo);
    result.push_back(wide.convertToDouble());
  }
  return result;
}

void Speller::requireSameDims(unsigned i, unsigned j) {
  if (mlir::failed(verifyCompatibleShape(type(i), type(j))))
    error() << "expected inputs " << i << " and " << j << " of the same dims, found " << type(i) << " and " << type(j);
}

bool Speller::requireMost(StringRef what, int64_t found, int64_t most) {
  if (found <= most)
    return true;
  return error() << "expected at most " << most << " " << what << ", found " << found, false;
}

bool Speller::requireRank(unsigned i, int64_t least, int64_t most) {
  const int64_t rank = type(i).getRank();
  if (rank >= least && rank <= most)
    return true;
  InFlightDiagnostic message = error() << "expected input " << i << " of " << least;
  if (most > least)
    message << " to " << most;
  message << " dims, found " << type(i);
  return false;
}

} // namespace moe
