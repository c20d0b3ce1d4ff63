// Scores, masks, softmax and products of attention; see Attention.h.
#include "Attention.h"
#include "Matmul.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "moe/IR/MoeDialect.h"

using namespace mlir;
using moe::AttentionParts;
using moe::convertScalar;
using moe::NodeConverter;
using moe::ScoreLevel;
using moe::SizedTensor;
using moe::TensorBuilder;

namespace {

/// Number of query heads per key head.
AffineExpr groupSize(TensorBuilder &t, const AttentionParts &parts) {
  auto queryHeads = dyn_cast<AffineConstantExpr>(parts.queryHeads), keyHeads = dyn_cast<AffineConstantExpr>(parts.keyHeads);
  return queryHeads && keyHeads ? t.size(queryHeads.getValue() / keyHeads.getValue()) : t.size(1);
}

/// Makes the scores of one query and key from their raw product: scale, cap, mask. Built inside the body of one generic.
class ScoreBody {
public:
  ScoreBody(TensorBuilder &t, const AttentionParts &parts, Type wide) : parts(parts), wide(wide) {
    if (parts.mask) {
      maskIsBool = parts.mask.elementType().isInteger(1);
      AffineExpr last = parts.mask.rank() ? parts.mask.dims.back() : t.size(1);
      // A mask shorter than the keys forbids the rest; one by places has the columns of other rows.
      if (parts.mask.rank() && !TensorBuilder::isOne(last) && (parts.before || !t.equal(last, parts.keyLength))) {
        maskColumns = t.indexOf(last);
        for (AffineExpr dim : parts.mask.dims)
          maskRepeats.push_back(TensorBuilder::isOne(dim));
      }
    }
    zero = t.indexConstant(0);
    one = t.indexConstant(1);
    if (looksAtPlaces()) {
      queryLength = t.indexOf(parts.queryLength);
      cacheLength = t.indexOf(parts.cacheLength);
    }
  }

  bool readsMaskDirectly() const { return parts.mask && !maskColumns; }
  bool looksAtPlaces() const { return parts.isCausal || parts.left >= 0 || parts.right >= 0 || parts.validKeys || parts.before; }

  /// `scalars`: the raw product, then the mask if it is read directly, then validKeys, or before and resident, if there.
  Value build(OpBuilder &b, Location loc, ValueRange at, ValueRange scalars, ScoreLevel level) const {
    Value score = arith::MulFOp::create(b, loc, convertScalar(b, loc, scalars[0], wide), number(b, loc, parts.scale));
    if (level >= ScoreLevel::Capped && parts.softcap > 0) {
      Value inner = arith::DivFOp::create(b, loc, score, number(b, loc, parts.softcap));
      score = arith::MulFOp::create(b, loc, math::TanhOp::create(b, loc, inner), number(b, loc, parts.softcap));
    }
    if (level < ScoreLevel::Biased)
      return score;
    Places places;
    if (looksAtPlaces())
      places = placesOf(b, loc, at, scalars.drop_front(readsMaskDirectly() ? 2 : 1));
    Value allowed = places.isThere;
    auto require = [&](Value condition) {
      allowed = allowed ? arith::AndIOp::create(b, loc, allowed, condition).getResult() : condition;
    };
    if (parts.mask) {
      Value mask = maskColumns ? readMask(b, loc, at, places.key ? places.key : at.back(), require) : scalars[1];
      if (maskIsBool)
        require(mask);
      else
        score = arith::AddFOp::create(b, loc, score, convertScalar(b, loc, mask, wide));
    }
    if (looksAtPlaces())
      requirePlaces(b, loc, places, require);
    if (!allowed)
      return score;
    return arith::SelectOp::create(b, loc, allowed, score, number(b, loc, -std::numeric_limits<double>::infinity()));
  }

private:
  Value number(OpBuilder &b, Location loc, double value) const { return arith::ConstantOp::create(b, loc, b.getFloatAttr(wide, value)); }

  /// Where a key and a query stand among all tokens, and if the row holds a key at all (null: always).
  struct Places {
    Value key, query, isThere;
  };

