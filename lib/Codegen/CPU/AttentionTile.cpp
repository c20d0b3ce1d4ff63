// Attention of one tile: queries packed, chunks of keys added one by one, the result written. See AttentionEmitter.h.
#include "AttentionEmitter.h"

#include "BlockDecoder.h"

#include <limits>

using namespace mlir;
namespace moe {

static constexpr double infinity = std::numeric_limits<double>::infinity();
static constexpr int64_t cacheLineBytes = 64;

void AttentionEmitter::forVectors(const Tile &tile, llvm::function_ref<void(Value)> body) {
  b.forLoop(b.i64(0), vectorsOf(tile), [&](Value vector) { body(b.mul(vector, b.i64(b.lanes()))); });
}

Value AttentionEmitter::loadScalar(Type element, Value place) {
  Value value = b.load(element, place);
  return element.isF32() ? value : Value(arith::ExtFOp::create(b, b.getF32Type(), value));
}

std::pair<Value, Value> AttentionEmitter::tokenAndHead(const Tile &tile, Value row) {
  Value number = b.add(tile.firstRow, row), heads = group();
  return {b.div(number, heads), arith::RemUIOp::create(b, number, heads)};
}

/// Queries to [D][row], the keys that each row sees, nothing summed yet.
void AttentionEmitter::begin(const Tile &tile) {
  Value sequence = tile.sequence, limit = b.min(arguments.keys, arguments.maskKeys), before = arguments.before;
  if (spec.hasCounts) {
    Value count = b.load(b.getI64Type(), b.at(arguments.counts, b.getI64Type(), sequence));
    before = b.sub(count, arguments.queries);
    limit = b.min(limit, count);
  }
  const auto store32 = [&](Value value, int64_t list, Value row) {
    b.store(arith::TruncIOp::create(b, b.getI32Type(), value), place(list, row));
  };
  Value zero = b.i64(0), one = b.i64(1);
  const SmallVector<Value> range = b.forLoop(zero, tile.rows, one, {arguments.keys, zero}, [&](Value row, ValueRange carried) -> SmallVector<Value> {
    Value here = b.add(before, tokenAndHead(tile, row).first), first = zero, end = limit;
    if (spec.left >= 0)
      first = b.max(b.sub(here, b.i64(spec.left)), zero);
    if (spec.isCausal)
      end = b.min(end, b.add(here, one));
    if (spec.right >= 0)
      end = b.min(end, b.add(here, b.i64(spec.right + 1)));
    end = b.max(end, zero);
    store32(first, frame->first, row);
    store32(end, frame->end, row);
    packRow(tile, row);
    return {b.min(carried[0], first), b.max(carried[1], end)};
  });
  b.store(range[0], place(frame->range));
  b.store(range[1], place(frame->range + 2));
  // Lanes without a row see nothing.
  b.forLoop(tile.rows, b.mul(vectorsOf(tile), b.i64(b.lanes())), [&](Value row) {
    store32(zero, frame->first, row);
    store32(zero, frame->end, row);
    b.forLoop(zero, b.i64(spec.depth), [&](Value d) { b.store(b.f32(0.0), place(frame->queries, b.add(b.mul(d, b.i64(AttentionFrame::rows)), row))); });
  });
  forVectors(tile, [&](Value offset) {
    b.store(b.splat(-infinity), place(frame->most, offset));
    b.store(b.splat(0.0), place(frame->total, offset));
  });
  b.forLoop(zero, b.mul(tile.rows, b.i64(spec.paddedColumns())), b.i64(b.lanes()), {}, [&](Value offset, ValueRange) {
    b.store(b.splat(0.0), place(frame->sums, offset));
    return SmallVector<Value>();
  });
}

void AttentionEmitter::packRow(const Tile &tile, Value row) {
  auto [token, inGroup] = tokenAndHead(tile, row);
  const TokenStrides &strides = arguments.qStrides;
  Value head = b.add(b.mul(tile.head, group()), inGroup);
  Value offset = b.add(b.mul(tile.sequence, strides.sequence), b.add(b.mul(head, strides.head), b.mul(token, strides.token)));
  Value query = b.at(arguments.q, spec.query, offset), target = place(frame->queries, row);
  b.forLoop(b.i64(0), b.i64(spec.depth), [&](Value d) {
    b.store(loadScalar(spec.query, b.at(query, spec.query, d)), b.atF32(target, b.mul(d, b.i64(AttentionFrame::rows))));
  });
}

/// First key and end of those that any row sees.
std::pair<Value, Value> AttentionEmitter::keysOf(const Tile &) {
  return {b.load(b.getI64Type(), place(frame->range)), b.load(b.getI64Type(), place(frame->range + 2))};
}

static Value tokenAt(KernelBuilder &b, Value base, Type element, const TokenStrides &strides, Value sequence, Value head, Value token) {
  Value offset = b.add(b.mul(sequence, strides.sequence), b.mul(head, strides.head));
  return b.at(base, element, b.add(offset, b.mul(token, strides.token)));
}

Value AttentionEmitter::keyAt(Value sequence, Value head, Value key) {
  return tokenAt(b, arguments.k, spec.key, arguments.kStrides, sequence, head, key);
}

Value AttentionEmitter::valueAt(Value sequence, Value head, Value key) {
  return tokenAt(b, arguments.v, spec.value, arguments.vStrides, sequence, head, key);
}

static Value bytesBetween(KernelBuilder &b, Value from, Value to) {
  const auto number = [&](Value pointer) { return LLVM::PtrToIntOp::create(b, b.getI64Type(), pointer).getResult(); };
  return b.sub(number(to), number(from));
}

void AttentionEmitter::addChunk(const Tile &tile, Value start, Value end, Value next) {
  Value keys = b.sub(end, start);
  const int64_t few = kernel->fewRows();
  b.ifTrue(
      b.compare(arith::CmpIPredicate::sle, tile.rows, b.i64(few)),
      [&] {
        if (spec.mask)
          b.forLoop(b.i64(0), tile.rows, [&](Value row) { readMaskRow(tile, row, 1, start, keys, /*isFew=*/true); });
        b.switchUpTo(tile.rows, few, [&](int64_t rows) { computeFewScores(tile, rows, start, keys); });
        computeFewPowers(tile, keys);
        addValues(tile, start, keys, next, /*isFew=*/true);
      },
      [&] {
        if (spec.mask)
          readMask(tile, start, keys);
        computeScores(tile, start, keys);
        computePowers(tile, keys);
        addValues(tile, start, keys, next, /*isFew=*/false);
      });
}

/// What is added to each score, where the score will be. Heads that share a mask are neighbours there: it is read once for a group.
void AttentionEmitter::readMask(const Tile &tile, Value start, Value keys) {
  const auto readRows = [&](int64_t step) {
    b.forLoop(b.i64(0), tile.rows, b.i64(step), {}, [&](Value row, ValueRange) {
      readMaskRow(tile, row, step, start, keys);
      return SmallVector<Value>();
    });
  };
  if (ShapedType::isDynamic(spec.group) || spec.group == 1 || AttentionFrame::rows % spec.group != 0)
    return readRows(1);
  Value isShared = b.compare(arith::CmpIPredicate::eq, arguments.maskStrides.head, b.i64(0));
  b.ifTrue(isShared, [&] { readRows(spec.group); }, [&] { readRows(1); });
}

/// The mask of `row`, for `copies` rows from there on. A mask of bits adds 0 or −∞.
void AttentionEmitter::readMaskRow(const Tile &tile, Value row, int64_t copies, Value start, Value keys, bool isFew) {
  const TokenStrides &strides = arguments.maskStrides;
  const Type element = spec.mask.isInteger(1) ? Type(b.getI8Type()) : spec.mask;
  auto [token, inGroup] = tokenAndHead(tile, row);
  Value head = b.mul(b.add(b.mul(tile.head, group()), inGroup), strides.head);
  Value sequence = b.mul(tile.sequence, strides.sequence), firstKey = b.mul(start, arguments.maskKey);
  Value line = b.at(arguments.mask, element, b.add(b.add(sequence, head), b.add(b.mul(token, strides.token), firstKey)));
  Value target = isFew ? place(frame->scores, b.mul(row, b.i64(AttentionFrame::fewRowsStride))) : place(frame->scores, row);
  b.forLoop(b.i64(0), keys, [&](Value key) {
    Value from = b.at(line, element, b.mul(key, arguments.maskKey)), added;
    if (spec.mask.isInteger(1)) {
      Value isSeen = b.compare(arith::CmpIPredicate::ne, b.load(element, from), arith::ConstantOp::create(b, b.getI8IntegerAttr(0)));
      added = b.select(isSeen, b.f32(0.0), b.f32(-infinity));
    } else {
      added = loadScalar(element, from);
    }
    if (copies > 1)
      added = vector::BroadcastOp::create(b, VectorType::get({copies}, b.getF32Type()), added);
    b.store(added, b.atF32(target, isFew ? key : b.mul(key, b.i64(AttentionFrame::rows))));
  });
}

/// `rows` rows of `columns` elements as f32.
void AttentionEmitter::widenRows(Value from, Type element, Value stride, int64_t columns, Value to, int64_t toStride, Value rows) {
  const int64_t whole = columns / b.lanes() * b.lanes();
  b.forLoop(b.i64(0), rows, [&](Value row) {
    Value source = b.at(from, element, b.mul(row, stride)), target = b.atF32(to, b.mul(row, b.i64(toStride)));
    b.forLoop(b.i64(0), b.i64(whole), b.i64(b.lanes()), {}, [&](Value column, ValueRange) {
      b.store(loadWidened(b, element, b.at(source, element, column)), b.atF32(target, column));
      return SmallVector<Value>();
    });
    b.forLoop(b.i64(whole), b.i64(columns), [&](Value column) { b.store(loadScalar(element, b.at(source, element, column)), b.atF32(target, column)); });
  });
}

void AttentionEmitter::computeScores(const Tile &tile, Value start, Value keys) {
  const int64_t most = kernel->mostRowVectors();
  b.switchUpTo(b.min(vectorsOf(tile), b.i64(most)), most, [&](int64_t rowVectors) { computeScores(tile, rowVectors, start, keys); });
}

/// In blocks of keys. The values of a block are asked for meanwhile: they are wanted when all scores are there.
void AttentionEmitter::computeScores(const Tile &tile, int64_t rowVectors, Value start, Value keys) {
  const int64_t block = kernel->blockKeys(rowVectors);
  const TokenStrides &kStrides = arguments.kStrides, &vStrides = arguments.vStrides;
  const int64_t valueBytes = spec.columns * spec.value.getIntOrFloatBitWidth() / 8;
  b.forLoop(b.i64(0), keys, b.i64(block), {}, [&](Value key, ValueRange) {
    Value number = b.add(start, key), count = b.min(b.i64(block), b.sub(keys, key));
    AttentionKernel::ScoreArguments call;
    call.keys = keyAt(tile.sequence, tile.head, number);
    call.keyStride = kStrides.token;
    call.count = count;
    call.firstKey = number;
    if (!spec.key.isF32()) {
      widenRows(call.keys, spec.key, kStrides.token, spec.depth, place(frame->wideKeys), spec.depth, count);
      call.keys = place(frame->wideKeys);
      call.keyStride = b.i64(spec.depth);
    }
    Value values = valueAt(tile.sequence, tile.head, number);
    if (kernel->readsAhead())
      call.ahead = bytesBetween(b, call.keys, values);
    else
      b.forLoop(b.i64(0), count, [&](Value row) {
        Value line = b.at(values, spec.value, b.mul(row, vStrides.token));
        for (int64_t byte = 0; byte < valueBytes; byte += cacheLineBytes)
          LLVM::Prefetch::create(b, b.at(line, b.getI8Type(), byte), /*rw=*/0, /*hint=*/2, /*cache=*/1);
      });
    Value scores = place(frame->scores, b.mul(key, b.i64(AttentionFrame::rows)));
    const auto run = [&](int64_t vectors, Value firstVector) {
      Value lane = b.mul(firstVector, b.i64(b.lanes()));
      call.queries = place(frame->queries, lane);
      call.scores = b.atF32(scores, lane);
      call.bounds = place(frame->first, lane);
      if (vectors > 1 || !kernel->hasHalfVectors())
        return kernel->callScores(vectors, block, call);
      b.ifTrue(
          b.compare(arith::CmpIPredicate::sle, b.sub(tile.rows, lane), b.i64(b.lanes() / 2)), [&] { kernel->callHalfScores(block, call); },
          [&] { kernel->callScores(1, block, call); });
    };
    Value vectors = vectorsOf(tile), groups = b.div(vectors, b.i64(rowVectors));
    b.forLoop(b.i64(0), groups, [&](Value group) { run(rowVectors, b.mul(group, b.i64(rowVectors))); });
    if (rowVectors > 1)
      b.forLoop(b.mul(groups, b.i64(rowVectors)), vectors, [&](Value vector) { run(1, vector); });
    return SmallVector<Value>();
  });
}

/// 0 for −∞, so that nothing minus nothing is no NaN.
Value AttentionEmitter::finiteOr0(Value most) {
  Value isNone = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, most, b.splat(-infinity));
  return b.select(isNone, b.splat(0.0), most);
}

