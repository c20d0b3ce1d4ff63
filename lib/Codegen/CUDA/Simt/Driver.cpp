// A stub of the CUDA driver's library: the functions that a host side calls, done on the CPU by the executor. Loaded in place of libcuda.so.1, it
// lets the real host side be tested without a GPU. What the driver would refuse is refused: an image that is none, more shared memory than
// was asked for, a call that must not be made during capture. A fault of a kernel shows as it does there, at the next call and from then on;
// cuGetErrorString tells what it was.
//
// The environment says what device it is: MOE_SIMT_ARCH (80 or 90, default 90), MOE_SIMT_MEMORY (bytes), MOE_SIMT_DEVICES (default 1),
// and how launches are done: MOE_SIMT_SEED, MOE_SIMT_RACES=0, MOE_SIMT_POISON=0, MOE_SIMT_RESIDENT_BLOCKS. MOE_SIMT_TRACE=1 writes the name of each launched kernel to the
// standard error.
#include "Driver.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>

namespace moe::simt {

namespace {

uint64_t fromEnvironment(const char *name, uint64_t otherwise) {
  const char *text = std::getenv(name);
  return text && *text ? std::strtoull(text, nullptr, 10) : otherwise;
}

} // namespace

Driver &driver() {
  static Driver instance;
  return instance;
}

Driver::Driver()
    : memory(fromEnvironment("MOE_SIMT_MEMORY", uint64_t(1) << 34)), arch(static_cast<int>(fromEnvironment("MOE_SIMT_ARCH", 90))),
      devices(static_cast<int>(fromEnvironment("MOE_SIMT_DEVICES", 1))) {
  options.seed = fromEnvironment("MOE_SIMT_SEED", 0);
  options.races = fromEnvironment("MOE_SIMT_RACES", 1) != 0;
  options.poison = fromEnvironment("MOE_SIMT_POISON", 1) != 0;
  options.residentBlocks = static_cast<uint32_t>(fromEnvironment("MOE_SIMT_RESIDENT_BLOCKS", 1));
  options.arch = static_cast<uint32_t>(arch);
  options.sharedLimit = static_cast<uint64_t>(sharedOptIn());
  traces = fromEnvironment("MOE_SIMT_TRACE", 0) != 0;
}

int Driver::sharedOptIn() const { return arch >= 90 ? 227 << 10 : 163 << 10; }

CUresult Driver::enter() const {
  if (!initialized)
    return cudaErrorNotInitialized;
  return fault.empty() ? cudaSuccess : cudaErrorLaunchFailed;
}

CUresult Driver::allocateMemory(CUdeviceptr *address, size_t bytes) {
  if (!address || bytes == 0)
    return cudaErrorInvalidValue;
  if (bytes > memory - used)
    return cudaErrorOutOfMemory;
  void *found = allocate(bytes, "device allocation " + std::to_string(++allocationCount));
  if (!found)
    return cudaErrorOutOfMemory;
  used += bytes;
  *address = reinterpret_cast<CUdeviceptr>(found);
  sizes[*address] = bytes;
  return cudaSuccess;
}

CUresult Driver::freeMemory(CUdeviceptr address) {
  auto found = sizes.find(address);
  if (found == sizes.end())
    return cudaErrorInvalidValue;
  used -= found->second;
  sizes.erase(found);
  return release(reinterpret_cast<void *>(address)) ? cudaSuccess : cudaErrorInvalidValue;
}

bool Driver::isDevice(CUdeviceptr address, size_t bytes) const {
  std::string why;
  return bytes == 0 || isGlobal(reinterpret_cast<const void *>(address), bytes, why);
}

CUresult Driver::submit(Stream *stream, Work work) {
  if (stream && stream->capture) {
    stream->capture->work.push_back(std::move(work));
    return cudaSuccess;
  }
  work();
  return cudaSuccess;
}

CUresult Driver::launch(Kernel *kernel, const Launch &shape, Stream *stream, void **parameters, void **extra) {
  if (!kernel || extra || (kernel->kernel->parameterCount && !parameters))
    return cudaErrorInvalidValue;
  uint64_t fixed = 0;
  for (uint64_t i = 0; i < kernel->kernel->sharedCount; ++i)
    fixed += kernel->kernel->shared[i]->size;
  // Without the attribute a launch has 48 KiB at most.
  if (shape.dynamicShared > std::max<uint64_t>(kernel->maximumDynamicShared, fixed < (48 << 10) ? (48 << 10) - fixed : 0))
    return cudaErrorInvalidValue;
  const uint64_t threads = uint64_t(shape.block[0]) * shape.block[1] * shape.block[2];
  if (threads == 0 || threads > 1024 || shape.grid[0] == 0 || shape.grid[1] == 0 || shape.grid[2] == 0 || shape.grid[1] > 65535 || shape.grid[2] > 65535)
    return cudaErrorInvalidValue;
  // The parameters are read now, the kernel runs later.
  auto bytes = std::make_shared<std::vector<std::vector<char>>>();
  for (uint64_t i = 0; i < kernel->kernel->parameterCount; ++i) {
    const char *from = static_cast<const char *>(parameters[i]);
    bytes->emplace_back(from, from + kernel->kernel->parameterSizes[i]);
  }
  return submit(stream, [this, kernel, shape, bytes] {
    if (!fault.empty())
      return;
    std::vector<void *> addresses;
    for (auto &parameter : *bytes)
      addresses.push_back(parameter.data());
    Launch launch = shape;
    launch.kernel = kernel->kernel;
    launch.parameters = addresses.data();
    launch.options = options;
    Report report;
    ++launches;
    if (traces)
      std::fprintf(stderr, "simt: %s of %u x %u blocks\n", launch.kernel->name, launch.grid[0], launch.grid[1]);
    if (!run(launch, report))
      fault = report.fault;
  });
}

CUresult Driver::copy(Stream *stream, CUdeviceptr to, CUdeviceptr from, size_t bytes, bool toDevice, bool fromDevice) {
  if ((toDevice && !isDevice(to, bytes)) || (fromDevice && !isDevice(from, bytes)))
    return cudaErrorInvalidValue;
  return submit(stream, [=] { std::memmove(reinterpret_cast<void *>(to), reinterpret_cast<const void *>(from), bytes); });
}

CUresult Driver::set(Stream *stream, CUdeviceptr to, uint32_t value, size_t width, size_t count) {
  if (!isDevice(to, width * count))
    return cudaErrorInvalidValue;
  return submit(stream, [=] {
    for (size_t i = 0; i < count; ++i)
      std::memcpy(reinterpret_cast<char *>(to) + i * width, &value, width);
  });
}

int Driver::attribute(int which) const {
  switch (which) {
  case 1: // MAX_THREADS_PER_BLOCK
    return 1024;
  case 2: case 3: // MAX_BLOCK_DIM_X, Y
    return 1024;
  case 4: // MAX_BLOCK_DIM_Z
    return 64;
  case 5: // MAX_GRID_DIM_X
    return 0x7FFFFFFF;
  case 6: case 7: // MAX_GRID_DIM_Y, Z
    return 65535;
  case 8: // MAX_SHARED_MEMORY_PER_BLOCK
    return 48 << 10;
  case 10: // WARP_SIZE
    return 32;
  case 12: // MAX_REGISTERS_PER_BLOCK
    return 65536;
  case 13: // CLOCK_RATE, kHz
    return arch >= 90 ? 1980000 : 1410000;
  case 16: // MULTIPROCESSOR_COUNT
    return arch >= 90 ? 132 : 108;
  case 36: // MEMORY_CLOCK_RATE, kHz
    return arch >= 90 ? 3201000 : 1215000;
  case 37: // GLOBAL_MEMORY_BUS_WIDTH, bits
    return arch >= 90 ? 6144 : 5120;
  case 38: // L2_CACHE_SIZE
    return arch >= 90 ? 60 << 20 : 40 << 20;
  case 39: // MAX_THREADS_PER_MULTIPROCESSOR
    return 2048;
  case 41: // UNIFIED_ADDRESSING
    return 1;
  case 75: // COMPUTE_CAPABILITY_MAJOR
    return arch / 10;
  case 76: // COMPUTE_CAPABILITY_MINOR
    return arch % 10;
  case 81: // MAX_SHARED_MEMORY_PER_MULTIPROCESSOR
    return sharedOptIn() + 1024;
  case 97: // MAX_SHARED_MEMORY_PER_BLOCK_OPTIN
    return sharedOptIn();
  default:
    return 0;
  }
}

const char *Driver::describe(CUresult error) const {
  switch (error) {
  case cudaSuccess:
    return "no error";
  case cudaErrorInvalidValue:
    return "invalid argument";
  case cudaErrorOutOfMemory:
    return "out of memory";
  case cudaErrorNotInitialized:
    return "initialization error";
  case cudaErrorNoDevice:
    return "no CUDA-capable device is detected";
  case cudaErrorInvalidDevice:
    return "invalid device ordinal";
  case cudaErrorInvalidImage:
    return "device kernel image is invalid";
  case cudaErrorNoBinaryForGpu:
    return "no kernel image is available for execution on the device";
  case cudaErrorNotFound:
    return "named symbol not found";
  case cudaErrorNotReady:
    return "device not ready";
  case cudaErrorCaptureUnsupported:
    return "operation not permitted when stream is capturing";
  case cudaErrorLaunchFailed:
    return fault.empty() ? "unspecified launch failure" : fault.c_str();
  default:
    return nullptr;
  }
}

const char *nameOfError(CUresult error) {
  switch (error) {
  case cudaSuccess:
    return "CUDA_SUCCESS";
  case cudaErrorInvalidValue:
    return "CUDA_ERROR_INVALID_VALUE";
  case cudaErrorOutOfMemory:
    return "CUDA_ERROR_OUT_OF_MEMORY";
  case cudaErrorNotInitialized:
    return "CUDA_ERROR_NOT_INITIALIZED";
  case cudaErrorNoDevice:
    return "CUDA_ERROR_NO_DEVICE";
  case cudaErrorInvalidDevice:
    return "CUDA_ERROR_INVALID_DEVICE";
  case cudaErrorInvalidImage:
    return "CUDA_ERROR_INVALID_IMAGE";
  case cudaErrorNoBinaryForGpu:
    return "CUDA_ERROR_NO_BINARY_FOR_GPU";
  case cudaErrorNotFound:
    return "CUDA_ERROR_NOT_FOUND";
  case cudaErrorNotReady:
    return "CUDA_ERROR_NOT_READY";
  case cudaErrorCaptureUnsupported:
    return "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED";
  case cudaErrorLaunchFailed:
    return "CUDA_ERROR_LAUNCH_FAILED";
  default:
    return nullptr;
  }
}

} // namespace moe::simt
