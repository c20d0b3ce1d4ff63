// Stacks and the switch between them: one per simulated thread.
#ifndef MOE_LIB_CODEGEN_CUDA_SIMT_FIBER_H
#define MOE_LIB_CODEGEN_CUDA_SIMT_FIBER_H

#include <cstddef>

extern "C" {
/// Saves what a callee must keep and the stack pointer in *saved, and goes on where `next` was saved.
void moe_simt_switch(void **saved, void *next);
}

namespace moe::simt {

constexpr size_t stackBytes = 256 << 10;

/// Memory for one stack with a guard page below it, or null. Stacks are never given back, only reused.
char *newStack();

/// A stack pointer that moe_simt_switch goes to: there `entry(argument)` begins, which must not return.
void *prepareStack(char *stack, void (*entry)(void *), void *argument);

} // namespace moe::simt

#endif // MOE_LIB_CODEGEN_CUDA_SIMT_FIBER_H
