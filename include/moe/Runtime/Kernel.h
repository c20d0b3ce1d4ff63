//===- Kernel.h - what generated code and the runtime share -----*- C++ -*-===//
// Plain C: the generated object is linked with the runtime into model.so. Codegen builds the same struct in LLVM IR.
#ifndef MOE_RUNTIME_KERNEL_H
#define MOE_RUNTIME_KERNEL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// What one thread knows while it runs a model. Field order is the contract with lib/Codegen/CPU.
typedef struct MoeThread {
  int64_t thread;              ///< This thread, 0 to threads - 1.
  int64_t threads;             ///< Threads that run the model together.
  void *barrier;               ///< For moe_rt_barrier.
  const void *const *sections; ///< Base address of each section of model.weights, null if not mapped.
} MoeThread;

/// All threads of the run meet; memory written before is visible after.
void moe_rt_barrier(void *barrier);

#ifdef __cplusplus
}
#endif

#endif // MOE_RUNTIME_KERNEL_H
