// Form F: every expert computes every token, one expert after another; the weights of experts that a token has not chosen are 0.
//
// Correct as ordinary ops, but E/K times the work. A step adds expert(x) · w_e, where w_e is column e of a map of weights, or the sum over the choices
// of (id == e) · weight; or a Where has 0 for the tokens that did not choose the expert, and w_e may be anything of the others. All steps must read the
// same tokens, and the same map or ids. The experts are added one after another, in one node, or stacked and summed with the map.
#include "ExpertLoop.h"
#include "ExpertSum.h"
#include "moe/Raise/Passes.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_RAISEMASKEDEXPERTS
#include "moe/Raise/Passes.h.inc"

namespace raise {
namespace {

class MaskedMatcher : public ExpertMatcher {
public:
  using ExpertMatcher::ExpertMatcher;

  /// `value` as one expert's weighted rows.
  std::optional<ExpertStep> matchTerm(OnnxOp op, Value value);
  /// A Where that puts one expert's rows in the place of what is there, at the tokens whose only choice it is.
  std::optional<ExpertStep> matchReplacing(OnnxOp choice);
  /// `value` as the rows of expert `expert` in a sum over all.
  std::optional<ExpertStep> matchRows(OnnxOp op, Value value, const ExpertSum &sum, int64_t expert);
  bool isCandidate() const { return sawColumn; }

private:
  /// Who weighs the rows of an expert, that all tokens or those in `chosen` have. False where `weights` say nothing, or (with `chosen`) something else.
  bool readWeights(ExpertStep &step, OnnxOp at, Value weights, const std::optional<ExpertMask> &chosen);
  /// The rows of an expert for the tokens that chose it, with a weight of 1.
  std::optional<ExpertStep> matchUnweighted(OnnxOp op, Value rows, const ExpertMask &chosen, double scale);
  /// The tokens that gate and up read; null where these differ.
  Value matchTokens(OnnxOp at, const RoutedFfn &ffn);

