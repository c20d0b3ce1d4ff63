// Form A: the node com.microsoft.MoE. Its meaning is the schema's, not one runtime's: softmax over all experts, then top-k, normalised
// if asked; GELU is the tanh form; swiglu clamps and shifts as gpt-oss does.
#include "LayerBuilder.h"
#include "OnnxMatch.h"
#include "moe/Raise/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_RAISEFUSEDEXPERTS
#include "moe/Raise/Passes.h.inc"

namespace raise {
namespace {

constexpr llvm::StringLiteral contribDomain = "com.microsoft";
/// Phi-3.5-MoE's jitter; the node has no attribute for it.
constexpr double sparseMixerJitter = 0.01;

/// The node read and checked.
struct FusedNode {
  Value x, logits;
  ExpertWeights weights;
  int64_t experts = 0, hidden = 0, inter = 0, k = 1;
  bool normalise = false, sparseMixer = false;
};

class FusedReader {
public:
  explicit FusedReader(OnnxOp op) : op(op) {}

  FailureOr<FusedNode> read() {
    if (failed(readAttributes()) || failed(readInputs()) || failed(readLayout()) || failed(checkBiases()))
      return failure();
    return node;
  }

private:
  InFlightDiagnostic error() { return emitError(op.getLoc()) << contribDomain << "." << op.getOpType() << ": "; }

  LogicalResult readAttributes();
  LogicalResult readFlag(StringRef name, bool &flag);
  LogicalResult readActivation();
  LogicalResult readInputs();
  LogicalResult readLayout();
  LogicalResult checkBiases();
  LogicalResult checkBias(StringRef name, Value bias, int64_t columns);

  OnnxOp op;
  FusedNode node;
  bool swiglu = false;
  int64_t fusion = 0;
  Activation activation = Activation::Relu;
};

} // namespace

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
  for (NamedAttribute attribute : op.getNodeAttributes()) {
    if (attribute.getName() == "num_shared_experts") {
      if (intAttribute(op, "num_shared_experts", -1) == 0)
        continue;
      return error() << "attribute num_shared_experts is not supported: shared experts would be taken for routed ones";
    }
    if (!llvm::is_contained(known, attribute.getName().strref()))
      return error() << "unknown attribute '" << attribute.getName().strref() << "': its meaning cannot be guessed";
  }
  node.k = intAttribute(op, "k", 1);
  if (failed(readFlag("normalize_routing_weights", node.normalise)) || failed(readFlag("use_sparse_mixer", node.sparseMixer)))
    return failure();
  if (node.sparseMixer && node.k != 2)
    return error() << "use_sparse_mixer is defined for k = 2, found k = " << node.k;
  return readActivation();
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
  if (fusion != 0)
    return error() << "swiglu_fusion = " << fusion << " needs activation_type swiglu, found '" << type << "'";
  for (StringRef name : {"swiglu_limit", "activation_alpha", "activation_beta"})
    if (floatAttribute(op, name, 0.0) != (name == "activation_alpha" ? 1.0 : 0.0) && op.getNodeAttributes().contains(name))
      return error() << name << " has a meaning for activation_type swiglu only, found '" << type << "'";
  return success();
}

