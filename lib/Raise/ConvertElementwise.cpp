// Arithmetic, comparisons, logic and selection: one linalg.generic each, with numpy broadcasting. Activations are in ConvertActivation.cpp.
#include "OnnxConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using moe::NodeConverter;
using moe::SizedTensor;

namespace {

using Unary = Value (*)(OpBuilder &, Location, Value);
using Binary = Value (*)(OpBuilder &, Location, Value, Value);

Value constantLike(OpBuilder &builder, Location loc, Value like, double value) {
  Type type = like.getType();
  if (isa<FloatType>(type))
    return arith::ConstantOp::create(builder, loc, builder.getFloatAttr(type, value));
  return arith::ConstantOp::create(builder, loc, builder.getIntegerAttr(type, static_cast<int64_t>(value)));
}

template <typename OpType>
Value unary(OpBuilder &builder, Location loc, Value x) {
  return OpType::create(builder, loc, x);
}

template <typename OpType>
Value binary(OpBuilder &builder, Location loc, Value a, Value b) {
  return OpType::create(builder, loc, a, b);
}

template <arith::CmpFPredicate predicate>
Value compareFloats(OpBuilder &builder, Location loc, Value a, Value b) {
  return arith::CmpFOp::create(builder, loc, predicate, a, b);
}

template <arith::CmpIPredicate predicate>
Value compareIntegers(OpBuilder &builder, Location loc, Value a, Value b) {
  return arith::CmpIOp::create(builder, loc, predicate, a, b);
}

//===-- Unary -------------------------------------------------------------===//

Value negateInteger(OpBuilder &builder, Location loc, Value x) {
  return arith::SubIOp::create(builder, loc, constantLike(builder, loc, x, 0), x);
}

Value absInteger(OpBuilder &builder, Location loc, Value x) {
  return arith::MaxSIOp::create(builder, loc, x, negateInteger(builder, loc, x));
}

Value reciprocal(OpBuilder &builder, Location loc, Value x) {
  return arith::DivFOp::create(builder, loc, constantLike(builder, loc, x, 1), x);
}

/// −1, 0 or 1; zeros and NaN stay what they are.
Value signFloat(OpBuilder &builder, Location loc, Value x) {
  Value zero = constantLike(builder, loc, x, 0);
  Value above = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OGT, x, zero);
  Value below = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OLT, x, zero);
  Value negative = arith::SelectOp::create(builder, loc, below, constantLike(builder, loc, x, -1), x);
  return arith::SelectOp::create(builder, loc, above, constantLike(builder, loc, x, 1), negative);
}

Value signInteger(OpBuilder &builder, Location loc, Value x) {
  Value above = arith::MinSIOp::create(builder, loc, x, constantLike(builder, loc, x, 1));
  return arith::MaxSIOp::create(builder, loc, above, constantLike(builder, loc, x, -1));
}

Value signUnsigned(OpBuilder &builder, Location loc, Value x) { return arith::MinUIOp::create(builder, loc, x, constantLike(builder, loc, x, 1)); }

Value same(OpBuilder &, Location, Value x) { return x; }

struct UnaryRow {
  const char *type;
  Unary onFloat, onInteger;
  /// f16 and bf16 are computed in f32 and rounded once.
  bool widen;
};

const UnaryRow unaryRows[] = {
    {"Neg", unary<arith::NegFOp>, negateInteger, false},
    {"Abs", unary<math::AbsFOp>, absInteger, false},
    {"Reciprocal", reciprocal, nullptr, true},
    {"Sqrt", unary<math::SqrtOp>, nullptr, true},
    {"Exp", unary<math::ExpOp>, nullptr, true},
    {"Log", unary<math::LogOp>, nullptr, true},
    {"Erf", unary<math::ErfOp>, nullptr, true},
    {"Tanh", unary<math::TanhOp>, nullptr, true},
    {"Sin", unary<math::SinOp>, nullptr, true},
    {"Cos", unary<math::CosOp>, nullptr, true},
    {"Tan", unary<math::TanOp>, nullptr, true},
    {"Asin", unary<math::AsinOp>, nullptr, true},
    {"Acos", unary<math::AcosOp>, nullptr, true},
    {"Atan", unary<math::AtanOp>, nullptr, true},
    {"Sinh", unary<math::SinhOp>, nullptr, true},
    {"Cosh", unary<math::CoshOp>, nullptr, true},
    {"Asinh", unary<math::AsinhOp>, nullptr, true},
    {"Acosh", unary<math::AcoshOp>, nullptr, true},
    {"Atanh", unary<math::AtanhOp>, nullptr, true},
    {"Floor", unary<math::FloorOp>, nullptr, true},
    {"Ceil", unary<math::CeilOp>, nullptr, true},
    {"Round", unary<math::RoundEvenOp>, nullptr, true},
    {"Sign", signFloat, signInteger, false},
    {"Identity", same, same, false},
};

