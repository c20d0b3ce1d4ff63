// Rules of elementwise ops: broadcasting, comparisons, casts, and their arithmetic on shape values.
#include "OnnxInferenceNode.h"

#include "llvm/Support/MathExtras.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace moe {

Type onnxElementType(MLIRContext *context, int64_t dataType) {
  auto signless = [&](unsigned width) { return IntegerType::get(context, width); };
  auto isUnsigned = [&](unsigned width) { return IntegerType::get(context, width, IntegerType::Unsigned); };
  switch (dataType) {
  case 1: return Float32Type::get(context);
  case 2: return isUnsigned(8);
  case 3: return signless(8);
  case 4: return isUnsigned(16);
  case 5: return signless(16);
  case 6: return signless(32);
  case 7: return signless(64);
  case 9: return signless(1);
  case 10: return Float16Type::get(context);
  case 11: return Float64Type::get(context);
  case 12: return isUnsigned(32);
  case 13: return isUnsigned(64);
  case 14: return ComplexType::get(Float32Type::get(context));
  case 15: return ComplexType::get(Float64Type::get(context));
  case 16: return BFloat16Type::get(context);
  case 17: return Float8E4M3FNType::get(context);
  case 18: return Float8E4M3FNUZType::get(context);
  case 19: return Float8E5M2Type::get(context);
  case 20: return Float8E5M2FNUZType::get(context);
  case 21: return isUnsigned(4);
  case 22: return signless(4);
  case 23: return Float4E2M1FNType::get(context);
  case 24: return Float8E8M0FNUType::get(context);
  case 25: return isUnsigned(2);
  case 26: return signless(2);
  case 27: return Float6E2M3FNType::get(context);
  case 28: return Float6E3M2FNType::get(context);
  default: return nullptr;
  }
}

static LogicalResult inferSame(OnnxNode &node) { return node.set(0, node.element(0), node.dims(0), std::nullopt); }

static LogicalResult inferIdentity(OnnxNode &node) { return node.set(0, node.element(0), node.dims(0), node.content(0)); }

static LogicalResult inferPredicate(OnnxNode &node) { return node.set(0, IntegerType::get(node.op.getContext(), 1), node.dims(0)); }

//===-- Arithmetic on shape values ---------------------------------------===//

/// A number that only data tells; the other elements of a content stay exact.
static AffineExpr unknown(OnnxNode &node) { return node.freshNumber("value"); }

/// ONNX's integer division truncates, AffineExpr's floors: they agree where nothing is negative.
static AffineExpr divide(OnnxNode &node, AffineExpr lhs, AffineExpr rhs) {
  std::optional<int64_t> top = node.algebra.constantValue(lhs), bottom = node.algebra.constantValue(rhs);
  if (top && bottom && *bottom != 0 && !(*top == INT64_MIN && *bottom == -1))
    return node.number(*top / *bottom);
  if (AffineExpr exact = node.algebra.exactQuotient(lhs, rhs))
    return exact;
  if (node.algebra.nonNegative(lhs) && node.algebra.positive(rhs))
    return lhs.floorDiv(rhs);
  return unknown(node);
}

static AffineExpr remainder(OnnxNode &node, AffineExpr lhs, AffineExpr rhs) {
  std::optional<int64_t> top = node.algebra.constantValue(lhs), bottom = node.algebra.constantValue(rhs);
  bool truncates = node.integer("fmod", 0) != 0;
  if (top && bottom && *bottom != 0 && *bottom != -1) {
    int64_t rest = *top % *bottom;
    if (!truncates && rest != 0 && (rest < 0) != (*bottom < 0))
      rest += *bottom;
    return node.number(rest);
  }
  if (bottom && *bottom > 0 && (!truncates || node.algebra.nonNegative(lhs)))
    return lhs % rhs;
  return unknown(node);
}

static AffineExpr boolean(OnnxNode &node, bool isTrue, bool isFalse) {
  return isTrue ? node.number(1) : isFalse ? node.number(0) : unknown(node);
}

