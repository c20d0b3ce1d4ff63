// Fused nodes of floats.
#include "Speller.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace moe {
namespace {

using Results = SpelledResults;

/// An activation by its name, with as many of the parameters as its own node has; the node's standards where there are none.
Value activated(Speller &s, Value x, StringRef activation, ArrayRef<std::optional<double>> parameters) {
  const int most = llvm::StringSwitch<int>(activation)
                       .Cases({"Relu", "Sigmoid", "Tanh", "Softplus", "Softsign"}, 0)
                       .Cases({"LeakyRelu", "Elu", "ThresholdedRelu"}, 1)
                       .Cases({"HardSigmoid", "Clip"}, 2)
                       .Default(-1);
  if (most < 0)
    return s.error() << "expected an activation Relu, Sigmoid, Tanh, Softplus, Softsign, LeakyRelu, Elu, ThresholdedRelu, HardSigmoid or Clip, found '" << activation
                     << "'",
           Value();
  if (!x)
    return {};
  const auto given = [&](size_t i) { return i < parameters.size() ? parameters[i] : std::nullopt; };
  if (activation == "Clip") {
    const Type element = s.typeOf(x).getElementType();
    const auto bound = [&](size_t i) { return given(i) ? s.number(*given(i), element) : s.absent(); };
    return s.emit("Clip", {x, bound(0), bound(1)});
  }
  SmallVector<NamedAttribute> attributes;
  const StringRef names[] = {"alpha", "beta"};
  for (int i = 0; i < most; ++i)
    if (given(i))
      attributes.push_back(s.realAttribute(names[i], *given(i)));
  return s.emit(activation, {x}, attributes);
}

/// activation_alpha and activation_beta, where the node has them.
SmallVector<std::optional<double>> namedParameters(Speller &s) {
  SmallVector<std::optional<double>> parameters;
  for (StringRef name : {"activation_alpha", "activation_beta"})
    parameters.push_back(s.attribute(name) ? std::optional<double>(s.real(name, 0)) : std::nullopt);
  return parameters;
}

/// act(alpha · A' · B' + beta · C)
Results spellFusedGemm(Speller &s) {
  SmallVector<Value> operands = {s.input(0), s.input(1)};
  if (s.has(2))
    operands.push_back(s.input(2));
  Value product = s.emit("Gemm", operands,
                         {s.integerAttribute("transA", s.integer("transA", 0)), s.integerAttribute("transB", s.integer("transB", 0)),
                          s.realAttribute("alpha", s.real("alpha", 1)), s.realAttribute("beta", s.real("beta", 1))});
  return {activated(s, product, s.string("activation", ""), namedParameters(s))};
}

/// act(Conv(X, W, B) + Z), the parameters of the activation as one list.
Results spellFusedConv(Speller &s) {
  Value y = s.emit("Conv", {s.input(0), s.input(1), s.input(2)}, s.kept({"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"}));
  if (s.has(3))
    y = s.add(y, s.input(3));
  const StringRef activation = s.string("activation", "");
  SmallVector<std::optional<double>> parameters;
  if (auto list = dyn_cast_or_null<DenseF32ArrayAttr>(s.attribute("activation_params")))
    for (float value : list.asArrayRef())
      parameters.push_back(value);
  return {activation.empty() ? y : activated(s, y, activation, parameters)};
}

Value fusedMatMul(Speller &s) {
  return s.emitAll("FusedMatMul", {s.input(0), s.input(1)}, s.kept({"alpha", "transA", "transB", "transBatchA", "transBatchB"}), 1, 1, "com.microsoft").front();
}

Results spellTransposeMatMul(Speller &s) { return {fusedMatMul(s)}; }
Results spellFusedMatMulActivation(Speller &s) { return {activated(s, fusedMatMul(s), s.string("activation", ""), namedParameters(s))}; }

Value gelu(Speller &s, Value x, bool isFast = false) { return s.emit("Gelu", {x}, {s.stringAttribute("approximate", isFast ? "tanh" : "none")}); }

Results spellGemmFastGelu(Speller &s) {
  Value product = s.emit("MatMul", {s.input(0), s.input(1)});
  return {gelu(s, s.has(2) ? s.add(product, s.input(2)) : product, /*isFast=*/true)};
}

Results spellBiasAdd(Speller &s) { return {s.add(s.add(s.input(0), s.input(1)), s.input(2))}; }

/// (X + bias) halved along the last dim: left · gelu(right).
Results spellBiasSplitGelu(Speller &s) {
  SmallVector<Value> halves = s.emitAll("Split", {s.add(s.input(0), s.input(1))}, {s.integerAttribute("axis", -1), s.integerAttribute("num_outputs", 2)}, 2);
  return {s.multiply(halves[0], gelu(s, halves[1]))};
}

/// z · sigmoid(z), z = scale · X, which is rounded.
Results spellScaledSilu(Speller &s) {
  Value scaled = s.multiply(s.input(0), s.has(1) ? s.input(1) : s.number(s.real("alpha", 1), s.type(0).getElementType()));
  return {s.multiply(scaled, s.emit("Sigmoid", {scaled}))};
}

/// A new dim of 1 at an axis that may count from the end of the result.
Results spellExpandDims(Speller &s) {
  Value axis = s.cast(s.input(1), s.i64());
  return {s.emit("Unsqueeze", {s.input(0), s.type(1).getRank() == 0 ? s.reshape(axis, {1}) : axis})};
}

/// (A − its zero point) · (B − its own), as i32.
Results spellMulInteger(Speller &s) {
  const auto without = [&](unsigned i) {
    Value value = s.cast(s.input(i), s.i32());
    return s.has(i + 1) ? s.subtract(value, s.cast(s.input(i + 1), s.i32())) : value;
  };
  return {s.multiply(without(0), without(2))};
}

Results spellGatherNd(Speller &s) { return {s.emit("GatherND", {s.input(0), s.cast(s.input(1), s.i64())})}; }

/// Pads may be [1, 2·rank].
Results spellPad(Speller &s) {
  Value pads = s.type(1).getRank() == 2 ? s.reshape(s.input(1), {-1}) : s.input(1);
  SmallVector<Value> operands = {s.input(0), pads};
  if (s.has(2))
    operands.push_back(s.type(2).getRank() ? s.emit("Squeeze", {s.input(2)}) : s.input(2));
  return {s.emit("Pad", operands, s.kept({"mode"}))};
}

/// The one token of each sequence: query, key, value, mask_index, attention_bias, past_key, past_value, …, bias as MultiHeadAttention has them.
Results spellDecoderAttention(Speller &s) {
  if (s.integer("past_present_share_buffer", 0))
    return s.error() << "has 'past_present_share_buffer' = 1, which is not supported: past and present are tensors of their own", Results();
  if (s.has(8) || s.has(9))
    return s.error() << "has beam_width or cache_indirection, which are not supported", Results();
  if (!s.has(1) || !s.has(2) || s.wants(3))
    return s.error() << "expected a key and a value and no output qk", Results();
  const unsigned results = s.wants(2) ? 3 : s.wants(1) ? 2 : 1;
  return s.emitAll("MultiHeadAttention", {s.input(0), s.input(1), s.input(2), s.input(10), s.input(3), s.input(4), s.input(5), s.input(6)},
                   s.kept({"num_heads", "scale", "mask_filter_value"}), results, 1, "com.microsoft");
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

} // namespace

void addFusedForms(SpelledForms &forms) {
  forms["com.microsoft:FusedConv"] = {spellFusedConv, {0, 1}, 4};
  forms["com.microsoft:TransposeMatMul"] = {spellTransposeMatMul, {0, 1}, 2};
  forms["com.microsoft:FusedMatMulActivation"] = {spellFusedMatMulActivation, {0, 1}, 2};
  forms["com.microsoft:GemmFastGelu"] = {spellGemmFastGelu, {0, 1}, 3};
  forms["com.microsoft:BiasAdd"] = {spellBiasAdd, {0, 1, 2}, 3};
  forms["com.microsoft:BiasSplitGelu"] = {spellBiasSplitGelu, {0, 1}, 2};
  forms["com.microsoft:ScaledSiLU"] = {spellScaledSilu, {0}, 2};
  forms["com.microsoft:ExpandDims"] = {spellExpandDims, {0, 1}, 2};
  forms["com.microsoft:MulInteger"] = {spellMulInteger, {0, 2}, 4};
  forms["com.microsoft:GatherND"] = {spellGatherNd, {0, 1}, 2};
  forms["com.microsoft:Pad"] = {spellPad, {0, 1}, 3};
  forms["com.microsoft:DecoderMaskedMultiHeadAttention"] = {spellDecoderAttention, {0}, 11, 4};
  forms["com.microsoft:FusedGemm"] = {spellFusedGemm, {0, 1}, 3};
  forms["com.microsoft:GatedAdd"] = {spellGatedAdd, {0, 1, 2}, 3};
  forms["com.microsoft:LinearAttentionGate"] = {spellLinearAttentionGate, {0, 1, 2}, 4, 2};
  forms["com.microsoft:GatedRMSNorm"] = {spellGatedRmsNorm, {0, 1, 2}, 3};
}

} // namespace moe
