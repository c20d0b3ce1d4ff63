// mbarriers as bulk copies use them.
#ifndef MOE_LIB_CODEGEN_CUDA_SIMT_MEMORYBARRIERS_H
#define MOE_LIB_CODEGEN_CUDA_SIMT_MEMORYBARRIERS_H

#include "State.h"

namespace moe::simt {

/// The mbarrier that was initialised at `address`, or a fault.
MemoryBarrier &memoryBarrierAt(void *address, const char *site);

/// Gives the current thread's copy to the barrier, which does it when it is asked for its phase.
void track(MemoryBarrier &barrier, TrackedCopy copy);

} // namespace moe::simt

#endif // MOE_LIB_CODEGEN_CUDA_SIMT_MEMORYBARRIERS_H
