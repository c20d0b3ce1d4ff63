// Routers read upwards: first what was done to the chosen scores, then where they were picked from, then what the choice was made by.
#include "RouterMatcher.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

using namespace mlir;

namespace moe::raise {

bool isLastTopK(OnnxOp op) {
  RankedTensorType type = isNode(op, "TopK") ? tensorType(op.getInputs()[0]) : RankedTensorType();
  return type && type.getRank() >= 1 && fromFront(intAttribute(op, "axis", -1), type.getRank()) == type.getRank() - 1 &&
         intAttribute(op, "largest", 1) == 1;
}

bool reducesLast(OnnxOp op) {
  RankedTensorType type = tensorType(op.getInputs()[0]);
  auto axes = axesOf(op);
  return type && axes && axes->size() == 1 && fromFront((*axes)[0], type.getRank()) == type.getRank() - 1;
}

/// Is `op` a Softmax over the last dim of its input? Before opset 13 the node flattens the dims from `axis` on.
static bool isLastSoftmax(OnnxOp op) {
  RankedTensorType type = tensorType(op.getInputs()[0]);
  int64_t axis = intAttribute(op, "axis", op.getVersion() >= 13 ? -1 : 1);
  return type && fromFront(axis, type.getRank()) == type.getRank() - 1;
}

/// A score function and what it is computed from.
struct Scored {
  ScoreFunction function;
  Value logits;
};
static std::optional<Scored> matchFunction(Value root, int64_t experts) {
  auto op = root.getDefiningOp<OnnxOp>();
  std::optional<Scored> scored;
  if (op && isNode(op, "Softmax") && isLastSoftmax(op))
    scored = {ScoreFunction::Softmax, op.getInputs()[0]};
  else if (op && isNode(op, "Sigmoid"))
    scored = {ScoreFunction::Sigmoid, op.getInputs()[0]};
  else if (OnnxOp inner = op && isNode(op, "Sqrt") ? definedBy(peel(op.getInputs()[0], Views | FloatCasts), "Softplus") : OnnxOp())
    scored = {ScoreFunction::SqrtSoftplus, inner.getInputs()[0]};
  // The rows of scores are the rows of logits, whatever views lie between.
  if (!scored || staticDim(scored->logits, -1) != experts)
    return std::nullopt;
  return scored;
}

static Value scoreRoot(Value value) { return peel(value, Views | FloatCasts); }

//===-- The chosen ids ----------------------------------------------------===//

bool RouterMatcher::matchTop() {
  ids = peel(idsOfLayer, Views | IntCasts);
  top = ids.getDefiningOp<OnnxOp>();
  const bool best = top && isNode(top, "ArgMax");
  if (!best && (!top || !isNode(top, "TopK") || cast<OpResult>(ids).getResultNumber() != 1)) {
    miss(ids.getDefiningOp(), "the expert ids are not the indices of a TopK");
    return false;
  }
  Value from = top.getInputs()[0];
  const int64_t rank = tensorType(from) ? tensorType(from).getRank() : 0;
  if (rank < 1 || fromFront(intAttribute(top, "axis", best ? 0 : -1), rank) != rank - 1 || staticDim(from, -1) != experts) {
    miss(top, "the TopK is not over the experts");
    return false;
  }
  if (best ? intAttribute(top, "select_last_index", 0) != 0 : intAttribute(top, "largest", 1) != 1) {
    miss(top, best ? "of equal scores the last is picked" : "the TopK picks the smallest scores");
    return false;
  }
  router.routing.k = best ? 1 : staticDim(ids, -1);
  if (router.routing.k <= 0 || router.routing.k != tensorType(idsOfLayer).getDimSize(1)) {
    miss(top, "K of the TopK and of the layer differ");
    return false;
  }
  if (!best)
    router.top = top;
  return true;
}

/// The values that belong to the ids: the other result of the TopK, or the maximum beside the ArgMax.
bool RouterMatcher::isChosenValue(Value value) {
  if (isNode(top, "TopK"))
    return value == Value(top->getResult(0));
  OnnxOp greatest = definedBy(value, "ReduceMax");
  return greatest && reducesLast(greatest) && staticDim(greatest.getInputs()[0], -1) == experts &&
         scoreRoot(greatest.getInputs()[0]) == scoreRoot(top.getInputs()[0]);
}

//===-- The weights -------------------------------------------------------===//

/// The sum below the bar of a division, perhaps kept away from zero. `viewed`: a view regroups it.
bool RouterMatcher::matchDivisor(Value below, Value &sum, bool &viewed) {
  auto walk = [&](Value value) {
    Value root = scoreRoot(value);
    viewed |= root != peel(value, FloatCasts);
    return root;
  };
  Routing &routing = router.routing;
  Value root = walk(below);
  std::optional<double> epsilon;
  if (auto added = matchScalar(root, "Add")) {
    routing.epsilonMode = EpsilonMode::Add;
    epsilon = added->scalar;
    root = walk(added->operand);
  } else if (auto least = matchScalar(root, "Max")) {
    routing.epsilonMode = EpsilonMode::Clamp;
    epsilon = least->scalar;
    root = walk(least->operand);
  } else if (OnnxOp clip = definedBy(root, "Clip")) {
    Value minimum = inputOrNull(clip, 1);
    epsilon = minimum ? splatNumber(minimum) : std::optional<double>(floatAttribute(clip, "min", -1.0));
    if (inputOrNull(clip, 2) || clip.getNodeAttributes().contains("max"))
      return false;
    routing.epsilonMode = EpsilonMode::Clamp;
    root = walk(clip.getInputs()[0]);
  }
  if (epsilon && !(*epsilon >= 0.0 && std::isfinite(*epsilon)))
    return false;
  routing.epsilon = epsilon.value_or(0.0);
  // Sums of scores that are not negative are above 0 as they are; others a Clip at 0 would change.
  if (routing.epsilon == 0.0) {
    if (routing.epsilonMode == EpsilonMode::Clamp)
      return false;
    routing.epsilonMode = EpsilonMode::None;
  }
  sum = root;
  return true;
}

/// `v / ReduceSum(v, last dim)`, or another norm.
bool RouterMatcher::matchNormalised(Value value, Value &numerator) {
  OnnxOp division = definedBy(value, "Div");
  if (!division)
    return false;
  Value above = division.getInputs()[0], below = division.getInputs()[1], divisor;
  bool viewed = false;
  const Routing before = router.routing;
  auto undo = [&] {
    router.routing = before;
    return false;
  };
  if (!matchDivisor(below, divisor, viewed))
    return undo();
  auto sum = divisor.getDefiningOp<OnnxOp>();
  const bool one = sum && isNode(sum, "ReduceL1"), two = sum && isNode(sum, "ReduceL2");
  if (!sum || !(one || two || isNode(sum, "ReduceSum")) || !reducesLast(sum))
    return undo();
  router.routing.norm = one || two ? WeightNorm::Lp : WeightNorm::L1;
  router.routing.p = two ? 2.0 : 1.0;
  Value summed = sum.getInputs()[0];
  const int64_t rank = tensorType(summed).getRank();
  // A view of the sums is only trusted where it can group them in one way: one per row.
  const bool kept = intAttribute(sum, "keepdims", 1) == 1 && !viewed;
  if (tensorType(above).getRank() != rank || staticDim(summed, -1) != router.routing.k || !(kept || (rank == 2 && tensorType(below).getRank() == 2)) || staticDim(below, -1) != 1)
    return undo();
  numerator = peel(above, FloatCasts);
  return numerator == peel(summed, FloatCasts) || undo();
}

/// The chosen values themselves, or a row of other scores at the chosen ids.
bool RouterMatcher::matchPicked(Value value) {
  if (isChosenValue(value))
    return true;
  OnnxOp gather = definedBy(value, "GatherElements");
  if (gather) {
    Value from = gather.getInputs()[0], at = gather.getInputs()[1];
    RankedTensorType type = tensorType(from), atType = tensorType(at);
    const bool last = type && fromFront(intAttribute(gather, "axis", 0), type.getRank()) == type.getRank() - 1;
    // With two dims a view cannot have regrouped the rows.
    const bool same = peel(at, IntCasts) == ids || (atType && atType.getRank() == 2 && peel(at, Views | IntCasts) == ids);
    if (last && same && staticDim(from, -1) == experts && staticDim(at, -1) == router.routing.k) {
      scores = from;
      return true;
    }
  }
  miss(value.getDefiningOp(), "the combine weights are not made from the values of the TopK that made the ids");
  return false;
}

/// The table of one number per expert that `value` is read from at the chosen ids; null where it is something else.
Value RouterMatcher::matchLookedUp(Value value) {
  auto lookup = scoreRoot(value).getDefiningOp<OnnxOp>();
  if (!lookup || !(isNode(lookup, "Gather") || isNode(lookup, "GatherND")))
    return {};
  Value table = lookup.getInputs()[0], at = lookup.getInputs()[1];
  RankedTensorType type = tensorType(table);
  const bool numbers = isNode(lookup, "Gather") ? intAttribute(lookup, "axis", 0) == 0
                                                : intAttribute(lookup, "batch_dims", 0) == 0 && staticDim(at, -1) == 1;
  // One number for each id, in the order of the ids: views keep that.
  const bool fits = numbers && type && type.getRank() == 1 && type.getDimSize(0) == experts &&
                    isa<Float32Type, Float16Type, BFloat16Type>(type.getElementType()) && peel(at, Views | IntCasts) == ids;
  return fits ? table : Value();
}

/// What is left of `weight` without the numbers that it is multiplied by: of all experts, or one of each.
Value RouterMatcher::takeScales(Value weight) {
  for (;;) {
    if (auto divided = matchScalar(weight, "Div"); divided && divided->scalar != 0.0) {
      router.routing.scale /= divided->scalar;
      weight = scoreRoot(divided->operand);
      continue;
    }
    OnnxOp product = definedBy(weight, "Mul");
    if (!product)
      break;
    Value lhs = product.getInputs()[0], rhs = product.getInputs()[1];
    if (auto scaled = matchScalar(weight, "Mul")) {
      router.routing.scale *= scaled->scalar;
      weight = scoreRoot(scaled->operand);
      continue;
    }
    Value right = matchLookedUp(rhs), table = right ? right : matchLookedUp(lhs);
    // Element by element: where one side were repeated, its numbers would belong to other choices.
    if (!table || !proof.sameShape(lhs, rhs))
      break;
    router.expertScales.push_back(table);
    weight = scoreRoot(right ? lhs : rhs);
  }
  return weight;
}

bool RouterMatcher::matchWeights() {
  Routing &routing = router.routing;
  Value weight = scoreRoot(weightsOfLayer);
  if (auto number = splatNumber(weight)) {
    routing.source = WeightSource::One;
    routing.scale = *number;
    return true;
  }
  weight = takeScales(weight);
  if (!std::isfinite(routing.scale)) {
    miss(weight.getDefiningOp(), "the combine weights are scaled by a factor that is not finite");
    return false;
  }
  Value numerator;
  if (matchNormalised(weight, numerator))
    weight = scoreRoot(numerator);
  if (OnnxOp softmax = definedBy(weight, "Softmax")) {
    if (!isLastSoftmax(softmax) || staticDim(softmax.getInputs()[0], -1) != routing.k) {
      miss(softmax, "the Softmax is not over the K chosen scores");
      return false;
    }
    post = Post::Softmax;
    routing.source = WeightSource::SoftmaxSelected;
    weight = peel(softmax.getInputs()[0], FloatCasts);
  } else if (OnnxOp sigmoid = definedBy(weight, "Sigmoid")) {
    post = Post::Sigmoid;
    weight = scoreRoot(sigmoid.getInputs()[0]);
  }
  return matchPicked(weight);
}

//===-- The choice --------------------------------------------------------===//

/// `root` is scores plus a vector of one number per expert.
bool RouterMatcher::matchBias(Value root, Value &unbiased) {
  OnnxOp sum = definedBy(root, "Add");
  if (!sum)
    return false;
  for (unsigned side : {0u, 1u}) {
    Value bias = sum.getInputs()[side], rows = sum.getInputs()[1 - side];
    RankedTensorType type = tensorType(bias), rowsType = tensorType(rows);
    if (!type || !rowsType || !type.hasStaticShape() || type.getNumElements() != experts || staticDim(bias, -1) != experts ||
        type.getRank() > rowsType.getRank() || staticDim(rows, -1) != experts)
      continue;
    Value stored = flatRoot(bias);
    if (!stored.getDefiningOp<WeightRefOp>() && !constantElements(stored))
      continue;
    router.routing.bias = stored;
    unbiased = scoreRoot(rows);
    return true;
  }
  return false;
}

/// Finds the logits and the function that give both the scores and what the choice was made by.
bool RouterMatcher::relate(Value unbiased) {
  Routing &routing = router.routing;
  Value picked = scores ? scoreRoot(scores) : unbiased;
  auto finish = [&](ScoreFunction function, ChoiceBasis basis, Value logits) {
    routing.function = function;
    routing.basis = basis;
    router.logits = logits;
    return true;
  };
  auto chosenBy = matchFunction(unbiased, experts), pickedBy = matchFunction(picked, experts);
  switch (post) {
  case Post::Softmax:
    if (picked == unbiased)
      return finish(ScoreFunction::Identity, ChoiceBasis::Scores, picked);
    return chosenBy && scoreRoot(chosenBy->logits) == picked && finish(chosenBy->function, ChoiceBasis::Scores, chosenBy->logits);
  case Post::Sigmoid:
    if (picked == unbiased)
      return finish(ScoreFunction::Sigmoid, ChoiceBasis::Logits, picked);
    return chosenBy && chosenBy->function == ScoreFunction::Sigmoid && scoreRoot(chosenBy->logits) == picked &&
           finish(ScoreFunction::Sigmoid, ChoiceBasis::Scores, chosenBy->logits);
  case Post::None:
    if (picked == unbiased && pickedBy)
      return finish(pickedBy->function, ChoiceBasis::Scores, pickedBy->logits);
    if (picked == unbiased) // Whatever made the scores stays ordinary.
      return finish(ScoreFunction::Identity, ChoiceBasis::Scores, picked);
    return pickedBy && scoreRoot(pickedBy->logits) == unbiased && finish(pickedBy->function, ChoiceBasis::Logits, pickedBy->logits);
  }
  return false;
}

/// The smallest number among the elements of a constant; none where it cannot be known.
static std::optional<double> smallest(Value value) {
  DenseElementsAttr elements = constantElements(value);
  if (!elements || !isa<FloatType>(elements.getElementType()))
    return std::nullopt;
  double result = HUGE_VAL;
  for (APFloat element : elements.getValues<APFloat>()) {
    bool loses;
    element.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &loses);
    if (element.isNaN())
      return std::nullopt;
    result = std::min(result, element.convertToDouble());
  }
  return result;
}

