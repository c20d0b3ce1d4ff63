// Inference as a pass: for hand-written or edited IR, and to look at what inference knows.
#include "moe/IR/OnnxInference.h"
#include "moe/Import/Passes.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_IMPORTINFERTYPES
#include "moe/Import/Passes.h.inc"

namespace {
struct ImportInferTypes : impl::ImportInferTypesBase<ImportInferTypes> {
  using Base::Base;

  void runOnOperation() override {
    OnnxInference inference(&getContext());
    if (failed(inference.inferFunction(getOperation())))
      return signalPassFailure();
    if (reportSizes)
      report(inference);
  }

private:
  static std::string list(OnnxInference &inference, ArrayRef<AffineExpr> expressions) {
    std::string text;
    for (AffineExpr expression : expressions)
      text += (text.empty() ? "" : ", ") + inference.text(inference.normalise(expression));
    return "[" + text + "]";
  }

  void report(OnnxInference &inference) {
    getOperation().walk([&](OnnxOp op) {
      for (Value result : op.getOutputs()) {
        if (isa<NoneType>(result.getType()))
          continue;
        ValueFacts facts = inference.facts(result);
        InFlightDiagnostic remark = emitRemark(op.getLoc()) << "dims " << list(inference, facts.dims);
        if (facts.content)
          remark << " content " << list(inference, *facts.content);
      }
    });
    for (const DimCondition &condition : inference.conditions())
      emitRemark(condition.loc) << "takes " << inference.text(condition.lhs) << " as equal to " << inference.text(condition.rhs);
  }
};
} // namespace
} // namespace moe
