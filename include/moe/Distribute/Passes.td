// Passes of the distribute stage. A pass Foo has the flag moe-distribute-… and lives in lib/Distribute/.
#ifndef MOE_DISTRIBUTE_PASSES_TD
#define MOE_DISTRIBUTE_PASSES_TD

include "mlir/Pass/PassBase.td"

#endif // MOE_DISTRIBUTE_PASSES_TD
