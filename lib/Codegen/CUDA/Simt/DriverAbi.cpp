// The stub driver's C interface: the names that a program looks up in libcuda.so.1. Arguments are as cuda.h has them.
#include "Images.h"
#include "TensorMap.h"

#include <chrono>
#include <cstring>

using namespace moe::simt;

#define MOE_CUDA_API extern "C" __attribute__((visibility("default"))) CUresult

/// Returns from the function if the driver has not begun or a kernel has failed.
#define MOE_ENTER()                                                                                                                                \
  if (CUresult entered = driver().enter())                                                                                                        \
  return entered

namespace {

double now() { return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// As CUlaunchConfig.
struct LaunchConfig {
  unsigned grid[3], block[3], sharedBytes;
  Stream *stream;
  void *attributes;
  unsigned attributeCount;
};

Launch shapeOf(const unsigned *grid, const unsigned *block, unsigned sharedBytes) {
  Launch launch;
  std::memcpy(launch.grid, grid, sizeof(launch.grid));
  std::memcpy(launch.block, block, sizeof(launch.block));
  launch.dynamicShared = sharedBytes;
  return launch;
}

constexpr int maxDynamicSharedAttribute = 8;

CUresult setAttribute(Kernel *kernel, int attribute, int value) {
  MOE_ENTER();
  if (!kernel)
    return cudaErrorInvalidValue;
  if (attribute != maxDynamicSharedAttribute)
    return cudaSuccess;
  if (value < 0 || value > driver().sharedOptIn())
    return cudaErrorInvalidValue;
  kernel->maximumDynamicShared = static_cast<uint64_t>(value);
  return cudaSuccess;
}

CUresult getAttribute(int *value, int attribute, const Kernel *kernel) {
  MOE_ENTER();
  if (!value || !kernel)
    return cudaErrorInvalidValue;
  uint64_t fixed = 0;
  for (uint64_t i = 0; i < kernel->kernel->sharedCount; ++i)
    fixed += kernel->kernel->shared[i]->size;
  const uint64_t most = kernel->kernel->maximumThreads;
  *value = attribute == 0 ? static_cast<int>(most ? most : 1024)
           : attribute == 1 ? static_cast<int>(fixed)
           : attribute == maxDynamicSharedAttribute ? static_cast<int>(kernel->maximumDynamicShared) : 0;
  return cudaSuccess;
}

/// What waits or allocates may not be done during a capture.
CUresult enterOutsideCapture() {
  MOE_ENTER();
  return driver().captures ? cudaErrorCaptureUnsupported : cudaSuccess;
}

} // namespace

MOE_CUDA_API cuInit(unsigned flags) {
  if (flags)
    return cudaErrorInvalidValue;
  if (driver().devices == 0)
    return cudaErrorNoDevice;
  driver().initialized = true;
  return cudaSuccess;
}
MOE_CUDA_API cuDriverGetVersion(int *version) { return version ? (*version = 12080, cudaSuccess) : cudaErrorInvalidValue; }
MOE_CUDA_API cuDeviceGetCount(int *count) {
  MOE_ENTER();
  return count ? (*count = driver().devices, cudaSuccess) : cudaErrorInvalidValue;
}
MOE_CUDA_API cuDeviceGet(int *device, int ordinal) {
  MOE_ENTER();
  if (!device || ordinal < 0 || ordinal >= driver().devices)
    return cudaErrorInvalidDevice;
  *device = ordinal;
  return cudaSuccess;
}
MOE_CUDA_API cuDeviceGetName(char *name, int length, int) {
  MOE_ENTER();
  if (!name || length <= 0)
    return cudaErrorInvalidValue;
  const std::string text = "moe-opt SIMT executor, sm_" + std::to_string(driver().arch);
  const size_t count = std::min<size_t>(text.size(), static_cast<size_t>(length) - 1);
  std::memcpy(name, text.data(), count);
  name[count] = '\0';
  return cudaSuccess;
}
MOE_CUDA_API cuDeviceGetAttribute(int *value, int attribute, int) {
  MOE_ENTER();
  return value ? (*value = driver().attribute(attribute), cudaSuccess) : cudaErrorInvalidValue;
}
MOE_CUDA_API cuDeviceTotalMem_v2(size_t *bytes, int) {
  MOE_ENTER();
  return bytes ? (*bytes = driver().memory, cudaSuccess) : cudaErrorInvalidValue;
}
MOE_CUDA_API cuDevicePrimaryCtxRetain(void **context, int) {
  MOE_ENTER();
  return context ? (*context = &driver(), cudaSuccess) : cudaErrorInvalidValue;
}
MOE_CUDA_API cuDevicePrimaryCtxRelease_v2(int) { return cudaSuccess; }
MOE_CUDA_API cuCtxCreate_v2(void **context, unsigned, int device) { return cuDevicePrimaryCtxRetain(context, device); }
MOE_CUDA_API cuCtxDestroy_v2(void *) { return cudaSuccess; }
MOE_CUDA_API cuCtxSetCurrent(void *) { return driver().enter(); }
MOE_CUDA_API cuCtxGetCurrent(void **context) { return cuDevicePrimaryCtxRetain(context, 0); }
MOE_CUDA_API cuCtxPushCurrent_v2(void *) { return driver().enter(); }
MOE_CUDA_API cuCtxPopCurrent_v2(void **context) { return cuDevicePrimaryCtxRetain(context, 0); }
MOE_CUDA_API cuCtxGetDevice(int *device) { return cuDeviceGet(device, 0); }
MOE_CUDA_API cuCtxSynchronize() { return enterOutsideCapture(); }

MOE_CUDA_API cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
  if (CUresult refused = enterOutsideCapture())
    return refused;
  return driver().allocateMemory(address, bytes);
}
MOE_CUDA_API cuMemFree_v2(CUdeviceptr address) {
  if (CUresult refused = enterOutsideCapture())
    return refused;
  return address ? driver().freeMemory(address) : cudaSuccess;
}
MOE_CUDA_API cuMemGetInfo_v2(size_t *available, size_t *total) {
  MOE_ENTER();
  *available = driver().memory - driver().used;
  *total = driver().memory;
  return cudaSuccess;
}
MOE_CUDA_API cuMemAllocHost_v2(void **address, size_t bytes) { return address && (*address = std::malloc(bytes)) ? cudaSuccess : cudaErrorOutOfMemory; }
MOE_CUDA_API cuMemFreeHost(void *address) { return std::free(address), cudaSuccess; }

