// moe.score: scores and choice scores, in f32. A row of logits belongs to one thread, which goes over it as often as the function needs; a
// softmax over tokens gives each thread columns; sinkhorn's rounds are thread 0's.
#include "Routing.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;

namespace moe {
namespace {

/// Sinkhorn's rounds end here at the latest: each makes the rows and columns of the matrix more even, but rounding may keep a last bit
/// moving for ever.
constexpr int64_t maxSinkhornRounds = 10000;
constexpr double sinkhornEpsilon = 1e-8;

Value exponential(LoopWriter &w, Value x) { return math::ExpOp::create(w.builder, w.loc, x); }

/// The functions that look at one logit.
Value pointwise(LoopWriter &w, ScoreFunction function, Value x) {
  const Value zero = w.f32(0.0), one = w.f32(1.0);
  if (function == ScoreFunction::Sigmoid)
    return w.div(one, w.add(one, exponential(w, w.sub(zero, x))));
  if (function == ScoreFunction::SqrtSoftplus) {
    // ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|): no overflow.
    Value magnitude = math::AbsFOp::create(w.builder, w.loc, x);
    Value rest = math::Log1pOp::create(w.builder, w.loc, exponential(w, w.sub(zero, magnitude)));
    return math::SqrtOp::create(w.builder, w.loc, w.add(w.max(x, zero), rest));
  }
  return x;
}

/// What a score op reads and where its outs are, for one body.
struct ScoreBody {
  LoopWriter &w;
  ScoreOp op;
  Value logits, noise, bias, valid;
  Value scores, choice; ///< choice is null where it is the same as scores.

  /// The logit, with its noise if asked for, over the temperature.
  Value logit(Value token, Value column, bool noisy) {
    Value z = w.load(logits, {token, column});
    if (noisy && noise)
      z = w.add(z, w.load(noise, {token, column}));
    const double temperature = op.getTemperature().convertToDouble();
    return temperature == 1.0 ? z : w.div(z, w.f32(temperature));
  }

  bool scoresAreNoisy() { return op.getNoiseTo() == NoiseTarget::Both; }
  /// The choice has values of its own, of the function or of the logits; else it starts from the scores.
  bool choosesByLogits() { return op.getChoiceBasis() == ChoiceBasis::Logits; }
  bool choosesByNoise() { return op.getNoiseTo() == NoiseTarget::Choice; }

  /// choice[token, column] = value + bias.
  void storeChoice(Value value, Value token, Value column) {
    if (!choice)
      return;
    if (bias)
      value = w.add(value, w.load(bias, {column}));
    w.store(value, choice, {token, column});
  }

  Value isValid(Value token) { return valid ? w.load(valid, {token}) : Value(); }

  void storePadding(Value token, Value column) {
    w.store(w.f32(0.0), scores, {token, column});
    if (choice)
      w.store(w.f32(-std::numeric_limits<double>::infinity()), choice, {token, column});
  }

  /// Softmax of `count` logits, the i-th at place(i), into `target`.
  template <typename Place>
  void softmax(Value count, Value target, bool noisy, Place place, llvm::function_ref<Value(Value)> counts) {
    const Value zero = w.index(0);
    auto guarded = [&](Value i, Value carried, llvm::function_ref<Value()> next) -> LoopWriter::Values {
      const Value here = counts ? counts(i) : Value();
      if (!here)
        return {next()};
      return w.choose(here, [&]() { return LoopWriter::Values{next()}; }, [&]() { return LoopWriter::Values{carried}; });
    };
    Value lowest = w.f32(-std::numeric_limits<double>::infinity());
    Value greatest = w.loop(zero, count, ValueRange{lowest}, [&](Value i, ValueRange carried) {
      return guarded(i, carried[0], [&]() {
        auto [token, column] = place(i);
        return w.max(carried[0], logit(token, column, noisy));
      });
    })[0];
    Value sum = w.loop(zero, count, ValueRange{w.f32(0.0)}, [&](Value i, ValueRange carried) {
      return guarded(i, carried[0], [&]() {
        auto [token, column] = place(i);
        Value power = exponential(w, w.sub(logit(token, column, noisy), greatest));
        w.store(power, target, {token, column});
        return w.add(carried[0], power);
      });
    })[0];
    w.loop(zero, count, [&](Value i) {
      const auto at = place(i);
      auto divide = [&]() { w.store(w.div(w.load(target, {at.first, at.second}), sum), target, {at.first, at.second}); };
      if (Value here = counts ? counts(i) : Value())
        w.when(here, divide);
      else
        divide();
    });
  }

  /// The function on the row of one token into `target`.
  void functionOfRow(Value token, Value columns, Value target, bool noisy) {
    if (op.getFunction() == ScoreFunction::Softmax)
      return softmax(columns, target, noisy, [&](Value i) { return std::pair(token, i); }, nullptr);
    w.loop(w.index(0), columns, [&](Value column) {
      w.store(pointwise(w, op.getFunction(), logit(token, column, noisy)), target, {token, column});
    });
  }

