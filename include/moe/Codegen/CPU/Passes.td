// Passes of CPU codegen. A pass Foo has the flag moe-cpu-… and lives in lib/Codegen/CPU/.
#ifndef MOE_CODEGEN_CPU_PASSES_TD
#define MOE_CODEGEN_CPU_PASSES_TD

include "mlir/Pass/PassBase.td"

#endif // MOE_CODEGEN_CPU_PASSES_TD
