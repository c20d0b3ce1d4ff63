// moe.slots by counting. The order in which assignments claim slots is cut into chunks (RoutingOrder.h). Each chunk numbers its assignments
// within their expert and counts them; sums over the chunks before it say where its numbers begin; then numbers become slots. These are
// sums of integers, so the split changes nothing, nor does the number of threads. First fit looks at what the token has got before: there a
// group of tokens is one chunk, and one thread walks it.
#include "Routing.h"
#include "RoutingOrder.h"

#include "moe/IR/Layers.h"
#include "moe/IR/Sizes.h"

using namespace mlir;

namespace moe {
namespace {

/// A chunk has at least so many assignments, and four per expert, so that the sums over chunks are little beside what is counted.
constexpr int64_t leastInChunk = 1024;
/// Chunks in all, unless there are more groups.
constexpr int64_t mostChunks = 64;

/// The bodies of moe.slots. Counters are i32[chunks×E]: how many the chunk keeps, had it the expert to itself, and how many want a slot.
struct SlotCounter {
  LoopWriter &w;
  SlotsOp op;
  PlaceOrder order;
  Value groups, perGroup; ///< index: G, chunks of a group
  Value capacity;         ///< index; null for dropless

  Value experts() { return w.index(op.getExperts()); }
  bool isFirstFit() { return op.getFit() == SlotFit::First; }
  Value add(Value memref, ValueRange place, Value amount) {
    Value before = w.load(memref, place);
    w.store(w.add(before, amount), memref, place);
    return before;
  }

  void forEachIn(Value chunk, llvm::function_ref<void(Value n)> body) {
    const PlaceRange group = order.group(w.div(chunk, perGroup));
    order.forEach(order.part(group, w.rem(chunk, perGroup), perGroup), group, body);
  }

  /// Numbers the assignments of a chunk within their expert; -1 for those that get nothing. `served` i1[T] is for first fit.
  void count(Value chunk, Value token, Value expert, Value valid, Value number, Value kept, Value wanted, Value served) {
    w.loop(w.index(0), experts(), [&](Value e) {
      w.store(w.i32(0), kept, {chunk, e});
      if (served)
        w.store(w.i32(0), wanted, {chunk, e});
    });
    if (served) { // A chunk is a group: its tokens are this thread's.
      const Value size = order.groupSize ? order.groupSize : order.tokens, begin = w.mul(chunk, size);
      w.loop(begin, w.min(w.add(begin, size), order.tokens), [&](Value t) { w.store(w.flag(false), served, {t}); });
    }
    forEachIn(chunk, [&](Value n) {
      w.store(w.i32(-1), number, {n});
      Value e = w.toIndex(w.load(expert, {n}));
      Value counts = w.both(w.inRange(e, experts()), w.load(valid, {n}));
      Value t = order.tokens ? w.toIndex(w.load(token, {n})) : Value();
      if (t)
        counts = w.both(counts, w.inRange(t, order.tokens));
      w.when(counts, [&]() {
        if (!served)
          return w.store(add(kept, {chunk, e}, w.i32(1)), number, {n});
        add(wanted, {chunk, e}, w.i32(1));
        Value place = w.load(kept, {chunk, e});
        w.when(w.both(w.lt(w.toIndex(place), capacity), w.negate(w.load(served, {t}))), [&]() {
          w.store(place, number, {n});
          w.store(w.add(place, w.i32(1)), kept, {chunk, e});
          w.store(w.flag(true), served, {t});
        });
      });
    });
  }

  /// What fits of so many.
  Value fitting(Value many) { return capacity ? w.toI32(w.min(w.toIndex(many), capacity)) : many; }

  /// Of the experts begin … end: base[c][e], the first number of a chunk within its group; first[g][e], the slots of the groups before; count
  /// and used[e], the wanted and the kept ones of all groups.
  void sum(Value begin, Value end, Value kept, Value wanted, Value base, Value first, Value count, Value used) {
    const Value zero = w.index(0);
    w.loop(begin, end, [&](Value e) {
      w.store(w.i32(0), count, {e});
      w.store(w.i32(0), used, {e});
    });
    w.loop(zero, groups, [&](Value group) {
      const Value chunk = w.mul(group, perGroup);
      w.loop(begin, end, [&](Value e) { w.store(w.load(used, {e}), first, {group, e}); });
      w.loop(zero, perGroup, [&](Value part) {
        const Value here = w.add(chunk, part), before = w.max(w.sub(here, w.index(1)), zero), isFirst = w.eq(part, zero);
        w.loop(begin, end, [&](Value e) {
          Value sum = w.add(w.load(base, {before, e}), w.load(kept, {before, e}));
          w.store(w.select(isFirst, w.i32(0), sum), base, {here, e});
          add(count, {e}, w.load(wanted, {here, e}));
        });
      });
      const Value last = w.sub(w.add(chunk, perGroup), w.index(1));
      w.loop(begin, end, [&](Value e) {
        Value all = w.add(w.load(base, {last, e}), w.load(kept, {last, e}));
        add(used, {e}, fitting(all));
      });
    });
  }

