//===- Kernel.h - what generated code and the runtime share -----*- C++ -*-===//
// Plain C: the generated object is linked with the runtime into model.so. Codegen builds the same struct in LLVM IR.
#ifndef MOE_RUNTIME_KERNEL_H
#define MOE_RUNTIME_KERNEL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The first condition on data that a thread found broken: element `position` of the values of condition `number` is `value`, outside of
/// low <= value < high.
typedef struct MoeFault {
  int64_t number; ///< Of the message in moe_model_info, -1 while all is well.
  int64_t position;
  int64_t value;
  int64_t low;
  int64_t high;
} MoeFault;

/// What one thread knows while it runs a model. Field order is the contract with lib/Codegen/CPU.
typedef struct MoeThread {
  int64_t thread;              ///< This thread, 0 to threads - 1.
  int64_t threads;             ///< Threads that run the model together.
  void *barrier;               ///< For moe_rt_barrier.
  const void *const *sections; ///< Base address of each section of model.weights, null if not mapped.
  MoeFault *fault;             ///< This thread's own, for moe_rt_fault.
  int64_t rank;                ///< This process among those that run the model together, 0 to ranks - 1.
  int64_t ranks;               ///< Processes that run the model together.
  void *ranking;               ///< For moe_rt_exchange… and moe_rt_gather_shares.
} MoeThread;

/// All threads of the run meet; memory written before is visible after.
void moe_rt_barrier(void *barrier);

/// Notes a broken condition in `fault`, if what is there is not of a lesser number, or of a lesser position.
void moe_rt_fault(MoeFault *fault, int64_t number, int64_t position, int64_t value, int64_t low, int64_t high);

/// Sends rows of `row_bytes` bytes to all ranks and receives theirs: send[r] rows for rank r, one block after the other from `from` on; receive[r] rows
/// from rank r, as they come to lie in `into`. Thread 0 alone calls it. Counts that two ranks disagree on end all ranks.
void moe_rt_exchange(void *ranking, const void *from, void *into, const int32_t *send, const int32_t *receive, int64_t row_bytes);

/// The same without waiting: until moe_rt_exchange_wait of the same `from` and `into` the former must not change and the latter must not be read. With
/// `per_node` devices in a node (0: not known) rows go over the network between devices of one place in their nodes, and on inside of nodes; rows with
/// one number in `token` (null on all ranks or on none) are equal and cross the network once for a node.
void moe_rt_exchange_start(void *ranking, const void *from, void *into, const int32_t *send, const int32_t *receive, const int32_t *token,
                           int64_t row_bytes, int64_t per_node);
void moe_rt_exchange_wait(void *ranking, const void *from, void *into, int64_t row_bytes);

/// Of `rows` rows every rank has written its share (moe.all_gather), of whole sequences of `unit` rows; after the call each has all. Thread 0 alone calls it.
void moe_rt_gather_shares(void *ranking, void *buffer, int64_t rows, int64_t unit, int64_t row_bytes);

/// Launches kernel `kernel` of moe_kernels with blocks_x by blocks_y blocks on the GPU of the run that this thread is in; arguments[i] points to argument i. A
/// launch that fails is reported by the run, and what is launched after it does nothing.
void moe_rt_launch(int64_t kernel, int64_t blocks_x, int64_t blocks_y, void **arguments);

/// Not 0 where the code that the GPU of this run has taken from the model's has kernel `kernel`: some are for GPUs of one kind alone.
int32_t moe_rt_has_kernel(int64_t kernel);

/// A tensor map (128 bytes that stay where they are) of a tensor of four dims on the GPU at `address`, for copies of boxes to shared memory under a swizzle of 128 bytes. What is
/// past the end of a dim is zero. words: CUtensorMapDataType; four sizes, from the dense dim on; bytes from one to the next in dims 1 to 3; four sizes of the box. Null where the
/// driver refuses; the run reports it, and what is launched after it does nothing.
const void *moe_rt_tensor_map(const void *address, const int64_t *words);

/// On the GPU, the record of faults of the run that this thread is in: a word of 8 bytes whose low half is a lock, then a MoeFault.
void *moe_rt_fault_record(void);

/// Memory on the GPU of at least `bytes` bytes, for kernels of this run that follow each other without a barrier of the entry between them. The next call may give the same memory.
/// Null where there is none; the run reports it, and what is launched after it does nothing.
void *moe_rt_scratch(int64_t bytes);

#ifdef __cplusplus
}
#endif

#endif // MOE_RUNTIME_KERNEL_H
