// Form D: a loop over the experts, unrolled. Each expert finds its tokens with NonZero, computes them, and adds them to the sum at their places.
//
// As ordinary ops, every expert would have room for all tokens, since how many it has depends on data. What is checked: the
// mask of a step compares the layer's ids with the step's expert number; rows, weights and places are read with the same token (and choice)
// numbers, which come from that mask; weights are read at (token, choice); the sum starts anywhere and adds each expert once.
#include "ExpertLoop.h"
#include "moe/Raise/Passes.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_RAISEUNROLLEDEXPERTS
#include "moe/Raise/Passes.h.inc"

namespace raise {
namespace {

/// Row `row` of what a NonZero found: one coordinate of all nonzero elements.
struct Coordinate {
  OnnxOp nonZero;
  int64_t row = 0;
  bool operator==(const Coordinate &other) const { return nonZero == other.nonZero && row == other.row; }
};

/// A node that adds rows to a sum at given places.
struct ScatterSum {
  Value before, places, rows;
  /// Rows at the same place overwrite each other: right only where places are distinct.
  bool overwrites = false;
};

class UnrolledMatcher : public ExpertMatcher {
public:
  using ExpertMatcher::ExpertMatcher;

  std::optional<ScatterSum> matchSum(OnnxOp op);
  std::optional<ExpertStep> matchStep(OnnxOp op, const ScatterSum &sum);
  /// Did the match get as far as places that a NonZero found?
  bool isCandidate() const { return sawPlaces; }
  /// Is what the match looked at the tokens of one expert?
  bool isOfOneExpert() const { return sawMask; }

private:
  std::optional<Coordinate> matchCoordinate(Value value);
  Value matchRows(Value rows, const Coordinate &token, int64_t hidden);
  Value matchWeights(Value value, const Coordinate &token, std::optional<Coordinate> choice, int64_t k);
  bool isPair(Value index, const Coordinate &token, std::optional<Coordinate> choice);
  bool isFlatIndex(Value index, const Coordinate &token, std::optional<Coordinate> choice, int64_t k);

