// Form B: rows sorted by expert, and for each expert one product over its range of rows (grouped_mm), or over its piece of a Split.
//
// What is checked, because a graph that differs in any of it computes something else: the sort is over all ids and ascending; tokens and
// weights follow the same permutation; range e goes from the end of e-1 to the end of e, and the ends are the running sum of the histogram of
// the same ids (or the pieces are as long as the histogram says); the E slices of a weight are all of it, in order; the inverse permutation brings
// the rows back, or they are added up at their tokens. Each node is looked at a constant number of times, so time is linear in the size of the graph.
#include "GroupedCounts.h"
#include "RoutedLayer.h"
#include "moe/Raise/Passes.h"

#include <cmath>

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_RAISEGROUPEDEXPERTS
#include "moe/Raise/Passes.h.inc"

namespace raise {
namespace {

/// Rows [ends[expert-1], ends[expert]) of `source`, all read with the same vector of ends, or of sizes.
struct Segment {
  Value source, ends;
  int64_t expert;
};

class GroupedMatcher : public RoutedMatcher {
public:
  using RoutedMatcher::RoutedMatcher;

  /// `op` is a ReduceSum over choices, or a ScatterND that adds the rows up at their tokens.
  std::optional<RoutedLayer> match(OnnxOp op);
  bool isCandidate() const { return sawSegments; }

protected:
  std::optional<RoutedProduct> matchProduct(Value value) override;
  bool areExpertIds(Value indices) override;
  /// A lookup by the sorted ids.
  Value scalesBehind(Value factor) override;
  bool fitsScales(OnnxOp product, unsigned side, const RoutedProduct &down) override;

private:
  std::optional<RoutedLayer> finish(const ChoiceSum &choices, Value sorted);
  std::optional<RoutedLayer> matchScatter(OnnxOp scatter);
  Value peelExpand(Value rows);
  bool matchUnsort(Value rows, const ChoiceSum &choices, Value &sorted);
  bool matchSort(Value sortedIds);
  Value matchPermuted(Value value, Value index, bool divided);
  bool isTokenOf(Value index, int64_t k);
  std::optional<Segment> matchSegment(Value value);
  std::optional<std::pair<Value, int64_t>> matchEnd(Value value);
  bool isStart(Value value, Value ends, int64_t expert);
  bool matchEnds(Value ends, int64_t experts);
  std::optional<RoutedFfn> matchWholeExperts(OnnxOp concat);
  bool matchHistogramIndex(Value index, int64_t experts);
  bool fail(Operation *at, const Twine &why) {
    miss(at, why);
    return false;
  }

