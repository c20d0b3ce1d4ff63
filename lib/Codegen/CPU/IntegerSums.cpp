// One line of codes (128 bytes: 32 columns of four values of k, for fewer bits also of those above them) is loaded once for all rows.
#include "IntegerSums.h"

#include "BlockDecoder.h"

using namespace mlir;
namespace moe {

/// Bytes of a line, and values of k in a quad.
static constexpr int64_t lineBytes = 4 * panelColumns, quadDepth = 4;
/// Bytes from the codes in use to those asked for, and of a cache line.
static constexpr int64_t prefetchBytes = 6144, cacheLineBytes = 64;

IntegerSums::IntegerSums(KernelBuilder &builder, const MatmulSpec &spec, const TileGeometry &geometry, const KernelArguments &arguments,
                         ArrayRef<Value> rows)
    : b(builder), spec(spec), blocks(spec.blocks), arguments(arguments), rows(rows), kind(dotOf(builder.isa)) {
  columns[0] = arguments.tileColumn;
  columns[1] = b.add(arguments.tileColumn, b.i64(geometry.secondVector));
}

IntegerSums::Dot IntegerSums::dotOf(const IsaVersion &isa) {
  if (isa.f32Lanes == 16)
    return isa.has("avx512vnni") ? Dot::Vnni : isa.has("avx512bw") ? Dot::Pairs : Dot::Lanes;
  return isa.f32Lanes == 8 && isa.has("avxvnni") ? Dot::Vnni : Dot::Pairs;
}

// Each row takes two sums of f32 and two of i32; the others are for codes. By hand the codes take four times as many.
int64_t IntegerSums::mostRows(const IsaVersion &isa) {
  const Dot kind = dotOf(isa);
  return isa.vectorRegisters <= 16 ? 2 : kind == Dot::Vnni ? 6 : 4;
}

SmallVector<Value> IntegerSums::emit() {
  const SmallVector<Value> zeros(rows.size() * 2, b.splat(0.0));
  const int64_t linesPerPart = BlocksAttr::partDepth * blocks.bits() / 32;
  const int64_t whole = blocks.getGroup() / BlocksAttr::partDepth;
  const int64_t linesLeft = (blocks.filledGroup() - whole * BlocksAttr::partDepth) * blocks.bits() / 32;
  return b.forLoop(b.i64(0), b.i64(spec.k / blocks.rowBlockBytes()), b.i64(1), zeros, [&](Value number, ValueRange sums) {
    const Block here = block(number);
    Values next(sums);
    if (whole == 1)
      next = part(here, here.codes, b.i64(0), linesPerPart, next);
    else if (whole > 1)
      next = b.forLoop(b.i64(0), b.i64(whole), b.i64(1), next, [&](Value index, ValueRange inner) {
        Value codes = b.at(here.codes, b.getI8Type(), b.mul(index, b.i64(linesPerPart * lineBytes)));
        return part(here, codes, index, linesPerPart, inner);
      });
    if (linesLeft > 0)
      next = part(here, at(here.codes, whole * linesPerPart * lineBytes), b.i64(whole), linesLeft, next);
    return next;
  });
}

IntegerSums::Block IntegerSums::block(Value number) {
  Block block;
  const Type i8 = b.getI8Type();
  Value start = b.at(arguments.weight, i8, b.mul(number, b.i64(blocks.blockBytes())));
  block.codes = at(start, blocks.scaleBytes() + blocks.zeroBytes());
  block.rowOffset = b.mul(number, b.i64(blocks.rowBlockBytes()));
  for (Value column : columns) {
    block.scales.push_back(loadWidened(b, blocks.getScale(), b.at(start, blocks.getScale(), column)));
    if (!blocks.getZero())
      continue;
    Value zero = b.at(at(start, blocks.scaleBytes()), blocks.getZero(), column);
    if (blocks.getZero().isF32()) {
      block.zeros.push_back(b.load(b.f32Vector(), zero));
      continue;
    }
    Value loaded = b.load(VectorType::get({b.lanes()}, i8), zero);
    block.zeros.push_back(arith::UIToFPOp::create(b, b.f32Vector(), loaded));
  }
  return block;
}

// Part `number` of a block, which has so many lines of codes.
IntegerSums::Values IntegerSums::part(const Block &block, Value codes, Value number, int64_t lines, ValueRange sums) {
  prefetch(codes, lines * lineBytes);
  const Values products = integers(block, codes, number, lines);
  Value scaleOffset = b.add(block.rowOffset, b.mul(number, b.i64(4))), sumOffset = b.add(scaleOffset, b.i64(4 * blocks.partCount()));
  Values next;
  for (const auto &[index, row] : llvm::enumerate(rows)) {
    Value scale = b.broadcast(b.load(b.getF32Type(), b.at(row, b.getI8Type(), scaleOffset)));
    Value rowSum;
    if (blocks.getZero())
      rowSum = arith::SIToFPOp::create(b, b.f32Vector(), b.broadcast(b.load(b.getI32Type(), b.at(row, b.getI8Type(), sumOffset))));
    for (size_t vector = 0; vector < 2; ++vector)
      next.push_back(scaled(products[2 * index + vector], rowSum, scale, block, vector, sums[2 * index + vector]));
  }
  return next;
}

// scale · scale of the row · (product - zero · sum of the row's codes); what is subtracted is exact where zero points are integers, and part of
// the product already where there are none.
Value IntegerSums::scaled(Value product, Value rowSum, Value rowScale, const Block &block, size_t vector, Value into) {
  Value value = arith::SIToFPOp::create(b, b.f32Vector(), product);
  if (rowSum)
    value = b.subf(value, b.mulf(block.zeros[vector], rowSum));
  return b.fma(b.mulf(rowScale, block.scales[vector]), value, into);
}

IntegerSums::Values IntegerSums::integers(const Block &block, Value codes, Value number, int64_t lines) {
  const Type i8 = b.getI8Type();
  const int64_t perByte = 8 / blocks.bits();
  Value sumOffset = b.add(block.rowOffset, b.add(b.mul(number, b.i64(4)), b.i64(4 * blocks.partCount())));
  Value codeOffset = b.add(block.rowOffset, b.add(b.mul(number, b.i64(BlocksAttr::partDepth)), b.i64(8 * blocks.partCount())));
  Values sums, quads;
  for (Value row : rows) {
    Value start = blocks.getZero() ? b.splatInt(0) : b.broadcast(b.load(b.getI32Type(), b.at(row, i8, sumOffset)));
    sums.append(2, start);
    quads.push_back(b.at(row, i8, codeOffset));
  }
  for (int64_t line = 0; line < lines; ++line) {
    Values loaded;
    for (Value column : columns)
      loaded.push_back(b.load(bytes(), b.at(at(codes, line * lineBytes), b.getI32Type(), column)));
    for (int64_t above = 0; above < perByte; ++above) {
      const Quad weights[2] = {weightQuad(loaded[0], above), weightQuad(loaded[1], above)};
      for (size_t row = 0; row < rows.size(); ++row) {
        const Quad x = rowQuad(at(quads[row], (line * perByte + above) * quadDepth));
        for (size_t vector = 0; vector < 2; ++vector)
          sums[2 * row + vector] = dot(sums[2 * row + vector], weights[vector], x);
      }
    }
  }
  return sums;
}

// One request per cache line of codes; narrower vectors read too little of a panel at once for that.
void IntegerSums::prefetch(Value start, int64_t count) {
  if (b.lanes() != 16)
    return;
  for (int64_t byte = 0; byte < count; byte += cacheLineBytes)
    LLVM::Prefetch::create(b, at(start, prefetchBytes + byte), /*rw=*/0, /*hint=*/3, /*cache=*/1);
}

Value IntegerSums::bitcast(Value vector, Type element) {
  const int64_t count = 4 * b.lanes() * 8 / element.getIntOrFloatBitWidth();
  return vector::BitCastOp::create(b, VectorType::get({count}, element), vector);
}

Value IntegerSums::onBytes(Value vector, int64_t mask) {
  return arith::AndIOp::create(b, vector, arith::ConstantOp::create(b, DenseElementsAttr::get(bytes(), static_cast<int8_t>(mask))));
}

Value IntegerSums::shifted(Value vector, Type element, int64_t bits, bool isSigned) {
  const bool isSame = getElementTypeOrSelf(vector.getType()) == element;
  Value lanes = isSame ? vector : bitcast(vector, element);
  if (bits == 0)
    return lanes;
  Value count = arith::ConstantOp::create(
      b, DenseElementsAttr::get(cast<VectorType>(lanes.getType()), b.getIntegerAttr(element, std::abs(bits)).getValue()));
  if (bits < 0)
    return arith::ShLIOp::create(b, lanes, count);
  return isSigned ? Value(arith::ShRSIOp::create(b, lanes, count)) : Value(arith::ShRUIOp::create(b, lanes, count));
}

// Of a line's bytes, the codes `above` others: bytes, or their even and odd ones as i16, or each of the four as i32.
IntegerSums::Quad IntegerSums::weightQuad(Value line, int64_t above) {
  const int64_t bits = blocks.bits();
  const Type i8 = b.getI8Type(), i16 = b.getI16Type(), i32 = b.getI32Type();
  Value codes = line;
  if (bits < 8) // There is no shift of bytes; what comes from the neighbour is masked away.
    codes = onBytes(above ? bitcast(shifted(line, i16, above * bits, /*isSigned=*/false), i8) : line, (1 << bits) - 1);
  if (kind == Dot::Vnni)
    return {codes};
  if (kind == Dot::Pairs)
    return {shifted(shifted(codes, i16, -8, false), i16, 8, /*isSigned=*/false), shifted(codes, i16, 8, /*isSigned=*/false)};
  Quad quad;
  for (int64_t byte = 0; byte < quadDepth; ++byte)
    quad.push_back(shifted(shifted(codes, i32, 8 * byte - 24, false), i32, 24, /*isSigned=*/false));
  return quad;
}

IntegerSums::Quad IntegerSums::rowQuad(Value pointer) {
  const Type i8 = b.getI8Type(), i16 = b.getI16Type(), i32 = b.getI32Type();
  Value codes = b.broadcast(b.load(i32, pointer));
  if (kind == Dot::Vnni)
    return {bitcast(codes, i8)};
  if (kind == Dot::Pairs)
    return {shifted(shifted(codes, i16, -8, false), i16, 8, /*isSigned=*/true), shifted(codes, i16, 8, /*isSigned=*/true)};
  Quad quad;
  for (int64_t byte = 0; byte < quadDepth; ++byte)
    quad.push_back(shifted(shifted(codes, i32, 8 * byte - 24, false), i32, 24, /*isSigned=*/true));
  return quad;
}

Value IntegerSums::dot(Value sum, const Quad &weight, const Quad &row) {
  const auto call = [&](StringRef name, ValueRange operands) {
    return LLVM::CallIntrinsicOp::create(b, b.i32Vector(), b.getStringAttr(name), operands).getResult(0);
  };
  if (kind == Dot::Vnni)
    return call(b.lanes() == 16 ? "llvm.x86.avx512.vpdpbusd.512" : "llvm.x86.avx512.vpdpbusd.256", {sum, weight[0], row[0]});
  for (const auto &[w, x] : llvm::zip_equal(weight, row)) {
    if (kind == Dot::Lanes) {
      sum = b.add(sum, b.mul(w, x));
      continue;
    }
    const StringRef name = b.lanes() == 16 ? "llvm.x86.avx512.pmaddw.d.512" : b.lanes() == 8 ? "llvm.x86.avx2.pmadd.wd" : "llvm.x86.sse2.pmadd.wd";
    sum = b.add(sum, call(name, {w, x}));
  }
  return sum;
}

} // namespace moe
