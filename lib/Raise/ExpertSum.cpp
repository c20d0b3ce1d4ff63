// Weighted sums over the experts of a token.
#include "ExpertSum.h"

#include "LabelledProduct.h"
#include "RoutedLayer.h"

using namespace mlir;

namespace moe::raise {

Value mapBehind(Value value, int64_t experts, bool expertsFirst) {
  // One column is the same as one row.
  if (!expertsFirst || experts == 1)
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

/// Takes a Transpose off `rows` that moves the experts' dim from the front to before the columns, or back; `expertsFirst` is turned by it.
static void takeTranspose(Value &rows, int64_t experts, bool &expertsFirst) {
  OnnxOp transpose = definedBy(peel(rows, Views | FloatCasts), "Transpose");
  auto permutation = transpose ? intsAttribute(transpose, "perm") : std::nullopt;
  const int64_t rank = permutation ? permutation->size() : 0;
  if (rank < 3 || permutation->back() != rank - 1 || staticDim(transpose->getResult(0), expertsFirst ? 0 : rank - 2) != experts)
    return;
  for (int64_t i = 0; i + 1 < rank; ++i)
    if ((*permutation)[i] != (i + (expertsFirst ? rank - 2 : 1)) % (rank - 1))
      return;
  expertsFirst = !expertsFirst;
  rows = transpose.getInputs()[0];
}

std::optional<SummedExperts> matchSummedExperts(OnnxOp sum) {
  if (!isNode(sum, "ReduceSum") || sum.getInputs().empty())
    return std::nullopt;
  Value summed = sum.getInputs()[0];
  auto axes = axesOf(sum);
  RankedTensorType type = tensorType(summed);
  if (!axes || !type || axes->size() != 1 || type.getRank() < 3)
    return std::nullopt;
  const int64_t axis = fromFront((*axes)[0], type.getRank()), experts = staticDim(summed, axis);
  if ((axis != 0 && axis != type.getRank() - 2) || experts < 1)
    return std::nullopt;
  return SummedExperts{summed, axis == 0, experts};
}

/// Rows [T, K, H] that are those of the chosen experts among [T, E, H]: GatherElements with the ids repeated along the columns.
static std::optional<ExpertSum> matchChosen(Value rows, Value weights, int64_t k, const SizeProof &proof) {
  OnnxOp gather = definedBy(peel(rows, FloatCasts), "GatherElements");
  RankedTensorType type = gather ? tensorType(gather->getResult(0)) : RankedTensorType();
  if (!type || type.getRank() < 3 || fromFront(intAttribute(gather, "axis", 0), type.getRank()) != type.getRank() - 2 || type.getDimSize(type.getRank() - 2) != k)
    return std::nullopt;
  Value all = gather.getInputs()[0], index = peel(gather.getInputs()[1], IntCasts), ids;
  const int64_t experts = staticDim(all, -2);
  auto repeat = index.getDefiningOp<OnnxOp>();
  if (repeat && (isNode(repeat, "Expand") || isNode(repeat, "Tile")) && staticDim(repeat.getInputs()[0], -1) == 1 && staticDim(repeat.getInputs()[0], -2) == k)
    ids = repeat.getInputs()[0];
  // The index may be smaller than what it picks from, and then picks from the front.
  bool same = ids && proof.sameLeading(ids, index) && tensorType(all).getRank() == type.getRank();
  for (int64_t dim = 0; same && dim + 2 < type.getRank(); ++dim)
    same = proof.sameDim(all, dim, index, dim);
  if (!same || experts <= 1 || staticDim(all, -1) != type.getShape().back() || !idsInRange(ids, experts))
    return std::nullopt;
  return ExpertSum{all, {}, false, experts, ids, weights, k};
}

/// Σ over the last dim of rows [T, H, E] · map [T, E]: a ReduceSum of a Mul with the map as [T, 1, E], or a product with [T, E, 1].
static std::optional<ExpertSum> matchSumOfColumns(OnnxOp op, const SizeProof &proof) {
  Value rows, weights;
  if (isNode(op, "ReduceSum") && !op.getInputs().empty()) {
    RankedTensorType type = tensorType(op.getInputs()[0]);
    auto axes = axesOf(op);
    OnnxOp product = definedBy(peel(op.getInputs()[0], FloatCasts), "Mul");
    if (!product || !axes || axes->size() != 1 || !type || type.getRank() < 3 || fromFront((*axes)[0], type.getRank()) != type.getRank() - 1)
      return std::nullopt;
    const unsigned side = staticDim(product.getInputs()[0], -2) == 1 ? 1 : 0;
    rows = product.getInputs()[side];
    weights = product.getInputs()[1 - side];
    if (staticDim(weights, -2) != 1 || staticDim(weights, -1) != type.getShape().back() || !proof.sameShape(rows, product->getResult(0)))
      return std::nullopt;
  } else if (auto product = matchLabelledProduct(op->getResult(0))) {
    for (unsigned side : {0u, 1u}) {
      const Labels all = product->labels[side], of = product->withoutUnits(product->labels[1 - side], all);
      Labels results = all, wanted = all;
      // (tokens, H, E) and (tokens, E) give (tokens, H).
      if (all.size() < 3 || of.size() + 1 != all.size() || of.back() != all.back())
        continue;
      results.pop_back();
      wanted.erase(wanted.end() - 2);
      if (of != wanted || product->withoutUnits(product->result, all) != results || !product->sameSizes(proof))
        continue;
      rows = product->operands[side];
      weights = product->operands[1 - side];
    }
  }
  const int64_t experts = rows ? staticDim(rows, -1) : -1;
  Value map = experts > 1 && staticDim(rows, -2) > 1 ? mapBehind(weights, experts, false) : Value();
  if (!map)
    return std::nullopt;
  ExpertSum sum{rows, map, false, experts};
  // Turned round: [T, E, H].
  if (OnnxOp transpose = definedBy(peel(rows, FloatCasts), "Transpose")) {
    auto permutation = intsAttribute(transpose, "perm");
    const auto rank = static_cast<int64_t>(permutation ? permutation->size() : 0);
    bool swaps = rank >= 3;
    for (int64_t i = 0; i < rank; ++i)
      swaps &= (*permutation)[i] == (i < rank - 2 ? i : 2 * rank - 3 - i);
    if (swaps) {
      sum.rows = transpose.getInputs()[0];
      return sum;
    }
  }
  sum.expertsLast = true;
  return sum;
}

SmallVector<ExpertSum> matchExpertSums(OnnxOp op, const SizeProof &proof) {
  SmallVector<ExpertSum> found;
  if (auto columns = matchSumOfColumns(op, proof))
    found.push_back(*columns);
  auto addChosen = [&](Value rows, Value weights, int64_t k) {
    if (auto chosen = matchChosen(rows, weights, k, proof))
      found.push_back(*chosen);
  };
  if (auto choices = matchChoiceSum(op))
    if (auto weighted = matchWeightedRows(peel(choices->rows, Views | FloatCasts), choices->hidden, proof))
      addChosen(weighted->rows, weighted->weights, choices->k);
  auto add = [&](Value rows, Value weights, bool rowsFirst, bool weightsFirst, int64_t experts) {
    Value map = mapBehind(weights, experts, weightsFirst);
    if (!map)
      return;
    takeTranspose(rows, experts, rowsFirst);
    found.push_back({rows, map, rowsFirst, experts});
  };
  if (auto sum = matchSummedExperts(op)) {
    OnnxOp product = definedBy(peel(sum->summed, Views | FloatCasts), "Mul");
    for (unsigned side : {0u, 1u}) {
      Value rows = product ? product.getInputs()[side] : Value(), weights = product ? product.getInputs()[1 - side] : Value();
      if (rows && staticDim(weights, -1) == 1 && staticDim(rows, -1) == staticDim(sum->summed, -1) && proof.sameLeading(rows, weights))
        add(rows, weights, sum->expertsFirst, sum->expertsFirst, sum->experts);
    }
    return found;
  }
  auto product = matchLabelledProduct(op->getResult(0));
  for (unsigned side : {0u, 1u})
    if (auto combined = product ? matchCombination(*product, side, proof) : std::nullopt; combined && combined->summed >= 1) {
      if (!combined->rowsFirst && !combined->weightsFirst)
        addChosen(combined->rows, combined->weights, combined->summed);
      add(combined->rows, combined->weights, combined->rowsFirst, combined->weightsFirst, combined->summed);
    }
  return found;
}

} // namespace moe::raise
