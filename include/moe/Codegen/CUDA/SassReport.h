//===- SassReport.h - what the assembler made of each kernel ----*- C++ -*-===//
// A table per architecture, as text: registers, spills, shared memory, blocks on a multiprocessor, and the instructions of the hot loop. Nothing in it is measured: it is what
// ptxas says and what stands in its machine code.
#ifndef MOE_CODEGEN_CUDA_SASSREPORT_H
#define MOE_CODEGEN_CUDA_SASSREPORT_H

#include "moe/Codegen/CUDA/Fatbin.h"
#include "moe/Codegen/CUDA/Kernels.h"

namespace moe {

/// The report on `cubins`, whose kernels are those of `table` (threads and dynamic shared memory). Without a disassembler it says so and leaves the loops out.
/// Errors are diagnostics at `loc`: a kernel that ptxas does not mention, a disassembler that fails.
mlir::FailureOr<std::string> sassReport(mlir::Location loc, llvm::ArrayRef<Cubin> cubins, llvm::ArrayRef<KernelInfo> table, const CudaTools &tools, unsigned timeoutSeconds);

} // namespace moe

#endif // MOE_CODEGEN_CUDA_SASSREPORT_H
