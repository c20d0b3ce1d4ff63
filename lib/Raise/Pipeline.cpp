// The order of the stage's passes.
#include "moe/Raise/Passes.h"

#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Transforms/Passes.h"

void moe::buildRaisePipeline(mlir::OpPassManager &pm, const RaiseOptions &options) {
  // A hand-written model may call a layer as a function.
  pm.addPass(mlir::createInlinerPass());
  // One may also write arith and math on tensors.
  pm.addPass(mlir::createConvertElementwiseToLinalgPass());
  // Experts first, from any ids and weights; then the routers in front of them; what is left is ordinary.
  pm.addPass(createRaiseExpandLayers());
  pm.addPass(createRaiseInlineExperts());
  pm.addPass(createRaiseStackedLayers());
  pm.addPass(createRaiseQuantizedWeights());
  pm.addPass(createRaiseFusedExperts());
  if (options.experts) {
    pm.addPass(createRaiseBatchedExperts({options.remarks}));
    pm.addPass(createRaiseGroupedExperts({options.remarks}));
    pm.addPass(createRaiseUnrolledExperts({options.remarks}));
    pm.addPass(createRaiseMaskedExperts({options.remarks}));
    pm.addPass(createRaiseTiledExperts({options.remarks}));
    pm.addPass(createRaisePaddedExperts({options.remarks}));
    pm.addPass(createRaiseRoundedExperts({options.remarks}));
    pm.addPass(createRaiseDenseMixtures({options.remarks}));
  }
  pm.addPass(createRaiseRouter({options.remarks}));
  pm.addPass(createRaiseAttention());
  pm.addPass(createRaiseCheckRows());
  pm.addPass(createRaiseOnnx());
  pm.addPass(createVerifyRaised());
}
