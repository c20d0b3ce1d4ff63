// States what the fuse stage leaves behind: model-level ops have become kernels. What has not is something no kernel can say yet.
#include "moe/Fuse/Passes.h"
#include "moe/IR/Layers.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_VERIFYFUSED
#include "moe/Fuse/Passes.h.inc"

namespace {

struct VerifyFused : impl::VerifyFusedBase<VerifyFused> {
  using Base::Base;

  void runOnOperation() override {
    bool valid = true;
    getOperation().walk([&](Operation *op) {
      // What a kernel reads is dequantised by the kernel: packing takes it up.
      if (isa<DequantOp>(op) && llvm::all_of(op->getUsers(), llvm::IsaPred<GroupedMatmulOp>))
        return;
      if (!isa<NoiseOp, ScoreOp, SelectOp, AssignOp, FilterOp, WeighOp, SlotsOp, DispatchOp, ExpertsOp, CombineOp, DequantOp, LayerOp,
               StatsOp>(op))
        return;
      op->emitError() << describeOp(op) << " is left after the fuse stage; its lowering is not supported yet";
      valid = false;
    });
    if (!valid)
      signalPassFailure();
    markAllAnalysesPreserved();
  }
};

} // namespace
} // namespace moe
