// The routing ops that no kernel took become moe.routine, on tensors, before anything else of the stage: bufferization, the arena and the
// barriers then treat them as any op with destinations. Expects routing ops at the top level of the entry.
#include "EntryPoint.h"
#include "Routing.h"
#include "moe/IR/Layers.h"
#include "moe/Lower/Passes.h"

namespace moe {
#define GEN_PASS_DEF_LOWERROUTING
#include "moe/Lower/Passes.h.inc"
} // namespace moe

using namespace mlir;

namespace moe {
namespace {

bool isRouting(Operation *op) {
  return isa<ScoreOp, SelectOp, AssignOp, FilterOp, WeighOp, SlotsOp, DispatchOp, CompactOp, CombineOp, StatsOp, NoiseOp, SlotRowsOp, ShardSlotsOp, PartSlotsOp,
             TakeRowsOp, AllToAllOp, AllToAllStartOp, AllToAllWaitOp, SumRowsOp, AllGatherOp>(op);
}

struct LowerRouting : impl::LowerRoutingBase<LowerRouting> {
  using Base::Base;

  void runOnOperation() override {
    func::FuncOp entry = findEntry(getOperation());
    if (!entry)
      return signalPassFailure();
    WalkResult nested = getOperation().walk([&](Operation *op) {
      if (!isRouting(op) || op->getBlock() == &entry.getBody().front())
        return WalkResult::advance();
      op->emitError() << describeOp(op) << " is nested or outside of the entry, expected it at the entry's top level";
      return WalkResult::interrupt();
    });
    if (nested.wasInterrupted())
      return signalPassFailure();
    Routing routing(&getContext());
    for (Operation &op : llvm::make_early_inc_range(entry.getBody().front())) {
      LogicalResult result =
          TypeSwitch<Operation *, LogicalResult>(&op)
              .Case<ScoreOp, SelectOp, AssignOp, FilterOp, WeighOp, SlotsOp, DispatchOp, CompactOp, CombineOp, StatsOp, NoiseOp, SlotRowsOp, ShardSlotsOp,
                    PartSlotsOp, TakeRowsOp, AllToAllOp, AllToAllStartOp, AllToAllWaitOp, SumRowsOp, AllGatherOp>(
                  [&](auto routingOp) { return routing.lower(routingOp); })
              .Default(success());
      if (failed(result))
        return signalPassFailure();
    }
  }
};

} // namespace
} // namespace moe
