// The second step of recognition: the ordinary ops that made expert ids and weights become score, select and weigh.
//
// Runs after the experts passes, on each moe.assign. Only routers that the three ops express exactly are taken; any other stays as it is
// and its layer keeps moe.assign.
#include "LayerBuilder.h"
#include "RoutedLayer.h"
#include "RouterMatcher.h"
#include "moe/Raise/Passes.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_RAISEROUTER
#include "moe/Raise/Passes.h.inc"

namespace raise {

/// The ops that hang on a moe.assign: its slots and its combine. Null where it is not exactly one of each.
static bool chainOf(AssignOp assign, SlotsOp &slots, CombineOp &combine) {
  for (Operation *user : assign.getToken().getUsers()) {
    if (auto found = dyn_cast<SlotsOp>(user)) {
      if (slots)
        return false;
      slots = found;
    } else if (auto found = dyn_cast<CombineOp>(user)) {
      if (combine)
        return false;
      combine = found;
    }
  }
  return slots && combine;
}

/// The values of the TopK where something else than the weights reads them (Llama 4 scales rows by them).
static void replaceChosenValues(OnnxOp top, OpBuilder &builder, LayerBuilder &chain, Assignments list) {
  // Ids that others read keep the node anyway.
  if (top->getResult(0).use_empty() || !top->getResult(1).use_empty())
    return;
  RankedTensorType type = tensorType(top->getResult(0));
  if (type.getRank() != 2)
    return;
  Location loc = top.getLoc();
  Value values = LayerBuilder::chosenValues(builder, loc, list);
  const int64_t k = type.getDimSize(1);
  values = chain.castTo(builder, loc, chain.asMatrix(builder, loc, values, k), type.getElementType());
  top->getResult(0).replaceUsesWithIf(values, [&](OpOperand &use) { return use.getOwner() != values.getDefiningOp(); });
}

/// `weights` of the choices in `list`, each times the number that `table` has for its expert.
static Value scaleByExpert(OpBuilder &builder, Location loc, LayerBuilder &chain, Value weights, Value table, Assignments list) {
  RankedTensorType type = tensorType(weights);
  Value numbers = makeNode(builder, loc, "Gather", 13, {table, list.expert}, type.clone(tensorType(table).getElementType()),
                           builder.getNamedAttr("axis", builder.getI64IntegerAttr(0)));
  return makeNode(builder, loc, "Mul", 14, {weights, chain.asF32(builder, loc, numbers)}, type);
}

static void replaceRouter(AssignOp assign, CombineOp combine, int64_t experts, const Router &router, LayerBuilder &chain) {
  OpBuilder builder(assign);
  // Everything that reads the TopK comes after it.
  if (router.top)
    builder.setInsertionPoint(router.top);
  Location loc = assign.getLoc();
  Value logits = chain.asF32(builder, loc, chain.asMatrix(builder, loc, router.logits, experts));
  Routing routing = router.routing;
  if (routing.bias)
    routing.bias = chain.asF32(builder, loc, chain.storedAs(builder, routing.bias, {experts}));
  Value weights;
  Assignments list = LayerBuilder::route(builder, loc, logits, routing, weights);
  Value oldWeights = combine.getWeights(), ids = assign.getIndices();
  // The tables may be made later than the choice.
  OpBuilder atLayer(combine);
  for (Value table : router.expertScales)
    weights = scaleByExpert(atLayer, loc, chain, weights, table, list);
  assign.replaceAllUsesWith(ValueRange{list.token, list.expert, list.rank, list.valid});
  combine.getWeightsMutable().assign(weights);
  assign.erase();
  // The TopK is looked at, and built in front of, once what read it for this layer is gone.
  OnnxOp top = router.top;
  eraseDead({oldWeights.getDefiningOp(), ids.getDefiningOp()}, top);
  if (!top)
    return;
  // With groups a value may be that of the mask.
  if (!routing.groups)
    replaceChosenValues(top, builder, chain, list);
  eraseDead(top.getOperation());
}

namespace {
/// A layer whose router is known.
struct Found {
  AssignOp assign;
  CombineOp combine;
  int64_t experts;
  Router router;
};

struct RaiseRouter : impl::RaiseRouterBase<RaiseRouter> {
  using Base::Base;

  void runOnOperation() override {
    LayerBuilder chain(getOperation());
    std::vector<Found> found;
    LogicalResult result = forEachOnnxFunction(getOperation(), [&](func::FuncOp function, const SizeProof &proof) {
      function.walk([&](AssignOp assign) { match(assign, proof, found); });
    });
    if (failed(result))
      return signalPassFailure();
    for (Found &layer : found)
      replaceRouter(layer.assign, layer.combine, layer.experts, layer.router, chain);
  }

  void match(AssignOp assign, const SizeProof &proof, std::vector<Found> &found) {
    SlotsOp slots;
    CombineOp combine;
    if (!chainOf(assign, slots, combine))
      return;
    const auto experts = static_cast<int64_t>(slots.getExperts());
    RouterMatcher matcher(assign.getIndices(), combine.getWeights(), experts, proof);
    if (auto router = matcher.match())
      found.push_back({assign, combine, experts, *router});
    else
      remarkMiss(remarks, assign, matcher.missedAt(), matcher.missed(), "router");
  }
};
} // namespace
} // namespace raise
} // namespace moe
