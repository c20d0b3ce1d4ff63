// moe.route_permute on a GPU: the launches, and the kernel that selects each token's experts. The sort is in RouteSort.cpp.
#include "RouteKernels.h"

#include <limits>

using namespace mlir;
namespace moe {

// Order of experts as integers: the bits of a float, mirrored below zero. NaN is below every number, an expert that is already selected (or a
// lane that has none) below NaN.
static constexpr int64_t selectedKey = std::numeric_limits<int32_t>::min();
static constexpr int64_t nanKey = selectedKey + 1;
static constexpr double negativeInfinity = -std::numeric_limits<double>::infinity();
// A lane keeps the scores of its experts in registers, and each choice belongs to a lane.
static constexpr int64_t mostExperts = 1024, mostChoices = warpSize;
static constexpr int64_t routeWarps = 8;

LogicalResult RouteKernels::check(RoutePermuteOp op) {
  experts = op.getExperts();
  if (experts > mostExperts)
    return op.emitOpError() << "the CUDA router kernels have at most " << mostExperts << " experts, found " << experts;
  hasPlaces = op.getOuts().size() == (op.getLogits() ? 6u : 4u);
  for (Value operand : op.getOperands())
    if (!cast<MemRefType>(operand.getType()).getLayout().isIdentity())
      return op.emitOpError() << "the CUDA router kernels expect contiguous buffers, found " << operand.getType();
  if (!op.getLogits()) {
    const auto type = cast<MemRefType>(op.getIndices().getType());
    idBits = type.getElementTypeBitWidth();
    hasWeights = static_cast<bool>(op.getWeights());
    return success();
  }
  router = *op.getRouter();
  k = router.getK();
  if (k > mostChoices)
    return op.emitOpError() << "the CUDA router kernel selects at most " << mostChoices << " experts, found k = " << k;
  const ScoreFunction function = router.getFunction();
  if (function != ScoreFunction::Softmax && function != ScoreFunction::Sigmoid && function != ScoreFunction::Identity)
    return op.emitOpError() << "the CUDA router kernel has no score function " << stringifyScoreFunction(function);
  if (router.getSource() == WeightSource::SparseMixer)
    return op.emitOpError() << "the CUDA router kernel has no weight source " << stringifyWeightSource(router.getSource());
  if (router.getNorm() == WeightNorm::Lp)
    return op.emitOpError() << "the CUDA router kernel has no weight norm lp";
  return success();
}

LogicalResult RouteKernels::replace(RoutePermuteOp op) {
  if (failed(check(op)))
    return failure();
  OpBuilder host(op);
  const Location loc = op.getLoc();
  const ValueRange outs = op.getOuts();
  auto pointer = [&](Value memref) { return pointerOf(host, loc, memref); };
  auto number = [&](Value value) -> Value { return arith::IndexCastOp::create(host, loc, host.getI32Type(), value); };
  auto index = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(host, loc, value); };
  Value none = LLVM::ZeroOp::create(host, loc, LLVM::LLVMPointerType::get(host.getContext()));
  Value one = index(1), ids, weights = none, tokens, choices;
  if (op.getLogits()) {
    ids = pointer(outs[3]);
    weights = pointer(outs[4]);
    tokens = sizeOf(host, loc, op.getLogits(), 0);
    choices = index(k);
    Value blocks = arith::CeilDivUIOp::create(host, loc, tokens, index(routeWarps));
    table.launch(host, loc, routeKernel(), blocks, one, {pointer(op.getLogits()), ids, weights, number(tokens)});
  } else {
    ids = pointer(op.getIndices());
    if (hasWeights)
      weights = pointer(op.getWeights());
    tokens = sizeOf(host, loc, op.getIndices(), 0);
    choices = sizeOf(host, loc, op.getIndices(), 1);
  }
  Value slots = arith::MulIOp::create(host, loc, tokens, choices);
  launchSort(host, slots,
             {ids, weights, pointer(outs[0]), pointer(outs[1]), pointer(outs[2]), hasPlaces ? pointer(outs.back()) : none, number(slots), number(choices)});
  op.erase();
  return success();
}

KernelEntry RouteKernels::routeKernel() {
  std::string key;
  llvm::raw_string_ostream(key) << "route " << experts << ' ' << router;
  return table.get(key, "moe_route", routeWarps * warpSize, 0, [&](StringRef name) { emitRoute(name); });
}

void RouteKernels::emitRoute(StringRef name) {
  OpBuilder::InsertionGuard guard(b);
  func::FuncOp function = b.beginKernel(table.device, name, {b.pointer(), b.pointer(), b.pointer(), b.getI32Type()});
  const ValueRange a = function.getArguments();
  Value thread = b.threadX(), lane = b.rem(thread, warpSize);
  Value token = b.add(b.mul(b.blockX(), routeWarps), b.div(thread, warpSize));
  b.ifTrue(b.less(token, a[3]), [&] {
    Value wide = b.toI64(token);
    emitToken(b.at(a[0], b.getF32Type(), b.mul(wide, experts)), b.at(a[1], b.getI32Type(), b.mul(wide, k)),
              b.at(a[2], b.getF32Type(), b.mul(wide, k)), lane);
  });
  func::ReturnOp::create(b);
}

