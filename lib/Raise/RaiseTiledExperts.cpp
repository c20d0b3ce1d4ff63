// Form E: every expert computes every token in one batched product; the tokens are tiled once per expert (or the product repeats them), and a map of
// weights says what counts. The experts' dim comes before the tokens' ([E, T, H]) or after them ([T, E, H]).
//
// Correct as ordinary ops, but E/K times the work. The map multiplies the results, or (Llama 4) the rows on the way in: then a token that has not
// chosen an expert reaches it as a row of zeros, which must come out as zeros: no biases.
#include "AllExpertsMatcher.h"
#include "EinsumOfThree.h"
#include "ExpertSum.h"
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
  /// Many products of a graph may read a stored tensor of rank 3: one that sums is a candidate where it sums results of experts.
  bool isCandidate() const { return sawExperts || (!isProduct && AllExpertsMatcher::isCandidate()); }

private:
  Value peelExpands(Value value);
  Value matchTiled(const RoutedProduct &product, int64_t experts, int64_t hidden);
  std::optional<RoutedLayer> matchScaledInput(OnnxOp sum);
  std::optional<RoutedLayer> finish(OnnxOp sum, RoutedFfn ffn, Value rows, Value map, bool scalesInput);
  std::optional<RoutedLayer> finishWith(OnnxOp sum, const RoutedFfn &ffn, const WeightMap &weights, bool scalesInput);

  bool isProduct = false, sawExperts = false;
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
static bool sameTokens(const RoutedFfn &ffn) { return !ffn.up || sameElements(ffn.up->rows, ffn.gate.rows); }

/// x of rows [E, T, H] (or [E·T, H]) that hold the tokens once per expert, by Tile or Expand, of [1, T, H], or of the tokens themselves. Experts
/// that come last: [T, E, H] by Expand.
Value TiledMatcher::matchTiled(const RoutedProduct &product, int64_t experts, int64_t hidden) {
  Value rows = product.rows;
  if ((product.sharesRows || experts == 1) && staticDim(rows, -1) == hidden)
    return peel(rows, FloatCasts);
  Value root = peel(rows, Views | FloatCasts);
  auto op = root.getDefiningOp<OnnxOp>();
  if (op && isNode(op, "Tile") && product.rowsPlace.together == 0) {
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
    RankedTensorType type = tensorType(root), singleType = tensorType(single);
    const bool columns = singleType.getRank() >= 2 && staticDim(single, -1) == hidden && staticDim(root, -1) == hidden;
    if (columns && product.rowsPlace.together == 0 && type.getRank() == 3 && staticDim(root, 0) == experts &&
        (singleType.getRank() == 2 || staticDim(single, 0) == 1) && proof.sameDim(single, -2, root, 1))
      return peelExpands(single);
    bool repeatsLast = columns && product.rowsPlace.together == 1 && type.getRank() == singleType.getRank() && staticDim(root, -2) == experts && staticDim(single, -2) == 1;
    for (int64_t dim = 0; repeatsLast && dim + 2 < type.getRank(); ++dim)
      repeatsLast = proof.sameDim(single, dim, root, dim);
    if (repeatsLast)
      return peelExpands(single);
  }
  miss(op, "the rows of the first product are not the tokens once per expert");
  return {};
}

//===-- The layer --------------------------------------------------------===//

std::optional<RoutedLayer> TiledMatcher::finish(OnnxOp sum, RoutedFfn ffn, Value rows, Value map, bool scalesInput) {
  StringRef why;
  auto weights = matchWeightMap(map, proof, why);
  if (!weights)
    return miss(map.getDefiningOp(), why);
  if (scalesInput && !idsDistinct(weights->ids, weights->k))
    return miss(sum, "a token may choose an expert twice, whose row is scaled once");
  if (scalesInput && !weights->scales.empty())
    return miss(sum, "the rows of each expert are scaled by a number of its own on the way in");
  if (!weights->scales.empty())
    ffn.scaleBy(weights->scales);
  ffn.gate.rows = rows;
  return finishWith(sum, ffn, *weights, scalesInput);
}

std::optional<RoutedLayer> TiledMatcher::finishWith(OnnxOp sum, const RoutedFfn &ffn, const WeightMap &weights, bool scalesInput) {
  Value x = matchTiled(ffn.gate, ffn.gate.experts, ffn.gate.in);
  if (!x)
    return std::nullopt;
  RoutedLayer layer{{sum, {}, weights.k, ffn.down.out}, x, weights.ids, weights.weights, ffn, "tiled"};
  layer.compared = true;
  layer.function = weights.function;
  layer.scalesInput = scalesInput;
  if (!placeOutput(layer, {x, weights.ids, weights.weights}, proof))
    return miss(sum, "the shape of the output is not that of the tokens");
  std::string text;
  if (!checkRoutedLayer(layer, proof, text))
    return miss(sum, text);
  return layer;
}

std::optional<RoutedLayer> TiledMatcher::match(OnnxOp sum) {
  isProduct = !isNode(sum, "ReduceSum");
  for (const ExpertSum &found : matchExpertSums(sum, proof)) {
    expertsSeen = 0;
    auto ffn = found.expertsLast ? std::nullopt : matchFfn(found.rows);
    sawExperts |= isProduct ? expertsSeen == found.experts : expertsSeen > 0;
    if (!ffn || ffn->gate.experts != found.experts || ffn->down.place.together != (found.expertsFirst ? 0 : 1) || !sameTokens(*ffn))
      continue;
    if (found.ids)
      return finishWith(sum, *ffn, {found.ids, found.weights, MapFunction::None, found.k, found.experts}, false);
    return finish(sum, *ffn, ffn->gate.rows, found.map, false);
  }
  // Results that are weighted are not weighted on the way in as well.
  return isProduct || sawExperts ? std::nullopt : matchScaledInput(sum);
}

/// No weights behind the experts: they may be before them.
std::optional<RoutedLayer> TiledMatcher::matchScaledInput(OnnxOp sum) {
  auto found = matchSummedExperts(sum);
  auto ffn = found && found->expertsFirst ? matchFfn(peel(found->summed, Views | FloatCasts)) : std::nullopt;
  if (!ffn || ffn->gate.experts != found->experts || !sameTokens(*ffn) || ffn->down.place.together != 0)
    return std::nullopt;
  OnnxOp scaled = definedBy(peel(ffn->gate.rows, Views | FloatCasts), "Mul");
  if (!scaled || ffn->gate.bias || ffn->down.bias || (ffn->up && ffn->up->bias))
    return miss(sum, "neither the results nor the rows of experts without bias are weighted");
  for (unsigned side : {0u, 1u}) {
    Value rows = scaled.getInputs()[side], weights = scaled.getInputs()[1 - side];
    Value map = staticDim(weights, -1) == 1 && proof.sameLeading(rows, weights) ? mapBehind(weights, found->experts, true) : Value();
    if (map)
      return finish(sum, *ffn, rows, map, true);
  }
  return miss(scaled, "the factors of the rows are no map of weights");
}

namespace {
struct RaiseTiledExperts : impl::RaiseTiledExpertsBase<RaiseTiledExperts> {
  using Base::Base;

  void runOnOperation() override {
    splitEinsums(getOperation());
    if (failed(raiseLayersAtSums<TiledMatcher>(getOperation(), remarks)))
      signalPassFailure();
  }
};
} // namespace
} // namespace raise
} // namespace moe
