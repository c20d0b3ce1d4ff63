// Forms C and G: every routed row gathers the whole matrix of its expert and multiplies with it. Form C (batched_mm) has a list of the rows of all
// choices; form G (GenAI's gpt-oss for DirectML) has dims for batch, sequence and choice.
//
// Taken literally this copies T·K weight matrices, so raising it is a need. Anchored at the sum over a token's choices and read upwards;
// the router is never looked at: any expert ids and weights will do.
#include "RoutedLayer.h"
#include "moe/Raise/Passes.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_RAISEBATCHEDEXPERTS
#include "moe/Raise/Passes.h.inc"

namespace raise {
namespace {

class BatchedMatcher : public RoutedMatcher {
public:
  using RoutedMatcher::RoutedMatcher;

  std::optional<RoutedLayer> match(OnnxOp sum);
  /// Did the match get as far as experts that gather their matrices? Only then a failure is worth a remark.
  bool isCandidate() const { return sawGatheredWeights; }

protected:
  std::optional<RoutedProduct> matchProduct(Value value) override;
  bool areExpertIds(Value indices) override;

private:
  Value matchGatheredWeights(Value value, bool &transposed);
  Value matchTokens(Value rows, const ChoiceSum &choices);

  Value ids;
  /// Tokens with the dims that the output has before K, where these are several (form G).
  Value leadingOf;
  bool sawGatheredWeights = false;
};

} // namespace

/// All products of a layer must read the same ids: the first lookup of the layer says which.
bool BatchedMatcher::areExpertIds(Value indices) {
  Value root = peel(indices, Views | IntCasts);
  if (!ids)
    ids = root;
  return root == ids;
}

Value BatchedMatcher::matchGatheredWeights(Value value, bool &transposed) {
  value = peel(value, 0);
  if (OnnxOp transpose = definedBy(value, "Transpose")) {
    if (!swapsInnerDims(transpose))
      return {};
    transposed = !transposed;
    value = peel(transpose.getInputs()[0], 0);
  }
  OnnxOp gather = value.getDefiningOp<OnnxOp>();
  if (!gather || !(isNode(gather, "GatherND") || isNode(gather, "Gather")))
    return {};
  Value weight = storedMatrix(gather.getInputs()[0], transposed);
  if (!weight)
    return {};
  sawGatheredWeights = true;
  if (matchLookup(value))
    return weight;
  miss(gather, "its experts are not looked up by the layer's expert ids");
  return {};
}

std::optional<RoutedProduct> BatchedMatcher::matchProduct(Value value) {
  OnnxOp product = definedBy(value, "MatMul");
  if (!product)
    return miss(value.getDefiningOp(), "no product of routed rows with gathered matrices");
  // W[id]·row as a column, or row·W[id].
  for (unsigned side : {0u, 1u}) {
    Value matrix = product.getInputs()[side], rows = product.getInputs()[1 - side];
    RankedTensorType rowsType = tensorType(rows), matrixType = tensorType(matrix);
    const bool column = side == 0;
    if (!rowsType || !matrixType || rowsType.getRank() < 3 || matrixType.getRank() != rowsType.getRank() || staticDim(rows, column ? -1 : -2) != 1)
      continue;
    bool transposed = !column;
    Value weight = matchGatheredWeights(matrix, transposed);
    if (!weight)
      continue;
    // The weight is [E, out, in] as it stands in a column product, [E, in, out] where it is transposed an odd number of times.
    RoutedProduct result{rows, weight, {}, transposed ? WeightOrder::InOut : WeightOrder::OutIn, staticDim(weight, 0), 0, 0};
    result.in = staticDim(weight, transposed ? 1 : 2);
    result.out = staticDim(weight, transposed ? 2 : 1);
    bool pairs = staticDim(rows, column ? -2 : -1) == result.in;
    for (int64_t dim = 0; dim + 2 < rowsType.getRank(); ++dim)
      pairs &= proof.sameDim(rows, dim, matrix, dim);
    if (!pairs)
      return miss(product, "rows and gathered matrices do not pair up one to one");
    return result;
  }
  return miss(product, "no operand holds a stored matrix per routed row");
}

/// x of rows [T·K, H] that repeat each token K times in a row.
Value BatchedMatcher::matchTokens(Value rows, const ChoiceSum &choices) {
  const int64_t k = choices.k, hidden = choices.hidden;
  Value repeated = peel(rows, Views | FloatCasts);
  auto op = repeated.getDefiningOp<OnnxOp>();
  if (op && (isNode(op, "Expand") || isNode(op, "Tile"))) {
    Value single = op.getInputs()[0];
    const int64_t rank = tensorType(single) ? tensorType(single).getRank() : 0;
    bool fits = rank >= 3 && tensorType(repeated) && tensorType(repeated).getRank() == rank && staticDim(single, -2) == 1 &&
                staticDim(single, -1) == hidden && staticDim(repeated, -2) == k && staticDim(repeated, -1) == hidden;
    for (int64_t dim = 0; fits && dim + 2 < rank; ++dim)
      fits = proof.sameDim(single, dim, repeated, dim);
    if (fits && choices.leading > 1 && rank == choices.leading + 2)
      leadingOf = single;
    if (fits)
      return nearestMatrix(single, hidden);
    miss(op, "the tokens are not repeated K times each");
    return {};
  }
  // x[n / K] with the token number of each choice spelled out: 0 … T-1, each K times.
  if (op && (isNode(op, "GatherND") || isNode(op, "Gather"))) {
    Value numbers = peel(op.getInputs()[1], Views | IntCasts);
    OnnxOp expand = definedBy(numbers, "Expand");
    Value single = expand ? expand.getInputs()[0] : Value();
    OnnxOp range = single ? definedBy(peel(single, Views | IntCasts), "Range") : OnnxOp();
    const bool wholeRows = isNode(op, "GatherND") ? intAttribute(op, "batch_dims", 0) == 0 && staticDim(op.getInputs()[1], -1) == 1
                                                  : intAttribute(op, "axis", 0) == 0;
    if (range && wholeRows && tensorType(op.getInputs()[0]).getRank() == 2 && tensorType(single).getRank() == 2 && staticDim(single, 1) == 1 &&
        tensorType(numbers).getRank() == 2 && staticDim(numbers, 1) == k && proof.sameDim(single, 0, numbers, 0) &&
        splatNumber(range.getInputs()[0]) == 0.0 && splatNumber(range.getInputs()[2]) == 1.0)
      return op.getInputs()[0];
    miss(op, "the tokens are not gathered K times each");
    return {};
  }
  if (k == 1)
    return nearestMatrix(peel(rows, FloatCasts), hidden);
  miss(rows.getDefiningOp(), "the rows of the first product are not tokens repeated K times");
  return {};
}

std::optional<RoutedLayer> BatchedMatcher::match(OnnxOp sum) {
  auto choices = matchChoiceSum(sum);
  if (!choices)
    return std::nullopt;
  auto weighted = matchWeightedRows(peel(choices->rows, Views | FloatCasts), choices->hidden, proof);
  if (!weighted)
    return std::nullopt;
  auto ffn = matchFfn(weighted->rows);
  if (!ffn)
    return std::nullopt;
  Value x = matchTokens(ffn->gate.rows, *choices);
  if (!x)
    return std::nullopt;
  Value upX = ffn->up ? matchTokens(ffn->up->rows, *choices) : x;
  if (!upX || flatRoot(upX) != flatRoot(x))
    return miss(sum, "gate and up read different tokens");
  const bool hasDims = choices->leading > 1;
  RoutedLayer layer{*choices, x, ids, weighted->weights, *ffn, hasDims ? "gathered" : "batched"};
  layer.leadingOf = leadingOf;
  for (int64_t dim = 0; hasDims && dim < choices->leading; ++dim)
    if (!leadingOf || !proof.sameDim(leadingOf, dim, sum->getResult(0), dim))
      return miss(sum, "the dims of the output are not those of the tokens");
  std::string why;
  if (!checkRoutedLayer(layer, proof, why))
    return miss(sum, why);
  return layer;
}

namespace {
struct RaiseBatchedExperts : impl::RaiseBatchedExpertsBase<RaiseBatchedExperts> {
  using Base::Base;

  void runOnOperation() override {
    if (failed(raiseLayersAtSums<BatchedMatcher>(getOperation(), remarks)))
      signalPassFailure();
  }
};
} // namespace
} // namespace raise
} // namespace moe
