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

int64_t leastTileRows(const MatmulSpec &spec) {
  return spec.pairs ? MatrixTiles::leastRows : spec.blocks.bits() == 8 ? MatrixTiles::leastRowsOfBytes : MatrixTiles::leastRowsOfCodes;
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
  // Kernels of floats are shared by products of another K.
  Value panelBytes = spec.pairs ? b.mul(b.div(first.k, b.i64(2)), b.i64(lineBytes)) : b.i64(spec.panelBytes());
  Value bytes = b.mul(panel, panelBytes), column = b.mul(panel, b.i64(spec.panelResultColumns()));
  own.weight = b.at(first.weight, b.getI8Type(), bytes);
  own.ahead = b.at(first.ahead, b.getI8Type(), bytes);
  own.bias = b.atF32(first.bias, b.mul(column, b.i64(spec.bias == BiasForm::Interleaved ? 2 : 1)));
  own.upBias = b.atF32(first.upBias, column);
  own.columns = b.sub(first.columns, column);
  return own;
}

// Asks for bytes `offset` to `offset` + `bytes` of the panel ahead, or for this pass's part of them. A loop, as passes may share a panel.
void TileKernel::prefetch(Value offset, int64_t bytes) {
  const int64_t chunk = llvm::alignTo(bytes / aheadParts, cacheLineBytes);
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
TileKernel::Values TileKernel::products(StringRef product, Value x, Value weights, int64_t weightRows, ValueRange sums) {
  const TileOps::Shape weightShape = tiles.shape(weightRows, tileBytes);
  Value strideBytes = b.mul(arguments.xStride, b.i64(spec.xElement.getIntOrFloatBitWidth() / 8)), line = b.i64(lineBytes);
  Value left = tiles.load(weightShape, weights, line), right = tiles.load(weightShape, b.at(weights, b.getI8Type(), tileBytes), line);
  Values next;
  for (const RowTile &tile : rowTiles) {
    Value place = tile.first ? b.at(x, b.getI8Type(), b.mul(strideBytes, b.i64(tile.first))) : x;
    Value rows = tiles.load(tile.rows, place, strideBytes);
    for (Value weight : {left, right})
      next.push_back(tiles.multiply(product, tile.sums, tile.rows.bytes, sums[next.size()], rows, weight));
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
    return products(tile_names::pairs, x, weights, pairDepth / 2, carried);
  });
  storeSums(sums, totals);
}

// Volatile, or LLVM makes a call of memset from it.
void TileKernel::clear(Value totals) {
  b.forLoop(b.i64(0), b.mul(rowCount, b.i64(2)), [&](Value vector) {
    LLVM::StoreOp::create(b, b.splat(0.0), b.atF32(totals, b.mul(vector, b.i64(b.lanes()))), /*alignment=*/64, /*isVolatile=*/true);
  });
}