  OnnxOp sort;
  int64_t k = 0;
  /// Vectors of ends that were checked: all products of a layer usually read the same one.
  DenseMap<Value, int64_t> checkedEnds;
  /// The matrices of a product, by its result, where each expert has a tensor of its own.
  DenseMap<Value, SmallVector<Value>> ownMatrices;
  /// The same of experts that are written as a whole.
  ExpertPieces wholePieces;
  bool sawSegments = false;
};

} // namespace

//===-- The permutation --------------------------------------------------===//

/// Is `value` result `number` of the layer's sort, behind views and integer casts?
static bool isSortResult(OnnxOp sort, Value value, unsigned number) { return peel(value, Views | IntCasts) == Value(sort->getResult(number)); }

/// Reads whole rows: GatherND of one index per row, or Gather on dim 0. Null if `value` is something else.
static OnnxOp rowGather(Value value) {
  if (OnnxOp gather = definedBy(value, "GatherND"))
    return intAttribute(gather, "batch_dims", 0) == 0 && staticDim(gather.getInputs()[1], -1) == 1 ? gather : OnnxOp();
  if (OnnxOp gather = definedBy(value, "Gather"))
    return intAttribute(gather, "axis", 0) == 0 && tensorType(gather.getInputs()[1]) && tensorType(gather.getInputs()[1]).getRank() == 1 ? gather
                                                                                                                                      : OnnxOp();
  return {};
}

/// The sorted ids, or the ids in the order of the sort.
bool GroupedMatcher::areExpertIds(Value indices) {
  OnnxOp moved = rowGather(peel(indices, Views | IntCasts));
  return isSortResult(sort, indices, 0) || (moved && isSortResult(sort, moved.getInputs()[1], 1) && tensorType(moved.getInputs()[0]).getRank() == 1 &&
                                            peel(moved.getInputs()[0], Views | IntCasts) == peel(sort.getInputs()[0], Views | IntCasts));
}

/// Any lookup of a number per row; by which ids is asked when the experts are known.
Value GroupedMatcher::scalesBehind(Value factor) {
  OnnxOp gather = rowGather(peel(factor, Views));
  Value stored = gather ? storedTensor(gather.getInputs()[0]) : Value();
  return stored && tensorType(stored).getRank() == 1 ? stored : Value();
}

bool GroupedMatcher::fitsScales(OnnxOp product, unsigned side, const RoutedProduct &down) {
  Value rows = product.getInputs()[1 - side], factor = product.getInputs()[side];
  return matchLookup(peel(factor, Views)) && tensorType(rows).getRank() == 2 && staticDim(rows, 1) == down.out && tensorType(factor).getRank() == 2 &&
         staticDim(factor, 1) == 1 && proof.sameDim(factor, 0, sort->getResult(0), 0);
}

/// The sort: TopK ascending over all of a vector of ids. Its second result is the permutation.
bool GroupedMatcher::matchSort(Value permutation) {
  permutation = peel(permutation, Views | IntCasts);
  OnnxOp top = definedBy(permutation, "TopK");
  if (!top || cast<OpResult>(permutation).getResultNumber() != 1)
    return fail(permutation.getDefiningOp(), "the rows are not permuted by a sort of the expert ids");
  Value ids = top.getInputs()[0];
  if (!tensorType(ids) || tensorType(ids).getRank() != 1 || intAttribute(top, "largest", 1) != 0 || intAttribute(top, "sorted", 1) != 1)
    return fail(top, "the expert ids are not sorted in ascending order");
  if (!proof.sameShape(ids, top->getResult(1)))
    return fail(top, "the sort may leave out some of the expert ids");
  sort = top;
  return true;
}

/// Every row back to its place: GatherND(sorted, inverse), where inverse is ScatterND(any, permutation, 0 … S-1).
bool GroupedMatcher::matchUnsort(Value rows, const ChoiceSum &choices, Value &sorted) {
  OnnxOp gather = rowGather(peel(rows, Views | FloatCasts));
  if (!gather || staticDim(gather.getInputs()[0], -1) != choices.hidden || tensorType(gather.getInputs()[0]).getRank() != 2)
    return false;
  Value inverse = peel(gather.getInputs()[1], Views | IntCasts);
  OnnxOp scatter = definedBy(inverse, "ScatterND");
  if (!scatter || stringAttribute(scatter, "reduction", "none") != "none" || staticDim(scatter.getInputs()[1], -1) != 1)
    return false;
  if (!matchSort(scatter.getInputs()[1]))
    return false;
  // What is scattered into does not matter: the permutation overwrites all of it.
  if (!proof.sameCount(scatter->getResult(0), sort->getResult(1)))
    return fail(scatter, "the inverse permutation has another size than the permutation");
  Value numbers = peel(scatter.getInputs()[2], Views | IntCasts);
  if (OnnxOp range = definedBy(numbers, "Range")) {
    if (splatNumber(range.getInputs()[0]) != 0.0 || splatNumber(range.getInputs()[2]) != 1.0)
      return fail(range, "the inverse permutation does not count from 0 by 1");
  } else {
    auto counted = constantInts(numbers);
    bool inOrder = counted.has_value();
    for (size_t i = 0; inOrder && i < counted->size(); ++i)
      inOrder = (*counted)[i] == static_cast<int64_t>(i);
    if (!inOrder)
      return fail(scatter, "the inverse permutation does not count from 0 by 1");
  }
  sorted = gather.getInputs()[0];
  return true;
}

/// Is `value` surely false where the permutation is never negative: permutation < 0, also compared with true or joined by And?
static bool neverTrue(OnnxOp sort, Value value) {
  value = peel(value, Views);
  auto op = value.getDefiningOp<OnnxOp>();
  if (!op || op.getInputs().empty())
    return false;
  if (isNode(op, "Less"))
    return isSortResult(sort, op.getInputs()[0], 1) && splatNumber(op.getInputs()[1]) == 0.0;
  if (isNode(op, "Equal"))
    return splatNumber(op.getInputs()[1]) == 1.0 && tensorType(op.getInputs()[1]).getElementType().isInteger(1) && neverTrue(sort, op.getInputs()[0]);
  if (isNode(op, "And"))
    return neverTrue(sort, op.getInputs()[0]) || neverTrue(sort, op.getInputs()[1]);
  return false;
}

/// permutation / K, rounded down: the token of a sorted row. Exporters subtract 1 where the dividend is negative; it never is.
bool GroupedMatcher::isTokenOf(Value index, int64_t choices) {
  Value value = peel(index, Views | IntCasts);
  if (OnnxOp corrected = definedBy(value, "Sub")) {
    OnnxOp cast = definedBy(peel(corrected.getInputs()[1], Views | IntCasts), "Cast");
    if (!cast || !neverTrue(sort, cast.getInputs()[0]))
      return false;
    value = peel(corrected.getInputs()[0], Views | IntCasts);
  }
  if (Value dividend = matchTruncatedQuotient(value, choices))
    return isSortResult(sort, dividend, 1);
  auto divided = matchScalar(value, "Div");
  if (divided && divided->scalar == static_cast<double>(choices) && tensorType(value).getElementType().isSignlessInteger())
    return isSortResult(sort, divided->operand, 1);
  return choices == 1 && isSortResult(sort, value, 1);
}

//===-- Ranges of rows ---------------------------------------------------===//

/// Element `second` of the vector `first`: an output of a Split into single elements, a Gather with a constant index, or a Slice of one.
std::optional<std::pair<Value, int64_t>> GroupedMatcher::matchEnd(Value value) {
  SinglePart part = matchSinglePart(peel(value, Views | IntCasts), 0, proof);
  if (!part.source || tensorType(part.source).getRank() != 1)
    return std::nullopt;
  return std::make_pair(peel(part.source, IntCasts), part.index);
}

/// Is `value` where range `expert` starts: 0, the end of the one before, or its own end less its length?
bool GroupedMatcher::isStart(Value value, Value ends, int64_t expert) {
  if (OnnxOp less = definedBy(peel(value, Views | IntCasts), "Sub")) {
    auto end = matchEnd(less.getInputs()[0]), count = matchEnd(less.getInputs()[1]);
    OnnxOp running = definedBy(ends, "CumSum");
    return running && end && count && end->first == ends && end->second == expert && count->first == peel(running.getInputs()[0], IntCasts) &&
           count->second == expert;
  }
  if (expert == 0)
    return splatNumber(value) == 0.0;
  auto before = matchEnd(value);
  return before && before->first == ends && before->second == expert - 1;
}

/// Gather(source, Range(end of e-1, end of e, 1)), or the Slice between the same ends; or piece e of a Split, whose sizes stand for the ends.
std::optional<Segment> GroupedMatcher::matchSegment(Value value) {
  value = peel(value, 0);
  Value start, end, source;
  if (OnnxOp gather = definedBy(value, "Gather")) {
    OnnxOp range = definedBy(peel(gather.getInputs()[1], IntCasts), "Range");
    if (!range || intAttribute(gather, "axis", 0) != 0 || splatNumber(range.getInputs()[2]) != 1.0)
      return std::nullopt;
    source = gather.getInputs()[0];
    start = range.getInputs()[0];
    end = range.getInputs()[1];
  } else if (OnnxOp slice = definedBy(value, "Slice")) {
    auto axes = inputOrNull(slice, 3) ? constantInts(slice.getInputs()[3]) : std::optional<SmallVector<int64_t>>({0});
    auto steps = inputOrNull(slice, 4) ? constantInts(slice.getInputs()[4]) : std::optional<SmallVector<int64_t>>({1});
    if (slice.getInputs().size() < 3 || !axes || !steps || *axes != SmallVector<int64_t>{0} || *steps != SmallVector<int64_t>{1})
      return std::nullopt;
    source = slice.getInputs()[0];
    start = slice.getInputs()[1];
    end = slice.getInputs()[2];
  } else if (OnnxOp split = definedBy(value, "Split")) {
    source = split.getInputs()[0];
    Value sizes = inputOrNull(split, 1);
    if (!sizes || fromFront(intAttribute(split, "axis", 0), 2) != 0 || !tensorType(source) || tensorType(source).getRank() != 2 ||
        tensorType(value).getRank() != 2)
      return std::nullopt;
    return Segment{source, peel(sizes, IntCasts), static_cast<int64_t>(cast<OpResult>(value).getResultNumber())};
  } else {
    return std::nullopt;
  }
  auto last = matchEnd(end);
  if (!last || !tensorType(source) || tensorType(source).getRank() != 2)
    return std::nullopt;
  return isStart(start, last->first, last->second) ? std::optional<Segment>({source, last->first, last->second}) : std::nullopt;
}

//===-- The histogram ----------------------------------------------------===//

/// `x` as a float of `type` holds it. Sums, products and quotients of doubles may be rounded twice: 53 bits are more than twice 24 and two.
static double roundedTo(double x, FloatType type) {
  APFloat number(x);
  bool lost;
  number.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven, &lost);
  number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lost);
  return number.convertToDouble();
}

