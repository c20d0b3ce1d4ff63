// See BatchDims.h. What is not recognised has no batch: it is computed for all sequences, which costs time and is right.
#include "BatchDims.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"

using namespace mlir;

namespace moe {

BatchDims::BatchDims(ArrayRef<BlockArgument> inputs) {
  for (BlockArgument input : inputs)
    set(input, 0, Value());
}

SmallVector<OpFoldResult> BatchDims::sizesOf(OpBuilder &builder, Value tensor) {
  const Location loc = tensor.getLoc();
  while (auto destination = tensor.getDefiningOp<DestinationStyleOpInterface>())
    tensor = destination.getTiedOpOperand(cast<OpResult>(tensor))->get();
  if (auto empty = tensor.getDefiningOp<tensor::EmptyOp>())
    return empty.getMixedSizes();
  if (auto expand = tensor.getDefiningOp<tensor::ExpandShapeOp>())
    return expand.getMixedOutputShape();
  if (auto slice = tensor.getDefiningOp<tensor::ExtractSliceOp>(); slice && slice.getType().getRank() == slice.getSourceType().getRank())
    return slice.getMixedSizes();
  if (auto collapse = tensor.getDefiningOp<tensor::CollapseShapeOp>()) {
    const SmallVector<OpFoldResult> inner = sizesOf(builder, collapse.getSrc());
    SmallVector<OpFoldResult> sizes;
    for (const ReassociationIndices &group : collapse.getReassociationIndices()) {
      OpFoldResult size = builder.getIndexAttr(1);
      for (int64_t dim : group) {
        const bool isFirst = getConstantIntValue(size) == 1, isOne = getConstantIntValue(inner[dim]) == 1;
        auto value = [&](OpFoldResult result) { return getValueOrCreateConstantIndexOp(builder, loc, result); };
        size = isFirst ? inner[dim] : isOne ? size : OpFoldResult(builder.createOrFold<arith::MulIOp>(loc, value(size), value(inner[dim])));
      }
      sizes.push_back(size);
    }
    for (auto [dim, size] : llvm::enumerate(sizes)) // A size that folds is no attribute yet.
      if (!collapse.getResultType().isDynamicDim(static_cast<int64_t>(dim)))
        size = builder.getIndexAttr(collapse.getResultType().getDimSize(static_cast<int64_t>(dim)));
    return sizes;
  }
  ReifiedRankedShapedTypeDims shapes;
  if (isa_and_nonnull<CombineOp, SumRowsOp, AllGatherOp>(tensor.getDefiningOp()) && succeeded(reifyResultShapes(builder, tensor.getDefiningOp(), shapes)))
    return shapes[cast<OpResult>(tensor).getResultNumber()];
  return tensor::getMixedSizes(builder, loc, tensor);
}

void BatchDims::set(Value tensor, int64_t dim, Value unit) {
  if (cast<RankedTensorType>(tensor.getType()).isDynamicDim(dim))
    dims[tensor] = {dim, unit};
}

std::optional<BatchDim> BatchDims::of(Value tensor) const {
  auto found = dims.find(tensor);
  return found == dims.end() ? std::nullopt : std::optional<BatchDim>(found->second);
}

bool BatchDims::isMultiple(Value index, Value &unit) const {
  auto found = multiples.find(index);
  if (found == multiples.end())
    return false;
  unit = found->second;
  return true;
}

void BatchDims::visitScalar(Operation *op) {
  const Value result = op->getResult(0);
  auto isKnown = [&](Value value) { return multiples.contains(value) || tainted.contains(value); };
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    const std::optional<BatchDim> batch = of(dim.getSource());
    if (batch && dim.getConstantIndex() == batch->dim)
      multiples[result] = batch->unit;
    return;
  }
  if (auto product = dyn_cast<arith::MulIOp>(op))
    for (auto [multiple, factor] : {std::pair(product.getLhs(), product.getRhs()), std::pair(product.getRhs(), product.getLhs())})
      if (multiples.contains(multiple) && !isKnown(factor)) {
        OpBuilder builder(op->getContext());
        builder.setInsertionPointAfter(op);
        const Value unit = multiples[multiple];
        multiples[result] = unit ? arith::MulIOp::create(builder, op->getLoc(), unit, factor).getResult() : factor;
        return;
      }
  if (llvm::any_of(op->getOperands(), isKnown))
    tainted.insert(result);
}

