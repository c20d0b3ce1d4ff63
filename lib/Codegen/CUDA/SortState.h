// What the pieces of the sort kernels share while they are emitted.
#ifndef MOE_CODEGEN_CUDA_SORTSTATE_H
#define MOE_CODEGEN_CUDA_SORTSTATE_H

#include "RouteKernels.h"

namespace moe {

struct RouteKernels::SortState {
  Value ids, weights, rows, slotWeights, offsets, places, slots, k;
  Value thread, threads, lane, warp;
  Value counts;     // shared i32[warps][E]: of a warp; then its next slot less the expert's first
  Value ownCounts;  // those of this warp
  Value starts;     // shared i32[E + 1]
  Value from, to;   // this warp's part of the slots
};

} // namespace moe

#endif // MOE_CODEGEN_CUDA_SORTSTATE_H