void RouteKernels::emitToken(Value logits, Value chosen, Value weights, Value lane) {
  const int64_t perLane = llvm::divideCeil(experts, warpSize);
  SmallVector<Value> values, numbers, inside, keys;
  for (int64_t i = 0; i < perLane; ++i) {
    numbers.push_back(b.add(lane, i * warpSize));
    inside.push_back(b.less(numbers[i], b.i32(experts)));
    Value safe = b.select(inside[i], numbers[i], b.i32(0));
    values.push_back(b.load(b.getF32Type(), b.at(logits, b.getF32Type(), safe)));
  }
  SmallVector<Value> scored = router.getFunction() == ScoreFunction::Softmax ? softmax(values, inside) : scores(values);
  for (int64_t i = 0; i < perLane; ++i)
    keys.push_back(key(scored[i], inside[i]));
  const WeightSource source = router.getSource();
  const ArrayRef<Value> weighed = source == WeightSource::Gather ? scored : values;
  // Lane r keeps choice r.
  SmallVector<Value> carried = {b.i32(0), b.f32(0.0)};
  carried.append(keys);
  SmallVector<Value> chosenBy = b.forLoop(b.i32(0), b.i32(k), b.i32(1), carried, [&](Value rank, ValueRange now) -> SmallVector<Value> {
    auto [bestKey, expert] = best(SmallVector<Value>(now.drop_front(2)), numbers);
    Value weight = b.f32(1.0);
    SmallVector<Value> next = {Value(), Value()};
    for (int64_t i = 0; i < perLane; ++i) {
      Value isBest = b.equal(numbers[i], expert);
      next.push_back(b.select(isBest, b.i32(selectedKey), now[2 + i]));
      weight = b.select(isBest, weighed[i], weight);
    }
    if (source == WeightSource::One)
      weight = b.f32(1.0);
    else
      weight = b.shuffleFrom(weight, b.rem(expert, warpSize));
    Value own = b.equal(lane, rank);
    next[0] = b.select(own, expert, now[0]);
    next[1] = b.select(own, weight, now[1]);
    return next;
  });
  Value weight = finishWeight(chosenBy[1], lane);
  b.ifTrue(b.less(lane, b.i32(k)), [&] {
    b.store(chosenBy[0], b.at(chosen, b.getI32Type(), lane));
    b.store(weight, b.at(weights, b.getF32Type(), lane));
  });
}

SmallVector<Value> RouteKernels::scores(ArrayRef<Value> logits) {
  if (router.getFunction() == ScoreFunction::Identity)
    return SmallVector<Value>(logits);
  return llvm::map_to_vector(logits, [&](Value x) { return math.sigmoid(x); });
}

/// Over all lanes, of the values that are inside.
SmallVector<Value> RouteKernels::softmax(ArrayRef<Value> values, ArrayRef<Value> inside) {
  // A NaN makes all scores NaN, as it does on the CPU.
  const auto greater = [&](Value x, Value y) -> Value { return arith::MaximumFOp::create(b, x, y); };
  Value greatest = b.f32(negativeInfinity), sum = b.f32(0.0);
  for (auto [value, is] : llvm::zip(values, inside))
    greatest = greater(greatest, b.select(is, value, b.f32(negativeInfinity)));
  greatest = b.reduceWarp(greatest, greater);
  SmallVector<Value> powers;
  for (auto [value, is] : llvm::zip(values, inside)) {
    powers.push_back(b.select(is, math.exp(b.subf(value, greatest)), b.f32(0.0)));
    sum = b.addf(sum, powers.back());
  }
  sum = b.reduceWarp(sum, [&](Value x, Value y) { return b.addf(x, y); });
  return llvm::map_to_vector(powers, [&](Value power) { return b.divf(power, sum); });
}

Value RouteKernels::key(Value score, Value inside) {
  // Adding zero makes -0 equal to 0, as it is among floats.
  score = b.addf(score, b.f32(0.0));
  Value bits = arith::BitcastOp::create(b, b.getI32Type(), score);
  Value sign = arith::ShRSIOp::create(b, bits, b.i32(31));
  Value ordered = b.bitXor(bits, b.bitAnd(sign, b.i32(std::numeric_limits<int32_t>::max())));
  Value isNan = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, score, score);
  return b.select(inside, b.select(isNan, b.i32(nanKey), ordered), b.i32(selectedKey));
}

/// The greatest key of all lanes and its expert, the lowest one of equals.
std::pair<Value, Value> RouteKernels::best(ArrayRef<Value> keys, ArrayRef<Value> numbers) {
  Value bestKey = keys[0], bestNumber = numbers[0];
  for (auto [key, number] : llvm::drop_begin(llvm::zip(keys, numbers))) {
    Value isGreater = b.compare(arith::CmpIPredicate::sgt, key, bestKey);
    bestKey = b.select(isGreater, key, bestKey);
    bestNumber = b.select(isGreater, number, bestNumber);
  }
  for (int64_t distance = warpSize / 2; distance; distance /= 2) {
    Value key = b.shuffleXor(bestKey, distance), number = b.shuffleXor(bestNumber, distance);
    Value isLower = b.bitAnd(b.equal(key, bestKey), b.less(number, bestNumber));
    Value wins = b.bitOr(b.compare(arith::CmpIPredicate::sgt, key, bestKey), isLower);
    bestKey = b.select(wins, key, bestKey);
    bestNumber = b.select(wins, number, bestNumber);
  }
  return {bestKey, bestNumber};
}

/// The weight of choice `lane`; lanes without a choice take part and give nothing.
Value RouteKernels::finishWeight(Value weight, Value lane) {
  Value inside = b.less(lane, b.i32(k));
  if (router.getSource() == WeightSource::SoftmaxSelected)
    weight = softmax({weight}, {inside})[0];
  if (router.getNorm() == WeightNorm::L1) {
    Value sum = b.reduceWarp(b.select(inside, weight, b.f32(0.0)), [&](Value x, Value y) { return b.addf(x, y); });
    weight = b.divf(weight, sum);
  }
  return router.scaleValue() == 1.0 ? weight : b.mulf(weight, b.f32(router.scaleValue()));
}

} // namespace moe
