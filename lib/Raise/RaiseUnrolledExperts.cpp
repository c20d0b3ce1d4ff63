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

/// What a NonZero finds: one coordinate of all nonzero elements of a mask, or their numbers in row-major order.
struct Coordinate {
  /// Behind views and casts where elements are numbered.
  Value mask;
  int64_t row = numbers;
  /// What the NonZero itself reads.
  Value read;
  static constexpr int64_t numbers = -1;
  bool operator==(const Coordinate &other) const { return mask == other.mask && row == other.row; }
};

static Coordinate numbersIn(Value mask) { return {peel(mask, Views | AllCasts), Coordinate::numbers, mask}; }

static Coordinate coordinateOf(OnnxOp nonZero, int64_t row) {
  Value mask = nonZero.getInputs()[0];
  return tensorType(mask) && tensorType(mask).getRank() == 1 ? numbersIn(mask) : Coordinate{mask, row, mask};
}

/// A node that adds rows to a sum at given places, or at the elements of a mask that are not zero.
struct ScatterSum {
  Value before, places, rows, mask;
  /// Rows at the same place overwrite each other: right only where places are distinct.
  bool overwrites = false;
  /// What was at the places is not read: right only where it is 0.
  bool assigns = false;
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

protected:
  bool hasOwnRows() const override { return true; }

private:
  std::optional<ScatterSum> matchMaskedSum(OnnxOp op);
  std::optional<Coordinate> matchCoordinate(Value value);
  Value matchRows(Value rows, const Coordinate &token, int64_t hidden);
  Value matchWeights(Value value, const Coordinate &token, std::optional<Coordinate> choice, int64_t k);
  Value matchColumnAt(Value value, const Coordinate &token, const ExpertMask &mask, bool &isMap);
  Value matchWeightAtChoice(Value value, const Coordinate &token, const ExpertMask &mask);
  Value rowsAt(Value value, const Coordinate &token);
  bool matchReadBack(ScatterSum &sum);
  bool readTokens(ExpertStep &step, const Coordinate &token, int64_t hidden);
  std::optional<ExpertStep> matchAssigned(OnnxOp op, const ScatterSum &sum, const Coordinate &token, const ExpertMask &mask);
  bool isPair(Value index, const Coordinate &token, std::optional<Coordinate> choice);
  bool isFlatIndex(Value index, const Coordinate &token, std::optional<Coordinate> choice, int64_t k);

  bool sawPlaces = false, sawMask = false;
};

} // namespace

/// The NonZero that `value` is with its two dims swapped: [n, dims].
static OnnxOp transposedNonZero(Value value) {
  OnnxOp transpose = definedBy(peel(value, IntCasts), "Transpose");
  auto permutation = transpose ? intsAttribute(transpose, "perm") : std::nullopt;
  // Without the attribute all dims are reversed.
  if (!transpose || (permutation && *permutation != SmallVector<int64_t>{1, 0}))
    return {};
  return definedBy(peel(transpose.getInputs()[0], IntCasts), "NonZero");
}

/// What `shape` is the Shape of; null where it is no whole one.
static Value shapeOf(Value shape) {
  OnnxOp node = definedBy(peel(shape, Views | IntCasts), "Shape");
  return node && intAttribute(node, "start", 0) == 0 && !node.getNodeAttributes().contains("end") ? node.getInputs()[0] : Value();
}

/// Behind what `what` allows and an Expand that only says the shape that its input has.
static Value peelExpand(Value value, unsigned what, const SizeProof &proof) {
  OnnxOp expand = definedBy(peel(value, what), "Expand");
  return expand && proof.sameShape(expand.getInputs()[0], expand->getResult(0)) ? peel(expand.getInputs()[0], what) : peel(value, what);
}

//===-- Sums at places ---------------------------------------------------===//