/// One element of a binary op on shape values; null for an op that has no such arithmetic.
static AffineExpr combine(OnnxNode &node, StringRef name, AffineExpr lhs, AffineExpr rhs) {
  DimAlgebra &algebra = node.algebra;
  auto less = [&](AffineExpr a, AffineExpr b) { return boolean(node, algebra.positive(b - a), algebra.nonNegative(a - b)); };
  auto lessOrEqual = [&](AffineExpr a, AffineExpr b) { return boolean(node, algebra.nonNegative(b - a), algebra.positive(a - b)); };
  auto isNumber = [&](AffineExpr a, int64_t value) { return algebra.constantValue(a) == value; };
  if (name == "Add") return lhs + rhs;
  if (name == "Sub") return lhs - rhs;
  if (name == "Mul") return lhs * rhs;
  if (name == "Div") return divide(node, lhs, rhs);
  if (name == "Mod") return remainder(node, lhs, rhs);
  if (name == "Max") return algebra.maximum(lhs, rhs);
  if (name == "Min") return algebra.minimum(lhs, rhs);
  if (name == "Equal") return boolean(node, algebra.equal(lhs, rhs), algebra.different(lhs, rhs));
  if (name == "Less") return less(lhs, rhs);
  if (name == "Greater") return less(rhs, lhs);
  if (name == "LessOrEqual") return lessOrEqual(lhs, rhs);
  if (name == "GreaterOrEqual") return lessOrEqual(rhs, lhs);
  if (name == "And") return boolean(node, isNumber(lhs, 1) && isNumber(rhs, 1), isNumber(lhs, 0) || isNumber(rhs, 0));
  if (name == "Or") return boolean(node, isNumber(lhs, 1) || isNumber(rhs, 1), isNumber(lhs, 0) && isNumber(rhs, 0));
  return nullptr;
}

/// The element of a broadcast operand that belongs to position `linear` of the result.
static int64_t broadcastPosition(ArrayRef<int64_t> operand, ArrayRef<int64_t> result, int64_t linear) {
  int64_t position = 0, stride = 1;
  for (size_t back = 0; back < result.size(); ++back) {
    int64_t index = linear % result[result.size() - 1 - back];
    linear /= result[result.size() - 1 - back];
    if (back < operand.size()) {
      int64_t size = operand[operand.size() - 1 - back];
      position += (size == 1 ? 0 : index) * stride;
      stride *= size;
    }
  }
  return position;
}

static std::optional<SmallVector<int64_t>> staticShape(OnnxNode &node, ArrayRef<AffineExpr> dims) {
  SmallVector<int64_t> shape;
  for (AffineExpr dim : dims) {
    std::optional<int64_t> size = node.algebra.constantValue(dim);
    if (!size)
      return std::nullopt;
    shape.push_back(*size);
  }
  return shape;
}

/// Elements of an elementwise op on `operands` whose result has `dims`: `element` gets those that meet at one position. Nothing where an operand is
/// not known.
static std::optional<Dims> elementwiseContent(OnnxNode &node, ArrayRef<unsigned> operands, ArrayRef<AffineExpr> dims,
                                              llvm::function_ref<AffineExpr(ArrayRef<AffineExpr>)> element) {
  std::optional<SmallVector<int64_t>> shape = staticShape(node, dims);
  // Nothing is learnt where all is data; and where some is, the rest becomes symbols.
  if (!shape || llvm::none_of(operands, [&](unsigned i) { return node.content(i).has_value(); }))
    return std::nullopt;
  int64_t count = 1;
  for (int64_t size : *shape)
    if (size > 64 || (count *= size) > 64)
      return std::nullopt;
  SmallVector<Dims> contents;
  SmallVector<SmallVector<int64_t>> shapes;
  for (unsigned i : operands) {
    std::optional<Dims> content = node.contentOrSymbols(i);
    std::optional<SmallVector<int64_t>> operandShape = staticShape(node, node.dims(i));
    if (!content || !operandShape)
      return std::nullopt;
    contents.push_back(*content);
    shapes.push_back(*operandShape);
  }
  Dims result;
  for (int64_t linear = 0; linear < count; ++linear) {
    SmallVector<AffineExpr> met;
    for (auto [content, operandShape] : llvm::zip(contents, shapes))
      met.push_back(content[broadcastPosition(operandShape, *shape, linear)]);
    AffineExpr value = element(met);
    if (!value)
      return std::nullopt;
    result.push_back(node.algebra.normalise(value));
  }
  return result;
}

//===-- Broadcasting at run time -----------------------------------------===//

OnnxNode::Operand OnnxNode::operand(unsigned i) {
  auto argument = dyn_cast<BlockArgument>(op.getInputs()[i]);
  return {dims(i), argument && argument.getOwner()->isEntryBlock() && isa<func::FuncOp>(argument.getOwner()->getParentOp())};
}

