// Conversions that LLVM calls for f16 and bf16 on base x86-64, where the compiler's own library has them hidden in each program.
#include <cstdint>
#include <cstring>

#define MOE_SIMT_EXPORT __attribute__((visibility("default")))

namespace {

uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

float floatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

/// f16 travels in the low bits of an XMM register, as a float does.
uint16_t lowHalf(float carrier) { return static_cast<uint16_t>(bitsOf(carrier)); }
float carry(uint16_t half) { return floatOf(half); }

float widen(uint16_t half) {
  const uint32_t sign = uint32_t(half & 0x8000) << 16, rest = half & 0x7FFF;
  if (rest >= 0x7C00)
    return floatOf(sign | 0x7F800000 | (rest & 0x3FF) << 13);
  // A product with 2^112 shifts the exponent's bias, and makes subnormals normal.
  const float scaled = floatOf(rest << 13) * floatOf(0x77800000);
  return floatOf(sign | bitsOf(scaled));
}

/// To nearest, ties to even.
uint16_t narrow(float value) {
  const uint32_t bits = bitsOf(value), sign = bits >> 16 & 0x8000, rest = bits & 0x7FFFFFFF;
  if (rest > 0x7F800000)
    return static_cast<uint16_t>(sign | 0x7E00 | (rest >> 13 & 0x3FF));
  if (rest >= 0x477FF000) // 65520
    return static_cast<uint16_t>(sign | 0x7C00);
  if (rest < 0x38800000) { // below 2^-14: the sum with 0.5 rounds to multiples of 2^-24
    const float shifted = floatOf(rest) + 0.5f;
    return static_cast<uint16_t>(sign | (bitsOf(shifted) - 0x3F000000));
  }
  const uint32_t odd = rest >> 13 & 1;
  return static_cast<uint16_t>(sign | ((rest - 0x38000000 + 0xFFF + odd) >> 13));
}

uint16_t narrowBrain(float value) {
  const uint32_t bits = bitsOf(value);
  if ((bits & 0x7FFFFFFF) > 0x7F800000)
    return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

/// f64 to f32 with the last bit odd where it is not exact, so that rounding once more rounds rightly.
float toOdd(double value) {
  const auto rounded = static_cast<float>(value);
  const double back = rounded;
  if (back == value || value != value)
    return rounded;
  uint32_t bits = bitsOf(rounded);
  const bool tooFar = (back > value) == (value > 0);
  if (tooFar)
    --bits;
  return floatOf(bits | 1);
}

} // namespace

extern "C" {

MOE_SIMT_EXPORT float __extendhfsf2(float carrier) { return widen(lowHalf(carrier)); }
MOE_SIMT_EXPORT float __truncsfhf2(float value) { return carry(narrow(value)); }
MOE_SIMT_EXPORT float __truncdfhf2(double value) { return carry(narrow(toOdd(value))); }
MOE_SIMT_EXPORT float __truncsfbf2(float value) { return carry(narrowBrain(value)); }
MOE_SIMT_EXPORT float __truncdfbf2(double value) { return carry(narrowBrain(toOdd(value))); }

} // extern "C"
