// Loops of the entry by warps. Lower gives each thread rows; on a GPU neighbouring threads then read places that are a row apart. Where the loops allow it, a warp takes the part of a
// thread: all lanes walk the same rows, and the loops along a row are shared by lanes, so that they touch neighbouring places.
#ifndef MOE_CODEGEN_CUDA_WARPROWS_H
#define MOE_CODEGEN_CUDA_WARPROWS_H

#include "GpuBuilder.h"

namespace moe {

/// Whether a warp may take the part of a thread in `body`, and has something of it: its ops are loads, stores, loops of them without results and what has no effects, and of some loop
/// lanes can share the rounds. Kernels with sums along a row have one thread for each row: a warp would do each sum 32 times. `rootOf` gives the buffer that a memref is a view of.
bool canShareRows(mlir::Block &body, llvm::function_ref<mlir::Value(mlir::Value)> rootOf);

/// Rewrites `body`, of which canShareRows is true. Lanes share the rounds of innermost loops that write to places which the loop's counter tells apart and read of what they write only
/// those. Other writes, of single numbers, are done by lane 0; lanes meet before and after both.
void shareRows(GpuBuilder &b, mlir::Block &body, llvm::function_ref<mlir::Value(mlir::Value)> rootOf);

} // namespace moe

#endif // MOE_CODEGEN_CUDA_WARPROWS_H
