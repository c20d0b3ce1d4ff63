// See ShapeResolver.h. Recursion follows def-use chains that may be as long as the model is deep; results are memoised, and chains of
// destination style ops are walked in a loop.
#include "ShapeResolver.h"
#include "EntryPoint.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "moe/IR/MoeDialect.h"

using namespace mlir;

namespace moe {

Value ShapeResolver::constant(Location loc, int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); }

Value ShapeResolver::nonZero(Location loc, Value divisor) {
  IntegerAttr known;
  if (matchPattern(divisor, m_Constant(&known)) && !known.getValue().isZero())
    return divisor;
  Type type = divisor.getType();
  Value zero = arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  Value one = arith::ConstantOp::create(builder, loc, builder.getIntegerAttr(type, 1));
  Value isZero = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, divisor, zero);
  return arith::SelectOp::create(builder, loc, isZero, one, divisor);
}

Value ShapeResolver::fold(OpFoldResult size) {
  if (auto attr = dyn_cast<Attribute>(size))
    return constant(builder.getUnknownLoc(), cast<IntegerAttr>(attr).getInt());
  return scalar(cast<Value>(size));
}

Value decidesShape(Value shaped) {
  while (Operation *op = shaped.getDefiningOp()) {
    auto destination = dyn_cast<DestinationStyleOpInterface>(op);
    if (destination && isa<TensorType>(shaped.getType()))
      shaped = destination.getTiedOpOperand(cast<OpResult>(shaped))->get();
    else if (isa<tensor::CastOp, memref::CastOp>(op))
      shaped = op->getOperand(0);
    else if (isa<tensor::InsertOp, tensor::InsertSliceOp>(op))
      shaped = op->getOperand(1);
    else if (auto begin = dyn_cast<LoopBeginOp>(op))
      shaped = begin.getInits()[cast<OpResult>(shaped).getResultNumber()];
    else if (auto end = dyn_cast<LoopEndOp>(op))
      shaped = end.getCarried()[cast<OpResult>(shaped).getResultNumber()];
    else
      break;
  }
  return shaped;
}

Value ShapeResolver::dim(Value shaped, int64_t dim) {
  shaped = decidesShape(shaped);
  auto type = cast<ShapedType>(shaped.getType());
  if (!type.isDynamicDim(dim))
    return constant(shaped.getLoc(), type.getDimSize(dim));
  auto found = dims.find({shaped, dim});
  if (found != dims.end())
    return found->second;
  Value value = computeDim(shaped, dim);
  dims[{shaped, dim}] = value;
  if (value)
    scalars[value] = value;
  return value;
}

Value ShapeResolver::computeDim(Value shaped, int64_t dim) {
  if (auto argument = dyn_cast<BlockArgument>(shaped))
    if (isa<FunctionOpInterface>(argument.getOwner()->getParentOp()))
      return leaf(argument, dim);
  Operation *op = shaped.getDefiningOp();
  Value result = op ? dimOfView(op, dim) : Value();
  if (!result && !failedAt)
    failedAt = op;
  return result;
}

Value ShapeResolver::product(Value shaped, ArrayRef<int64_t> dims) {
  Value product;
  for (int64_t dim : dims) {
    Value size = this->dim(shaped, dim);
    if (!size)
      return {};
    product = product ? arith::MulIOp::create(builder, shaped.getLoc(), product, size) : size;
  }
  return product;
}

OpFoldResult sizeOfSlice(ArrayRef<OpFoldResult> sizes, const llvm::SmallBitVector &dropped, int64_t dim) {
  int64_t position = -1;
  for (auto [i, size] : llvm::enumerate(sizes))
    if (!dropped.test(i) && ++position == dim)
      return size;
  return {};
}

StatedDim statedDim(Operation *op, int64_t dim) {
  if (isa<tensor::EmptyOp, tensor::GenerateOp, tensor::SplatOp, memref::AllocOp>(op)) {
    const unsigned first = isa<tensor::SplatOp>(op) ? 1 : 0;
    return {op->getOperand(first + cast<ShapedType>(op->getResult(0).getType()).getDynamicDimIndex(dim)), {}, {}};
  }
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    return {expand.getMixedOutputShape()[dim], {}, {}};
  if (auto expand = dyn_cast<memref::ExpandShapeOp>(op))
    return {expand.getMixedOutputShape()[dim], {}, {}};
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
    return {{}, collapse.getSrc(), llvm::to_vector(ArrayRef(collapse.getReassociationIndices()[dim]))};
  if (auto collapse = dyn_cast<memref::CollapseShapeOp>(op))
    return {{}, collapse.getSrc(), llvm::to_vector(ArrayRef(collapse.getReassociationIndices()[dim]))};
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    return {sizeOfSlice(slice.getMixedSizes(), slice.getDroppedDims(), dim), {}, {}};
  if (auto view = dyn_cast<memref::SubViewOp>(op))
    return {sizeOfSlice(view.getMixedSizes(), view.getDroppedDims(), dim), {}, {}};
  return {};
}

