// ldmatrix, stmatrix and mma.sync. Which lane holds which element: PTX ISA, "Matrix fragments". How the products are added: FusedDot.h.
#include "Collectives.h"
#include "FusedDot.h"

#include <cstring>

#define MOE_SIMT_EXPORT __attribute__((visibility("default")))

namespace moe::simt {

namespace {

constexpr uint32_t rowsOfMatrix = 8, rowBytes = 16;

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

/// Element `i` of those that a lane holds in `words`.
uint32_t elementOf(const void *words, uint32_t i, uint32_t type) {
  const uint32_t bits = bitsOf(type), perWord = 32 / bits;
  const uint32_t word = static_cast<const uint32_t *>(words)[i / perWord];
  return bits == 32 ? word : word >> (i % perWord * bits) & ((1u << bits) - 1);
}

int32_t integerOf(uint32_t type, uint32_t bits) { return type == simtS8 ? static_cast<int8_t>(bits) : static_cast<int32_t>(bits); }

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

uint32_t integerResult(int64_t sum, bool saturates) {
  if (saturates)
    return static_cast<uint32_t>(sum > INT32_MAX ? INT32_MAX : sum < INT32_MIN ? INT32_MIN : static_cast<int32_t>(sum));
  return static_cast<uint32_t>(sum);
}

void storeHalf(uint32_t *words, uint32_t element, uint32_t half) {
  uint32_t &word = words[element / 2];
  word = element % 2 ? (word & 0x0000FFFF) | half << 16 : (word & 0xFFFF0000) | half;
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
  const uint32_t typeA = types & 0xFF, typeB = types >> 8 & 0xFF, typeD = types >> 24;
  const uint32_t depth = variant >> 16 & 0xFF, perWord = 32 / bitsOf(typeA);
  const bool saturates = variant >> 24 & 1, isInteger = typeD == simtS32;
  // Integers travel in the significand.
  auto numberOf = [&](uint32_t type, uint32_t bits) {
    if (!isInteger)
      return decode(type, bits);
    Number number;
    number.significand = integerOf(type, bits);
    return number;
  };
  Number a[16][64], b[8][64];
  for (uint32_t k = 0; k < depth; ++k) {
    for (uint32_t m = 0; m < 16; ++m) {
      const Place place = placeOfA(m, k, perWord);
      a[m][k] = numberOf(typeA, elementOf(warp.lanes[place.lane]->request.a, place.element, typeA));
    }
    for (uint32_t n = 0; n < 8; ++n) {
      const Place place = placeOfB(n, k, perWord);
      b[n][k] = numberOf(typeB, elementOf(warp.lanes[place.lane]->request.b, place.element, typeB));
    }
  }
  const DotModel model = dotModel(options().arch, typeA, typeB, typeD);
  for (uint32_t m = 0; m < 16; ++m)
    for (uint32_t n = 0; n < 8; ++n) {
      const Place place = placeOfC(m, n);
      const Request &request = warp.lanes[place.lane]->request;
      auto *out = static_cast<uint32_t *>(request.out);
      const uint32_t c = elementOf(request.c, place.element, typeD);
      if (isInteger) {
        int64_t sum = static_cast<int32_t>(c);
        for (uint32_t k = 0; k < depth; ++k)
          sum += int64_t(a[m][k].significand) * b[n][k].significand;
        out[place.element] = integerResult(sum, saturates);
        continue;
      }
      const uint32_t bits = fusedDot(model, a[m], b[n], depth, c);
      if (typeD == simtF16)
        storeHalf(out, place.element, bits);
      else
        out[place.element] = bits;
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
