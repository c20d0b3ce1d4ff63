//===- Cpuid.h - what this x86 CPU can do, read by CPUID ----*- C++ -*-===//
// Plain data and no standard library: lib/Machine/Cpuid.cpp is linked into every model.so, which must need no libstdc++ symbol. The
// compiler and the runtime read the CPU through this one place, so they cannot disagree. LLVM's CPU names are never used.
#ifndef MOE_MACHINE_CPUID_H
#define MOE_MACHINE_CPUID_H

#include <stdint.h>

namespace moe {

/// One bit per CPU feature that code generation asks about. The numbers are part of the format of moe_model_info: never change one.
enum CpuFeature : uint64_t {
  CpuAvx2 = 1ull << 0,
  CpuFma = 1ull << 1,
  CpuF16c = 1ull << 2,
  CpuBmi2 = 1ull << 3,
  CpuAvx512F = 1ull << 4,
  CpuAvx512BW = 1ull << 5,
  CpuAvx512VL = 1ull << 6,
  CpuAvx512DQ = 1ull << 7,
  CpuAvx512Vnni = 1ull << 8,
  CpuAvx512Bf16 = 1ull << 9,
  CpuAvx512Vbmi = 1ull << 10,
  CpuAvxVnni = 1ull << 11,
  CpuAmxTile = 1ull << 12,
  CpuAmxInt8 = 1ull << 13,
  CpuAmxBf16 = 1ull << 14,
};

/// A feature's bit and the name that LLVM has for it ("avx512f").
struct CpuFeatureName {
  uint64_t bit;
  const char *name;
};

/// All features, by ascending bit. `count` receives their number.
const CpuFeatureName *cpuFeatureNames(int *count);

/// The bit of an LLVM feature name without sign ("fma"), 0 if the name is not one of ours.
uint64_t cpuFeatureBit(const char *name);

/// What the machine is. Sizes are bytes per instance of a cache, 0 where CPUID does not say.
struct CpuInfo {
  uint64_t features; ///< CpuFeature bits; wide registers and tiles count only if the operating system saves them (XGETBV).
  int64_t l1Bytes;   ///< Data cache of level 1.
  int64_t l2Bytes;   ///< Cache of level 2.
  int64_t l3Bytes;   ///< Cache of level 3, all of it.
  int32_t threads;   ///< Logical CPUs that this process may run on, at least 1.
  int32_t cores;     ///< Physical cores among them, at least 1 (threads divided by the threads per core).
};

/// Asks the CPU; a few microseconds, no allocation. All zero but `threads` and `cores` on other architectures.
CpuInfo readCpuInfo();

} // namespace moe

#endif // MOE_MACHINE_CPUID_H
