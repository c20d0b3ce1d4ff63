// exp, sigmoid and the activations as vector code.
#include "MathEmitter.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
namespace moe {

// 1.5·2^23: adding it to |v| < 2^22 rounds v to an integer (ties to even) and leaves that integer in the low bits.
static constexpr double roundingShift = 12582912.0;
static constexpr int64_t roundingShiftBits = 0x4B400000;

Value MathEmitter::horner(Value x, ArrayRef<double> coefficients) {
  Value sum = b.splat(coefficients.front());
  for (double coefficient : coefficients.drop_front())
    sum = b.fma(sum, x, b.splat(coefficient));
  return sum;
}

// x·2^n by two exact factors 2^(n/2): n reaches -150 (subnormal results) and 128 (overflow), beyond one factor's exponent.
// `shifted` is n + roundingShift. A NaN in it gives any factors, and x is NaN then.
Value MathEmitter::timesPowerOfTwo(Value x, Value shifted) {
  const auto powerOfTwo = [&](Value exponent) -> Value {
    Value biased = arith::AddIOp::create(b, exponent, b.splatInt(127));
    return arith::BitcastOp::create(b, b.f32Vector(), Value(arith::ShLIOp::create(b, biased, b.splatInt(23))));
  };
  Value bits = arith::BitcastOp::create(b, b.i32Vector(), shifted);
  Value n = b.sub(bits, b.splatInt(roundingShiftBits));
  Value half = arith::ShRSIOp::create(b, n, b.splatInt(1));
  return b.mulf(b.mulf(x, powerOfTwo(half)), powerOfTwo(b.sub(n, half)));
}

Value MathEmitter::exp(Value x) {
  // Outside the clamp the result is 0 or infinite anyway; inside, n has few bits and the reduction is exact.
  x = b.atMost(b.atLeast(x, b.splat(-104.0)), b.splat(89.0));
  Value scaled = b.mulf(x, b.splat(1.44269504088896341));
  Value shifted, n;
  if (b.isa.hasScale) {
    n = math::RoundEvenOp::create(b, scaled);
  } else {
    shifted = b.addf(scaled, b.splat(roundingShift));
    n = b.subf(shifted, b.splat(roundingShift));
  }
  // r = x - n·ln 2, ln 2 in two parts; the first has few bits, so that its product with n is exact.
  Value r = b.fma(n, b.splat(-0.693359375), x);
  r = b.fma(n, b.splat(2.12194440e-4), r);
  // e^r = 1 + r + r²·p(r) on |r| <= ln(2)/2.
  Value p = horner(r, {1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1});
  Value q = b.addf(b.fma(p, b.mulf(r, r), r), b.splat(1.0));
  if (!b.isa.hasScale)
    return timesPowerOfTwo(q, shifted);
  // Operands of the intrinsic: value, exponent, value of masked lanes, mask, rounding (8: nearest, no exceptions).
  Value allLanes = arith::ConstantOp::create(b, b.getI16IntegerAttr(-1));
  Value nearest = b.i32(8);
  return LLVM::CallIntrinsicOp::create(b, b.f32Vector(), b.getStringAttr("llvm.x86.avx512.mask.scalef.ps.512"),
                                       ValueRange{q, n, q, allLanes, nearest})
      .getResult(0);
}

Value MathEmitter::sigmoid(Value x) {
  Value one = b.splat(1.0);
  Value negated = arith::NegFOp::create(b, x);
  return b.divf(one, b.addf(exp(negated), one));
}

// x·(1 - erfc(x/√2)/2) for x > 0 and x·erfc(|x|/√2)/2 for x < 0: no cancellation on either side. erfc(z) = t·p(t)·e^(-z²) with
// t = 1/(1 + 0.3275911·z), formula 7.1.26 of Abramowitz and Stegun, absolute error 1.5e-7.
Value MathEmitter::geluErf(Value x) {
  Value zero = b.splat(0.0);
  // Beyond 14 the tail is below the smallest normal number; the clamp keeps inf·0 out.
  Value magnitude = b.atMost(math::AbsFOp::create(b, x), b.splat(14.0));
  Value t = b.divf(b.splat(1.0), b.fma(magnitude, b.splat(0.3275911 * 0.70710678118654752), b.splat(1.0)));
  Value p = b.mulf(horner(t, {1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592}), t);
  Value e = exp(b.mulf(b.mulf(magnitude, magnitude), b.splat(-0.5)));
  Value tail = b.mulf(b.mulf(b.mulf(magnitude, b.splat(0.5)), p), e);
  return b.subf(b.atLeast(x, zero), tail);
}

// tanh by way of the sigmoid: (1 + tanh z)/2 = sigmoid(2z), without the cancellation of 1 + tanh for negative z.
Value MathEmitter::geluTanh(Value x) {
  Value inner = b.fma(b.mulf(x, x), b.splat(0.044715), b.splat(1.0));
  Value z = b.mulf(b.mulf(x, inner), b.splat(-1.59576912160573071));
  return b.divf(x, b.addf(exp(z), b.splat(1.0)));
}

Value MathEmitter::activation(Activation kind, double alpha, Value x) {
  switch (kind) {
  case Activation::Identity:
    return x;
  case Activation::Relu:
    return b.atLeast(x, b.splat(0.0));
  case Activation::Relu2: {
    Value positive = b.atLeast(x, b.splat(0.0));
    return b.mulf(positive, positive);
  }
  case Activation::Silu: {
    Value e = exp(b.mulf(x, b.splat(-alpha)));
    return b.divf(x, b.addf(e, b.splat(1.0)));
  }
  case Activation::GeluErf:
    return geluErf(x);
  case Activation::GeluTanh:
    return geluTanh(x);
  }
  return x;
}

} // namespace moe
