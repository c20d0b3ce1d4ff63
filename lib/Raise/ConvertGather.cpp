// Gather, GatherElements, GatherND, ScatterElements, ScatterND. A gather reads its data element by element inside one parallel generic, so a
// stored table is never copied. A scatter runs over the updates as a reduction of every result element: what ONNX says of updates in order
// holds, and no two points write the same place.
#include "NumberRange.h"
#include "OnnxConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using moe::NodeConverter;
using moe::SizedTensor;
using moe::TensorBuilder;
using utils::IteratorType;

namespace {

/// An ONNX index as index value: negative ones count from the end.
Value countedIndex(OpBuilder &b, Location loc, Value index, Value dim, Value zero) {
  Value number = arith::IndexCastOp::create(b, loc, b.getIndexType(), index);
  Value fromEnd = arith::AddIOp::create(b, loc, number, dim);
  Value isNegative = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, number, zero);
  return arith::SelectOp::create(b, loc, isNegative, fromEnd, number);
}

/// The same kept inside the dim: what is out of range is a fault of the run, and must not read other memory before that is told.
Value safeIndex(OpBuilder &b, Location loc, Value index, Value dim, Value zero, Value one) {
  Value number = countedIndex(b, loc, index, dim, zero);
  Value last = arith::SubIOp::create(b, loc, dim, one);
  Value capped = arith::MinSIOp::create(b, loc, number, last);
  return arith::MaxSIOp::create(b, loc, capped, zero);
}

LogicalResult requireInteger(NodeConverter &node, const SizedTensor &indices) {
  if (isa<IntegerType>(indices.elementType()) && !indices.elementType().isInteger(1))
    return success();
  return node.error() << "has indices of type " << indices.elementType() << ", expected i32 or i64";
}

/// The map of `loops` loops that reads a tensor at loops first, first + 1, ….
AffineMap rangeMap(MLIRContext *context, unsigned loops, unsigned first, unsigned count) {
  SmallVector<AffineExpr> results;
  for (unsigned i = first; i < first + count; ++i)
    results.push_back(getAffineDimExpr(i, context));
  return AffineMap::get(loops, 0, results, context);
}

//===-- Gathers -----------------------------------------------------------===//

/// One row known at compile time, or as a function of the input dims: a slice.
std::optional<SizedTensor> gatherAsSlice(NodeConverter &node, const SizedTensor &data, int64_t axis) {
  auto known = node.contents(1);
  if (!known || known->size() != 1)
    return std::nullopt;
  auto constant = dyn_cast<AffineConstantExpr>(known->front());
  auto dim = dyn_cast<AffineConstantExpr>(data.dims[axis]);
  if (!constant || !dim || constant.getValue() < -dim.getValue() || constant.getValue() >= dim.getValue())
    return std::nullopt;
  int64_t row = constant.getValue() < 0 ? constant.getValue() + dim.getValue() : constant.getValue();
  SmallVector<OpFoldResult> offsets(data.rank(), node.t.builder.getIndexAttr(0));
  offsets[axis] = node.t.builder.getIndexAttr(row);
  SizedTensor slice = node.t.slice(data, offsets, node.t.unitDims(data.dims, axis), SmallVector<int64_t>(data.rank(), 1));
  return node.t.reshape(slice, node.resultDims());
}

LogicalResult convertGather(NodeConverter &node) {
  SizedTensor data = node.input(0);
  if (!data)
    return failure();
  FailureOr<int64_t> axis = node.axis(node.getInt("axis", 0), data.rank());
  if (failed(axis))
    return failure();
  if (auto slice = gatherAsSlice(node, data, *axis))
    return node.finish(*slice);
  SizedTensor indices = node.input(1);
  if (!indices || failed(requireInteger(node, indices)) || failed(node.requireIndices(1, indices, data.dims[*axis])))
    return failure();
  TensorBuilder &t = node.t;
  SmallVector<AffineExpr> dims = node.resultDims();
  AffineMap map = rangeMap(t.context(), dims.size(), *axis, indices.rank());
  t.requireIndexable(data.dims[*axis], indices.dims);
  Value dim = t.indexOf(data.dims[*axis]), zero = t.indexConstant(0), one = t.indexConstant(1);
  return node.finish(t.points(indices, map, dims, data.elementType(), [&](OpBuilder &b, Location loc, ValueRange at, ValueRange in) -> Value {
    SmallVector<Value> from(at.take_front(*axis));
    from.push_back(safeIndex(b, loc, in[0], dim, zero, one));
    llvm::append_range(from, at.drop_front(*axis + indices.rank()));
    return tensor::ExtractOp::create(b, loc, data.value, from);
  }));
}