/// ScatterND of one index per row, or ScatterElements along dim 0 whose indices repeat one number per row.
static std::optional<ScatterSum> matchScatter(OnnxOp op) {
  const bool elements = isNode(op, "ScatterElements") || isNode(op, "Scatter");
  if (!(elements || isNode(op, "ScatterND")) || op.getInputs().size() != 3 || !tensorType(op.getInputs()[0]) || !tensorType(op.getInputs()[1]))
    return std::nullopt;
  StringRef reduction = stringAttribute(op, "reduction", "none");
  if (reduction != "none" && reduction != "add")
    return std::nullopt;
  ScatterSum result{op.getInputs()[0], op.getInputs()[1], op.getInputs()[2], {}, reduction == "none"};
  if (!elements)
    return staticDim(result.places, -1) == 1 ? std::optional<ScatterSum>(result) : std::nullopt;
  OnnxOp expand = definedBy(peel(result.places, 0), "Expand");
  if (fromFront(intAttribute(op, "axis", 0), tensorType(result.before).getRank()) != 0 || tensorType(result.before).getRank() != 2 || !expand ||
      staticDim(expand.getInputs()[0], -1) != 1 || tensorType(expand.getInputs()[0]).getRank() != 2)
    return std::nullopt;
  result.places = expand.getInputs()[0];
  return result;
}

/// `before[mask] = rows` where a mask has an element per row of `before`, put in place element by element as PyTorch's exporters write an assignment
/// through a boolean mask; or `before[mask] += rows`, where the rows are first read at the mask and added to.
std::optional<ScatterSum> UnrolledMatcher::matchMaskedSum(OnnxOp op) {
  if (!isNode(op, "ScatterND") || op.getInputs().size() != 3 || stringAttribute(op, "reduction", "none") != "none" || !tensorType(op.getInputs()[0]))
    return std::nullopt;
  Value before = op.getInputs()[0], values = peel(op.getInputs()[2], Views);
  OnnxOp places = transposedNonZero(op.getInputs()[1]);
  OnnxOp expand = places ? definedBy(peel(places.getInputs()[0], AllCasts), "Expand") : OnnxOp();
  const int64_t rank = tensorType(before).getRank();
  if (!expand || staticDim(op.getInputs()[1], -1) != rank || !tensorType(expand->getResult(0)) || tensorType(expand->getResult(0)).getRank() != rank ||
      staticDim(expand.getInputs()[0], -1) != 1 || !proof.sameShape(expand->getResult(0), before))
    return std::nullopt;
  // As many values as there are places: all of them.
  if (OnnxOp slice = definedBy(values, "Slice"); slice && slice.getInputs().size() >= 3) {
    auto starts = constantInts(slice.getInputs()[1]);
    OnnxOp end = definedBy(peel(slice.getInputs()[2], Views | IntCasts), "Gather");
    auto which = end ? constantInts(end.getInputs()[1]) : std::nullopt;
    if (!starts || *starts != SmallVector<int64_t>{0} || tensorType(slice->getResult(0)).getRank() != 1 || inputOrNull(slice, 4) || !which ||
        *which != SmallVector<int64_t>{0} || shapeOf(end.getInputs()[0]) != op.getInputs()[1])
      return std::nullopt;
    values = peel(slice.getInputs()[0], Views);
  }
  OnnxOp sum = definedBy(peelExpand(values, Views, proof), "Add");
  Value mask = peel(expand.getInputs()[0], Views | AllCasts);
  for (unsigned side : {0u, 1u}) {
    OnnxOp old = sum ? definedBy(peel(sum.getInputs()[side], Views), "GatherND") : OnnxOp();
    if (!old || intAttribute(old, "batch_dims", 0) != 0 || old.getInputs()[0] != before || staticDim(old.getInputs()[1], -1) != rank - 1)
      continue;
    OnnxOp at = transposedNonZero(old.getInputs()[1]);
    auto token = at || rank != 2 ? std::nullopt : matchCoordinate(old.getInputs()[1]);
    if (at ? peel(at.getInputs()[0], Views | AllCasts) == mask : token == numbersIn(mask))
      return ScatterSum{before, {}, sum.getInputs()[1 - side], mask};
  }
  Value rows = peelExpand(values, Views, proof);
  if (rank != 2 || !tensorType(rows) || tensorType(rows).getRank() != 2 || staticDim(rows, -1) != staticDim(before, -1))
    return std::nullopt;
  return ScatterSum{before, {}, rows, mask, /*overwrites=*/true, /*assigns=*/true};
}

