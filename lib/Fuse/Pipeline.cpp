// The order of the stage's passes. Products go first: they take the bias adds that elementwise fusion would move elsewhere.
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Transforms/Passes.h"
#include "moe/Fuse/Passes.h"

void moe::buildFusePipeline(mlir::OpPassManager &pm, const FuseOptions &options) {
  pm.addNestedPass<mlir::func::FuncOp>(createFuseRoutePermute());
  pm.addNestedPass<mlir::func::FuncOp>(createFuseExperts());
  pm.addNestedPass<mlir::func::FuncOp>(createFuseDenseProducts());
  pm.addPass(createFuseExpandDequant());
  pm.addNestedPass<mlir::func::FuncOp>(createFuseElementwise());
  pm.addNestedPass<mlir::func::FuncOp>(mlir::createCSEPass());
  pm.addPass(createVerifyFused());
}
