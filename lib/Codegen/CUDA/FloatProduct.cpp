// The product of f32 multiply-adds: 64 rows by 64 rows of weights, 16 of k at a time through shared memory, 4x4 sums in each of 256 threads. Takes any
// types and layouts. Each sum adds along k in order, so a row's result does not depend on the rows beside it.
#include "PanelReader.h"
#include "ProductKernels.h"

using namespace mlir;
namespace moe {

static constexpr int64_t tileRows = 64, tileColumns = 64, tileDepth = 16, threads = 256, perThread = 4;
// One more than the width, so that threads that write a column of k meet few banks.
static constexpr int64_t pitch = tileRows + 1;

struct ProductKernels::FloatState {
  Arguments &a;
  Tile &tile;
  Value thread, firstColumn; // of the result
  Value rowTile, weightTile; // shared f32[tileDepth][pitch]
};

KernelEntry ProductKernels::floatKernel() {
  return kernel("float", threads, 0, [&](Arguments &a) { emitFloat(a); });
}

void ProductKernels::emitFloat(Arguments &a) {
  const Type f32 = b.getF32Type();
  Value rowTile = b.shared(f32, tileDepth * pitch, 4), weightTile = b.shared(f32, tileDepth * pitch, 4);
  withTile(a, tileRows, [&](Tile &tile) {
    FloatState s = {a, tile, b.threadX(), b.mul(b.blockY(), spec.isGated() ? tileColumns / 2 : tileColumns), rowTile, weightTile};
    Value down = b.mul(b.div(s.thread, 16), perThread), across = b.rem(s.thread, 16);
    SmallVector<Value> sums(perThread * perThread, b.f32(0.0));
    sums = b.forLoop(b.i32(0), b.i32(spec.depth), b.i32(tileDepth), sums, [&](Value k0, ValueRange now) -> SmallVector<Value> {
      b.sync(); // The tiles of the round before have been read.
      loadFloatRows(s, k0);
      loadFloatWeights(s, k0);
      b.sync();
      return b.forLoop(b.i32(0), b.i32(tileDepth), b.i32(1), now, [&](Value k, ValueRange sums) -> SmallVector<Value> {
        Value line = b.mul(k, pitch);
        SmallVector<Value> left, right, next;
        for (int64_t i = 0; i < perThread; ++i) {
          left.push_back(b.load(f32, b.at(s.rowTile, f32, b.add(b.add(line, down), i))));
          right.push_back(b.load(f32, b.at(s.weightTile, f32, b.add(b.add(line, across), i * 16))));
        }
        for (int64_t i = 0; i < perThread * perThread; ++i)
          next.push_back(b.fma(left[i / perThread], right[i % perThread], sums[i]));
        return next;
      });
    });
    storeFloat(s, sums);
  });
}

/// A value of `base` as f32, zero where not inside.
static Value loadOr0(GpuBuilder &b, Value isInside, llvm::function_ref<Value()> load) {
  return b.ifElse(
      isInside, {b.getF32Type()}, [&]() -> SmallVector<Value> { return {load()}; }, [&]() -> SmallVector<Value> { return {b.f32(0.0)}; })[0];
}
static Value loadOr0(GpuBuilder &b, Type type, Value base, Value offset, Value isInside) {
  return loadOr0(b, isInside, [&] { return b.widen(b.load(type, b.at(base, type, offset))); });
}

void ProductKernels::loadFloatRows(FloatState &s, Value k0) {
  Value row = b.div(s.thread, 4), first = b.mul(b.rem(s.thread, 4), 4);
  Value slot = b.add(s.tile.first, row), isInside = b.less(slot, s.tile.end);
  Value line = b.mul(b.toI64(sourceRow(s.a, s.tile, slot, isInside)), spec.depth);
  for (int64_t i = 0; i < 4; ++i) {
    Value local = b.add(first, i), k = b.add(k0, local);
    Value value = loadOr0(b, spec.x, s.a.x, b.add(line, b.toI64(k)), b.bitAnd(isInside, b.less(k, b.i32(spec.depth))));
    b.store(value, b.at(s.rowTile, b.getF32Type(), b.add(b.mul(local, pitch), row)));
  }
}

void ProductKernels::loadFloatWeights(FloatState &s, Value k0) {
  // Panels have the columns of one k side by side, as in-out weights do.
  const bool outIn = spec.order == WeightOrder::OutIn && !spec.isPacked();
  Value expert = b.mul(b.toI64(s.tile.expert), spec.stored * spec.depth);
  for (int64_t i = 0; i < 4; ++i) {
    // Neighbouring threads read neighbouring elements of the file's layout.
    Value column = outIn ? b.div(s.thread, 4) : b.add(b.rem(s.thread, 16), i * 16);
    Value local = outIn ? b.add(b.mul(b.rem(s.thread, 4), 4), i) : b.div(s.thread, 16);
    Value k = b.add(k0, local);
    // A gated tile has 32 gates, then the 32 up columns that belong to them.
    Value part = spec.isGated() ? b.div(column, tileColumns / 2) : b.i32(0);
    Value result = b.add(s.firstColumn, spec.isGated() ? b.rem(column, tileColumns / 2) : column);
    Value isInside = b.bitAnd(b.less(k, b.i32(spec.depth)), b.less(result, b.i32(spec.columns)));
    Value place = b.at(s.weightTile, b.getF32Type(), b.add(b.mul(local, pitch), column));
    if (spec.isPacked()) {
      b.store(loadOr0(b, isInside, [&] { return PanelReader(b, spec).element(s.a.weight, s.tile.expert, result, part, k); }), place);
      continue;
    }
    Value stored = b.toI64(storedColumn(result, part)), wide = b.toI64(k);
    Value offset = b.add(expert, outIn ? b.add(b.mul(stored, spec.depth), wide) : b.add(b.mul(wide, spec.stored), stored));
    Value base = s.a.weight;
    if (spec.gate == GateLayout::Separate)
      base = b.select(b.equal(part, b.i32(0)), s.a.weight, s.a.up);
    b.store(loadOr0(b, spec.weight, base, offset, isInside), place);
  }
}

void ProductKernels::storeFloat(FloatState &s, ValueRange sums) {
  Value down = b.mul(b.div(s.thread, 16), perThread), across = b.rem(s.thread, 16);
  const int64_t results = spec.isGated() ? perThread / 2 : perThread;
  for (int64_t i = 0; i < perThread; ++i) {
    Value slot = b.add(b.add(s.tile.first, down), i), isRow = b.less(slot, s.tile.end);
    Value line = b.mul(b.toI64(slot), spec.columns);
    for (int64_t j = 0; j < results; ++j) {
      Value column = b.add(b.add(s.firstColumn, across), j * 16);
      b.ifTrue(b.bitAnd(isRow, b.less(column, b.i32(spec.columns))), [&] {
        Value up = spec.isGated() ? sums[i * perThread + j + results] : Value();
        Value value = finish(s.a, s.tile, sums[i * perThread + j], up, column);
        b.store(b.narrow(value, spec.out), b.at(s.a.out, spec.out, b.add(line, b.toI64(column))));
      });
    }
  }
}

} // namespace moe