/// Is the size a dim of an input, or what such are broadcast to, or an element of an input, so that a run may have it 1?
static bool isInputDim(OnnxNode &node, AffineExpr dim) {
  auto leaf = dyn_cast<AffineSymbolExpr>(dim);
  if (!leaf)
    return false;
  const DimSymbol symbol = node.algebra.symbols()[leaf.getPosition()];
  if (symbol.kind == SymbolKind::Maximum) {
    // An element is a size where it is not negative: the greater of it and 0.
    const auto isFine = [&](AffineExpr side) { return isInputDim(node, side) || node.algebra.constantValue(side) == 0; };
    return isFine(symbol.lhs) && isFine(symbol.rhs);
  }
  return symbol.kind == SymbolKind::Argument || (symbol.kind == SymbolKind::Element && isa<BlockArgument>(symbol.tensor));
}

/// Two dims of which nothing is known, the first one an input's: it may be 1 when the model runs. The reader of an input can take index 0 then, which
/// costs nothing but where elements lie in a row. Where both are inputs' either may be 1. Nothing where the dims are better taken as equal: what
/// other nodes make has the sizes that the rest of the graph needs.
static FailureOr<std::optional<AffineExpr>> broadcastInputDim(OnnxNode &node, AffineExpr dim, AffineExpr other, bool otherIsInput) {
  dim = node.algebra.normalise(dim);
  other = node.algebra.normalise(other);
  const bool isPlain = isa<AffineSymbolExpr>(other) || node.algebra.constantValue(other).value_or(0) > 1;
  // A size that is 1 at most is its own case: OnnxNode::broadcastDim.
  if (!isInputDim(node, dim) || dim == other || !isPlain || node.algebra.nonNegative(node.number(1) - other) || node.algebra.dependsOnData(other) || !node.algebra.nonNegative(other))
    return std::optional<AffineExpr>();
  const bool either = otherIsInput && isInputDim(node, other);
  // The greater of two sizes that are equal or one of which is 1; the condition leaves out 0 against 1.
  AffineExpr result = either ? node.algebra.maximum(dim, other) : other, one = either ? node.algebra.minimum(dim, other) : dim;
  if (failed(node.requireEqual((result - one) * (one - 1), node.number(0), "broadcasting")))
    return failure();
  return std::optional(result);
}

FailureOr<Dims> OnnxNode::broadcastOperands(const Operand &lhs, const Operand &rhs, bool anyLast) {
  Dims result(lhs.dims.size() < rhs.dims.size() ? rhs.dims : lhs.dims);
  for (size_t back = 1; back <= std::min(lhs.dims.size(), rhs.dims.size()); ++back) {
    AffineExpr left = lhs.dims[lhs.dims.size() - back], right = rhs.dims[rhs.dims.size() - back];
    std::optional<AffineExpr> joined;
    for (auto [side, dim, otherSide, other] : {std::tuple(&lhs, left, &rhs, right), std::tuple(&rhs, right, &lhs, left)}) {
      if (joined || !side->isInput || (back == 1 && !anyLast && !otherSide->isInput))
        continue;
      FailureOr<std::optional<AffineExpr>> tried = broadcastInputDim(*this, dim, other, otherSide->isInput);
      if (failed(tried))
        return failure();
      joined = *tried;
    }
    if (!joined) {
      FailureOr<AffineExpr> plain = broadcastDim(left, right);
      if (failed(plain))
        return failure();
      joined = *plain;
    }
    result[result.size() - back] = algebra.normalise(*joined);
  }
  return result;
}

//===-- Rules ------------------------------------------------------------===//

static LogicalResult inferBinary(OnnxNode &node, Type result) {
  FailureOr<Dims> dims = node.broadcastOperands(node.operand(0), node.operand(1));
  if (failed(dims))
    return failure();
  StringRef name = node.op.getOpType();
  std::optional<Dims> content =
      elementwiseContent(node, {0, 1}, *dims, [&](ArrayRef<AffineExpr> met) { return combine(node, name, met[0], met[1]); });
  return node.set(0, result ? result : node.element(0), *dims, content);
}

static LogicalResult inferArithmetic(OnnxNode &node) {
  if (failed(node.requireSameElement(0, 1)))
    return failure();
  return inferBinary(node, node.element(0));
}

/// Pow takes the base's type, whatever the exponent's.
static LogicalResult inferPow(OnnxNode &node) { return inferBinary(node, node.element(0)); }

