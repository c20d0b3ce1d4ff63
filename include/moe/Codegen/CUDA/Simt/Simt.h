//===- Simt.h - launches kernels on the CPU -----------------------------*- C++ -*-===//
// For whoever runs lowered kernels without a GPU: the stub driver and moe-simt-run. One launch at a time; no LLVM.
#ifndef MOE_CODEGEN_CUDA_SIMT_SIMT_H
#define MOE_CODEGEN_CUDA_SIMT_SIMT_H

#include "moe/Codegen/CUDA/Simt/Abi.h"

#include <cstddef>
#include <string>
#include <vector>

namespace moe::simt {

/// How hostile a launch is. The defaults find the most.
struct Options {
  /// Shared memory at block start, and the destination of an async copy until it is waited for, hold NaNs.
  bool poison = true;
  /// Bytes that two threads use with nothing that orders them, one of them writing.
  bool races = true;
  /// Bank conflicts and sectors of 32 bytes.
  bool counters = false;
  /// 0: threads and blocks in order. Else their order, and that of atomics, is drawn.
  uint64_t seed = 0;
  /// Blocks that are alive at the same time; 0: all of the grid. A kernel whose blocks wait for each other needs all.
  uint32_t residentBlocks = 1;
  /// Bytes of shared memory that a block may have: 227 KiB on sm_90, 163 KiB on sm_80.
  uint64_t sharedLimit = 227 << 10;
  /// Compute capability times ten, 80 or 90: how a tensor core adds.
  uint32_t arch = 90;
};

struct Launch {
  const SimtKernel *kernel = nullptr;
  uint32_t grid[3] = {1, 1, 1};
  uint32_t block[3] = {1, 1, 1};
  uint64_t dynamicShared = 0;
  void **parameters = nullptr;
  Options options;
};

/// Accesses of one operation in the source, by all warps of a launch.
struct SiteCounter {
  std::string site;
  uint64_t requests = 0;
  /// Global: sectors of 32 bytes. Shared: passes over the banks; one for each request and phase is the best.
  uint64_t sectors = 0;
  uint64_t passes = 0;
  /// What `passes` would be without a bank conflict.
  uint64_t idealPasses = 0;
};

struct Report {
  /// Empty: all went well. Else the fault, with kernel, block, thread and place.
  std::string fault;
  uint64_t switches = 0;
  uint64_t collectives = 0;
  uint64_t sharedBytes = 0;
  std::vector<SiteCounter> counters;
};

/// The newest registered kernel of that name, or null.
const SimtKernel *findKernel(const std::string &name);
/// Names of all registered kernels.
std::vector<std::string> kernelNames();

/// Runs all blocks, or up to the first fault. False if there was one.
bool run(const Launch &launch, Report &report);

/// Global memory: 256-byte aligned, filled with NaNs; an access outside of an allocation is a fault. Null: no memory.
void *allocate(size_t bytes, const std::string &name);
/// False if `address` is not what allocate gave.
bool release(void *address);
/// True if [address, address + bytes) lies in one allocation or in a module's variable; else `why` says what is there.
bool isGlobal(const void *address, size_t bytes, std::string &why);

} // namespace moe::simt

#endif // MOE_CODEGEN_CUDA_SIMT_SIMT_H
