// The order of the stage's passes.
#include "moe/Raise/Passes.h"

#include "mlir/Transforms/Passes.h"

void moe::buildRaisePipeline(mlir::OpPassManager &pm, const RaiseOptions &options) {
  // A hand-written model may call a layer as a function.
  pm.addPass(mlir::createInlinerPass());
  // Experts first, from any ids and weights; then the routers in front of them; what is left is ordinary.
  pm.addPass(createRaiseExpandLayers());
  pm.addPass(createRaiseInlineExperts());
  pm.addPass(createRaiseQuantizedWeights());
  pm.addPass(createRaiseFusedExperts());
  pm.addPass(createRaiseBatchedExperts());
  pm.addPass(createRaiseGroupedExperts());
  pm.addPass(createRaiseUnrolledExperts());
  pm.addPass(createRaiseMaskedExperts());
  pm.addPass(createRaiseTiledExperts());
  pm.addPass(createRaiseRouter());
  pm.addPass(createRaiseCheckRows());
  pm.addPass(createRaiseOnnx());
  pm.addPass(createVerifyRaised());
}