  /// The choice of one token from its scores, or from its logits.
  void finishRow(Value token, Value columns) {
    if (!choice)
      return;
    w.loop(w.index(0), columns, [&](Value column) {
      Value value = choosesByLogits()  ? logit(token, column, true)
                    : choosesByNoise() ? w.load(choice, {token, column})
                                       : w.load(scores, {token, column});
      storeChoice(value, token, column);
    });
  }
};

ScoreBody bodyOf(LoopWriter &w, ScoreOp op, ArrayRef<Value> ins, ArrayRef<Value> outs, bool hasChoice) {
  return {w, op, ins[0], ins[1], ins[2], ins[3], outs[0], hasChoice ? outs[1] : Value()};
}

/// Each thread has rows.
void scoreRows(ScoreBody body, Value begin, Value end) {
  LoopWriter &w = body.w;
  const Value columns = w.dim(body.logits, 1);
  w.loop(begin, end, [&](Value token) {
    auto compute = [&]() {
      body.functionOfRow(token, columns, body.scores, body.scoresAreNoisy());
      if (body.choice && body.choosesByNoise() && !body.choosesByLogits())
        body.functionOfRow(token, columns, body.choice, true);
      body.finishRow(token, columns);
    };
    if (!body.valid)
      return compute();
    Value isValid = body.isValid(token);
    w.when(isValid, compute);
    w.when(w.negate(isValid), [&]() { w.loop(w.index(0), columns, [&](Value column) { body.storePadding(token, column); }); });
  });
}

/// Softmax over tokens: each thread has columns. Padded tokens are outside of the sums.
void scoreColumns(ScoreBody body, Value begin, Value end) {
  LoopWriter &w = body.w;
  const Value tokens = w.dim(body.logits, 0), zero = w.index(0);
  auto counts = [&](Value token) { return body.isValid(token); };
  w.loop(begin, end, [&](Value column) {
    auto place = [&](Value i) { return std::pair(i, column); };
    body.softmax(tokens, body.scores, body.scoresAreNoisy(), place, counts);
    if (body.choice && body.choosesByNoise() && !body.choosesByLogits())
      body.softmax(tokens, body.choice, true, place, counts);
    w.loop(zero, tokens, [&](Value token) {
      auto finish = [&]() {
        if (!body.choice)
          return;
        Value value = body.choosesByLogits()  ? body.logit(token, column, true)
                      : body.choosesByNoise() ? w.load(body.choice, {token, column})
                                              : w.load(body.scores, {token, column});
        body.storeChoice(value, token, column);
      };
      if (!body.valid)
        return finish();
      Value isValid = body.isValid(token);
      w.when(isValid, finish);
      w.when(w.negate(isValid), [&]() { body.storePadding(token, column); });
    });
  });
}

/// Sinkhorn's scaling of e^z to even rows and columns: target = rowFactor·e^z·columnFactor.
struct Sinkhorn {
  ScoreBody &body;
  Value rowFactor, columnFactor; ///< f32[T] and f32[E], scratch
  Value tokens, columns, zero;

  /// 1 / (count · Σ term + epsilon).
  Value factor(Value length, Value count, llvm::function_ref<Value(Value)> term) {
    LoopWriter &w = body.w;
    Value sum = w.loop(zero, length, ValueRange{w.f32(0.0)}, [&](Value i, ValueRange carried) {
      return LoopWriter::Values{w.add(carried[0], term(i))};
    })[0];
    return w.div(w.f32(1.0), w.add(w.mul(count, sum), w.f32(sinkhornEpsilon)));
  }

