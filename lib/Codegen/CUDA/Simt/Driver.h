// The state of the stub driver. The functions of the C interface are in DriverAbi.cpp; numbers and names are those of the CUDA driver API.
#ifndef MOE_LIB_CODEGEN_CUDA_SIMT_DRIVER_H
#define MOE_LIB_CODEGEN_CUDA_SIMT_DRIVER_H

#include "moe/Codegen/CUDA/Simt/Simt.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace moe::simt {

using CUresult = int;
using CUdeviceptr = uint64_t;

enum : CUresult {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorOutOfMemory = 2,
  cudaErrorNotInitialized = 3,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorInvalidImage = 200,
  cudaErrorNoBinaryForGpu = 209,
  cudaErrorNotFound = 500,
  cudaErrorNotReady = 600,
  cudaErrorLaunchFailed = 719,
  cudaErrorCaptureUnsupported = 900
};

using Work = std::function<void()>;

/// What was captured from a stream.
struct Graph {
  std::vector<Work> work;
};

struct Stream {
  /// Where work goes while the stream is captured.
  std::unique_ptr<Graph> capture;
};

/// CUkernel and CUfunction.
struct Kernel {
  const SimtKernel *kernel = nullptr;
  uint64_t maximumDynamicShared = 0;
};

struct Event {
  double milliseconds = 0;
};

struct Driver {
  Driver();

  /// What every call answers before it does anything: not initialised, or a kernel that failed before.
  CUresult enter() const;
  CUresult allocateMemory(CUdeviceptr *address, size_t bytes);
  CUresult freeMemory(CUdeviceptr address);
  bool isDevice(CUdeviceptr address, size_t bytes) const;
  /// Does the work, or leaves it to the graph that is captured.
  CUresult submit(Stream *stream, Work work);
  CUresult launch(Kernel *kernel, const Launch &shape, Stream *stream, void **parameters, void **extra);
  CUresult copy(Stream *stream, CUdeviceptr to, CUdeviceptr from, size_t bytes, bool toDevice, bool fromDevice);
  CUresult set(Stream *stream, CUdeviceptr to, uint32_t value, size_t width, size_t count);
  int attribute(int which) const;
  int sharedOptIn() const;
  const char *describe(CUresult error) const;

  Options options;
  uint64_t memory, used = 0, launches = 0;
  int arch, devices;
  bool initialized = false, traces = false;
  /// Streams that are captured now: calls that wait or allocate are refused then.
  unsigned captures = 0;
  uint64_t allocationCount = 0;
  std::string fault;
  std::map<CUdeviceptr, size_t> sizes;
};

Driver &driver();
const char *nameOfError(CUresult error);

} // namespace moe::simt

#endif // MOE_LIB_CODEGEN_CUDA_SIMT_DRIVER_H