/// `before[places] = before[places] + rows`, as an assignment by index is written: makes `rows` what is added.
bool UnrolledMatcher::matchReadBack(ScatterSum &sum) {
  OnnxOp add = definedBy(peel(sum.rows, Views | FloatCasts), "Add");
  auto token = add ? matchCoordinate(sum.places) : std::nullopt;
  for (unsigned side : {0u, 1u}) {
    Value old = token ? rowsAt(add.getInputs()[side], *token) : Value();
    if (old && peel(old, FloatCasts) == peel(sum.before, FloatCasts) && tensorType(add.getInputs()[1 - side]) &&
        staticDim(add.getInputs()[1 - side], -1) == staticDim(sum.before, -1)) {
      sum.rows = add.getInputs()[1 - side];
      return true;
    }
  }
  return false;
}

std::optional<ScatterSum> UnrolledMatcher::matchSum(OnnxOp op) {
  // One expert's rows among zeros are a part of a sum where they are added to something.
  const bool isAdded = llvm::any_of(op->getUsers(), [](Operation *user) { return isa<OnnxOp>(user) && isNode(cast<OnnxOp>(user), "Add"); });
  std::optional<ScatterSum> result = matchMaskedSum(op);
  if (result)
    return result->assigns && isAdded && splatNumber(result->before) == 0.0 ? std::nullopt : result;
  if (isNode(op, "Add")) {
    for (unsigned side : {0u, 1u}) {
      auto scatter = peel(op.getInputs()[side], FloatCasts).getDefiningOp<OnnxOp>();
      auto sum = scatter ? matchScatter(scatter) : std::nullopt;
      if (auto masked = scatter && !sum ? matchMaskedSum(scatter) : std::nullopt; masked && masked->assigns)
        sum = masked;
      // All of the sum is in the other operand.
      if (!sum || splatNumber(sum->before) != 0.0 || !proof.sameShape(op.getInputs()[0], op.getInputs()[1]))
        continue;
      sum->before = op.getInputs()[1 - side];
      sum->assigns = false;
      result = sum;
      break;
    }
  } else if ((result = matchScatter(op)) && result->overwrites) {
    result->assigns = !matchReadBack(*result);
    if (result->assigns && isAdded)
      return std::nullopt;
  }
  if (result)
    result->rows = peelExpand(result->rows, FloatCasts, proof);
  return result;
}

//===-- Coordinates ------------------------------------------------------===//

std::optional<Coordinate> UnrolledMatcher::matchCoordinate(Value value) {
  value = peelExpand(value, Views | IntCasts, proof);
  // NonZero gives [dims, n]; exporters transpose it and take a column.
  for (int64_t axis : {0, 1}) {
    SinglePart part = matchSinglePart(value, axis, proof);
    if (!part.source)
      continue;
    OnnxOp nonZero = axis == 1 ? transposedNonZero(part.source) : definedBy(peel(part.source, IntCasts), "NonZero");
    if (nonZero)
      return coordinateOf(nonZero, part.index);
  }
  // Of a vector all of it is the coordinate, perhaps transposed.
  if (OnnxOp nonZero = definedBy(value, "NonZero"); nonZero && tensorType(nonZero.getInputs()[0]).getRank() == 1)
    return coordinateOf(nonZero, 0);
  if (OnnxOp nonZero = transposedNonZero(value); nonZero && tensorType(nonZero.getInputs()[0]).getRank() == 1)
    return coordinateOf(nonZero, 0);
  return std::nullopt;
}

