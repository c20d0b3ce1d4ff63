// What MoE and QMoE have in common: attributes, gate form, sizes, biases; and the inputs of MoE. The meaning is the schema's, not one
// runtime's: softmax over all experts, then top-k, normalised if asked; GELU is the tanh form; swiglu clamps and shifts as gpt-oss does.
#include "FusedNode.h"

#include "OnnxMatch.h"

#include "llvm/ADT/StringSwitch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace moe::raise {

FailureOr<FusedNode> FusedReader::read() {
  if (failed(readAttributes()) || failed(readInputs()) || failed(checkInputs()) || failed(checkGateForm()) ||
      failed(quantized ? readQuantizedTypes() : readLayout()) || failed(readSizes()) || failed(readFfn()) || failed(checkBiases()))
    return failure();
  return node;
}

LogicalResult FusedReader::readFlag(StringRef name, bool &flag) {
  int64_t value = intAttribute(op, name, 0);
  if (value != 0 && value != 1)
    return error() << "expected " << name << " 0 or 1, found " << value;
  flag = value == 1;
  return success();
}

LogicalResult FusedReader::readAttributes() {
  static const llvm::StringLiteral known[] = {"k", "activation_type", "normalize_routing_weights", "use_sparse_mixer", "swiglu_fusion",
                                              "swiglu_limit", "activation_alpha", "activation_beta"};
  static const llvm::StringLiteral knownQuantized[] = {"expert_weight_bits", "fc1_expert_weight_bits", "fc2_expert_weight_bits",
                                                       "fc3_expert_weight_bits", "block_size", "quant_type", "weights_prepacked",
                                                       "accuracy_level"};
  for (NamedAttribute attribute : op.getNodeAttributes()) {
    if (attribute.getName() == "num_shared_experts") {
      if (intAttribute(op, "num_shared_experts", -1) == 0)
        continue;
      return error() << "attribute num_shared_experts is not supported: shared experts would be taken for routed ones";
    }
    const StringRef name = attribute.getName().strref();
    if (!llvm::is_contained(known, name) && !(quantized && llvm::is_contained(knownQuantized, name)))
      return error() << "unknown attribute '" << name << "': its meaning cannot be guessed";
  }
  node.k = intAttribute(op, "k", 1);
  if (failed(readFlag("normalize_routing_weights", node.normalise)) || failed(readFlag("use_sparse_mixer", node.sparseMixer)))
    return failure();
  if (node.sparseMixer && node.k != 2)
    return error() << "use_sparse_mixer is defined for k = 2, found k = " << node.k;
  return readActivation();
}

void FusedReader::warnIgnored(StringRef name, StringRef activationType) {
  emitWarning(op.getLoc()) << contribDomain << "." << op.getOpType() << ": " << name << " has a meaning for activation_type swiglu only, found '" << activationType
                           << "'; it is ignored";
}

LogicalResult FusedReader::readActivation() {
  StringRef type = stringAttribute(op, "activation_type", "relu");
  swiglu = type == "swiglu";
  auto found = llvm::StringSwitch<std::optional<Activation>>(type)
                   .Case("relu", Activation::Relu)
                   .Case("gelu", Activation::GeluTanh)
                   .Cases({"silu", "swiglu"}, Activation::Silu)
                   .Case("identity", Activation::Identity)
                   .Default(std::nullopt);
  if (!found)
    return error() << "expected activation_type relu, gelu, silu, swiglu or identity, found '" << type << "'";
  activation = *found;
  fusion = intAttribute(op, "swiglu_fusion", 0);
  if (fusion < 0 || fusion > 2)
    return error() << "expected swiglu_fusion 0, 1 or 2, found " << fusion;
  if (swiglu)
    return success();
  // Exporters write them whatever the activation, and no runtime reads them then.
  if (fusion != 0)
    warnIgnored("swiglu_fusion", type);
  for (StringRef name : {"swiglu_limit", "activation_alpha", "activation_beta"})
    if (floatAttribute(op, name, 0.0) != (name == "activation_alpha" ? 1.0 : 0.0) && op.getNodeAttributes().contains(name))
      warnIgnored(name, type);
  fusion = 0;
  return success();
}

