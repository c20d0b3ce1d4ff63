// The product on tensor cores for few rows: mma.sync takes 16 rows of weights and 8 rows of x, not the other way round, so that no half of it multiplies rows that are not
// there, and a block needs few columns to keep its copies in flight: with small blocks few rows fill a GPU. Copies, stages and swizzles are those of MmaProduct.cpp, and so is
// the order in which a sum adds: a row has the same bits in every tile.
#include "MmaState.h"

using namespace mlir;
namespace moe {

/// 16 rows of weights by 16 of k: rows 0 and 8, then both for the upper eight of k.
SmallVector<Value> ProductKernels::loadSwappedWeights(MmaState &s, Value stageBase, int64_t step, int64_t fragment) {
  const Type i8 = b.getI8Type();
  Value low = b.rem(s.lane, 8), upperK = b.div(s.lane, 16);
  Value base = b.at(stageBase, i8, s.shape.rows * stageRowBytes);
  if (spec.isInOut()) {
    Value line = b.add(b.add(low, b.mul(upperK, 8)), step * 16);
    Value chunk = b.add(b.add(b.div(s.warpColumn, 8), b.rem(b.div(s.lane, 8), 2)), fragment * 2);
    return loadFragments(b.at(base, i8, b.add(b.mul(line, s.lineBytes()), b.mul(b.bitXor(chunk, low), 16))), /*turned=*/true);
  }
  Value row = b.add(b.add(s.warpColumn, b.rem(s.lane, 16)), fragment * 16);
  Value chunk = b.bitXor(b.add(upperK, step * 2), low);
  return loadFragments(b.at(base, i8, b.add(b.mul(row, stageRowBytes), b.mul(chunk, 16))));
}

/// Four matrices of eight rows of x: 32 of k, from step `step` on.
SmallVector<Value> ProductKernels::loadSwappedRows(MmaState &s, Value stageBase, int64_t step) {
  const Type i8 = b.getI8Type();
  Value low = b.rem(s.lane, 8), chunk = b.bitXor(b.add(b.div(s.lane, 8), step * 2), low);
  return loadFragments(b.at(b.at(stageBase, i8, b.mul(low, stageRowBytes)), i8, b.mul(chunk, 16)));
}

SmallVector<Value> ProductKernels::multiplySwappedStage(MmaState &s, Value stage, ValueRange sums) {
  SmallVector<Value> now(sums.begin(), sums.end());
  Value base = b.at(s.memory, b.getI8Type(), b.mul(stage, s.stageBytes()));
  SmallVector<Value> rows;
  for (int64_t step = 0; step < stageDepth / 16; ++step) {
    if (step % 2 == 0)
      rows = loadSwappedRows(s, base, step);
    for (int64_t i = 0; i < s.weightFragments(); ++i) {
      const SmallVector<Value> next = multiply(loadSwappedWeights(s, base, step, i), ArrayRef(rows).slice(step % 2 * 2, 2), ValueRange(now).slice(i * 4, 4));
      llvm::copy(next, now.begin() + i * 4);
    }
  }
  return now;
}

void ProductKernels::stageSwappedSums(MmaState &s, ValueRange sums) {
  // Lane l has rows of weights l / 4 and 8 more, of rows 2·(l % 4) of x and the next.
  const int64_t step = spec.isGated() ? 2 : 1, bytes = spec.out.getIntOrFloatBitWidth() / 8;
  Value row = b.mul(b.rem(s.lane, 4), 2), first = b.add(b.div(s.warpColumn, step), b.div(s.lane, 4));
  auto put = [&](int64_t rowOffset, Value column, Value sum, Value up) {
    // A column past the end is not stored; its bias is that of the first one.
    Value global = b.add(s.firstColumn, column), safe = b.select(b.less(global, b.i32(spec.columns)), global, b.i32(0));
    Value value = b.narrow(finish(s.a, s.tile, sum, up, safe), spec.out);
    Value place = b.add(b.mul(b.add(row, rowOffset), s.stagedPitch(spec)), b.mul(column, bytes));
    b.store(value, b.at(s.memory, b.getI8Type(), place));
  };
  for (int64_t i = 0; i < s.weightFragments(); ++i) {
    ValueRange fragment = sums.slice(i * 4, 4);
    Value column = b.add(first, i * 16 / step);
    for (int64_t r = 0; r < 2; ++r) {
      put(r, column, fragment[r], spec.isGated() ? fragment[2 + r] : Value());
      if (!spec.isGated())
        put(r, b.add(column, 8), fragment[2 + r], Value());
    }
  }
}

} // namespace moe
