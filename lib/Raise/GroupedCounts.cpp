// Counts of an expert's choices, and tokens of sorted rows.
#include "GroupedCounts.h"

#include "ExpertChoice.h"
#include "ExpertMatcher.h"

using namespace mlir;

namespace moe::raise {

//===-- Counts ------------------------------------------------------------===//

/// The one element that `value` has of a vector of more than one.
static SinglePart elementOf(Value value, const SizeProof &proof) {
  while (true) {
    value = peel(value, Views | IntCasts);
    SinglePart part = matchSinglePart(value, 0, proof);
    if (!part.source || !tensorType(part.source) || tensorType(part.source).getRank() != 1)
      return {};
    if (staticDim(part.source, 0) != 1)
      return part;
    value = part.source;
  }
}

/// The vector whose elements 0 … E-1 `value` puts together; `value` itself where it is no Concat.
static Value vectorBehind(Value value, int64_t experts, const SizeProof &proof) {
  OnnxOp concat = definedBy(value, "Concat");
  if (!concat)
    return value;
  Value vector;
  for (auto [expert, piece] : llvm::enumerate(concat.getInputs())) {
    SinglePart part = staticDim(piece, 0) == 1 ? elementOf(piece, proof) : SinglePart();
    if (!part.source || part.index != static_cast<int64_t>(expert) || (vector && part.source != vector))
      return {};
    vector = part.source;
  }
  return staticDim(vector, 0) == experts && static_cast<int64_t>(concat.getInputs().size()) == experts ? vector : Value();
}

bool countsChoices(Value counts, Value ids, int64_t experts, const SizeProof &proof) {
  counts = vectorBehind(peel(counts, IntCasts), experts, proof);
  OnnxOp sum = counts ? definedBy(peel(counts, AllCasts), "ReduceSum") : OnnxOp();
  if (!sum || staticDim(counts, 0) != experts)
    return false;
  auto axes = axesOf(sum);
  Value hot = peel(sum.getInputs()[0], AllCasts);
  RankedTensorType type = tensorType(hot);
  OnnxOp scatter = definedBy(hot, "ScatterElements");
  // One row per row of the sort.
  if (auto compared = type && type.getRank() == 2 && axes && *axes == SmallVector<int64_t>{0} ? matchOneHot(hot) : std::nullopt)
    return !compared->mask && compared->experts == experts && hasOnes(hot) && peel(compared->ids, Views | IntCasts) == peel(ids, Views | IntCasts);
  if (!axes || *axes != SmallVector<int64_t>{0} || !scatter || type.getRank() != 2 || type.getDimSize(1) != experts ||
      fromFront(intAttribute(scatter, "axis", 0), 2) != 1 || stringAttribute(scatter, "reduction", "none") != "none")
    return false;
  Value chosen = scatter.getInputs()[1];
  return splatNumber(scatter.getInputs()[0]) == 0.0 && splatNumber(scatter.getInputs()[2]) == 1.0 && idsDistinct(chosen, staticDim(chosen, -1)) &&
         peel(chosen, Views | IntCasts) == peel(ids, Views | IntCasts);
}

//===-- Tokens ------------------------------------------------------------===//

Value matchTruncatedQuotient(Value value, int64_t divisor) {
  RankedTensorType type = tensorType(value);
  OnnxOp cast = definedBy(value, "Cast");
  if (!cast || !type.getElementType().isSignlessInteger())
    return {};
  Value quotient = peel(cast.getInputs()[0], Views);
  if (OnnxOp product = definedBy(quotient, "Mul"))
    for (unsigned side : {0u, 1u}) {
      OnnxOp sign = definedBy(product.getInputs()[side], "Sign"), floor = definedBy(product.getInputs()[1 - side], "Floor");
      OnnxOp absolute = floor ? definedBy(floor.getInputs()[0], "Abs") : OnnxOp();
      if (sign && absolute && sign.getInputs()[0] == absolute.getInputs()[0])
        quotient = sign.getInputs()[0];
    }
  if (OnnxOp floor = definedBy(quotient, "Floor"))
    quotient = floor.getInputs()[0];
  auto divided = matchScalar(quotient, "Div");
  if (!divided || divided->scalar != static_cast<double>(divisor) || !tensorType(quotient).getElementType().isF32())
    return {};
  OnnxOp widened = definedBy(divided->operand, "Cast");
  return widened && tensorType(widened.getInputs()[0]).getElementType().isSignlessInteger() ? widened.getInputs()[0] : Value();
}

} // namespace moe::raise
