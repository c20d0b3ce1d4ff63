// Ops whose results are as long as their data say: NonZero and Compress. The positions of what is taken are one moe.compact; its count is the size,
// which the number of flags bounds.
#include "OnnxConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using moe::NodeConverter;
using moe::SizedTensor;
using moe::TensorBuilder;

namespace {

/// The positions of the true elements of a list: as long as the list, `size` of them count. Says that `size` is so many.
SizedTensor compact(NodeConverter &node, const SizedTensor &flags, AffineExpr size) {
  TensorBuilder &t = node.t;
  auto position = t.type(flags.dims, t.builder.getI64Type());
  auto op = moe::CompactOp::create(t.builder, t.loc, TypeRange{position, RankedTensorType::get({}, t.builder.getI64Type())}, flags.value);
  if (!t.sizes.dependsOnData(size)) // all flags are known
    return {op.getPosition(), flags.dims};
  Value count = tensor::ExtractOp::create(t.builder, t.loc, op.getCount(), ValueRange());
  t.sizes.define(size, arith::IndexCastOp::create(t.builder, t.loc, t.builder.getIndexType(), count), t.indexOf(flags.dims[0]));
  return {op.getPosition(), flags.dims};
}

Value isNotZero(OpBuilder &b, Location loc, Value value) {
  Value zero = arith::ConstantOp::create(b, loc, cast<TypedAttr>(b.getZeroAttr(value.getType())));
  if (isa<FloatType>(value.getType()))
    return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNE, value, zero);
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, value, zero);
}

/// One row of coordinates per dim of the input, a column for each element that is not zero, in row-major order.
LogicalResult convertNonZero(NodeConverter &node) {
  SizedTensor x = node.input(0);
  if (!x)
    return failure();
  TensorBuilder &t = node.t;
  SmallVector<AffineExpr> all = {t.product(x.dims)}, dims = node.resultDims();
  SizedTensor flags = t.elementwise(t.reshape(x, all), all, t.builder.getI1Type(),
                                    [&](OpBuilder &b, Location loc, ValueRange in) -> Value { return isNotZero(b, loc, in[0]); });
  SizedTensor position = compact(node, flags, dims[1]);
  SmallVector<Value> sizes;
  for (AffineExpr dim : x.dims)
    sizes.push_back(t.indexOf(dim));
  Value one = t.indexConstant(1);
  return node.finish(t.points({}, {}, dims, t.builder.getI64Type(), [&](OpBuilder &b, Location loc, ValueRange at, ValueRange) -> Value {
    Value rest = arith::IndexCastOp::create(b, loc, b.getIndexType(), tensor::ExtractOp::create(b, loc, position.value, at[1]));
    Value coordinate = rest;
    for (int64_t dim = x.rank() - 1; dim >= 0; --dim) {
      // An empty dim has no elements that would be divided.
      Value size = arith::MaxSIOp::create(b, loc, sizes[dim], one);
      Value here = arith::RemUIOp::create(b, loc, rest, size);
      rest = arith::DivUIOp::create(b, loc, rest, size);
      Value isRow = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, at[0], arith::ConstantIndexOp::create(b, loc, dim));
      coordinate = arith::SelectOp::create(b, loc, isRow, here, coordinate);
    }
    return arith::IndexCastOp::create(b, loc, b.getI64Type(), coordinate);
  }));
}

/// The slices along an axis, or the elements of the flat input, whose condition holds. A condition may be shorter than the axis.
LogicalResult convertCompress(NodeConverter &node) {
  SizedTensor x = node.input(0), condition = node.input(1);
  if (!x || !condition)
    return failure();
  TensorBuilder &t = node.t;
  SmallVector<AffineExpr> dims = node.resultDims();
  int64_t axis = 0;
  if (node.hasAttribute("axis")) {
    FailureOr<int64_t> given = node.axis(node.getInt("axis", 0), x.rank());
    if (failed(given))
      return failure();
    axis = *given;
  } else {
    x = t.reshape(x, t.product(x.dims));
  }
  SizedTensor position = compact(node, condition, dims[axis]);
  Value last = t.indexOf(x.dims[axis] - 1), zero = t.indexConstant(0);
  return node.finish(t.points({}, {}, dims, x.elementType(), [&](OpBuilder &b, Location loc, ValueRange at, ValueRange) -> Value {
    SmallVector<Value> from(at);
    Value taken = arith::IndexCastOp::create(b, loc, b.getIndexType(), tensor::ExtractOp::create(b, loc, position.value, at[axis]));
    from[axis] = arith::MaxSIOp::create(b, loc, arith::MinSIOp::create(b, loc, taken, last), zero);
    return tensor::ExtractOp::create(b, loc, x.value, from);
  }));
}

} // namespace

void moe::addCompactConversions(ConversionTable &table) {
  table.add("NonZero", convertNonZero).definesSizes = true;
  table.add("Compress", convertCompress).definesSizes = true;
}
