// Which version a CPU gets.
#include "moe/Machine/Host.h"

#include <gtest/gtest.h>

using namespace moe;

static uint64_t bitsOf(const std::string &version) {
  uint64_t bits = 0;
  for (const IsaVersion &isa : namedIsaVersions())
    if (isa.name == version)
      for (const std::string &feature : isa.features)
        bits |= cpuFeatureBit(feature.c_str());
  return bits;
}

TEST(Host, EveryNamedFeatureCanBeTestedFor) {
  for (const IsaVersion &isa : namedIsaVersions())
    for (const std::string &feature : isa.features)
      EXPECT_NE(cpuFeatureBit(feature.c_str()), 0u) << isa.name << " " << feature;
}

TEST(Host, PicksTheBestThatFits) {
  auto best = [](uint64_t features) { return bestVersion(namedIsaVersions(), features).name; };
  EXPECT_EQ(best(0), "x86-64");
  EXPECT_EQ(best(bitsOf("avx2")), "avx2");
  EXPECT_EQ(best(bitsOf("avx2") & ~uint64_t(CpuFma)), "x86-64");
  EXPECT_EQ(best(bitsOf("avx2") | CpuAvx512F), "avx2");
  EXPECT_EQ(best(bitsOf("avx512")), "avx512");
  EXPECT_EQ(best(bitsOf("avx512") | CpuAvxVnni), "avx512");
  EXPECT_EQ(best(bitsOf("avx512bf16")), "avx512bf16");
  EXPECT_EQ(best(~uint64_t(0)), namedIsaVersions().back().name);
}

TEST(Host, IgnoresVersionsThatCannotBeTestedFor) {
  std::vector<IsaVersion> candidates = {describeIsa({}), describeIsa({"avx2", "avx10.2"})};
  EXPECT_EQ(&bestVersion(candidates, ~uint64_t(0)), &candidates.front());
}

TEST(Host, FeaturesAreThoseOfCpuid) {
  uint64_t bits = 0;
  for (const std::string &name : hostFeatures())
    bits |= cpuFeatureBit(name.c_str());
  EXPECT_EQ(bits, readCpuInfo().features);
  EXPECT_EQ(featureNames(CpuAvx2 | CpuAmxTile), (std::vector<std::string>{"avx2", "amx-tile"}));
  EXPECT_EQ(hostVersion().name, bestVersion(namedIsaVersions(), bits).name);
}
