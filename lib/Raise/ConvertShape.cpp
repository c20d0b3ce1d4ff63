// Ops that only change the shape, or make a tensor from a shape: reshapes are tensor.collapse_shape and expand_shape, broadcasts one generic.
#include "OnnxConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using moe::NodeConverter;
using moe::SizedTensor;

/// Reshape, Flatten, Squeeze and Unsqueeze: the same elements in the dims that inference gave the result.
static LogicalResult convertReshape(NodeConverter &node) {
  SizedTensor x = node.input(0);
  if (!x)
    return failure();
  AffineExpr before = node.t.product(x.dims), after = node.t.product(node.resultDims());
  if (auto counted = dyn_cast<AffineConstantExpr>(before))
    if (auto wanted = dyn_cast<AffineConstantExpr>(after); wanted && wanted != counted)
      return node.error() << "makes " << wanted.getValue() << " elements of " << counted.getValue();
  return node.finish(node.t.reshape(x, node.resultDims()));
}

static LogicalResult convertExpand(NodeConverter &node) {
  SizedTensor x = node.input(0);
  return x ? node.finish(node.t.broadcast(x, node.resultDims())) : failure();
}

/// Its contents are the dims of the input; a node that comes here has some that depend on data.
static LogicalResult convertShape(NodeConverter &node) {
  const moe::ValueFacts facts = node.t.inference.facts(node.op.getOutputs()[0]);
  if (!facts.content || !llvm::all_of(*facts.content, [&](AffineExpr size) { return node.t.sizes.isKnown(size); }))
    return node.error() << "needs a size that depends on data";
  Type i64 = node.t.builder.getI64Type();
  SmallVector<Value> elements;
  for (AffineExpr size : *facts.content)
    elements.push_back(node.t.sizeAs(size, i64));
  auto tensor = tensor::FromElementsOp::create(node.t.builder, node.t.loc, node.t.type(facts.dims, i64), elements);
  return node.finish({tensor, facts.dims});
}

static LogicalResult convertConstantOfShape(NodeConverter &node) {
  TypedAttr value;
  if (auto elements = dyn_cast_or_null<DenseElementsAttr>(node.op.getNodeAttributes().get("value"))) {
    if (elements.getNumElements() != 1)
      return node.error() << "has " << elements.getNumElements() << " elements in 'value', expected 1";
    value = cast<TypedAttr>(*elements.getValues<Attribute>().begin());
  } else if (node.hasAttribute("value")) {
    return node.error() << "has an attribute 'value' that is not a small tensor";
  } else {
    value = node.t.builder.getF32FloatAttr(0);
  }
  Value scalar = arith::ConstantOp::create(node.t.builder, node.t.loc, value);
  return node.finish(node.t.filled(node.resultDims(), scalar));
}

/// A bound of a Range of step 1 that is read as the indices of Gathers only: 2·d + 1 for the smallest dim of size d that they index. More numbers would not
/// all be indices into it, and one that is none is already among so many. Null where there is none.
static Value boundAsIndices(NodeConverter &node) {
  auto step = node.constants(2);
  if (!step || step->front() != 1 || !isa<IntegerType>(node.resultElement()))
    return {};
  OpBuilder &b = node.t.builder;
  Value least;
  for (OpOperand &use : node.op.getOutputs()[0].getUses()) {
    auto reader = dyn_cast<moe::OnnxOp>(use.getOwner());
    if (!reader || reader.getOpType() != "Gather" || use.getOperandNumber() != 1)
      return {};
    const moe::ValueFacts data = node.t.inference.facts(reader.getInputs()[0]);
    auto axis = dyn_cast_or_null<IntegerAttr>(reader.getNodeAttributes().get("axis"));
    const int64_t rank = data.dims.size(), at = axis ? axis.getInt() : 0, dim = at < 0 ? at + rank : at;
    if (dim < 0 || dim >= rank || node.t.sizes.dependsOnData(data.dims[dim]))
      return {};
    Value size = node.t.indexOf(data.dims[dim]);
    least = least ? arith::MinSIOp::create(b, node.t.loc, least, size).getResult() : size;
  }
  if (!least)
    return {};
  Value twice = arith::AddIOp::create(b, node.t.loc, least, least);
  return arith::AddIOp::create(b, node.t.loc, twice, node.t.indexConstant(1));
}

