// exp, sigmoid and the activations as scalar GPU code.
#include "GpuMath.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
namespace moe {

// 1.5·2^23: adding it to |v| < 2^22 rounds v to an integer (ties to even) and leaves that integer in the low bits.
static constexpr double roundingShift = 12582912.0;
static constexpr int64_t roundingShiftBits = 0x4B400000;

Value GpuMath::horner(Value x, ArrayRef<double> coefficients) {
  Value sum = b.f32(coefficients.front());
  for (double coefficient : coefficients.drop_front())
    sum = b.fma(sum, x, b.f32(coefficient));
  return sum;
}

Value GpuMath::exp(Value x) {
  // Outside the clamp the result is 0 or infinite anyway; inside, n has few bits and the reduction is exact.
  x = b.atMost(b.atLeast(x, b.f32(-104.0)), b.f32(89.0));
  Value shifted = b.addf(b.mulf(x, b.f32(1.44269504088896341)), b.f32(roundingShift));
  Value n = b.subf(shifted, b.f32(roundingShift));
  // r = x - n·ln 2, ln 2 in two parts; the first has few bits, so that its product with n is exact.
  Value r = b.fma(n, b.f32(-0.693359375), x);
  r = b.fma(n, b.f32(2.12194440e-4), r);
  // e^r = 1 + r + r²·p(r) on |r| <= ln(2)/2.
  Value p = horner(r, {1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1});
  Value q = b.addf(b.fma(p, b.mulf(r, r), r), b.f32(1.0));
  // q·2^n by two exact factors 2^(n/2): n reaches -150 and 128, beyond one factor's exponent.
  const auto powerOfTwo = [&](Value exponent) -> Value {
    Value bits = arith::ShLIOp::create(b, b.add(exponent, 127), b.i32(23));
    return arith::BitcastOp::create(b, b.getF32Type(), bits);
  };
  Value exponent = b.sub(Value(arith::BitcastOp::create(b, b.getI32Type(), shifted)), roundingShiftBits);
  Value half = arith::ShRSIOp::create(b, exponent, b.i32(1));
  return b.mulf(b.mulf(q, powerOfTwo(half)), powerOfTwo(b.sub(exponent, half)));
}

Value GpuMath::sigmoid(Value x) {
  Value one = b.f32(1.0), negated = arith::NegFOp::create(b, x);
  return b.divf(one, b.addf(exp(negated), one));
}

// |x| < 0.625: an odd polynomial; above, 1 − 2 / (e^2x + 1), which does not cancel there.
Value GpuMath::tanh(Value x) {
  Value square = b.mulf(x, x);
  Value sum = horner(square, {-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1});
  Value small = b.fma(b.mulf(sum, square), x, x);
  Value large = b.subf(b.f32(1.0), b.divf(b.f32(2.0), b.addf(exp(b.addf(x, x)), b.f32(1.0))));
  Value isSmall = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, math::AbsFOp::create(b, x), b.f32(0.625));
  return b.select(isSmall, small, large);
}

// x·(1 - erfc(x/√2)/2) for x > 0 and x·erfc(|x|/√2)/2 for x < 0; erfc by formula 7.1.26 of Abramowitz and Stegun, absolute error 1.5e-7.
Value GpuMath::geluErf(Value x) {
  // Beyond 14 the tail is below the smallest normal number; the clamp keeps inf·0 out.
  Value magnitude = b.atMost(math::AbsFOp::create(b, x), b.f32(14.0));
  Value t = b.divf(b.f32(1.0), b.fma(magnitude, b.f32(0.3275911 * 0.70710678118654752), b.f32(1.0)));
  Value p = b.mulf(horner(t, {1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592}), t);
  Value e = exp(b.mulf(b.mulf(magnitude, magnitude), b.f32(-0.5)));
  Value tail = b.mulf(b.mulf(b.mulf(magnitude, b.f32(0.5)), p), e);
  return b.subf(b.atLeast(x, b.f32(0.0)), tail);
}

// tanh by way of the sigmoid: (1 + tanh z)/2 = sigmoid(2z), without the cancellation of 1 + tanh for negative z.
Value GpuMath::geluTanh(Value x) {
  Value inner = b.fma(b.mulf(x, x), b.f32(0.044715), b.f32(1.0));
  Value z = b.mulf(b.mulf(x, inner), b.f32(-1.59576912160573071));
  return b.divf(x, b.addf(exp(z), b.f32(1.0)));
}

Value GpuMath::activation(Activation kind, double alpha, Value x) {
  switch (kind) {
  case Activation::Identity:
    return x;
  case Activation::Relu:
    return b.atLeast(x, b.f32(0.0));
  case Activation::Relu2: {
    Value positive = b.atLeast(x, b.f32(0.0));
    return b.mulf(positive, positive);
  }
  case Activation::Silu:
    return b.divf(x, b.addf(exp(b.mulf(x, b.f32(-alpha))), b.f32(1.0)));
  case Activation::GeluErf:
    return geluErf(x);
  case Activation::GeluTanh:
    return geluTanh(x);
  }
  return x;
}

Value GpuMath::gated(FfnAttr ffn, Value gate, Value up) {
  const double limit = ffn.limitValue(), offset = ffn.upOffsetValue();
  if (std::isfinite(limit)) {
    gate = b.atMost(gate, b.f32(limit));
    up = b.atMost(b.atLeast(up, b.f32(-limit)), b.f32(limit));
  }
  if (offset != 0.0)
    up = b.addf(up, b.f32(offset));
  return b.mulf(activation(ffn.getActivation(), ffn.alphaValue(), gate), up);
}

} // namespace moe
