// See PanelCodes.h. Two codes stand in the halves of a register as they are shifted and masked, and both become floats at once.
#include "PanelCodes.h"

using namespace mlir;
namespace moe {

// Numbers whose last bit is worth 1: 1024 of f16, 128 of bf16, 2^23 of f32. Or'ed with a code they are the number plus the code.
static constexpr int64_t halfOne = 0x6400, bfloatOne = 0x4300, wideOne = 0x4b000000, signBit = 0x8000;

bool PanelCodes::areExact(BlocksAttr blocks) {
  switch (blocks.getCode()) {
  case PanelCode::Int8:
  case PanelCode::Int4:
  case PanelCode::Int2:
  case PanelCode::E2m1:
  case PanelCode::E4m3:
    break;
  case PanelCode::Nf4:
  case PanelCode::Ternary:
    return false;
  }
  return !blocks.getQuads() && (!blocks.getZero() || blocks.getZero().isInteger(8));
}

Value PanelCodes::asVector(Value bits) { return LLVM::BitcastOp::create(b, VectorType::get({2}, element), bits); }
Value PanelCodes::asBits(Value vector) { return LLVM::BitcastOp::create(b, b.getI32Type(), vector); }
Value PanelCodes::shifted(Value value, int64_t bits) { return bits ? b.shiftRight(value, b.i32(bits)) : value; }

/// Two bytes: of columns 2n and 2n + 1.
Value PanelCodes::word(Value address) {
  return b.extend(b.load(b.getIntegerType(16), address), /*isSigned=*/false);
}
Value PanelCodes::both(Value low, Value high) { return b.bitOr(low, b.shiftLeft(high, b.i32(16))); }

SmallVector<Value> PanelCodes::offsets(Value zeros, Value place) {
  if (!blocks.getZero())
    return {};
  SmallVector<Value> offsets;
  Value first = b.at(zeros, b.getI8Type(), b.mul(place, 2));
  for (int64_t half = 0; half < 2; ++half) {
    Value two = word(b.at(first, b.getI8Type(), half * 16));
    offsets.push_back(offsetOf(b.bitAnd(two, b.i32(0xff))));
    offsets.push_back(offsetOf(b.shiftRight(two, b.i32(8))));
  }
  return offsets;
}

/// The number to add so that codes lose the zero point `zero` and the one that they were or'ed with.
Value PanelCodes::offsetOf(Value zero) {
  if (isWide())
    return arith::BitcastOp::create(b, b.getF32Type(), b.bitOr(zero, b.i32(wideOne)));
  const int64_t one = (isHalf() ? halfOne : bfloatOne) | signBit;
  return asVector(b.bitOr(both(zero, zero), b.i32(one << 16 | one)));
}

SmallVector<Value> PanelCodes::pairs(Value codes, ArrayRef<Value> offsets) {
  const Type i8 = b.getI8Type();
  const int64_t line = lineBytes(blocks), bits = blocks.bits();
  SmallVector<Value> words;
  switch (bits) {
  case 2: {
    // Both k are in these bytes; the second moves from bit 4 to bit 16.
    Value two = word(codes);
    words = {b.bitOr(two, b.shiftLeft(two, b.i32(12)))};
    break;
  }
  case 4:
    words = {both(word(codes), word(b.at(codes, i8, line)))};
    break;
  default:
    for (int64_t half = 0; half < 2; ++half)
      words.push_back(both(word(b.at(codes, i8, half * 16)), word(b.at(codes, i8, half * 16 + line))));
  }
  SmallVector<Value> pairs;
  for (int64_t j = 0; j < fragments; ++j) {
    // Columns 16 further on are in the same byte, or in a word of their own.
    const int64_t upper = bits == 8 ? 0 : j / 2 * bits;
    Value both = masked(shifted(words[bits == 8 ? j / 2 : 0], j % 2 * 8 + upper), (1 << bits) - 1);
    pairs.push_back(number(both, offsets.empty() ? Value() : offsets[j]));
  }
  return pairs;
}

Value PanelCodes::number(Value codes, Value offset) {
  if (blocks.getCode() == PanelCode::E2m1 || blocks.getCode() == PanelCode::E4m3)
    return smallFloat(codes);
  if (isSigned())
    codes = b.bitXor(codes, b.i32(0x00800080));
  if (!offset)
    offset = offsetOf(b.i32(int64_t(1) << (blocks.bits() - 1)));
  return isWide() ? wideInteger(codes, offset) : integer(codes, offset);
}

Value PanelCodes::integer(Value codes, Value offset) {
  const int64_t one = isHalf() ? halfOne : bfloatOne;
  return asBits(b.addf(asVector(b.bitOr(codes, b.i32(one << 16 | one))), offset));
}

/// Through f32; of at most 8 bits, the upper half of the result has all.
Value PanelCodes::wideInteger(Value codes, Value offset) {
  auto difference = [&](Value code) -> Value {
    Value wide = arith::BitcastOp::create(b, b.getF32Type(), b.bitOr(code, b.i32(wideOne)));
    return arith::BitcastOp::create(b, b.getI32Type(), b.subf(wide, offset));
  };
  Value low = difference(b.bitAnd(codes, b.i32(0xff))), high = difference(b.shiftRight(codes, b.i32(16)));
  return b.bitOr(b.shiftRight(low, b.i32(16)), b.bitAnd(high, b.i32(~int64_t(0xffff))));
}

/// The code's bits where the 16-bit float has them, times what the exponents' biases differ by: exact, for subnormal codes too.
Value PanelCodes::smallFloat(Value codes) {
  const bool isByte = blocks.getCode() == PanelCode::E4m3;
  const int64_t bits = blocks.bits(), mantissa = isByte ? 3 : 1, bias = isByte ? 7 : 1;
  const int64_t elementMantissa = isHalf() ? 10 : 7, elementBias = isHalf() ? 15 : 127;
  Value magnitude = masked(codes, (1 << (bits - 1)) - 1);
  Value sign = b.shiftLeft(masked(codes, 1 << (bits - 1)), b.i32(16 - bits));
  Value pattern = b.bitOr(b.shiftLeft(magnitude, b.i32(elementMantissa - mantissa)), sign);
  // A power of two: its exponent alone.
  const int64_t factor = (elementBias - bias + elementBias) << elementMantissa;
  Value number = asBits(b.mulf(asVector(pattern), asVector(b.i32(factor << 16 | factor))));
  if (!isByte)
    return number;
  // 0x7f and 0xff are NaN: one more carries into bit 7, which becomes the exponent and the first bit of a NaN.
  Value isNan = masked(b.add(magnitude, int64_t(0x00010001)), 0x80);
  return b.bitOr(number, isHalf() ? b.mul(isNan, int64_t(0x7e00 / 0x80)) : b.mul(shifted(isNan, 1), int64_t(0x7fc0 / 0x40)));
}

} // namespace moe
