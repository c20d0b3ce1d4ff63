// Sizes of results as index arithmetic: slots per expert, and ReifyRankedShapedTypeOpInterface of the routing, movement and expert ops. An op
// one of whose sizes its operands do not say (slots of an op other than moe.slots) fails before it has written anything: who asks would
// otherwise ask again for what it wrote. Like the lowering, a ragged result has the greatest number
// of rows that the lists allow.
#include "moe/IR/Sizes.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace moe {

Value slotsPerExpert(OpBuilder &b, Location loc, CapacityAttr rule, Value tokens, Value choices, Value experts) {
  auto index = [&](int64_t value) { return arith::ConstantIndexOp::create(b, loc, value).getResult(); };
  auto divUp = [&](Value x, Value y) { return b.createOrFold<arith::CeilDivUIOp>(loc, x, y); };
  auto multiply = [&](Value x, Value y) { return b.createOrFold<arith::MulIOp>(loc, x, y); };
  Value base = rule.getBase() == CapacityBase::Tokens ? tokens : multiply(tokens, choices);
  Value denominator = index(rule.getDenominator());
  if (rule.getPreCeil())
    base = divUp(base, experts);
  else
    denominator = multiply(denominator, experts);
  Value numerator = multiply(base, index(rule.getNumerator()));
  Value slots;
  switch (rule.getRounding()) {
  case Rounding::Floor:
    slots = b.createOrFold<arith::DivSIOp>(loc, numerator, denominator);
    break;
  case Rounding::Ceil:
    slots = divUp(numerator, denominator);
    break;
  case Rounding::HalfEven: {
    Value down = b.createOrFold<arith::DivSIOp>(loc, numerator, denominator);
    Value twice = multiply(b.createOrFold<arith::RemSIOp>(loc, numerator, denominator), index(2));
    Value isOdd = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, b.createOrFold<arith::RemSIOp>(loc, down, index(2)), index(1));
    Value above = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sgt, twice, denominator);
    Value half = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, twice, denominator);
    Value up = arith::OrIOp::create(b, loc, above, arith::AndIOp::create(b, loc, half, isOdd));
    slots = arith::SelectOp::create(b, loc, up, arith::AddIOp::create(b, loc, down, index(1)), down);
    break;
  }
  }
  if (rule.getTimesK())
    slots = multiply(slots, choices);
  slots = b.createOrFold<arith::MaxSIOp>(loc, slots, index(rule.getMinimum()));
  if (rule.getMaximum() != 0)
    slots = b.createOrFold<arith::MinSIOp>(loc, slots, index(rule.getMaximum()));
  const int64_t multiple = rule.getMultipleOf();
  return multiple == 1 ? slots : multiply(divUp(slots, index(multiple)), index(multiple));
}

TokenGroups groupsOfTokens(OpBuilder &b, Location loc, Value tokens, std::optional<uint64_t> groupSize, Value groupsOf) {
  auto index = [&](int64_t value) { return arith::ConstantIndexOp::create(b, loc, value).getResult(); };
  // Tokens are numbered in 32 bits: groups of more are one.
  const int64_t most = std::numeric_limits<int32_t>::max();
  const Value size = groupSize ? index(std::min<int64_t>(*groupSize, most))
                               : b.createOrFold<arith::MinSIOp>(loc, b.createOrFold<arith::MaxSIOp>(loc, groupsOf, index(1)), index(most));
  return {size, b.createOrFold<arith::CeilDivUIOp>(loc, tokens, size), b.createOrFold<arith::MinSIOp>(loc, tokens, size)};
}

namespace {

/// Writes sizes before an op.
struct SizeWriter {
  OpBuilder &b;
  Location loc;

  OpFoldResult sizeOf(Value tensor, int64_t dim) { return tensor::getMixedSize(b, loc, tensor, dim); }
  Value valueOf(OpFoldResult size) { return getValueOrCreateConstantIndexOp(b, loc, size); }
  Value size(Value tensor, int64_t dim) { return valueOf(sizeOf(tensor, dim)); }
  OpFoldResult constant(int64_t value) { return b.getIndexAttr(value); }