//===-- Binary ------------------------------------------------------------===//

/// A divisor that neither is zero nor makes the quotient overflow; both trap on x86. `isMinusOne` tells the second case.
Value safeDivisor(OpBuilder &builder, Location loc, Value divisor, Value &isMinusOne) {
  APInt constant;
  if (matchPattern(divisor, m_ConstantInt(&constant)) && !constant.isZero() && !constant.isAllOnes())
    return divisor;
  Value isZero = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, divisor, constantLike(builder, loc, divisor, 0));
  isMinusOne = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, divisor, constantLike(builder, loc, divisor, -1));
  Value special = arith::OrIOp::create(builder, loc, isZero, isMinusOne);
  return arith::SelectOp::create(builder, loc, special, constantLike(builder, loc, divisor, 1), divisor);
}

/// Rounds towards zero. What ONNX leaves open: x / 0 is x.
Value divideIntegers(OpBuilder &builder, Location loc, Value a, Value b) {
  Value isMinusOne;
  Value divisor = safeDivisor(builder, loc, b, isMinusOne);
  Value quotient = arith::DivSIOp::create(builder, loc, a, divisor);
  return isMinusOne ? arith::SelectOp::create(builder, loc, isMinusOne, negateInteger(builder, loc, a), quotient).getResult() : quotient;
}

Value remainderIntegers(OpBuilder &builder, Location loc, Value a, Value b) {
  Value isMinusOne;
  Value divisor = safeDivisor(builder, loc, b, isMinusOne);
  return arith::RemSIOp::create(builder, loc, a, divisor);
}

/// A divisor that is not zero; of unsigned numbers no quotient overflows.
Value unsignedDivisor(OpBuilder &builder, Location loc, Value divisor) {
  return arith::MaxUIOp::create(builder, loc, divisor, constantLike(builder, loc, divisor, 1));
}

Value divideUnsigned(OpBuilder &builder, Location loc, Value a, Value b) {
  return arith::DivUIOp::create(builder, loc, a, unsignedDivisor(builder, loc, b));
}

/// 0 for a shift by the width or more, which arith leaves open.
template <typename OpType>
Value shift(OpBuilder &builder, Location loc, Value a, Value b) {
  Value width = constantLike(builder, loc, b, b.getType().getIntOrFloatBitWidth());
  Value fits = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult, b, width);
  Value zero = constantLike(builder, loc, b, 0);
  Value shifted = OpType::create(builder, loc, a, arith::SelectOp::create(builder, loc, fits, b, zero));
  return arith::SelectOp::create(builder, loc, fits, shifted, zero);
}

Value shiftSigned(OpBuilder &builder, Location loc, Value a, Value b) {
  Value most = constantLike(builder, loc, b, b.getType().getIntOrFloatBitWidth() - 1);
  return arith::ShRSIOp::create(builder, loc, a, arith::MinUIOp::create(builder, loc, b, most));
}

/// The rest with the divisor's sign, as in Python.
Value moduloIntegers(OpBuilder &builder, Location loc, Value a, Value b) {
  Value rest = remainderIntegers(builder, loc, a, b);
  Value zero = constantLike(builder, loc, a, 0);
  Value mixed = arith::XOrIOp::create(builder, loc, rest, b);
  Value mixedSigns = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, mixed, zero);
  Value inexact = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, rest, zero);
  Value adjust = arith::AndIOp::create(builder, loc, mixedSigns, inexact);
  Value moved = arith::AddIOp::create(builder, loc, rest, b);
  return arith::SelectOp::create(builder, loc, adjust, moved, rest);
}

