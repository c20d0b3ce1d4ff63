// moe.stats: fractions and mean scores of each expert, in each group of tokens. Thread 0 counts tokens and assignments; then experts are split
// over threads. Sums run in the order of the tokens and of the list, whatever the number of threads.
#include "Routing.h"

#include "moe/IR/Sizes.h"

using namespace mlir;

namespace moe {
namespace {

/// The two bodies of moe.stats. Results are seen as G×E; G is 1 without groups.
struct Statistics {
  LoopWriter &w;
  StatsOp op;
  Value scores, token, expert, rank, valid, tokenValid, groupSize;
  Value fraction, mean, divisors; ///< f32[G×E], f32[G×E], i32[G×2]: tokens and counted assignments
  Value tokens, experts, groups, zero;
  Value begin, end; ///< Experts of this thread.

  Value groupOf(Value t) { return groupSize ? w.div(t, groupSize) : zero; }

  void addAt(Value memref, ValueRange place, Value value) { w.store(w.add(w.load(memref, place), value), memref, place); }

  Value toF32(Value integer) { return arith::SIToFPOp::create(w.builder, w.loc, w.builder.getF32Type(), integer); }

  void whereValid(Value t, llvm::function_ref<void()> body) { tokenValid ? w.when(w.load(tokenValid, {t}), body) : body(); }

  /// Calls `body` for the assignments that count, with their group and expert.
  void forEachCounted(llvm::function_ref<void(Value group, Value e)> body) {
    w.loop(zero, w.dim(token, 0), [&](Value n) {
      Value t = w.toIndex(w.load(token, {n})), e = w.toIndex(w.load(expert, {n}));
      Value counts = w.both(w.both(w.inRange(t, tokens), w.inRange(e, experts)), w.load(valid, {n}));
      if (op.getSource() == StatsSource::FirstChoice)
        counts = w.both(counts, w.eq(w.load(rank, {n}), w.i32(0)));
      w.when(counts, [&]() { whereValid(t, [&]() { body(groupOf(t), e); }); });
    });
  }

  /// divisors: tokens and counted assignments of each group.
  void count() {
    w.loop(zero, groups, [&](Value group) {
      for (int64_t which : {0, 1})
        w.store(w.i32(0), divisors, {group, w.index(which)});
    });
    w.loop(zero, tokens, [&](Value t) { whereValid(t, [&]() { addAt(divisors, {groupOf(t), zero}, w.i32(1)); }); });
    forEachCounted([&](Value group, Value) { addAt(divisors, {group, w.index(1)}, w.i32(1)); });
  }

  /// fraction and mean of the experts begin to end.
  void average() {
    w.loop(zero, groups, [&](Value group) {
      w.loop(begin, end, [&](Value e) {
        w.store(w.f32(0.0), fraction, {group, e});
        w.store(w.f32(0.0), mean, {group, e});
      });
    });
    w.loop(zero, tokens, [&](Value t) {
      whereValid(t, [&]() {
        const Value group = groupOf(t);
        w.loop(begin, end, [&](Value e) { addAt(mean, {group, e}, w.load(scores, {t, e})); });
      });
    });
    forEachCounted([&](Value group, Value e) { w.when(w.both(w.ge(e, begin), w.lt(e, end)), [&]() { addAt(fraction, {group, e}, w.f32(1.0)); }); });
    // A group without tokens has fractions and means of zero.
    w.loop(zero, groups, [&](Value group) {
      auto divisor = [&](int64_t which) { return toF32(w.max(w.load(divisors, {group, w.index(which)}), w.i32(1))); };
      const Value ofTokens = divisor(0), ofCounts = op.getNorm() == StatsNorm::Tokens ? ofTokens : divisor(1);
      w.loop(begin, end, [&](Value e) {
        w.store(w.div(w.load(fraction, {group, e}), ofCounts), fraction, {group, e});
        w.store(w.div(w.load(mean, {group, e}), ofTokens), mean, {group, e});
      });
    });
  }
};

/// The inputs that both bodies have.
Statistics statisticsOf(LoopWriter &w, StatsOp op, ArrayRef<Value> ins) {
  Statistics statistics{w, op, ins[0], ins[1], ins[2], ins[3], ins[4], ins[5], ins[6], {}, {}, {}, {}, {}, {}, {}, {}, {}};
  statistics.tokens = w.dim(statistics.scores, 0);
  statistics.experts = w.dim(statistics.scores, 1);
  statistics.zero = w.index(0);
  return statistics;
}

} // namespace

LogicalResult Routing::lower(StatsOp op) {
  builder.setInsertionPoint(op);
  if (failed(requireLengths(op, {op.getToken(), op.getExpert(), op.getRank(), op.getValid()})))
    return failure();
  const Value tokens = size(op.getScores(), 0), experts = size(op.getScores(), 1);
  if (op.getTokenValid() && failed(requireEqual(op, tokens, size(op.getTokenValid(), 0), "the tokens of scores and the length of token_valid")))
    return failure();
  Value groupSize, groups = constant(1);
  if (op.isGrouped()) {
    const TokenGroups stated = groupsOfTokens(builder, op.getLoc(), tokens, op.getGroupSize(), op.getGroupsOf());
    groupSize = stated.size;
    groups = stated.count;
  }
  const Type f32 = builder.getF32Type();
  const Value tokenValid = op.getTokenValid();
  const Value counted = routine(op, Value(), {op.getScores(), op.getToken(), op.getExpert(), op.getRank(), op.getValid(), tokenValid, groupSize},
                                {{{groups, constant(2)}, builder.getI32Type()}}, [&](Body &body) {
                                  Statistics statistics = statisticsOf(body.w, op, body.ins);
                                  statistics.divisors = body.outs[0];
                                  statistics.groups = body.w.dim(statistics.divisors, 0);
                                  statistics.count();
                                })[0];
  const Values inputs = {op.getScores(), op.getToken(), op.getExpert(), op.getRank(), op.getValid(), tokenValid, groupSize, counted};
  Values results = routine(op, experts, inputs, {{{groups, experts}, f32}, {{groups, experts}, f32}}, [&](Body &body) {
    Statistics statistics = statisticsOf(body.w, op, body.ins);
    statistics.divisors = body.ins[7];
    statistics.groups = body.w.dim(statistics.divisors, 0);
    statistics.fraction = body.outs[0];
    statistics.mean = body.outs[1];
    statistics.begin = body.begin;
    statistics.end = body.end;
    statistics.average();
  });
  for (auto [result, value] : llvm::zip_first(op.getResults(), results)) {
    if (!op.isGrouped())
      value = tensor::CollapseShapeOp::create(builder, op.getLoc(), value, SmallVector<ReassociationIndices>{{0, 1}});
    if (failed(replace(result, value)))
      return failure();
  }
  op.erase();
  return success();
}

} // namespace moe
