// The product for few rows of an expert and a packed weight: a warp has one panel, a lane one of its columns, for 8 rows. A code is unpacked once for
// all rows of the tile, and its bytes lie beside those of the next lane. Sums along k are in order and the same as those of the other tile, to the bit.
#include "PanelReader.h"
#include "ProductKernels.h"

using namespace mlir;
namespace moe {

static constexpr int64_t tileRows = ProductKernels::panelTileRows, tileDepth = 64, warps = 4;
static constexpr int64_t threads = warps * warpSize;

struct ProductKernels::PanelState {
  Arguments &a;
  Tile &tile;
  Value rowTile;            // shared f32[tileRows][tileDepth]
  Value thread, lane;
  Value column, part;       // of this lane: in the result, and 1 for an up
  Value isInside;           // there is such a column
};

KernelEntry ProductKernels::panelKernel() {
  return kernel("panel", threads, 0, [&](Arguments &a) { emitPanel(a); });
}

void ProductKernels::emitPanel(Arguments &a) {
  const int64_t results = spec.isGated() ? ProductSpec::panelColumns / 2 : ProductSpec::panelColumns;
  Value rowTile = b.shared(b.getF32Type(), tileRows * tileDepth, 16);
  withTile(a, tileRows, [&](Tile &tile) {
    Value thread = b.threadX(), lane = b.rem(thread, warpSize), panel = b.add(b.mul(b.blockY(), warps), b.div(thread, warpSize));
    Value column = b.add(b.mul(panel, results), b.rem(lane, results));
    PanelState s = {a, tile, rowTile, thread, lane, column, b.div(lane, results), b.less(column, b.i32(spec.columns))};
    const SmallVector<Value> zeros(tileRows, b.f32(0.0));
    SmallVector<Value> sums = b.forLoop(b.i32(0), b.i32(spec.depth), b.i32(tileDepth), zeros, [&](Value k0, ValueRange now) -> SmallVector<Value> {
      b.sync(); // The rows of the round before have been read.
      loadPanelRows(s, k0);
      b.sync();
      return multiplyPanel(s, k0, now);
    });
    storePanel(s, sums);
  });
}

/// Four neighbouring values of k of one row for each thread, as f32; zero where there is no such row.
void ProductKernels::loadPanelRows(PanelState &s, Value k0) {
  constexpr int64_t perThread = tileRows * tileDepth / threads;
  Value row = b.div(s.thread, tileDepth / perThread), first = b.mul(b.rem(s.thread, tileDepth / perThread), perThread);
  Value slot = b.add(s.tile.first, row), isRow = b.less(slot, s.tile.end);
  Value line = b.mul(b.toI64(sourceRow(s.a, s.tile, slot, isRow)), spec.depth);
  for (int64_t i = 0; i < perThread; ++i) {
    Value local = b.add(first, i), k = b.add(k0, local);
    Value value = b.ifElse(
        b.bitAnd(isRow, b.less(k, b.i32(spec.depth))), {b.getF32Type()},
        [&]() -> SmallVector<Value> { return {b.widen(b.load(spec.x, b.at(s.a.x, spec.x, b.add(line, b.toI64(k)))))}; },
        [&]() -> SmallVector<Value> { return {b.f32(0.0)}; })[0];
    b.store(value, b.at(s.rowTile, b.getF32Type(), b.add(b.mul(row, tileDepth), local)));
  }
}

SmallVector<Value> ProductKernels::multiplyPanel(PanelState &s, Value k0, ValueRange sums) {
  const Type f32 = b.getF32Type();
  Value count = b.min(b.i32(tileDepth), b.sub(b.i32(spec.depth), k0));
  return b.forLoop(b.i32(0), count, b.i32(1), sums, [&](Value k, ValueRange now) -> SmallVector<Value> {
    Value weight = b.ifElse(
        s.isInside, {f32}, [&]() -> SmallVector<Value> { return {PanelReader(b, spec).element(s.a.weight, s.tile.expert, s.column, s.part, b.add(k0, k))}; },
        [&]() -> SmallVector<Value> { return {b.f32(0.0)}; })[0];
    SmallVector<Value> next;
    for (int64_t row = 0; row < tileRows; ++row)
      next.push_back(b.fma(b.load(f32, b.at(s.rowTile, f32, b.add(k, row * tileDepth))), weight, now[row]));
    return next;
  });
}

void ProductKernels::storePanel(PanelState &s, ValueRange sums) {
  Value isStored = b.bitAnd(s.isInside, b.equal(s.part, b.i32(0)));
  for (int64_t row = 0; row < tileRows; ++row) {
    // The up of a gate is 16 lanes above.
    Value up = spec.isGated() ? b.shuffleXor(sums[row], warpSize / 2) : Value(), slot = b.add(s.tile.first, row);
    b.ifTrue(b.bitAnd(isStored, b.less(slot, s.tile.end)), [&] {
      Value value = finish(s.a, s.tile, sums[row], up, s.column);
      Value place = b.add(b.mul(b.toI64(slot), spec.columns), b.toI64(s.column));
      b.store(b.narrow(value, spec.out), b.at(s.a.out, spec.out, place));
    });
  }
}

} // namespace moe
