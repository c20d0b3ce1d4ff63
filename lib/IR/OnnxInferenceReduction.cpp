// Rules of ops along axes: reductions, ArgMax, TopK, CumSum, softmaxes and normalisations.
#include "OnnxInferenceNode.h"

using namespace mlir;

namespace moe {

static Type int64(OnnxNode &node) { return IntegerType::get(node.op.getContext(), 64); }

/// The version since which a reduction takes its axes as input.
static int64_t axesInputSince(StringRef name) { return name == "ReduceSum" ? 13 : 18; }

/// A reduction of a known vector to one number; null where the op has no such arithmetic.
static AffineExpr reduceContent(OnnxNode &node, ArrayRef<AffineExpr> content) {
  StringRef name = node.op.getOpType();
  AffineExpr value;
  for (AffineExpr element : content) {
    if (!value)
      value = element;
    else if (name == "ReduceSum")
      value = value + element;
    else if (name == "ReduceProd")
      value = value * element;
    else if (name == "ReduceMax")
      value = node.algebra.maximum(value, element);
    else if (name == "ReduceMin")
      value = node.algebra.minimum(value, element);
    else
      return nullptr;
  }
  bool hasArithmetic = name == "ReduceSum" || name == "ReduceProd" || name == "ReduceMax" || name == "ReduceMin";
  return hasArithmetic ? value : nullptr;
}

/// What the node has the elements of in another shape, or bools as 0 and 1; null where it is no such node.
static Value viewedBy(OnnxOp op) {
  const StringRef name = op.getOpType();
  auto from = !op.getDomain().empty() || op.getInputs().empty() ? RankedTensorType() : dyn_cast<RankedTensorType>(op.getInputs()[0].getType());
  const bool isView = name == "Reshape" || name == "Squeeze" || name == "Unsqueeze" || name == "Flatten" || name == "Identity" || name == "Transpose";
  return from && (isView || (name == "Cast" && from.getElementType().isInteger(1))) ? op.getInputs()[0] : Value();
}

/// The tensor of bools whose elements `value` has in the same number, perhaps as 0 and 1; null where it is none.
static Value boolsOf(Value value) {
  for (auto op = value.getDefiningOp<OnnxOp>(); op && viewedBy(op); op = value.getDefiningOp<OnnxOp>())
    value = viewedBy(op);
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getElementType().isInteger(1) ? value : Value();
}

/// The sum of a whole mask is as many as a NonZero in front of it finds in the same mask: exporters compute the number of rows that a mask picks so.
static AffineExpr countOfMask(OnnxNode &node) {
  const Type element = node.element(0);
  Value mask = element.isInteger(64) || element.isInteger(32) ? boolsOf(node.op.getInputs()[0]) : Value();
  if (!mask)
    return nullptr;
  constexpr unsigned most = 1024; // A mask has a handful of readers.
  unsigned looked = 0;
  SmallVector<Value> open = {mask};
  while (!open.empty()) {
    Value view = open.pop_back_val();
    for (Operation *user : view.getUsers()) {
      if (++looked > most)
        return nullptr;
      auto other = dyn_cast<OnnxOp>(user);
      if (!other || !other.getDomain().empty() || other->getBlock() != node.op->getBlock() || !other->isBeforeInBlock(node.op))
        continue;
      if (other.getOpType() == "NonZero")
        return node.inference.facts(other->getResult(0)).dims.back();
      if (viewedBy(other) == view)
        open.push_back(other->getResult(0));
    }
  }
  return nullptr;
}

static LogicalResult inferReduce(OnnxNode &node) {
  Dims source = node.dims(0), dims;
  auto axes = node.axes(1, axesInputSince(node.op.getOpType()), source.size());
  if (failed(axes))
    return failure();
  bool isEmpty = !*axes || (*axes)->empty();
  if (isEmpty && node.integer("noop_with_empty_axes", 0))
    return node.set(0, node.element(0), source, node.content(0));
  bool keep = node.integer("keepdims", 1) != 0;
  for (auto [position, dim] : llvm::enumerate(source)) {
    bool isReduced = isEmpty || llvm::is_contained(**axes, static_cast<int64_t>(position));
    if (!isReduced)
      dims.push_back(dim);
    else if (keep)
      dims.push_back(node.number(1));
  }
  std::optional<Dims> content = node.content(0), reduced;
  if (content && source.size() == 1)
    if (AffineExpr value = reduceContent(node, *content))
      reduced = Dims{value};
  if (!reduced && node.op.getOpType() == "ReduceSum" && node.algebra.constantValue(node.product(dims)) == 1 && dims.size() < 2)
    if (isEmpty || (*axes)->size() == source.size())
      if (AffineExpr count = countOfMask(node))
        reduced = Dims{count};
  return node.set(0, node.element(0), dims, reduced);
}

static LogicalResult inferArg(OnnxNode &node) {
  Dims dims = node.dims(0);
  FailureOr<int64_t> axis = node.axis("axis", 0, dims.size());
  if (failed(axis))
    return failure();
  if (node.integer("keepdims", 1))
    dims[*axis] = node.number(1);
  else
    dims.erase(dims.begin() + *axis);
  return node.set(0, int64(node), dims);
}

static LogicalResult inferTopK(OnnxNode &node) {
  Dims dims = node.dims(0);
  FailureOr<int64_t> axis = node.axis("axis", -1, dims.size());
  if (failed(axis))
    return failure();
  AffineExpr count;
  if (node.version() < 10) {
    count = node.number(node.integer("k", -1));
  } else {
    if (!node.has(1))
      return node.error() << "input 1 (K) is required, but the node does not have it";
    std::optional<Dims> content = node.contentOrSymbols(1);
    if (!content || content->size() != 1)
      return node.error() << "expected K to be one number, found dims " << node.text(node.dims(1));
    count = (*content)[0];
  }
  std::optional<int64_t> known = node.algebra.constantValue(count), size = node.algebra.constantValue(dims[*axis]);
  if (known && (*known < 0 || (size && *known > *size)))
    return node.error() << "expected K from 0 to " << node.text(dims[*axis]) << ", found " << *known;
  // An axis that is shorter at run time has no K elements.
  if (known && !size && failed(node.requireEqual(node.algebra.minimum(dims[*axis], count), count, "K, which is at most the size of its axis")))
    return failure();
  if (!known)
    node.requireNotNegative(dims[*axis] - count);
  count = node.sizeFrom(count, "k");
  // Memory is planned for the whole axis where K is computed.
  if (node.algebra.dependsOnData(count))
    count = node.algebra.minimum(count, dims[*axis]);
  dims[*axis] = count;
  if (failed(node.set(0, node.element(0), dims)))
    return failure();
  return node.set(1, int64(node), dims);
}

static LogicalResult inferCumSum(OnnxNode &node) {
  if (std::optional<SmallVector<int64_t>> axis = node.constants(1); axis && axis->size() == 1)
    if (failed(node.normaliseAxis((*axis)[0], node.rank(0))))
      return failure();
  return node.setLike(0);
}

/// Softmax, LogSoftmax, Hardmax: before version 13 the axis defaulted to 1 and the op worked on a matrix; the result's shape is the same.
static LogicalResult inferSoftmax(OnnxNode &node) {
  if (node.rank(0) > 0 && failed(node.axis("axis", node.version() < 13 ? 1 : -1, node.rank(0))))
    return failure();
  return node.setLike(0);
}

/// LayerNormalization: scale and bias broadcast to the input; mean and inverse deviation have the normalised axes reduced to 1.
static LogicalResult inferLayerNormalization(OnnxNode &node) {
  Dims dims = node.dims(0);
  FailureOr<int64_t> axis = node.axis("axis", -1, dims.size());
  if (failed(axis))
    return failure();
  for (unsigned i : {1u, 2u}) {
    if (!node.has(i))
      continue;
    if (failed(node.broadcastTo(i, dims, i == 1 ? "scale" : "bias")))
      return failure();
  }
  // The scale of the two without a mean may have another type, which the result takes.
  bool hasMean = node.op.getOpType() == "LayerNormalization";
  Type element = hasMean ? node.element(0) : node.element(1);
  if (failed(node.set(0, element, dims)))
    return failure();
  Dims statistics = dims;
  for (int64_t position = *axis, rank = dims.size(); position < rank; ++position)
    statistics[position] = node.number(1);
  Type stash = onnxElementType(node.op.getContext(), node.integer("stash_type", 1));
  if (!stash)
    return node.error() << "expected attribute 'stash_type' to be a float data type, found " << node.integer("stash_type", 1);
  if (failed(node.set(1, stash, statistics)))
    return failure();
  return node.set(2, stash, statistics);
}

void addReductionRules(OnnxRuleTable &table) {
  for (const char *name : {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp",
                           "ReduceSumSquare"})
    table[name] = {inferReduce, 1, 2, 1, 1};
  for (const char *name : {"ArgMax", "ArgMin"})
    table[name] = {inferArg, 1, 1, 1, 1};
  table["TopK"] = {inferTopK, 1, 2, 2, 1};
  table["CumSum"] = {inferCumSum, 2, 2, 1, 11};
  table["CumProd"] = {inferCumSum, 2, 2, 1, 26};
  for (const char *name : {"Softmax", "LogSoftmax", "Hardmax"})
    table[name] = {inferSoftmax, 1, 1, 1, 1};
  table["LayerNormalization"] = {inferLayerNormalization, 2, 3, 3, 1};
  table["SimplifiedLayerNormalization"] = {inferLayerNormalization, 2, 2, 2, 1};
  table["RMSNormalization"] = {inferLayerNormalization, 2, 2, 1, 23};
}

} // namespace moe
