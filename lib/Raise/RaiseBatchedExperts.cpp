// Forms C and G: every routed row gathers the whole matrix of its expert and multiplies with it. Form C (batched_mm) has a list of the rows of all
// choices; form G (GenAI's gpt-oss for DirectML, and what people write by hand with MatMul or Einsum) has dims for tokens and choice.
//
// Taken literally this copies T·K weight matrices, so raising it is a need. Anchored at the sum over a token's choices (ReduceSum of a product, or
// one product with the weights) and read upwards; the router is never looked at: any expert ids and weights will do.
#include "EinsumOfThree.h"
#include "LabelledProduct.h"
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
  /// As match, at the last of an expert's rows, weighted or not: each is a token with one choice. For sums that are written in a way that is not known, or
  /// absent.
  std::optional<RoutedLayer> matchSingle(OnnxOp last);
  /// Did the match get as far as experts that gather their matrices? Only then a failure is worth a remark.
  bool isCandidate() const { return !gathers.empty(); }
  /// The lookups of matrices that were looked at.
  ArrayRef<Operation *> gathersSeen() const { return gathers; }

protected:
  std::optional<RoutedProduct> matchProduct(Value value) override;
  bool areExpertIds(Value indices) override;
  bool takesFactors() const override { return true; }

private:
  Value rootOfIds(Value ids) const;
  bool dependsOnExperts(Value value) const;
  Value matchGatheredWeights(Value value, bool &transposed);
  Value matchTokens(const RoutedProduct &product, const ChoiceSum &choices);
  std::optional<RoutedLayer> finish(const ChoiceSum &choices, const RoutedFfn &ffn, Value weights);

  /// As the first lookup has them, with the views that made them indices.
  Value ids;
  /// The matrices have dims for tokens and choices (form G).
  bool keepsChoices = false;
  SmallVector<Operation *> gathers;
};

} // namespace

/// Is `op` a Transpose that swaps the last two dims and no others?
static bool swapsLastDims(OnnxOp op) {
  auto permutation = intsAttribute(op, "perm");
  const int64_t rank = permutation ? permutation->size() : 0;
  if (rank < 3)
    return false;
  for (int64_t i = 0; i < rank; ++i)
    if ((*permutation)[i] != (i == rank - 1 ? rank - 2 : i == rank - 2 ? rank - 1 : i))
      return false;
  return true;
}

static bool meetsLookup(Value rows, bool below);

/// i of `i < 0 ? i + E : i`, which every lookup in E matrices does by itself; null where `value` is something else.
static Value withoutWrap(Value value) {
  OnnxOp choice = definedBy(value, "Where");
  OnnxOp compared = choice ? definedBy(peel(choice.getInputs()[0], 0), "Less") : OnnxOp();
  Value ids = choice ? peel(choice.getInputs()[2], IntCasts) : Value();
  auto wrapped = choice ? matchScalar(peel(choice.getInputs()[1], IntCasts), "Add") : std::nullopt;
  const bool fits = compared && wrapped && wrapped->scalar > 0 && splatNumber(compared.getInputs()[1]) == 0.0 &&
                    peel(compared.getInputs()[0], IntCasts) == ids && peel(wrapped->operand, IntCasts) == ids &&
                    idsInRange(ids, static_cast<int64_t>(wrapped->scalar));
  return fits ? ids : Value();
}

/// The ids as they were chosen: behind views, an Expand that repeats none, and what makes negative ones count from the end.
Value BatchedMatcher::rootOfIds(Value value) const {
  for (;;) {
    value = peel(value, Views | IntCasts);
    if (OnnxOp expand = definedBy(value, "Expand"); expand && proof.sameCount(expand.getInputs()[0], value))
      value = expand.getInputs()[0];
    else if (Value plain = withoutWrap(value))
      value = plain;
    else
      return value;
  }
}

/// All products of a layer must read the same ids: the first lookup of the layer says which.
bool BatchedMatcher::areExpertIds(Value indices) {
  Value root = rootOfIds(indices);
  if (!ids)
    ids = root == peel(indices, Views | IntCasts) ? indices : root;
  return root == rootOfIds(ids);
}

