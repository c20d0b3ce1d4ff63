// One-hot tensors, masks of one expert, and maps of weights: back to the ids and weights that they were made from.
#include "ExpertChoice.h"

#include "LabelledProduct.h"
#include "RoutedLayer.h"
#include "RouterMatcher.h"

#include <cmath>

using namespace mlir;

namespace moe::raise {

//===-- One-hot tensors --------------------------------------------------===//

/// Is `value` the numbers 0 … E-1 along its last dim, and that is all of it?
static bool countsExperts(Value value, int64_t experts) {
  auto numbers = constantInts(value);
  if (!numbers || static_cast<int64_t>(numbers->size()) != experts || staticDim(value, -1) != experts)
    return false;
  for (int64_t expert = 0; expert < experts; ++expert)
    if ((*numbers)[expert] != expert)
      return false;
  return true;
}

/// `ids` compared with the numbers of the experts: Equal([…, 1], [E]) or OneHot.
static std::optional<OneHot> matchComparison(OnnxOp op) {
  Value result = op->getResult(0);
  const int64_t experts = staticDim(result, -1);
  if (isNode(op, "Equal")) {
    for (unsigned side : {0u, 1u}) {
      Value ids = op.getInputs()[side], numbers = op.getInputs()[1 - side];
      if (!tensorType(ids) || staticDim(ids, -1) != 1 || tensorType(ids).getRank() != tensorType(result).getRank() || experts <= 1 ||
          !countsExperts(numbers, experts))
        continue;
      return OneHot{ids, {}, experts};
    }
    return std::nullopt;
  }
  if (!isNode(op, "OneHot"))
    return std::nullopt;
  const int64_t rank = tensorType(result).getRank();
  auto depth = splatNumber(op.getInputs()[1]);
  DenseElementsAttr values = constantElements(op.getInputs()[2]);
  // OneHot counts negative ids from the end; here they would be no expert.
  if (!idsInRange(op.getInputs()[0], experts))
    return std::nullopt;
  if (!depth || experts != static_cast<int64_t>(*depth) || fromFront(intAttribute(op, "axis", -1), rank) != rank - 1 || !values ||
      values.getNumElements() != 2)
    return std::nullopt;
  // The values say off and on: 0 and anything else.
  auto isZero = [&](int64_t i) {
    if (isa<FloatType>(values.getElementType()))
      return (*(values.getValues<APFloat>().begin() + i)).isZero();
    return values.getElementType().isSignlessInteger() && (*(values.getValues<APInt>().begin() + i)).isZero();
  };
  return isZero(0) && !isZero(1) ? std::optional<OneHot>({op.getInputs()[0], {}, experts}) : std::nullopt;
}

/// As matchOneHot; `depth` bounds how many factors are looked through.
static std::optional<OneHot> matchOneHotBelow(Value value, unsigned depth) {
  Value inner = peel(value, AllCasts | Views);
  auto op = inner.getDefiningOp<OnnxOp>();
  // Views on top may regroup rows, but not what a row is.
  if (!op || !tensorType(inner) || staticDim(inner, -1) != staticDim(value, -1))
    return std::nullopt;
  if (auto hot = matchComparison(op))
    return hot;
  // A factor takes choices out. It must not turn zeros into something else, which floats can.
  if (depth == 0 || !(isNode(op, "And") || (isNode(op, "Mul") && tensorType(inner).getElementType().isSignlessInteger())))
    return std::nullopt;
  for (Value factor : op.getInputs())
    if (factor.getType() == inner.getType())
      if (auto hot = matchOneHotBelow(factor, depth - 1)) {
        hot->mask = value;
        return hot;
      }
  return std::nullopt;
}

std::optional<OneHot> matchOneHot(Value value) { return matchOneHotBelow(value, 3); }

bool hasOnes(Value value) {
  auto op = peel(value, AllCasts | Views).getDefiningOp<OnnxOp>();
  if (!op || !isNode(op, "OneHot"))
    return op && isNode(op, "Equal");
  DenseElementsAttr values = constantElements(op.getInputs()[2]);
  if (values && isa<FloatType>(values.getElementType()))
    return (*(values.getValues<APFloat>().begin() + 1)).isExactlyValue(1.0);
  return values && (*(values.getValues<APInt>().begin() + 1)).isOne();
}

//===-- Masks of one expert ----------------------------------------------===//

namespace {
/// `ids` compared with the number of one expert.
struct Comparison {
  Value ids;
  int64_t expert = 0;
};
} // namespace

/// Equal(ids, e), of ids that have its shape.
static std::optional<Comparison> matchComparison(Value value) {
  OnnxOp equal = value ? definedBy(value, "Equal") : OnnxOp();
  RankedTensorType type = equal ? tensorType(equal->getResult(0)) : RankedTensorType();
  for (unsigned side : {0u, 1u}) {
    Value ids = type ? equal.getInputs()[side] : Value();
    auto expert = ids ? scalarFor(equal.getInputs()[1 - side], ids) : std::nullopt;
    if (expert && *expert >= 0 && *expert == std::floor(*expert) && tensorType(ids).getShape() == type.getShape())
      return Comparison{ids, static_cast<int64_t>(*expert)};
  }
  return std::nullopt;
}

/// ids == e with ids [T, K] or [T]: no one-hot tensor of all experts.
static std::optional<ExpertMask> matchSingleComparison(Value value) {
  auto compared = matchComparison(value);
  const int64_t rank = compared ? tensorType(compared->ids).getRank() : 0;
  if (rank < 1 || rank > 2)
    return std::nullopt;
  const int64_t k = rank == 2 ? staticDim(compared->ids, 1) : 1;
  return k > 0 ? std::optional<ExpertMask>({OneHot{compared->ids, {}, -1}, compared->expert, 0, rank == 2 ? 1 : -1, k}) : std::nullopt;
}

/// Has a token chosen the expert at all? (ids == e), summed or its greatest over the choices, perhaps compared with 0.
static std::optional<ExpertMask> matchAnyChoice(Value value, const SizeProof &proof) {
  value = peel(value, AllCasts | Views);
  if (OnnxOp positive = definedBy(value, "Greater")) {
    if (splatNumber(positive.getInputs()[1]) != 0.0)
      return std::nullopt;
    value = peel(positive.getInputs()[0], AllCasts | Views);
  }
  auto any = value.getDefiningOp<OnnxOp>();
  RankedTensorType type = any && (isNode(any, "ReduceSum") || isNode(any, "ReduceMax")) ? tensorType(any.getInputs()[0]) : RankedTensorType();
  auto axes = type ? axesOf(any) : std::nullopt;
  if (!axes || axes->size() != 1 || type.getRank() < 2)
    return std::nullopt;
  const int64_t axis = fromFront((*axes)[0], type.getRank());
  auto compared = axis == type.getRank() - 1 ? matchComparison(peel(any.getInputs()[0], AllCasts)) : std::nullopt;
  const int64_t k = compared ? staticDim(compared->ids, -1) : 0;
  if (k > 0)
    return ExpertMask{OneHot{compared->ids, {}, -1}, compared->expert, 0, -1, k, /*anyChoice=*/true};
  // Part of a one-hot tensor of all experts.
  auto part = type.getRank() == 2 && !compared ? matchExpertMask(any.getInputs()[0], proof) : std::nullopt;
  if (!part || part->anyChoice || part->hot.mask || part->choiceDim != axis)
    return std::nullopt;
  part->tokenDim = 0;
  part->choiceDim = -1;
  part->anyChoice = true;
  return part;
}

/// Behind what keeps 0 apart from all else: views, casts from and to bool, comparisons with 0. `positive` is set where negative numbers count as 0.
static Value peelNonZero(Value value, bool &positive) {
  for (;;) {
    value = peel(value, Views);
    auto op = value.getDefiningOp<OnnxOp>();
    if (!op || op.getInputs().empty() || !tensorType(op.getInputs()[0]))
      return value;
    const auto isBool = [](Value of) { return tensorType(of).getElementType().isInteger(1); };
    const bool isTest = isNode(op, "Cast") && (isBool(value) || isBool(op.getInputs()[0]));
    OnnxOp equal = isNode(op, "Not") ? definedBy(peel(op.getInputs()[0], Views), "Equal") : OnnxOp();
    if (isNode(op, "Greater") && splatNumber(op.getInputs()[1]) == 0.0)
      positive = true;
    else if (equal && splatNumber(equal.getInputs()[1]) == 0.0)
      op = equal;
    else if (!isTest)
      return value;
    value = op.getInputs()[0];
  }
}

/// Has a token a weight that is not 0 in the column of the expert? Of a map whose other weights are 0.
static std::optional<ExpertMask> matchWeightedColumn(Value value, const SizeProof &proof) {
  bool positive = false;
  Value root = peelNonZero(value, positive);
  auto op = root.getDefiningOp<OnnxOp>();
  if (!op || isNode(op, "ReduceSum") || isNode(op, "Equal"))
    return std::nullopt;
  auto column = matchExpertColumn(root, proof);
  if (!column || !column->map)
    return std::nullopt;
  Value weights = peelNonZero(column->map, positive);
  StringRef why;
  auto map = isa<FloatType>(tensorType(weights).getElementType()) ? matchWeightMap(weights, proof, why) : std::nullopt;
  if (!map || map->experts <= 1 || !idsDistinct(map->ids, map->k) || !llvm::all_of(map->scales, [](double scale) { return scale > 0; }))
    return std::nullopt;
  // A row of marks says of each choice that it counts.
  const bool areMarks = map->function == MapFunction::None && splatNumber(map->weights).value_or(0.0) > 0.0;
  if (positive && !areMarks && map->function == MapFunction::None && !isNonNegative(map->weights))
    return std::nullopt;
  return ExpertMask{OneHot{map->ids, {}, map->experts}, column->expert, 0, -1, map->k, /*anyChoice=*/true, areMarks ? Value() : weights};
}

std::optional<GateMask> matchGateMask(Value value, const SizeProof &proof) {
  GateMask result;
  Value root = peelNonZero(value, result.positive);
  auto op = root.getDefiningOp<OnnxOp>();
  auto column = op && !isNode(op, "ReduceSum") && !isNode(op, "Equal") ? matchExpertColumn(root, proof) : std::nullopt;
  if (!column || !column->map)
    return std::nullopt;
  result.map = peelNonZero(column->map, result.positive);
  result.expert = column->expert;
  result.experts = staticDim(result.map, -1);
  const Type element = tensorType(result.map).getElementType();
  const bool isMap = (isa<FloatType>(element) || element.isInteger(1)) && result.experts > 1 && staticDim(column->map, -1) == result.experts;
  return isMap ? std::optional<GateMask>(result) : std::nullopt;
}

/// Are picks all that `ids` leave out: the greatest of logits that are -inf at them?
static bool isPickBeside(Value pick, Value ids) {
  OnnxOp best = definedBy(peel(pick, Views | IntCasts), "ArgMax");
  Value from = best ? peel(best.getInputs()[0], FloatCasts) : Value();
  OnnxOp where = from ? definedBy(from, "Where") : OnnxOp();
  if (!where || staticDim(from, -1) <= 1 || fromFront(intAttribute(best, "axis", 0), tensorType(from).getRank()) != tensorType(from).getRank() - 1 ||
      splatNumber(where.getInputs()[1]) != -HUGE_VAL)
    return false;
  auto hot = matchOneHot(where.getInputs()[0]);
  return hot && !hot->mask && peel(hot->ids, Views | IntCasts) == peel(ids, Views | IntCasts);
}

SmallVector<Value> matchGatePicks(Value map) {
  const int64_t experts = staticDim(map, -1);
  OnnxOp sum = definedBy(peel(map, Views | FloatCasts), "Add");
  SmallVector<Value> picks;
  for (unsigned side : {0u, 1u}) {
    OnnxOp product = sum ? definedBy(peel(sum.getInputs()[side], FloatCasts), "Mul") : OnnxOp();
    std::optional<OneHot> hot;
    for (unsigned factor = 0; product && !hot && factor < 2; ++factor)
      if (staticDim(product.getInputs()[factor], -1) == experts && staticDim(product.getInputs()[1 - factor], -1) == 1)
        hot = matchOneHot(product.getInputs()[factor]);
    if (!hot || hot->experts != experts)
      return {};
    picks.push_back(hot->ids);
  }
  return isPickBeside(picks[1], picks[0]) || isPickBeside(picks[0], picks[1]) ? picks : SmallVector<Value>();
}

/// The mask as it is written, without Transposes around it.
static std::optional<ExpertMask> matchPlainMask(Value value, const SizeProof &proof) {
  RankedTensorType maskType = tensorType(value);
  if (auto weighted = matchWeightedColumn(value, proof))
    return weighted;
  value = peel(value, AllCasts);
  if (auto single = matchSingleComparison(value))
    return single;
  if (auto any = matchAnyChoice(value, proof))
    return any;
  // One column of a tensor over tokens, choices and experts in any order.
  Value column = peel(value, AllCasts | Views);
  auto part = column.getDefiningOp<OnnxOp>();
  if (!part || part.getInputs().empty() || !maskType || maskType.getRank() > 2)
    return std::nullopt;
  RankedTensorType wholeType = tensorType(part.getInputs()[0]);
  const int64_t rank = wholeType ? wholeType.getRank() : 0;
  if (rank != maskType.getRank() + 1)
    return std::nullopt;
  for (int64_t axis = 0; axis < rank; ++axis) {
    SinglePart single = matchSinglePart(column, axis, proof);
    if (!single.source)
      continue;
    SmallVector<int64_t> order(rank);
    for (int64_t i = 0; i < rank; ++i)
      order[i] = i;
    Value all = peel(single.source, AllCasts);
    if (OnnxOp transpose = definedBy(all, "Transpose")) {
      auto permutation = intsAttribute(transpose, "perm");
      if (!permutation || static_cast<int64_t>(permutation->size()) != rank)
        return std::nullopt;
      order = *permutation;
      all = transpose.getInputs()[0];
    }
    auto hot = matchOneHot(all);
    if (!hot || order[axis] != rank - 1)
      return std::nullopt;
    // What is left are the dims of tokens (0) and choices (1), in this order.
    order.erase(order.begin() + axis);
    ExpertMask result{*hot, single.index, 0, -1, 1};
    if (rank == 3) {
      result.tokenDim = order[0] == 0 ? 0 : 1;
      result.choiceDim = 1 - result.tokenDim;
      result.k = staticDim(all, 1);
      if (result.k <= 0)
        return std::nullopt;
    }
    return result;
  }
  return std::nullopt;
}

std::optional<ExpertMask> matchExpertMask(Value value, const SizeProof &proof) {
  // Turned round once, as exporters and simplifiers leave it.
  OnnxOp transpose = definedBy(peel(value, AllCasts), "Transpose");
  auto permutation = transpose ? intsAttribute(transpose, "perm") : std::nullopt;
  if (transpose && tensorType(value) && tensorType(value).getRank() == 2 && (!permutation || *permutation == SmallVector<int64_t>{1, 0}))
    if (auto mask = matchPlainMask(transpose.getInputs()[0], proof); mask && mask->choiceDim >= 0) {
      std::swap(mask->tokenDim, mask->choiceDim);
      return mask;
    }
  return matchPlainMask(value, proof);
}

//===-- Weights of one expert --------------------------------------------===//

/// Σ over the last dim of (ids == expert) · weights.
static std::optional<ExpertColumn> matchComparedSum(OnnxOp sum) {
  auto axes = axesOf(sum);
  Value summed = sum.getInputs()[0];
  RankedTensorType type = tensorType(summed);
  if (!axes || !type || axes->size() != 1 || fromFront((*axes)[0], type.getRank()) != type.getRank() - 1)
    return std::nullopt;
  OnnxOp product = definedBy(peel(summed, FloatCasts), "Mul"), choice = definedBy(peel(summed, FloatCasts), "Where");
  for (unsigned side : {0u, 1u}) {
    Value compared, weights;
    if (product) {
      compared = product.getInputs()[side];
      weights = product.getInputs()[1 - side];
      if (OnnxOp like = definedBy(compared, "CastLike"))
        compared = like.getInputs()[0];
      else if (OnnxOp cast = definedBy(compared, "Cast"))
        compared = cast.getInputs()[0];
    } else if (choice && side == 0 && splatNumber(choice.getInputs()[2]) == 0.0) {
      compared = choice.getInputs()[0];
      weights = choice.getInputs()[1];
    }
    auto match = matchComparison(compared);
    if (match && tensorType(weights).getShape() == type.getShape() && tensorType(match->ids).getShape() == type.getShape() && staticDim(match->ids, -1) > 0)
      return ExpertColumn{match->ids, weights, {}, match->expert, staticDim(match->ids, -1)};
  }
  return std::nullopt;
}

std::optional<ExpertColumn> matchExpertColumn(Value value, const SizeProof &proof) {
  Value root = peel(value, Views | FloatCasts);
  auto op = root.getDefiningOp<OnnxOp>();
  if (!op || op.getInputs().empty())
    return std::nullopt;
  if (isNode(op, "ReduceSum"))
    return matchComparedSum(op);
  if (auto compared = matchComparison(peel(root, AllCasts | Views)))
    return ExpertColumn{compared->ids, {}, {}, compared->expert, 1};
  RankedTensorType type = tensorType(op.getInputs()[0]);
  if (!type || type.getRank() < 2)
    return std::nullopt;
  SinglePart part = matchSinglePart(root, type.getRank() - 1, proof);
  // A row of the transposed map, as a loop over experts takes them.
  if (SinglePart row = part.source || type.getRank() != 2 ? SinglePart() : matchSinglePart(root, 0, proof); row.source)
    if (OnnxOp turned = definedBy(row.source, "Transpose"); turned && intsAttribute(turned, "perm") == SmallVector<int64_t>{1, 0})
      part = {turned.getInputs()[0], row.index};
  return part.source ? std::optional<ExpertColumn>({{}, {}, part.source, part.index, 0}) : std::nullopt;
}

//===-- One choice after the other ---------------------------------------===//

Value matchPickedFrom(Value ids, int64_t experts) {
  ids = peel(ids, IntCasts);
  auto op = ids.getDefiningOp<OnnxOp>();
  if (!op || staticDim(ids, -1) != 1)
    return {};
  Value from = op.getInputs()[0];
  const int64_t rank = tensorType(from) ? tensorType(from).getRank() : 0;
  if (rank < 2 || staticDim(from, -1) != experts)
    return {};
  if (isNode(op, "ArgMax"))
    return fromFront(intAttribute(op, "axis", 0), rank) == rank - 1 && intAttribute(op, "keepdims", 1) == 1 &&
                   intAttribute(op, "select_last_index", 0) == 0 ? from : Value();
  return isLastTopK(op) && cast<OpResult>(ids).getResultNumber() == 1 ? from : Value();
}

bool isWithoutPick(Value rest, Value pool, Value pick) {
  OnnxOp without = definedBy(peel(rest, FloatCasts), "ScatterElements");
  if (!without)
    return false;
  const int64_t rank = tensorType(pool).getRank();
  return peel(without.getInputs()[0], FloatCasts) == peel(pool, FloatCasts) && stringAttribute(without, "reduction", "none") == "none" &&
         fromFront(intAttribute(without, "axis", 0), rank) == rank - 1 && splatNumber(without.getInputs()[2]) == -HUGE_VAL &&
         peel(without.getInputs()[1], IntCasts) == peel(pick, IntCasts);
}

/// Are these k picks side by side, each the greatest of what the one before left over?
static bool arePicksInTurn(OnnxOp picks, int64_t k) {
  RankedTensorType type = tensorType(picks->getResult(0));
  if (static_cast<int64_t>(picks.getInputs().size()) != k || !type || fromFront(intAttribute(picks, "axis", 0), type.getRank()) != type.getRank() - 1)
    return false;
  Value pool, before;
  for (Value pick : picks.getInputs()) {
    OnnxOp chooser = peel(pick, IntCasts).getDefiningOp<OnnxOp>();
    Value from = chooser ? matchPickedFrom(pick, staticDim(chooser.getInputs()[0], -1)) : Value();
    if (!from || (before && !isWithoutPick(from, pool, before)))
      return false;
    pool = from;
    before = pick;
  }
  return true;
}

//===-- Maps of weights --------------------------------------------------===//

/// As isNonNegative, for at most `depth` nodes.
static bool isNonNegativeBelow(Value value, unsigned depth) {
  value = peel(value, Views | FloatCasts);
  auto op = value.getDefiningOp<OnnxOp>();
  if (!op || depth == 0)
    return false;
  if (isNode(op, "Softmax") || isNode(op, "Sigmoid"))
    return true;
  auto number = matchScalar(value, "Mul");
  if (number && number->scalar >= 0)
    return isNonNegativeBelow(number->operand, depth - 1);
  number = matchScalar(value, "Add");
  if (number && number->scalar >= 0)
    return isNonNegativeBelow(number->operand, depth - 1);
  if (isNode(op, "Div"))
    return isNonNegativeBelow(op.getInputs()[0], depth - 1) && isNonNegativeBelow(op.getInputs()[1], depth - 1);
  const bool isSome = isNode(op, "GatherElements") || isNode(op, "Gather") || isNode(op, "Slice") || isNode(op, "ReduceSum") ||
                      (isNode(op, "TopK") && cast<OpResult>(value).getResultNumber() == 0);
  return isSome && isNonNegativeBelow(op.getInputs()[0], depth - 1);
}

bool isNonNegative(Value value) { return isNonNegativeBelow(value, 8); }

bool idsDistinct(Value ids, int64_t k) {
  if (k == 1)
    return true;
  Value root = peel(ids, Views | IntCasts);
  // The first of more choices than count.
  if (OnnxOp slice = definedBy(root, "Slice")) {
    auto axes = inputOrNull(slice, 3) ? constantInts(slice.getInputs()[3]) : std::nullopt;
    const int64_t rank = tensorType(root) ? tensorType(root).getRank() : 0;
    return axes && axes->size() == 1 && fromFront(axes->front(), rank) == rank - 1 && staticDim(root, -1) == k && staticDim(slice.getInputs()[0], -1) >= k &&
           idsDistinct(slice.getInputs()[0], staticDim(slice.getInputs()[0], -1));
  }
  if (OnnxOp picks = definedBy(root, "Concat"))
    return arePicksInTurn(picks, k);
  OnnxOp top = definedBy(root, "TopK");
  return top && cast<OpResult>(root).getResultNumber() == 1 && staticDim(root, -1) == k &&
         fromFront(intAttribute(top, "axis", -1), tensorType(root).getRank()) == tensorType(root).getRank() - 1;
}

/// Σ over the choices of one-hot [T, K, E] · weights: a ReduceSum of a Mul, or a product.
static std::optional<WeightMap> matchOneHotMap(Value map, const SizeProof &proof) {
  const int64_t experts = staticDim(map, -1);
  auto op = map.getDefiningOp<OnnxOp>();
  auto read = [&](Value hot, Value weights) -> std::optional<WeightMap> {
    auto found = matchOneHot(hot);
    if (!found || found->mask || found->experts != experts || staticDim(hot, -1) != experts || !hasOnes(hot))
      return std::nullopt;
    WeightMap result{found->ids, weights, MapFunction::None, staticDim(hot, -2), experts};
    return result.k > 0 ? std::optional<WeightMap>(result) : std::nullopt;
  };
  if (op && isNode(op, "ReduceSum")) {
    RankedTensorType type = tensorType(op.getInputs()[0]);
    auto axes = axesOf(op);
    OnnxOp product = definedBy(peel(op.getInputs()[0], FloatCasts), "Mul");
    if (!type || type.getRank() < 3 || !axes || axes->size() != 1 || fromFront((*axes)[0], type.getRank()) != type.getRank() - 2 || !product)
      return std::nullopt;
    for (unsigned side : {0u, 1u}) {
      Value hot = product.getInputs()[side], weights = product.getInputs()[1 - side];
      if (staticDim(weights, -1) == 1 && staticDim(hot, -1) == experts && proof.sameLeading(hot, weights))
        if (auto found = read(hot, weights))
          return found;
    }
    return std::nullopt;
  }
  auto product = matchLabelledProduct(map);
  for (unsigned side : {0u, 1u})
    if (auto combined = product ? matchCombination(*product, side, proof) : std::nullopt;
        combined && !combined->rowsFirst && !combined->weightsFirst && combined->hidden == experts)
      if (auto found = read(combined->rows, combined->weights))
        return found;
  return std::nullopt;
}

static std::optional<WeightMap> matchUnscaledMap(Value map, const SizeProof &proof, StringRef &why);

std::optional<WeightMap> matchWeightMap(Value map, const SizeProof &proof, StringRef &why) {
  const int64_t experts = staticDim(map, -1);
  OnnxOp product = definedBy(peel(map, Views | FloatCasts), "Mul");
  for (unsigned side : {0u, 1u}) {
    Value factor = product ? product.getInputs()[side] : Value(), inner = product ? product.getInputs()[1 - side] : Value();
    // One number per column, or one for all.
    RankedTensorType type = tensorType(factor);
    if (!type || !type.hasStaticShape() || (type.getNumElements() != 1 && (type.getNumElements() != experts || type.getShape().back() != experts)) ||
        !tensorType(inner) || staticDim(inner, -1) != experts || staticDim(product->getResult(0), -1) != experts ||
        type.getRank() > tensorType(inner).getRank())
      continue;
    auto numbers = finiteFloats(factor);
    auto found = numbers ? matchUnscaledMap(inner, proof, why) : std::nullopt;
    if (!found)
      continue;
    found->scales = *numbers;
    return found;
  }
  return matchUnscaledMap(map, proof, why);
}

static std::optional<WeightMap> matchUnscaledMap(Value map, const SizeProof &proof, StringRef &why) {
  auto miss = [&](StringRef text) {
    why = text;
    return std::nullopt;
  };
  WeightMap result;
  result.experts = staticDim(map, -1);
  Value root = peel(map, Views | FloatCasts);
  double elsewhere = 0.0;
  if (auto summed = matchOneHotMap(root, proof); summed && summed->experts == result.experts)
    return summed;
  if (OnnxOp sigmoid = definedBy(root, "Sigmoid"))
    result.function = MapFunction::Sigmoid;
  else if (OnnxOp softmax = definedBy(root, "Softmax")) {
    const int64_t rank = tensorType(root).getRank(), axis = intAttribute(softmax, "axis", softmax.getVersion() >= 13 ? -1 : 1);
    if (fromFront(axis, rank) != rank - 1)
      return miss("the map's Softmax is not over the experts");
    result.function = MapFunction::Softmax;
  }
  if (result.function != MapFunction::None) {
    root = peel(root.getDefiningOp<OnnxOp>().getInputs()[0], Views | FloatCasts);
    elsewhere = -HUGE_VAL;
  }
  OnnxOp scatter = definedBy(root, "ScatterElements");
  if (!scatter)
    scatter = definedBy(root, "Scatter");
  const int64_t rank = tensorType(root) ? tensorType(root).getRank() : 0;
  if (!scatter || stringAttribute(scatter, "reduction", "none") != "none" || fromFront(intAttribute(scatter, "axis", 0), rank) != rank - 1 ||
      staticDim(root, -1) != result.experts)
    return miss("the weights of a token's experts are no row that a ScatterElements or a sum of one-hot rows made");
  auto start = splatNumber(scatter.getInputs()[0]);
  if (!start || *start != elsewhere)
    return miss("experts that are not chosen do not get the weight 0");
  result.ids = scatter.getInputs()[1];
  result.weights = scatter.getInputs()[2];
  result.k = staticDim(result.ids, -1);
  if (result.k <= 0 || !idsDistinct(result.ids, result.k))
    return miss("the ids of a token's experts may be the same");
  return result;
}

} // namespace moe::raise