LogicalResult FusedReader::readInputs() {
  const unsigned most = quantized ? 21 : 8;
  if (op->getNumResults() != 1 || op.getInputs().size() > most)
    return error() << "expected at most " << most << " inputs and 1 output, found " << op.getInputs().size() << " and " << op->getNumResults();
  node.x = inputOrNull(op, 0);
  node.logits = inputOrNull(op, 1);
  FusedProjection *const projections[] = {&node.fc1, &node.fc2, &node.fc3};
  static const llvm::StringLiteral names[] = {"fc1", "fc2", "fc3"};
  const unsigned each = quantized ? 3 : 2;
  for (unsigned i = 0; i < 3; ++i) {
    FusedProjection &projection = *projections[i];
    projection.name = names[i];
    projection.weight = inputOrNull(op, 2 + each * i);
    projection.bias = inputOrNull(op, 2 + each * i + each - 1);
    if (!projection.weight && i < 2)
      return error() << "input " << names[i] << "_experts_weights is missing";
  }
  if (!node.x || !node.logits)
    return error() << "input " << (node.x ? "router_probs" : "input") << " is missing";
  return quantized ? readQuantization() : success();
}

/// Weights are read where the model stores them.
LogicalResult FusedReader::checkStored(const FusedProjection &projection) {
  const std::pair<StringRef, Value> parts[] = {{"_experts_weights", projection.weight},
                                               {"_experts_bias", projection.bias},
                                               {"_scales", projection.scales},
                                               {"_zero_points", projection.zeros}};
  for (const auto &[part, value] : parts) {
    if (!value)
      continue;
    const std::string name = (projection.name + part).str();
    RankedTensorType type = tensorType(value);
    if (!type || !type.hasStaticShape())
      return error() << "expected a static shape of " << name << ", found " << value.getType();
    const bool isBias = value == projection.bias, isWeight = value == projection.weight;
    const bool sameType = isBias || (isWeight && !quantized);
    if (sameType && type.getElementType() != tensorType(node.x).getElementType())
      return error() << "expected " << name << " of the input's type " << tensorType(node.x).getElementType() << ", found " << type;
    if ((isBias && type.getRank() != 2) || (isWeight && type.getRank() != 3))
      return error() << "expected " << name << " of rank " << (isBias ? 2 : 3) << ", found " << type;
    Operation *source = value.getDefiningOp();
    if (!(source && isa<WeightRefOp, arith::ConstantOp>(source)))
      return error() << "expected " << name << " to be stored in the model, found a computed value";
  }
  return success();
}

LogicalResult FusedReader::checkInputs() {
  for (const auto &[name, value] : {std::pair("input", node.x), std::pair("router_probs", node.logits), std::pair("router_weights", node.routerWeights)}) {
    RankedTensorType type = value ? tensorType(value) : RankedTensorType();
    if (value && (!type || !isa<Float32Type, Float16Type, BFloat16Type>(type.getElementType())))
      return error() << "expected " << name << " of f32, f16 or bf16, found " << value.getType();
  }
  int64_t rank = tensorType(node.x).getRank();
  if (rank != 2 && rank != 3)
    return error() << "expected an input of 2 or 3 dims, found " << tensorType(node.x);
  for (const FusedProjection *projection : {&node.fc1, &node.fc2, &node.fc3})
    if (failed(checkStored(*projection)))
      return failure();
  if (!node.fc3.weight && node.fc3.bias)
    return error() << "fc3_experts_bias without fc3_experts_weights";
  return success();
}

LogicalResult FusedReader::checkGateForm() {
  const bool separate = static_cast<bool>(node.fc3.weight);
  if (separate && fusion != 0)
    return error() << "swiglu_fusion = " << fusion << " says that fc1 holds gate and up, but there are fc3_experts_weights";
  if (swiglu && !separate && fusion == 0)
    return error() << "activation_type swiglu with swiglu_fusion = 0 needs fc3_experts_weights";
  return success();
}

