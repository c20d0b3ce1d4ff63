// Attention (opset 23 to 25).
#include "Attention.h"

using namespace mlir;
using moe::AttentionParts;
using moe::NodeConverter;
using moe::ScoreLevel;
using moe::SizedTensor;
using moe::TensorBuilder;

namespace {

/// qk_matmul_output_mode: the values below this one are those of ScoreLevel.
constexpr int64_t probabilitiesMode = 3;

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
  parts.cacheLength = t.size(0);
  if (node.has(4) != node.has(5))
    return node.error() << "has only one of past_key and past_value";
  if (node.has(4)) {
    SizedTensor pastKey = node.input(4), pastValue = node.input(5);
    if (!pastKey || !pastValue)
      return failure();
    if (pastKey.rank() != 4 || pastValue.rank() != 4)
      return node.error() << "has a past of " << pastKey.rank() << " dims, expected 4";
    parts.cacheLength = pastKey.dims[2];
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
  if (parts.validKeys && failed(node.requireWithin(node.op.getInputs()[6], parts.validKeys, t.size(0), parts.key.dims[2] + 1, "a number of keys")))
    return failure();
  return failure(node.failed());
}

LogicalResult readParts(NodeConverter &node, AttentionParts &parts) {
  if (failed(readInputs(node, parts)))
    return failure();
  if (failed(parts.readSizes(node)))
    return failure();
  parts.softcap = node.getFloat("softcap", 0);
  parts.isCausal = node.getInt("is_causal", 0);
  parts.left = node.getInt("left_window_size", -1);
  parts.right = node.getInt("right_window_size", -1);
  return success();
}

LogicalResult convertAttention(NodeConverter &node) {
  AttentionParts parts;
  if (failed(readParts(node, parts)))
    return failure();
  TensorBuilder &t = node.t;
  Type type = parts.query.elementType();
  // softmax_precision asks for at least that much; f32 is the least that is used.
  Type softmaxType = node.getInt("softmax_precision", 1) == 11 ? Type(t.builder.getF64Type()) : moe::accumulatorType(type);
  const moe::Attended attended = moe::attend(t, parts, softmaxType, node.wants(3));
  SizedTensor result = attended.result;
  if (node.resultDims().size() == 3)
    result = t.reshape(t.transpose(result, {0, 2, 1, 3}), node.resultDims());
  node.result(0, result);
  if (node.wants(1))
    node.result(1, t.reshape(parts.key, node.resultDims(1)));
  if (node.wants(2))
    node.result(2, t.reshape(parts.value, node.resultDims(2)));
  if (node.wants(3)) {
    int64_t mode = node.getInt("qk_matmul_output_mode", 0);
    if (mode < 0 || mode > probabilitiesMode)
      return node.error() << "has qk_matmul_output_mode " << mode << ", expected 0 to " << probabilitiesMode;
    node.result(3, mode == probabilitiesMode ? attended.probabilities
                                             : moe::attentionScores(t, parts, attended.raw, static_cast<ScoreLevel>(mode), type));
  }
  return failure(node.failed());
}

/// What moe-raise-attention found: heads apart, nothing of the scores asked for.
LogicalResult convertSpelledAttention(NodeConverter &node) {
  AttentionParts parts;
  parts.query = node.input(0), parts.key = node.input(1), parts.value = node.input(2);
  if (node.has(3))
    parts.mask = node.input(3);
  if (node.has(4))
    parts.sink = node.input(4);
  parts.cacheLength = node.t.size(0);
  if (node.failed() || failed(parts.readSizes(node)))
    return failure();
  parts.softcap = node.getFloat("softcap", 0);
  return node.finish(moe::attend(node.t, parts, moe::accumulatorType(parts.query.elementType())).result);
}

} // namespace

void moe::addAttentionConversions(ConversionTable &table) {
  table.add("Attention", convertAttention);
  table.add("Attention", convertSpelledAttention, "moe.internal");
}
