// The order of the stage's passes.
#include "moe/Lower/Passes.h"

void moe::buildLowerPipeline(mlir::OpPassManager &pm, const LowerOptions &options) {
}
