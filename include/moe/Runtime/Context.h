//===- Context.h - the working memory of a run ------------------*- C++ -*-===//
// A context owns everything that a run writes but the outputs: the arena, the memref descriptors, the arrays of dims. All but the arena have
// their final size from the start.
#ifndef MOE_RUNTIME_CONTEXT_H
#define MOE_RUNTIME_CONTEXT_H

#include "moe/Runtime/Kernel.h"
#include "moe/Runtime/Model.h"

namespace moe::runtime {

/// Memory that only grows.
class Arena {
public:
  Arena() = default;
  Arena(const Arena &) = delete;
  Arena &operator=(const Arena &) = delete;
  ~Arena();

  /// Makes room for `bytes` bytes at an address aligned to 64 (to a huge page when large). What it held is lost when it grows; on failure it
  /// holds nothing.
  moe_status reserve(int64_t bytes);

  void *data() const { return memory; }
  int64_t bytes() const { return capacity; }

private:
  void *memory = nullptr;
  int64_t capacity = 0;
};

} // namespace moe::runtime

/// See moe_model.h.
struct moe_context {
  /// Becomes an owner of `model`.
  moe_context(moe_model &model, int32_t threads);
  ~moe_context();

  /// Allocates what has a fixed size. Call once.
  moe_status prepare();

  /// See moe_context_run.
  moe_status run(const moe_tensor *inputs, int32_t numInputs, const moe_tensor *outputs, int32_t numOutputs);

  moe_model &model;
  const int32_t threads;

private:
  /// All that can be refused before the entry is called.
  moe_status prepareRun(const moe_tensor *inputs, int32_t numInputs, const moe_tensor *outputs, int32_t numOutputs);
  /// Of the dims and of the inputs that are no caches and not large: ranks must have the same.
  uint64_t digestOfInputs(const moe_tensor *inputs) const;
  moe_status runLocked(const moe_tensor *inputs, int32_t numInputs, const moe_tensor *outputs, int32_t numOutputs);
  void writeDescriptors(const moe_tensor *inputs, const moe_tensor *outputs, void *arenaData, int64_t arenaBytes);
  /// On the model's GPU (ContextGpu.cpp): copies of the tensors there, the entry on this thread, and the outputs back.
  moe_status runOnGpu(const moe_tensor *inputs, const moe_tensor *outputs);
  moe_status mirrorTensors();
  moe_status launchAll(const moe_tensor *inputs, const moe_tensor *outputs);
  void releaseMirrors();
  /// Says in the outputs' shapes what the run has found out.
  void writeFoundDims(const moe_tensor *outputs);
  static void runThread(void *context, int64_t thread, int64_t threads, void *barrier);
  /// Keeps the fault of a thread that has one, unless another thread's comes before it.
  void collect(const MoeFault &found);
  moe_status reportFault() const;

  moe::runtime::Arena arena;
  std::atomic<bool> running{false};
  std::atomic_flag collecting = ATOMIC_FLAG_INIT; ///< Guards `fault`.
  MoeFault fault{};                         ///< Of the run.
  int64_t *inDims = nullptr;                ///< Sizes of all inputs, one after the other, then elements that decide sizes.
  int64_t *outDims = nullptr;               ///< Sizes of all outputs.
  void **addresses = nullptr;               ///< First elements of inputs, then outputs.
  moe::runtime::Extent *extents = nullptr;  ///< As many.
  int64_t *words = nullptr;                 ///< All memref descriptors, one after the other.
  void **descriptors = nullptr;             ///< Where each begins: inputs, outputs, found dims (if any), arena.
  int64_t *foundDims = nullptr;             ///< Dims of outputs that the run finds out.
  /// Memory on the GPU that only grows: of each tensor, of the arena, and of the record of faults.
  struct Mirror {
    void *address;
    int64_t bytes;
  };
  moe::runtime::CudaDevice::Scratch scratch;
  Mirror *mirrors = nullptr;
  int64_t arenaBytes = 0; ///< That the inputs of this run need.
  /// What moe_rt_fault_record points to, copied before a run and after it.
  struct FaultRecord {
    int64_t lock;
    MoeFault fault;
  } record = {};
};

#endif // MOE_RUNTIME_CONTEXT_H
