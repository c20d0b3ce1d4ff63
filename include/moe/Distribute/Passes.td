// Passes of the distribute stage. A pass Foo has the flag moe-distribute-… and lives in lib/Distribute/.
#ifndef MOE_DISTRIBUTE_PASSES_TD
#define MOE_DISTRIBUTE_PASSES_TD

include "mlir/Pass/PassBase.td"

def DistributeLocalExchange : Pass<"moe-distribute-local-exchange"> {
  let summary = "moe.all_to_all within one rank is its buffer";
  let description = [{
    A group that is no mesh of the module has one rank, which sends everything to
    itself: uses of the result read the buffer, with its type. Counts that speak of
    more than one rank are an error that names the op.
  }];
  let dependentDialects = ["::mlir::tensor::TensorDialect"];
}

def DistributeExperts : Pass<"moe-distribute-experts", "::mlir::ModuleOp"> {
  let summary = "layers with a sharding become what one rank does of them, with explicit exchanges";
  let description = [{
    Of a layer whose plan has a `sharding`, each rank takes a share of the tokens,
    sends their rows to the devices of their experts (`moe.all_to_all_start`),
    computes the experts that it holds on what has come (`moe.all_to_all_wait`),
    sends the results back, adds them up for its tokens, and gives those to all
    (`moe.all_gather`). The `chunks` of the sharding are sent off one after the other
    before the first is awaited, and so are the results of each as soon as they are
    there; products that need nothing of this (shared experts) are moved
    to before the first wait. Routing is
    computed by every rank for all tokens, so that `moe.shard_slots` knows which
    rows go where. The program is one for any rank and any number of ranks that
    divides the devices: with one, everything stays where it is.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def DistributeBatch : Pass<"moe-distribute-batch", "::mlir::ModuleOp"> {
  let summary = "each rank computes its own sequences of what lies between the layers of a function with a batch split";
  let description = [{
    Of a function with `moe.batch_split` each rank takes a share of the sequences:
    of every input whose first dim is their number, it reads its part alone.
    Ops that treat sequences apart (elementwise loops, products, attention, reshapes)
    are written again for that part. The tokens that a sharded layer takes from a
    rank become those of its sequences, and what it adds up stays where it is.
    Where an op needs all sequences (routing, so that every rank knows who sends what
    to whom; results of the function), parts are gathered (`moe.all_gather` with
    `tokens`). Every value is the same as without: the split is bitwise.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"];
}

def DistributeHeads : Pass<"moe-distribute-heads", "::mlir::ModuleOp"> {
  let summary = "each rank computes its own heads of attention whose heads are shared out";
  let description = [{
    Of a `moe.attention` with a `moe.sharding` device d of D has the query heads
    d·Hq/D …, a rank those of its devices, and the key heads that these read: Hkv/D of
    a device, or where devices are more than key heads each its own copy of one. What
    makes queries, keys and values is written again for these heads as far back as
    nobody else reads it: loops, reshapes, rotations, norms of each head, and the
    columns of products whose plan has a sharding over the same devices (they need no
    gather then). A KV cache of the entry, an input that an output extends and that nobody
    else reads, becomes this rank's part of it, input and output (`moe.part = array<i64:
    dim, heads, places of a head>`; the caller gives and gets as many heads as the rank
    reads). Of the rest (other caches, biases, sinks) the rank reads its heads where they
    lie. `moe.all_gather` gives every
    rank the results of all heads, so that every value is the same as without: bitwise.
    An error where the devices do not divide the heads.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def DistributeColumns : Pass<"moe-distribute-columns", "::mlir::ModuleOp"> {
  let summary = "each rank computes its own columns of products whose plan has a sharding";
  let description = [{
    A `linalg.matmul` with a stored weight whose `moe.plan` has a sharding becomes a
    `moe.grouped_matmul` over the equal ranges of columns that the devices have: each as an
    expert that all rows go to, so that a rank reads, and has in its address space,
    only its own part of the weight. `moe.all_gather` gives every rank the columns of
    all. A column is summed as without: the split is bitwise. An error where
    the devices do not divide the columns, or the product is none that a kernel does.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def VerifyDistributed : Pass<"moe-verify-distributed", "::mlir::ModuleOp"> {
  let summary = "states what distribute leaves behind: exchanges over a mesh only, rows that agree with their sharding";
  let description = [{
    An error for each `shard.*` op, each exchange over something that is no
    `moe.mesh` of the module or that speaks of another number of devices (as a batch split), each
    `moe.sum_rows` whose tokens are shared out otherwise than they were sent or are gathered, and each
    `moe.experts` whose rows are not those of its sharding. Changes nothing.
  }];
}

#endif // MOE_DISTRIBUTE_PASSES_TD
