// Conversions of narrow elements, by integer arithmetic on bits: no CPU has instructions for them, and LLVM has no types.
#include "NarrowTypes.h"

#include "TensorBuilder.h"

#include "llvm/ADT/APFloat.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using llvm::APFloat;
using moe::NarrowRules;
using moe::PowerRounding;

bool moe::isNarrow(Type type) {
  if (auto integer = dyn_cast<IntegerType>(type))
    return integer.getWidth() > 1 && integer.getWidth() < 8;
  return isa<FloatType>(type) && type.getIntOrFloatBitWidth() <= 8;
}

namespace {

/// What a narrow float with a sign and a mantissa is made of.
struct FloatFormat {
  int mantissa, bias;
  unsigned signBit; ///< Its sign's value, 0x80 for 8 bits.
  unsigned greatest; ///< The code of its greatest number.
  unsigned infinity; ///< Its code, 0 if it has none.
  unsigned nan;      ///< Its code, 0 if it has none.
  bool hasMinusZero; ///< Otherwise the code of minus zero is its NaN.

  static FloatFormat of(FloatType type) {
    const llvm::fltSemantics &semantics = type.getFloatSemantics();
    auto code = [](const APFloat &value) { return static_cast<unsigned>(value.bitcastToAPInt().getZExtValue()); };
    FloatFormat format;
    format.mantissa = static_cast<int>(APFloat::semanticsPrecision(semantics)) - 1;
    format.bias = 1 - APFloat::semanticsMinExponent(semantics);
    format.signBit = 1u << (type.getWidth() - 1);
    format.greatest = code(APFloat::getLargest(semantics));
    format.infinity = APFloat::semanticsHasInf(semantics) ? code(APFloat::getInf(semantics)) : 0;
    format.nan = APFloat::semanticsHasNaN(semantics) ? code(APFloat::getQNaN(semantics)) : 0;
    format.hasMinusZero = format.nan != format.signBit;
    return format;
  }
};

/// Arithmetic on i32 and f32 scalars.
class Bits {
public:
  Bits(OpBuilder &builder, Location loc) : b(builder), loc(loc), i32(builder.getI32Type()) {}

  Value number(int64_t value) { return arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(static_cast<int32_t>(value))); }
  Value bits(Value real) { return arith::BitcastOp::create(b, loc, i32, real); }
  Value real(Value bits) { return arith::BitcastOp::create(b, loc, b.getF32Type(), bits); }
  Value both(Value x, int64_t mask) { return arith::AndIOp::create(b, loc, x, number(mask)); }
  Value either(Value x, Value y) { return arith::OrIOp::create(b, loc, x, y); }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, loc, x, y); }
  Value add(Value x, int64_t y) { return add(x, number(y)); }
  Value left(Value x, int count) { return arith::ShLIOp::create(b, loc, x, number(count)); }
  Value right(Value x, int count) { return arith::ShRUIOp::create(b, loc, x, number(count)); }
  Value greater(Value x, int64_t limit) { return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ugt, x, number(limit)); }
  Value equal(Value x, int64_t y) { return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, x, number(y)); }
  Value choose(Value condition, Value x, Value y) { return arith::SelectOp::create(b, loc, condition, x, y); }
  Value choose(Value condition, int64_t x, Value y) { return choose(condition, number(x), y); }
  Value extend(Value byte) { return arith::ExtUIOp::create(b, loc, i32, byte); }
  Value byte(Value x) { return arith::TruncIOp::create(b, loc, b.getI8Type(), x); }

  OpBuilder &b;
  Location loc;
  Type i32;
};

constexpr int64_t infinityBits = 0x7f800000, nanBits = 0x7fc00000;

/// 2^exponent as the bits of an f32 that is normal.
constexpr int64_t powerBits(int exponent) { return int64_t(127 + exponent) << 23; }

