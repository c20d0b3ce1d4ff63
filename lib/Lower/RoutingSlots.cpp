// moe.slots: a walk over the assignments in the order in which they claim slots. Thread 0 does it: each claim depends on those before.
#include "Routing.h"

#include "moe/IR/Layers.h"

using namespace mlir;

namespace moe {
namespace {

/// The body of moe.slots.
struct SlotWalk {
  LoopWriter &w;
  SlotsOp op;
  Value token, expert, rank, valid, priority;
  Value capacity; ///< index; null for dropless
  Value groupSize, groups, choices; ///< index; groupSize null for one group, choices null where the list has no known order
  Value slot, keep, count, offset;
  Value order, scratch, taken, served; ///< i32[N] each, i32[G·E]: slots taken; i1[T] for fit first
  Value length, experts, zero;

  /// What order an assignment has before another, as the op says; equal ones keep the order of the list.
  Value isBefore(Value a, Value b) {
    auto field = [&](Value list, Value n) { return w.load(list, {n}); };
    SmallVector<std::pair<Value, Value>> keys;
    auto byPriority = [&]() {
      if (priority)
        keys.emplace_back(w.orderKey(field(priority, b)), w.orderKey(field(priority, a))); // the greater first
    };
    auto byList = [&](Value list) { keys.emplace_back(field(list, a), field(list, b)); };
    if (op.getOrder() == SlotOrder::RankMajor)
      byList(rank);
    byPriority();
    byList(token);
    if (op.getOrder() == SlotOrder::TokenMajor)
      byList(rank);
    Value before = w.lt(keys.back().first, keys.back().second);
    for (auto [first, second] : llvm::reverse(ArrayRef(keys).drop_back()))
      before = w.either(w.lt(first, second), w.both(w.eq(first, second), before));
    return before;
  }

  /// Sorts `order`, merging runs of twice the length in each round. Stable.
  void sort() {
    const Value last = w.sub(length, w.index(1));
    auto at = [&](Value place) { return w.toIndex(w.load(order, {w.min(place, last)})); };
    w.loopWhile(ValueRange{w.index(1)}, [&](ValueRange width) { return w.lt(width[0], length); },
                [&](ValueRange width) {
                  const Value both = w.mul(width[0], w.index(2));
                  w.loop(zero, w.divUp(length, both), [&](Value pair) {
                    const Value begin = w.mul(pair, both), middle = w.min(w.add(begin, width[0]), length);
                    const Value end = w.min(w.add(begin, both), length);
                    w.loop(begin, end, ValueRange{begin, middle}, [&](Value place, ValueRange from) {
                      Value left = at(from[0]), right = at(from[1]);
                      Value rightFirst = w.both(w.lt(from[1], end), w.either(w.ge(from[0], middle), isBefore(right, left)));
                      w.store(w.toI32(w.select(rightFirst, right, left)), scratch, {place});
                      Value step = w.select(rightFirst, w.index(1), zero);
                      return LoopWriter::Values{w.add(from[0], w.sub(w.index(1), step)), w.add(from[1], step)};
                    });
                  });
                  w.loop(zero, length, [&](Value place) { w.store(w.load(scratch, {place}), order, {place}); });
                  return LoopWriter::Values{both};
                });
  }

  /// Fills `order` with the numbers of the assignments as they claim slots.
  void findOrder() {
    const bool known = choices && !priority && op.getOrder() != SlotOrder::PerExpert;
    const bool transposed = known && op.getOrder() == SlotOrder::RankMajor;
    const Value tokens = transposed ? w.div(length, w.max(choices, w.index(1))) : Value();
    w.loop(zero, length, [&](Value place) {
      Value n = place;
      if (transposed) // Place = rank·T + token, number = token·K + rank.
        n = w.add(w.mul(w.rem(place, tokens), choices), w.div(place, tokens));
      w.store(w.toI32(n), order, {place});
    });
    if (!known)
      sort();
  }

  /// The counter of an assignment's expert in its group.
  Value counterOf(Value t, Value e) { return groupSize ? w.add(w.mul(w.div(t, groupSize), experts), e) : e; }

  /// Calls `body` for the valid assignments of experts that exist, in order.
  void claim() {
    w.loop(zero, length, [&](Value place) {
      Value n = w.toIndex(w.load(order, {place}));
      w.store(w.i32(-1), slot, {n});
      w.store(w.flag(false), keep, {n});
      Value e = w.toIndex(w.load(expert, {n})), t = w.toIndex(w.load(token, {n}));
      Value counts = w.both(w.inRange(e, experts), w.load(valid, {n}));
      if (groupSize)
        counts = w.both(counts, w.inRange(t, w.mul(groups, groupSize)));
      if (served)
        counts = w.both(counts, w.inRange(t, w.dim(served, 0)));
      w.when(counts, [&]() {
        w.store(w.add(w.load(count, {e}), w.i32(1)), count, {e});
        const Value counter = counterOf(t, e);
        Value number = w.load(taken, {counter});
        Value fits = capacity ? w.lt(w.toIndex(number), capacity) : w.flag(true);
        if (served)
          fits = w.both(fits, w.negate(w.load(served, {t})));
        w.when(fits, [&]() {
          w.store(w.add(number, w.i32(1)), taken, {counter});
          w.store(number, slot, {n});
          w.store(w.flag(true), keep, {n});
          if (served)
            w.store(w.flag(true), served, {t});
        });
      });
    });
  }

