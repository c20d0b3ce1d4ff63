// Ops that look along a whole axis: CumSum, CumProd, TopK, OneHot. All but OneHot cost the square of the axis; they are the general way, meant for
// short axes (a router's experts, a mask).
#include "OnnxConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using moe::convertScalar;
using moe::NodeConverter;
using moe::SizedTensor;
using moe::TensorBuilder;
using utils::IteratorType;

namespace {

/// The map that reads at the result's point with `axis` taken from loop `loop`.
AffineMap along(MLIRContext *context, unsigned rank, unsigned axis, unsigned loop) {
  SmallVector<AffineExpr> results;
  for (unsigned i = 0; i < rank; ++i)
    results.push_back(getAffineDimExpr(i == axis ? loop : i, context));
  return AffineMap::get(rank + 1, 0, results, context);
}

/// For every point of `start` a fold over the last loop: body(scalars of the inputs, value so far).
SizedTensor foldAlong(TensorBuilder &t, const SizedTensor &start, ArrayRef<SizedTensor> inputs, ArrayRef<AffineMap> maps, moe::ScalarBody body) {
  unsigned rank = start.rank();
  SmallVector<Value> values;
  for (const SizedTensor &input : inputs)
    values.push_back(input.value);
  SmallVector<AffineMap> all(maps);
  all.push_back(along(t.context(), rank, rank, rank));
  SmallVector<IteratorType> iterators(rank, IteratorType::parallel);
  iterators.push_back(IteratorType::reduction);
  auto op = linalg::GenericOp::create(
      t.builder, t.loc, start.value.getType(), values, start.value, all, iterators,
      [&](OpBuilder &b, Location loc, ValueRange scalars) { linalg::YieldOp::create(b, loc, body(b, loc, scalars)); });
  return {op.getResult(0), start.dims};
}

/// CumSum, or CumProd with `multiplies`.
LogicalResult accumulate(NodeConverter &node, bool multiplies) {
  SizedTensor x = node.input(0);
  if (!x)
    return failure();
  auto given = node.constants(1);
  if (!given || given->size() != 1)
    return node.error() << "has an axis that depends on data";
  FailureOr<int64_t> axis = node.axis(given->front(), x.rank());
  if (failed(axis))
    return failure();
  Type type = x.elementType(), wide = moe::accumulatorType(type);
  if (type.isInteger(1))
    return node.error() << "is not defined on elements of type " << type;
  bool exclusive = node.getInt("exclusive", 0), reverse = node.getInt("reverse", 0);
  auto predicate = reverse ? (exclusive ? arith::CmpIPredicate::sgt : arith::CmpIPredicate::sge)
                           : (exclusive ? arith::CmpIPredicate::slt : arith::CmpIPredicate::sle);
  TensorBuilder &t = node.t;
  unsigned rank = x.rank();
  Value start = isa<FloatType>(wide) ? t.scalar(wide, multiplies) : t.integer(wide, multiplies);
  SizedTensor sum = foldAlong(t, t.filled(x.dims, start), x, along(t.context(), rank, *axis, rank), [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    Value here = linalg::IndexOp::create(b, loc, *axis), there = linalg::IndexOp::create(b, loc, rank);
    Value counts = arith::CmpIOp::create(b, loc, predicate, there, here);
    Value term = convertScalar(b, loc, in[0], wide);
    Value sum;
    if (isa<FloatType>(wide))
      sum = multiplies ? arith::MulFOp::create(b, loc, in[1], term).getResult() : arith::AddFOp::create(b, loc, in[1], term).getResult();
    else
      sum = multiplies ? arith::MulIOp::create(b, loc, in[1], term).getResult() : arith::AddIOp::create(b, loc, in[1], term).getResult();
    return arith::SelectOp::create(b, loc, counts, sum, in[1]);
  });
  return node.finish(t.convert(sum, type));
}

LogicalResult convertCumSum(NodeConverter &node) { return accumulate(node, /*multiplies=*/false); }
LogicalResult convertCumProd(NodeConverter &node) { return accumulate(node, /*multiplies=*/true); }

/// Does `x` come strictly before `y` in the order of TopK? NaN counts as the greatest, so that the order is total.
Value isBefore(OpBuilder &b, Location loc, Value x, Value y, bool largest, bool isUnsigned) {
  if (!largest)
    std::swap(x, y);
  if (!isa<FloatType>(x.getType()))
    return arith::CmpIOp::create(b, loc, isUnsigned ? arith::CmpIPredicate::ugt : arith::CmpIPredicate::sgt, x, y);
  Value greater = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, x, y);
  Value isNan = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, x, x);
  Value isNumber = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::ORD, y, y);
  return arith::OrIOp::create(b, loc, greater, arith::AndIOp::create(b, loc, isNan, isNumber));
}