#define MOE_COPY(NAME, TO, FROM, TO_DEVICE, FROM_DEVICE)                                                                                           \
  MOE_CUDA_API NAME##_v2(TO to, FROM from, size_t bytes) {                                                                                         \
    if (CUresult refused = enterOutsideCapture())                                                                                                  \
      return refused;                                                                                                                              \
    return driver().copy(nullptr, (CUdeviceptr)to, (CUdeviceptr)from, bytes, TO_DEVICE, FROM_DEVICE);                                              \
  }                                                                                                                                                \
  MOE_CUDA_API NAME##Async_v2(TO to, FROM from, size_t bytes, Stream *stream) {                                                                    \
    MOE_ENTER();                                                                                                                                   \
    return driver().copy(stream, (CUdeviceptr)to, (CUdeviceptr)from, bytes, TO_DEVICE, FROM_DEVICE);                                               \
  }
MOE_COPY(cuMemcpyHtoD, CUdeviceptr, const void *, true, false)
MOE_COPY(cuMemcpyDtoH, void *, CUdeviceptr, false, true)
MOE_COPY(cuMemcpyDtoD, CUdeviceptr, CUdeviceptr, true, true)

MOE_CUDA_API cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, Stream *stream) {
  MOE_ENTER();
  return driver().set(stream, to, value, 1, count);
}
MOE_CUDA_API cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, Stream *stream) {
  MOE_ENTER();
  return driver().set(stream, to, value, 4, count);
}
MOE_CUDA_API cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t count) { return cuMemsetD8Async(to, value, count, nullptr); }
MOE_CUDA_API cuMemsetD32_v2(CUdeviceptr to, unsigned value, size_t count) { return cuMemsetD32Async(to, value, count, nullptr); }

