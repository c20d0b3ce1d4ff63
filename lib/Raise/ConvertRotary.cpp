// RotaryEmbedding, ONNX's (opset 23) and ONNX Runtime's: pairs of elements turned by an angle, as slices, two elementwise generics and one concat.
#include "Rotary.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using moe::convertScalar;
using moe::NodeConverter;
using moe::SizedTensor;
using moe::TensorBuilder;

namespace {

/// The input as heads: [B, H, S, D], or [B, S, H, D] where it came with 3 dims.
struct Heads {
  SizedTensor x;
  unsigned sequenceDim;
};

/// `headSize` is what an input of 3 dims without 'num_heads' has, 0 where it must have that attribute.
FailureOr<Heads> readHeads(NodeConverter &node, int64_t headSize) {
  SizedTensor x = node.input(0);
  if (!x)
    return failure();
  if (!isa<FloatType>(x.elementType()))
    return node.error() << "is not defined on elements of type " << x.elementType();
  if (x.rank() == 4)
    return Heads{x, 2};
  int64_t heads = node.getInt("num_heads", 0);
  auto hidden = x.rank() == 3 ? dyn_cast<AffineConstantExpr>(x.dims[2]) : AffineConstantExpr();
  if (hidden && heads == 0 && headSize > 0)
    heads = hidden.getValue() / headSize;
  if (!hidden || heads <= 0 || hidden.getValue() % heads != 0)
    return node.error() << "needs an input of 4 dims, or of 3 with a static last dim that 'num_heads' = " << heads << " divides";
  TensorBuilder &t = node.t;
  return Heads{t.reshape(x, {x.dims[0], x.dims[1], t.size(heads), t.size(hidden.getValue() / heads)}), 1};
}

/// A cache as [B, S, R/2]: itself, or its rows at the position ids.
FailureOr<SizedTensor> readCache(NodeConverter &node, unsigned i, int64_t half) {
  SizedTensor cache = node.input(i);
  if (!cache)
    return failure();
  TensorBuilder &t = node.t;
  bool hasPositions = node.has(3);
  if (cache.rank() != (hasPositions ? 2 : 3) || cache.dims.back() != t.size(half))
    return node.error() << "has a cache of dims that do not fit: expected " << (hasPositions ? 2 : 3) << " dims with " << half << " as the last";
  if (!hasPositions)
    return cache;
  SizedTensor positions = node.input(3);
  if (!positions)
    return failure();
  if (positions.rank() != 2)
    return node.error() << "has position_ids of " << positions.rank() << " dims, expected 2";
  if (failed(node.requireWithin(node.op.getInputs()[3], positions, t.size(0), cache.dims[0], "a position")))
    return failure();
  return moe::rotaryRows(t, cache, positions);
}

/// first·a − second·b, or with a plus, in f32 for f16 and bf16.
SizedTensor combine(TensorBuilder &t, ArrayRef<SizedTensor> inputs, ArrayRef<AffineMap> maps, bool minus) {
  Type type = inputs[0].elementType(), wide = moe::accumulatorType(type);
  return t.generic(inputs, maps, inputs[0].dims, type, [&](OpBuilder &b, Location loc, ValueRange in) {
    SmallVector<Value> wideIn;
    for (Value value : in)
      wideIn.push_back(convertScalar(b, loc, value, wide));
    Value left = arith::MulFOp::create(b, loc, wideIn[0], wideIn[2]), right = arith::MulFOp::create(b, loc, wideIn[1], wideIn[3]);
    Value result = minus ? arith::SubFOp::create(b, loc, left, right).getResult() : arith::AddFOp::create(b, loc, left, right).getResult();
    return convertScalar(b, loc, result, type);
  });
}

} // namespace