  bool sawColumn = false;
};

} // namespace

//===-- One expert -------------------------------------------------------===//

/// All of a map that has only one column, whose ids can name no other expert.
static std::optional<ExpertColumn> matchOnlyColumn(Value weights, const SizeProof &proof) {
  StringRef why;
  auto map = matchWeightMap(weights, proof, why);
  return map && map->experts == 1 && idsInRange(map->ids, 1) ? std::optional<ExpertColumn>({{}, {}, weights, 0, 0}) : std::nullopt;
}

/// Takes known numbers off `value`; gives their product.
static double takeNumbers(Value &value, const SizeProof &proof) {
  double scale = 1.0;
  value = peel(value, FloatCasts);
  while (auto scaled = matchScaled(value, proof)) {
    scale *= scaled->scalar;
    value = peel(scaled->operand, FloatCasts);
  }
  return scale;
}

Value MaskedMatcher::matchTokens(OnnxOp at, const RoutedFfn &ffn) {
  Value x = peel(ffn.gate.rows, FloatCasts);
  if (!ffn.up || sameElements(peel(ffn.up->rows, FloatCasts), x))
    return x;
  miss(at, "gate and up read different tokens");
  return {};
}

/// Is `value` 0 everywhere?
static bool isZero(Value value) { return splatNumber(value) == 0.0; }

/// Takes a Where off `value` that has 0 instead of rows of tokens which have not chosen one expert; says who chose.
static std::optional<ExpertMask> takeChoice(Value &value, const SizeProof &proof) {
  OnnxOp choice = definedBy(peel(value, FloatCasts), "Where");
  if (!choice)
    return std::nullopt;
  Value condition = choice.getInputs()[0], rows = choice.getInputs()[1];
  if (isZero(rows)) {
    OnnxOp others = definedBy(peel(condition, Views), "Not");
    if (!others || !tensorType(condition) || staticDim(condition, -1) != 1)
      return std::nullopt;
    rows = choice.getInputs()[2];
    if (!proof.sameLeading(rows, condition))
      return std::nullopt;
    condition = others.getInputs()[0];
  } else if (!isZero(choice.getInputs()[2]) || staticDim(condition, -1) != 1 || !proof.sameLeading(rows, condition)) {
    return std::nullopt;
  }
  if (staticDim(rows, -1) <= 1 || !proof.sameShape(rows, choice->getResult(0)))
    return std::nullopt;
  std::optional<ExpertMask> found;
  if (auto column = matchExpertColumn(condition, proof); column && column->ids && !column->weights)
    found = ExpertMask{OneHot{column->ids, {}, -1}, column->expert, 0, -1, column->k};
  else if (auto mask = matchExpertMask(peel(condition, Views), proof); mask && mask->choiceDim < 0 && !mask->hot.mask)
    found = mask;
  if (found)
    value = rows;
  return found;
}

bool MaskedMatcher::readWeights(ExpertStep &step, OnnxOp at, Value weights, const std::optional<ExpertMask> &chosen) {
  auto column = matchOnlyColumn(weights, proof);
  if (!column)
    column = matchExpertColumn(weights, proof);
  const bool isKnown = column && (column->map || column->weights || !chosen);
  const auto isChosen = [&](Value ids) { return !chosen || peel(ids, Views | IntCasts) == peel(chosen->hot.ids, Views | IntCasts); };
  if (!isKnown && !chosen)
    return false;
  sawColumn |= chosen.has_value();
  if (!isKnown) {
    step.weights = weights;
    if (chosen->k == 1 && !chosen->weightedBy)
      return true;
    miss(at, "the weights of an expert's rows are not those of its tokens");
    return false;
  }
  if (chosen && column->expert != chosen->expert) {
    miss(at, "the rows of an expert are weighted as those of another");
    return false;
  }
  step.expert = column->expert;
  step.experts = -1;
  if (!column->map) {
    step.indices = column->ids;
    step.weights = column->weights;
    step.k = column->k;
    if (!isChosen(column->ids) || (chosen && chosen->weightedBy)) {
      miss(at, "the rows of an expert are weighted by other choices than they are made by");
      return false;
    }
    return true;
  }
  const int64_t experts = staticDim(column->map, -1);
  StringRef why;
  auto map = chosen ? matchWeightMap(column->map, proof, why) : std::nullopt;
  if (!chosen || (map && map->k == chosen->k && isChosen(map->ids))) {
    // Read once per layer, not once per expert.
    step.indices = step.weights = column->map;
    step.experts = experts;
    step.k = 0;
    return true;
  }
  // Scores of all experts, of which those of the chosen count.
  step.weights = column->map;
  step.weightsAreMap = true;
  step.experts = experts;
  if (!chosen->weightedBy && idsDistinct(chosen->hot.ids, chosen->k))
    return true;
  miss(at, "a token may choose an expert twice, whose row would be weighted once");
  return false;
}

std::optional<ExpertStep> MaskedMatcher::matchTerm(OnnxOp op, Value value) {
  double scale = 1.0;
  // A product that stands alone has been looked at without its factor.
  if (!isNode(op, "Mul"))
    scale = takeNumbers(value, proof);
  std::optional<ExpertMask> chosen = takeChoice(value, proof);
  if (chosen)
    scale *= takeNumbers(value, proof);
  OnnxOp product = definedBy(peel(value, FloatCasts), "Mul");
  for (unsigned side : {0u, 1u}) {
    Value rows = product ? product.getInputs()[side] : Value(), weights = product ? product.getInputs()[1 - side] : Value();
    if (!product || staticDim(weights, -1) != 1 || staticDim(rows, -1) <= 1)
      continue;
    std::optional<ExpertMask> inside = chosen ? chosen : takeChoice(rows, proof);
    const double ofWeights = takeNumbers(weights, proof);
    ExpertStep step{op, {}, inside ? inside->expert : 0, {}, {}, inside ? inside->hot.ids : Value(), {}, {}, inside ? inside->k : 0, -1};
    const bool isWeighted = readWeights(step, product, weights, inside);
    if (!isWeighted && !inside)
      continue;
    const std::string reason = missed().str();
    auto ffn = matchFfn(rows);
    // Ids compared with a number tell an expert, whatever it computes; a column of some map may be anything.
    sawColumn |= ffn || sawSharedSteps || (step.k > 0 && step.weights);
    if (!ffn)
      continue;
    if (!isWeighted)
      return miss(product, reason);
    if (!proof.sameLeading(rows, weights))
      return miss(product, "the rows of an expert are not weighted one by one");
    Value x = matchTokens(product, *ffn);
    if (!x)
      return std::nullopt;
    step.x = x;
    step.ffn = *ffn;
    if (scale * ofWeights != 1.0)
      step.ffn.scaleBy(scale * ofWeights);
    return step;
  }
  return chosen && !sawColumn ? matchUnweighted(op, value, *chosen, scale) : std::nullopt;
}

std::optional<ExpertStep> MaskedMatcher::matchUnweighted(OnnxOp op, Value rows, const ExpertMask &chosen, double scale) {
  sawColumn = true;
  auto ffn = matchFfn(rows);
  if (!ffn)
    return std::nullopt;
  if (chosen.weightedBy || !idsDistinct(chosen.hot.ids, chosen.k))
    return miss(op, "a token may choose an expert twice, whose row counts once");
  Value x = matchTokens(op, *ffn);
  if (!x)
    return std::nullopt;
  ExpertStep step{op, {}, chosen.expert, *ffn, x, chosen.hot.ids, {}, {}, chosen.k, -1};
  if (scale != 1.0)
    step.ffn.scaleBy(scale);
  return step;
}

std::optional<ExpertStep> MaskedMatcher::matchReplacing(OnnxOp choice) {
  Value mask = choice.getInputs()[0], rows = choice.getInputs()[1], before = choice.getInputs()[2];
  if (staticDim(mask, -1) != 1 || staticDim(rows, -1) <= 1 || !proof.sameShape(rows, before) || !proof.sameLeading(rows, mask))
    return std::nullopt;
  auto column = matchExpertColumn(mask, proof);
  auto ffn = column && column->ids && !column->weights ? matchFfn(rows) : std::nullopt;
  if (!ffn)
    return std::nullopt;
  sawColumn = true;
  Value x = matchTokens(choice, *ffn);
  if (!x)
    return std::nullopt;
  ExpertStep step{choice, before, column->expert, *ffn, x, column->ids, {}, {}, column->k, -1};
  step.replaces = true;
  return step;
}

std::optional<ExpertStep> MaskedMatcher::matchRows(OnnxOp op, Value value, const ExpertSum &sum, int64_t expert) {
  auto ffn = matchFfn(value);
  if (!ffn)
    return std::nullopt;
  Value x = matchTokens(op, *ffn);
  if (!x)
    return std::nullopt;
  if (sum.ids)
    return ExpertStep{op, {}, expert, *ffn, x, sum.ids, {}, sum.weights, sum.k, sum.experts};
  return ExpertStep{op, {}, expert, *ffn, x, sum.map, {}, sum.map, 0, sum.experts};
}

/// The parts of a Concat that has one of each expert along the experts' dim; empty where `rows` is none.
static SmallVector<Value> stackedRows(const ExpertSum &sum) {
  OnnxOp stack = definedBy(peel(sum.rows, FloatCasts), "Concat");
  RankedTensorType type = stack ? tensorType(stack->getResult(0)) : RankedTensorType();
  const int64_t axis = type ? fromFront(intAttribute(stack, "axis", 0), type.getRank()) : -1;
  const int64_t wanted = sum.expertsFirst ? 0 : type ? type.getRank() - (sum.expertsLast ? 1 : 2) : -1;
  if (!type || static_cast<int64_t>(stack.getInputs().size()) != sum.experts || axis != wanted ||
      !llvm::all_of(stack.getInputs(), [&](Value part) { return staticDim(part, axis) == 1; }))
    return {};
  return SmallVector<Value>(stack.getInputs());
}

//===-- The pass ---------------------------------------------------------===//

namespace {
struct RaiseMaskedExperts : impl::RaiseMaskedExpertsBase<RaiseMaskedExperts> {
  using Base::Base;