/// One step of a scalar function, in the arithmetic of `op`'s result type; false for an op that is not known here.
static bool applyStep(OnnxOp op, double &x) {
  Type type = tensorType(op->getResult(0)).getElementType();
  Value value = op->getResult(0);
  const bool integer = type.isSignlessInteger(64) || type.isSignlessInteger(32);
  if (!integer && !isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(type))
    return false;
  auto rounded = [&](double number) { return integer ? std::trunc(number) : roundedTo(number, cast<FloatType>(type)); };
  if (isNode(op, "Cast"))
    return x = rounded(x), true;
  if (isNode(op, "Clip")) {
    Value low = inputOrNull(op, 1), high = inputOrNull(op, 2);
    auto lower = low ? splatNumber(low) : std::optional<double>(-HUGE_VAL), upper = high ? splatNumber(high) : std::optional<double>(HUGE_VAL);
    if (!lower || !upper || op.getNodeAttributes().contains("min") || op.getNodeAttributes().contains("max"))
      return false;
    x = std::min(std::max(x, *lower), *upper);
    return true;
  }
  if (isNode(op, "Floor")) {
    x = std::floor(x);
    return true;
  }
  if (auto use = matchScalar(value, "Div"))
    return use->scalar != 0.0 && (x = rounded(x / use->scalar), true);
  if (auto use = matchScalar(value, "Mul"))
    return x = rounded(x * use->scalar), true;
  if (auto use = matchScalar(value, "Add"))
    return x = rounded(x + use->scalar), true;
  if (auto use = matchScalar(value, "Sub"))
    return x = rounded(x - use->scalar), true;
  return false;
}

