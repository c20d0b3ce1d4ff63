// Products of pairs of bf16: one step of a sum takes two values of k from a 32-bit lane. Versions with AVX512-BF16 have an instruction for
// it; others widen both values to f32, which takes shifts and registers.
#ifndef MOE_CODEGEN_CPU_PAIRPRODUCT_H
#define MOE_CODEGEN_CPU_PAIRPRODUCT_H

#include "KernelBuilder.h"

namespace moe {

/// True if the ISA multiplies pairs in one instruction.
bool hasPairProduct(const IsaVersion &isa);

/// The pair of x at `pointer` in all lanes, as i32; of a half pair only the first value is read, the other is 0.
mlir::Value loadPair(KernelBuilder &b, mlir::Value pointer, bool isHalf);

/// sums[row][vector] + the products of pair `x[row]` and the pairs of `weights[vector]`.
llvm::SmallVector<mlir::Value> addPairProducts(KernelBuilder &b, mlir::ValueRange sums, llvm::ArrayRef<mlir::Value> x,
                                               llvm::ArrayRef<mlir::Value> weights);

/// The same with a chain for the first and one for the second values of pairs: `sums` are all of the first, then all of the second chains.
llvm::SmallVector<mlir::Value> addPairChains(KernelBuilder &b, mlir::ValueRange sums, llvm::ArrayRef<mlir::Value> x,
                                             llvm::ArrayRef<mlir::Value> weights);

/// What fits into the registers where pairs are widened: tiles side by side for a kernel of `rows` rows, and rows of the tallest kernel.
int64_t widenedTilesFor(const IsaVersion &isa, int64_t rows);
int64_t widenedPassRows(const IsaVersion &isa);

} // namespace moe

#endif // MOE_CODEGEN_CPU_PAIRPRODUCT_H
