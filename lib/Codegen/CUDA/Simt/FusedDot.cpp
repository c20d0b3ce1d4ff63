// The sum of a chunk in 64-bit integers: at most 33 terms of F + 2 bits.
#include "FusedDot.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace moe::simt {

namespace {

struct Scaled {
  double significand; // 1 to 2, or below 1 for a subnormal; the sign is here
  int exponent;
};

Scaled scale(double value, int least) {
  if (value == 0)
    return {0, least};
  int exponent = 0;
  double significand = std::frexp(value, &exponent) * 2;
  --exponent;
  if (exponent < least) {
    significand = std::ldexp(significand, exponent - least);
    exponent = least;
  }
  return {significand, exponent};
}

uint32_t asBits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

/// Towards zero; what is too big becomes infinity.
float cutToFloat(double value) {
  const double magnitude = std::fabs(value);
  if (magnitude >= std::ldexp(1.0, 128))
    return std::copysign(INFINITY, static_cast<float>(value > 0 ? 1 : -1));
  const Scaled scaled = scale(magnitude, -126);
  const double cut = std::ldexp(std::trunc(std::ldexp(scaled.significand, 23)), scaled.exponent - 23);
  // Never a negative zero.
  return cut == 0 ? 0.0f : static_cast<float>(value < 0 ? -cut : cut);
}

/// To nearest, ties to even.
uint32_t roundToHalf(double value) {
  const uint32_t sign = value < 0 ? 0x8000 : 0;
  const double magnitude = std::fabs(value);
  if (magnitude >= 65520.0)
    return sign | 0x7C00;
  const Scaled scaled = scale(magnitude, -14);
  const auto units = static_cast<uint32_t>(std::nearbyint(std::ldexp(scaled.significand, 10)));
  if (units == 0)
    return 0;
  if (units < 1024)
    return sign | units;
  // 2048 carries into the exponent by itself.
  return (sign | static_cast<uint32_t>(scaled.exponent + 14) << 10) + units;
}

float widenHalf(uint32_t bits) {
  const double magnitude = (bits & 0x7C00) ? std::ldexp(1024 + (bits & 1023), static_cast<int>(bits >> 10 & 31) - 25) : std::ldexp(bits & 1023, -24);
  return static_cast<float>(bits & 0x8000 ? -magnitude : magnitude);
}

/// The exact sum of what is left of each term after it was lined up.
double alignedSum(const DotModel &model, const double *a, const double *b, uint32_t count, double c) {
  Scaled terms[65];
  int greatest = -1000000;
  auto add = [&](uint32_t i, Scaled term) {
    if (term.significand == 0)
      term.exponent = model.zeroExponent;
    greatest = std::max(greatest, term.exponent);
    terms[i] = term;
  };
  for (uint32_t i = 0; i < count; ++i) {
    const Scaled x = scale(a[i], model.leastA), y = scale(b[i], model.leastB);
    add(i, {x.significand * y.significand, x.exponent + y.exponent});
  }
  add(count, scale(c, model.toHalf ? -14 : -126));
  int64_t sum = 0;
  for (uint32_t i = 0; i <= count; ++i)
    sum += static_cast<int64_t>(std::trunc(std::ldexp(terms[i].significand, terms[i].exponent - greatest + model.fractionBits)));
  return std::ldexp(static_cast<double>(sum), greatest - model.fractionBits);
}

} // namespace

DotModel dotModel(uint32_t arch, uint32_t bits, int leastA, int leastB, bool toHalf) {
  const bool hopper = arch >= 90;
  const uint32_t chunkBits = hopper ? 256 : 128;
  return {hopper ? 25 : 24, chunkBits / bits, toHalf ? (hopper ? -21 : -20) : (hopper ? -133 : -132), leastA, leastB, toHalf};
}

uint32_t fusedDot(const DotModel &model, const double *a, const double *b, uint32_t depth, double c) {
  double special = c;
  for (uint32_t k = 0; k < depth; ++k)
    special += a[k] * b[k];
  // Infinities and NaNs go through as they would in any order.
  if (!std::isfinite(special) && !std::isnan(special))
    return model.toHalf ? (special > 0 ? 0x7C00 : 0xFC00) : asBits(static_cast<float>(special));
  if (std::isnan(special))
    return model.toHalf ? 0x7FFF : 0x7FFFFFFF;
  uint32_t bits = model.toHalf ? roundToHalf(c) : asBits(static_cast<float>(c));
  for (uint32_t first = 0; first < depth; first += model.chunk) {
    const double sum = alignedSum(model, a + first, b + first, std::min(model.chunk, depth - first), c);
    bits = model.toHalf ? roundToHalf(sum) : asBits(cutToFloat(sum));
    float next;
    std::memcpy(&next, &bits, sizeof(next));
    c = model.toHalf ? widenHalf(bits) : next;
    if (!std::isfinite(c))
      break;
  }
  return bits;
}

} // namespace moe::simt
