// The balanced assignment of moe.select: tokens join one after the other; each takes the best chain of moves that ends at an expert with room
// (longest path over experts), so that after every token the sum is the greatest for the tokens so far. Integers: sums do not round, so no
// chain goes round in a circle and ties go to the lowest index. Each step needs the one before, so one thread does a group of tokens.
#include "Routing.h"

#include <limits>

using namespace mlir;

namespace moe {
namespace {

/// Values are whole numbers below 2^40: sums along chains of 2^22 experts fit 64 bits.
constexpr int64_t valueBits = 40;
constexpr int64_t none = std::numeric_limits<int64_t>::min() / 4;

struct Balance {
  LoopWriter &w;
  const BalanceBuffers &buffers;
  TokenSpan span;
  Value experts, zero, one;

  Value isFinite(Value x) { return w.eq(w.sub(x, x), w.f32(0.0)); }
  Value takesPart(Value token) { return buffers.valid ? w.load(buffers.valid, {token}) : w.flag(true); }
  Value load(Value expert) { return w.load(buffers.loads, {span.lane, zero, expert}); }
  Value limit(Value expert) { return w.load(buffers.loads, {span.lane, one, expert}); }
  Value hasRoom(Value expert) { return w.lt(load(expert), limit(expert)); }

  /// Choices as whole numbers: all by one power of two.
  void quantise() {
    const Value infinity = w.f32(std::numeric_limits<double>::infinity());
    auto fold = [&](Value start, llvm::function_ref<Value(Value, Value)> step) {
      return w.loop(span.begin, span.end, ValueRange{start}, [&](Value token, ValueRange outer) {
        return w.loop(zero, experts, outer, [&](Value expert, ValueRange inner) {
          Value x = w.load(buffers.choice, {token, expert});
          Value counts = w.both(isFinite(x), takesPart(token));
          return LoopWriter::Values{w.select(counts, step(inner[0], x), inner[0])};
        });
      })[0];
    };
    Value greatest = fold(w.f32(0.0), [&](Value a, Value x) { return w.max(a, w.max(x, w.sub(w.f32(0.0), x))); });
    Value least = fold(infinity, [&](Value a, Value x) { return w.min(a, x); });
    least = w.select(isFinite(least), least, w.f32(0.0));
    // 2^e > greatest; the factor is 2^(valueBits - e).
    OpBuilder &b = w.builder;
    Value bits = arith::BitcastOp::create(b, w.loc, b.getI32Type(), greatest);
    Value exponent = w.sub(arith::ShRUIOp::create(b, w.loc, bits, w.i32(23)), w.i32(126));
    Value biased = arith::ExtSIOp::create(b, w.loc, b.getI64Type(), w.sub(w.i32(1023 + valueBits), exponent));
    Value factor = arith::BitcastOp::create(b, w.loc, b.getF64Type(), arith::ShLIOp::create(b, w.loc, biased, w.i64(52)).getResult());
    w.loop(span.begin, span.end, [&](Value token) {
      w.loop(zero, experts, [&](Value expert) {
        Value x = w.load(buffers.choice, {token, expert});
        x = w.select(w.both(isFinite(x), takesPart(token)), x, least);
        Value scaled = w.mul(arith::ExtFOp::create(b, w.loc, b.getF64Type(), x), factor);
        w.store(arith::FPToSIOp::create(b, w.loc, b.getI64Type(), scaled), buffers.values, {token, expert});
      });
    });
  }

  /// Empty experts and how many tokens each gets.
  void start() {
    Value count = w.loop(span.begin, span.end, ValueRange{zero}, [&](Value token, ValueRange carried) {
      w.store(w.i32(-1), buffers.expert, {token});
      return LoopWriter::Values{w.add(carried[0], w.select(takesPart(token), one, zero))};
    })[0];
    const Value divisor = w.max(experts, one);
    Value each = w.div(count, divisor), more = w.rem(count, divisor);
    w.loop(zero, experts, [&](Value expert) {
      w.store(w.i32(0), buffers.loads, {span.lane, zero, expert});
      w.store(w.toI32(w.add(each, w.select(w.lt(expert, more), one, zero))), buffers.loads, {span.lane, one, expert});
    });
  }