  /// `scalars`: validKeys, or before and resident, if there.
  Places placesOf(OpBuilder &b, Location loc, ValueRange at, ValueRange scalars) const {
    auto toIndex = [&](Value value) { return arith::IndexCastOp::create(b, loc, b.getIndexType(), value); };
    auto add = [&](Value lhs, Value rhs) { return arith::AddIOp::create(b, loc, lhs, rhs).getResult(); };
    auto subtract = [&](Value lhs, Value rhs) { return arith::SubIOp::create(b, loc, lhs, rhs).getResult(); };
    auto isLess = [&](Value lhs, Value rhs) { return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, lhs, rhs).getResult(); };
    Value row = at[3];
    if (parts.validKeys) {
      Value count = toIndex(scalars[0]);
      return {row, add(at[2], subtract(count, queryLength)), isLess(row, count)};
    }
    if (!parts.before)
      return {row, add(at[2], cacheLength), Value()};
    Value before = toIndex(scalars[0]), resident = toIndex(scalars[1]);
    Value isNew = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, row, cacheLength);
    Value oldPlace = add(subtract(before, resident), row), newPlace = add(before, subtract(row, cacheLength));
    return {arith::SelectOp::create(b, loc, isNew, newPlace, oldPlace), add(at[2], before),
            arith::OrIOp::create(b, loc, isNew, isLess(row, resident))};
  }

  /// The mask's element in `column`, which is required to exist.
  Value readMask(OpBuilder &b, Location loc, ValueRange at, Value column, llvm::function_ref<void(Value)> require) const {
    require(arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, column, maskColumns));
    Value last = arith::SubIOp::create(b, loc, maskColumns, one);
    SmallVector<Value> place;
    for (auto [index, repeats] : llvm::zip(at.take_back(parts.mask.rank()), maskRepeats))
      place.push_back(repeats ? zero : index);
    Value capped = arith::MinSIOp::create(b, loc, column, last);
    place.back() = arith::MaxSIOp::create(b, loc, capped, zero);
    return tensor::ExtractOp::create(b, loc, parts.mask.value, place);
  }

  /// Causality and windows compare the key's place with the query's.
  void requirePlaces(OpBuilder &b, Location loc, const Places &places, llvm::function_ref<void(Value)> require) const {
    auto compare = [&](arith::CmpIPredicate predicate, Value lhs, Value rhs) {
      require(arith::CmpIOp::create(b, loc, predicate, lhs, rhs));
    };
    if (parts.isCausal)
      compare(arith::CmpIPredicate::sle, places.key, places.query);
    auto away = [&](Value from, int64_t distance, bool up) -> Value {
      Value size = arith::ConstantIndexOp::create(b, loc, distance);
      return up ? arith::AddIOp::create(b, loc, from, size).getResult() : arith::SubIOp::create(b, loc, from, size).getResult();
    };
    if (parts.left >= 0)
      compare(arith::CmpIPredicate::sge, places.key, away(places.query, parts.left, false));
    if (parts.right >= 0)
      compare(arith::CmpIPredicate::sle, places.key, away(places.query, parts.right, true));
  }

  const AttentionParts &parts;
  Type wide;
  bool maskIsBool = false;
  /// Columns of a mask that is not read point by point.
  Value maskColumns;
  Value zero, one, queryLength, cacheLength;
  SmallVector<bool> maskRepeats;
};

/// softmax over the last dim, where each head has one more score that takes no part in the result.
SizedTensor softmaxWithSink(TensorBuilder &t, const SizedTensor &scores, const SizedTensor &sink) {
  Type wide = scores.elementType();
  AffineMap identity = t.builder.getMultiDimIdentityMap(4), rows = t.builder.getMultiDimIdentityMap(3);
  AffineMap heads = AffineMap::get(3, 0, getAffineDimExpr(1, t.context())), outer = identity.getMajorSubMap(3);
  SizedTensor most = t.reduce(scores, 3, t.scalar(wide, -std::numeric_limits<double>::infinity()), [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    return arith::MaximumFOp::create(b, loc, in[1], in[0]);
  });
  most = t.generic({most, sink}, {rows, heads}, most.dims, wide, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    return arith::MaximumFOp::create(b, loc, in[0], convertScalar(b, loc, in[1], wide));
  });
  SizedTensor powers = t.generic({scores, most}, {identity, outer}, scores.dims, wide, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    return math::ExpOp::create(b, loc, arith::SubFOp::create(b, loc, in[0], in[1]));
  });
  SizedTensor sum = t.reduce(powers, 3, t.scalar(wide, 0), [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    return arith::AddFOp::create(b, loc, in[1], in[0]);
  });
  sum = t.generic({sum, most, sink}, {rows, rows, heads}, sum.dims, wide, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    Value away = arith::SubFOp::create(b, loc, convertScalar(b, loc, in[2], wide), in[1]);
    return arith::AddFOp::create(b, loc, in[0], math::ExpOp::create(b, loc, away));
  });
  return t.generic({powers, sum}, {identity, outer}, scores.dims, wide, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    return arith::DivFOp::create(b, loc, in[0], in[1]);
  });
}