LogicalResult convertGatherElements(NodeConverter &node) {
  SizedTensor data = node.input(0), indices = node.input(1);
  if (!data || !indices || failed(requireInteger(node, indices)))
    return failure();
  FailureOr<int64_t> axis = node.axis(node.getInt("axis", 0), data.rank());
  if (failed(axis))
    return failure();
  if (indices.rank() != data.rank())
    return node.error() << "has indices of " << indices.rank() << " dims, expected " << data.rank();
  if (failed(node.requireIndices(1, indices, data.dims[*axis])))
    return failure();
  TensorBuilder &t = node.t;
  Value dim = t.indexOf(data.dims[*axis]), zero = t.indexConstant(0), one = t.indexConstant(1);
  AffineMap identity = t.builder.getMultiDimIdentityMap(data.rank());
  t.requireIndexable(data.dims[*axis], indices.dims);
  return node.finish(t.points(indices, identity, indices.dims, data.elementType(), [&](OpBuilder &b, Location loc, ValueRange at, ValueRange in) -> Value {
    SmallVector<Value> from(at);
    from[*axis] = safeIndex(b, loc, in[0], dim, zero, one);
    return tensor::ExtractOp::create(b, loc, data.value, from);
  }));
}

/// The static last dim of the indices of GatherND and ScatterND: how many dims of the data one index names.
FailureOr<int64_t> indexDepth(NodeConverter &node, const SizedTensor &indices, int64_t most) {
  auto depth = indices.rank() > 0 ? dyn_cast<AffineConstantExpr>(indices.dims.back()) : AffineConstantExpr();
  if (!depth || depth.getValue() < 0 || depth.getValue() > most)
    return node.error() << "has indices whose last dim is not a constant from 0 to " << most;
  return depth.getValue();
}

/// The parts of an index, each [Q...] where the indices are [Q..., depth]: the inputs of the Concat that joined them, which then need not be
/// made, or none where the indices are no such Concat.
FailureOr<SmallVector<SizedTensor>> indexParts(NodeConverter &node, const SizedTensor &indices, int64_t depth) {
  SmallVector<SizedTensor> parts;
  auto concat = node.op.getInputs()[1].getDefiningOp<moe::OnnxOp>();
  if (!concat || concat.getOpType() != "Concat" || concat.getInputs().size() != static_cast<size_t>(depth))
    return parts;
  auto axis = dyn_cast_or_null<IntegerAttr>(concat.getNodeAttributes().get("axis"));
  if (!axis || (axis.getInt() != -1 && axis.getInt() != indices.rank() - 1))
    return parts;
  for (Value input : concat.getInputs()) {
    FailureOr<SizedTensor> part = node.tensor(input);
    if (failed(part))
      return failure();
    if (!TensorBuilder::isOne(part->dims.back()))
      return SmallVector<SizedTensor>();
    parts.push_back(node.t.reshape(*part, ArrayRef<AffineExpr>(part->dims).drop_back()));
  }
  return parts;
}

/// Part `i` of all indices, [Q...] where they are [Q..., depth].
SizedTensor indexPart(TensorBuilder &t, const SizedTensor &indices, int64_t i) {
  SmallVector<OpFoldResult> offsets(indices.rank(), t.builder.getIndexAttr(0));
  offsets.back() = t.builder.getIndexAttr(i);
  SmallVector<int64_t> last = {indices.rank() - 1};
  SizedTensor part = t.slice(indices, offsets, t.unitDims(indices.dims, last), SmallVector<int64_t>(indices.rank(), 1));
  return t.reshape(part, ArrayRef<AffineExpr>(indices.dims).drop_back());
}

/// Each part of the indices must be in its own dim of those in `sizes`. `partOf` gives a part as a tensor; `isJoined` where the parts are the inputs of
/// the Concat that made the indices.
LogicalResult requireParts(NodeConverter &node, const SizedTensor &indices, ArrayRef<AffineExpr> sizes, bool isJoined,
                           llvm::function_ref<SizedTensor(int64_t)> partOf) {
  if (!isJoined && llvm::all_equal(sizes))
    return sizes.empty() ? success() : node.requireIndices(1, indices, sizes.front());
  std::optional<SmallVector<int64_t>> known = node.constants(1);
  for (auto [i, size] : llvm::enumerate(sizes)) {
    auto constant = dyn_cast<AffineConstantExpr>(size);
    if (known && constant) {
      for (size_t at = i; at < known->size(); at += sizes.size())
        if ((*known)[at] < -constant.getValue() || (*known)[at] >= constant.getValue())
          return node.error() << "has an index " << (*known)[at] << " (element " << at << "), expected " << -constant.getValue() << " to " << constant.getValue() - 1;
      continue;
    }
    const std::string what = ("part " + Twine(i) + " of an index").str();
    if (isJoined) {
      if (failed(node.requireWithin(node.op.getInputs()[1].getDefiningOp<moe::OnnxOp>().getInputs()[i], partOf(i), -size, size, what)))
        return failure();
    } else if (!moe::isProvenWithin(node.t.inference, node.op.getInputs()[1], -size, size)) {
      node.requireWithin(partOf(i), -size, size, what);
    }
  }
  return success();
}

