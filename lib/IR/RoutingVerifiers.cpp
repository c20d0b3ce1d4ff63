// Verifiers of the routing ops. The labels are those of the constraints in RoutingOps.td.
#include "VerifierUtils.h"

#include <cmath>

using namespace mlir;

namespace moe {
using namespace verify;

static bool isFinite(const APFloat &value) { return value.isFinite(); }
static bool isPositive(const APFloat &value) { return value.isFinite() && !value.isNegative() && !value.isZero(); }
static bool isNotNegative(const APFloat &value) { return value.isFinite() && (!value.isNegative() || value.isZero()); }

/// The four lists of an assignment, then others that must have their length.
template <typename OpTy>
static LogicalResult verifyLists(OpTy op, ArrayRef<Named> others) {
  SmallVector<Named> lists = {{"token", op.getToken().getType()}, {"expert", op.getExpert().getType()}, {"rank", op.getRank().getType()}};
  lists.append(others.begin(), others.end());
  return oneLength(op, lists);
}

LogicalResult NoiseOp::verify() {
  // noise-c1
  const int64_t dynamic = getResult().getType().getNumDynamicDims();
  if (static_cast<int64_t>(getSizes().size()) != dynamic)
    return emitOpError("expected ") << dynamic << " sizes (dynamic dims of the result), got " << getSizes().size();
  // noise-c2
  const double low = getLow().convertToDouble(), high = getHigh().convertToDouble();
  if (getDistribution() == NoiseDistribution::Uniform) {
    if (!std::isfinite(low) || !std::isfinite(high) || !(low < high))
      return emitOpError("expected finite low < high, got ") << low << " and " << high;
  } else if (low != 0.0 || high != 1.0) {
    return emitOpError("expected low and high only for uniform, got ") << stringifyNoiseDistribution(getDistribution());
  }
  return success();
}

LogicalResult ScoreOp::verify() {
  const auto logits = getLogits().getType();
  // score-c1
  for (const Named &value : {Named{"scores", getScores().getType()}, Named{"choice", getChoice().getType()},
                             Named{"noise", getNoise() ? getNoise().getType() : Type(logits)}})
    if (failed(sameSizes(*this, value, {"logits", logits})))
      return failure();
  // score-c2
  if (failed(exactlyWhere(*this, "noise", bool(getNoise()), getNoiseTo() != NoiseTarget::None, "where noise_to is not none")))
    return failure();
  // score-c3
  if (getBias() && failed(length(*this, "bias", getBias().getType(), logits.getDimSize(1), "experts")))
    return failure();
  // score-c4
  if (getValid() && failed(length(*this, "valid", getValid().getType(), logits.getDimSize(0), "tokens")))
    return failure();
  // score-c5
  if (!isPositive(getTemperature()))
    return emitOpError("expected a positive temperature, got ") << getTemperature().convertToDouble();
  // score-c6
  if (failed(exactlyWhere(*this, "tolerance", getTolerance().has_value(), getFunction() == ScoreFunction::Sinkhorn,
                          "where the function is sinkhorn")))
    return failure();
  if (getTolerance() && !isPositive(*getTolerance()))
    return emitOpError("expected a positive tolerance, got ") << getTolerance()->convertToDouble();
  // score-c7
  if (getAxis() != ScoreAxis::Expert && getFunction() != ScoreFunction::Softmax)
    return emitOpError("expected function softmax for axis ") << stringifyScoreAxis(getAxis()) << ", got "
                                                              << stringifyScoreFunction(getFunction());
  // score-c8
  if (failed(exactlyWhere(*this, "slots_per_expert", getSlotsPerExpert().has_value(), getAxis() == ScoreAxis::Slot,
                          "where the axis is slot")))
    return failure();
  if (!getSlotsPerExpert())
    return success();
  const int64_t slots = *getSlotsPerExpert(), columns = logits.getDimSize(1);
  if (slots < 1 || (!ShapedType::isDynamic(columns) && columns % slots != 0))
    return emitOpError("expected slots_per_expert to divide the columns of logits (") << columns << "), got " << slots;
  return success();
}

/// select-c3 to select-c5: each number belongs to one kind of mode.
static LogicalResult verifyNumbers(SelectOp op) {
  const SelectMode mode = op.getMode();
  // select-c3
  if (failed(exactlyWhere(op, "threshold", op.getThreshold().has_value(), mode == SelectMode::Threshold || mode == SelectMode::TopP,
                          "for the modes threshold and top_p")))
    return failure();
  if (op.getThreshold() && !(isPositive(*op.getThreshold()) && op.getThreshold()->convertToDouble() <= 1.0))
    return op.emitOpError("expected 0 < threshold <= 1, got ") << op.getThreshold()->convertToDouble();
  // select-c4
  if (failed(exactlyWhere(op, "jitter", op.getJitter().has_value(), mode == SelectMode::SparseMixer, "for the mode sparse_mixer")))
    return failure();
  if (op.getJitter() && !isNotNegative(*op.getJitter()))
    return op.emitOpError("expected jitter >= 0, got ") << op.getJitter()->convertToDouble();
  // select-c5
  if (failed(exactlyWhere(op, "epsilon", op.getEpsilon().has_value(), mode == SelectMode::BalancedAuction,
                          "for the mode balanced_auction")))
    return failure();
  if (op.getEpsilon() && !isPositive(*op.getEpsilon()))
    return op.emitOpError("expected a positive epsilon, got ") << op.getEpsilon()->convertToDouble();
  return success();
}

/// select-c2; `experts` may be dynamic.
static LogicalResult verifyK(SelectOp op, int64_t experts) {
  const int64_t k = op.getK();
  if (op.getSide() == SelectSide::Expert || op.getMode() == SelectMode::All)
    return success();
  if (op.getMode() == SelectMode::Table) {
    const int64_t columns = op.getTable().getType().getDimSize(1);
    return agree(k, columns) && k >= 1 ? success() : op.emitOpError("expected k of ") << columns << " (columns of table), got " << k;
  }
  if (op.getMode() == SelectMode::SparseMixer && k != 2)
    return op.emitOpError("expected k of 2 (sparse_mixer), got ") << k;
  if ((op.getMode() == SelectMode::BalancedExact || op.getMode() == SelectMode::BalancedAuction) && k != 1)
    return op.emitOpError("expected k of 1 (") << stringifySelectMode(op.getMode()) << "), got " << k;
  if (k >= 1 && (ShapedType::isDynamic(experts) || k <= experts))
    return success();
  if (ShapedType::isDynamic(experts))
    return op.emitOpError("expected k >= 1, got ") << k;
  return op.emitOpError("expected 1 <= k <= experts (") << experts << "), got " << k;
}

/// select-c6; `experts` may be dynamic.
static LogicalResult verifyGroups(SelectOp op, int64_t experts) {
  const std::optional<GroupsAttr> groups = op.getGroups();
  if (!groups)
    return success();
  if (op.getMode() != SelectMode::TopK || op.getSide() != SelectSide::Token)
    return op.emitOpError("expected groups only for mode top_k and side token, got ")
           << stringifySelectMode(op.getMode()) << " and " << stringifySelectSide(op.getSide());
  if (ShapedType::isDynamic(experts))
    return success();
  if (experts % groups->getCount() != 0)
    return op.emitOpError("expected a count of groups that divides the experts (") << experts << "), got " << groups->getCount();
  const int64_t size = experts / groups->getCount();
  if (groups->getTopR() > size)
    return op.emitOpError("expected top_r <= experts of a group (") << size << "), got " << groups->getTopR();
  if (static_cast<int64_t>(op.getK()) > groups->getKeep() * size)
    return op.emitOpError("expected k <= experts of the kept groups (") << groups->getKeep() * size << "), got " << op.getK();
  return success();
}

LogicalResult SelectOp::verify() {
  // select-c1
  const bool table = getMode() == SelectMode::Table;
  if (table ? getChoice() || !getIds() || !getTable() : !getChoice() || getIds() || getTable())
    return emitOpError(table ? "expected ids and table and no choice for mode table"
                             : "expected choice and neither ids nor table for mode ")
           << (table ? "" : stringifySelectMode(getMode()));
  const Type source = table ? Type(getIds().getType()) : Type(getChoice().getType());
  const int64_t tokens = shaped(source).getDimSize(0);
  const int64_t experts = table ? ShapedType::kDynamic : shaped(source).getDimSize(1);
  if (failed(verifyK(*this, experts)) || failed(verifyNumbers(*this)) || failed(verifyGroups(*this, experts)))
    return failure();
  // select-c7
  const bool expertSide = getSide() == SelectSide::Expert;
  if (expertSide && getMode() != SelectMode::TopK)
    return emitOpError("expected mode top_k for side expert, got ") << stringifySelectMode(getMode());
  if (failed(exactlyWhere(*this, "capacity", getCapacity().has_value(), expertSide, "for side expert")))
    return failure();
  // select-c8
  if (failed(verifyLists(*this, {{"valid", getValidOut().getType()}})))
    return failure();
  const int64_t perToken = getMode() == SelectMode::All ? experts : static_cast<int64_t>(getK());
  if (!expertSide && failed(length(*this, "the lists", getToken().getType(), times(tokens, perToken), "tokens times choices")))
    return failure();
  // select-c9
  if (failed(size(*this, "kth", getKth().getType(), 0, tokens, "tokens")) ||
      failed(size(*this, "kth", getKth().getType(), 1, 2, "K-th and next")))
    return failure();
  // select-c10
  if (getValid() && failed(length(*this, "valid", getValid().getType(), tokens, "tokens")))
    return failure();
  // select-c11
  if (failed(tokenGroups(*this, getGroupSize(), getGroupsOf())))
    return failure();
  // select-c12
  if (isGrouped() && !expertSide && getMode() != SelectMode::BalancedExact && getMode() != SelectMode::BalancedAuction)
    return emitOpError("expected groups of tokens only for balanced modes and side expert, got ")
           << stringifySelectMode(getMode()) << " and side token";
  return success();
}

LogicalResult AssignOp::verify() {
  const auto indices = getIndices().getType();
  // assign-c1
  if (failed(verifyLists(*this, {{"valid", getValid().getType()}})))
    return failure();
  if (failed(length(*this, "the lists", getToken().getType(), times(indices.getDimSize(0), indices.getDimSize(1)), "sizes of indices")))
    return failure();
  // assign-c2
  if (indices.getDimSize(1) == 0)
    return emitOpError("expected at least one expert per token, got ") << indices;
  return success();
}

LogicalResult FilterOp::verify() {
  // filter-c1
  if (failed(verifyLists(*this, {{"valid", getValid().getType()},
                                 {"value", getValue().getType()},
                                 {"uniform", getUniform() ? getUniform().getType() : Type()},
                                 {"the result", getResult().getType()}})))
    return failure();
  // filter-c2
  const bool bernoulli = getKind() == FilterKind::Bernoulli;
  if (failed(exactlyWhere(*this, "uniform", bool(getUniform()), bernoulli, "for bernoulli")))
    return failure();
  // filter-c3
  if (bernoulli ? !isPositive(getTheta()) : !isFinite(getTheta()))
    return emitOpError(bernoulli ? "expected a positive theta, got " : "expected a finite theta, got ") << getTheta().convertToDouble();
  // filter-c4
  if (static_cast<int64_t>(getFromRank()) < 0)
    return emitOpError("expected from_rank >= 0, got ") << static_cast<int64_t>(getFromRank());
  return success();
}

LogicalResult WeighOp::verify() {
  // weigh-c1
  if (failed(verifyLists(*this, {{"valid", getValid().getType()},
                                 {"keep", getKeep() ? getKeep().getType() : Type()},
                                 {"the weights", getWeights().getType()}})))
    return failure();
  // weigh-c2
  if (!isPositive(getP()))
    return emitOpError("expected a positive p, got ") << getP().convertToDouble();
  if (getNorm() != WeightNorm::Lp && getP().convertToDouble() != 1.0)
    return emitOpError("expected p only for norm lp, got ") << stringifyWeightNorm(getNorm());
  // weigh-c3
  if (getEpsilonMode() != EpsilonMode::None ? !isPositive(getEpsilon()) : !getEpsilon().isZero())
    return emitOpError("expected a positive epsilon exactly where epsilon_mode is not none, got ") << getEpsilon().convertToDouble();
  // weigh-c4
  if (getEpsilonMode() != EpsilonMode::None && getNorm() == WeightNorm::None)
    return emitOpError("expected a norm where there is an epsilon, got none");
  // weigh-c5
  if (failed(exactlyWhere(*this, "jitter", getJitter().has_value(), getSource() == WeightSource::SparseMixer,
                          "where the source is sparse_mixer")))
    return failure();
  if (getJitter() && !isNotNegative(*getJitter()))
    return emitOpError("expected jitter >= 0, got ") << getJitter()->convertToDouble();
  // weigh-c6
  if (!isFinite(getScale()))
    return emitOpError("expected a finite scale, got ") << getScale().convertToDouble();
  return success();
}

/// What slots of an expert are rounded up to, at most.
static constexpr int64_t widestBlock = 65536;

LogicalResult SlotsOp::verify() {
  // slots-c1
  if (failed(verifyLists(*this, {{"valid", getValid().getType()}, {"slot", getSlot().getType()}, {"keep", getKeep().getType()}})))
    return failure();
  // slots-c2
  const int64_t experts = getExperts();
  if (experts < 1 || experts == std::numeric_limits<int64_t>::max())
    return emitOpError("expected experts >= 1, got ") << experts;
  if (failed(length(*this, "count", getCount().getType(), experts, "experts")) ||
      failed(length(*this, "offset", getOffset().getType(), experts + 1, "experts + 1")))
    return failure();
  // slots-c3
  if (getLayout() == SlotLayout::Padded && !getCapacity())
    return emitOpError("expected a capacity for the padded layout, got none");
  // slots-c4
  if (const auto padTo = static_cast<int64_t>(getPadTo()); padTo < 1 || padTo > widestBlock)
    return emitOpError("expected pad_to in 1 to ") << widestBlock << ", got " << padTo;
  // slots-c5
  if (getFit() == SlotFit::First && (!getCapacity() || getOrder() != SlotOrder::RankMajor))
    return emitOpError("expected a capacity and order rank_major for fit first, got ")
           << (getCapacity() ? "order " + stringifySlotOrder(getOrder()).str() : "no capacity");
  // slots-c6
  if (failed(tokenGroups(*this, getGroupSize(), getGroupsOf())))
    return failure();
  // slots-c7
  const int64_t least = getCapacity() ? llvm::divideCeil(getCapacity()->getMinimum(), getCapacity()->getMultipleOf()) * getCapacity()->getMultipleOf() : 0;
  if (least > std::numeric_limits<int32_t>::max() / experts)
    return emitOpError("expected experts times the capacity's minimum below 2^31, got ") << experts << " times " << least;
  return success();
}

LogicalResult GroupsAttr::verify(llvm::function_ref<InFlightDiagnostic()> error, int64_t count, int64_t keep, int64_t topR, GroupMask) {
  // groups-c1
  if (count < 1)
    return error() << "expected a count of groups >= 1, got " << count;
  // groups-c2
  if (keep < 1 || keep > count)
    return error() << "expected 1 <= keep <= count (" << count << "), got " << keep;
  // groups-c3
  if (topR < 1)
    return error() << "expected top_r >= 1, got " << topR;
  return success();
}

LogicalResult CapacityAttr::verify(llvm::function_ref<InFlightDiagnostic()> error, CapacityBase, int64_t numerator, int64_t denominator,
                                   Rounding, bool, bool, int64_t minimum, int64_t maximum, int64_t multipleOf) {
  // capacity-c1
  for (const auto &[name, value] : {std::pair("numerator", numerator), std::pair("denominator", denominator)})
    if (value < 1 || value > std::numeric_limits<int32_t>::max())
      return error() << "expected a " << name << " in 1 to 2147483647, got " << value;
  // capacity-c2
  constexpr int64_t most = std::numeric_limits<int32_t>::max();
  if (minimum < 0 || minimum > most)
    return error() << "expected minimum in 0 to " << most << ", got " << minimum;
  // capacity-c3
  if (maximum != 0 && (maximum < minimum || maximum > most))
    return error() << "expected a maximum of 0 or in minimum (" << minimum << ") to " << most << ", got " << maximum;
  // capacity-c4
  if (multipleOf < 1 || multipleOf > widestBlock)
    return error() << "expected multiple_of in 1 to " << widestBlock << ", got " << multipleOf;
  return success();
}

} // namespace moe
