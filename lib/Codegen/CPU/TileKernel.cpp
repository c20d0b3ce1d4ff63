// Panels are what tiles of weights want as they are: 16 lines of 32 pairs of bf16, or 8 of 32 quads of bytes, are two tiles side by side. Codes of less
// than a byte are taken apart on the stack, part by part.
#include "TileKernel.h"

#include "BlockDecoder.h"
#include "Epilogue.h"

using namespace mlir;
namespace moe {

/// Bytes of a line of a panel, of a tile's share of it, and values of k in a quad.
static constexpr int64_t cacheLineBytes = 64, lineBytes = 4 * panelColumns, tileBytes = lineBytes / 2, quadDepth = 4;

bool usesTiles(const IsaVersion &isa, const MatmulSpec &spec) {
  if (isa.matrixTiles.rows == 0)
    return false;
  if (spec.gather && TileKernel::copiedRows(isa, spec) == 0)
    return false;
  if (spec.pairs)
    return isa.matrixTiles.multipliesPairs && spec.k % TileKernel::pairDepth == 0;
  return spec.multipliesIntegers() && isa.matrixTiles.multipliesBytes && spec.blocks.getGroup() % BlocksAttr::partDepth == 0;
}

func::FuncOp TileKernel::emit(ModuleOp module, StringRef name) {
  OpBuilder::InsertionGuard guard(b);
  SmallVector<Type> types(KernelArguments::pointers, b.ptrType());
  types.append(KernelArguments::integers + 2, b.getI64Type());
  types.push_back(b.getI16Type());
  func::FuncOp function = b.beginFunction(module, name, types);
  const KernelArguments first = KernelArguments::fromList(function.getArguments());
  const ValueRange more = function.getArguments().take_back(3);
  Value rows = more[2];
  // At least one, as LLVM need not know: or it makes copies of the loops for none, whose tiles have no rows.
  rowCount = b.max(arith::ExtUIOp::create(b, b.getI64Type(), rows), b.i64(1));
  makeRowTiles(rows, spec.pairs ? 2 * pairDepth : BlocksAttr::partDepth);
  Value totals = b.stack(b.getF32Type(), b.isa.matrixTiles.kernelRows() * panelColumns, 64);
  const int64_t perUnit = spec.panelsPerUnit();
  b.forLoop(b.i64(0), more[0], [&](Value unit) {
    b.forLoop(b.i64(0), b.i64(perUnit), [&](Value inUnit) {
      arguments = ofPanel(first, b.add(b.mul(unit, b.i64(perUnit)), inUnit));
      arguments.out = b.at(b.at(first.out, spec.outElement, b.mul(unit, more[1])), spec.outElement, b.mul(inUnit, b.i64(spec.panelResultColumns())));
      if (spec.pairs)
        sumPairs(totals);
      else
        sumIntegers(totals);
      Epilogue(b, spec, geometry, arguments, b.isa.matrixTiles.kernelRows(), /*tiles=*/1).emitStored(totals, rowCount);
    });
  });
  func::ReturnOp::create(b);
  return function;
}

// The arguments for the panel so many behind the first; of `out` those of the first.
KernelArguments TileKernel::ofPanel(const KernelArguments &first, Value panel) {
  KernelArguments own = first;
  Value bytes = b.mul(panel, b.i64(spec.panelBytes())), column = b.mul(panel, b.i64(spec.panelResultColumns()));
  own.weight = b.at(first.weight, b.getI8Type(), bytes);
  own.ahead = b.at(first.ahead, b.getI8Type(), bytes);
  own.bias = b.atF32(first.bias, b.mul(column, b.i64(spec.bias == BiasForm::Interleaved ? 2 : 1)));
  own.upBias = b.atF32(first.upBias, column);
  own.columns = b.sub(first.columns, column);
  return own;
}

// Asks for bytes `offset` to `offset` + `bytes` of the panel ahead, or for this pass's part of them. A loop, as passes may share a panel.
void TileKernel::prefetch(Value offset, int64_t bytes) {
  const int64_t chunk = bytes / aheadParts;
  Value place = b.at(arguments.ahead, b.getI8Type(), b.mul(b.div(offset, b.i64(aheadParts)), arguments.aheadStep));
  b.forLoop(b.i64(0), b.max(arguments.aheadStep, b.i64(1)), [&](Value number) {
    Value start = b.at(place, b.getI8Type(), b.mul(number, b.i64(chunk)));
    for (int64_t byte = 0; byte < chunk; byte += cacheLineBytes)
      LLVM::Prefetch::create(b, b.at(start, b.getI8Type(), byte), /*rw=*/0, MatmulKernel::prefetchHint(/*isOnePass=*/false), /*cache=*/1);
  });
}

// Of an i16 from before all loops: LLVM sets tiles up where their shapes are known, and does not find a place for that where it has moved a cast into a loop.
void TileKernel::makeRowTiles(Value rows, int64_t depthBytes) {
  const int64_t height = b.isa.matrixTiles.rows;
  if (!tall) {
    rowTiles = {{tiles.shape(rows, depthBytes), tiles.shape(rows, tileBytes), 0}};
    return;
  }
  Value below = arith::SubIOp::create(b, rows, tiles.i16(height));
  rowTiles = {{tiles.shape(height, depthBytes), tiles.shape(height, tileBytes), 0}, {tiles.shape(below, depthBytes), tiles.shape(below, tileBytes), height}};
}

TileKernel::Values TileKernel::zeros() {
  Values all;
  for (const RowTile &tile : rowTiles)
    for (int half = 0; half < 2; ++half)
      all.push_back(tiles.zero(tile.sums));
  return all;
}

// Sums in the order [tile of rows][half of the panel]; `x` is the place of the first row, `weights` that of the first line.
TileKernel::Values TileKernel::products(bool pairs, Value x, Value weights, int64_t weightRows, ValueRange sums) {
  const TileOps::Shape weightShape = tiles.shape(weightRows, tileBytes);
  Value strideBytes = b.mul(arguments.xStride, b.i64(spec.xElement.getIntOrFloatBitWidth() / 8)), line = b.i64(lineBytes);
  Value left = tiles.load(weightShape, weights, line), right = tiles.load(weightShape, b.at(weights, b.getI8Type(), tileBytes), line);
  Values next;
  for (const RowTile &tile : rowTiles) {
    Value place = tile.first ? b.at(x, b.getI8Type(), b.mul(strideBytes, b.i64(tile.first))) : x;
    Value rows = tiles.load(tile.rows, place, strideBytes);
    for (Value weight : {left, right})
      next.push_back(tiles.multiply(pairs, tile.sums, tile.rows.bytes, sums[next.size()], rows, weight));
  }
  return next;
}

void TileKernel::storeSums(ValueRange sums, Value place) {
  for (const auto &[number, sum] : llvm::enumerate(sums)) {
    const RowTile &tile = rowTiles[number / 2];
    tiles.store(tile.sums, sum, b.at(place, b.getI8Type(), tile.first * lineBytes + static_cast<int64_t>(number % 2) * tileBytes), b.i64(lineBytes));
  }
}

void TileKernel::sumPairs(Value totals) {
  const int64_t depthBytes = 2 * pairDepth;
  const Values sums = b.forLoop(b.i64(0), b.div(arguments.k, b.i64(pairDepth)), b.i64(1), zeros(), [&](Value step, ValueRange carried) {
    Value offset = b.mul(step, b.i64(pairDepth / 2 * lineBytes));
    prefetch(offset, pairDepth / 2 * lineBytes);
    Value x = b.at(arguments.x, b.getI8Type(), b.mul(step, b.i64(depthBytes))), weights = b.at(arguments.weight, b.getI8Type(), offset);
    return products(/*pairs=*/true, x, weights, pairDepth / 2, carried);
  });
  storeSums(sums, totals);
}

// Volatile, or LLVM makes a call of memset from it.
void TileKernel::clear(Value totals) {
  b.forLoop(b.i64(0), b.mul(rowCount, b.i64(2)), [&](Value vector) {
    LLVM::StoreOp::create(b, b.splat(0.0), b.atF32(totals, b.mul(vector, b.i64(b.lanes()))), /*alignment=*/64, /*isVolatile=*/true);
  });
}

// The arithmetic of IntegerSums, to the bit: i32 over a part, which is exact, then scaled and added in f32.
void TileKernel::sumIntegers(Value totals) {
  clear(totals);
  Value sums = b.stack(b.getI32Type(), b.isa.matrixTiles.kernelRows() * panelColumns, 64);
  const int64_t parts = spec.blocks.partCount();
  b.forLoop(b.i64(0), b.i64(spec.k / spec.blocks.rowBlockBytes()), [&](Value number) {
    const Block here = block(number);
    b.forLoop(b.i64(0), b.i64(parts), [&](Value part) { addPart(here, part, sums, totals); });
    if (isOneBlock())
      scaleTotals(here, totals);
  });
}

TileKernel::Block TileKernel::block(Value number) {
  const Type i8 = b.getI8Type();
  const BlocksAttr blocks = spec.blocks;
  Block block;
  Value start = b.at(arguments.weight, i8, b.mul(number, b.i64(blocks.blockBytes())));
  block.codes = b.at(start, i8, blocks.scaleBytes() + blocks.zeroBytes());
  block.rowOffset = b.mul(number, b.i64(blocks.rowBlockBytes()));
  for (int64_t column = 0; column < panelColumns; column += b.lanes()) {
    block.scales.push_back(loadWidened(b, blocks.getScale(), b.at(start, blocks.getScale(), column)));
    if (!blocks.getZero())
      continue;
    Value zero = b.at(b.at(start, i8, blocks.scaleBytes()), blocks.getZero(), column);
    if (blocks.getZero().isF32())
      block.zeros.push_back(b.load(b.f32Vector(), zero));
    else
      block.zeros.push_back(arith::UIToFPOp::create(b, b.f32Vector(), b.load(VectorType::get({b.lanes()}, i8), zero)));
  }
  return block;
}

// The codes of a part as bytes, in lines of quads: where they are, or taken apart into `place`.
Value TileKernel::bytesOf(Value codes, Value place) {
  const int64_t bits = spec.blocks.bits();
  if (bits == 8)
    return codes;
  const Type i8 = b.getI8Type();
  const auto bytes = VectorType::get({tileBytes}, i8), words = VectorType::get({tileBytes / 2}, b.getI16Type());
  Value mask = arith::ConstantOp::create(b, DenseElementsAttr::get(bytes, static_cast<int8_t>((1 << bits) - 1)));
  const int64_t perByte = 8 / bits;
  for (int64_t line = 0; line < BlocksAttr::partDepth / (quadDepth * perByte); ++line)
    for (int64_t half = 0; half < 2; ++half) {
      Value loaded = b.load(bytes, b.at(codes, i8, line * lineBytes + half * tileBytes));
      for (int64_t above = 0; above < perByte; ++above) {
        Value low = loaded;
        if (above) { // There is no shift of bytes; what comes from the neighbour is masked away.
          Value count = arith::ConstantOp::create(b, DenseElementsAttr::get(words, static_cast<int16_t>(above * bits)));
          low = vector::BitCastOp::create(b, bytes, arith::ShRUIOp::create(b, vector::BitCastOp::create(b, words, loaded), count));
        }
        b.store(arith::AndIOp::create(b, low, mask), b.at(place, i8, (line * perByte + above) * lineBytes + half * tileBytes));
      }
    }
  return place;
}

void TileKernel::addPart(const Block &block, Value number, Value sums, Value totals) {
  const BlocksAttr blocks = spec.blocks;
  const Type i8 = b.getI8Type(), i32 = b.getI32Type();
  const int64_t partBytes = BlocksAttr::partDepth * panelColumns * blocks.bits() / 8;
  Value room = blocks.bits() == 8 ? Value() : b.stack(i8, BlocksAttr::partDepth * panelColumns, 64);
  Value codes = bytesOf(b.at(block.codes, i8, b.mul(number, b.i64(partBytes))), room);
  Value scaleOffset = b.add(block.rowOffset, b.mul(number, b.i64(4)));
  Value codeOffset = b.add(block.rowOffset, b.add(b.mul(number, b.i64(BlocksAttr::partDepth)), b.i64(8 * blocks.partCount())));
  storeSums(products(/*pairs=*/false, b.at(arguments.x, i8, codeOffset), codes, BlocksAttr::partDepth / quadDepth, zeros()), sums);
  b.forLoop(b.i64(0), rowCount, [&](Value row) {
    Value scales = b.at(b.at(arguments.x, i8, b.mul(row, arguments.xStride)), i8, scaleOffset);
    Value rowScale = b.broadcast(b.load(b.getF32Type(), scales));
    Value rowSum = b.broadcast(b.load(i32, b.at(scales, i32, blocks.partCount())));
    Value first = b.mul(row, b.i64(panelColumns));
    for (size_t vector = 0; vector < block.scales.size(); ++vector) {
      Value place = b.add(first, b.i64(static_cast<int64_t>(vector) * b.lanes()));
      Value product = b.load(b.i32Vector(), b.at(sums, i32, place)), total = b.atF32(totals, place);
      Value value;
      if (blocks.getZero()) {
        Value zero = b.mulf(block.zeros[vector], arith::SIToFPOp::create(b, b.f32Vector(), rowSum));
        value = b.subf(arith::SIToFPOp::create(b, b.f32Vector(), product), zero);
      } else {
        value = arith::SIToFPOp::create(b, b.f32Vector(), b.add(product, rowSum));
      }
      Value scale = isOneBlock() ? rowScale : b.mulf(rowScale, block.scales[vector]);
      b.store(b.fma(scale, value, b.load(b.f32Vector(), total)), total);
    }
  });
}

void TileKernel::scaleTotals(const Block &block, Value totals) {
  b.forLoop(b.i64(0), rowCount, [&](Value row) {
    for (size_t vector = 0; vector < block.scales.size(); ++vector) {
      Value place = b.atF32(totals, b.add(b.mul(row, b.i64(panelColumns)), b.i64(static_cast<int64_t>(vector) * b.lanes())));
      b.store(b.mulf(b.load(b.f32Vector(), place), block.scales[vector]), place);
    }
  });
}

} // namespace moe
