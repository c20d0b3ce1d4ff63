// See RoutingOrder.h. Sorting: each group's places are cut into runs that threads sort by themselves; then runs are merged by two, again in
// pieces of equal length: a binary search finds where a piece begins in both runs. Stable, so the order is the same however it is cut.
#include "RoutingOrder.h"

#include "Routing.h"

using namespace mlir;

namespace moe {

PlaceRange PlaceOrder::group(Value number) const {
  if (!groupSize)
    return {w.index(0), length};
  const Value next = w.add(number, w.index(1));
  if (starts)
    return {w.toIndex(w.load(starts, {number})), w.toIndex(w.load(starts, {next}))};
  auto bound = [&](Value group) { return w.mul(w.min(w.mul(group, groupSize), tokens), choices); };
  return {bound(number), bound(next)};
}

PlaceRange PlaceOrder::part(PlaceRange range, Value part, Value parts) const {
  const Value size = w.sub(range.end, range.begin);
  auto bound = [&](Value number) { return w.add(range.begin, w.div(w.mul(size, number), parts)); };
  return {bound(part), bound(w.add(part, w.index(1)))};
}

void PlaceOrder::forEach(PlaceRange range, PlaceRange group, llvm::function_ref<void(Value)> body) const {
  if (sorted)
    return w.loop(range.begin, range.end, [&](Value place) { body(w.toIndex(w.load(sorted, {place}))); });
  if (kind != SlotOrder::RankMajor)
    return w.loop(range.begin, range.end, body);
  // Place = rank·tokens + token within the group, number = token·K + rank. Token and rank go along: no division per place.
  const Value zero = w.index(0), one = w.index(1);
  const Value inGroup = w.max(w.div(w.sub(group.end, group.begin), w.max(choices, one)), one);
  const Value first = w.sub(range.begin, group.begin);
  w.loop(range.begin, range.end, ValueRange{w.rem(first, inGroup), w.div(first, inGroup)}, [&](Value, ValueRange at) {
    body(w.add(group.begin, w.add(w.mul(at[0], choices), at[1])));
    const Value next = w.add(at[0], one), wraps = w.eq(next, inGroup);
    return LoopWriter::Values{w.select(wraps, zero, next), w.add(at[1], w.select(wraps, one, zero))};
  });
}

namespace {

/// Runs that each group's places are cut into; a power of two.
constexpr int64_t sortedRuns = 16;

/// What the order compares.
struct Keys {
  LoopWriter &w;
  SlotOrder kind;
  Value token, rank, priority;
  Value groupSize, groups; ///< i32; null where a range to sort is one group.

  /// What order an assignment has before another, as the op says; equal ones keep the order of the list.
  Value isBefore(Value a, Value b) const {
    auto field = [&](Value list, Value n) { return w.load(list, {n}); };
    SmallVector<std::pair<Value, Value>> keys;
    auto byPriority = [&]() {
      if (priority)
        keys.emplace_back(w.orderKey(field(priority, b)), w.orderKey(field(priority, a))); // the greater first
    };
    auto byList = [&](Value list) { keys.emplace_back(field(list, a), field(list, b)); };
    if (groupSize)
      keys.emplace_back(groupOf(a), groupOf(b));
    if (kind == SlotOrder::RankMajor)
      byList(rank);
    byPriority();
    byList(token);
    if (kind == SlotOrder::TokenMajor)
      byList(rank);
    Value before = w.lt(keys.back().first, keys.back().second);
    for (auto [first, second] : llvm::reverse(ArrayRef(keys).drop_back()))
      before = w.either(w.lt(first, second), w.both(w.eq(first, second), before));
    return before;
  }