MOE_CUDA_API cuLibraryLoadData(LoadedLibrary **library, const void *image, int *, void **, unsigned, int *, void **, unsigned) {
  MOE_ENTER();
  if (!library || !image)
    return cudaErrorInvalidValue;
  auto loaded = std::make_unique<LoadedLibrary>();
  if (CUresult refused = chooseCode(image, static_cast<unsigned>(driver().arch), loaded->code))
    return refused;
  *library = loaded.release();
  return cudaSuccess;
}
MOE_CUDA_API cuLibraryUnload(LoadedLibrary *library) { return delete library, cudaSuccess; }
MOE_CUDA_API cuLibraryGetKernel(Kernel **kernel, LoadedLibrary *library, const char *name) {
  MOE_ENTER();
  if (!kernel || !library || !name)
    return cudaErrorInvalidValue;
  const SimtKernel *found = findKernel(name);
  // One that is registered may not be in the code for this device.
  if (!found || !library->code.hasKernel(name))
    return cudaErrorNotFound;
  std::unique_ptr<Kernel> &entry = library->kernels[name];
  if (!entry)
    entry = std::make_unique<Kernel>();
  entry->kernel = found;
  *kernel = entry.get();
  return cudaSuccess;
}
MOE_CUDA_API cuKernelGetFunction(Kernel **function, Kernel *kernel) { return function ? (*function = kernel, cudaSuccess) : cudaErrorInvalidValue; }
MOE_CUDA_API cuKernelSetAttribute(int attribute, int value, Kernel *kernel, int) { return setAttribute(kernel, attribute, value); }
MOE_CUDA_API cuFuncSetAttribute(Kernel *kernel, int attribute, int value) { return setAttribute(kernel, attribute, value); }
MOE_CUDA_API cuKernelGetAttribute(int *value, int attribute, Kernel *kernel, int) { return getAttribute(value, attribute, kernel); }
MOE_CUDA_API cuFuncGetAttribute(int *value, int attribute, Kernel *kernel) { return getAttribute(value, attribute, kernel); }

MOE_CUDA_API cuLaunchKernel(Kernel *kernel, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY, unsigned blockZ,
                            unsigned sharedBytes, Stream *stream, void **parameters, void **extra) {
  MOE_ENTER();
  const unsigned grid[] = {gridX, gridY, gridZ}, block[] = {blockX, blockY, blockZ};
  return driver().launch(kernel, shapeOf(grid, block, sharedBytes), stream, parameters, extra);
}
MOE_CUDA_API cuLaunchKernelEx(const LaunchConfig *config, Kernel *kernel, void **parameters, void **extra) {
  MOE_ENTER();
  if (!config)
    return cudaErrorInvalidValue;
  return driver().launch(kernel, shapeOf(config->grid, config->block, config->sharedBytes), config->stream, parameters, extra);
}

MOE_CUDA_API cuStreamCreate(Stream **stream, unsigned) {
  MOE_ENTER();
  return stream ? (*stream = new Stream(), cudaSuccess) : cudaErrorInvalidValue;
}
MOE_CUDA_API cuStreamDestroy_v2(Stream *stream) { return delete stream, cudaSuccess; }
MOE_CUDA_API cuStreamSynchronize(Stream *stream) {
  MOE_ENTER();
  return stream && stream->capture ? cudaErrorCaptureUnsupported : cudaSuccess;
}
MOE_CUDA_API cuStreamQuery(Stream *stream) { return cuStreamSynchronize(stream); }
MOE_CUDA_API cuStreamWaitEvent(Stream *, Event *event, unsigned) {
  MOE_ENTER();
  return event ? cudaSuccess : cudaErrorInvalidValue;
}
MOE_CUDA_API cuStreamIsCapturing(Stream *stream, int *status) {
  MOE_ENTER();
  return *status = stream && stream->capture, cudaSuccess;
}
MOE_CUDA_API cuStreamBeginCapture_v2(Stream *stream, int) {
  MOE_ENTER();
  if (!stream || stream->capture)
    return cudaErrorInvalidValue;
  stream->capture = std::make_unique<Graph>();
  ++driver().captures;
  return cudaSuccess;
}
MOE_CUDA_API cuStreamEndCapture(Stream *stream, Graph **graph) {
  MOE_ENTER();
  if (!stream || !graph || !stream->capture)
    return cudaErrorInvalidValue;
  *graph = stream->capture.release();
  --driver().captures;
  return cudaSuccess;
}
MOE_CUDA_API cuGraphInstantiateWithFlags(Graph **executable, Graph *graph, unsigned long long) {
  MOE_ENTER();
  return executable && graph ? (*executable = new Graph(*graph), cudaSuccess) : cudaErrorInvalidValue;
}
MOE_CUDA_API cuGraphLaunch(Graph *graph, Stream *) {
  MOE_ENTER();
  if (!graph)
    return cudaErrorInvalidValue;
  for (const Work &work : graph->work)
    work();
  return cudaSuccess;
}
MOE_CUDA_API cuGraphDestroy(Graph *graph) { return delete graph, cudaSuccess; }
MOE_CUDA_API cuGraphExecDestroy(Graph *graph) { return delete graph, cudaSuccess; }