LogicalResult FusedReader::readInputs() {
  if (op->getNumResults() != 1 || op.getInputs().size() > 8)
    return error() << "expected at most 8 inputs and 1 output, found " << op.getInputs().size() << " and " << op->getNumResults();
  static const llvm::StringLiteral names[] = {"input", "router_probs", "fc1_experts_weights", "fc1_experts_bias",
                                              "fc2_experts_weights", "fc2_experts_bias", "fc3_experts_weights", "fc3_experts_bias"};
  Value inputs[8];
  for (unsigned i = 0; i < 8; ++i) {
    inputs[i] = inputOrNull(op, i);
    const bool required = i < 3 || i == 4;
    if (!inputs[i] && !required)
      continue;
    RankedTensorType type = tensorType(inputs[i]);
    if (!type)
      return error() << "input " << names[i] << " is missing";
    if (!isa<Float32Type, Float16Type, BFloat16Type>(type.getElementType()))
      return error() << "expected " << names[i] << " of f32, f16 or bf16, found " << type;
    if (i >= 2 && type.getRank() != (i % 2 ? 2 : 3))
      return error() << "expected " << names[i] << " of rank " << (i % 2 ? 2 : 3) << ", found " << type;
    if (i >= 2 && !type.hasStaticShape())
      return error() << "expected a static shape of " << names[i] << ", found " << type;
    Operation *source = inputs[i].getDefiningOp();
    if (i >= 2 && !(source && isa<WeightRefOp, arith::ConstantOp>(source)))
      return error() << "expected " << names[i] << " to be stored in the model, found a computed value";
    if (type.getElementType() != tensorType(inputs[0]).getElementType() && i != 1)
      return error() << "expected " << names[i] << " of the input's type " << tensorType(inputs[0]).getElementType() << ", found " << type;
  }
  node.x = inputs[0];
  node.logits = inputs[1];
  node.weights = {inputs[2], inputs[3], inputs[6], inputs[7], inputs[4], inputs[5], FfnAttr(), WeightOrder::OutIn};
  int64_t rank = tensorType(node.x).getRank();
  if (rank != 2 && rank != 3)
    return error() << "expected an input of 2 or 3 dims, found " << tensorType(node.x);
  if (!node.weights.up && node.weights.upBias)
    return error() << "fc3_experts_bias without fc3_experts_weights";
  return success();
}

/// Sizes, gate layout and the order of the weights' dims. Modern files hold [E, out, in]; old ones [E, in, out], which only the dims tell.
LogicalResult FusedReader::readLayout() {
  RankedTensorType fc1 = tensorType(node.weights.gate), fc2 = tensorType(node.weights.down);
  const bool separate = static_cast<bool>(node.weights.up);
  if (separate && fusion != 0)
    return error() << "swiglu_fusion = " << fusion << " says that fc1 holds gate and up, but there are fc3_experts_weights";
  if (swiglu && !separate && fusion == 0)
    return error() << "activation_type swiglu with swiglu_fusion = 0 needs fc3_experts_weights";
  const int64_t parts = swiglu && !separate ? 2 : 1;
  node.experts = fc1.getDimSize(0);
  auto fits = [&](bool modern, int64_t hidden) {
    const int64_t out = fc1.getDimSize(modern ? 1 : 2), in = fc1.getDimSize(modern ? 2 : 1);
    const int64_t downOut = fc2.getDimSize(modern ? 1 : 2), downIn = fc2.getDimSize(modern ? 2 : 1);
    return in == hidden && downOut == hidden && out == parts * downIn && fc2.getDimSize(0) == node.experts &&
           (!separate || tensorType(node.weights.up) == fc1);
  };
  int64_t hidden = staticDim(node.x, -1);
  const bool modern = fits(true, hidden < 0 ? fc2.getDimSize(1) : hidden);
  if (!modern && !fits(false, hidden < 0 ? fc2.getDimSize(2) : hidden)) {
    InFlightDiagnostic diagnostic = error();
    diagnostic << "weights do not fit: expected fc1 [E, " << (parts == 2 ? "2·I" : "I") << ", H], fc2 [E, H, I]"
               << (separate ? ", fc3 as fc1" : "") << " with H of the input " << tensorType(node.x) << ", found fc1 " << fc1 << ", fc2 " << fc2;
    if (separate)
      diagnostic << ", fc3 " << tensorType(node.weights.up);
    return diagnostic;
  }
  node.hidden = fc2.getDimSize(modern ? 1 : 2);
  node.inter = fc2.getDimSize(modern ? 2 : 1);
  if (!modern) {
    node.weights.order = WeightOrder::InOut;
    emitWarning(op.getLoc()) << contribDomain << "." << op.getOpType() << ": weights are stored as [E, in, out], the layout of old files";
  }
  const int64_t routed = staticDim(node.logits, -1);
  if (routed >= 0 && routed != node.experts)
    return error() << "expected router_probs for " << node.experts << " experts, as many as fc1 has, found " << tensorType(node.logits);
  if (node.k < 1 || node.k > node.experts)
    return error() << "expected k from 1 to " << node.experts << ", the number of experts, found " << node.k;
  GateLayout gate = separate ? GateLayout::Separate : fusion == 1 ? GateLayout::Interleaved : fusion == 2 ? GateLayout::Halves : GateLayout::None;
  Builder builder(op.getContext());
  auto number = [&](StringRef name, double absent) {
    double value = floatAttribute(op, name, absent);
    return value == absent ? FloatAttr() : builder.getF64FloatAttr(value);
  };
  FloatAttr limit;
  if (swiglu && op.getNodeAttributes().contains("swiglu_limit")) {
    limit = builder.getF64FloatAttr(floatAttribute(op, "swiglu_limit", 0.0));
    if (!(limit.getValueAsDouble() > 0.0))
      return error() << "expected a positive swiglu_limit, found " << limit.getValueAsDouble();
  }
  node.weights.ffn = swiglu ? FfnAttr::get(op.getContext(), activation, gate, number("activation_alpha", 1.0), number("activation_beta", 0.0), limit)
                            : FfnAttr::get(op.getContext(), activation, gate, FloatAttr(), FloatAttr(), FloatAttr());
  return success();
}

