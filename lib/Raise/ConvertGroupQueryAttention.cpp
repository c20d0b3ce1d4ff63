// com.microsoft.GroupQueryAttention. Its cache is a buffer of any length whose used rows depend on data: seqlens_k says how many tokens each
// sequence has after the block. The block's rows are appended behind those in use, and the cache that is given back is what is attended to. A
// window-sized cache gives up rows that the block's first queries still see: there the keys are the cache's rows, used or not, and the block's behind
// them, each with its place among the tokens, and the cache that is given back is gathered from the same rows. Rows that hold no token are 0, or
// what the cache had there.
// moe.internal.SparseAttention is the same with a mask of blocks of tokens in the bias' place, and a cache that never grows beyond its buffer.
#include "Attention.h"
#include "Normalization.h"
#include "Rotary.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using moe::AttentionParts;
using moe::NodeConverter;
using moe::SizedTensor;
using moe::TensorBuilder;

namespace {

enum Input : unsigned {
  Query, Key, Value_, PastKey, PastValue, LastPlaces, TotalLength, Cosine, Sine, Positions, Bias, HeadSink, KeyScale, ValueScale, QueryNorm, KeyNorm
};

/// i64 arithmetic in the body of a generic.
class Counts {
public:
  Counts(OpBuilder &b, Location loc) : b(b), loc(loc) {}

  Value constant(int64_t value) const { return arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(value)); }
  Value of(Value value) const {
    if (value.getType().isIndex())
      return arith::IndexCastOp::create(b, loc, b.getI64Type(), value);
    return value.getType().isInteger(64) ? value : arith::ExtSIOp::create(b, loc, b.getI64Type(), value).getResult();
  }
  Value toIndex(Value value) const { return arith::IndexCastOp::create(b, loc, b.getIndexType(), value); }
  Value add(Value lhs, Value rhs) const { return arith::AddIOp::create(b, loc, lhs, rhs); }
  Value subtract(Value lhs, Value rhs) const { return arith::SubIOp::create(b, loc, lhs, rhs); }
  Value isLess(Value lhs, Value rhs) const { return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, lhs, rhs); }
  Value select(Value condition, Value yes, Value no) const { return arith::SelectOp::create(b, loc, condition, yes, no); }
  Value within(Value value, Value least, Value most) const {
    return arith::MaxSIOp::create(b, loc, arith::MinSIOp::create(b, loc, value, most), least);
  }

  OpBuilder &b;
  Location loc;
};

class GroupQueryAttention {
public:
  explicit GroupQueryAttention(NodeConverter &node, bool isSparse = false) : node(node), t(node.t), isSparse(isSparse) {}

  LogicalResult convert() {
    if (failed(checkSupported()) || failed(readInputs()) || failed(readCounts()) || failed(rotate()) || failed(joinCache()) ||
        failed(parts.readSizes(node)))
      return failure();
    parts.softcap = node.getFloat("softcap", 0);
    parts.isCausal = node.getInt("causal", 1);
    parts.left = window > 0 ? window - 1 : -1;
    if (node.has(Bias))
      parts.mask = isSparse ? tokenMask() : node.input(Bias);
    if (failed(readSink()) || node.failed())
      return failure();
    const SizedTensor result = moe::attend(t, parts, moe::accumulatorType(parts.query.elementType())).result;
    node.result(0, t.reshape(t.transpose(result, {0, 2, 1, 3}), node.resultDims()));
    for (auto [i, rows] : {std::pair(1u, &parts.key), std::pair(2u, &parts.value)})
      if (node.wants(i))
        node.result(i, isAppended() ? t.withDims(rows->value, node.resultDims(i)) : present(*rows, node.resultDims(i)));
    return failure(node.failed());
  }

private:
  LogicalResult checkSupported() {
    for (StringRef name : {"k_quant_type", "v_quant_type"})
      if (StringRef type = node.getString(name, "NONE"); type != "NONE")
        return node.error() << "has '" << name << "' = " << type << ": a quantised cache is not supported";
    if (node.has(KeyScale) || node.has(ValueScale))
      return node.error() << "has k_scale or v_scale: a quantised cache is not supported";
    if (node.wants(3))
      return node.error() << "has the output output_qk, which is not supported";
    if (!node.has(LastPlaces) || !node.has(TotalLength))
      return node.error() << "needs seqlens_k and total_sequence_length";
    window = node.getInt("local_window_size", -1);
    slides = node.getInt("sliding_window_cache", 0) != 0;
    if (slides && (window <= 0 || !node.has(PastKey)))
      return node.error() << "has 'sliding_window_cache' = 1, which needs a past and a positive 'local_window_size', found " << window;
    return success();
  }

