// moe.filter and moe.weigh: what is kept and what it weighs. Sums over a token's assignments run in the order of the list, whatever the number
// of threads. A list that is ordered by token is split by tokens; any other is thread 0's.
#include "Routing.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;

namespace moe {
namespace {

/// The body of moe.weigh.
struct Weigher {
  LoopWriter &w;
  WeighOp op;
  Value scores, token, expert, rank, valid, keep;
  Value weights, sums, maxima, firsts; ///< f32[N], then scratch: f32[T], f32[T], i32[T]; null where it is not needed.
  Value begin, end, tokens, experts;   ///< Assignments of this thread; all tokens and experts.
  Value firstToken, lastToken;         ///< Tokens whose scratch this thread has.

  /// Calls `body` for each assignment that counts: valid, kept, of a token and expert that exist.
  void forEach(llvm::function_ref<void(Value n, Value t, Value e)> body) {
    w.loop(begin, end, [&](Value n) {
      Value t = w.toIndex(w.load(token, {n})), e = w.toIndex(w.load(expert, {n}));
      Value counts = w.both(w.both(w.inRange(t, tokens), w.inRange(e, experts)), w.load(valid, {n}));
      if (keep)
        counts = w.both(counts, w.load(keep, {n}));
      w.when(counts, [&]() { body(n, t, e); });
    });
  }

  Value exponential(Value x) { return math::ExpOp::create(w.builder, w.loc, x); }
  Value magnitude(Value x) { return math::AbsFOp::create(w.builder, w.loc, x); }

  void fill(Value memref, Value value) {
    w.loop(firstToken, lastToken, [&](Value i) { w.store(value, memref, {i}); });
  }

  void gather() {
    forEach([&](Value n, Value t, Value e) { w.store(w.load(scores, {t, e}), weights, {n}); });
  }

  /// Softmax over the logits of a token's assignments.
  void softmaxSelected() {
    fill(maxima, w.f32(-std::numeric_limits<double>::infinity()));
    fill(sums, w.f32(0.0));
    forEach([&](Value, Value t, Value e) { w.store(w.max(w.load(maxima, {t}), w.load(scores, {t, e})), maxima, {t}); });
    forEach([&](Value n, Value t, Value e) {
      Value power = exponential(w.sub(w.load(scores, {t, e}), w.load(maxima, {t})));
      w.store(power, weights, {n});
      w.store(w.add(w.load(sums, {t}), power), sums, {t});
    });
    forEach([&](Value n, Value t, Value) { w.store(w.div(w.load(weights, {n}), w.load(sums, {t})), weights, {n}); });
  }

  /// The multiplier of each of the two rounds: softmax over the logits that are near the round's greatest. The second round is without the
  /// first one's pick.
  void sparseMixer() {
    fill(firsts, w.i32(-1));
    forEach([&](Value n, Value t, Value) { w.when(w.eq(w.load(rank, {n}), w.i32(0)), [&]() { w.store(w.load(expert, {n}), firsts, {t}); }); });
    const Value bound = w.f32(2.0 * op.getJitter()->convertToDouble()), zero = w.index(0);
    const Value lowest = w.f32(-std::numeric_limits<double>::infinity());
    forEach([&](Value n, Value t, Value picked) {
      Value isFirst = w.eq(w.load(rank, {n}), w.i32(0)), first = w.toIndex(w.load(firsts, {t}));
      auto takesPart = [&](Value e) { return w.either(isFirst, w.ne(e, first)); };
      Value greatest = w.loop(zero, experts, ValueRange{lowest}, [&](Value e, ValueRange carried) {
        Value greater = w.max(carried[0], w.load(scores, {t, e}));
        return LoopWriter::Values{w.select(takesPart(e), greater, carried[0])};
      })[0];
      Value sum = w.loop(zero, experts, ValueRange{w.f32(0.0)}, [&](Value e, ValueRange carried) {
        Value z = w.load(scores, {t, e});
        Value distance = w.div(w.sub(greatest, z), w.max(magnitude(z), greatest));
        Value near = w.both(takesPart(e), w.negate(w.gt(distance, bound)));
        return LoopWriter::Values{w.select(near, w.add(carried[0], exponential(w.sub(z, greatest))), carried[0])};
      })[0];
      w.store(w.div(exponential(w.sub(w.load(scores, {t, picked}), greatest)), sum), weights, {n});
    });
  }

  Value power(Value x, double p) { return math::PowFOp::create(w.builder, w.loc, x, w.f32(p)); }

  void normalise() {
    const bool lp = op.getNorm() == WeightNorm::Lp && op.getP().convertToDouble() != 1.0;
    const double p = op.getP().convertToDouble();
    fill(sums, w.f32(0.0));
    forEach([&](Value n, Value t, Value) {
      Value term = w.load(weights, {n});
      if (op.getNorm() == WeightNorm::Lp)
        term = magnitude(term);
      if (lp)
        term = p == 2.0 ? w.mul(term, term) : power(term, p);
      w.store(w.add(w.load(sums, {t}), term), sums, {t});
    });
    const Value epsilon = w.f32(op.getEpsilon().convertToDouble());
    forEach([&](Value n, Value t, Value) {
      Value divisor = w.load(sums, {t});
      if (lp)
        divisor = p == 2.0 ? math::SqrtOp::create(w.builder, w.loc, divisor).getResult() : power(divisor, 1.0 / p);
      if (op.getEpsilonMode() == EpsilonMode::Add)
        divisor = w.add(divisor, epsilon);
      else if (op.getEpsilonMode() == EpsilonMode::Clamp)
        divisor = w.max(divisor, epsilon);
      w.store(w.div(w.load(weights, {n}), divisor), weights, {n});
    });
  }

