// Passes of the distribute stage. A pass Foo has the flag moe-distribute-… and lives in lib/Distribute/.
#ifndef MOE_DISTRIBUTE_PASSES_TD
#define MOE_DISTRIBUTE_PASSES_TD

include "mlir/Pass/PassBase.td"

def DistributeLocalExchange : Pass<"moe-distribute-local-exchange"> {
  let summary = "moe.all_to_all within one rank is its buffer";
  let description = [{
    On one machine a group has one rank, which sends everything to itself: uses of
    the result read the buffer, with its type. Counts that speak of more than one
    rank are an error that names the op.
  }];
  let dependentDialects = ["::mlir::tensor::TensorDialect"];
}

def VerifyDistributed : Pass<"moe-verify-distributed", "::mlir::ModuleOp"> {
  let summary = "states what distribute leaves behind: no op of the shard dialect, no exchange";
  let description = [{
    An error for each `shard.*` op and each `moe.all_to_all` that is left. Changes
    nothing.
  }];
}

#endif // MOE_DISTRIBUTE_PASSES_TD