static LogicalResult inferComparison(OnnxNode &node) {
  if (failed(node.requireSameElement(0, 1)))
    return failure();
  return inferBinary(node, IntegerType::get(node.op.getContext(), 1));
}

static LogicalResult inferVariadic(OnnxNode &node) {
  Dims dims = node.dims(0);
  SmallVector<unsigned> operands = {0};
  bool onlyInputs = node.operand(0).isInput;
  for (unsigned i = 1; i < node.inputs(); ++i) {
    if (!node.has(i))
      return node.error() << "input " << i << " is required, but the node does not have it";
    if (failed(node.requireSameElement(0, i)))
      return failure();
    FailureOr<Dims> joined = node.broadcastOperands({dims, onlyInputs}, node.operand(i));
    onlyInputs &= node.operand(i).isInput;
    if (failed(joined))
      return failure();
    dims = *joined;
    operands.push_back(i);
  }
  StringRef name = node.op.getOpType();
  std::optional<Dims> content = elementwiseContent(node, operands, dims, [&](ArrayRef<AffineExpr> met) {
    AffineExpr value = met[0];
    for (AffineExpr other : met.drop_front())
      value = value ? combine(node, name, value, other) : value;
    return met.size() == 1 || name == "Max" || name == "Min" ? value : AffineExpr();
  });
  return node.set(0, node.element(0), dims, content);
}

static LogicalResult inferNeg(OnnxNode &node) {
  auto content = elementwiseContent(node, {0}, node.dims(0), [](ArrayRef<AffineExpr> met) { return met[0] * -1; });
  return node.set(0, node.element(0), node.dims(0), content);
}

static LogicalResult inferAbs(OnnxNode &node) {
  auto content = elementwiseContent(node, {0}, node.dims(0), [&](ArrayRef<AffineExpr> met) { return node.algebra.maximum(met[0], met[0] * -1); });
  return node.set(0, node.element(0), node.dims(0), content);
}

static LogicalResult inferNot(OnnxNode &node) {
  auto content = elementwiseContent(node, {0}, node.dims(0), [](ArrayRef<AffineExpr> met) { return met[0] * -1 + 1; });
  return node.set(0, node.element(0), node.dims(0), content);
}

static LogicalResult inferWhere(OnnxNode &node) {
  if (failed(node.requireSameElement(1, 2)))
    return failure();
  if (!node.element(0).isInteger(1))
    return node.error() << "expected a condition of bool, found " << node.element(0);
  FailureOr<Dims> values = node.broadcastOperands(node.operand(1), node.operand(2));
  if (failed(values))
    return failure();
  FailureOr<Dims> dims = node.broadcastOperands(node.operand(0), {*values, node.operand(1).isInput && node.operand(2).isInput});
  if (failed(dims))
    return failure();
  auto content = elementwiseContent(node, {0, 1, 2}, *dims, [&](ArrayRef<AffineExpr> met) {
    if (node.algebra.equal(met[1], met[2]))
      return met[1];
    std::optional<int64_t> condition = node.algebra.constantValue(met[0]);
    return condition ? (*condition ? met[1] : met[2]) : unknown(node);
  });
  return node.set(0, node.element(1), *dims, content);
}

static LogicalResult inferClip(OnnxNode &node) {
  for (unsigned bound : {1u, 2u})
    if (node.has(bound) && failed(node.requireSameElement(0, bound)))
      return failure();
  std::optional<Dims> content = node.content(0);
  for (unsigned bound : {1u, 2u})
    if (content && node.has(bound)) {
      std::optional<Dims> limit = node.contentOrSymbols(bound);
      if (!limit || limit->size() != 1) {
        content.reset();
        break;
      }
      for (AffineExpr &value : *content)
        value = bound == 1 ? node.algebra.maximum(value, (*limit)[0]) : node.algebra.minimum(value, (*limit)[0]);
    }
  return node.set(0, node.element(0), node.dims(0), content);
}

static LogicalResult castTo(OnnxNode &node, Type target) {
  Type source = node.element(0);
  std::optional<Dims> content;
  if (source.isInteger() && target.isInteger())
    content = elementwiseContent(node, {0}, node.dims(0), [&](ArrayRef<AffineExpr> met) {
      if (source.isInteger(1) || target.getIntOrFloatBitWidth() == 64)
        return met[0];
      if (target.isInteger(1))
        return boolean(node, node.algebra.positive(met[0]) || node.algebra.positive(met[0] * -1), node.algebra.constantValue(met[0]) == 0);
      // Sizes fit 32 bits; narrower types would wrap.
      return target.getIntOrFloatBitWidth() == 32 || node.algebra.constantValue(met[0]) ? met[0] : unknown(node);
    });
  return node.set(0, target, node.dims(0), content);
}

