// The second step of recognition: the ordinary ops that made expert ids and weights become score, select and weigh.
//
// Runs after the experts passes, on each moe.assign. Only routers that the three ops express exactly are taken; any other stays as it is
// and its layer keeps moe.assign.
#include "LayerBuilder.h"
#include "OnnxMatch.h"
#include "RoutedLayer.h"
#include "moe/Raise/Passes.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_RAISEROUTER
#include "moe/Raise/Passes.h.inc"

namespace raise {
namespace {

/// Everything about a router that was recognised.
struct Router {
  /// Elements are [T, E].
  Value logits;
  ScoreFunction function = ScoreFunction::Identity;
  WeightSource source = WeightSource::Gather;
  WeightNorm norm = WeightNorm::None;
  double scale = 1.0;
};

class RouterMatcher {
public:
  RouterMatcher(AssignOp assign, Value weights, int64_t experts) : assign(assign), weights(weights), experts(experts) {}

  std::optional<Router> match();
  StringRef missed() const { return missedText; }
  Operation *missedAt() const { return missedOp; }

private:
  std::nullopt_t miss(Operation *at, StringRef why) {
    missedOp = at;
    missedText = why;
    return std::nullopt;
  }
  bool isTopValue(Value value) const { return value == Value(top->getResult(0)); }
  std::optional<Router> matchScores(Router router);
  bool matchNormalised(Value value, Value &numerator);