struct BinaryRow {
  const char *type;
  Binary onFloat, onInteger, onBool;
  bool isComparison;
  /// Where it differs from onInteger.
  Binary onUnsigned = nullptr;
};

using F = arith::CmpFPredicate;
using I = arith::CmpIPredicate;
const BinaryRow binaryRows[] = {
    {"Add", binary<arith::AddFOp>, binary<arith::AddIOp>, nullptr, false},
    {"Sub", binary<arith::SubFOp>, binary<arith::SubIOp>, nullptr, false},
    {"Mul", binary<arith::MulFOp>, binary<arith::MulIOp>, nullptr, false},
    {"Div", binary<arith::DivFOp>, divideIntegers, nullptr, false, divideUnsigned},
    {"And", nullptr, nullptr, binary<arith::AndIOp>, false},
    {"Or", nullptr, nullptr, binary<arith::OrIOp>, false},
    {"Xor", nullptr, nullptr, binary<arith::XOrIOp>, false},
    {"BitwiseAnd", nullptr, binary<arith::AndIOp>, nullptr, false},
    {"BitwiseOr", nullptr, binary<arith::OrIOp>, nullptr, false},
    {"BitwiseXor", nullptr, binary<arith::XOrIOp>, nullptr, false},
    {"Equal", compareFloats<F::OEQ>, compareIntegers<I::eq>, compareIntegers<I::eq>, true},
    {"Greater", compareFloats<F::OGT>, compareIntegers<I::sgt>, nullptr, true, compareIntegers<I::ugt>},
    {"GreaterOrEqual", compareFloats<F::OGE>, compareIntegers<I::sge>, nullptr, true, compareIntegers<I::uge>},
    {"Less", compareFloats<F::OLT>, compareIntegers<I::slt>, nullptr, true, compareIntegers<I::ult>},
    {"LessOrEqual", compareFloats<F::OLE>, compareIntegers<I::sle>, nullptr, true, compareIntegers<I::ule>},
};

/// Variadic ops that fold their inputs from the left.
const BinaryRow foldRows[] = {
    {"Max", binary<arith::MaximumFOp>, binary<arith::MaxSIOp>, nullptr, false, binary<arith::MaxUIOp>},
    {"Min", binary<arith::MinimumFOp>, binary<arith::MinSIOp>, nullptr, false, binary<arith::MinUIOp>},
    {"Sum", binary<arith::AddFOp>, nullptr, nullptr, false},
    {"Mean", binary<arith::AddFOp>, nullptr, nullptr, false},
};

template <typename Row, size_t count>
const Row &rowOf(const Row (&rows)[count], StringRef type) {
  for (const Row &row : rows)
    if (type == row.type)
      return row;
  llvm_unreachable("registered without a row");
}

/// `type` is ONNX's, with its sign.
Binary emitterFor(const BinaryRow &row, Type type) {
  if (isa<FloatType>(type))
    return row.onFloat;
  if (type.isUnsignedInteger() && row.onUnsigned)
    return row.onUnsigned;
  return type.isInteger(1) ? row.onBool : row.onInteger;
}

LogicalResult refuseType(NodeConverter &node, Type type) { return node.error() << "is not defined on elements of type " << type; }

LogicalResult convertUnary(NodeConverter &node) {
  const UnaryRow &row = rowOf(unaryRows, node.type());
  SizedTensor x = node.input(0);
  if (!x)
    return failure();
  Type type = x.elementType();
  Unary emit = isa<FloatType>(type) ? row.onFloat : row.onInteger;
  if (node.isUnsigned(0))
    emit = node.type() == "Abs" ? same : node.type() == "Sign" ? signUnsigned : emit;
  if (!emit)
    return refuseType(node, type);
  if (emit == static_cast<Unary>(same))
    return node.finish(x);
  Type wide = row.widen ? moe::accumulatorType(type) : type;
  return node.finish(node.t.elementwise(x, node.resultDims(), type, [&](OpBuilder &builder, Location loc, ValueRange in) {
    Value y = emit(builder, loc, moe::convertScalar(builder, loc, in[0], wide));
    return moe::convertScalar(builder, loc, y, type);
  }));
}

