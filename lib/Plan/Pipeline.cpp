// The order of the stage's passes.
#include "moe/Plan/Passes.h"

void moe::buildPlanPipeline(mlir::OpPassManager &pm, const PlanOptions &options) {
  PlanSingleMachineOptions singleMachine;
  singleMachine.activations = options.activations;
  singleMachine.memoryNodes = options.memoryNodes;
  pm.addPass(createPlanSingleMachine(singleMachine));
  PlanShardingOptions sharding;
  sharding.mesh = options.mesh;
  sharding.profile = options.profile;
  sharding.expertParallel = options.expertParallel;
  sharding.expertSplit = options.expertSplit;
  sharding.pin = options.pin;
  sharding.replanFrom = options.replanFrom;
  sharding.reportFile = options.planReport;
  sharding.exchangeChunks = options.exchangeChunks;
  sharding.exchange = options.exchange;
  sharding.planTokens = options.planTokens;
  sharding.planSequences = options.planSequences;
  sharding.planKeys = options.planKeys;
  sharding.betweenLayers = options.betweenLayers;
  sharding.explain = options.explainPlan;
  pm.addPass(createPlanSharding(sharding));
  pm.addPass(createVerifyPlanned());
}