/// The dim of `result` whose size is a multiple, if there is one.
void BatchDims::visitSizes(Value result, ArrayRef<OpFoldResult> sizes) {
  std::optional<int64_t> found;
  for (auto [dim, size] : llvm::enumerate(sizes))
    if (auto value = dyn_cast<Value>(size); value && multiples.contains(value)) {
      if (found)
        return;
      found = static_cast<int64_t>(dim);
    }
  if (found)
    set(result, *found, multiples[cast<Value>(sizes[*found])]);
}

void BatchDims::visit(Operation *op) {
  if (op->getNumResults() == 1 && op->getResult(0).getType().isIndex())
    return visitScalar(op);
  if (auto empty = dyn_cast<tensor::EmptyOp>(op))
    return visitSizes(empty, empty.getMixedSizes());
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    if (of(expand.getSrc()))
      visitSizes(expand, expand.getMixedOutputShape());
    // Sequences stay outermost: what is split off before them has size 1.
    if (const std::optional<BatchDim> source = of(expand.getSrc()), result = of(expand); source && result) {
      const auto group = expand.getReassociationIndices()[source->dim];
      const bool isOutermost = llvm::is_contained(group, result->dim) &&
                               llvm::all_of(group, [&](int64_t dim) { return dim >= result->dim || expand.getResultType().getDimSize(dim) == 1; });
      if (!isOutermost)
        dims.erase(expand);
    }
    return;
  }
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    const std::optional<BatchDim> source = of(collapse.getSrc());
    if (!source)
      return;
    OpBuilder builder(op->getContext());
    builder.setInsertionPointAfter(op);
    for (auto [dim, group] : llvm::enumerate(collapse.getReassociationIndices())) {
      if (!llvm::is_contained(group, source->dim))
        continue;
      Value unit = source->unit;
      for (int64_t inner : group) {
        if (inner < source->dim && collapse.getSrcType().getDimSize(inner) != 1)
          return;
        if (inner <= source->dim || collapse.getSrcType().getDimSize(inner) == 1)
          continue;
        const Value size = getValueOrCreateConstantIndexOp(builder, op->getLoc(), sizesOf(builder, collapse.getSrc())[inner]);
        unit = unit ? arith::MulIOp::create(builder, op->getLoc(), unit, size).getResult() : size;
      }
      set(collapse, static_cast<int64_t>(dim), unit);
    }
    return;
  }
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    const std::optional<BatchDim> source = of(slice.getSource());
    if (!source || slice.getType().getRank() != slice.getSourceType().getRank())
      return;
    const auto size = dyn_cast<Value>(slice.getMixedSizes()[source->dim]);
    const bool isWhole = size && multiples.contains(size) && multiples[size] == source->unit && getConstantIntValue(slice.getMixedOffsets()[source->dim]) == 0 &&
                         getConstantIntValue(slice.getMixedStrides()[source->dim]) == 1;
    return isWhole ? set(slice, source->dim, source->unit) : void();
  }
  if (auto cast = dyn_cast<tensor::CastOp>(op)) {
    const std::optional<BatchDim> source = of(cast.getSource());
    return source && isa<RankedTensorType>(cast.getType()) ? set(cast, source->dim, source->unit) : void();
  }
  if (auto combine = dyn_cast<CombineOp>(op)) {
    Value unit;
    return isMultiple(combine.getTokens(), unit) ? set(combine.getResult(), 0, unit) : void();
  }
  if (auto sum = dyn_cast<SumRowsOp>(op)) {
    Value unit;
    return isMultiple(sum.getTokens(), unit) ? set(sum.getResult(), 0, unit) : void();
  }
  if (auto gather = dyn_cast<AllGatherOp>(op)) {
    const std::optional<BatchDim> rows = of(gather.getRows());
    return rows ? set(gather.getResult(), rows->dim, rows->unit) : void();
  }
  if (auto destination = dyn_cast<DestinationStyleOpInterface>(op))
    for (OpResult result : op->getResults())
      if (isa<RankedTensorType>(result.getType()))
        if (const std::optional<BatchDim> init = of(destination.getTiedOpOperand(result)->get()))
          set(result, init->dim, init->unit);
}

