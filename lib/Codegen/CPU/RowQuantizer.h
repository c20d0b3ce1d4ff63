// Results of f32 become rows of int8 (#moe.blocks) where they were computed, while they are in the first cache.
#ifndef MOE_CODEGEN_CPU_ROWQUANTIZER_H
#define MOE_CODEGEN_CPU_ROWQUANTIZER_H

#include "KernelBuilder.h"
#include "moe/IR/MoeDialect.h"

namespace moe {

/// A function on (f32 `rows`×32, the place of row 0's block of codes, the part's number in its block, the number of rows, bytes from row to row):
/// makes one part of the rows. Its bits are those of the routine that lower makes of rows which no product computes (QuantizedRows.cpp).
mlir::func::FuncOp emitRowQuantizer(KernelBuilder &b, BlocksAttr blocks, mlir::ModuleOp module, llvm::StringRef name);

} // namespace moe

#endif // MOE_CODEGEN_CPU_ROWQUANTIZER_H
