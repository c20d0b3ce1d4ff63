// Verifiers of the ops that move rows or count them: dispatch, compact, combine, stats, all_to_all. The labels are those of the constraints in the
// .td files of these families.
#include "VerifierUtils.h"

using namespace mlir;

namespace moe {
using namespace verify;

LogicalResult DispatchOp::verify() {
  const auto x = getX().getType();
  const auto rows = getRows().getType();
  // dispatch-c1
  if (failed(oneLength(*this, {{"token", getToken().getType()},
                               {"expert", getExpert().getType()},
                               {"slot", getSlot().getType()},
                               {"keep", getKeep().getType()},
                               {"weights", getWeights() ? getWeights().getType() : Type()}})))
    return failure();
  // dispatch-c2
  const bool padded = getLayout() == SlotLayout::Padded;
  if (failed(rank(*this, padded ? "padded rows" : "ragged rows", rows, padded ? 3 : 2)))
    return failure();
  // dispatch-c3
  if (rows.getElementType() != x.getElementType())
    return emitOpError("expected rows of ") << x.getElementType() << " (that of x), got " << rows.getElementType();
  if (failed(size(*this, "rows", rows, rows.getRank() - 1, x.getDimSize(1), "columns of x")))
    return failure();
  // dispatch-c4
  const int64_t offsets = getOffset().getType().getDimSize(0);
  if (ShapedType::isDynamic(offsets))
    return success();
  if (offsets < 2)
    return emitOpError("expected offset of length >= 2 (experts + 1), got ") << offsets;
  return padded ? size(*this, "rows", rows, 0, offsets - 1, "experts") : success();
}

LogicalResult CompactOp::verify() {
  // compact-c1
  return oneLength(*this, {{"flags", getFlags().getType()}, {"position", getPosition().getType()}});
}

LogicalResult CombineOp::verify() {
  const auto rows = getRows().getType();
  const auto result = getResult().getType();
  // combine-c1
  if (failed(oneLength(*this, {{"token", getToken().getType()},
                               {"expert", getExpert().getType()},
                               {"slot", getSlot().getType()},
                               {"keep", getKeep().getType()},
                               {"weights", getWeights().getType()}})))
    return failure();
  // combine-c2
  if (failed(rank(*this, "rows", rows, 2, 3)))
    return failure();
  // combine-c3
  const Type element = result.getElementType();
  if (element != rows.getElementType() && !element.isF32())
    return emitOpError("expected a result of ") << rows.getElementType() << " (that of rows) or f32, got " << element;
  if (failed(size(*this, "the result", result, 1, rows.getDimSize(rows.getRank() - 1), "columns of rows")))
    return failure();
  // combine-c4
  if (failed(exactlyWhere(*this, "x", bool(getX()), getDropped() == Dropped::Identity, "where dropped is identity")))
    return failure();
  if (!getX())
    return success();
  if (getX().getType().getElementType() != result.getElementType())
    return emitOpError("expected x of ") << result.getElementType() << " (that of the result), got " << getX().getType().getElementType();
  return sameSizes(*this, {"x", getX().getType()}, {"the result", result});
}

LogicalResult StatsOp::verify() {
  const auto scores = getScores().getType();
  // stats-c1
  if (failed(oneLength(*this, {{"token", getToken().getType()},
                               {"expert", getExpert().getType()},
                               {"rank", getRank().getType()},
                               {"valid", getValid().getType()}})))
    return failure();
  // stats-c2
  if (getTokenValid() && failed(length(*this, "token_valid", getTokenValid().getType(), scores.getDimSize(0), "tokens")))
    return failure();
  // stats-c3
  const int64_t expected = isGrouped() ? 2 : 1;
  for (const Named &value : {Named{"fraction", getFraction().getType()}, Named{"mean_score", getMeanScore().getType()}})
    if (failed(rank(*this, value.name, value.type, expected)) ||
        failed(size(*this, value.name, value.type, expected - 1, scores.getDimSize(1), "experts")))
      return failure();
  if (failed(sameSizes(*this, {"mean_score", getMeanScore().getType()}, {"fraction", getFraction().getType()})))
    return failure();
  // stats-c4
  return tokenGroups(*this, getGroupSize(), getGroupsOf());
}

LogicalResult AllToAllOp::verify() {
  const auto buffer = cast<RankedTensorType>(getBuffer().getType());
  const auto result = cast<RankedTensorType>(getResult().getType());
  // all_to_all-c1
  if (!getSend() != !getReceive())
    return emitOpError("expected both send and receive or neither, got only ") << (getSend() ? "send" : "receive");
  if (getSend() && failed(oneLength(*this, {{"send", getSend().getType()}, {"receive", getReceive().getType()}})))
    return failure();
  // all_to_all-c2
  if (getGroup().empty())
    return emitOpError("expected the name of a group, got an empty string");
  // all_to_all-c3
  const int64_t split = getSplitDim();
  if (split < 0 || split >= buffer.getRank())
    return emitOpError("expected 0 <= split_dim < rank (") << buffer.getRank() << "), got " << split;
  // all_to_all-c4
  if (failed(rank(*this, "the result", result, buffer.getRank())))
    return failure();
  if (result.getElementType() != buffer.getElementType())
    return emitOpError("expected a result of ") << buffer.getElementType() << " (that of the buffer), got " << result.getElementType();
  for (int64_t dim = 0; dim < buffer.getRank(); ++dim)
    if (!(getSend() && dim == split) && failed(size(*this, "the result", result, dim, buffer.getDimSize(dim), "that of the buffer")))
      return failure();
  // all_to_all-c5
  if (getBounded() && (!getSend() || split != 0))
    return emitOpError("expected bounded only with counts and split_dim 0, got ") << (getSend() ? "another split_dim" : "no counts");
  return success();
}

} // namespace moe
