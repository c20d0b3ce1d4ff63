// The auction of moe.select: see its description. Experts bid, tokens are what they bid for. Each round needs the one before, and how many there
// are depends on the choices, so one thread does a group of tokens. In f32 with one rounding per step, so that anyone who follows the
// description gets the same bits.
#include "Routing.h"

#include <limits>

using namespace mlir;

namespace moe {
namespace {

/// What an expert wins in so many rounds counts as the greatest choice of all; rounds in all.
constexpr int64_t pinnedRounds = 100, mostRounds = 1000;

struct Auction {
  LoopWriter &w;
  const AuctionBuffers &buffers;
  double epsilon;
  TokenSpan span;
  Value experts, zero, one;

  Value isFinite(Value x) { return w.eq(w.sub(x, x), w.f32(0.0)); }
  Value takesPart(Value token) { return buffers.valid ? w.load(buffers.valid, {token}) : w.flag(true); }

  /// A choice as it counts: what is not finite is the least that is.
  Value choice(Value token, Value expert, Value least) {
    Value x = w.load(buffers.choice, {token, expert});
    return w.select(isFinite(x), x, least);
  }

  /// The best of the finite choices of tokens that take part; `start` where there is none.
  Value fold(Value start, llvm::function_ref<Value(Value, Value)> better) {
    return w.loop(span.begin, span.end, ValueRange{start}, [&](Value token, ValueRange outer) {
      return w.loop(zero, experts, outer, [&](Value expert, ValueRange inner) {
        Value x = w.load(buffers.choice, {token, expert});
        Value counts = w.both(w.both(isFinite(x), takesPart(token)), better(x, inner[0]));
        return LoopWriter::Values{w.select(counts, x, inner[0])};
      });
    })[0];
  }

  /// Tokens that each expert is to get.
  void share() {
    Value count = w.loop(span.begin, span.end, ValueRange{zero}, [&](Value token, ValueRange carried) {
      return LoopWriter::Values{w.add(carried[0], w.select(takesPart(token), one, zero))};
    })[0];
    const Value divisor = w.max(experts, one);
    Value each = w.div(count, divisor), more = w.rem(count, divisor);
    w.loop(zero, experts, [&](Value expert) { w.store(w.toI32(w.add(each, w.select(w.lt(expert, more), one, zero))), buffers.shares, {span.lane, expert}); });
  }

  /// The value of a token to an expert: what it has won is pinned.
  Value valueOf(Value token, Value expert, Value least, Value pin, Value isPinned) {
    Value plain = choice(token, expert, least);
    Value less = w.sub(plain, w.load(buffers.prices, {token}));
    Value won = w.eq(w.load(buffers.holders, {token}), w.toI32(expert));
    return w.select(won, w.select(isPinned, pin, plain), less);
  }

  /// Tokens of an expert whose value has a key of at least `key`.
  Value countFrom(Value key) {
    return w.loop(span.begin, span.end, ValueRange{zero}, [&](Value token, ValueRange carried) {
      Value counts = w.both(takesPart(token), w.ge(w.load(buffers.keys, {token}), key));
      return LoopWriter::Values{w.add(carried[0], w.select(counts, one, zero))};
    })[0];
  }

  /// The greatest key that at least `share` tokens reach: bit by bit, from the sign on. `share` is at least one.
  Value keyOf(Value share) {
    Value key = w.i32(std::numeric_limits<int32_t>::min());
    key = w.select(w.ge(countFrom(w.i32(0)), share), w.i32(0), key);
    return w.loop(zero, w.index(31), ValueRange{key, w.i32(1 << 30)}, [&](Value, ValueRange carried) {
      Value higher = w.add(carried[0], carried[1]);
      Value next = w.select(w.ge(countFrom(higher), share), higher, carried[0]);
      return LoopWriter::Values{next, w.div(carried[1], w.i32(2))};
    })[0];
  }

