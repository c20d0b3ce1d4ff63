// The loops around kernels on matrix tiles. A tile wants its rows at even distances, so gathered rows are copied together first; a copy serves as many
// panels as stay in the second cache, so that later rows find those there. Hence the order here: some panels, rows, panel.
#include "MatmulEmitter.h"

using namespace mlir;
namespace moe {

// Bytes of panels that wait in the second cache for the next rows: half of the smallest one beside tiles (2 MiB).
static constexpr int64_t waitingBytes = 1 << 20;

// Tall experts in tiles, where there are tiles for them, others as `otherwise` says.
void MatmulEmitter::unlessTiled(const Expert &expert, Units units, function_ref<void()> otherwise) {
  if (!usesTiles(b.isa, spec)) {
    otherwise();
    return;
  }
  Value isTall = b.compare(arith::CmpIPredicate::sge, expert.rows, b.i64(MatrixTiles::leastRows));
  b.ifTrue(isTall, [&] { emitTileUnits(expert, units); }, otherwise);
}

// Units are panels (or parts of several) times blocks of rows. The first and the last panel of a thread may have some of the blocks only; between them
// lie whole panels, which are taken together.
void MatmulEmitter::emitTileUnits(const Expert &expert, Units units) {
  const int64_t unitBytes = spec.panelsPerUnit() * spec.panelBytes();
  Value one = b.i64(1), isLow = b.compare(arith::CmpIPredicate::sle, expert.rows, b.i64(b.isa.matrixTiles.kernelRows()));
  // Rows that come at once need no panel twice.
  Value most = b.select(isLow, b.i64(spec.panels), b.i64(std::max<int64_t>(waitingBytes / unitBytes, 1)));
  Value touched = b.sub(b.ceilDiv(units.to, expert.blocks), b.div(units.from, expert.blocks));
  b.forLoop(b.i64(0), touched, one, {units.from}, [&](Value, ValueRange at) -> SmallVector<Value> {
    Value unit = at[0], panel = b.div(unit, expert.blocks), left = b.max(b.sub(units.to, unit), b.i64(0));
    Value block = b.sub(unit, b.mul(panel, expert.blocks)), whole = b.div(left, expert.blocks);
    Value isWhole = arith::AndIOp::create(b, b.compare(arith::CmpIPredicate::eq, block, b.i64(0)),
                                          b.compare(arith::CmpIPredicate::sgt, whole, b.i64(0)));
    Value count = b.select(isWhole, b.min(whole, most), b.min(left, one));
    Value endBlock = b.select(isWhole, expert.blocks, b.min(b.add(block, left), expert.blocks));
    b.ifTrue(b.compare(arith::CmpIPredicate::sgt, count, b.i64(0)), [&] {
      emitTileRows(expert, panel, count, b.mul(block, expert.blockRows), b.min(b.mul(endBlock, expert.blockRows), expert.rows));
    });
    return {b.select(isWhole, b.add(unit, b.mul(count, expert.blocks)), b.add(b.mul(panel, expert.blocks), endBlock))};
  });
}

// Rows firstRow to endRow of the expert times `units` units of panels. A last few rows take as long as they are: the sums of a row are the same anyhow.
void MatmulEmitter::emitTileRows(const Expert &expert, Value firstUnit, Value units, Value firstRow, Value endRow) {
  Value height = b.i64(b.isa.matrixTiles.kernelRows()), perUnit = b.i64(spec.panelsPerUnit());
  b.forLoop(firstRow, endRow, height, {}, [&](Value row, ValueRange) {
    Value rows = b.min(height, b.sub(endRow, row)), slot = b.add(expert.firstSlot, row);
    if (gathered)
      gatherRows(slot, rows);
    b.forLoop(firstUnit, b.add(firstUnit, units), [&](Value unit) {
      scratch.firstSlot = slot;
      scratch.firstColumn = b.mul(unit, b.i64(BlocksAttr::partDepth));
      Value first = b.mul(unit, perUnit);
      b.forLoop(first, b.add(first, perUnit), [&](Value panel) { callTileKernel({expert.number, panel, b.i64(0)}, slot, rows); });
      if (spec.outBlocks)
        quantizeScratch(unit, rows);
    });
    return SmallVector<Value>();
  });
}

void MatmulEmitter::gatherRows(Value slot, Value rows) {
  Value index = b.at(arguments.rows, b.getI32Type(), slot), bytes = b.i64(TileKernel::rowBytes(spec));
  b.forLoop(b.i64(0), rows, [&](Value row) {
    Value number = b.toI64(b.load(b.getI32Type(), b.at(index, b.getI32Type(), row)));
    Value from = b.at(arguments.x, spec.xElement, b.mul(number, arguments.xStride));
    Value to = b.at(gathered, b.getI8Type(), b.mul(row, b.i64(TileKernel::gatheredStride(spec))));
    LLVM::MemcpyOp::create(b, to, from, bytes, /*isVolatile=*/false);
  });
}

void MatmulEmitter::callTileKernel(Place place, Value slot, Value rows) {
  KernelArguments call = kernelArguments(place, {b.i64(0), b.i64(1)}, slot);
  call.index = LLVM::ZeroOp::create(b, b.ptrType());
  if (gathered) {
    call.x = gathered;
    call.xStride = b.i64(TileKernel::gatheredStride(spec) * 8 / spec.xElement.getIntOrFloatBitWidth());
  }
  const auto kernelFor = [&](bool tall) {
    const int64_t most = b.isa.matrixTiles.rows * (tall ? MatrixTiles::tilesOfRows : 1);
    const std::string key = llvm::formatv("matmul tiles {0} {1}", spec.kernelKey(), tall);
    const std::string name = llvm::formatv("moe_tiles_{0}_{1}x{2}", spec.precision(), most, panelColumns);
    return kernels.get(key, name, [&](StringRef free) { return TileKernel(b, spec, tall).emit(kernels.module, free); });
  };
  SmallVector<Value> list = call.list();
  list.push_back(rows);
  b.ifTrue(
      b.compare(arith::CmpIPredicate::sgt, rows, b.i64(b.isa.matrixTiles.rows)), [&] { func::CallOp::create(b, kernelFor(true), list); },
      [&] { func::CallOp::create(b, kernelFor(false), list); });
}

} // namespace moe
