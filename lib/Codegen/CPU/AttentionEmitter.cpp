// The driver of attention: who computes which tile or chunk. See AttentionEmitter.h.
#include "AttentionEmitter.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include <limits>

using namespace mlir;
namespace moe {

SmallVector<Value> AttentionArguments::list() const {
  SmallVector<Value> values = {q, k, v, mask, counts, sink, out, scratch};
  for (const TokenStrides &strides : {qStrides, kStrides, vStrides, maskStrides, outStrides})
    values.append({strides.sequence, strides.head, strides.token});
  values.append({maskKey, maskKeys, sequences, queries, keys, before, thread, threads, keyHeads, group});
  return values;
}

AttentionArguments AttentionArguments::fromList(ValueRange values) {
  AttentionArguments a;
  unsigned next = 0;
  for (Value *value : {&a.q, &a.k, &a.v, &a.mask, &a.counts, &a.sink, &a.out, &a.scratch})
    *value = values[next++];
  for (TokenStrides *strides : {&a.qStrides, &a.kStrides, &a.vStrides, &a.maskStrides, &a.outStrides})
    for (Value *value : {&strides->sequence, &strides->head, &strides->token})
      *value = values[next++];
  for (Value *value : {&a.maskKey, &a.maskKeys, &a.sequences, &a.queries, &a.keys, &a.before, &a.thread, &a.threads, &a.keyHeads, &a.group})
    *value = values[next++];
  return a;
}

AttentionArguments AttentionEmitter::callArguments(AttentionOp op) {
  Value null = LLVM::ZeroOp::create(b, b.ptrType()), zero = b.i64(0), one = b.i64(1);
  const auto pointer = [&](Value memref) { return memref ? b.memrefPointer(memref) : null; };
  const auto strides = [&](Value memref) {
    return TokenStrides{b.memrefStride(memref, 0), b.memrefStride(memref, 1), b.memrefStride(memref, 2)};
  };
  AttentionArguments a;
  a.q = pointer(op.getQ()), a.k = pointer(op.getK()), a.v = pointer(op.getV()), a.mask = pointer(op.getMask());
  a.counts = pointer(op.getCounts()), a.sink = pointer(op.getSink());
  a.out = pointer(op.getOuts()[0]), a.scratch = pointer(op.getOuts()[1]);
  a.qStrides = strides(op.getQ()), a.kStrides = strides(op.getK()), a.vStrides = strides(op.getV()), a.outStrides = strides(op.getOuts()[0]);
  a.maskStrides = {zero, zero, zero};
  a.maskKey = zero;
  a.maskKeys = b.i64(std::numeric_limits<int32_t>::max());
  if (Value mask = op.getMask()) {
    // What has size 1 is read for every index.
    const auto stride = [&](int64_t dim) {
      return b.select(b.compare(arith::CmpIPredicate::eq, b.memrefSize(mask, dim), one), zero, b.memrefStride(mask, dim));
    };
    a.maskStrides = {stride(0), stride(1), stride(2)};
    if (spec.maskHasKeys) {
      a.maskKey = b.memrefStride(mask, 3);
      a.maskKeys = b.memrefSize(mask, 3);
    }
  }
  a.sequences = b.memrefSize(op.getQ(), 0);
  a.queries = b.memrefSize(op.getQ(), 2);
  a.keys = b.memrefSize(op.getK(), 2);
  a.before = op.getBefore() ? b.toI64(op.getBefore()) : zero;
  a.thread = b.toI64(ThreadIdOp::create(b));
  a.threads = b.toI64(NumThreadsOp::create(b));
  a.keyHeads = b.memrefSize(op.getK(), 1);
  // A rank may have no head of either.
  a.group = b.div(b.memrefSize(op.getQ(), 1), b.max(a.keyHeads, one));
  return a;
}

LogicalResult AttentionEmitter::replace(AttentionOp op) {
  FailureOr<AttentionSpec> read = AttentionSpec::read(op);
  if (failed(read))
    return failure();
  spec = *read;
  kernel.emplace(kernels, b, spec);
  frame.emplace(spec);
  func::FuncOp tiles = function("tiles", [&] { emitTiles(); });
  func::FuncOp partials = function("partials", [&] { emitPartials(); });
  func::FuncOp merge = function("merge", [&] { emitMerge(); });

  b.setInsertionPoint(op);
  const AttentionArguments call = callArguments(op);
  arguments = call;
  // All threads see the same sizes. Chunks are shared out where a head's rows are one tile and heads alone would leave threads idle.
  Value rows = b.mul(call.queries, group());
  const auto isLess = [&](Value x, Value y) { return b.compare(arith::CmpIPredicate::slt, x, y); };
  Value isSplit = arith::AndIOp::create(b, isLess(rows, b.i64(AttentionFrame::rows + 1)), isLess(b.i64(1), call.threads));
  isSplit = arith::AndIOp::create(b, isSplit, isLess(b.i64(1), chunkCount()));
  isSplit = arith::AndIOp::create(b, isSplit, isLess(headCount(), b.mul(call.threads, b.i64(4))));
  b.ifTrue(
      isSplit,
      [&] {
        func::CallOp::create(b, partials, call.list());
        BarrierOp::create(b);
        func::CallOp::create(b, merge, call.list());
      },
      [&] { func::CallOp::create(b, tiles, call.list()); });
  op.erase();
  return success();
}

/// A driver function: `body` finds its arguments and a frame on the stack.
func::FuncOp AttentionEmitter::function(StringRef name, llvm::function_ref<void()> body) {
  return kernels.get(("attention " + name + " " + spec.text()).str(), ("moe_attention_" + name).str(), [&](StringRef free) {
    OpBuilder::InsertionGuard guard(b);
    SmallVector<Type> types(AttentionArguments::pointers, b.ptrType());
    types.append(AttentionArguments::integers, b.getI64Type());
    func::FuncOp made = b.beginFunction(kernels.module, free, types);
    arguments = AttentionArguments::fromList(made.getArguments());
    frameMemory = b.stack(b.getF32Type(), frame->size, 64);
    body();
    func::ReturnOp::create(b);
    return made;
  });
}

Value AttentionEmitter::headCount() { return b.mul(arguments.sequences, keyHeads()); }
Value AttentionEmitter::chunkCount() { return b.ceilDiv(arguments.keys, b.i64(AttentionOp::chunkKeys)); }

/// This thread's units of 0 … count. Threads take turns, every second round from behind: causal tiles grow with their number.
void AttentionEmitter::forUnits(Value count, llvm::function_ref<void(Value, Value)> body) {
  Value threads = arguments.threads, thread = arguments.thread, turned = b.sub(b.sub(threads, b.i64(1)), thread);
  b.forLoop(b.i64(0), b.ceilDiv(count, threads), [&](Value round) {
    Value isOdd = b.compare(arith::CmpIPredicate::ne, Value(arith::AndIOp::create(b, round, b.i64(1))), b.i64(0));
    Value start = b.mul(round, threads), unit = b.add(start, b.select(isOdd, turned, thread));
    Value next = b.add(b.add(start, threads), b.select(isOdd, thread, turned));
    b.ifTrue(b.compare(arith::CmpIPredicate::slt, unit, count), [&] { body(unit, next); });
  });
}

AttentionEmitter::Tile AttentionEmitter::tileOf(Value headNumber, Value firstRow) {
  Value rows = b.mul(arguments.queries, group()), heads = keyHeads();
  return {b.div(headNumber, heads), arith::RemUIOp::create(b, headNumber, heads), firstRow,
          b.min(b.i64(AttentionFrame::rows), b.sub(rows, firstRow))};
}

void AttentionEmitter::emitTiles() {
  Value rows = b.mul(arguments.queries, group()), tileRows = b.i64(AttentionFrame::rows), tiles = b.ceilDiv(rows, tileRows);
  forUnits(b.mul(headCount(), tiles), [&](Value unit, Value nextUnit) {
    const Tile tile = tileOf(b.div(unit, tiles), b.mul(arith::RemUIOp::create(b, unit, tiles), tileRows));
    begin(tile);
    const auto range = keysOf(tile);
    Value first = range.first, end = range.second;
    Value chunkKeys = b.i64(AttentionOp::chunkKeys);
    b.forLoop(b.div(first, chunkKeys), b.ceilDiv(end, chunkKeys), [&](Value chunk) {
      Value start = b.mul(chunk, chunkKeys), stop = b.min(b.add(start, chunkKeys), end);
      Value nextHead = b.div(nextUnit, tiles), heads = keyHeads();
      Value isLast = b.compare(arith::CmpIPredicate::eq, stop, end);
      Value next = b.select(isLast, keyAt(b.div(nextHead, heads), arith::RemUIOp::create(b, nextHead, heads), first),
                            keyAt(tile.sequence, tile.head, stop));
      addChunk(tile, b.max(start, first), stop, next);
    });
    finish(tile);
  });
}

Value AttentionEmitter::partialOf(Value headNumber, Value chunk) {
  Value number = b.add(b.mul(headNumber, chunkCount()), chunk);
  return b.atF32(arguments.scratch, b.mul(number, b.i64(AttentionOp::partialSize(spec.columns))));
}

/// A partial result holds, in this order, the greatest score and the sum of each row, and the rows' sums of values. A chunk of which no row sees a key
/// has −1 as the first sum.
void AttentionEmitter::emitPartials() {
  Value heads = headCount(), chunkKeys = b.i64(AttentionOp::chunkKeys);
  constexpr int64_t rows = AttentionFrame::rows;
  forUnits(b.mul(heads, chunkCount()), [&](Value unit, Value nextUnit) {
    Value head = arith::RemUIOp::create(b, unit, heads), chunk = b.div(unit, heads);
    const Tile tile = tileOf(head, b.i64(0));
    begin(tile);
    const auto range = keysOf(tile);
    Value first = range.first, end = range.second;
    Value from = b.mul(chunk, chunkKeys), start = b.max(from, first), stop = b.min(b.add(from, chunkKeys), end);
    Value partial = partialOf(head, chunk);
    b.ifTrue(
        b.compare(arith::CmpIPredicate::slt, start, stop),
        [&] {
          const Tile nextTile = tileOf(arith::RemUIOp::create(b, nextUnit, heads), b.i64(0));
          Value nextStart = b.max(b.mul(b.div(nextUnit, heads), chunkKeys), first);
          addChunk(tile, start, stop, keyAt(nextTile.sequence, nextTile.head, nextStart));
          forVectors(tile, [&](Value offset) {
            b.store(b.load(b.f32Vector(), place(frame->most, offset)), b.atF32(partial, offset));
            b.store(b.load(b.f32Vector(), place(frame->total, offset)), b.atF32(b.atF32(partial, rows), offset));
          });
          b.forLoop(b.i64(0), b.mul(tile.rows, b.i64(spec.paddedColumns())), b.i64(b.lanes()), {}, [&](Value offset, ValueRange) {
            b.store(b.load(b.f32Vector(), place(frame->sums, offset)), b.atF32(b.atF32(partial, 2 * rows), offset));
            return SmallVector<Value>();
          });
        },
        [&] { b.store(b.f32(-1.0), b.atF32(partial, rows)); });
  });
}

void AttentionEmitter::emitMerge() {
  constexpr int64_t rows = AttentionFrame::rows;
  const int64_t padded = spec.paddedColumns();
  forUnits(headCount(), [&](Value head, Value) {
    const Tile tile = tileOf(head, b.i64(0));
    begin(tile);
    b.forLoop(b.i64(0), chunkCount(), [&](Value chunk) {
      Value partial = partialOf(head, chunk), totals = b.atF32(partial, rows), added = b.atF32(partial, 2 * rows);
      Value isEmpty = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, b.load(b.getF32Type(), totals), b.f32(0.0));
      b.ifTrue(isEmpty, [] {}, [&] {
        forVectors(tile, [&](Value offset) {
          b.store(b.load(b.f32Vector(), b.atF32(partial, offset)), place(frame->chunkMost, offset));
          b.store(b.load(b.f32Vector(), b.atF32(totals, offset)), place(frame->chunkTotal, offset));
          mergeFactors(offset);
        });
        b.forLoop(b.i64(0), tile.rows, [&](Value row) {
          Value keep = b.broadcast(b.load(b.getF32Type(), place(frame->keep, row)));
          Value take = b.broadcast(b.load(b.getF32Type(), place(frame->take, row)));
          Value start = b.mul(row, b.i64(padded));
          b.forLoop(start, b.add(start, b.i64(padded)), b.i64(b.lanes()), {}, [&](Value offset, ValueRange) {
            Value sum = place(frame->sums, offset);
            Value more = b.load(b.f32Vector(), b.atF32(added, offset));
            b.store(b.fma(more, take, b.mulf(b.load(b.f32Vector(), sum), keep)), sum);
            return SmallVector<Value>();
          });
        });
      });
    });
    finish(tile);
  });
}

} // namespace moe
