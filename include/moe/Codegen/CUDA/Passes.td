// Passes of CUDA codegen. A pass Foo has the flag moe-cuda-… and lives in lib/Codegen/CUDA/.
#ifndef MOE_CODEGEN_CUDA_PASSES_TD
#define MOE_CODEGEN_CUDA_PASSES_TD

include "mlir/Pass/PassBase.td"

def CudaToSimt : Pass<"moe-cuda-to-simt", "::mlir::ModuleOp"> {
  let summary = "kernels of gpu.module become host functions that the SIMT executor runs";
  let description = [{
    Takes every `gpu.module` (LLVM dialect and nvvm ops, as it stands before
    nvvm ops become intrinsics) apart. nvvm ops become calls of `simt_*`, the
    functions of moe/Codegen/CUDA/Simt/Abi.h; before each load, store and
    atomic stands a call of `simt_check`, which knows bounds, alignment and
    races. Address spaces go; a global in shared memory becomes a descriptor
    that the executor gives an offset at launch. Each call names its place in
    the source, for the messages.

    A constructor registers the module with the executor. The result is plain
    LLVM dialect for x86-64. An nvvm op that is not known is an error.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

#endif // MOE_CODEGEN_CUDA_PASSES_TD
