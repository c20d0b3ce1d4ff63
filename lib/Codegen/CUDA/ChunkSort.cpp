// The sort of many slots, by three kernels. "count": a block has a chunk of the slots and writes how many of them each expert has. "scan": one block makes of these the first slot of
// each expert, and in it of each chunk. "place": a block counts its chunk again and places it, with the code of the sort by one block. No atomics: the same slots as there.
// The table of counts, i32[experts][chunks], is scratch memory: between the three there is no barrier of the entry, so nothing else runs.
#include "CudaNames.h"
#include "SortState.h"

using namespace mlir;
namespace moe {

// Slots that one block sorts alone: a second and third launch cost more than what they save. And those of a chunk.
static constexpr int64_t mostSlotsOfBlock = 8192, chunkSlots = 4096;
// The scan has its own threads: a warp for each expert, in turns.
static constexpr int64_t scanThreads = 1024;

/// Address on the GPU of at least `bytes` (index), from the runtime.
static Value scratch(OpBuilder &host, Location loc, ModuleOp module, Value bytes) {
  const Type pointer = LLVM::LLVMPointerType::get(host.getContext());
  auto function = module.lookupSymbol<LLVM::LLVMFuncOp>(scratchFunction);
  if (!function) {
    OpBuilder atEnd = OpBuilder::atBlockEnd(module.getBody());
    function = LLVM::LLVMFuncOp::create(atEnd, loc, scratchFunction, LLVM::LLVMFunctionType::get(pointer, {host.getI64Type()}));
    function.setVisibility_(LLVM::Visibility::Hidden);
  }
  Value number = arith::IndexCastOp::create(host, loc, host.getI64Type(), bytes);
  return LLVM::CallOp::create(host, loc, function, ValueRange{number}).getResult();
}

void RouteKernels::launchSort(OpBuilder &host, Value slots, ValueRange arguments) {
  const Location loc = b.getLoc();
  auto index = [&](OpBuilder &builder, int64_t value) -> Value { return arith::ConstantIndexOp::create(builder, loc, value); };
  Value isFew = arith::CmpIOp::create(host, loc, arith::CmpIPredicate::ule, slots, index(host, mostSlotsOfBlock));
  auto branch = scf::IfOp::create(host, loc, isFew, /*withElseRegion=*/true);
  OpBuilder few = branch.getThenBodyBuilder(), many = branch.getElseBodyBuilder();
  table.launch(few, loc, sortKernel(), index(few, 1), index(few, 1), arguments);
  launchChunks(many, slots, arguments);
}

void RouteKernels::launchChunks(OpBuilder &host, Value slots, ValueRange arguments) {
  const Location loc = b.getLoc();
  auto index = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(host, loc, value); };
  Value chunks = arith::CeilDivUIOp::create(host, loc, slots, index(chunkSlots)), one = index(1);
  Value counts = scratch(host, loc, table.host, arith::MulIOp::create(host, loc, chunks, index(experts * 4)));
  SmallVector<Value> all(arguments);
  all.push_back(counts);
  table.launch(host, loc, chunkKernel("count", [&](StringRef name) { emitChunkCount(name); }), chunks, one, all);
  const std::string key = llvm::formatv("sort scan {0}", experts);
  const KernelEntry scan = table.get(key, "moe_sort_scan", scanThreads, 0, [&](StringRef name) { emitChunkScan(name); });
  Value number = arith::IndexCastOp::create(host, loc, host.getI32Type(), chunks);
  table.launch(host, loc, scan, one, one, {counts, arguments[4], number});
  table.launch(host, loc, chunkKernel("place", [&](StringRef name) { emitChunkPlace(name); }), chunks, one, all);
}

/// A kernel with the arguments of the sort by one block, then the table of counts.
KernelEntry RouteKernels::chunkKernel(StringRef step, llvm::function_ref<void(StringRef)> emit) {
  const std::string key = llvm::formatv("sort {0} {1} {2} {3} {4}", step, experts, idBits, hasWeights, hasPlaces);
  return table.get(key, ("moe_sort_" + step).str(), sortWarps() * warpSize, 0, [&](StringRef name) {
    OpBuilder::InsertionGuard guard(b);
    SmallVector<Type> types(6, b.pointer());
    types.append(2, b.getI32Type());
    types.push_back(b.pointer());
    b.beginKernel(table.device, name, types);
    emit(name);
    func::ReturnOp::create(b);
  });
}

