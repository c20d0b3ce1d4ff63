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
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def VerifyDistributed : Pass<"moe-verify-distributed", "::mlir::ModuleOp"> {
  let summary = "states what distribute leaves behind: exchanges over a mesh only, rows that agree with their sharding";
  let description = [{
    An error for each `shard.*` op, each exchange over something that is no
    `moe.mesh` of the module or that speaks of another number of devices, and each
    `moe.experts` whose rows are not those of its sharding. Changes nothing.
  }];
}

#endif // MOE_DISTRIBUTE_PASSES_TD
