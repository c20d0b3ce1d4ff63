// MatMul and Gemm. A right side without batch dims makes one 2-D linalg.matmul with the left side's leading dims collapsed, so that a stored
// weight is read as it lies (transposed through indexing_maps); products of activations are linalg.batch_matmul, or a generic where one side's
// batch is broadcast. f16 and bf16 accumulate in f32.
#include "Matmul.h"
#include "OnnxConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using moe::NodeConverter;
using moe::OnnxOp;
using moe::SizedTensor;
using moe::TensorBuilder;

SizedTensor moe::matmul(TensorBuilder &t, const SizedTensor &rows, bool transposeLhs, const SizedTensor &rhs, bool transposeRhs) {
  Type type = rows.elementType();
  // Kernels take rows of f32 and widen stored weights themselves; the product is rounded once either way.
  const bool isStored = isa_and_nonnull<WeightRefOp, DequantOp>(rhs.value.getDefiningOp()) && !transposeLhs;
  const SizedTensor lhs = isStored ? t.convert(rows, accumulatorType(type)) : rows;
  SizedTensor start = t.zeros({lhs.dims[transposeLhs ? 1 : 0], rhs.dims[transposeRhs ? 0 : 1]}, accumulatorType(type));
  auto op = linalg::MatmulOp::create(t.builder, t.loc, TypeRange{start.value.getType()}, ValueRange{lhs.value, rhs.value}, ValueRange{start.value});
  if (transposeLhs || transposeRhs) {
    Builder &b = t.builder;
    AffineExpr m = b.getAffineDimExpr(0), n = b.getAffineDimExpr(1), k = b.getAffineDimExpr(2);
    auto map = [&](bool swap, AffineExpr row, AffineExpr column) {
      return AffineMapAttr::get(AffineMap::get(3, 0, swap ? ArrayRef<AffineExpr>{column, row} : ArrayRef<AffineExpr>{row, column}, t.context()));
    };
    op.setIndexingMapsAttr(b.getArrayAttr({map(transposeLhs, m, k), map(transposeRhs, k, n), map(false, m, n)}));
  }
  return t.convert({op.getResult(0), start.dims}, type);
}

SizedTensor moe::batchMatmul(TensorBuilder &t, const SizedTensor &lhs, const SizedTensor &rhs, bool transposeRhs, Type resultType) {
  SizedTensor start = t.zeros({lhs.dims[0], lhs.dims[1], rhs.dims[transposeRhs ? 1 : 2]}, accumulatorType(lhs.elementType()));
  auto op =
      linalg::BatchMatmulOp::create(t.builder, t.loc, TypeRange{start.value.getType()}, ValueRange{lhs.value, rhs.value}, ValueRange{start.value});
  if (transposeRhs) {
    Builder &b = t.builder;
    AffineExpr batch = b.getAffineDimExpr(0), m = b.getAffineDimExpr(1), n = b.getAffineDimExpr(2), k = b.getAffineDimExpr(3);
    auto map = [&](ArrayRef<AffineExpr> results) { return AffineMapAttr::get(AffineMap::get(4, 0, results, t.context())); };
    op.setIndexingMapsAttr(b.getArrayAttr({map({batch, m, k}), map({batch, n, k}), map({batch, m, n})}));
  }
  return t.convert({op.getResult(0), start.dims}, resultType);
}

