// Rules of ops that move elements by position: Transpose, Concat, Split, Slice, Tile, Pad, Trilu.
#include "OnnxInferenceNode.h"

using namespace mlir;

namespace moe {

/// Sizes that are all constant; none otherwise.
static std::optional<SmallVector<int64_t>> constantSizes(OnnxNode &node, ArrayRef<AffineExpr> dims) {
  SmallVector<int64_t> sizes;
  for (AffineExpr dim : dims)
    if (std::optional<int64_t> size = node.algebra.constantValue(dim))
      sizes.push_back(*size);
    else
      return std::nullopt;
  return sizes;
}

/// The elements of a tensor of shape `dims`, whose element at `index` is that of input 0 at from(index). Small tensors of numbers that shapes are made of:
/// exporters turn the pads of a Pad around with a Slice and a Transpose.
static std::optional<Dims> movedContent(OnnxNode &node, ArrayRef<AffineExpr> dims,
                                        llvm::function_ref<SmallVector<int64_t>(ArrayRef<int64_t>)> from) {
  std::optional<Dims> content = node.content(0);
  auto sizes = constantSizes(node, dims), source = constantSizes(node, node.dims(0));
  if (!content || !sizes || !source)
    return std::nullopt;
  int64_t count = 1;
  for (int64_t size : *sizes)
    count *= size;
  Dims moved;
  for (int64_t linear = 0; linear < count; ++linear) {
    SmallVector<int64_t> index(sizes->size());
    for (int64_t dim = sizes->size() - 1, rest = linear; dim >= 0; rest /= (*sizes)[dim--])
      index[dim] = rest % (*sizes)[dim];
    int64_t position = 0;
    for (auto [size, at] : llvm::zip(*source, from(index)))
      position = position * size + at;
    moved.push_back((*content)[position]);
  }
  return moved;
}

static LogicalResult inferTranspose(OnnxNode &node) {
  Dims source = node.dims(0);
  SmallVector<int64_t> permutation;
  if (auto given = node.integers("perm")) {
    permutation = *given;
  } else {
    for (size_t i = source.size(); i > 0; --i)
      permutation.push_back(i - 1);
  }
  if (permutation.size() != source.size())
    return node.error() << "expected a permutation of " << source.size() << " axes, found " << permutation.size();
  SmallVector<bool> used(source.size());
  SmallVector<int64_t> order;
  Dims dims;
  for (int64_t axis : permutation) {
    FailureOr<int64_t> checked = node.normaliseAxis(axis, source.size(), "perm");
    if (failed(checked))
      return failure();
    if (used[*checked])
      return node.error() << "expected each axis once in perm, found " << axis << " twice";
    used[*checked] = true;
    order.push_back(*checked);
    dims.push_back(source[*checked]);
  }
  auto content = movedContent(node, dims, [&](ArrayRef<int64_t> index) {
    SmallVector<int64_t> from(index.size());
    for (auto [axis, at] : llvm::zip(order, index))
      from[axis] = at;
    return from;
  });
  return node.set(0, node.element(0), dims, content);
}

/// Elements of a concatenation along the only axis; those of parts that are not known become symbols, if any part is known.
static std::optional<Dims> concatContent(OnnxNode &node) {
  bool anyKnown = false;
  for (unsigned i = 0; i < node.inputs(); ++i)
    anyKnown |= node.content(i).has_value();
  Dims content;
  for (unsigned i = 0; anyKnown && i < node.inputs(); ++i) {
    std::optional<Dims> part = node.contentOrSymbols(i);
    if (!part)
      return std::nullopt;
    content.append(*part);
  }
  return anyKnown && content.size() <= 64 ? std::optional<Dims>(content) : std::nullopt;
}

static LogicalResult inferConcat(OnnxNode &node) {
  Dims dims = node.dims(0);
  FailureOr<int64_t> axis = node.axis("axis", 1, dims.size());
  if (failed(axis))
    return failure();
  Dims parts = {dims[*axis]};
  for (unsigned i = 1; i < node.inputs(); ++i) {
    if (!node.has(i))
      return node.error() << "input " << i << " is required, but the node does not have it";
    if (failed(node.requireSameElement(0, i)) || failed(node.requireRank(i, dims.size(), dims.size(), "input " + std::to_string(i))))
      return failure();
    Dims other = node.dims(i);
    for (auto [position, dim] : llvm::enumerate(other)) {
      if (static_cast<int64_t>(position) == *axis)
        parts.push_back(dim);
      else if (failed(node.requireEqual(dims[position], dim, "dim " + Twine(position) + " of input " + Twine(i))))
        return failure();
    }
  }
  dims[*axis] = node.algebra.sum(parts);
  return node.set(0, node.element(0), dims, dims.size() == 1 ? concatContent(node) : std::nullopt);
}

/// The sizes of a Split: given, or equal parts of which the last may be smaller.
static FailureOr<Dims> splitSizes(OnnxNode &node, AffineExpr total) {
  int64_t parts = node.version() >= 18 ? node.integer("num_outputs", node.outputs()) : node.outputs();
  std::optional<Dims> given;
  if (node.version() >= 13) {
    if (node.has(1)) {
      given = node.contentOrSymbols(1);
      if (!given) {
        node.error() << "expected split sizes whose number is known, found dims " << node.text(node.dims(1));
        return failure();
      }
    }
  } else if (auto sizes = node.integers("split")) {
    given.emplace();
    for (int64_t size : *sizes)
      given->push_back(node.number(size));
  }
  if (given) {
    for (AffineExpr &size : *given) {
      size = node.sizeFrom(size, "split");
      if (node.algebra.dependsOnData(size))
        size = node.algebra.minimum(size, total);
    }
    if (given->size() != node.outputs()) {
      node.error() << "expected one split size per output, found " << given->size() << " sizes and " << node.outputs() << " outputs";
      return failure();
    }
    if (failed(node.requireEqual(node.algebra.sum(*given), total, "sum of the split sizes")))
      return failure();
    return *given;
  }
  if (parts != node.outputs() || parts < 1) {
    node.error() << "expected as many outputs as num_outputs, found " << node.outputs() << " and " << parts;
    return failure();
  }
  if (AffineExpr exact = node.algebra.exactQuotient(total, node.number(parts)))
    return Dims(parts, exact);
  // Equal chunks of ceil(total / parts), the last one smaller; before version 18 they have to be equal.
  AffineExpr chunk = total.ceilDiv(parts);
  if (node.version() < 18 && failed(node.requireEqual(total, chunk * parts, "equal split of the axis")))
    return failure();
  Dims sizes(parts, chunk);
  sizes.back() = node.algebra.maximum(total - chunk * (parts - 1), node.number(0));
  return sizes;
}

static LogicalResult inferSplit(OnnxNode &node) {
  Dims dims = node.dims(0);
  FailureOr<int64_t> axis = node.axis("axis", 0, dims.size());
  if (failed(axis))
    return failure();
  FailureOr<Dims> sizes = splitSizes(node, dims[*axis]);
  if (failed(sizes))
    return failure();
  std::optional<Dims> content = dims.size() == 1 ? node.content(0) : std::nullopt;
  size_t taken = 0;
  for (auto [output, size] : llvm::enumerate(*sizes)) {
    dims[*axis] = size;
    std::optional<Dims> part;
    std::optional<int64_t> count = node.algebra.constantValue(size);
    if (content && count && *count >= 0 && taken + *count <= content->size()) {
      part = Dims(ArrayRef<AffineExpr>(*content).slice(taken, *count));
      taken += *count;
    } else {
      content.reset();
    }
    if (failed(node.set(output, node.element(0), dims, part)))
      return failure();
  }
  return success();
}

//===-- Slice ------------------------------------------------------------===//

namespace {
/// One axis of a slice: the first element taken (null where it is not known), the step, and how many are taken.
struct SlicedAxis {
  AffineExpr start, length;
  int64_t step = 1;
};
} // namespace

/// A start or end as a position: negative ones count from the end, and all are clamped to [low, high]. Null where its sign depends on data.
static AffineExpr slicePosition(OnnxNode &node, AffineExpr given, AffineExpr size, AffineExpr low, AffineExpr high) {
  DimAlgebra &algebra = node.algebra;
  if (std::optional<int64_t> number = algebra.constantValue(given)) {
    // Beyond what a size can be: exporters write the greatest and least int32 or int64 for "to the end".
    if (*number >= INT32_MAX)
      return high;
    if (*number <= -int64_t(INT32_MAX))
      return low;
  }
  // As many from the end as there are, or more: the first one, even where there is none and the number is 0.
  if (algebra.constantValue(low) == 0 && algebra.nonNegative(given * -1) && algebra.nonNegative((size + given) * -1))
    return low;
  if (algebra.nonNegative(given * -1 - 1))
    given = size + given;
  else if (node.mayBeNegative(given))
    given = given + size * node.isNegative(given);
  else if (!algebra.nonNegative(given)) {
    if (algebra.dependsOnData(given))
      return nullptr;
    // The last c of n: where there are fewer, what ONNX says of n - c.
    if (algebra.constantValue(size - given))
      return algebra.maximum(low, algebra.minimum(given + size * node.isNegative(given), high));
    // A difference of dims, "the rows behind those of the cache": a model means a place, not one counted from the end where a dim is the lesser.
    node.requireNotNegative(given);
    return algebra.minimum(given, high);
  }
  return algebra.maximum(low, algebra.minimum(given, high));
}

static SlicedAxis sliceAxis(OnnxNode &node, AffineExpr size, AffineExpr start, AffineExpr end, int64_t step) {
  SlicedAxis axis;
  axis.step = step;
  AffineExpr zero = node.number(0), last = size - 1;
  AffineExpr from = step > 0 ? slicePosition(node, start, size, zero, size) : slicePosition(node, start, size, zero, last);
  AffineExpr to = step > 0 ? slicePosition(node, end, size, zero, size) : slicePosition(node, end, size, node.number(-1), last);
  if (!from || !to) {
    axis.length = node.freshSize("slice");
    return axis;
  }
  axis.start = from;
  AffineExpr distance = step > 0 ? to - from : from - to;
  int64_t stride = step > 0 ? step : -step;
  // The last k of n: n - max(n - k, 0) is min(n, k), which later comparisons can use.
  std::optional<int64_t> number = node.algebra.constantValue(start);
  bool countsFromEnd = number ? *number < 0 && *number > -int64_t(INT32_MAX) : node.algebra.nonNegative(start * -1 - 1);
  if (step == 1 && countsFromEnd && node.algebra.equal(to, size))
    distance = node.algebra.minimum(size, start * -1);
  axis.length = node.algebra.maximum(stride == 1 ? distance : distance.ceilDiv(stride), zero);
  // Backwards, an empty axis has no last element to start at.
  if (step < 0 && !node.algebra.nonNegative(last))
    axis.length = node.algebra.minimum(axis.length, size);
  return axis;
}

namespace {
/// The operands of a Slice in one form for all versions.
struct SliceOperands {
  Dims starts, ends;
  SmallVector<int64_t> axes, steps;
  bool isKnown = true;
};
} // namespace

static FailureOr<SliceOperands> sliceOperands(OnnxNode &node, int64_t rank) {
  SliceOperands operands;
  std::optional<SmallVector<int64_t>> axes, steps;
  if (node.version() < 10) {
    auto starts = node.integers("starts"), ends = node.integers("ends");
    if (!starts || !ends) {
      node.error() << "expected attributes 'starts' and 'ends'";
      return failure();
    }
    for (int64_t start : *starts)
      operands.starts.push_back(node.number(start));
    for (int64_t end : *ends)
      operands.ends.push_back(node.number(end));
    axes = node.integers("axes");
  } else {
    std::optional<Dims> starts = node.contentOrSymbols(1), ends = node.contentOrSymbols(2);
    if (!node.has(1) || !node.has(2) || !starts || !ends) {
      node.error() << "expected starts and ends whose number is known when the model is compiled";
      return failure();
    }
    operands.starts = *starts;
    operands.ends = *ends;
    for (auto [input, target] : {std::make_pair(3u, &axes), std::make_pair(4u, &steps)}) {
      if (!node.has(input))
        continue;
      *target = node.constants(input);
      if (!*target) {
        node.error() << (input == 3 ? "axes" : "steps") << ": expected values that are known when the model is compiled, found some that are not";
        return failure();
      }
    }
  }
  size_t count = operands.starts.size();
  for (size_t i = 0; i < count; ++i)
    operands.axes.push_back(axes && i < axes->size() ? (*axes)[i] : static_cast<int64_t>(i));
  operands.steps = steps ? *steps : SmallVector<int64_t>(count, 1);
  if (operands.ends.size() != count || (axes && axes->size() != count) || operands.steps.size() != count) {
    node.error() << "expected starts, ends, axes and steps of one length, found " << count << " starts and " << operands.ends.size() << " ends";
    return failure();
  }
  return operands;
}

static LogicalResult inferSlice(OnnxNode &node) {
  Dims dims = node.dims(0);
  FailureOr<SliceOperands> operands = sliceOperands(node, dims.size());
  if (failed(operands))
    return failure();
  // First element and step of each axis; none where a start is not known.
  SmallVector<std::pair<int64_t, int64_t>> taking(dims.size(), {0, 1});
  bool startsKnown = true;
  for (auto [i, given] : llvm::enumerate(operands->axes)) {
    FailureOr<int64_t> axis = node.normaliseAxis(given, dims.size(), "axes");
    if (failed(axis))
      return failure();
    int64_t step = operands->steps[i];
    if (step == 0 || step == INT64_MIN)
      return node.error() << "expected steps other than 0, found " << step;
    SlicedAxis taken = sliceAxis(node, dims[*axis], operands->starts[i], operands->ends[i], step);
    std::optional<int64_t> start = taken.start ? node.algebra.constantValue(taken.start) : std::nullopt;
    startsKnown &= start.has_value();
    taking[*axis] = {start.value_or(0), step};
    dims[*axis] = taken.length;
  }
  auto sliced = [&](ArrayRef<int64_t> index) {
    SmallVector<int64_t> from;
    for (auto [first, at] : llvm::zip(taking, index))
      from.push_back(first.first + at * first.second);
    return from;
  };
  return node.set(0, node.element(0), dims, startsKnown ? movedContent(node, dims, sliced) : std::nullopt);
}

//===-- Tile, Pad, Trilu -------------------------------------------------===//

static LogicalResult inferTile(OnnxNode &node) {
  Dims dims = node.dims(0);
  std::optional<Dims> repeats = node.contentOrSymbols(1);
  if (!repeats || repeats->size() != dims.size())
    return node.error() << "expected one repeat per dim of the input " << node.text(dims) << ", found dims " << node.text(node.dims(1));
  for (auto [dim, repeat] : llvm::zip(dims, *repeats)) {
    dim = dim * node.sizeFrom(repeat, "tile");
  }
  std::optional<Dims> content = node.content(0);
  std::optional<int64_t> count = node.algebra.constantValue(node.product(dims));
  if (content && content->size() == 1 && count && *count >= 0 && *count <= 64)
    content = Dims(*count, (*content)[0]);
  else if (count != static_cast<int64_t>(content ? content->size() : 0))
    content.reset();
  return node.set(0, node.element(0), dims, content);
}

static LogicalResult inferPad(OnnxNode &node) {
  Dims dims = node.dims(0);
  int64_t rank = dims.size();
  std::optional<Dims> pads;
  if (node.version() >= 11) {
    pads = node.has(1) ? node.contentOrSymbols(1) : std::nullopt;
  } else if (auto given = node.integers("pads")) {
    pads.emplace();
    for (int64_t pad : *given)
      pads->push_back(node.number(pad));
  }
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  if (node.version() >= 18) {
    auto given = node.axes(3, 18, rank);
    if (failed(given))
      return failure();
    if (*given)
      axes = **given;
  }
  if (!pads || pads->size() != 2 * axes.size())
    return node.error() << "expected a pad before and after each of " << axes.size() << " axes, found " << (pads ? pads->size() : 0) << " pads";
  for (auto [i, axis] : llvm::enumerate(axes)) {
    AffineExpr size = dims[axis] + (*pads)[i] + (*pads)[i + axes.size()];
    bool isData = node.algebra.dependsOnData(size) && !node.algebra.nonNegative(size);
    dims[axis] = isData ? node.freshSize("pad") : node.algebra.maximum(size, node.number(0));
  }
  return node.set(0, node.element(0), dims);
}

static LogicalResult inferTrilu(OnnxNode &node) {
  if (failed(node.requireRank(0, 2, INT64_MAX, "input")))
    return failure();
  return node.setLike(0);
}

void addMovementRules(OnnxRuleTable &table) {
  table["Transpose"] = {inferTranspose, 1, 1, 1, 1};
  table["Concat"] = {inferConcat, 1, anyNumber, 1, 1};
  table["Split"] = {inferSplit, 1, 2, anyNumber, 2};
  table["Slice"] = {inferSlice, 1, 5, 1, 1};
  // Before version 6 repeats were one count for one axis.
  table["Tile"] = {inferTile, 2, 2, 1, 6};
  table["Pad"] = {inferPad, 1, 4, 1, 2};
  table["Trilu"] = {inferTrilu, 1, 2, 1, 14};
  table["com.microsoft::Trilu"] = {inferTrilu, 1, 2, 1, 1};
}

} // namespace moe