LogicalResult convertBinary(NodeConverter &node) {
  const BinaryRow &row = rowOf(binaryRows, node.type());
  SizedTensor a = node.input(0), b = node.input(1);
  if (!a || !b)
    return failure();
  Binary emit = emitterFor(row, node.inputElement(0));
  if (!emit || a.elementType() != b.elementType())
    return refuseType(node, emit ? b.elementType() : a.elementType());
  Type resultType = row.isComparison ? Type(node.t.builder.getI1Type()) : a.elementType();
  return node.finish(node.t.elementwise({a, b}, node.resultDims(), resultType, [&](OpBuilder &builder, Location loc, ValueRange in) {
    return emit(builder, loc, in[0], in[1]);
  }));
}

LogicalResult convertFold(NodeConverter &node) {
  const BinaryRow &row = rowOf(foldRows, node.type());
  SmallVector<SizedTensor> inputs;
  for (unsigned i = 0; i < node.numInputs(); ++i) {
    inputs.push_back(node.input(i));
    if (!inputs.back())
      return failure();
  }
  if (inputs.empty())
    return node.error() << "has no input";
  Type type = inputs.front().elementType();
  Binary emit = emitterFor(row, node.inputElement(0));
  if (!emit)
    return refuseType(node, type);
  bool isMean = node.type() == "Mean";
  return node.finish(node.t.elementwise(inputs, node.resultDims(), type, [&](OpBuilder &builder, Location loc, ValueRange in) {
    Value result = in[0];
    for (Value next : in.drop_front())
      result = emit(builder, loc, result, next);
    if (isMean)
      result = arith::DivFOp::create(builder, loc, result, constantLike(builder, loc, result, in.size()));
    return result;
  }));
}

//===-- The rest ----------------------------------------------------------===//

/// A rest moved to the side of the divisor's sign, as in Python; a zero takes that sign too.
Value followDivisor(OpBuilder &builder, Location loc, Value rest, Value divisor) {
  Value zero = constantLike(builder, loc, rest, 0);
  Value isNegative = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OLT, rest, zero);
  Value divisorIsNegative = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OLT, divisor, zero);
  Value differs = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, isNegative, divisorIsNegative);
  Value moved = arith::SelectOp::create(builder, loc, differs, arith::AddFOp::create(builder, loc, rest, divisor), rest);
  Value isZero = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OEQ, rest, zero);
  return arith::SelectOp::create(builder, loc, isZero, math::CopySignOp::create(builder, loc, zero, divisor), moved);
}

LogicalResult convertBitShift(NodeConverter &node) {
  SizedTensor a = node.input(0), b = node.input(1);
  if (!a || !b)
    return failure();
  if (!isa<IntegerType>(a.elementType()) || a.elementType().isInteger(1))
    return refuseType(node, a.elementType());
  StringRef direction = node.getString("direction", "");
  if (direction != "LEFT" && direction != "RIGHT")
    return node.error() << "has direction '" << direction << "', expected LEFT or RIGHT";
  // Signed numbers (opset 28) keep their sign: a shift by the width or more then leaves the sign alone.
  Binary right = node.isUnsigned(0) ? shift<arith::ShRUIOp> : shiftSigned;
  Binary emit = direction == "LEFT" ? Binary(shift<arith::ShLIOp>) : right;
  return node.finish(node.t.elementwise({a, b}, node.resultDims(), a.elementType(), [&](OpBuilder &builder, Location loc, ValueRange in) {
    return emit(builder, loc, in[0], in[1]);
  }));
}

LogicalResult convertMod(NodeConverter &node) {
  SizedTensor a = node.input(0), b = node.input(1);
  if (!a || !b)
    return failure();
  bool isUnsigned = node.isUnsigned(0);
  bool takesSignOfDividend = node.getInt("fmod", 0) != 0;
  bool isFloat = isa<FloatType>(a.elementType());
  return node.finish(node.t.elementwise({a, b}, node.resultDims(), a.elementType(), [&](OpBuilder &builder, Location loc, ValueRange in) -> Value {
    if (isFloat) {
      Type wide = moe::accumulatorType(in[0].getType());
      Value divisor = moe::convertScalar(builder, loc, in[1], wide);
      Value rest = arith::RemFOp::create(builder, loc, moe::convertScalar(builder, loc, in[0], wide), divisor);
      if (!takesSignOfDividend)
        rest = followDivisor(builder, loc, rest, divisor);
      return moe::convertScalar(builder, loc, rest, in[0].getType());
    }
    if (isUnsigned)
      return arith::RemUIOp::create(builder, loc, in[0], unsignedDivisor(builder, loc, in[1]));
    return takesSignOfDividend ? remainderIntegers(builder, loc, in[0], in[1]) : moduloIntegers(builder, loc, in[0], in[1]);
  }));
}

