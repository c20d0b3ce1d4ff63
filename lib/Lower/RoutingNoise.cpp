// moe.noise: Philox4x32-10 with key = seed and counter = offset + element index. Only integer arithmetic and single IEEE operations, no fused
// ones and no library function: the same seed gives the same bits on every target.
#include "Routing.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace moe {
namespace {

/// Constants of the generator.
constexpr uint32_t multipliers[2] = {0xD2511F53, 0xCD9E8D57};
constexpr uint32_t keySteps[2] = {0x9E3779B9, 0xBB67AE85};
constexpr int philoxRounds = 10;
/// Bits of a uniform number, and of an open one: (2m + 1)·2^-24 with m of 23 bits.
constexpr double uniformStep = 0x1p-24;

struct NoiseWriter {
  LoopWriter &w;

  Value word(uint32_t value) { return w.i32(static_cast<int32_t>(value)); }
  Value exclusiveOr(Value a, Value b) { return arith::XOrIOp::create(w.builder, w.loc, a, b); }
  Value shiftRight(Value value, int64_t bits) { return arith::ShRUIOp::create(w.builder, w.loc, value, w.i32(bits)); }
  Value toF32(Value integer) { return arith::SIToFPOp::create(w.builder, w.loc, w.builder.getF32Type(), integer); }
  Value bitsOf(Value value) { return arith::BitcastOp::create(w.builder, w.loc, w.builder.getI32Type(), value); }
  Value fromBits(Value bits) { return arith::BitcastOp::create(w.builder, w.loc, w.builder.getF32Type(), bits); }

  /// Low and high half of an i64.
  std::pair<Value, Value> halves(Value wide) {
    Value low = arith::TruncIOp::create(w.builder, w.loc, w.builder.getI32Type(), wide);
    Value shift = arith::ConstantIntOp::create(w.builder, w.loc, 32, 64);
    Value high = arith::ShRUIOp::create(w.builder, w.loc, wide, shift);
    return {low, arith::TruncIOp::create(w.builder, w.loc, w.builder.getI32Type(), high)};
  }

  /// The first two words of the block of a counter.
  std::pair<Value, Value> block(Value counter, Value seed) {
    auto [c0, c1] = halves(counter);
    auto [k0, k1] = halves(seed);
    Value c2 = w.i32(0), c3 = w.i32(0);
    for (int round = 0; round < philoxRounds; ++round) {
      auto first = arith::MulUIExtendedOp::create(w.builder, w.loc, c0, word(multipliers[0]));
      auto second = arith::MulUIExtendedOp::create(w.builder, w.loc, c2, word(multipliers[1]));
      c0 = exclusiveOr(exclusiveOr(second.getHigh(), c1), k0);
      c2 = exclusiveOr(exclusiveOr(first.getHigh(), c3), k1);
      c1 = second.getLow();
      c3 = first.getLow();
      k0 = w.add(k0, word(keySteps[0]));
      k1 = w.add(k1, word(keySteps[1]));
    }
    return {c0, c1};
  }

  /// In [0, 1), a multiple of 2^-24.
  Value uniform(Value bits) { return w.mul(toF32(shiftRight(bits, 8)), w.f32(uniformStep)); }
  /// In (0, 1): never an end, so that its logarithms are finite.
  Value openUniform(Value bits) {
    Value odd = w.add(w.mul(shiftRight(bits, 9), w.i32(2)), w.i32(1));
    return w.mul(toF32(odd), w.f32(uniformStep));
  }

  /// Σ coefficients[i]·x^i, by Horner.
  Value polynomial(Value x, ArrayRef<double> coefficients) {
    Value sum = w.f32(coefficients.back());
    for (double coefficient : llvm::reverse(coefficients.drop_back()))
      sum = w.add(w.mul(sum, x), w.f32(coefficient));
    return sum;
  }

  /// ln x of a positive normal number: x = m·2^e with m near 1, ln m = 2·atanh((m - 1)/(m + 1)).
  Value logarithm(Value x) {
    Value bits = bitsOf(x);
    Value exponent = w.sub(shiftRight(bits, 23), w.i32(127));
    Value fraction = arith::AndIOp::create(w.builder, w.loc, bits, w.i32(0x7fffff));
    Value m = fromBits(arith::OrIOp::create(w.builder, w.loc, fraction, w.i32(0x3f800000)));
    Value isGreat = w.gt(m, w.f32(M_SQRT2));
    m = w.select(isGreat, w.mul(m, w.f32(0.5)), m);
    exponent = w.select(isGreat, w.add(exponent, w.i32(1)), exponent);
    Value s = w.div(w.sub(m, w.f32(1.0)), w.add(m, w.f32(1.0)));
    Value series = polynomial(w.mul(s, s), {2.0, 2.0 / 3, 2.0 / 5, 2.0 / 7, 2.0 / 9});
    // ln 2 in two parts; the first has few bits, so that its product with the exponent is exact.
    constexpr double high = 0.693359375;
    Value e = toF32(exponent);
    return w.add(w.mul(e, w.f32(high)), w.add(w.mul(s, series), w.mul(e, w.f32(M_LN2 - high))));
  }

