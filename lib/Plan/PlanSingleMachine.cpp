// Chooses packing and precision for one machine. There is one kernel family, so nothing is searched yet: the packing follows from the
// kind of product and the precision from the option. Before: the form that raise leaves.
#include "moe/IR/Layers.h"
#include "moe/Plan/Passes.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_PLANSINGLEMACHINE
#include "moe/Plan/Passes.h.inc"

namespace {

struct PlanSingleMachine : impl::PlanSingleMachineBase<PlanSingleMachine> {
  using Base::Base;

  void runOnOperation() override {
    if (!llvm::is_contained({"auto", "f32", "bf16", "int8"}, activations)) {
      getOperation().emitError("unknown value '") << activations << "' of option activations; expected auto, f32, bf16 or int8";
      return signalPassFailure();
    }
    const WalkResult result = getOperation().walk([&](Operation *op) {
      if (auto experts = dyn_cast<ExpertsOp>(op))
        return WalkResult(planExperts(experts));
      if (auto matmul = dyn_cast<linalg::MatmulOp>(op))
        return WalkResult(planMatmul(matmul));
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }

  LogicalResult planExperts(ExpertsOp op) {
    if (!op.getFfn()) {
      op.setPlanAttr(PlanAttr::get(&getContext(), PackingFamily::Plain, "f32"));
      return success();
    }
    if (failed(checkActivations(op, op.getRows().getType().getElementType())))
      return failure();
    const PackingFamily packing = op.getFfn()->isGated() ? PackingFamily::GateUp16 : PackingFamily::Panel32;
    op.setPlanAttr(PlanAttr::get(&getContext(), packing, "f32"));
    return success();
  }

  LogicalResult planMatmul(linalg::MatmulOp op) {
    if (!storedWeightOf(op))
      return success();
    if (failed(checkActivations(op, Float32Type::get(&getContext()))))
      return failure();
    op->setAttr(planAttrName, PlanAttr::get(&getContext(), PackingFamily::Panel32, "f32"));
    return success();
  }

  /// Kernels compute in f32; anything else that is asked for, or that the graph has, is an error at the op.
  LogicalResult checkActivations(Operation *op, Type element) {
    if (activations != "auto" && activations != "f32")
      return op->emitError() << describeOp(op) << ": activations in " << activations << " are not supported yet; expected auto or f32";
    if (!element.isF32())
      return op->emitError() << describeOp(op) << ": activations of type " << element << " are not supported yet; expected f32";
    return success();
  }
};

} // namespace
} // namespace moe
