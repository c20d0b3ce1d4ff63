// Passes of the raise stage. A pass Foo has the flag moe-raise-… and lives in lib/Raise/.
#ifndef MOE_RAISE_PASSES_TD
#define MOE_RAISE_PASSES_TD

include "mlir/Pass/PassBase.td"

#endif // MOE_RAISE_PASSES_TD