  /// A token that does not exist is in the first or the last group.
  Value groupOf(Value n) const {
    const Value group = w.div(w.load(token, {n}), groupSize);
    return w.max(w.min(group, w.sub(groups, w.i32(1))), w.i32(0));
  }
};

/// Merges `from` begin … middle and middle … end: what stands at the places `part` of both, into `to`. The first run's come first where equal.
void mergePart(const Keys &keys, Value from, Value to, PlaceRange first, Value end, PlaceRange part) {
  LoopWriter &w = keys.w;
  const Value one = w.index(1), zero = w.index(0), last = w.sub(end, one);
  auto at = [&](Value place) { return w.toIndex(w.load(from, {w.max(w.min(place, last), zero)})); };
  // How many of the first run stand before the part: the least i such that the second run's (d - 1 - i)th is before the first run's i-th.
  const Value before = w.sub(part.begin, first.begin), firstLength = w.sub(first.end, first.begin), secondLength = w.sub(end, first.end);
  Value taken = w.loopWhile(
      ValueRange{w.max(w.sub(before, secondLength), zero), w.min(before, firstLength)}, [&](ValueRange bounds) { return w.lt(bounds[0], bounds[1]); },
      [&](ValueRange bounds) {
        const Value middle = w.div(w.add(bounds[0], bounds[1]), w.index(2));
        const Value right = at(w.add(first.end, w.sub(w.sub(before, one), middle))), left = at(w.add(first.begin, middle));
        const Value tooMany = keys.isBefore(right, left);
        return LoopWriter::Values{w.select(tooMany, bounds[0], w.add(middle, one)), w.select(tooMany, middle, bounds[1])};
      })[0];
  const Value left = w.add(first.begin, taken), right = w.add(first.end, w.sub(before, taken));
  w.loop(part.begin, part.end, ValueRange{left, right}, [&](Value place, ValueRange next) {
    Value a = at(next[0]), b = at(next[1]);
    Value second = w.both(w.lt(next[1], end), w.either(w.ge(next[0], first.end), keys.isBefore(b, a)));
    w.store(w.toI32(w.select(second, b, a)), to, {place});
    const Value step = w.select(second, one, zero);
    return LoopWriter::Values{w.add(next[0], w.sub(one, step)), w.add(next[1], step)};
  });
}

/// Sorts the assignments `run` by merging runs of twice the length in each round.
void sortRun(const Keys &keys, PlaceRange run, Value order, Value scratch) {
  LoopWriter &w = keys.w;
  const Value length = w.sub(run.end, run.begin);
  w.loop(run.begin, run.end, [&](Value n) { w.store(w.toI32(n), order, {n}); });
  w.loopWhile(ValueRange{w.index(1)}, [&](ValueRange width) { return w.lt(width[0], length); },
              [&](ValueRange width) {
                const Value both = w.mul(width[0], w.index(2));
                w.loop(w.index(0), w.divUp(length, both), [&](Value pair) {
                  const Value begin = w.add(run.begin, w.mul(pair, both)), middle = w.min(w.add(begin, width[0]), run.end);
                  const Value end = w.min(w.add(begin, both), run.end);
                  mergePart(keys, order, scratch, {begin, middle}, end, {begin, end});
                });
                w.loop(run.begin, run.end, [&](Value n) { w.store(w.load(scratch, {n}), order, {n}); });
                return LoopWriter::Values{both};
              });
}

} // namespace

Value Routing::sortAssignments(SlotsOp op, const SlotGroups &groups) {
  const Type i32 = builder.getI32Type();
  const Value length = size(op.getToken(), 0);
  // Where tokens say which places a group has, it is sorted by itself; else groups come of the sort.
  const bool byGroup = groups.size && groups.choices;
  const bool comparesGroups = groups.size && !byGroup;
  const Value runs = constant(sortedRuns), items = byGroup ? multiply(groups.count, runs) : runs;
  auto split = [&](Body &body, llvm::function_ref<void(const Keys &, const PlaceOrder &, PlaceRange group, Value run)> write) {
    LoopWriter &w = body.w;
    const Value groupSize = body.ins[3], count = body.ins[4];
    const Keys keys{w, op.getOrder(), body.ins[0], body.ins[1], body.ins[2], comparesGroups ? w.toI32(groupSize) : Value(),
                    comparesGroups ? w.toI32(count) : Value()};
    const PlaceOrder places{w, op.getOrder(), w.dim(body.ins[0], 0), body.ins[5], body.ins[6], byGroup ? groupSize : Value(), {}, {}};
    w.loop(body.begin, body.end, [&](Value item) {
      write(keys, places, places.group(w.div(item, w.index(sortedRuns))), w.rem(item, w.index(sortedRuns)));
    });
  };
  Values inputs = {op.getToken(), op.getRank(), op.getPriority(), groups.size, groups.count, groups.tokens, groups.choices};
  Value order = routine(op, items, inputs, {{{length}, i32}, {{length}, i32}}, [&](Body &body) {
    split(body, [&](const Keys &keys, const PlaceOrder &places, PlaceRange group, Value run) {
      sortRun(keys, places.part(group, run, body.w.index(sortedRuns)), body.outs[0], body.outs[1]);
    });
  })[0];
  inputs.push_back(order);
  for (int64_t width = 1; width < sortedRuns; width *= 2) {
    inputs.back() = order;
    order = routine(op, items, inputs, {{{length}, i32}}, [&](Body &body) {
      split(body, [&](const Keys &keys, const PlaceOrder &places, PlaceRange group, Value run) {
        LoopWriter &w = body.w;
        // The run's places, and the two sorted sequences that they lie in.
        const Value parts = w.index(sortedRuns / (2 * width)), pair = w.div(run, w.index(2 * width));
        auto bound = [&](Value half) { return places.part(group, half, w.index(sortedRuns / width)); };
        const PlaceRange first = bound(w.mul(pair, w.index(2))), whole = places.part(group, pair, parts);
        mergePart(keys, body.ins[7], body.outs[0], first, whole.end, places.part(group, run, w.index(sortedRuns)));
      });
    })[0];
  }
  return order;
}

Value Routing::findGroups(SlotsOp op, const SlotGroups &groups, Value sorted) {
  // Each group begins at the first place whose assignment is of it or of one behind.
  return routine(op, addTo(groups.count, constant(1)), {op.getToken(), sorted, groups.size, groups.count},
                 {{{addTo(groups.count, constant(1))}, builder.getI32Type()}}, [&](Body &body) {
    LoopWriter &w = body.w;
    const Keys keys{w, op.getOrder(), body.ins[0], {}, {}, w.toI32(body.ins[2]), w.toI32(body.ins[3])};
    w.loop(body.begin, body.end, [&](Value group) {
      Value place = w.loopWhile(
          ValueRange{w.index(0), w.dim(body.ins[1], 0)}, [&](ValueRange bounds) { return w.lt(bounds[0], bounds[1]); },
          [&](ValueRange bounds) {
            const Value middle = w.div(w.add(bounds[0], bounds[1]), w.index(2));
            const Value isBefore = w.lt(keys.groupOf(w.toIndex(w.load(body.ins[1], {middle}))), w.toI32(group));
            return LoopWriter::Values{w.select(isBefore, w.add(middle, w.index(1)), bounds[0]), w.select(isBefore, bounds[1], middle)};
          })[0];
      w.store(w.toI32(place), body.outs[0], {group});
    });
  })[0];
}

} // namespace moe