/// What experts of dropped groups take: so little that they are never chosen, or 0, which may be more than a kept expert has.
bool RouterMatcher::matchGroupFill(const GroupLimit &limit) {
  Routing &routing = router.routing;
  const int64_t perGroup = experts / limit.count;
  if (routing.k > limit.keep * perGroup || limit.topR > perGroup) {
    miss(top, "the kept groups have fewer experts than are chosen");
    return false;
  }
  // Scores of all functions but identity are at least 0.
  std::optional<double> least;
  if (routing.function != ScoreFunction::Identity && routing.basis == ChoiceBasis::Scores)
    least = routing.bias ? smallest(routing.bias) : std::optional<double>(0.0);
  // Weights that are the masked scores: a dropped expert that is chosen anyway, among others that score 0, weighs 0 and adds nothing.
  const bool weighsNothing = !scores && post == Post::None && routing.source == WeightSource::Gather && least && limit.fill == *least && *least == 0.0;
  const bool never = limit.fill <= -FLT_MAX || (least && limit.fill < *least) || weighsNothing;
  if (!never && (limit.fill != 0.0 || !scores)) {
    miss(top, "experts of dropped groups are not masked by -inf or 0");
    return false;
  }
  routing.groups = GroupsAttr::get(top.getContext(), limit.count, limit.keep, limit.topR, never ? GroupMask::NegInf : GroupMask::Zero);
  return true;
}

