// The product of quantised panels on tensor cores (sm_80), for rows of 16 bits. A pipeline of stages as in MmaProduct.cpp brings 64 of k: rows of x, and of each panel the bytes as
// they are stored, with the scales and zero points of their groups. A warp across has a panel: a lane unpacks the codes that it needs (PanelCodes.h) and multiplies with
// mma.sync. The sums of a group are those of codes less zero points; they are exact products, added as tensor cores add. Then, in f32, sum = fma(scale, sum of the group, sum),
// groups in order: in every tile, so that a row's result does not depend on the rows beside it. With few rows operands are swapped, as in SwappedProduct.cpp.
#include "MmaState.h"
#include "PanelCodes.h"

using namespace mlir;
namespace moe {

/// The bytes of a panel in a stage: blocks of a group or, of longer groups, a part of one with the scales and zero points of all.
struct PanelStage {
  explicit PanelStage(BlocksAttr blocks)
      : groups(stageDepth % blocks.getGroup() == 0 ? stageDepth / blocks.getGroup() : 1), lines(stageDepth / groups),
        header(blocks.scaleBytes() + blocks.zeroBytes()), line(PanelCodes::lineBytes(blocks)) {}

  /// Groups, and of each the lines of k; bytes of scales and zero points, and of a line.
  int64_t groups, lines, header, line;

  int64_t groupBytes() const { return header + lines * line; }
  int64_t bytes() const { return groups * groupBytes(); }
};

/// Stages of the pipeline that one group takes: 1 where a stage has whole groups.
static int64_t stagesOfGroup(const ProductSpec &spec) { return std::max<int64_t>(1, llvm::divideCeil(spec.blocks.getGroup(), stageDepth)); }

struct ProductKernels::PanelMmaState : MmaState {
  PanelMmaState(GpuBuilder &b, const ProductSpec &spec, Arguments &a, Tile &tile, const MmaTile &shape, Value memory)
      : MmaState(a, tile, shape, memory), part(spec.blocks), codes(b, spec.blocks, spec.x) {}

  PanelStage part;
  PanelCodes codes;
  /// Of this thread: the sources and whether they are there, the places in the panels' part of a stage, the group of a stage, and what of the offset in its group a
  /// chunk follows (0: scales and zero points), with the last offset that is inside the block.
  llvm::SmallVector<Value> chunks, hasChunk, places, groupOfChunk, follows, lastOffset;
  /// The panel of this warp in the tile; l / 4 and l % 4 of lane l.
  Value panel, quad, pair;
  /// Of a swapped tile: rows of two steps of 16 of k.
  llvm::SmallVector<Value> rowsOfTwo;

  int64_t panels() const { return shape.columns / ProductSpec::panelColumns; }
  int64_t stageBytes() const { return shape.rows * stageRowBytes + panels() * part.bytes(); }
};

KernelEntry ProductKernels::panelMmaKernel(const MmaTile &shape) {
  const std::string kind = llvm::formatv("panel_{0}_{1}x{2}", shape.isSwapped() ? "swapped" : "mma", shape.rows, shape.columns);
  const int64_t results = spec.isGated() ? shape.columns / 2 : shape.columns, staged = shape.rows * (results * spec.out.getIntOrFloatBitWidth() / 8 + 16);
  const int64_t stage = shape.rows * stageRowBytes + shape.columns / ProductSpec::panelColumns * PanelStage(spec.blocks).bytes();
  return kernel(kind, shape.threads(), std::max(shape.stages * stage, staged), [&](Arguments &a) { emitPanelMma(a, shape); });
}

void ProductKernels::emitPanelMma(Arguments &a, const MmaTile &shape) {
  // With registers as many as a block may have, ptxas spills nothing; left to itself it aims at more blocks and a word too few.
  if (!shape.isSwapped())
    b.getInsertionBlock()->getParentOp()->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(), b.getI32IntegerAttr(1));
  Value memory = b.dynamicShared();
  withTile(a, shape.rows, [&](Tile &tile) {
    PanelMmaState s(b, spec, a, tile, shape, memory);
    s.firstColumn = b.mul(b.blockY(), spec.isGated() ? shape.columns / 2 : shape.columns);
    s.thread = b.threadX();
    s.lane = b.rem(s.thread, warpSize);
    s.quad = b.div(s.lane, 4);
    s.pair = b.rem(s.lane, 4);
    Value warp = b.div(s.thread, warpSize);
    s.warpRow = b.mul(b.div(warp, shape.warpsAcross), shape.warpRows());
    s.panel = b.rem(warp, shape.warpsAcross);
    prepareRows(s);
    preparePanels(s);
    for (int64_t stage = 0; stage < shape.stages - 1; ++stage)
      loadPanelStage(s, b.i32(stage), b.i32(stage));
    storePanelMma(s, multiplyGroups(s));
  });
}