LogicalResult convertGatherND(NodeConverter &node) {
  SizedTensor data = node.input(0), indices = node.input(1);
  if (!data || !indices || failed(requireInteger(node, indices)))
    return failure();
  int64_t batch = node.getInt("batch_dims", 0);
  if (batch < 0 || batch >= std::min(data.rank(), indices.rank()))
    return node.error() << "has batch_dims " << batch << ", expected 0 to " << std::min(data.rank(), indices.rank()) - 1;
  FailureOr<int64_t> depth = indexDepth(node, indices, data.rank() - batch);
  if (failed(depth))
    return failure();
  FailureOr<SmallVector<SizedTensor>> parts = indexParts(node, indices, *depth);
  if (failed(parts))
    return failure();
  TensorBuilder &t = node.t;
  auto partOf = [&](int64_t i) { return parts->empty() ? indexPart(t, indices, i) : (*parts)[i]; };
  if (failed(requireParts(node, indices, ArrayRef<AffineExpr>(data.dims).slice(batch, *depth), !parts->empty(), partOf)))
    return failure();
  int64_t outer = indices.rank() - 1;
  SmallVector<AffineExpr> dims = node.resultDims();
  Value zero = t.indexConstant(0), one = t.indexConstant(1);
  SmallVector<Value> sizes, places;
  for (int64_t i = 0; i < *depth; ++i) {
    sizes.push_back(t.indexOf(data.dims[batch + i]));
    t.requireIndexable(data.dims[batch + i], ArrayRef<AffineExpr>(indices.dims).drop_back());
    places.push_back(t.indexConstant(i));
  }
  SmallVector<AffineMap> maps(parts->size(), rangeMap(t.context(), dims.size(), 0, outer));
  return node.finish(t.points(*parts, maps, dims, data.elementType(), [&](OpBuilder &b, Location loc, ValueRange at, ValueRange in) -> Value {
    SmallVector<Value> from(at.take_front(batch));
    for (int64_t i = 0; i < *depth; ++i) {
      Value index;
      if (in.empty()) {
        SmallVector<Value> place(at.take_front(outer));
        place.push_back(places[i]);
        index = tensor::ExtractOp::create(b, loc, indices.value, place);
      } else {
        index = in[i];
      }
      from.push_back(safeIndex(b, loc, index, sizes[i], zero, one));
    }
    llvm::append_range(from, at.drop_front(outer));
    return tensor::ExtractOp::create(b, loc, data.value, from);
  }));
}

//===-- Scatters ----------------------------------------------------------===//

/// MaxUnsigned and MinUnsigned are Max and Min of integers without a sign.
enum class Update { Replace, Add, Multiply, Max, Min, MaxUnsigned, MinUnsigned };

FailureOr<Update> updateOf(NodeConverter &node, Type type) {
  StringRef name = node.getString("reduction", "none");
  std::optional<Update> update = llvm::StringSwitch<std::optional<Update>>(name)
                                     .Case("none", Update::Replace)
                                     .Case("add", Update::Add)
                                     .Case("mul", Update::Multiply)
                                     .Case("max", Update::Max)
                                     .Case("min", Update::Min)
                                     .Default(std::nullopt);
  if (!update)
    return node.error() << "has reduction '" << name << "', expected none, add, mul, max or min";
  if (*update != Update::Replace && type.isInteger(1))
    return node.error() << "has reduction '" << name << "' on elements of type " << type;
  if (node.isUnsigned(0))
    return *update == Update::Max ? Update::MaxUnsigned : *update == Update::Min ? Update::MinUnsigned : *update;
  return *update;
}

