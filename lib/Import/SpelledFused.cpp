// Fused nodes of floats.
#include "Speller.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace moe {
namespace {

using Results = SpelledResults;

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

} // namespace

void addFusedForms(SpelledForms &forms) {
  forms["com.microsoft:FusedGemm"] = {spellFusedGemm, {0, 1}, 3};
  forms["com.microsoft:GatedAdd"] = {spellGatedAdd, {0, 1, 2}, 3};
  forms["com.microsoft:LinearAttentionGate"] = {spellLinearAttentionGate, {0, 1, 2}, 4, 2};
  forms["com.microsoft:GatedRMSNorm"] = {spellGatedRmsNorm, {0, 1, 2}, 3};
}

} // namespace moe