/// Counts of this block's chunk by warp and expert.
void RouteKernels::setChunk(SortState &s) {
  Value from = b.mul(b.blockX(), chunkSlots);
  setPart(s, from, b.min(b.add(from, chunkSlots), s.slots));
  clearCounts(s);
  b.sync();
  emitCounts(s);
  b.sync();
}

Value RouteKernels::chunkCount(SortState &s) { return b.div(b.add(s.slots, chunkSlots - 1), chunkSlots); }

void RouteKernels::emitChunkCount(StringRef name) {
  const ValueRange a = table.device.lookupSymbol<func::FuncOp>(name).getArguments();
  SortState s;
  beginSort(s, a);
  setChunk(s);
  Value chunks = chunkCount(s);
  emitTotals(s, [&](Value expert, Value total) { b.store(total, b.at(a[8], b.getI32Type(), b.add(b.mul(expert, chunks), b.blockX()))); });
}

void RouteKernels::emitChunkScan(StringRef name) {
  OpBuilder::InsertionGuard guard(b);
  const Type i32 = b.getI32Type();
  func::FuncOp function = b.beginKernel(table.device, name, {b.pointer(), b.pointer(), i32});
  const ValueRange a = function.getArguments();
  Value counts = a[0], offsets = a[1], chunks = a[2];
  Value thread = b.threadX(), lane = b.rem(thread, warpSize), warp = b.div(thread, warpSize);
  Value starts = b.shared(i32, experts + 1, 4);
  // `sum` and 32 numbers more: what is before each of them, and the sum of all.
  auto scan = [&](Value place, Value inside, Value sum) -> std::pair<Value, Value> {
    Value count = b.ifElse(
        inside, {i32}, [&]() -> SmallVector<Value> { return {b.load(i32, place)}; }, [&]() -> SmallVector<Value> { return {b.i32(0)}; })[0];
    Value through = b.scanWarp(count, lane);
    return {b.add(sum, b.sub(through, count)), b.add(sum, b.shuffleFrom(through, b.i32(warpSize - 1)))};
  };
  b.forLoop(warp, b.i32(experts), b.i32(scanThreads / warpSize), [&](Value expert) {
    Value total = b.forLoop(b.i32(0), chunks, b.i32(warpSize), {b.i32(0)}, [&](Value first, ValueRange sum) -> SmallVector<Value> {
      Value chunk = b.add(first, lane), inside = b.less(chunk, chunks);
      Value place = b.at(counts, i32, b.add(b.mul(expert, chunks), chunk));
      auto [before, next] = scan(place, inside, sum[0]);
      b.ifTrue(inside, [&, before = before] { b.store(before, place); });
      return {next};
    })[0];
    b.ifTrue(b.equal(lane, b.i32(0)), [&] { b.store(total, b.at(starts, i32, expert)); });
  });
  b.sync();
  b.ifTrue(b.equal(warp, b.i32(0)), [&] {
    Value end = b.forLoop(b.i32(0), b.i32(experts), b.i32(warpSize), {b.i32(0)}, [&](Value first, ValueRange sum) -> SmallVector<Value> {
      Value expert = b.add(first, lane), inside = b.less(expert, b.i32(experts));
      auto [before, next] = scan(b.at(starts, i32, expert), inside, sum[0]);
      b.ifTrue(inside, [&, before = before] { b.store(before, b.at(offsets, i32, expert)); });
      return {next};
    })[0];
    b.ifTrue(b.equal(lane, b.i32(0)), [&] { b.store(end, b.at(offsets, i32, experts)); });
  });
  func::ReturnOp::create(b);
}

void RouteKernels::emitChunkPlace(StringRef name) {
  const Type i32 = b.getI32Type();
  const ValueRange a = table.device.lookupSymbol<func::FuncOp>(name).getArguments();
  SortState s;
  beginSort(s, a);
  setChunk(s);
  Value chunks = chunkCount(s), block = b.blockX();
  emitTotals(s, [&](Value expert, Value) {
    Value before = b.load(i32, b.at(a[8], i32, b.add(b.mul(expert, chunks), block)));
    b.store(b.add(b.load(i32, b.at(s.offsets, i32, expert)), before), b.at(s.starts, i32, expert));
  });
  b.ifTrue(b.equal(s.thread, b.i32(0)), [&] { b.store(b.load(i32, b.at(s.offsets, i32, experts)), b.at(s.starts, i32, experts)); });
  b.sync();
  emitUnused(s, b.add(b.mul(block, s.threads), s.thread), b.mul(chunks, s.threads));
  emitPlacement(s);
}

} // namespace moe
