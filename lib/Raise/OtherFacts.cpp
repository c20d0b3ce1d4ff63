// Dims of tensor ops among ONNX nodes; those of the moe chain are inference's own.
#include "OtherFacts.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using moe::OnnxInference;

namespace {

/// Sizes that an index value or attribute stands for; null where nothing says.
class SizeReader {
public:
  explicit SizeReader(OnnxInference &inference) : inference(inference) {}

  AffineExpr read(OpFoldResult size, MLIRContext *context) {
    if (std::optional<int64_t> constant = getConstantIntValue(size))
      return getAffineConstantExpr(*constant, context);
    return read(cast<Value>(size));
  }

private:
  AffineExpr read(Value size) {
    Operation *op = size.getDefiningOp();
    if (auto dim = dyn_cast_or_null<tensor::DimOp>(op)) {
      std::optional<int64_t> index = dim.getConstantIndex();
      const moe::ValueFacts &facts = inference.facts(dim.getSource());
      return index && *index >= 0 && *index < static_cast<int64_t>(facts.dims.size()) ? facts.dims[*index] : AffineExpr();
    }
    if (!isa_and_nonnull<arith::AddIOp, arith::MulIOp>(op))
      return {};
    AffineExpr lhs = read(OpFoldResult(op->getOperand(0)), size.getContext());
    AffineExpr rhs = read(OpFoldResult(op->getOperand(1)), size.getContext());
    if (!lhs || !rhs)
      return {};
    return isa<arith::AddIOp>(op) ? lhs + rhs : lhs * rhs;
  }

  OnnxInference &inference;
};

/// The dims of the op's one tensor result, null where nothing is known of one; no dims where the op is not among those known here.
SmallVector<AffineExpr> dimsOf(Operation *op, OnnxInference &inference) {
  MLIRContext *context = op->getContext();
  SizeReader reader(inference);
  if (auto cast = dyn_cast<tensor::CastOp>(op))
    return inference.facts(cast.getSource()).dims;
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    SmallVector<AffineExpr> dims;
    for (OpFoldResult size : expand.getMixedOutputShape())
      dims.push_back(reader.read(size, context));
    return dims;
  }
  if (auto empty = dyn_cast<tensor::EmptyOp>(op)) {
    SmallVector<AffineExpr> dims;
    for (OpFoldResult size : empty.getMixedSizes())
      dims.push_back(reader.read(size, context));
    return dims;
  }
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    SmallVector<AffineExpr> source = inference.facts(collapse.getSrc()).dims, dims;
    for (const ReassociationIndices &group : collapse.getReassociationIndices()) {
      AffineExpr size = getAffineConstantExpr(1, context);
      for (int64_t dim : group)
        size = size * source[dim];
      dims.push_back(size);
    }
    return dims;
  }
  if (auto written = dyn_cast<DestinationStyleOpInterface>(op); written && written.getNumDpsInits() == 1)
    return inference.facts(written.getDpsInits()[0]).dims;
  return {};
}

} // namespace

LogicalResult moe::inferWithOtherOps(func::FuncOp entry, OnnxInference &inference) {
  inference.addEntryArguments(entry);
  for (Operation &op : entry.front()) {
    if (failed(inference.infer(&op)))
      return failure();
    if (isa<OnnxOp>(op) || op.getNumResults() != 1)
      continue;
    auto type = dyn_cast<RankedTensorType>(op.getResult(0).getType());
    SmallVector<AffineExpr> dims = type && !type.hasStaticShape() ? dimsOf(&op, inference) : SmallVector<AffineExpr>();
    if (dims.empty())
      continue;
    ValueFacts facts = inference.facts(op.getResult(0));
    for (auto [known, dim] : llvm::zip(facts.dims, dims))
      if (dim && !isa<AffineConstantExpr>(known))
        known = inference.normalise(dim);
    inference.setFacts(op.getResult(0), std::move(facts));
  }
  // The result types follow what inference has set on the nodes.
  Operation *terminator = entry.front().getTerminator();
  entry.setType(FunctionType::get(entry.getContext(), entry.getArgumentTypes(), terminator->getOperandTypes()));
  return success();
}