  /// offset: where each expert's slots begin. Ragged; then `taken` becomes where those of each group begin among its expert's.
  void place() {
    const Value padTo = w.i32(op.getPadTo());
    w.store(w.i32(0), offset, {zero});
    w.loop(zero, experts, [&](Value e) {
      Value kept = w.loop(zero, groups, ValueRange{w.i32(0)}, [&](Value group, ValueRange sum) {
        const Value counter = w.add(w.mul(group, experts), e);
        Value here = w.load(taken, {counter});
        w.store(sum[0], taken, {counter});
        return LoopWriter::Values{w.add(sum[0], here)};
      })[0];
      Value rounded = w.mul(w.divUp(kept, padTo), padTo);
      w.store(w.add(w.load(offset, {e}), rounded), offset, {w.add(e, w.index(1))});
    });
  }

  /// Numbers within expert and group become slots.
  void finish() {
    const bool padded = op.getLayout() == SlotLayout::Padded;
    w.loop(zero, length, [&](Value n) {
      w.when(w.load(keep, {n}), [&]() {
        Value e = w.toIndex(w.load(expert, {n})), t = w.toIndex(w.load(token, {n})), number = w.toIndex(w.load(slot, {n}));
        if (padded) {
          Value group = groupSize ? w.div(t, groupSize) : zero;
          number = w.add(number, w.mul(w.add(w.mul(e, groups), group), capacity));
        } else {
          number = w.add(number, w.toIndex(w.load(taken, {counterOf(t, e)})));
          number = w.add(number, w.toIndex(w.load(offset, {e})));
        }
        w.store(w.toI32(number), slot, {n});
      });
    });
  }

  void run() {
    w.loop(zero, experts, [&](Value e) { w.store(w.i32(0), count, {e}); });
    w.loop(zero, w.dim(taken, 0), [&](Value i) { w.store(w.i32(0), taken, {i}); });
    if (served)
      w.loop(zero, w.dim(served, 0), [&](Value t) { w.store(w.flag(false), served, {t}); });
    findOrder();
    claim();
    place();
    finish();
  }
};

} // namespace

LogicalResult Routing::lower(SlotsOp op) {
  builder.setInsertionPoint(op);
  if (failed(requireLengths(op, {op.getToken(), op.getExpert(), op.getRank(), op.getValid(), op.getPriority()})))
    return failure();
  const ListFacts facts = lists.lookup(op.getToken());
  const bool needsTokens = op.getCapacity() || op.getGroupSize() || op.getFit() == SlotFit::First;
  if (needsTokens && !facts.tokens)
    return op.emitError() << describeOp(op) << ": expected assignments of moe.select or moe.assign, which say the number of tokens that "
                          << (op.getCapacity() ? "the capacity" : "the grouping") << " needs";
  const Value length = size(op.getToken(), 0), experts = constant(op.getExperts()), one = constant(1);
  LoopWriter w(builder, op.getLoc());
  Value groupTokens = facts.tokens, groups = one, groupSize, limit;
  if (op.getGroupSize()) {
    groupSize = constant(*op.getGroupSize());
    groupTokens = w.min(facts.tokens, groupSize);
    groups = w.divUp(facts.tokens, groupSize);
  }
  if (std::optional<CapacityAttr> rule = op.getCapacity()) {
    if (!facts.choices && (rule->getBase() == CapacityBase::Assignments || rule->getTimesK()))
      return op.emitError() << describeOp(op) << ": the capacity counts choices per token, expected assignments of tokens that choose";
    limit = capacity(*rule, groupTokens, facts.choices ? facts.choices : one, experts);
  }

  const Type i32 = builder.getI32Type(), i1 = builder.getI1Type();
  SmallVector<Out> outs = {{{length}, i32}, {{length}, i1}, {{experts}, i32}, {{constant(op.getExperts() + 1)}, i32},
                           {{length}, i32}, {{length}, i32}, {{multiply(groups, experts)}, i32}};
  const bool first = op.getFit() == SlotFit::First;
  if (first)
    outs.push_back({{facts.tokens}, i1});
  const Values inputs = {op.getToken(), op.getExpert(), op.getRank(),  op.getValid(), op.getPriority(),
                         limit,         groupSize,      groups,        facts.choices};
  Values results = routine(op, Value(), inputs, outs, [&](Body &body) {
    SlotWalk walk{body.w,       op,           body.ins[0],  body.ins[1],  body.ins[2],  body.ins[3],  body.ins[4],  body.ins[5],
                  body.ins[6],  body.ins[7],  body.ins[8],  body.outs[0], body.outs[1], body.outs[2], body.outs[3], body.outs[4],
                  body.outs[5], body.outs[6], first ? body.outs[7] : Value(), {}, {}, {}};
    walk.length = body.w.dim(body.ins[0], 0);
    walk.experts = body.w.index(op.getExperts());
    walk.zero = body.w.index(0);
    walk.run();
  });

  SlotFacts &known = slots[results[0]];
  if (op.getLayout() == SlotLayout::Padded)
    known.capacity = multiply(groups, limit);
  else
    known.rows = addTo(length, multiply(experts, constant(op.getPadTo() - 1)));
  for (auto [result, value] : llvm::zip(op.getResults(), results))
    if (failed(replace(result, value)))
      return failure();
  op.erase();
  return success();
}

} // namespace moe
