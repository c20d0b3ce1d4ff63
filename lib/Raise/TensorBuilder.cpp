// linalg, tensor and moe.concat ops from tensors with symbolic sizes.
#include "TensorBuilder.h"

#include "NarrowTypes.h"
#include "WeightViews.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;
using utils::IteratorType;

bool moe::isHalf(Type type) { return type.isF16() || type.isBF16(); }

Type moe::codeType(Type type) {
  if (isNarrow(type))
    return IntegerType::get(type.getContext(), 8);
  auto integer = dyn_cast<IntegerType>(type);
  return integer && !integer.isSignless() ? IntegerType::get(type.getContext(), integer.getWidth()) : type;
}

Type moe::accumulatorType(Type type) { return isHalf(type) ? Float32Type::get(type.getContext()) : type; }

bool moe::TensorBuilder::isOne(AffineExpr size) {
  auto constant = dyn_cast<AffineConstantExpr>(size);
  return constant && constant.getValue() == 1;
}

AffineExpr moe::TensorBuilder::product(ArrayRef<AffineExpr> dims) const {
  AffineExpr result = size(1);
  for (AffineExpr dim : dims)
    result = result * dim;
  return result;
}

Value moe::TensorBuilder::scalar(Type type, double value) {
  if (isa<FloatType>(type))
    return arith::ConstantOp::create(builder, loc, builder.getFloatAttr(type, value));
  return integer(type, static_cast<int64_t>(value));
}

Value moe::TensorBuilder::integer(Type type, int64_t value) {
  return arith::ConstantOp::create(builder, loc, builder.getIntegerAttr(type, value));
}

Value moe::TensorBuilder::sizeAs(AffineExpr size, Type type) {
  if (auto constant = dyn_cast<AffineConstantExpr>(size))
    return scalar(type, constant.getValue());
  Value number = arith::IndexCastOp::create(builder, loc, builder.getI64Type(), indexOf(size));
  return convertScalar(builder, loc, number, type);
}

RankedTensorType moe::TensorBuilder::type(ArrayRef<AffineExpr> dims, Type elementType) const {
  SmallVector<int64_t> shape;
  for (AffineExpr dim : dims) {
    auto constant = dyn_cast<AffineConstantExpr>(dim);
    shape.push_back(constant ? constant.getValue() : ShapedType::kDynamic);
  }
  return RankedTensorType::get(shape, elementType);
}

Value moe::TensorBuilder::empty(ArrayRef<AffineExpr> dims, Type elementType) {
  SmallVector<OpFoldResult> folded;
  for (AffineExpr dim : dims)
    folded.push_back(sizes.getFold(dim));
  return tensor::EmptyOp::create(builder, loc, folded, elementType);
}

moe::SizedTensor moe::TensorBuilder::filled(ArrayRef<AffineExpr> dims, Value scalar) {
  Value init = empty(dims, scalar.getType());
  auto fill = linalg::FillOp::create(builder, loc, ValueRange{scalar}, ValueRange{init});
  return {fill.getResult(0), llvm::to_vector(dims)};
}

moe::SizedTensor moe::TensorBuilder::zeros(ArrayRef<AffineExpr> dims, Type elementType) {
  return filled(dims, arith::ConstantOp::create(builder, loc, cast<TypedAttr>(builder.getZeroAttr(elementType))));
}

moe::SizedTensor moe::TensorBuilder::generic(ArrayRef<SizedTensor> inputs, ArrayRef<AffineMap> maps, ArrayRef<AffineExpr> dims,
                                             Type elementType, ScalarBody body) {
  SmallVector<Value> values;
  for (const SizedTensor &input : inputs)
    values.push_back(input.value);
  Value init = empty(dims, elementType);
  SmallVector<AffineMap> allMaps(maps);
  allMaps.push_back(builder.getMultiDimIdentityMap(dims.size()));
  SmallVector<IteratorType> iterators(dims.size(), IteratorType::parallel);
  auto op = linalg::GenericOp::create(builder, loc, init.getType(), values, init, allMaps, iterators,
                                      [&](OpBuilder &inner, Location innerLoc, ValueRange scalars) {
                                        linalg::YieldOp::create(inner, innerLoc, body(inner, innerLoc, scalars.drop_back()));
                                      });
  return {op.getResult(0), llvm::to_vector(dims)};
}

