// Passes of CPU codegen. A pass Foo has the flag moe-cpu-… and lives in lib/Codegen/CPU/.
#ifndef MOE_CODEGEN_CPU_PASSES_TD
#define MOE_CODEGEN_CPU_PASSES_TD

include "mlir/Pass/PassBase.td"

def CpuEmitKernels : Pass<"moe-cpu-emit-kernels", "::mlir::ModuleOp"> {
  let summary = "moe.grouped_matmul and moe.route_permute become code for one ISA version";
  let description = [{
    Each op becomes the call of a private driver function on pointers and
    sizes: the loops over experts, panels and row passes with the split by
    thread, around micro-kernels whose sums stay in registers. Equal ops share
    their functions. Emitted functions carry the ISA version's features, other
    functions are left alone.

    Where the version has matrix tiles (AMX), experts with four rows or more are
    multiplied in tiles of 16 rows: pairs of bf16 where K is a multiple of 32,
    and rows of int8 where groups are multiples of 32.

    Weights must be packed (`panel32`, `gate_up16`), f32 and of static shape;
    rows of x may be strided. A row's result depends neither on the rows that
    ride with it nor on the number of threads. Routing needs, from logits, two
    more outs as scratch: expert ids i32[S] and weights f32[S] in token order,
    written before the one barrier inside. Equal scores go to the lowest
    expert, NaN is below every number. A given index that is no expert takes
    no slot; `offsets[E]` is the number of slots in use and the rest is zero.
  }];
  let options = [Option<"features", "features", "std::string", "\"\"", "LLVM feature string of the ISA version: +avx2,+fma">];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
                           "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

def CpuEmulateTiles : Pass<"moe-cpu-emulate-tiles", "::mlir::ModuleOp"> {
  let summary = "instructions on matrix tiles become loops over memory, for CPUs without AMX";
  let description = [{
    For tests: the kernels that are emitted for AMX run anywhere, as slowly as
    loops over single numbers do, and give the bits that the manual of the
    instructions says; only numbers below the least normal f32 are not taken
    for zero. A tile becomes an array of 16 rows of 64 bytes, zero outside its
    shape. Runs after moe-cpu-emit-kernels.
  }];
  let options = [Option<"features", "features", "std::string", "\"\"", "LLVM feature string of the ISA version: +avx2,+fma">];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::scf::SCFDialect"];
}

def CpuLowerRunLoops : Pass<"moe-cpu-lower-run-loops", "::mlir::ModuleOp"> {
  let summary = "marks of loops become branches";
  let description = [{
    Behind `moe.loop_begin` the flag decides whether all threads run what stands
    before `moe.loop_end` once more or go on behind it. What is alike in all runs
    and used behind the loop moves in front of it.
  }];
  let dependentDialects = ["::mlir::cf::ControlFlowDialect", "::mlir::memref::MemRefDialect"];
}

def CpuThreadArgument : Pass<"moe-cpu-thread-argument", "::mlir::ModuleOp"> {
  let summary = "gives functions their MoeThread pointer and reads thread numbers and weights from it";
  let description = [{
    A function that uses `moe.thread_id`, `moe.num_threads`, `moe.barrier`,
    `moe.fault` or `moe.weight_ref`, or calls one that does, gets a trailing
    `!llvm.ptr`: the `MoeThread` of moe/Runtime/Kernel.h. The ops become loads
    from it, the barrier a call of `moe_rt_barrier`, the fault one of
    `moe_rt_fault`, a weight the address of its section plus its offset. The `moe.weight` symbols go.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect"];
}

def CpuPackEntry : Pass<"moe-cpu-pack-entry", "::mlir::ModuleOp"> {
  let summary = "wraps the entry and the shape function in the C ABI of model.so";
  let description = [{
    Adds `moe_entry_<version>(void **descriptors, const MoeThread *)`, which
    loads the memref descriptors and calls the `moe.entry` function, and
    `moe_shapes(const int64_t *, int64_t *)`, which calls the `moe.shapes`
    function. These two are public, all others private. ISA versions share one
    shape function: only version 0 keeps it.
  }];
  let options = [Option<"version", "version", "unsigned", "0", "number of the ISA version, the suffix of the entry">];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::func::FuncDialect"];
}

def CpuExpandFma : Pass<"moe-cpu-expand-fma", "::mlir::ModuleOp"> {
  let summary = "multiply and add for CPUs without a fused multiply-add";
  let description = [{
    With `+fma` among the features nothing happens. Without it LLVM would call
    libm for each lane; two roundings are what such a CPU does.
  }];
  let options = [Option<"features", "features", "std::string", "\"\"", "LLVM feature string of the ISA version: +avx2,+fma">];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def CpuWidenHalves : Pass<"moe-cpu-widen-halves", "::mlir::ModuleOp"> {
  let summary = "f16 and bf16 are extended, computed in f32 and rounded";
  let description = [{
    An operation of `arith` on f16 or bf16 gets operands that are extended and a
    result that is rounded. Without `+f16c` and `+avx512f` among the features,
    conversions between f16 and f32 become integer arithmetic: exact, and to
    nearest with ties to even.
  }];
  let options = [Option<"features", "features", "std::string", "\"\"", "LLVM feature string of the ISA version: +avx2,+fma">];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def CpuLowerLoops : Pass<"moe-cpu-lower-loops", "::mlir::ModuleOp"> {
  let summary = "structured control flow becomes branches, counted loops with their condition at the end";
  let description = [{
    A loop is entered if its first number is below its end and repeated if its
    next one is, the form into which LLVM brings loops before it does anything
    else with them. LLVM takes time for that that grows with the square of the
    number of loops. Bounds that are constants need no condition in front.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::cf::ControlFlowDialect"];
}

def CpuHideHalves : Pass<"moe-cpu-hide-halves", "::mlir::ModuleOp"> {
  let summary = "f16 and bf16 of LLVM functions become i16 where the CPU cannot convert them";
  let description = [{
    After moe-cpu-widen-halves and the expansion of bf16 nothing computes with
    them. Needs the LLVM dialect: an operation that is left and takes only
    floats is an error of its verifier.
  }];
  let options = [Option<"features", "features", "std::string", "\"\"", "LLVM feature string of the ISA version: +avx2,+fma">];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def CpuFinishFunctions : Pass<"moe-cpu-finish-functions", "::mlir::ModuleOp"> {
  let summary = "linkage, target features and vector width of every LLVM function";
  let description = [{
    Everything but `moe_entry_<n>` and `moe_shapes` becomes internal. Functions
    get the ISA version's features; those that `moe_shapes` reaches get none,
    for it runs before a version is chosen. Loads that read a weight at a
    visible address are marked invariant. What lower says of a loop to LLVM
    (`llvm.loop_annotation`) moves to where it is translated. What is left of the `moe` dialect
    (discardable attributes) goes.
  }];
  let options = [Option<"features", "features", "std::string", "\"\"", "LLVM feature string of the ISA version: +avx2,+fma">];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def VerifyCodegen : Pass<"moe-verify-codegen", "::mlir::ModuleOp"> {
  let summary = "only the LLVM dialect is left, features are set, and nothing unknown is called";
  let description = [{
    LLVM's back end aborts on an AVX-512 function without the feature, and a
    missing symbol would show only when a user loads the model: both are
    errors here.
  }];
  let options = [Option<"features", "features", "std::string", "\"\"", "LLVM feature string that every function but the shape function's must have">];
}

def CpuExpandReshapes : Pass<"moe-cpu-expand-reshapes", "::mlir::ModuleOp"> {
  let summary = "memref.expand_shape to memref.reinterpret_cast with the sizes that the op names";
  let description = [{
    Before expand-strided-metadata, which infers an expanded size from its
    group and cannot where two dims of a group are dynamic.
  }];
  let dependentDialects = ["::mlir::memref::MemRefDialect", "::mlir::arith::ArithDialect"];
}

def CpuLowerAsserts : Pass<"moe-cpu-lower-asserts", "::mlir::ModuleOp"> {
  let summary = "a condition that does not hold ends the run of this thread";
  let description = [{
    A `cf.assert` of the entry becomes a branch to its end. What was wrong is
    said before it (a condition on data notes its fault); the assert only keeps
    the thread from what follows.
  }];
  let dependentDialects = ["::mlir::cf::ControlFlowDialect", "::mlir::func::FuncDialect"];
}

#endif // MOE_CODEGEN_CPU_PASSES_TD