LogicalResult FusedReader::checkBias(StringRef name, Value bias, int64_t columns) {
  if (bias && (staticDim(bias, 0) != node.experts || staticDim(bias, 1) != columns))
    return error() << "expected " << name << " of shape " << node.experts << "x" << columns << ", found " << tensorType(bias);
  return success();
}

LogicalResult FusedReader::checkBiases() {
  const bool shared = node.weights.ffn.getGate() == GateLayout::Interleaved || node.weights.ffn.getGate() == GateLayout::Halves;
  return failure(failed(checkBias("fc1_experts_bias", node.weights.gateBias, shared ? 2 * node.inter : node.inter)) ||
                 failed(checkBias("fc2_experts_bias", node.weights.downBias, node.hidden)) ||
                 failed(checkBias("fc3_experts_bias", node.weights.upBias, node.inter)));
}

/// Writes the chain before the node and puts its result in the node's place.
static void replaceFused(OnnxOp op, const FusedNode &node, LayerBuilder &chain) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  std::string name = chain.nameLayer({node.weights.gate, node.weights.up, node.weights.down}, node.logits);
  Value x = chain.asMatrix(builder, loc, node.x, node.hidden);
  Value logits = chain.asF32(builder, loc, chain.asMatrix(builder, loc, node.logits, node.experts));
  // The sparse mixer's weights are what its own softmaxes give; nothing is normalised after them.
  auto router = RouterAttr::get(builder.getContext(), node.sparseMixer ? ScoreFunction::Identity : ScoreFunction::Softmax, node.k,
                                node.sparseMixer ? WeightSource::SparseMixer : WeightSource::Gather,
                                node.normalise && !node.sparseMixer ? WeightNorm::L1 : WeightNorm::None, FloatAttr());
  Value weights;
  Assignments list = LayerBuilder::route(builder, loc, logits, router,
                                         node.sparseMixer ? std::optional<double>(sparseMixerJitter) : std::nullopt, weights);
  Value result = chain.experts(builder, loc, x, list, weights, node.weights, OriginAttr::get(builder.getContext(), name, "fused"), tensorType(x));
  RankedTensorType type = tensorType(op->getResult(0));
  if (type.getRank() != 2) {
    auto shapeType = RankedTensorType::get({type.getRank()}, builder.getI64Type());
    Value shape = OnnxOp::create(builder, loc, TypeRange{shapeType}, "Shape", ValueRange{node.x}, "", 15, builder.getDictionaryAttr({}), 0)->getResult(0);
    result = OnnxOp::create(builder, loc, TypeRange{type}, "Reshape", ValueRange{result, shape}, "", 14, builder.getDictionaryAttr({}), 0)->getResult(0);
  }
  op->getResult(0).replaceAllUsesWith(result);
  eraseDead(op.getOperation());
}

namespace {
struct RaiseFusedExperts : impl::RaiseFusedExpertsBase<RaiseFusedExperts> {
  using Base::Base;

  void runOnOperation() override {
    LayerBuilder chain(getOperation());
    SmallVector<OnnxOp> nodes;
    getOperation().walk([&](OnnxOp op) {
      if (isNode(op, "MoE", contribDomain))
        nodes.push_back(op);
    });
    bool wrong = false;
    for (OnnxOp op : nodes) {
      FailureOr<FusedNode> node = FusedReader(op).read();
      if (succeeded(node))
        replaceFused(op, *node, chain);
      wrong |= failed(node);
    }
    if (wrong)
      signalPassFailure();
  }
};
} // namespace
} // namespace raise
} // namespace moe
