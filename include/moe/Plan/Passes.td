// Passes of the plan stage. A pass Foo has the flag moe-plan-… and lives in lib/Plan/.
#ifndef MOE_PLAN_PASSES_TD
#define MOE_PLAN_PASSES_TD

include "mlir/Pass/PassBase.td"

#endif // MOE_PLAN_PASSES_TD
