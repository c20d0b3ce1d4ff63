// The sparse mixer (Phi-3.5-MoE): two rounds, each a Softmax over the logits that come near the greatest, and its value at the greatest.
#include "ExpertChoice.h"
#include "RouterMatcher.h"

#include <cmath>

using namespace mlir;

namespace moe::raise {
/// The operands of a node with two; nulls where it is another.
static std::pair<Value, Value> operandsOf(Value value, StringRef type) {
  OnnxOp op = definedBy(peel(value, 0), type);
  return op && op.getInputs().size() == 2 ? std::pair<Value, Value>(op.getInputs()[0], op.getInputs()[1]) : std::pair<Value, Value>();
}

/// Is `value` the greatest of each row of `pool`, [.., 1]?
static bool isGreatestOf(Value value, Value pool) {
  auto op = peel(value, 0).getDefiningOp<OnnxOp>();
  if (!op || staticDim(value, -1) != 1 || peel(op.getInputs()[0], 0) != peel(pool, 0))
    return false;
  if (isNode(op, "TopK"))
    return isLastTopK(op) && peel(value, 0) == Value(op->getResult(0));
  return isNode(op, "ReduceMax") && reducesLast(op) && intAttribute(op, "keepdims", 1) == 1;
}

/// (m - z) / max(|z|, m) > 2·jitter, with the greatest m of `pool` and the logits z of all experts.
static bool matchFar(Value far, Value logits, Value pool, double &doubleJitter) {
  auto [ratio, limit] = operandsOf(far, "Greater");
  auto number = ratio ? scalarFor(limit, ratio) : std::nullopt;
  if (!number || !(*number >= 0.0) || !std::isfinite(*number))
    return false;
  auto [distance, factor] = operandsOf(ratio, "Div");
  auto [greatest, from] = operandsOf(distance, "Sub");
  auto [left, right] = operandsOf(factor, "Max");
  if (!distance || !greatest || !left || !isGreatestOf(greatest, pool) || peel(from, 0) != logits)
    return false;
  doubleJitter = *number;
  for (auto [size, least] : {std::pair(left, right), std::pair(right, left)})
    if (OnnxOp abs = definedBy(peel(size, 0), "Abs"))
      return peel(abs.getInputs()[0], 0) == logits && isGreatestOf(least, pool);
  return false;
}

/// Softmax of `pool` without what is far from its greatest, read at `ids`.
static bool matchRoundWeight(Value weight, Value ids, Value logits, Value pool, double &doubleJitter) {
  OnnxOp gather = definedBy(peel(weight, FloatCasts), "GatherElements");
  if (!gather || peel(gather.getInputs()[1], IntCasts) != peel(ids, IntCasts))
    return false;
  const int64_t rank = tensorType(pool).getRank();
  OnnxOp softmax = definedBy(peel(gather.getInputs()[0], 0), "Softmax");
  if (!softmax || fromFront(intAttribute(gather, "axis", 0), rank) != rank - 1 ||
      fromFront(intAttribute(softmax, "axis", softmax.getVersion() >= 13 ? -1 : 1), rank) != rank - 1)
    return false;
  OnnxOp where = definedBy(peel(softmax.getInputs()[0], 0), "Where");
  return where && splatNumber(where.getInputs()[1]) == -HUGE_VAL && peel(where.getInputs()[2], 0) == pool &&
         matchFar(where.getInputs()[0], logits, pool, doubleJitter);
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
  const Value logits = peel(first, 0), rest = peel(second, 0);
  if (!isWithoutPick(rest, logits, bothIds.getInputs()[0]))
    return std::nullopt;
  double jitter = 0.0, secondJitter = 0.0;
  if (!matchRoundWeight(bothWeights.getInputs()[0], bothIds.getInputs()[0], logits, logits, jitter) ||
      !matchRoundWeight(bothWeights.getInputs()[1], bothIds.getInputs()[1], logits, rest, secondJitter) || jitter != secondJitter)
    return std::nullopt;
  return SparseMixer{first, jitter / 2};
}

} // namespace moe::raise
