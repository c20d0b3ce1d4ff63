// Form E: every expert computes every token in one batched product; the tokens are tiled once per expert, and a map of weights says what counts.
//
// Correct as ordinary ops, but E/K times the work. The map multiplies the results, or (Llama 4) the rows on the way in: then a token that has not
// chosen an expert reaches it as a row of zeros, which must come out as zeros: no biases.
#include "AllExpertsMatcher.h"
#include "RoutedLayer.h"
#include "moe/Raise/Passes.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_RAISETILEDEXPERTS
#include "moe/Raise/Passes.h.inc"

namespace raise {
namespace {

class TiledMatcher : public AllExpertsMatcher {
public:
  using AllExpertsMatcher::AllExpertsMatcher;

  std::optional<RoutedLayer> match(OnnxOp sum);

private:
  Value peelExpands(Value value);
  Value matchTiled(Value rows, int64_t experts, int64_t hidden);
  Value matchTransposedMap(Value value, int64_t experts);
  std::optional<RoutedLayer> finish(OnnxOp sum, RoutedFfn ffn, Value rows, Value map, bool scalesInput);
};

} // namespace

//===-- Tokens and map ---------------------------------------------------===//

/// Expands that change no shape: exporters write one before each Tile.
Value TiledMatcher::peelExpands(Value value) {
  while (OnnxOp expand = definedBy(value, "Expand")) {
    if (!proof.sameShape(expand.getInputs()[0], value))
      break;
    value = expand.getInputs()[0];
  }
  return value;
}

/// Does the separate up projection, if there is one, read what the gate reads?
static bool sameTokens(const RoutedFfn &ffn) { return !ffn.up || flatRoot(ffn.up->rows) == flatRoot(ffn.gate.rows); }

/// x of rows [E, T, H] (or [E·T, H]) that hold the tokens once per expert, by Tile or Expand, or of [1, T, H].
Value TiledMatcher::matchTiled(Value rows, int64_t experts, int64_t hidden) {
  Value root = peel(rows, Views | FloatCasts);
  auto op = root.getDefiningOp<OnnxOp>();
  if (op && isNode(op, "Tile")) {
    Value single = op.getInputs()[0];
    auto repeats = proof.numbers(op.getInputs()[1]);
    const bool outer = repeats && !repeats->empty() && repeats->front() == experts &&
                       llvm::all_of(ArrayRef<int64_t>(*repeats).drop_front(), [](int64_t count) { return count == 1; });
    // Repeats of the outermost dim copy the whole.
    if (outer && staticDim(single, -1) == hidden)
      return peelExpands(single);
  }
  if (op && isNode(op, "Expand")) {
    Value single = op.getInputs()[0];
    if (tensorType(root).getRank() == 3 && tensorType(single).getRank() >= 2 && staticDim(root, 0) == experts && staticDim(single, -1) == hidden &&
        (tensorType(single).getRank() == 2 || staticDim(single, 0) == 1) && proof.sameDim(single, -2, root, 1))
      return peelExpands(single);
  }
  if (tensorType(rows).getRank() == 3 && staticDim(rows, 0) == 1 && staticDim(rows, -1) == hidden)
    return rows;
  miss(op, "the rows of the first product are not the tokens once per expert");
  return {};
}

/// The map […, E] that `value`, with elements [E, T], transposes.
Value TiledMatcher::matchTransposedMap(Value value, int64_t experts) {
  OnnxOp transpose = definedBy(peel(value, Views | FloatCasts), "Transpose");
  auto permutation = transpose ? intsAttribute(transpose, "perm") : std::nullopt;
  if (!permutation || staticDim(transpose.getInputs()[0], -1) != experts)
    return {};
  // The last dim goes to the front, the others keep their order.
  const auto rank = static_cast<int64_t>(permutation->size());
  for (int64_t i = 0; i < rank; ++i)
    if ((*permutation)[i] != (i + rank - 1) % rank)
      return {};
  return transpose.getInputs()[0];
}

//===-- The layer --------------------------------------------------------===//

std::optional<RoutedLayer> TiledMatcher::finish(OnnxOp sum, RoutedFfn ffn, Value rows, Value map, bool scalesInput) {
  const int64_t hidden = ffn.down.out;
  Value x = matchTiled(rows, ffn.gate.experts, ffn.gate.in);
  if (!x)
    return std::nullopt;
  StringRef why;
  auto weights = matchWeightMap(map, why);
  if (!weights)
    return miss(map.getDefiningOp(), why);
  RoutedLayer layer{{sum, {}, weights->k, hidden}, x, weights->ids, weights->weights, ffn, "tiled"};
  layer.compared = true;
  layer.function = weights->function;
  layer.scalesInput = scalesInput;
  Value output = sum->getResult(0);
  if (tensorType(output).getRank() != 2 &&
      !(layer.shapeOf = farthest(x, Views | FloatCasts, [&](Value view) { return proof.sameShape(view, output); })))
    return miss(sum, "the shape of the output is not that of the tokens");
  std::string text;
  if (!checkRoutedLayer(layer, proof, text))
    return miss(sum, text);
  return layer;
}

std::optional<RoutedLayer> TiledMatcher::match(OnnxOp sum) {
  auto axes = axesOf(sum);
  Value summed = sum.getInputs()[0];
  RankedTensorType type = tensorType(summed);
  if (!axes || !type || *axes != SmallVector<int64_t>{0} || type.getRank() < 3 || staticDim(summed, 0) <= 1 ||
      intAttribute(sum, "keepdims", 1) != 0)
    return std::nullopt;
  const int64_t experts = staticDim(summed, 0), width = staticDim(summed, -1);
  if (OnnxOp product = definedBy(peel(summed, Views | FloatCasts), "Mul"))
    for (unsigned side : {0u, 1u}) {
      Value rows = product.getInputs()[side], weights = product.getInputs()[1 - side];
      Value map = staticDim(weights, -1) == 1 && staticDim(rows, -1) == width && proof.sameLeading(rows, weights)
                      ? matchTransposedMap(weights, experts) : Value();
      auto ffn = map ? matchFfn(rows) : std::nullopt;
      if (ffn && ffn->gate.experts == experts && sameTokens(*ffn))
        return finish(sum, *ffn, ffn->gate.rows, map, false);
    }
  // No weights behind the experts: they may be before them.
  auto ffn = matchFfn(peel(summed, Views | FloatCasts));
  if (!ffn || ffn->gate.experts != experts || !sameTokens(*ffn))
    return std::nullopt;
  OnnxOp scaled = definedBy(peel(ffn->gate.rows, Views | FloatCasts), "Mul");
  if (!scaled || ffn->gate.bias || ffn->down.bias || (ffn->up && ffn->up->bias))
    return miss(sum, "neither the results nor the rows of experts without bias are weighted");
  for (unsigned side : {0u, 1u}) {
    Value rows = scaled.getInputs()[side], weights = scaled.getInputs()[1 - side];
    Value map = staticDim(weights, -1) == 1 && proof.sameLeading(rows, weights) ? matchTransposedMap(weights, experts) : Value();
    if (map)
      return finish(sum, *ffn, rows, map, true);
  }
  return miss(scaled, "the factors of the rows are no map of weights");
}

namespace {
struct RaiseTiledExperts : impl::RaiseTiledExpertsBase<RaiseTiledExperts> {
  using Base::Base;

  void runOnOperation() override {
    if (failed(raiseLayersAtSums<TiledMatcher>(getOperation(), remarks)))
      signalPassFailure();
  }
};
} // namespace
} // namespace raise
} // namespace moe
