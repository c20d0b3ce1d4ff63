// The order of the stage's passes.
#include "moe/Raise/Passes.h"

void moe::buildRaisePipeline(mlir::OpPassManager &pm, const RaiseOptions &options) {
  pm.addPass(createRaiseOnnx());
  pm.addPass(createVerifyRaised());
}
