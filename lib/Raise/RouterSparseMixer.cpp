// The sparse mixer (Phi-3.5-MoE): two rounds, each a Softmax over the logits that come near the greatest, and its value at the greatest.
#include "ExpertChoice.h"
#include "RouterMatcher.h"

#include <cmath>

using namespace mlir;

namespace moe::raise {
/// The operands of a node with two; nulls where it is another.
static std::pair<Value, Value> operandsOf(Value value, StringRef type) {
  OnnxOp op = definedBy(peel(value, FloatCasts), type);
  return op && op.getInputs().size() == 2 ? std::pair<Value, Value>(op.getInputs()[0], op.getInputs()[1]) : std::pair<Value, Value>();
}

/// Is `value` the greatest of each row of `pool`, [.., 1]?
static bool isGreatestOf(Value value, Value pool) {
  auto op = peel(value, FloatCasts).getDefiningOp<OnnxOp>();
  if (!op || staticDim(value, -1) != 1 || peel(op.getInputs()[0], FloatCasts) != peel(pool, FloatCasts))
    return false;
  if (isNode(op, "TopK"))
    return isLastTopK(op) && peel(value, FloatCasts) == Value(op->getResult(0));
  return isNode(op, "ReduceMax") && reducesLast(op) && intAttribute(op, "keepdims", 1) == 1;
}

/// (m - z) / max(|z|, m) > 2·jitter, with the greatest m of `pool` and the logits z of all experts, or those of `pool`: they differ in the pick of the
/// round before, which is -inf in `pool` and whatever is far of it so.
static bool matchFar(Value far, Value logits, Value pool, double &doubleJitter) {
  auto [ratio, limit] = operandsOf(far, "Greater");
  auto number = ratio ? scalarFor(limit, ratio) : std::nullopt;
  if (!number || !(*number >= 0.0) || !std::isfinite(*number))
    return false;
  auto [distance, factor] = operandsOf(ratio, "Div");
  auto [greatest, from] = operandsOf(distance, "Sub");
  auto [left, right] = operandsOf(factor, "Max");
  auto isLogits = [&](Value value) { return peel(value, FloatCasts) == logits || peel(value, FloatCasts) == pool; };
  if (!distance || !greatest || !left || !isGreatestOf(greatest, pool) || !isLogits(from))
    return false;
  doubleJitter = *number;
  for (auto [size, least] : {std::pair(left, right), std::pair(right, left)})
    if (OnnxOp abs = definedBy(peel(size, FloatCasts), "Abs"))
      return isLogits(abs.getInputs()[0]) && isGreatestOf(least, pool);
  return false;
}

/// Softmax of `pool` without what is far from its greatest, read at `ids`, which are picked from `from`: the pool, or what the Softmax is of. The greatest is
/// never far, so both give the same.
static bool matchRoundWeight(Value weight, Value ids, Value from, Value logits, Value pool, double &doubleJitter) {
  OnnxOp gather = definedBy(peel(weight, FloatCasts), "GatherElements");
  if (!gather || peel(gather.getInputs()[1], IntCasts) != peel(ids, IntCasts))
    return false;
  const int64_t rank = tensorType(pool).getRank();
  OnnxOp softmax = definedBy(peel(gather.getInputs()[0], FloatCasts), "Softmax");
  if (!softmax || fromFront(intAttribute(gather, "axis", 0), rank) != rank - 1 ||
      fromFront(intAttribute(softmax, "axis", softmax.getVersion() >= 13 ? -1 : 1), rank) != rank - 1)
    return false;
  OnnxOp where = definedBy(peel(softmax.getInputs()[0], FloatCasts), "Where");
  return where && (from == pool || from == where->getResult(0)) && splatNumber(where.getInputs()[1]) == -HUGE_VAL && peel(where.getInputs()[2], FloatCasts) == pool &&
         matchFar(where.getInputs()[0], logits, pool, doubleJitter);
}

/// What a Where takes elements out of; null where `value` is none.
static Value poolOf(Value value) {
  OnnxOp where = definedBy(peel(value, FloatCasts), "Where");
  return where ? peel(where.getInputs()[2], FloatCasts) : Value();
}

std::optional<SparseMixer> matchSparseMixer(Value ids, Value weights, int64_t experts) {
  OnnxOp bothIds = definedBy(ids, "Concat"), bothWeights = definedBy(weights, "Concat");
  if (!bothIds || !bothWeights || bothIds.getInputs().size() != 2 || bothWeights.getInputs().size() != 2)
    return std::nullopt;
  for (OnnxOp op : {bothIds, bothWeights}) {
    RankedTensorType type = tensorType(op->getResult(0));
    if (!type || type.getRank() < 2 || type.getDimSize(type.getRank() - 1) != 2 || fromFront(intAttribute(op, "axis", 0), type.getRank()) != type.getRank() - 1)
      return std::nullopt;
  }
  Value first = matchPickedFrom(bothIds.getInputs()[0], experts), second = matchPickedFrom(bothIds.getInputs()[1], experts);
  if (!first || !second)
    return std::nullopt;
  first = peel(first, FloatCasts);
  second = peel(second, FloatCasts);
  // Picked from all, or from what is not far.
  for (auto [logits, rest] : {std::pair(first, second), std::pair(poolOf(first), poolOf(second))}) {
    double jitter = 0.0, secondJitter = 0.0;
    if (logits && rest && isWithoutPick(rest, logits, bothIds.getInputs()[0]) &&
        matchRoundWeight(bothWeights.getInputs()[0], bothIds.getInputs()[0], first, logits, logits, jitter) &&
        matchRoundWeight(bothWeights.getInputs()[1], bothIds.getInputs()[1], second, logits, rest, secondJitter) && jitter == secondJitter)
      return SparseMixer{logits, jitter / 2};
  }
  return std::nullopt;
}

} // namespace moe::raise