moe::SizedTensor moe::TensorBuilder::points(ArrayRef<SizedTensor> inputs, ArrayRef<AffineMap> maps, ArrayRef<AffineExpr> dims,
                                            Type elementType, PointBody body) {
  return generic(inputs, maps, dims, elementType, [&](OpBuilder &inner, Location innerLoc, ValueRange scalars) {
    SmallVector<Value> indices;
    for (unsigned dim = 0; dim < dims.size(); ++dim)
      indices.push_back(linalg::IndexOp::create(inner, innerLoc, dim));
    return body(inner, innerLoc, indices, scalars);
  });
}

AffineMap moe::TensorBuilder::broadcastMap(ArrayRef<AffineExpr> dims, ArrayRef<AffineExpr> resultDims) const {
  size_t lead = resultDims.size() - dims.size();
  SmallVector<AffineExpr> results;
  for (auto [i, dim] : llvm::enumerate(dims)) {
    bool repeated = isOne(dim) && !isOne(resultDims[lead + i]);
    results.push_back(repeated ? size(0) : getAffineDimExpr(lead + i, context()));
  }
  return AffineMap::get(resultDims.size(), 0, results, context());
}

SmallVector<AffineExpr> moe::TensorBuilder::broadcastDims(ArrayRef<AffineExpr> lhs, ArrayRef<AffineExpr> rhs) const {
  if (lhs.size() < rhs.size())
    std::swap(lhs, rhs);
  SmallVector<AffineExpr> result(lhs);
  size_t lead = lhs.size() - rhs.size();
  for (auto [i, dim] : llvm::enumerate(rhs))
    if (isOne(result[lead + i]) || (isa<AffineConstantExpr>(dim) && !isOne(dim)))
      result[lead + i] = dim;
  return result;
}

/// The one value that all elements of a constant tensor have, as an attribute.
static TypedAttr splatValue(Value value) {
  DenseElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)) || !elements.isSplat())
    return {};
  return dyn_cast<TypedAttr>(elements.getSplatValue<Attribute>());
}

/// Reads an element in the body of a generic.
using ReadPoint = std::function<Value(OpBuilder &, Location)>;

/// The entry argument behind casts, or null.
static BlockArgument argumentOf(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<tensor::CastOp, UnrealizedConversionCastOp>(op))
      return {};
    value = op->getOperand(0);
  }
  return cast<BlockArgument>(value);
}

/// Reads an input of the model some of whose dims may be 1 where the result's are not: there the index stays at 0. Null for all other values.
static ReadPoint readBroadcast(moe::TensorBuilder &t, const moe::SizedTensor &input, ArrayRef<AffineExpr> dims) {
  if (!argumentOf(input.value))
    return nullptr;
  const size_t lead = dims.size() - input.dims.size();
  SmallVector<Value> last(input.dims.size());
  bool any = false;
  for (auto [i, dim] : llvm::enumerate(input.dims))
    if (!moe::TensorBuilder::isOne(dim) && !t.equal(dim, dims[lead + i])) {
      last[i] = t.indexOf(dim - 1);
      any = true;
    }
  if (!any)
    return nullptr;
  AffineMap map = t.broadcastMap(input.dims, dims);
  return [=, value = input.value](OpBuilder &b, Location loc) -> Value {
    SmallVector<Value> from;
    for (auto [i, index] : llvm::enumerate(map.getResults())) {
      auto loop = dyn_cast<AffineDimExpr>(index);
      Value at = loop ? linalg::IndexOp::create(b, loc, loop.getPosition()).getResult() : arith::ConstantIndexOp::create(b, loc, 0).getResult();
      from.push_back(last[i] ? arith::MinSIOp::create(b, loc, at, last[i]).getResult() : at);
    }
    return tensor::ExtractOp::create(b, loc, value, from);
  };
}

