// Capacity and soft forms: each expert has C slots, and a product filled them from the tokens.
//
// Switch, GShard and V-MoE write a one-hot dispatch (tokens to slots) and a weighted combine (slots to tokens); Soft MoE writes a Softmax over the
// tokens and one over the slots. Both are products, which stay what they are; what lies between is E batched experts on E×C×H rows, and that is
// moe.experts with padded rows. Raised only where a product of two computed tensors made the rows: a batched MLP of anything else (one per head, say)
// is no MoE layer.
#include "AllExpertsMatcher.h"
#include "RoutedLayer.h"
#include "moe/Raise/Passes.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_RAISEPADDEDEXPERTS
#include "moe/Raise/Passes.h.inc"

namespace raise {
namespace {

/// One layer: `op` gives the experts' results [E, C, H].
struct PaddedLayer {
  OnnxOp op;
  RoutedFfn ffn;
  int64_t capacity = 0;
  StringRef form;
};

class PaddedMatcher : public AllExpertsMatcher {
public:
  using AllExpertsMatcher::AllExpertsMatcher;

  std::optional<PaddedLayer> match(OnnxOp op);
  /// Did the match get as far as a whole FFN of E experts?
  bool sawExperts() const { return sawFfn; }

private:
  StringRef formOf(Value rows);

