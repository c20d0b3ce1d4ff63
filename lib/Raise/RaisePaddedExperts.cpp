// Capacity, choice and soft forms: each expert has C slots, and a product or a lookup filled them from the tokens.
//
// Switch, GShard and V-MoE write a one-hot dispatch (tokens to slots) and a weighted combine (slots to tokens); Soft MoE writes a Softmax over the
// tokens and one over the slots; FastMoE and Tutel gather or scatter by computed numbers of slots. All of these stay what they are; what lies between is
// E experts on E×C×H rows, batched or one by one (ListedSlots.h), and that is moe.experts with padded rows. Raised only where such a dispatch made the
// rows: a batched MLP of anything else (one per head, say) is no MoE layer.
#include "AllExpertsMatcher.h"
#include "ListedSlots.h"
#include "moe/Raise/Passes.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_RAISEPADDEDEXPERTS
#include "moe/Raise/Passes.h.inc"

namespace raise {
namespace {

class PaddedMatcher : public AllExpertsMatcher {
public:
  using AllExpertsMatcher::AllExpertsMatcher;

  std::optional<SlotLayer> match(OnnxOp op);
  /// Did the match get as far as two products with the matrices of E experts, on slots where they make no whole expert?
  bool sawExperts() const { return sawFfn; }

private:
  bool sawFfn = false;
};

} // namespace

std::optional<SlotLayer> PaddedMatcher::match(OnnxOp op) {
  const bool isProduct = isNode(op, "MatMul") || isNode(op, "Einsum");
  if (!(isProduct || isNode(op, "Add")) || op.getInputs().size() != 2 || !tensorType(op->getResult(0)))
    return std::nullopt;
  RankedTensorType type = tensorType(op->getResult(0));
  if (type.getRank() < 3)
    return std::nullopt;
  // A product whose bias follows is read with it.
  if (isProduct && op->getResult(0).hasOneUse())
    if (auto add = dyn_cast<OnnxOp>(*op->getResult(0).user_begin()); add && isNode(add, "Add"))
      for (Value addend : add.getInputs())
        if (addend != op->getResult(0) && isBias(addend))
          return std::nullopt;
  auto ffn = matchFfn(op->getResult(0));
  sawFfn = ffn || (firstRows && !dispatchForm(firstRows).empty());
  if (!ffn)
    return std::nullopt;
  if (!ffn->scales.empty())
    return miss(op, "the results of experts on slots are scaled");
  Value rows = ffn->gate.rows;
  const int64_t experts = ffn->gate.experts;
  if (ffn->up && (!sameElements(ffn->up->rows, rows) || tensorType(ffn->up->rows) != tensorType(rows)))
    return miss(op, "gate and up read different rows");
  if (ffn->gate.sharesRows || ffn->down.experts != experts || (ffn->up && ffn->up->experts != experts))
    return miss(op, "the experts do not have rows of their own");
  StringRef form = dispatchForm(rows);
  if (form.empty())
    return miss(rows.getDefiningOp(), notDispatched);
  const bool keepsDims = ffn->down.place.dim == ffn->gate.rowsPlace.dim && proof.sameLeading(rows, op->getResult(0)) &&
                         proof.sameShape(ffn->down.result, op->getResult(0));
  if (!keepsDims)
    return miss(op, "the results of the experts do not have the dims of their rows");
  if (tensorType(rows).hasStaticShape() && tensorType(rows).getNumElements() / tensorType(rows).getShape().back() > INT32_MAX)
    return miss(op, "there are more slots than can be numbered");
  Type element = type.getElementType();
  auto fits = [&](Value value) { return !value || tensorType(value).getElementType() == element; };
  const RoutedFfn &parts = *ffn;
  if (!fits(rows) || !fits(parts.gate.weight) || !fits(parts.gate.bias) || !fits(parts.down.weight) || !fits(parts.down.bias) ||
      (parts.up && (!fits(parts.up->weight) || !fits(parts.up->bias))))
    return miss(op, "rows and weights have different element types");
  return SlotLayer{op, parts, {}, form, rows, parts.gate.rowsPlace.dim};
}

/// Removes factors of 1, which the exporter of `baddbmm` writes between product and bias.
static void removeUnitFactors(ModuleOp module) {
  module.walk([](OnnxOp op) {
    if (!isNode(op, "Mul"))
      return;
    auto scaled = matchScalar(op->getResult(0), "Mul");
    if (!scaled || scaled->scalar != 1.0 || scaled->operand.getType() != op->getResult(0).getType())
      return;
    op->getResult(0).replaceAllUsesWith(scaled->operand);
    op.erase();
  });
}

namespace {
struct RaisePaddedExperts : impl::RaisePaddedExpertsBase<RaisePaddedExperts> {
  using Base::Base;

  void runOnOperation() override {
    removeUnitFactors(getOperation());
    LayerBuilder chain(getOperation());
    LogicalResult result = forEachOnnxFunction(getOperation(), [&](func::FuncOp function, const SizeProof &proof) {
      std::vector<SlotLayer> layers;
      function.walk([&](OnnxOp op) {
        auto find = [&](auto matcher) {
          if (auto layer = matcher.match(op))
            layers.push_back(*layer);
          else
            remarkMiss(remarks && matcher.sawExperts(), op, matcher.missedAt(), matcher.missed());
        };
        if (isNode(op, "Concat"))
          find(ListedSlotsMatcher(proof));
        else
          find(PaddedMatcher(proof));
      });
      replaceSlotLayers(layers, chain);
    });
    if (failed(result))
      signalPassFailure();
  }
};
} // namespace
} // namespace raise
} // namespace moe
