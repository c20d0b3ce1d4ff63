// Passes of CUDA codegen. A pass Foo has the flag moe-cuda-… and lives in lib/Codegen/CUDA/.
#ifndef MOE_CODEGEN_CUDA_PASSES_TD
#define MOE_CODEGEN_CUDA_PASSES_TD

include "mlir/Pass/PassBase.td"

def CudaStoreConstants : Pass<"moe-cuda-store-constants", "::mlir::ModuleOp"> {
  let summary = "constants that kernels read become stored weights";
  let description = [{
    Between fuse and lower, for a GPU. A constant tensor that a product, an
    attention or a routing reads, maybe in another shape, becomes a `moe.weight`:
    a bias, a sink, a mask. The runtime copies weights to the GPU when it loads a
    model; what lies among the host's constants no kernel could read. Equal
    constants share one weight, and uses by other ops keep the constant: their
    loops bring copies, the host computes sizes with them.
  }];
}

def CudaNarrowRows : Pass<"moe-cuda-narrow-rows", "::mlir::func::FuncOp"> {
  let summary = "products read rows of 16 bits where tensor cores take them";
  let description = [{
    Between fuse and lower, for a GPU, whose tensor cores multiply rows of 16 bits
    by weights of their type or by quantised ones; products of f32 rows have none.
    With `activations` auto or int8 a product whose rows were widened from f16 or
    bf16 reads those: the same numbers. With bf16, other rows of products that
    tensor cores would take are rounded to that, and rows between a product and one
    that alone reads them to the type of its own rows, but for products of routers.
    With f32 nothing is changed.
  }];
  let options = [Option<"activations", "activations", "std::string", "\"auto\"", "precision of activations: auto, f32, bf16 or int8, as the plan's">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def CudaSplitProducts : Pass<"moe-cuda-split-products", "::mlir::func::FuncOp"> {
  let summary = "products keep plain weights, and the combine becomes moe.sum_slots";
  let description = [{
    Between fuse and lower, for a GPU. A grouped product with combine writes its
    rows by slot, and `moe.sum_slots` adds those of each token, in the order of
    experts: one block reads a token's rows together, without atomics. It needs
    the slots of a token, `places`, one more out of the routing that the product
    reads. Plans of packings, which are those of CPU kernels, are dropped, so
    that lower leaves weights as they are stored; quantised ones are packed in
    panels.

    A combine whose slots come from anything but a `moe.route_permute` is an error,
    and so is a weight of ternary_dict.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"];
}

def CudaEmitKernels : Pass<"moe-cuda-emit-kernels", "::mlir::ModuleOp"> {
  let summary = "the lowered entry becomes a host function that launches kernels";
  let description = [{
    Each kernel op of the entry becomes launches of kernels that are emitted for
    its sizes, and each run of loops between barriers a kernel of which every
    GPU thread takes the part that a CPU thread would. Kernels stand in the
    nested module `@moe_kernels`, as functions on memrefs and pointers with
    `nvvm` ops; equal ops share them. The attribute `moe.kernels` names them in
    the order of their numbers, with threads per block and bytes of dynamic
    shared memory. A launch is a call of `moe_rt_launch(number, blocks x, blocks
    y, addresses of arguments)`. Grids depend on the input dims only. With
    `arch=all` a product has kernels of `wgmma` beside the others, which only
    code for sm_90a has: `moe_rt_has_kernel(number)` tells the host.

    What a kernel computes on data may not decide what the host launches: such a
    value is an error that names the op.
  }];
  let options = [Option<"tile", "tile", "std::string", /*default=*/"\"\"", "for tests: the tensor core tile of all products, as ROWSxCOLUMNS">,
                 Option<"arch", "arch", "std::string", /*default=*/"\"sm_80\"", "the GPUs that kernels are for: sm_80 (and newer), sm_90a, or all, where the host picks by what the GPU's code has">];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect", "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
                           "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

def CudaWrapKernels : Pass<"moe-cuda-wrap-kernels", "::mlir::ModuleOp"> {
  let summary = "the nested module of kernels becomes a gpu.module";
  let description = [{
    After the kernels of `@moe_kernels` are in the LLVM dialect: functions that
    `moe.kernels` names get `nvvm.kernel` and their block size, the others are
    internal. Arguments by value are constant for the grid: a copy of a tensor
    map would be none. Anything but the LLVM dialect and `nvvm` is an error. The module's
    target is the newest architecture that it is for; a kernel that is for one
    of them alone says so in `moe.arch`.
  }];
  let options = [Option<"arch", "arch", "std::string", /*default=*/"\"sm_80\"", "as of moe-cuda-emit-kernels">];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect", "::mlir::gpu::GPUDialect"];
}

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