/// Every element's place in the sorted axis is the number of elements before it (of equals, those with a lower index); place k of the result
/// is the element whose place is k.
LogicalResult convertTopK(NodeConverter &node) {
  SizedTensor x = node.input(0);
  if (!x)
    return failure();
  FailureOr<int64_t> axis = node.axis(node.getInt("axis", -1), x.rank());
  if (failed(axis))
    return failure();
  if (x.elementType().isInteger(1))
    return node.error() << "is not defined on elements of type " << x.elementType();
  bool largest = node.getInt("largest", 1), isUnsigned = node.isUnsigned(0);
  TensorBuilder &t = node.t;
  unsigned rank = x.rank();
  Type i64 = t.builder.getI64Type();
  AffineMap own = along(t.context(), rank, *axis, *axis), other = along(t.context(), rank, *axis, rank);
  SizedTensor places = foldAlong(t, t.zeros(x.dims, i64), {x, x}, {own, other}, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    Value here = linalg::IndexOp::create(b, loc, *axis), there = linalg::IndexOp::create(b, loc, rank);
    Value before = isBefore(b, loc, in[1], in[0], largest, isUnsigned), after = isBefore(b, loc, in[0], in[1], largest, isUnsigned);
    Value lower = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, there, here);
    Value never = arith::ConstantOp::create(b, loc, b.getBoolAttr(false));
    Value precedes = arith::OrIOp::create(b, loc, before, arith::SelectOp::create(b, loc, after, never, lower));
    return arith::AddIOp::create(b, loc, in[2], arith::ExtUIOp::create(b, loc, i64, precedes));
  });
  SmallVector<AffineExpr> dims = node.resultDims();
  SizedTensor chosen = foldAlong(t, t.zeros(dims, i64), places, other, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    Value here = arith::IndexCastOp::create(b, loc, i64, linalg::IndexOp::create(b, loc, *axis));
    Value there = arith::IndexCastOp::create(b, loc, i64, linalg::IndexOp::create(b, loc, rank));
    Value is = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, in[0], here);
    return arith::SelectOp::create(b, loc, is, there, in[1]);
  });
  if (node.wants(0))
    node.result(0, t.points(chosen, t.builder.getMultiDimIdentityMap(rank), dims, x.elementType(), [&](OpBuilder &b, Location loc, ValueRange at, ValueRange in) -> Value {
      SmallVector<Value> from(at);
      from[*axis] = arith::IndexCastOp::create(b, loc, b.getIndexType(), in[0]);
      return tensor::ExtractOp::create(b, loc, x.value, from);
    }));
  if (node.wants(1))
    node.result(1, chosen);
  return success();
}

LogicalResult convertOneHot(NodeConverter &node) {
  SizedTensor indices = node.input(0), values = node.input(2);
  if (!indices || !values)
    return failure();
  SmallVector<AffineExpr> dims = node.resultDims();
  FailureOr<int64_t> axis = node.axis(node.getInt("axis", -1), dims.size());
  if (failed(axis))
    return failure();
  TensorBuilder &t = node.t;
  if (!t.sizes.isKnown(dims[*axis])) {
    // A depth of another type than the integers that give sizes.
    FailureOr<Value> depth = node.onlyElement(1);
    if (failed(depth))
      return failure();
    Value size = arith::IndexCastOp::create(t.builder, t.loc, t.builder.getIndexType(), convertScalar(t.builder, t.loc, *depth, t.builder.getI64Type()));
    t.sizes.define(dims[*axis], arith::MaxSIOp::create(t.builder, t.loc, size, t.indexConstant(0)), Value());
  }
  AffineMap map = t.builder.getMultiDimIdentityMap(dims.size()).dropResult(*axis);
  Type i64 = t.builder.getI64Type();
  Value depth = t.sizeAs(dims[*axis], i64), zero = t.indexConstant(0), one = t.indexConstant(1);
  return node.finish(t.points(indices, map, dims, values.elementType(), [&](OpBuilder &b, Location loc, ValueRange at, ValueRange in) -> Value {
    Value here = arith::IndexCastOp::create(b, loc, i64, at[*axis]);
    Value index = convertScalar(b, loc, in[0], i64, node.isUnsigned(0));
    Value fromEnd = arith::AddIOp::create(b, loc, index, depth);
    Value isNegative = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, index, arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(0)));
    Value counted = arith::SelectOp::create(b, loc, isNegative, fromEnd, index);
    Value isHot = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, here, counted);
    Value which = arith::SelectOp::create(b, loc, isHot, one, zero);
    return tensor::ExtractOp::create(b, loc, values.value, which);
  }));
}

} // namespace

void moe::addScanConversions(ConversionTable &table) {
  table.add("CumSum", convertCumSum);
  table.add("CumProd", convertCumProd);
  table.add("TopK", convertTopK, "", /*shapeOnlyInputs=*/1u << 1);
  table.add("OneHot", convertOneHot).definesSizes = true;
}
