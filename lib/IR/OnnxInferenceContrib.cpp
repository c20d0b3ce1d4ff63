// Rules of ONNX Runtime's own ops: fused experts, norms with a residual, small activations.
#include "OnnxInferenceNode.h"

using namespace mlir;

namespace moe {

/// MoE and QMoE: the result is like the input, [rows, H] or [batch, sequence, H]; router_probs is [rows, E].
static LogicalResult inferMoe(OnnxNode &node) {
  if (failed(node.requireRank(0, 2, 3, "input")) || failed(node.requireRank(1, 2, 2, "router_probs")))
    return failure();
  Dims dims = node.dims(0);
  AffineExpr rows = node.product(ArrayRef<AffineExpr>(dims).drop_back());
  if (failed(node.requireEqual(rows, node.dims(1)[0], "rows of input and router_probs")))
    return failure();
  return node.setLike(0);
}

/// SkipLayerNormalization and its simplified form. Outputs 1 and 2 are statistics per row, output 3 the sum of input and skip.
static LogicalResult inferSkipNormalization(OnnxNode &node) {
  Dims dims = node.dims(0);
  if (dims.empty() || failed(node.requireSameElement(0, 1)) || failed(node.broadcastTo(1, dims, "skip")) || failed(node.requireRank(2, 1, 1, "gamma")) ||
      failed(node.requireEqual(dims.back(), node.dims(2)[0], "gamma")))
    return failure();
  Dims statistics = dims;
  statistics.back() = node.number(1);
  Type real = Float32Type::get(node.op.getContext());
  if (failed(node.set(0, node.element(0), dims)) || failed(node.set(1, real, statistics)) || failed(node.set(2, real, statistics)))
    return failure();
  return node.set(3, node.element(0), dims);
}

static LogicalResult inferActivation(OnnxNode &node) {
  if (node.has(1) && failed(node.broadcastTo(1, node.dims(0), "bias")))
    return failure();
  return node.setLike(0);
}

/// A Gather from a table whose elements are packed `bits` wide in bytes along the last dim.
static LogicalResult inferGatherBlockQuantized(OnnxNode &node) {
  Dims data = node.dims(0), indices = node.dims(1);
  FailureOr<int64_t> axis = node.axis("gather_axis", 0, data.size());
  if (failed(axis))
    return failure();
  int64_t bits = node.integer("bits", 4);
  if (bits != 2 && bits != 4 && bits != 8)
    return node.error() << "expected attribute 'bits' 2, 4 or 8, found " << bits;
  if (node.element(0).isIntOrFloat() && node.element(0).getIntOrFloatBitWidth() == 8)
    data.back() = data.back() * (8 / bits);
  FailureOr<int64_t> quantized = node.axis("quantize_axis", 1, data.size());
  const int64_t block = node.integer("block_size", 128);
  if (failed(quantized) || block <= 0)
    return node.error() << "expected attribute 'quantize_axis' to name a dim of the data and 'block_size' to be positive";
  Dims groups = data;
  groups[*quantized] = data[*quantized].ceilDiv(block);
  const auto fits = [&](unsigned i, StringRef what) {
    if (failed(node.requireRank(i, groups.size(), groups.size(), what)))
      return false;
    return llvm::all_of(llvm::zip(node.dims(i), groups), [&](auto pair) { return succeeded(node.requireEqual(std::get<0>(pair), std::get<1>(pair), what)); });
  };
  if (!fits(2, "scales"))
    return failure();
  groups.back() = (groups.back() * bits).ceilDiv(8); // Zero points share bytes as the codes do.
  if (node.has(3) && !fits(3, "zero_points"))
    return failure();
  Dims dims(ArrayRef<AffineExpr>(data).take_front(*axis));
  dims.append(indices);
  dims.append(data.begin() + *axis + 1, data.end());
  return node.set(0, node.element(2), dims);
}

void addContribRules(OnnxRuleTable &table) {
  table["com.microsoft::MoE"] = {inferMoe, 3, 8, 1, 1};
  table["com.microsoft::QMoE"] = {inferMoe, 3, 21, 1, 1};
  table["com.microsoft::SkipLayerNormalization"] = {inferSkipNormalization, 3, 5, 4, 1};
  table["com.microsoft::SkipSimplifiedLayerNormalization"] = {inferSkipNormalization, 3, 4, 4, 1};
  for (const char *name : {"Gelu", "QuickGelu"})
    table[(llvm::Twine("com.microsoft::") + name).str()] = {inferActivation, 1, 1, 1, 1};
  for (const char *name : {"FastGelu", "BiasGelu"})
    table[(llvm::Twine("com.microsoft::") + name).str()] = {inferActivation, 1, 2, 1, 1};
  table["com.microsoft::GatherBlockQuantized"] = {inferGatherBlockQuantized, 3, 4, 1, 1};
}

} // namespace moe
