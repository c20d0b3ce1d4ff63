// See Routing.h. The ops themselves are in Routing<Op>.cpp.
#include "Routing.h"

#include "moe/IR/Layers.h"
#include "moe/IR/Sizes.h"

using namespace mlir;

namespace moe {

Value Routing::constant(int64_t value) { return arith::ConstantIndexOp::create(builder, builder.getUnknownLoc(), value); }

static std::optional<int64_t> constantOf(Value value) {
  IntegerAttr attr;
  return matchPattern(value, m_Constant(&attr)) ? std::optional(attr.getInt()) : std::nullopt;
}

Value Routing::multiply(Value a, Value b) {
  if (constantOf(a) == 1)
    return b;
  if (constantOf(b) == 1)
    return a;
  return builder.createOrFold<arith::MulIOp>(a.getLoc(), a, b);
}

Value Routing::addTo(Value a, Value b) { return builder.createOrFold<arith::AddIOp>(a.getLoc(), a, b); }

Value Routing::size(Value tensor, int64_t dim) {
  while (Operation *op = tensor.getDefiningOp()) {
    if (auto destination = dyn_cast<DestinationStyleOpInterface>(op))
      tensor = destination.getTiedOpOperand(cast<OpResult>(tensor))->get();
    else if (auto cast = dyn_cast<tensor::CastOp>(op))
      tensor = cast.getSource();
    else
      break;
  }
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.isDynamicDim(dim))
    return constant(type.getDimSize(dim));
  if (auto empty = tensor.getDefiningOp<tensor::EmptyOp>())
    return empty.getDynamicSize(dim);
  // Ops are lowered in their order: what one has asked for is there for those after it.
  Value &known = sizes[{tensor, dim}];
  if (!known)
    known = tensor::DimOp::create(builder, tensor.getLoc(), tensor, dim);
  return known;
}

LogicalResult Routing::requireEqual(Operation *op, Value a, Value b, const Twine &what) {
  if (a == b)
    return success();
  const std::optional<int64_t> first = constantOf(a), second = constantOf(b);
  if (first && second)
    return *first == *second ? success() : op->emitError() << describeOp(op) << ": " << what << " differ: " << *first << " and " << *second;
  RequireEqualOp::create(builder, op->getLoc(), a, b, (describeOp(op) + ": " + what + " must be equal").str());
  return success();
}

LogicalResult Routing::requireLengths(Operation *op, ArrayRef<Value> lists) {
  for (Value list : lists.drop_front())
    if (list && failed(requireEqual(op, size(lists.front(), 0), size(list, 0), "the lengths of the lists")))
      return failure();
  return success();
}

LogicalResult Routing::replace(OpResult result, Value value) {
  auto type = cast<RankedTensorType>(result.getType());
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (!type.isDynamicDim(dim) && failed(requireEqual(result.getOwner(), size(value, dim), constant(type.getDimSize(dim)),
                                                       "dim " + Twine(dim) + " of result " + Twine(result.getResultNumber()) +
                                                           " and the size in its type")))
      return failure();
  if (value.getType() != type) {
    const Value plain = value;
    value = tensor::CastOp::create(builder, result.getLoc(), type, plain);
    if (lists.contains(plain))
      lists[value] = ListFacts(lists[plain]);
    if (slots.contains(plain))
      slots[value] = SlotFacts(slots[plain]);
  }
  result.replaceAllUsesWith(value);
  return success();
}

Routing::Values Routing::routine(Operation *op, Value items, ArrayRef<Value> inputs, ArrayRef<Out> outs,
                                 llvm::function_ref<void(Body &)> body) {
  const Location loc = op->getLoc();
  Values operands, buffers;
  for (Value input : inputs)
    if (input)
      operands.push_back(input);
  for (const Out &out : outs) {
    const SmallVector<OpFoldResult> mixed = getAsOpFoldResult(out.sizes);
    buffers.push_back(out.begun ? out.begun : tensor::EmptyOp::create(builder, loc, mixed, out.element).getResult());
  }
  auto routine = RoutineOp::create(builder, loc, ValueRange(buffers).getTypes(), op->getName().getStringRef(), items, operands, buffers);
  Block &block = routine.getBody().emplaceBlock();
  OpBuilder inner = OpBuilder::atBlockBegin(&block);
  LoopWriter writer(inner, loc);
  Body arguments{writer, {}, {}, {}, {}};
  if (items) {
    arguments.begin = block.addArgument(inner.getIndexType(), loc);
    arguments.end = block.addArgument(inner.getIndexType(), loc);
  }
  auto add = [&](Value operand) -> Value {
    auto tensor = dyn_cast<RankedTensorType>(operand.getType());
    Type type = tensor ? Type(MemRefType::get(tensor.getShape(), tensor.getElementType())) : operand.getType();
    return block.addArgument(type, loc);
  };
  for (Value input : inputs)
    arguments.ins.push_back(input ? add(input) : Value());
  for (Value buffer : buffers)
    arguments.outs.push_back(add(buffer));
  body(arguments);
  return Values(routine.getResults());
}

Value Routing::capacity(CapacityAttr rule, Value tokens, Value choices, Value experts) {
  return slotsPerExpert(builder, tokens.getLoc(), rule, tokens, choices, experts);
}

void forColumns(LoopWriter &w, Value count, llvm::function_ref<void(Value, int64_t)> body) {
  constexpr int64_t lanes = 16;
  Value whole = w.mul(w.div(count, w.index(lanes)), w.index(lanes));
  w.loop(w.index(0), whole, lanes, [&](Value column) { body(column, lanes); });
  w.loop(whole, count, [&](Value column) { body(column, 1); });
}

} // namespace moe