/// Normal numbers are rebiased; the codes of the others count units of the least number.
Value decodeFloat(Bits b, Value byte, const FloatFormat &format) {
  Value code = b.both(b.extend(byte), 2 * int64_t(format.signBit) - 1), magnitude = b.both(code, format.signBit - 1);
  Value normal = b.add(b.left(magnitude, 23 - format.mantissa), powerBits(-format.bias));
  Value count = arith::SIToFPOp::create(b.b, b.loc, b.b.getF32Type(), magnitude);
  Value unit = b.real(b.number(powerBits(1 - format.bias - format.mantissa)));
  Value small = b.bits(arith::MulFOp::create(b.b, b.loc, count, unit));
  Value result = b.choose(b.greater(magnitude, (int64_t(1) << format.mantissa) - 1), normal, small);
  if (format.infinity)
    result = b.choose(b.greater(magnitude, format.infinity - 1), infinityBits, result);
  if (format.nan && format.hasMinusZero)
    result = b.choose(b.greater(magnitude, format.infinity ? format.infinity : format.greatest), nanBits, result);
  const int shift = 31 - static_cast<int>(llvm::Log2_32(format.signBit));
  result = b.either(result, b.left(b.both(code, format.signBit), shift));
  if (!format.hasMinusZero)
    result = b.choose(b.equal(code, format.nan), nanBits, result);
  return b.real(result);
}

/// To nearest, ties to even. A number below the least normal one is added to the power of two whose last bit counts its units.
Value encodeFloat(Bits b, Value value, const FloatFormat &format, bool saturate) {
  Value wide = b.bits(value), magnitude = b.both(wide, 0x7fffffff);
  const int dropped = 23 - format.mantissa;
  Value odd = b.both(b.right(magnitude, dropped), 1);
  Value rounded = b.add(b.add(magnitude, odd), (int64_t(1) << (dropped - 1)) - 1);
  Value normal = b.add(b.right(rounded, dropped), -(int64_t(127 - format.bias) << format.mantissa));
  const int64_t shifter = powerBits(24 - format.bias - format.mantissa);
  Value sum = arith::AddFOp::create(b.b, b.loc, b.real(magnitude), b.real(b.number(shifter)));
  Value small = b.add(b.bits(sum), -shifter);
  Value code = b.choose(b.greater(magnitude, powerBits(1 - format.bias) - 1), normal, small);
  // A type without infinity or NaN always saturates.
  const unsigned beyond = saturate || (!format.infinity && !format.nan) ? format.greatest : format.infinity ? format.infinity : format.nan;
  code = b.choose(b.greater(code, format.greatest), beyond, code);
  code = b.choose(b.greater(magnitude, infinityBits), format.nan, code);
  Value sign = b.both(b.right(wide, 31 - static_cast<int>(llvm::Log2_32(format.signBit))), format.signBit);
  Value isSigned = b.either(code, sign);
  // Without a minus zero, its code is NaN.
  return b.byte(format.hasMinusZero ? isSigned : b.choose(b.equal(code, 0), code, isSigned));
}

/// Code c is 2^(c − 127), 255 is NaN.
Value decodePower(Bits b, Value byte) {
  Value code = b.extend(byte);
  Value result = b.choose(b.equal(code, 0), 1 << 22, b.left(code, 23)); // 2^-127 is not normal in f32
  return b.real(b.choose(b.equal(code, 255), nanBits, result));
}

/// The sign is dropped: ONNX leaves open what a negative number becomes.
Value encodePower(Bits b, Value value, NarrowRules rules) {
  Value magnitude = b.both(b.bits(value), 0x7fffffff);
  // Below 2^-126 the exponent is 0 and the mantissa counts units of 2^-149: 2^22 of them are code 0.
  int64_t most = rules.rounding == PowerRounding::Up ? 0 : rules.rounding == PowerRounding::Nearest ? (1 << 22) - 1 : 0x7fffff;
  int64_t mostSmall = rules.rounding == PowerRounding::Up ? 1 << 22 : rules.rounding == PowerRounding::Nearest ? (3 << 21) - 1 : 0x7fffff;
  Value exponent = b.right(magnitude, 23), fraction = b.both(magnitude, 0x7fffff);
  Value limit = b.choose(b.equal(exponent, 0), mostSmall, b.number(most));
  Value isUp = arith::CmpIOp::create(b.b, b.loc, arith::CmpIPredicate::ugt, fraction, limit);
  Value code = b.choose(isUp, b.add(exponent, 1), exponent);
  code = b.choose(b.greater(code, 254), rules.saturate ? 254 : 255, code);
  if (!rules.saturate) // zero and what is less than the least power
    code = b.choose(b.greater(magnitude, (1 << 22) - 1), code, b.number(255));
  return b.byte(b.choose(b.greater(magnitude, infinityBits), 255, code));
}