/// Is there a kernel for it? It computes in f32, from static heads and columns, with places that are not those of a window-sized cache.
bool hasKernel(TensorBuilder &t, const AttentionParts &parts, Type softmaxType) {
  const auto isFloat = [](const SizedTensor &tensor) { return tensor.elementType().isF32() || moe::isHalf(tensor.elementType()); };
  const auto isStatic = [](AffineExpr size, int64_t most) {
    auto constant = dyn_cast<AffineConstantExpr>(size);
    return constant && constant.getValue() >= 1 && constant.getValue() <= most;
  };
  constexpr int64_t most = moe::AttentionOp::mostColumns, anyHeads = std::numeric_limits<int32_t>::max();
  if (!isFloat(parts.query) || !isFloat(parts.key) || !isFloat(parts.value) || !softmaxType.isF32() || parts.before)
    return false;
  if (parts.mask && !isFloat(parts.mask) && !parts.mask.elementType().isInteger(1))
    return false;
  if (parts.sink && !isFloat(parts.sink))
    return false;
  return isStatic(parts.queryHeads, anyHeads) && isStatic(parts.keyHeads, anyHeads) && isStatic(parts.query.dims[3], most) &&
         isStatic(parts.value.dims[3], most);
}

SizedTensor attendInKernel(TensorBuilder &t, const AttentionParts &parts) {
  using moe::AttentionOp;
  const int64_t columns = cast<AffineConstantExpr>(parts.value.dims[3]).getValue();
  const SmallVector<AffineExpr> dims = {parts.batch, parts.queryHeads, parts.queryLength, parts.value.dims[3]};
  const SmallVector<AffineExpr> scratchDims = {parts.batch, parts.keyHeads, parts.keyLength.ceilDiv(AttentionOp::chunkKeys),
                                               t.size(AttentionOp::partialSize(columns))};
  const auto withDims = [&](const SizedTensor &tensor, AffineExpr heads, AffineExpr length) {
    return t.withDims(tensor.value, {parts.batch, heads, length, tensor.dims[3]}).value;
  };
  Value mask, counts, before, sink;
  if (parts.mask) {
    SmallVector<AffineExpr> maskDims(4 - parts.mask.rank(), t.size(1));
    llvm::append_range(maskDims, parts.mask.dims);
    mask = t.reshape(parts.mask, maskDims).value;
  }
  if (parts.validKeys)
    counts = parts.validKeys.value;
  else if ((parts.isCausal || parts.left >= 0 || parts.right >= 0) && parts.cacheLength != t.size(0))
    before = t.indexOf(parts.cacheLength);
  if (parts.sink)
    sink = parts.sink.value;
  const Value outs[] = {t.empty(dims, parts.query.elementType()), t.empty(scratchDims, t.builder.getF32Type())};
  auto op = AttentionOp::create(t.builder, t.loc, ValueRange(outs).getTypes(), withDims(parts.query, parts.queryHeads, parts.queryLength),
                                withDims(parts.key, parts.keyHeads, parts.keyLength), withDims(parts.value, parts.keyHeads, parts.keyLength), mask, counts,
                                before, sink, outs, llvm::APFloat(parts.scale), llvm::APFloat(parts.softcap), parts.isCausal,
                                parts.left, parts.right);
  return t.withDims(op.getResults()[0], dims);
}

} // namespace

