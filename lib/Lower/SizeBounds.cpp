// See SizeBounds.h. Interval arithmetic on the ops that sizes are made with. A dim is never negative, whatever computed it.
#include "SizeBounds.h"

using namespace mlir;

namespace moe {

/// Needs both operands.
template <typename Op> Value SizeBounds::both(Value a, Value b, Location loc) { return a && b ? Op::create(builder, loc, a, b).getResult() : Value(); }

/// One operand will do.
template <typename Op> Value SizeBounds::either(Value a, Value b, Location loc) {
  return a && b ? Op::create(builder, loc, a, b).getResult() : a ? a : b;
}

SizeBounds::Range SizeBounds::rangeOf(Value scalar) {
  if (Value exact = resolver.scalar(scalar))
    return {exact, exact};
  if (auto place = known.find(scalar); place != known.end())
    return place->second;
  Operation *op = scalar.getDefiningOp();
  Range range = op ? compute(op) : Range();
  known[scalar] = range;
  return range;
}

SizeBounds::Range SizeBounds::product(Range a, Range b, Location loc) {
  IntegerAttr factor;
  for (auto [range, other] : {std::make_pair(a, b), std::make_pair(b, a)})
    if (range.low && range.low == range.high && matchPattern(range.low, m_Constant(&factor)) && factor.getInt() < 0)
      return {both<arith::MulIOp>(range.low, other.high, loc), both<arith::MulIOp>(range.low, other.low, loc)};
  // Sizes: both are at least 0.
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  return {zero, both<arith::MulIOp>(a.high, b.high, loc)};
}

SizeBounds::Range SizeBounds::compute(Operation *op) {
  const Location loc = op->getLoc();
  if (isa<tensor::DimOp, memref::DimOp>(op)) {
    IntegerAttr index;
    if (matchPattern(op->getOperand(1), m_Constant(&index)) && index.getInt() >= 0 &&
        index.getInt() < cast<ShapedType>(op->getOperand(0).getType()).getRank())
      return rangeOfDim(op->getOperand(0), index.getInt());
    return {};
  }
  if (auto select = dyn_cast<arith::SelectOp>(op)) {
    const Range a = rangeOf(select.getTrueValue()), b = rangeOf(select.getFalseValue());
    return {both<arith::MinSIOp>(a.low, b.low, loc), both<arith::MaxSIOp>(a.high, b.high, loc)};
  }
  if (op->getNumOperands() != 2 || op->getNumResults() != 1 || !op->getResult(0).getType().isIndex())
    return {};
  const Range a = rangeOf(op->getOperand(0)), b = rangeOf(op->getOperand(1));
  if (isa<arith::MinSIOp>(op))
    return {both<arith::MinSIOp>(a.low, b.low, loc), either<arith::MinSIOp>(a.high, b.high, loc)};
  if (isa<arith::MaxSIOp>(op))
    return {either<arith::MaxSIOp>(a.low, b.low, loc), both<arith::MaxSIOp>(a.high, b.high, loc)};
  if (isa<arith::AddIOp>(op))
    return {both<arith::AddIOp>(a.low, b.low, loc), both<arith::AddIOp>(a.high, b.high, loc)};
  if (isa<arith::SubIOp>(op))
    return {both<arith::SubIOp>(a.low, b.high, loc), both<arith::SubIOp>(a.high, b.low, loc)};
  if (isa<arith::MulIOp>(op))
    return product(a, b, loc);
  // A quotient of sizes is at most the dividend, a rest less than the divisor and at most the dividend.
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  if (isa<arith::DivSIOp, arith::DivUIOp>(op))
    return {zero, a.high};
  if (isa<arith::RemSIOp, arith::RemUIOp>(op))
    return {zero, either<arith::MinSIOp>(a.high, b.high, loc)};
  return {};
}

SizeBounds::Range SizeBounds::rangeOfDim(Value shaped, int64_t dim) {
  shaped = decidesShape(shaped);
  if (Value exact = resolver.dim(shaped, dim))
    return {exact, exact};
  Operation *op = shaped.getDefiningOp();
  Range range = op ? computeDim(op, dim) : Range();
  Value zero = arith::ConstantIndexOp::create(builder, shaped.getLoc(), 0);
  range.low = range.low ? arith::MaxSIOp::create(builder, shaped.getLoc(), range.low, zero).getResult() : zero;
  return range;
}

SizeBounds::Range SizeBounds::fold(OpFoldResult size) {
  if (auto attr = dyn_cast<Attribute>(size)) {
    Value exact = arith::ConstantIndexOp::create(builder, builder.getUnknownLoc(), cast<IntegerAttr>(attr).getInt());
    return {exact, exact};
  }
  return rangeOf(cast<Value>(size));
}

SizeBounds::Range SizeBounds::productOfDims(Value shaped, ArrayRef<int64_t> dims) {
  Range all = rangeOfDim(shaped, dims.front());
  for (int64_t dim : dims.drop_front())
    all = product(all, rangeOfDim(shaped, dim), shaped.getLoc());
  return all;
}

SizeBounds::Range SizeBounds::computeDim(Operation *op, int64_t dim) {
  StatedDim stated = statedDim(op, dim);
  if (stated.size)
    return fold(stated.size);
  return stated.source ? productOfDims(stated.source, stated.dims) : Range();
}

} // namespace moe