/// Is `index` the expert id of some order of the rows, for every id from 0 to E-1? What lies between is evaluated on each of them: exporters
/// compute the bin of a histogram with a division that gives the id back.
bool GroupedMatcher::matchHistogramIndex(Value index, int64_t experts) {
  constexpr unsigned maxSteps = 12;
  SmallVector<OnnxOp> steps;
  Value ids = peel(sort.getInputs()[0], Views | IntCasts), value = peel(index, Views | IntCasts);
  while (!isSortResult(sort, value, 0) && value != ids) {
    auto op = value.getDefiningOp<OnnxOp>();
    if (!op || op.getInputs().empty() || steps.size() == maxSteps)
      return false;
    steps.push_back(op);
    Value next = op.getInputs()[0];
    // Of Mul and Add either side may be the constant.
    for (StringRef type : {"Mul", "Add"})
      if (auto use = matchScalar(value, type))
        next = use->operand;
    value = peel(next, Views | IntCasts);
  }
  for (int64_t id = 0; id < experts; ++id) {
    double x = static_cast<double>(id);
    for (OnnxOp step : llvm::reverse(steps))
      if (!applyStep(step, x))
        return false;
    if (x != static_cast<double>(id))
      return false;
  }
  return true;
}

/// Are `ends` the running sum of how many rows each of `experts` experts has?
bool GroupedMatcher::matchEnds(Value ends, int64_t experts) {
  auto [place, isNew] = checkedEnds.try_emplace(ends, experts);
  if (!isNew)
    return place->second == experts;
  OnnxOp running = definedBy(ends, "CumSum");
  Operation *at = ends.getDefiningOp();
  if (!running && countsChoices(ends, sort.getInputs()[0], experts, proof))
    return true;
  if (!running || intAttribute(running, "exclusive", 0) != 0 || intAttribute(running, "reverse", 0) != 0 || staticDim(ends, 0) != experts)
    return fail(at, "the ends of the ranges are not a running sum with one element per expert");
  Value counts = running.getInputs()[0];
  if (countsChoices(peel(counts, IntCasts), sort.getInputs()[0], experts, proof))
    return true;
  while (OnnxOp cast = definedBy(counts, "Cast"))
    counts = cast.getInputs()[0];
  OnnxOp scatter = definedBy(counts, "ScatterElements");
  if (!scatter || stringAttribute(scatter, "reduction", "none") != "add" || fromFront(intAttribute(scatter, "axis", 0), 1) != 0 ||
      tensorType(counts).getRank() != 1 || staticDim(counts, 0) != experts)
    return fail(at, "the running sum is not over a histogram of the ids that the rows are sorted by");
  if (splatNumber(scatter.getInputs()[0]) != 0.0)
    return fail(scatter, "the histogram does not start from zeros");
  if (splatNumber(scatter.getInputs()[2]) != 1.0)
    return fail(scatter, "the histogram does not count by ones");
  if (!matchHistogramIndex(scatter.getInputs()[1], experts) || !proof.sameCount(scatter.getInputs()[1], sort->getResult(0)))
    return fail(scatter, "the histogram is not of the ids that the rows are sorted by");
  return true;
}

