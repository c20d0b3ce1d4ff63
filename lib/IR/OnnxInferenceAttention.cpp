// Rules of attention and rotary embedding, ONNX's own and ONNX Runtime's.
#include "OnnxInferenceNode.h"

using namespace mlir;

namespace moe {

namespace {
/// Q, K or V as batch, heads, sequence, head size.
struct Heads {
  AffineExpr batch, heads, sequence, size;
};
} // namespace

/// Input `i` in its 4-D or 3-D form; the latter needs the number of heads.
static FailureOr<Heads> readHeads(OnnxNode &node, unsigned i, int64_t rank, StringRef attribute, StringRef what) {
  if (failed(node.requireRank(i, rank, rank, what)))
    return failure();
  Dims dims = node.dims(i);
  if (rank == 4)
    return Heads{dims[0], dims[1], dims[2], dims[3]};
  int64_t heads = node.integer(attribute, 0);
  if (heads <= 0) {
    node.error() << "expected a positive attribute '" << attribute << "' with 3-D inputs, found " << heads;
    return failure();
  }
  AffineExpr size = node.algebra.exactQuotient(dims[2], node.number(heads));
  if (!size) {
    node.error() << what << ": expected a last dim that " << heads << " heads divide, found dims " << node.text(dims);
    return failure();
  }
  return Heads{dims[0], node.number(heads), dims[1], size};
}

/// A cache input [batch, heads, past, size]; returns the past length, zero where there is none.
static FailureOr<AffineExpr> pastLength(OnnxNode &node, unsigned i, const Heads &now, StringRef what) {
  if (!node.has(i))
    return node.number(0);
  if (failed(node.requireRank(i, 4, 4, what)))
    return failure();
  Dims past = node.dims(i);
  if (failed(node.requireEqual(past[0], now.batch, what + " batch")) || failed(node.requireEqual(past[1], now.heads, what + " heads")) ||
      failed(node.requireEqual(past[3], now.size, what + " head size")))
    return failure();
  return past[2];
}

/// The mask broadcasts to [batch, heads, queries, total]. From version 24 on its last dim may be shorter than `total`; that is taken only from sizes
/// which are constants, others are taken as equal.
static LogicalResult checkMask(OnnxNode &node, unsigned i, ArrayRef<AffineExpr> scores) {
  if (!node.has(i))
    return success();
  Dims mask = node.dims(i);
  Dims target(scores);
  if (node.version() >= 24 && !mask.empty()) {
    std::optional<int64_t> length = node.algebra.constantValue(mask.back()), total = node.algebra.constantValue(scores.back());
    if (length && total && *length < *total)
      target.back() = mask.back();
  }
  return node.broadcastTo(i, target, "attn_mask");
}

static LogicalResult inferAttention(OnnxNode &node) {
  if (failed(node.requireRank(0, 3, 4, "Q")) || failed(node.requireSameElement(0, 1)))
    return failure();
  int64_t rank = node.rank(0);
  FailureOr<Heads> query = readHeads(node, 0, rank, "q_num_heads", "Q");
  FailureOr<Heads> key = failed(query) ? FailureOr<Heads>() : readHeads(node, 1, rank, "kv_num_heads", "K");
  FailureOr<Heads> value = failed(key) ? FailureOr<Heads>() : readHeads(node, 2, rank, "kv_num_heads", "V");
  if (failed(value))
    return failure();
  if (failed(node.requireEqual(query->batch, key->batch, "batch of Q and K")) || failed(node.requireEqual(key->batch, value->batch, "batch of K and V")) ||
      failed(node.requireEqual(query->size, key->size, "head size of Q and K")) ||
      failed(node.requireEqual(key->heads, value->heads, "heads of K and V")) ||
      failed(node.requireEqual(key->sequence, value->sequence, "sequence of K and V")))
    return failure();
  FailureOr<AffineExpr> pastKey = pastLength(node, 4, *key, "past_key");
  FailureOr<AffineExpr> pastValue = failed(pastKey) ? FailureOr<AffineExpr>() : pastLength(node, 5, *value, "past_value");
  if (failed(pastValue) || failed(node.requireEqual(*pastKey, *pastValue, "length of past_key and past_value")))
    return failure();
  AffineExpr total = *pastKey + key->sequence;
  Dims scores = {query->batch, query->heads, query->sequence, total};
  if (failed(checkMask(node, 3, scores)))
    return failure();
  Dims result = rank == 4 ? Dims{query->batch, query->heads, query->sequence, value->size}
                          : Dims{query->batch, query->sequence, query->heads * value->size};
  if (failed(node.set(0, node.element(0), result)) || failed(node.set(1, node.element(1), {key->batch, key->heads, total, key->size})) ||
      failed(node.set(2, node.element(2), {value->batch, value->heads, total, value->size})))
    return failure();
  return node.set(3, node.element(0), scores);
}

/// X is 4-D [batch, heads, sequence, size] or 3-D [batch, sequence, hidden]; the result is like it.
static LogicalResult inferRotary(OnnxNode &node) {
  if (failed(node.requireRank(0, 3, 4, "input")))
    return failure();
  return node.setLike(0);
}

/// The length of a cache that GroupQueryAttention gives back: the buffer it got, or longer where all tokens so far need it.
static AffineExpr presentLength(OnnxNode &node, AffineExpr past) {
  std::optional<Dims> total = node.content(6);
  if (!total || total->size() != 1)
    return node.freshSize("present");
  return node.algebra.maximum(past, (*total)[0]);
}

/// What the inputs beside query, key and value must agree with: one seqlens_k per sequence, one sink per head, caches of one length.
static LogicalResult checkGroupQueryInputs(OnnxNode &node, AffineExpr batch, AffineExpr sequence, int64_t heads) {
  for (unsigned i : {1u, 2u})
    if (node.has(i) && (failed(node.requireRank(i, 3, 3, i == 1 ? "key" : "value")) ||
                        failed(node.requireEqual(node.dims(i)[0], batch, "batch of query, key and value")) ||
                        failed(node.requireEqual(node.dims(i)[1], sequence, "sequence of query, key and value"))))
      return failure();
  for (unsigned i : {3u, 4u})
    if (node.has(i) && (failed(node.requireRank(i, 4, 4, i == 3 ? "past_key" : "past_value")) ||
                        failed(node.requireEqual(node.dims(i)[0], batch, "batch of query and past"))))
      return failure();
  if (node.has(3) && node.has(4) && failed(node.requireEqual(node.dims(3)[2], node.dims(4)[2], "length of past_key and past_value")))
    return failure();
  if (node.has(5) && failed(node.requireEqual(node.product(node.dims(5)), batch, "elements of seqlens_k")))
    return failure();
  return node.has(11) ? node.requireEqual(node.product(node.dims(11)), node.number(heads), "elements of head_sink") : success();
}

/// `isSparse`: the cache is given back as long as it came.
static LogicalResult inferGroupedHeads(OnnxNode &node, bool isSparse) {
  if (failed(node.requireRank(0, 3, 3, "query")))
    return failure();
  Dims query = node.dims(0);
  int64_t heads = node.integer("num_heads", 0), keyHeads = node.integer("kv_num_heads", 0);
  if (heads <= 0 || keyHeads <= 0)
    return node.error() << "expected positive attributes num_heads and kv_num_heads, found " << heads << " and " << keyHeads;
  // Without a key, Q, K and V are packed in the query.
  bool isPacked = !node.has(1);
  AffineExpr size = node.algebra.exactQuotient(query[2], node.number(isPacked ? heads + 2 * keyHeads : heads));
  if (!size)
    return node.error() << "expected a query whose last dim the heads divide, found dims " << node.text(query);
  if (failed(node.set(0, node.element(0), {query[0], query[1], size * heads})))
    return failure();
  if (failed(checkGroupQueryInputs(node, query[0], query[1], heads)))
    return failure();
  AffineExpr past = node.has(3) ? node.dims(3)[2] : node.number(0);
  if (!node.hasOutput(1) && !node.hasOutput(2))
    return success();
  AffineExpr length = past;
  if (node.integer("sliding_window_cache", 0) == 0 && !isSparse)
    length = presentLength(node, past);
  else if (!isSparse && failed(node.requireEqual(node.algebra.maximum(past, node.number(node.integer("local_window_size", 0))), past, "local_window_size or more as length of past_key")))
    return failure();
  Type cache = node.has(3) ? node.element(3) : node.element(0);
  AffineExpr cacheSize = node.has(3) ? node.dims(3)[3] : size;
  Dims present = {query[0], node.number(keyHeads), length, cacheSize};
  if (failed(node.set(1, cache, present)) || failed(node.set(2, cache, present)))
    return failure();
  return node.set(3, node.element(0), {query[0], node.number(heads), query[1], length});
}

static LogicalResult inferGroupQueryAttention(OnnxNode &node) { return inferGroupedHeads(node, false); }

/// The inputs of GroupQueryAttention, with a mask [layouts, blocks, blocks] in the bias' place that must reach over the whole cache.
static LogicalResult inferSparseAttention(OnnxNode &node) {
  if (!node.has(3) || !node.has(10))
    return node.error() << "expected a cache and a block mask, found none";
  if (failed(node.requireRank(10, 3, 3, "block mask")) || failed(node.requireRank(3, 4, 4, "past_key")))
    return failure();
  const AffineExpr reach = node.dims(10)[1] * node.integer("sparse_block_size", 0), capacity = node.dims(3)[2];
  if (failed(node.requireEqual(node.algebra.maximum(reach, capacity), reach, "tokens of all blocks and length of past_key")))
    return failure();
  return inferGroupedHeads(node, true);
}

static LogicalResult inferMultiHeadAttention(OnnxNode &node) {
  if (failed(node.requireRank(0, 3, 3, "query")) || !node.has(1) || !node.has(2))
    return node.error() << "only the form with separate query, key and value is supported";
  if (failed(node.requireRank(1, 3, 4, "key")) || failed(node.requireRank(2, node.rank(1), node.rank(1), "value")))
    return failure();
  int64_t heads = node.integer("num_heads", 0);
  if (heads <= 0)
    return node.error() << "expected a positive attribute num_heads, found " << heads;
  Dims query = node.dims(0), key = node.dims(1), value = node.dims(2);
  bool isSplit = key.size() == 4;
  AffineExpr keySize = isSplit ? key[3] : node.algebra.exactQuotient(key[2], node.number(heads));
  AffineExpr valueSize = isSplit ? value[3] : node.algebra.exactQuotient(value[2], node.number(heads));
  if (!keySize || !valueSize)
    return node.error() << "expected key and value whose last dim " << heads << " heads divide, found dims " << node.text(key) << " and " << node.text(value);
  AffineExpr length = isSplit ? key[2] : key[1];
  if (failed(node.requireEqual(key[0], query[0], "batch of query and key")) || failed(node.requireEqual(value[0], query[0], "batch of query and value")) ||
      failed(node.requireEqual(isSplit ? value[2] : value[1], length, "sequence of key and value")))
    return failure();
  if (node.has(6)) {
    if (failed(node.requireRank(6, 4, 4, "past_key")))
      return failure();
    length = node.dims(6)[2] + length;
  }
  if (node.has(4)) { // [batch], or with the keys as last dim, then maybe the queries in the middle
    Dims padding = node.dims(4);
    if (failed(node.requireRank(4, 1, 3, "key_padding_mask")) || failed(node.requireEqual(padding[0], query[0], "batch of query and key_padding_mask")) ||
        (padding.size() > 1 && failed(node.requireEqual(padding.back(), length, "keys and columns of key_padding_mask"))) ||
        (padding.size() > 2 && failed(node.requireEqual(padding[1], query[1], "queries and rows of key_padding_mask"))))
      return failure();
  }
  AffineExpr count = node.number(heads);
  if (failed(node.set(0, node.element(0), {query[0], query[1], count * valueSize})) ||
      failed(node.set(1, node.element(0), {query[0], count, length, keySize})) || failed(node.set(2, node.element(0), {query[0], count, length, valueSize})))
    return failure();
  return node.set(3, node.element(0), {query[0], count, query[1], length});
}

/// What moe-raise-attention makes: Q, K, V, a mask and sinks, all with heads.
static LogicalResult inferSpelledAttention(OnnxNode &node) {
  if (failed(node.requireRank(0, 4, 4, "Q")) || failed(node.requireRank(1, 4, 4, "K")) || failed(node.requireRank(2, 4, 4, "V")))
    return failure();
  Dims query = node.dims(0), key = node.dims(1), value = node.dims(2);
  if (failed(node.requireEqual(query[0], key[0], "batch of Q and K")) || failed(node.requireEqual(key[0], value[0], "batch of K and V")) ||
      failed(node.requireEqual(query[3], key[3], "head size of Q and K")) || failed(node.requireEqual(key[1], value[1], "heads of K and V")) ||
      failed(node.requireEqual(key[2], value[2], "sequence of K and V")) || failed(checkMask(node, 3, {query[0], query[1], query[2], key[2]})))
    return failure();
  return node.set(0, node.element(0), {query[0], query[1], query[2], value[3]});
}

void addAttentionRules(OnnxRuleTable &table) {
  table["Attention"] = {inferAttention, 3, 7, 4, 23};
  table["moe.internal::SparseAttention"] = {inferSparseAttention, 1, 11, 3, 1};
  table["moe.internal::Attention"] = {inferSpelledAttention, 3, 5, 1, 1};
  table["RotaryEmbedding"] = {inferRotary, 3, 4, 1, 23};
  table["com.microsoft::RotaryEmbedding"] = {inferRotary, 4, 4, 1, 1};
  table["com.microsoft::GroupQueryAttention"] = {inferGroupQueryAttention, 1, 17, 4, 1};
  table["com.microsoft::MultiHeadAttention"] = {inferMultiHeadAttention, 1, 10, 4, 1};
}

} // namespace moe
