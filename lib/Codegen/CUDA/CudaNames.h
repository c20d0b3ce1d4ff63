// Names that the passes of this room agree on.
#ifndef MOE_CODEGEN_CUDA_CUDANAMES_H
#define MOE_CODEGEN_CUDA_CUDANAMES_H

#include "llvm/ADT/StringRef.h"

namespace moe {

/// The nested module of kernels.
constexpr llvm::StringLiteral kernelModule = "moe_kernels";
/// Array of {name, threads, shared} on the host module, in the order of kernel numbers.
constexpr llvm::StringLiteral kernelsAttrName = "moe.kernels";
/// The function of the runtime that launches a kernel (moe/Runtime/Kernel.h).
constexpr llvm::StringLiteral launchFunction = "moe_rt_launch";

} // namespace moe

#endif // MOE_CODEGEN_CUDA_CUDANAMES_H
