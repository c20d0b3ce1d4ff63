// The loops around kernels on matrix tiles. A tile wants its rows at even distances, and not at a power of two, where they would share few sets of the
// first cache: rows are copied together first, as many as serve all panels of a thread. Within them some panels, rows, panel: later rows find the panels in
// the second cache, where earlier ones asked for the panels behind them.
#include "MatmulEmitter.h"

#include "moe/Machine/WorkSplit.h"

using namespace mlir;
namespace moe {

// Bytes of panels that wait in the second cache for the next rows; those behind them and the rows are there, too.
static constexpr int64_t waitingBytes = 256 << 10;

static int64_t unitBytes(const MatmulSpec &spec) { return spec.panelsPerUnit() * spec.panelBytes(); }

// Units that one call of a kernel takes.
static int64_t unitsPerCall(const MatmulSpec &spec) { return std::clamp<int64_t>(waitingBytes / unitBytes(spec), 1, 8); }

// Tall experts in tiles, where there are tiles for them, others as `otherwise` says.
void MatmulEmitter::unlessTiled(const Expert &expert, Units units, function_ref<void()> otherwise) {
  if (!usesTiles(b.isa, spec)) {
    otherwise();
    return;
  }
  Value isTall = b.compare(arith::CmpIPredicate::sge, expert.rows, b.i64(leastTileRows(spec)));
  b.ifTrue(isTall, [&] { emitTileUnits(expert, units); }, otherwise);
}

// Rows of 32 results that wait until they become int8, in any of the two ways.
int64_t MatmulEmitter::scratchRows() const {
  return usesTiles(b.isa, spec) ? std::max(WorkSplit::mostBlockRows, unitsPerCall(spec) * tileScratchRows()) : WorkSplit::mostBlockRows;
}

void MatmulEmitter::makeTileRoom() {
  // Rows too long to be copied for all panels stay where they are, if they lie side by side at all.
  const int64_t rows = TileKernel::copiedRows(b.isa, spec);
  if (spec.gather || rows >= WorkSplit::mostBlockRows)
    copied = b.stack(b.getI8Type(), rows * TileKernel::copiedStride(spec), 64);
}

// Units are panels (or parts of several) times blocks of rows. The first and the last panel of a thread may have some of the blocks only; between them
// lie whole panels, which are taken together: three runs at most.
void MatmulEmitter::emitTileUnits(const Expert &expert, Units units) {
  Value one = b.i64(1), touched = b.sub(b.ceilDiv(units.to, expert.blocks), b.div(units.from, expert.blocks));
  b.forLoop(b.i64(0), b.min(touched, b.i64(3)), one, {units.from}, [&](Value, ValueRange at) -> SmallVector<Value> {
    Value unit = at[0], panel = b.div(unit, expert.blocks), left = b.max(b.sub(units.to, unit), b.i64(0));
    Value block = b.sub(unit, b.mul(panel, expert.blocks)), whole = b.div(left, expert.blocks);
    Value isWhole = arith::AndIOp::create(b, b.compare(arith::CmpIPredicate::eq, block, b.i64(0)),
                                          b.compare(arith::CmpIPredicate::sgt, whole, b.i64(0)));
    Value count = b.select(isWhole, whole, b.min(left, one));
    Value endBlock = b.select(isWhole, expert.blocks, b.min(b.add(block, left), expert.blocks));
    b.ifTrue(b.compare(arith::CmpIPredicate::sgt, count, b.i64(0)), [&] {
      emitTileRows(expert, panel, count, b.mul(block, expert.blockRows), b.min(b.mul(endBlock, expert.blockRows), expert.rows));
    });
    return {b.select(isWhole, b.add(unit, b.mul(count, expert.blocks)), b.add(b.mul(panel, expert.blocks), endBlock))};
  });
}

// Rows firstRow to endRow of the expert times `units` units of panels, in as few equal parts as there is room for copies of. A last few rows take as long as
// they are: the sums of a row are the same anyhow.
void MatmulEmitter::emitTileRows(const Expert &expert, Value firstUnit, Value units, Value firstRow, Value endRow) {
  Value height = b.i64(b.isa.matrixTiles.kernelRows()), all = b.sub(endRow, firstRow), part = all;
  if (copied) {
    Value most = b.i64(TileKernel::copiedRows(b.isa, spec)), even = b.ceilDiv(all, b.max(b.ceilDiv(all, most), b.i64(1)));
    part = b.max(b.mul(b.ceilDiv(even, height), height), height);
  }
  b.forLoop(firstRow, endRow, part, {}, [&](Value row, ValueRange) {
    Value slot = b.add(expert.firstSlot, row), rows = b.min(part, b.sub(endRow, row));
    if (copied)
      copyRows(slot, rows);
    b.forLoop(firstUnit, b.add(firstUnit, units), b.i64(unitsPerCall(spec)), {}, [&](Value unit, ValueRange) {
      emitTilePasses(expert, unit, b.min(b.i64(unitsPerCall(spec)), b.sub(b.add(firstUnit, units), unit)), slot, rows);
      return SmallVector<Value>();
    });
    return SmallVector<Value>();
  });
}

// Each pass asks for its part of the units behind these; of a single one that would be all at once, so it asks for the panel behind each.
void MatmulEmitter::emitTilePasses(const Expert &expert, Value unit, Value units, Value slot, Value rows) {
  Value height = b.i64(b.isa.matrixTiles.kernelRows()), passes = b.ceilDiv(rows, height), parts = b.i64(TileKernel::aheadParts);
  Value share = b.ceilDiv(parts, passes), panelBytes = b.i64(spec.panelBytes());
  Value isOne = b.compare(arith::CmpIPredicate::eq, passes, b.i64(1));
  Value behind = b.select(isOne, panelBytes, b.mul(units, b.i64(unitBytes(spec))));
  b.forLoop(b.i64(0), passes, [&](Value pass) {
    Value done = b.mul(pass, height), own = b.div(b.mul(b.mul(pass, share), panelBytes), parts);
    TilePass call = {{expert.number, b.mul(unit, b.i64(spec.panelsPerUnit())), b.i64(0)}, b.add(slot, done), done, b.min(height, b.sub(rows, done)), units,
                     b.add(behind, own), share};
    callTileKernel(call);
    if (!spec.outBlocks)
      return;
    b.forLoop(b.i64(0), units, [&](Value number) {
      const Scratch first = scratch;
      scratch.rows = b.atF32(first.rows, b.mul(number, b.i64(tileScratchRows() * BlocksAttr::partDepth)));
      quantizeScratch(b.add(unit, number), call.rows);
      scratch = first;
    });
  });
}

int64_t MatmulEmitter::tileScratchRows() const { return b.isa.matrixTiles.kernelRows(); }

void MatmulEmitter::copyRows(Value slot, Value rows) {
  Value index = spec.gather ? b.at(arguments.rows, b.getI32Type(), slot) : Value(), bytes = b.i64(TileKernel::rowBytes(spec));
  b.forLoop(b.i64(0), rows, [&](Value row) {
    Value number = spec.gather ? b.toI64(b.load(b.getI32Type(), b.at(index, b.getI32Type(), row))) : b.add(slot, row);
    Value from = b.at(arguments.x, spec.xElement, b.mul(number, arguments.xStride));
    Value to = b.at(copied, b.getI8Type(), b.mul(row, b.i64(TileKernel::copiedStride(spec))));
    LLVM::MemcpyOp::create(b, to, from, bytes, /*isVolatile=*/false);
  });
}

void MatmulEmitter::callTileKernel(const TilePass &pass) {
  scratch.firstSlot = pass.slot;
  scratch.firstColumn = b.mul(pass.place.panel, b.i64(spec.panelResultColumns()));
  KernelArguments call = kernelArguments(pass.place, {b.i64(0), b.i64(1)}, pass.slot);
  call.index = LLVM::ZeroOp::create(b, b.ptrType());
  call.ahead = b.at(call.weight, b.getI8Type(), pass.ahead);
  call.aheadStep = pass.aheadParts;
  if (copied) {
    call.x = b.at(copied, b.getI8Type(), b.mul(pass.row, b.i64(TileKernel::copiedStride(spec))));
    call.xStride = b.i64(TileKernel::copiedStride(spec) * 8 / spec.xElement.getIntOrFloatBitWidth());
  }
  const auto kernelFor = [&](bool tall) {
    const int64_t most = b.isa.matrixTiles.rows * (tall ? MatrixTiles::tilesOfRows : 1);
    const std::string key = llvm::formatv("matmul tiles {0} {1} {2}", spec.kernelKey(), spec.panelsPerUnit(), tall);
    const std::string name = llvm::formatv("moe_tiles_{0}_{1}x{2}", spec.precision(), most, panelColumns);
    return kernels.get(key, name, [&](StringRef free) { return TileKernel(b, spec, tall).emit(kernels.module, free); });
  };
  SmallVector<Value> list = call.list();
  list.append({pass.units, b.i64(spec.outBlocks ? tileScratchRows() * BlocksAttr::partDepth : spec.panelResultColumns()),
               arith::TruncIOp::create(b, b.getI16Type(), pass.rows)});
  b.ifTrue(
      b.compare(arith::CmpIPredicate::sgt, pass.rows, b.i64(b.isa.matrixTiles.rows)), [&] { func::CallOp::create(b, kernelFor(true), list); },
      [&] { func::CallOp::create(b, kernelFor(false), list); });
}

} // namespace moe