/// The softmax of a chunk, undivided, in the scores' place.
void AttentionEmitter::computePowers(const Tile &tile, Value keys) {
  forVectors(tile, [&](Value offset) {
    Value column = place(frame->scores, offset), zero = b.i64(0), one = b.i64(1);
    const auto at = [&](Value key) { return b.atF32(column, b.mul(key, b.i64(AttentionFrame::rows))); };
    Value most = b.forLoop(zero, keys, one, {b.splat(-infinity)}, [&](Value key, ValueRange carried) -> SmallVector<Value> {
      return {b.atLeast(carried[0], b.load(b.f32Vector(), at(key)))};
    })[0];
    Value base = finiteOr0(most);
    Value total = b.forLoop(zero, keys, one, {b.splat(0.0)}, [&](Value key, ValueRange carried) -> SmallVector<Value> {
      Value power = math.exp(b.subf(b.load(b.f32Vector(), at(key)), base));
      b.store(power, at(key));
      return {b.addf(carried[0], power)};
    })[0];
    b.store(most, place(frame->chunkMost, offset));
    b.store(total, place(frame->chunkTotal, offset));
    mergeFactors(offset);
  });
}

/// A chunk's greatest scores and totals join those so far; `keep` and `take` are what the sums so far and the chunk's are multiplied by.
void AttentionEmitter::mergeFactors(Value offset) {
  const auto load = [&](int64_t list) { return b.load(b.f32Vector(), place(list, offset)); };
  Value before = load(frame->most), chunk = load(frame->chunkMost), most = b.atLeast(before, chunk), base = finiteOr0(most);
  Value keep = math.exp(b.subf(before, base)), take = math.exp(b.subf(chunk, base));
  Value total = b.fma(load(frame->chunkTotal), take, b.mulf(load(frame->total), keep));
  b.store(most, place(frame->most, offset));
  b.store(total, place(frame->total, offset));
  b.store(keep, place(frame->keep, offset));
  b.store(take, place(frame->take, offset));
}