  bool sawPlaces = false, sawMask = false;
};

} // namespace

//===-- Sums at places ---------------------------------------------------===//

/// ScatterND of one index per row, or ScatterElements along dim 0 whose indices repeat one number per row.
static std::optional<ScatterSum> matchScatter(OnnxOp op) {
  const bool elements = isNode(op, "ScatterElements") || isNode(op, "Scatter");
  if (!(elements || isNode(op, "ScatterND")) || op.getInputs().size() != 3 || !tensorType(op.getInputs()[0]) || !tensorType(op.getInputs()[1]))
    return std::nullopt;
  StringRef reduction = stringAttribute(op, "reduction", "none");
  if (reduction != "none" && reduction != "add")
    return std::nullopt;
  ScatterSum result{op.getInputs()[0], op.getInputs()[1], op.getInputs()[2], reduction == "none"};
  if (!elements)
    return staticDim(result.places, -1) == 1 ? std::optional<ScatterSum>(result) : std::nullopt;
  OnnxOp expand = definedBy(peel(result.places, 0), "Expand");
  if (fromFront(intAttribute(op, "axis", 0), tensorType(result.before).getRank()) != 0 || tensorType(result.before).getRank() != 2 || !expand ||
      staticDim(expand.getInputs()[0], -1) != 1 || tensorType(expand.getInputs()[0]).getRank() != 2)
    return std::nullopt;
  result.places = expand.getInputs()[0];
  return result;
}

/// An Expand that only says the shape that its input has.
static Value peelExpand(Value value, const SizeProof &proof) {
  OnnxOp expand = definedBy(peel(value, FloatCasts), "Expand");
  return expand && staticDim(expand.getInputs()[0], -1) == staticDim(value, -1) && proof.sameShape(expand.getInputs()[0], value)
             ? expand.getInputs()[0] : value;
}

std::optional<ScatterSum> UnrolledMatcher::matchSum(OnnxOp op) {
  std::optional<ScatterSum> result;
  if (isNode(op, "Add")) {
    for (unsigned side : {0u, 1u}) {
      auto scatter = peel(op.getInputs()[side], FloatCasts).getDefiningOp<OnnxOp>();
      auto sum = scatter ? matchScatter(scatter) : std::nullopt;
      // All of the sum is in the other operand.
      if (!sum || splatNumber(sum->before) != 0.0 || !proof.sameShape(op.getInputs()[0], op.getInputs()[1]))
        continue;
      sum->before = op.getInputs()[1 - side];
      result = sum;
      break;
    }
  } else if ((result = matchScatter(op)) && result->overwrites) {
    return std::nullopt;
  }
  if (result)
    result->rows = peelExpand(result->rows, proof);
  return result;
}

//===-- Coordinates ------------------------------------------------------===//

/// The NonZero that `value` is with its two dims swapped: [n, dims].
static OnnxOp transposedNonZero(Value value) {
  OnnxOp transpose = definedBy(peel(value, IntCasts), "Transpose");
  auto permutation = transpose ? intsAttribute(transpose, "perm") : std::nullopt;
  // Without the attribute all dims are reversed.
  if (!transpose || (permutation && *permutation != SmallVector<int64_t>{1, 0}))
    return {};
  return definedBy(peel(transpose.getInputs()[0], IntCasts), "NonZero");
}

std::optional<Coordinate> UnrolledMatcher::matchCoordinate(Value value) {
  value = peel(value, Views | IntCasts);
  // NonZero gives [dims, n]; exporters transpose it and take a column.
  for (int64_t axis : {0, 1}) {
    SinglePart part = matchSinglePart(value, axis, proof);
    if (!part.source)
      continue;
    OnnxOp nonZero = axis == 1 ? transposedNonZero(part.source) : definedBy(peel(part.source, IntCasts), "NonZero");
    if (nonZero)
      return Coordinate{nonZero, part.index};
  }
  // Of a vector all of it is the coordinate, perhaps transposed.
  if (OnnxOp nonZero = definedBy(value, "NonZero"); nonZero && tensorType(nonZero.getInputs()[0]).getRank() == 1)
    return Coordinate{nonZero, 0};
  return std::nullopt;
}

/// Is `index` [n, 2] the pairs (token, choice), or [n, 1] the tokens where there is one choice?
bool UnrolledMatcher::isPair(Value index, const Coordinate &token, std::optional<Coordinate> choice) {
  // All coordinates as they are found, where the mask is [T, K] like the weights.
  if (OnnxOp nonZero = transposedNonZero(index))
    return choice && nonZero == token.nonZero && token.row == 0 && choice->row == 1 && staticDim(index, -1) == 2;
  OnnxOp concat = definedBy(peel(index, IntCasts), "Concat");
  if (!concat)
    return !choice && staticDim(index, -1) == 1 && matchCoordinate(index) == token;
  return choice && concat.getInputs().size() == 2 && staticDim(concat.getInputs()[0], -1) == 1 && staticDim(concat.getInputs()[1], -1) == 1 &&
         fromFront(intAttribute(concat, "axis", 0), tensorType(index).getRank()) == tensorType(index).getRank() - 1 &&
         matchCoordinate(concat.getInputs()[0]) == token && matchCoordinate(concat.getInputs()[1]) == *choice;
}

/// Is `index` token·K + choice?
bool UnrolledMatcher::isFlatIndex(Value index, const Coordinate &token, std::optional<Coordinate> choice, int64_t k) {
  index = peel(index, Views | IntCasts);
  if (k == 1 && matchCoordinate(index) == token)
    return true;
  OnnxOp sum = definedBy(index, "Add");
  if (!sum || !choice)
    return false;
  for (unsigned side : {0u, 1u}) {
    OnnxOp scaled = definedBy(peel(sum.getInputs()[side], Views | IntCasts), "Mul");
    if (!scaled || !(matchCoordinate(sum.getInputs()[1 - side]) == *choice))
      continue;
    for (unsigned inner : {0u, 1u}) {
      auto factor = proof.numbers(scaled.getInputs()[1 - inner]);
      if (factor && *factor == SmallVector<int64_t>{k} && matchCoordinate(scaled.getInputs()[inner]) == token)
        return true;
    }
  }
  return false;
}

//===-- Rows and weights -------------------------------------------------===//

/// x of x[token]: [T, H], perhaps with dims of size 1 around T.
Value UnrolledMatcher::matchRows(Value rows, const Coordinate &token, int64_t hidden) {
  Value root = peel(rows, Views | FloatCasts);
  auto gather = root.getDefiningOp<OnnxOp>();
  if (!gather || !(isNode(gather, "Gather") || isNode(gather, "GatherND"))) {
    miss(gather, "the rows of an expert are no tokens picked by their numbers");
    return {};
  }
  Value x = gather.getInputs()[0], index = gather.getInputs()[1];
  RankedTensorType type = tensorType(x);
  const bool nd = isNode(gather, "GatherND");
  const int64_t axis = nd ? 0 : fromFront(intAttribute(gather, "axis", 0), type.getRank());
  bool wholeRows = type.getRank() >= 2 && staticDim(x, -1) == hidden && axis < type.getRank() - 1 &&
                   (!nd || (intAttribute(gather, "batch_dims", 0) == 0 && staticDim(index, -1) == 1));
  for (int64_t dim = 0; dim + 1 < type.getRank(); ++dim)
    wholeRows &= dim == axis || type.getDimSize(dim) == 1;
  if (wholeRows && matchCoordinate(index) == token)
    return x;
  miss(gather, "the rows of an expert are not the tokens that its mask names");
  return {};
}

/// The [T, K] weights of which `value` has those at (token, choice), one per row.
Value UnrolledMatcher::matchWeights(Value value, const Coordinate &token, std::optional<Coordinate> choice, int64_t k) {
  Value root = peel(value, Views | FloatCasts);
  auto gather = root.getDefiningOp<OnnxOp>();
  if (gather && isNode(gather, "GatherND")) {
    Value weights = gather.getInputs()[0];
    RankedTensorType type = tensorType(weights);
    const bool oneEach = type.getRank() >= (choice ? 2 : 1) && (!choice || staticDim(weights, 1) == k) &&
                         llvm::all_of(type.getShape().drop_front(choice ? 2 : 1), [](int64_t size) { return size == 1; });
    if (intAttribute(gather, "batch_dims", 0) == 0 && oneEach && isPair(gather.getInputs()[1], token, choice))
      return weights;
  }
  if (gather && isNode(gather, "Gather") && intAttribute(gather, "axis", 0) == 0) {
    Value weights = gather.getInputs()[0];
    const bool oneEach = llvm::all_of(tensorType(weights).getShape().drop_front(), [](int64_t size) { return size == 1; });
    if (tensorType(weights).getRank() >= 1 && oneEach && isFlatIndex(gather.getInputs()[1], token, choice, k))
      return weights;
  }
  miss(gather, "the weights of an expert's rows are not those of its tokens and choices");
  return {};
}

//===-- One expert -------------------------------------------------------===//

std::optional<ExpertStep> UnrolledMatcher::matchStep(OnnxOp op, const ScatterSum &sum) {
  auto token = matchCoordinate(sum.places);
  if (!token)
    return std::nullopt;
  sawPlaces = true;
  const int64_t hidden = staticDim(op->getResult(0), -1);
  if (hidden <= 1)
    return miss(op, "the rows that are added have no static width");
  auto mask = matchExpertMask(token->nonZero.getInputs()[0], proof);
  if (!mask)
    return miss(token->nonZero, "the mask of an expert does not compare the chosen ids with its number");
  sawMask = true;
  if (mask->tokenDim != token->row)
    return miss(token->nonZero, "the rows are added at the choices' places, not at the tokens'");
  std::optional<Coordinate> choice;
  if (mask->choiceDim >= 0)
    choice = Coordinate{token->nonZero, mask->choiceDim};
  if (sum.overwrites && !idsDistinct(mask->hot.ids, mask->k))
    return miss(op, "a token may choose an expert twice, and only one of the two would count");
  OnnxOp product = definedBy(peel(sum.rows, Views | FloatCasts), "Mul");
  if (!product)
    return miss(sum.rows.getDefiningOp(), "the rows of an expert are not weighted");
  for (unsigned side : {0u, 1u}) {
    Value rows = product.getInputs()[side], weights = product.getInputs()[1 - side];
    if (staticDim(rows, -1) != hidden || staticDim(weights, -1) != 1)
      continue;
    auto ffn = matchFfn(rows);
    if (!ffn)
      return std::nullopt;
    ExpertStep step{op, sum.before, mask->expert, *ffn, {}, mask->hot.ids, mask->hot.mask, {}, mask->k, mask->hot.experts};
    step.x = matchRows(ffn->gate.rows, *token, hidden);
    Value upX = step.x && ffn->up ? matchRows(ffn->up->rows, *token, hidden) : step.x;
    if (!upX || flatRoot(upX) != flatRoot(step.x))
      return miss(op, "gate and up read different tokens");
    step.weights = matchWeights(weights, *token, choice, mask->k);
    return step.weights ? std::optional<ExpertStep>(step) : std::nullopt;
  }
  return miss(product, "the rows of an expert are not weighted one by one");
}

//===-- The pass ---------------------------------------------------------===//

namespace {
struct RaiseUnrolledExperts : impl::RaiseUnrolledExpertsBase<RaiseUnrolledExperts> {
  using Base::Base;

