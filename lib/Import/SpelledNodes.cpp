// One function per fused node: the standard nodes it stands for.
#include "SpelledNodes.h"
#include "OnnxVersions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace moe {
namespace {

/// A node being spelled out. After an error every value is null, and a null operand gives a null result, so that formulas need no checks.
class Speller {
public:
  Speller(const FusedNodeView &node, OpBuilder &builder, OnnxInference &inference) : node(node), builder(builder), inference(inference) {}

  bool has(unsigned i) const { return i < node.operands.size() && isa<RankedTensorType>(node.operands[i].getType()); }
  Value input(unsigned i) { return i < node.operands.size() ? node.operands[i] : AbsentOp::create(builder, node.loc, builder.getNoneType()).getResult(); }
  unsigned inputs() const { return node.operands.size(); }
  bool wants(unsigned i) const { return i < node.wanted.size() && node.wanted[i]; }
  RankedTensorType type(unsigned i) const { return mlir::cast<RankedTensorType>(node.operands[i].getType()); }

  int64_t integer(StringRef name, int64_t standard) const {
    auto value = dyn_cast_or_null<IntegerAttr>(node.attributes.get(name));
    return value ? value.getInt() : standard;
  }
  double real(StringRef name, double standard) const {
    auto value = dyn_cast_or_null<FloatAttr>(node.attributes.get(name));
    return value ? value.getValueAsDouble() : standard;
  }
  StringRef string(StringRef name, StringRef standard) const {
    auto value = dyn_cast_or_null<StringAttr>(node.attributes.get(name));
    return value ? value.getValue() : standard;
  }
  Attribute attribute(StringRef name) const { return node.attributes.get(name); }
  NamedAttribute integerAttribute(StringRef name, int64_t value) const { return builder.getNamedAttr(name, builder.getI64IntegerAttr(value)); }
  NamedAttribute realAttribute(StringRef name, double value) const { return builder.getNamedAttr(name, builder.getF32FloatAttr(value)); }

  /// An error that names the node.
  InFlightDiagnostic error() {
    hasFailed = true;
    const auto name = node.loc->findInstanceOf<NameLoc>();
    return emitError(node.loc) << "node '" << (name ? name.getName().getValue() : StringRef()) << "' (" << node.opType << "): ";
  }
  bool failed() const { return hasFailed; }

  /// Results of a standard node, of its newest version where none is given.
  SmallVector<Value> emitAll(StringRef opType, ArrayRef<Value> operands, ArrayRef<NamedAttribute> attributes, unsigned results, int64_t version = 0) {
    if (hasFailed || llvm::is_contained(operands, Value()))
      return SmallVector<Value>(results);
    const SmallVector<Type> placeholders(results, RankedTensorType::get({}, builder.getF32Type()));
    auto op = OnnxOp::create(builder, node.loc, placeholders, opType, operands, "", version ? version : sinceVersions("", opType).back(),
                             builder.getDictionaryAttr(attributes), /*subgraphsCount=*/0);
    if (succeeded(inference.infer(op)))
      return SmallVector<Value>(op.getOutputs());
    hasFailed = true;
    return SmallVector<Value>(results);
  }
  Value emit(StringRef opType, ArrayRef<Value> operands, ArrayRef<NamedAttribute> attributes = {}, int64_t version = 0) {
    return emitAll(opType, operands, attributes, 1, version).front();
  }

