//===- Gpu.h - what GPUs of a compute capability have -----------*- C++ -*-===//
// The numbers that decide how many blocks a multiprocessor holds and how many multiprocessors there are to fill. Source: the tables "Technical
// specifications per compute capability" of the CUDA programming guide; multiprocessors are those of the data center part (A100, H100 SXM).
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
};

/// The architectures that machine code is written for, oldest first.
constexpr GpuDescription gpuDescriptions[] = {
    {"sm_80", 108, 65536, 256, 64, 32, 164 << 10, 1 << 10, 128},
    {"sm_90a", 132, 65536, 256, 64, 32, 228 << 10, 1 << 10, 128},
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
