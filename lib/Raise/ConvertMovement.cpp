// Ops that move elements without computing: Transpose, Concat, Split, Slice, Pad, Trilu.
#include "OnnxConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using moe::NodeConverter;
using moe::SizedTensor;
using moe::TensorBuilder;

static LogicalResult convertTranspose(NodeConverter &node) {
  SizedTensor x = node.input(0);
  if (!x)
    return failure();
  SmallVector<int64_t> permutation = llvm::to_vector(llvm::reverse(llvm::seq<int64_t>(0, x.rank())));
  if (auto given = node.getInts("perm")) {
    FailureOr<SmallVector<int64_t>> counted = node.axes(*given, x.rank());
    if (failed(counted))
      return failure();
    if (static_cast<int64_t>(counted->size()) != x.rank())
      return node.error() << "has " << counted->size() << " entries in 'perm', expected " << x.rank();
    permutation = *counted;
  }
  return node.finish(node.t.transpose(x, permutation));
}

static LogicalResult convertConcat(NodeConverter &node) {
  SmallVector<SizedTensor> inputs;
  FailureOr<int64_t> axis = node.axis(node.getInt("axis", 1), node.resultDims().size());
  if (failed(axis))
    return failure();
  for (unsigned i = 0; i < node.numInputs(); ++i) {
    SizedTensor input = node.input(i);
    if (!input)
      return failure();
    auto constant = dyn_cast<AffineConstantExpr>(input.dims[*axis]);
    if (!constant || constant.getValue() != 0)
      inputs.push_back(input);
  }
  if (inputs.empty()) // only empty inputs
    return node.finish(node.input(0));
  if (inputs.size() == 1)
    return node.finish(inputs.front());
  return node.finish(node.t.concat(inputs, *axis, node.resultDims()));
}

static LogicalResult convertSplit(NodeConverter &node) {
  SizedTensor x = node.input(0);
  if (!x)
    return failure();
  FailureOr<int64_t> axis = node.axis(node.getInt("axis", 0), x.rank());
  if (failed(axis))
    return failure();
  AffineExpr start = node.t.size(0);
  SmallVector<int64_t> steps(x.rank(), 1);
  for (unsigned i = 0; i < node.op.getOutputs().size(); ++i) {
    SmallVector<AffineExpr> dims = node.resultDims(i);
    SmallVector<OpFoldResult> offsets(x.rank(), node.t.builder.getIndexAttr(0));
    offsets[*axis] = node.t.sizes.getFold(start);
    if (node.wants(i))
      node.result(i, node.t.slice(x, offsets, dims, steps));
    start = start + dims[*axis];
  }
  return success();
}

//===-- Slice -------------------------------------------------------------===//

/// Is the size at least 0 whatever the input dims are?
static bool isNonNegative(NodeConverter &node, AffineExpr size) {
  if (node.t.inference.usesElements(size))
    return false;
  if (auto constant = dyn_cast<AffineConstantExpr>(size))
    return constant.getValue() >= 0;
  auto binary = dyn_cast<AffineBinaryOpExpr>(size);
  return !binary || (isNonNegative(node, binary.getLHS()) && isNonNegative(node, binary.getRHS()));
}

/// The first index that a slice with `start` reads of a dim, as ONNX clamps it. Where that is beyond the last element the slice is empty and
/// the index means nothing, so only the other end needs care.
static OpFoldResult firstIndex(NodeConverter &node, AffineExpr start, AffineExpr dim, int64_t step) {
  TensorBuilder &t = node.t;
  auto constant = dyn_cast<AffineConstantExpr>(start);
  auto constantDim = dyn_cast<AffineConstantExpr>(dim);
  constexpr int64_t far = int64_t(1) << 31; // exporters write "from the end" and "to the start" as extreme values
  if (constant && constant.getValue() <= -far)
    return t.builder.getIndexAttr(0);
  if (constant && constant.getValue() >= far)
    return t.sizes.getFold(step > 0 ? dim : dim - 1);
  AffineExpr counted = constant && constant.getValue() < 0 ? dim + start : start;
  if (constant && constantDim) {
    int64_t last = constantDim.getValue() - (step > 0 ? 0 : 1);
    return t.builder.getIndexAttr(std::max<int64_t>(0, std::min(cast<AffineConstantExpr>(counted).getValue(), last)));
  }
  if (isNonNegative(node, counted) && step > 0)
    return t.sizes.getFold(counted);
  Value zero = t.indexConstant(0), value = t.indexOf(counted);
  OpBuilder &b = t.builder;
  if (!constant && !isNonNegative(node, counted)) {
    Value fromEnd = arith::AddIOp::create(b, t.loc, value, t.indexOf(dim));
    Value isNegative = arith::CmpIOp::create(b, t.loc, arith::CmpIPredicate::slt, value, zero);
    value = arith::SelectOp::create(b, t.loc, isNegative, fromEnd, value);
  }
  if (step < 0)
    value = arith::MinSIOp::create(b, t.loc, value, t.indexOf(dim - 1));
  return arith::MaxSIOp::create(b, t.loc, value, zero).getResult();
}