/// f64 to f32 such that rounding again gives what one rounding would: towards zero, and the last bit set where that was not exact.
Value roundToOdd(Bits b, Value value) {
  Type f64 = b.b.getF64Type(), i64 = b.b.getI64Type();
  Value nearest = arith::TruncFOp::create(b.b, b.loc, b.b.getF32Type(), value);
  Value back = arith::ExtFOp::create(b.b, b.loc, f64, nearest);
  auto magnitude = [&](Value real) -> Value {
    Value mask = arith::ConstantOp::create(b.b, b.loc, b.b.getI64IntegerAttr(INT64_MAX));
    return arith::AndIOp::create(b.b, b.loc, arith::BitcastOp::create(b.b, b.loc, i64, real), mask);
  };
  Value isAbove = arith::CmpIOp::create(b.b, b.loc, arith::CmpIPredicate::ugt, magnitude(back), magnitude(value));
  Value isInexact = arith::CmpFOp::create(b.b, b.loc, arith::CmpFPredicate::ONE, back, value);
  Value bits = b.bits(nearest);
  Value odd = b.either(b.choose(isAbove, b.add(bits, -1), bits), b.number(1));
  return b.real(b.choose(isInexact, odd, bits));
}

/// The low bits, extended by their sign or by zeros.
Value decodeInteger(Bits b, Value byte, IntegerType type) {
  Value shift = arith::ConstantOp::create(b.b, b.loc, b.b.getI8IntegerAttr(static_cast<int8_t>(8 - type.getWidth())));
  Value top = arith::ShLIOp::create(b.b, b.loc, byte, shift);
  return type.isUnsigned() ? arith::ShRUIOp::create(b.b, b.loc, top, shift).getResult() : arith::ShRSIOp::create(b.b, b.loc, top, shift).getResult();
}

Value narrowFloat(Bits b, Value value, Type from, FloatType to, NarrowRules rules) {
  value = from.isF64() ? roundToOdd(b, value) : moe::convertScalar(b.b, b.loc, value, b.b.getF32Type(), from.isUnsignedInteger());
  return isa<Float8E8M0FNUType>(to) ? encodePower(b, value, rules) : encodeFloat(b, value, FloatFormat::of(to), rules.saturate);
}

} // namespace

Value moe::widenNarrow(OpBuilder &builder, Location loc, Value byte, Type narrow) {
  Bits b(builder, loc);
  if (auto integer = dyn_cast<IntegerType>(narrow))
    return decodeInteger(b, byte, integer);
  return isa<Float8E8M0FNUType>(narrow) ? decodePower(b, byte) : decodeFloat(b, byte, FloatFormat::of(cast<FloatType>(narrow)));
}

Value moe::castElement(OpBuilder &builder, Location loc, Value value, Type from, Type to, NarrowRules rules) {
  if (from == to)
    return value;
  if (isNarrow(from)) {
    value = widenNarrow(builder, loc, value, from);
    auto integer = dyn_cast<IntegerType>(from);
    from = integer ? Type(IntegerType::get(from.getContext(), 8, integer.getSignedness())) : Type(builder.getF32Type());
  }
  if (!isNarrow(to))
    return convertScalar(builder, loc, value, to, from.isUnsignedInteger());
  if (auto toFloat = dyn_cast<FloatType>(to))
    return narrowFloat(Bits(builder, loc), value, from, toFloat, rules);
  // Integers wrap as they do between wider types. ONNX leaves open what a float that does not fit becomes; its own tests have it wrap too.
  if (isa<FloatType>(from))
    value = convertScalar(builder, loc, value, builder.getI32Type());
  value = convertScalar(builder, loc, value, builder.getI8Type(), from.isUnsignedInteger());
  Value mask = arith::ConstantOp::create(builder, loc, builder.getI8IntegerAttr(static_cast<int8_t>((1 << to.getIntOrFloatBitWidth()) - 1)));
  return arith::AndIOp::create(builder, loc, value, mask);
}
