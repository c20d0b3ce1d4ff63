// A tensor map: what cuTensorMapEncodeTiled writes into its 128 bytes and cp.async.bulk.tensor reads.
#ifndef MOE_LIB_CODEGEN_CUDA_SIMT_TENSORMAP_H
#define MOE_LIB_CODEGEN_CUDA_SIMT_TENSORMAP_H

#include <cstdint>

namespace moe::simt {

constexpr uint32_t tensorMapMagic = 0x70616D54;

struct TensorMap {
  uint32_t magic;
  uint8_t rank, elementBytes;
  /// 0, 32, 64 or 128 bytes.
  uint8_t swizzle;
  bool fillsNan;
  uint64_t address;
  uint64_t sizes[5];
  /// In bytes, of dims 1 to 4; dim 0 is dense.
  uint64_t strides[4];
  uint16_t box[5];
};
static_assert(sizeof(TensorMap) <= 128, "a CUtensorMap has 128 bytes");

/// The place of a byte at `offset` (from 1024-byte aligned memory) under a swizzle: which of the 16-byte chunks depends on the row of 128 bytes.
inline uintptr_t swizzled(uintptr_t address, uint32_t swizzle) {
  const uintptr_t mask = swizzle == 128 ? 7 : swizzle == 64 ? 3 : swizzle == 32 ? 1 : 0;
  return address ^ ((address >> 7 & mask) << 4);
}

} // namespace moe::simt

#endif // MOE_LIB_CODEGEN_CUDA_SIMT_TENSORMAP_H
