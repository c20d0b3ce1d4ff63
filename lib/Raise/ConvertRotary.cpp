// RotaryEmbedding (opset 23): pairs of elements turned by an angle, as slices, two elementwise generics and one concat. The pairs are the two
// halves of a head, or neighbours where `interleaved`.
#include "OnnxConversion.h"

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

FailureOr<Heads> readHeads(NodeConverter &node) {
  SizedTensor x = node.input(0);
  if (!x)
    return failure();
  if (!isa<FloatType>(x.elementType()))
    return node.error() << "is not defined on elements of type " << x.elementType();
  if (x.rank() == 4)
    return Heads{x, 2};
  int64_t heads = node.getInt("num_heads", 0);
  auto hidden = x.rank() == 3 ? dyn_cast<AffineConstantExpr>(x.dims[2]) : AffineConstantExpr();
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
  SmallVector<AffineExpr> dims = {positions.dims[0], positions.dims[1], t.size(half)};
  Value zero = t.indexConstant(0), last = t.indexOf(cache.dims[0] - 1);
  AffineMap map = AffineMap::getMultiDimIdentityMap(3, t.context()).getMajorSubMap(2);
  return t.points(positions, map, dims, cache.elementType(), [&](OpBuilder &b, Location loc, ValueRange at, ValueRange in) -> Value {
    // A position outside the cache must not read other memory.
    Value row = arith::IndexCastOp::create(b, loc, b.getIndexType(), in[0]);
    Value capped = arith::MinSIOp::create(b, loc, row, last);
    Value safe = arith::MaxSIOp::create(b, loc, capped, zero);
    return tensor::ExtractOp::create(b, loc, cache.value, ValueRange{safe, at[2]});
  });
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

LogicalResult convertRotary(NodeConverter &node) {
  FailureOr<Heads> heads = readHeads(node);
  if (failed(heads))
    return failure();
  TensorBuilder &t = node.t;
  const SizedTensor &x = heads->x;
  auto headSize = dyn_cast<AffineConstantExpr>(x.dims[3]);
  int64_t turned = node.getInt("rotary_embedding_dim", 0);
  if (headSize && turned == 0)
    turned = headSize.getValue();
  if (!headSize || turned <= 0 || turned % 2 != 0 || turned > headSize.getValue())
    return node.error() << "turns " << turned << " elements of a head, expected an even number up to the static head size";
  int64_t half = turned / 2;
  FailureOr<SizedTensor> cosine = readCache(node, 1, half), sine = readCache(node, 2, half);
  if (failed(cosine) || failed(sine))
    return failure();

  // The turned part as [.., 2, half], or [.., half, 2] where neighbours are pairs; loops of the pairs: the three outer dims and half.
  bool interleaved = node.getInt("interleaved", 0);
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
  SmallVector<AffineExpr> cacheRead = {getAffineDimExpr(0, t.context()), getAffineDimExpr(heads->sequenceDim, t.context()), getAffineDimExpr(3, t.context())};
  for (unsigned i = 0; i < 2; ++i) // a cache of one batch or one row serves all
    if (TensorBuilder::isOne(cosine->dims[i]) && !TensorBuilder::isOne(x.dims[i == 0 ? 0 : heads->sequenceDim]))
      cacheRead[i] = t.size(0);
  AffineMap cache = AffineMap::get(4, 0, cacheRead, t.context());
  SmallVector<AffineMap> maps = {identity, identity, cache, cache};
  SizedTensor real = combine(t, {first, second, *cosine, *sine}, maps, /*minus=*/true);
  SizedTensor imaginary = combine(t, {first, second, *sine, *cosine}, maps, /*minus=*/false);
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
  return node.finish(t.reshape(result, node.resultDims()));
}

} // namespace

void moe::addRotaryConversions(ConversionTable &table) { table.add("RotaryEmbedding", convertRotary); }
