// Sums of tensor cores in 64-bit integers: at most 33 terms of F + 2 bits, F being 24 or 25.
#include "FusedDot.h"

#include "moe/Codegen/CUDA/Simt/Abi.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace moe::simt {

namespace {

/// A binary format: exponent bits, fraction bits, and whether the highest exponent is for infinities and NaNs.
struct Format {
  int exponentBits, fractionBits;
  bool hasInfinity;

  int bias() const { return (1 << (exponentBits - 1)) - 1; }
  int least() const { return 1 - bias(); }
};

Format formatOf(uint32_t type) {
  switch (type) {
  case simtF16:
    return {5, 10, true};
  case simtBF16:
    return {8, 7, true};
  case simtTF32:
    return {8, 10, true};
  case simtE4M3:
    return {4, 3, false};
  case simtE5M2:
    return {5, 2, true};
  default:
    return {8, 23, true};
  }
}

/// magnitude * 2^-drop, towards zero.
uint64_t shifted(uint64_t magnitude, int drop) {
  if (drop >= 64)
    return 0;
  return drop >= 0 ? magnitude >> drop : magnitude << -drop;
}

/// sum * 2^unit as an f32, cut towards zero; never a negative zero.
uint32_t cutToFloat(int64_t sum, int unit) {
  if (sum == 0)
    return 0;
  const uint32_t sign = sum < 0 ? 0x80000000 : 0;
  const auto magnitude = static_cast<uint64_t>(sum < 0 ? -sum : sum);
  const int top = 63 - __builtin_clzll(magnitude), exponent = top + unit;
  if (exponent > 127)
    return sign | 0x7F800000;
  if (exponent < -126) {
    const auto units = static_cast<uint32_t>(shifted(magnitude, -149 - unit));
    return units ? sign | units : 0;
  }
  return sign | static_cast<uint32_t>(exponent + 127) << 23 | (static_cast<uint32_t>(shifted(magnitude, top - 23)) & 0x7FFFFF);
}

/// sum * 2^unit as an f16, to nearest, ties to even.
uint32_t roundToHalf(int64_t sum, int unit) {
  if (sum == 0)
    return 0;
  const uint32_t sign = sum < 0 ? 0x8000 : 0;
  const auto magnitude = static_cast<uint64_t>(sum < 0 ? -sum : sum);
  const int top = 63 - __builtin_clzll(magnitude), exponent = std::max(top + unit, -14);
  if (exponent > 15)
    return sign | 0x7C00;
  const int drop = exponent - 10 - unit;
  uint64_t units = shifted(magnitude, drop);
  if (drop > 0 && drop < 64) {
    const uint64_t rest = magnitude - (units << drop), half = uint64_t(1) << (drop - 1);
    units += rest > half || (rest == half && (units & 1));
  }
  if (units == 0)
    return 0;
  // 2^10 units are the least normal number; 2^11 carry into the exponent, and past the greatest into infinity.
  const uint32_t bits = (static_cast<uint32_t>(exponent + 14) << 10) + static_cast<uint32_t>(units);
  return sign | (units < 1024 ? static_cast<uint32_t>(units) : std::min<uint32_t>(bits, 0x7C00));
}

/// A term of a sum: significand * 2^(exponent - F).
struct Term {
  int64_t significand;
  int exponent;
};

/// The sum of what is left of each term after it was lined up, in units of 2^(greatest - F).
int64_t alignedSum(const Term *terms, uint32_t count, int greatest) {
  int64_t sum = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const int64_t sign = terms[i].significand >> 63, magnitude = (terms[i].significand ^ sign) - sign;
    const int64_t kept = magnitude >> std::min(greatest - terms[i].exponent, 63);
    sum += (kept ^ sign) - sign;
  }
  return sum;
}

float valueOf(const Number &number, int fractionBits) {
  return number.isFinite ? std::ldexp(static_cast<float>(number.significand), number.exponent - fractionBits) : number.special;
}

} // namespace

Number decode(uint32_t type, uint32_t bits) {
  if (type == simtTF32)
    bits >>= 13;
  const Format format = formatOf(type);
  const uint32_t fractionMask = (1u << format.fractionBits) - 1, highest = (1u << format.exponentBits) - 1;
  const uint32_t fraction = bits & fractionMask, exponent = bits >> format.fractionBits & highest;
  const bool negative = bits >> (format.fractionBits + format.exponentBits) & 1;
  Number number;
  if (exponent == highest && (format.hasInfinity || fraction == fractionMask)) {
    number.isFinite = false;
    number.special = format.hasInfinity && fraction == 0 ? INFINITY : NAN;
    number.special = negative ? -number.special : number.special;
    return number;
  }
  const auto significand = static_cast<int32_t>(exponent ? fraction | 1u << format.fractionBits : fraction);
  number.significand = negative ? -significand : significand;
  number.exponent = exponent ? static_cast<int32_t>(exponent) - format.bias() : format.least();
  return number;
}

DotModel dotModel(uint32_t arch, uint32_t typeA, uint32_t typeB, uint32_t result) {
  const bool hopper = arch >= 90, half = result == simtF16;
  const Format a = formatOf(typeA), b = formatOf(typeB);
  // A chunk is as many elements as fit 16 or 32 bytes of a register file; tf32 takes four bytes.
  const uint32_t elementBytes = typeA == simtTF32 ? 4 : a.fractionBits + a.exponentBits >= 15 ? 2 : 1;
  return {hopper ? 25 : 24, (hopper ? 32 : 16) / elementBytes, half ? (hopper ? -21 : -20) : (hopper ? -133 : -132),
          a.fractionBits, b.fractionBits, result};
}

uint32_t fusedDot(const DotModel &model, const Number *a, const Number *b, uint32_t depth, uint32_t c) {
  const bool half = model.result == simtF16;
  const Format format = formatOf(model.result);
  auto special = [&](double sum) -> uint32_t {
    if (std::isnan(sum))
      return half ? 0x7FFF : 0x7FFFFFFF;
    return half ? (sum > 0 ? 0x7C00 : 0xFC00) : (sum > 0 ? 0x7F800000 : 0xFF800000);
  };
  for (uint32_t first = 0; first < depth; first += model.chunk) {
    const Number start = decode(model.result, c);
    Term terms[65];
    const uint32_t count = std::min(model.chunk, depth - first);
    bool finite = start.isFinite;
    int greatest = -100000;
    auto add = [&](uint32_t i, Term term) {
      if (term.significand == 0)
        term.exponent = model.zeroExponent;
      greatest = std::max(greatest, term.exponent);
      terms[i] = term;
    };
    for (uint32_t i = 0; i < count; ++i) {
      const Number &x = a[first + i], &y = b[first + i];
      finite &= x.isFinite && y.isFinite;
      add(i, {(int64_t(x.significand) * y.significand) * (int64_t(1) << (model.sumBits - model.bitsA - model.bitsB)), x.exponent + y.exponent});
    }
    if (!finite) {
      // Infinities and NaNs go through as they would in any order.
      double sum = valueOf(start, format.fractionBits);
      for (uint32_t i = 0; i < count; ++i)
        sum += double(valueOf(a[first + i], model.bitsA)) * valueOf(b[first + i], model.bitsB);
      c = special(sum);
      continue;
    }
    add(count, {int64_t(start.significand) * (int64_t(1) << (model.sumBits - format.fractionBits)), start.exponent});
    const int64_t sum = alignedSum(terms, count + 1, greatest);
    c = half ? roundToHalf(sum, greatest - model.sumBits) : cutToFloat(sum, greatest - model.sumBits);
  }
  return c;
}

} // namespace moe::simt