/// x to a small constant integer power by multiplication.
Value multiplyUp(OpBuilder &builder, Location loc, Value x, int64_t exponent) {
  Value result;
  for (Value square = x; exponent > 0; exponent >>= 1) {
    if (exponent & 1)
      result = !result ? square : isa<FloatType>(x.getType()) ? arith::MulFOp::create(builder, loc, result, square).getResult()
                                                              : arith::MulIOp::create(builder, loc, result, square).getResult();
    if (exponent > 1)
      square = isa<FloatType>(x.getType()) ? arith::MulFOp::create(builder, loc, square, square).getResult()
                                           : arith::MulIOp::create(builder, loc, square, square).getResult();
  }
  return result ? result : constantLike(builder, loc, x, 1);
}

/// The exponent where it is a constant scalar of integer value between 0 and 4.
std::optional<int64_t> smallExponent(Value exponent) {
  APFloat number(0.0f);
  APInt integer;
  if (matchPattern(exponent, m_ConstantInt(&integer)) && integer.sge(0) && integer.sle(4))
    return integer.getSExtValue();
  if (!matchPattern(exponent, m_ConstantFloat(&number)) || !number.isInteger())
    return std::nullopt;
  double value = number.convertToDouble();
  return value >= 0 && value <= 4 ? std::optional<int64_t>(value) : std::nullopt;
}

LogicalResult convertPow(NodeConverter &node) {
  SizedTensor x = node.input(0), y = node.input(1);
  if (!x || !y)
    return failure();
  Type type = x.elementType();
  if (type.isInteger(1) || y.elementType().isInteger(1))
    return refuseType(node, node.t.builder.getI1Type());
  return node.finish(node.t.elementwise({x, y}, node.resultDims(), type, [&](OpBuilder &builder, Location loc, ValueRange in) -> Value {
    std::optional<int64_t> exponent = smallExponent(in[1]);
    if (exponent) {
      Value wide = moe::convertScalar(builder, loc, in[0], moe::accumulatorType(type));
      return moe::convertScalar(builder, loc, multiplyUp(builder, loc, wide, *exponent), type);
    }
    // Integers go through f64, which is exact up to 2^53.
    bool inF64 = isa<IntegerType>(type) || type.isF64() || in[1].getType().isF64();
    Type wide = inF64 ? Type(builder.getF64Type()) : Type(builder.getF32Type());
    Value power = math::PowFOp::create(builder, loc, moe::convertScalar(builder, loc, in[0], wide, node.isUnsigned(0)),
                                       moe::convertScalar(builder, loc, in[1], wide, node.isUnsigned(1)));
    return moe::convertScalar(builder, loc, power, node.inputElement(0));
  }));
}

LogicalResult convertNot(NodeConverter &node) {
  SizedTensor x = node.input(0);
  if (!x)
    return failure();
  if (!isa<IntegerType>(x.elementType()) || x.elementType().isInteger(1) != (node.type() == "Not"))
    return refuseType(node, x.elementType());
  return node.finish(node.t.elementwise(x, node.resultDims(), x.elementType(), [](OpBuilder &builder, Location loc, ValueRange in) -> Value {
    return arith::XOrIOp::create(builder, loc, in[0], constantLike(builder, loc, in[0], -1));
  }));
}

LogicalResult convertIsNaN(NodeConverter &node) {
  SizedTensor x = node.input(0);
  if (!x)
    return failure();
  if (!isa<FloatType>(x.elementType()))
    return refuseType(node, x.elementType());
  return node.finish(node.t.elementwise(x, node.resultDims(), node.t.builder.getI1Type(), [](OpBuilder &builder, Location loc, ValueRange in) -> Value {
    return arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::UNO, in[0], in[0]);
  }));
}