moe::SizedTensor moe::TensorBuilder::elementwise(ArrayRef<SizedTensor> inputs, ArrayRef<AffineExpr> dims, Type elementType,
                                                 ScalarBody body) {
  // Each input is a constant of one value, or read by a body of its own, or an operand.
  struct Source {
    TypedAttr constant;
    ReadPoint reader;
  };
  SmallVector<SizedTensor> read;
  SmallVector<AffineMap> maps;
  SmallVector<Source> sources;
  for (const SizedTensor &input : inputs) {
    sources.push_back({splatValue(input.value), readBroadcast(*this, input, dims)});
    if (sources.back().constant || sources.back().reader)
      continue;
    read.push_back(input);
    maps.push_back(broadcastMap(input.dims, dims));
  }
  return generic(read, maps, dims, elementType, [&](OpBuilder &inner, Location innerLoc, ValueRange scalars) {
    SmallVector<Value> all;
    unsigned next = 0;
    for (const Source &source : sources)
      all.push_back(source.constant ? arith::ConstantOp::create(inner, innerLoc, source.constant).getResult()
                    : source.reader ? source.reader(inner, innerLoc)
                                    : scalars[next++]);
    return body(inner, innerLoc, all);
  });
}

moe::SizedTensor moe::TensorBuilder::reduce(const SizedTensor &input, ArrayRef<int64_t> axes, Value init, ScalarBody body) {
  SmallVector<AffineExpr> kept, dims;
  SmallVector<IteratorType> iterators(input.rank(), IteratorType::parallel);
  for (int64_t axis : axes)
    iterators[axis] = IteratorType::reduction;
  for (int64_t i = 0; i < input.rank(); ++i) {
    if (iterators[i] == IteratorType::reduction)
      continue;
    kept.push_back(getAffineDimExpr(i, context()));
    dims.push_back(input.dims[i]);
  }
  SizedTensor start = filled(dims, init);
  SmallVector<AffineMap> maps = {builder.getMultiDimIdentityMap(input.rank()), AffineMap::get(input.rank(), 0, kept, context())};
  auto op = linalg::GenericOp::create(
      builder, loc, start.value.getType(), input.value, start.value, maps, iterators,
      [&](OpBuilder &inner, Location innerLoc, ValueRange scalars) { linalg::YieldOp::create(inner, innerLoc, body(inner, innerLoc, scalars)); });
  return {op.getResult(0), dims};
}

moe::SizedTensor moe::TensorBuilder::contract(const SizedTensor &lhs, AffineMap lhsMap, const SizedTensor &rhs, AffineMap rhsMap,
                                              ArrayRef<AffineExpr> dims, AffineMap resultMap) {
  Type elementType = lhs.elementType();
  Type sumType = accumulatorType(elementType);
  SizedTensor start = zeros(dims, sumType);
  SmallVector<IteratorType> iterators(resultMap.getNumDims(), IteratorType::reduction);
  for (AffineExpr result : resultMap.getResults())
    iterators[cast<AffineDimExpr>(result).getPosition()] = IteratorType::parallel;
  auto op = linalg::GenericOp::create(
      builder, loc, start.value.getType(), ValueRange{lhs.value, rhs.value}, start.value, ArrayRef<AffineMap>{lhsMap, rhsMap, resultMap},
      iterators, [&](OpBuilder &inner, Location innerLoc, ValueRange scalars) {
        Value left = convertScalar(inner, innerLoc, scalars[0], sumType);
        Value right = convertScalar(inner, innerLoc, scalars[1], sumType);
        Value sum;
        if (isa<FloatType>(sumType)) {
          Value factor = arith::MulFOp::create(inner, innerLoc, left, right);
          sum = arith::AddFOp::create(inner, innerLoc, scalars[2], factor);
        } else {
          Value factor = arith::MulIOp::create(inner, innerLoc, left, right);
          sum = arith::AddIOp::create(inner, innerLoc, scalars[2], factor);
        }
        linalg::YieldOp::create(inner, innerLoc, sum);
      });
  return convert({op.getResult(0), llvm::to_vector(dims)}, elementType);
}

moe::SizedTensor moe::TensorBuilder::withDims(Value value, ArrayRef<AffineExpr> dims) {
  RankedTensorType wanted = type(dims, cast<RankedTensorType>(value.getType()).getElementType());
  if (value.getType() != wanted)
    value = tensor::CastOp::create(builder, loc, wanted, value);
  return {value, llvm::to_vector(dims)};
}

