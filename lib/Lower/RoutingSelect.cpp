// moe.select and moe.assign: assignment lists. The next best of a row is found by going over the row again: what comes after the last pick in
// the order (value down, index up), with NaN below every number. No scratch, no sort, and ties cannot go wrong.
#include "Routing.h"

#include "moe/IR/Layers.h"
#include "moe/IR/Sizes.h"

#include <limits>

using namespace mlir;

namespace moe {
namespace {

/// A pick: its order key and index; index = count where there is none left.
struct Pick {
  Value key, index;
};

/// Before the first pick: every element comes after it.
Pick beforeAll(LoopWriter &w) { return {w.i32(std::numeric_limits<int32_t>::max()), w.index(-1)}; }

/// The best of the `count` elements that come after `last`; `at` loads one, `counts` (may be null) says whether it takes part.
Pick nextBest(LoopWriter &w, Value count, Pick last, llvm::function_ref<Value(Value)> at, llvm::function_ref<Value(Value)> counts) {
  const Value lowest = w.i32(std::numeric_limits<int32_t>::min());
  LoopWriter::Values best = w.loop(w.index(0), count, ValueRange{lowest, count}, [&](Value i, ValueRange carried) {
    Value key = w.orderKey(at(i));
    Value after = w.either(w.lt(key, last.key), w.both(w.eq(key, last.key), w.gt(i, last.index)));
    if (Value here = counts ? counts(i) : Value())
      after = w.both(after, here);
    Value better = w.both(after, w.either(w.eq(carried[1], count), w.gt(key, carried[0])));
    return LoopWriter::Values{w.select(better, key, carried[0]), w.select(better, i, carried[1])};
  });
  return {best[0], best[1]};
}

/// The outs of a select: four lists and maybe kth.
struct Lists {
  LoopWriter &w;
  Value token, expert, rank, valid, kth;

  void store(Value place, Value tokenIndex, Value expertIndex, Value rankIndex, Value isValid) {
    w.store(w.toI32(tokenIndex), token, {place});
    w.store(expertIndex.getType().isIndex() ? w.toI32(expertIndex) : expertIndex, expert, {place});
    w.store(w.toI32(rankIndex), rank, {place});
    w.store(isValid, valid, {place});
  }