LogicalResult convertIsInf(NodeConverter &node) {
  SizedTensor x = node.input(0);
  if (!x)
    return failure();
  if (!isa<FloatType>(x.elementType()))
    return refuseType(node, x.elementType());
  bool negative = node.getInt("detect_negative", 1), positive = node.getInt("detect_positive", 1);
  return node.finish(node.t.elementwise(x, node.resultDims(), node.t.builder.getI1Type(), [&](OpBuilder &builder, Location loc, ValueRange in) -> Value {
    auto is = [&](double value) {
      return arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OEQ, in[0], constantLike(builder, loc, in[0], value)).getResult();
    };
    double infinity = std::numeric_limits<double>::infinity();
    if (negative && positive)
      return arith::OrIOp::create(builder, loc, is(infinity), is(-infinity));
    if (negative || positive)
      return is(positive ? infinity : -infinity);
    return arith::ConstantOp::create(builder, loc, builder.getBoolAttr(false));
  }));
}

LogicalResult convertWhere(NodeConverter &node) {
  SizedTensor condition = node.input(0), a = node.input(1), b = node.input(2);
  if (!condition || !a || !b)
    return failure();
  if (!condition.elementType().isInteger(1))
    return refuseType(node, condition.elementType());
  return node.finish(node.t.elementwise({condition, a, b}, node.resultDims(), a.elementType(), [](OpBuilder &builder, Location loc, ValueRange in) -> Value {
    return arith::SelectOp::create(builder, loc, in[0], in[1], in[2]);
  }));
}

/// Bounds are inputs from opset 11 on, attributes before.
LogicalResult convertClip(NodeConverter &node) {
  SizedTensor x = node.input(0);
  if (!x)
    return failure();
  Type type = x.elementType();
  if (type.isInteger(1))
    return refuseType(node, type);
  SmallVector<SizedTensor> inputs = {x};
  bool hasLow = false, hasHigh = false;
  auto addBound = [&](unsigned i, StringRef attribute, bool &found) {
    if (node.version() >= 11 && node.has(i)) {
      inputs.push_back(node.input(i));
      found = true;
    } else if (node.version() < 11 && node.hasAttribute(attribute)) {
      inputs.push_back({node.t.filled({}, node.t.scalar(type, node.getFloat(attribute, 0)))});
      found = true;
    }
  };
  addBound(1, "min", hasLow);
  addBound(2, "max", hasHigh);
  if (node.failed())
    return failure();
  return node.finish(node.t.elementwise(inputs, node.resultDims(), type, [&](OpBuilder &builder, Location loc, ValueRange in) {
    Value result = in[0];
    bool isFloat = isa<FloatType>(type), isUnsigned = node.isUnsigned(0);
    if (hasLow)
      result = isFloat ? binary<arith::MaximumFOp>(builder, loc, result, in[1])
               : isUnsigned ? binary<arith::MaxUIOp>(builder, loc, result, in[1])
                            : binary<arith::MaxSIOp>(builder, loc, result, in[1]);
    if (hasHigh)
      result = isFloat ? binary<arith::MinimumFOp>(builder, loc, result, in.back())
               : isUnsigned ? binary<arith::MinUIOp>(builder, loc, result, in.back())
                            : binary<arith::MinSIOp>(builder, loc, result, in.back());
    return result;
  }));
}

} // namespace

void moe::addElementwiseConversions(ConversionTable &table) {
  for (const UnaryRow &row : unaryRows)
    table.add(row.type, convertUnary);
  for (const BinaryRow &row : binaryRows)
    table.add(row.type, convertBinary);
  for (const BinaryRow &row : foldRows)
    table.add(row.type, convertFold);
  table.add("BitShift", convertBitShift);
  table.add("Mod", convertMod);
  table.add("Pow", convertPow);
  table.add("Not", convertNot);
  table.add("BitwiseNot", convertNot);
  table.add("IsNaN", convertIsNaN);
  table.add("IsInf", convertIsInf);
  table.add("Where", convertWhere);
  table.add("Clip", convertClip);
}