Value ShapeResolver::dimOfView(Operation *op, int64_t dim) {
  StatedDim stated = statedDim(op, dim);
  if (stated.size)
    return fold(stated.size);
  if (stated.source)
    return product(stated.source, stated.dims);
  if (auto pad = dyn_cast<tensor::PadOp>(op)) {
    Value low = fold(pad.getMixedLowPad()[dim]), high = fold(pad.getMixedHighPad()[dim]), size = this->dim(pad.getSource(), dim);
    if (!low || !high || !size)
      return {};
    Value sum = arith::AddIOp::create(builder, op->getLoc(), low, size);
    return arith::AddIOp::create(builder, op->getLoc(), sum, high);
  }
  if (auto reshape = dyn_cast<tensor::ReshapeOp>(op)) {
    Value size = element(reshape.getShape(), {constant(op->getLoc(), dim)});
    if (!size || size.getType().isIndex())
      return size;
    return arith::IndexCastOp::create(builder, op->getLoc(), builder.getIndexType(), size);
  }
  return {};
}

Value ShapeResolver::element(Value tensor, ArrayRef<Value> indices) {
  auto type = cast<ShapedType>(tensor.getType());
  int64_t number = 0;
  for (auto [dim, index] : llvm::enumerate(indices)) {
    IntegerAttr value;
    if (type.isDynamicDim(dim) || !matchPattern(index, m_Constant(&value)) || value.getInt() < 0 || value.getInt() >= type.getDimSize(dim))
      return {};
    number = number * type.getDimSize(dim) + value.getInt();
  }
  return element(tensor, number);
}

Value ShapeResolver::element(Value tensor, int64_t number) {
  auto found = elements.find({tensor, number});
  if (found != elements.end())
    return found->second;
  ++elementDepth;
  Value result = elementDepth > longestChain ? Value() : computeElement(tensor, number);
  --elementDepth;
  if (result)
    scalars[result] = result;
  elements[{tensor, number}] = result;
  return result;
}

/// One element of a small tensor that is made from scalars, as shapes are, or computed from such tensors one by one (a capacity: Ceil of a float).
Value ShapeResolver::computeElement(Value tensor, int64_t number) {
  auto type = cast<ShapedType>(tensor.getType());
  if (!type.hasStaticShape())
    return {};
  if (auto argument = dyn_cast<BlockArgument>(tensor))
    return isa<FunctionOpInterface>(argument.getOwner()->getParentOp()) && mayDecideSizes(type) ? elementLeaf(argument, number) : Value();
  Operation *op = tensor.getDefiningOp();
  if (auto elements = dyn_cast<tensor::FromElementsOp>(op))
    return scalar(elements.getElements()[number]);
  if (isa<tensor::CastOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op))
    return element(op->getOperand(0), number);
  if (auto fill = dyn_cast<linalg::FillOp>(op))
    return scalar(fill.getInputs().front());
  if (isa<linalg::GenericOp>(op))
    return elementOfGeneric(op, cast<OpResult>(tensor).getResultNumber(), number);
  DenseElementsAttr dense;
  if (!matchPattern(tensor, m_Constant(&dense)) || !dense.getElementType().isIntOrIndexOrFloat())
    return {};
  return arith::ConstantOp::create(builder, tensor.getLoc(), cast<TypedAttr>(*(dense.getValues<Attribute>().begin() + number)));
}

