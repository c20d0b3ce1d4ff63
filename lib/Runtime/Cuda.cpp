// The GPU of a model: driver, kernels, weights, launches. See Cuda.h.
#include "moe/Runtime/Cuda.h"
#include "Memory.h"
#include "moe/Runtime/Error.h"
#include "moe/Runtime/Kernel.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <type_traits>
#include <unistd.h>

// A model for CPUs has neither.
extern "C" {
__attribute__((weak, visibility("hidden"))) extern const char moe_kernels[];
__attribute__((weak, visibility("hidden"))) extern const char moe_kernel_image[];
}

namespace moe::runtime {

KernelProgram linkedKernels() { return {moe_kernels, moe_kernel_image}; }

// Numbers of cuda.h, which never change.
constexpr int computeMajor = 75, computeMinor = 76, mostSharedBytes = 8;
/// Kernels are for sm_80 and newer.
constexpr int leastMajor = 8;
constexpr int noBinaryForGpu = 209, unsupportedPtxVersion = 222, notFound = 500;
constexpr unsigned streamNonBlocking = 1;

/// The run that this thread is in, and its first launch that failed. moe_rt_launch has no other way to it.
struct CudaRun {
  CudaDevice *device;
  CudaDriver::Result error;
  const char *kernel;
  void *faults;
  CudaDevice::Scratch *scratch;
};
static thread_local CudaRun current = {nullptr, 0, "", nullptr, nullptr};

moe_status CudaDevice::failed(CudaDriver::Result code, const char *what, const char *subject) {
  const char *name = nullptr, *text = nullptr;
  if (driver.getErrorName && driver.getErrorName(code, &name) != 0)
    name = nullptr;
  if (driver.getErrorString && driver.getErrorString(code, &text) != 0)
    text = nullptr;
  constexpr int outOfMemory = 2;
  return fail(code == outOfMemory ? MOE_STATUS_NO_MEMORY : MOE_STATUS_GPU, "%s%s%s: the CUDA driver answers %s (%d): %s", what, *subject ? " " : "", subject,
              name ? name : "an error without a name", code, text ? text : "no description");
}

moe_status CudaDevice::findDriver(const char *folder) {
  const char *path = getenv("MOE_CUDA_DRIVER");
  const char *name = path && *path ? path : "libcuda.so.1";
  void *handle = dlopen(name, RTLD_NOW | RTLD_GLOBAL);
  if (!handle)
    return fail(MOE_STATUS_UNSUPPORTED_GPU, "the model is for a CUDA GPU and the driver is not there: %s", dlerror());
  auto find = [&](auto &function, const char *symbol) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(handle, symbol));
    return function ? nullptr : symbol;
  };
  const char *missing = nullptr;
  const char *const found[] = {
      find(driver.init, "cuInit"), find(driver.deviceGetCount, "cuDeviceGetCount"), find(driver.deviceGet, "cuDeviceGet"),
      find(driver.deviceGetName, "cuDeviceGetName"), find(driver.deviceGetAttribute, "cuDeviceGetAttribute"),
      find(driver.primaryRetain, "cuDevicePrimaryCtxRetain"), find(driver.primaryRelease, "cuDevicePrimaryCtxRelease_v2"),
      find(driver.contextSetCurrent, "cuCtxSetCurrent"), find(driver.libraryLoadData, "cuLibraryLoadData"), find(driver.libraryUnload, "cuLibraryUnload"),
      find(driver.libraryGetKernel, "cuLibraryGetKernel"), find(driver.kernelSetAttribute, "cuKernelSetAttribute"),
      find(driver.launchKernel, "cuLaunchKernel"), find(driver.memAlloc, "cuMemAlloc_v2"), find(driver.memFree, "cuMemFree_v2"),
      find(driver.copyToDevice, "cuMemcpyHtoDAsync_v2"), find(driver.copyToHost, "cuMemcpyDtoHAsync_v2"), find(driver.streamCreate, "cuStreamCreate"),
      find(driver.streamDestroy, "cuStreamDestroy_v2"), find(driver.streamSynchronize, "cuStreamSynchronize"), find(driver.tensorMapEncode, "cuTensorMapEncodeTiled"),
      find(driver.getErrorName, "cuGetErrorName"), find(driver.getErrorString, "cuGetErrorString")};
  for (const char *symbol : found)
    missing = missing ? missing : symbol;
  if (missing)
    return fail(MOE_STATUS_UNSUPPORTED_GPU, "%s lacks %s: expected the driver of CUDA 12 or newer", name, missing);
  // The executor takes kernels as host code, which registers itself when it is loaded.
  if (!dlsym(handle, "moe_simt_register"))
    return MOE_STATUS_OK;
  char kernelsPath[PATH_MAX];
  if (snprintf(kernelsPath, sizeof(kernelsPath), "%s/kernels.sim.so", folder) >= int(sizeof(kernelsPath)))
    return fail(MOE_STATUS_BAD_ARGUMENT, "the folder's name is longer than %d bytes", PATH_MAX);
  if (access(kernelsPath, R_OK) != 0)
    return fail(MOE_STATUS_BAD_ARTIFACT, "%s is not there: the SIMT executor runs artifacts of moe-compile --with-sim", kernelsPath);
  if (!dlopen(kernelsPath, RTLD_NOW | RTLD_GLOBAL))
    return fail(MOE_STATUS_BAD_ARTIFACT, "cannot load the kernels for the SIMT executor: %s", dlerror());
  return MOE_STATUS_OK;
}

