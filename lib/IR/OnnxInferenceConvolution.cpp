// Rules of ops with sums over windows, states or named dims: Conv, CausalConvWithState, LinearAttention, Einsum.
#include "OnnxInferenceNode.h"

#include "moe/IR/Einsum.h"

using namespace mlir;

namespace moe {

/// A list attribute of one number per spatial dim, 1 for each where it is not there.
static FailureOr<SmallVector<int64_t>> perSpatialDim(OnnxNode &node, StringRef name, int64_t count, int64_t standard, int64_t least) {
  SmallVector<int64_t> values = node.integers(name).value_or(SmallVector<int64_t>(count, standard));
  if (static_cast<int64_t>(values.size()) == count && llvm::all_of(values, [&](int64_t value) { return value >= least; }))
    return values;
  node.error() << "expected " << count << " numbers of at least " << least << " in '" << name << "'";
  return failure();
}

static LogicalResult inferConv(OnnxNode &node) {
  if (failed(node.requireSameElement(0, 1)) || failed(node.requireRank(0, 3, 8, "X")) || failed(node.requireRank(1, node.rank(0), node.rank(0), "W")))
    return failure();
  Dims x = node.dims(0), w = node.dims(1);
  int64_t spatial = x.size() - 2, group = node.integer("group", 1);
  auto strides = perSpatialDim(node, "strides", spatial, 1, 1), dilations = perSpatialDim(node, "dilations", spatial, 1, 1);
  auto pads = perSpatialDim(node, "pads", 2 * spatial, 0, 0);
  if (failed(strides) || failed(dilations) || failed(pads))
    return failure();
  std::optional<int64_t> maps = node.algebra.constantValue(w[0]);
  if (group < 1 || !maps || *maps % group != 0)
    return node.error() << "expected as many feature maps as a multiple of group " << group << ", found dims " << node.text(w);
  if (failed(node.requireEqual(x[1], node.algebra.normalise(w[1] * group), "channels")))
    return failure();
  if (node.has(2) && (failed(node.requireRank(2, 1, 1, "B")) || failed(node.requireEqual(node.dims(2)[0], w[0], "B"))))
    return failure();
  StringRef automatic = node.string("auto_pad", "NOTSET");
  if (automatic != "NOTSET" && automatic != "VALID" && automatic != "SAME_UPPER" && automatic != "SAME_LOWER")
    return node.error() << "expected auto_pad NOTSET, VALID, SAME_UPPER or SAME_LOWER, found " << automatic;
  Dims dims = {x[0], w[0]};
  for (int64_t i = 0; i < spatial; ++i) {
    if (automatic.starts_with("SAME")) {
      dims.push_back((x[i + 2] + ((*strides)[i] - 1)).floorDiv((*strides)[i]));
      continue;
    }
    std::optional<int64_t> kernel = node.algebra.constantValue(w[i + 2]);
    if (!kernel || *kernel < 1)
      return node.error() << "expected a kernel whose sizes are known and positive, found dims " << node.text(w);
    int64_t padding = automatic == "VALID" ? 0 : (*pads)[i] + (*pads)[i + spatial];
    AffineExpr free = x[i + 2] + (padding - (*dilations)[i] * (*kernel - 1) - 1);
    dims.push_back(free.floorDiv((*strides)[i]) + 1);
  }
  return node.set(0, node.element(0), dims);
}

/// What ONNX Runtime's ops of these names have beyond the standard's, and this compiler does not: an error where an attribute is not as `standard` says.
static LogicalResult requireAttributes(OnnxNode &node, ArrayRef<std::pair<StringRef, int64_t>> standard) {
  for (auto [name, value] : standard)
    if (int64_t found = node.integer(name, value); found != value)
      return node.error() << "attribute '" << name << "' = " << found << " is not supported, expected " << value;
  return success();
}

/// The state holds the last (kernel − 1) · dilation places. x and the state are [batch, channels, length], or with channels_last [batch, length, …]
/// where the last dims together are the channels.
static LogicalResult inferCausalConv(OnnxNode &node) {
  const bool isLast = node.integer("channels_last", 0);
  const int64_t dilation = node.integer("dilation", 1);
  if (failed(node.requireSameElement(0, 1)) || failed(node.requireRank(0, 3, isLast ? 8 : 3, "input")) || failed(node.requireRank(1, 3, 3, "weight")))
    return failure();
  Dims x = node.dims(0), w = node.dims(1);
  std::optional<int64_t> kernel = node.algebra.constantValue(w[2]);
  if (!kernel || *kernel < 1)
    return node.error() << "expected a kernel whose size is known and positive, found dims " << node.text(w);
  if (dilation < 1)
    return node.error() << "expected attribute 'dilation' to be positive, found " << dilation;
  AffineExpr channels = isLast ? node.product(ArrayRef<AffineExpr>(x).drop_front(2)) : x[1];
  if (failed(node.requireEqual(channels, w[0], "channels")) || failed(node.requireEqual(w[1], node.number(1), "dim 1 of the weight")))
    return failure();
  Dims state = x;
  state[isLast ? 1 : 2] = node.number((*kernel - 1) * dilation);
  if (node.has(2) && (failed(node.requireRank(2, 1, 1, "bias")) || failed(node.requireEqual(node.dims(2)[0], channels, "bias"))))
    return failure();
  if (node.has(3)) {
    if (failed(node.requireSameElement(0, 3)) || failed(node.requireRank(3, state.size(), state.size(), "past_state")))
      return failure();
    for (auto [given, expected] : llvm::zip(node.dims(3), state))
      if (failed(node.requireEqual(given, expected, "past_state")))
        return failure();
  }
  if (failed(node.set(0, node.element(0), x)))
    return failure();
  return node.set(1, node.element(0), state);
}

static LogicalResult inferContribCausalConv(OnnxNode &node) {
  return failed(requireAttributes(node, {{"ndim", 1}, {"state_window", 0}, {"input_channels", 0}, {"input_channel_offset", 0}, {"state_channels_last", 0},
                                         {"state_length", 0}, {"state_update_capacity", 0}}))
             ? failure()
             : inferCausalConv(node);
}

static LogicalResult inferLinearAttention(OnnxNode &node) {
  for (unsigned i : {0u, 1u, 2u})
    if (failed(node.requireRank(i, 3, 3, "query, key and value")))
      return failure();
  Dims query = node.dims(0), key = node.dims(1), value = node.dims(2);
  int64_t queryHeads = node.integer("q_num_heads", 0), heads = node.integer("kv_num_heads", 0);
  // ONNX Runtime's op also has several states for each head of the query.
  const bool mayShareQueries = !node.op.getDomain().empty();
  if (heads < 1 || queryHeads < 1 || (queryHeads % heads != 0 && !(mayShareQueries && heads % queryHeads == 0)))
    return node.error() << "expected q_num_heads to be a positive multiple of kv_num_heads" << (mayShareQueries ? " or to divide it" : "") << ", found " << queryHeads << " and "
                        << heads;
  auto headSize = [&](AffineExpr hidden, int64_t count) { return node.algebra.exactQuotient(hidden, node.number(count)); };
  AffineExpr keySize = headSize(key[2], heads), valueSize = headSize(value[2], heads);
  if (!keySize || !valueSize)
    return node.error() << "expected last dims that the heads divide, found " << node.text(key) << " and " << node.text(value);
  if (failed(node.requireEqual(query[2], node.algebra.normalise(keySize * queryHeads), "last dim of the query")))
    return failure();
  for (unsigned i : {1u, 2u})
    for (unsigned dim : {0u, 1u})
      if (failed(node.requireEqual(query[dim], node.dims(i)[dim], "batch and length")))
        return failure();
  Dims state = {query[0], node.number(heads), keySize, valueSize};
  if (node.has(3)) {
    if (failed(node.requireRank(3, 4, 4, "past_state")))
      return failure();
    for (auto [given, expected] : llvm::zip(node.dims(3), state))
      if (failed(node.requireEqual(given, expected, "past_state")))
        return failure();
  }
  for (unsigned i : {4u, 5u})
    if (node.has(i) && failed(node.requireRank(i, 3, 3, "decay and beta")))
      return failure();
  if (failed(node.set(0, node.element(0), {query[0], query[1], node.algebra.normalise(valueSize * std::max(queryHeads, heads))})))
    return failure();
  return node.set(1, node.has(3) ? node.element(3) : node.element(0), state);
}

static LogicalResult inferContribLinearAttention(OnnxNode &node) {
  return failed(requireAttributes(node, {{"state_window", 0}})) ? failure() : inferLinearAttention(node);
}

static LogicalResult inferEinsum(OnnxNode &node) {
  SmallVector<int64_t> ranks;
  for (unsigned i = 0; i < node.inputs(); ++i) {
    if (!node.has(i) || failed(node.requireSameElement(0, i)))
      return node.has(i) ? failure() : node.error() << "input " << i << " is required, but the node does not have it";
    ranks.push_back(node.rank(i));
  }
  std::string message;
  FailureOr<EinsumEquation> equation = parseEinsum(node.string("equation", ""), ranks, message);
  if (failed(equation))
    return node.error() << "equation: " << message;
  Dims sizes(equation->labels);
  for (unsigned i = 0; i < node.inputs(); ++i)
    for (auto [label, dim] : llvm::zip(equation->operands[i], node.dims(i))) {
      FailureOr<AffineExpr> joined = sizes[label] ? node.broadcastDim(sizes[label], dim) : dim;
      if (failed(joined))
        return failure();
      sizes[label] = *joined;
    }
  Dims dims;
  for (unsigned label : equation->result)
    dims.push_back(sizes[label]);
  return node.set(0, node.element(0), dims);
}

void addConvolutionRules(OnnxRuleTable &table) {
  table["Conv"] = {inferConv, 2, 3, 1, 1};
  table["CausalConvWithState"] = {inferCausalConv, 2, 4, 2, 27};
  table["LinearAttention"] = {inferLinearAttention, 3, 6, 2, 27};
  table["com.microsoft::CausalConvWithState"] = {inferContribCausalConv, 2, 4, 2, 1};
  table["com.microsoft::LinearAttention"] = {inferContribLinearAttention, 3, 6, 2, 1};
  table["Einsum"] = {inferEinsum, 1, anyNumber, 1, 12};
}

} // namespace moe
