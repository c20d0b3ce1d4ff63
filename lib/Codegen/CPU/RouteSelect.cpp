// Routing: scores of a token's experts, the k best of them and their weights, as vector code over the experts.
#include "RouteEmitter.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;
namespace moe {

static constexpr double negativeInfinity = -std::numeric_limits<double>::infinity();

// Order of experts as integers: the bits of a float, mirrored below zero. NaN is below every number, an expert that is already
// selected (or a lane that is none) below NaN.
static constexpr int64_t selectedKey = std::numeric_limits<int32_t>::min();
static constexpr int64_t nanKey = selectedKey + 1;

SmallVector<Value> RouteEmitter::forBlocks(int64_t count, ValueRange carried,
                                           llvm::function_ref<SmallVector<Value>(Value, Value, ValueRange)> body) {
  const int64_t full = count - count % b.lanes();
  SmallVector<Value> values(carried.begin(), carried.end());
  if (full)
    values = b.forLoop(b.i64(0), b.i64(full), b.i64(b.lanes()), values,
                       [&](Value offset, ValueRange inside) { return body(offset, Value(), inside); });
  if (full == count)
    return values;
  return body(b.i64(full), b.firstLanes(b.i64(count - full)), values);
}

Value RouteEmitter::loadBlock(Value base, Value offset, Value mask, double passThrough) {
  Value place = b.atF32(base, offset);
  return mask ? b.maskedLoad(place, mask, b.splat(passThrough)) : b.load(b.f32Vector(), place);
}

void RouteEmitter::storeBlock(Value value, Value base, Value offset, Value mask) {
  Value place = b.atF32(base, offset);
  if (mask)
    b.maskedStore(value, place, mask);
  else
    b.store(value, place);
}

Value RouteEmitter::reduce(vector::CombiningKind kind, Value vector) { return vector::ReductionOp::create(b, kind, vector); }

Value RouteEmitter::maximum(Value base, int64_t count) {
  Value best = forBlocks(count, {b.splat(negativeInfinity)}, [&](Value offset, Value mask, ValueRange best) -> SmallVector<Value> {
    return {b.atLeast(loadBlock(base, offset, mask, negativeInfinity), best[0])};
  })[0];
  return reduce(vector::CombiningKind::MAXIMUMF, best);
}

Value RouteEmitter::sum(Value base, int64_t count) {
  Value total = forBlocks(count, {b.splat(0.0)}, [&](Value offset, Value mask, ValueRange total) -> SmallVector<Value> {
    return {b.addf(total[0], loadBlock(base, offset, mask, 0.0))};
  })[0];
  return reduce(vector::CombiningKind::ADD, total);
}

void RouteEmitter::divideBy(Value base, int64_t count, Value divisor) {
  Value divisors = b.broadcast(divisor);
  forBlocks(count, {}, [&](Value offset, Value mask, ValueRange) -> SmallVector<Value> {
    storeBlock(b.divf(loadBlock(base, offset, mask, 0.0), divisors), base, offset, mask);
    return {};
  });
}

void RouteEmitter::softmax(Value from, Value to, int64_t count) {
  Value greatest = b.broadcast(maximum(from, count));
  forBlocks(count, {}, [&](Value offset, Value mask, ValueRange) -> SmallVector<Value> {
    Value x = loadBlock(from, offset, mask, 0.0);
    storeBlock(math.exp(b.subf(x, greatest)), to, offset, mask);
    return {};
  });
  divideBy(to, count, sum(to, count));
}

func::FuncOp RouteEmitter::selectFunction() {
  std::string key;
  llvm::raw_string_ostream(key) << "route select " << spec.experts << ' ' << spec.router;
  return kernels.get(key, "moe_route_select", [&](StringRef name) {
    OpBuilder::InsertionGuard guard(b);
    const Type pointer = b.ptrType(), i64 = b.getI64Type();
    func::FuncOp function = b.beginFunction(kernels.module, name, {pointer, i64, pointer, pointer, i64, i64, i64});
    const ValueRange a = function.getArguments();
    Value logits = a[0], stride = a[1], chosen = a[2], weights = a[3], tokens = a[4], thread = a[5], threads = a[6];
    const int64_t padded = llvm::alignTo(spec.experts, b.lanes());
    Value scores = b.stack(b.getF32Type(), padded, 64), keys = b.stack(b.getI32Type(), padded, 64);
    Value from = b.shareStart(tokens, thread, threads), to = b.shareStart(tokens, b.add(thread, b.i64(1)), threads);
    b.forLoop(from, to, [&](Value token) {
      Value first = b.mul(token, b.i64(spec.k));
      emitToken(b.atF32(logits, b.mul(token, stride)), b.at(chosen, b.getI32Type(), first), b.atF32(weights, first), scores, keys);
    });
    func::ReturnOp::create(b);
    return function;
  });
}

void RouteEmitter::emitToken(Value logits, Value chosen, Value weights, Value scores, Value keys) {
  emitScores(logits, scores);
  emitKeys(scores, keys);
  b.forLoop(b.i64(0), b.i64(spec.k), [&](Value rank) {
    Value expert = bestExpert(keys), number = b.toI64(expert);
    b.store(b.i32(selectedKey), b.at(keys, b.getI32Type(), number));
    b.store(expert, b.at(chosen, b.getI32Type(), rank));
    const WeightSource source = spec.router.getSource();
    Value weight = source == WeightSource::One
                       ? b.f32(1.0)
                       : b.load(b.getF32Type(), b.atF32(source == WeightSource::Gather ? scores : logits, number));
    b.store(weight, b.atF32(weights, rank));
  });
  finishWeights(weights);
}

void RouteEmitter::emitScores(Value logits, Value scores) {
  const ScoreFunction function = spec.router.getFunction();
  if (function == ScoreFunction::Softmax) {
    softmax(logits, scores, spec.experts);
    return;
  }
  forBlocks(spec.experts, {}, [&](Value offset, Value mask, ValueRange) -> SmallVector<Value> {
    Value x = loadBlock(logits, offset, mask, 0.0);
    storeBlock(function == ScoreFunction::Sigmoid ? math.sigmoid(x) : x, scores, offset, mask);
    return {};
  });
}

void RouteEmitter::emitKeys(Value scores, Value keys) {
  forBlocks(spec.experts, {}, [&](Value offset, Value mask, ValueRange) -> SmallVector<Value> {
    // Adding zero makes -0 equal to 0, as it is among floats.
    Value score = b.addf(loadBlock(scores, offset, mask, 0.0), b.splat(0.0));
    Value bits = arith::BitcastOp::create(b, b.i32Vector(), score);
    Value sign = arith::ShRSIOp::create(b, bits, b.splatInt(31));
    Value mirrored = arith::AndIOp::create(b, sign, b.splatInt(std::numeric_limits<int32_t>::max()));
    Value key = arith::XOrIOp::create(b, bits, mirrored);
    Value isNan = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, score, score);
    key = b.select(isNan, b.splatInt(nanKey), key);
    if (mask)
      key = b.select(mask, key, b.splatInt(selectedKey));
    b.store(key, b.at(keys, b.getI32Type(), offset));
    return {};
  });
}

