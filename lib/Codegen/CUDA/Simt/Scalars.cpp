// Functions of one thread alone that LLVM has no op for: byte permutation, small floats, dot products of bytes.
#include "FusedDot.h"

#include "moe/Codegen/CUDA/Simt/Abi.h"

#include <cmath>
#include <cstring>

#define MOE_SIMT_EXPORT __attribute__((visibility("default")))

using namespace moe::simt;

namespace {

uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

} // namespace

extern "C" {

MOE_SIMT_EXPORT uint32_t simt_permute(uint32_t lo, uint32_t hi, uint32_t selector) {
  const uint64_t bytes = lo | uint64_t(hi) << 32;
  uint32_t result = 0;
  for (uint32_t i = 0; i < 4; ++i) {
    const uint32_t nibble = selector >> (4 * i) & 15;
    auto byte = static_cast<uint32_t>(bytes >> (8 * (nibble & 7)) & 0xFF);
    if (nibble & 8)
      byte = byte & 0x80 ? 0xFF : 0;
    result |= byte << (8 * i);
  }
  return result;
}

MOE_SIMT_EXPORT uint32_t simt_to_tf32(float value, uint32_t rounding) {
  uint32_t bits = bitsOf(value);
  if ((bits & 0x7F800000) == 0x7F800000)
    return bits & 0x7FFFFF ? 0x7FFFFFFF : bits;
  if (rounding == 5)
    bits += 0x1000;
  else if (rounding != 4)
    bits += 0xFFF + (bits >> 13 & 1);
  return bits & ~0x1FFFu;
}

MOE_SIMT_EXPORT uint32_t simt_to_fp8(float value, uint32_t type) {
  const bool isE4 = type == simtE4M3;
  const int fractionBits = isE4 ? 3 : 2, least = isE4 ? -6 : -14, bias = isE4 ? 7 : 15;
  const uint32_t greatest = isE4 ? 0x7E : 0x7B, sign = std::signbit(value) ? 0x80 : 0;
  if (std::isnan(value))
    return 0x7F;
  const float magnitude = std::fabs(value);
  if (magnitude == 0)
    return sign;
  int exponent = magnitude < std::ldexp(1.0f, least) ? least : std::ilogb(magnitude);
  if (exponent > 127 - bias)
    return sign | greatest;
  // In units of the last bit; a carry goes into the exponent by itself.
  const auto units = static_cast<uint32_t>(std::nearbyint(std::ldexp(magnitude, fractionBits - exponent)));
  const uint32_t bits = units + (static_cast<uint32_t>(exponent - least) << fractionBits);
  return sign | (bits > greatest ? greatest : bits);
}

MOE_SIMT_EXPORT float simt_from_fp8(uint32_t bits, uint32_t type) {
  const Number number = decode(type, bits & 0xFF);
  if (!number.isFinite)
    return number.special;
  const float magnitude = std::ldexp(std::fabs(static_cast<float>(number.significand)), number.exponent - (type == simtE4M3 ? 3 : 2));
  return bits & 0x80 ? -magnitude : magnitude;
}

MOE_SIMT_EXPORT uint32_t simt_dot4(uint32_t a, uint32_t aIsSigned, uint32_t b, uint32_t bIsSigned, uint32_t c) {
  auto byteOf = [](uint32_t word, uint32_t i, uint32_t isSigned) {
    const auto byte = static_cast<uint8_t>(word >> (8 * i));
    return isSigned ? static_cast<int32_t>(static_cast<int8_t>(byte)) : static_cast<int32_t>(byte);
  };
  for (uint32_t i = 0; i < 4; ++i)
    c += static_cast<uint32_t>(byteOf(a, i, aIsSigned) * byteOf(b, i, bIsSigned));
  return c;
}

} // extern "C"