//===-- Products ---------------------------------------------------------===//

/// Is `op` a product of rows and a matrix? `transposed`: the matrix is written [in, out].
static bool isPieceProduct(OnnxOp op, bool &transposed) {
  if (!op || !(isNode(op, "MatMul") || isNode(op, "Gemm")))
    return false;
  const bool isGemm = isNode(op, "Gemm");
  transposed = !(isGemm && intAttribute(op, "transB", 0) != 0);
  return !isGemm || (!inputOrNull(op, 2) && intAttribute(op, "transA", 0) == 0 && floatAttribute(op, "alpha", 1.0) == 1.0);
}

std::optional<RoutedProduct> GroupedMatcher::matchProduct(Value value) {
  OnnxOp concat = definedBy(value, "Concat");
  RankedTensorType type = tensorType(value);
  if (!concat || !type || type.getRank() != 2 || fromFront(intAttribute(concat, "axis", 0), 2) != 0)
    return miss(value.getDefiningOp(), "no Concat of one product per expert");
  std::optional<Segment> first;
  RoutedProduct result;
  SmallVector<StoredSlice> matrices;
  SmallVector<SmallVector<RowSteps, 1>> before, after;
  auto takeOwn = [](Value value, SmallVector<SmallVector<RowSteps, 1>> &into) {
    Value rows;
    auto steps = matchSteps(value, rows);
    into.push_back(steps ? SmallVector<RowSteps, 1>{*steps} : SmallVector<RowSteps, 1>());
    return steps ? rows : value;
  };
  for (auto [index, piece] : llvm::enumerate(concat.getInputs())) {
    const int64_t expert = static_cast<int64_t>(index);
    OnnxOp product = takeOwn(piece, after).getDefiningOp<OnnxOp>();
    bool transposed = false;
    if (!isPieceProduct(product, transposed))
      return miss(product ? product.getOperation() : concat.getOperation(), "a piece of the Concat is no product of rows and a matrix");
    auto segment = matchSegment(takeOwn(product.getInputs()[0], before));
    if (!segment)
      return miss(product, "the rows of a product are no range of the sorted rows");
    sawSegments = true;
    if (segment->expert != expert)
      return miss(product, "range " + Twine(segment->expert) + " of the sorted rows stands at place " + Twine(expert));
    RankedTensorType matrix = tensorType(product.getInputs()[1]);
    if (!matrix || matrix.getRank() != 2 || !matrix.hasStaticShape())
      return miss(product, "the right side of a product is no matrix of static sizes");
    const int64_t in = matrix.getDimSize(transposed ? 0 : 1), out = matrix.getDimSize(transposed ? 1 : 0);
    matrices.push_back(matchStoredMatrix(product.getInputs()[1], transposed, proof));
    if (!matrices.back().stored)
      return miss(product, "the right side of a product is no stored matrix");
    if (matrices.back().index >= 0 && matrices.back().index != expert)
      return miss(product, "the right side of a product is not slice " + Twine(expert) + " of a stored weight");
    const WeightOrder order = transposed ? WeightOrder::InOut : WeightOrder::OutIn;
    if (!first) {
      first = segment;
      result = RoutedProduct{segment->source, {}, {}, order, static_cast<int64_t>(concat.getInputs().size()), in, out};
      result.result = value;
    } else if (segment->source != first->source || segment->ends != first->ends || order != result.order || in != result.in || out != result.out ||
               (matrices.front().index >= 0 && matrices.back().stored != matrices.front().stored)) {
      return miss(product, "the products of a Concat read different rows, ranges or weights");
    }
  }
  std::string why;
  SmallVector<Value> pieces;
  if (!first || !mergePart(matrices, pieces, result.weight, why))
    return miss(concat, first ? why : "a Concat of nothing");
  for (auto [own, into] : {std::pair(&before, &result.rowSteps), std::pair(&after, &result.resultSteps)}) {
    auto steps = mergeSteps(SmallVector<ArrayRef<RowSteps>>(own->begin(), own->end()), why);
    if (!steps)
      return miss(concat, why);
    if (!steps->empty())
      *into = steps->front();
  }
  if (!pieces.empty())
    ownMatrices[value] = std::move(pieces);
  // The number of rows needs no proof: the ends cover as many as there are ids, and the rows are either gathered by the permutation or an
  // elementwise function of products like this one.
  if (staticDim(result.rows, -1) != result.in)
    return miss(concat, "the sorted rows are not as wide as the weights");
  if (!matchEnds(first->ends, result.experts))
    return std::nullopt;
  return result;
}