  OpFoldResult multiply(OpFoldResult x, OpFoldResult y) {
    const std::optional<int64_t> first = getConstantIntValue(x), second = getConstantIntValue(y);
    if (first && second)
      return constant(*first * *second);
    if (first == 1)
      return y;
    return second == 1 ? x : OpFoldResult(b.createOrFold<arith::MulIOp>(loc, valueOf(x), valueOf(y)));
  }

  SmallVector<OpFoldResult> sizesOf(Value tensor) { return tensor::getMixedSizes(b, loc, tensor); }
};

/// K of a select on side token.
OpFoldResult choicesOf(SizeWriter &w, SelectOp op) {
  if (op.getMode() == SelectMode::Table)
    return w.sizeOf(op.getTable(), 1);
  return op.getMode() == SelectMode::All ? w.sizeOf(op.getChoice(), 1) : w.constant(op.getK());
}

/// Tokens and choices per token of a list; null where the op that made it does not say (no select or assign; choices of side expert).
struct ListSizes {
  Value tokens, choices;
};

ListSizes sizesOfList(SizeWriter &w, Value list) {
  if (auto assign = list.getDefiningOp<AssignOp>())
    return {w.size(assign.getIndices(), 0), w.size(assign.getIndices(), 1)};
  auto select = list.getDefiningOp<SelectOp>();
  if (!select)
    return {};
  const Value source = select.getMode() == SelectMode::Table ? Value(select.getIds()) : Value(select.getChoice());
  return {w.size(source, 0), select.getSide() == SelectSide::Expert ? Value() : w.valueOf(choicesOf(w, select))};
}

/// Does the op that made the list say the tokens, and their choices where a capacity counts them?
bool saysSizes(Value list, CapacityAttr rule) {
  const bool countsChoices = rule.getBase() == CapacityBase::Assignments || rule.getTimesK();
  auto select = list.getDefiningOp<SelectOp>();
  return list.getDefiningOp<AssignOp>() || (select && !(countsChoices && select.getSide() == SelectSide::Expert));
}

/// Rows that hold the ragged slots, or those of one padded expert, of the op that made `slot`; null where that is not known.
OpFoldResult rowsOfSlots(SizeWriter &w, Value slot) {
  auto op = slot.getDefiningOp<SlotsOp>();
  if (!op)
    return {};
  if (op.getLayout() == SlotLayout::Ragged) {
    const OpFoldResult length = w.sizeOf(op.getToken(), 0);
    const int64_t padding = op.getExperts() * (op.getPadTo() - 1);
    if (padding == 0)
      return length;
    return w.b.createOrFold<arith::AddIOp>(w.loc, w.valueOf(length), w.valueOf(w.constant(padding)));
  }
  const CapacityAttr rule = *op.getCapacity();
  if (!saysSizes(op.getToken(), rule))
    return {};
  const ListSizes list = sizesOfList(w, op.getToken());
  const Value choices = list.choices ? list.choices : w.valueOf(w.constant(1)), experts = w.valueOf(w.constant(op.getExperts()));
  if (!op.isGrouped())
    return slotsPerExpert(w.b, w.loc, rule, list.tokens, choices, experts);
  const TokenGroups groups = groupsOfTokens(w.b, w.loc, list.tokens, op.getGroupSize(), op.getGroupsOf());
  return w.multiply(groups.count, slotsPerExpert(w.b, w.loc, rule, groups.tokens, choices, experts));
}

} // namespace

//===-- The ops -----------------------------------------------------------===//

LogicalResult NoiseOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> sizes;
  auto given = getSizes().begin();
  for (int64_t size : getResult().getType().getShape())
    sizes.push_back(ShapedType::isDynamic(size) ? OpFoldResult(*given++) : builder.getIndexAttr(size));
  shapes = {sizes};
  return success();
}

