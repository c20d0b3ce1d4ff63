// CPUID and XGETBV. Part of every model.so: no standard library, nothing that can throw.
#include "moe/Machine/Cpuid.h"

#include <string.h>
#ifdef __linux__
#include <sched.h>
#endif
#ifdef __x86_64__
#include <cpuid.h>
#endif

namespace moe {

static const CpuFeatureName featureNames[] = {
    {CpuAvx2, "avx2"},          {CpuFma, "fma"},           {CpuF16c, "f16c"},         {CpuBmi2, "bmi2"},
    {CpuAvx512F, "avx512f"},    {CpuAvx512BW, "avx512bw"}, {CpuAvx512VL, "avx512vl"}, {CpuAvx512DQ, "avx512dq"},
    {CpuAvx512Vnni, "avx512vnni"}, {CpuAvx512Bf16, "avx512bf16"}, {CpuAvx512Vbmi, "avx512vbmi"}, {CpuAvxVnni, "avxvnni"},
    {CpuAmxTile, "amx-tile"},   {CpuAmxInt8, "amx-int8"},  {CpuAmxBf16, "amx-bf16"},
};

const CpuFeatureName *cpuFeatureNames(int *count) {
  *count = sizeof(featureNames) / sizeof(featureNames[0]);
  return featureNames;
}

uint64_t cpuFeatureBit(const char *name) {
  for (const CpuFeatureName &feature : featureNames)
    if (strcmp(feature.name, name) == 0)
      return feature.bit;
  return 0;
}

#ifdef __x86_64__
namespace {

struct Leaf {
  uint32_t eax, ebx, ecx, edx;
};

/// All zero where the CPU has no such leaf; leaves above the highest would repeat another leaf's answer.
Leaf readLeaf(uint32_t leaf, uint32_t subleaf) {
  Leaf answer = {0, 0, 0, 0};
  uint32_t highest = __get_cpuid_max(leaf & 0x80000000u, nullptr);
  if (highest >= leaf)
    __cpuid_count(leaf, subleaf, answer.eax, answer.ebx, answer.ecx, answer.edx);
  return answer;
}

/// XCR0: which register files the operating system saves.
uint64_t readXcr0() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t(high) << 32) | low;
}

constexpr bool bit(uint32_t value, int position) { return (value >> position) & 1; }

uint64_t readFeatures() {
  Leaf basic = readLeaf(1, 0), extended = readLeaf(7, 0), extended1 = {0, 0, 0, 0};
  if (extended.eax >= 1)
    extended1 = readLeaf(7, 1);
  // Bit 27: the operating system has enabled XGETBV, without which no wide register is safe to use.
  uint64_t saved = bit(basic.ecx, 27) ? readXcr0() : 0;
  bool ymm = (saved & 0x6) == 0x6, zmm = ymm && (saved & 0xe0) == 0xe0, tiles = (saved & 0x60000) == 0x60000;
  uint64_t features = 0;
  auto add = [&](bool present, uint64_t feature) { features |= present ? feature : 0; };
  add(bit(extended.ebx, 8), CpuBmi2);
  if (ymm) {
    add(bit(extended.ebx, 5), CpuAvx2);
    add(bit(basic.ecx, 12), CpuFma);
    add(bit(basic.ecx, 29), CpuF16c);
    add(bit(extended1.eax, 4), CpuAvxVnni);
  }
  if (zmm) {
    add(bit(extended.ebx, 16), CpuAvx512F);
    add(bit(extended.ebx, 17), CpuAvx512DQ);
    add(bit(extended.ebx, 30), CpuAvx512BW);
    add(bit(extended.ebx, 31), CpuAvx512VL);
    add(bit(extended.ecx, 1), CpuAvx512Vbmi);
    add(bit(extended.ecx, 11), CpuAvx512Vnni);
    add(bit(extended1.eax, 5), CpuAvx512Bf16);
  }
  if (tiles) {
    add(bit(extended.edx, 24), CpuAmxTile);
    add(bit(extended.edx, 25), CpuAmxInt8);
    add(bit(extended.edx, 22), CpuAmxBf16);
  }
  return features;
}

/// Leaf 4 (Intel) and leaf 0x8000001d (AMD) describe one cache per subleaf in the same layout.
void readCaches(CpuInfo &info) {
  Leaf vendor = readLeaf(0, 0);
  bool amd = vendor.ebx == 0x68747541u || vendor.ebx == 0x6f677948u; // "Auth", "Hygo"
  uint32_t leaf = amd ? 0x8000001du : 4u;
  for (uint32_t index = 0; index < 16; ++index) {
    Leaf cache = readLeaf(leaf, index);
    uint32_t type = cache.eax & 0x1f, level = (cache.eax >> 5) & 0x7;
    if (type == 0)
      return;
    int64_t ways = (cache.ebx >> 22) + 1, partitions = ((cache.ebx >> 12) & 0x3ff) + 1, line = (cache.ebx & 0xfff) + 1;
    int64_t bytes = ways * partitions * line * (int64_t(cache.ecx) + 1);
    if (level == 1 && type != 2) // 2 is an instruction cache
      info.l1Bytes = bytes;
    else if (level == 2)
      info.l2Bytes = bytes;
    else if (level == 3)
      info.l3Bytes = bytes;
  }
}

/// Threads per core: the first level of leaf 0xb is the core itself. 1 where the leaf is missing.
int32_t readThreadsPerCore() {
  Leaf topology = readLeaf(0xb, 0);
  int32_t threads = topology.ebx & 0xffff;
  return ((topology.ecx >> 8) & 0xff) == 1 && threads > 0 ? threads : 1;
}

} // namespace
#endif // __x86_64__

/// CPUs in this process's affinity mask. The mask has room for 65536 CPUs; 1 where the kernel has more or says nothing.
static int32_t readThreads() {
#ifdef __linux__
  unsigned long mask[1024];
  memset(mask, 0, sizeof(mask));
  if (sched_getaffinity(0, sizeof(mask), reinterpret_cast<cpu_set_t *>(mask)) == 0) {
    int32_t count = 0;
    for (unsigned long word : mask)
      count += __builtin_popcountl(word);
    return count > 0 ? count : 1;
  }
#endif
  return 1;
}

CpuInfo readCpuInfo() {
  CpuInfo info = {0, 0, 0, 0, 1, 1};
  info.threads = readThreads();
  info.cores = info.threads;
#ifdef __x86_64__
  info.features = readFeatures();
  readCaches(info);
  int32_t perCore = readThreadsPerCore();
  info.cores = (info.threads + perCore - 1) / perCore;
#endif
  return info;
}

} // namespace moe
