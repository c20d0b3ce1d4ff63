// Applies the canonicalisations of the routing ops (lib/IR/Canonicalization.cpp) before routers are matched. MLIR's own canonicaliser would
// rewrite every other op of the model too, which the passes behind expect as raise has left it.
#include "moe/Fuse/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "moe/IR/MoeDialect.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_FUSESIMPLIFYROUTING
#include "moe/Fuse/Passes.h.inc"

namespace {

struct FuseSimplifyRouting : impl::FuseSimplifyRoutingBase<FuseSimplifyRouting> {
  using Base::Base;

  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet set(context);
    SelectOp::getCanonicalizationPatterns(set, context);
    WeighOp::getCanonicalizationPatterns(set, context);
    CombineOp::getCanonicalizationPatterns(set, context);
    patterns = FrozenRewritePatternSet(std::move(set));
    return success();
  }

  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isa<FilterOp, SelectOp, WeighOp, CombineOp>(op))
        ops.push_back(op);
    });
    if (ops.empty())
      return;
    GreedyRewriteConfig config;
    config.setStrictness(GreedyRewriteStrictness::ExistingOps).enableConstantCSE(false);
    if (failed(applyOpPatternsGreedily(ops, patterns, config))) {
      getOperation().emitError() << "the routing ops did not settle: a canonicalisation undoes another";
      return signalPassFailure();
    }
  }

private:
  FrozenRewritePatternSet patterns;
};

} // namespace
} // namespace moe