  /// gains[e, f] = the best of moving one token of e to f, and which; for the tokens before `token`.
  void findMoves(Value token) {
    w.loop(zero, experts, [&](Value from) {
      w.loop(zero, experts, [&](Value to) {
        w.store(w.i64(none), buffers.gains, {span.lane, from, to});
        w.store(w.i32(-1), buffers.movers, {span.lane, from, to});
      });
    });
    w.loop(span.begin, token, [&](Value mover) {
      Value at = w.load(buffers.expert, {mover});
      w.when(w.ge(at, w.i32(0)), [&]() {
        Value from = w.toIndex(at), here = w.load(buffers.values, {mover, from});
        w.loop(zero, experts, [&](Value to) {
          Value gain = w.sub(w.load(buffers.values, {mover, to}), here);
          w.when(w.gt(gain, w.load(buffers.gains, {span.lane, from, to})), [&]() {
            w.store(gain, buffers.gains, {span.lane, from, to});
            w.store(w.toI32(mover), buffers.movers, {span.lane, from, to});
          });
        });
      });
    });
  }

  /// sums[f] = the greatest sum of a chain that puts `token` somewhere and ends with one more at f; previous[f] = where that one came from.
  void findChains() {
    w.loopWhile(
        ValueRange{w.flag(true), zero},
        [&](ValueRange carried) { return w.both(carried[0], w.lt(carried[1], experts)); },
        [&](ValueRange carried) {
          Value changed = w.loop(zero, experts, ValueRange{w.flag(false)}, [&](Value from, ValueRange outer) {
            return w.loop(zero, experts, outer, [&](Value to, ValueRange inner) {
              Value isMove = w.both(w.ne(from, to), w.ge(w.load(buffers.movers, {span.lane, from, to}), w.i32(0)));
              Value sum = w.add(w.load(buffers.sums, {span.lane, from}), w.load(buffers.gains, {span.lane, from, to}));
              Value better = w.both(isMove, w.gt(sum, w.load(buffers.sums, {span.lane, to})));
              w.when(better, [&]() {
                w.store(sum, buffers.sums, {span.lane, to});
                w.store(w.toI32(from), buffers.previous, {span.lane, to});
              });
              return LoopWriter::Values{w.either(inner[0], better)};
            });
          })[0];
          return LoopWriter::Values{changed, w.add(carried[1], one)};
        });
  }

  /// The expert of greatest sums[e] among those that count; the lowest of equals.
  Value bestExpert(llvm::function_ref<Value(Value)> counts) {
    return w.loop(zero, experts, ValueRange{w.i64(std::numeric_limits<int64_t>::min()), zero}, [&](Value expert, ValueRange carried) {
      Value sum = w.load(buffers.sums, {span.lane, expert});
      Value better = w.both(w.gt(sum, carried[0]), counts(expert));
      return LoopWriter::Values{w.select(better, sum, carried[0]), w.select(better, expert, carried[1])};
    })[1];
  }

  void join(Value token) {
    w.loop(zero, experts, [&](Value expert) {
      w.store(w.load(buffers.values, {token, expert}), buffers.sums, {span.lane, expert});
      w.store(w.i32(-1), buffers.previous, {span.lane, expert});
    });
    // Where the token's own favourite has room no chain is better: each move of one would have been made before.
    Value favourite = bestExpert([&](Value) { return w.flag(true); });
    w.when(w.negate(hasRoom(favourite)), [&]() {
      findMoves(token);
      findChains();
    });
    Value end = bestExpert([&](Value expert) { return hasRoom(expert); });
    w.store(w.add(load(end), w.i32(1)), buffers.loads, {span.lane, zero, end});
    LoopWriter::Values last = w.loopWhile(
        ValueRange{w.toI32(end)}, [&](ValueRange at) { return w.ge(w.load(buffers.previous, {span.lane, w.toIndex(at[0])}), w.i32(0)); },
        [&](ValueRange at) {
          Value to = w.toIndex(at[0]), from = w.load(buffers.previous, {span.lane, to});
          w.store(at[0], buffers.expert, {w.toIndex(w.load(buffers.movers, {span.lane, w.toIndex(from), to}))});
          return LoopWriter::Values{from};
        });
    w.store(last[0], buffers.expert, {token});
  }
};

} // namespace

void writeBalancedAssignment(LoopWriter &w, const BalanceBuffers &buffers, TokenSpan span) {
  Balance balance{w, buffers, span, w.dim(buffers.choice, 1), w.index(0), w.index(1)};
  balance.quantise();
  balance.start();
  w.loop(span.begin, span.end, [&](Value token) { w.when(balance.takesPart(token), [&]() { balance.join(token); }); });
}

} // namespace moe
