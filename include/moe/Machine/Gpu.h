//===- Gpu.h - what GPUs of a compute capability have -----------*- C++ -*-===//
// The numbers that decide how many blocks a multiprocessor holds, how many multiprocessors there are to fill, and how fast they are fed. Source: the tables "Technical
// specifications per compute capability" of the CUDA programming guide; multiprocessors, clocks and
// memory are those of the data sheets of A100 80 GB and H200; on Hopper mma.sync has about 62 % of the rate of wgmma (arXiv 2402.13499), whose rate is that of the data sheet's peak.
#ifndef MOE_MACHINE_GPU_H
#define MOE_MACHINE_GPU_H

#include <stdint.h>

namespace moe {

struct GpuDescription {
  const char *arch;          ///< As ptxas has it: "sm_80".
  int64_t multiprocessors;
  int64_t registers;         ///< Of a multiprocessor, 32 bits each.
  int64_t registerUnit;      ///< A warp's registers are rounded up to this many.
  int64_t warps, blocks;     ///< That a multiprocessor holds.
  int64_t sharedBytes;       ///< Of a multiprocessor.
  int64_t sharedPerBlock;    ///< Bytes that the driver takes for itself in each block's shared memory.
  int64_t sharedUnit;        ///< A block's shared memory is rounded up to this many bytes.
  int64_t megahertz;         ///< Under load.
  int64_t gigabytesPerSecond; ///< Of memory (A100 80 GB, H200).
  int64_t productsPerCycle;  ///< Multiply-adds of 16-bit numbers by mma.sync that a multiprocessor does in a cycle.
  int64_t groupProductsPerCycle; ///< The same by wgmma; 0 where there is none.
};

/// The architectures that machine code is written for, oldest first.
constexpr GpuDescription gpuDescriptions[] = {
    {"sm_80", 108, 65536, 256, 64, 32, 164 << 10, 1 << 10, 128, 1410, 2039, 1024, 0},
    {"sm_90a", 132, 65536, 256, 64, 32, 228 << 10, 1 << 10, 128, 1755, 4800, 1280, 2048},
};

/// Blocks of `threads` threads that a multiprocessor holds at once; `registers` are those of a thread, `sharedBytes` those of a block.
constexpr int64_t residentBlocks(const GpuDescription &gpu, int64_t threads, int64_t registers, int64_t sharedBytes) {
  const auto roundUp = [](int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; };
  const int64_t warps = (threads + 31) / 32, warpRegisters = roundUp((registers < 1 ? 1 : registers) * 32, gpu.registerUnit);
  int64_t most = gpu.blocks < gpu.warps / warps ? gpu.blocks : gpu.warps / warps;
  const int64_t byRegisters = gpu.registers / warpRegisters / warps, byShared = gpu.sharedBytes / roundUp(sharedBytes + gpu.sharedPerBlock, gpu.sharedUnit);
  most = most < byRegisters ? most : byRegisters;
  return most < byShared ? most : byShared;
}

} // namespace moe

#endif // MOE_MACHINE_GPU_H
