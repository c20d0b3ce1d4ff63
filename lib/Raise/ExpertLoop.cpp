// Chains of steps that add one expert each. Every step is looked at once, so time is linear in the size of the graph.
#include "ExpertLoop.h"

using namespace mlir;

namespace moe::raise {

/// Do two steps belong to one layer?
static bool sameLayer(const ExpertStep &a, const ExpertStep &b) {
  auto weightsOf = [](const ExpertStep &step) { return step.weights ? peel(step.weights, Views | FloatCasts) : Value(); };
  return sameElements(a.x, b.x) && peel(a.indices, Views | IntCasts) == peel(b.indices, Views | IntCasts) && a.mask == b.mask &&
         weightsOf(a) == weightsOf(b) && a.replaces == b.replaces && a.gated == b.gated && a.positive == b.positive && a.k == b.k && a.experts == b.experts &&
         a.weightsAreMap == b.weightsAreMap;
}

void ExpertLoops::add(const ExpertStep &step) {
  ExpertStep copy = step;
  addAll(copy, step.before);
}

void ExpertLoops::addAll(MutableArrayRef<ExpertStep> steps, Value before) {
  if (!llvm::all_of(steps.drop_front(), [&](const ExpertStep &step) { return sameLayer(steps.front(), step); }))
    return;
  steps.front().before = before;
  before = before ? peel(before, FloatCasts) : Value();
  Value result = steps.front().op->getResult(0);
  auto end = before ? ends.find(before) : ends.end();
  if (end != ends.end() && sameLayer(all[end->second].steps.back(), steps.front())) {
    const size_t index = end->second;
    all[index].isBroken |= end->first != all[index].steps.back().op->getResult(0);
    ends.erase(end);
    llvm::append_range(all[index].steps, steps);
    ends[result] = index;
    return;
  }
  ends[result] = all.size();
  all.emplace_back();
  llvm::append_range(all.back().steps, steps);
  if (before)
    all.back().gaps = gaps.lookup(before);
}

void ExpertLoops::addGap(OnnxOp op, Value before, bool oneExpert) {
  before = before ? peel(before, FloatCasts) : Value();
  auto count = [&](ExpertGaps &found) {
    found.experts += oneExpert;
    found.unknown |= !oneExpert;
  };
  // The steps behind the gap go on with the chain before it.
  if (auto end = before ? ends.find(before) : ends.end(); end != ends.end()) {
    const size_t index = end->second;
    ends.erase(end);
    ends[op->getResult(0)] = index;
    count(all[index].gaps);
    return;
  }
  ExpertGaps found = before ? gaps.lookup(before) : ExpertGaps();
  count(found);
  gaps[op->getResult(0)] = found;
}

std::optional<RoutedLayer> layerOf(const ExpertChain &chain, StringRef form, std::string &why) {
  const ExpertStep &first = chain.steps.front();
  if (chain.isBroken) {
    why = "a step between those of the experts was not understood";
    return std::nullopt;
  }
  const auto count = static_cast<int64_t>(chain.steps.size());
  const int64_t passing = llvm::count_if(chain.steps, [](const ExpertStep &step) { return step.passes; });
  std::vector<RoutedFfn> experts(count);
  std::vector<bool> seen(count);
  for (const ExpertStep &step : chain.steps) {
    if (step.expert < 0 || step.expert >= count || seen[step.expert]) {
      why = "the steps are not one for each expert from 0 to " + std::to_string(count - 1);
      return std::nullopt;
    }
    seen[step.expert] = true;
    experts[step.expert] = step.ffn;
    if (step.passes != (step.expert >= count - passing)) {
      why = "experts that compute nothing are not the last";
      return std::nullopt;
    }
  }
  experts.resize(count - passing);
  if (passing > 0 && (experts.empty() || first.mask || first.gated || first.replaces || !first.weights || first.weightsAreMap)) {
    why = "experts that compute nothing stand in a loop whose weights are not one for each choice";
    return std::nullopt;
  }
  if (first.experts > 0 && first.experts != count) {
    why = "the router chooses among " + std::to_string(first.experts) + " experts, the graph computes " + std::to_string(count);
    return std::nullopt;
  }
  RoutedLayer layer;
  auto ffn = mergeExperts(experts, layer.pieces, why, /*mayHaveMore=*/passing > 0);
  if (!ffn)
    return std::nullopt;
  layer.ffn = *ffn;
  layer.choices = {chain.steps.back().op, {}, first.k, ffn->down.out};
  layer.x = first.x;
  layer.indices = first.indices;
  layer.mask = first.mask;
  layer.weights = first.weights;
  layer.gated = first.gated;
  layer.passing = passing;
  layer.positive = first.positive;
  layer.form = form;
  layer.compared = true;
  const bool starts = first.before && splatNumber(first.before) != 0.0;
  // Where each token has an expert nothing of the start is left.
  if (first.replaces && starts && (first.k != 1 || !idsInRange(first.indices, count))) {
    why = "rows are put in the place of others by ids that may name none of the experts";
    return std::nullopt;
  }
  if (starts && !first.replaces)
    layer.start = first.before;
  return layer;
}

/// Is `value` the numbers of the experts that any token chose: NonZero of "the mask of an expert has more than 0 ones"?
static bool listsHitExperts(Value value) {
  value = peel(value, Views | IntCasts | Transposes);
  OnnxOp nonZero = definedBy(value, "NonZero");
  auto hit = nonZero ? peel(nonZero.getInputs()[0], Views).getDefiningOp<OnnxOp>() : OnnxOp();
  if (!hit || !isNode(hit, "Greater"))
    return false;
  OnnxOp count = definedBy(peel(hit.getInputs()[0], Views | IntCasts), "ReduceSum");
  return count && splatNumber(hit.getInputs()[1]) == 0.0;
}

bool feedsExperts(OnnxOp split) {
  SmallPtrSet<Operation *, 8> matrices;
  for (Value piece : split->getResults()) {
    OnnxOp product;
    for (Operation *user : piece.getUsers())
      if (auto node = dyn_cast<OnnxOp>(user); node && (isNode(node, "MatMul") || isNode(node, "Gemm")) && node.getInputs()[0] == piece)
        product = node;
    Value matrix = product ? storedTensor(peel(product.getInputs()[1], Views | Transposes)) : Value();
    if (!matrix || !matrices.insert(matrix.getDefiningOp()).second)
      return false;
  }
  return split->getNumResults() > 1;
}

/// A Split whose pieces have the sizes that the exporter's example gave the experts, though its rows are as many as tokens ask for.
static bool refuseTracedSizes(OnnxOp split) {
  Value rows = split.getInputs()[0];
  RankedTensorType type = tensorType(rows);
  auto sizes = inputOrNull(split, 1) ? constantInts(split.getInputs()[1]) : intsAttribute(split, "split");
  const int64_t axis = type ? fromFront(intAttribute(split, "axis", 0), type.getRank()) : -1;
  if (!sizes || axis != 0 || type.getRank() != 2 || !type.isDynamicDim(0) || !feedsExperts(split))
    return false;
  InFlightDiagnostic error = split.emitError() << "the rows of the tokens are divided among " << sizes->size() << " experts in pieces of ";
  llvm::interleaveComma(*sizes, error);
  error << " rows, as the exporter's example input chose them: other inputs choose otherwise; export with an implementation whose sizes are computed "
           "(transformers: experts_implementation=\"batched_mm\" or \"grouped_mm\")";
  return true;
}

LogicalResult refuseTracedLoops(ModuleOp module) {
  bool found = false;
  module.walk([&](OnnxOp op) {
    if (!isNode(op, "Split"))
      return;
    found |= refuseTracedSizes(op);
    Value list = op.getInputs()[0];
    RankedTensorType type = tensorType(list);
    const int64_t axis = type ? fromFront(intAttribute(op, "axis", 0), type.getRank()) : -1;
    // The dim that NonZero counts, not the coordinates beside it.
    if (axis < 0 || !type.isDynamicDim(axis) || !listsHitExperts(list))
      return;
    op.emitError() << "the list of experts that tokens chose is taken apart into " << op->getNumResults()
                   << " pieces, as many as the exporter's example input hit: other inputs choose other experts; export with an implementation without "
                      "such a loop (transformers: experts_implementation=\"batched_mm\" or \"grouped_mm\")";
    found = true;
  });
  return failure(found);
}

} // namespace moe::raise