/// The order of the weights' dims. Modern files hold [E, out, in]; old ones [E, in, out], which only the dims tell.
LogicalResult FusedReader::readLayout() {
  RankedTensorType fc1 = tensorType(node.fc1.weight), fc2 = tensorType(node.fc2.weight);
  RankedTensorType fc3 = node.fc3.weight ? tensorType(node.fc3.weight) : RankedTensorType();
  node.fc1.type = fc1;
  node.fc2.type = fc2;
  node.fc3.type = fc3;
  const int64_t parts = swiglu && !fc3 ? 2 : 1;
  auto fits = [&](bool modern, int64_t hidden) {
    const int64_t out = fc1.getDimSize(modern ? 1 : 2), in = fc1.getDimSize(modern ? 2 : 1);
    const int64_t downOut = fc2.getDimSize(modern ? 1 : 2), downIn = fc2.getDimSize(modern ? 2 : 1);
    return in == hidden && downOut == hidden && out == parts * downIn && fc2.getDimSize(0) == fc1.getDimSize(0) && (!fc3 || fc3 == fc1);
  };
  int64_t hidden = staticDim(node.x, -1);
  if (fits(true, hidden < 0 ? fc2.getDimSize(1) : hidden))
    return success();
  if (fits(false, hidden < 0 ? fc2.getDimSize(2) : hidden)) {
    node.order = WeightOrder::InOut;
    emitWarning(op.getLoc()) << contribDomain << "." << op.getOpType() << ": weights are stored as [E, in, out], the layout of old files";
    return success();
  }
  InFlightDiagnostic diagnostic = error();
  diagnostic << "weights do not fit: expected fc1 [E, " << (parts == 2 ? "2·I" : "I") << ", H], fc2 [E, H, I]" << (fc3 ? ", fc3 as fc1" : "")
             << " with H of the input " << tensorType(node.x) << ", found fc1 " << fc1 << ", fc2 " << fc2;
  if (fc3)
    diagnostic << ", fc3 " << fc3;
  return diagnostic;
}

LogicalResult FusedReader::readSizes() {
  const bool modern = node.order == WeightOrder::OutIn;
  node.experts = node.fc1.type.getDimSize(0);
  node.hidden = node.fc2.type.getDimSize(modern ? 1 : 2);
  node.inter = node.fc2.type.getDimSize(modern ? 2 : 1);
  for (const auto &[name, value] : {std::pair("router_probs", node.logits), std::pair("router_weights", node.routerWeights)})
    if (const int64_t routed = value ? staticDim(value, -1) : -1; routed >= 0 && routed != node.experts)
      return error() << "expected " << name << " for " << node.experts << " experts, as many as fc1 has, found " << tensorType(value);
  if (node.k < 1 || node.k > node.experts)
    return error() << "expected k from 1 to " << node.experts << ", the number of experts, found " << node.k;
  return success();
}

LogicalResult FusedReader::readFfn() {
  GateLayout gate = node.fc3.weight ? GateLayout::Separate
                    : fusion == 1   ? GateLayout::Interleaved
                    : fusion == 2   ? GateLayout::Halves
                                    : GateLayout::None;
  Builder builder(op.getContext());
  auto number = [&](StringRef name, double absent) {
    double value = floatAttribute(op, name, absent);
    return value == absent ? FloatAttr() : builder.getF64FloatAttr(value);
  };
  FloatAttr limit;
  if (swiglu && op.getNodeAttributes().contains("swiglu_limit")) {
    limit = builder.getF64FloatAttr(floatAttribute(op, "swiglu_limit", 0.0));
    if (!(limit.getValueAsDouble() >= 0.0))
      return error() << "expected a swiglu_limit that is not negative, found " << limit.getValueAsDouble();
  }
  node.ffn = swiglu ? FfnAttr::get(op.getContext(), activation, gate, number("activation_alpha", 1.0), number("activation_beta", 0.0), limit)
                    : FfnAttr::get(op.getContext(), activation, gate, FloatAttr(), FloatAttr(), FloatAttr());
  return success();
}

LogicalResult FusedReader::checkBias(const FusedProjection &projection, int64_t columns) {
  const Value bias = projection.bias;
  if (bias && (staticDim(bias, 0) != node.experts || staticDim(bias, 1) != columns))
    return error() << "expected " << projection.name << "_experts_bias of shape " << node.experts << "x" << columns << ", found "
                   << tensorType(bias);
  return success();
}

LogicalResult FusedReader::checkBiases() {
  const bool shared = isOneTensor(node.ffn.getGate());
  return failure(failed(checkBias(node.fc1, shared ? 2 * node.inter : node.inter)) || failed(checkBias(node.fc2, node.hidden)) ||
                 failed(checkBias(node.fc3, node.inter)));
}

} // namespace moe::raise
