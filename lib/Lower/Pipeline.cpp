// The order of the stage's passes.
#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Transforms/Passes.h"
#include "moe/Lower/Passes.h"

using namespace mlir;

void moe::buildLowerPipeline(OpPassManager &pm, const LowerOptions &options) {
  pm.addPass(createLowerRouting());
  pm.addPass(createLowerPackWeights());
  pm.addPass(createLowerShapes());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createLowerChecks());
  pm.addPass(createLowerEntry());
  pm.addPass(createLowerRunLoops());
  pm.addPass(createLowerBufferize());
  pm.addPass(mlir::createLowerAffinePass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  // From barriers to loops nothing may change the ops: both decide from them how work is split.
  pm.addPass(createLowerThreads());
  pm.addPass(createLowerArena());
  pm.addPass(createLowerLoops());
  pm.addPass(createLowerMath());
  pm.addPass(mlir::createLowerAffinePass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createLoopInvariantCodeMotionPass());
  pm.addPass(createVerifyLowered());
}