  /// One expert's bids on its best tokens.
  void bid(Value expert, Value least, Value pin, Value isPinned) {
    w.loop(span.begin, span.end, [&](Value token) {
      Value value = valueOf(token, expert, least, pin, isPinned);
      w.store(value, buffers.values, {token});
      w.store(w.orderKey(value), buffers.keys, {token});
    });
    Value share = w.toIndex(w.load(buffers.shares, {span.lane, expert})), bar = keyOf(share);
    // Of those at the bar the first ones are taken; the best that is left is what the rest costs.
    Value above = w.loop(span.begin, span.end, ValueRange{zero}, [&](Value token, ValueRange carried) {
      Value counts = w.both(takesPart(token), w.gt(w.load(buffers.keys, {token}), bar));
      return LoopWriter::Values{w.add(carried[0], w.select(counts, one, zero))};
    })[0];
    const Value infinity = w.f32(-std::numeric_limits<double>::infinity());
    Value left = w.loop(span.begin, span.end, ValueRange{w.sub(share, above), infinity}, [&](Value token, ValueRange carried) {
      Value key = w.load(buffers.keys, {token}), value = w.load(buffers.values, {token});
      Value atBar = w.both(w.eq(key, bar), w.gt(carried[0], zero));
      Value taken = w.both(takesPart(token), w.either(w.gt(key, bar), atBar));
      w.store(taken, buffers.taken, {token});
      Value isBetter = w.both(w.both(takesPart(token), w.negate(taken)), w.gt(value, carried[1]));
      return LoopWriter::Values{w.sub(carried[0], w.select(w.both(taken, w.eq(key, bar)), one, zero)), w.select(isBetter, value, carried[1])};
    })[1];
    const Value step = w.f32(epsilon), hasRest = w.gt(left, infinity);
    w.loop(span.begin, span.end, [&](Value token) {
      w.when(w.load(buffers.taken, {token}), [&]() {
        Value gain = w.select(hasRest, w.sub(w.load(buffers.values, {token}), left), w.f32(0.0));
        Value holds = w.eq(w.load(buffers.holders, {token}), w.toI32(expert));
        Value offer = w.select(holds, step, w.add(gain, step));
        // Only a higher bid beats that of an expert before.
        w.when(w.gt(offer, w.load(buffers.bids, {token})), [&]() {
          w.store(offer, buffers.bids, {token});
          w.store(w.toI32(expert), buffers.bidders, {token});
        });
      });
    });
  }

  /// All bids of a round; true where each token has one. There are as many bids as tokens, so each has just one then.
  Value bidAll(Value round, Value least, Value pin) {
    Value isPinned = w.le(round, w.index(pinnedRounds));
    w.loop(span.begin, span.end, [&](Value token) {
      w.store(w.f32(0.0), buffers.bids, {token});
      w.store(w.i32(-1), buffers.bidders, {token});
    });
    w.loop(zero, experts,
           [&](Value expert) { w.when(w.gt(w.load(buffers.shares, {span.lane, expert}), w.i32(0)), [&]() { bid(expert, least, pin, isPinned); }); });
    return w.loop(span.begin, span.end, ValueRange{w.flag(true)}, [&](Value token, ValueRange carried) {
      Value has = w.either(w.negate(takesPart(token)), w.ge(w.load(buffers.bidders, {token}), w.i32(0)));
      return LoopWriter::Values{w.both(carried[0], has)};
    })[0];
  }

  void raisePrices() {
    w.loop(span.begin, span.end, [&](Value token) {
      w.store(w.load(buffers.bidders, {token}), buffers.holders, {token});
      w.store(w.add(w.load(buffers.prices, {token}), w.load(buffers.bids, {token})), buffers.prices, {token});
    });
  }

  /// True where every token ended with one bid: `bidders` is the assignment then.
  Value run() {
    w.loop(span.begin, span.end, [&](Value token) {
      w.store(w.f32(0.0), buffers.prices, {token});
      w.store(w.i32(-1), buffers.holders, {token});
    });
    share();
    const Value infinity = w.f32(std::numeric_limits<double>::infinity()), zeroes = w.f32(0.0);
    Value least = fold(infinity, [&](Value x, Value best) { return w.lt(x, best); });
    Value most = fold(w.sub(zeroes, infinity), [&](Value x, Value best) { return w.gt(x, best); });
    least = w.select(isFinite(least), least, zeroes);
    most = w.select(isFinite(most), most, zeroes);
    return w.loopWhile(
        ValueRange{zero, w.flag(false)}, [&](ValueRange carried) { return w.both(w.negate(carried[1]), w.lt(carried[0], w.index(mostRounds))); },
        [&](ValueRange carried) {
          Value done = bidAll(carried[0], least, most);
          w.when(w.negate(done), [&]() { raisePrices(); });
          return LoopWriter::Values{w.add(carried[0], one), done};
        })[1];
  }
};

} // namespace

void writeAuction(LoopWriter &w, const AuctionBuffers &buffers, const BalanceBuffers &exact, TokenSpan span, double epsilon) {
  Auction auction{w, buffers, epsilon, span, w.dim(buffers.choice, 1), w.index(0), w.index(1)};
  w.choose(
      auction.run(),
      [&]() {
        w.loop(span.begin, span.end, [&](Value token) { w.store(w.load(buffers.bidders, {token}), exact.expert, {token}); });
        return LoopWriter::Values();
      },
      [&]() {
        writeBalancedAssignment(w, exact, span);
        return LoopWriter::Values();
      });
}

} // namespace moe