  void run(Value target, bool noisy) {
    LoopWriter &w = body.w;
    Value counted = w.loop(zero, tokens, ValueRange{w.i32(0)}, [&](Value token, ValueRange carried) {
      Value isValid = body.valid ? body.isValid(token) : w.flag(true);
      w.loop(zero, columns, [&](Value column) {
        Value power = exponential(w, body.logit(token, column, noisy));
        w.store(w.select(isValid, power, w.f32(0.0)), target, {token, column});
      });
      return LoopWriter::Values{w.add(carried[0], w.select(isValid, w.i32(1), w.i32(0)))};
    })[0];
    auto toF32 = [&](Value integer) -> Value { return arith::SIToFPOp::create(w.builder, w.loc, w.builder.getF32Type(), integer); };
    const Value rows = toF32(counted), width = toF32(w.toI32(columns));
    w.loop(zero, columns, [&](Value column) { w.store(w.f32(1.0), columnFactor, {column}); });
    const Value tolerance = w.f32(body.op.getTolerance()->convertToDouble());
    const Value start = w.f32(std::numeric_limits<double>::infinity());
    w.loopWhile(
        ValueRange{start, w.index(0)},
        [&](ValueRange carried) {
          return w.both(w.gt(carried[0], tolerance), w.lt(carried[1], w.index(maxSinkhornRounds)));
        },
        [&](ValueRange carried) {
          w.loop(zero, tokens, [&](Value token) {
            Value value = factor(columns, rows, [&](Value column) {
              return w.mul(w.load(columnFactor, {column}), w.load(target, {token, column}));
            });
            w.store(value, rowFactor, {token});
          });
          Value moved = w.loop(zero, columns, ValueRange{w.f32(0.0)}, [&](Value column, ValueRange sum) {
            Value value = factor(tokens, width, [&](Value token) {
              return w.mul(w.load(rowFactor, {token}), w.load(target, {token, column}));
            });
            Value change = math::AbsFOp::create(w.builder, w.loc, w.sub(value, w.load(columnFactor, {column})));
            w.store(value, columnFactor, {column});
            return LoopWriter::Values{w.add(sum[0], change)};
          })[0];
          return LoopWriter::Values{w.div(moved, width), w.add(carried[1], w.index(1))};
        });
    w.loop(zero, tokens, [&](Value token) {
      w.loop(zero, columns, [&](Value column) {
        Value scaled = w.mul(w.load(columnFactor, {column}), w.load(target, {token, column}));
        w.store(w.mul(scaled, w.load(rowFactor, {token})), target, {token, column});
      });
    });
  }
};

void scoreSinkhorn(ScoreBody body, Value rowFactor, Value columnFactor) {
  LoopWriter &w = body.w;
  Sinkhorn sinkhorn{body, rowFactor, columnFactor, w.dim(body.logits, 0), w.dim(body.logits, 1), w.index(0)};
  sinkhorn.run(body.scores, body.scoresAreNoisy());
  if (body.choice && body.choosesByNoise() && !body.choosesByLogits())
    sinkhorn.run(body.choice, true);
  w.loop(sinkhorn.zero, sinkhorn.tokens, [&](Value token) {
    if (!body.valid)
      return body.finishRow(token, sinkhorn.columns);
    Value isValid = body.isValid(token);
    w.when(isValid, [&]() { body.finishRow(token, sinkhorn.columns); });
    w.when(w.negate(isValid), [&]() { w.loop(sinkhorn.zero, sinkhorn.columns, [&](Value column) { body.storePadding(token, column); }); });
  });
}

} // namespace

LogicalResult Routing::lower(ScoreOp op) {
  builder.setInsertionPoint(op);
  const Value tokens = size(op.getLogits(), 0), columns = size(op.getLogits(), 1);
  for (auto [operand, dim, expected, what] :
       {std::tuple(op.getNoise(), 0, tokens, "the tokens of logits and noise"), std::tuple(op.getNoise(), 1, columns, "the columns of logits and noise")})
    if (operand && failed(requireEqual(op, expected, size(operand, dim), what)))
      return failure();
  if (op.getBias() && failed(requireEqual(op, columns, size(op.getBias(), 0), "the columns of logits and the length of bias")))
    return failure();
  if (op.getValid() && failed(requireEqual(op, tokens, size(op.getValid(), 0), "the tokens of logits and the length of valid")))
    return failure();

  // Where nothing sets the two apart they are one buffer.
  const bool sameBasis = op.getChoiceBasis() == ChoiceBasis::Scores || (op.getFunction() == ScoreFunction::Identity && !op.getNoise());
  const bool hasChoice = !op.getChoice().use_empty() &&
                         (!sameBasis || op.getNoiseTo() == NoiseTarget::Choice || op.getBias() || op.getValid());
  const Type f32 = builder.getF32Type();
  SmallVector<Out> outs(hasChoice ? 2 : 1, Out{{tokens, columns}, f32});
  Value items = tokens;
  if (op.getFunction() == ScoreFunction::Sinkhorn) {
    items = nullptr;
    outs.push_back({{tokens}, f32});
    outs.push_back({{columns}, f32});
  } else if (op.getAxis() == ScoreAxis::Token) {
    items = columns;
  }
  Values results = routine(op, items, {op.getLogits(), op.getNoise(), op.getBias(), op.getValid()}, outs, [&](Body &body) {
    ScoreBody score = bodyOf(body.w, op, body.ins, body.outs, hasChoice);
    if (op.getFunction() == ScoreFunction::Sinkhorn)
      scoreSinkhorn(score, body.outs[body.outs.size() - 2], body.outs.back());
    else if (op.getAxis() == ScoreAxis::Token)
      scoreColumns(score, body.begin, body.end);
    else
      scoreRows(score, body.begin, body.end);
  });
  if (failed(replace(cast<OpResult>(op.getScores()), results[0])) || failed(replace(cast<OpResult>(op.getChoice()), results[hasChoice])))
    return failure();
  op.erase();
  return success();
}

} // namespace moe
