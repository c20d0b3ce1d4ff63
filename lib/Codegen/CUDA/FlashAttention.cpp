// moe.attention on tensor cores (sm_80), for rows of f16 or bf16: a block has 64 queries of a head, a warp 16 of them, and takes 64 keys after 64. Scores stay in registers: what mma.sync
// leaves there is what it reads for the product with the values. That op computes in f32 and rounds once, so a power is not rounded to 16 bits but cut in two such numbers, which are multiplied
// with the values one after the other. Tiles of keys begin at multiples of 64, so that a query's result does not depend on the others of its tile.
#include "AttentionKernels.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include <limits>

using namespace mlir;
namespace moe {

static constexpr int64_t tileKeys = 64, warps = 4, mostColumns = 128;
static constexpr double infinity = std::numeric_limits<double>::infinity();

static int64_t columnsOf(Value memref) { return cast<MemRefType>(memref.getType()).getDimSize(3); }
/// Whole steps of a matrix product, and bytes from a row to the next in shared memory: 16 more, so that the eight rows of a matrix are in different banks.
static int64_t padded(int64_t columns) { return llvm::alignTo(columns, 16); }
static int64_t pitchOf(int64_t columns) { return padded(columns) * 2 + 16; }

struct AttentionKernels::Flash {
  AttentionOp op;
  Operands o;
  Type element;
  int64_t depth, columns;  // of keys and of values
  Value keyTile, valueTile; // shared
  Value thread, lane, warp;
  Value batch, head, keyHead, tokens, firstToken; // index
  /// Of the two rows of scores that a lane has: l / 4 of its warp's and 8 more.
  Query queries[2];
  Value tokenOf[2];
  /// Keys that any query of the tile may see.
  Value from, to;
  llvm::SmallVector<llvm::SmallVector<Value>> q; // fragments of 16 columns

  /// Fragments of 16 of a key's columns, and of 8 of a value's.
  int64_t steps() const { return padded(depth) / 16; }
  int64_t parts() const { return padded(columns) / 8; }
};

bool AttentionKernels::fitsTensorCores(AttentionOp op) {
  auto elementOf = [](Value value) { return cast<MemRefType>(value.getType()).getElementType(); };
  const Type element = elementOf(op.getQ());
  return (element.isF16() || element.isBF16()) && elementOf(op.getK()) == element && elementOf(op.getV()) == element && columnsOf(op.getK()) <= mostColumns &&
         columnsOf(op.getV()) <= mostColumns;
}

void AttentionKernels::emitFlash(AttentionOp op, StringRef name, TypeRange types) {
  OpBuilder::InsertionGuard guard(b);
  Flash f;
  f.op = op;
  f.o = begin(op, name, types);
  // As in PanelMma.cpp: else ptxas aims at more blocks and spills a word.
  b.getInsertionBlock()->getParentOp()->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(), b.getI32IntegerAttr(1));
  f.element = cast<MemRefType>(f.o.q.getType()).getElementType();
  f.depth = columnsOf(f.o.k), f.columns = columnsOf(f.o.v);
  f.keyTile = b.shared(b.getI8Type(), tileKeys * pitchOf(f.depth), 16);
  f.valueTile = b.shared(b.getI8Type(), tileKeys * pitchOf(f.columns), 16);
  f.thread = b.threadX();
  f.lane = b.rem(f.thread, warpSize);
  f.warp = b.div(f.thread, warpSize);
  auto toIndex = [&](Value value) -> Value { return arith::IndexCastOp::create(b, b.getIndexType(), value); };
  f.tokens = sizeOf(b, b.getLoc(), f.o.q, 2);
  Value heads = sizeOf(b, b.getLoc(), f.o.q, 1), tiles = b.div(b.add(f.tokens, flashQueries - 1), flashQueries), block = toIndex(b.blockX());
  f.firstToken = b.mul(b.rem(block, tiles), flashQueries);
  f.head = b.rem(b.div(block, tiles), heads);
  f.batch = b.div(block, b.mul(tiles, heads));
  f.keyHead = keyHeadOf(f.o, f.head);
  Value lastToken = b.sub(f.tokens, 1), row = toIndex(b.add(b.mul(f.warp, 16), b.div(f.lane, 4)));
  auto queryOf = [&](Value token) {
    Query query = {f.batch, f.head, f.keyHead, token, Value(), Value()};
    findKeys(op, f.o, query);
    return query;
  };
  for (int64_t half = 0; half < 2; ++half) {
    f.tokenOf[half] = b.add(b.add(f.firstToken, row), half * 8);
    f.queries[half] = queryOf(b.min(f.tokenOf[half], lastToken));
  }
  f.from = queryOf(f.firstToken).first;
  f.to = queryOf(b.min(b.add(f.firstToken, flashQueries - 1), lastToken)).end;
  loadQueries(f);
  // Of each of the two rows the greatest score and this lane's sum of powers; sums of values.
  SmallVector<Value> carried(2, b.f32(-infinity));
  carried.append(2, b.f32(0.0));
  if (f.o.sink) {
    Value isFirst = b.equal(b.rem(f.lane, 4), b.i32(0)), sink = b.widen(memref::LoadOp::create(b, f.o.sink, ValueRange{f.head}));
    carried = {sink, sink, b.select(isFirst, b.f32(1.0), b.f32(0.0)), b.select(isFirst, b.f32(1.0), b.f32(0.0))};
  }
  carried.append(f.parts() * 4, b.f32(0.0));
  Value begin = b.mul(b.div(f.from, tileKeys), tileKeys);
  const SmallVector<Value> sums = b.forLoop(begin, f.to, index(tileKeys), carried, [&](Value firstKey, ValueRange now) -> SmallVector<Value> {
    b.sync(); // The tiles of the round before have been read.
    loadTile(f, f.o.k, f.keyHead, firstKey, f.from, f.to, f.keyTile, pitchOf(f.depth));
    loadTile(f, f.o.v, f.keyHead, firstKey, f.from, f.to, f.valueTile, pitchOf(f.columns));
    b.sync();
    return flashRound(f, firstKey, now);
  });
  storeFlash(f, sums);
  func::ReturnOp::create(b);
}

