// Passes of the lower stage. A pass Foo has the flag moe-lower-… and lives in lib/Lower/.
#ifndef MOE_LOWER_PASSES_TD
#define MOE_LOWER_PASSES_TD

include "mlir/Pass/PassBase.td"

def LowerPackWeights : Pass<"moe-lower-pack-weights", "::mlir::ModuleOp"> {
  let summary = "gives stored weights the layout kernels read and a place in model.weights";
  let description = [{
    Obeys the plan of each `moe.grouped_matmul`: its weight (and separate `up`
    weight) becomes one packed `moe.weight` of type E×P×K×32 f32, with P =
    ceil(N/32) panels for panel32 and P = ceil(I/16) for gate_up16; products with
    the same weights and packing share it. The product gets `packing` and
    `columns`, the N of the product before its epilogue: 2·I where it is gated.
    Biases stay as they are, in the gate layout of `ffn`.

    A product planned in int8 gets blocks with quads (`#moe.blocks`) and, as `x`,
    rows of int8: what another such product computes for it alone that product
    makes int8 itself (`out_blocks`), if groups are whole parts; else a `moe.routine`
    "quantize_rows" does, one for all products that read the same rows in the same
    groups. Where its weight is not quantised to integers, or in groups of k too
    short for blocks, its rows stay f32, with a remark.

    Weights that nothing reads any more and that no packed weight is made of are
    erased. Every weight that is read gets `section`, the number of its packing
    family (0 plain, 1 panel32, 2 gate_up16), and `offset`, bytes from the start
    of the section, a multiple of 64.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect", "::mlir::vector::VectorDialect"];
}

def LowerRouting : Pass<"moe-lower-routing", "::mlir::ModuleOp"> {
  let summary = "routing ops that no kernel took to loops over buffers";
  let description = [{
    Each `moe.score`, `select`, `assign`, `filter`, `weigh`, `slots`, `dispatch`,
    `combine`, `stats` and `noise` of the entry becomes one or a few
    `moe.routine`, whose bodies are loops on memrefs. Rows are split over
    threads; what depends on an order (slots, sums over a list) is thread 0's, so
    that no result depends on the number of threads. Sizes are functions of the
    input dims: lists that may hold fewer assignments than their length say so by
    `valid`; capacities are computed in the entry. An index that is no token,
    expert or slot is skipped. Sizes that must agree and are not known to are
    checked by `moe.require_equal`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect", "::mlir::vector::VectorDialect"];
}

def LowerShapes : Pass<"moe-lower-shapes", "::mlir::ModuleOp"> {
  let summary = "builds @moe_shapes and computes all sizes from the entry's dims";
  let description = [{
    `@moe_shapes` reads the dims of all inputs, writes those of all outputs and
    returns 0 (moe-lower-arena adds the bytes), or −1−k where check k fails.
    Elements of small inputs that decide sizes lie behind the dims
    (`moe.values_at` of the argument). A size that the entry computes (an
    element of a tensor) stays there; an output's dim of that kind is listed
    in `moe.data_dims` of the result, and `@moe_shapes` gives its bound.
    Checks are static dims, dims that share a symbol in `moe.dims`, and
    `moe.require_equal`, which is gone then. In the entry every other size is
    computed first, from its arguments.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::memref::MemRefDialect",
    "::mlir::tensor::TensorDialect"];
}

def LowerChecks : Pass<"moe-lower-checks", "::mlir::ModuleOp"> {
  let summary = "numbers the conditions on data and keeps each once";
  let description = [{
    Each `moe.require_range` gets a number, in the order of the model, and
    `moe.faults` of the module the messages. A condition that an earlier one
    implies (the same values, a range that is no narrower) is dropped, as is one on a constant
    that holds; a constant that breaks one is an error. Sizes must be computed
    and equal ones be one value (moe-lower-shapes, then CSE): conditions are
    compared by their operands.
  }];
}

def LowerEntry : Pass<"moe-lower-entry", "::mlir::ModuleOp"> {
  let summary = "gives the entry its signature on memrefs";
  let description = [{
    Inputs become `bufferization.to_tensor` of memrefs, outputs are
    materialised in memrefs. An output that joins an input and new rows is a KV
    cache: both get strided layout, and `moe.past_of`, `moe.present_of`. Dims
    that only a run finds out (`moe.data_dims`) are stored to one more argument
    behind the outputs (`moe.sizes`); such an output lies dense at the start of
    its buffer.
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect", "::mlir::bufferization::BufferizationDialect",
    "::mlir::memref::MemRefDialect", "::mlir::tensor::TensorDialect"];
}

def LowerRunLoops : Pass<"moe-lower-run-loops", "::mlir::ModuleOp"> {
  let summary = "makes what stands between the marks of a loop fit to run again";
  let description = [{
    What no run changes moves in front of `moe.loop_begin`. What the body reads of
    what stands in front becomes `captured` of `moe.loop_end`, so that no run
    writes there; destinations and their fills are made in the body. Values that
    trade places are copied first. A value of a run that is used behind the loop
    is an error, as is an exchange between ranks in the body.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def LowerBufferize : Pass<"moe-lower-bufferize", "::mlir::ModuleOp"> {
  let summary = "tensors to memrefs, in place where the analysis allows it";
  let description = [{
    Empty-tensor elimination and One-Shot Bufferize; copies are `linalg.copy`.
    A fill that several ops start from becomes one fill for each of them.
  }];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect", "::mlir::linalg::LinalgDialect", "::mlir::memref::MemRefDialect"];
}

def LowerThreads : Pass<"moe-lower-threads", "::mlir::ModuleOp"> {
  let summary = "places barriers between ops that share memory across threads";
  let description = [{
    A barrier goes before an op that reads what another wrote since the last
    one, or writes what another read or wrote. Ops that split the rows of a
    buffer alike need none. A `linalg.fill` whose buffer the next op overwrites
    becomes that op's attribute `moe.init`: one constant per output, or unit.
  }];
}

def LowerArena : Pass<"moe-lower-arena", "::mlir::ModuleOp"> {
  let summary = "allocations to views of one arena, its size to @moe_shapes";
  let description = [{
    Buffers whose lives lie in different epochs (between barriers) may share
    bytes. Offsets are functions of the input dims and multiples of 64. A size
    that the entry computes is kept below its bound, and has room for that.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect"];
}

def LowerLoops : Pass<"moe-lower-loops", "::mlir::ModuleOp"> {
  let summary = "linalg, moe.concat and moe.routine to scf and vector, split over threads";
  let description = [{
    The last dim becomes vectors where accesses are contiguous; outer dims are
    divided by `moe.thread_id` and `moe.num_threads`. A past that is the very
    buffer of its present is not copied. The body of a `moe.routine` takes its
    place, on this thread's share of the items or on thread 0 alone.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

def LowerMath : Pass<"moe-lower-math", "::mlir::ModuleOp"> {
  let summary = "math functions on f32 to polynomials";
  let description = [{
    exp, tanh, erf and logarithms; sin, cos and pow stay for libm.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::vector::VectorDialect"];
}

def VerifyLowered : Pass<"moe-verify-lowered", "::mlir::ModuleOp"> {
  let summary = "checks what the lower stage leaves behind";
  let description = [{
    One entry function on memrefs that returns nothing and one shape function;
    no tensors, no `linalg`, no `bufferization`, no allocation; barriers and
    kernels at the top level of the entry, where every thread passes. Anything
    else is an error at the op. It changes nothing.
  }];
}

#endif // MOE_LOWER_PASSES_TD