namespace {
/// An expert whose rows are a range of the sorted ones: those of its tokens.
class SegmentMatcher : public ExpertMatcher {
public:
  using ExpertMatcher::ExpertMatcher;

protected:
  bool hasOwnRows() const override { return true; }
};
} // namespace

/// A Concat of one whole expert per range of the sorted rows.
std::optional<RoutedFfn> GroupedMatcher::matchWholeExperts(OnnxOp concat) {
  std::vector<RoutedFfn> experts;
  std::optional<Segment> first;
  for (auto [expert, piece] : llvm::enumerate(concat.getInputs())) {
    SegmentMatcher matcher(proof);
    auto ffn = matcher.matchFfn(piece);
    if (!ffn)
      return miss(matcher.missedAt(), matcher.missed());
    for (RoutedProduct *product : {&ffn->gate, ffn->up ? &*ffn->up : &ffn->gate}) {
      auto segment = matchSegment(product->rows);
      if (!segment)
        return miss(concat, "the rows of an expert are no range of the sorted rows");
      sawSegments = true;
      if (segment->expert != static_cast<int64_t>(expert))
        return miss(concat, "range " + Twine(segment->expert) + " of the sorted rows stands at place " + Twine(expert));
      if (first && (segment->source != first->source || segment->ends != first->ends))
        return miss(concat, "the experts of a Concat read different rows or ranges");
      first = segment;
    }
    experts.push_back(*ffn);
  }
  std::string why;
  auto merged = mergeExperts(experts, wholePieces, why);
  if (!merged)
    return miss(concat, why);
  merged->gate.rows = first->source;
  if (merged->up)
    merged->up->rows = first->source;
  return matchEnds(first->ends, merged->gate.experts) ? merged : std::nullopt;
}