/// Says how long a Range is whose operands are computed: max(⌈(limit − start) / delta⌉, 0), in f64 for floats as the schema counts.
static LogicalResult defineLength(NodeConverter &node, AffineExpr length) {
  SmallVector<Value> given;
  for (unsigned i : {0u, 1u, 2u}) {
    FailureOr<Value> operand = node.onlyElement(i);
    if (failed(operand))
      return failure();
    given.push_back(*operand);
  }
  OpBuilder &b = node.t.builder;
  Location loc = node.t.loc;
  Type f64 = b.getF64Type();
  // Integers of 2^53 and more are no lengths.
  for (Value &value : given)
    value = moe::convertScalar(b, loc, value, f64);
  Value steps = arith::DivFOp::create(b, loc, arith::SubFOp::create(b, loc, given[1], given[0]), given[2]);
  Value count = moe::convertScalar(b, loc, math::CeilOp::create(b, loc, steps), b.getI64Type());
  count = arith::MaxSIOp::create(b, loc, arith::IndexCastOp::create(b, loc, b.getIndexType(), count), node.t.indexConstant(0));
  node.t.sizes.define(length, count, boundAsIndices(node));
  return success();
}

/// start + i·delta; the number of elements is inference's, or computed where inference does not know it.
static LogicalResult convertRange(NodeConverter &node) {
  Type type = node.resultElement();
  if (AffineExpr length = node.resultDims()[0]; !node.t.sizes.isKnown(length) && failed(defineLength(node, length)))
    return failure();
  auto start = node.contents(0), delta = node.contents(2);
  if (isa<IntegerType>(type) && start && delta) {
    Value first = node.t.indexOf(start->front()), step = node.t.indexOf(delta->front());
    return node.finish(node.t.points({}, {}, node.resultDims(), type, [&](OpBuilder &builder, Location loc, ValueRange at, ValueRange) -> Value {
      Value moved = arith::AddIOp::create(builder, loc, arith::MulIOp::create(builder, loc, at[0], step), first);
      return arith::IndexCastOp::create(builder, loc, type, moved);
    }));
  }
  SizedTensor from = node.input(0), by = node.input(2);
  if (!from || !by)
    return failure();
  return node.finish(node.t.elementwise({from, by}, node.resultDims(), type, [&](OpBuilder &builder, Location loc, ValueRange in) -> Value {
    Value index = linalg::IndexOp::create(builder, loc, 0);
    Value number = arith::IndexCastOp::create(builder, loc, builder.getI64Type(), index);
    number = moe::convertScalar(builder, loc, number, type);
    if (isa<FloatType>(type))
      return arith::AddFOp::create(builder, loc, in[0], arith::MulFOp::create(builder, loc, number, in[1]));
    return arith::AddIOp::create(builder, loc, in[0], arith::MulIOp::create(builder, loc, number, in[1]));
  }));
}

/// Tile: each tiled dim becomes (repeats, dim), broadcast, then joined.
static LogicalResult convertTile(NodeConverter &node) {
  SizedTensor x = node.input(0);
  auto repeats = node.contents(1);
  if (!x)
    return failure();
  if (!repeats || repeats->size() != x.dims.size())
    return node.error() << "needs one repeat per dim that depends on no data";
  SmallVector<AffineExpr> split, tiled;
  for (auto [dim, repeat] : llvm::zip(x.dims, *repeats)) {
    if (!moe::TensorBuilder::isOne(repeat)) {
      split.push_back(node.t.size(1));
      tiled.push_back(repeat);
    }
    split.push_back(dim);
    tiled.push_back(dim);
  }
  return node.finish(node.t.reshape(node.t.broadcast(node.t.reshape(x, split), tiled), node.resultDims()));
}

void moe::addShapeConversions(ConversionTable &table) {
  const uint32_t second = 1u << 1;
  table.add("Reshape", convertReshape, "", second);
  table.add("Flatten", convertReshape);
  table.add("Squeeze", convertReshape, "", second);
  table.add("Unsqueeze", convertReshape, "", second);
  table.add("Expand", convertExpand, "", second);
  table.add("Shape", convertShape, "", 1);
  table.add("Size", convertShape, "", 1);
  table.add("ConstantOfShape", convertConstantOfShape, "", 1);
  table.add("Range", convertRange).definesSizes = true;
  table.add("Tile", convertTile, "", second);
}
