// Attention (opset 23 to 25). Heads that share keys are not repeated: the query heads of a group count as more rows of one batched product,
// [B·Hkv, G·Sq, D] × [B·Hkv, Sk, D]ᵀ. Scores, masks and softmax are f32 at least; the products round once. A query that may see no key gives 0.
#include "Matmul.h"
#include "OnnxConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using moe::convertScalar;
using moe::NodeConverter;
using moe::SizedTensor;
using moe::TensorBuilder;

namespace {

/// How far the scores are taken: the modes of the output qk_matmul_output.
enum Level : int64_t { Scaled = 0, Capped = 1, Biased = 2, Probabilities = 3 };

struct AttentionParts {
  SizedTensor query, key, value;      // [B, H, S, D]; key and value with the past
  SizedTensor mask, validKeys;        // empty where absent; validKeys is [B]
  AffineExpr batch, queryHeads, keyHeads, queryLength, keyLength;
  AffineExpr offset;                  // keys before the first query, without validKeys
  double scale = 1, softcap = 0;
  bool isCausal = false;
  int64_t left = -1, right = -1;
};

/// A [B, S, heads·D] input as [B, heads, S, D].
FailureOr<SizedTensor> splitHeads(NodeConverter &node, const SizedTensor &x, int64_t heads, StringRef attribute) {
  if (heads <= 0)
    return node.error() << "has inputs of 3 dims and needs '" << attribute << "', found " << heads;
  auto hidden = dyn_cast<AffineConstantExpr>(x.dims[2]);
  if (!hidden || hidden.getValue() % heads != 0)
    return node.error() << "has a last dim that is not a multiple of '" << attribute << "' = " << heads;
  TensorBuilder &t = node.t;
  SizedTensor split = t.reshape(x, {x.dims[0], x.dims[1], t.size(heads), t.size(hidden.getValue() / heads)});
  return t.transpose(split, {0, 2, 1, 3});
}

LogicalResult readInputs(NodeConverter &node, AttentionParts &parts) {
  SizedTensor *inputs[] = {&parts.query, &parts.key, &parts.value};
  StringRef attributes[] = {"q_num_heads", "kv_num_heads", "kv_num_heads"};
  for (unsigned i = 0; i < 3; ++i) {
    SizedTensor x = node.input(i);
    if (!x)
      return failure();
    if (!isa<FloatType>(x.elementType()) || (x.rank() != 3 && x.rank() != 4))
      return node.error() << "has an input " << i << " of " << x.rank() << " dims of type " << x.elementType() << ", expected 3 or 4 dims of floats";
    if (x.rank() == 3) {
      FailureOr<SizedTensor> split = splitHeads(node, x, node.getInt(attributes[i], 0), attributes[i]);
      if (failed(split))
        return failure();
      x = *split;
    }
    *inputs[i] = x;
  }
  TensorBuilder &t = node.t;
  parts.offset = t.size(0);
  if (node.has(4) != node.has(5))
    return node.error() << "has only one of past_key and past_value";
  if (node.has(4)) {
    SizedTensor pastKey = node.input(4), pastValue = node.input(5);
    if (!pastKey || !pastValue)
      return failure();
    if (pastKey.rank() != 4 || pastValue.rank() != 4)
      return node.error() << "has a past of " << pastKey.rank() << " dims, expected 4";
    parts.offset = pastKey.dims[2];
    auto join = [&](const SizedTensor &past, const SizedTensor &now) {
      SmallVector<AffineExpr> dims = now.dims;
      dims[2] = past.dims[2] + now.dims[2];
      return t.concat({past, now}, 2, dims);
    };
    parts.key = join(pastKey, parts.key);
    parts.value = join(pastValue, parts.value);
  }
  if (node.has(3))
    parts.mask = node.input(3);
  if (node.has(6))
    parts.validKeys = node.input(6);
  return failure(node.failed());
}

LogicalResult readParts(NodeConverter &node, AttentionParts &parts) {
  if (failed(readInputs(node, parts)))
    return failure();
  parts.batch = parts.query.dims[0];
  parts.queryHeads = parts.query.dims[1];
  parts.keyHeads = parts.key.dims[1];
  parts.queryLength = parts.query.dims[2];
  parts.keyLength = parts.key.dims[2];
  auto queryHeads = dyn_cast<AffineConstantExpr>(parts.queryHeads), keyHeads = dyn_cast<AffineConstantExpr>(parts.keyHeads);
  bool shares = queryHeads && keyHeads && keyHeads.getValue() > 0 && queryHeads.getValue() % keyHeads.getValue() == 0;
  if (!shares && !node.t.equal(parts.queryHeads, parts.keyHeads))
    return node.error() << "has " << node.t.sizes.describe(parts.queryHeads) << " query heads, expected a multiple of the "
                        << node.t.sizes.describe(parts.keyHeads) << " key heads";
  auto headSize = dyn_cast<AffineConstantExpr>(parts.query.dims[3]);
  if (!headSize && !node.hasAttribute("scale"))
    return node.error() << "has a head size that is not static, and no 'scale'";
  parts.scale = node.getFloat("scale", headSize ? 1 / std::sqrt(static_cast<double>(headSize.getValue())) : 1);
  parts.softcap = node.getFloat("softcap", 0);
  parts.isCausal = node.getInt("is_causal", 0);
  parts.left = node.getInt("left_window_size", -1);
  parts.right = node.getInt("right_window_size", -1);
  if (parts.mask && parts.mask.rank() > 4)
    return node.error() << "has a mask of " << parts.mask.rank() << " dims, expected at most 4";
  return success();
}

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
      // A mask shorter than the keys forbids the rest.
      if (parts.mask.rank() && !TensorBuilder::isOne(last) && !t.equal(last, parts.keyLength)) {
        shortMask = t.indexOf(last);
        for (AffineExpr dim : parts.mask.dims)
          maskRepeats.push_back(TensorBuilder::isOne(dim));
      }
    }
    zero = t.indexConstant(0);
    one = t.indexConstant(1);
    if (looksAtPlaces()) {
      queryLength = t.indexOf(parts.queryLength);
      offset = t.indexOf(parts.offset);
    }
  }

  bool readsMaskDirectly() const { return parts.mask && !shortMask; }
  bool looksAtPlaces() const { return parts.isCausal || parts.left >= 0 || parts.right >= 0 || parts.validKeys; }

  /// `scalars`: the raw product, then the mask if it is read directly, then validKeys if there.
  Value build(OpBuilder &b, Location loc, ValueRange at, ValueRange scalars, Level level) const {
    Value score = arith::MulFOp::create(b, loc, convertScalar(b, loc, scalars[0], wide), number(b, loc, parts.scale));
    if (level >= Capped && parts.softcap > 0) {
      Value inner = arith::DivFOp::create(b, loc, score, number(b, loc, parts.softcap));
      score = arith::MulFOp::create(b, loc, math::TanhOp::create(b, loc, inner), number(b, loc, parts.softcap));
    }
    if (level < Biased)
      return score;
    Value allowed;
    auto require = [&](Value condition) {
      allowed = allowed ? arith::AndIOp::create(b, loc, allowed, condition).getResult() : condition;
    };
    if (parts.mask) {
      Value mask = shortMask ? readShortMask(b, loc, at, require) : scalars[1];
      if (maskIsBool)
        require(mask);
      else
        score = arith::AddFOp::create(b, loc, score, convertScalar(b, loc, mask, wide));
    }
    if (looksAtPlaces())
      requirePlaces(b, loc, at, parts.validKeys ? scalars.back() : Value(), require);
    if (!allowed)
      return score;
    return arith::SelectOp::create(b, loc, allowed, score, number(b, loc, -std::numeric_limits<double>::infinity()));
  }