namespace {

/// A matrix, or the transpose of one that is stored: `value` is read with its dims swapped.
struct Matrix {
  SizedTensor value;
  bool transposed = false;
};

/// Looks through a Transpose node that swaps the dims of a weight, so that the product reads the weight itself.
Matrix storedMatrix(NodeConverter &node, unsigned i) {
  SizedTensor value = node.input(i);
  if (value)
    if (auto generic = value.value.getDefiningOp<linalg::GenericOp>(); generic && generic.getNumDpsInputs() == 1 && value.rank() == 2) {
      Value source = generic.getDpsInputOperand(0)->get();
      AffineMap map = generic.getMatchingIndexingMap(generic.getDpsInputOperand(0));
      bool copies = generic.getBody()->without_terminator().empty();
      bool swaps = map == AffineMap::getPermutationMap(ArrayRef<unsigned>{1, 0}, value.value.getContext());
      if (isa_and_nonnull<moe::WeightRefOp, moe::DequantOp>(source.getDefiningOp()) && copies && swaps)
        return {{source, {value.dims[1], value.dims[0]}}, true};
    }
  return {value, false};
}

/// lhs [..., M, K] times a matrix [K, N]: the leading dims count as rows, and the result stays [rows, N].
SizedTensor timesMatrix(TensorBuilder &t, const SizedTensor &lhs, const Matrix &rhs) {
  ArrayRef<AffineExpr> rows = ArrayRef<AffineExpr>(lhs.dims).drop_back();
  SizedTensor flat = t.reshape(lhs, {t.product(rows), lhs.dims.back()});
  return moe::matmul(t, flat, false, rhs.value, rhs.transposed);
}

/// Both sides have at least two dims and the right side more than two.
SizedTensor timesBatch(TensorBuilder &t, const SizedTensor &lhs, const SizedTensor &rhs) {
  ArrayRef<AffineExpr> lhsBatch = ArrayRef<AffineExpr>(lhs.dims).drop_back(2), rhsBatch = ArrayRef<AffineExpr>(rhs.dims).drop_back(2);
  AffineExpr rows = lhs.dims[lhs.rank() - 2], inner = lhs.dims.back(), columns = rhs.dims.back();
  SmallVector<AffineExpr> batch = t.broadcastDims(lhsBatch, rhsBatch);
  SmallVector<AffineExpr> dims = batch;
  dims.push_back(rows);
  dims.push_back(columns);
  auto isWhole = [&](ArrayRef<AffineExpr> side) {
    return side.size() == batch.size() &&
           llvm::all_of(llvm::zip(side, batch), [&](auto pair) { return TensorBuilder::isOne(std::get<0>(pair)) == TensorBuilder::isOne(std::get<1>(pair)); });
  };
  if (isWhole(lhsBatch) && isWhole(rhsBatch)) {
    AffineExpr count = t.product(batch);
    SizedTensor result = moe::batchMatmul(t, t.reshape(lhs, {count, rows, inner}), t.reshape(rhs, {count, inner, columns}), false, lhs.elementType());
    return t.reshape(result, dims);
  }
  // Loops: the batch dims, rows, columns, inner.
  unsigned loops = dims.size() + 1;
  AffineExpr m = getAffineDimExpr(loops - 3, t.context()), n = getAffineDimExpr(loops - 2, t.context()), k = getAffineDimExpr(loops - 1, t.context());
  auto map = [&](ArrayRef<AffineExpr> side, AffineExpr first, AffineExpr second) {
    SmallVector<AffineExpr> results(t.broadcastMap(side, batch).getResults());
    results.push_back(first);
    results.push_back(second);
    return AffineMap::get(loops, 0, results, t.context());
  };
  return t.contract(lhs, map(lhsBatch, m, k), rhs, map(rhsBatch, k, n), dims, map(batch, m, n));
}

/// numpy's product of any two tensors; empty after a message at the node.
SizedTensor anyProduct(NodeConverter &node, SizedTensor lhs, Matrix rhs) {
  TensorBuilder &t = node.t;
  if (lhs.rank() == 0 || rhs.value.rank() == 0)
    return node.error() << "needs at least one dim on each side, found a scalar", SizedTensor();
  if (lhs.elementType().isInteger(1))
    return node.error() << "is not defined on elements of type " << lhs.elementType(), SizedTensor();
  // A vector on the left is a row, on the right a column.
  if (lhs.rank() == 1)
    lhs = t.reshape(lhs, {t.size(1), lhs.dims[0]});
  if (rhs.value.rank() == 1)
    rhs.value = t.reshape(rhs.value, {rhs.value.dims[0], t.size(1)});
  SizedTensor result = rhs.value.rank() == 2 ? timesMatrix(t, lhs, rhs) : timesBatch(t, lhs, rhs.value);
  return t.reshape(result, node.resultDims());
}

/// A side of MatMul as large as the result's batch, where only the run shows whether it is 1 there: a copy then, which a product of whole batches is
/// worth.
SizedTensor wholeBatch(NodeConverter &node, const SizedTensor &side) {
  const SmallVector<AffineExpr> result = node.resultDims();
  SmallVector<AffineExpr> dims = side.dims;
  for (int64_t i = 0; i + 2 < side.rank(); ++i)
    if (AffineExpr whole = result[result.size() - side.rank() + i]; !TensorBuilder::isOne(dims[i]) && !node.t.equal(dims[i], whole))
      dims[i] = whole;
  return ArrayRef<AffineExpr>(dims) == ArrayRef<AffineExpr>(side.dims) ? side : node.t.broadcast(side, dims);
}

LogicalResult convertMatMul(NodeConverter &node) {
  SizedTensor lhs = node.input(0);
  Matrix rhs = storedMatrix(node, 1);
  if (!lhs || !rhs.value)
    return failure();
  if (lhs.rank() >= 2 && rhs.value.rank() >= 2) {
    lhs = wholeBatch(node, lhs);
    if (rhs.value.rank() > 2)
      rhs.value = wholeBatch(node, rhs.value);
  }
  SizedTensor result = anyProduct(node, lhs, rhs);
  return result ? node.finish(result) : failure();
}

/// com.microsoft: alpha · A' · B', where transposing swaps the last two dims.
LogicalResult convertFusedMatMul(NodeConverter &node) {
  SizedTensor lhs = node.input(0);
  Matrix rhs = storedMatrix(node, 1);
  if (!lhs || !rhs.value)
    return failure();
  TensorBuilder &t = node.t;
  const auto swapped = [&](const SizedTensor &x) {
    SmallVector<int64_t> order = llvm::to_vector(llvm::seq<int64_t>(0, x.rank()));
    std::swap(order[x.rank() - 1], order[x.rank() - 2]);
    return t.transpose(x, order);
  };
  if (node.getInt("transA", 0) && lhs.rank() >= 2)
    lhs = swapped(lhs);
  if (node.getInt("transB", 0) && rhs.value.rank() == 2)
    rhs.transposed = !rhs.transposed;
  else if (node.getInt("transB", 0) && rhs.value.rank() > 2)
    rhs.value = swapped(rhs.value);
  SizedTensor result = anyProduct(node, lhs, rhs);
  if (!result)
    return failure();
  const double alpha = node.getFloat("alpha", 1);
  if (alpha == 1)
    return node.finish(result);
  const Type type = result.elementType(), wide = moe::accumulatorType(type);
  return node.finish(t.elementwise({result}, result.dims, type, [&](OpBuilder &b, Location loc, ValueRange in) {
    Value factor = arith::ConstantOp::create(b, loc, b.getFloatAttr(wide, alpha));
    return moe::convertScalar(b, loc, arith::MulFOp::create(b, loc, moe::convertScalar(b, loc, in[0], wide), factor), type);
  }));
}

/// alpha · A' · B' + beta · C
LogicalResult convertGemm(NodeConverter &node) {
  SizedTensor a = node.input(0);
  Matrix b = storedMatrix(node, 1);
  if (!a || !b.value)
    return failure();
  if (a.rank() != 2 || b.value.rank() != 2)
    return node.error() << "needs matrices, found " << a.rank() << " and " << b.value.rank() << " dims";
  TensorBuilder &t = node.t;
  SizedTensor product = moe::matmul(t, a, node.getInt("transA", 0), b.value, b.transposed != (node.getInt("transB", 0) != 0));
  double alpha = node.getFloat("alpha", 1), beta = node.getFloat("beta", 1);
  bool addsC = node.has(2) && beta != 0;
  if (alpha == 1 && !addsC)
    return node.finish(product);
  SmallVector<SizedTensor> inputs = {product};
  if (addsC)
    inputs.push_back(node.input(2));
  if (node.failed())
    return failure();
  Type type = a.elementType();
  auto times = [type](OpBuilder &builder, Location loc, Value value, double factor) -> Value {
    if (factor == 1)
      return value;
    if (isa<FloatType>(type))
      return arith::MulFOp::create(builder, loc, value, arith::ConstantOp::create(builder, loc, builder.getFloatAttr(type, factor)));
    Value constant = arith::ConstantOp::create(builder, loc, builder.getIntegerAttr(type, static_cast<int64_t>(factor)));
    return arith::MulIOp::create(builder, loc, value, constant);
  };
  return node.finish(t.elementwise(inputs, node.resultDims(), type, [&](OpBuilder &builder, Location loc, ValueRange in) -> Value {
    Value y = times(builder, loc, in[0], alpha);
    if (!addsC)
      return y;
    Value c = times(builder, loc, in[1], beta);
    return isa<FloatType>(type) ? arith::AddFOp::create(builder, loc, y, c).getResult() : arith::AddIOp::create(builder, loc, y, c).getResult();
  }));
}

} // namespace

void moe::addMatmulConversions(ConversionTable &table) {
  table.add("MatMul", convertMatMul);
  table.add("Gemm", convertGemm);
  table.add("FusedMatMul", convertFusedMatMul, "com.microsoft");
}