/// Which chunks of 16 bytes this thread copies, of the panels of each stage.
void ProductKernels::preparePanels(PanelMmaState &s) {
  const BlocksAttr blocks = spec.blocks;
  const int64_t perGroup = s.part.groupBytes() / 16, perPanel = s.part.groups * perGroup, chunks = s.panels() * perPanel;
  Value weight = b.toGlobal(s.a.weight), firstPanel = b.mul(b.blockY(), s.panels());
  for (int64_t i = 0; i < chunks; i += s.shape.threads()) {
    Value number = b.add(s.thread, i), inPanel = b.rem(number, perPanel), group = b.div(inPanel, perGroup);
    Value byte = b.mul(b.rem(inPanel, perGroup), 16), panel = b.add(firstPanel, b.div(number, perPanel));
    Value isThere = b.bitAnd(b.less(number, b.i32(chunks)), b.less(panel, b.i32(spec.panels)));
    panel = b.add(b.mul(s.tile.expert, spec.panels), b.select(isThere, panel, b.i32(0)));
    Value offset = b.add(b.mul(b.toI64(panel), blocks.panelBytes(spec.depth)), b.toI64(byte));
    Value isCode = b.compare(arith::CmpIPredicate::sge, byte, b.i32(s.part.header));
    s.chunks.push_back(b.at(weight, b.getI8Type(), offset));
    s.hasChunk.push_back(isThere);
    s.places.push_back(b.mul(number, 16));
    s.groupOfChunk.push_back(group);
    s.follows.push_back(b.select(isCode, b.i32(-1), b.i32(0)));
    s.lastOffset.push_back(b.select(isCode, b.sub(b.i32(blocks.blockBytes() - 16), byte), b.i32(0)));
  }
}

/// Starts the copies of round `round` into `stage`; what is not there becomes zero.
void ProductKernels::loadPanelStage(PanelMmaState &s, Value round, Value stage) {
  const Type i8 = b.getI8Type();
  Value base = b.at(s.memory, i8, b.mul(stage, s.stageBytes())), k = b.mul(round, stageDepth);
  copyChunks(s, k, b.at(base, i8, s.place), s.rows, s.hasRow);
  const int64_t rounds = stagesOfGroup(spec), ofPanels = s.panels() * s.part.bytes();
  Value block = s.part.groups > 1 ? b.mul(round, s.part.groups) : b.div(round, rounds);
  Value offset = b.mul(b.rem(round, rounds), stageDepth * s.part.line);
  for (size_t i = 0; i < s.chunks.size(); ++i) {
    Value group = b.add(block, s.groupOfChunk[i]), inGroup = b.bitAnd(offset, s.follows[i]);
    Value isInside = b.bitAnd(b.less(group, b.i32(spec.blocks.blockCount(spec.depth))), b.compare(arith::CmpIPredicate::sle, inGroup, s.lastOffset[i]));
    isInside = b.bitAnd(isInside, s.hasChunk[i]);
    Value from = b.add(b.mul(b.toI64(group), spec.blocks.blockBytes()), b.toI64(inGroup));
    Value place = b.at(b.at(base, i8, s.shape.rows * stageRowBytes), i8, s.places[i]);
    auto copy = [&] {
      NVVM::CpAsyncOp::create(b, place, b.at(s.chunks[i], i8, b.select(isInside, from, b.i64(0))), 16, NVVM::LoadCacheModifierKind::CG,
                              b.select(isInside, b.i32(16), b.i32(0)));
    };
    // The last chunks of some threads are behind the stage.
    if (static_cast<int64_t>(i + 1) * s.shape.threads() * 16 > ofPanels)
      b.ifTrue(b.less(s.places[i], b.i32(ofPanels)), copy);
    else
      copy();
  }
  NVVM::CpAsyncCommitGroupOp::create(b);
}

