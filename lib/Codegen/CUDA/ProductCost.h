// Which tile of the tensor core kernel a number of slots takes. Evaluated at compile time; a run compares its number of slots with the ends of ranges.
#ifndef MOE_CODEGEN_CUDA_PRODUCTCOST_H
#define MOE_CODEGEN_CUDA_PRODUCTCOST_H

#include "ProductKernels.h"
#include "moe/Machine/Gpu.h"

namespace moe {

/// Cycles that `gpu` needs for a product of `slots` rows, spread evenly over the experts, with dynamic shared memory of `sharedBytes` a block. A calculation: nothing in
/// it was measured. The greatest of four: memory reads every weight of an expert that has rows; a multiprocessor copies what its blocks ask for, as far as copies in flight hide
/// the latency; its shared memory
/// takes copies and gives fragments to warps; its tensor cores multiply tiles whole.
double productCycles(const GpuDescription &gpu, const ProductSpec &spec, const MmaTile &tile, int64_t sharedBytes, int64_t slots);

/// The cheapest of `tiles` by ranges of slots, ascending; the last range has no end. `tiles` ascend in size. A tile gives way only to a
/// larger one that is clearly cheaper, so there are no more ranges than tiles.
llvm::SmallVector<TileRange> chooseTiles(const GpuDescription &gpu, const ProductSpec &spec, llvm::ArrayRef<MmaTile> tiles,
                                         llvm::function_ref<int64_t(const MmaTile &)> sharedBytes);

} // namespace moe

#endif // MOE_CODEGEN_CUDA_PRODUCTCOST_H
