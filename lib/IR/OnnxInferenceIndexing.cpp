// Rules of ops that move elements by index: Gather and Scatter in their forms, NonZero, OneHot, TensorScatter.
#include "OnnxInferenceNode.h"

#include "mlir/IR/Matchers.h"

#include <cmath>

using namespace mlir;

namespace moe {

/// Elements that a Gather along the only axis takes, where data and indices are known.
static std::optional<Dims> gatherContent(OnnxNode &node) {
  std::optional<Dims> data = node.content(0);
  std::optional<SmallVector<int64_t>> indices = node.constants(1);
  if (!data || !indices || node.rank(0) != 1)
    return std::nullopt;
  Dims content;
  for (int64_t index : *indices) {
    int64_t position = index < 0 ? index + static_cast<int64_t>(data->size()) : index;
    if (position < 0 || position >= static_cast<int64_t>(data->size()))
      return std::nullopt;
    content.push_back((*data)[position]);
  }
  return content;
}

/// The element of a Range of integers at a constant place: as many as a model has tokens, but the last is known by the sizes alone.
static std::optional<Dims> rangeElement(OnnxNode &node) {
  auto range = node.op.getInputs()[0].getDefiningOp<OnnxOp>();
  const auto place = node.constants(1);
  if (!range || range.getOpType() != "Range" || !node.element(0).isInteger() || !place || place->size() != 1)
    return std::nullopt;
  const std::optional<Dims> start = node.inference.facts(range.getInputs()[0]).content, delta = node.inference.facts(range.getInputs()[2]).content;
  if (!start || !delta || start->size() != 1 || delta->size() != 1)
    return std::nullopt;
  AffineExpr index = node.number(place->front());
  return Dims{(*start)[0] + (place->front() < 0 ? node.dims(0)[0] + index : index) * (*delta)[0]};
}

static LogicalResult inferGather(OnnxNode &node) {
  Dims data = node.dims(0), indices = node.dims(1);
  FailureOr<int64_t> axis = node.axis("axis", 0, data.size());
  if (failed(axis))
    return failure();
  // An index that is a constant can be checked here.
  if (auto constants = node.constants(1))
    if (std::optional<int64_t> size = node.algebra.constantValue(data[*axis]))
      for (int64_t index : *constants)
        if (index < -*size || index >= *size)
          return node.error() << "expected indices from " << -*size << " to " << *size - 1 << ", found " << index;
  Dims dims(ArrayRef<AffineExpr>(data).take_front(*axis));
  dims.append(indices);
  dims.append(data.begin() + *axis + 1, data.end());
  std::optional<Dims> content = gatherContent(node);
  return node.set(0, node.element(0), dims, content ? content : rangeElement(node));
}

static LogicalResult inferGatherElements(OnnxNode &node) {
  Dims data = node.dims(0);
  if (failed(node.axis("axis", 0, data.size())) || failed(node.requireRank(1, data.size(), data.size(), "indices")))
    return failure();
  return node.set(0, node.element(0), node.dims(1));
}

/// The last dim of `indices` in GatherND and ScatterND: how many leading dims of the data an index names.
static FailureOr<int64_t> indexDepth(OnnxNode &node, int64_t most) {
  if (failed(node.requireRank(1, 1, INT64_MAX, "indices")))
    return failure();
  std::optional<int64_t> depth = node.algebra.constantValue(node.dims(1).back());
  if (depth && *depth >= 1 && *depth <= most)
    return *depth;
  node.error() << "expected the last dim of the indices from 1 to " << most << ", found dims " << node.text(node.dims(1));
  return failure();
}

static LogicalResult inferGatherND(OnnxNode &node) {
  Dims data = node.dims(0), indices = node.dims(1);
  int64_t batchDims = node.integer("batch_dims", 0);
  if (batchDims < 0 || batchDims >= static_cast<int64_t>(std::min(data.size(), indices.size())))
    return node.error() << "expected batch_dims below the ranks of data and indices, found " << batchDims;
  FailureOr<int64_t> depth = indexDepth(node, data.size() - batchDims);
  if (failed(depth))
    return failure();
  for (int64_t position = 0; position < batchDims; ++position)
    if (failed(node.requireEqual(data[position], indices[position], "batch dim " + Twine(position))))
      return failure();
  Dims dims(ArrayRef<AffineExpr>(indices).drop_back());
  dims.append(data.begin() + batchDims + *depth, data.end());
  return node.set(0, node.element(0), dims);
}

/// A known vector with known elements put at constant places: a shape in which exporters replace a size.
static std::optional<Dims> scatterContent(OnnxNode &node) {
  std::optional<Dims> result = node.content(0);
  const std::optional<Dims> updates = node.content(2);
  const std::optional<SmallVector<int64_t>> places = node.constants(1);
  if (!result || !updates || !places || node.rank(0) != 1 || updates->size() != places->size() || node.string("reduction", "none") != "none")
    return std::nullopt;
  const auto size = static_cast<int64_t>(result->size());
  for (auto [place, update] : llvm::zip(*places, *updates)) {
    const int64_t position = place < 0 ? place + size : place;
    if (position < 0 || position >= size)
      return std::nullopt;
    (*result)[position] = update;
  }
  return result;
}

static LogicalResult inferScatterElements(OnnxNode &node) {
  Dims data = node.dims(0), indices = node.dims(1);
  if (failed(node.requireSameElement(0, 2)) || failed(node.axis("axis", 0, data.size())) ||
      failed(node.requireRank(1, data.size(), data.size(), "indices")) || failed(node.requireRank(2, data.size(), data.size(), "updates")))
    return failure();
  Dims updates = node.dims(2);
  for (auto [position, dim] : llvm::enumerate(updates))
    if (failed(node.requireEqual(indices[position], dim, "dim " + Twine(position) + " of indices and updates")))
      return failure();
  return node.set(0, node.element(0), data, scatterContent(node));
}

static LogicalResult inferScatterND(OnnxNode &node) {
  Dims data = node.dims(0), indices = node.dims(1), updates = node.dims(2);
  if (failed(node.requireSameElement(0, 2)))
    return failure();
  FailureOr<int64_t> depth = indexDepth(node, data.size());
  if (failed(depth))
    return failure();
  Dims expected(ArrayRef<AffineExpr>(indices).drop_back());
  expected.append(data.begin() + *depth, data.end());
  if (failed(node.requireRank(2, expected.size(), expected.size(), "updates")))
    return failure();
  for (auto [position, dim] : llvm::enumerate(updates))
    if (failed(node.requireEqual(expected[position], dim, "dim " + Twine(position) + " of the updates")))
      return failure();
  return node.set(0, node.element(0), data);
}

static LogicalResult inferTensorScatter(OnnxNode &node) {
  if (failed(node.requireSameElement(0, 1)) || failed(node.requireRank(1, node.rank(0), node.rank(0), "update")))
    return failure();
  FailureOr<int64_t> axis = node.axis("axis", -2, node.rank(0));
  if (failed(axis))
    return failure();
  Dims cache = node.dims(0), update = node.dims(1);
  for (auto [position, dim] : llvm::enumerate(update))
    if (static_cast<int64_t>(position) != *axis && failed(node.requireEqual(cache[position], dim, "dim " + Twine(position) + " of the update")))
      return failure();
  return node.set(0, node.element(0), cache);
}

static LogicalResult inferCompress(OnnxNode &node) {
  if (failed(node.requireRank(1, 1, 1, "condition")))
    return failure();
  if (!node.element(1).isInteger(1))
    return node.error() << "expected a condition of bool, found " << node.element(1);
  AffineExpr size = node.freshSize("compress", node.dims(1)[0]);
  if (!node.attribute("axis"))
    return node.set(0, node.element(0), {size});
  Dims dims = node.dims(0);
  FailureOr<int64_t> axis = node.axis("axis", 0, dims.size());
  if (failed(axis))
    return failure();
  dims[*axis] = size;
  return node.set(0, node.element(0), dims);
}

static LogicalResult inferNonZero(OnnxNode &node) {
  int64_t rank = node.rank(0);
  Type i64 = IntegerType::get(node.op.getContext(), 64);
  std::optional<SmallVector<int64_t>> known = node.constants(0);
  if (!known)
    return node.set(0, i64, {node.number(rank), node.freshSize("nonzero", node.product(node.dims(0)))});
  // The places of a constant, row-major: one list of coordinates for each dim.
  SmallVector<int64_t> places;
  for (auto [place, element] : llvm::enumerate(*known))
    if (element != 0)
      places.push_back(place);
  Dims coordinates, dims = node.dims(0);
  int64_t below = known->size();
  for (AffineExpr dim : dims) {
    std::optional<int64_t> size = node.algebra.constantValue(dim);
    if (!size || *size <= 0) // nothing lies in it
      break;
    below /= *size;
    for (int64_t place : places)
      coordinates.push_back(node.number(place / below % *size));
  }
  return node.set(0, i64, {node.number(rank), node.number(places.size())}, coordinates);
}

/// A constant depth of a float type, which is truncated; nothing where it is none or no size.
static std::optional<int64_t> realDepth(OnnxNode &node) {
  DenseFPElementsAttr constant;
  if (!isa<FloatType>(node.element(1)) || !matchPattern(node.op.getInputs()[1], m_Constant(&constant)) || constant.getNumElements() != 1)
    return std::nullopt;
  double depth = std::trunc((*constant.begin()).convertToDouble());
  return depth > -9e15 && depth < 9e15 ? std::optional(static_cast<int64_t>(depth)) : std::nullopt;
}

/// The elements of a OneHot with constant indices, new dim last: exporters write the repeats of a Tile so.
static std::optional<Dims> oneHotContent(OnnxNode &node, std::optional<int64_t> depth) {
  constexpr int64_t most = 64;
  std::optional<SmallVector<int64_t>> indices = node.constants(0);
  std::optional<Dims> offAndOn = node.content(2);
  if (!indices || !depth || *depth > most || !offAndOn || offAndOn->size() != 2 || static_cast<int64_t>(indices->size()) > most)
    return std::nullopt;
  Dims content;
  for (int64_t index : *indices)
    for (int64_t place = 0; place < *depth; ++place)
      content.push_back((*offAndOn)[place == (index < 0 ? index + *depth : index)]);
  return content;
}

static LogicalResult inferOneHot(OnnxNode &node) {
  Dims dims = node.dims(0);
  FailureOr<int64_t> axis = node.normaliseAxis(node.integer("axis", -1), dims.size() + 1);
  if (failed(axis))
    return failure();
  std::optional<Dims> depth = node.contentOrSymbols(1);
  AffineExpr size = depth && depth->size() == 1 ? (*depth)[0] : nullptr;
  if (std::optional<int64_t> real = realDepth(node))
    size = node.number(*real);
  std::optional<int64_t> known = size ? node.algebra.constantValue(size) : std::nullopt;
  if (known && *known < 0)
    return node.error() << "expected a depth of 0 or more, found " << *known;
  const bool isLast = *axis == static_cast<int64_t>(dims.size());
  size = size ? node.sizeFrom(size, "depth") : node.freshSize("depth");
  dims.insert(dims.begin() + *axis, size);
  return node.set(0, node.element(2), dims, isLast ? oneHotContent(node, known) : std::nullopt);
}

void addIndexingRules(OnnxRuleTable &table) {
  table["Gather"] = {inferGather, 2, 2, 1, 1};
  table["GatherElements"] = {inferGatherElements, 2, 2, 1, 11};
  table["GatherND"] = {inferGatherND, 2, 2, 1, 11};
  table["ScatterElements"] = {inferScatterElements, 3, 3, 1, 11};
  table["Scatter"] = {inferScatterElements, 3, 3, 1, 9};
  table["ScatterND"] = {inferScatterND, 3, 3, 1, 11};
  table["TensorScatter"] = {inferTensorScatter, 2, 3, 1, 24};
  table["Compress"] = {inferCompress, 2, 2, 1, 9};
  table["NonZero"] = {inferNonZero, 1, 1, 1, 9};
  table["OneHot"] = {inferOneHot, 3, 3, 1, 9};
}

} // namespace moe
