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
/// That gives the record of faults on the GPU, and the function of the kernels' module that writes it.
constexpr llvm::StringLiteral faultRecordFunction = "moe_rt_fault_record";
constexpr llvm::StringLiteral scratchFunction = "moe_rt_scratch";
constexpr llvm::StringLiteral noteFaultFunction = "moe_note_fault";

} // namespace moe

#endif // MOE_CODEGEN_CUDA_CUDANAMES_H
