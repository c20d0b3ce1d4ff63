// Decoding of quantised weights. One vector of codes is widened to i32 lanes; small codes are then looked up in a table held in a register
// (AVX-512 has 16 entries in one instruction, AVX2 8) or converted. The result is exact, so every ISA gives the same weights.
#include "BlockDecoder.h"

#include "moe/IR/Quantization.h"

#include <limits>

using namespace mlir;
namespace moe {

static bool hasHalfConversion(const IsaVersion &isa) { return isa.has("f16c") || isa.has("avx512f"); }

static Value bits(KernelBuilder &b, Value vector, int64_t mask) { return arith::AndIOp::create(b, vector, b.splatInt(mask)); }
static Value shiftLeft(KernelBuilder &b, Value vector, int64_t count) { return arith::ShLIOp::create(b, vector, b.splatInt(count)); }
static Value asFloat(KernelBuilder &b, Value vector) { return arith::BitcastOp::create(b, b.f32Vector(), vector); }
static Value toFloat(KernelBuilder &b, Value vector) { return arith::SIToFPOp::create(b, b.f32Vector(), vector); }
static Value equal(KernelBuilder &b, Value vector, int64_t number) {
  return b.compare(arith::CmpIPredicate::eq, vector, b.splatInt(number));
}

// f16 in i32 lanes without the instruction: normal numbers are rebiased, subnormal ones are small integers times 2^-24.
static Value widenHalf(KernelBuilder &b, Value half) {
  Value magnitude = bits(b, half, 0x7fff), sign = shiftLeft(b, bits(b, half, 0x8000), 16);
  Value isSpecial = b.compare(arith::CmpIPredicate::sge, magnitude, b.splatInt(0x7c00));
  Value isSmall = b.compare(arith::CmpIPredicate::slt, magnitude, b.splatInt(0x400));
  Value bias = b.select(isSpecial, b.splatInt(int64_t(224) << 23), b.splatInt(int64_t(112) << 23));
  Value normal = b.add(shiftLeft(b, magnitude, 13), bias);
  Value small = arith::BitcastOp::create(b, b.i32Vector(), b.mulf(toFloat(b, magnitude), b.splat(0x1p-24)));
  return asFloat(b, arith::OrIOp::create(b, b.select(isSmall, small, normal), sign));
}

Value loadWidened(KernelBuilder &b, Type element, Value pointer) {
  if (element.isF32())
    return b.load(b.f32Vector(), pointer);
  if (element.isF16() && hasHalfConversion(b.isa))
    return arith::ExtFOp::create(b, b.f32Vector(), b.load(VectorType::get({b.lanes()}, element), pointer));
  Value loaded = b.load(VectorType::get({b.lanes()}, b.getI16Type()), pointer);
  Value wide = arith::ExtUIOp::create(b, b.i32Vector(), loaded);
  return element.isF16() ? widenHalf(b, wide) : asFloat(b, shiftLeft(b, wide, 16));
}

BlockDecoder::BlockDecoder(KernelBuilder &builder, const MatmulSpec &spec, const TileGeometry &geometry, int64_t tiles, Value weight, Value column)
    : b(builder), blocks(spec.blocks) {
  const bool halves = geometry.secondVector == panelColumns / 2;
  for (int64_t tile = 0; tile < tiles; ++tile) {
    const int64_t panel = tile / geometry.tilesPerPanel, first = tile % geometry.tilesPerPanel * geometry.tileStep;
    panels.push_back(panel ? b.at(weight, b.getI8Type(), panel * spec.panelBytes()) : weight);
    // A whole panel or more starts at its first column.
    const bool isWhole = tiles >= geometry.tilesPerPanel;
    Value start = isWhole ? b.i64(first) : first ? b.add(column, b.i64(first)) : column;
    Value byte = halves ? start : arith::AndIOp::create(b, start, b.i64(15));
    Value half = halves ? b.i64(0) : Value(arith::ShRUIOp::create(b, start, b.i64(4)));
    places.push_back({start, byte, half});
    places.push_back({b.add(start, b.i64(geometry.secondVector)), halves ? byte : b.add(byte, b.i64(geometry.secondVector)),
                      halves ? b.i64(1) : half});
  }
}

BlockDecoder::Block BlockDecoder::block(Value number) {
  Block block;
  const Type i8 = b.getI8Type();
  Value offset = b.mul(number, b.i64(blocks.blockBytes()));
  for (const auto &[index, place] : llvm::enumerate(places)) {
    Value start = b.at(panels[index / 2], i8, offset);
    if (index % 2 == 0)
      block.codes.push_back(b.at(start, i8, blocks.scaleBytes() + blocks.zeroBytes()));
    Value scale = loadWidened(b, blocks.getScale(), b.at(start, blocks.getScale(), place.column));
    // Codes of e4m3 are decoded 256 times too small.
    if (blocks.getCode() == PanelCode::E4m3)
      scale = b.mulf(scale, b.splat(256.0));
    block.scales.push_back(scale);
    if (blocks.isTernary())
      block.highs.push_back(loadWidened(b, blocks.getScale(), b.at(start, blocks.getScale(), b.add(place.column, b.i64(panelColumns)))));
    if (!blocks.getZero())
      continue;
    Value zero = b.at(b.at(start, i8, blocks.scaleBytes()), blocks.getZero(), place.column);
    block.zeros.push_back(blocks.getZero().isF32() ? b.load(b.f32Vector(), zero) : toFloat(b, extended(loadBytes(zero), /*isSigned=*/false)));
  }
  return block;
}

SmallVector<Value> BlockDecoder::weights(const Block &block, Value k) {
  SmallVector<Value> weights;
  for (const auto &[index, place] : llvm::enumerate(places)) {
    if (blocks.isTernary()) {
      const auto decode = blocks.getDictionary() ? &BlockDecoder::dictionaryTernary : &BlockDecoder::ternary;
      weights.push_back((this->*decode)(block.codes[index / 2], place, k, block.scales[index], block.highs[index]));
      continue;
    }
    Value value = number(block.codes[index / 2], place, k);
    if (!block.zeros.empty())
      value = b.subf(value, block.zeros[index]);
    weights.push_back(b.mulf(value, block.scales[index]));
  }
  return weights;
}

Value BlockDecoder::extended(Value bytes, bool isSigned) {
  return isSigned ? Value(arith::ExtSIOp::create(b, b.i32Vector(), bytes)) : Value(arith::ExtUIOp::create(b, b.i32Vector(), bytes));
}

Value BlockDecoder::shiftRight(Value vector, Value bits) {
  return arith::ShRUIOp::create(b, vector, b.broadcast(arith::TruncIOp::create(b, b.getI32Type(), bits)));
}

// The code of each lane with bits of others above it.
Value BlockDecoder::smallCode(Value codes, const Place &place, Value k) {
  const bool pairs = blocks.bits() == 2;
  Value line = pairs ? Value(arith::ShRUIOp::create(b, k, b.i64(1))) : k;
  Value bytes = extended(loadBytes(b.at(codes, b.getI8Type(), b.add(b.mul(line, b.i64(16)), place.byte))), /*isSigned=*/false);
  Value shift = b.mul(place.half, b.i64(blocks.bits()));
  if (pairs)
    shift = b.add(shift, b.mul(arith::AndIOp::create(b, k, b.i64(1)), b.i64(4)));
  return shiftRight(bytes, shift);
}

// What the code stands for, before zero point and scale.
Value BlockDecoder::number(Value codes, const Place &place, Value k) {
  const PanelCode code = blocks.getCode();
  if (blocks.bits() == 8) {
    Value bytes = loadBytes(b.at(codes, b.getI8Type(), b.add(b.mul(k, b.i64(panelColumns)), place.column)));
    if (code == PanelCode::E4m3)
      return e4m3(bytes);
    return toFloat(b, extended(bytes, /*isSigned=*/!blocks.getZero()));
  }
  Value index = smallCode(codes, place, k);
  const bool isInteger = code == PanelCode::Int4 || code == PanelCode::Int2;
  const int64_t count = int64_t(1) << blocks.bits(), implied = isInteger && !blocks.getZero() ? count / 2 : 0;
  if (isInteger && b.lanes() != 16) {
    Value value = toFloat(b, bits(b, index, count - 1));
    return implied ? b.subf(value, b.splat(static_cast<double>(implied))) : value;
  }
  SmallVector<float> table;
  for (int64_t i = 0; i < 16; ++i)
    table.push_back(isInteger ? static_cast<float>(i % count - implied)
                              : codeValue(code == PanelCode::Nf4 ? QuantFormat::Nf4 : QuantFormat::Mxfp4, static_cast<unsigned>(i)));
  return lookUp(index, table);
}

Value BlockDecoder::lookUp(Value index, ArrayRef<float> table) {
  auto constant = [&](ArrayRef<float> values) {
    return arith::ConstantOp::create(b, DenseElementsAttr::get(VectorType::get({static_cast<int64_t>(values.size())}, b.getF32Type()), values));
  };
  auto permute = [&](StringRef name, ArrayRef<float> values) {
    return LLVM::CallIntrinsicOp::create(b, b.f32Vector(), b.getStringAttr(name), ValueRange{constant(values), index}).getResult(0);
  };
  // The instructions read only as many bits of the index as the table needs.
  if (b.lanes() == 16)
    return permute("llvm.x86.avx512.permvar.sf.512", table);
  auto isSet = [&](int64_t bit) { return b.compare(arith::CmpIPredicate::ne, bits(b, index, bit), b.splatInt(0)); };
  if (b.lanes() == 8)
    return b.select(isSet(8), permute("llvm.x86.avx2.permps", table.drop_front(8)), permute("llvm.x86.avx2.permps", table.take_front(8)));
  SmallVector<Value> values;
  for (float value : table)
    values.push_back(b.splat(value));
  for (int64_t bit = 1; values.size() > 1; bit *= 2) {
    Value condition = isSet(bit);
    SmallVector<Value> chosen;
    for (size_t i = 0; i < values.size(); i += 2)
      chosen.push_back(b.select(condition, values[i + 1], values[i]));
    values = chosen;
  }
  return values.front();
}

// Of the i32 that holds a column's digits, the two bits of digit k.
Value BlockDecoder::dictionaryTernary(Value codes, const Place &place, Value k, Value low, Value high) {
  Value line = arith::ShRUIOp::create(b, k, b.i64(4)), digit = arith::AndIOp::create(b, k, b.i64(BlocksAttr::digitsPerLane - 1));
  Value lane = b.load(b.i32Vector(), b.at(codes, b.getI32Type(), b.add(b.mul(line, b.i64(panelColumns)), place.column)));
  Value bit = arith::ShLIOp::create(b, b.i32(1), arith::TruncIOp::create(b, b.getI32Type(), b.mul(digit, b.i64(2))));
  const auto isSet = [&](Value mask) {
    return b.compare(arith::CmpIPredicate::ne, arith::AndIOp::create(b, lane, b.broadcast(mask)), b.splatInt(0));
  };
  Value isHigh = isSet(arith::ShLIOp::create(b, bit, b.i32(1)));
  return b.select(isHigh, high, b.select(isSet(bit), low, b.splat(0.0)));
}

// A byte is the number of five digits as a fraction of 256: times 3^i, what is left of it says by its third what digit i is. In the upper byte of
// lanes what goes over is gone, and LLVM does not take the lanes apart to compare bytes.
Value BlockDecoder::ternary(Value codes, const Place &place, Value k, Value low, Value high) {
  constexpr int64_t perByte = BlocksAttr::ternaryPerByte;
  // 3^0 to 3^4, a byte each.
  constexpr int64_t powers = 0x511b090301;
  Value line = b.div(k, b.i64(perByte)), digit = b.sub(k, b.mul(line, b.i64(perByte)));
  Value bytes = extended(loadBytes(b.at(codes, b.getI8Type(), b.add(b.mul(line, b.i64(panelColumns)), place.column))), /*isSigned=*/false);
  Value shifted = arith::ShRUIOp::create(b, b.i64(powers), b.mul(digit, b.i64(8)));
  Value power = arith::AndIOp::create(b, arith::TruncIOp::create(b, b.getI32Type(), shifted), b.i32(255));
  Value rest = b.mul(shiftLeft(b, bytes, 24), b.broadcast(power));
  const auto isAbove = [&](int64_t third) {
    return b.compare(arith::CmpIPredicate::ugt, rest, b.splatInt((third * 256 / 3 + 1) * (int64_t(1) << 24) - 1));
  };
  return b.select(isAbove(2), high, b.select(isAbove(1), low, b.splat(0.0)));
}

// e4m3 is f16 with one bit less of exponent: shifted into place, an f16 that is 2^-8 of the number, subnormal ones included.
Value BlockDecoder::e4m3(Value bytes) {
  Value code = extended(bytes, /*isSigned=*/false), magnitude = bits(b, code, 0x7f);
  Value half = arith::OrIOp::create(b, shiftLeft(b, magnitude, 7), shiftLeft(b, bits(b, code, 0x80), 8));
  Value value;
  if (hasHalfConversion(b.isa)) {
    Value narrow = arith::TruncIOp::create(b, VectorType::get({b.lanes()}, b.getI16Type()), half);
    value = arith::ExtFOp::create(b, b.f32Vector(), Value(arith::BitcastOp::create(b, VectorType::get({b.lanes()}, b.getF16Type()), narrow)));
  } else {
    value = widenHalf(b, half);
  }
  return b.select(equal(b, magnitude, 0x7f), b.splat(std::numeric_limits<double>::quiet_NaN()), value);
}

} // namespace moe