/// Loads 64 rows of `memref` from `first` on; zero where they are not in [from, to), and behind the last column. By chunks of 16 bytes past the registers where all rows begin at such.
void AttentionKernels::loadTile(Flash &f, Value memref, Value head, Value first, Value from, Value to, Value tile, int64_t pitch) {
  auto type = cast<MemRefType>(memref.getType());
  if (columnsOf(memref) % 8 != 0 || !type.isLastDimUnitStride())
    return loadElements(f, memref, head, first, from, to, tile, pitch);
  auto metadata = memref::ExtractStridedMetadataOp::create(b, memref);
  Value start = memref::ExtractAlignedPointerAsIndexOp::create(b, metadata.getBaseBuffer());
  start = b.add(start, b.mul(metadata.getOffset(), 2));
  Value strides[3], steps = start;
  for (int64_t dim = 0; dim < 3; ++dim) {
    strides[dim] = b.mul(metadata.getStrides()[dim], 2);
    steps = b.bitOr(steps, strides[dim]);
  }
  Value isAligned = b.equal(b.rem(steps, 16), index(0));
  start = b.add(start, b.add(b.mul(f.batch, strides[0]), b.mul(head, strides[1])));
  b.ifTrue(
      isAligned, [&] { copyChunks(f, start, strides[2], columnsOf(memref), first, from, to, tile, pitch); },
      [&] { loadElements(f, memref, head, first, from, to, tile, pitch); });
}

void AttentionKernels::copyChunks(Flash &f, Value start, Value stride, int64_t columns, Value first, Value from, Value to, Value tile, int64_t pitch) {
  const int64_t chunks = padded(columns) / 8;
  Value thread = arith::IndexCastOp::create(b, b.getIndexType(), f.thread);
  b.forLoop(thread, index(tileKeys * chunks), index(warps * warpSize), [&](Value number) {
    Value line = b.div(number, chunks), column = b.rem(number, chunks), row = b.add(first, line);
    Value isInside = b.bitAnd(b.bitAnd(b.compare(arith::CmpIPredicate::sge, row, from), b.less(row, to)), b.less(column, index(columns / 8)));
    Value address = b.select(isInside, b.add(b.add(start, b.mul(row, stride)), b.mul(column, 16)), start);
    Value source = LLVM::IntToPtrOp::create(b, b.pointer(1), b.toI64(address));
    Value place = b.add(b.mul(b.toI64(line), pitch), b.mul(b.toI64(column), 16));
    NVVM::CpAsyncOp::create(b, b.at(tile, b.getI8Type(), place), source, 16, NVVM::LoadCacheModifierKind::CG, b.select(isInside, b.i32(16), b.i32(0)));
  });
  NVVM::CpAsyncCommitGroupOp::create(b);
  NVVM::CpAsyncWaitGroupOp::create(b, 0);
}

