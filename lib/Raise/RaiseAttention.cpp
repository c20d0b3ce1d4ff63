// moe-raise-attention: attention that an exporter spelled out becomes one node. Anchored at the product with the values and read upwards. Runs
// after the recognisers of layers, which never look at attention, and before moe-raise-onnx, which has a kernel for the node and none for the
// scores between: [B, H, T, S] of them would be written and read several times.
#include "OnnxMatch.h"
#include "OtherFacts.h"
#include "moe/Raise/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_RAISEATTENTION
#include "moe/Raise/Passes.h.inc"

namespace raise {
namespace {

/// The parts of one attention. `query` is [B, H, T, D]; `key` is [B, Hkv, S, D] and `value` [B, Hkv, S, V].
struct SpelledAttention {
  Value query, key, value;
  /// Added in this order; each broadcasts to [B, H, T, S].
  SmallVector<Value, 2> masks;
  /// [1, H, 1, 1]. Null: none.
  Value sink;
  /// The key is there only with its heads behind its tokens, [B, S, H, D]: it must be transposed first.
  bool keyByToken = false;
  double scale = 1, softcap = 0;
};

using Dims = SmallVector<AffineExpr>;

class AttentionMatcher {
public:
  explicit AttentionMatcher(OnnxInference &inference) : inference(inference) {}

  std::optional<SpelledAttention> match(OnnxOp product) {
    found = {};
    blankMask = {};
    if (!isNode(product, "MatMul") || !hasRank(product.getInputs()[0], 4) || !hasRank(product.getInputs()[1], 4))
      return std::nullopt;
    Value scores = matchProbabilities(product.getInputs()[0]);
    if (!scores || !matchScores(scores) || !matchValues(product.getInputs()[1]))
      return std::nullopt;
    if (blankMask && (found.masks.size() != 1 || peelCasts(found.masks.front()) != blankMask))
      return std::nullopt;
    return found;
  }

private:
  static bool hasRank(Value value, int64_t rank) {
    RankedTensorType type = tensorType(value);
    return type && type.getRank() == rank;
  }
  Dims dims(Value value) { return inference.facts(value).dims; }
  bool areEqual(ArrayRef<AffineExpr> a, ArrayRef<AffineExpr> b) {
    return a.size() == b.size() && llvm::all_of(llvm::zip(a, b), [&](auto pair) { return isEqual(std::get<0>(pair), std::get<1>(pair)); });
  }
  bool isEqual(AffineExpr a, AffineExpr b) { return a == b || inference.provablyEqual(a, b); }
  static std::optional<int64_t> constant(AffineExpr size) {
    auto number = dyn_cast<AffineConstantExpr>(size);
    return number ? std::optional<int64_t>(number.getValue()) : std::nullopt;
  }
  static bool isOne(AffineExpr size) { return constant(size) == 1; }
  static Value peelCasts(Value value) { return peel(value, FloatCasts); }

  Value matchProbabilities(Value value);
  bool isWithoutKeys(Value condition, Value probabilities);
  Value matchSink(Value softmaxInput);
  bool matchScores(Value value);
  bool matchMask(Value mask);
  bool matchProducts(Value value);
  Value peelScale(Value value);
  Value matchKeys(Value transposed);
  Value matchExpanded(Value value);
  Value matchRepeated(Value value);
  bool matchValues(Value value);

