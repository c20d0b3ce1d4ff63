// wgmma.mma_async: a product of four warps, its operands in shared memory by 64-bit descriptors (PTX ISA, "Matrix-Descriptor Format"). It is made
// when the last of the 128 threads has come. That an operand is overwritten before wgmma.wait_group shows there; that a result is read before it
// is not seen.
#include "FusedDot.h"
#include "State.h"
#include "TensorMap.h"

#include <cstring>

#define MOE_SIMT_EXPORT __attribute__((visibility("default")))

namespace moe::simt {

namespace {

constexpr uint32_t groupThreads = 128, groupRows = 64;

/// A matrix in shared memory: rows of k, or turned, N-major, a row of memory for each k.
struct Operand {
  uintptr_t start;
  uint32_t leading, stride; // bytes between core matrices along K, and between groups of 8 rows; turned: between parts of a row of memory, and between groups of 8 k
  uint32_t swizzle;

  uintptr_t addressOfTurned(uint32_t k, uint32_t byte) const {
    return swizzled(start + byte / swizzle * leading + k / 8 * stride + k % 8 * swizzle + byte % swizzle, swizzle);
  }

  uintptr_t addressOf(uint32_t row, uint32_t byte) const {
    if (swizzle == 0)
      return start + row / 8 * stride + row % 8 * 16 + byte / 16 * leading + byte % 16;
    return swizzled(start + row / 8 * stride + row % 8 * swizzle + byte, swizzle);
  }
};

Operand decodeDescriptor(uint64_t descriptor, const char *site) {
  const uint32_t swizzles[] = {0, 128, 64, 32};
  auto field = [&](uint32_t at) { return static_cast<uint32_t>(descriptor >> at & 0x3FFF) << 4; };
  // Shared memory of a block begins at a multiple of 256 KiB, so the 18 bits are the offset.
  Operand operand = {reinterpret_cast<uintptr_t>(self().block->shared) + field(0), field(16), field(32), swizzles[descriptor >> 62]};
  if (descriptor >> 49 & 7)
    fault(site, "a matrix descriptor with a base offset: expected matrices at a multiple of their swizzle's 8 rows");
  return operand;
}

/// Reads a matrix with the checks that its reader is due. numbers: `rows` rows of `depth`.
void load(const Operand &operand, uint32_t rows, uint32_t depth, uint32_t type, uint32_t elementBytes, Number *numbers, const char *site,
          GroupOperands &kept, bool isTurned) {
  if (isTurned && operand.swizzle == 0)
    fault(site, "an N-major operand without a swizzle, which the executor does not have");
  const uint32_t outer = isTurned ? depth : rows, inner = isTurned ? rows : depth;
  for (uint32_t row = 0; row < outer; ++row)
    for (uint32_t byte = 0; byte < inner * elementBytes; byte += 16) {
      auto *address = reinterpret_cast<char *>(isTurned ? operand.addressOfTurned(row, byte) : operand.addressOf(row, byte));
      if (!isShared(*self().block, address, 16))
        checkAccess(address, 16, 16, simtRead, 3, site, /*counts=*/false);
      recordProxyRead(self(), address, 16, site);
      kept.rows.push_back(address);
      kept.bytes.insert(kept.bytes.end(), address, address + 16);
      for (uint32_t i = 0; i < 16; i += elementBytes) {
        uint32_t bits = 0;
        std::memcpy(&bits, address + i, elementBytes);
        const uint32_t column = (byte + i) / elementBytes;
        numbers[isTurned ? column * depth + row : row * depth + column] = decode(type, bits);
      }
    }
}

void groupProduct(Block &block, uint32_t firstThread) {
  const Request &request = block.threads[firstThread].request;
  const uint32_t n = request.variant & 0xFFFF, k = request.variant >> 16 & 0xFF, flags = request.variant >> 24 & 0xFF;
  const auto types = static_cast<uint32_t>(request.variant >> 32);
  const uint32_t typeA = types & 0xFF, typeB = types >> 8 & 0xFF, typeD = types >> 16 & 0xFF, elementBytes = 32 / k;
  std::vector<Number> a(groupRows * k), b(n * k);
  const char *site = request.site;
  GroupOperands kept = {block.threads[firstThread].productGroup, site, {}, {}};
  load(decodeDescriptor(request.value, site), groupRows, k, typeA, elementBytes, a.data(), site, kept, /*isTurned=*/false);
  load(decodeDescriptor(reinterpret_cast<uint64_t>(request.a), site), n, k, typeB, elementBytes, b.data(), site, kept, (flags & 8) != 0);
  block.threads[firstThread].operands.push_back(std::move(kept));
  if (flags & 2)
    for (Number &number : a)
      number.significand = -number.significand;
  if (flags & 4)
    for (Number &number : b)
      number.significand = -number.significand;
  const DotModel model = dotModel(90, typeA, typeB, typeD);
  for (uint32_t m = 0; m < groupRows; ++m)
    for (uint32_t column = 0; column < n; ++column) {
      const uint32_t thread = firstThread + m / 16 * warpSize + m % 8 * 4 + column % 8 / 2;
      auto *accumulators = static_cast<uint32_t *>(block.threads[thread].request.out);
      uint32_t &d = accumulators[column / 8 * 4 + m % 16 / 8 * 2 + column % 2];
      d = fusedDot(model, a.data() + m * k, b.data() + column * k, k, flags & 1 ? d : 0);
    }
}

} // namespace
} // namespace moe::simt

