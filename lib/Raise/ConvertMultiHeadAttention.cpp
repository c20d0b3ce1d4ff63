// com.microsoft.MultiHeadAttention: separate query, key and value (or projected keys of an encoder), a bias of the projections, masks of padding.
#include "Attention.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using moe::AttentionParts;
using moe::convertScalar;
using moe::NodeConverter;
using moe::SizedTensor;
using moe::TensorBuilder;

namespace {

/// Input `i`, [B, S, heads·D] plus its part of the bias, which starts at `biasStart`, as [B, heads, S, D]; four dims are that already.
FailureOr<SizedTensor> readHeads(NodeConverter &node, unsigned i, int64_t heads, const SizedTensor &bias, AffineExpr biasStart) {
  SizedTensor x = node.input(i);
  if (!x)
    return failure();
  if (!isa<FloatType>(x.elementType()))
    return node.error() << "is not defined on elements of type " << x.elementType();
  if (x.rank() == 4 && i > 0)
    return x;
  auto hidden = x.rank() == 3 ? dyn_cast<AffineConstantExpr>(x.dims[2]) : AffineConstantExpr();
  if (!hidden || hidden.getValue() % heads != 0)
    return node.error() << "needs an input " << i << " of 3 dims with a static last dim that 'num_heads' = " << heads << " divides";
  TensorBuilder &t = node.t;
  if (bias) {
    SizedTensor part = t.slice(bias, {t.sizes.getFold(biasStart)}, {x.dims[2]}, {1});
    x = t.elementwise({x, part}, x.dims, x.elementType(), [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
      return arith::AddFOp::create(b, loc, in[0], in[1]);
    });
  }
  return t.transpose(t.reshape(x, {x.dims[0], x.dims[1], t.size(heads), t.size(hidden.getValue() / heads)}), {0, 2, 1, 3});
}

/// key_padding_mask as what is added to the scores: 0 for a key that counts, else mask_filter_value.
FailureOr<SizedTensor> readPadding(NodeConverter &node, const AttentionParts &parts) {
  SizedTensor padding = node.input(4);
  if (!padding)
    return failure();
  TensorBuilder &t = node.t;
  const bool isLengths = padding.rank() == 1;
  const AffineExpr batch = getAffineDimExpr(0, t.context()), query = getAffineDimExpr(2, t.context()), key = getAffineDimExpr(3, t.context());
  SmallVector<AffineExpr> reads = {batch};
  if (padding.rank() == 3)
    reads.push_back(query);
  if (!isLengths)
    reads.push_back(key);
  const SmallVector<AffineExpr> dims = {parts.batch, t.size(1), padding.rank() == 3 ? parts.queryLength : t.size(1), parts.keyLength};
  const Type type = moe::accumulatorType(parts.query.elementType());
  const double filter = node.getFloat("mask_filter_value", -10000);
  return t.points(padding, AffineMap::get(4, 0, reads, t.context()), dims, type, [&](OpBuilder &b, Location loc, ValueRange at, ValueRange in) -> Value {
    Value counts;
    if (isLengths)
      counts = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, at[3], arith::IndexCastOp::create(b, loc, b.getIndexType(), in[0]));
    else
      counts = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, in[0], arith::ConstantOp::create(b, loc, b.getZeroAttr(in[0].getType())));
    const auto number = [&](double value) { return arith::ConstantOp::create(b, loc, b.getFloatAttr(type, value)); };
    return arith::SelectOp::create(b, loc, counts, number(0), number(filter));
  });
}

LogicalResult readMask(NodeConverter &node, AttentionParts &parts) {
  if (node.has(5))
    parts.mask = node.input(5);
  if (!node.has(4))
    return failure(node.failed());
  FailureOr<SizedTensor> padding = readPadding(node, parts);
  if (failed(padding) || node.failed())
    return failure();
  if (!parts.mask) {
    parts.mask = *padding;
    return success();
  }
  TensorBuilder &t = node.t;
  const SmallVector<AffineExpr> dims = t.broadcastDims(parts.mask.dims, padding->dims);
  const Type type = padding->elementType();
  parts.mask = t.elementwise({parts.mask, *padding}, dims, type, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    return arith::AddFOp::create(b, loc, convertScalar(b, loc, in[0], type), in[1]);
  });
  return success();
}

LogicalResult readParts(NodeConverter &node, AttentionParts &parts) {
  TensorBuilder &t = node.t;
  const int64_t heads = node.getInt("num_heads", 0);
  SizedTensor bias;
  if (node.has(3) && !(bias = node.input(3)))
    return failure();
  SizedTensor *inputs[] = {&parts.query, &parts.key, &parts.value};
  AffineExpr start = t.size(0);
  for (unsigned i = 0; i < 3; ++i) {
    FailureOr<SizedTensor> x = readHeads(node, i, heads, bias, start);
    if (failed(x))
      return failure();
    *inputs[i] = *x;
    start = start + x->dims[1] * x->dims[3];
  }
  parts.cacheLength = t.size(0);
  if (node.has(6) != node.has(7))
    return node.error() << "has only one of past_key and past_value";
  for (unsigned i = 0; i < 2 && node.has(6); ++i) {
    SizedTensor past = node.input(6 + i), &now = *inputs[i + 1];
    if (!past)
      return failure();
    if (past.rank() != 4)
      return node.error() << "has a past of " << past.rank() << " dims, expected 4";
    SmallVector<AffineExpr> dims = now.dims;
    dims[2] = past.dims[2] + now.dims[2];
    now = t.concat({past, now}, 2, dims);
    parts.cacheLength = past.dims[2];
  }
  if (failed(parts.readSizes(node)))
    return failure();
  parts.isCausal = node.getInt("unidirectional", 0);
  return readMask(node, parts);
}

LogicalResult convertMultiHeadAttention(NodeConverter &node) {
  if (node.has(8) || node.has(9))
    return node.error() << "has past_sequence_length or cache_indirection, which are not supported";
  if (node.wants(3))
    return node.error() << "has the output qk, which is not supported";
  AttentionParts parts;
  if (failed(readParts(node, parts)))
    return failure();
  TensorBuilder &t = node.t;
  const SizedTensor result = moe::attend(t, parts, moe::accumulatorType(parts.query.elementType())).result;
  node.result(0, t.reshape(t.transpose(result, {0, 2, 1, 3}), node.resultDims()));
  if (node.wants(1))
    node.result(1, t.reshape(parts.key, node.resultDims(1)));
  if (node.wants(2))
    node.result(2, t.reshape(parts.value, node.resultDims(2)));
  return failure(node.failed());
}

} // namespace

void moe::addMultiHeadAttentionConversions(ConversionTable &table) {
  table.add("MultiHeadAttention", convertMultiHeadAttention, "com.microsoft");
}
