// Passes of the distribute stage. A pass Foo has the flag moe-distribute-… and lives in lib/Distribute/.
#ifndef MOE_DISTRIBUTE_PASSES_TD
#define MOE_DISTRIBUTE_PASSES_TD

include "mlir/Pass/PassBase.td"

def VerifyDistributed : Pass<"moe-verify-distributed", "::mlir::ModuleOp"> {
  let summary = "states what distribute leaves behind: no op of the shard dialect";
  let description = [{
    An error for each `shard.*` op that is left. On one machine the stage has
    nothing else to do. Changes nothing.
  }];
}

#endif // MOE_DISTRIBUTE_PASSES_TD