SizedTensor moe::rotaryRows(TensorBuilder &t, const SizedTensor &cache, const SizedTensor &positions) {
  SmallVector<AffineExpr> dims = {positions.dims[0], positions.dims[1], cache.dims[1]};
  Value zero = t.indexConstant(0), last = t.indexOf(cache.dims[0] - 1);
  AffineMap map = AffineMap::getMultiDimIdentityMap(3, t.context()).getMajorSubMap(2);
  return t.points(positions, map, dims, cache.elementType(), [&](OpBuilder &b, Location loc, ValueRange at, ValueRange in) -> Value {
    // A position outside the cache is a fault of the run, and must not read other memory before that is told.
    Value row = arith::IndexCastOp::create(b, loc, b.getIndexType(), in[0]);
    Value capped = arith::MinSIOp::create(b, loc, row, last);
    Value safe = arith::MaxSIOp::create(b, loc, capped, zero);
    return tensor::ExtractOp::create(b, loc, cache.value, ValueRange{safe, at[2]});
  });
}

FailureOr<SizedTensor> moe::rotateHeads(NodeConverter &node, const SizedTensor &x, unsigned sequenceDim, const SizedTensor &cosine,
                                        const SizedTensor &sine, bool interleaved) {
  TensorBuilder &t = node.t;
  auto headSize = dyn_cast<AffineConstantExpr>(x.dims[3]), halfSize = dyn_cast<AffineConstantExpr>(cosine.dims.back());
  if (!headSize || !halfSize || halfSize.getValue() < 1 || 2 * halfSize.getValue() > headSize.getValue())
    return node.error() << "turns " << t.sizes.describe(cosine.dims.back() * 2) << " elements of a head, expected an even number up to the static head size";
  if (sine.dims.back() != cosine.dims.back())
    return node.error() << "has caches of cosines and sines whose last dims differ";
  const int64_t half = halfSize.getValue(), turned = 2 * half;
  // The turned part as [.., 2, half], or [.., half, 2] where neighbours are pairs; loops of the pairs: the three outer dims and half.
  SmallVector<AffineExpr> outer(x.dims.begin(), x.dims.begin() + 3);
  auto dims = [&](std::initializer_list<int64_t> inner) {
    SmallVector<AffineExpr> all = outer;
    for (int64_t size : inner)
      all.push_back(t.size(size));
    return all;
  };
  auto cut = [&](const SizedTensor &from, unsigned axis, int64_t start, ArrayRef<AffineExpr> sizes) {
    SmallVector<OpFoldResult> offsets(from.rank(), t.builder.getIndexAttr(0));
    offsets[axis] = t.builder.getIndexAttr(start);
    return t.slice(from, offsets, sizes, SmallVector<int64_t>(from.rank(), 1));
  };
  SizedTensor turnedPart = turned == headSize.getValue() ? x : cut(x, 3, 0, dims({turned}));
  SizedTensor first, second;
  if (interleaved) {
    SizedTensor pairs = t.reshape(turnedPart, dims({half, 2}));
    first = t.reshape(cut(pairs, 4, 0, dims({half, 1})), dims({half}));
    second = t.reshape(cut(pairs, 4, 1, dims({half, 1})), dims({half}));
  } else {
    first = cut(turnedPart, 3, 0, dims({half}));
    second = cut(turnedPart, 3, half, dims({half}));
  }
  AffineMap identity = t.builder.getMultiDimIdentityMap(4);
  SmallVector<AffineExpr> cacheRead = {getAffineDimExpr(0, t.context()), getAffineDimExpr(sequenceDim, t.context()), getAffineDimExpr(3, t.context())};
  for (unsigned i = 0; i < 2; ++i) // a cache of one batch or one row serves all
    if (TensorBuilder::isOne(cosine.dims[i]) && !TensorBuilder::isOne(x.dims[i == 0 ? 0 : sequenceDim]))
      cacheRead[i] = t.size(0);
  AffineMap cache = AffineMap::get(4, 0, cacheRead, t.context());
  SmallVector<AffineMap> maps = {identity, identity, cache, cache};
  SizedTensor real = combine(t, {first, second, cosine, sine}, maps, /*minus=*/true);
  SizedTensor imaginary = combine(t, {first, second, sine, cosine}, maps, /*minus=*/false);
  SmallVector<SizedTensor> pieces;
  if (interleaved) {
    SizedTensor pairs = t.concat({t.reshape(real, dims({half, 1})), t.reshape(imaginary, dims({half, 1}))}, 4, dims({half, 2}));
    pieces = {t.reshape(pairs, dims({turned}))};
  } else {
    pieces = {real, imaginary};
  }
  if (turned < headSize.getValue())
    pieces.push_back(cut(x, 3, turned, dims({headSize.getValue() - turned})));
  SizedTensor result = pieces.size() == 1 ? pieces.front() : t.concat(pieces, 3, x.dims);
  return result;
}