/// The sums of all k.
SmallVector<Value> ProductKernels::multiplyGroups(PanelMmaState &s) {
  const int64_t rounds = llvm::divideCeil(spec.depth, stageDepth), perGroup = stagesOfGroup(spec), ahead = s.shape.stages - 1;
  const SmallVector<Value> zeros(s.sums(), b.f32(0.0));
  const Type i8 = b.getI8Type();
  auto partOf = [&](Value stage) {
    Value base = b.at(s.memory, i8, b.mul(stage, s.stageBytes()));
    return b.at(b.at(base, i8, s.shape.rows * stageRowBytes), i8, b.mul(s.panel, s.part.bytes()));
  };
  auto begin = [&](Value round) -> Value {
    NVVM::CpAsyncWaitGroupOp::create(b, ahead - 1);
    b.sync(); // The stage of this round is there, that of the round before has been read.
    loadPanelStage(s, b.add(round, ahead), b.rem(b.add(round, ahead), s.shape.stages));
    return b.rem(round, s.shape.stages);
  };
  return b.forLoop(b.i32(0), b.i32(rounds), b.i32(perGroup), zeros, [&](Value first, ValueRange now) -> SmallVector<Value> {
    SmallVector<Value> sums(now);
    if (perGroup == 1) {
      Value stage = begin(first), part = partOf(stage);
      for (int64_t group = 0; group < s.part.groups; ++group) {
        Value block = b.at(part, i8, group * s.part.groupBytes());
        sums = scaled(s, block, multiplyLines(s, stage, block, group * s.part.lines, zeros), sums);
      }
      return sums;
    }
    Value end = b.min(b.add(first, perGroup), b.i32(rounds));
    const SmallVector<Value> ofGroup = b.forLoop(first, end, b.i32(1), zeros, [&](Value round, ValueRange now) -> SmallVector<Value> {
      Value stage = begin(round);
      return multiplyLines(s, stage, partOf(stage), 0, SmallVector<Value>(now));
    });
    // The last stage is there until all threads meet again.
    return scaled(s, partOf(b.rem(b.sub(end, 1), s.shape.stages)), ofGroup, sums);
  });
}

/// Sums of codes less zero points: the lines behind `block` by the rows of `stage` from line `first` of the stage on.
SmallVector<Value> ProductKernels::multiplyLines(PanelMmaState &s, Value stage, Value block, int64_t first, SmallVector<Value> sums) {
  const Type i8 = b.getI8Type();
  const SmallVector<Value> offsets = s.codes.offsets(b.at(block, i8, spec.blocks.scaleBytes()), s.quad);
  // Lines 2·(l % 4) and the next of lane l, then those 8 further on.
  Value lines = b.at(b.at(block, i8, s.part.header), i8, b.add(b.mul(s.pair, 2 * s.part.line), b.mul(s.quad, 2)));
  Value base = b.at(s.memory, i8, b.mul(stage, s.stageBytes()));
  for (int64_t line = 0; line < s.part.lines; line += 16) {
    const SmallVector<Value> low = s.codes.pairs(b.at(lines, i8, line * s.part.line), offsets);
    const SmallVector<Value> high = s.codes.pairs(b.at(lines, i8, (line + 8) * s.part.line), offsets);
    const int64_t step = (first + line) / 16;
    auto multiplyAt = [&](int64_t number, ArrayRef<Value> left, ArrayRef<Value> right) {
      llvm::copy(multiply(left, right, ValueRange(sums).slice(number * 4, 4)), sums.begin() + number * 4);
    };
    if (s.shape.isSwapped()) {
      if (step % 2 == 0)
        s.rowsOfTwo = loadSwappedRows(s, base, step);
      // Rows of a matrix and those 8 further on: fragments that are 16 columns apart, so that an up is beside its gate.
      for (int64_t j = 0; j < 2; ++j)
        multiplyAt(j, {low[j], low[j + 2], high[j], high[j + 2]}, ArrayRef(s.rowsOfTwo).slice(step % 2 * 2, 2));
      continue;
    }
    const SmallVector<SmallVector<Value>> rows = loadRows(s, base, step);
    for (int64_t i = 0; i < s.down(); ++i)
      for (int64_t j = 0; j < PanelCodes::fragments; ++j)
        multiplyAt(i * PanelCodes::fragments + j, rows[i], {low[j], high[j]});
  }
  return sums;
}