Value applyUpdate(OpBuilder &b, Location loc, Update update, Value old, Value by) {
  bool isFloat = isa<FloatType>(old.getType());
  switch (update) {
  case Update::Replace:
    return by;
  case Update::Add:
    return isFloat ? arith::AddFOp::create(b, loc, old, by).getResult() : arith::AddIOp::create(b, loc, old, by).getResult();
  case Update::Multiply:
    return isFloat ? arith::MulFOp::create(b, loc, old, by).getResult() : arith::MulIOp::create(b, loc, old, by).getResult();
  case Update::Max:
    return isFloat ? arith::MaximumFOp::create(b, loc, old, by).getResult() : arith::MaxSIOp::create(b, loc, old, by).getResult();
  case Update::Min:
    return isFloat ? arith::MinimumFOp::create(b, loc, old, by).getResult() : arith::MinSIOp::create(b, loc, old, by).getResult();
  case Update::MaxUnsigned:
    return arith::MaxUIOp::create(b, loc, old, by);
  case Update::MinUnsigned:
    return arith::MinUIOp::create(b, loc, old, by);
  }
  llvm_unreachable("all updates are handled");
}

/// A generic over the points of `data` and, as reductions, the updates: body(scalars of the inputs, element so far).
SizedTensor scatter(TensorBuilder &t, const SizedTensor &data, ArrayRef<SizedTensor> inputs, ArrayRef<AffineMap> maps, unsigned loops, moe::ScalarBody body) {
  SmallVector<Value> values;
  for (const SizedTensor &input : inputs)
    values.push_back(input.value);
  SmallVector<AffineMap> all(maps);
  all.push_back(rangeMap(t.context(), loops, 0, data.rank()));
  SmallVector<IteratorType> iterators(loops, IteratorType::reduction);
  std::fill_n(iterators.begin(), data.rank(), IteratorType::parallel);
  auto op = linalg::GenericOp::create(
      t.builder, t.loc, data.value.getType(), values, data.value, all, iterators,
      [&](OpBuilder &b, Location loc, ValueRange scalars) { linalg::YieldOp::create(b, loc, body(b, loc, scalars)); });
  return {op.getResult(0), data.dims};
}

LogicalResult convertScatterElements(NodeConverter &node) {
  SizedTensor data = node.input(0), indices = node.input(1), updates = node.input(2);
  if (!data || !indices || !updates || failed(requireInteger(node, indices)))
    return failure();
  FailureOr<int64_t> axis = node.axis(node.getInt("axis", 0), data.rank());
  FailureOr<Update> update = updateOf(node, data.elementType());
  if (failed(axis) || failed(update))
    return failure();
  if (indices.rank() != data.rank() || updates.rank() != data.rank())
    return node.error() << "has indices of " << indices.rank() << " and updates of " << updates.rank() << " dims, expected " << data.rank();
  TensorBuilder &t = node.t;
  for (int64_t i = 0; i < data.rank(); ++i)
    if (i != *axis && !t.equal(indices.dims[i], data.dims[i]))
      return node.error() << "has indices that cover only a part of dim " << i << ", which is not supported yet";
  if (failed(node.requireIndices(1, indices, data.dims[*axis])))
    return failure();
  unsigned loops = data.rank() + 1;
  SmallVector<AffineExpr> read;
  for (int64_t i = 0; i < data.rank(); ++i)
    read.push_back(getAffineDimExpr(i == *axis ? data.rank() : i, t.context()));
  AffineMap map = AffineMap::get(loops, 0, read, t.context());
  Value dim = t.indexOf(data.dims[*axis]), zero = t.indexConstant(0);
  return node.finish(scatter(t, data, {indices, updates}, {map, map}, loops, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    Value here = linalg::IndexOp::create(b, loc, *axis);
    Value there = countedIndex(b, loc, in[0], dim, zero);
    Value matches = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, here, there);
    return arith::SelectOp::create(b, loc, matches, applyUpdate(b, loc, *update, in[2], in[1]), in[2]);
  }));
}