/// Is `index` [n, 2] the pairs (token, choice), or [n, 1] the tokens where there is one choice?
bool UnrolledMatcher::isPair(Value index, const Coordinate &token, std::optional<Coordinate> choice) {
  // All coordinates as they are found, where the mask is [T, K] like the weights.
  if (OnnxOp nonZero = transposedNonZero(index))
    return choice && nonZero.getInputs()[0] == token.mask && token.row == 0 && choice->row == 1 && staticDim(index, -1) == 2;
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
  if (gather && isNode(gather, "Compress"))
    if (Value x = rowsAt(rows, token); x && tensorType(x).getRank() == 2 && staticDim(x, -1) == hidden)
      return x;
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

/// The tensor [T, …] whose rows at the tokens `value` has.
Value UnrolledMatcher::rowsAt(Value value, const Coordinate &token) {
  OnnxOp op = peel(value, Views | FloatCasts).getDefiningOp<OnnxOp>();
  if (!op || op.getInputs().size() < 2 || intAttribute(op, "axis", isNode(op, "Compress") ? -1 : 0) != 0)
    return {};
  if (isNode(op, "Compress"))
    return numbersIn(op.getInputs()[1]) == token ? op.getInputs()[0] : Value();
  const bool reads = isNode(op, "Gather") || (isNode(op, "GatherND") && intAttribute(op, "batch_dims", 0) == 0 && staticDim(op.getInputs()[1], -1) == 1);
  return reads && matchCoordinate(op.getInputs()[1]) == token ? op.getInputs()[0] : Value();
}

/// The [T, K] weights of which `value` has, for each token of an expert, that of the choice which names it: read at the elements of the mask over
/// tokens and choices, or in the token's row at the first choice that the mask has.
Value UnrolledMatcher::matchWeightAtChoice(Value value, const Coordinate &token, const ExpertMask &mask) {
  // A second choice of the expert would be a row more in the first form, and lost in the second.
  if (mask.weightedBy || mask.hot.mask || !idsDistinct(mask.hot.ids, mask.k))
    return {};
  const auto areChoices = [&](Value choices) {
    auto all = choices ? matchExpertMask(choices, proof) : std::nullopt;
    return all && !all->anyChoice && !all->hot.mask && all->expert == mask.expert && all->tokenDim == 0 && all->choiceDim == 1 &&
           peel(all->hot.ids, Views | IntCasts) == peel(mask.hot.ids, Views | IntCasts);
  };
  OnnxOp gather = peel(value, Views | FloatCasts).getDefiningOp<OnnxOp>();
  if (gather && isNode(gather, "GatherND")) {
    Value weights = gather.getInputs()[0];
    OnnxOp nonZero = transposedNonZero(gather.getInputs()[1]);
    const bool fits = nonZero && intAttribute(gather, "batch_dims", 0) == 0 && tensorType(weights).getRank() == 2 &&
                      staticDim(weights, 1) == mask.k && areChoices(nonZero.getInputs()[0]);
    return fits ? weights : Value();
  }
  if (!gather || !isNode(gather, "GatherElements") || staticDim(gather->getResult(0), -1) != 1)
    return {};
  Value weights = rowsAt(gather.getInputs()[0], token);
  OnnxOp first = definedBy(peel(gather.getInputs()[1], IntCasts), "ArgMax");
  const auto isLast = [](OnnxOp op, Value of) { return fromFront(intAttribute(op, "axis", 0), tensorType(of).getRank()) == tensorType(of).getRank() - 1; };
  if (!weights || !first || tensorType(weights).getRank() != 2 || staticDim(weights, 1) != mask.k || !isLast(gather, gather.getInputs()[0]) ||
      !isLast(first, first.getInputs()[0]) || intAttribute(first, "keepdims", 1) == 0)
    return {};
  return areChoices(rowsAt(peel(first.getInputs()[0], AllCasts), token)) ? weights : Value();
}

/// The weights of an expert's tokens, whichever of their choices it is: [T, K], or a map.
Value UnrolledMatcher::matchColumnAt(Value value, const Coordinate &token, const ExpertMask &mask, bool &isMap) {
  if (Value weights = matchWeightAtChoice(value, token, mask))
    return weights;
  Value weights = rowsAt(value, token);
  auto column = weights ? matchExpertColumn(weights, proof) : std::nullopt;
  if (!column || (column->ids && !column->weights) || column->expert != mask.expert ||
      (column->ids && peel(column->ids, Views | IntCasts) != peel(mask.hot.ids, Views | IntCasts)) ||
      (mask.weightedBy && (!column->map || peel(column->map, Views | FloatCasts) != peel(mask.weightedBy, Views | FloatCasts)))) {
    miss(value.getDefiningOp(), "the weights of an expert's rows are not those of its tokens");
    return {};
  }
  isMap = static_cast<bool>(column->map);
  return isMap ? column->map : column->weights;
}

/// Which tokens the step's expert reads.
bool UnrolledMatcher::readTokens(ExpertStep &step, const Coordinate &token, int64_t hidden) {
  step.x = matchRows(step.ffn.gate.rows, token, hidden);
  Value upX = step.x && step.ffn.up ? matchRows(step.ffn.up->rows, token, hidden) : step.x;
  if (upX && sameElements(upX, step.x))
    return true;
  miss(step.op, "gate and up read different tokens");
  return false;
}

/// Rows that are put in place as the expert left them; the sum of all is weighted then.
std::optional<ExpertStep> UnrolledMatcher::matchAssigned(OnnxOp op, const ScatterSum &sum, const Coordinate &token, const ExpertMask &mask) {
  auto ffn = matchFfn(sum.rows);
  if (!ffn)
    return std::nullopt;
  ExpertStep step{op, sum.before, mask.expert, *ffn, {}, mask.hot.ids, mask.hot.mask, {}, mask.k, mask.hot.experts};
  step.replaces = true;
  return readTokens(step, token, staticDim(op->getResult(0), -1)) ? std::optional<ExpertStep>(step) : std::nullopt;
}

std::optional<ExpertStep> UnrolledMatcher::matchStep(OnnxOp op, const ScatterSum &sum) {
  auto token = sum.mask ? numbersIn(sum.mask) : matchCoordinate(sum.places);
  if (!token)
    return std::nullopt;
  // Rows are put in place for many reasons, and added at places that a mask names for one.
  sawPlaces = !sum.assigns;
  const int64_t hidden = staticDim(op->getResult(0), -1);
  if (hidden <= 1)
    return miss(op, "the rows that are added have no static width");
  auto mask = matchExpertMask(token->read, proof);
  auto gates = mask ? std::nullopt : matchGateMask(token->read, proof);
  if (gates)
    // Steps may have maps of their own, so that one step says nothing of the number of others.
    mask = ExpertMask{OneHot{gates->map, {}, -1}, gates->expert, 0, -1, gates->experts, /*anyChoice=*/true, gates->map};
  if (!mask)
    return miss(token->read.getDefiningOp(), "the mask of an expert does not compare the chosen ids with its number");
  sawPlaces = sawMask = true;
  const bool isNumbered = token->row == Coordinate::numbers;
  if (isNumbered ? mask->choiceDim >= 0 && mask->k != 1 : mask->tokenDim != token->row)
    return miss(token->read.getDefiningOp(), "the rows are added at the choices' places, not at the tokens'");
  std::optional<Coordinate> choice;
  if (mask->choiceDim >= 0 && !isNumbered)
    choice = Coordinate{token->mask, mask->choiceDim, token->read};
  if (sum.overwrites && !gates && !idsDistinct(mask->hot.ids, mask->k))
    return miss(op, "a token may choose an expert twice, and only one of the two would count");
  if (sum.assigns && mask->k != 1)
    return miss(op, "a token's rows replace those of the expert that it chose before");
  Value scaledRows = peel(sum.rows, Views | FloatCasts);
  double scale = 1.0;
  while (auto scaled = matchScaled(scaledRows, proof)) {
    scale *= scaled->scalar;
    scaledRows = peel(scaled->operand, Views | FloatCasts);
  }
  OnnxOp product = definedBy(scaledRows, "Mul");
  if (!product && sum.assigns && !mask->weightedBy)
    return matchAssigned(op, sum, *token, *mask);
  if (!product)
    return miss(sum.rows.getDefiningOp(), "the rows of an expert are not weighted");
  for (unsigned side : {0u, 1u}) {
    Value rows = product.getInputs()[side], weights = product.getInputs()[1 - side];
    if (staticDim(rows, -1) != hidden || staticDim(weights, -1) != 1)
      continue;
    auto ffn = matchFfn(rows);
    Value passed = ffn ? Value() : matchRows(rows, *token, hidden);
    if (!ffn && !passed)
      return std::nullopt;
    ExpertStep step{op, sum.before, mask->expert, ffn.value_or(RoutedFfn()), passed, mask->hot.ids, mask->hot.mask, {}, mask->k, mask->hot.experts};
    step.passes = !ffn;
    step.replaces = sum.assigns;
    step.gated = gates.has_value();
    step.positive = gates && gates->positive;
    if (scale != 1.0 && !ffn)
      return miss(op, "rows of an expert that computes nothing are scaled");
    if (scale != 1.0)
      step.ffn.scaleBy(scale);
    if (ffn && !readTokens(step, *token, hidden))
      return std::nullopt;
    if (gates)
      mask->weightedBy = {}; // The weights may be those of another map.
    step.weights = mask->anyChoice ? matchColumnAt(weights, *token, *mask, step.weightsAreMap) : matchWeights(weights, *token, choice, mask->k);
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

  /// Weights that are a map of all experts, of the ids that the masks compare.
  static bool readMap(RoutedLayer &layer, const SizeProof &proof, std::string &why) {
    StringRef reason = "the map of weights is not of the ids that the masks compare";
    auto map = matchWeightMap(layer.weights, proof, reason);
    if (!map || peel(map->ids, Views | IntCasts) != peel(layer.indices, Views | IntCasts) || map->k != layer.choices.k) {
      why = reason;
      return false;
    }
    layer.weights = map->weights;
    if (!map->scales.empty())
      layer.ffn.scaleBy(map->scales);
    layer.function = map->function;
    return true;
  }

  /// Who chose whom by nothing but a map: at most as many choices as it is made of, or all experts.
  static void readGates(RoutedLayer &layer) {
    layer.picks = matchGatePicks(layer.indices);
    layer.choices.k = layer.picks.empty() ? layer.ffn.gate.experts : static_cast<int64_t>(layer.picks.size());
  }

  /// The rows of all experts, put in place as they are for each choice of each token, are weighted and summed over the choices, and the rows that
  /// the experts read are the tokens, repeated for the choices: takes the sum for the layer's end.
  static void sumChoices(RoutedLayer &layer, const SizeProof &proof) {
    Value rows = layer.choices.sum->getResult(0);
    OnnxOp sum;
    for (Value at = rows; !sum;) {
      auto user = at.hasOneUse() ? dyn_cast<OnnxOp>(*at.user_begin()) : OnnxOp();
      if (!user || user->getNumResults() != 1)
        return;
      at = user->getResult(0);
      if (isNode(user, "ReduceSum"))
        sum = user;
      else if (!isNode(user, "Mul") && !isNode(user, "Cast") && !peelOnce(at, Views))
        return;
    }
    auto choices = matchChoiceSum(sum);
    auto weighted = choices ? matchWeightedRows(peel(choices->rows, FloatCasts), choices->hidden, proof) : std::nullopt;
    if (!weighted || peel(weighted->rows, Views | FloatCasts) != rows || choices->hidden != layer.choices.hidden || layer.choices.k != 1)
      return;
    Value x = matchRepeatedTokens(layer.x, choices->k, choices->hidden, proof);
    if (!x || !proof.sameRowsTimes(x, choices->k, layer.indices) || !proof.sameRowsTimes(x, choices->k, weighted->weights))
      return;
    layer.x = x;
    layer.weights = weighted->weights;
    layer.choices = *choices;
  }

  /// The rows of all experts, put in place as they are, are weighted by one number per token: takes the product for the layer's end.
  static void weighWhole(RoutedLayer &layer, const SizeProof &proof) {
    Value rows = layer.choices.sum->getResult(0);
    auto product = rows.hasOneUse() ? dyn_cast<OnnxOp>(*rows.user_begin()) : OnnxOp();
    if (!product || !isNode(product, "Mul") || tensorType(product->getResult(0)) != tensorType(rows))
      return;
    Value weights = product.getInputs()[product.getInputs()[0] == rows ? 1 : 0];
    if (staticDim(weights, -1) != 1 || !proof.sameLeading(weights, rows))
      return;
    layer.weights = weights;
    layer.choices.sum = product;
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
    // What keeps the experts of a layer apart leaves chains of one.
    if (layer && count == 1 && !idsInRange(loop.steps.front().indices, 1)) {
      why = "one expert stands alone, but the ids that are compared with its number may name others";
      layer.reset();
    }
    if (layer && !layer->weights)
      sumChoices(*layer, proof);
    if (layer && !layer->weights)
      weighWhole(*layer, proof);
    if (layer && layer->gated)
      readGates(*layer);
    else if (layer && loop.steps.back().weightsAreMap && !readMap(*layer, proof, why))
      layer.reset();
    if (layer && tensorType(last->getResult(0)).getRank() > 2 && !placeOutput(*layer, {layer->x, layer->indices, layer->weights}, proof)) {
      why = "the shape of the output is not that of the tokens";
      layer.reset();
    }
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
