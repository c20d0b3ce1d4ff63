// Rules of matrix products and of quantisation.
#include "OnnxInferenceNode.h"

using namespace mlir;

namespace moe {

/// numpy's matmul on dims: vectors become matrices for the product, leading dims broadcast. Those of inputs of the model may be 1 when it runs, where
/// `readsInputs` says that the conversion reads them so.
static FailureOr<Dims> matmulDims(OnnxNode &node, Dims lhs, Dims rhs, bool readsInputs = false) {
  if (lhs.empty() || rhs.empty()) {
    node.error() << "expected operands of rank 1 or more, found dims " << node.text(lhs) << " and " << node.text(rhs);
    return failure();
  }
  bool isRow = lhs.size() == 1, isColumn = rhs.size() == 1;
  if (isRow)
    lhs.insert(lhs.begin(), node.number(1));
  if (isColumn)
    rhs.push_back(node.number(1));
  if (failed(node.requireEqual(lhs.back(), rhs[rhs.size() - 2], "inner dims of the product")))
    return failure();
  const auto batchOf = [&](unsigned i, const Dims &side) { return OnnxNode::Operand{Dims(ArrayRef<AffineExpr>(side).drop_back(2)), readsInputs && node.operand(i).isInput}; };
  FailureOr<Dims> dims = node.broadcastOperands(batchOf(0, lhs), batchOf(1, rhs), /*anyLast=*/true);
  if (failed(dims))
    return failure();
  if (!isRow)
    dims->push_back(lhs[lhs.size() - 2]);
  if (!isColumn)
    dims->push_back(rhs.back());
  return dims;
}

static LogicalResult inferMatMul(OnnxNode &node) {
  if (failed(node.requireSameElement(0, 1)))
    return failure();
  FailureOr<Dims> dims = matmulDims(node, node.dims(0), node.dims(1), /*readsInputs=*/true);
  return failed(dims) ? failure() : node.set(0, node.element(0), *dims);
}

static LogicalResult inferMatMulInteger(OnnxNode &node) {
  FailureOr<Dims> dims = matmulDims(node, node.dims(0), node.dims(1));
  return failed(dims) ? failure() : node.set(0, IntegerType::get(node.op.getContext(), 32), *dims);
}

static LogicalResult inferFusedMatMul(OnnxNode &node) {
  if (node.integer("transBatchA", 0) || node.integer("transBatchB", 0))
    return node.error() << "attributes transBatchA and transBatchB are not supported";
  Dims lhs = node.dims(0), rhs = node.dims(1);
  auto transpose = [](Dims &dims) {
    if (dims.size() >= 2)
      std::swap(dims[dims.size() - 1], dims[dims.size() - 2]);
  };
  if (node.integer("transA", 0))
    transpose(lhs);
  if (node.integer("transB", 0))
    transpose(rhs);
  FailureOr<Dims> dims = matmulDims(node, lhs, rhs);
  return failed(dims) ? failure() : node.set(0, node.element(0), *dims);
}

static LogicalResult inferGemm(OnnxNode &node) {
  if (failed(node.requireSameElement(0, 1)) || failed(node.requireRank(0, 2, 2, "A")) || failed(node.requireRank(1, 2, 2, "B")))
    return failure();
  Dims a = node.dims(0), b = node.dims(1);
  if (node.integer("transA", 0))
    std::swap(a[0], a[1]);
  if (node.integer("transB", 0))
    std::swap(b[0], b[1]);
  if (failed(node.requireEqual(a[1], b[0], "inner dims of the product")))
    return failure();
  if (node.has(2) && (failed(node.requireSameElement(0, 2)) || failed(node.broadcastTo(2, {a[0], b[1]}, "C"))))
    return failure();
  return node.set(0, node.element(0), {a[0], b[1]});
}

/// A [..., K] times a quantised N×K matrix.
static LogicalResult inferMatMulNBits(OnnxNode &node) {
  Dims dims = node.dims(0);
  int64_t columns = node.integer("N", 0), depth = node.integer("K", 0);
  if (dims.empty() || columns <= 0 || depth <= 0)
    return node.error() << "expected an input of rank 1 or more and positive attributes N and K, found dims " << node.text(dims) << ", N = " << columns
                        << ", K = " << depth;
  if (failed(node.requireEqual(dims.back(), node.number(depth), "last dim of A")))
    return failure();
  dims.back() = node.number(columns);
  return node.set(0, node.element(0), dims);
}

static LogicalResult inferDequantize(OnnxNode &node) {
  Type element = node.element(1);
  if (int64_t type = node.integer("output_dtype", 0))
    element = onnxElementType(node.op.getContext(), type);
  if (!element)
    return node.error() << "expected attribute 'output_dtype' to be a float data type, found " << node.integer("output_dtype", 0);
  return node.set(0, element, node.dims(0));
}

static LogicalResult inferQuantize(OnnxNode &node) {
  Type element = node.has(2) ? node.element(2) : onnxElementType(node.op.getContext(), node.integer("output_dtype", 2));
  if (!element)
    return node.error() << "expected attribute 'output_dtype' to be a data type of numbers, found " << node.integer("output_dtype", 0);
  return node.set(0, element, node.dims(0));
}

/// The result, its scale and its zero point.
static LogicalResult inferDynamicQuantize(OnnxNode &node) {
  Type bytes = IntegerType::get(node.op.getContext(), 8, IntegerType::Unsigned);
  if (failed(node.set(0, bytes, node.dims(0))) || failed(node.set(1, node.element(0), {})))
    return failure();
  return node.set(2, bytes, {});
}

void addProductRules(OnnxRuleTable &table) {
  table["MatMul"] = {inferMatMul, 2, 2, 1, 1};
  table["MatMulInteger"] = {inferMatMulInteger, 2, 4, 1, 10};
  table["Gemm"] = {inferGemm, 2, 3, 1, 7};
  table["com.microsoft::FusedMatMul"] = {inferFusedMatMul, 2, 2, 1, 1};
  table["com.microsoft::MatMulNBits"] = {inferMatMulNBits, 3, 6, 1, 1};
  table["DequantizeLinear"] = {inferDequantize, 2, 3, 1, 10};
  table["com.microsoft::DequantizeLinear"] = {inferDequantize, 2, 3, 1, 1};
  table["QuantizeLinear"] = {inferQuantize, 2, 3, 1, 10};
  table["com.microsoft::QuantizeLinear"] = {inferQuantize, 2, 3, 1, 1};
  table["DynamicQuantizeLinear"] = {inferDynamicQuantize, 1, 1, 3, 11};
}

} // namespace moe
