// com.microsoft's Attention and QAttention, whose projections share one matrix, as a product, a Split and MultiHeadAttention; SparseAttention, whose blocks
// come as rows and columns of a sparse matrix, as moe.internal.SparseAttention, whose blocks are a mask; EmbedLayerNormalization as its look-ups.
#include "Speller.h"

using namespace mlir;

namespace moe {
namespace {

using Results = SpelledResults;

//===-- Attention with packed projections ---------------------------------===//

/// What Attention and QAttention have in common, and the numbers of the inputs that they do not.
struct PackedAttention {
  unsigned mask, past, bias;
  int64_t heads;
  /// Columns of the projections of queries, keys and values.
  SmallVector<int64_t> widths;
};

/// An error where attributes or dims do not fit; else reads heads and widths.
bool readPacked(Speller &s, PackedAttention &packed, unsigned weight) {
  packed.heads = s.integer("num_heads", 0);
  if (packed.heads <= 0)
    return s.error() << "expected a positive attribute num_heads, found " << packed.heads, false;
  if (s.integer("past_present_share_buffer", 0))
    return s.error() << "has 'past_present_share_buffer' = 1, which is not supported: past and present are tensors of their own", false;
  if (!s.requireRank(0, 3, 3) || !s.requireRank(weight, 2, 2))
    return false;
  const int64_t columns = s.type(weight).getDimSize(1);
  packed.widths = s.integers("qkv_hidden_sizes").value_or(SmallVector<int64_t>(3, columns / 3));
  int64_t total = 0;
  bool isDivided = packed.widths.size() == 3;
  for (int64_t width : packed.widths) {
    isDivided &= width > 0 && width <= columns && width % packed.heads == 0;
    total += isDivided ? width : 0;
  }
  if (!isDivided || ShapedType::isDynamic(columns) || total != columns || packed.widths[0] != packed.widths[1])
    return s.error() << "expected weights whose columns are those of queries, keys (as many) and values, each divided by " << packed.heads << " heads, found "
                     << s.type(weight) << " for [" << packed.widths << "]",
           false;
  if (s.has(packed.past) && !s.requireRank(packed.past, 5, 5))
    return false;
  return !s.has(packed.past) || packed.widths[2] == packed.widths[0] || (s.error() << "has a past, which needs values as wide as keys", false);
}

/// The length of the past, and of past and block together, as i64 [1].
Value pastLength(Speller &s, const PackedAttention &packed) { return s.has(packed.past) ? s.size(s.input(packed.past), 3) : s.list({0}); }
Value totalLength(Speller &s, const PackedAttention &packed) { return s.emit("Add", {pastLength(s, packed), s.size(s.input(0), 1)}); }

/// [end positions, start positions] of 2·B elements as a mask [B, T]: 1 from the start, below the end.
Value maskBetween(Speller &s, const PackedAttention &packed) {
  SmallVector<Value> ends = s.emitAll("Split", {s.input(packed.mask)}, {s.integerAttribute("num_outputs", 2)}, 2);
  Value places = s.emit("Range", {s.number(0, s.i64()), s.emit("Squeeze", {totalLength(s, packed)}), s.number(1, s.i64())});
  const auto column = [&](Value value) { return s.unsqueeze(s.cast(value, s.i64()), {1}); };
  Value isBelow = s.emit("Less", {places, column(ends[0])}), isFrom = s.emit("GreaterOrEqual", {places, column(ends[1])});
  return s.cast(s.emit("And", {isBelow, isFrom}), s.i32());
}

/// mask_index in one of the forms that MultiHeadAttention has: lengths [B], or a mask [B, T] or [B, S, T].
Value readMask(Speller &s, const PackedAttention &packed) {
  if (!s.has(packed.mask))
    return s.absent();
  Value mask = s.input(packed.mask);
  const RankedTensorType type = s.type(packed.mask);
  const int64_t batch = s.type(0).getDimSize(0), rank = type.getRank();
  if (rank == 1) {
    const int64_t count = type.getDimSize(0);
    if (ShapedType::isDynamic(batch) || ShapedType::isDynamic(count)) {
      // The forms of one dim differ by its size alone. Without known sizes, one of the batch's own is the only one that is certain.
      return mask;
    }
    if (count == batch)
      return mask;
    if (count == 2 * batch)
      return maskBetween(s, packed);
    if (count == 3 * batch + 2)
      return s.slice(mask, 0, 0, batch);
    return s.error() << "expected a mask_index of " << batch << ", " << 2 * batch << " or " << 3 * batch + 2 << " elements, found " << type, Value();
  }
  // One column stands for no mask at all, unless there is one key.
  if (rank == 2 && type.getDimSize(1) == 1 && (s.has(packed.past) || s.type(0).getDimSize(1) != 1))
    return s.absent();
  if (rank < 4)
    return mask;
  if (!s.requireRank(packed.mask, 1, 4))
    return {};
  // [B, 1, M, M]: the rows of the block, the columns of all tokens so far.
  Value past = pastLength(s, packed), total = totalLength(s, packed);
  return s.emit("Squeeze", {s.emit("Slice", {mask, s.emit("Concat", {past, s.list({0})}, {s.integerAttribute("axis", 0)}),
                                             s.emit("Concat", {total, total}, {s.integerAttribute("axis", 0)}), s.list({2, 3})}),
                            s.list({1})});
}

/// Queries or keys turned by their places among all tokens: angle place · 10000^(−2i/D) for i below D/2, the first half of a head with the second.
Value rotate(Speller &s, const PackedAttention &packed, Value x) {
  const int64_t size = packed.widths[0] / packed.heads, turned = s.integer("rotary_embedding_dim", 0) ? s.integer("rotary_embedding_dim", 0) : size;
  if (turned < 2 || turned > size || turned % 2 != 0)
    return s.error() << "expected an even rotary_embedding_dim from 2 to " << size << ", the size of a head, found " << turned, Value();
  if (!s.requireMost("elements of a head that is turned", turned, Speller::mostElements))
    return {};
  SmallVector<double> speeds;
  for (int64_t i = 0; i < turned / 2; ++i)
    speeds.push_back(std::pow(10000.0, -2.0 * i / turned));
  Value first = s.emit("Squeeze", {pastLength(s, packed)}), end = s.emit("Squeeze", {totalLength(s, packed)});
  Value places = s.cast(s.emit("Range", {first, end, s.number(1, s.i64())}), s.f32());
  Value angles = s.emit("Mul", {s.unsqueeze(places, {1}), s.constant({turned / 2}, speeds, s.f32())});
  const Type element = s.type(0).getElementType();
  // One row of angles per sequence.
  Value ones = s.list({1, 1});
  Value dims = s.emit("Concat", {s.size(s.input(0), 0), ones}, {s.integerAttribute("axis", 0)});
  const auto perBatch = [&](Value table) { return s.emit("Expand", {s.unsqueeze(s.cast(table, element), {0}), dims}); };
  return s.emit("RotaryEmbedding", {x, perBatch(s.emit("Cos", {angles})), perBatch(s.emit("Sin", {angles}))},
                {s.integerAttribute("num_heads", packed.heads), s.integerAttribute("rotary_embedding_dim", turned == size ? 0 : turned)});
}

/// `projected` [B, S, all widths] to the results.
Results attendPacked(Speller &s, const PackedAttention &packed, Value projected) {
  SmallVector<Value> parts = s.emitAll("Split", {projected, s.list(packed.widths)}, {s.integerAttribute("axis", 2)}, 3);
  if (s.integer("do_rotary", 0))
    for (Value &part : MutableArrayRef(parts).take_front(2))
      part = s.failed() ? Value() : rotate(s, packed, part);
  Value pastKey = s.absent(), pastValue = s.absent();
  if (s.has(packed.past)) {
    SmallVector<Value> halves = s.emitAll("Split", {s.input(packed.past)}, {s.integerAttribute("num_outputs", 2)}, 2);
    pastKey = s.emit("Squeeze", {halves[0], s.list({0})});
    pastValue = s.emit("Squeeze", {halves[1], s.list({0})});
  }
  SmallVector<NamedAttribute> attributes = s.kept({"num_heads", "scale", "mask_filter_value", "unidirectional"});
  SmallVector<Value> results = s.emitAll(
      "MultiHeadAttention", {parts[0], parts[1], parts[2], s.absent(), readMask(s, packed), packed.bias ? s.input(packed.bias) : s.absent(), pastKey, pastValue},
      attributes, 3, 1, "com.microsoft");
  if (!s.wants(1))
    return {results[0]};
  return {results[0], s.emit("Concat", {s.unsqueeze(results[1], {0}), s.unsqueeze(results[2], {0})}, {s.integerAttribute("axis", 0)})};
}

/// input, weights, bias, mask_index, past, attention_bias, past_sequence_length
Results spellAttention(Speller &s) {
  PackedAttention packed = {3, 4, 5, 0, {}};
  if (!readPacked(s, packed, 1))
    return {};
  if (s.has(6))
    return s.error() << "has past_sequence_length, which goes with 'past_present_share_buffer' = 1 and is not supported", Results();
  Value projected = s.emit("MatMul", {s.input(0), s.input(1)});
  return attendPacked(s, packed, s.has(2) ? s.emit("Add", {projected, s.input(2)}) : projected);
}

/// input, weight, bias, input_scale, weight_scale, mask_index, input_zero_point, weight_zero_point, past
Results spellQAttention(Speller &s) {
  PackedAttention packed = {5, 8, 0, 0, {}};
  if (!readPacked(s, packed, 1))
    return {};
  Value sums = s.emit("MatMulInteger", {s.input(0), s.input(1), s.input(6), s.input(7)});
  return attendPacked(s, packed, s.scaledSums(sums, s.input(3), s.input(4), 2));
}

//===-- Sparse attention --------------------------------------------------===//

/// The blocks that rows and columns of a sparse matrix name, as a mask [layouts, blocks, blocks]. Entry j of a layout belongs to the row that as many
/// rows end before; entries behind the last row are padding. They all are written to a spare place.
Value blockMask(Speller &s, int64_t layouts, int64_t blocks, int64_t entries) {
  const auto along = [&](int64_t axis) { return s.integerAttribute("axis", axis); };
  Value ends = s.slice(s.cast(s.input(5), s.i64()), 1, 1, blocks + 1), columns = s.cast(s.input(6), s.i64());
  Value order = s.emit("Range", {s.number(0, s.i64()), s.number(entries, s.i64()), s.number(1, s.i64())});
  Value isBehind = s.emit("GreaterOrEqual", {s.unsqueeze(order, {1}), s.unsqueeze(ends, {1})});
  Value row = s.emit("ReduceSum", {s.cast(isBehind, s.i64()), s.list({2})}, {s.integerAttribute("keepdims", 0)});
  Value last = s.number(blocks, s.i64()), spare = s.number(blocks * blocks, s.i64());
  // A column that is no block is an index outside the mask, which the Scatter refuses.
  Value isBlock = s.emit("And", {s.emit("Less", {columns, last}), s.emit("GreaterOrEqual", {columns, s.number(0, s.i64())})});
  Value place = s.emit("Where", {isBlock, s.emit("Add", {s.emit("Mul", {row, last}), columns}), s.number(blocks * blocks + 1, s.i64())});
  place = s.emit("Where", {s.emit("Less", {row, last}), place, spare});
  Value zeros = s.emit("Expand", {s.number(0, s.i32()), s.list({layouts, blocks * blocks + 1})});
  Value ones = s.emit("Expand", {s.number(1, s.i32()), s.list({layouts, entries})});
  Value all = s.emit("ScatterElements", {zeros, place, ones}, {along(1)});
  return s.cast(s.reshape(s.slice(all, 1, 0, blocks * blocks), {layouts, blocks, blocks}), IntegerType::get(all ? all.getContext() : s.f32().getContext(), 1));
}

/// query, key, value, past_key, past_value, block_row_indices, block_col_indices, total_sequence_length, key_total_sequence_lengths, cos_cache, sin_cache
Results spellSparseAttention(Speller &s) {
  const int64_t heads = s.integer("num_heads", 0), keyHeads = s.integer("kv_num_heads", 0), size = s.integer("sparse_block_size", 0);
  if (heads <= 0 || keyHeads <= 0 || heads % keyHeads != 0)
    return s.error() << "expected a positive num_heads that is a multiple of a positive kv_num_heads, found " << heads << " and " << keyHeads, Results();
  if (size != 16 && size != 32 && size != 64 && size != 128)
    return s.error() << "expected a sparse_block_size 16, 32, 64 or 128, found " << size, Results();
  if (s.has(1) != s.has(2))
    return s.error() << "has only one of key and value", Results();
  if (!s.requireRank(3, 4, 4) || !s.requireRank(4, 4, 4) || !s.requireRank(5, 2, 2) || !s.requireRank(6, 2, 2))
    return {};
  const RankedTensorType rows = s.type(5), columns = s.type(6);
  if (!rows.hasStaticShape() || !columns.hasStaticShape() || rows.getDimSize(1) < 2 || columns.getDimSize(1) < 1 || rows.getDimSize(0) != columns.getDimSize(0) ||
      rows.getDimSize(0) < 1 || heads % rows.getDimSize(0) != 0)
    return s.error() << "expected block_row_indices and block_col_indices of known sizes and as many layouts each, a divisor of " << heads << " heads, found " << rows
                     << " and " << columns,
           Results();
  if (!s.requireMost("blocks of tokens, and entries of a layout", std::max(rows.getDimSize(1), columns.getDimSize(1)), int64_t(1) << 20))
    return {};
  Value mask = blockMask(s, rows.getDimSize(0), rows.getDimSize(1) - 1, columns.getDimSize(1));
  Value lengths = s.input(8), last = s.emit("Sub", {lengths, s.number(1, s.type(8).getElementType())});
  return s.emitAll("SparseAttention",
                   {s.input(0), s.input(1), s.input(2), s.input(3), s.input(4), last, s.input(7), s.input(9), s.input(10), s.absent(), mask},
                   s.kept({"num_heads", "kv_num_heads", "scale", "do_rotary", "rotary_interleaved", "sparse_block_size"}), 3, 1, "moe.internal");
}

//===-- Embeddings --------------------------------------------------------===//

/// input_ids, segment_ids, word_embedding, position_embedding, segment_embedding, gamma, beta, mask, position_ids. The second result counts the ones of
/// each row of the mask, zeros without one; the third is the sum that is normalised.
Results spellEmbedding(Speller &s) {
  if (!s.requireRank(0, 2, 2))
    return {};
  if (s.has(1) != s.has(4))
    return s.error() << "has only one of segment_ids and segment_embedding", Results();
  Value words = s.emit("Gather", {s.input(2), s.input(0)}), places;
  if (s.has(8)) {
    places = s.emit("Gather", {s.input(3), s.input(8)});
  } else {
    Value order = s.emit("Range", {s.number(0, s.i64()), s.count(s.input(0), 1), s.number(1, s.i64())});
    places = s.unsqueeze(s.emit("Gather", {s.input(3), order}), {0});
  }
  Value sum = s.emit("Add", {words, places});
  if (s.has(1))
    sum = s.emit("Add", {sum, s.emit("Gather", {s.input(4), s.input(1)})});
  Results results = {s.emit("LayerNormalization", {sum, s.input(5), s.input(6)}, {s.integerAttribute("axis", -1), s.realAttribute("epsilon", s.real("epsilon", 1e-12))})};
  Value counts;
  if (s.wants(1) && s.has(7)) {
    Value isOne = s.emit("Equal", {s.input(7), s.number(1, s.type(7).getElementType())});
    counts = s.emit("ReduceSum", {s.cast(isOne, s.i32()), s.list({1})}, {s.integerAttribute("keepdims", 0)});
  } else if (s.wants(1)) {
    counts = s.emit("Expand", {s.number(0, s.i32()), s.size(s.input(0), 0)});
  }
  results.append({counts, s.wants(2) ? sum : Value()});
  return results;
}

} // namespace

void addAttentionForms(SpelledForms &forms) {
  forms["com.microsoft:Attention"] = {spellAttention, {0, 1}, 7, 2};
  forms["com.microsoft:QAttention"] = {spellQAttention, {0, 1, 2, 3, 4}, 9, 2};
  forms["com.microsoft:SparseAttention"] = {spellSparseAttention, {0, 3, 4, 5, 6, 7, 8}, 11, 3};
  forms["com.microsoft:EmbedLayerNormalization"] = {spellEmbedding, {0, 2, 3, 5, 6}, 9, 3};
}

} // namespace moe
