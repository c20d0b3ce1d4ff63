// Passes of the lower stage. A pass Foo has the flag moe-lower-… and lives in lib/Lower/.
#ifndef MOE_LOWER_PASSES_TD
#define MOE_LOWER_PASSES_TD

include "mlir/Pass/PassBase.td"

#endif // MOE_LOWER_PASSES_TD
