// moe-cpu-lower-asserts: a condition that does not hold ends the run of this thread.
//
// Sizes that depend on data may not be what the model needs them to be, and what comes behind would read beyond a buffer. All threads compute the condition
// from the same sizes, behind the barrier that published them, so that all leave at the same place: none is left waiting at a barrier.
#include "moe/Codegen/CPU/Passes.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_CPULOWERASSERTS
#include "moe/Codegen/CPU/Passes.h.inc"

namespace {

struct CpuLowerAsserts : impl::CpuLowerAssertsBase<CpuLowerAsserts> {
  using Base::Base;

  void runOnOperation() override {
    WalkResult result = getOperation().walk([](cf::AssertOp op) {
      auto function = dyn_cast<func::FuncOp>(op->getParentOp());
      if (function && function.getNumResults() == 0)
        return WalkResult::advance();
      op.emitOpError("is nested or in a function with results, expected it where every thread passes");
      return WalkResult::interrupt();
    });
    if (result.wasInterrupted())
      return signalPassFailure();
    for (auto function : getOperation().getOps<func::FuncOp>())
      lower(function);
  }

private:
  static void lower(func::FuncOp function) {
    SmallVector<cf::AssertOp> asserts(function.getOps<cf::AssertOp>());
    if (asserts.empty())
      return;
    OpBuilder builder(function.getContext());
    Block *leave = builder.createBlock(&function.getBody(), function.getBody().end());
    func::ReturnOp::create(builder, function.getLoc());
    for (cf::AssertOp op : asserts) {
      Block *before = op->getBlock(), *rest = before->splitBlock(op->getNextNode());
      builder.setInsertionPoint(op);
      cf::CondBranchOp::create(builder, op.getLoc(), op.getArg(), rest, leave);
      op.erase();
    }
  }
};

} // namespace
} // namespace moe
