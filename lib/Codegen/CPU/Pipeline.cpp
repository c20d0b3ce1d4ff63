// The order of the stage's passes.
#include "moe/Codegen/CPU/Passes.h"

void moe::buildCpuCodegenPipeline(mlir::OpPassManager &pm, const CpuCodegenOptions &options) {
}