/// The rows that a pair rounds; `value` itself where none does.
static Value withoutSteps(Value value) {
  Value rows;
  return matchSteps(value, rows) ? rows : value;
}

/// The Concat of whole experts that `rows` are; null where they are none, or products of each alone.
static OnnxOp concatOfExperts(Value rows) {
  OnnxOp concat = definedBy(peel(rows, FloatCasts), "Concat");
  RankedTensorType type = concat ? tensorType(concat->getResult(0)) : RankedTensorType();
  return type && type.getRank() == 2 && fromFront(intAttribute(concat, "axis", 0), 2) == 0 && concat.getInputs().size() > 1 ? concat : OnnxOp();
}

//===-- The layer --------------------------------------------------------===//

/// An Expand to as many rows as were sorted: the pieces are that many together, so it repeats none.
Value GroupedMatcher::peelExpand(Value rows) {
  rows = peel(rows, Views | FloatCasts);
  OnnxOp expand = definedBy(rows, "Expand");
  const bool keeps = expand && tensorType(rows).getRank() == 2 && tensorType(expand.getInputs()[0]).getRank() == 2 &&
                     staticDim(rows, 1) == staticDim(expand.getInputs()[0], 1) && proof.sameDim(rows, 0, sort->getResult(1), 0);
  return keeps ? expand.getInputs()[0] : rows;
}

/// The permutation by which the weights of `rows` are gathered; null where there is none.
static Value permutationOfWeights(Value rows) {
  rows = peel(rows, Views | FloatCasts);
  if (OnnxOp expand = definedBy(rows, "Expand"))
    rows = peel(expand.getInputs()[0], Views | FloatCasts);
  OnnxOp product = definedBy(rows, "Mul");
  for (unsigned side : {0u, 1u})
    if (OnnxOp gather = product ? rowGather(peel(product.getInputs()[side], Views | FloatCasts)) : OnnxOp()) {
      Value index = peel(gather.getInputs()[1], Views | IntCasts);
      if (definedBy(index, "TopK") && cast<OpResult>(index).getResultNumber() == 1)
        return index;
    }
  return {};
}

/// zeros[token] += row, for all sorted rows.
std::optional<RoutedLayer> GroupedMatcher::matchScatter(OnnxOp scatter) {
  Value start = scatter.getInputs()[0], places = scatter.getInputs()[1], output = scatter->getResult(0);
  if (stringAttribute(scatter, "reduction", "none") != "add" || tensorType(output).getRank() != 2 || staticDim(output, 1) <= 1 || staticDim(places, -1) != 1 ||
      tensorType(places).getRank() != 2)
    return std::nullopt;
  // The combine weights are gathered by the permutation; the sort says what K is.
  Value permutation = permutationOfWeights(scatter.getInputs()[2]);
  if (!permutation || !matchSort(permutation))
    return std::nullopt;
  k = staticDim(peel(sort.getInputs()[0], Views | IntCasts), -1);
  auto layer = finish({scatter, scatter.getInputs()[2], k, staticDim(output, 1)}, peelExpand(scatter.getInputs()[2]));
  if (!layer)
    return std::nullopt;
  if (k <= 0 || !isTokenOf(places, k))
    return miss(scatter, "the rows are not added up at their tokens");
  if (splatNumber(start) != 0.0)
    layer->start = start;
  return layer;
}