namespace {
/// Where a slice starts in each dim and how it steps.
struct SlicePlan {
  SmallVector<OpFoldResult> offsets;
  SmallVector<int64_t> steps;
};
} // namespace

/// Reads starts, axes and steps from the inputs (opset 10 on) or the attributes.
static FailureOr<SlicePlan> planSlice(NodeConverter &node, const SizedTensor &x) {
  std::optional<SmallVector<AffineExpr>> starts;
  std::optional<SmallVector<int64_t>> axes, steps;
  if (node.version() >= 10) {
    starts = node.contents(1);
    if (node.has(3) && !(axes = node.constants(3)))
      return node.error() << "has axes that depend on data";
    if (node.has(4) && !(steps = node.constants(4)))
      return node.error() << "has steps that depend on data";
  } else {
    if (auto given = node.getInts("starts")) {
      starts.emplace();
      for (int64_t start : *given)
        starts->push_back(node.t.size(start));
    }
    axes = node.getInts("axes");
  }
  if (!starts)
    return node.error() << "has starts that depend on data";
  if (!axes)
    axes = llvm::to_vector(llvm::seq<int64_t>(0, starts->size()));
  if (!steps)
    steps = SmallVector<int64_t>(starts->size(), 1);
  FailureOr<SmallVector<int64_t>> counted = node.axes(*axes, x.rank());
  if (failed(counted))
    return failure();
  if (counted->size() != starts->size() || steps->size() != starts->size())
    return node.error() << "has " << starts->size() << " starts, " << axes->size() << " axes and " << steps->size() << " steps";
  SlicePlan plan;
  plan.offsets.assign(x.rank(), node.t.builder.getIndexAttr(0));
  plan.steps.assign(x.rank(), 1);
  for (auto [start, axis, step] : llvm::zip(*starts, *counted, *steps)) {
    if (step == 0)
      return node.error() << "has a step of 0";
    plan.offsets[axis] = firstIndex(node, start, x.dims[axis], step);
    plan.steps[axis] = step;
  }
  return plan;
}

static LogicalResult convertSlice(NodeConverter &node) {
  SizedTensor x = node.input(0);
  if (!x)
    return failure();
  FailureOr<SlicePlan> plan = planSlice(node, x);
  if (failed(plan))
    return failure();
  SmallVector<AffineExpr> dims = node.resultDims();
  if (x.dims == dims && llvm::all_of(plan->steps, [](int64_t step) { return step == 1; }))
    return node.finish(x); // nothing is cut off
  if (llvm::all_of(plan->steps, [](int64_t step) { return step > 0; }))
    return node.finish(node.t.slice(x, plan->offsets, dims, plan->steps));
  // A step backwards is no tensor.extract_slice: read element by element.
  SmallVector<Value> first, step;
  for (auto [offset, by] : llvm::zip(plan->offsets, plan->steps)) {
    auto constant = getConstantIntValue(offset);
    first.push_back(constant ? node.t.indexConstant(*constant) : cast<Value>(offset));
    step.push_back(node.t.indexConstant(by));
  }
  return node.finish(node.t.points({}, {}, dims, x.elementType(), [&](OpBuilder &builder, Location loc, ValueRange at, ValueRange) -> Value {
    SmallVector<Value> from;
    for (auto [index, offset, by] : llvm::zip(at, first, step))
      from.push_back(arith::AddIOp::create(builder, loc, arith::MulIOp::create(builder, loc, index, by), offset));
    return tensor::ExtractOp::create(builder, loc, x.value, from);
  }));
}

//===-- Pad and Trilu -----------------------------------------------------===//

/// The element of a dim that stands at `index` of the padded one, and whether it lies inside (for constant padding).
static Value paddedIndex(OpBuilder &b, Location loc, StringRef mode, Value index, Value dim, Value zero, Value one, Value &inside) {
  Value last = arith::SubIOp::create(b, loc, dim, one);
  if (mode == "constant") {
    Value below = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, index, zero);
    Value above = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, index, dim);
    Value both = arith::AndIOp::create(b, loc, below, above);
    inside = inside ? arith::AndIOp::create(b, loc, inside, both).getResult() : both;
  } else if (mode == "reflect") {
    // One reflection at each end; pads are smaller than the dim.
    Value mirrored = arith::SubIOp::create(b, loc, zero, index);
    index = arith::MaxSIOp::create(b, loc, index, mirrored);
    Value twice = arith::AddIOp::create(b, loc, last, last);
    Value back = arith::SubIOp::create(b, loc, twice, index);
    index = arith::MinSIOp::create(b, loc, index, back);
  }
  if (mode == "wrap") {
    Value safe = arith::MaxSIOp::create(b, loc, dim, one);
    index = arith::RemSIOp::create(b, loc, index, safe);
    Value isNegative = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, index, zero);
    index = arith::SelectOp::create(b, loc, isNegative, arith::AddIOp::create(b, loc, index, safe), index);
  }
  Value capped = arith::MinSIOp::create(b, loc, index, last);
  return arith::MaxSIOp::create(b, loc, capped, zero);
}