/// Is the first dim that of sequences, one at each place?
bool BatchDims::isFirst(Value tensor) const {
  const std::optional<BatchDim> batch = of(tensor);
  return batch && batch->dim == 0 && !batch->unit;
}

bool BatchDims::keepsApart(linalg::LinalgOp op) const {
  if (!op.hasPureTensorSemantics())
    return false;
  // The loop that runs over sequences. Operands agree on its length, so that a sequence is as long in each.
  std::optional<unsigned> loop;
  for (OpOperand &operand : op->getOpOperands()) {
    const std::optional<BatchDim> batch = of(operand.get());
    if (!batch)
      continue;
    auto expression = dyn_cast<AffineDimExpr>(op.getMatchingIndexingMap(&operand).getResult(batch->dim));
    if (!expression || (loop && *loop != expression.getPosition()))
      return false;
    loop = expression.getPosition();
  }
  if (!loop || op.getIteratorTypesArray()[*loop] != utils::IteratorType::parallel)
    return false;
  for (OpOperand &operand : op->getOpOperands()) {
    const std::optional<BatchDim> batch = of(operand.get());
    for (auto [dim, expression] : llvm::enumerate(op.getMatchingIndexingMap(&operand).getResults()))
      if (expression.isFunctionOfDim(*loop) && !(batch && batch->dim == static_cast<int64_t>(dim)))
        return false;
  }
  const bool asksForNumber = op->walk([&](linalg::IndexOp index) {
    return index->getParentOp() == op && index.getDim() == *loop && !index->use_empty() ? WalkResult::interrupt() : WalkResult::advance();
  }).wasInterrupted();
  return !asksForNumber && llvm::all_of(op->getResults(), [&](Value result) { return of(result).has_value(); });
}

bool BatchDims::keepsApart(AttentionOp op) const {
  for (Value value : {op.getQ(), op.getK(), op.getV(), op.getOuts()[0], op.getOuts()[1]})
    if (!isFirst(value))
      return false;
  auto isOne = [](Value mask) { return cast<ShapedType>(mask.getType()).getDimSize(0) == 1; };
  if (op.getMask() && !isFirst(op.getMask()) && !isOne(op.getMask()))
    return false;
  return !op.getCounts() || isFirst(op.getCounts());
}

bool BatchDims::keepsApart(Operation *op) const {
  // Sizes may be multiples, which become smaller ones; nothing else may depend on how many sequences there are.
  if (llvm::any_of(op->getOperands(), [&](Value operand) { return tainted.contains(operand); }) || op->getNumResults() == 0)
    return false;
  if (auto loop = dyn_cast<linalg::LinalgOp>(op))
    return keepsApart(loop);
  if (auto attention = dyn_cast<AttentionOp>(op))
    return !attention.getBefore() || !multiples.contains(attention.getBefore()) ? keepsApart(attention) : false;
  if (isa<AppendOp>(op))
    return llvm::all_of(op->getOperands(), [&](Value operand) { return isFirst(operand); });
  if (auto concat = dyn_cast<ConcatOp>(op)) {
    const std::optional<BatchDim> batch = of(concat.getOuts().front());
    return batch && batch->dim != static_cast<int64_t>(concat.getAxis()) && llvm::all_of(concat.getInputs(), [&](Value input) {
             const std::optional<BatchDim> own = of(input);
             return own && own->dim == batch->dim;
           });
  }
  if (isa<tensor::EmptyOp>(op))
    return of(op->getResult(0)).has_value();
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::ExtractSliceOp, tensor::CastOp>(op))
    return of(op->getOperand(0)) && of(op->getResult(0));
  return false;
}

} // namespace moe