moe_status CudaDevice::findDevice() {
  int count = 0;
  if (CudaDriver::Result code = driver.init(0))
    return fail(MOE_STATUS_UNSUPPORTED_GPU, "the model is for a CUDA GPU and the driver finds none (cuInit answers %d)", code);
  if (driver.deviceGetCount(&count) != 0 || count < 1)
    return fail(MOE_STATUS_UNSUPPORTED_GPU, "the model is for a CUDA GPU and this machine has none");
  if (CudaDriver::Result code = driver.deviceGet(&device, 0))
    return failed(code, "taking the first GPU");
  (void)driver.deviceGetName(deviceName, sizeof(deviceName), device);
  int major = 0, minor = 0;
  if (driver.deviceGetAttribute(&major, computeMajor, device) != 0 || driver.deviceGetAttribute(&minor, computeMinor, device) != 0 || major < leastMajor)
    return fail(MOE_STATUS_UNSUPPORTED_GPU, "the model needs a GPU of compute capability 8.0 or newer, found %s with %d.%d", deviceName, major, minor);
  if (CudaDriver::Result code = driver.primaryRetain(&context, device))
    return failed(code, "opening", deviceName);
  if (CudaDriver::Result code = driver.contextSetCurrent(context))
    return failed(code, "opening", deviceName);
  if (CudaDriver::Result code = driver.streamCreate(&stream, streamNonBlocking))
    return failed(code, "making a stream on", deviceName);
  return MOE_STATUS_OK;
}

/// Lines "name threads shared some".
moe_status CudaDevice::readTable(const char *table) {
  for (const char *c = table; *c; ++c)
    numKernels += *c == '\n';
  kernels = allocateArray<Kernel>(size_t(numKernels));
  if (!kernels)
    return fail(MOE_STATUS_NO_MEMORY, "no memory for the table of kernels");
  for (int64_t i = 0; i < numKernels; ++i) {
    if (sscanf(table, "%63s %u %u %u", kernels[i].name, &kernels[i].threads, &kernels[i].sharedBytes, &kernels[i].isOfSome) != 4)
      return fail(MOE_STATUS_BAD_ARTIFACT, "the table of kernels is damaged at kernel %d", int(i));
    table = strchr(table, '\n') + 1;
  }
  return MOE_STATUS_OK;
}