  void runOnOperation() override {
    LayerBuilder chain(getOperation());
    auto raise = [&](func::FuncOp function, const SizeProof &proof) {
      ExpertLoops loops;
      function.walk([&](OnnxOp op) {
        if (isNode(op, "Add") || isNode(op, "Sum"))
          addSteps(op, proof, loops);
        else if (isNode(op, "ReduceSum") || isNode(op, "MatMul") || isNode(op, "Einsum"))
          addStack(op, proof, loops);
      });
      function.walk([&](OnnxOp op) {
        if (isNode(op, "Mul") && !addends.contains(op))
          addAlone(op, proof, loops);
        else if (isNode(op, "Where") && !addends.contains(op))
          addReplacing(op, proof, loops);
      });
      addends.clear();
      std::vector<RoutedLayer> layers;
      for (const ExpertChain &loop : loops.chains())
        addLayer(loop, proof, layers);
      replaceRoutedLayers(layers, chain);
    };
    if (failed(forEachOnnxFunction(getOperation(), raise)))
      signalPassFailure();
  }

  /// A sum of experts starts a chain, one of a chain and experts goes on.
  void addSteps(OnnxOp op, const SizeProof &proof, ExpertLoops &loops) {
    ValueRange inputs = op.getInputs();
    if (inputs.size() < 2 || !llvm::all_of(inputs, [&](Value addend) { return proof.sameShape(addend, inputs.front()); }))
      return;
    std::vector<ExpertStep> steps;
    SmallVector<Value> others;
    std::optional<MaskedMatcher> missed;
    for (Value addend : inputs) {
      Value term = addend;
      addends.insert(peel(term, FloatCasts).getDefiningOp());
      takeNumbers(term, proof);
      addends.insert(term.getDefiningOp());
      addPartsOf(term, proof);
      MaskedMatcher matcher(proof);
      if (auto step = matcher.matchTerm(op, addend)) {
        steps.push_back(*step);
        continue;
      }
      others.push_back(addend);
      if (matcher.isCandidate() && !missed)
        missed.emplace(matcher);
    }
    if (missed)
      remarkMiss(remarks, op, missed->missedAt(), missed->missed());
    else if (!steps.empty() && others.size() > 1)
      remarkMiss(remarks, op, others[1].getDefiningOp(), "more than one addend of a sum of experts is no weighted expert");
    else if (!steps.empty())
      loops.addAll(steps, others.empty() ? Value() : others.front());
  }