/// An element of what is computed element by element, from the elements that it reads.
Value ShapeResolver::elementOfGeneric(Operation *op, unsigned result, int64_t number) {
  auto generic = cast<linalg::GenericOp>(op);
  AffineMap place = generic.getIndexingMapMatchingResult(generic->getOpResult(result));
  if (generic.getNumParallelLoops() != generic.getNumLoops() || !place.isPermutation())
    return {};
  SmallVector<int64_t> loops(generic.getNumLoops());
  auto shape = cast<ShapedType>(generic.getResult(result).getType()).getShape();
  for (int64_t dim = static_cast<int64_t>(shape.size()) - 1; dim >= 0; --dim) {
    loops[place.getDimPosition(dim)] = number % shape[dim];
    number /= shape[dim];
  }
  IRMapping mapping;
  for (OpOperand *input : generic.getDpsInputOperands()) {
    BlockArgument argument = generic.getMatchingBlockArgument(input);
    auto type = dyn_cast<ShapedType>(input->get().getType());
    if (argument.use_empty())
      continue;
    int64_t position = 0;
    AffineMap map = generic.getMatchingIndexingMap(input);
    if (type && !type.hasStaticShape())
      return {};
    for (auto [expr, size] : llvm::zip_equal(map.getResults(), type ? type.getShape() : ArrayRef<int64_t>())) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      auto constant = dyn_cast<AffineConstantExpr>(expr);
      if (!dim && !constant)
        return {};
      position = position * size + (dim ? loops[dim.getPosition()] : constant.getValue());
    }
    Value value = type ? element(input->get(), position) : scalar(input->get());
    if (!value)
      return {};
    mapping.map(argument, value);
  }
  for (Operation &inner : generic.getBody()->without_terminator()) {
    if (auto index = dyn_cast<linalg::IndexOp>(inner))
      mapping.map(index.getResult(), constant(inner.getLoc(), loops[index.getDim()]));
    else if (!cloneScalar(&inner, mapping))
      return {};
  }
  Value yielded = generic.getBody()->getTerminator()->getOperand(result);
  return mapping.contains(yielded) ? mapping.lookup(yielded) : scalar(yielded);
}

/// Clones an op of arithmetic on scalars; operands that `mapping` lacks are recomputed. Null where `op` is something else.
Value ShapeResolver::cloneScalar(Operation *op, IRMapping &mapping) {
  if (op->getNumRegions() != 0 || !isMemoryEffectFree(op) ||
      !isa_and_nonnull<arith::ArithDialect, affine::AffineDialect, math::MathDialect>(op->getDialect()))
    return {};
  IRMapping operands;
  for (Value operand : op->getOperands()) {
    Value mapped = mapping.contains(operand) ? mapping.lookup(operand) : scalar(operand);
    if (!mapped)
      return {};
    operands.map(operand, mapped);
  }
  // A size of zero may divide (an inferred dim of an empty tensor): x/0 would trap, and 0/1 is the size that is meant.
  if (isa<arith::DivSIOp, arith::DivUIOp, arith::CeilDivSIOp, arith::CeilDivUIOp, arith::FloorDivSIOp, arith::RemSIOp, arith::RemUIOp>(op))
    operands.map(op->getOperand(1), nonZero(op->getLoc(), operands.lookup(op->getOperand(1))));
  Operation *clone = builder.clone(*op, operands);
  for (auto [from, to] : llvm::zip_equal(op->getResults(), clone->getResults()))
    mapping.map(from, to);
  return clone->getResult(0);
}

Value ShapeResolver::scalar(Value value) {
  auto found = scalars.find(value);
  if (found != scalars.end())
    return found->second;
  Value result = computeScalar(value);
  // The answer is its own answer: where it has become an operand of the program, it is not computed again.
  if (result)
    scalars[result] = result;
  scalars[value] = result;
  return result;
}

Value ShapeResolver::computeScalar(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return {};
  if (isa<tensor::DimOp, memref::DimOp>(op)) {
    IntegerAttr index;
    if (matchPattern(op->getOperand(1), m_Constant(&index)) && index.getInt() >= 0 &&
        index.getInt() < cast<ShapedType>(op->getOperand(0).getType()).getRank())
      return dim(op->getOperand(0), index.getInt());
  } else if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
    SmallVector<Value> indices(extract.getIndices());
    if (Value result = element(extract.getTensor(), indices))
      return result;
  } else if (auto load = dyn_cast<memref::LoadOp>(op); load && isa<BlockArgument>(load.getMemRef())) {
    SmallVector<Value> indices(load.getIndices());
    if (Value result = element(load.getMemRef(), indices))
      return result;
  } else {
    IRMapping mapping;
    if (cloneScalar(op, mapping))
      return mapping.lookup(value);
  }
  if (!failedAt)
    failedAt = op;
  return {};
}

} // namespace moe
