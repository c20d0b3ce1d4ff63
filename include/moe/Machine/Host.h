//===- Host.h - this machine as a target ------------------------*- C++ -*-===//
// CPUID's answer in the compiler's terms. For the compiler's side; model.so reads Cpuid.h, which needs no C++ library.
#ifndef MOE_MACHINE_HOST_H
#define MOE_MACHINE_HOST_H

#include "moe/Machine/Cpuid.h"
#include "moe/Machine/Isa.h"

#include <string>
#include <vector>

namespace moe {

/// LLVM's names of the CpuFeature bits in `features`, without sign, by ascending bit.
std::vector<std::string> featureNames(uint64_t features);

/// LLVM's names of what this CPU can do and the operating system supports.
std::vector<std::string> hostFeatures();

/// The last of `candidates` (weakest first) of which a CPU with the CpuFeature bits `features` has every feature. At least the first.
const IsaVersion &bestVersion(const std::vector<IsaVersion> &candidates, uint64_t features);

/// The best named version for this CPU: what `--cpu-features=host` means.
const IsaVersion &hostVersion();

} // namespace moe

#endif // MOE_MACHINE_HOST_H
