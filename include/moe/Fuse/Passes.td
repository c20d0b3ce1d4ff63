// Passes of the fuse stage. A pass Foo has the flag moe-fuse-… and lives in lib/Fuse/.
#ifndef MOE_FUSE_PASSES_TD
#define MOE_FUSE_PASSES_TD

include "mlir/Pass/PassBase.td"

def FuseSimplifyRouting : Pass<"moe-fuse-simplify-routing", "::mlir::func::FuncOp"> {
  let summary = "canonicalises routing ops, so that more routers are ones that moe.route_permute computes";
  let description = [{
    The canonicalisations of `moe.filter`, `moe.select`, `moe.weigh` and `moe.combine` (the same in real
    arithmetic, in fewer or cheaper steps), and no others: softmax, top-k and
    division by the sum become top-k and a softmax over the K selected, which
    takes K exponentials instead of E; a norm of power 1 becomes a sum; the best E of E
    experts become all; a filter that drops nothing, and rows that come back as
    they went, are gone. Order and counts of the ops that are left stay as they
    are. Layers are taken as they were written if this pass is left out.
  }];
}

def FuseRoutePermute : Pass<"moe-fuse-route-permute", "::mlir::func::FuncOp"> {
  let summary = "a dropless layer becomes moe.route_permute and two moe.grouped_matmul";
  let description = [{
    Starts at each `moe.combine` and walks back over `moe.experts`,
    `moe.dispatch`, `moe.weigh`, `moe.slots` and `moe.select` with `moe.score`, or
    `moe.assign`. The chain is replaced when `moe.route_permute` can say the same:
    dropless slots in one group, ragged rows, experts with an `ffn`, a router that
    `#moe.router` expresses (identity, softmax or sigmoid over experts; top_k or
    all; weights gathered, softmax_selected or one; norm none or l1, no epsilon),
    and no value of the chain used elsewhere. Any other router with K valid choices
    per token (top_k, sparse_mixer) stays, and the kernel reads its experts and weights
    as T×K matrices, as it does those of `moe.assign`. The order in which assignments
    claimed their slots cannot be seen then, so rows are put in the order
    (expert, token, rank). A chain that does not fit stays; a remark says why.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"];
}

def FuseRecordLoads : Pass<"moe-fuse-record-loads", "::mlir::func::FuncOp"> {
  let summary = "how often each expert was chosen becomes an output of the model";
  let description = [{
    The entry gets an output `moe.load.NAME` of i32[E] for each layer: assignments
    to each expert before any capacity drops one, which routing has counted anyway
    (`count` of `moe.slots`, differences of the offsets of `moe.route_permute`). A
    layer in a loop or a branch is left out, with a remark.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def FuseExperts : Pass<"moe-fuse-experts", "::mlir::func::FuncOp"> {
  let summary = "experts whose layer was not fused become two moe.grouped_matmul";
  let description = [{
    A `moe.experts` with an `ffn` that moe-fuse-route-permute has left: its rows
    are multiplied where they lie, without gather and combine. Padded rows E×C×H
    are seen as (E·C)×H, with an expert's rows from e·C to (e+1)·C. Rows of a
    ragged result that belong to no expert are not written.

    Rows that the op rounds (`steps`) are rounded by loops between the products; the
    activation is a loop, too, where results of the first product are rounded.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect", "::mlir::tensor::TensorDialect"];
}

def FuseDenseProducts : Pass<"moe-fuse-dense-products", "::mlir::func::FuncOp"> {
  let summary = "a planned linalg.matmul with a stored weight becomes moe.grouped_matmul of one expert";
  let description = [{
    Obeys `moe.plan`: a `linalg.matmul` that has it, starts from zero and reads its
    rows untransposed becomes `moe.grouped_matmul` without `offsets`. The weight
    keeps its rank of two. A bias vector that a `linalg.generic` adds to the
    columns (also behind a `tensor.expand_shape` that keeps the columns) is folded
    into `bias` when nothing else reads the product.
  }];
}

def FuseExpandDequant : Pass<"moe-fuse-expand-dequant", "::mlir::ModuleOp"> {
  let summary = "a moe.dequant that no kernel reads becomes a loop";
  let description = [{
    Uses of a `moe.dequant` other than as weight of a `moe.grouped_matmul` read a
    `linalg.generic` that decodes each element: code, zero point and scale are
    extracted from vectors of bytes or floats, other symbols for the same bytes in
    the file. A kernel dequantises by itself.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def FuseElementwise : Pass<"moe-fuse-elementwise", "::mlir::func::FuncOp"> {
  let summary = "elementwise linalg ops are fused into their consumers";
  let description = [{
    MLIR's fusion of elementwise `linalg.generic`s with a rule of our own. A
    producer is fused when that computes nothing twice (one user, and the user
    reads each element once), or when it is cheap: a copy, cast, compare, select,
    add or multiply, never a division, a function of `math` or a gather. Into a
    reduction that reads it again and again (a product) only a copy goes, and
    only one that keeps rows contiguous: an Expand of key heads. Bodies
    stay below 64 ops and 16 inputs, which bounds what duplication can
    cost. Named elementwise ops (broadcast, transpose, add …) are made generic first.
  }];
}

def VerifyFused : Pass<"moe-verify-fused", "::mlir::ModuleOp"> {
  let summary = "states what fuse leaves behind: products are kernels";
  let description = [{
    An error for each `moe.experts`, `moe.layer`, and `moe.dequant` that no kernel reads; it
    names the op and its layer. The routing ops of a layer that was not fused may
    be left: lower turns them into loops. Changes nothing.
  }];
}

#endif // MOE_FUSE_PASSES_TD
