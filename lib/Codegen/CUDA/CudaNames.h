// Names that the passes of this room agree on.
#ifndef MOE_CODEGEN_CUDA_CUDANAMES_H
#define MOE_CODEGEN_CUDA_CUDANAMES_H

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

#include "llvm/ADT/StringRef.h"

namespace moe {

/// The nested module of kernels.
constexpr llvm::StringLiteral kernelModule = "moe_kernels";
/// Array of {name, threads, shared, arch where it is for one alone} on the host module, in the order of kernel numbers.
constexpr llvm::StringLiteral kernelsAttrName = "moe.kernels";
/// Of a row, and of its function in the gpu.module: the one architecture that a kernel is for.
constexpr llvm::StringLiteral kernelArchAttrName = "moe.arch";
/// The functions of the runtime that launch a kernel and that say whether the GPU's code has one (moe/Runtime/Kernel.h).
constexpr llvm::StringLiteral launchFunction = "moe_rt_launch";
constexpr llvm::StringLiteral hasKernelFunction = "moe_rt_has_kernel";
/// That makes tensor maps.
constexpr llvm::StringLiteral tensorMapFunction = "moe_rt_tensor_map";
/// That gives the record of faults on the GPU, and the function of the kernels' module that writes it.
constexpr llvm::StringLiteral faultRecordFunction = "moe_rt_fault_record";
constexpr llvm::StringLiteral scratchFunction = "moe_rt_scratch";
constexpr llvm::StringLiteral noteFaultFunction = "moe_note_fault";

/// The target of a gpu.module of kernels for `arch`.
inline mlir::NVVM::NVVMTargetAttr kernelTarget(mlir::MLIRContext *context, llvm::StringRef arch) {
  return mlir::NVVM::NVVMTargetAttr::get(context, /*optLevel=*/3, "nvptx64-nvidia-cuda", arch, "+ptx80");
}

} // namespace moe

#endif // MOE_CODEGEN_CUDA_CUDANAMES_H
