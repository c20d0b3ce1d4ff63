// The loops around the micro-kernels. Order: expert, panel, row passes; each pass runs the whole K of one panel, so a panel comes
// from memory once and from the cache for the later passes.
#include "MatmulEmitter.h"

#include "DictionaryDecoder.h"
#include "IntegerSums.h"
#include "RowQuantizer.h"
#include "moe/IR/Layers.h"
#include "moe/Machine/WorkSplit.h"

using namespace mlir;
namespace moe {

static constexpr int64_t maxBlockRows = WorkSplit::mostBlockRows, panelCostInRows = WorkSplit::panelCostInRows;

LogicalResult MatmulEmitter::replace(GroupedMatmulOp op) {
  FailureOr<MatmulSpec> read = MatmulSpec::read(op);
  if (failed(read))
    return failure();
  spec = *read;
  if (auto nodes = kernels.module->getAttrOfType<IntegerAttr>(memoryNodesAttrName))
    memoryNodes = nodes.getInt();
  func::FuncOp function = driver();

  b.setInsertionPoint(op);
  Value null = LLVM::ZeroOp::create(b, b.ptrType());
  const auto pointer = [&](Value memref) { return memref ? b.memrefPointer(memref) : null; };
  Value out = op.getOuts()[0];
  DriverArguments call;
  call.x = pointer(op.getX());
  call.rows = pointer(op.getRows());
  call.offsets = pointer(op.getOffsets());
  call.weight = pointer(op.getWeight());
  call.codebook = pointer(op.getCodebook());
  call.bias = pointer(op.getBias());
  call.upBias = spec.bias == BiasForm::Halves ? b.atF32(call.bias, spec.columns) : pointer(op.getUpBias());
  if (spec.upBiasFirst && spec.bias == BiasForm::Halves)
    std::swap(call.bias, call.upBias);
  call.combineRows = pointer(op.getCombineRows());
  call.combineWeights = pointer(op.getCombineWeights());
  call.out = pointer(out);
  call.xStride = b.memrefStride(op.getX(), 0);
  call.outStride = b.memrefStride(out, 0);
  call.rowCount = b.memrefSize(op.getRows() ? op.getRows() : op.getX(), 0);
  call.outRows = b.memrefSize(out, 0);
  call.thread = b.toI64(ThreadIdOp::create(b));
  call.threads = b.toI64(NumThreadsOp::create(b));
  func::CallOp::create(b, function, call.list());
  op.erase();
  return success();
}

func::FuncOp MatmulEmitter::driver() {
  return kernels.get(llvm::formatv("matmul driver {0} {1}", spec.driverKey(), memoryNodes).str(), ("moe_grouped_matmul_" + spec.precision()).str(), [&](StringRef name) {
    OpBuilder::InsertionGuard guard(b);
    SmallVector<Type> types(DriverArguments::pointers, b.ptrType());
    types.append(DriverArguments::integers, b.getI64Type());
    func::FuncOp function = b.beginFunction(kernels.module, name, types);
    arguments = DriverArguments::fromList(function.getArguments());
    decoded = spec.hasDictionary() ? b.stack(b.getI8Type(), panelsPerCall() * spec.panelBytes(), 64) : Value();
    scratch = {};
    copied = {};
    if (usesTiles(b.isa, spec))
      makeTileRoom();
    if (spec.outBlocks)
      scratch.rows = b.stack(b.getF32Type(), scratchRows() * BlocksAttr::partDepth, 64);
    if (spec.combine)
      splitColumns();
    else
      splitUnits();
    func::ReturnOp::create(b);
    return function;
  });
}

MatmulEmitter::Expert MatmulEmitter::expert(Value number) {
  Expert expert;
  expert.number = number;
  if (spec.ragged) {
    const auto offset = [&](int64_t after) {
      return b.toI64(b.load(b.getI32Type(), b.at(b.at(arguments.offsets, b.getI32Type(), number), b.getI32Type(), after)));
    };
    expert.firstSlot = offset(0);
    // Offsets of a run that fails a condition may fall.
    expert.rows = b.max(b.sub(offset(1), expert.firstSlot), b.i64(0));
  } else {
    expert.firstSlot = b.i64(0);
    expert.rows = arguments.rowCount;
  }
  if (spec.combine) { // A thread takes all rows of its columns: one block.
    expert.blocks = b.i64(1);
    expert.blockRows = expert.rows;
    return expert;
  }
  expert.blocks = b.ceilDiv(expert.rows, b.i64(maxBlockRows));
  expert.blockRows = b.ceilDiv(expert.rows, b.max(expert.blocks, b.i64(1)));
  return expert;
}

Value MatmulEmitter::unitCost(const Expert &expert) { return b.add(expert.blockRows, b.i64(panelCostInRows)); }

// The threads of a node are side by side, as their columns of the other product are. With fewer threads than nodes there is one node.
MatmulEmitter::Share MatmulEmitter::ownShare() {
  Value one = b.i64(1), thread = arguments.thread, threads = arguments.threads;
  if (memoryNodes == 1)
    return {b.i64(0), one, thread, threads};
  Value nodes = b.select(b.compare(arith::CmpIPredicate::sge, threads, b.i64(memoryNodes)), b.i64(memoryNodes), one);
  Value node = b.div(b.mul(thread, nodes), threads);
  Value first = b.ceilDiv(b.mul(node, threads), nodes), end = b.ceilDiv(b.mul(b.add(node, one), threads), nodes);
  return {node, nodes, b.sub(thread, first), b.sub(end, first)};
}

// The units of all experts lie on a line, each as long as its cost; a thread takes those that begin in its part of the line. Each memory node has a line
// of its own, with its panels of every expert: which thread reads a panel then changes with the load, which node does not. WorkSplit is the same in C++.
void MatmulEmitter::splitUnits() {
  const Share share = ownShare();
  Value zero = b.i64(0), one = b.i64(1), experts = b.i64(spec.experts), allUnits = b.i64(spec.panels / spec.panelsPerUnit());
  Value firstUnit = b.shareStart(allUnits, share.node, share.nodes);
  Value panelUnits = b.sub(b.shareStart(allUnits, b.add(share.node, one), share.nodes), firstUnit);
  const auto unitsOf = [&](const Expert &e) { return b.mul(panelUnits, e.blocks); };
  Value length = b.forLoop(zero, experts, one, {zero}, [&](Value number, ValueRange sum) -> SmallVector<Value> {
    const Expert e = expert(number);
    return {b.add(sum[0], b.mul(unitsOf(e), unitCost(e)))};
  })[0];
  Value from = b.shareStart(length, share.thread, share.threads);
  Value to = b.shareStart(length, b.add(share.thread, one), share.threads);
  b.forLoop(zero, experts, one, {zero}, [&](Value number, ValueRange start) -> SmallVector<Value> {
    const Expert e = expert(number);
    Value units = unitsOf(e), cost = unitCost(e), before = b.mul(firstUnit, e.blocks);
    const auto firstFrom = [&](Value place) {
      return b.add(before, b.min(b.ceilDiv(b.max(b.sub(place, start[0]), zero), cost), units));
    };
    const Units own = {firstFrom(from), firstFrom(to)};
    b.ifTrue(b.compare(arith::CmpIPredicate::slt, own.from, own.to), [&] {
      unlessTiled(e, own, [&] { spec.outBlocks ? emitQuantizedUnits(e, own) : emitUnits(e, own); });
    });
    return {b.add(start[0], b.mul(units, cost))};
  });
}

// Halves of panels, where threads would get uneven numbers of whole ones: only products without an activation, whose kernels are few, and without tiles,
// which take whole panels.
bool MatmulEmitter::splitsHalves() const { return !spec.ffn && !spec.gateUp && !spec.hasDictionary() && !usesTiles(b.isa, spec); }

// Results of several experts add up in one row, in the order of the experts: a thread owns columns and goes through all experts. Ends are counted in
// halves of panels. See columnShare (moe/Machine/WorkSplit.h), which is the same in C++.
void MatmulEmitter::splitColumns() {
  Value zero = b.i64(0), one = b.i64(1), two = b.i64(2), panels = b.i64(spec.panels), count = panels, each = two;
  if (splitsHalves()) {
    Value most = b.mul(b.ceilDiv(panels, arguments.threads), arguments.threads);
    Value isUneven = b.compare(arith::CmpIPredicate::sgt, b.mul(most, b.i64(100)), b.i64(spec.panels * (100 + WorkSplit::unevenPercent)));
    count = b.select(isUneven, b.mul(panels, two), panels);
    each = b.select(isUneven, one, two);
  }
  const Units halves = {b.mul(b.shareStart(count, arguments.thread, arguments.threads), each),
                        b.mul(b.shareStart(count, b.add(arguments.thread, one), arguments.threads), each)};
  zeroColumns(halves.from, halves.to);
  const Units own = {b.ceilDiv(halves.from, two), b.div(halves.to, two)};
  const auto isOdd = [&](Value end) { return b.compare(arith::CmpIPredicate::ne, b.sub(end, b.mul(b.div(end, two), two)), zero); };
  b.ifTrue(b.compare(arith::CmpIPredicate::slt, halves.from, halves.to), [&] {
    b.forLoop(zero, b.i64(spec.experts), [&](Value number) {
      const Expert e = expert(number);
      b.ifTrue(b.compare(arith::CmpIPredicate::sgt, e.rows, zero), [&] {
        if (splitsHalves())
          b.ifTrue(isOdd(halves.from), [&] { emitHalf(e, halves.from); });
        b.ifTrue(b.compare(arith::CmpIPredicate::slt, own.from, own.to), [&] { unlessTiled(e, own, [&] { emitUnits(e, own); }); });
        if (splitsHalves())
          b.ifTrue(isOdd(halves.to), [&] { emitHalf(e, b.sub(halves.to, one)); });
      });
    });
  });
}

// Half a panel, of vectors that are half as wide where they would be wider than it.
void MatmulEmitter::emitHalf(const Expert &expert, Value half) {
  const TileGeometry geometry(narrow, spec.gateUp);
  const int64_t tiles = geometry.tilesPerPanel / 2;
  Value panel = b.div(half, b.i64(2));
  Value first = b.mul(b.sub(half, b.mul(panel, b.i64(2))), b.i64(tiles));
  b.forLoop(first, b.add(first, b.i64(tiles)),
            [&](Value tile) { emitRowPasses(narrow, {expert.number, panel, tile}, expert.firstSlot, expert.rows); });
}

// Ends in halves of panels.
void MatmulEmitter::zeroColumns(Value firstHalf, Value endHalf) {
  Value width = b.i64(spec.panelResultColumns() / 2), columns = b.i64(spec.columns), lanes = b.i64(b.lanes());
  Value first = b.min(b.mul(firstHalf, width), columns), end = b.min(b.mul(endHalf, width), columns);
  Value fullEnd = b.sub(end, arith::RemUIOp::create(b, b.sub(end, first), lanes));
  Value zeros = b.splat(0.0), rest = b.firstLanes(b.sub(end, fullEnd));
  b.forLoop(b.i64(0), arguments.outRows, [&](Value row) {
    Value line = b.atF32(arguments.out, b.mul(row, arguments.outStride));
    b.forLoop(first, fullEnd, lanes, {}, [&](Value column, ValueRange) {
      b.store(zeros, b.atF32(line, column));
      return SmallVector<Value>();
    });
    if (spec.hasTail() || spec.panelResultColumns() / 2 % b.lanes() != 0)
      b.maskedStore(zeros, b.atF32(line, fullEnd), rest);
  });
}

// Decoding takes registers too: scales, maybe zero points, and what the codes go through.
int64_t MatmulEmitter::tilesFor(int64_t rows) const {
  if (spec.multipliesIntegers()) // One panel after the other, unless memory gives more to several streams than to one.
    return !b.isa.fewRowsAhead || TileGeometry(b.isa, spec.gateUp).tilesPerPanel > 1 ? 1 : rows == 1 ? 4 : rows == 2 ? 2 : 1;
  const int64_t tiles = b.isa.tilesFor(static_cast<int>(rows));
  if (sumsLikeTiles(b.isa, spec)) // three sums for each vector
    return rows == 1 ? 2 : 1;
  if (widensPairs(spec, b.isa))
    return std::min(tiles, widenedTilesFor(b.isa, rows));
  if (!spec.blocks || b.isa.vectorRegisters > 16)
    return tiles;
  return std::min<int64_t>(tiles, rows == 1 && !spec.blocks.isTernary() ? 2 : 1);
}

int64_t MatmulEmitter::passRows(const IsaVersion &isa) const {
  if (sumsLikeTiles(isa, spec))
    return MatrixTiles::leastRows - 1;
  if (widensPairs(spec, isa))
    return widenedPassRows(isa);
  if (spec.multipliesIntegers())
    return IntegerSums::mostRows(isa, spec.blocks);
  if (!spec.blocks)
    return isa.f32Tile.rows;
  const PanelCode code = spec.blocks.getCode();
  if (isa.vectorRegisters <= 16)
    return std::min(isa.f32Tile.rows, code == PanelCode::Ternary ? 2 : code == PanelCode::E4m3 ? 3 : 4);
  return std::min(isa.f32Tile.rows, code == PanelCode::Ternary || code == PanelCode::E4m3 ? 10 : 12);
}

int64_t MatmulEmitter::fewRows() const {
  int64_t few = 0;
  while (tilesFor(few + 1) > 1)
    ++few;
  return few;
}

// Few rows have kernels of their own, with more columns; they always are a single block.
void MatmulEmitter::emitUnits(const Expert &expert, Units units) {
  const int64_t few = fewRows();
  b.switchUpTo(b.min(expert.rows, b.i64(few + 1)), few + 1, [&](int64_t rows) {
    if (rows <= few) {
      emitFewRows(expert, units, rows);
      return;
    }
    const TileGeometry geometry(b.isa, spec.gateUp);
    b.forLoop(b.div(units.from, expert.blocks), b.ceilDiv(units.to, expert.blocks), [&](Value panel) {
      Value passed = b.mul(panel, expert.blocks);
      Value firstRow = b.mul(b.max(b.sub(units.from, passed), b.i64(0)), expert.blockRows);
      Value endRow = b.mul(b.min(b.sub(units.to, passed), expert.blocks), expert.blockRows);
      endRow = b.min(endRow, expert.rows);
      Value slot = b.add(expert.firstSlot, firstRow), count = b.sub(endRow, firstRow);
      decodePanels({expert.number, panel, b.i64(0)}, 1);
      b.forLoop(b.i64(0), b.i64(geometry.tilesPerPanel),
                [&](Value tile) { emitRowPasses({expert.number, panel, tile}, slot, count); });
    });
  });
}

// Unit by unit, so that the results of one fit the first cache; a unit has all columns of a part.
void MatmulEmitter::emitQuantizedUnits(const Expert &expert, Units units) {
  const int64_t few = fewRows();
  b.switchUpTo(b.min(expert.rows, b.i64(few + 1)), few + 1, [&](int64_t rows) {
    if (rows > few) {
      emitQuantizedPasses(expert, units);
      return;
    }
    // One row has room for two units side by side in the scratch, where they are the first two rows.
    const int64_t panels = spec.panelsPerUnit(), together = rows == 1 ? std::max<int64_t>(tilesFor(rows) / panels, 1) : 1;
    scratch.firstSlot = expert.firstSlot;
    const auto each = [&](Value from, Value to, int64_t step) {
      b.forLoop(from, to, b.i64(step), {}, [&](Value unit, ValueRange) {
        scratch.firstColumn = b.mul(unit, b.i64(BlocksAttr::partDepth));
        const int64_t tiles = std::min(tilesFor(rows), step * panels);
        for (int64_t panel = 0; panel < step * panels; panel += tiles)
          callKernel(b.isa, rows, tiles, {expert.number, b.add(b.mul(unit, b.i64(panels)), b.i64(panel)), b.i64(0)}, {b.i64(0), b.i64(1)}, expert.firstSlot);
        const Scratch first = scratch;
        for (int64_t index = 0; index < step; ++index) {
          scratch.rows = b.atF32(first.rows, index * BlocksAttr::partDepth);
          quantizeScratch(b.add(unit, b.i64(index)), b.i64(rows));
        }
        scratch = first;
        return SmallVector<Value>();
      });
    };
    Value whole = b.add(units.from, b.mul(b.div(b.sub(units.to, units.from), b.i64(together)), b.i64(together)));
    each(units.from, whole, together);
    if (together > 1)
      each(whole, units.to, 1);
  });
}

void MatmulEmitter::emitQuantizedPasses(const Expert &expert, Units units) {
  const TileGeometry geometry(b.isa, spec.gateUp);
  b.forLoop(units.from, units.to, [&](Value unit) {
    Value part = b.div(unit, expert.blocks), block = b.sub(unit, b.mul(part, expert.blocks));
    Value firstRow = b.mul(block, expert.blockRows), count = b.min(b.sub(expert.rows, firstRow), expert.blockRows);
    scratch.firstSlot = b.add(expert.firstSlot, firstRow);
    scratch.firstColumn = b.mul(part, b.i64(BlocksAttr::partDepth));
    Value firstPanel = b.mul(part, b.i64(spec.panelsPerUnit()));
    b.forLoop(firstPanel, b.add(firstPanel, b.i64(spec.panelsPerUnit())), [&](Value panel) {
      b.forLoop(b.i64(0), b.i64(geometry.tilesPerPanel),
                [&](Value tile) { emitRowPasses({expert.number, panel, tile}, scratch.firstSlot, count); });
    });
    quantizeScratch(part, count);
  });
}

void MatmulEmitter::quantizeScratch(Value part, Value count) {
  const BlocksAttr blocks = spec.outBlocks;
  const std::string key = llvm::formatv("row quantizer {0}", blocks);
  func::FuncOp quantizer =
      kernels.get(key, "moe_quantize_part", [&](StringRef name) { return emitRowQuantizer(b, blocks, kernels.module, name); });
  Value parts = b.i64(blocks.partCount()), block = b.div(part, parts);
  Value row = b.at(arguments.out, b.getI8Type(), b.mul(scratch.firstSlot, arguments.outStride));
  Value place = b.at(row, b.getI8Type(), b.mul(block, b.i64(blocks.rowBlockBytes())));
  Value inBlock = b.sub(part, b.mul(block, parts));
  func::CallOp::create(b, quantizer, ValueRange{scratch.rows, place, inBlock, count, arguments.outStride});
}

int64_t MatmulEmitter::panelsPerCall() const {
  return std::max<int64_t>(tilesFor(1) / TileGeometry(b.isa, spec.gateUp).tilesPerPanel, 1);
}

void MatmulEmitter::decodePanels(Place place, int64_t count) {
  if (!decoded)
    return;
  const int64_t panels = spec.experts * spec.panels;
  const std::string key = llvm::formatv("dictionary decoder {0} {1}", spec.blocks, panels);
  func::FuncOp decoder = kernels.get(key, "moe_decode_dictionary",
                                     [&](StringRef name) { return emitDictionaryDecoder(b, spec.blocks, panels, kernels.module, name); });
  for (int64_t i = 0; i < count; ++i) {
    Value panel = b.add(b.mul(place.expert, b.i64(spec.panels)), b.add(place.panel, b.i64(i)));
    func::CallOp::create(b, decoder, ValueRange{arguments.weight, arguments.codebook, panel, b.at(decoded, b.getI8Type(), i * spec.panelBytes())});
  }
}

void MatmulEmitter::emitFewRows(const Expert &expert, Units units, int64_t rows) {
  const int64_t perPanel = TileGeometry(b.isa, spec.gateUp).tilesPerPanel, tiles = tilesFor(rows);
  const auto panels = [&](Value from, Value to, int64_t panelStep, int64_t tilesPerCall) {
    b.forLoop(from, to, b.i64(panelStep), {}, [&](Value panel, ValueRange) {
      decodePanels({expert.number, panel, b.i64(0)}, panelStep);
      for (int64_t tile = 0; tile < perPanel; tile += tilesPerCall)
        callKernel(b.isa, rows, tilesPerCall, {expert.number, panel, b.i64(tile)}, {b.i64(0), b.i64(1)}, expert.firstSlot);
      return SmallVector<Value>();
    });
  };
  if (tiles <= perPanel) {
    panels(units.from, units.to, 1, tiles);
    return;
  }
  const int64_t step = tiles / perPanel;
  Value groups = b.div(b.sub(units.to, units.from), b.i64(step));
  Value groupsEnd = b.add(units.from, b.mul(groups, b.i64(step)));
  panels(units.from, groupsEnd, step, tiles);
  panels(groupsEnd, units.to, 1, perPanel);
}

// The passes have balanced heights: 13 rows are 7 and 6, not 12 and 1.
void MatmulEmitter::emitRowPasses(const IsaVersion &isa, Place place, Value firstSlot, Value rows) {
  const int64_t height = passRows(isa);
  Value passes = b.ceilDiv(rows, b.i64(height));
  b.forLoop(b.i64(0), passes, b.i64(1), {b.i64(0)}, [&](Value pass, ValueRange done) -> SmallVector<Value> {
    Value now = b.ceilDiv(b.sub(rows, done[0]), b.sub(passes, pass));
    Value slot = b.add(firstSlot, done[0]);
    b.switchUpTo(now, height, [&](int64_t rowsNow) { callKernel(isa, rowsNow, 1, place, {pass, passes}, slot); });
    return {b.add(done[0], now)};
  });
}

func::FuncOp MatmulEmitter::kernel(const IsaVersion &isa, int64_t rows, int64_t tiles) {
  const std::string key = llvm::formatv("matmul kernel {0} {1} {2} {3} {4}", spec.kernelKey(), rows, tiles, sumsLikeTiles(isa, spec), isa.f32Lanes);
  const std::string name = llvm::formatv("moe_kernel_{0}_{1}x{2}", spec.precision(), rows, tiles * 2 * isa.f32Lanes);
  return kernels.get(key, name, [&](StringRef free) {
    KernelBuilder builder(b.getLoc(), b.getContext(), isa);
    return MatmulKernel(builder, spec, rows, tiles, passRows(isa)).emit(kernels.module, free);
  });
}

// A single pass asks for weights a little ahead of those it reads. Of several, each asks for its part of the panel behind this one.
KernelArguments MatmulEmitter::kernelArguments(const IsaVersion &isa, Place place, Pass pass, Value slot) {
  const TileGeometry geometry(isa, spec.gateUp);
  const Type i32 = b.getI32Type();
  Value column = b.add(b.mul(place.panel, b.i64(spec.panelResultColumns())), b.mul(place.tile, b.i64(geometry.tileStep)));
  Value biasStart = b.mul(place.expert, b.i64(spec.biasStride()));
  const auto biasPlace = [&](Value base, int64_t perColumn) {
    return b.atF32(b.atF32(base, biasStart), b.mul(column, b.i64(perColumn)));
  };
  KernelArguments call;
  call.x = spec.gather ? arguments.x : b.at(arguments.x, spec.xElement, b.mul(slot, arguments.xStride));
  call.index = spec.gather ? b.at(arguments.rows, i32, slot) : arguments.rows;
  Value panel = b.add(b.mul(place.expert, b.i64(spec.panels)), place.panel);
  call.tileColumn = b.mul(place.tile, b.i64(geometry.tileStep));
  call.weight = decoded ? decoded : b.at(arguments.weight, b.getI8Type(), b.mul(panel, b.i64(spec.panelBytes())));
  if (!spec.blocks)
    call.weight = b.at(call.weight, spec.laneType(), call.tileColumn);
  Value isSingle = b.compare(arith::CmpIPredicate::eq, pass.count, b.i64(1));
  Value behind = b.add(b.i64(spec.panelBytes()), b.div(b.mul(pass.number, b.i64(spec.panelBytes())), pass.count));
  call.ahead = b.at(call.weight, b.getI8Type(), b.select(isSingle, b.i64(isa.fewRowsAhead ? isa.fewRowsAhead : MatmulKernel::prefetchBytes), behind));
  call.aheadStep = b.ceilDiv(b.i64(64), pass.count);
  call.outStride = scratch.rows ? b.i64(BlocksAttr::partDepth) : arguments.outStride;
  if (scratch.rows) {
    Value line = b.mul(b.sub(slot, scratch.firstSlot), call.outStride);
    call.out = b.atF32(scratch.rows, b.add(line, b.sub(column, scratch.firstColumn)));
  } else {
    Value line = spec.combine ? arguments.out : b.at(arguments.out, spec.outElement, b.mul(slot, arguments.outStride));
    call.out = b.at(line, spec.outElement, column);
  }
  call.bias = spec.hasGateBias ? biasPlace(arguments.bias, spec.bias == BiasForm::Interleaved ? 2 : 1) : arguments.bias;
  call.upBias = spec.hasUpBias || spec.bias == BiasForm::Halves ? biasPlace(arguments.upBias, 1) : arguments.upBias;
  call.combineRows = spec.combine ? b.at(arguments.combineRows, i32, slot) : arguments.combineRows;
  call.combineWeights = spec.combine ? b.atF32(arguments.combineWeights, slot) : arguments.combineWeights;
  call.k = b.i64(spec.k);
  call.xStride = arguments.xStride;
  call.columns = b.sub(b.i64(spec.columns), column);
  return call;
}

void MatmulEmitter::callKernel(const IsaVersion &isa, int64_t rows, int64_t tiles, Place place, Pass pass, Value slot) {
  const KernelArguments call = kernelArguments(isa, place, pass, slot);
  func::CallOp::create(b, kernel(isa, rows, tiles), call.list());
}

} // namespace moe