/// The same, one number after the other.
void AttentionKernels::loadElements(Flash &f, Value memref, Value head, Value first, Value from, Value to, Value tile, int64_t pitch) {
  const int64_t columns = columnsOf(memref), wide = padded(columns);
  Value thread = arith::IndexCastOp::create(b, b.getIndexType(), f.thread);
  b.forLoop(thread, index(tileKeys * wide), index(warps * warpSize), [&](Value number) {
    Value line = b.div(number, wide), column = b.rem(number, wide), row = b.add(first, line);
    Value isInside = b.bitAnd(b.bitAnd(b.compare(arith::CmpIPredicate::sge, row, from), b.less(row, to)), b.less(column, index(columns)));
    Value value = b.ifElse(
        isInside, {f.element}, [&]() -> SmallVector<Value> { return {memref::LoadOp::create(b, memref, ValueRange{f.batch, head, row, column}).getResult()}; },
        [&]() -> SmallVector<Value> { return {b.narrow(b.f32(0.0), f.element)}; })[0];
    Value place = b.add(b.mul(b.toI64(line), pitch), b.mul(b.toI64(column), 2));
    b.store(value, b.at(tile, b.getI8Type(), place));
  });
}

/// The queries of the tile, through the place of keys, as fragments of 16 rows.
void AttentionKernels::loadQueries(Flash &f) {
  const int64_t pitch = pitchOf(f.depth);
  loadTile(f, f.o.q, f.head, f.firstToken, f.firstToken, f.tokens, f.keyTile, pitch);
  b.sync();
  Value row = b.add(b.mul(f.warp, 16), b.rem(f.lane, 16)), address = b.at(f.keyTile, b.getI8Type(), b.add(b.mul(row, pitch), b.mul(b.div(f.lane, 16), 16)));
  for (int64_t step = 0; step < f.steps(); ++step)
    f.q.push_back(b.loadMatrices(b.at(address, b.getI8Type(), step * 32), /*turned=*/false));
}

/// The scores of 64 keys, four for each fragment of eight: two neighbours of a row, then of the one 8 further on; -inf where a query may not see a key.
SmallVector<Value> AttentionKernels::flashScores(Flash &f, Value firstKey) {
  const int64_t pitch = pitchOf(f.depth), fragments = tileKeys / 8;
  SmallVector<Value> scores(fragments * 4, b.f32(0.0));
  Value low = b.rem(f.lane, 8), matrix = b.div(f.lane, 8);
  Value line = b.add(b.mul(b.div(matrix, 2), 8), low), address = b.at(f.keyTile, b.getI8Type(), b.add(b.mul(line, pitch), b.mul(b.rem(matrix, 2), 16)));
  for (int64_t step = 0; step < f.steps(); ++step)
    for (int64_t two = 0; two < fragments / 2; ++two) {
      const SmallVector<Value> keys = b.loadMatrices(b.at(address, b.getI8Type(), two * 16 * pitch + step * 32), /*turned=*/false);
      for (int64_t i = 0; i < 2; ++i) {
        const int64_t first = (two * 2 + i) * 4;
        llvm::copy(b.multiplyMatrices(f.element, f.q[step], ArrayRef(keys).slice(i * 2, 2), ValueRange(scores).slice(first, 4)), scores.begin() + first);
      }
    }
  Value pair = arith::IndexCastOp::create(b, b.getIndexType(), b.mul(b.rem(f.lane, 4), 2));
  for (int64_t i = 0; i < fragments * 4; ++i) {
    const Query &query = f.queries[i % 4 / 2];
    Value key = b.add(b.add(firstKey, pair), i / 4 * 8 + i % 2);
    Value isSeen = b.bitAnd(b.compare(arith::CmpIPredicate::sge, key, query.first), b.less(key, query.end));
    if (f.o.mask)
      scores[i] = b.ifElse(
          isSeen, {b.getF32Type()}, [&]() -> SmallVector<Value> { return {scoreOf(f.op, f.o, query, scores[i], key)}; },
          [&]() -> SmallVector<Value> { return {b.f32(-infinity)}; })[0];
    else
      scores[i] = b.select(isSeen, scoreOf(f.op, f.o, query, scores[i], key), b.f32(-infinity));
  }
  return scores;
}