/// `sums` plus the scales behind `block` times the sums of its group.
SmallVector<Value> ProductKernels::scaled(PanelMmaState &s, Value block, ArrayRef<Value> ofGroup, ArrayRef<Value> sums) {
  const Type type = spec.blocks.getScale();
  const int64_t neighbours = s.shape.isSwapped() ? 2 : 4;
  // Of neighbouring columns and of those 16 further on.
  SmallVector<Value> scales;
  for (int64_t half = 0; half < 2; ++half) {
    Value first = b.add(b.mul(s.shape.isSwapped() ? s.quad : s.pair, neighbours), half * 16);
    Value loaded = b.load(VectorType::get({neighbours}, type), b.at(block, type, first), neighbours * type.getIntOrFloatBitWidth() / 8);
    for (int64_t i = 0; i < neighbours; ++i)
      scales.push_back(b.widen(LLVM::ExtractElementOp::create(b, loaded, b.i32(i))));
  }
  SmallVector<Value> next;
  for (int64_t i = 0; i < static_cast<int64_t>(sums.size()); ++i) {
    const int64_t fragment = i / 4 % PanelCodes::fragments;
    // Of a swapped product a sum is that of a column and, two further on, of the one 16 columns on; else of columns 2n and, the odd ones, 2n + 2.
    const int64_t scale = s.shape.isSwapped() ? i / 4 % 2 + i % 4 / 2 * 2 : fragment / 2 * 4 + i % 2 * 2 + fragment % 2;
    next.push_back(b.fma(scales[scale], ofGroup[i], sums[i]));
  }
  return next;
}

void ProductKernels::storePanelMma(PanelMmaState &s, ValueRange sums) {
  // Copies that were started past the end must not land on what is written now.
  NVVM::CpAsyncWaitGroupOp::create(b, 0);
  b.sync();
  const int64_t halves = spec.isGated() ? 1 : 2, results = ProductSpec::panelColumns / (spec.isGated() ? 2 : 1);
  Value first = b.mul(s.panel, results);
  for (int64_t half = 0; half < halves; ++half) {
    if (s.shape.isSwapped()) {
      for (int64_t r = 0; r < 2; ++r) {
        SmallVector<Value> values, ups;
        for (int64_t j = 0; j < 2; ++j) {
          values.push_back(sums[j * 4 + half * 2 + r]);
          if (spec.isGated())
            ups.push_back(sums[j * 4 + 2 + r]);
        }
        stageNeighbours(s, b.add(b.mul(s.pair, 2), r), b.add(first, b.add(b.mul(s.quad, 2), half * 16)), values, ups);
      }
      continue;
    }
    for (int64_t i = 0; i < s.down(); ++i)
      for (int64_t lower = 0; lower < 2; ++lower) {
        SmallVector<Value> values, ups;
        for (int64_t c = 0; c < 4; ++c) {
          const int64_t number = (i * PanelCodes::fragments + half * 2 + c % 2) * 4 + lower * 2 + c / 2;
          values.push_back(sums[number]);
          if (spec.isGated())
            ups.push_back(sums[number + 2 * 4]);
        }
        stageNeighbours(s, b.add(b.add(s.warpRow, s.quad), i * 16 + lower * 8), b.add(first, b.add(b.mul(s.pair, 4), half * 16)), values, ups);
      }
  }
  b.sync();
  copyStaged(s);
}

/// Bias and activation on neighbouring columns of a row, into the tile of results.
void ProductKernels::stageNeighbours(PanelMmaState &s, Value row, Value column, ArrayRef<Value> sums, ArrayRef<Value> ups) {
  const int64_t count = static_cast<int64_t>(sums.size()), bytes = spec.out.getIntOrFloatBitWidth() / 8;
  Value all = LLVM::UndefOp::create(b, VectorType::get({count}, spec.out));
  for (int64_t i = 0; i < count; ++i) {
    // A column past the end is not stored; its bias is that of the first one.
    Value global = b.add(b.add(s.firstColumn, column), i), safe = b.select(b.less(global, b.i32(spec.columns)), global, b.i32(0));
    Value value = b.narrow(finish(s.a, s.tile, sums[i], ups.empty() ? Value() : ups[i], safe), spec.out);
    all = LLVM::InsertElementOp::create(b, all, value, b.i32(i));
  }
  b.store(all, b.at(s.memory, b.getI8Type(), b.add(b.mul(row, s.stagedPitch(spec)), b.mul(column, bytes))), count * bytes);
}

} // namespace moe
