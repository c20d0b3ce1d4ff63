// The order of the stage's passes.
#include "moe/Fuse/Passes.h"

void moe::buildFusePipeline(mlir::OpPassManager &pm, const FuseOptions &options) {
}