LogicalResult AttentionParts::readSizes(NodeConverter &node) {
  batch = query.dims[0];
  queryHeads = query.dims[1];
  keyHeads = key.dims[1];
  queryLength = query.dims[2];
  keyLength = key.dims[2];
  auto queryCount = dyn_cast<AffineConstantExpr>(queryHeads), keyCount = dyn_cast<AffineConstantExpr>(keyHeads);
  const bool shares = queryCount && keyCount && keyCount.getValue() > 0 && queryCount.getValue() % keyCount.getValue() == 0;
  if (!shares && !node.t.equal(queryHeads, keyHeads))
    return node.error() << "has " << node.t.sizes.describe(queryHeads) << " query heads, expected a multiple of the "
                        << node.t.sizes.describe(keyHeads) << " key heads";
  auto headSize = dyn_cast<AffineConstantExpr>(query.dims[3]);
  if (!headSize && !node.hasAttribute("scale"))
    return node.error() << "has a head size that is not static, and no 'scale'";
  scale = node.getFloat("scale", headSize ? 1 / std::sqrt(static_cast<double>(headSize.getValue())) : 1);
  if (mask && mask.rank() > 4)
    return node.error() << "has a mask of " << mask.rank() << " dims, expected at most 4";
  return success();
}

SizedTensor moe::attentionScores(TensorBuilder &t, const AttentionParts &parts, const SizedTensor &raw, ScoreLevel level, Type resultType) {
  ScoreBody body(t, parts, moe::accumulatorType(parts.query.elementType()));
  SmallVector<SizedTensor> inputs = {raw};
  SmallVector<AffineMap> maps = {t.builder.getMultiDimIdentityMap(4)};
  const auto readByBatch = [&](const SizedTensor &tensor) {
    inputs.push_back(tensor);
    maps.push_back(AffineMap::get(4, 0, getAffineDimExpr(0, t.context())));
  };
  if (level >= ScoreLevel::Biased) {
    if (body.readsMaskDirectly()) {
      inputs.push_back(parts.mask);
      maps.push_back(t.broadcastMap(parts.mask.dims, raw.dims));
    }
    if (parts.validKeys)
      readByBatch(parts.validKeys);
    if (parts.before) {
      readByBatch(parts.before);
      readByBatch(parts.resident);
    }
  }
  return t.points(inputs, maps, raw.dims, resultType, [&](OpBuilder &b, Location loc, ValueRange at, ValueRange scalars) {
    return convertScalar(b, loc, body.build(b, loc, at, scalars, level), resultType);
  });
}

moe::Attended moe::attend(TensorBuilder &t, const AttentionParts &parts, Type softmaxType, bool needsScores) {
  if (!needsScores && hasKernel(t, parts, softmaxType))
    return {attendInKernel(t, parts), {}, {}};
  Type type = parts.query.elementType(), wide = moe::accumulatorType(type);
  AffineExpr group = groupSize(t, parts), batches = parts.batch * parts.keyHeads, rows = group * parts.queryLength;
  AffineExpr headSize = parts.query.dims[3], valueSize = parts.value.dims[3];
  SizedTensor query = t.reshape(parts.query, {batches, rows, headSize});
  SizedTensor key = t.reshape(parts.key, {batches, parts.keyLength, headSize});
  SizedTensor value = t.reshape(parts.value, {batches, parts.keyLength, valueSize});
  SmallVector<AffineExpr> scoreDims = {parts.batch, parts.queryHeads, parts.queryLength, parts.keyLength};
  Attended out;
  out.raw = t.reshape(moe::batchMatmul(t, query, key, /*transposeRhs=*/true, wide), scoreDims);
  SizedTensor scores = attentionScores(t, parts, out.raw, ScoreLevel::Biased, softmaxType);
  SizedTensor shares = parts.sink ? softmaxWithSink(t, scores, parts.sink) : t.softmax(scores, 3, /*emptyRowsAreZero=*/true);
  out.probabilities = t.convert(shares, type);
  SizedTensor flat = t.reshape(out.probabilities, {batches, rows, parts.keyLength});
  SizedTensor result = moe::batchMatmul(t, flat, value, /*transposeRhs=*/false, type);
  out.result = t.reshape(result, {parts.batch, parts.queryHeads, parts.queryLength, valueSize});
  return out;
}
