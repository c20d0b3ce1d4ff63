// Elements of packed weights. See PanelReader.h and the layouts of #moe.blocks.
#include "PanelReader.h"

#include "moe/IR/Quantization.h"

#include <cmath>
#include <limits>

using namespace mlir;
namespace moe {

static constexpr int64_t panelColumns = ProductSpec::panelColumns;

Value PanelReader::element(Value weight, Value expert, Value column, Value part, Value k) {
  // A panel of gates and ups has 16 of the ones, then the 16 of the others that belong to them.
  const int64_t results = spec.isGated() ? panelColumns / 2 : panelColumns;
  Value panel = b.add(b.mul(expert, spec.panels), b.div(column, results)), place = b.rem(column, results);
  if (spec.isGated())
    place = b.add(place, b.mul(part, results));
  if (spec.blocks)
    return fromBlock(b.at(weight, b.getI8Type(), b.mul(b.toI64(panel), spec.blocks.panelBytes(spec.depth))), place, k);
  Value line = b.add(b.mul(b.toI64(panel), spec.depth), b.toI64(k));
  return b.widen(b.load(spec.weight, b.at(weight, spec.weight, b.add(b.mul(line, panelColumns), b.toI64(place)))));
}

Value PanelReader::fromBlock(Value panel, Value column, Value k) {
  const BlocksAttr blocks = spec.blocks;
  const Type i8 = b.getI8Type();
  Value block = b.at(panel, i8, b.mul(b.toI64(b.div(k, blocks.getGroup())), blocks.blockBytes()));
  Value value = number(code(b.at(block, i8, blocks.scaleBytes() + blocks.zeroBytes()), column, b.rem(k, blocks.getGroup())));
  if (Type type = blocks.getZero()) {
    Value zero = b.load(type, b.at(b.at(block, i8, blocks.scaleBytes()), type, column));
    value = b.subf(value, type.isF32() ? zero : b.toFloat(b.extend(zero, /*isSigned=*/false)));
  }
  return b.mulf(b.widen(b.load(blocks.getScale(), b.at(block, blocks.getScale(), column))), value);
}

/// The bits of a code as i32, sign-extended where it is stored less its zero point.
Value PanelReader::code(Value codes, Value column, Value k) {
  const BlocksAttr blocks = spec.blocks;
  const Type i8 = b.getI8Type();
  const int64_t bits = blocks.bits();
  if (bits == 8) {
    const bool isSigned = blocks.getCode() == PanelCode::Int8 && !blocks.getZero();
    return b.extend(b.load(i8, b.at(codes, i8, b.add(b.mul(k, panelColumns), column))), isSigned);
  }
  // Columns c and c + 16 share a byte; of 2 bits so do two lines of k.
  Value half = b.div(column, 16), shift = b.mul(half, bits), line = k;
  if (bits == 2) {
    line = b.div(k, 2);
    shift = b.add(shift, b.mul(b.rem(k, 2), 4));
  }
  Value byte = b.extend(b.load(i8, b.at(codes, i8, b.add(b.mul(line, 16), b.rem(column, 16)))), /*isSigned=*/false);
  return b.bitAnd(b.shiftRight(byte, shift), b.i32((1 << bits) - 1));
}

/// What a code stands for, before zero point and scale.
Value PanelReader::number(Value code) {
  const BlocksAttr blocks = spec.blocks;
  switch (blocks.getCode()) {
  case PanelCode::Int8:
    return b.toFloat(code);
  case PanelCode::Int4:
  case PanelCode::Int2:
    return b.toFloat(blocks.getZero() ? code : b.sub(code, int64_t(1) << (blocks.bits() - 1)));
  case PanelCode::E2m1:
    return smallFloat(code, 4, 1, 1);
  case PanelCode::E4m3: {
    Value isNan = b.equal(b.bitAnd(code, b.i32(0x7f)), b.i32(0x7f));
    return b.select(isNan, b.f32(std::numeric_limits<double>::quiet_NaN()), smallFloat(code, 8, 3, 7));
  }
  case PanelCode::Nf4: {
    SmallVector<float> values;
    for (unsigned i = 0; i < 16; ++i)
      values.push_back(codeValue(QuantFormat::Nf4, i));
    return table(code, values);
  }
  case PanelCode::Ternary:
    break;
  }
  llvm_unreachable("ProductSpec refuses ternary weights");
}

/// A float of sign, exponent and `mantissa` bits: its bits where f32 has them, times what the exponents' biases differ by. Subnormal codes are then
/// subnormal numbers of f32, and the product is exact.
Value PanelReader::smallFloat(Value code, int64_t bits, int64_t mantissa, int64_t bias) {
  Value magnitude = b.shiftLeft(b.bitAnd(code, b.i32((1 << (bits - 1)) - 1)), b.i32(23 - mantissa));
  Value sign = b.shiftLeft(b.bitAnd(code, b.i32(1 << (bits - 1))), b.i32(32 - bits));
  Value pattern = arith::BitcastOp::create(b, b.getF32Type(), b.bitOr(magnitude, sign));
  return b.mulf(pattern, b.f32(std::ldexp(1.0, static_cast<int>(127 - bias))));
}

/// values[code], by halving.
Value PanelReader::table(Value code, ArrayRef<float> values) {
  SmallVector<Value> left = llvm::map_to_vector(values, [&](float value) { return b.f32(value); });
  for (int64_t bit = 0; left.size() > 1; ++bit) {
    Value isOdd = b.equal(b.rem(b.shiftRight(code, b.i32(bit)), 2), b.i32(1));
    for (size_t i = 0; i < left.size() / 2; ++i)
      left[i] = b.select(isOdd, left[2 * i + 1], left[2 * i]);
    left.truncate(left.size() / 2);
  }
  return left.front();
}

} // namespace moe
