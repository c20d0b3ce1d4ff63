// Rules of ops that make or change shapes: Shape, Reshape, Squeeze, Unsqueeze, Expand, Range and their like.
#include "OnnxInferenceNode.h"

#include "mlir/IR/Matchers.h"

#include <cmath>

using namespace mlir;

namespace moe {

static Type int64(OnnxNode &node) { return IntegerType::get(node.op.getContext(), 64); }

static LogicalResult inferShape(OnnxNode &node) {
  Dims dims = node.dims(0);
  int64_t rank = dims.size();
  auto clamp = [&](int64_t position) { return std::clamp<int64_t>(position < 0 ? position + rank : position, 0, rank); };
  int64_t start = clamp(node.integer("start", 0)), end = clamp(node.integer("end", rank));
  Dims content;
  for (int64_t position = start; position < end; ++position)
    content.push_back(dims[position]);
  int64_t length = content.size();
  return node.set(0, int64(node), {node.number(length)}, content);
}

static LogicalResult inferSize(OnnxNode &node) { return node.set(0, int64(node), {}, Dims{node.product(node.dims(0))}); }

static LogicalResult inferConstant(OnnxNode &node) {
  auto value = dyn_cast_or_null<ElementsAttr>(node.attribute("value"));
  if (!value)
    return node.error() << "expected a tensor in attribute 'value', found none; import turns the other forms into it";
  Dims dims;
  for (int64_t size : value.getShapedType().getShape())
    dims.push_back(node.number(size));
  return node.set(0, value.getShapedType().getElementType(), dims);
}

/// The dims that a one-dimensional input of sizes gives. An error where its length is not known; a size that is not known depends on data.
static FailureOr<Dims> sizesFrom(OnnxNode &node, unsigned input, StringRef what) {
  if (failed(node.requireRank(input, 1, 1, what)))
    return failure();
  std::optional<Dims> content = node.contentOrSymbols(input);
  if (content)
    return *content;
  node.error() << what << ": expected at most 64 sizes, their number known when the model is compiled, found dims " << node.text(node.dims(input));
  return failure();
}

static LogicalResult inferConstantOfShape(OnnxNode &node) {
  FailureOr<Dims> dims = sizesFrom(node, 0, "shape");
  if (failed(dims))
    return failure();
  for (AffineExpr &size : *dims)
    size = node.sizeFrom(size, "shape");
  Type element = Float32Type::get(node.op.getContext());
  AffineExpr number;
  if (auto value = dyn_cast_or_null<DenseElementsAttr>(node.attribute("value"))) {
    element = value.getElementType();
    if (value.getNumElements() != 1)
      return node.error() << "expected one element in attribute 'value', found " << value.getNumElements();
    if (isa<IntegerType>(element) && element.getIntOrFloatBitWidth() <= 64)
      number = node.number(element.isInteger(1) ? value.getValues<APInt>()[0].getZExtValue() : value.getValues<APInt>()[0].getSExtValue());
  }
  std::optional<Dims> content;
  std::optional<int64_t> count = node.algebra.constantValue(node.product(*dims));
  if (number && count && *count >= 0 && *count <= 64)
    content = Dims(*count, number);
  return node.set(0, element, *dims, content);
}

/// The length of a Range of floats whose operands are constants, as the schema counts it; nothing where it is not known or no size.
static std::optional<int64_t> realRangeLength(OnnxNode &node) {
  SmallVector<double> given;
  for (Value operand : node.op.getInputs()) {
    DenseFPElementsAttr constant;
    if (!matchPattern(operand, m_Constant(&constant)) || constant.getNumElements() != 1)
      return std::nullopt;
    given.push_back((*constant.begin()).convertToDouble());
  }
  double length = std::ceil((given[1] - given[0]) / given[2]);
  if (!(length < 9e15))
    return std::nullopt;
  return length > 0 ? static_cast<int64_t>(length) : 0;
}

/// A float that is a whole number: a constant, or an integer that a Cast made a float. The number is then required to be exact in the float's type.
static std::optional<AffineExpr> wholeNumber(OnnxNode &node, unsigned i) {
  Value operand = node.op.getInputs()[i];
  DenseFPElementsAttr constant;
  if (matchPattern(operand, m_Constant(&constant))) {
    const double value = constant.getNumElements() == 1 ? (*constant.begin()).convertToDouble() : 0.5;
    return std::abs(value) < 1e15 && value == std::floor(value) ? std::optional(node.number(static_cast<int64_t>(value))) : std::nullopt;
  }
  auto conversion = operand.getDefiningOp<OnnxOp>();
  if (!conversion || conversion.getOpType() != "Cast" || !conversion.getDomain().empty())
    return std::nullopt;
  Value integer = conversion.getInputs()[0];
  auto from = dyn_cast<RankedTensorType>(integer.getType());
  const std::optional<Dims> content = from && from.getElementType().isInteger() ? node.inference.facts(integer).content : std::nullopt;
  if (!content || content->size() != 1)
    return std::nullopt;
  const unsigned precision = cast<FloatType>(node.element(i)).getFPMantissaWidth();
  node.requireNotNegative(node.number(int64_t(1) << std::min(precision, 62u)) - (*content)[0]);
  return (*content)[0];
}

static LogicalResult inferRange(OnnxNode &node) {
  for (unsigned i : {0u, 1u, 2u})
    if (node.element(i) != node.element(0))
      return node.error() << "expected start, limit and delta of one element type, found " << node.element(0) << " and " << node.element(i);
  Type element = node.element(0);
  if (isa<FloatType>(element)) {
    if (std::optional<int64_t> length = realRangeLength(node))
      return node.set(0, element, {node.number(*length)});
    const auto start = wholeNumber(node, 0), limit = wholeNumber(node, 1), delta = wholeNumber(node, 2);
    if (!start || !limit || !delta || *delta != node.number(1) || node.algebra.dependsOnData(*limit - *start))
      return node.set(0, element, {node.freshSize("range")});
    return node.set(0, element, {node.algebra.maximum(*limit - *start, node.number(0))});
  }
  SmallVector<AffineExpr> given;
  for (unsigned i : {0u, 1u, 2u})
    if (std::optional<Dims> content = node.contentOrSymbols(i); content && content->size() == 1)
      given.push_back((*content)[0]);
  std::optional<int64_t> delta = given.size() == 3 ? node.algebra.constantValue(given[2]) : std::nullopt;
  if (!delta && given.size() == 3 && !node.algebra.dependsOnData(given[0] + given[1] + given[2])) {
    // Rounded up for a delta of either sign; one of 0 is refused on entry.
    node.inference.requireAtEntry(node.isZero(given[2]), node.number(0), node.op.getLoc());
    return node.set(0, element, {node.algebra.maximum((given[1] - given[0]).ceilDiv(given[2]), node.number(0))});
  }
  if (!delta)
    return node.set(0, element, {node.freshSize("range")});
  if (*delta == 0)
    return node.error() << "expected a delta other than 0";
  AffineExpr distance = *delta > 0 ? given[1] - given[0] : given[0] - given[1];
  int64_t step = *delta > 0 ? *delta : -*delta;
  AffineExpr length = step == 1 ? distance : distance.ceilDiv(step);
  // Start and limit that are data give a length that is data, not a difference that looks like one.
  if (node.algebra.dependsOnData(distance) && !node.algebra.nonNegative(distance))
    length = node.freshSize("range");
  length = node.algebra.maximum(length, node.number(0));
  std::optional<Dims> content;
  if (std::optional<int64_t> count = node.algebra.constantValue(length); count && *count <= 64) {
    content.emplace();
    for (int64_t i = 0; i < *count; ++i)
      content->push_back(given[0] + i * *delta);
  }
  return node.set(0, element, {length}, content);
}

//===-- Reshape ----------------------------------------------------------===//

/// Reshape to numbers that are known on entry only: each may be a size, the 0 that copies the input's dim, or the -1 that is inferred.
static LogicalResult inferReshapeOnEntry(OnnxNode &node, ArrayRef<AffineExpr> target) {
  Dims source = node.dims(0), factors, dims;
  DimAlgebra &algebra = node.algebra;
  AffineExpr zero = node.number(0), total = node.product(source), wildcards = zero;
  const bool allowZero = node.integer("allowzero", 0) != 0;
  // Each maximum is a symbol, so that products of them stay products of few symbols.
  for (auto [position, element] : llvm::enumerate(target)) {
    AffineExpr size = element;
    if (!allowZero && position < source.size())
      size = size + node.isZero(element) * source[position];
    node.requireNotNegative(element + 1);
    wildcards = wildcards + node.isNegative(element);
    factors.push_back(algebra.maximum(size + node.isNegative(element) * 2, zero));
  }
  node.requireNotNegative(node.number(1) - wildcards);
  AffineExpr inferred = algebra.maximum(total.floorDiv(node.product(factors)), zero);
  for (auto [element, factor] : llvm::zip(target, factors))
    dims.push_back(algebra.maximum(factor + node.isNegative(element) * (inferred - 1), zero));
  node.inference.requireAtEntry(total, node.product(dims), node.op.getLoc());
  return node.set(0, node.element(0), dims);
}

/// Dim of a reshape whose element is not a constant. It is a size unless it may be the -1 that asks for inference, which only data can be.
static AffineExpr reshapeDim(OnnxNode &node, AffineExpr element) {
  if (node.algebra.nonNegative(element) || !node.algebra.dependsOnData(element))
    return element;
  return node.freshSize("reshape");
}

static LogicalResult inferReshape(OnnxNode &node) {
  FailureOr<Dims> target = sizesFrom(node, 1, "shape");
  if (failed(target))
    return failure();
  if (llvm::any_of(*target, [&](AffineExpr element) { return node.mayBeNegative(element); }) &&
      llvm::none_of(*target, [&](AffineExpr element) { return node.algebra.dependsOnData(element); }))
    return inferReshapeOnEntry(node, *target);
  Dims source = node.dims(0), dims;
  bool allowZero = node.integer("allowzero", 0) != 0;
  int inferred = -1;
  bool isKnown = true;
  for (auto [position, element] : llvm::enumerate(*target)) {
    std::optional<int64_t> number = node.algebra.constantValue(element);
    if (number == 0 && !allowZero) {
      if (position >= source.size())
        return node.error() << "shape has 0 (copy the dim) at position " << position << ", but the input has dims " << node.text(source);
      dims.push_back(source[position]);
    } else if (number == -1) {
      if (inferred >= 0)
        return node.error() << "expected at most one -1 in the shape, found two";
      inferred = position;
      dims.push_back(node.number(1));
    } else if (number && *number < -1) {
      return node.error() << "expected sizes of at least -1 in the shape, found " << *number;
    } else {
      dims.push_back(reshapeDim(node, element));
      isKnown &= dims.back() == element;
    }
  }
  AffineExpr total = node.product(source), others = node.product(dims);
  if (!isKnown && inferred >= 0)
    dims[inferred] = node.freshSize("reshape");
  if (!isKnown)
    return node.set(0, node.element(0), dims);
  if (inferred < 0) {
    if (failed(node.requireEqual(total, others, "elements of input and result")))
      return failure();
    return node.set(0, node.element(0), dims, node.content(0));
  }
  if (node.algebra.constantValue(others) == 0)
    return node.error() << "a -1 in the shape cannot be inferred beside a size of 0";
  AffineExpr size = node.algebra.exactQuotient(total, others);
  if (!size) {
    if (node.algebra.constantValue(total) && node.algebra.constantValue(others))
      return node.error() << "expected a shape that divides " << node.text(total) << " elements, found " << node.text(others) << " beside the -1";
    size = total.floorDiv(others);
    if (failed(node.requireEqual(total, node.algebra.normalise(size * others), "elements of input and result")))
      return failure();
  }
  dims[inferred] = size;
  return node.set(0, node.element(0), dims, node.content(0));
}

static LogicalResult inferFlatten(OnnxNode &node) {
  Dims dims = node.dims(0);
  FailureOr<int64_t> axis = node.normaliseAxis(node.integer("axis", 1), dims.size() + 1);
  // The axis may be the rank itself, and a negative one counts from the rank, not from one past it.
  if (failed(axis))
    return failure();
  int64_t split = node.integer("axis", 1) < 0 ? *axis - 1 : *axis;
  if (split < 0)
    return node.error() << "expected axis of at least " << -static_cast<int64_t>(dims.size()) << ", found " << node.integer("axis", 1);
  ArrayRef<AffineExpr> all(dims);
  return node.set(0, node.element(0), {node.product(all.take_front(split)), node.product(all.drop_front(split))}, node.content(0));
}

static LogicalResult inferSqueeze(OnnxNode &node) {
  Dims source = node.dims(0), dims;
  auto axes = node.axes(1, 13, source.size());
  if (failed(axes))
    return failure();
  for (auto [position, dim] : llvm::enumerate(source)) {
    if (!*axes) {
      // Without axes every dim of 1 goes: which those are must be known.
      std::optional<int64_t> size = node.algebra.constantValue(dim);
      if (!size)
        return node.error() << "without axes, expected sizes that are known when the model is compiled, found dims " << node.text(source);
      if (*size != 1)
        dims.push_back(dim);
    } else if (!llvm::is_contained(**axes, static_cast<int64_t>(position))) {
      dims.push_back(dim);
    } else if (std::optional<int64_t> size = node.algebra.constantValue(dim); size && *size != 1) {
      return node.error() << "squeezed dim " << position << ": expected the size 1, found " << *size << " in dims " << node.text(source)
                          << "; PyTorch's squeeze(dim) leaves such a dim alone, and its exporter writes a Squeeze all the same, which no runtime can "
                             "run: take the squeeze out of the model's code before exporting it (transformers: export with "
                             "experts_implementation=\"batched_mm\" or \"grouped_mm\", which have no such loop)";
    } else if (failed(node.requireEqual(dim, node.number(1), "squeezed dim " + Twine(position)))) {
      return failure();
    }
  }
  return node.set(0, node.element(0), dims, node.content(0));
}

static LogicalResult inferUnsqueeze(OnnxNode &node) {
  Dims source = node.dims(0);
  if (node.version() >= 13 && !node.has(1))
    return node.error() << "input 1 (axes) is required, but the node does not have it";
  // The rank of the result is needed to read the axes, and their number to know it.
  std::optional<SmallVector<int64_t>> given = node.version() >= 13 ? node.constants(1) : node.integers("axes");
  if (!given)
    return node.error() << "expected axes that are known when the model is compiled, found none";
  int64_t rank = source.size() + given->size();
  auto axes = node.axes(1, 13, rank);
  if (failed(axes))
    return failure();
  Dims dims;
  auto next = source.begin();
  for (int64_t position = 0; position < rank; ++position)
    dims.push_back(llvm::is_contained(**axes, position) ? node.number(1) : *next++);
  return node.set(0, node.element(0), dims, node.content(0));
}

static LogicalResult inferExpand(OnnxNode &node) {
  FailureOr<Dims> target = sizesFrom(node, 1, "shape");
  if (failed(target))
    return failure();
  Dims source = node.dims(0);
  // A size that only data tells may be 1: it decides the result only where the input's dim is 1 itself.
  size_t ahead = target->size() > source.size() ? target->size() - source.size() : 0;
  size_t skip = source.size() > target->size() ? source.size() - target->size() : 0;
  for (auto [position, size] : llvm::enumerate(*target)) {
    if (node.algebra.nonNegative(size) || !node.algebra.usesElements(size))
      continue;
    bool isNew = position < ahead;
    AffineExpr dim = isNew ? node.number(1) : source[position - ahead + skip];
    std::optional<int64_t> known = node.algebra.constantValue(dim);
    if (!node.algebra.dependsOnData(size)) {
      // Beside a dim of the input that is not 1, it is that dim or 1.
      const bool keepsDim = known && *known != 1;
      if (keepsDim)
        node.inference.requireAtEntry((size - 1) * (size - dim), node.number(0), node.op.getLoc());
      size = keepsDim ? dim : node.sizeFrom(size, "expand");
      continue;
    }
    size = known && *known != 1 ? dim : node.freshSize("expand");
    if (!known)
      source[position - ahead + skip] = node.number(1);
  }
  // An input is read by its own sizes, whichever the run has; what a node made has the sizes that the rest of the graph needs.
  const bool isInput = node.operand(0).isInput;
  FailureOr<Dims> dims = isInput ? node.broadcastOperands({source, true}, {*target, true}, /*anyLast=*/true) : node.broadcast(source, *target);
  if (failed(dims))
    return failure();
  std::optional<Dims> content = node.content(0);
  std::optional<int64_t> count = node.algebra.constantValue(node.product(*dims));
  if (content && content->size() == 1 && count && *count <= 64)
    content = Dims(*count, (*content)[0]);
  else if (content && static_cast<int64_t>(content->size()) != count.value_or(-1))
    content.reset();
  return node.set(0, node.element(0), *dims, content);
}

void addShapeRules(OnnxRuleTable &table) {
  table["Shape"] = {inferShape, 1, 1, 1, 1};
  table["Size"] = {inferSize, 1, 1, 1, 1};
  table["Constant"] = {inferConstant, 0, 0, 1, 1};
  table["ConstantOfShape"] = {inferConstantOfShape, 1, 1, 1, 9};
  table["Range"] = {inferRange, 3, 3, 1, 11};
  table["com.microsoft::Range"] = {inferRange, 3, 3, 1, 1};
  table["Reshape"] = {inferReshape, 2, 2, 1, 5};
  table["Flatten"] = {inferFlatten, 1, 1, 1, 1};
  table["Squeeze"] = {inferSqueeze, 1, 2, 1, 1};
  table["Unsqueeze"] = {inferUnsqueeze, 1, 2, 1, 1};
  table["Expand"] = {inferExpand, 2, 2, 1, 8};
}

} // namespace moe