std::optional<RoutedLayer> GroupedMatcher::match(OnnxOp op) {
  if (isNode(op, "ScatterND"))
    return matchScatter(op);
  auto choices = matchChoiceSum(op);
  Value sorted;
  if (!choices || !matchUnsort(choices->rows, *choices, sorted))
    return std::nullopt;
  k = choices->k;
  return finish(*choices, sorted);
}

std::optional<RoutedLayer> GroupedMatcher::finish(const ChoiceSum &choices, Value sorted) {
  OnnxOp sum = choices.sum;
  auto weighted = matchWeightedRows(peel(sorted, Views | FloatCasts), choices.hidden, proof);
  if (!weighted)
    return miss(sum, "the sorted rows are not weighted one by one");
  OnnxOp concat = concatOfExperts(weighted->rows), piece = concat ? withoutSteps(concat.getInputs()[0]).getDefiningOp<OnnxOp>() : OnnxOp();
  bool transposed = false;
  const bool isWhole = piece && !(isPieceProduct(piece, transposed) && matchSegment(withoutSteps(piece.getInputs()[0])));
  auto ffn = isWhole ? matchWholeExperts(concat) : matchFfn(weighted->rows);
  if (!ffn)
    return std::nullopt;
  OnnxOp weightGather = rowGather(peel(weighted->weights, Views | FloatCasts));
  if (!weightGather || !isSortResult(sort, weightGather.getInputs()[1], 1) || tensorType(weightGather.getInputs()[0]).getRank() != 1)
    return miss(sum, "the combine weights do not follow the permutation of the rows");
  Value x;
  for (const RoutedProduct *product : {&ffn->gate, ffn->up ? &*ffn->up : &ffn->gate}) {
    OnnxOp tokens = rowGather(peel(product->rows, Views | FloatCasts));
    if (!tokens || !isTokenOf(tokens.getInputs()[1], k) || staticDim(tokens.getInputs()[0], -1) != choices.hidden ||
        tensorType(tokens.getInputs()[0]).getRank() != 2)
      return miss(sum, "the rows of the first product are not the tokens in the order of the sort");
    if (x && !sameElements(x, tokens.getInputs()[0]))
      return miss(sum, "gate and up read different tokens");
    x = tokens.getInputs()[0];
  }
  Value ids = sort.getInputs()[0];
  if (!idsInRange(ids, ffn->gate.experts))
    return miss(sort, "the expert ids may lie outside of the histogram");
  RoutedLayer layer{choices, x, ids, weightGather.getInputs()[0], *ffn, "grouped"};
  layer.pieces = wholePieces;
  if (!isWhole) {
    layer.pieces.gate = ownMatrices.lookup(ffn->gate.result);
    layer.pieces.down = ownMatrices.lookup(ffn->down.result);
    if (ffn->up)
      layer.pieces.up = ownMatrices.lookup(ffn->up->result);
  }
  std::string why;
  if (!checkRoutedLayer(layer, proof, why))
    return miss(sum, why);
  return layer;
}

namespace {
struct RaiseGroupedExperts : impl::RaiseGroupedExpertsBase<RaiseGroupedExperts> {
  using Base::Base;

  void runOnOperation() override {
    if (failed(raiseLayersAtSums<GroupedMatcher>(getOperation(), remarks)))
      signalPassFailure();
  }
};
} // namespace
} // namespace raise
} // namespace moe