// The arithmetic of IntegerSums, to the bit: i32 over a part, which is exact, then scaled and added in f32. While some parts are scaled, tiles multiply the
// next ones: a part would take twice as long if they took turns. Several at once, since each scaling of a row fetches its totals and puts them back.
void TileKernel::sumIntegers(Value totals) {
  clear(totals);
  const int64_t parts = spec.k / spec.blocks.rowBlockBytes() * spec.blocks.partCount(), rounds = parts / roundParts, left = parts % roundParts;
  const int64_t partSums = b.isa.matrixTiles.kernelRows() * panelColumns;
  Value room = b.stack(b.getI32Type(), 2 * roundParts * partSums, 64);
  // Rounds take turns with the two halves of the room.
  const auto half = [&](Value round) { return b.at(room, b.getI32Type(), b.mul(arith::AndIOp::create(b, round, b.i64(1)), b.i64(roundParts * partSums))); };
  const auto sumsOf = [&](Value round, int64_t part) { return b.at(half(round), b.getI32Type(), part * partSums); };
  const auto numberOf = [&](Value round, int64_t part) { return b.add(b.mul(round, b.i64(roundParts)), b.i64(part)); };
  Value last = b.i64(std::max<int64_t>(rounds - 1, 0));
  for (int64_t part = 0; rounds > 0 && part < roundParts; ++part)
    multiplyPart(numberOf(b.i64(0), part), sumsOf(b.i64(0), part));
  b.forLoop(b.i64(0), last, [&](Value round) {
    Value next = b.add(round, b.i64(1));
    for (int64_t part = 0; part < roundParts; ++part) {
      multiplyPart(numberOf(next, part), sumsOf(next, part));
      scaleRows(numberOf(round, 0), roundParts, half(round), part, roundParts, totals);
    }
  });
  for (int64_t part = 0; part < left; ++part)
    multiplyPart(numberOf(b.i64(rounds), part), sumsOf(b.i64(rounds), part));
  if (rounds > 0)
    scaleRows(numberOf(last, 0), roundParts, half(last), 0, 1, totals);
  if (left > 0)
    scaleRows(numberOf(b.i64(rounds), 0), left, half(b.i64(rounds)), 0, 1, totals);
  if (isOneBlock())
    scaleTotals(block(b.i64(0)), totals);
}

// Part `number` of all as a place: its block, and which part of that it is.
std::pair<Value, Value> TileKernel::placeOfPart(Value number) {
  const int64_t parts = spec.blocks.partCount();
  if (isOneBlock())
    return {b.i64(0), number};
  Value block = parts == 1 ? number : b.div(number, b.i64(parts));
  return {block, parts == 1 ? b.i64(0) : b.sub(number, b.mul(block, b.i64(parts)))};
}

void TileKernel::multiplyPart(Value number, Value sums) {
  const BlocksAttr blocks = spec.blocks;
  const Type i8 = b.getI8Type();
  const auto [blockNumber, part] = placeOfPart(number);
  const int64_t partBytes = BlocksAttr::partDepth * panelColumns * blocks.bits() / 8, read = blocks.blockBytes() / blocks.partCount();
  prefetch(b.mul(number, b.i64(read)), read);
  Value start = b.at(arguments.weight, i8, b.add(b.mul(blockNumber, b.i64(blocks.blockBytes())), b.i64(blocks.scaleBytes() + blocks.zeroBytes())));
  Value room = blocks.bits() == 8 && !hasSignedCodes() ? Value() : b.stack(i8, BlocksAttr::partDepth * panelColumns, 64);
  Value codes = bytesOf(b.at(start, i8, b.mul(part, b.i64(partBytes))), room);
  Value offset = b.add(b.mul(blockNumber, b.i64(blocks.rowBlockBytes())), b.mul(part, b.i64(BlocksAttr::partDepth)));
  Value x = b.at(arguments.x, i8, b.add(offset, b.i64(8 * blocks.partCount())));
  storeSums(products(hasSignedCodes() ? tile_names::signedBytes : tile_names::bytes, x, codes, BlocksAttr::partDepth / quadDepth, zeros()), sums);
}