MOE_CUDA_API cuEventCreate(Event **event, unsigned) {
  MOE_ENTER();
  return event ? (*event = new Event(), cudaSuccess) : cudaErrorInvalidValue;
}
MOE_CUDA_API cuEventDestroy_v2(Event *event) { return delete event, cudaSuccess; }
MOE_CUDA_API cuEventRecord(Event *event, Stream *stream) {
  MOE_ENTER();
  return event ? driver().submit(stream, [event] { event->milliseconds = now(); }) : cudaErrorInvalidValue;
}
MOE_CUDA_API cuEventSynchronize(Event *event) {
  MOE_ENTER();
  return event ? cudaSuccess : cudaErrorInvalidValue;
}
MOE_CUDA_API cuEventQuery(Event *event) { return cuEventSynchronize(event); }
MOE_CUDA_API cuEventElapsedTime(float *milliseconds, Event *start, Event *end) {
  MOE_ENTER();
  if (!milliseconds || !start || !end)
    return cudaErrorInvalidValue;
  *milliseconds = static_cast<float>(end->milliseconds - start->milliseconds);
  return cudaSuccess;
}

MOE_CUDA_API cuGetErrorName(CUresult error, const char **text) { return (*text = nameOfError(error)) ? cudaSuccess : cudaErrorInvalidValue; }
MOE_CUDA_API cuGetErrorString(CUresult error, const char **text) { return (*text = driver().describe(error)) ? cudaSuccess : cudaErrorInvalidValue; }

/// How many kernels were launched in this process: for tests of what a host side does.
extern "C" __attribute__((visibility("default"))) uint64_t moe_simt_launches() { return driver().launches; }

MOE_CUDA_API cuTensorMapEncodeTiled(void *map, int type, unsigned rank, void *address, const uint64_t *sizes, const uint64_t *strides, const unsigned *box,
                                    const unsigned *elementStrides, int interleave, int swizzle, int, int fill) {
  const int bytesOfType[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
  if (!map || !address || !sizes || !box || !elementStrides || rank < 1 || rank > 5 || (rank > 1 && !strides) || type < 0 || type > 12 ||
      swizzle < 0 || swizzle > 3 || interleave != 0 || reinterpret_cast<uintptr_t>(address) % 16 != 0 || reinterpret_cast<uintptr_t>(map) % 64 != 0)
    return cudaErrorInvalidValue;
  TensorMap made = {tensorMapMagic, static_cast<uint8_t>(rank), static_cast<uint8_t>(bytesOfType[type]),
                    static_cast<uint8_t>(swizzle == 0 ? 0 : 16 << swizzle), fill != 0, reinterpret_cast<uint64_t>(address), {}, {}, {}};
  for (unsigned d = 0; d < rank; ++d) {
    if (sizes[d] == 0 || sizes[d] > uint64_t(1) << 32 || box[d] == 0 || box[d] > 256 || elementStrides[d] != 1)
      return cudaErrorInvalidValue;
    made.sizes[d] = sizes[d];
    made.box[d] = static_cast<uint16_t>(box[d]);
    if (d > 0) {
      if (strides[d - 1] % 16 != 0 || strides[d - 1] >= uint64_t(1) << 40)
        return cudaErrorInvalidValue;
      made.strides[d - 1] = strides[d - 1];
    }
  }
  const unsigned row = box[0] * made.elementBytes;
  if (row % 16 != 0 || (made.swizzle && row > made.swizzle))
    return cudaErrorInvalidValue;
  std::memset(map, 0, 128);
  std::memcpy(map, &made, sizeof(made));
  return cudaSuccess;
}