/// Row passes have balanced heights; few rows have kernels with more columns.
void AttentionEmitter::addValues(const Tile &tile, Value start, Value keys, Value next, bool isFew) {
  const TokenStrides &strides = arguments.vStrides;
  const bool isDirect = kernel->readsValuesDirectly();
  const Type element = isDirect ? spec.value : Type(b.getF32Type());
  const int64_t padded = spec.paddedColumns(), height = kernel->mostRows(), vectors = llvm::divideCeil(spec.columns, b.lanes());
  Value values = valueAt(tile.sequence, tile.head, start), stride = strides.token;
  if (!isDirect) {
    widenRows(values, spec.value, stride, spec.columns, place(frame->wideValues), padded, keys);
    values = place(frame->wideValues);
    stride = b.i64(padded);
  }
  const auto addRows = [&](int64_t rows, Value firstRow, Value ahead) {
    const int64_t wide = kernel->columnVectors(rows), whole = vectors / wide;
    const auto run = [&](int64_t count, Value column, int64_t columnsAhead = 0) {
      Value sums = place(frame->sums, b.add(b.mul(firstRow, b.i64(padded)), column)), powers = isFew ? place(frame->scores) : place(frame->scores, firstRow);
      kernel->callValues(rows, count, {powers, b.at(values, element, column), sums, place(frame->keep, firstRow), stride, keys, ahead, columnsAhead, isFew});
    };
    const bool isFirst = isFew && isDirect;
    if (isFirst)
      run(wide, b.i64(0), spec.columns);
    b.forLoop(b.i64(isFirst), b.i64(whole), [&](Value number) { run(wide, b.mul(number, b.i64(wide * b.lanes()))); });
    if (vectors % wide)
      run(vectors % wide, b.i64(whole * wide * b.lanes()));
  };
  Value ahead = kernel->readsAhead() ? bytesBetween(b, values, next) : Value();
  if (isFew)
    return b.switchUpTo(tile.rows, kernel->fewRows(), [&](int64_t rows) { addRows(rows, b.i64(0), ahead); });
  Value passes = b.ceilDiv(tile.rows, b.i64(height));
  const auto addAll = [&](Value ahead) {
    b.forLoop(b.i64(0), passes, b.i64(1), {b.i64(0)}, [&](Value pass, ValueRange done) -> SmallVector<Value> {
      Value now = b.ceilDiv(b.sub(tile.rows, done[0]), b.sub(passes, pass));
      b.switchUpTo(now, height, [&](int64_t rows) { addRows(rows, done[0], ahead); });
      return {b.add(done[0], now)};
    });
  };
  if (!ahead)
    return addAll(nullptr);
  // Many rows are bound by arithmetic, and the next tile's keys are these.
  b.ifTrue(b.compare(arith::CmpIPredicate::sle, passes, b.i64(2)), [&] { addAll(ahead); }, [&] { addAll(nullptr); });
}

