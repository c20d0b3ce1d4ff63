//===- MemoryRoots.h - which memory a memref value names --------*- C++ -*-===//
// Views share memory with what they view. Barrier placement and the arena both reason about the memory at the bottom, the root.
#ifndef MOE_LIB_LOWER_MEMORYROOTS_H
#define MOE_LIB_LOWER_MEMORYROOTS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace moe {

/// The allocation, argument, global or weight that `memref` views.
mlir::Value memoryRoot(mlir::Value memref);

/// Whether nobody may write the memory of `root`: weights and constants.
bool isReadOnlyRoot(mlir::Value root);

/// A part of a buffer that is a run of its rows: `base` without the reshapes over it, and how many leading dims of `base` number the rows.
struct RowSpace {
  mlir::Value base;
  unsigned leadingDims;
};

/// The first `leadingDims` dims of `memref`, seen through reshapes that do not join them with others.
RowSpace rowSpace(mlir::Value memref, unsigned leadingDims);

} // namespace moe

#endif // MOE_LIB_LOWER_MEMORYROOTS_H