moe::SizedTensor moe::TensorBuilder::collapse(const SizedTensor &input, ArrayRef<ReassociationIndices> groups, ArrayRef<AffineExpr> dims) {
  auto natural = tensor::CollapseShapeOp::inferCollapsedType(cast<RankedTensorType>(input.value.getType()), SmallVector<ReassociationIndices>(groups));
  Value result = tensor::CollapseShapeOp::create(builder, loc, natural, input.value, groups);
  return withDims(result, dims);
}

moe::SizedTensor moe::TensorBuilder::expand(const SizedTensor &input, ArrayRef<ReassociationIndices> groups, ArrayRef<AffineExpr> dims) {
  // The op wants a source dim that is static exactly where all dims of its group are.
  SmallVector<AffineExpr> sourceDims;
  for (const ReassociationIndices &group : groups) {
    AffineExpr total = size(1);
    bool isStatic = true;
    for (int64_t dim : group) {
      total = total * dims[dim];
      isStatic &= isa<AffineConstantExpr>(dims[dim]);
    }
    // A product of a symbol and zero is the constant zero, which the op would refuse for a group with a dynamic dim.
    sourceDims.push_back(isStatic || !isa<AffineConstantExpr>(total) ? total : getAffineSymbolExpr(0, context()));
  }
  SizedTensor source = withDims(input.value, sourceDims);
  SmallVector<OpFoldResult> shape;
  for (AffineExpr dim : dims)
    shape.push_back(sizes.getFold(dim));
  Value result = tensor::ExpandShapeOp::create(builder, loc, type(dims, input.elementType()), source.value, groups, shape);
  return {result, llvm::to_vector(dims)};
}

namespace {
/// A run of input dims and a run of result dims with the same product.
struct ReshapeGroup {
  ReassociationIndices input, result;
};
} // namespace

/// Splits both shapes into runs of provably equal products, as short as possible; fails where they cannot be split so.
static FailureOr<SmallVector<ReshapeGroup>> groupDims(const moe::TensorBuilder &t, ArrayRef<AffineExpr> input, ArrayRef<AffineExpr> result) {
  SmallVector<ReshapeGroup> groups;
  size_t i = 0, k = 0;
  auto takeNext = [&]() {
    for (size_t total = 2; total <= (input.size() - i) + (result.size() - k); ++total)
      for (size_t taken = 1; taken < total; ++taken) {
        size_t made = total - taken;
        if (taken > input.size() - i || made > result.size() - k)
          continue;
        if (!t.equal(t.product(input.slice(i, taken)), t.product(result.slice(k, made))))
          continue;
        ReshapeGroup group;
        for (size_t end = i + taken; i < end; ++i)
          group.input.push_back(i);
        for (size_t end = k + made; k < end; ++k)
          group.result.push_back(k);
        groups.push_back(group);
        return true;
      }
    return false;
  };
  while (i < input.size() && k < result.size())
    if (!takeNext())
      return failure();
  // What is left over are dims of size 1; they join the last run. Without a run the other side has no dims at all.
  for (; i < input.size(); ++i) {
    if (!moe::TensorBuilder::isOne(input[i]))
      return failure();
    if (!groups.empty())
      groups.back().input.push_back(i);
  }
  for (; k < result.size(); ++k) {
    if (!moe::TensorBuilder::isOne(result[k]))
      return failure();
    if (!groups.empty())
      groups.back().result.push_back(k);
  }
  return groups;
}