// The expert with the greatest key, the lowest one of equals: per lane the first block that is strictly greater wins, then the
// lowest number among the lanes that have the greatest key. Keys are padded to whole vectors.
Value RouteEmitter::bestExpert(Value keys) {
  SmallVector<int32_t> numbers;
  for (int32_t lane = 0; lane < b.lanes(); ++lane)
    numbers.push_back(lane);
  Value lane = arith::ConstantOp::create(b, DenseElementsAttr::get(b.i32Vector(), ArrayRef<int32_t>(numbers)));
  Value padded = b.i64(llvm::alignTo(spec.experts, b.lanes()));
  const SmallVector<Value> best = b.forLoop(
      b.i64(0), padded, b.i64(b.lanes()), {b.splatInt(selectedKey), lane},
      [&](Value offset, ValueRange best) -> SmallVector<Value> {
        Value key = b.load(b.i32Vector(), b.at(keys, b.getI32Type(), offset));
        Value greater = b.compare(arith::CmpIPredicate::sgt, key, best[0]);
        Value number = b.add(lane, b.broadcast(arith::TruncIOp::create(b, b.getI32Type(), offset)));
        return {b.select(greater, key, best[0]), b.select(greater, number, best[1])};
      });
  Value greatest = b.broadcast(reduce(vector::CombiningKind::MAXSI, best[0]));
  Value isBest = b.compare(arith::CmpIPredicate::eq, best[0], greatest);
  return reduce(vector::CombiningKind::MINSI,
                b.select(isBest, best[1], b.splatInt(std::numeric_limits<int32_t>::max())));
}

void RouteEmitter::finishWeights(Value weights) {
  if (spec.router.getSource() == WeightSource::SoftmaxSelected)
    softmax(weights, weights, spec.k);
  if (spec.router.getNorm() == WeightNorm::L1)
    divideBy(weights, spec.k, sum(weights, spec.k));
  const double scale = spec.router.scaleValue();
  if (scale == 1.0)
    return;
  forBlocks(spec.k, {}, [&](Value offset, Value mask, ValueRange) -> SmallVector<Value> {
    storeBlock(b.mulf(loadBlock(weights, offset, mask, 0.0), b.splat(scale)), weights, offset, mask);
    return {};
  });
}

} // namespace moe