  AssignOp assign;
  Value weights;
  int64_t experts;
  OnnxOp top;
  Operation *missedOp = nullptr;
  StringRef missedText;
};

} // namespace

/// Is `op` a Softmax over the last dim of its input? Before opset 13 the node flattens the dims from `axis` on.
static bool isLastSoftmax(OnnxOp op) {
  RankedTensorType type = tensorType(op.getInputs()[0]);
  int64_t axis = intAttribute(op, "axis", op.getVersion() >= 13 ? -1 : 1);
  return type && fromFront(axis, type.getRank()) == type.getRank() - 1;
}

/// `v / ReduceSum(v, last dim)`.
bool RouterMatcher::matchNormalised(Value value, Value &numerator) {
  OnnxOp division = definedBy(value, "Div");
  if (!division)
    return false;
  Value above = division.getInputs()[0], below = division.getInputs()[1];
  OnnxOp sum = definedBy(peel(below, Views | FloatCasts), "ReduceSum");
  if (!sum)
    return false;
  Value summed = sum.getInputs()[0];
  auto axes = axesOf(sum);
  const int64_t rank = tensorType(summed).getRank();
  // A view of the sums is only trusted where it can group them in one way: one per row.
  const bool kept = intAttribute(sum, "keepdims", 1) == 1 && peel(below, FloatCasts) == Value(sum->getResult(0));
  if (!axes || axes->size() != 1 || fromFront((*axes)[0], rank) != rank - 1 || tensorType(above).getRank() != rank ||
      !(kept || (rank == 2 && tensorType(below).getRank() == 2)) || staticDim(below, -1) != 1)
    return false;
  numerator = peel(above, FloatCasts);
  return numerator == peel(summed, FloatCasts);
}

std::optional<Router> RouterMatcher::matchScores(Router router) {
  Value scores = top.getInputs()[0];
  Value made = peel(scores, Views | FloatCasts);
  if (router.source == WeightSource::SoftmaxSelected) {
    router.logits = scores;
    return router;
  }
  auto function = made.getDefiningOp<OnnxOp>();
  if (function && isNode(function, "Softmax") && isLastSoftmax(function))
    router.function = ScoreFunction::Softmax;
  else if (function && isNode(function, "Sigmoid"))
    router.function = ScoreFunction::Sigmoid;
  else
    return miss(made.getDefiningOp(), "the scores come from no Softmax over the experts and no Sigmoid");
  router.logits = function.getInputs()[0];
  // The rows of scores are the rows of logits, whatever views lie between.
  if (staticDim(router.logits, -1) != experts)
    return miss(function, "the scores of a token are not one row of the score function");
  return router;
}

std::optional<Router> RouterMatcher::match() {
  Value ids = peel(assign.getIndices(), Views | IntCasts);
  top = definedBy(ids, "TopK");
  if (!top || cast<OpResult>(ids).getResultNumber() != 1)
    return miss(ids.getDefiningOp(), "the expert ids are not the indices of a TopK");
  Value scores = top.getInputs()[0];
  const int64_t rank = tensorType(scores) ? tensorType(scores).getRank() : 0, k = staticDim(ids, -1);
  if (rank < 1 || fromFront(intAttribute(top, "axis", -1), rank) != rank - 1 || staticDim(scores, -1) != experts)
    return miss(top, "the TopK is not over the experts");
  if (intAttribute(top, "largest", 1) != 1)
    return miss(top, "the TopK picks the smallest scores");
  if (k <= 0 || k != tensorType(assign.getIndices()).getDimSize(1))
    return miss(top, "K of the TopK and of the layer differ");
  Router router;
  Value weight = peel(weights, Views | FloatCasts);
  while (auto scaled = matchScalar(weight, "Mul")) {
    router.scale *= scaled->scalar;
    weight = peel(scaled->operand, Views | FloatCasts);
  }
  Value numerator;
  if (matchNormalised(weight, numerator)) {
    router.norm = WeightNorm::L1;
    weight = numerator;
  } else if (OnnxOp softmax = definedBy(weight, "Softmax")) {
    if (!isLastSoftmax(softmax) || staticDim(softmax.getInputs()[0], -1) != k)
      return miss(softmax, "the Softmax is not over the K chosen scores");
    router.source = WeightSource::SoftmaxSelected;
    weight = peel(softmax.getInputs()[0], FloatCasts);
  }
  if (!isTopValue(weight))
    return miss(weight.getDefiningOp(), "the combine weights are not made from the values of the TopK that made the ids");
  return matchScores(router);
}

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

static void replaceRouter(AssignOp assign, CombineOp combine, int64_t experts, const Router &router, LayerBuilder &chain) {
  OpBuilder builder(assign);
  Location loc = assign.getLoc();
  Value logits = chain.asF32(builder, loc, chain.asMatrix(builder, loc, router.logits, experts));
  const int64_t k = tensorType(assign.getIndices()).getDimSize(1);
  FloatAttr scale = router.scale == 1.0 ? FloatAttr() : builder.getF64FloatAttr(router.scale);
  Value weights;
  Assignments list = LayerBuilder::route(builder, loc, logits,
                                         RouterAttr::get(builder.getContext(), router.function, k, router.source, router.norm, scale),
                                         std::nullopt, weights);
  Value oldWeights = combine.getWeights(), ids = assign.getIndices();
  assign.replaceAllUsesWith(ValueRange{list.token, list.expert, list.rank, list.valid});
  combine.getWeightsMutable().assign(weights);
  assign.erase();
  eraseDead({oldWeights.getDefiningOp(), ids.getDefiningOp()});
}

namespace {
struct RaiseRouter : impl::RaiseRouterBase<RaiseRouter> {
  using Base::Base;

  void runOnOperation() override {
    LayerBuilder chain(getOperation());
    SmallVector<AssignOp> assigns;
    getOperation().walk([&](AssignOp assign) { assigns.push_back(assign); });
    for (AssignOp assign : assigns) {
      SlotsOp slots;
      CombineOp combine;
      if (!chainOf(assign, slots, combine))
        continue;
      const int64_t experts = slots.getExperts();
      RouterMatcher matcher(assign, combine.getWeights(), experts);
      if (auto router = matcher.match())
        replaceRouter(assign, combine, experts, *router, chain);
      else
        remarkMiss(remarks, assign, matcher.missedAt(), matcher.missed(), "router");
    }
  }
};
} // namespace
} // namespace raise
} // namespace moe
