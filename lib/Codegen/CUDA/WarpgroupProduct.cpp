// The product by wgmma (sm_90a). Four warps copy: each of their threads its chunks of the gathered rows of x by cp.async, and one thread the weights by tensor maps (TMA). The
// others multiply, 64 rows of x for each four warps with all rows of weights of the tile, both read from shared memory as the copies have left them. Two mbarriers of a stage
// keep them apart: `full` when copies are done, `empty` when the last warp has multiplied. Stages are those of MmaProduct.cpp, whose swizzle (128 bytes) is that of matrix
// descriptors and of tensor maps; of a gated product all gates of the tile lie before all ups. A thread has the sums of eight columns where mma.sync has them, so the end is
// that of MmaEpilogue.cpp. A sum adds along k in the same order as in every other tile, 16 of k at a time.
#include "MmaState.h"

using namespace mlir;
namespace moe {

/// k of one wgmma of 16-bit numbers, and its rows of x.
constexpr int64_t groupDepth = 16, groupRows = 64;
/// Columns of in-out weights that lie side by side in shared memory, 128 bytes for each k.
constexpr int64_t turnedColumns = 64;
/// Nanoseconds that a thread sleeps at most before it looks at an mbarrier again.
constexpr int64_t sleepHint = 10000000;
/// Registers of threads that copy and of those that multiply, where 128 sums of a thread need more than all have at first. Of the 65,536 of a multiprocessor 384 threads
/// take 64,512.
constexpr uint32_t copyingRegisters = 56, multiplyingRegisters = 224;

struct ProductKernels::GroupState : MmaState {
  using MmaState::MmaState;

  Value barriers; // in shared memory, `full` of each stage, then `empty` of each