static LogicalResult inferCast(OnnxNode &node) {
  int64_t to = node.integer("to", 0);
  Type target = onnxElementType(node.op.getContext(), to);
  if (!target)
    return node.error() << "expected attribute 'to' to be a data type of numbers, found " << to;
  return castTo(node, target);
}

static LogicalResult inferCastLike(OnnxNode &node) { return castTo(node, node.element(1)); }

static LogicalResult inferBitCast(OnnxNode &node) {
  int64_t to = node.integer("to", 0);
  Type target = onnxElementType(node.op.getContext(), to);
  // ONNX keeps a bool in a byte.
  const auto width = [](Type type) { return type.isInteger(1) ? 8 : type.getIntOrFloatBitWidth(); };
  if (!target || !target.isIntOrFloat() || width(target) != width(node.element(0)))
    return node.error() << "expected attribute 'to' to be a data type as wide as " << node.element(0) << ", found " << to;
  return node.set(0, target, node.dims(0));
}

/// The mask has the input's shape.
static LogicalResult inferDropout(OnnxNode &node) {
  if (failed(node.setLike(0)))
    return failure();
  return node.set(1, IntegerType::get(node.op.getContext(), 1), node.dims(0));
}

/// y = Swish(alpha·A)·B; both inputs have one shape.
static LogicalResult inferSwiGlu(OnnxNode &node) { return inferArithmetic(node); }

void addElementwiseRules(OnnxRuleTable &table) {
  for (const char *name : {"Sqrt", "Reciprocal", "Exp", "Log", "Erf", "Tanh", "Sigmoid", "Relu", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh",
                           "Asinh", "Acosh", "Atanh", "Floor", "Ceil", "Round", "Sign", "Gelu", "Swish", "Softplus", "Softsign", "Elu", "Selu", "Celu", "Mish",
                           "LeakyRelu", "HardSigmoid", "HardSwish", "ThresholdedRelu", "BitwiseNot", "LpNormalization", "Shrink"})
    table[name] = {inferSame, 1, 1, 1, 1};
  // Before version 10 the mask had the input's type.
  table["Dropout"] = {inferDropout, 1, 3, 2, 10};
  table["Identity"] = {inferIdentity, 1, 1, 1, 1};
  table["Neg"] = {inferNeg, 1, 1, 1, 1};
  table["Abs"] = {inferAbs, 1, 1, 1, 1};
  table["Not"] = {inferNot, 1, 1, 1, 1};
  table["IsNaN"] = {inferPredicate, 1, 1, 1, 1};
  table["IsInf"] = {inferPredicate, 1, 1, 1, 1};
  // Before version 7 broadcasting was another one, with an axis.
  for (const char *name : {"Add", "Sub", "Mul", "Div"})
    table[name] = {inferArithmetic, 2, 2, 1, 7};
  for (const char *name : {"And", "Or", "Xor"})
    table[name] = {inferArithmetic, 2, 2, 1, 7};
  for (const char *name : {"Mod", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitShift", "PRelu"})
    table[name] = {inferArithmetic, 2, 2, 1, 1};
  table["Pow"] = {inferPow, 2, 2, 1, 7};
  for (const char *name : {"Equal", "Less", "Greater"})
    table[name] = {inferComparison, 2, 2, 1, 7};
  for (const char *name : {"LessOrEqual", "GreaterOrEqual"})
    table[name] = {inferComparison, 2, 2, 1, 12};
  for (const char *name : {"Max", "Min", "Sum", "Mean"})
    table[name] = {inferVariadic, 1, anyNumber, 1, 8};
  table["Where"] = {inferWhere, 3, 3, 1, 9};
  table["Clip"] = {inferClip, 1, 3, 1, 1};
  // Before version 6 the target was a string.
  table["Cast"] = {inferCast, 1, 1, 1, 6};
  table["CastLike"] = {inferCastLike, 2, 2, 1, 15};
  table["BitCast"] = {inferBitCast, 1, 1, 1, 26};
  table["SwiGLU"] = {inferSwiGlu, 2, 2, 1, 28};
}

} // namespace moe
