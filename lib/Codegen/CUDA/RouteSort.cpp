// The sort by expert: one block, stable, without atomics. Each warp counts the slots of its own part, 32 at a time: lanes with the same expert find
// each other (match.any), the lowest of them adds. Counts by warp and expert become first slots, and each warp places its part in the same order.
#include "SortState.h"

using namespace mlir;
namespace moe {

// Static shared memory of a block.
static constexpr int64_t sharedBytes = 48 << 10;

int64_t RouteKernels::sortWarps() const {
  int64_t warps = 32;
  while (warps > 1 && (warps * experts + experts + 1) * 4 > sharedBytes)
    warps /= 2;
  return warps;
}

KernelEntry RouteKernels::sortKernel() {
  const std::string key = llvm::formatv("sort {0} {1} {2} {3}", experts, idBits, hasWeights, hasPlaces);
  return table.get(key, "moe_sort", sortWarps() * warpSize, 0, [&](StringRef name) { emitSort(name); });
}

void RouteKernels::emitSort(StringRef name) {
  OpBuilder::InsertionGuard guard(b);
  SmallVector<Type> types(6, b.pointer());
  types.append(2, b.getI32Type());
  func::FuncOp function = b.beginKernel(table.device, name, types);
  SortState s;
  beginSort(s, function.getArguments());
  setPart(s, b.i32(0), s.slots);
  clearCounts(s);
  b.sync();
  emitCounts(s);
  b.sync();
  emitStarts(s);
  b.sync();
  emitUnused(s, s.thread, s.threads);
  emitPlacement(s);
  func::ReturnOp::create(b);
}

void RouteKernels::beginSort(SortState &s, ValueRange a) {
  const Type i32 = b.getI32Type();
  const int64_t warps = sortWarps();
  s.ids = a[0], s.weights = a[1], s.rows = a[2], s.slotWeights = a[3], s.offsets = a[4], s.places = a[5], s.slots = a[6], s.k = a[7];
  s.thread = b.threadX(), s.threads = b.i32(warps * warpSize);
  s.lane = b.rem(s.thread, warpSize), s.warp = b.div(s.thread, warpSize);
  s.counts = b.shared(i32, warps * experts, 4), s.starts = b.shared(i32, experts + 1, 4);
  s.ownCounts = b.at(s.counts, i32, b.mul(s.warp, experts));
}

/// Gives each warp its part of [from, to): whole warps of slots.
void RouteKernels::setPart(SortState &s, Value from, Value to) {
  const int64_t warps = sortWarps();
  Value groups = b.div(b.add(b.sub(to, from), warpSize - 1), warpSize);
  Value part = b.mul(b.div(b.add(groups, warps - 1), warps), warpSize);
  s.from = b.min(b.add(from, b.mul(s.warp, part)), to), s.to = b.min(b.add(s.from, part), to);
}

void RouteKernels::clearCounts(SortState &s) {
  b.forLoop(s.thread, b.i32(sortWarps() * experts), s.threads, [&](Value place) { b.store(b.i32(0), b.at(s.counts, b.getI32Type(), place)); });
}

/// Slots behind the last expert's.
void RouteKernels::emitUnused(SortState &s, Value first, Value step) {
  const Type i32 = b.getI32Type();
  Value total = b.load(i32, b.at(s.starts, i32, experts));
  b.forLoop(b.add(total, first), s.slots, step, [&](Value slot) {
    b.store(b.i32(0), b.at(s.rows, i32, slot));
    b.store(b.f32(0.0), b.at(s.slotWeights, b.getF32Type(), slot));
  });
}

/// The expert of a choice; `experts` where it names none or is not inside.
Value RouteKernels::loadExpert(SortState &s, Value slot, Value inside) {
  const Type type = b.getIntegerType(idBits);
  Value id = b.load(type, b.at(s.ids, type, b.select(inside, slot, b.i32(0))));
  // Unsigned: an id that is negative or too large names no expert.
  Value limit = arith::ConstantOp::create(b, b.getIntegerAttr(type, experts));
  Value isExpert = b.bitAnd(inside, b.compare(arith::CmpIPredicate::ult, id, limit));
  return b.select(isExpert, b.toI32(id), b.i32(experts));
}

void RouteKernels::emitCounts(SortState &s) {
  b.forLoop(s.from, s.to, b.i32(warpSize), [&](Value first) {
    Value slot = b.add(first, s.lane);
    Value expert = loadExpert(s, slot, b.less(slot, s.to));
    Value same = b.sameLanes(expert);
    Value below = b.bitAnd(same, b.sub(Value(arith::ShLIOp::create(b, b.i32(1), s.lane)), 1));
    Value leads = b.bitAnd(b.equal(below, b.i32(0)), b.less(expert, b.i32(experts)));
    b.ifTrue(leads, [&] {
      Value place = b.at(s.ownCounts, b.getI32Type(), expert);
      b.store(b.add(b.load(b.getI32Type(), place), b.popCount(same)), place);
    });
    b.syncWarp();
  });
}

/// Each warp's count of an expert becomes what the warps before it have; `take` gets what all have.
void RouteKernels::emitTotals(SortState &s, llvm::function_ref<void(Value, Value)> take) {
  const Type i32 = b.getI32Type();
  const int64_t warps = sortWarps();
  b.forLoop(s.thread, b.i32(experts), s.threads, [&](Value expert) {
    Value total = b.forLoop(b.i32(0), b.i32(warps), b.i32(1), {b.i32(0)}, [&](Value warp, ValueRange sum) -> SmallVector<Value> {
      Value place = b.at(s.counts, i32, b.add(b.mul(warp, experts), expert));
      Value count = b.load(i32, place);
      b.store(sum[0], place);
      return {b.add(sum[0], count)};
    })[0];
    take(expert, total);
  });
}

void RouteKernels::emitStarts(SortState &s) {
  const Type i32 = b.getI32Type();
  emitTotals(s, [&](Value expert, Value total) { b.store(total, b.at(s.starts, i32, expert)); });
  b.sync();
  b.ifTrue(b.equal(s.warp, b.i32(0)), [&] {
    Value end = b.forLoop(b.i32(0), b.i32(experts), b.i32(warpSize), {b.i32(0)}, [&](Value first, ValueRange sum) -> SmallVector<Value> {
      Value expert = b.add(first, s.lane), inside = b.less(expert, b.i32(experts));
      Value place = b.at(s.starts, i32, expert);
      Value count = b.ifElse(
          inside, {i32}, [&]() -> SmallVector<Value> { return {b.load(i32, place)}; }, [&]() -> SmallVector<Value> { return {b.i32(0)}; })[0];
      Value through = b.scanWarp(count, s.lane);
      Value start = b.add(sum[0], b.sub(through, count));
      b.ifTrue(inside, [&] {
        b.store(start, place);
        b.store(start, b.at(s.offsets, i32, expert));
      });
      return {b.add(sum[0], b.shuffleFrom(through, b.i32(warpSize - 1)))};
    })[0];
    b.ifTrue(b.equal(s.lane, b.i32(0)), [&] {
      b.store(end, b.at(s.starts, i32, experts));
      b.store(end, b.at(s.offsets, i32, experts));
    });
  });
}

void RouteKernels::emitPlacement(SortState &s) {
  const Type i32 = b.getI32Type();
  b.forLoop(s.from, s.to, b.i32(warpSize), [&](Value first) {
    Value slot = b.add(first, s.lane), inside = b.less(slot, s.to);
    Value expert = loadExpert(s, slot, inside), hasExpert = b.less(expert, b.i32(experts));
    Value same = b.sameLanes(expert);
    Value below = b.popCount(b.bitAnd(same, b.sub(Value(arith::ShLIOp::create(b, b.i32(1), s.lane)), 1)));
    Value safe = b.select(hasExpert, expert, b.i32(0));
    Value own = b.at(s.ownCounts, i32, safe), before = b.load(i32, own);
    Value target = b.add(b.add(b.load(i32, b.at(s.starts, i32, safe)), before), below);
    // All lanes have read the count before the lowest of them moves it.
    b.syncWarp();
    b.ifTrue(b.bitAnd(hasExpert, b.equal(below, b.i32(0))), [&] { b.store(b.add(before, b.popCount(same)), own); });
    b.syncWarp();
    b.ifTrue(hasExpert, [&] {
      b.store(b.div(slot, s.k), b.at(s.rows, i32, target));
      Value weight = hasWeights ? b.load(b.getF32Type(), b.at(s.weights, b.getF32Type(), slot)) : b.f32(1.0);
      b.store(weight, b.at(s.slotWeights, b.getF32Type(), target));
    });
    if (hasPlaces)
      b.ifTrue(inside, [&] { emitPlace(s, slot, expert, b.select(hasExpert, target, b.i32(-1))); });
  });
}

/// Writes the slot of a choice behind those of the token's lower experts.
void RouteKernels::emitPlace(SortState &s, Value slot, Value expert, Value target) {
  Value first = b.mul(b.div(slot, s.k), s.k);
  Value lower = b.forLoop(first, b.add(first, s.k), b.i32(1), {b.i32(0)}, [&](Value other, ValueRange count) -> SmallVector<Value> {
    Value id = loadExpert(s, other, b.yes());
    Value isLower = b.bitOr(b.less(id, expert), b.bitAnd(b.equal(id, expert), b.less(other, slot)));
    return {b.select(isLower, b.add(count[0], 1), count[0])};
  })[0];
  b.store(target, b.at(s.places, b.getI32Type(), b.add(first, lower)));
}

} // namespace moe
