// The order of the stage's passes.
#include "moe/Distribute/Passes.h"

void moe::buildDistributePipeline(mlir::OpPassManager &pm, const DistributeOptions &options) {
  pm.addPass(createDistributeLocalExchange());
  pm.addPass(createDistributeExperts());
  pm.addPass(createDistributeBatch());
  pm.addPass(createDistributeHeads());
  pm.addPass(createDistributeColumns());
  pm.addPass(createVerifyDistributed());
}