/// A score of each head that has no value: it joins the greatest and the total.
void AttentionEmitter::addSink(const Tile &tile) {
  b.forLoop(b.i64(0), tile.rows, [&](Value row) {
    Value head = b.add(b.mul(tile.head, group()), tokenAndHead(tile, row).second);
    b.store(loadScalar(spec.sink, b.at(arguments.sink, spec.sink, head)), place(frame->chunkMost, row));
  });
  forVectors(tile, [&](Value offset) {
    b.store(b.splat(1.0), place(frame->chunkTotal, offset));
    mergeFactors(offset);
  });
}

void AttentionEmitter::finish(const Tile &tile) {
  if (spec.sink)
    addSink(tile);
  forVectors(tile, [&](Value offset) {
    Value total = b.load(b.f32Vector(), place(frame->total, offset));
    Value keep = spec.sink ? b.load(b.f32Vector(), place(frame->keep, offset)) : b.splat(1.0);
    Value isNothing = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, total, b.splat(0.0));
    b.store(b.select(isNothing, b.splat(0.0), b.divf(keep, total)), place(frame->take, offset));
  });
  const TokenStrides &strides = arguments.outStrides;
  const int64_t whole = spec.columns / b.lanes() * b.lanes();
  b.forLoop(b.i64(0), tile.rows, [&](Value row) {
    auto [token, inGroup] = tokenAndHead(tile, row);
    Value head = b.add(b.mul(tile.head, group()), inGroup);
    Value offset = b.add(b.mul(tile.sequence, strides.sequence), b.add(b.mul(head, strides.head), b.mul(token, strides.token)));
    Value target = b.at(arguments.out, spec.out, offset), sums = place(frame->sums, b.mul(row, b.i64(spec.paddedColumns())));
    Value factor = b.load(b.getF32Type(), place(frame->take, row)), factors = b.broadcast(factor);
    const auto rounded = [&](Value value, Type type) { return spec.out.isF32() ? value : Value(arith::TruncFOp::create(b, type, value)); };
    b.forLoop(b.i64(0), b.i64(whole), b.i64(b.lanes()), {}, [&](Value column, ValueRange) {
      Value value = b.mulf(b.load(b.f32Vector(), b.atF32(sums, column)), factors);
      b.store(rounded(value, VectorType::get({b.lanes()}, spec.out)), b.at(target, spec.out, column));
      return SmallVector<Value>();
    });
    b.forLoop(b.i64(whole), b.i64(spec.columns), [&](Value column) {
      Value value = b.mulf(b.load(b.getF32Type(), b.atF32(sums, column)), factor);
      b.store(rounded(value, spec.out), b.at(target, spec.out, column));
    });
  });
}

} // namespace moe