static LogicalResult convertPad(NodeConverter &node) {
  SizedTensor x = node.input(0);
  if (!x)
    return failure();
  StringRef mode = node.getString("mode", "constant");
  if (mode != "constant" && mode != "edge" && mode != "reflect" && mode != "wrap")
    return node.error() << "has mode '" << mode << "', expected constant, edge, reflect or wrap";
  auto pads = node.contents(1);
  if (node.version() < 11)
    return node.error() << "of opset " << node.version() << " is not supported yet, expected 11 or later";
  if (!pads)
    return node.error() << "has pads that depend on data";
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, x.rank()));
  if (node.has(3)) {
    auto given = node.constants(3);
    if (!given)
      return node.error() << "has axes that depend on data";
    FailureOr<SmallVector<int64_t>> counted = node.axes(*given, x.rank());
    if (failed(counted))
      return failure();
    axes = *counted;
  }
  if (pads->size() != 2 * axes.size())
    return node.error() << "has " << pads->size() << " pads, expected " << 2 * axes.size();
  SmallVector<SizedTensor> fill;
  if (mode == "constant")
    fill.push_back(node.has(2) ? node.input(2) : node.t.zeros({}, x.elementType()));
  if (node.failed())
    return failure();
  TensorBuilder &t = node.t;
  SmallVector<Value> before(x.rank()), dims;
  for (auto [i, axis] : llvm::enumerate(axes))
    before[axis] = t.indexOf((*pads)[i]);
  for (AffineExpr dim : x.dims)
    dims.push_back(t.indexOf(dim));
  Value zero = t.indexConstant(0), one = t.indexConstant(1);
  SmallVector<AffineMap> maps;
  for (const SizedTensor &value : fill)
    maps.push_back(t.broadcastMap(value.dims, node.resultDims()));
  return node.finish(t.points(fill, maps, node.resultDims(), x.elementType(), [&](OpBuilder &b, Location loc, ValueRange at, ValueRange in) -> Value {
    SmallVector<Value> from;
    Value inside;
    for (auto [index, pad, dim] : llvm::zip(at, before, dims)) {
      Value moved = pad ? arith::SubIOp::create(b, loc, index, pad).getResult() : index;
      from.push_back(pad ? paddedIndex(b, loc, mode, moved, dim, zero, one, inside) : moved);
    }
    Value element = tensor::ExtractOp::create(b, loc, x.value, from);
    return inside ? arith::SelectOp::create(b, loc, inside, element, in[0]).getResult() : element;
  }));
}

static LogicalResult convertTrilu(NodeConverter &node) {
  SizedTensor x = node.input(0);
  if (!x)
    return failure();
  if (x.rank() < 2)
    return node.error() << "needs at least 2 dims, found " << x.rank();
  AffineExpr diagonal = node.t.size(0);
  if (node.has(1)) {
    auto given = node.contents(1);
    if (!given || given->size() != 1)
      return node.error() << "has a diagonal that depends on data";
    diagonal = given->front();
  }
  bool upper = node.getInt("upper", 1);
  Value k = node.t.indexOf(diagonal);
  int64_t rank = x.rank();
  return node.finish(node.t.points(x, node.t.broadcastMap(x.dims, x.dims), x.dims, x.elementType(),
                                   [&](OpBuilder &b, Location loc, ValueRange at, ValueRange in) -> Value {
                                     Value row = arith::AddIOp::create(b, loc, at[rank - 2], k);
                                     auto predicate = upper ? arith::CmpIPredicate::sge : arith::CmpIPredicate::sle;
                                     Value keep = arith::CmpIOp::create(b, loc, predicate, at[rank - 1], row);
                                     Value zero = arith::ConstantOp::create(b, loc, cast<TypedAttr>(b.getZeroAttr(in[0].getType())));
                                     return arith::SelectOp::create(b, loc, keep, in[0], zero);
                                   }));
}

void moe::addMovementConversions(ConversionTable &table) {
  table.add("Transpose", convertTranspose);
  table.add("Concat", convertConcat);
  table.add("Split", convertSplit, "", /*shapeOnlyInputs=*/1u << 1);
  table.add("Slice", convertSlice);
  table.add("Pad", convertPad);
  table.add("Trilu", convertTrilu);
}
