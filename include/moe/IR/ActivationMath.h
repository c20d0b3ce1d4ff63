// exp, sigmoid, tanh and the activations of experts on f32, written once for every target: the CPU's vectors of a version's width and the one
// number of a GPU's thread round alike. By hand, because a libm call per lane costs 15 to 46 times as much, because one arithmetic on every path
// keeps results independent of rows and threads, and because the formulas need no approximate instruction of a GPU.
#ifndef MOE_IR_ACTIVATIONMATH_H
#define MOE_IR_ACTIVATIONMATH_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "moe/IR/MoeDialect.h"

#include <cmath>

namespace moe {

/// `Builder` has `splat` and `splatInt` (a number as the f32 or i32 operand of its operations), their types `f32Vector()` and `i32Vector()`,
/// arithmetic on both (`addf` … `fma`, `atLeast`, `atMost`, `sub`, `select`), and `roundsAndScales`: whether it may have instructions that
/// round to an integer and multiply by a power of two (`hasScale()`, `scale(x, n)`).
template <typename Builder> class ActivationMath {
public:
  using Value = mlir::Value;

  explicit ActivationMath(Builder &builder) : b(builder) {}

  /// e^x: relative error below 1e-7 where the result is normal; 0 for -inf, +inf for +inf and above 88.73, NaN for NaN.
  Value exp(Value x) {
    // Outside the clamp the result is 0 or infinite anyway; inside, n has few bits and the reduction is exact.
    x = b.atMost(b.atLeast(x, b.splat(-104.0)), b.splat(89.0));
    Value scaled = b.mulf(x, b.splat(1.44269504088896341));
    if constexpr (Builder::roundsAndScales) {
      if (b.hasScale()) {
        Value n = mlir::math::RoundEvenOp::create(b, scaled);
        return b.scale(expOfRest(x, n), n);
      }
    }
    Value shifted = b.addf(scaled, b.splat(roundingShift));
    return timesPowerOfTwo(expOfRest(x, b.subf(shifted, b.splat(roundingShift))), shifted);
  }

  /// 1 / (1 + e^-x).
  Value sigmoid(Value x) {
    Value one = b.splat(1.0), negated = mlir::arith::NegFOp::create(b, x);
    return b.divf(one, b.addf(exp(negated), one));
  }

  /// |x| < 0.625: an odd polynomial; above, 1 − 2 / (e^2x + 1), which does not cancel there.
  Value tanh(Value x) {
    Value square = b.mulf(x, x);
    Value sum = horner(square, {-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1});
    Value small = b.fma(b.mulf(sum, square), x, x);
    Value large = b.subf(b.splat(1.0), b.divf(b.splat(2.0), b.addf(exp(b.addf(x, x)), b.splat(1.0))));
    Value isSmall = mlir::arith::CmpFOp::create(b, mlir::arith::CmpFPredicate::OLT, magnitude(x), b.splat(0.625));
    return b.select(isSmall, small, large);
  }

  /// `alpha` is the factor inside silu's sigmoid. gelu_erf has an absolute error below 1e-6.
  Value activation(Activation kind, double alpha, Value x) {
    switch (kind) {
    case Activation::Identity:
      return x;
    case Activation::Relu:
      return b.atLeast(x, b.splat(0.0));
    case Activation::Relu2: {
      Value positive = b.atLeast(x, b.splat(0.0));
      return b.mulf(positive, positive);
    }
    case Activation::Silu:
      return b.divf(x, b.addf(exp(b.mulf(x, b.splat(-alpha))), b.splat(1.0)));
    case Activation::GeluErf:
      return geluErf(x);
    case Activation::GeluTanh:
      return geluTanh(x);
    }
    return x;
  }

  /// act(g')·(u' + up_offset) of clamped g' and u', see `#moe.ffn`.
  Value gated(FfnAttr ffn, Value gate, Value up) {
    const double limit = ffn.limitValue(), offset = ffn.upOffsetValue();
    if (std::isfinite(limit)) {
      gate = b.atMost(gate, b.splat(limit));
      up = b.atMost(b.atLeast(up, b.splat(-limit)), b.splat(limit));
    }
    if (offset != 0.0)
      up = b.addf(up, b.splat(offset));
    return b.mulf(activation(ffn.getActivation(), ffn.alphaValue(), gate), up);
  }

private:
  // 1.5·2^23: adding it to |v| < 2^22 rounds v to an integer (ties to even) and leaves that integer in the low bits.
  static constexpr double roundingShift = 12582912.0;
  static constexpr int64_t roundingShiftBits = 0x4B400000;

  Value magnitude(Value x) { return mlir::math::AbsFOp::create(b, x); }

  Value horner(Value x, llvm::ArrayRef<double> coefficients) {
    Value sum = b.splat(coefficients.front());
    for (double coefficient : coefficients.drop_front())
      sum = b.fma(sum, x, b.splat(coefficient));
    return sum;
  }

  /// e^(x − n·ln 2) = 1 + r + r²·p(r) on |r| <= ln(2)/2.
  Value expOfRest(Value x, Value n) {
    // ln 2 in two parts; the first has few bits, so that its product with n is exact.
    Value r = b.fma(n, b.splat(-0.693359375), x);
    r = b.fma(n, b.splat(2.12194440e-4), r);
    Value p = horner(r, {1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1});
    return b.addf(b.fma(p, b.mulf(r, r), r), b.splat(1.0));
  }

  /// x·2^n by two exact factors 2^(n/2): n reaches -150 (subnormal results) and 128 (overflow), beyond one factor's exponent.
  /// `shifted` is n + roundingShift. A NaN in it gives any factors, and x is NaN then.
  Value timesPowerOfTwo(Value x, Value shifted) {
    const auto powerOfTwo = [&](Value exponent) -> Value {
      Value biased = mlir::arith::AddIOp::create(b, exponent, b.splatInt(127));
      return mlir::arith::BitcastOp::create(b, b.f32Vector(), Value(mlir::arith::ShLIOp::create(b, biased, b.splatInt(23))));
    };
    Value bits = mlir::arith::BitcastOp::create(b, b.i32Vector(), shifted);
    Value n = b.sub(bits, b.splatInt(roundingShiftBits));
    Value half = mlir::arith::ShRSIOp::create(b, n, b.splatInt(1));
    return b.mulf(b.mulf(x, powerOfTwo(half)), powerOfTwo(b.sub(n, half)));
  }

  /// x·(1 - erfc(x/√2)/2) for x > 0 and x·erfc(|x|/√2)/2 for x < 0: no cancellation on either side. erfc(z) = t·p(t)·e^(-z²) with
  /// t = 1/(1 + 0.3275911·z), formula 7.1.26 of Abramowitz and Stegun, absolute error 1.5e-7.
  Value geluErf(Value x) {
    // Beyond 14 the tail is below the smallest normal number; the clamp keeps inf·0 out.
    Value size = b.atMost(magnitude(x), b.splat(14.0));
    Value t = b.divf(b.splat(1.0), b.fma(size, b.splat(0.3275911 * 0.70710678118654752), b.splat(1.0)));
    Value p = b.mulf(horner(t, {1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592}), t);
    Value e = exp(b.mulf(b.mulf(size, size), b.splat(-0.5)));
    Value tail = b.mulf(b.mulf(b.mulf(size, b.splat(0.5)), p), e);
    return b.subf(b.atLeast(x, b.splat(0.0)), tail);
  }

  /// tanh by way of the sigmoid: (1 + tanh z)/2 = sigmoid(2z), without the cancellation of 1 + tanh for negative z.
  Value geluTanh(Value x) {
    Value inner = b.fma(b.mulf(x, x), b.splat(0.044715), b.splat(1.0));
    Value z = b.mulf(b.mulf(x, inner), b.splat(-1.59576912160573071));
    return b.divf(x, b.addf(exp(z), b.splat(1.0)));
  }

  Builder &b;
};

} // namespace moe

#endif // MOE_IR_ACTIVATIONMATH_H