using namespace moe::simt;

MOE_SIMT_EXPORT void simt_wgmma(uint64_t descriptorA, uint64_t descriptorB, uint32_t shape, uint32_t types, uint32_t flags, uint32_t *accumulators,
                                const char *site) {
  Thread &thread = self();
  Block &block = *thread.block;
  const uint32_t first = thread.index / groupThreads * groupThreads;
  if (first + groupThreads > block.threads.size())
    fault(site, "wgmma needs a warpgroup of 128 threads; the block has " + std::to_string(block.threads.size()));
  Request &request = thread.request;
  request = Request();
  request.kind = Kind::GroupProduct;
  request.variant = shape | uint64_t(flags) << 24 | uint64_t(types) << 32;
  request.site = site;
  request.value = descriptorA;
  request.a = reinterpret_cast<const void *>(descriptorB);
  request.out = accumulators;
  uint32_t here = 1;
  for (uint32_t i = first; i < first + groupThreads; ++i) {
    const Thread &other = block.threads[i];
    if (&other == &thread || !other.waiting || other.request.kind != Kind::GroupProduct)
      continue;
    if (other.request.site != site || other.request.variant != request.variant || other.request.value != descriptorA || other.request.a != request.a)
      fault(site, "the warpgroup diverged: " + nameOf(other) + " is at " + other.request.site + ", or has other descriptors");
    ++here;
  }
  if (here < groupThreads) {
    wait();
    return;
  }
  ++execution->report->collectives;
  groupProduct(block, first);
  for (uint32_t i = first; i < first + groupThreads; ++i)
    if (&block.threads[i] != &thread)
      makeReady(block.threads[i]);
}

MOE_SIMT_EXPORT void simt_wgmma_commit() { ++self().productGroup; }

MOE_SIMT_EXPORT void simt_wgmma_wait(uint32_t pending) {
  Thread &thread = self();
  while (!thread.operands.empty() && thread.operands.front().group + pending < thread.productGroup) {
    const GroupOperands &kept = thread.operands.front();
    for (size_t i = 0; i < kept.rows.size(); ++i)
      if (std::memcmp(kept.rows[i], kept.bytes.data() + 16 * i, 16) != 0)
        fault(kept.site, "its operand at byte " + std::to_string(kept.rows[i] - thread.block->shared) +
                             " of shared memory was overwritten before the product was waited for");
    thread.operands.pop_front();
  }
}