Value BatchedMatcher::matchGatheredWeights(Value value, bool &transposed) {
  value = peel(value, 0);
  if (OnnxOp transpose = definedBy(value, "Transpose")) {
    if (!swapsLastDims(transpose))
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
  gathers.push_back(gather);
  keepsChoices |= tensorType(value) && tensorType(value).getRank() > 3;
  if (matchLookup(value))
    return weight;
  miss(gather, "its experts are not looked up by the layer's expert ids");
  return {};
}

std::optional<RoutedProduct> BatchedMatcher::matchProduct(Value value) {
  auto product = matchLabelledProduct(value);
  if (!product)
    return miss(value.getDefiningOp(), "no product of routed rows with gathered matrices");
  Operation *at = value.getDefiningOp();
  // W[id]·row as a column, or row·W[id].
  for (unsigned side : {0u, 1u}) {
    const Labels &matrix = product->labels[side];
    Value rows = product->operands[1 - side];
    if (matrix.size() < 3)
      continue;
    // [.., in, out] or [.., out, in]: the one that is summed is `in`.
    const bool inIsLast = !product->inResult(matrix.back());
    const unsigned in = matrix[matrix.size() - (inIsLast ? 1 : 2)], out = matrix[matrix.size() - (inIsLast ? 2 : 1)];
    bool transposed = !inIsLast;
    Value weight = matchGatheredWeights(product->operands[side], transposed);
    if (!weight)
      continue;
    RoutedProduct result{rows, weight, {}, transposed ? WeightOrder::InOut : WeightOrder::OutIn, staticDim(weight, 0), 0, 0};
    result.in = staticDim(weight, transposed ? 1 : 2);
    result.out = staticDim(weight, transposed ? 2 : 1);
    const Labels choices(matrix.begin(), matrix.end() - 2);
    Labels own = choices, shared = choices, results = choices;
    own.push_back(in);
    results.push_back(out);
    shared.back() = in;
    const Labels found = product->withoutUnits(product->labels[1 - side], matrix);
    result.sharesRows = choices.size() > 1 && found == shared;
    if (product->inResult(in) || !product->sameSizes(proof) || product->withoutUnits(product->result, matrix) != results ||
        !(result.sharesRows || found == own))
      return miss(at, "rows and gathered matrices do not pair up one to one");
    return result;
  }
  return miss(at, "no operand holds a stored matrix per routed row");
}

/// x of rows [T·K, H] that repeat each token K times in a row, or of the tokens themselves where the product repeats them.
Value BatchedMatcher::matchTokens(const RoutedProduct &product, const ChoiceSum &choices) {
  const int64_t k = choices.k, hidden = choices.hidden;
  Value rows = product.rows;
  if (product.sharesRows)
    return nearestMatrix(peel(rows, FloatCasts), hidden);
  if (Value tokens = matchRepeatedTokens(rows, k, hidden, proof))
    return tokens;
  if (k == 1)
    return nearestMatrix(peel(rows, FloatCasts), hidden);
  Operation *op = peel(rows, Views | FloatCasts).getDefiningOp();
  const auto node = dyn_cast_or_null<OnnxOp>(op);
  if (node && (isNode(node, "Expand") || isNode(node, "Tile")))
    miss(op, "the tokens are not repeated K times each");
  else if (node && (isNode(node, "GatherND") || isNode(node, "Gather")))
    miss(op, "the tokens are not gathered K times each");
  else
    miss(rows.getDefiningOp(), meetsLookup(rows, false) ? "an expert has more products than two" : "the rows of the first product are not tokens repeated K times");
  return {};
}

/// Is there a way from a lookup of the experts' matrices to `value`?
bool BatchedMatcher::dependsOnExperts(Value value) const {
  Operation *first = gathers.front();
  for (Operation *gather : gathers)
    if (gather->getBlock() == first->getBlock() && gather->isBeforeInBlock(first))
      first = gather;
  SmallVector<Operation *> worklist = {value.getDefiningOp()};
  DenseSet<Operation *> seen;
  while (!worklist.empty()) {
    Operation *op = worklist.pop_back_val();
    if (!op || op->getBlock() != first->getBlock() || op->isBeforeInBlock(first) || !seen.insert(op).second)
      continue;
    if (llvm::is_contained(gathers, op))
      return true;
    for (Value operand : op->getOperands())
      worklist.push_back(operand.getDefiningOp());
  }
  return false;
}

std::optional<RoutedLayer> BatchedMatcher::finish(const ChoiceSum &choices, const RoutedFfn &ffn, Value weights) {
  OnnxOp sum = choices.sum;
  Value x = matchTokens(ffn.gate, choices);
  if (!x)
    return std::nullopt;
  Value upX = ffn.up ? matchTokens(*ffn.up, choices) : x;
  if (!upX || !sameElements(upX, x))
    return miss(sum, "gate and up read different tokens");
  if (!weights && !rowFactors.empty())
    weights = rowFactors.pop_back_val();
  for (Value factor : rowFactors)
    if (dependsOnExperts(factor))
      return miss(sum, "the weights of an expert's rows depend on what it computes");
  if (weights && dependsOnExperts(weights))
    return miss(sum, "the weights of an expert's rows depend on what it computes");
  RoutedLayer layer{choices, x, ids, weights, ffn, keepsChoices ? "gathered" : "batched"};
  layer.factors = rowFactors;
  if (!placeOutput(layer, {x, ids, weights}, proof))
    return miss(sum, "the dims of the output are not those of the tokens");
  std::string why;
  if (!checkRoutedLayer(layer, proof, why))
    return miss(sum, why);
  return layer;
}

std::optional<RoutedLayer> BatchedMatcher::match(OnnxOp sum) {
  if (auto choices = matchChoiceSum(sum)) {
    auto weighted = matchWeightedRows(peel(choices->rows, Views | FloatCasts), choices->hidden, proof);
    auto ffn = matchFfn(weighted ? weighted->rows : choices->rows);
    return ffn ? finish(*choices, *ffn, weighted ? weighted->weights : Value()) : std::nullopt;
  }
  auto product = matchLabelledProduct(sum->getResult(0));
  for (unsigned side : {0u, 1u}) {
    auto combined = product ? matchCombination(*product, side, proof) : std::nullopt;
    auto ffn = combined && !combined->rowsFirst && !combined->weightsFirst ? matchFfn(combined->rows) : std::nullopt;
    if (ffn)
      return finish({sum, combined->rows, combined->summed, combined->hidden}, *ffn, combined->weights);
  }
  return std::nullopt;
}

std::optional<RoutedLayer> BatchedMatcher::matchSingle(OnnxOp last) {
  Value result = last->getResult(0);
  RankedTensorType type = tensorType(result);
  const int64_t hidden = type && type.getRank() >= 2 ? staticDim(result, columnDim(type)) : -1;
  if (hidden <= 1 || !isa<Float32Type, Float16Type, BFloat16Type>(type.getElementType()))
    return std::nullopt;
  auto weighted = matchWeightedRows(result, hidden, proof);
  if (!weighted && isNode(last, "Mul"))
    return std::nullopt;
  auto ffn = matchFfn(weighted ? weighted->rows : result);
  if (!weighted && ffn && meetsLookup(result, true))
    return std::nullopt;
  return ffn ? finish({last, result, 1, hidden}, *ffn, weighted ? weighted->weights : Value()) : std::nullopt;
}

/// The lookup of whole matrices by ids that depend on data which `operand` is, behind views and transposes; null where it is none. The rows of a stored
/// matrix count where a view makes matrices of them.
static OnnxOp matrixLookup(Value operand) {
  Value value = peel(operand, Views | FloatCasts | Transposes);
  OnnxOp gather = definedBy(value, "Gather");
  if (!gather)
    gather = definedBy(value, "GatherND");
  if (!gather || intAttribute(gather, "axis", 0) != 0 || intAttribute(gather, "batch_dims", 0) != 0 || constantInts(gather.getInputs()[1]) ||
      (isNode(gather, "GatherND") && staticDim(gather.getInputs()[1], -1) != 1))
    return {};
  bool transposed = false;
  if (storedMatrix(gather.getInputs()[0], transposed))
    return gather;
  Value stored = storedTensor(gather.getInputs()[0]);
  const int64_t rows = staticDim(operand, -2), columns = staticDim(operand, -1);
  const bool isMatrix = stored && tensorType(stored).getRank() == 2 && tensorType(operand).getRank() > 2 && rows > 1 && columns > 1 &&
                        rows * columns == staticDim(stored, 1);
  return isMatrix ? gather : OnnxOp();
}

static bool isLookupProduct(OnnxOp op) {
  return (isNode(op, "MatMul") || isNode(op, "Einsum")) && llvm::any_of(op.getInputs(), [](Value input) { return static_cast<bool>(matrixLookup(input)); });
}

/// Is there a product with looked up matrices in front of `rows`, or (where `below`) behind them, with only what stands between the products of one expert
/// in the way? Then the expert has more products than one of ours.
static bool meetsLookup(Value rows, bool below) {
  constexpr unsigned most = 64;
  SmallVector<Operation *> worklist;
  auto push = [&](Value value) {
    if (!below && value.getDefiningOp())
      worklist.push_back(value.getDefiningOp());
    if (below)
      llvm::append_range(worklist, value.getUsers());
  };
  push(rows);
  DenseSet<Operation *> seen;
  while (!worklist.empty() && seen.size() < most) {
    auto next = dyn_cast<OnnxOp>(worklist.pop_back_val());
    if (!next || !seen.insert(next).second)
      continue;
    if (isLookupProduct(next))
      return true;
    // A sum with anything but a bias or a number is a residual.
    const bool isSum = isNode(next, "Add") || isNode(next, "Sub");
    auto isOwn = [](Value addend) {
      Value root = peel(addend, Views | FloatCasts);
      return splatNumber(root) || definedBy(root, "Gather") || definedBy(root, "GatherND");
    };
    if (isNode(next, "MatMul") || isNode(next, "Einsum") || isNode(next, "Gemm") || (isSum && llvm::none_of(next.getInputs(), isOwn)))
      continue;
    for (Value value : below ? ValueRange(next->getResults()) : ValueRange(next.getInputs()))
      push(value);
  }
  return false;
}

//===-- The pass ---------------------------------------------------------===//

namespace {
struct RaiseBatchedExperts : impl::RaiseBatchedExpertsBase<RaiseBatchedExperts> {
  using Base::Base;

  void runOnOperation() override {
    splitEinsums(getOperation());
    LayerBuilder chain(getOperation());
    LogicalResult result = forEachOnnxFunction(getOperation(), [&](func::FuncOp function, const SizeProof &proof) {
      dropExpands(function, proof);
      DenseSet<Operation *> explained;
      std::vector<RoutedLayer> layers;
      auto take = [&](OnnxOp op, std::optional<RoutedLayer> layer, const BatchedMatcher &matcher) {
        explained.insert_range(matcher.gathersSeen());
        if (layer)
          return layers.push_back(*layer);
        if (!matcher.isCandidate())
          return;
        remarkMiss(remarks, op, matcher.missedAt(), matcher.missed());
        explainAbove(op, explained);
      };
      DenseMap<Operation *, unsigned> places;
      function.walk([&](OnnxOp op) {
        places.try_emplace(op, places.size());
        BatchedMatcher matcher(proof);
        if (isNode(op, "ReduceSum") || isNode(op, "MatMul") || isNode(op, "Einsum"))
          take(op, matcher.match(op), matcher);
      });
      auto takeSingle = [&](OnnxOp op) {
        BatchedMatcher matcher(proof);
        auto layer = matcher.matchSingle(op);
        if (layer && llvm::none_of(matcher.gathersSeen(), [&](Operation *gather) { return explained.contains(gather); }))
          take(op, layer, matcher);
      };
      SmallVector<OnnxOp> ends;
      function.walk([&](OnnxOp op) {
        if (isNode(op, "Mul"))
          takeSingle(op);
        else if (isNode(op, "Add") || isNode(op, "MatMul") || isNode(op, "Einsum"))
          ends.push_back(op);
      });
      // Without weights: the last node of an expert, its bias where it has one.
      for (OnnxOp op : llvm::reverse(ends))
        takeSingle(op);
      remarkUnexplained(function, explained);
      llvm::sort(layers, [&](const RoutedLayer &a, const RoutedLayer &b) { return places[a.choices.sum] < places[b.choices.sum]; });
      replaceRoutedLayers(layers, chain);
    });
    if (failed(result))
      signalPassFailure();
  }

  /// Takes out each Expand that repeats nothing. Exporters write them wherever shapes might differ, and no recogniser has to look through them.
  static void dropExpands(func::FuncOp function, const SizeProof &proof) {
    SmallVector<OnnxOp> expands;
    function.walk([&](OnnxOp op) {
      if (isNode(op, "Expand"))
        expands.push_back(op);
    });
    for (OnnxOp op : expands) {
      Value from = op.getInputs()[0], to = op->getResult(0);
      if (from.getType() != to.getType() || !proof.sameShape(from, to) || proof.assumesAt(op.getLoc()))
        continue;
      to.replaceAllUsesWith(from);
      eraseDead(op.getOperation());
    }
  }

  /// Says of each layer's last product with matrices of a stored tensor that the data picks that no layer has it.
  void remarkUnexplained(func::FuncOp function, DenseSet<Operation *> &explained) {
    SmallVector<OnnxOp> products;
    function.walk([&](OnnxOp op) {
      if (isNode(op, "MatMul") || isNode(op, "Einsum"))
        products.push_back(op);
    });
    for (OnnxOp product : llvm::reverse(products))
      for (Value operand : product.getInputs())
        if (OnnxOp gather = matrixLookup(operand); gather && !explained.contains(gather)) {
          remarkMiss(remarks, product, gather, "its matrices are picked by ids as those of experts are, but it is in no weighted expert that is known");
          explainAbove(product, explained);
        }
  }

  /// Adds the lookups of the products at `op` and above it that belong to the same experts: up to any other product.
  static void explainAbove(OnnxOp op, DenseSet<Operation *> &explained) {
    SmallVector<OnnxOp> worklist = {op};
    DenseSet<Operation *> seen;
    while (!worklist.empty()) {
      OnnxOp next = worklist.pop_back_val();
      if (!seen.insert(next).second)
        continue;
      bool looksUp = next == op;
      for (Value input : next.getInputs())
        if (OnnxOp gather = matrixLookup(input)) {
          explained.insert(gather);
          looksUp = true;
        }
      const bool isProduct = isNode(next, "MatMul") || isNode(next, "Einsum") || isNode(next, "Gemm");
      for (Value input : next.getInputs())
        if (auto above = input.getDefiningOp<OnnxOp>(); above && (looksUp || !isProduct))
          worklist.push_back(above);
    }
  }
};
} // namespace
} // namespace raise
} // namespace moe