  OnnxInference &inference;
  SpelledAttention found;
  /// [B, H, T, S], and D.
  Dims scoreDims;
  AffineExpr depth;
  /// Keys before they were repeated for the heads of a group, and after; null where they are there only before.
  Value singleKey, repeatedKey;
  bool isSliced = false;
  /// The mask that says which rows have no keys; null where their probabilities say it.
  Value blankMask;
};

} // namespace

/// The input of the softmax that made `value`, without the column of a sink. Null where there is none.
Value AttentionMatcher::matchProbabilities(Value value) {
  isSliced = false;
  value = peelCasts(value);
  if (OnnxOp slice = definedBy(value, "Slice")) {
    // All but the last column.
    const auto ints = [&](unsigned input) { return inputOrNull(slice, input) ? constantInts(slice.getInputs()[input]) : std::nullopt; };
    auto starts = ints(1), ends = ints(2), axes = ints(3);
    if (!starts || !ends || !axes || starts->size() != 1 || (*starts)[0] != 0 || (*ends)[0] != -1 || fromFront((*axes)[0], 4) != 3)
      return {};
    if (inputOrNull(slice, 4) && ints(4) != SmallVector<int64_t>{1})
      return {};
    isSliced = true;
    value = peelCasts(slice.getInputs()[0]);
  }
  // What a row without keys has (NaN) is replaced by 0.
  if (OnnxOp where = definedBy(value, "Where")) {
    if (!isWithoutKeys(where.getInputs()[0], where.getInputs()[2]) || splatNumber(where.getInputs()[1]) != 0)
      return {};
    value = peelCasts(where.getInputs()[2]);
  }
  OnnxOp softmax = definedBy(value, "Softmax");
  if (!softmax || !hasRank(value, 4) || fromFront(intAttribute(softmax, "axis", softmax.getVersion() >= 13 ? -1 : 1), 4) != 3)
    return {};
  // Probabilities that somebody else reads are needed anyway.
  if (!llvm::all_of(value.getUsers(), [](Operation *user) {
        auto node = dyn_cast<OnnxOp>(user);
        return node && (isNode(node, "Where") || isNode(node, "IsNaN") || isNode(node, "Cast") || isNode(node, "Slice") || isNode(node, "MatMul") ||
                        isNode(node, "Identity"));
      }))
    return {};
  Value scores = peelCasts(softmax.getInputs()[0]);
  return isSliced ? matchSink(scores) : scores;
}

/// Does `condition` say of each row of `probabilities` whether they are NaN, or whether its mask is -inf all along?
bool AttentionMatcher::isWithoutKeys(Value condition, Value probabilities) {
  condition = peel(condition, 0);
  if (OnnxOp isNan = definedBy(condition, "IsNaN"))
    return peelCasts(isNan.getInputs()[0]) == peelCasts(probabilities);
  OnnxOp equal = definedBy(condition, "Equal");
  OnnxOp most = equal && splatNumber(equal.getInputs()[1]) == -HUGE_VAL ? definedBy(peelCasts(equal.getInputs()[0]), "ReduceMax") : OnnxOp();
  auto axes = most ? axesOf(most) : std::nullopt;
  if (!axes || axes->size() != 1 || intAttribute(most, "keepdims", 1) != 1)
    return false;
  blankMask = peelCasts(most.getInputs()[0]);
  RankedTensorType type = tensorType(blankMask);
  return type && fromFront((*axes)[0], type.getRank()) == type.getRank() - 1;
}

/// Scores that a column was joined to. Taking off the greatest before a softmax changes nothing.
Value AttentionMatcher::matchSink(Value value) {
  if (OnnxOp difference = definedBy(value, "Sub")) {
    OnnxOp most = definedBy(peelCasts(difference.getInputs()[1]), "ReduceMax");
    if (!most || peelCasts(most.getInputs()[0]) != peelCasts(difference.getInputs()[0]) || intAttribute(most, "keepdims", 1) != 1)
      return {};
    auto axes = axesOf(most);
    if (!axes || axes->size() != 1 || fromFront((*axes)[0], 4) != 3)
      return {};
    value = peelCasts(difference.getInputs()[0]);
  }
  OnnxOp join = definedBy(value, "Concat");
  if (!join || join.getInputs().size() != 2 || fromFront(intAttribute(join, "axis", 0), 4) != 3)
    return {};
  OnnxOp expand = definedBy(peelCasts(join.getInputs()[1]), "Expand");
  if (!expand || !isOne(dims(join.getInputs()[1]).back()))
    return {};
  const Dims sink = dims(expand.getInputs()[0]);
  if (sink.size() != 4 || !isOne(sink[0]) || !isOne(sink[2]) || !isOne(sink[3]) || !constant(sink[1]))
    return {};
  found.sink = expand.getInputs()[0];
  return peelCasts(join.getInputs()[0]);
}

/// Masks may be added one after the other (a bias of places, then padding).
bool AttentionMatcher::matchScores(Value value) {
  OnnxOp sum = definedBy(value, "Add");
  if (!sum)
    return matchProducts(value);
  for (unsigned side : {0u, 1u}) {
    const SpelledAttention before = found;
    if (hasRank(sum.getInputs()[side], 4) && matchScores(peelCasts(sum.getInputs()[side])))
      return matchMask(sum.getInputs()[1 - side]);
    found = before;
  }
  return false;
}

bool AttentionMatcher::matchMask(Value mask) {
  const Dims of = dims(mask);
  RankedTensorType type = tensorType(mask);
  if (!type || of.size() > 4 || !isa<FloatType>(type.getElementType()))
    return false;
  for (auto [size, wanted] : llvm::zip(llvm::reverse(of), llvm::reverse(scoreDims)))
    if (!isOne(size) && !isEqual(size, wanted))
      return false;
  if (!found.masks.empty() && tensorType(found.masks.front()).getElementType() != type.getElementType())
    return false;
  found.masks.push_back(mask);
  return true;
}

/// Takes products with constants off.
Value AttentionMatcher::peelScale(Value value) {
  while (true) {
    value = peelCasts(value);
    if (auto product = matchScalar(value, "Mul")) {
      found.scale *= product->scalar;
      value = product->operand;
    } else if (auto quotient = matchScalar(value, "Div")) {
      found.scale /= quotient->scalar;
      value = quotient->operand;
    } else {
      return value;
    }
  }
}

/// Scaled and capped products of queries and keys.
bool AttentionMatcher::matchProducts(Value value) {
  if (auto capped = matchScalar(value, "Mul"))
    if (OnnxOp tanh = definedBy(peelCasts(capped->operand), "Tanh")) {
      found.softcap = capped->scalar;
      found.scale = found.softcap;
      value = tanh.getInputs()[0];
    }
  if (!(found.softcap >= 0))
    return false;
  value = peelScale(value);
  OnnxOp product = definedBy(value, "MatMul");
  if (!product || !hasRank(value, 4))
    return false;
  scoreDims = dims(value);
  found.query = peelScale(product.getInputs()[0]);
  singleKey = {};
  Value keys = matchKeys(peelScale(product.getInputs()[1]));
  if (!keys || !hasRank(found.query, 4))
    return false;
  const Dims query = dims(found.query);
  depth = query[3];
  // Neither side is broadcast.
  if (!constant(query[1]) || !constant(depth) || !areEqual(Dims{query[0], query[1], query[2]}, Dims{scoreDims[0], scoreDims[1], scoreDims[2]}))
    return false;
  repeatedKey = singleKey ? Value() : keys;
  if (singleKey) {
    singleKey = peelScale(singleKey);
    return isEqual(dims(singleKey)[2], scoreDims[3]) && isEqual(dims(singleKey)[3], depth);
  }
  if (found.keyByToken) {
    singleKey = keys;
    return areEqual(dims(keys), Dims{scoreDims[0], scoreDims[3], scoreDims[1], depth});
  }
  if (!areEqual(dims(keys), Dims{scoreDims[0], scoreDims[1], scoreDims[3], depth}))
    return false;
  singleKey = peelScale(matchRepeated(keys));
  return true;
}

/// The keys [B, H, S, D] (or by token) of which `value` has the last two dims exchanged.
Value AttentionMatcher::matchKeys(Value value) {
  if (OnnxOp transpose = definedBy(value, "Transpose")) {
    auto order = intsAttribute(transpose, "perm");
    if (order == SmallVector<int64_t>{0, 1, 3, 2})
      return peelScale(transpose.getInputs()[0]);
    if (order != SmallVector<int64_t>{0, 2, 3, 1})
      return {};
    found.keyByToken = true;
    return peelScale(transpose.getInputs()[0]);
  }
  // [B·H, S, D] between.
  OnnxOp outer = definedBy(value, "Reshape");
  OnnxOp transpose = outer ? definedBy(peelCasts(outer.getInputs()[0]), "Transpose") : OnnxOp();
  OnnxOp inner = transpose ? definedBy(peelCasts(transpose.getInputs()[0]), "Reshape") : OnnxOp();
  if (!inner || intsAttribute(transpose, "perm") != SmallVector<int64_t>{0, 2, 1})
    return {};
  Value keys = inner.getInputs()[0];
  Dims of = dims(keys);
  const Dims flat = dims(inner->getResult(0)), result = dims(value);
  // Heads and groups may still be apart.
  Value single;
  if (of.size() == 5 && (single = matchExpanded(keys)))
    of = {of[0], of[1] * of[2], of[3], of[4]};
  if (of.size() != 4 || flat.size() != 3 || result.size() != 4)
    return {};
  const bool isSame = isEqual(flat[1], of[2]) && isEqual(flat[2], of[3]) && isEqual(result[0], of[0]) && isEqual(result[1], of[1]) &&
                      isEqual(result[2], of[3]) && isEqual(result[3], of[2]);
  if (!isSame)
    return {};
  singleKey = single;
  return single ? single : peelScale(keys);
}

/// The [B, Hkv, S, D] that Unsqueeze and Expand made `value`, [B, Hkv, G, S, D], of; null where there is none.
Value AttentionMatcher::matchExpanded(Value value) {
  OnnxOp expand = definedBy(peelCasts(value), "Expand");
  OnnxOp unsqueeze = expand ? expand.getInputs()[0].getDefiningOp<OnnxOp>() : OnnxOp();
  if (!unsqueeze || !(isNode(unsqueeze, "Unsqueeze") || isNode(unsqueeze, "Reshape")) || !hasRank(unsqueeze.getInputs()[0], 4))
    return {};
  const Dims of = dims(unsqueeze.getInputs()[0]), apart = dims(unsqueeze->getResult(0)), repeated = dims(expand->getResult(0));
  if (apart.size() != 5 || repeated.size() != 5 || !constant(of[1]) || !constant(repeated[2]))
    return {};
  const bool isSame = areEqual(apart, Dims{of[0], of[1], getAffineConstantExpr(1, value.getContext()), of[2], of[3]}) &&
                      areEqual(repeated, Dims{of[0], of[1], repeated[2], of[2], of[3]});
  return isSame ? unsqueeze.getInputs()[0] : Value();
}

/// What was repeated for each head of a group; `value` itself where it was not.
Value AttentionMatcher::matchRepeated(Value value) {
  OnnxOp reshape = definedBy(value, "Reshape");
  Value single = reshape ? matchExpanded(reshape.getInputs()[0]) : Value();
  if (!single)
    return value;
  const Dims apart = dims(reshape.getInputs()[0]);
  return areEqual(dims(value), Dims{apart[0], apart[1] * apart[2], apart[3], apart[4]}) ? single : value;
}

bool AttentionMatcher::matchValues(Value value) {
  const Dims of = dims(value);
  if (!constant(of[3]) || !areEqual(Dims{of[0], of[1], of[2]}, Dims{scoreDims[0], scoreDims[1], scoreDims[3]}))
    return false;
  if (found.sink && !isEqual(dims(found.sink)[1], scoreDims[1]))
    return false;
  // Only where both are read unrepeated do they have the same heads.
  Value single = matchRepeated(peelCasts(value));
  const bool sharesHeads = !found.keyByToken && isEqual(dims(single)[1], dims(singleKey)[1]);
  if (!sharesHeads && !repeatedKey)
    return false;
  found.key = sharesHeads ? singleKey : repeatedKey;
  found.value = sharesHeads ? single : value;
  RankedTensorType type = tensorType(value);
  return llvm::all_of(ArrayRef<Value>{found.query, found.key, found.value}, [&](Value part) { return tensorType(part).getElementType() == type.getElementType(); });
}

namespace {

void replace(OnnxOp product, const SpelledAttention &found) {
  OpBuilder builder(product);
  const Location loc = product.getLoc();
  Value absent;
  const auto orAbsent = [&](Value value) {
    if (!value && !absent)
      absent = AbsentOp::create(builder, loc, builder.getNoneType());
    return value ? value : absent;
  };
  Value key = found.key, sink = found.sink;
  if (found.keyByToken) {
    const RankedTensorType type = tensorType(key);
    const auto turned = RankedTensorType::get({type.getDimSize(0), type.getDimSize(2), type.getDimSize(1), type.getDimSize(3)}, type.getElementType());
    const NamedAttribute order = builder.getNamedAttr("perm", builder.getDenseI64ArrayAttr({0, 2, 1, 3}));
    key = OnnxOp::create(builder, loc, TypeRange{turned}, "Transpose", ValueRange{key}, "", 13, builder.getDictionaryAttr({order}), 0)->getResult(0);
  }
  if (sink) {
    const int64_t heads = tensorType(sink).getDimSize(1);
    const auto shapeType = RankedTensorType::get({1}, builder.getI64Type());
    Value shape = arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(shapeType, ArrayRef<int64_t>{heads}));
    const auto type = RankedTensorType::get({heads}, tensorType(sink).getElementType());
    sink = OnnxOp::create(builder, loc, TypeRange{type}, "Reshape", ValueRange{sink, shape}, "", 14, builder.getDictionaryAttr({}), 0)->getResult(0);
  }
  SmallVector<NamedAttribute> attributes = {builder.getNamedAttr("scale", builder.getF32FloatAttr(static_cast<float>(found.scale)))};
  if (found.softcap > 0) {
    // The scale found holds what the products are multiplied by in front of the tanh, and the cap.
    attributes.push_back(builder.getNamedAttr("softcap", builder.getF32FloatAttr(static_cast<float>(found.softcap))));
  }
  Value mask = found.masks.empty() ? Value() : found.masks.front();
  for (Value more : ArrayRef(found.masks).drop_front(found.masks.empty() ? 0 : 1)) {
    const int64_t rank = std::max(tensorType(mask).getRank(), tensorType(more).getRank());
    // Inference says the sizes.
    const auto type = RankedTensorType::get(SmallVector<int64_t>(rank, ShapedType::kDynamic), tensorType(mask).getElementType());
    mask = OnnxOp::create(builder, loc, TypeRange{type}, "Add", ValueRange{mask, more}, "", 14, builder.getDictionaryAttr({}), 0)->getResult(0);
  }
  const Value inputs[] = {found.query, key, found.value, orAbsent(mask), orAbsent(sink)};
  auto node = OnnxOp::create(builder, loc, product->getResultTypes(), "Attention", ValueRange(inputs), "moe.internal", 1, builder.getDictionaryAttr(attributes), 0);
  product->getResult(0).replaceAllUsesWith(node->getResult(0));
  eraseDead(product.getOperation());
}

} // namespace
} // namespace raise

namespace {

struct RaiseAttention : impl::RaiseAttentionBase<RaiseAttention> {
  using Base::Base;

  void runOnOperation() override {
    for (auto entry : getOperation().getOps<func::FuncOp>())
      if (entry->hasAttr("moe.entry") && !entry.isExternal() && llvm::hasSingleElement(entry.getBody()) && failed(raise(entry)))
        return signalPassFailure();
  }

private:
  static LogicalResult raise(func::FuncOp entry) {
    SmallVector<OnnxOp> products;
    for (OnnxOp op : entry.getBody().front().getOps<OnnxOp>())
      if (raise::isNode(op, "MatMul"))
        products.push_back(op);
    if (products.empty())
      return success();
    OnnxInference inference(entry.getContext());
    if (failed(inferWithOtherOps(entry, inference)))
      return failure();
    raise::AttentionMatcher matcher(inference);
    SmallVector<std::pair<OnnxOp, raise::SpelledAttention>> matches;
    for (OnnxOp product : products)
      if (auto found = matcher.match(product))
        matches.emplace_back(product, *found);
    for (auto &[product, found] : matches)
      raise::replace(product, found);
    return success();
  }
};

} // namespace
} // namespace moe