moe::SizedTensor moe::TensorBuilder::reshape(const SizedTensor &input, ArrayRef<AffineExpr> dims) {
  RankedTensorType wanted = type(dims, input.elementType());
  if (ArrayRef<AffineExpr>(input.dims) == dims)
    return withDims(input.value, dims);
  DenseElementsAttr elements;
  if (matchPattern(input.value, m_Constant(&elements)) && wanted.hasStaticShape() && elements.getNumElements() == wanted.getNumElements())
    return {arith::ConstantOp::create(builder, loc, elements.reshape(wanted)), llvm::to_vector(dims)};
  // Without elements there is nothing to carry over, and the ops' rules on static dims do not hold for products with 0.
  auto isZero = [](AffineExpr dim) {
    auto constant = dyn_cast<AffineConstantExpr>(dim);
    return constant && constant.getValue() == 0;
  };
  if (llvm::any_of(input.dims, isZero) || llvm::any_of(dims, isZero))
    return {empty(dims, input.elementType()), llvm::to_vector(dims)};
  if (Value view = viewWeight(builder, input.value, wanted))
    return {view, llvm::to_vector(dims)};

  SizedTensor origin = sizes.reshapedFrom(input.value);
  if (!origin)
    origin = input;
  SizedTensor result = ArrayRef<AffineExpr>(origin.dims) == dims ? withDims(origin.value, dims) : regroup(origin, dims);
  if (result.value != origin.value)
    sizes.setReshapedFrom(result.value, origin);
  return result;
}

moe::SizedTensor moe::TensorBuilder::regroup(const SizedTensor &input, ArrayRef<AffineExpr> dims) {
  FailureOr<SmallVector<ReshapeGroup>> groups = groupDims(*this, input.dims, dims);
  if (failed(groups)) {
    // One run of everything; inference has taken the products as equal.
    ReshapeGroup all;
    all.input = llvm::to_vector<2>(llvm::seq<int64_t>(0, input.dims.size()));
    all.result = llvm::to_vector<2>(llvm::seq<int64_t>(0, dims.size()));
    groups = SmallVector<ReshapeGroup>{all};
  }
  SmallVector<ReassociationIndices> collapsed, expanded;
  SmallVector<AffineExpr> middle;
  for (const ReshapeGroup &group : *groups) {
    collapsed.push_back(group.input);
    expanded.push_back(group.result);
    SmallVector<AffineExpr> made;
    for (int64_t dim : group.result)
      made.push_back(dims[dim]);
    middle.push_back(group.input.size() == 1 ? input.dims[group.input.front()] : product(made));
  }
  SizedTensor result = input;
  if (middle.size() != input.dims.size())
    result = collapse(result, collapsed, middle);
  if (middle.size() != dims.size())
    result = expand(result, expanded, dims);
  return withDims(result.value, dims);
}

moe::SizedTensor moe::TensorBuilder::transpose(const SizedTensor &input, ArrayRef<int64_t> permutation) {
  SmallVector<AffineExpr> dims, read(permutation.size());
  SmallVector<int64_t> order; // of the dims that are not 1
  for (auto [to, from] : llvm::enumerate(permutation)) {
    dims.push_back(input.dims[from]);
    read[from] = getAffineDimExpr(to, context());
    if (!isOne(input.dims[from]))
      order.push_back(from);
  }
  if (llvm::is_sorted(order)) // only dims of size 1 move: the elements stay where they are
    return reshape(input, dims);
  return generic(input, AffineMap::get(dims.size(), 0, read, context()), dims, input.elementType(),
                 [](OpBuilder &, Location, ValueRange scalars) { return scalars[0]; });
}

moe::SizedTensor moe::TensorBuilder::broadcast(const SizedTensor &input, ArrayRef<AffineExpr> dims) {
  if (ArrayRef<AffineExpr>(input.dims) == dims)
    return input;
  return elementwise(input, dims, input.elementType(), [](OpBuilder &, Location, ValueRange scalars) { return scalars[0]; });
}

moe::SizedTensor moe::TensorBuilder::concat(ArrayRef<SizedTensor> inputs, int64_t axis, ArrayRef<AffineExpr> dims) {
  SmallVector<Value> values;
  for (const SizedTensor &input : inputs)
    values.push_back(input.value);
  Value init = empty(dims, inputs.front().elementType());
  auto op = ConcatOp::create(builder, loc, TypeRange{init.getType()}, values, init, axis);
  return {op.getResult(0), llvm::to_vector(dims)};
}