namespace {

LogicalResult convertRotary(NodeConverter &node) {
  FailureOr<Heads> heads = readHeads(node, 0);
  if (failed(heads))
    return failure();
  const SizedTensor &x = heads->x;
  auto headSize = dyn_cast<AffineConstantExpr>(x.dims[3]);
  int64_t turned = node.getInt("rotary_embedding_dim", 0);
  if (headSize && turned == 0)
    turned = headSize.getValue();
  if (!headSize || turned <= 0 || turned % 2 != 0 || turned > headSize.getValue())
    return node.error() << "turns " << turned << " elements of a head, expected an even number up to the static head size";
  FailureOr<SizedTensor> cosine = readCache(node, 1, turned / 2), sine = readCache(node, 2, turned / 2);
  if (failed(cosine) || failed(sine))
    return failure();
  FailureOr<SizedTensor> result = moe::rotateHeads(node, x, heads->sequenceDim, *cosine, *sine, node.getInt("interleaved", 0));
  return failed(result) ? failure() : node.finish(node.t.reshape(*result, node.resultDims()));
}

/// The positions [B or 1, S] of ONNX Runtime's op: given, or one offset for all.
FailureOr<SizedTensor> readPositions(NodeConverter &node, AffineExpr length) {
  SizedTensor positions = node.input(1);
  if (!positions)
    return failure();
  if (positions.rank() == 2)
    return positions;
  TensorBuilder &t = node.t;
  if (positions.rank() != 1 || !TensorBuilder::isOne(positions.dims[0]))
    return node.error() << "has position_ids of dims that do not fit: expected [1] or [batch, sequence]";
  AffineMap only = AffineMap::get(2, 0, t.size(0));
  return t.points(positions, only, {t.size(1), length}, positions.elementType(), [&](OpBuilder &b, Location loc, ValueRange at, ValueRange in) -> Value {
    return arith::AddIOp::create(b, loc, in[0], arith::IndexCastOp::create(b, loc, in[0].getType(), at[1]));
  });
}

/// com.microsoft: the caches always are tables, and their width says how much of a head is turned.
LogicalResult convertContribRotary(NodeConverter &node) {
  if (node.getInt("is_packed_batching", 0) != 0)
    return node.error() << "has 'is_packed_batching' = 1, which is not supported";
  if (node.getFloat("scale", 1) != 1)
    return node.error() << "has 'scale' = " << node.getFloat("scale", 1) << ", which is not supported";
  SizedTensor cosine = node.input(2), sine = node.input(3);
  if (!cosine || !sine)
    return failure();
  auto half = cosine.rank() == 2 && sine.rank() == 2 ? dyn_cast<AffineConstantExpr>(cosine.dims[1]) : AffineConstantExpr();
  if (!half)
    return node.error() << "has a cache of dims that do not fit: expected 2 dims, the last one static";
  FailureOr<Heads> heads = readHeads(node, node.getInt("rotary_embedding_dim", 0) ? 0 : 2 * half.getValue());
  if (failed(heads))
    return failure();
  FailureOr<SizedTensor> positions = readPositions(node, heads->x.dims[heads->sequenceDim]);
  if (failed(positions))
    return failure();
  TensorBuilder &t = node.t;
  for (const SizedTensor *cache : {&cosine, &sine})
    node.requireWithin(*positions, t.size(0), cache->dims[0], "a position");
  FailureOr<SizedTensor> result = moe::rotateHeads(node, heads->x, heads->sequenceDim, moe::rotaryRows(t, cosine, *positions),
                                                   moe::rotaryRows(t, sine, *positions), node.getInt("interleaved", 0));
  return failed(result) ? failure() : node.finish(t.reshape(*result, node.resultDims()));
}

} // namespace

void moe::addRotaryConversions(ConversionTable &table) {
  table.add("RotaryEmbedding", convertRotary);
  table.add("RotaryEmbedding", convertContribRotary, "com.microsoft");
}
