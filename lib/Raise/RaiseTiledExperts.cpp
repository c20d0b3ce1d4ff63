// Form E: every expert computes every token in one batched product; the tokens are tiled once per expert (or the product repeats them), and a map of
// weights says what counts. The experts' dim comes before the tokens' ([E, T, H]) or after them ([T, E, H]).
//
// Correct as ordinary ops, but E/K times the work. The map multiplies the results, or (Llama 4) the rows on the way in: then a token that has not
// chosen an expert reaches it as a row of zeros, which must come out as zeros: no biases.
#include "AllExpertsMatcher.h"
#include "LabelledProduct.h"
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
  bool isCandidate() const { return isProduct ? sawExperts : AllExpertsMatcher::isCandidate(); }

private:
  Value peelExpands(Value value);
  Value matchTiled(const RoutedProduct &product, int64_t experts, int64_t hidden);
  Value matchMap(Value value, int64_t experts, bool expertsFirst);
  std::optional<RoutedLayer> matchReduceSum(OnnxOp sum);
  std::optional<RoutedLayer> matchProductOfMap(OnnxOp product);
  std::optional<RoutedLayer> finish(OnnxOp sum, RoutedFfn ffn, Value rows, Value map, bool scalesInput);

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
static bool sameTokens(const RoutedFfn &ffn) { return !ffn.up || flatRoot(ffn.up->rows) == flatRoot(ffn.gate.rows); }

/// x of rows [E, T, H] (or [E·T, H]) that hold the tokens once per expert, by Tile or Expand, of [1, T, H], or of the tokens themselves. Experts
/// that come last: [T, E, H] by Expand.
Value TiledMatcher::matchTiled(const RoutedProduct &product, int64_t experts, int64_t hidden) {
  Value rows = product.rows;
  if (product.sharesRows && staticDim(rows, -1) == hidden)
    return peel(rows, FloatCasts);
  Value root = peel(rows, Views | FloatCasts);
  auto op = root.getDefiningOp<OnnxOp>();
  if (op && isNode(op, "Tile") && !product.rowsExpertsLast) {
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
    if (columns && !product.rowsExpertsLast && type.getRank() == 3 && staticDim(root, 0) == experts &&
        (singleType.getRank() == 2 || staticDim(single, 0) == 1) && proof.sameDim(single, -2, root, 1))
      return peelExpands(single);
    bool repeatsLast = columns && product.rowsExpertsLast && type.getRank() == singleType.getRank() && staticDim(root, -2) == experts && staticDim(single, -2) == 1;
    for (int64_t dim = 0; repeatsLast && dim + 2 < type.getRank(); ++dim)
      repeatsLast = proof.sameDim(single, dim, root, dim);
    if (repeatsLast)
      return peelExpands(single);
  }
  miss(op, "the rows of the first product are not the tokens once per expert");
  return {};
}

