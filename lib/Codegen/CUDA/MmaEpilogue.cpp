// The end of the tensor core kernel: bias and activation on the sums in registers, then through shared memory, so that rows leave in chunks of 16 bytes.
#include "MmaState.h"

using namespace mlir;
namespace moe {

void ProductKernels::storeMma(MmaState &s, ValueRange sums) {
  meet(s);
  if (s.shape.isSwapped())
    stageSwappedSums(s, sums);
  else
    stageSums(s, sums);
  meet(s);
  copyStaged(s);
}

void ProductKernels::meet(MmaState &s) {
  if (s.shape.isGroup())
    NVVM::BarrierOp::create(b, TypeRange(), b.i32(1), b.i32(s.shape.workers()), NVVM::BarrierReductionAttr(), Value());
  else
    b.sync();
}

void ProductKernels::stageSums(MmaState &s, ValueRange sums) {
  // Lane l has columns 2·(l % 4) and the next of rows l / 4 and 8 more.
  Value row = b.add(s.warpRow, b.div(s.lane, 4)), pairColumn = b.mul(b.rem(s.lane, 4), 2);
  const int64_t parts = spec.isGated() ? 2 : 1, fragments = s.across() / parts;
  // Ups follow their gates by eights; of wgmma's tiles all ups follow all gates.
  const int64_t step = s.shape.isGroup() ? 1 : parts, toUp = s.shape.isGroup() ? fragments : 1;
  Value firstColumn = b.add(b.div(s.warpColumn, parts), pairColumn);
  for (int64_t i = 0; i < s.down(); ++i)
    for (int64_t j = 0; j < fragments; ++j)
      for (int64_t half = 0; half < 2; ++half) {
        const int64_t first = (i * s.across() + j * step) * 4 + half * 2;
        ValueRange up = spec.isGated() ? sums.slice(first + toUp * 4, 2) : ValueRange();
        stagePair(s, b.add(row, i * 16 + half * 8), j, firstColumn, sums.slice(first, 2), up);
      }
}

void ProductKernels::stagePair(MmaState &s, Value row, int64_t fragment, Value column, ValueRange pair, ValueRange up) {
  const auto type = VectorType::get({2}, spec.out);
  column = b.add(column, fragment * 8);
  Value both = LLVM::UndefOp::create(b, type);
  for (int64_t i = 0; i < 2; ++i) {
    // A column past the end is not stored; its bias is that of the first one.
    Value global = b.add(b.add(s.firstColumn, column), i);
    Value safe = b.select(b.less(global, b.i32(spec.columns)), global, b.i32(0));
    Value value = b.narrow(finish(s.a, s.tile, pair[i], up.empty() ? Value() : up[i], safe), spec.out);
    both = LLVM::InsertElementOp::create(b, both, value, b.i32(i));
  }
  const int64_t bytes = spec.out.getIntOrFloatBitWidth() / 8;
  Value place = b.at(s.memory, b.getI8Type(), b.add(b.mul(row, s.stagedPitch(spec)), b.mul(column, bytes)));
  b.store(both, place, 2 * bytes);
}

void ProductKernels::copyStaged(MmaState &s) {
  const int64_t results = s.results(spec), bytes = spec.out.getIntOrFloatBitWidth() / 8;
  const int64_t perChunk = 16 / bytes, chunks = results / perChunk;
  const auto type = VectorType::get({4}, b.getI32Type());
  b.forLoop(s.thread, b.i32(s.shape.rows * chunks), b.i32(s.shape.workers()), [&](Value number) {
    Value row = b.div(number, chunks), local = b.mul(b.rem(number, chunks), perChunk);
    Value slot = b.add(s.tile.first, row), column = b.add(s.firstColumn, local);
    b.ifTrue(b.bitAnd(b.less(slot, s.tile.end), b.less(column, b.i32(spec.columns))), [&] {
      Value place = b.at(s.memory, b.getI8Type(), b.add(b.mul(row, s.stagedPitch(spec)), b.mul(local, bytes)));
      Value value = b.load(type, place, 16);
      Value target = b.add(b.mul(b.toI64(slot), spec.columns), b.toI64(column));
      b.store(value, b.at(s.a.out, spec.out, target), 16);
    });
  });
}

} // namespace moe
