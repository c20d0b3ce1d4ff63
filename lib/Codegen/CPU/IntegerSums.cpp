// One line of codes (128 bytes: 32 columns of four values of k, for fewer bits also of those above them) is loaded once for all rows.
#include "IntegerSums.h"

#include "BlockDecoder.h"

using namespace mlir;
namespace moe {

/// Bytes of a line, and values of k in a quad.
static constexpr int64_t lineBytes = 4 * panelColumns, quadDepth = 4;
static constexpr int64_t cacheLineBytes = 64;

IntegerSums::IntegerSums(KernelBuilder &builder, const MatmulSpec &spec, const TileGeometry &geometry, const KernelArguments &arguments,
                         ArrayRef<Value> rows, int64_t panels)
    : b(builder), spec(spec), blocks(spec.blocks), arguments(arguments), rows(rows), panels(panels), kind(dotOf(builder.isa, spec.blocks)) {
  columns[0] = arguments.tileColumn;
  columns[1] = b.add(arguments.tileColumn, b.i64(geometry.secondVector));
}

// Products of bytes as sums of two in i16 saturate, but not those of codes of four bits: the sums of a part, of 16 products, are at most
// 16 · 15 · 127, below 2^15.
IntegerSums::Dot IntegerSums::dotOf(const IsaVersion &isa, BlocksAttr blocks) {
  const bool isSmall = blocks.bits() <= 4;
  if (isa.f32Lanes == 16)
    return isa.has("avx512vnni") ? Dot::Vnni : !isa.has("avx512bw") ? Dot::Lanes : isSmall ? Dot::Bytes : Dot::Pairs;
  if (isa.f32Lanes == 8 && (isa.has("avxvnni") || (isa.has("avx512vnni") && isa.has("avx512vl"))))
    return Dot::Vnni;
  return isa.f32Lanes == 8 && isSmall ? Dot::Bytes : Dot::Pairs;
}

// Each row takes two sums of f32 and two of i32; the others are for codes. By hand the codes take four times as many.
// A trip of the sums of f32 to the stack after each part would make room for twice the rows, but cost more than that brings.
int64_t IntegerSums::mostRows(const IsaVersion &isa, BlocksAttr blocks) {
  const Dot kind = dotOf(isa, blocks);
  return isa.vectorRegisters <= 16 ? 2 : kind == Dot::Vnni || kind == Dot::Bytes ? 6 : 4;
}

SmallVector<Value> IntegerSums::emit() {
  const SmallVector<Value> zeros(rows.size() * panels * 2, b.splat(0.0));
  const int64_t linesPerPart = BlocksAttr::partDepth * blocks.bits() / 32;
  const int64_t whole = blocks.getGroup() / BlocksAttr::partDepth;
  const int64_t linesLeft = (blocks.filledGroup() - whole * BlocksAttr::partDepth) * blocks.bits() / 32;
  return b.forLoop(b.i64(0), b.i64(spec.k / blocks.rowBlockBytes()), b.i64(1), zeros, [&](Value number, ValueRange sums) {
    SmallVector<Block> own;
    for (int64_t panel = 0; panel < panels; ++panel)
      own.push_back(block(number, panel));
    const auto parts = [&](Value index, int64_t lines, ValueRange before) {
      return inEachPanel(before, [&](int64_t panel, const Values &inner) {
        return part(own[panel], b.at(own[panel].codes, b.getI8Type(), b.mul(index, b.i64(linesPerPart * lineBytes))), index, lines, inner);
      });
    };
    Values next(sums);
    if (whole == 1)
      next = parts(b.i64(0), linesPerPart, next);
    else if (whole > 1)
      next = b.forLoop(b.i64(0), b.i64(whole), b.i64(1), next, [&](Value index, ValueRange inner) { return parts(index, linesPerPart, inner); });
    if (linesLeft > 0)
      next = parts(b.i64(whole), linesLeft, next);
    if (!isOneBlock())
      return next;
    return inEachPanel(next, [&](int64_t panel, Values inner) {
      for (size_t index = 0; index < inner.size(); ++index)
        inner[index] = b.mulf(inner[index], own[panel].scales[index % 2]);
      return inner;
    });
  });
}

// `sums` in the order [row][panel][vector]; `change` gets and gives those of one panel, in the order [row][vector].
IntegerSums::Values IntegerSums::inEachPanel(ValueRange sums, function_ref<Values(int64_t panel, const Values &sums)> change) {
  Values next(sums);
  for (int64_t panel = 0; panel < panels; ++panel) {
    const auto place = [&](size_t index) { return (index / 2 * panels + panel) * 2 + index % 2; };
    Values own;
    for (size_t index = 0; index < 2 * rows.size(); ++index)
      own.push_back(next[place(index)]);
    for (const auto &[index, value] : llvm::enumerate(change(panel, own)))
      next[place(index)] = value;
  }
  return next;
}

IntegerSums::Block IntegerSums::block(Value number, int64_t panel) {
  Block block;
  const Type i8 = b.getI8Type();
  Value inPanel = b.mul(number, b.i64(blocks.blockBytes())), start = b.at(arguments.weight, i8, inPanel);
  if (panel)
    start = at(start, panel * spec.panelBytes());
  block.codes = at(start, blocks.scaleBytes() + blocks.zeroBytes());
  block.offset = panel ? b.add(inPanel, b.i64(panel * spec.panelBytes())) : inPanel;
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
  // Scales and zero points of a block go with its first part, if that is no loop; of longer blocks they are too few to matter.
  const int64_t before = blocks.getGroup() <= BlocksAttr::partDepth ? blocks.blockBytes() - lines * lineBytes : 0;
  prefetch(b.add(block.offset, b.mul(number, b.i64(BlocksAttr::partDepth * blocks.bits() / 32 * lineBytes))), before + lines * lineBytes);
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
// the product already where there are none. Where there is one block, its scale comes last.
Value IntegerSums::scaled(Value product, Value rowSum, Value rowScale, const Block &block, size_t vector, Value into) {
  Value value = arith::SIToFPOp::create(b, b.f32Vector(), product);
  if (rowSum)
    value = b.subf(value, b.mulf(block.zeros[vector], rowSum));
  return b.fma(isOneBlock() ? rowScale : b.mulf(rowScale, block.scales[vector]), value, into);
}

IntegerSums::Values IntegerSums::integers(const Block &block, Value codes, Value number, int64_t lines) {
  const Type i8 = b.getI8Type();
  const int64_t perByte = 8 / blocks.bits();
  Value sumOffset = b.add(block.rowOffset, b.add(b.mul(number, b.i64(4)), b.i64(4 * blocks.partCount())));
  Value codeOffset = b.add(block.rowOffset, b.add(b.mul(number, b.i64(BlocksAttr::partDepth)), b.i64(8 * blocks.partCount())));
  const auto start = [&](Value row) {
    return blocks.getZero() ? b.splatInt(0) : b.broadcast(b.load(b.getI32Type(), b.at(row, i8, sumOffset)));
  };
  Values quads;
  for (Value row : rows)
    quads.push_back(b.at(row, i8, codeOffset));
  if (kind != Dot::Bytes) {
    Values sums;
    for (Value row : rows)
      sums.append(2, start(row));
    for (int64_t line = 0; line < lines; ++line)
      addLine(at(codes, line * lineBytes), quads, line * perByte * quadDepth, sums);
    return sums;
  }
  // Sums of i16 start from zero: what the row brings may be greater. A loop, or LLVM would go row by row and keep all codes meanwhile.
  const auto type = VectorType::get({2 * b.lanes()}, b.getI16Type());
  const Values zeros(2 * rows.size(), arith::ConstantOp::create(b, DenseElementsAttr::get(type, static_cast<int16_t>(0))));
  Values sums = b.forLoop(b.i64(0), b.hidden(lines), b.i64(1), zeros, [&](Value line, ValueRange carried) {
    Values next(carried), places;
    for (Value row : quads)
      places.push_back(b.at(row, i8, b.mul(line, b.i64(perByte * quadDepth))));
    addLine(b.at(codes, i8, b.mul(line, b.i64(lineBytes))), places, 0, next);
    return next;
  });
  for (const auto &[index, row] : llvm::enumerate(rows)) {
    Value first = start(row);
    for (Value &sum : MutableArrayRef(sums).slice(2 * index, 2))
      sum = addedPairs(first, sum);
  }
  return sums;
}

// The products of one line with the codes `offset` bytes behind `quads`.
void IntegerSums::addLine(Value line, ArrayRef<Value> quads, int64_t offset, Values &sums) {
  Values loaded;
  for (Value column : columns)
    loaded.push_back(b.load(bytes(), b.at(line, b.getI32Type(), column)));
  for (int64_t above = 0; above < 8 / blocks.bits(); ++above) {
    const Quad weights[2] = {weightQuad(loaded[0], above), weightQuad(loaded[1], above)};
    for (size_t row = 0; row < rows.size(); ++row) {
      const Quad x = rowQuad(at(quads[row], offset + above * quadDepth));
      for (size_t vector = 0; vector < 2; ++vector)
        sums[2 * row + vector] = dot(sums[2 * row + vector], weights[vector], x);
    }
  }
}

// One request per cache line that the tile reads of `count` bytes, `offset` into the panel; narrower vectors read too little at once for that.
void IntegerSums::prefetch(Value offset, int64_t count) {
  // Kernels for few rows are never one of several passes: they go through the weights once, in order, as most processors' own prefetchers like it best.
  const bool isFew = 2 * static_cast<int64_t>(rows.size()) < mostRows(b.isa, blocks);
  if (b.lanes() < 8 || (isFew && !b.isa.fewRowsAhead))
    return;
  // Two vectors of 8 lanes are one line of two, side by side or apart.
  const int64_t apart = b.lanes() == 16 || spec.gateUp ? 1 : 2;
  Value step = arguments.aheadStep;
  Value place = b.at(arguments.ahead, b.getI8Type(), arith::ShRUIOp::create(b, b.mul(offset, step), b.i64(6)));
  if (b.lanes() == 8)
    place = b.at(place, b.getI32Type(), spec.gateUp ? b.i64(0) : columns[0]);
  step = b.mul(step, b.i64(apart));
  for (int64_t number = 0; number < count / (cacheLineBytes * apart); ++number) {
    LLVM::Prefetch::create(b, place, /*rw=*/0, MatmulKernel::prefetchHint(/*isOnePass=*/false), /*cache=*/1);
    place = b.at(place, b.getI8Type(), step);
  }
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
  if (kind == Dot::Vnni || kind == Dot::Bytes)
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
  if (kind == Dot::Vnni || kind == Dot::Bytes)
    return {bitcast(codes, i8)};
  if (kind == Dot::Pairs)
    return {shifted(shifted(codes, i16, -8, false), i16, 8, /*isSigned=*/true), shifted(codes, i16, 8, /*isSigned=*/true)};
  Quad quad;
  for (int64_t byte = 0; byte < quadDepth; ++byte)
    quad.push_back(shifted(shifted(codes, i32, 8 * byte - 24, false), i32, 24, /*isSigned=*/true));
  return quad;
}

Value IntegerSums::call(StringRef name, Type type, ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(b, type, b.getStringAttr(name), operands).getResult(0);
}

// `sum` of i32 and the sums of two neighbours of i16.
Value IntegerSums::addedPairs(Value sum, Value pairs) {
  Value ones = arith::ConstantOp::create(b, DenseElementsAttr::get(cast<VectorType>(pairs.getType()), static_cast<int16_t>(1)));
  return b.add(sum, call(b.lanes() == 16 ? "llvm.x86.avx512.pmaddw.d.512" : "llvm.x86.avx2.pmadd.wd", b.i32Vector(), {pairs, ones}));
}

// `sum` is of i16 where products go through such sums.
Value IntegerSums::dot(Value sum, const Quad &weight, const Quad &row) {
  if (kind == Dot::Vnni)
    return call(b.lanes() == 16 ? "llvm.x86.avx512.vpdpbusd.512" : "llvm.x86.avx512.vpdpbusd.256", b.i32Vector(), {sum, weight[0], row[0]});
  if (kind == Dot::Bytes) {
    const auto type = VectorType::get({2 * b.lanes()}, b.getI16Type());
    Value pairs = call(b.lanes() == 16 ? "llvm.x86.avx512.pmaddubs.w.512" : "llvm.x86.avx2.pmadd.ub.sw", type, {weight[0], row[0]});
    return b.add(sum, pairs);
  }
  for (const auto &[w, x] : llvm::zip_equal(weight, row)) {
    if (kind == Dot::Lanes) {
      sum = b.add(sum, b.mul(w, x));
      continue;
    }
    const StringRef name = b.lanes() == 16 ? "llvm.x86.avx512.pmaddw.d.512" : b.lanes() == 8 ? "llvm.x86.avx2.pmadd.wd" : "llvm.x86.sse2.pmadd.wd";
    sum = b.add(sum, call(name, b.i32Vector(), {w, x}));
  }
  return sum;
}

} // namespace moe
