// States what the fuse stage leaves behind: experts have become kernels. Routing ops that no kernel took are lowered as loops.
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
      if (isa<DequantOp>(op) && llvm::all_of(op->getUsers(), llvm::IsaPred<GroupedMatmulOp, PartExpertsOp>))
        return;
      if (!isa<ExpertsOp, DequantOp, LayerOp>(op))
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