  bool sawFfn = false;
};

} // namespace

/// The node above views, casts and transposes.
static OnnxOp movedFrom(Value value) {
  while (true) {
    value = peel(value, Views | FloatCasts);
    OnnxOp transpose = definedBy(value, "Transpose");
    if (!transpose)
      return value.getDefiningOp<OnnxOp>();
    value = transpose.getInputs()[0];
  }
}

/// "soft" or "padded" where a product of two computed tensors filled the slots; else empty.
StringRef PaddedMatcher::formOf(Value rows) {
  OnnxOp product = movedFrom(rows);
  if (!product || !(isNode(product, "MatMul") || isNode(product, "Einsum")) || product.getInputs().size() != 2 ||
      llvm::any_of(product.getInputs(), [](Value input) { return static_cast<bool>(storedTensor(peel(input, Views | FloatCasts))); })) {
    miss(product, "the rows of the experts are no product of a dispatch with tokens");
    return {};
  }
  const bool isSoft = llvm::any_of(product.getInputs(), [](Value input) {
    OnnxOp dispatch = movedFrom(input);
    return dispatch && isNode(dispatch, "Softmax");
  });
  return isSoft ? "soft" : "padded";
}

std::optional<PaddedLayer> PaddedMatcher::match(OnnxOp op) {
  const bool isProduct = isNode(op, "MatMul") || isNode(op, "Einsum");
  if (!(isProduct || isNode(op, "Add")) || op.getInputs().size() != 2 || !tensorType(op->getResult(0)))
    return std::nullopt;
  RankedTensorType type = tensorType(op->getResult(0));
  if (type.getRank() != 3)
    return std::nullopt;
  // A product whose bias follows is read with it.
  if (isProduct && op->getResult(0).hasOneUse())
    if (auto add = dyn_cast<OnnxOp>(*op->getResult(0).user_begin()); add && isNode(add, "Add"))
      for (Value addend : add.getInputs())
        if (addend != op->getResult(0) && isBias(addend))
          return std::nullopt;
  auto ffn = matchFfn(op->getResult(0));
  if (!ffn)
    return std::nullopt;
  sawFfn = true;
  Value rows = ffn->gate.rows;
  const int64_t experts = ffn->gate.experts, capacity = staticDim(rows, 1);
  if (ffn->up && (flatRoot(ffn->up->rows) != flatRoot(rows) || tensorType(ffn->up->rows) != tensorType(rows)))
    return miss(op, "gate and up read different rows");
  const bool expertsFirst = !ffn->gate.sharesRows && !ffn->gate.rowsExpertsLast && !ffn->down.expertsLast;
  if (!expertsFirst || staticDim(rows, 0) != experts || ffn->down.experts != experts || (ffn->up && ffn->up->experts != experts))
    return miss(op, "the experts do not have rows of their own");
  StringRef form = formOf(rows);
  if (form.empty())
    return std::nullopt;
  // The experts' first rows are constants of the layer.
  if (capacity <= 0 || type.getShape() != ArrayRef<int64_t>({experts, capacity, ffn->down.out}))
    return miss(op, "the number of slots of an expert is not known when the model is compiled");
  if (capacity * experts > INT32_MAX)
    return miss(op, "there are more slots than can be numbered");
  Type element = type.getElementType();
  auto fits = [&](Value value) { return !value || tensorType(value).getElementType() == element; };
  const RoutedFfn &parts = *ffn;
  if (!fits(rows) || !fits(parts.gate.weight) || !fits(parts.gate.bias) || !fits(parts.down.weight) || !fits(parts.down.bias) ||
      (parts.up && (!fits(parts.up->weight) || !fits(parts.up->bias))))
    return miss(op, "rows and weights have different element types");
  return PaddedLayer{op, parts, capacity, form};
}

static void replacePadded(const PaddedLayer &layer, LayerBuilder &chain) {
  OnnxOp op = layer.op;
  const RoutedFfn &ffn = layer.ffn;
  Location loc = op.getLoc();
  OpBuilder builder(op);
  std::string name = chain.nameLayer({ffn.gate.weight, ffn.up ? ffn.up->weight : Value(), ffn.down.weight}, ffn.gate.rows);
  Value rows = chain.asF32(builder, loc, ffn.gate.rows);
  const int64_t experts = ffn.gate.experts;
  SmallVector<int32_t> starts;
  for (int64_t expert = 0; expert <= experts; ++expert)
    starts.push_back(static_cast<int32_t>(expert * layer.capacity));
  Value offset = arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(RankedTensorType::get({experts + 1}, builder.getI32Type()),
                                                                                ArrayRef<int32_t>(starts)));
  auto stored = [&](Value value, StringRef part) { return chain.storedWeight(builder, value, name + "." + part.str()); };
  auto bias = [&](const RoutedProduct &product, StringRef part) {
    return stored(chain.storedAs(builder, product.bias, {product.experts, product.out}), part);
  };
  RankedTensorType type = tensorType(op->getResult(0));
  Value y = ExpertsOp::create(builder, loc, type.clone(builder.getF32Type()), rows, offset, stored(ffn.gate.weight, "gate"), bias(ffn.gate, "gate_bias"),
                              ffn.up ? stored(ffn.up->weight, "up") : Value(), ffn.up ? bias(*ffn.up, "up_bias") : Value(),
                              stored(ffn.down.weight, "down"), bias(ffn.down, "down_bias"), ValueRange{}, ffn.ffn, ffn.gate.order,
                              OriginAttr::get(builder.getContext(), name, layer.form), PlanAttr())
                .getResult();
  op->getResult(0).replaceAllUsesWith(chain.castTo(builder, loc, y, type.getElementType()));
  eraseDead(op.getOperation());
}

namespace {
struct RaisePaddedExperts : impl::RaisePaddedExpertsBase<RaisePaddedExperts> {
  using Base::Base;

  void runOnOperation() override {
    LayerBuilder chain(getOperation());
    LogicalResult result = forEachOnnxFunction(getOperation(), [&](func::FuncOp function, const SizeProof &proof) {
      std::vector<PaddedLayer> layers;
      function.walk([&](OnnxOp op) {
        PaddedMatcher matcher(proof);
        if (auto layer = matcher.match(op))
          layers.push_back(*layer);
        else
          remarkMiss(remarks && matcher.sawExperts(), op, matcher.missedAt(), matcher.missed());
      });
      for (const PaddedLayer &layer : layers)
        replacePadded(layer, chain);
    });
    if (failed(result))
      signalPassFailure();
  }
};
} // namespace
} // namespace raise
} // namespace moe