private:
  Value number(OpBuilder &b, Location loc, double value) const { return arith::ConstantOp::create(b, loc, b.getFloatAttr(wide, value)); }

  Value readShortMask(OpBuilder &b, Location loc, ValueRange at, llvm::function_ref<void(Value)> require) const {
    require(arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, at.back(), shortMask));
    Value last = arith::SubIOp::create(b, loc, shortMask, one);
    SmallVector<Value> place;
    for (auto [index, repeats] : llvm::zip(at.take_back(parts.mask.rank()), maskRepeats))
      place.push_back(repeats ? zero : index);
    Value capped = arith::MinSIOp::create(b, loc, at.back(), last);
    place.back() = arith::MaxSIOp::create(b, loc, capped, zero);
    return tensor::ExtractOp::create(b, loc, parts.mask.value, place);
  }

  /// Causality and windows compare the key's place with the query's, `position` = keys before the block + place in it.
  void requirePlaces(OpBuilder &b, Location loc, ValueRange at, Value validKeys, llvm::function_ref<void(Value)> require) const {
    auto compare = [&](arith::CmpIPredicate predicate, Value lhs, Value rhs) {
      require(arith::CmpIOp::create(b, loc, predicate, lhs, rhs));
    };
    Value before = offset, key = at[3];
    if (validKeys) {
      Value count = arith::IndexCastOp::create(b, loc, b.getIndexType(), validKeys);
      compare(arith::CmpIPredicate::slt, key, count);
      before = arith::SubIOp::create(b, loc, count, queryLength);
    }
    Value position = arith::AddIOp::create(b, loc, at[2], before);
    if (parts.isCausal)
      compare(arith::CmpIPredicate::sle, key, position);
    auto away = [&](Value from, int64_t distance, bool up) -> Value {
      Value size = arith::ConstantIndexOp::create(b, loc, distance);
      return up ? arith::AddIOp::create(b, loc, from, size).getResult() : arith::SubIOp::create(b, loc, from, size).getResult();
    };
    if (parts.left >= 0)
      compare(arith::CmpIPredicate::sge, key, away(position, parts.left, false));
    if (parts.right >= 0)
      compare(arith::CmpIPredicate::sle, key, away(position, parts.right, true));
  }

  const AttentionParts &parts;
  Type wide;
  bool maskIsBool = false;
  Value shortMask, zero, one, queryLength, offset;
  SmallVector<bool> maskRepeats;
};

