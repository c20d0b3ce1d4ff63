// Passes of the fuse stage. A pass Foo has the flag moe-fuse-… and lives in lib/Fuse/.
#ifndef MOE_FUSE_PASSES_TD
#define MOE_FUSE_PASSES_TD

include "mlir/Pass/PassBase.td"

#endif // MOE_FUSE_PASSES_TD