  void run() {
    w.loop(begin, end, [&](Value n) { w.store(w.f32(0.0), weights, {n}); });
    switch (op.getSource()) {
    case WeightSource::Gather:
      gather();
      break;
    case WeightSource::SoftmaxSelected:
      softmaxSelected();
      break;
    case WeightSource::One:
      forEach([&](Value n, Value, Value) { w.store(w.f32(1.0), weights, {n}); });
      break;
    case WeightSource::SparseMixer:
      sparseMixer();
      break;
    }
    if (op.getNorm() != WeightNorm::None)
      normalise();
    const double scale = op.getScale().convertToDouble();
    if (scale != 1.0)
      w.loop(begin, end, [&](Value n) { w.store(w.mul(w.load(weights, {n}), w.f32(scale)), weights, {n}); });
  }
};

} // namespace

LogicalResult Routing::lower(WeighOp op) {
  builder.setInsertionPoint(op);
  if (failed(requireLengths(op, {op.getToken(), op.getExpert(), op.getRank(), op.getValid(), op.getKeep()})))
    return failure();
  const Value length = size(op.getToken(), 0), tokens = size(op.getScores(), 0);
  const Type f32 = builder.getF32Type();
  const bool softmax = op.getSource() == WeightSource::SoftmaxSelected, mixer = op.getSource() == WeightSource::SparseMixer;
  SmallVector<Out> outs = {{{length}, f32}};
  auto scratch = [&](bool needed, Type element) {
    if (!needed)
      return 0u;
    outs.push_back({{tokens}, element});
    return static_cast<unsigned>(outs.size() - 1);
  };
  const unsigned sums = scratch(softmax || op.getNorm() != WeightNorm::None, f32), maxima = scratch(softmax, f32);
  const unsigned firsts = scratch(mixer, builder.getI32Type());
  const ListFacts facts = lists.lookup(op.getToken());
  const bool byToken = facts.tokens && facts.choices;
  const Values inputs = {op.getScores(), op.getToken(), op.getExpert(), op.getRank(), op.getValid(), op.getKeep(), byToken ? facts.choices : Value()};
  Values results = routine(op, byToken ? facts.tokens : Value(), inputs, outs, [&](Body &body) {
    LoopWriter &w = body.w;
    auto out = [&](unsigned index) { return index ? body.outs[index] : Value(); };
    Weigher weigher{w,         op,          body.ins[0], body.ins[1], body.ins[2], body.ins[3], body.ins[4], body.ins[5], body.outs[0],
                    out(sums), out(maxima), out(firsts), {},          {},          {},          {},          {},          {}};
    weigher.tokens = w.dim(body.ins[0], 0);
    weigher.experts = w.dim(body.ins[0], 1);
    weigher.begin = byToken ? w.mul(body.begin, body.ins[6]) : w.index(0);
    weigher.end = byToken ? w.mul(body.end, body.ins[6]) : w.dim(body.ins[1], 0);
    // The list may speak of more tokens than there are scores, or of fewer.
    weigher.firstToken = byToken ? body.begin : w.index(0);
    weigher.lastToken = byToken ? w.min(body.end, weigher.tokens) : weigher.tokens;
    weigher.run();
  });
  if (failed(replace(cast<OpResult>(op.getWeights()), results[0])))
    return failure();
  op.erase();
  return success();
}

LogicalResult Routing::lower(FilterOp op) {
  builder.setInsertionPoint(op);
  if (failed(requireLengths(op, {op.getToken(), op.getExpert(), op.getRank(), op.getValid(), op.getValue(), op.getUniform()})))
    return failure();
  const Value length = size(op.getToken(), 0);
  const Values inputs = {op.getRank(), op.getValid(), op.getValue(), op.getUniform()};
  Values results = routine(op, length, inputs, {{{length}, builder.getI1Type()}}, [&](Body &body) {
    LoopWriter &w = body.w;
    const Value theta = w.f32(op.getTheta().convertToDouble());
    w.loop(body.begin, body.end, [&](Value n) {
      Value value = w.load(body.ins[2], {n});
      // A ratio of at least one is above every uniform.
      Value passes = op.getKind() == FilterKind::GreaterThan ? w.gt(value, theta) : w.lt(w.load(body.ins[3], {n}), w.div(value, theta));
      if (op.getFromRank() > 0)
        passes = w.either(passes, w.lt(w.toIndex(w.load(body.ins[0], {n})), w.index(op.getFromRank())));
      w.store(w.both(passes, w.load(body.ins[1], {n})), body.outs[0], {n});
    });
  });
  if (failed(replace(cast<OpResult>(op.getResult()), results[0])))
    return failure();
  op.erase();
  return success();
}

} // namespace moe
