// The frame that forms B and C share: the weighted sum at the end, and the chain that takes its place.
#include "RoutedLayer.h"

#include "llvm/Support/Debug.h"

#define DEBUG_TYPE "moe-raise"

using namespace mlir;

namespace moe::raise {

std::optional<ChoiceSum> matchChoiceSum(OnnxOp op) {
  if (!isNode(op, "ReduceSum") || op.getInputs().empty())
    return std::nullopt;
  Value rows = op.getInputs()[0];
  auto axes = axesOf(op);
  RankedTensorType type = tensorType(rows), result = tensorType(op->getResult(0));
  if (!axes || axes->size() != 1 || !type || !result || type.getRank() != 3 || fromFront((*axes)[0], 3) != 1)
    return std::nullopt;
  int64_t k = staticDim(rows, 1), hidden = staticDim(rows, 2);
  if (k <= 0 || hidden <= 0 || !isa<Float32Type, Float16Type, BFloat16Type>(type.getElementType()))
    return std::nullopt;
  return ChoiceSum{op, rows, k, hidden};
}

std::optional<WeightedRows> matchWeightedRows(Value value, int64_t hidden, const SizeProof &proof) {
  OnnxOp product = definedBy(value, "Mul");
  if (!product || hidden == 1)
    return std::nullopt;
  for (unsigned side : {0u, 1u}) {
    Value rows = product.getInputs()[side], weights = product.getInputs()[1 - side];
    if (staticDim(rows, -1) == hidden && staticDim(weights, -1) == 1 && proof.sameLeading(rows, weights))
      return WeightedRows{rows, weights};
  }
  return std::nullopt;
}

bool idsInRange(Value ids, int64_t experts) {
  ids = peel(ids, Views | IntCasts);
  if (OnnxOp top = definedBy(ids, "TopK"))
    return cast<OpResult>(ids).getResultNumber() == 1 && staticDim(top.getInputs()[0], intAttribute(top, "axis", -1)) == experts;
  if (OnnxOp best = definedBy(ids, "ArgMax"))
    return staticDim(best.getInputs()[0], intAttribute(best, "axis", 0)) == experts;
  return false;
}

/// The [T, K] view of ids or weights: their flat root, if it has K in its last dim; else the value itself, to be reshaped.
static Value choiceRoot(Value value, unsigned what, int64_t k) {
  Value root = peel(value, what);
  RankedTensorType type = tensorType(root);
  if (!type)
    return {};
  // A list of all choices is taken as it is; with more dims the last must be the choices of a token.
  return type.getRank() == 1 || staticDim(root, -1) == k ? root : Value();
}

/// Does a node between the layer's inputs and its sum make inference take sizes as equal?
static bool assumesInside(const RoutedLayer &layer, const SizeProof &proof) {
  SmallVector<Value> worklist = {layer.choices.sum->getResult(0)};
  DenseSet<Operation *> seen;
  while (!worklist.empty()) {
    Value value = worklist.pop_back_val();
    auto op = value.getDefiningOp<OnnxOp>();
    if (!op || value == layer.x || value == layer.indices || value == layer.weights || !seen.insert(op).second)
      continue;
    if (proof.assumesAt(op.getLoc()))
      return true;
    llvm::append_range(worklist, op.getInputs());
  }
  return false;
}

bool checkRoutedLayer(RoutedLayer &layer, const SizeProof &proof, std::string &why) {
  const int64_t k = layer.choices.k, hidden = layer.choices.hidden;
  auto fail = [&](StringRef text) {
    why = text.str();
    return false;
  };
  Value ids = choiceRoot(layer.indices, Views | IntCasts, k), weights = choiceRoot(layer.weights, Views | FloatCasts, k);
  if (!ids || !(tensorType(ids).getElementType().isSignlessInteger(64) || tensorType(ids).getElementType().isSignlessInteger(32)))
    return fail("the expert ids do not have one row of K per token");
  if (!weights)
    return fail("the combine weights do not have one row of K per token");
  if (layer.ffn.down.out != hidden || layer.ffn.gate.in != hidden || staticDim(layer.x, -1) != hidden)
    return fail("the width of the rows changes between input and output of the experts");
  if (!proof.sameCount(ids, weights))
    return fail("expert ids and combine weights may differ in number");
  // T·K from the tokens' side and from the ids' side.
  if (!proof.sameRows(layer.x, layer.choices.sum->getResult(0)))
    return fail("tokens in and tokens out may differ in number");
  if (!proof.sameRowsTimes(layer.x, k, ids))
    return fail("the expert ids may be more or fewer than K per token");
  Type element = tensorType(layer.x).getElementType();
  auto sameType = [&](Value value) { return !value || tensorType(value).getElementType() == element; };
  const RoutedFfn &ffn = layer.ffn;
  if (!sameType(ffn.gate.weight) || !sameType(ffn.gate.bias) || !sameType(ffn.down.weight) || !sameType(ffn.down.bias) ||
      (ffn.up && (!sameType(ffn.up->weight) || !sameType(ffn.up->bias))))
    return fail("rows and weights have different element types");
  layer.requireEqual = assumesInside(layer, proof);
  return true;
}

/// Ids outside [0, E): ONNX counts negative ones from the end. Mod says the same and keeps any other id in range.
static Value keepInRange(OpBuilder &builder, Location loc, Value ids, int64_t experts) {
  if (idsInRange(ids, experts))
    return ids;
  RankedTensorType type = tensorType(ids);
  Value count = arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(RankedTensorType::get({}, type.getElementType()),
                                                                               builder.getIntegerAttr(type.getElementType(), experts)));
  return OnnxOp::create(builder, loc, TypeRange{type}, "Mod", ValueRange{ids, count}, "", 13, builder.getDictionaryAttr({}), 0)->getResult(0);
}