/// One tile of keys: scores, the running softmax of both rows, values.
SmallVector<Value> AttentionKernels::flashRound(Flash &f, Value firstKey, ValueRange carried) {
  SmallVector<Value> next(carried), powers = flashScores(f, firstKey);
  const auto scores = static_cast<int64_t>(powers.size());
  Value keep[2];
  for (int64_t half = 0; half < 2; ++half) {
    Value most = carried[half];
    auto larger = [&](Value x, Value y) -> Value { return arith::MaximumFOp::create(b, x, y); };
    for (int64_t i = 0; i < scores; ++i)
      if (i % 4 / 2 == half)
        most = larger(most, powers[i]);
    // Four lanes share a row.
    for (int64_t distance : {1, 2})
      most = larger(most, b.shuffleXor(most, distance));
    // Where no key was seen yet there is nothing to scale, and -inf less -inf is no number.
    Value isNone = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, most, b.f32(-infinity)), base = b.select(isNone, b.f32(0.0), most);
    keep[half] = math.exp(b.subf(carried[half], base));
    Value sum = b.mulf(carried[2 + half], keep[half]);
    for (int64_t i = 0; i < scores; ++i)
      if (i % 4 / 2 == half) {
        powers[i] = math.exp(b.subf(powers[i], base));
        sum = b.addf(sum, powers[i]);
      }
    next[half] = most;
    next[2 + half] = sum;
  }
  for (int64_t i = 4; i < static_cast<int64_t>(next.size()); ++i)
    next[i] = b.mulf(next[i], keep[i % 4 / 2]);
  addValues(f, powers, MutableArrayRef(next).drop_front(4));
  return next;
}

/// Adds powers times values. Two fragments of scores are one of 16 keys.
void AttentionKernels::addValues(Flash &f, ArrayRef<Value> powers, MutableArrayRef<Value> sums) {
  const int64_t pitch = pitchOf(f.columns);
  Value low = b.rem(f.lane, 8), matrix = b.div(f.lane, 8), line = b.add(b.mul(b.rem(matrix, 2), 8), low);
  Value address = b.at(f.valueTile, b.getI8Type(), b.add(b.mul(line, pitch), b.mul(b.div(matrix, 2), 16)));
  auto packed = [&](Value first, Value second) -> Value {
    Value both = LLVM::UndefOp::create(b, VectorType::get({2}, f.element));
    both = LLVM::InsertElementOp::create(b, both, first, b.i32(0));
    both = LLVM::InsertElementOp::create(b, both, second, b.i32(1));
    return LLVM::BitcastOp::create(b, b.getI32Type(), both);
  };
  for (int64_t step = 0; step < tileKeys / 16; ++step) {
    // The power as a 16-bit number, and what is left of it as another.
    SmallVector<Value> upper, lower;
    for (int64_t i = 0; i < 8; i += 2) {
      Value high[2], rest[2];
      for (int64_t c = 0; c < 2; ++c) {
        Value power = powers[step * 8 + i + c];
        high[c] = b.narrow(power, f.element);
        rest[c] = b.narrow(b.subf(power, b.widen(high[c])), f.element);
      }
      upper.push_back(packed(high[0], high[1]));
      lower.push_back(packed(rest[0], rest[1]));
    }
    for (int64_t two = 0; two < f.parts() / 2; ++two) {
      const SmallVector<Value> values = b.loadMatrices(b.at(address, b.getI8Type(), step * 16 * pitch + two * 32), /*turned=*/true);
      for (int64_t i = 0; i < 2; ++i) {
        const int64_t first = (two * 2 + i) * 4;
        for (ArrayRef<Value> half : {ArrayRef<Value>(upper), ArrayRef<Value>(lower)})
          llvm::copy(b.multiplyMatrices(f.element, half, ArrayRef(values).slice(i * 2, 2), ValueRange(ArrayRef<Value>(sums.slice(first, 4)))), sums.begin() + first);
      }
    }
  }
}

void AttentionKernels::storeFlash(Flash &f, ValueRange carried) {
  const Type out = cast<MemRefType>(f.o.out.getType()).getElementType();
  Value pair = arith::IndexCastOp::create(b, b.getIndexType(), b.mul(b.rem(f.lane, 4), 2));
  for (int64_t half = 0; half < 2; ++half) {
    Value sum = carried[2 + half];
    for (int64_t distance : {1, 2})
      sum = b.addf(sum, b.shuffleXor(sum, distance));
    Value isEmpty = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, sum, b.f32(0.0));
    b.ifTrue(b.less(f.tokenOf[half], f.tokens), [&] {
      for (int64_t part = 0; part < f.parts(); ++part)
        for (int64_t c = 0; c < 2; ++c) {
          Value column = b.add(pair, part * 8 + c), value = carried[4 + part * 4 + half * 2 + c];
          value = b.narrow(b.select(isEmpty, b.f32(0.0), b.divf(value, sum)), out);
          auto store = [&] { memref::StoreOp::create(b, value, f.o.out, ValueRange{f.batch, f.head, f.tokenOf[half], column}); };
          if (part * 8 + 8 <= f.columns)
            store();
          else
            b.ifTrue(b.less(column, index(f.columns)), store);
        }
    });
  }
}

} // namespace moe