LogicalResult ScoreOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  const SmallVector<OpFoldResult> sizes = SizeWriter{builder, getLoc()}.sizesOf(getLogits());
  shapes = {sizes, sizes};
  return success();
}

LogicalResult SelectOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  SizeWriter w{builder, getLoc()};
  const OpFoldResult tokens = w.sizeOf(getMode() == SelectMode::Table ? Value(getIds()) : Value(getChoice()), 0);
  OpFoldResult length;
  if (getSide() == SelectSide::Expert) {
    const Value experts = w.size(getChoice(), 1), choices = w.valueOf(w.constant(getK())), all = w.valueOf(tokens);
    const TokenGroups groups = isGrouped() ? groupsOfTokens(builder, getLoc(), all, getGroupSize(), getGroupsOf()) : TokenGroups{{}, {}, all};
    length = w.multiply(experts, slotsPerExpert(builder, getLoc(), *getCapacity(), groups.tokens, choices, experts));
    if (groups.count)
      length = w.multiply(groups.count, length);
  } else {
    length = w.multiply(tokens, choicesOf(w, *this));
  }
  shapes.assign(4, {length});
  shapes.push_back({tokens, w.constant(2)});
  return success();
}

LogicalResult AssignOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  SizeWriter w{builder, getLoc()};
  shapes.assign(4, {w.multiply(w.sizeOf(getIndices(), 0), w.sizeOf(getIndices(), 1))});
  return success();
}

LogicalResult FilterOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes = {SizeWriter{builder, getLoc()}.sizesOf(getValid())};
  return success();
}

LogicalResult WeighOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes = {SizeWriter{builder, getLoc()}.sizesOf(getToken())};
  return success();
}

LogicalResult SlotsOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  SizeWriter w{builder, getLoc()};
  const int64_t experts = getExperts();
  shapes.assign(2, w.sizesOf(getToken()));
  shapes.push_back({w.constant(experts)});
  shapes.push_back({w.constant(experts + 1)});
  return success();
}

LogicalResult DispatchOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  SizeWriter w{builder, getLoc()};
  const OpFoldResult rows = rowsOfSlots(w, getSlot());
  if (!rows)
    return failure();
  const OpFoldResult columns = w.sizeOf(getX(), 1);
  if (getLayout() == SlotLayout::Ragged) {
    shapes = {{rows, columns}};
    return success();
  }
  const int64_t offsets = getOffset().getType().getDimSize(0);
  OpFoldResult experts = w.constant(offsets - 1);
  if (ShapedType::isDynamic(offsets))
    experts = builder.createOrFold<arith::SubIOp>(getLoc(), w.size(getOffset(), 0), w.valueOf(w.constant(1)));
  shapes = {{experts, rows, columns}};
  return success();
}

/// The columns of the product with `down`.
static OpFoldResult columnsOf(SizeWriter &w, Value down, WeightOrder order) { return w.sizeOf(down, order == WeightOrder::OutIn ? 1 : 2); }

LogicalResult ExpertsOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  SizeWriter w{builder, getLoc()};
  const int64_t columns = getResult().getType().getShape().back();
  if (!getDown() && ShapedType::isDynamic(columns))
    return failure(); // A region says what it yields by its type alone.
  SmallVector<OpFoldResult> sizes = w.sizesOf(getRows());
  sizes.back() = getDown() ? columnsOf(w, getDown(), orderOfDown()) : w.constant(columns);
  shapes = {sizes};
  return success();
}

LogicalResult DequantOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes = {SizeWriter{builder, getLoc()}.sizesOf(getResult())}; // Static: the verifier says so.
  return success();
}

LogicalResult AllToAllOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  SizeWriter w{builder, getLoc()};
  const int64_t split = getSplitDim(), known = cast<RankedTensorType>(getResult().getType()).getDimSize(split);
  if (getReceive() && !getBounded() && ShapedType::isDynamic(known))
    return failure(); // How many rows come depends on data.
  SmallVector<OpFoldResult> sizes = w.sizesOf(getBuffer());
  if (getReceive() && !getBounded())
    sizes[split] = w.constant(known);
  shapes = {sizes};
  return success();
}