  void storeKth(Value tokenIndex, Value which, Value value) { w.store(value, kth, {tokenIndex, which}); }
};

Value negativeInfinity(LoopWriter &w) { return w.f32(-std::numeric_limits<double>::infinity()); }

/// Where no choice is the K-th.
void storeNoKth(Lists &lists, Value token) {
  if (!lists.kth)
    return;
  for (int64_t which : {0, 1})
    lists.storeKth(token, lists.w.index(which), negativeInfinity(lists.w));
}

/// The K-th and next value after K picks.
void storeKth(Lists &lists, Value token, Value count, Pick last, llvm::function_ref<Value(Value)> at) {
  LoopWriter &w = lists.w;
  if (!lists.kth)
    return;
  auto valueOf = [&](Pick pick) {
    return w.choose(w.lt(pick.index, count), [&]() { return LoopWriter::Values{at(pick.index)}; },
                    [&]() { return LoopWriter::Values{negativeInfinity(w)}; })[0];
  };
  lists.storeKth(token, w.index(0), valueOf(last));
  lists.storeKth(token, w.index(1), valueOf(nextBest(w, count, last, at, nullptr)));
}

/// The greatest k of each token; threshold and top_p then say which of them are valid.
void selectByToken(Lists lists, SelectOp op, Value choice, Value tokenValid, Value begin, Value end) {
  LoopWriter &w = lists.w;
  const Value k = w.index(op.getK()), experts = w.dim(choice, 1), zero = w.index(0);
  const double limit = op.getThreshold() ? op.getThreshold()->convertToDouble() : 0.0;
  w.loop(begin, end, [&](Value token) {
    auto at = [&](Value expert) { return w.load(choice, {token, expert}); };
    const Value isToken = tokenValid ? w.load(tokenValid, {token}) : w.flag(true);
    const Pick start = beforeAll(w);
    LoopWriter::Values last = w.loop(zero, k, ValueRange{start.key, start.index, w.f32(0.0)}, [&](Value rank, ValueRange carried) {
      Pick pick = nextBest(w, experts, {carried[0], carried[1]}, at, nullptr);
      Value found = w.lt(pick.index, experts);
      Value value = w.choose(found, [&]() { return LoopWriter::Values{at(pick.index)}; }, [&]() { return LoopWriter::Values{w.f32(0.0)}; })[0];
      Value isValid = w.both(isToken, found);
      if (op.getMode() == SelectMode::Threshold)
        isValid = w.both(isValid, w.gt(value, w.f32(limit)));
      else if (op.getMode() == SelectMode::TopP) // Kept through the first where the sum exceeds p: while the sum before does not.
        isValid = w.both(isValid, w.negate(w.gt(carried[2], w.f32(limit))));
      Value place = w.add(w.mul(token, k), rank);
      lists.store(place, token, w.select(found, pick.index, zero), rank, isValid);
      return LoopWriter::Values{pick.key, pick.index, w.add(carried[2], value)};
    });
    storeKth(lists, token, experts, {last[0], last[1]}, at);
  });
}

/// Every expert of each token, in the order of experts.
void selectAll(Lists lists, Value choice, Value tokenValid, Value begin, Value end) {
  LoopWriter &w = lists.w;
  const Value experts = w.dim(choice, 1);
  w.loop(begin, end, [&](Value token) {
    const Value isToken = tokenValid ? w.load(tokenValid, {token}) : w.flag(true);
    w.loop(w.index(0), experts, [&](Value expert) {
      lists.store(w.add(w.mul(token, experts), expert), token, expert, expert, isToken);
    });
    if (!lists.kth)
      return;
    // The E-th is the least; there is no next one.
    auto at = [&](Value expert) { return w.load(choice, {token, expert}); };
    Value least = w.loop(w.index(0), experts, ValueRange{w.i32(std::numeric_limits<int32_t>::max()), negativeInfinity(w)},
                         [&](Value expert, ValueRange carried) {
                           Value value = at(expert), key = w.orderKey(value), isLess = w.lt(key, carried[0]);
                           return LoopWriter::Values{w.select(isLess, key, carried[0]), w.select(isLess, value, carried[1])};
                         })[1];
    lists.storeKth(token, w.index(0), least);
    lists.storeKth(token, w.index(1), negativeInfinity(w));
  });
}

/// The best tokens of each expert, group by group: items begin … end are pairs (group, expert). `groupSize` is null for one group of all.
void selectByExpert(Lists lists, Value choice, Value tokenValid, Value capacity, Value groupSize, Value begin, Value end) {
  LoopWriter &w = lists.w;
  const Value all = w.dim(choice, 0), experts = w.dim(choice, 1), zero = w.index(0);
  w.loop(begin, end, [&](Value item) {
    const Value expert = groupSize ? w.rem(item, experts) : item, first = groupSize ? w.mul(w.div(item, experts), groupSize) : zero;
    const Value tokens = groupSize ? w.min(w.sub(all, first), groupSize) : all;
    auto at = [&](Value number) { return w.load(choice, {w.add(first, number), expert}); };
    auto counts = [&](Value number) { return tokenValid ? w.load(tokenValid, {w.add(first, number)}) : Value(); };
    const Pick start = beforeAll(w);
    w.loop(zero, capacity, ValueRange{start.key, start.index}, [&](Value rank, ValueRange carried) {
      Pick pick = nextBest(w, tokens, {carried[0], carried[1]}, at, counts);
      Value found = w.lt(pick.index, tokens);
      lists.store(w.add(w.mul(item, capacity), rank), w.select(found, w.add(first, pick.index), zero), expert, rank, found);
      return LoopWriter::Values{pick.key, pick.index};
    });
  });
}

/// Rows of a table, by token id. An id that is no row gives nothing valid.
void selectByTable(Lists lists, Value ids, Value table, Value tokenValid, Value begin, Value end) {
  LoopWriter &w = lists.w;
  const Value rows = w.dim(table, 0), k = w.dim(table, 1);
  w.loop(begin, end, [&](Value token) {
    Value id = w.toIndex(w.load(ids, {token})), isRow = w.inRange(id, rows);
    Value isValid = tokenValid ? w.both(isRow, w.load(tokenValid, {token})) : isRow;
    w.loop(w.index(0), k, [&](Value rank) {
      Value expert = w.choose(isRow, [&]() { return LoopWriter::Values{w.load(table, {id, rank})}; },
                              [&]() { return LoopWriter::Values{w.i32(0)}; })[0];
      lists.store(w.add(w.mul(token, k), rank), token, expert, rank, isValid);
    });
    storeNoKth(lists, token);
  });
}

/// The one expert of each token that has one.
void selectAssigned(Lists lists, Value assigned, Value begin, Value end) {
  LoopWriter &w = lists.w;
  w.loop(begin, end, [&](Value token) {
    Value expert = w.load(assigned, {token}), has = w.ge(expert, w.i32(0));
    lists.store(token, token, w.max(expert, w.i32(0)), w.index(0), has);
    storeNoKth(lists, token);
  });
}

/// Choice with the experts of dropped groups masked: a group's score is the sum of its top_r best; the keep best groups stay.
void maskGroups(LoopWriter &w, GroupsAttr groups, Value choice, Value masked, Value groupScores, Value begin, Value end) {
  const Value count = w.index(groups.getCount()), experts = w.dim(choice, 1), zero = w.index(0);
  const Value perGroup = w.div(experts, count);
  const Value hidden = groups.getMask() == GroupMask::Zero ? w.f32(0.0) : negativeInfinity(w);
  w.loop(begin, end, [&](Value token) {
    w.loop(zero, count, [&](Value group) {
      const Value first = w.mul(group, perGroup);
      auto at = [&](Value i) { return w.load(choice, {token, w.add(first, i)}); };
      const Pick start = beforeAll(w);
      Value score = w.loop(zero, w.index(groups.getTopR()), ValueRange{start.key, start.index, w.f32(0.0)}, [&](Value, ValueRange carried) {
        Pick pick = nextBest(w, perGroup, {carried[0], carried[1]}, at, nullptr);
        Value value = w.choose(w.lt(pick.index, perGroup), [&]() { return LoopWriter::Values{at(pick.index)}; },
                               [&]() { return LoopWriter::Values{w.f32(0.0)}; })[0];
        return LoopWriter::Values{pick.key, pick.index, w.add(carried[2], value)};
      })[2];
      w.store(score, groupScores, {token, group});
    });
    w.loop(zero, experts, [&](Value expert) { w.store(hidden, masked, {token, expert}); });
    auto scoreOf = [&](Value group) { return w.load(groupScores, {token, group}); };
    const Pick start = beforeAll(w);
    w.loop(zero, w.index(groups.getKeep()), ValueRange{start.key, start.index}, [&](Value, ValueRange carried) {
      Pick pick = nextBest(w, count, {carried[0], carried[1]}, scoreOf, nullptr);
      const Value first = w.mul(pick.index, perGroup);
      w.loop(first, w.add(first, perGroup), [&](Value expert) { w.store(w.load(choice, {token, expert}), masked, {token, expert}); });
      return LoopWriter::Values{pick.key, pick.index};
    });
  });
}

} // namespace

Value Routing::lanesOfBalance(Value groups, Value experts) {
  constexpr int64_t mostLanes = 64, mostPairs = int64_t(1) << 22;
  const Location loc = experts.getLoc();
  const Value pairs = builder.createOrFold<arith::MaxSIOp>(loc, multiply(experts, experts), constant(1));
  Value lanes = builder.createOrFold<arith::DivSIOp>(loc, constant(mostPairs), pairs);
  lanes = builder.createOrFold<arith::MinSIOp>(loc, builder.createOrFold<arith::MinSIOp>(loc, lanes, constant(mostLanes)), groups);
  return builder.createOrFold<arith::MaxSIOp>(loc, lanes, constant(1));
}

Value Routing::assignBalanced(SelectOp op, Value choice, const SlotGroups &groups, Value experts) {
  const Type i32 = builder.getI32Type(), i64 = builder.getI64Type(), f32 = builder.getF32Type();
  const Value tokens = groups.tokens, lanes = lanesOfBalance(groups.count, experts);
  SmallVector<Out> outs = {{{tokens}, i32},
                           {{tokens, experts}, i64},
                           {{lanes, constant(2), experts}, i32},
                           {{lanes, experts, experts}, i64},
                           {{lanes, experts, experts}, i32},
                           {{lanes, experts}, i64},
                           {{lanes, experts}, i32}};
  const unsigned exact = outs.size();
  if (op.getMode() == SelectMode::BalancedAuction) {
    outs.push_back({{lanes, experts}, i32});
    for (Type element : {f32, f32, f32, i32, i32, i32, Type(builder.getI1Type())})
      outs.push_back({{tokens}, element});
  }
  // Groups know nothing of each other: threads share the lanes, a lane does its groups one after the other.
  return routine(op, lanes, {choice, op.getValid(), groups.size, groups.count, lanes}, outs, [&](Body &body) {
    LoopWriter &w = body.w;
    const Value size = body.ins[2] ? body.ins[2] : w.dim(body.ins[0], 0), count = body.ins[3], all = body.ins[4];
    auto bound = [&](Value lane) { return w.div(w.mul(lane, count), all); };
    w.loop(body.begin, body.end, [&](Value lane) {
      w.loop(bound(lane), bound(w.add(lane, w.index(1))), [&](Value group) {
        const Value first = w.mul(group, size);
        const TokenSpan span{first, w.min(w.add(first, size), w.dim(body.ins[0], 0)), lane};
        ArrayRef<Value> o = body.outs;
        const BalanceBuffers balance{body.ins[0], body.ins[1], o[0], o[1], o[2], o[3], o[4], o[5], o[6]};
        if (o.size() == exact)
          return writeBalancedAssignment(w, balance, span);
        o = o.drop_front(exact);
        writeAuction(w, {body.ins[0], body.ins[1], o[0], o[1], o[2], o[3], o[4], o[5], o[6], o[7]}, balance, span,
                     op.getEpsilon()->convertToDouble());
      });
    });
  })[0];
}

LogicalResult Routing::lower(SelectOp op) {
  builder.setInsertionPoint(op);
  const SelectMode mode = op.getMode();
  const bool balanced = mode == SelectMode::BalancedExact || mode == SelectMode::BalancedAuction;
  const Type i32 = builder.getI32Type(), i1 = builder.getI1Type(), f32 = builder.getF32Type();
  const bool table = mode == SelectMode::Table, expertSide = op.getSide() == SelectSide::Expert;
  const Value source = table ? Value(op.getIds()) : Value(op.getChoice());
  const Value tokens = size(source, 0), experts = table ? Value() : size(source, 1);
  if (op.getValid() && failed(requireEqual(op, tokens, size(op.getValid(), 0), "the tokens and the length of valid")))
    return failure();
  const Value choices = table ? size(op.getTable(), 1) : mode == SelectMode::All ? experts : constant(op.getK());
  SlotGroups groups{{}, constant(1), tokens, choices};
  Value groupTokens = tokens;
  if (op.isGrouped()) {
    const TokenGroups stated = groupsOfTokens(builder, op.getLoc(), tokens, op.getGroupSize(), op.getGroupsOf());
    groups.size = stated.size;
    groups.count = stated.count;
    groupTokens = stated.tokens;
  }
  Value capacityOfExpert, length = multiply(tokens, choices), items = tokens;
  if (expertSide) {
    capacityOfExpert = capacity(*op.getCapacity(), groupTokens, choices, experts);
    items = multiply(groups.count, experts);
    length = multiply(items, capacityOfExpert);
  }

  Value choice = op.getChoice();
  if (std::optional<GroupsAttr> groups = op.getGroups()) {
    const Value count = constant(groups->getCount());
    choice = routine(op, tokens, {choice}, {{{tokens, experts}, f32}, {{tokens, count}, f32}}, [&](Body &body) {
      maskGroups(body.w, *groups, body.ins[0], body.outs[0], body.outs[1], body.begin, body.end);
    })[0];
  }

  const Value assigned = balanced ? assignBalanced(op, choice, groups, experts) : Value();

  SmallVector<Out> outs = {{{length}, i32}, {{length}, i32}, {{length}, i32}, {{length}, i1}};
  const bool hasKth = !op.getKth().use_empty();
  if (hasKth && !expertSide)
    outs.push_back({{tokens, constant(2)}, f32});
  Values inputs = table ? Values{op.getIds(), op.getTable(), op.getValid()} : Values{choice, capacityOfExpert, op.getValid(), groups.size};
  if (balanced)
    inputs = {assigned};
  Values results = routine(op, items, inputs, outs, [&](Body &body) {
    Lists lists{body.w, body.outs[0], body.outs[1], body.outs[2], body.outs[3], body.outs.size() > 4 ? body.outs[4] : Value()};
    if (balanced)
      selectAssigned(lists, body.ins[0], body.begin, body.end);
    else if (table)
      selectByTable(lists, body.ins[0], body.ins[1], body.ins[2], body.begin, body.end);
    else if (expertSide)
      selectByExpert(lists, body.ins[0], body.ins[2], body.ins[1], body.ins[3], body.begin, body.end);
    else if (mode == SelectMode::All)
      selectAll(lists, body.ins[0], body.ins[2], body.begin, body.end);
    else
      selectByToken(lists, op, body.ins[0], body.ins[2], body.begin, body.end);
  });
  if (hasKth && expertSide)
    results.push_back(routine(op, tokens, {}, {{{tokens, constant(2)}, f32}}, [&](Body &body) {
      Lists lists{body.w, {}, {}, {}, {}, body.outs[0]};
      body.w.loop(body.begin, body.end, [&](Value token) { storeNoKth(lists, token); });
    })[0]);

  lists[results[0]] = {tokens, expertSide ? Value() : choices};
  for (auto [result, value] : llvm::zip(op.getResults(), results))
    if (failed(replace(result, value)))
      return failure();
  op.erase();
  return success();
}

LogicalResult Routing::lower(AssignOp op) {
  builder.setInsertionPoint(op);
  const Value tokens = size(op.getIndices(), 0), choices = size(op.getIndices(), 1), length = multiply(tokens, choices);
  const Type i32 = builder.getI32Type();
  Values results = routine(op, tokens, {op.getIndices()}, {{{length}, i32}, {{length}, i32}, {{length}, i32}, {{length}, builder.getI1Type()}},
                           [&](Body &body) {
    LoopWriter &w = body.w;
    Lists out{w, body.outs[0], body.outs[1], body.outs[2], body.outs[3], {}};
    const Value k = w.dim(body.ins[0], 1);
    w.loop(body.begin, body.end, [&](Value token) {
      w.loop(w.index(0), k, [&](Value rank) {
        // What does not fit 32 bits is no expert, and must not become one.
        Value expert = w.toIndex(w.load(body.ins[0], {token, rank}));
        Value fits = w.inRange(expert, w.index(std::numeric_limits<int32_t>::max()));
        out.store(w.add(w.mul(token, k), rank), token, w.select(fits, expert, w.index(-1)), rank, w.flag(true));
      });
    });
  });
  lists[results[0]] = {tokens, choices};
  for (auto [result, value] : llvm::zip(op.getResults(), results))
    if (failed(replace(result, value)))
      return failure();
  op.erase();
  return success();
}

} // namespace moe