  /// Query, key and value as [B, S, heads, D].
  LogicalResult readInputs() {
    const int64_t heads = node.getInt("num_heads", 0), keyHeads = node.getInt("kv_num_heads", 0);
    if (heads <= 0 || keyHeads <= 0)
      return node.error() << "needs positive 'num_heads' and 'kv_num_heads', found " << heads << " and " << keyHeads;
    if (!node.has(Key) && !node.has(Value_)) {
      FailureOr<SizedTensor> all = readHeads(Query, heads + 2 * keyHeads);
      if (failed(all))
        return failure();
      parts.query = sliceHeads(*all, 0, heads);
      parts.key = sliceHeads(*all, heads, keyHeads);
      parts.value = sliceHeads(*all, heads + keyHeads, keyHeads);
    } else {
      FailureOr<SizedTensor> query = readHeads(Query, heads), key = readHeads(Key, keyHeads), value = readHeads(Value_, keyHeads);
      if (failed(query) || failed(key) || failed(value))
        return failure();
      parts.query = *query, parts.key = *key, parts.value = *value;
    }
    batch = parts.query.dims[0];
    length = parts.query.dims[1];
    return success();
  }

  FailureOr<SizedTensor> readHeads(unsigned i, int64_t heads) {
    if (!node.has(i))
      return node.error() << "has only one of key and value";
    SizedTensor x = node.input(i);
    if (!x)
      return failure();
    auto hidden = x.rank() == 3 ? dyn_cast<AffineConstantExpr>(x.dims[2]) : AffineConstantExpr();
    if (!hidden || hidden.getValue() % heads != 0 || !isa<FloatType>(x.elementType()))
      return node.error() << "needs an input " << i << " of 3 dims of floats with a static last dim that " << heads << " heads divide";
    return t.reshape(x, {x.dims[0], x.dims[1], t.size(heads), t.size(hidden.getValue() / heads)});
  }

  SizedTensor sliceHeads(const SizedTensor &all, int64_t first, int64_t count) {
    SmallVector<OpFoldResult> offsets(4, t.builder.getIndexAttr(0));
    offsets[2] = t.builder.getIndexAttr(first);
    SmallVector<AffineExpr> dims = all.dims;
    dims[2] = t.size(count);
    return t.slice(all, offsets, dims, {1, 1, 1, 1});
  }

  /// The rows of a window-sized cache that hold tokens, of `tokens` so far: as many as the window leaves, given up a whole gap at a time.
  Value residentRows(const Counts &c, Value tokens, Value capacity) const {
    Value gap = c.add(c.subtract(capacity, c.constant(window)), c.constant(1)), one = c.constant(1);
    // A capacity below the window is refused when the model runs; here it must not divide by zero.
    gap = arith::MaxSIOp::create(c.b, c.loc, gap, one);
    Value over = c.subtract(tokens, capacity), zero = c.constant(0);
    Value gaps = arith::DivSIOp::create(c.b, c.loc, c.add(over, c.subtract(gap, one)), gap);
    Value left = c.subtract(tokens, arith::MulIOp::create(c.b, c.loc, gap, gaps));
    return c.within(c.select(c.isLess(zero, over), left, tokens), zero, capacity);
  }