  /// offset[e]: the kept ones of the experts before, each rounded up to blocks.
  void offsets(Value used, Value offset) {
    const Value padTo = w.i32(op.getPadTo());
    w.store(w.i32(0), offset, {w.index(0)});
    w.loop(w.index(0), experts(), [&](Value e) {
      Value rounded = w.mul(w.divUp(w.load(used, {e}), padTo), padTo);
      w.store(w.add(w.load(offset, {e}), rounded), offset, {w.add(e, w.index(1))});
    });
  }

  /// Numbers of a chunk become slots where they fit.
  void place(Value chunk, Value expert, Value number, Value base, Value first, Value offset, Value slot, Value keep) {
    const Value group = w.div(chunk, perGroup);
    forEachIn(chunk, [&](Value n) {
      Value here = w.load(number, {n}), has = w.ge(here, w.i32(0));
      w.store(w.i32(-1), slot, {n});
      w.store(w.flag(false), keep, {n});
      w.when(has, [&]() {
        Value e = w.toIndex(w.load(expert, {n}));
        Value inGroup = w.toIndex(w.add(w.load(base, {chunk, e}), here));
        w.when(capacity ? w.lt(inGroup, capacity) : w.flag(true), [&]() {
          Value begin;
          if (op.getLayout() == SlotLayout::Padded)
            begin = w.mul(w.add(w.mul(e, groups), group), capacity);
          else
            begin = w.toIndex(w.add(w.load(offset, {e}), w.load(first, {group, e})));
          w.store(w.toI32(w.add(begin, inGroup)), slot, {n});
          w.store(w.flag(true), keep, {n});
        });
      });
    });
  }
};

} // namespace

LogicalResult Routing::lower(SlotsOp op) {
  builder.setInsertionPoint(op);
  if (failed(requireLengths(op, {op.getToken(), op.getExpert(), op.getRank(), op.getValid(), op.getPriority()})))
    return failure();
  const ListFacts facts = lists.lookup(op.getToken());
  const bool first = op.getFit() == SlotFit::First, grouped = op.isGrouped();
  if ((op.getCapacity() || grouped || first) && !facts.tokens)
    return op.emitError() << describeOp(op) << ": expected assignments of moe.select or moe.assign, which say the number of tokens that "
                          << (op.getCapacity() ? "the capacity" : "the grouping") << " needs";
  const Value length = size(op.getToken(), 0), experts = constant(op.getExperts()), one = constant(1);
  SlotGroups groups{{}, one, facts.tokens, facts.choices};
  Value groupTokens = facts.tokens, limit;
  if (grouped) {
    const TokenGroups stated = groupsOfTokens(builder, op.getLoc(), facts.tokens, op.getGroupSize(), op.getGroupsOf());
    groups.size = stated.size;
    groups.count = stated.count;
    groupTokens = stated.tokens;
  }
  if (std::optional<CapacityAttr> rule = op.getCapacity()) {
    if (!facts.choices && (rule->getBase() == CapacityBase::Assignments || rule->getTimesK()))
      return op.emitError() << describeOp(op) << ": the capacity counts choices per token, expected assignments of tokens that choose";
    limit = capacity(*rule, groupTokens, facts.choices ? facts.choices : one, experts);
  }

  // The order, sorted unless tokens with K choices each say it.
  Value sorted, starts;
  if (!facts.choices || op.getPriority()) {
    sorted = sortAssignments(op, groups);
    starts = grouped && !facts.choices ? findGroups(op, groups, sorted) : Value();
  }
  const Value perGroup = first ? one : chunksOfGroup(length, groups.count, op.getExperts());
  const Value chunks = multiply(groups.count, perGroup);
  const Values common = {limit, groups.size, groups.count, perGroup, facts.tokens, facts.choices, sorted, starts, op.getToken()};
  auto counterOf = [&](Body &body, size_t at) {
    ArrayRef<Value> ins = ArrayRef(body.ins).drop_front(at);
    PlaceOrder order{body.w, op.getOrder(), body.w.dim(ins[8], 0), ins[4], ins[5], ins[1], ins[6], ins[7]};
    return SlotCounter{body.w, op, order, ins[2], ins[3], ins[0]};
  };
  auto inputs = [&](ArrayRef<Value> own) {
    Values all(own);
    llvm::append_range(all, common);
    return all;
  };

  const Type i32 = builder.getI32Type(), i1 = builder.getI1Type();
  SmallVector<Out> counters = {{{length}, i32}, {{chunks, experts}, i32}};
  if (first) {
    counters.push_back({{chunks, experts}, i32});
    counters.push_back({{facts.tokens}, i1});
  }
  const Values counted = routine(op, chunks, inputs({op.getExpert(), op.getValid()}), counters, [&](Body &body) {
    SlotCounter counter = counterOf(body, 2);
    const Value wanted = first ? body.outs[2] : Value(), served = first ? body.outs[3] : Value();
    body.w.loop(body.begin, body.end, [&](Value chunk) {
      counter.count(chunk, body.ins.back(), body.ins[0], body.ins[1], body.outs[0], body.outs[1], wanted, served);
    });
  });
  const Value number = counted[0], kept = counted[1], wanted = first ? counted[2] : kept;
  // Sums over the few chunks of one group are thread 0's, together with the offsets: one barrier less. Those of many groups are split by experts.
  const Out offsets = {{constant(op.getExperts() + 1)}, i32};
  SmallVector<Out> sums = {{{chunks, experts}, i32}, {{groups.count, experts}, i32}, {{experts}, i32}, {{experts}, i32}};
  if (!grouped)
    sums.push_back(offsets);
  const Values summed = routine(op, grouped ? experts : Value(), inputs({kept, wanted}), sums, [&](Body &body) {
    SlotCounter counter = counterOf(body, 2);
    const Value begin = grouped ? body.begin : body.w.index(0), end = grouped ? body.end : counter.experts();
    counter.sum(begin, end, body.ins[0], body.ins[1], body.outs[0], body.outs[1], body.outs[2], body.outs[3]);
    if (!grouped)
      counter.offsets(body.outs[3], body.outs[4]);
  });
  const Value offset = !grouped ? summed[4] : routine(op, Value(), inputs({summed[3]}), {offsets}, [&](Body &body) {
    counterOf(body, 1).offsets(body.ins[0], body.outs[0]);
  })[0];
  const Values placed = routine(op, chunks, inputs({op.getExpert(), number, summed[0], summed[1], offset}), {{{length}, i32}, {{length}, i1}},
                                [&](Body &body) {
    SlotCounter counter = counterOf(body, 5);
    body.w.loop(body.begin, body.end, [&](Value chunk) {
      counter.place(chunk, body.ins[0], body.ins[1], body.ins[2], body.ins[3], body.ins[4], body.outs[0], body.outs[1]);
    });
  });

  SlotFacts &known = slots[placed[0]];
  if (op.getLayout() == SlotLayout::Padded)
    known.capacity = multiply(groups.count, limit);
  else
    known.rows = addTo(length, multiply(experts, constant(op.getPadTo() - 1)));
  for (auto [result, value] : llvm::zip(op.getResults(), Values{placed[0], placed[1], summed[2], offset}))
    if (failed(replace(result, value)))
      return failure();
  op.erase();
  return success();
}

Value Routing::chunksOfGroup(Value length, Value groups, int64_t experts) {
  const Location loc = length.getLoc();
  auto atLeastOne = [&](Value x) { return builder.createOrFold<arith::MaxSIOp>(loc, x, constant(1)); };
  const Value some = atLeastOne(groups);
  const Value filled = builder.createOrFold<arith::DivSIOp>(loc, builder.createOrFold<arith::DivSIOp>(loc, length, some),
                                                            constant(std::max(leastInChunk, 4 * experts)));
  const Value wanted = builder.createOrFold<arith::CeilDivUIOp>(loc, constant(mostChunks), some);
  return atLeastOne(builder.createOrFold<arith::MinSIOp>(loc, filled, wanted));
}

} // namespace moe