LogicalResult convertScatterND(NodeConverter &node) {
  SizedTensor data = node.input(0), indices = node.input(1), updates = node.input(2);
  if (!data || !indices || !updates || failed(requireInteger(node, indices)))
    return failure();
  FailureOr<int64_t> depth = indexDepth(node, indices, data.rank());
  FailureOr<Update> update = updateOf(node, data.elementType());
  if (failed(depth) || failed(update))
    return failure();
  TensorBuilder &t = node.t;
  int64_t outer = indices.rank() - 1, rank = data.rank();
  if (updates.rank() != outer + rank - *depth)
    return node.error() << "has updates of " << updates.rank() << " dims, expected " << outer + rank - *depth;
  unsigned loops = rank + outer;
  // One input per part of the index, each with its own last coordinate.
  SmallVector<SizedTensor> inputs;
  SmallVector<AffineMap> maps;
  SmallVector<Value> dims;
  for (int64_t i = 0; i < *depth; ++i) {
    inputs.push_back(indexPart(t, indices, i));
    maps.push_back(rangeMap(t.context(), loops, rank, outer));
    dims.push_back(t.indexOf(data.dims[i]));
  }
  if (failed(requireParts(node, indices, ArrayRef<AffineExpr>(data.dims).take_front(*depth), /*isJoined=*/false, [&](int64_t i) { return inputs[i]; })))
    return failure();
  SmallVector<AffineExpr> read;
  for (int64_t i = 0; i < outer; ++i)
    read.push_back(getAffineDimExpr(rank + i, t.context()));
  for (int64_t i = *depth; i < rank; ++i)
    read.push_back(getAffineDimExpr(i, t.context()));
  inputs.push_back(updates);
  maps.push_back(AffineMap::get(loops, 0, read, t.context()));
  Value zero = t.indexConstant(0);
  return node.finish(scatter(t, data, inputs, maps, loops, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    Value changed = applyUpdate(b, loc, *update, in.back(), in[*depth]);
    Value matches;
    for (int64_t i = 0; i < *depth; ++i) {
      Value here = linalg::IndexOp::create(b, loc, i);
      Value same = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, here, countedIndex(b, loc, in[i], dims[i], zero));
      matches = matches ? arith::AndIOp::create(b, loc, matches, same).getResult() : same;
    }
    return matches ? arith::SelectOp::create(b, loc, matches, changed, in.back()).getResult() : changed;
  }));
}

/// Each place of the cache takes the row of the update that is written there, if one is. All rows must fit, unless the cache is circular.
LogicalResult convertTensorScatter(NodeConverter &node) {
  SizedTensor cache = node.input(0), update = node.input(1), first;
  if (node.has(2))
    first = node.input(2);
  if (node.failed() || (first && failed(requireInteger(node, first))))
    return failure();
  FailureOr<int64_t> axis = node.axis(node.getInt("axis", -2), cache.rank());
  if (failed(axis))
    return failure();
  StringRef mode = node.getString("mode", "linear");
  if (*axis == 0 || (mode != "linear" && mode != "circular"))
    return node.error() << "has axis " << *axis << " and mode '" << mode << "', expected an axis behind the batch and mode linear or circular";
  if (first && mode == "linear" &&
      failed(node.requireWithin(node.op.getInputs()[2], first, node.t.size(0), cache.dims[*axis] - update.dims[*axis] + 1, "a write index")))
    return failure();
  TensorBuilder &t = node.t;
  unsigned rank = cache.rank();
  Value size = t.indexOf(cache.dims[*axis]), rows = t.indexOf(update.dims[*axis]), zero = t.indexConstant(0), one = t.indexConstant(1);
  SmallVector<SizedTensor> inputs = {cache};
  SmallVector<AffineMap> maps = {t.builder.getMultiDimIdentityMap(rank)};
  if (first) {
    inputs.push_back(first);
    maps.push_back(rangeMap(t.context(), rank, 0, 1));
  }
  return node.finish(t.points(inputs, maps, cache.dims, cache.elementType(), [&](OpBuilder &b, Location loc, ValueRange at, ValueRange in) -> Value {
    Value row = at[*axis];
    if (first)
      row = arith::SubIOp::create(b, loc, row, arith::IndexCastOp::create(b, loc, b.getIndexType(), in[1]));
    if (mode == "circular") {
      Value safe = arith::MaxSIOp::create(b, loc, size, one);
      row = arith::RemSIOp::create(b, loc, row, safe);
      Value isNegative = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, row, zero);
      row = arith::SelectOp::create(b, loc, isNegative, arith::AddIOp::create(b, loc, row, safe), row);
    }
    Value isWritten = arith::AndIOp::create(b, loc, arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, row, zero),
                                            arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, row, rows));
    SmallVector<Value> from(at);
    Value last = arith::SubIOp::create(b, loc, rows, one);
    from[*axis] = arith::MaxSIOp::create(b, loc, arith::MinSIOp::create(b, loc, row, last), zero);
    return arith::SelectOp::create(b, loc, isWritten, tensor::ExtractOp::create(b, loc, update.value, from), in[0]);
  }));
}

} // namespace

void moe::addGatherConversions(ConversionTable &table) {
  table.add("TensorScatter", convertTensorScatter);
  table.add("Gather", convertGather);
  table.add("GatherElements", convertGatherElements);
  table.add("GatherND", convertGatherND);
  table.add("ScatterElements", convertScatterElements);
  table.add("Scatter", convertScatterElements);
  table.add("ScatterND", convertScatterND);
}