  void runOnOperation() override {
    if (failed(refuseTracedLoops(getOperation())))
      return signalPassFailure();
    LayerBuilder chain(getOperation());
    bool ok = true;
    auto raise = [&](func::FuncOp function, const SizeProof &proof) {
      ExpertLoops loops;
      function.walk([&](OnnxOp op) {
        UnrolledMatcher matcher(proof);
        auto sum = matcher.matchSum(op);
        auto step = sum ? matcher.matchStep(op, *sum) : std::nullopt;
        if (step) {
          loops.add(*step);
        } else if (matcher.isCandidate()) {
          loops.addGap(op, sum->before, matcher.isOfOneExpert());
          remarkMiss(remarks, op, matcher.missedAt(), matcher.missed());
        }
      });
      std::vector<RoutedLayer> layers;
      for (const ExpertChain &loop : loops.chains())
        ok &= succeeded(addLayer(loop, proof, layers));
      replaceRoutedLayers(layers, chain);
    };
    if (failed(forEachOnnxFunction(getOperation(), raise)) || !ok)
      signalPassFailure();
  }

  /// Fails where the graph surely lost experts when it was exported.
  LogicalResult addLayer(const ExpertChain &loop, const SizeProof &proof, std::vector<RoutedLayer> &layers) {
    OnnxOp last = loop.steps.back().op;
    const int64_t routed = loop.steps.back().experts;
    const auto count = static_cast<int64_t>(loop.steps.size());
    if (const int64_t steps = count + loop.gaps.experts; !loop.gaps.unknown && routed > steps)
      return last.emitError() << "the router chooses among " << routed << " experts, but the graph computes only " << steps
                                 << ": the exporter traced a loop over the experts that its example input hit, and the others are lost; export with "
                                    "an implementation without such a loop (transformers: experts_implementation=\"batched_mm\" or \"grouped_mm\")";
    std::string why;
    auto layer = layerOf(loop, "unrolled", why);
    if (layer && checkRoutedLayer(*layer, proof, why))
      layers.push_back(*layer);
    else
      remarkMiss(remarks, last, last, why);
    return success();
  }
};
} // namespace
} // namespace raise
} // namespace moe