/// The map […, E] of which `value` has the elements: as they are, or as [E, T] where the experts come first.
Value TiledMatcher::matchMap(Value value, int64_t experts, bool expertsFirst) {
  if (!expertsFirst)
    return farthest(value, Views | FloatCasts, [&](Value view) { return staticDim(view, -1) == experts; });
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

/// The rows behind a Transpose that moves the experts' dim from the front to before the columns, or back; `expertsFirst` is turned. Null for others.
static Value takeExpertTranspose(Value rows, int64_t experts, bool &expertsFirst) {
  OnnxOp transpose = definedBy(peel(rows, Views | FloatCasts), "Transpose");
  auto permutation = transpose ? intsAttribute(transpose, "perm") : std::nullopt;
  const int64_t rank = permutation ? permutation->size() : 0;
  if (rank < 3 || permutation->back() != rank - 1 || staticDim(transpose->getResult(0), expertsFirst ? 0 : rank - 2) != experts)
    return {};
  for (int64_t i = 0; i + 1 < rank; ++i)
    if ((*permutation)[i] != (i + (expertsFirst ? rank - 2 : 1)) % (rank - 1))
      return {};
  expertsFirst = !expertsFirst;
  return transpose.getInputs()[0];
}

//===-- The layer --------------------------------------------------------===//

std::optional<RoutedLayer> TiledMatcher::finish(OnnxOp sum, RoutedFfn ffn, Value rows, Value map, bool scalesInput) {
  const int64_t hidden = ffn.down.out;
  ffn.gate.rows = rows;
  Value x = matchTiled(ffn.gate, ffn.gate.experts, ffn.gate.in);
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
  if (!placeOutput(layer, {x, weights->ids, weights->weights}, proof))
    return miss(sum, "the shape of the output is not that of the tokens");
  std::string text;
  if (!checkRoutedLayer(layer, proof, text))
    return miss(sum, text);
  return layer;
}

std::optional<RoutedLayer> TiledMatcher::match(OnnxOp sum) {
  isProduct = !isNode(sum, "ReduceSum");
  return isProduct ? matchProductOfMap(sum) : matchReduceSum(sum);
}

/// A MatMul or Einsum of map and results that sums over the experts.
std::optional<RoutedLayer> TiledMatcher::matchProductOfMap(OnnxOp op) {
  auto product = matchLabelledProduct(op->getResult(0));
  for (unsigned side : {0u, 1u}) {
    auto combined = product ? matchCombination(*product, side, proof) : std::nullopt;
    if (!combined || combined->summed <= 1)
      continue;
    bool first = combined->rowsFirst;
    Value rows = takeExpertTranspose(combined->rows, combined->summed, first);
    auto ffn = matchFfn(rows ? rows : combined->rows);
    if (!ffn || ffn->gate.experts != combined->summed || ffn->down.expertsLast == first || !sameTokens(*ffn))
      continue;
    sawExperts = true;
    Value map = matchMap(combined->weights, combined->summed, combined->weightsFirst);
    if (!map)
      return miss(op, "the weights of the experts' results are no map of weights");
    return finish(op, *ffn, ffn->gate.rows, map, false);
  }
  return std::nullopt;
}

std::optional<RoutedLayer> TiledMatcher::matchReduceSum(OnnxOp sum) {
  auto axes = axesOf(sum);
  Value summed = sum.getInputs()[0];
  RankedTensorType type = tensorType(summed);
  if (!axes || !type || axes->size() != 1 || type.getRank() < 3)
    return std::nullopt;
  const int64_t axis = fromFront((*axes)[0], type.getRank());
  if ((axis != 0 && axis != type.getRank() - 2) || staticDim(summed, axis) <= 1)
    return std::nullopt;
  const bool expertsFirst = axis == 0;
  const int64_t experts = staticDim(summed, axis), width = staticDim(summed, -1);
  auto fits = [&](const std::optional<RoutedFfn> &ffn) {
    return ffn && ffn->gate.experts == experts && sameTokens(*ffn) && ffn->down.expertsLast != expertsFirst;
  };
  if (OnnxOp product = definedBy(peel(summed, Views | FloatCasts), "Mul"))
    for (unsigned side : {0u, 1u}) {
      Value rows = product.getInputs()[side], weights = product.getInputs()[1 - side];
      Value map = staticDim(weights, -1) == 1 && staticDim(rows, -1) == width && proof.sameLeading(rows, weights)
                      ? matchMap(weights, experts, expertsFirst) : Value();
      auto ffn = map ? matchFfn(rows) : std::nullopt;
      if (fits(ffn))
        return finish(sum, *ffn, ffn->gate.rows, map, false);
    }
  // No weights behind the experts: they may be before them.
  auto ffn = matchFfn(peel(summed, Views | FloatCasts));
  if (!fits(ffn) || !expertsFirst)
    return std::nullopt;
  OnnxOp scaled = definedBy(peel(ffn->gate.rows, Views | FloatCasts), "Mul");
  if (!scaled || ffn->gate.bias || ffn->down.bias || (ffn->up && ffn->up->bias))
    return miss(sum, "neither the results nor the rows of experts without bias are weighted");
  for (unsigned side : {0u, 1u}) {
    Value rows = scaled.getInputs()[side], weights = scaled.getInputs()[1 - side];
    Value map = staticDim(weights, -1) == 1 && proof.sameLeading(rows, weights) ? matchMap(weights, experts, expertsFirst) : Value();
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
