// CPUID against what the kernel says of the same CPU.
#include "moe/Machine/Cpuid.h"

#include <algorithm>
#include <fstream>
#include <gtest/gtest.h>
#include <sched.h>
#include <set>
#include <sstream>
#include <string>

using namespace moe;

namespace {

std::set<std::string> kernelFlags() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line))
    if (line.rfind("flags", 0) == 0) {
      std::istringstream words(line.substr(line.find(':') + 1));
      return {std::istream_iterator<std::string>(words), {}};
    }
  return {};
}

/// The kernel's spelling of LLVM's name.
std::string kernelName(std::string name) {
  if (name == "avx512vnni" || name == "avx512bf16" || name == "avxvnni")
    name.insert(name.find("vnni") != std::string::npos ? name.find("vnni") : name.find("bf16"), "_");
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

} // namespace

TEST(Cpuid, AgreesWithTheKernel) {
  std::set<std::string> flags = kernelFlags();
  if (flags.empty())
    GTEST_SKIP() << "no /proc/cpuinfo";
  int count = 0;
  const CpuFeatureName *names = cpuFeatureNames(&count);
  const uint64_t features = readCpuInfo().features;
  for (int i = 0; i < count; ++i)
    EXPECT_EQ((features & names[i].bit) != 0, flags.count(kernelName(names[i].name)) != 0) << names[i].name;
}

TEST(Cpuid, NamesAndBitsAreOneToOne) {
  int count = 0;
  const CpuFeatureName *names = cpuFeatureNames(&count);
  uint64_t seen = 0;
  for (int i = 0; i < count; ++i) {
    EXPECT_EQ(names[i].bit & (names[i].bit - 1), 0u) << names[i].name;
    EXPECT_EQ(seen & names[i].bit, 0u) << names[i].name;
    seen |= names[i].bit;
    EXPECT_EQ(cpuFeatureBit(names[i].name), names[i].bit);
  }
  EXPECT_EQ(cpuFeatureBit("avx512fp16"), 0u);
  EXPECT_EQ(cpuFeatureBit("avx"), 0u);
  EXPECT_EQ(cpuFeatureBit(""), 0u);
}

TEST(Cpuid, CountsTheCpusOfThisProcess) {
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
  CpuInfo info = readCpuInfo();
  EXPECT_EQ(info.threads, CPU_COUNT(&allowed));
  EXPECT_GE(info.cores, 1);
  EXPECT_LE(info.cores, info.threads);

  cpu_set_t one;
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &allowed)) {
      CPU_SET(cpu, &one);
      break;
    }
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  EXPECT_EQ(readCpuInfo().threads, 1);
  sched_setaffinity(0, sizeof(allowed), &allowed);
}

TEST(Cpuid, CachesGrow) {
  CpuInfo info = readCpuInfo();
  if (info.l1Bytes == 0)
    GTEST_SKIP() << "CPUID says nothing of caches";
  EXPECT_GE(info.l1Bytes, 8 << 10);
  EXPECT_GT(info.l2Bytes, info.l1Bytes);
  if (info.l3Bytes)
    EXPECT_GT(info.l3Bytes, info.l2Bytes);
}