// Of `shares` equal shares of the rows the one `share`: adds `count` parts from `first` on to the totals, in order.
void TileKernel::scaleRows(Value first, int64_t count, Value sums, int64_t share, int64_t shares, Value totals) {
  const BlocksAttr blocks = spec.blocks;
  const Type i8 = b.getI8Type(), i32 = b.getI32Type();
  SmallVector<Block> own;
  SmallVector<Value> offsets;
  for (int64_t part = 0; part < count; ++part) {
    const auto [blockNumber, inBlock] = placeOfPart(b.add(first, b.i64(part)));
    own.push_back(isOneBlock() ? Block() : block(blockNumber));
    offsets.push_back(b.add(b.mul(blockNumber, b.i64(blocks.rowBlockBytes())), b.mul(inBlock, b.i64(4))));
  }
  if (isOneBlock() && blocks.getZero())
    own.assign(count, block(b.i64(0)));
  const auto end = [&](int64_t number) { return b.div(b.mul(rowCount, b.i64(number)), b.i64(shares)); };
  b.forLoop(end(share), end(share + 1), [&](Value row) {
    Value x = b.at(arguments.x, i8, b.mul(row, arguments.xStride)), line = b.mul(row, b.i64(panelColumns));
    Values added;
    for (int64_t vector = 0; vector < panelColumns / b.lanes(); ++vector)
      added.push_back(b.load(b.f32Vector(), b.atF32(totals, b.add(line, b.i64(vector * b.lanes())))));
    for (int64_t part = 0; part < count; ++part) {
      Value scales = b.at(x, i8, offsets[part]), products = b.at(sums, i32, part * b.isa.matrixTiles.kernelRows() * panelColumns);
      Value rowScale = b.broadcast(b.load(b.getF32Type(), scales)), rowSum;
      if (!hasSignedCodes())
        rowSum = arith::SIToFPOp::create(b, b.f32Vector(), b.broadcast(b.load(i32, b.at(scales, i32, blocks.partCount()))));
      for (const auto &[vector, total] : llvm::enumerate(added)) {
        Value product = b.load(b.i32Vector(), b.at(products, i32, b.add(line, b.i64(static_cast<int64_t>(vector) * b.lanes()))));
        Value value = arith::SIToFPOp::create(b, b.f32Vector(), product);
        if (rowSum)
          value = b.subf(value, b.mulf(own[part].zeros[vector], rowSum));
        total = b.fma(isOneBlock() ? rowScale : b.mulf(rowScale, own[part].scales[vector]), value, total);
      }
    }
    for (const auto &[vector, total] : llvm::enumerate(added))
      b.store(total, b.atF32(totals, b.add(line, b.i64(static_cast<int64_t>(vector) * b.lanes()))));
  });
}

TileKernel::Block TileKernel::block(Value number) {
  const Type i8 = b.getI8Type();
  const BlocksAttr blocks = spec.blocks;
  Block block;
  Value start = b.at(arguments.weight, i8, b.mul(number, b.i64(blocks.blockBytes())));
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

// The codes of a part as bytes, in lines of quads: where they are, or taken apart and made signed in `place`.
Value TileKernel::bytesOf(Value codes, Value place) {
  const int64_t bits = spec.blocks.bits();
  if (bits == 8 && !hasSignedCodes())
    return codes;
  const Type i8 = b.getI8Type();
  const auto bytes = VectorType::get({tileBytes}, i8), words = VectorType::get({tileBytes / 2}, b.getI16Type());
  const auto all = [&](int64_t value) { return arith::ConstantOp::create(b, DenseElementsAttr::get(bytes, static_cast<int8_t>(value))); };
  Value mask = all((1 << bits) - 1), middle = all(1 << (bits - 1));
  const int64_t perByte = 8 / bits;
  for (int64_t line = 0; line < BlocksAttr::partDepth / (quadDepth * perByte); ++line)
    for (int64_t half = 0; half < 2; ++half) {
      Value loaded = b.load(bytes, b.at(codes, i8, line * lineBytes + half * tileBytes));
      for (int64_t above = 0; above < perByte; ++above) {
        Value code = loaded;
        if (above) { // There is no shift of bytes; what comes from the neighbour is masked away.
          Value count = arith::ConstantOp::create(b, DenseElementsAttr::get(words, static_cast<int16_t>(above * bits)));
          code = vector::BitCastOp::create(b, bytes, arith::ShRUIOp::create(b, vector::BitCastOp::create(b, words, loaded), count));
        }
        if (bits < 8)
          code = arith::AndIOp::create(b, code, mask);
        if (hasSignedCodes())
          code = arith::SubIOp::create(b, code, middle);
        b.store(code, b.at(place, i8, (line * perByte + above) * lineBytes + half * tileBytes));
      }
    }
  return place;
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
