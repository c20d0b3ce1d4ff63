// The order of the stage's passes.
#include "moe/Plan/Passes.h"

void moe::buildPlanPipeline(mlir::OpPassManager &pm, const PlanOptions &options) {
  PlanSingleMachineOptions singleMachine;
  singleMachine.activations = options.activations;
  pm.addPass(createPlanSingleMachine(singleMachine));
  pm.addPass(createVerifyPlanned());
}
