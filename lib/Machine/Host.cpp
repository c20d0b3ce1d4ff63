// CPUID's answer in the compiler's terms.
#include "moe/Machine/Host.h"

#include <algorithm>

namespace moe {

std::vector<std::string> featureNames(uint64_t features) {
  int count = 0;
  const CpuFeatureName *names = cpuFeatureNames(&count);
  std::vector<std::string> result;
  for (int i = 0; i < count; ++i)
    if (features & names[i].bit)
      result.push_back(names[i].name);
  return result;
}

std::vector<std::string> hostFeatures() { return featureNames(readCpuInfo().features); }

const IsaVersion &bestVersion(const std::vector<IsaVersion> &candidates, uint64_t features) {
  const IsaVersion *best = &candidates.front();
  for (const IsaVersion &version : candidates)
    // A feature that has no bit cannot be tested for, so no CPU is known to have it.
    if (std::all_of(version.features.begin(), version.features.end(),
                    [&](const std::string &name) { return (features & cpuFeatureBit(name.c_str())) != 0; }))
      best = &version;
  return *best;
}

const IsaVersion &hostVersion() { return bestVersion(namedIsaVersions(), readCpuInfo().features); }

} // namespace moe
