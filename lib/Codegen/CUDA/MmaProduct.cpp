// The product on tensor cores (sm_80): rows gathered by cp.async into swizzled shared memory, a pipeline of stages, ldmatrix and mma.sync m16n8k16
// with f32 sums in registers. Each sum adds along k in order, so a row's result does not depend on the rows beside it. Gate and up columns alternate by
// eights in the tile of weights, so that the two sums of one place are in one thread.
#include "MmaState.h"

using namespace mlir;
namespace moe {

KernelEntry ProductKernels::mmaKernel(const MmaTile &shape) {
  if (shape.isGroup())
    return groupKernel(shape);
  const std::string kind = llvm::formatv("{0}_{1}x{2}", shape.isSwapped() ? "swapped" : "mma", shape.rows, shape.columns);
  return kernel(kind, shape.threads(), mmaSharedBytes(shape), [&](Arguments &a) { emitMma(a, shape); });
}

/// Stages, or the tile of results that takes their place at the end; behind them the mbarriers of wgmma's tiles, two of 8 bytes for a stage.
int64_t ProductKernels::mmaSharedBytes(const MmaTile &shape) const {
  const int64_t results = spec.isGated() ? shape.columns / 2 : shape.columns;
  const int64_t bytes = std::max(shape.stages * (shape.rows + shape.columns) * stageRowBytes, shape.rows * (results * spec.out.getIntOrFloatBitWidth() / 8 + 16));
  return bytes + (shape.isGroup() ? 16 * shape.stages : 0);
}

void ProductKernels::emitMma(Arguments &a, const MmaTile &shape) {
  Value memory = b.dynamicShared();
  withTile(a, shape.rows, [&](Tile &tile) {
    MmaState s(a, tile, shape, memory);
    s.firstColumn = b.mul(b.blockY(), spec.isGated() ? shape.columns / 2 : shape.columns);
    s.thread = b.threadX();
    s.lane = b.rem(s.thread, warpSize);
    Value warp = b.div(s.thread, warpSize);
    s.warpRow = b.mul(b.div(warp, shape.warpsAcross), shape.warpRows());
    s.warpColumn = b.mul(b.rem(warp, shape.warpsAcross), shape.warpColumns());
    prepareRows(s);
    if (spec.isInOut())
      prepareLines(s);
    else
      prepareWeights(s);
    const int64_t ahead = shape.stages - 1;
    for (int64_t stage = 0; stage < ahead; ++stage)
      loadStage(s, b.i32(stage * stageDepth), b.i32(stage));
    const SmallVector<Value> sums = multiplyRounds(s);
    // Copies that were started past the end must not land on what is written now.
    NVVM::CpAsyncWaitGroupOp::create(b, 0);
    storeMma(s, sums);
  });
}

/// All sums of this thread.
SmallVector<Value> ProductKernels::multiplyRounds(MmaState &s) {
  SmallVector<Value> sums(s.sums(), b.f32(0.0));
  return b.forLoop(b.i32(0), b.i32(s.rounds(spec)), b.i32(1), sums, [&](Value round, ValueRange now) -> SmallVector<Value> {
    NVVM::CpAsyncWaitGroupOp::create(b, s.shape.stages - 2);
    b.sync(); // The stage of this round is there, that of the round before has been read.
    Value next = b.add(round, s.shape.stages - 1);
    loadStage(s, b.mul(next, stageDepth), b.rem(next, s.shape.stages));
    Value stage = b.rem(round, s.shape.stages);
    return s.shape.isSwapped() ? multiplySwappedStage(s, stage, now) : multiplyStage(s, stage, now);
  });
}

void ProductKernels::prepareRows(MmaState &s) {
  Value row = b.div(s.thread, rowChunks);
  s.chunk = b.rem(s.thread, rowChunks);
  Value swizzled = b.bitXor(s.chunk, b.rem(row, rowChunks));
  s.place = b.add(b.mul(row, stageRowBytes), b.mul(swizzled, 16));
  Value x = b.toGlobal(s.a.x);
  for (int64_t i = 0; i < s.shape.rows / s.rowsPerCopy(); ++i) {
    Value slot = b.add(b.add(s.tile.first, row), i * s.rowsPerCopy()), isInside = b.less(slot, s.tile.end);
    Value source = sourceRow(s.a, s.tile, slot, isInside);
    s.rows.push_back(b.at(x, spec.x, b.mul(b.toI64(source), spec.depth)));
    s.hasRow.push_back(isInside);
  }
}

void ProductKernels::prepareWeights(MmaState &s) {
  Value row = b.div(s.thread, rowChunks), expert = b.mul(b.toI64(s.tile.expert), spec.stored * spec.depth);
  Value weight = b.toGlobal(s.a.weight), up = spec.gate == GateLayout::Separate ? b.toGlobal(s.a.up) : Value();
  for (int64_t i = 0; i < s.shape.columns / s.rowsPerCopy(); ++i) {
    Value local = b.add(row, i * s.rowsPerCopy()), column = b.add(s.firstColumn, local), part = b.i32(0), base = weight;
    if (spec.isGated()) {
      // Eight gates, then their eight up columns.
      part = b.rem(b.div(local, 8), 2);
      column = b.add(s.firstColumn, b.add(b.mul(b.div(local, 16), 8), b.rem(local, 8)));
      if (up)
        base = b.select(b.equal(part, b.i32(0)), weight, up);
    }
    Value isInside = b.less(column, b.i32(spec.columns));
    Value stored = storedColumn(b.select(isInside, column, b.i32(0)), part);
    s.weights.push_back(b.at(base, spec.weight, b.add(expert, b.mul(b.toI64(stored), spec.depth))));
    s.hasWeight.push_back(isInside);
  }
}

/// Of in-out weights each thread copies one chunk of eight columns, of every few lines of k.
void ProductKernels::prepareLines(MmaState &s) {
  Value chunk = b.rem(s.thread, s.lineChunks()), column = b.mul(chunk, 8), part = b.i32(0);
  Value base = b.toGlobal(s.a.weight);
  if (spec.isGated()) {
    // Eight gates, then their eight up columns.
    part = b.rem(chunk, 2);
    column = b.mul(b.div(chunk, 2), 8);
    if (spec.gate == GateLayout::Separate)
      base = b.select(b.equal(part, b.i32(0)), base, b.toGlobal(s.a.up));
  }
  column = b.add(s.firstColumn, column);
  Value isInside = b.less(column, b.i32(spec.columns));
  Value stored = storedColumn(b.select(isInside, column, b.i32(0)), part), expert = b.mul(b.toI64(s.tile.expert), spec.stored * spec.depth);
  s.weights.push_back(b.at(base, spec.weight, b.add(expert, b.toI64(stored))));
  s.hasWeight.push_back(isInside);
  s.weightRow = b.div(s.thread, s.lineChunks());
  // Lines that a thread copies differ by a multiple of 8, so their chunk has one place.
  Value swizzled = b.bitXor(chunk, b.rem(s.weightRow, rowChunks));
  s.weightPlace = b.add(b.mul(s.weightRow, s.lineBytes()), b.mul(swizzled, 16));
}

void ProductKernels::loadLines(MmaState &s, Value k, Value stage) {
  Value place = b.at(s.memory, b.getI8Type(), b.add(b.mul(stage, s.stageBytes()), b.add(s.weightPlace, s.shape.rows * stageRowBytes)));
  for (int64_t line = 0; line < stageDepth; line += s.linesPerCopy()) {
    Value row = b.add(b.add(k, s.weightRow), line), isInside = b.bitAnd(s.hasWeight[0], b.less(row, b.i32(spec.depth)));
    Value source = b.at(s.weights[0], spec.weight, b.mul(b.toI64(b.select(isInside, row, b.i32(0))), spec.stored));
    NVVM::CpAsyncOp::create(b, b.at(place, b.getI8Type(), line * s.lineBytes()), source, 16, NVVM::LoadCacheModifierKind::CG,
                            b.select(isInside, b.i32(16), b.i32(0)));
  }
}

/// Starts the copies of this thread's chunk of 64 of k from `k` on, of each of `sources`; what is not there becomes zero.
void ProductKernels::copyChunks(MmaState &s, Value k, Value place, ArrayRef<Value> sources, ArrayRef<Value> present) {
  Value column = b.add(k, b.mul(s.chunk, 8)), isInside = b.less(column, b.i32(spec.depth));
  column = b.select(isInside, column, b.i32(0));
  for (auto [number, source] : llvm::enumerate(sources)) {
    Value bytes = b.select(b.bitAnd(present[number], isInside), b.i32(16), b.i32(0));
    NVVM::CpAsyncOp::create(b, b.at(place, b.getI8Type(), number * s.rowsPerCopy() * stageRowBytes), b.at(source, spec.x, column), 16,
                            NVVM::LoadCacheModifierKind::CG, bytes);
  }
}

/// Starts the copies of 64 of k from `k` on.
void ProductKernels::loadStage(MmaState &s, Value k, Value stage) {
  Value rowPlace = b.at(s.memory, b.getI8Type(), b.add(b.mul(stage, s.stageBytes()), s.place));
  copyChunks(s, k, rowPlace, s.rows, s.hasRow);
  if (spec.isInOut())
    loadLines(s, k, stage);
  else
    copyChunks(s, k, b.at(rowPlace, b.getI8Type(), s.shape.rows * stageRowBytes), s.weights, s.hasWeight);
  NVVM::CpAsyncCommitGroupOp::create(b);
}

SmallVector<Value> ProductKernels::loadFragments(Value address, bool turned) { return b.loadMatrices(address, turned); }

/// Of 16 of k: for each two fragments of eight columns their four matrices, those of the lower eight of k first.
SmallVector<SmallVector<Value>> ProductKernels::loadColumns(MmaState &s, Value stageBase, int64_t step) {
  const Type i8 = b.getI8Type();
  Value base = b.at(stageBase, i8, s.shape.rows * stageRowBytes), low = b.rem(s.lane, 8), matrix = b.div(s.lane, 8);
  SmallVector<SmallVector<Value>> fragments;
  for (int64_t pair = 0; pair < s.across() / 2; ++pair) {
    Value address;
    if (spec.isInOut()) {
      Value line = b.add(b.add(b.mul(b.rem(matrix, 2), 8), low), step * 16);
      Value chunk = b.add(b.add(b.div(s.warpColumn, 8), b.div(matrix, 2)), pair * 2);
      address = b.at(base, i8, b.add(b.mul(line, s.lineBytes()), b.mul(b.bitXor(chunk, low), 16)));
    } else {
      Value row = b.add(b.add(s.warpColumn, b.mul(b.div(matrix, 2), 8)), low), chunk = b.add(b.rem(matrix, 2), step * 2);
      address = b.at(base, i8, b.add(b.mul(row, stageRowBytes), b.mul(b.bitXor(chunk, low), 16)));
      address = b.at(address, i8, pair * 16 * stageRowBytes);
    }
    fragments.push_back(loadFragments(address, spec.isInOut()));
  }
  return fragments;
}

/// Of 16 of k: the matrices of each fragment of 16 rows of x.
SmallVector<SmallVector<Value>> ProductKernels::loadRows(MmaState &s, Value stageBase, int64_t step) {
  const Type i8 = b.getI8Type();
  // The row whose address this lane gives, of 16 for a fragment of x.
  Value row = b.add(s.warpRow, b.rem(s.lane, 16)), chunk = b.bitXor(b.add(b.div(s.lane, 16), step * 2), b.rem(s.lane, 8));
  Value address = b.at(b.at(stageBase, i8, b.mul(row, stageRowBytes)), i8, b.mul(chunk, 16));
  SmallVector<SmallVector<Value>> fragments;
  for (int64_t i = 0; i < s.down(); ++i)
    fragments.push_back(loadFragments(b.at(address, i8, i * 16 * stageRowBytes)));
  return fragments;
}

SmallVector<Value> ProductKernels::multiplyStage(MmaState &s, Value stage, ValueRange sums) {
  SmallVector<Value> now(sums.begin(), sums.end());
  Value base = b.at(s.memory, b.getI8Type(), b.mul(stage, s.stageBytes()));
  for (int64_t step = 0; step < stageDepth / 16; ++step) {
    const SmallVector<SmallVector<Value>> right = loadColumns(s, base, step), left = loadRows(s, base, step);
    for (int64_t i = 0; i < s.down(); ++i)
      for (int64_t j = 0; j < s.across(); ++j) {
        const int64_t first = (i * s.across() + j) * 4;
        const SmallVector<Value> next =
            multiply(left[i], ArrayRef(right[j / 2]).slice(j % 2 * 2, 2), ValueRange(now).slice(first, 4));
        llvm::copy(next, now.begin() + first);
      }
  }
  return now;
}

SmallVector<Value> ProductKernels::multiply(ArrayRef<Value> rows, ArrayRef<Value> columns, ValueRange sums) {
  return b.multiplyMatrices(spec.x, rows, columns, sums);
}

} // namespace moe
