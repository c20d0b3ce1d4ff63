// The collectives of a warp, and those of them that are done elsewhere.
#ifndef MOE_LIB_CODEGEN_CUDA_SIMT_COLLECTIVES_H
#define MOE_LIB_CODEGEN_CUDA_SIMT_COLLECTIVES_H

#include "State.h"

namespace moe::simt {

/// Leaves the request of the current thread and waits for its answer. All lanes of the mask that live must come with the same kind, mask and
/// variant.
uint64_t collective(const Request &request);

/// ldmatrix, stmatrix and mma.sync, from the requests of a warp's 32 lanes.
void loadMatrix(Warp &warp);
void storeMatrix(Warp &warp);
void product(Warp &warp);

} // namespace moe::simt

#endif // MOE_LIB_CODEGEN_CUDA_SIMT_COLLECTIVES_H