moe::SizedTensor moe::TensorBuilder::slice(const SizedTensor &input, ArrayRef<OpFoldResult> offsets, ArrayRef<AffineExpr> dims,
                                           ArrayRef<int64_t> steps) {
  RankedTensorType sliceType = type(dims, input.elementType());
  if (sliceType.hasStaticShape() && sliceType.getNumElements() == 0) // an offset at the end would be refused
    return {empty(dims, input.elementType()), llvm::to_vector(dims)};
  SmallVector<OpFoldResult> folded, strides;
  for (AffineExpr dim : dims)
    folded.push_back(sizes.getFold(dim));
  for (int64_t step : steps)
    strides.push_back(builder.getIndexAttr(step));
  Value result = tensor::ExtractSliceOp::create(builder, loc, sliceType, input.value, offsets, folded, strides);
  return {result, llvm::to_vector(dims)};
}

moe::SizedTensor moe::TensorBuilder::convert(const SizedTensor &input, Type elementType, bool isUnsigned) {
  if (input.elementType() == codeType(elementType))
    return input;
  return elementwise(input, input.dims, codeType(elementType), [&](OpBuilder &inner, Location innerLoc, ValueRange scalars) {
    return convertScalar(inner, innerLoc, scalars[0], elementType, isUnsigned);
  });
}

moe::SizedTensor moe::TensorBuilder::softmax(const SizedTensor &input, int64_t axis, bool emptyRowsAreZero) {
  Type elementType = input.elementType(), wide = accumulatorType(elementType);
  Value lowest = scalar(wide, -std::numeric_limits<double>::infinity());
  SizedTensor greatest = reduce(input, axis, lowest, [&](OpBuilder &b, Location l, ValueRange in) -> Value {
    return arith::MaximumFOp::create(b, l, in[1], convertScalar(b, l, in[0], wide));
  });
  AffineMap identity = builder.getMultiDimIdentityMap(input.rank());
  AffineMap outer = identity.dropResult(axis);
  SizedTensor powers = generic({input, greatest}, {identity, outer}, input.dims, wide, [&](OpBuilder &b, Location l, ValueRange in) -> Value {
    Value shift = in[1];
    if (emptyRowsAreZero) { // −∞ − −∞ would be NaN
      Value bottom = arith::ConstantOp::create(b, l, b.getFloatAttr(wide, -std::numeric_limits<double>::infinity()));
      Value isEmpty = arith::CmpFOp::create(b, l, arith::CmpFPredicate::OEQ, shift, bottom);
      shift = arith::SelectOp::create(b, l, isEmpty, arith::ConstantOp::create(b, l, b.getFloatAttr(wide, 0)), shift);
    }
    return math::ExpOp::create(b, l, arith::SubFOp::create(b, l, convertScalar(b, l, in[0], wide), shift));
  });
  SizedTensor sum = reduce(powers, axis, scalar(wide, 0), [&](OpBuilder &b, Location l, ValueRange in) -> Value {
    return arith::AddFOp::create(b, l, in[1], in[0]);
  });
  return generic({powers, sum}, {identity, outer}, input.dims, elementType, [&](OpBuilder &b, Location l, ValueRange in) {
    Value divisor = in[1];
    if (emptyRowsAreZero) {
      Value isEmpty = arith::CmpFOp::create(b, l, arith::CmpFPredicate::OEQ, divisor, arith::ConstantOp::create(b, l, b.getFloatAttr(wide, 0)));
      divisor = arith::SelectOp::create(b, l, isEmpty, arith::ConstantOp::create(b, l, b.getFloatAttr(wide, 1)), divisor);
    }
    return convertScalar(b, l, arith::DivFOp::create(b, l, in[0], divisor), elementType);
  });
}

SmallVector<AffineExpr> moe::TensorBuilder::dropDims(ArrayRef<AffineExpr> dims, ArrayRef<int64_t> axes) const {
  SmallVector<AffineExpr> result;
  for (auto [i, dim] : llvm::enumerate(dims))
    if (!llvm::is_contained(axes, static_cast<int64_t>(i)))
      result.push_back(dim);
  return result;
}

SmallVector<AffineExpr> moe::TensorBuilder::unitDims(ArrayRef<AffineExpr> dims, ArrayRef<int64_t> axes) const {
  SmallVector<AffineExpr> result(dims);
  for (int64_t axis : axes)
    result[axis] = size(1);
  return result;
}
