// States what the distribute stage leaves behind: no sharding annotations, and, on one machine, no exchange between ranks.
#include "moe/Distribute/Passes.h"
#include "moe/IR/Layers.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_VERIFYDISTRIBUTED
#include "moe/Distribute/Passes.h.inc"

namespace {

struct VerifyDistributed : impl::VerifyDistributedBase<VerifyDistributed> {
  using Base::Base;

  void runOnOperation() override {
    bool valid = true;
    getOperation().walk([&](Operation *op) {
      if (op->getName().getDialectNamespace() != "shard" && !isa<AllToAllOp>(op))
        return;
      op->emitError() << describeOp(op) << " is left after the distribute stage; distributing over a mesh is not supported yet";
      valid = false;
    });
    if (!valid)
      signalPassFailure();
    markAllAnalysesPreserved();
  }
};

} // namespace
} // namespace moe