bool RouterMatcher::matchChoice() {
  Value choice = top.getInputs()[0];
  StringRef why;
  auto limit = matchGroupLimit(choice, experts, why);
  Value root = scoreRoot(limit ? limit->choice : choice), unbiased = root;
  if (!relate(unbiased) && !(scores && matchBias(root, unbiased) && relate(unbiased))) {
    miss(root.getDefiningOp(), why.empty() ? StringRef("weights and choice are made from different scores") : why);
    return false;
  }
  if (limit && !matchGroupFill(*limit))
    return false;
  RankedTensorType type = tensorType(router.logits);
  if (!type || staticDim(router.logits, -1) != experts || !isa<Float32Type, Float16Type, BFloat16Type>(type.getElementType())) {
    miss(router.logits.getDefiningOp(), "the logits of a token are not one row of f32, f16 or bf16");
    return false;
  }
  // A mask could have made more rows of them.
  if (limit && !proof.sameRowsTimes(router.logits, router.routing.k, ids)) {
    miss(top, "logits and choices may differ in number of tokens");
    return false;
  }
  return true;
}

std::optional<Router> RouterMatcher::match() {
  Value mixed = peel(idsOfLayer, Views | IntCasts);
  if (auto mixer = matchSparseMixer(mixed, scoreRoot(weightsOfLayer), experts)) {
    router.logits = mixer->logits;
    router.routing.k = 2;
    router.routing.jitter = mixer->jitter;
    router.routing.source = WeightSource::SparseMixer;
    return router;
  }
  if (!matchTop() || !matchWeights() || !matchChoice())
    return std::nullopt;
  return router;
}

} // namespace moe::raise
