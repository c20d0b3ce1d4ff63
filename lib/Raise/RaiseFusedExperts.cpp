// Form A: the nodes com.microsoft.MoE and com.microsoft.QMoE become the chain of moe ops. FusedNode reads them.
#include "FusedNode.h"
#include "OnnxMatch.h"
#include "moe/Raise/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_RAISEFUSEDEXPERTS
#include "moe/Raise/Passes.h.inc"

namespace raise {

/// Phi-3.5-MoE's jitter; the node has no attribute for it.
static constexpr double sparseMixerJitter = 0.01;

static Value createNode(OpBuilder &builder, Location loc, StringRef type, TypeRange results, ValueRange inputs, int64_t version,
                        ArrayRef<NamedAttribute> attributes, unsigned result = 0) {
  return OnnxOp::create(builder, loc, results, type, inputs, "", version, builder.getDictionaryAttr(attributes), 0)->getResult(result);
}

/// The experts are the best of `logits` and their weights those of another matrix: a TopK, and a GatherElements of it.
static Assignments routeByWeights(OpBuilder &builder, Location loc, LayerBuilder &chain, const FusedNode &node, Value logits, Value &weights) {
  const int64_t rows = tensorType(logits).getDimSize(0);
  auto ids = RankedTensorType::get({rows, node.k}, builder.getI64Type());
  auto values = RankedTensorType::get({rows, node.k}, builder.getF32Type());
  auto integers = [&](int64_t number) {
    return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(RankedTensorType::get({1}, builder.getI64Type()), number));
  };
  const NamedAttribute lastAxis = builder.getNamedAttr("axis", builder.getI64IntegerAttr(-1));
  const NamedAttribute columnAxis = builder.getNamedAttr("axis", builder.getI64IntegerAttr(1));
  Value k = integers(node.k);
  Value chosen = createNode(builder, loc, "TopK", {values, ids}, {logits, k}, 11, {lastAxis}, 1);
  Value all = chain.asF32(builder, loc, chain.asMatrix(builder, loc, node.routerWeights, node.experts));
  weights = createNode(builder, loc, "GatherElements", {values}, {all, chosen}, 13, {columnAxis});
  if (node.normalise) {
    Value sum = createNode(builder, loc, "ReduceSum", {RankedTensorType::get({rows, 1}, builder.getF32Type())}, {weights, integers(1)}, 13, {});
    weights = createNode(builder, loc, "Div", {values}, {weights, sum}, 14, {});
  }
  weights = chain.asF32Vector(builder, loc, weights);
  return LayerBuilder::assign(builder, loc, chosen);
}

/// The weight of a projection as the model stores it, or dequantised.
static Value weightOf(OpBuilder &builder, Location loc, LayerBuilder &chain, const FusedProjection &projection, StringRef layer,
                      IntegerAttr accuracyLevel) {
  if (!projection.weight || !projection.quant)
    return projection.weight;
  auto stored = [&](Value value, StringRef part) {
    return value ? chain.storedWeight(builder, value, (layer + "." + projection.name + "." + part).str()) : Value();
  };
  return DequantOp::create(builder, loc, projection.type, stored(projection.weight, "codes"), stored(projection.scales, "scales"),
                           stored(projection.zeros, "zeros"), /*codebook=*/Value(), projection.quant, accuracyLevel);
}

/// Writes the chain before the node and puts its result in the node's place.
static void replaceFused(OnnxOp op, const FusedNode &node, LayerBuilder &chain) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  std::string name = chain.nameLayer({node.fc1.weight, node.fc3.weight, node.fc2.weight}, node.logits);
  Value x = chain.asMatrix(builder, loc, node.x, node.hidden);
  Value logits = chain.asF32(builder, loc, chain.asMatrix(builder, loc, node.logits, node.experts));
  Routing routing;
  routing.k = node.k;
  if (node.sparseMixer) { // Its weights are what its own softmaxes give; nothing is normalised after them.
    routing.source = WeightSource::SparseMixer;
    routing.jitter = sparseMixerJitter;
  } else {
    routing.function = ScoreFunction::Softmax;
    routing.norm = node.normalise ? WeightNorm::L1 : WeightNorm::None;
  }
  Value weights;
  Assignments list = node.routerWeights ? routeByWeights(builder, loc, chain, node, logits, weights)
                                        : LayerBuilder::route(builder, loc, logits, routing, weights);
  const IntegerAttr level = accuracyLevelOf(op);
  auto weight = [&](const FusedProjection &projection) { return weightOf(builder, loc, chain, projection, name, level); };
  const ExpertWeights parts = {weight(node.fc1), node.fc1.bias, weight(node.fc3), node.fc3.bias, weight(node.fc2), node.fc2.bias, node.ffn, node.order};
  Value result = chain.experts(builder, loc, x, list, weights, parts, OriginAttr::get(builder.getContext(), name, "fused"), tensorType(x));
  RankedTensorType type = tensorType(op->getResult(0));
  if (type.getRank() != 2) {
    auto shapeType = RankedTensorType::get({type.getRank()}, builder.getI64Type());
    Value shape = makeNode(builder, loc, "Shape", 15, {node.x}, shapeType);
    result = makeNode(builder, loc, "Reshape", 14, {result, shape}, type);
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
      if (isNode(op, "MoE", contribDomain) || isNode(op, "QMoE", contribDomain))
        nodes.push_back(op);
    });
    bool wrong = false;
    // What is wrong with one layer is mostly wrong with all of them: it is said once.
    llvm::StringMap<unsigned> said;
    Location last = getOperation().getLoc();
    ScopedDiagnosticHandler once(&getContext(), [&](Diagnostic &diagnostic) {
      const unsigned times = said[diagnostic.str()]++;
      if (times > 0 && diagnostic.getSeverity() == DiagnosticSeverity::Error)
        last = diagnostic.getLocation();
      return success(times > 0);
    });
    for (OnnxOp op : nodes) {
      FailureOr<FusedNode> node = FusedReader(op, isNode(op, "QMoE", contribDomain)).read();
      if (succeeded(node))
        replaceFused(op, *node, chain);
      wrong |= failed(node);
    }
    unsigned more = 0;
    for (const auto &entry : said)
      more += entry.second - 1;
    if (wrong && more > 0)
      emitError(last) << more << " more of the nodes have the same fault, this one the last of them";
    if (wrong)
      signalPassFailure();
  }
};
} // namespace
} // namespace raise
} // namespace moe
