// The table of spelled-out nodes; the formulas are in the files of their families.
#include "Speller.h"

using namespace mlir;

namespace moe {

static const SpelledForms &allForms() {
  static const SpelledForms table = [] {
    SpelledForms forms;
    addQuantizedForms(forms);
    addFusedForms(forms);
    addAttentionForms(forms);
    addPoolingForms(forms);
    addNormalizationForms(forms);
    addMovementForms(forms);
    addResizeForms(forms);
    addTransformForms(forms);
    addConvolutionForms(forms);
    addSamplingForms(forms);
    return forms;
  }();
  return table;
}

bool isSpelledOut(StringRef domain, StringRef opType) { return allForms().contains((domain + ":" + opType).str()); }

FailureOr<SmallVector<Value>> spellOut(const FusedNodeView &node, OpBuilder &builder, OnnxInference &inference) {
  const SpelledForm &form = allForms().find((node.domain + ":" + node.opType).str())->second;
  Speller speller(node, builder, inference);
  for (unsigned i : form.required)
    if (!speller.has(i))
      return speller.error() << "input " << i << " is required, but the node does not have it as a tensor", failure();
  if (node.operands.size() > form.maxInputs || node.wanted.size() > form.maxOutputs || node.wanted.empty())
    return speller.error() << "expected at most " << form.maxInputs << " inputs and 1 to " << form.maxOutputs << " outputs, found " << node.operands.size()
                           << " and " << node.wanted.size(),
           failure();
  SmallVector<Value> results = form.spell(speller);
  if (speller.failed())
    return failure();
  results.resize(node.wanted.size());
  return results;
}

} // namespace moe