  /// Input i with the scale and zero point behind it; `axis` is that of a list of scales.
  Value dequantised(unsigned i, int64_t axis = 0) { return emit("DequantizeLinear", {input(i), input(i + 1), input(i + 2)}, {integerAttribute("axis", axis)}); }
  /// y by the scale at input i and the zero point behind it, which may lack: the codes are of the type of input `like` then.
  Value quantised(Value y, unsigned i, unsigned like) {
    if (has(i + 1))
      return emit("QuantizeLinear", {y, input(i), input(i + 1)});
    // Numbers of TensorProto.DataType.
    return emit("QuantizeLinear", {y, input(i)}, {integerAttribute("output_dtype", type(like).getElementType().isUnsignedInteger(8) ? 2 : 3)});
  }
  Value cast(Value value, Type element) {
    if (!value || mlir::cast<RankedTensorType>(value.getType()).getElementType() == element)
      return value;
    return emit("Cast", {value}, {integerAttribute("to", element.isF16() ? 10 : element.isBF16() ? 16 : 1)});
  }
  Value reshape(Value value, ArrayRef<int64_t> dims) {
    auto shapeType = RankedTensorType::get({static_cast<int64_t>(dims.size())}, builder.getI64Type());
    auto shape = arith::ConstantOp::create(builder, node.loc, DenseElementsAttr::get(shapeType, dims));
    hasFailed |= mlir::failed(inference.infer(shape));
    return emit("Reshape", {value, shape});
  }
  /// An error where dims of two inputs are known to differ.
  void requireSameDims(unsigned i, unsigned j) {
    if (mlir::failed(verifyCompatibleShape(type(i), type(j))))
      error() << "expected inputs " << i << " and " << j << " of the same dims, found " << type(i) << " and " << type(j);
  }
  Type f32() const { return builder.getF32Type(); }

private:
  const FusedNodeView &node;
  OpBuilder &builder;
  OnnxInference &inference;
  bool hasFailed = false;
};

using Results = SmallVector<Value>;

//===-- Quantised arithmetic ---------------------------------------------===//

/// QLinearAdd, QLinearMul: A, its scale and zero point, B and its own, then the result's.
Results spellBinary(Speller &s, StringRef opType) { return {s.quantised(s.emit(opType, {s.dequantised(0), s.dequantised(3)}), 6, 0)}; }

Results spellAdd(Speller &s) { return spellBinary(s, "Add"); }
Results spellMul(Speller &s) { return spellBinary(s, "Mul"); }

Results spellSigmoid(Speller &s) { return {s.quantised(s.emit("Sigmoid", {s.dequantised(0)}), 3, 0)}; }

Results spellLeakyRelu(Speller &s) {
  return {s.quantised(s.emit("LeakyRelu", {s.dequantised(0)}, {s.realAttribute("alpha", s.real("alpha", 0.01))}), 3, 0)};
}

/// Before opset 13 Softmax works on a matrix of the dims before and from its axis on.
Results spellSoftmax(Speller &s) {
  const int64_t version = s.integer("opset", 13) < 13 ? 11 : 13;
  return {s.quantised(s.emit("Softmax", {s.dequantised(0)}, {s.integerAttribute("axis", s.integer("axis", -1))}, version), 3, 0)};
}

Results spellReduceMean(Speller &s) {
  SmallVector<NamedAttribute> attributes = {s.integerAttribute("keepdims", s.integer("keepdims", 1))};
  if (Attribute axes = s.attribute("axes"))
    attributes.emplace_back("axes", axes);
  return {s.quantised(s.emit("ReduceMean", {s.dequantised(0)}, attributes, 13), 3, 0)};
}

Results spellConcat(Speller &s) {
  if (s.inputs() % 3 != 2)
    return s.error() << "expected a scale, a zero point and then a tensor, a scale and a zero point each, found " << s.inputs() << " inputs", Results();
  SmallVector<Value> parts;
  for (unsigned i = 2; i < s.inputs(); i += 3)
    parts.push_back(s.dequantised(i));
  return {s.quantised(s.emit("Concat", parts, {s.integerAttribute("axis", s.integer("axis", 0))}), 0, 2)};
}

/// condition, X and Y with their scales and zero points, then the result's.
Results spellWhere(Speller &s) { return {s.quantised(s.emit("Where", {s.input(0), s.dequantised(1), s.dequantised(4)}), 7, 1)}; }

//===-- Quantised products -----------------------------------------------===//

/// A list of scales of A has one per row, of B one per column.
Results spellQLinearMatMul(Speller &s) { return {s.quantised(s.emit("MatMul", {s.dequantised(0, -2), s.dequantised(3, -1)}), 6, 0)}; }

/// alpha · (A' · B' + C · a_scale · b_scale): C is of i32, in units of the product of both scales. Without a y_scale the result stays f32.
Results spellQGemm(Speller &s) {
  const int64_t transA = s.integer("transA", 0), transB = s.integer("transB", 0);
  const double alpha = s.real("alpha", 1);
  SmallVector<Value> operands = {s.dequantised(0), s.dequantised(3, transB ? 0 : 1)};
  if (s.has(6))
    operands.push_back(s.emit("Mul", {s.cast(s.input(6), s.f32()), s.emit("Mul", {s.input(1), s.input(4)})}));
  Value product = s.emit("Gemm", operands,
                         {s.integerAttribute("transA", transA), s.integerAttribute("transB", transB), s.realAttribute("alpha", alpha), s.realAttribute("beta", alpha)});
  return {s.has(7) ? s.quantised(product, 7, 0) : product};
}

/// The sums of a product of integers as floats: times both scales, plus a bias, if there is one at input `bias`.
Value scaledSums(Speller &s, Value sums, Value lhsScale, Value rhsScale, unsigned bias) {
  if (s.failed())
    return Value();
  const Type real = cast<RankedTensorType>(rhsScale.getType()).getElementType();
  Value result = s.emit("Mul", {s.cast(sums, real), s.emit("Mul", {lhsScale, rhsScale})});
  return s.has(bias) ? s.emit("Add", {result, s.input(bias)}) : result;
}

Results spellMatMulIntegerToFloat(Speller &s) {
  // Scales of A per row are in no file: ONNX Runtime's kernels take one for all of A.
  if (s.type(2).getRank() > 1 || (s.type(2).getRank() == 1 && s.type(2).getDimSize(0) != 1))
    return s.error() << "expected an a_scale of one element, found " << s.type(2), Results();
  Value sums = s.emit("MatMulInteger", {s.input(0), s.input(1), s.input(4), s.input(5)});
  return {scaledSums(s, sums, s.input(2), s.input(3), 6)};
}

Results spellDynamicQuantizeMatMul(Speller &s) {
  SmallVector<Value> codes = s.emitAll("DynamicQuantizeLinear", {s.input(0)}, {}, 3);
  Value sums = s.emit("MatMulInteger", {codes[0], s.input(1), codes[2], s.input(3)});
  return {scaledSums(s, sums, codes[1], s.input(2), 4)};
}

//===-- Fused floats -----------------------------------------------------===//

/// act(alpha · A' · B' + beta · C)
Results spellFusedGemm(Speller &s) {
  const StringRef activation = s.string("activation", "");
  // The parameters that the activation's own node has.
  const int parameters = llvm::StringSwitch<int>(activation)
                             .Cases({"Relu", "Sigmoid", "Tanh", "Softplus", "Softsign"}, 0)
                             .Cases({"LeakyRelu", "Elu", "ThresholdedRelu"}, 1)
                             .Case("HardSigmoid", 2)
                             .Default(-1);
  if (parameters < 0)
    return s.error() << "expected an activation Relu, Sigmoid, Tanh, Softplus, Softsign, LeakyRelu, Elu, ThresholdedRelu or HardSigmoid, found '" << activation << "'",
           Results();
  SmallVector<Value> operands = {s.input(0), s.input(1)};
  if (s.has(2))
    operands.push_back(s.input(2));
  Value product = s.emit("Gemm", operands,
                         {s.integerAttribute("transA", s.integer("transA", 0)), s.integerAttribute("transB", s.integer("transB", 0)),
                          s.realAttribute("alpha", s.real("alpha", 1)), s.realAttribute("beta", s.real("beta", 1))});
  SmallVector<NamedAttribute> attributes;
  if (Attribute alpha = s.attribute("activation_alpha"); alpha && parameters > 0)
    attributes.emplace_back("alpha", alpha);
  if (Attribute beta = s.attribute("activation_beta"); beta && parameters > 1)
    attributes.emplace_back("beta", beta);
  return {s.emit(activation, {product}, attributes)};
}

/// X + Y · gate, with one gate per row. Both steps round to the type of X.
Results spellGatedAdd(Speller &s) {
  s.requireSameDims(0, 1);
  if (const RankedTensorType gate = s.type(2); gate.getRank() != s.type(0).getRank() || gate.getRank() == 0 || (gate.getDimSize(gate.getRank() - 1) != 1))
    return s.error() << "expected a gate of as many dims as the inputs whose last dim is 1, found " << gate << " for " << s.type(0), Results();
  return {s.emit("Add", {s.input(0), s.emit("Mul", {s.input(1), s.input(2)})})};
}

/// decay_scale · softplus(a + dt_bias) and sigmoid(b), computed in f32.
Results spellLinearAttentionGate(Speller &s) {
  const Type element = s.type(0).getElementType();
  Value decay = s.emit("Softplus", {s.emit("Add", {s.cast(s.input(0), s.f32()), s.input(1)})});
  Results results = {s.cast(s.emit("Mul", {decay, s.input(2)}), element)};
  if (!s.wants(1))
    return results;
  if (!s.has(3))
    return s.error() << "expected the input b where the output beta is wanted, found none", Results();
  results.push_back(s.emit("Sigmoid", {s.input(3)}));
  return results;
}

/// RMS norm of each run of C elements along the last dim, C the length of scale, times the activation of the gate; computed in f32.
Results spellGatedRmsNorm(Speller &s) {
  const RankedTensorType x = s.type(0), scale = s.type(1);
  s.requireSameDims(0, 2);
  const StringRef activation = s.string("activation", "silu");
  if (activation != "silu" && activation != "swish" && activation != "sigmoid")
    return s.error() << "expected an activation silu, swish or sigmoid, found '" << activation << "'", Results();
  const int64_t rank = x.getRank();
  if (scale.getRank() != 1 || scale.isDynamicDim(0) || scale.getDimSize(0) == 0 || rank == 0 || x.isDynamicDim(rank - 1) ||
      x.getDimSize(rank - 1) % scale.getDimSize(0) != 0)
    return s.error() << "expected a scale whose length divides the last dim of X, both known, found " << scale << " and " << x, Results();
  const int64_t width = x.getDimSize(rank - 1), size = scale.getDimSize(0);
  // A 0 keeps a dim.
  SmallVector<int64_t> split(rank - 1, 0), joined(rank - 1, 0);
  split.append({width / size, size});
  joined.push_back(width);
  Value runs = s.cast(s.input(0), s.f32());
  if (width != size)
    runs = s.reshape(runs, split);
  Value normal = s.emit("RMSNormalization", {runs, s.cast(s.input(1), s.f32())}, {s.integerAttribute("axis", -1), s.realAttribute("epsilon", s.real("epsilon", 1e-5))});
  if (width != size)
    normal = s.reshape(normal, joined);
  Value gate = s.cast(s.input(2), s.f32()), factor = s.emit("Sigmoid", {gate});
  if (activation != "sigmoid")
    factor = s.emit("Mul", {gate, factor});
  return {s.cast(s.emit("Mul", {normal, factor}), x.getElementType())};
}

struct SpelledForm {
  Results (*spell)(Speller &);
  /// The inputs that must be there, and the most inputs and outputs.
  SmallVector<unsigned> required;
  unsigned maxInputs, maxOutputs = 1;
};

const llvm::StringMap<SpelledForm> &forms() {
  static const llvm::StringMap<SpelledForm> table = {
      {":QLinearMatMul", {spellQLinearMatMul, {0, 1, 2, 3, 4, 5, 6, 7}, 8}},
      {"com.microsoft:QLinearAdd", {spellAdd, {0, 1, 3, 4, 6}, 8}},
      {"com.microsoft:QLinearMul", {spellMul, {0, 1, 3, 4, 6}, 8}},
      {"com.microsoft:QLinearSigmoid", {spellSigmoid, {0, 1, 3}, 5}},
      {"com.microsoft:QLinearLeakyRelu", {spellLeakyRelu, {0, 1, 3}, 5}},
      {"com.microsoft:QLinearSoftmax", {spellSoftmax, {0, 1, 3}, 5}},
      {"com.microsoft:QLinearReduceMean", {spellReduceMean, {0, 1, 3}, 5}},
      {"com.microsoft:QLinearConcat", {spellConcat, {0, 1, 2, 3}, ~0u}},
      {"com.microsoft:QLinearWhere", {spellWhere, {0, 1, 2, 3, 4, 5, 6, 7, 8}, 9}},
      {"com.microsoft:QGemm", {spellQGemm, {0, 1, 2, 3, 4, 5}, 9}},
      {"com.microsoft:MatMulIntegerToFloat", {spellMatMulIntegerToFloat, {0, 1, 2, 3}, 7}},
      {"com.microsoft:DynamicQuantizeMatMul", {spellDynamicQuantizeMatMul, {0, 1, 2}, 5}},
      {"com.microsoft:FusedGemm", {spellFusedGemm, {0, 1}, 3}},
      {"com.microsoft:GatedAdd", {spellGatedAdd, {0, 1, 2}, 3}},
      {"com.microsoft:LinearAttentionGate", {spellLinearAttentionGate, {0, 1, 2}, 4, 2}},
      {"com.microsoft:GatedRMSNorm", {spellGatedRmsNorm, {0, 1, 2}, 3}},
  };
  return table;
}

} // namespace

bool isSpelledOut(StringRef domain, StringRef opType) { return forms().contains((domain + ":" + opType).str()); }

FailureOr<SmallVector<Value>> spellOut(const FusedNodeView &node, OpBuilder &builder, OnnxInference &inference) {
  const SpelledForm &form = forms().find((node.domain + ":" + node.opType).str())->second;
  Speller speller(node, builder, inference);
  for (unsigned i : form.required)
    if (!speller.has(i))
      return speller.error() << "input " << i << " is required, but the node does not have it as a tensor", failure();
  if (node.operands.size() > form.maxInputs || node.wanted.size() > form.maxOutputs || node.wanted.empty())
    return speller.error() << "expected at most " << form.maxInputs << " inputs and 1 to " << form.maxOutputs << " outputs, found " << node.operands.size()
                           << " and " << node.wanted.size(),
           failure();
  SmallVector<Value> results = form.spell(speller);
  if (speller.failed())
    return failure();
  results.resize(node.wanted.size());
  return results;
}

} // namespace moe
