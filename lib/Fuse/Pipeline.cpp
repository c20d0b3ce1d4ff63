// The order of the stage's passes. Routers are simplified before they are matched; products go before elementwise fusion: they take the bias
// adds that it would move elsewhere.
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Transforms/Passes.h"
#include "moe/Fuse/Passes.h"

void moe::buildFusePipeline(mlir::OpPassManager &pm, const FuseOptions &options) {
  pm.addNestedPass<mlir::func::FuncOp>(createFuseSimplifyRouting());
  pm.addNestedPass<mlir::func::FuncOp>(createFuseRoutePermute());
  if (options.recordLoads)
    pm.addNestedPass<mlir::func::FuncOp>(createFuseRecordLoads());
  pm.addNestedPass<mlir::func::FuncOp>(createFuseExperts());
  pm.addNestedPass<mlir::func::FuncOp>(createFuseDenseProducts());
  pm.addPass(createFuseExpandDequant());
  pm.addNestedPass<mlir::func::FuncOp>(createFuseElementwise());
  pm.addNestedPass<mlir::func::FuncOp>(mlir::createCSEPass());
  pm.addPass(createVerifyFused());
}