LogicalResult AllToAllStartOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes = {SizeWriter{builder, getLoc()}.sizesOf(getRows())};
  return success();
}

LogicalResult AllToAllWaitOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes = {SizeWriter{builder, getLoc()}.sizesOf(getRows())};
  return success();
}

LogicalResult AllGatherOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> sizes = SizeWriter{builder, getLoc()}.sizesOf(getRows());
  if (getTokens())
    sizes[0] = getTokens();
  shapes = {sizes};
  return success();
}

LogicalResult SlotRowsOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  SizeWriter w{builder, getLoc()};
  const OpFoldResult slots = rowsOfSlots(w, getSlot());
  if (!slots)
    return failure();
  shapes = {{slots}, {slots}, w.sizesOf(getOffset())};
  return success();
}

LogicalResult ShardSlotsOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  SizeWriter w{builder, getLoc()};
  const SmallVector<OpFoldResult> slots = getMost() ? SmallVector<OpFoldResult>{getMost()} : w.sizesOf(getRows());
  const SmallVector<OpFoldResult> devices = {w.constant(getSharding().devices())};
  shapes = {slots, slots, devices, devices, slots, slots, w.sizesOf(getOffset())};
  return success();
}

LogicalResult PartSlotsOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  const Location loc = getLoc();
  const auto parts = static_cast<int64_t>(getParts());
  auto times = [&](Value list, int64_t less) -> OpFoldResult {
    const int64_t known = cast<RankedTensorType>(list.getType()).getDimSize(0);
    if (!ShapedType::isDynamic(known))
      return builder.getIndexAttr((known - less) * parts + less);
    Value size = tensor::DimOp::create(builder, loc, list, 0);
    auto constant = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(builder, loc, value); };
    if (less)
      size = arith::SubIOp::create(builder, loc, size, constant(less));
    size = arith::MulIOp::create(builder, loc, size, constant(parts));
    return less ? arith::AddIOp::create(builder, loc, size, constant(less)).getResult() : size;
  };
  const OpFoldResult slots = times(getRows(), 0);
  shapes = {{slots}, {slots}, {times(getOffset(), 1)}};
  return success();
}

LogicalResult PartExpertsOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> sizes;
  for (int64_t size : cast<RankedTensorType>(getResult().getType()).getShape())
    sizes.push_back(builder.getIndexAttr(size));
  shapes = {sizes};
  return success();
}

LogicalResult TakeRowsOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  SizeWriter w{builder, getLoc()};
  shapes = {{w.sizeOf(getIndex(), 0), w.sizeOf(getX(), 1)}};
  return success();
}

LogicalResult SumRowsOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  SizeWriter w{builder, getLoc()};
  shapes = {{getTokens(), w.sizeOf(getBack(), 1)}};
  return success();
}

LogicalResult LayerOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  SizeWriter w{builder, getLoc()};
  shapes = {{w.sizeOf(getX(), 0), columnsOf(w, getDown(), getOrder())}};
  return success();
}

LogicalResult CompactOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes = {SizeWriter{builder, getLoc()}.sizesOf(getFlags()), {}};
  return success();
}

LogicalResult CombineOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  SizeWriter w{builder, getLoc()};
  shapes = {{getTokens(), w.sizeOf(getRows(), getRows().getType().getRank() - 1)}};
  return success();
}

LogicalResult StatsOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  SizeWriter w{builder, getLoc()};
  SmallVector<OpFoldResult> sizes = {w.sizeOf(getScores(), 1)};
  if (isGrouped())
    sizes.insert(sizes.begin(), groupsOfTokens(builder, getLoc(), w.size(getScores(), 0), getGroupSize(), getGroupsOf()).count);
  shapes = {sizes, sizes};
  return success();
}

} // namespace moe
