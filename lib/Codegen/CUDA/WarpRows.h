// Loops of the entry by warps. Lower gives each thread rows; on a GPU neighbouring threads then read places that are a row apart. Where the loops allow it, a warp takes the part of a
// thread: all lanes walk the same rows, and the loops along a row are shared by lanes, so that they touch neighbouring places.
#ifndef MOE_CODEGEN_CUDA_WARPROWS_H
#define MOE_CODEGEN_CUDA_WARPROWS_H

#include "GpuBuilder.h"

namespace moe {

/// Whether a warp may take the part of a thread in `body`, and has something of it: its ops are loads, stores, loops of them and what has no effects, and of some loop lanes can
/// share the rounds. Loops with results are sums or extremes that lanes share: else a warp would do each 32 times. `rootOf` gives the buffer that a memref is a view of.
bool canShareRows(mlir::Block &body, llvm::function_ref<mlir::Value(mlir::Value)> rootOf);

/// Rewrites `body`, of which canShareRows is true. Lanes share the rounds of innermost loops that write to places which the loop's counter tells apart and read of what they write only
/// those, and carry at most sums and extremes of f32. These are combined when the rounds are over, in an order that the number of rounds fixes: lane l has rounds l, l + 32 and so on, and
/// lanes that differ in the highest bit of their numbers are combined first; all lanes have the result. Other writes, of single numbers, are done by lane 0; lanes meet before and after both.
void shareRows(GpuBuilder &b, mlir::Block &body, llvm::function_ref<mlir::Value(mlir::Value)> rootOf);

} // namespace moe

#endif // MOE_CODEGEN_CUDA_WARPROWS_H
