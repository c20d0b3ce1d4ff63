// States what the plan stage leaves behind: every product that a kernel will do has a plan.
#include "moe/IR/Layers.h"
#include "moe/Plan/Passes.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_VERIFYPLANNED
#include "moe/Plan/Passes.h.inc"

namespace {

struct VerifyPlanned : impl::VerifyPlannedBase<VerifyPlanned> {
  using Base::Base;

  void runOnOperation() override {
    bool valid = true;
    getOperation().walk([&](Operation *op) {
      if (auto experts = dyn_cast<ExpertsOp>(op); experts && !experts.getPlan()) {
        op->emitError() << describeOp(op) << " has no 'plan' after the plan stage";
        valid = false;
      }
      auto matmul = dyn_cast<linalg::MatmulOp>(op);
      if (matmul && storedWeightOf(matmul) && !op->getAttrOfType<PlanAttr>(planAttrName)) {
        op->emitError() << describeOp(op) << " has a stored weight and no '" << planAttrName << "' after the plan stage";
        valid = false;
      }
    });
    if (!valid)
      signalPassFailure();
    markAllAnalysesPreserved();
  }
};

} // namespace
} // namespace moe
