// The order of the stage's passes.
#include "moe/Plan/Passes.h"

void moe::buildPlanPipeline(mlir::OpPassManager &pm, const PlanOptions &options) {
}