/// Replaces the sum by the chain; returns what now takes the sum's place.
static Value replaceRoutedLayer(const RoutedLayer &layer, LayerBuilder &chain) {
  OnnxOp sum = layer.choices.sum;
  Location loc = sum.getLoc();
  OpBuilder builder(sum);
  const RoutedFfn &ffn = layer.ffn;
  const int64_t k = layer.choices.k, hidden = layer.choices.hidden;
  Value up = ffn.up ? ffn.up->weight : Value();
  std::string name = chain.nameLayer({ffn.gate.weight, up, ffn.down.weight}, layer.indices);
  Value x = chain.asMatrix(builder, loc, layer.x, hidden);
  Value ids = chain.asMatrix(builder, loc, choiceRoot(layer.indices, Views | IntCasts, k), k);
  ids = keepInRange(builder, loc, ids, ffn.gate.experts);
  Value weights = chain.asF32Vector(builder, loc, choiceRoot(layer.weights, Views | FloatCasts, k));
  if (layer.requireEqual) {
    Value rows = builder.createOrFold<tensor::DimOp>(loc, x, 0), factor = arith::ConstantIndexOp::create(builder, loc, k);
    StringAttr message = builder.getStringAttr(name + ": tokens, expert ids and combine weights must be of the same number of tokens");
    RequireEqualOp::create(builder, loc, rows, builder.createOrFold<tensor::DimOp>(loc, ids, 0), message);
    RequireEqualOp::create(builder, loc, arith::MulIOp::create(builder, loc, rows, factor), builder.createOrFold<tensor::DimOp>(loc, weights, 0),
                           message);
  }
  Assignments list = LayerBuilder::assign(builder, loc, ids);
  ExpertWeights parts{ffn.gate.weight, ffn.gate.bias, up, ffn.up ? ffn.up->bias : Value(), ffn.down.weight, ffn.down.bias, ffn.ffn, ffn.gate.order};
  RankedTensorType sumType = tensorType(sum->getResult(0));
  auto resultType = RankedTensorType::get({sumType.getDimSize(0), hidden}, sumType.getElementType());
  Value result = chain.experts(builder, loc, x, list, weights, parts, OriginAttr::get(builder.getContext(), name, layer.form), resultType);
  if (sumType.getRank() == 3)
    result = chain.reshape(builder, loc, result, {-1, 1, hidden}, sumType);
  sum->getResult(0).replaceAllUsesWith(result);
  eraseDead(sum.getOperation());
  return result;
}

void replaceRoutedLayers(MutableArrayRef<RoutedLayer> layers, LayerBuilder &chain) {
  // A layer may read the sum of an earlier one, which is gone by then.
  DenseMap<Value, Value> replaced;
  for (RoutedLayer &layer : layers) {
    for (Value *input : {&layer.x, &layer.indices, &layer.weights})
      if (Value now = replaced.lookup(*input))
        *input = now;
    Value sum = layer.choices.sum->getResult(0);
    Value result = replaceRoutedLayer(layer, chain);
    replaced[sum] = result;
  }
}

void remarkMiss(bool wanted, Operation *candidate, Operation *at, StringRef why, StringRef what) {
  LLVM_DEBUG(llvm::dbgs() << "not a layer: " << why << " at " << *(at ? at : candidate) << "\n");
  if (!wanted || why.empty())
    return;
  InFlightDiagnostic remark = candidate->emitRemark() << what << " not raised: " << why;
  if (at && at != candidate)
    remark.attachNote(at->getLoc()) << "at this node";
}

} // namespace moe::raise
