// ldmatrix, stmatrix and mma.sync. Which lane holds which element: PTX ISA, "Matrix fragments". A product's sum is made in f64 and rounded
// once; the hardware's own order and truncation are not modelled, so only sums that are exact are the same to the bit.
#include "Collectives.h"

#include <cmath>
#include <cstring>

#define MOE_SIMT_EXPORT __attribute__((visibility("default")))

namespace moe::simt {

namespace {

constexpr uint32_t rowsOfMatrix = 8, rowBytes = 16;

float asFloat(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

uint32_t asBits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

/// A small float with an implicit bit and subnormals.
float decodeSmall(uint32_t bits, uint32_t exponentBits, uint32_t mantissaBits, bool hasInfinity) {
  const uint32_t sign = bits >> (exponentBits + mantissaBits) & 1, mantissa = bits & ((1u << mantissaBits) - 1);
  const uint32_t exponent = bits >> mantissaBits & ((1u << exponentBits) - 1), highest = (1u << exponentBits) - 1;
  const int bias = (1 << (exponentBits - 1)) - 1;
  float value;
  if (exponent == highest && hasInfinity)
    value = mantissa ? NAN : INFINITY;
  else if (!hasInfinity && exponent == highest && mantissa == (1u << mantissaBits) - 1)
    value = NAN;
  else if (exponent == 0)
    value = std::ldexp(static_cast<float>(mantissa), 1 - bias - static_cast<int>(mantissaBits));
  else
    value = std::ldexp(static_cast<float>(mantissa | 1u << mantissaBits), static_cast<int>(exponent) - bias - static_cast<int>(mantissaBits));
  return sign ? -value : value;
}

/// To nearest, ties to even.
uint32_t encodeHalf(double value) {
  const uint32_t sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::fabs(value);
  if (std::isnan(value))
    return 0x7FFF;
  if (magnitude >= 65520.0)
    return sign | 0x7C00;
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  const int shift = exponent < -13 ? -24 : exponent - 11; // the last bit's weight
  auto units = static_cast<uint32_t>(std::nearbyint(std::ldexp(magnitude, -shift)));
  if (exponent < -13)
    return sign | units;
  if (units == 2048) {
    units = 1024;
    ++exponent;
  }
  return sign | static_cast<uint32_t>(exponent + 14) << 10 | (units & 1023);
}

uint32_t bitsOf(uint32_t type) {
  switch (type) {
  case simtF16: case simtBF16:
    return 16;
  case simtU8: case simtS8: case simtE4M3: case simtE5M2:
    return 8;
  default:
    return 32;
  }
}

double decode(uint32_t type, uint32_t bits) {
  switch (type) {
  case simtF16:
    return decodeSmall(bits, 5, 10, true);
  case simtBF16:
    return asFloat(bits << 16);
  case simtTF32:
    return asFloat(bits & ~0x1FFFu); // the low bits are not looked at
  case simtE4M3:
    return decodeSmall(bits, 4, 3, false);
  case simtE5M2:
    return decodeSmall(bits, 5, 2, true);
  case simtS8:
    return static_cast<int8_t>(bits);
  case simtU8:
    return static_cast<uint8_t>(bits);
  default:
    return asFloat(bits);
  }
}

/// Element `i` of those that a lane holds in `words`.
double elementOf(const void *words, uint32_t i, uint32_t type) {
  const uint32_t bits = bitsOf(type), perWord = 32 / bits;
  const uint32_t word = static_cast<const uint32_t *>(words)[i / perWord];
  return decode(type, bits == 32 ? word : word >> (i % perWord * bits) & ((1u << bits) - 1));
}

/// Where an element of A (row m of 16, column k) is held: lane and number among the lane's elements. B's (k, n) are A's without the upper rows.
struct Place {
  uint32_t lane, element;
};
Place placeOfA(uint32_t m, uint32_t k, uint32_t perWord) {
  const uint32_t word = (k / (4 * perWord)) * 2 + m / 8;
  return {(m % 8) * 4 + k % (4 * perWord) / perWord, word * perWord + k % perWord};
}
Place placeOfB(uint32_t n, uint32_t k, uint32_t perWord) {
  return {n * 4 + k % (4 * perWord) / perWord, k / (4 * perWord) * perWord + k % perWord};
}
Place placeOfC(uint32_t m, uint32_t n) { return {(m % 8) * 4 + n / 2, m / 8 * 2 + n % 2}; }

uint32_t integerResult(double sum, bool saturates) {
  const auto exact = static_cast<int64_t>(sum);
  if (saturates)
    return static_cast<uint32_t>(exact > INT32_MAX ? INT32_MAX : exact < INT32_MIN ? INT32_MIN : static_cast<int32_t>(exact));
  return static_cast<uint32_t>(exact);
}

void store(void *words, uint32_t element, double sum, uint32_t type, bool saturates) {
  auto *out = static_cast<uint32_t *>(words);
  if (type == simtS32)
    out[element] = integerResult(sum, saturates);
  else if (type == simtF32)
    out[element] = asBits(static_cast<float>(sum));
  else
    out[element / 2] = (out[element / 2] & (element % 2 ? 0x0000FFFF : 0xFFFF0000)) | encodeHalf(sum) << (element % 2 ? 16 : 0);
}

/// Checks the rows' addresses as accesses of the lanes that give them.
void checkRows(Warp &warp, uint32_t count, uint32_t access) {
  Thread *performer = execution->current;
  uintptr_t rows[warpSize] = {};
  for (uint32_t i = 0; i < count * rowsOfMatrix; ++i) {
    execution->current = warp.lanes[i];
    const Request &request = warp.lanes[i]->request;
    auto *row = const_cast<void *>(request.a);
    checkAccess(row, rowBytes, rowBytes, access, 3, request.site, /*counts=*/false);
    rows[i] = reinterpret_cast<uintptr_t>(row);
  }
  execution->current = performer;
  countRows(warp.lanes[0]->request.site, rows, count * rowsOfMatrix);
}

} // namespace

void loadMatrix(Warp &warp) {
  const auto count = static_cast<uint32_t>(warp.lanes[0]->request.variant & 7);
  const bool transposed = warp.lanes[0]->request.variant & 8;
  checkRows(warp, count, simtRead);
  for (uint32_t matrix = 0; matrix < count; ++matrix)
    for (uint32_t lane = 0; lane < warpSize; ++lane) {
      uint16_t pair[2];
      for (uint32_t i = 0; i < 2; ++i) {
        const uint32_t row = transposed ? lane % 4 * 2 + i : lane / 4, column = transposed ? lane / 4 : lane % 4 * 2 + i;
        const auto *source = static_cast<const uint16_t *>(warp.lanes[matrix * rowsOfMatrix + row]->request.a);
        std::memcpy(&pair[i], source + column, sizeof(uint16_t));
      }
      static_cast<uint32_t *>(warp.lanes[lane]->request.out)[matrix] = pair[0] | uint32_t(pair[1]) << 16;
    }
}

void storeMatrix(Warp &warp) {
  const auto count = static_cast<uint32_t>(warp.lanes[0]->request.variant & 7);
  const bool transposed = warp.lanes[0]->request.variant & 8;
  checkRows(warp, count, simtWrite);
  for (uint32_t matrix = 0; matrix < count; ++matrix)
    for (uint32_t lane = 0; lane < warpSize; ++lane) {
      const uint32_t word = static_cast<const uint32_t *>(warp.lanes[lane]->request.b)[matrix];
      for (uint32_t i = 0; i < 2; ++i) {
        const uint32_t row = transposed ? lane % 4 * 2 + i : lane / 4, column = transposed ? lane / 4 : lane % 4 * 2 + i;
        auto *target = static_cast<uint16_t *>(const_cast<void *>(warp.lanes[matrix * rowsOfMatrix + row]->request.a));
        const auto value = static_cast<uint16_t>(word >> (16 * i));
        std::memcpy(target + column, &value, sizeof(value));
      }
    }
}

void product(Warp &warp) {
  const uint64_t variant = warp.lanes[0]->request.variant;
  const auto types = static_cast<uint32_t>(variant >> 32);
  const uint32_t typeA = types & 0xFF, typeB = types >> 8 & 0xFF, typeC = types >> 16 & 0xFF, typeD = types >> 24;
  const uint32_t depth = variant >> 16 & 0xFF, perWord = 32 / bitsOf(typeA);
  const bool saturates = variant >> 24 & 1;
  double a[16][64], b[8][64];
  for (uint32_t k = 0; k < depth; ++k) {
    for (uint32_t m = 0; m < 16; ++m) {
      const Place place = placeOfA(m, k, perWord);
      a[m][k] = elementOf(warp.lanes[place.lane]->request.a, place.element, typeA);
    }
    for (uint32_t n = 0; n < 8; ++n) {
      const Place place = placeOfB(n, k, perWord);
      b[n][k] = elementOf(warp.lanes[place.lane]->request.b, place.element, typeB);
    }
  }
  for (uint32_t m = 0; m < 16; ++m)
    for (uint32_t n = 0; n < 8; ++n) {
      const Place place = placeOfC(m, n);
      const Request &request = warp.lanes[place.lane]->request;
      double sum = typeC == simtS32 ? static_cast<int32_t>(static_cast<const uint32_t *>(request.c)[place.element])
                                    : elementOf(request.c, place.element, typeC);
      for (uint32_t k = 0; k < depth; ++k)
        sum += a[m][k] * b[n][k];
      store(request.out, place.element, sum, typeD, saturates);
    }
}

} // namespace moe::simt

using namespace moe::simt;

extern "C" {

MOE_SIMT_EXPORT void simt_ldmatrix(void *row, uint32_t count, uint32_t transposed, uint32_t *registers, const char *site) {
  Request request;
  request.kind = Kind::LoadMatrix;
  request.mask = 0xFFFFFFFF;
  request.variant = count | (transposed ? 8 : 0);
  request.site = site;
  request.a = row;
  request.out = registers;
  collective(request);
}

MOE_SIMT_EXPORT void simt_stmatrix(void *row, uint32_t count, uint32_t transposed, const uint32_t *registers, const char *site) {
  Request request;
  request.kind = Kind::StoreMatrix;
  request.mask = 0xFFFFFFFF;
  request.variant = count | (transposed ? 8 : 0);
  request.site = site;
  request.a = row;
  request.b = registers;
  collective(request);
}

MOE_SIMT_EXPORT void simt_mma(uint32_t shape, uint32_t types, const uint32_t *a, const uint32_t *b, const uint32_t *c, uint32_t *d, const char *site) {
  Request request;
  request.kind = Kind::Product;
  request.mask = 0xFFFFFFFF;
  request.variant = shape | uint64_t(types) << 32;
  request.site = site;
  request.a = a;
  request.b = b;
  request.c = c;
  request.out = d;
  collective(request);
}

} // extern "C"