moe_status CudaDevice::loadKernels(const KernelProgram &program) {
  if (moe_status status = readTable(program.table))
    return status;
  CudaDriver::Result loaded = driver.libraryLoadData(&library, program.image, nullptr, nullptr, 0, nullptr, nullptr, 0);
  if (loaded == noBinaryForGpu || loaded == unsupportedPtxVersion)
    return fail(MOE_STATUS_UNSUPPORTED_GPU, "the model has no code for %s: %s", deviceName,
                loaded == noBinaryForGpu ? "neither machine code nor PTX of it is for this GPU"
                                         : "there is PTX for it, and the driver is too old to compile that (expected one of CUDA 12 or newer)");
  if (loaded)
    return failed(loaded, "loading the kernels on", deviceName);
  constexpr unsigned withoutAsking = 48 << 10;
  for (int64_t i = 0; i < numKernels; ++i) {
    const CudaDriver::Result found = driver.libraryGetKernel(&kernels[i].handle, library, kernels[i].name);
    if (found == notFound && kernels[i].isOfSome) {
      kernels[i].handle = nullptr;
      continue;
    }
    if (found)
      return failed(found, "finding the kernel", kernels[i].name);
    if (kernels[i].sharedBytes <= withoutAsking)
      continue;
    if (CudaDriver::Result code = driver.kernelSetAttribute(mostSharedBytes, int(kernels[i].sharedBytes), kernels[i].handle, device))
      return failed(code, "asking for shared memory of the kernel", kernels[i].name);
  }
  return MOE_STATUS_OK;
}

moe_status CudaDevice::copyWeights(const ModelInfo &info, const void *const *sections) {
  weights = allocateArray<const void *>(info.numSections);
  if (!weights)
    return fail(MOE_STATUS_NO_MEMORY, "no memory for the table of weight sections");
  numWeights = info.numSections;
  for (uint32_t s = 0; s < info.numSections; ++s) {
    if (!sections[s])
      continue;
    void *address = nullptr;
    if (moe_status status = allocate(info.sections[s].bytes, "the weights", &address))
      return status;
    weights[s] = address;
    if (moe_status status = copyIn(address, sections[s], info.sections[s].bytes))
      return status;
  }
  return finish();
}

moe_status CudaDevice::open(const char *folder, const KernelProgram &program, const ModelInfo &info, const void *const *sections) {
  if (moe_status status = findDriver(folder))
    return status;
  if (moe_status status = findDevice())
    return status;
  if (moe_status status = loadKernels(program))
    return status;
  return copyWeights(info, sections);
}

/// The words of moe_rt_tensor_map.
constexpr int mapRank = 4, mapWords = 1 + mapRank + mapRank - 1 + mapRank;

struct CudaDevice::TensorMap {
  alignas(64) unsigned char bytes[128];
  const void *address;
  int64_t words[mapWords];
  TensorMap *next;
};

CudaDevice::~CudaDevice() {
  for (TensorMap *map = maps; map;) {
    TensorMap *next = map->next;
    free(map);
    map = next;
  }
  if (!context) {
    free(kernels);
    return;
  }
  (void)driver.contextSetCurrent(context);
  for (uint32_t s = 0; s < numWeights; ++s)
    release(const_cast<void *>(weights[s]));
  free(weights);
  free(kernels);
  if (library)
    (void)driver.libraryUnload(library);
  if (stream)
    (void)driver.streamDestroy(stream);
  (void)driver.primaryRelease(device);
}

moe_status CudaDevice::begin() {
  if (CudaDriver::Result code = driver.contextSetCurrent(context))
    return failed(code, "using", deviceName);
  current = {this, 0, "", nullptr, nullptr};
  return MOE_STATUS_OK;
}

void CudaDevice::useFaultRecord(void *record) { current.faults = record; }
void CudaDevice::useScratch(Scratch *scratch) { current.scratch = scratch; }

void *CudaDevice::scratch(int64_t bytes) {
  Scratch &kept = *current.scratch;
  if (current.error)
    return nullptr;
  if (bytes <= kept.bytes)
    return kept.address;
  // The driver waits for kernels that still use the old one.
  release(kept.address);
  kept = {nullptr, 0};
  CudaDriver::Address place = 0;
  if (CudaDriver::Result code = driver.memAlloc(&place, size_t(bytes))) {
    current.error = code;
    current.kernel = "that needs scratch memory";
    return nullptr;
  }
  kept = {reinterpret_cast<void *>(uintptr_t(place)), bytes};
  return kept.address;
}