  /// Sets `before` and `resident`. What seqlens_k says must fit the cache and the block. A block as long as all tokens is a prompt: it has nothing before it, and may be padded at its end.
  LogicalResult readCounts() {
    SizedTensor lastPlaces = node.input(LastPlaces), total = node.input(TotalLength);
    if (!lastPlaces || !total)
      return failure();
    if (!TensorBuilder::isOne(t.product(total.dims)))
      return node.error() << "needs a total_sequence_length of one element";
    capacity = node.has(PastKey) ? node.inputDims(PastKey)[2] : t.size(0);
    lastPlaces = t.reshape(lastPlaces, {batch});
    total = t.reshape(total, {t.size(1)});
    const AffineMap identity = t.builder.getMultiDimIdentityMap(1), only = AffineMap::get(1, 0, t.size(0));
    Value lengthValue = t.indexOf(length), capacityValue = t.indexOf(capacity);
    const Type i64 = t.builder.getI64Type();
    const SizedTensor told = t.generic({lastPlaces, total}, {identity, only}, {batch}, i64, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
      const Counts c(b, loc);
      Value now = c.of(lengthValue), zero = c.constant(0);
      Value before = c.subtract(c.add(c.of(in[0]), c.constant(1)), now);
      Value isPrompt = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, c.of(in[1]), now);
      // A prompt with more tokens than the block has is told as less than nothing before it.
      Value tooMany = arith::MinSIOp::create(b, loc, c.subtract(zero, before), zero);
      return c.select(isPrompt, tooMany, before);
    });
    // A window-sized cache counts tokens that it no longer holds.
    if (!slides && failed(node.requireWithin(node.op.getInputs()[LastPlaces], lastPlaces, t.size(0), presentLength(), "an element of seqlens_k")))
      return failure();
    node.requireWithin(told, t.size(0), slides ? t.size(std::numeric_limits<int32_t>::max()) : capacity + 1, "a number of tokens in the cache");
    before = t.generic(told, identity, {batch}, i64, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
      const Counts c(b, loc);
      Value before = arith::MaxSIOp::create(b, loc, in[0], c.constant(0));
      return slides ? before : arith::MinSIOp::create(b, loc, before, c.of(capacityValue)).getResult();
    });
    resident = before;
    if (slides)
      resident = t.generic(before, identity, {batch}, i64, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
        const Counts c(b, loc);
        return residentRows(c, in[0], c.of(capacityValue));
      });
    return success();
  }

  /// Tokens that the cache can hold after the block.
  AffineExpr presentLength() {
    if (isSparse)
      return capacity;
    const bool isGiven = node.op.getOutputs().size() > 1 && isa<RankedTensorType>(node.op.getOutputs()[1].getType());
    const AffineExpr known = isGiven ? node.resultDims(1)[2] : AffineExpr();
    return known && !t.sizes.dependsOnData(known) ? known : capacity + length;
  }

  /// The norms of single heads, then the angles of the positions, then [B, heads, S, D].
  LogicalResult rotate() {
    if (node.has(QueryNorm) != node.has(KeyNorm))
      return node.error() << "has only one of q_norm_weight and k_norm_weight";
    if (node.has(QueryNorm)) {
      SizedTensor queryNorm = node.input(QueryNorm), keyNorm = node.input(KeyNorm);
      if (node.failed())
        return failure();
      const double epsilon = node.getFloat("qk_norm_epsilon", 1e-6);
      parts.query = moe::rmsNormalize(t, parts.query, queryNorm, epsilon);
      parts.key = moe::rmsNormalize(t, parts.key, keyNorm, epsilon);
    }
    if (node.getInt("do_rotary", 0)) {
      SizedTensor cosine = node.has(Cosine) ? node.input(Cosine) : SizedTensor(), sine = node.has(Sine) ? node.input(Sine) : SizedTensor();
      if (!cosine || !sine || cosine.rank() != 2 || sine.rank() != 2)
        return node.failed() ? failure() : LogicalResult(node.error() << "has 'do_rotary' = 1, which needs cos_cache and sin_cache of 2 dims");
      const SizedTensor places = positions();
      if (node.failed())
        return failure();
      for (const SizedTensor *cache : {&cosine, &sine})
        node.requireWithin(places, t.size(0), cache->dims[0], "a position");
      const SizedTensor cosines = moe::rotaryRows(t, cosine, places), sines = moe::rotaryRows(t, sine, places);
      const bool interleaved = node.getInt("rotary_interleaved", 0);
      for (SizedTensor *x : {&parts.query, &parts.key}) {
        FailureOr<SizedTensor> turned = moe::rotateHeads(node, *x, 1, cosines, sines, interleaved);
        if (failed(turned))
          return failure();
        *x = *turned;
      }
    }
    for (SizedTensor *x : {&parts.query, &parts.key, &parts.value})
      *x = t.transpose(*x, {0, 2, 1, 3});
    return success();
  }

  /// [B, S]: given, or counted on from the tokens before.
  SizedTensor positions() {
    if (node.has(Positions))
      return node.input(Positions);
    const AffineMap byBatch = AffineMap::get(2, 0, getAffineDimExpr(0, t.context()));
    return t.points(before, byBatch, {batch, length}, t.builder.getI64Type(), [&](OpBuilder &b, Location loc, ValueRange at, ValueRange in) {
      const Counts c(b, loc);
      return c.add(in[0], c.of(at[1]));
    });
  }

  /// Are the block's rows appended to the cache, and its result attended to?
  bool isAppended() { return !slides && node.has(PastKey) && !t.sizes.dependsOnData(presentLength()); }

  /// Keys and values behind their cache.
  LogicalResult joinCache() {
    parts.cacheLength = t.size(0);
    if (node.has(PastKey) != node.has(PastValue))
      return node.error() << "has only one of past_key and past_value";
    if (!node.has(PastKey))
      return success();
    SizedTensor pastKey = node.input(PastKey), pastValue = node.input(PastValue);
    if (!pastKey || !pastValue)
      return failure();
    for (auto [past, now] : {std::pair(&pastKey, &parts.key), std::pair(&pastValue, &parts.value)}) {
      if (past->elementType() != now->elementType())
        return node.error() << "has a cache of " << past->elementType() << ", expected " << now->elementType();
      if (isAppended()) {
        *now = append(*past, *now);
        continue;
      }
      SmallVector<AffineExpr> dims = now->dims;
      dims[2] = past->dims[2] + now->dims[2];
      *now = t.concat({*past, *now}, 2, dims);
    }
    parts.cacheLength = capacity;
    if (isAppended()) {
      Value added = t.indexOf(length);
      parts.validKeys = t.generic(before, t.builder.getMultiDimIdentityMap(1), {batch}, t.builder.getI64Type(), [&](OpBuilder &b, Location loc, ValueRange in) {
        const Counts c(b, loc);
        return c.add(in[0], c.of(added));
      });
      return success();
    }
    parts.before = before;
    parts.resident = resident;
    return success();
  }

  SizedTensor append(const SizedTensor &past, const SizedTensor &rows) {
    const SmallVector<AffineExpr> dims = {batch, rows.dims[1], presentLength(), rows.dims[3]};
    const auto withHeads = [&](const SizedTensor &tensor) { return t.withDims(tensor.value, {batch, rows.dims[1], tensor.dims[2], rows.dims[3]}).value; };
    Value empty = t.empty(dims, rows.elementType());
    auto op = moe::AppendOp::create(t.builder, t.loc, empty.getType(), withHeads(past), withHeads(rows), before.value, ValueRange(empty));
    return t.withDims(op.getResults()[0], dims);
  }

  /// The mask [layouts, blocks, blocks] at each query's and key's block: [B, 1 or heads, S, capacity]. Heads take the layouts in turn.
  SizedTensor tokenMask() {
    const SizedTensor blocks = node.input(Bias);
    if (!blocks)
      return {};
    const int64_t size = node.getInt("sparse_block_size", 1);
    const bool isOnly = TensorBuilder::isOne(blocks.dims[0]);
    const AffineMap byBatch = AffineMap::get(4, 0, getAffineDimExpr(0, t.context()));
    Value layouts = t.indexOf(blocks.dims[0]), lastBlock = t.indexOf(blocks.dims[1] - 1);
    const SmallVector<AffineExpr> dims = {batch, isOnly ? t.size(1) : parts.queryHeads, length, parts.keyLength};
    return t.points(before, byBatch, dims, t.builder.getI1Type(), [&](OpBuilder &b, Location loc, ValueRange at, ValueRange in) -> Value {
      const Counts c(b, loc);
      const auto blockOf = [&](Value place) {
        return c.toIndex(c.within(arith::DivSIOp::create(b, loc, place, c.constant(size)), c.constant(0), c.of(lastBlock)));
      };
      Value layout = arith::RemSIOp::create(b, loc, c.of(at[1]), c.of(layouts));
      return tensor::ExtractOp::create(b, loc, blocks.value, ValueRange{c.toIndex(layout), blockOf(c.add(in[0], c.of(at[2]))), blockOf(c.of(at[3]))});
    });
  }

  LogicalResult readSink() {
    const bool isSmooth = node.getInt("smooth_softmax", 0) > 0;
    if (node.has(HeadSink)) {
      if (isSmooth)
        return node.error() << "has both head_sink and 'smooth_softmax' = 1";
      parts.sink = node.input(HeadSink);
      if (parts.sink && parts.sink.rank() != 1)
        return node.error() << "has a head_sink of " << parts.sink.rank() << " dims, expected 1";
    } else if (isSmooth) {
      parts.sink = t.zeros({parts.queryHeads}, moe::accumulatorType(parts.query.elementType()));
    }
    return success();
  }

  /// The cache after the block, from the rows that were attended to.
  SizedTensor present(const SizedTensor &rows, ArrayRef<AffineExpr> dims) {
    const AffineMap byBatch = AffineMap::get(4, 0, getAffineDimExpr(0, t.context()));
    Value lengthValue = t.indexOf(length), capacityValue = t.indexOf(capacity), lastRow = t.indexOf(rows.dims[2] - 1);
    t.requireIndexable(rows.dims[2], dims);
    const Type type = rows.elementType();
    return t.points({before, resident}, {byBatch, byBatch}, dims, type, [&](OpBuilder &b, Location loc, ValueRange at, ValueRange in) -> Value {
      const Counts c(b, loc);
      Value row = c.of(at[2]), size = c.of(capacityValue), before = in[0], tokens = c.add(before, c.of(lengthValue));
      Value kept = slides ? residentRows(c, tokens, size) : tokens;
      Value place = c.add(c.subtract(tokens, kept), row);
      Value fromCache = c.subtract(place, c.subtract(before, in[1])), fromBlock = c.add(size, c.subtract(place, before));
      Value isUsed = c.isLess(row, kept);
      Value source = c.select(isUsed, c.select(c.isLess(place, before), fromCache, fromBlock), row);
      // A row of the result behind the last token: the cache's own, where it has one.
      Value exists = arith::OrIOp::create(b, loc, isUsed, c.isLess(row, size));
      Value safe = c.toIndex(c.within(source, c.constant(0), c.of(lastRow)));
      Value value = tensor::ExtractOp::create(b, loc, rows.value, ValueRange{at[0], at[1], safe, at[3]});
      return arith::SelectOp::create(b, loc, exists, value, arith::ConstantOp::create(b, loc, b.getFloatAttr(type, 0)));
    });
  }

  NodeConverter &node;
  TensorBuilder &t;
  AttentionParts parts;
  AffineExpr batch, length, capacity;
  /// [B] i64: tokens before the block, and rows of the cache that hold the last of them.
  SizedTensor before, resident;
  int64_t window = -1;
  bool slides = false, isSparse;
};

LogicalResult convertGroupQueryAttention(NodeConverter &node) { return GroupQueryAttention(node).convert(); }
LogicalResult convertSparseAttention(NodeConverter &node) { return GroupQueryAttention(node, /*isSparse=*/true).convert(); }

} // namespace

void moe::addGroupQueryAttentionConversions(ConversionTable &table) {
  table.add("GroupQueryAttention", convertGroupQueryAttention, "com.microsoft");
  table.add("SparseAttention", convertSparseAttention, "moe.internal");
}