  /// cos(2π·v) for v in [0, 1): by quarter turns, the rest of at most an eighth of a turn is exact.
  Value cosineOfTurn(Value v) {
    Value quarters = w.mul(v, w.f32(4.0));
    Value nearest = arith::FPToSIOp::create(w.builder, w.loc, w.builder.getI32Type(), w.add(quarters, w.f32(0.5)));
    Value angle = w.mul(w.sub(quarters, toF32(nearest)), w.f32(M_PI_2)), square = w.mul(angle, angle);
    Value cosine = polynomial(square, {1.0, -1.0 / 2, 1.0 / 24, -1.0 / 720, 1.0 / 40320});
    Value sine = w.mul(angle, polynomial(square, {1.0, -1.0 / 6, 1.0 / 120, -1.0 / 5040, 1.0 / 362880}));
    auto hasBit = [&](Value value, int64_t bit) {
      return w.ne(arith::AndIOp::create(w.builder, w.loc, value, w.i32(bit)), w.i32(0));
    };
    Value value = w.select(hasBit(nearest, 1), sine, cosine);
    // Minus in the second and third quarter: where bit 1 of nearest + 1 is set.
    return w.select(hasBit(w.add(nearest, w.i32(1)), 2), w.sub(w.f32(0.0), value), value);
  }

  Value negative(Value x) { return w.sub(w.f32(0.0), x); }

  Value sample(NoiseOp op, Value counter, Value seed) {
    auto [first, second] = block(counter, seed);
    switch (op.getDistribution()) {
    case NoiseDistribution::Uniform: {
      const float low = static_cast<float>(op.getLow().convertToDouble()), high = static_cast<float>(op.getHigh().convertToDouble());
      Value value = w.add(w.f32(low), w.mul(uniform(first), w.f32(high - low)));
      // Rounding must not reach the end that is excluded.
      return w.min(value, w.f32(std::nextafter(high, -std::numeric_limits<float>::infinity())));
    }
    case NoiseDistribution::Exponential:
      return negative(logarithm(openUniform(first)));
    case NoiseDistribution::Gumbel:
      return negative(logarithm(negative(logarithm(openUniform(first)))));
    case NoiseDistribution::Normal: {
      Value radius = math::SqrtOp::create(w.builder, w.loc, w.mul(w.f32(-2.0), logarithm(openUniform(first))));
      return w.mul(radius, cosineOfTurn(uniform(second)));
    }
    }
    llvm_unreachable("all distributions are listed");
  }
};

} // namespace

LogicalResult Routing::lower(NoiseOp op) {
  builder.setInsertionPoint(op);
  auto type = cast<RankedTensorType>(op.getResult().getType());
  Values extents, inputs = {op.getSeed(), op.getOffset()};
  Value count = constant(1);
  auto next = op.getSizes().begin();
  for (int64_t extent : type.getShape()) {
    extents.push_back(ShapedType::isDynamic(extent) ? *next++ : constant(extent));
    count = multiply(count, extents.back());
  }
  Value result = routine(op, count, inputs, {{extents, type.getElementType()}}, [&](Body &body) {
    LoopWriter &w = body.w;
    const Value out = body.outs[0];
    w.loop(body.begin, body.end, [&](Value number) {
      Value wide = arith::IndexCastOp::create(w.builder, w.loc, w.builder.getI64Type(), number);
      Value value = NoiseWriter{w}.sample(op, w.add(body.ins[1], wide), body.ins[0]);
      Values place(type.getRank());
      Value rest = number;
      for (int64_t dim = type.getRank() - 1; dim >= 0; --dim) {
        const Value extent = w.dim(out, dim);
        place[dim] = dim == 0 ? rest : w.rem(rest, extent);
        if (dim != 0)
          rest = w.div(rest, extent);
      }
      w.store(value, out, place);
    });
  })[0];
  if (failed(replace(cast<OpResult>(op.getResult()), result)))
    return failure();
  op.erase();
  return success();
}

} // namespace moe
