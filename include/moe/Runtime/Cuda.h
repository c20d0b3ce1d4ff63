//===- Cuda.h - a GPU that is found when a model is loaded --------*- C++ -*-===//
// model.so is linked with no CUDA library: the driver is found at run time. A model whose kernels are for a GPU has `moe_kernels` and
// `moe_kernel_image`; its entry runs on one CPU thread and launches them (moe_rt_launch). Weights lie on the GPU from open to release; a run
// copies inputs there and outputs back, on one stream.
#ifndef MOE_RUNTIME_CUDA_H
#define MOE_RUNTIME_CUDA_H

#include "moe/Runtime/ModelInfoReader.h"

#include <stddef.h>

namespace moe::runtime {

/// The functions of the driver that are used. A handle is an opaque pointer, a device pointer an integer, as in cuda.h.
struct CudaDriver {
  using Result = int;
  using Address = unsigned long long;

  Result (*init)(unsigned flags);
  Result (*deviceGetCount)(int *count);
  Result (*deviceGet)(int *device, int ordinal);
  Result (*deviceGetName)(char *name, int length, int device);
  Result (*deviceGetAttribute)(int *value, int attribute, int device);
  Result (*primaryRetain)(void **context, int device);
  Result (*primaryRelease)(int device);
  Result (*contextSetCurrent)(void *context);
  Result (*libraryLoadData)(void **library, const void *code, int *, void **, unsigned, int *, void **, unsigned);
  Result (*libraryUnload)(void *library);
  Result (*libraryGetKernel)(void **kernel, void *library, const char *name);
  Result (*kernelSetAttribute)(int attribute, int value, void *kernel, int device);
  Result (*launchKernel)(void *kernel, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY, unsigned blockZ, unsigned sharedBytes,
                         void *stream, void **arguments, void **extra);
  Result (*memAlloc)(Address *address, size_t bytes);
  Result (*memFree)(Address address);
  Result (*copyToDevice)(Address to, const void *from, size_t bytes, void *stream);
  Result (*copyToHost)(void *to, Address from, size_t bytes, void *stream);
  Result (*streamCreate)(void **stream, unsigned flags);
  Result (*streamDestroy)(void *stream);
  Result (*streamSynchronize)(void *stream);
  Result (*tensorMapEncode)(void *map, int type, unsigned rank, void *address, const unsigned long long *sizes, const unsigned long long *strides, const unsigned *box,
                            const unsigned *elementStrides, int interleave, int swizzle, int promotion, int fill);
  Result (*getErrorName)(Result error, const char **text);
  Result (*getErrorString)(Result error, const char **text);
};

/// The kernels of this model.so, null where it is for CPUs: a line "name threads shared some" for each (some: 1 where
/// only code for some GPUs has it), and the code that the driver loads (a fatbin or PTX).
struct KernelProgram {
  const char *table;
  const char *image;
};
KernelProgram linkedKernels();

/// The GPU of one model. Memory is given back with the object.
class CudaDevice {
public:
  CudaDevice() = default;
  CudaDevice(const CudaDevice &) = delete;
  CudaDevice &operator=(const CudaDevice &) = delete;
  ~CudaDevice();

  /// Finds the driver ($MOE_CUDA_DRIVER, else libcuda.so.1) and the first GPU, loads the kernels and copies the weights that `sections` points to. Where
  /// the driver is the SIMT executor, `folder`/kernels.sim.so brings the kernels. MOE_STATUS_UNSUPPORTED_GPU where there is no driver or no GPU, or one that is too
  /// old. Call once.
  moe_status open(const char *folder, const KernelProgram &program, const ModelInfo &info, const void *const *sections);

  /// For MoeThread.sections: addresses on the GPU.
  const void *const *sections() const { return weights; }

  /// Makes the GPU current for this thread and starts a run: launches that fail are kept for finish().
  moe_status begin();
  /// For moe_rt_fault_record in this run.
  void useFaultRecord(void *record);
  /// Memory that grows when it is asked for more, and stays until the owner gives it back.
  struct Scratch {
    void *address = nullptr;
    int64_t bytes = 0;
  };
  /// For moe_rt_scratch in this run.
  void useScratch(Scratch *scratch);
  /// Waits for all that was started. The first failure since begin(), with the kernel's name.
  moe_status finish();

  /// Memory on the GPU of at least one byte; null and MOE_STATUS_NO_MEMORY.
  moe_status allocate(size_t bytes, const char *what, void **address);
  void release(void *address);
  moe_status copyIn(void *to, const void *from, size_t bytes);
  moe_status copyOut(void *to, const void *from, size_t bytes);

  /// What moe_rt_scratch does.
  void *scratch(int64_t bytes);
  /// What moe_rt_has_kernel does.
  bool hasKernel(int64_t kernel) const { return kernels[kernel].handle; }
  /// What moe_rt_tensor_map does. Maps are kept, so each is made once.
  const void *tensorMap(const void *address, const int64_t *words);
  /// What moe_rt_launch does.
  void launch(int64_t kernel, int64_t blocksX, int64_t blocksY, void **arguments);

private:
  struct Kernel {
    char name[64];
    unsigned threads, sharedBytes;
    unsigned isOfSome;
    void *handle;
  };
  struct TensorMap;
  moe_status findDriver(const char *folder);
  moe_status findDevice();
  moe_status loadKernels(const KernelProgram &program);
  moe_status readTable(const char *table);
  moe_status copyWeights(const ModelInfo &info, const void *const *sections);
  moe_status failed(CudaDriver::Result error, const char *what, const char *subject = "");

  CudaDriver driver = {};
  int device = 0;
  char deviceName[96] = "";
  void *context = nullptr, *library = nullptr, *stream = nullptr;
  Kernel *kernels = nullptr;
  TensorMap *maps = nullptr; ///< A list that only grows, from several threads.
  int64_t numKernels = 0;
  const void **weights = nullptr; ///< Addresses on the GPU by section, null where not used.
  uint32_t numWeights = 0;
};

} // namespace moe::runtime

#endif // MOE_RUNTIME_CUDA_H