const void *CudaDevice::tensorMap(const void *address, const int64_t *words) {
  for (TensorMap *map = __atomic_load_n(&maps, __ATOMIC_ACQUIRE); map; map = map->next)
    if (map->address == address && memcmp(map->words, words, sizeof(map->words)) == 0)
      return map->bytes;
  constexpr int swizzle128 = 3, promoteTo256 = 3;
  unsigned long long sizes[mapRank], strides[mapRank - 1];
  unsigned box[mapRank];
  const unsigned ones[mapRank] = {1, 1, 1, 1};
  for (int d = 0; d < mapRank; ++d) {
    sizes[d] = static_cast<unsigned long long>(words[1 + d]);
    box[d] = static_cast<unsigned>(words[mapRank * 2 + d]);
    if (d > 0)
      strides[d - 1] = static_cast<unsigned long long>(words[mapRank + d]);
  }
  auto *map = static_cast<TensorMap *>(aligned_alloc(alignof(TensorMap), sizeof(TensorMap)));
  constexpr CudaDriver::Result outOfMemory = 2;
  CudaDriver::Result code = map ? driver.tensorMapEncode(map->bytes, int(words[0]), mapRank, const_cast<void *>(address), sizes, strides, box, ones, 0, swizzle128, promoteTo256, 0)
                                : outOfMemory;
  if (code) {
    free(map);
    if (!current.error) {
      current.error = code;
      current.kernel = "that needs a tensor map of its weights";
    }
    return nullptr;
  }
  map->address = address;
  memcpy(map->words, words, sizeof(map->words));
  // Two threads that make the same one keep both.
  map->next = __atomic_load_n(&maps, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(&maps, &map->next, map, /*weak=*/true, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
  }
  return map->bytes;
}

moe_status CudaDevice::finish() {
  const CudaRun run = current;
  current = {nullptr, 0, "", nullptr, nullptr};
  const CudaDriver::Result code = driver.streamSynchronize(stream);
  if (run.error)
    return failed(run.error, "launching the kernel", run.kernel);
  return code ? failed(code, "running kernels on", deviceName) : MOE_STATUS_OK;
}

moe_status CudaDevice::allocate(size_t bytes, const char *what, void **address) {
  CudaDriver::Address place = 0;
  if (CudaDriver::Result code = driver.memAlloc(&place, bytes ? bytes : 1))
    return failed(code, "allocating GPU memory for", what);
  *address = reinterpret_cast<void *>(uintptr_t(place));
  return MOE_STATUS_OK;
}

void CudaDevice::release(void *address) {
  if (address)
    (void)driver.memFree(uintptr_t(address));
}

moe_status CudaDevice::copyIn(void *to, const void *from, size_t bytes) {
  CudaDriver::Result code = bytes ? driver.copyToDevice(uintptr_t(to), from, bytes, stream) : 0;
  return code ? failed(code, "copying to", deviceName) : MOE_STATUS_OK;
}

moe_status CudaDevice::copyOut(void *to, const void *from, size_t bytes) {
  CudaDriver::Result code = bytes ? driver.copyToHost(to, uintptr_t(from), bytes, stream) : 0;
  return code ? failed(code, "copying from", deviceName) : MOE_STATUS_OK;
}

void CudaDevice::launch(int64_t number, int64_t blocksX, int64_t blocksY, void **arguments) {
  // Behind a launch that has failed nothing makes sense. A grid without blocks is no launch: there are no rows.
  if (current.error || blocksX == 0 || blocksY == 0)
    return;
  const Kernel &kernel = kernels[number];
  current.error = driver.launchKernel(kernel.handle, unsigned(blocksX), unsigned(blocksY), 1, kernel.threads, 1, 1, kernel.sharedBytes, stream, arguments, nullptr);
  current.kernel = kernel.name;
}

} // namespace moe::runtime

void moe_rt_launch(int64_t kernel, int64_t blocks_x, int64_t blocks_y, void **arguments) {
  moe::runtime::current.device->launch(kernel, blocks_x, blocks_y, arguments);
}

int32_t moe_rt_has_kernel(int64_t kernel) { return moe::runtime::current.device->hasKernel(kernel); }

const void *moe_rt_tensor_map(const void *address, const int64_t *words) { return moe::runtime::current.device->tensorMap(address, words); }

void *moe_rt_scratch(int64_t bytes) { return moe::runtime::current.device->scratch(bytes); }

void *moe_rt_fault_record() { return moe::runtime::current.faults; }