/// The raw products [B, Hq, Sq, Sk] taken to `level`.
SizedTensor scoresAt(TensorBuilder &t, const AttentionParts &parts, const SizedTensor &raw, Level level, Type wide, Type resultType) {
  ScoreBody body(t, parts, wide);
  SmallVector<SizedTensor> inputs = {raw};
  SmallVector<AffineMap> maps = {t.builder.getMultiDimIdentityMap(4)};
  if (level >= Biased && body.readsMaskDirectly()) {
    inputs.push_back(parts.mask);
    maps.push_back(t.broadcastMap(parts.mask.dims, raw.dims));
  }
  if (level >= Biased && parts.validKeys) {
    inputs.push_back(parts.validKeys);
    maps.push_back(AffineMap::get(4, 0, getAffineDimExpr(0, t.context())));
  }
  return t.points(inputs, maps, raw.dims, resultType, [&](OpBuilder &b, Location loc, ValueRange at, ValueRange scalars) {
    return convertScalar(b, loc, body.build(b, loc, at, scalars, level), resultType);
  });
}

LogicalResult convertAttention(NodeConverter &node) {
  AttentionParts parts;
  if (failed(readParts(node, parts)))
    return failure();
  TensorBuilder &t = node.t;
  Type type = parts.query.elementType(), wide = moe::accumulatorType(type);
  AffineExpr group = groupSize(t, parts), batches = parts.batch * parts.keyHeads, rows = group * parts.queryLength;
  AffineExpr headSize = parts.query.dims[3], valueSize = parts.value.dims[3];

  SizedTensor query = t.reshape(parts.query, {batches, rows, headSize});
  SizedTensor key = t.reshape(parts.key, {batches, parts.keyLength, headSize});
  SizedTensor value = t.reshape(parts.value, {batches, parts.keyLength, valueSize});
  SmallVector<AffineExpr> scoreDims = {parts.batch, parts.queryHeads, parts.queryLength, parts.keyLength};
  SizedTensor raw = t.reshape(moe::batchMatmul(t, query, key, /*transposeRhs=*/true, wide), scoreDims);

  // softmax_precision asks for at least that much; f32 is the least that is used.
  Type softmaxType = node.getInt("softmax_precision", 1) == 11 ? Type(t.builder.getF64Type()) : wide;
  SizedTensor scores = scoresAt(t, parts, raw, Biased, wide, softmaxType);
  SizedTensor probabilities = t.convert(t.softmax(scores, 3, /*emptyRowsAreZero=*/true), type);
  SizedTensor flat = t.reshape(probabilities, {batches, rows, parts.keyLength});
  SizedTensor result = moe::batchMatmul(t, flat, value, /*transposeRhs=*/false, type);
  result = t.reshape(result, {parts.batch, parts.queryHeads, parts.queryLength, valueSize});
  if (node.resultDims().size() == 3)
    result = t.reshape(t.transpose(result, {0, 2, 1, 3}), node.resultDims());
  node.result(0, result);
  if (node.wants(1))
    node.result(1, t.reshape(parts.key, node.resultDims(1)));
  if (node.wants(2))
    node.result(2, t.reshape(parts.value, node.resultDims(2)));
  if (node.wants(3)) {
    int64_t mode = node.getInt("qk_matmul_output_mode", 0);
    if (mode < Scaled || mode > Probabilities)
      return node.error() << "has qk_matmul_output_mode " << mode << ", expected 0 to 3";
    node.result(3, mode == Probabilities ? probabilities : scoresAt(t, parts, raw, static_cast<Level>(mode), wide, type));
  }
  return failure(node.failed());
}

} // namespace

void moe::addAttentionConversions(ConversionTable &table) { table.add("Attention", convertAttention); }