  /// What a term is made of is none by itself.
  void addPartsOf(Value term, const SizeProof &proof) {
    Value rows = term;
    if (takeChoice(rows, proof)) {
      takeNumbers(rows, proof);
      addends.insert(rows.getDefiningOp());
      return;
    }
    if (OnnxOp product = definedBy(peel(term, FloatCasts), "Mul"))
      for (Value side : product.getInputs()) {
        Operation *choice = peel(side, FloatCasts).getDefiningOp();
        if (takeChoice(side, proof))
          addends.insert(choice);
      }
  }

  /// The weighted rows of an expert that are added to nothing.
  void addAlone(OnnxOp op, const SizeProof &proof, ExpertLoops &loops) {
    MaskedMatcher matcher(proof);
    if (auto step = matcher.matchTerm(op, op->getResult(0)))
      loops.add(*step);
    else if (matcher.isCandidate())
      remarkMiss(remarks, op, matcher.missedAt(), matcher.missed());
  }

  void addReplacing(OnnxOp op, const SizeProof &proof, ExpertLoops &loops) {
    MaskedMatcher matcher(proof);
    if (auto step = matcher.matchReplacing(op))
      loops.add(*step);
    else if (matcher.isCandidate())
      remarkMiss(remarks, op, matcher.missedAt(), matcher.missed());
  }

  /// Experts that are put side by side first, and then summed with the map.
  void addStack(OnnxOp op, const SizeProof &proof, ExpertLoops &loops) {
    for (const ExpertSum &sum : matchExpertSums(op, proof)) {
      std::vector<ExpertStep> steps;
      MaskedMatcher matcher(proof);
      for (auto [expert, rows] : llvm::enumerate(stackedRows(sum)))
        if (auto step = matcher.matchRows(op, rows, sum, expert))
          steps.push_back(*step);
        else
          break;
      if (static_cast<int64_t>(steps.size()) == sum.experts)
        return loops.addAll(steps, {});
      if (!steps.empty())
        return remarkMiss(remarks, op, matcher.missedAt(), matcher.missed());
    }
  }

  /// What is added up, each looked at there.
  DenseSet<Operation *> addends;

  void addLayer(const ExpertChain &loop, const SizeProof &proof, std::vector<RoutedLayer> &layers) {
    Operation *last = loop.steps.back().op;
    std::string why;
    // One expert alone is a layer of one where its ids can name no other: those of more experts that nodes between them keep apart (an If for each)
    // look the same. A column of a map may be a gate of anything.
    const ExpertStep &first = loop.steps.front();
    const bool isAlone = loop.steps.size() == 1;
    if (isAlone && first.k > 0 && !idsInRange(first.indices, 1))
      return remarkMiss(remarks, last, last, "one expert stands alone, but the ids that are compared with its number may name others");
    StringRef reason;
    const bool isMapOfOne = first.experts == 1 && matchOnlyColumn(first.weights, proof);
    auto layer = !isAlone || first.k > 0 || isMapOfOne ? layerOf(loop, "masked", why) : std::nullopt;
    if (!layer)
      return remarkMiss(remarks, last, last, why);
    layer->scored = first.weightsAreMap;
    if (layer->choices.k == 0) {
      auto map = matchWeightMap(layer->weights, proof, reason);
      if (!map)
        return remarkMiss(remarks, last, layer->weights.getDefiningOp(), reason);
      layer->indices = map->ids;
      layer->weights = map->weights;
      if (!map->scales.empty())
        layer->ffn.scaleBy(map->scales);
      layer->function = map->function;
      layer->choices.k = map->k;
    }
    if (!placeOutput(*layer, {layer->x, layer->indices, layer->weights}, proof))
      return remarkMiss(remarks, last, last, "the shape of the output is not that of the tokens");
    if (checkRoutedLayer(*layer, proof, why))
      layers.push_back(*layer);
    else
      remarkMiss(remarks, last, last, why);
  }
};
} // namespace
} // namespace raise
} // namespace moe