  Value full(GpuBuilder &b, Value stage) const { return b.at(barriers, b.getI64Type(), stage); }
  Value empty(GpuBuilder &b, Value stage) const { return b.at(barriers, b.getI64Type(), b.add(stage, shape.stages)); }
  bool needsRegisters() const { return sums() > 64; }
};

KernelEntry ProductKernels::groupKernel(const MmaTile &shape) {
  const std::string kind = llvm::formatv("wgmma_{0}x{1}", shape.rows, shape.columns);
  return kernel(kind, shape.threads(), mmaSharedBytes(shape), [&](Arguments &a) { emitGroup(a, shape); }, /*isGroup=*/true);
}

/// Dims of a weight: k, columns of the result, gate and up, experts; in-out the first two the other way round. So every layout of gates is one box of each part, or in-out
/// one for 64 columns, as a swizzle has.
SmallVector<Value> ProductKernels::weightMaps(OpBuilder &host, Location loc, int64_t columns, ValueRange arguments) {
  constexpr int64_t f16 = 6, bf16 = 9, bytesOfNumber = 2; // CUtensorMapDataType
  const bool isOneOfTwo = spec.gate == GateLayout::Separate, hasParts = spec.isGated() && !isOneOfTwo;
  const int64_t rowBytes = spec.depth * bytesOfNumber, resultColumns = spec.isGated() ? columns / 2 : columns;
  const int64_t fromColumn = isInPairs(spec.gate) ? 2 * rowBytes : rowBytes, fromPart = isInPairs(spec.gate) ? rowBytes : spec.columns * rowBytes;
  const int64_t type = spec.x.isBF16() ? bf16 : f16, parts = hasParts ? 2 : 1;
  const int64_t outIn[] = {type, spec.depth, spec.columns, parts, spec.experts, fromColumn, fromPart, spec.stored * rowBytes, stageDepth, resultColumns, 1, 1};
  const int64_t inOut[] = {type, spec.columns, spec.depth, parts, spec.experts, spec.stored * bytesOfNumber, spec.columns * bytesOfNumber, spec.stored * rowBytes,
                           turnedColumns, stageDepth, 1, 1};
  const ArrayRef<int64_t> words = spec.isInOut() ? ArrayRef(inOut) : ArrayRef(outIn);
  SmallVector<Value> maps = {table.tensorMap(host, loc, Arguments(arguments).weight, words)};
  if (isOneOfTwo)
    maps.push_back(table.tensorMap(host, loc, Arguments(arguments).up, words));
  return maps;
}

void ProductKernels::emitGroup(Arguments &a, const MmaTile &shape) {
  Value memory = b.dynamicShared();
  withTile(a, shape.rows, [&](Tile &tile) {
    GroupState s(a, tile, shape, memory);
    s.firstColumn = b.mul(b.blockY(), s.results(spec));
    s.thread = b.threadX();
    s.lane = b.rem(s.thread, warpSize);
    s.barriers = b.at(memory, b.getI8Type(), mmaSharedBytes(shape) - 16 * shape.stages);
    b.ifTrue(b.equal(s.thread, b.i32(0)), [&] {
      for (int64_t stage = 0; stage < shape.stages; ++stage) {
        // The copying threads and the announcement of the weights' bytes; a lane of each warp that multiplies.
        NVVM::MBarrierInitOp::create(b, b.at(s.barriers, b.getI64Type(), stage), b.i32(groupThreads + 1), Value());
        NVVM::MBarrierInitOp::create(b, b.at(s.barriers, b.getI64Type(), shape.stages + stage), b.i32(shape.workers() / warpSize), Value());
      }
      NVVM::FenceMbarrierInitOp::create(b);
    });
    b.sync();
    // Through a shuffle, so that ptxas knows it to be one for the warp.
    Value warp = b.shuffleFrom(b.div(s.thread, warpSize), b.i32(0));
    b.ifTrue(b.less(warp, b.i32(groupThreads / warpSize)), [&] { produceStages(s); }, [&] { consumeStages(s); });
  });
}

void ProductKernels::produceStages(GroupState &s) {
  if (s.needsRegisters())
    NVVM::SetMaxRegisterOp::create(b, copyingRegisters, NVVM::SetMaxRegisterAction::decrease);
  prepareRows(s);
  b.forLoop(b.i32(0), b.i32(s.rounds(spec)), b.i32(1), [&](Value round) {
    Value stage = b.rem(round, s.shape.stages), use = b.div(round, s.shape.stages);
    // The phase before the first counts as over.
    NVVM::MBarrierTryWaitParityOp::create(b, s.empty(b, stage), b.bitXor(b.rem(use, 2), b.i32(1)), b.i32(sleepHint));
    b.ifTrue(b.equal(s.thread, b.i32(0)), [&] { copyWeights(s, round, stage); });
    copyChunks(s, b.mul(round, stageDepth), b.at(s.memory, b.getI8Type(), b.add(b.mul(stage, s.stageBytes()), s.place)), s.rows, s.hasRow);
    NVVM::CpAsyncMBarrierArriveOp::create(b, s.full(b, stage), /*noinc=*/true);
  });
}

/// One thread's: the boxes of gates, then those of ups. What is past the end of a dim becomes zero.
void ProductKernels::copyWeights(GroupState &s, Value round, Value stage) {
  const int64_t parts = spec.isGated() ? 2 : 1, columns = s.shape.columns / parts, boxColumns = spec.isInOut() ? turnedColumns : columns;
  Value full = s.full(b, stage);
  NVVM::MBarrierArriveExpectTxOp::create(b, Type(), full, b.i32(s.shape.columns * stageRowBytes), NVVM::MemScopeKind::CTA, /*relaxed=*/false, Value());
  Value place = b.at(s.memory, b.getI8Type(), b.add(b.mul(stage, s.stageBytes()), s.shape.rows * stageRowBytes));
  for (int64_t part = 0; part < parts; ++part) {
    const bool isSecondTensor = spec.gate == GateLayout::Separate && part == 1, isTurned = spec.gate == GateLayout::UpFirst || spec.gate == GateLayout::UpFirstPairs;
    const int64_t stored = spec.gate == GateLayout::Separate ? 0 : isTurned ? 1 - part : part;
    for (int64_t column = 0; column < columns; column += boxColumns) {
      Value coordinates[] = {b.mul(round, stageDepth), b.add(s.firstColumn, column), b.i32(stored), s.tile.expert};
      if (spec.isInOut())
        std::swap(coordinates[0], coordinates[1]);
      // A block is a cluster of one.
      Value target = LLVM::AddrSpaceCastOp::create(b, b.pointer(7), b.at(place, b.getI8Type(), (part * columns + column) * stageRowBytes));
      NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp::create(b, target, s.a.maps[isSecondTensor ? 1 : 0], coordinates, full, ValueRange(), Value(), Value(),
                                                             NVVM::TMALoadMode::TILE, /*isCTAOnly=*/false, NVVM::CTAGroupKindAttr(), Value());
    }
  }
}

void ProductKernels::consumeStages(GroupState &s) {
  if (s.needsRegisters())
    NVVM::SetMaxRegisterOp::create(b, multiplyingRegisters, NVVM::SetMaxRegisterAction::increase);
  s.thread = b.sub(s.thread, groupThreads);
  s.warpRow = b.mul(b.div(s.thread, warpSize), s.shape.warpRows());
  s.warpColumn = b.i32(0);
  MLIRContext *context = b.getContext();
  const auto type = LLVM::LLVMStructType::getLiteral(context, SmallVector<Type>(s.sums(), b.getF32Type()));
  Value zeros = LLVM::ZeroOp::create(b, type);
  Value sums = b.forLoop(b.i32(0), b.i32(s.rounds(spec)), b.i32(1), {zeros}, [&](Value round, ValueRange now) -> SmallVector<Value> {
    Value stage = b.rem(round, s.shape.stages), use = b.div(round, s.shape.stages);
    NVVM::MBarrierTryWaitParityOp::create(b, s.full(b, stage), b.rem(use, 2), b.i32(sleepHint));
    // What cp.async wrote is read past the generic proxy.
    NVVM::FenceProxyOp::create(b, NVVM::ProxyKind::async_shared, NVVM::SharedSpaceAttr::get(context, NVVM::SharedSpace::shared_cta));
    Value next = multiplyGroupStage(s, stage, now[0]);
    // The products of the round before are done, those of this one go on.
    b.syncWarp();
    Value before = b.rem(b.add(round, s.shape.stages - 1), s.shape.stages), hasBefore = b.less(b.i32(0), round);
    b.ifTrue(b.bitAnd(hasBefore, b.equal(s.lane, b.i32(0))), [&] {
      NVVM::MBarrierArriveOp::create(b, Type(), s.empty(b, before), Value(), NVVM::MemScopeKind::CTA, /*relaxed=*/false);
    });
    return {next};
  })[0];
  NVVM::WgmmaWaitGroupSyncOp::create(b, 0);
  SmallVector<Value> all;
  for (int64_t i = 0; i < s.sums(); ++i)
    all.push_back(LLVM::ExtractValueOp::create(b, sums, i));
  storeMma(s, all);
}

/// The matrix descriptor (PTX ISA, "Matrix-Descriptor Format") of rows of 128 swizzled bytes at `address`: its 18 bits by 16, then bytes from one part of a matrix to the next
/// where its rows are in several, and 1024 bytes between groups of eight rows.
Value ProductKernels::descriptorOf(Value address, int64_t betweenParts) {
  constexpr int64_t between = (8 * stageRowBytes / 16) << 32, swizzle = int64_t(1) << 62;
  const int64_t leading = betweenParts / 16 << 16;
  Value place = LLVM::PtrToIntOp::create(b, b.getI64Type(), address);
  place = b.shiftRight(b.bitAnd(place, b.i64((1 << 18) - 1)), b.i64(4));
  return b.bitOr(place, b.i64(between | leading | swizzle));
}

Value ProductKernels::multiplyGroupStage(GroupState &s, Value stage, Value sums) {
  const Type i8 = b.getI8Type();
  Value base = b.at(s.memory, i8, b.mul(stage, s.stageBytes()));
  // The rows of these four warps.
  Value group = b.div(s.warpRow, groupRows);
  // Rows of k are in one part; a descriptor has 1 there.
  Value rows = descriptorOf(b.at(base, i8, b.mul(group, groupRows * stageRowBytes)), 16);
  Value weights = descriptorOf(b.at(base, i8, s.shape.rows * stageRowBytes), spec.isInOut() ? stageDepth * stageRowBytes : 16);
  MLIRContext *context = b.getContext();
  const auto element = NVVM::WGMMATypesAttr::get(context, spec.x.isBF16() ? NVVM::WGMMATypes::bf16 : NVVM::WGMMATypes::f16);
  const auto f32 = NVVM::WGMMATypesAttr::get(context, NVVM::WGMMATypes::f32);
  const auto shape = NVVM::MMAShapeAttr::get(context, groupRows, static_cast<int>(s.shape.columns), groupDepth);
  const auto positive = NVVM::WGMMAScaleInAttr::get(context, NVVM::WGMMAScaleIn::one);
  NVVM::WgmmaFenceAlignedOp::create(b);
  for (int64_t step = 0; step < stageDepth / groupDepth; ++step) {
    // 16 of k are 32 bytes of each row, or 16 rows.
    const int64_t units = step * groupDepth * 2 / 16, weightUnits = spec.isInOut() ? step * groupDepth * stageRowBytes / 16 : units;
    sums = NVVM::WgmmaMmaAsyncOp::create(b, sums.getType(), sums, b.add(rows, units), b.add(weights, weightUnits), shape, element, element, f32,
                                         NVVM::WGMMAScaleOutAttr::get(context, NVVM::WGMMAScaleOut::one), positive, positive,
                                         NVVM::MMALayoutAttr::get(context, NVVM::MMALayout::row), NVVM::MMALayoutAttr::get(context, spec.isInOut() ? NVVM::MMALayout::row : NVVM::MMALayout::col),
                                         NVVM::MMAIntOverflowAttr());
  }
  NVVM::WgmmaGroupSyncAlignedOp::create(b);
  NVVM::WgmmaWaitGroupSyncOp::create(b, 1);
  return sums;
}

} // namespace moe
