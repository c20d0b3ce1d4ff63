// The frame that the forms share: the weighted sum at the end, and the chain that takes its place.
#include "RoutedLayer.h"

#include "WeightViews.h"

#include "llvm/Support/Debug.h"

#include <cmath>
#include <limits>

#define DEBUG_TYPE "moe-raise"

using namespace mlir;

namespace moe::raise {

std::optional<ChoiceSum> matchChoiceSum(OnnxOp op) {
  if (!isNode(op, "ReduceSum") || op.getInputs().empty())
    return std::nullopt;
  Value rows = op.getInputs()[0];
  auto axes = axesOf(op);
  RankedTensorType type = tensorType(rows), result = tensorType(op->getResult(0));
  if (!axes || axes->size() != 1 || !type || !result || type.getRank() < 3)
    return std::nullopt;
  const int64_t column = type.getRank() == 3 ? 2 : columnDim(type), choice = fromFront((*axes)[0], type.getRank());
  if (choice < 1 || choice >= column)
    return std::nullopt;
  for (int64_t dim = choice + 1; dim < column; ++dim)
    if (type.getDimSize(dim) != 1)
      return std::nullopt;
  int64_t k = staticDim(rows, choice), hidden = staticDim(rows, column);
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
    // As columns, [.., H, 1] with [.., 1, 1].
    RankedTensorType type = tensorType(rows), weightsType = tensorType(weights);
    if (!type || !weightsType)
      continue;
    const int64_t column = columnDim(type);
    if (weightsType.getRank() != type.getRank() || staticDim(rows, column) != hidden)
      continue;
    bool same = true;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      same &= dim < column ? proof.sameDim(rows, dim, weights, dim) : staticDim(weights, dim) == 1;
    if (same)
      return WeightedRows{rows, weights};
  }
  return std::nullopt;
}

Value matchRepeatedTokens(Value rows, int64_t k, int64_t hidden, const SizeProof &proof) {
  Value repeated = peel(rows, Views | FloatCasts);
  auto op = repeated.getDefiningOp<OnnxOp>();
  if (op && (isNode(op, "Expand") || isNode(op, "Tile"))) {
    Value single = op.getInputs()[0];
    const int64_t rank = tensorType(single) ? tensorType(single).getRank() : 0;
    bool fits = rank >= 3 && tensorType(repeated) && tensorType(repeated).getRank() == rank && staticDim(single, -2) == 1 &&
                staticDim(single, -1) == hidden && staticDim(repeated, -2) == k && staticDim(repeated, -1) == hidden;
    for (int64_t dim = 0; fits && dim + 2 < rank; ++dim)
      fits = proof.sameDim(single, dim, repeated, dim);
    return fits ? nearestMatrix(single, hidden) : Value();
  }
  if (!op || !(isNode(op, "GatherND") || isNode(op, "Gather")))
    return {};
  // x[n / K] with the token number of each choice spelled out: 0 … T-1, each K times.
  Value numbers = peel(op.getInputs()[1], Views | IntCasts);
  OnnxOp expand = definedBy(numbers, "Expand");
  Value single = expand ? expand.getInputs()[0] : Value();
  OnnxOp range = single ? definedBy(peel(single, Views | IntCasts), "Range") : OnnxOp();
  const bool wholeRows = isNode(op, "GatherND") ? intAttribute(op, "batch_dims", 0) == 0 && staticDim(op.getInputs()[1], -1) == 1
                                                : intAttribute(op, "axis", 0) == 0;
  const bool fits = range && wholeRows && tensorType(op.getInputs()[0]).getRank() == 2 && tensorType(single).getRank() == 2 &&
                    staticDim(single, 1) == 1 && tensorType(numbers).getRank() == 2 && staticDim(numbers, 1) == k &&
                    proof.sameDim(single, 0, numbers, 0) && splatNumber(range.getInputs()[0]) == 0.0 && splatNumber(range.getInputs()[2]) == 1.0;
  return fits ? op.getInputs()[0] : Value();
}

/// Are all elements of `value` surely 0 or 1: marks of a comparison, or some of them?
static bool areMarks(Value value, unsigned depth = 4) {
  value = peel(value, Views | AllCasts);
  auto op = value.getDefiningOp<OnnxOp>();
  if (!op || !tensorType(value) || depth == 0)
    return false;
  if (tensorType(value).getElementType().isInteger(1))
    return true;
  if (isNode(op, "OneHot")) {
    auto offOn = constantInts(op.getInputs()[2]);
    return offOn && llvm::all_of(*offOn, [](int64_t number) { return number == 0 || number == 1; });
  }
  return isNode(op, "Mul") && areMarks(op.getInputs()[0], depth - 1) && areMarks(op.getInputs()[1], depth - 1);
}

bool idsInRange(Value ids, int64_t experts) {
  if (experts >= 2 && areMarks(ids))
    return true;
  ids = peel(ids, Views | IntCasts);
  if (OnnxOp top = definedBy(ids, "TopK"))
    return cast<OpResult>(ids).getResultNumber() == 1 && staticDim(top.getInputs()[0], intAttribute(top, "axis", -1)) == experts;
  if (OnnxOp best = definedBy(ids, "ArgMax"))
    return staticDim(best.getInputs()[0], intAttribute(best, "axis", 0)) == experts;
  if (OnnxOp some = definedBy(ids, "Slice"))
    return idsInRange(some.getInputs()[0], experts);
  // The remainder of a positive divisor; entries of a table.
  if (OnnxOp rest = definedBy(ids, "Mod")) {
    auto divisor = scalarFor(rest.getInputs()[1], ids);
    return intAttribute(rest, "fmod", 0) == 0 && divisor && *divisor > 0 && *divisor <= static_cast<double>(experts);
  }
  if (OnnxOp lookup = definedBy(ids, "Gather")) {
    auto table = constantInts(lookup.getInputs()[0]);
    return table && llvm::all_of(*table, [&](int64_t id) { return id >= 0 && id < experts; });
  }
  // Choices made one after the other and put side by side, which no node does twice over.
  if (OnnxOp joined = definedBy(ids, "Concat"))
    return llvm::all_of(joined.getInputs(), [&](Value part) {
      return !definedBy(peel(part, Views | IntCasts), "Concat") && idsInRange(part, experts);
    });
  return false;
}

/// The [T, K] view of ids or weights: as far up as K stays the last dim or there is only one; null where it never is.
static Value choiceRoot(Value value, unsigned what, int64_t k) {
  return farthest(value, what, [&](Value view) {
    RankedTensorType type = tensorType(view);
    // A list of all choices is taken as it is; with more dims the last must be the choices of a token, where there is more than one.
    return type && (k == 1 || type.getRank() == 1 || staticDim(view, -1) == k);
  });
}

/// Does a node between the layer's inputs and its sum make inference take sizes as equal?
static bool assumesInside(const RoutedLayer &layer, const SizeProof &proof) {
  SmallVector<Value> worklist = {layer.choices.sum->getResult(0)};
  DenseSet<Operation *> seen;
  while (!worklist.empty()) {
    Value value = worklist.pop_back_val();
    auto op = value.getDefiningOp<OnnxOp>();
    if (!op || value == layer.x || value == layer.indices || value == layer.weights || llvm::is_contained(layer.factors, value) || !seen.insert(op).second)
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
  Value ids = layer.gated ? layer.weights : choiceRoot(layer.indices, Views | IntCasts, k);
  if (layer.gated) {
    if (!proof.sameRowsTimes(layer.x, layer.ffn.gate.experts, layer.weights) || !proof.sameRowsTimes(layer.x, layer.ffn.gate.experts, layer.indices))
      return fail("the weights of all experts are not one row per token");
    if (!llvm::all_of(layer.picks, [&](Value pick) { return proof.sameRowsTimes(layer.x, 1, pick); }))
      return fail("the choices may be more or fewer than the tokens");
  } else if (!ids || !(tensorType(ids).getElementType().isSignlessInteger(64) || tensorType(ids).getElementType().isSignlessInteger(32)))
    return fail("the expert ids do not have one row of K per token");
  if (layer.ffn.down.out != hidden || layer.ffn.gate.in != hidden || staticDim(layer.x, -1) != hidden)
    return fail("the width of the rows changes between input and output of the experts");
  SmallVector<Value> weighting = layer.factors;
  if (layer.scored && !proof.sameRowsTimes(layer.x, layer.ffn.gate.experts, layer.weights))
    return fail("the scores that weigh the experts are not one per token and expert");
  if (layer.weights && !layer.scored && !layer.gated)
    weighting.push_back(layer.weights);
  for (Value given : weighting) {
    Value weights = choiceRoot(given, Views | FloatCasts, k);
    if (!weights)
      return fail("the combine weights do not have one row of K per token");
    if (!proof.sameCount(ids, weights))
      return fail("expert ids and combine weights may differ in number");
  }
  // T·K from the tokens' side and from the ids' side.
  if (!proof.sameRowsTimes(layer.x, hidden, layer.choices.sum->getResult(0)))
    return fail("tokens in and tokens out may differ in number");
  if (!layer.gated && !proof.sameRowsTimes(layer.x, k, ids))
    return fail("the expert ids may be more or fewer than K per token");
  Type element = tensorType(layer.x).getElementType();
  // Weights of half the width are widened as they are multiplied.
  auto sameType = [&](Value value) {
    Type own = value ? tensorType(value).getElementType() : element;
    return own == element || (element.isF32() && isa<Float16Type, BFloat16Type>(own));
  };
  const RoutedFfn &ffn = layer.ffn;
  if (!sameType(ffn.gate.weight) || !sameType(ffn.gate.bias) || !sameType(ffn.down.weight) || !sameType(ffn.down.bias) ||
      (ffn.up && (!sameType(ffn.up->weight) || !sameType(ffn.up->bias))))
    return fail("rows and weights have different element types");
  // Numbers of float32, which factors of one after another may leave.
  auto isFloat = [](double scale) { return scale == 0.0 || (std::abs(scale) <= std::numeric_limits<float>::max() && std::abs(scale) >= std::numeric_limits<float>::min()); };
  if (!llvm::all_of(ffn.scales, isFloat))
    return fail("the numbers that the experts' results are scaled by are too large or too small together");
  layer.requireEqual = assumesInside(layer, proof);
  return true;
}

bool placeOutput(RoutedLayer &layer, ArrayRef<Value> sources, const SizeProof &proof) {
  Value output = layer.choices.sum->getResult(0);
  RankedTensorType type = tensorType(output);
  // Dims up to the last that is not static are those of the tokens.
  int64_t leading = type.getRank();
  while (leading > 0 && !type.isDynamicDim(leading - 1))
    --leading;
  layer.leading = leading;
  if (type.getRank() == 2 || leading <= 1 || llvm::count_if(type.getShape(), ShapedType::isDynamic) <= 1)
    return true;
  auto startsLikeOutput = [&](Value view) {
    RankedTensorType viewType = tensorType(view);
    if (!viewType || viewType.getRank() < leading)
      return false;
    for (int64_t dim = 0; dim < leading; ++dim)
      if (!proof.sameDim(view, dim, output, dim))
        return false;
    return true;
  };
  for (Value source : sources)
    if ((layer.leadingOf = source ? farthest(source, Views | FloatCasts | IntCasts, startsLikeOutput) : Value()))
      return true;
  return false;
}

/// Ids outside [0, E): ONNX counts negative ones from the end. Mod says the same and keeps any other id in range.
static Value keepInRange(OpBuilder &builder, Location loc, Value ids, int64_t experts) {
  if (idsInRange(ids, experts))
    return ids;
  RankedTensorType type = tensorType(ids);
  Value count = arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(RankedTensorType::get({}, type.getElementType()),
                                                                               builder.getIntegerAttr(type.getElementType(), experts)));
  return makeNode(builder, loc, "Mod", 13, {ids, count}, type);
}

/// The ids that a one-hot [T, K, E] with gaps stands for: e where column e is not zero, -1 where none is, which is no expert.
static Value idsOfMask(OpBuilder &builder, Location loc, Value mask, int64_t k, int64_t experts) {
  RankedTensorType type = tensorType(mask);
  const int64_t rows = type.hasStaticShape() ? type.getNumElements() / (k * experts) : ShapedType::kDynamic;
  auto shaped = [&](ArrayRef<int64_t> dims, Type element) { return RankedTensorType::get(dims, element); };
  Type i64 = builder.getI64Type();
  Value columns = LayerBuilder::reshape(builder, loc, mask, {-1, k, experts}, shaped({rows, k, experts}, type.getElementType()));
  auto cast = [&](Value value, int64_t to, Type element) {
    return makeNode(builder, loc, "Cast", 13, {value}, tensorType(value).clone(element), builder.getNamedAttr("to", builder.getI64IntegerAttr(to)));
  };
  constexpr int64_t onnxInt64 = 7, onnxBool = 9;
  Value chosen = cast(cast(columns, onnxBool, builder.getI1Type()), onnxInt64, i64);
  SmallVector<int64_t> numbers(experts);
  for (int64_t expert = 0; expert < experts; ++expert)
    numbers[expert] = expert + 1;
  Value numbered = makeNode(builder, loc, "Mul", 14, {chosen, makeInts(builder, loc, numbers)}, tensorType(chosen));
  Value sum = makeNode(builder, loc, "ReduceSum", 13, {numbered, makeInts(builder, loc, {-1})}, shaped({rows, k}, i64),
                       builder.getNamedAttr("keepdims", builder.getI64IntegerAttr(0)));
  return makeNode(builder, loc, "Sub", 14, {sum, makeInts(builder, loc, {1})}, tensorType(sum));
}

/// The choices that a map makes, [T, K]: each expert (or pick) that it marks, -1 for the others. `weights` become theirs.
static Value idsOfGates(OpBuilder &builder, Location loc, LayerBuilder &chain, const RoutedLayer &layer, Value &weights) {
  const int64_t experts = layer.ffn.gate.experts;
  Type i64 = builder.getI64Type();
  Value map = chain.asMatrix(builder, loc, layer.indices, experts);
  const int64_t rows = tensorType(map).getDimSize(0);
  SmallVector<int64_t> numbers = llvm::to_vector(llvm::seq<int64_t>(0, experts));
  Value ids = makeInts(builder, loc, numbers);
  weights = chain.asMatrix(builder, loc, layer.weights, experts);
  if (!layer.picks.empty()) {
    SmallVector<Value> columns;
    for (Value pick : layer.picks)
      columns.push_back(LayerBuilder::castTo(builder, loc, chain.asMatrix(builder, loc, pick, 1), i64));
    auto type = RankedTensorType::get({rows, static_cast<int64_t>(columns.size())}, i64);
    ids = makeNode(builder, loc, "Concat", 13, columns, type, builder.getNamedAttr("axis", builder.getI64IntegerAttr(1)));
    for (Value *of : {&map, &weights})
      *of = makeNode(builder, loc, "GatherElements", 13, {*of, ids}, type.clone(tensorType(*of).getElementType()),
                     builder.getNamedAttr("axis", builder.getI64IntegerAttr(1)));
  }
  Type element = tensorType(map).getElementType();
  RankedTensorType flags = tensorType(map).clone(builder.getI1Type());
  Value isChosen = map;
  if (isa<FloatType>(element)) {
    Value zero = arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(RankedTensorType::get({}, element), builder.getFloatAttr(element, 0.0)));
    isChosen = layer.positive ? makeNode(builder, loc, "Greater", 13, {map, zero}, flags)
                              : makeNode(builder, loc, "Not", 1, {makeNode(builder, loc, "Equal", 13, {map, zero}, flags)}, flags);
  }
  return makeNode(builder, loc, "Where", 16, {isChosen, ids, makeInts(builder, loc, {-1})}, flags.clone(i64));
}

/// f(weights), for the [T, K] weights of a token's choices.
static Value applyFunction(OpBuilder &builder, Location loc, Value weights, MapFunction function) {
  if (function == MapFunction::None)
    return weights;
  const bool isSoftmax = function == MapFunction::Softmax;
  SmallVector<NamedAttribute> attributes;
  if (isSoftmax)
    attributes.push_back(builder.getNamedAttr("axis", builder.getI64IntegerAttr(-1)));
  return makeNode(builder, loc, isSoftmax ? "Softmax" : "Sigmoid", 13, {weights}, tensorType(weights), attributes);
}

/// The rows of `x` once per choice, times the weight of the choice: [T·K, H], in the type of `x`.
static Value scaleRows(OpBuilder &builder, Location loc, LayerBuilder &chain, Value x, Value weights, int64_t k) {
  RankedTensorType type = tensorType(x);
  const int64_t rows = type.getDimSize(0), hidden = type.getDimSize(1);
  Type element = type.getElementType();
  Value single = LayerBuilder::reshape(builder, loc, x, {-1, 1, hidden}, RankedTensorType::get({rows, 1, hidden}, element));
  if (tensorType(weights).getElementType() != element)
    weights = makeNode(builder, loc, "CastLike", 15, {weights, x}, tensorType(weights).clone(element));
  Value factors = LayerBuilder::reshape(builder, loc, weights, {-1, k, 1}, RankedTensorType::get({rows, k, 1}, tensorType(weights).getElementType()));
  Value scaled = makeNode(builder, loc, "Mul", 14, {single, factors}, RankedTensorType::get({rows, k, hidden}, element));
  return chain.asMatrix(builder, loc, scaled, hidden);
}

/// A weight of 1 for each of the [T, K] `ids`.
static Value onesFor(OpBuilder &builder, Location loc, Value ids) {
  RankedTensorType type = tensorType(ids);
  Value shape = makeNode(builder, loc, "Shape", 13, {ids}, RankedTensorType::get({2}, builder.getI64Type()));
  auto one = DenseElementsAttr::get(RankedTensorType::get({1}, builder.getF32Type()), 1.0f);
  return makeNode(builder, loc, "ConstantOfShape", 9, {shape}, type.clone(builder.getF32Type()), builder.getNamedAttr("value", one));
}

static void requireEqualCounts(OpBuilder &builder, Location loc, StringRef name, Value x, Value ids, Value weights, int64_t k) {
  Value rows = builder.createOrFold<tensor::DimOp>(loc, x, 0), factor = arith::ConstantIndexOp::create(builder, loc, k);
  StringAttr message = builder.getStringAttr(name + ": tokens, expert ids and combine weights must be of the same number of tokens");
  RequireEqualOp::create(builder, loc, rows, builder.createOrFold<tensor::DimOp>(loc, ids, 0), message);
  RequireEqualOp::create(builder, loc, arith::MulIOp::create(builder, loc, rows, factor), builder.createOrFold<tensor::DimOp>(loc, weights, 0),
                         message);
}

ExpertWeights expertWeights(const RoutedFfn &ffn, const ExpertPieces &pieces, OpBuilder &builder, LayerBuilder &chain, StringRef name) {
  // Stored tensors may have more slices, of experts that compute nothing.
  auto used = [&](Value whole, const RoutedProduct &product) {
    return whole && staticDim(whole, 0) > product.experts ? firstSlices(builder, whole, product.experts) : whole;
  };
  auto part = [&](const RoutedProduct &product, ArrayRef<Value> own, StringRef suffix) {
    const bool outIn = product.order == WeightOrder::OutIn;
    return own.empty() ? used(product.weight, product)
                       : chain.stackWeights(builder, own, {outIn ? product.out : product.in, outIn ? product.in : product.out}, (name + suffix).str());
  };
  auto bias = [&](const RoutedProduct &product, ArrayRef<Value> own, StringRef suffix) {
    return own.empty() ? chain.storedAs(builder, used(product.bias, product), {product.experts, product.out})
                       : chain.stackWeights(builder, own, {product.out}, (name + suffix).str());
  };
  ExpertWeights parts{part(ffn.gate, pieces.gate, ".gate"), bias(ffn.gate, pieces.gateBias, ".gate_bias"), {}, {},
                      part(ffn.down, pieces.down, ".down"), bias(ffn.down, pieces.downBias, ".down_bias"), ffn.ffn, ffn.gate.order, ffn.down.order};
  if (ffn.up) {
    parts.up = part(*ffn.up, pieces.up, ".up");
    parts.upBias = bias(*ffn.up, pieces.upBias, ".up_bias");
  }
  parts.steps = stepsAttr(builder.getContext(), ffn.steps, ffn.down.experts);
  return parts;
}

/// `result` ([T, H]) as what takes the place of the layer's output: summed over choices, shaped and added to the start.
static Value finishResult(const RoutedLayer &layer, OpBuilder &builder, LayerBuilder &chain, Value result) {
  OnnxOp sum = layer.choices.sum;
  Location loc = sum.getLoc();
  RankedTensorType sumType = tensorType(sum->getResult(0));
  const int64_t rank = sumType.getRank(), leading = layer.leading;
  Type i64 = builder.getI64Type();
  if (layer.leadingOf && leading == rank) {
    Value shape = makeNode(builder, loc, "Shape", 13, {layer.leadingOf}, RankedTensorType::get({rank}, i64));
    result = makeNode(builder, loc, "Reshape", 14, {result, shape}, sumType);
  } else if (layer.leadingOf) {
    // The dims of the tokens, then what is known: H and dims of size 1.
    Value dims = makeNode(builder, loc, "Shape", 15, {layer.leadingOf}, RankedTensorType::get({leading}, i64),
                          builder.getNamedAttr("end", builder.getI64IntegerAttr(leading)));
    Value shape = makeNode(builder, loc, "Concat", 13, {dims, makeInts(builder, loc, sumType.getShape().drop_front(leading))},
                           RankedTensorType::get({rank}, i64), builder.getNamedAttr("axis", builder.getI64IntegerAttr(0)));
    result = makeNode(builder, loc, "Reshape", 14, {result, shape}, sumType);
  } else if (rank != 2) {
    SmallVector<int64_t> shape(sumType.getShape());
    for (int64_t &size : shape)
      size = ShapedType::isDynamic(size) ? -1 : size;
    result = chain.reshape(builder, loc, result, shape, sumType);
  }
  return layer.start ? makeNode(builder, loc, "Add", 14, {layer.start, result}, sumType) : result;
}

/// Ids that are compared: where they name none of the experts, -1, which is no expert.
static Value withoutOthers(OpBuilder &builder, Location loc, Value ids, int64_t experts) {
  if (idsInRange(ids, experts))
    return ids;
  RankedTensorType type = tensorType(ids), flags = type.clone(builder.getI1Type());
  auto number = [&](int64_t value) {
    return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(RankedTensorType::get({}, type.getElementType()),
                                                                          builder.getIntegerAttr(type.getElementType(), value)));
  };
  Value isNamed = makeNode(builder, loc, "And", 7,
                           {makeNode(builder, loc, "GreaterOrEqual", 16, {ids, number(0)}, flags), makeNode(builder, loc, "Less", 13, {ids, number(experts)}, flags)}, flags);
  return makeNode(builder, loc, "Where", 16, {isNamed, ids, number(-1)}, type);
}

/// The weights of all choices, [T·K] of f32, times what else the rows are multiplied by.
static Value combineWeights(const RoutedLayer &layer, OpBuilder &builder, Location loc, LayerBuilder &chain, Value weights, Value ids) {
  Value vector = chain.asF32Vector(builder, loc, weights ? weights : onesFor(builder, loc, ids));
  for (Value factor : layer.factors) {
    Value other = chain.asF32Vector(builder, loc, choiceRoot(factor, Views | FloatCasts, layer.choices.k));
    RankedTensorType type = tensorType(vector).hasStaticShape() ? tensorType(vector) : tensorType(other);
    vector = makeNode(builder, loc, "Mul", 14, {vector, other}, type);
  }
  return vector;
}

/// `weights` of choices times the number of each choice's expert.
static Value scaleWeights(const RoutedFfn &ffn, OpBuilder &builder, Location loc, LayerBuilder &chain, Value weights, Value ids) {
  if (ffn.scales.empty())
    return weights;
  RankedTensorType type = tensorType(ids);
  SmallVector<float> numbers(ffn.scales.begin(), ffn.scales.end());
  auto table = RankedTensorType::get({static_cast<int64_t>(numbers.size())}, builder.getF32Type());
  Value stored = arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(table, ArrayRef<float>(numbers)));
  // Who is no expert has number -1, the last of the table, and no row.
  Value scales = makeNode(builder, loc, "Gather", 13, {stored, ids}, type.clone(builder.getF32Type()), builder.getNamedAttr("axis", builder.getI64IntegerAttr(0)));
  Value vector = chain.asF32Vector(builder, loc, scales);
  return makeNode(builder, loc, "Mul", 14, {weights, vector}, tensorType(weights).hasStaticShape() ? tensorType(weights) : tensorType(vector));
}

/// `result` and what experts without weights add: each token times the weights of its choices that name one of them. `ids` are [T, K], as they were.
static Value addPassed(const RoutedLayer &layer, OpBuilder &builder, Location loc, LayerBuilder &chain, Value result, Value x, Value ids, Value weights) {
  const int64_t experts = layer.ffn.gate.experts;
  RankedTensorType type = tensorType(ids), flags = type.clone(builder.getI1Type());
  auto number = [&](Type element, TypedAttr value) { return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(RankedTensorType::get({}, element), Attribute(value))); };
  auto id = [&](int64_t value) { return number(type.getElementType(), builder.getIntegerAttr(type.getElementType(), value)); };
  Value passes = makeNode(builder, loc, "And", 7, {makeNode(builder, loc, "GreaterOrEqual", 16, {ids, id(experts)}, flags),
                                                   makeNode(builder, loc, "Less", 13, {ids, id(experts + layer.passing)}, flags)}, flags);
  weights = chain.asMatrix(builder, loc, weights, layer.choices.k);
  Value own = makeNode(builder, loc, "Where", 16, {passes, weights, number(builder.getF32Type(), builder.getF32FloatAttr(0))}, tensorType(weights));
  const int64_t rows = tensorType(x).getDimSize(0);
  Value factor = makeNode(builder, loc, "ReduceSum", 13, {own, makeInts(builder, loc, {1})}, RankedTensorType::get({rows, 1}, builder.getF32Type()),
                          builder.getNamedAttr("keepdims", builder.getI64IntegerAttr(1)));
  Value wide = chain.asF32(builder, loc, x);
  Value passed = makeNode(builder, loc, "Mul", 14, {wide, factor}, tensorType(wide));
  return makeNode(builder, loc, "Add", 14, {result, LayerBuilder::castTo(builder, loc, passed, tensorType(result).getElementType())}, tensorType(result));
}

/// Replaces the sum by the chain; returns what now takes the sum's place.
static Value replaceRoutedLayer(RoutedLayer &layer, LayerBuilder &chain) {
  OnnxOp sum = layer.choices.sum;
  Location loc = sum.getLoc();
  OpBuilder builder(sum);
  const RoutedFfn &ffn = layer.ffn;
  const int64_t k = layer.choices.k, hidden = layer.choices.hidden;
  SmallVector<Value> named = {ffn.gate.weight, ffn.up ? ffn.up->weight : Value(), ffn.down.weight};
  named.append(layer.pieces.gate);
  named.append(layer.pieces.down);
  std::string name = chain.nameLayer(named, layer.indices);
  Value x = chain.asMatrix(builder, loc, layer.x, hidden);
  Value weights = layer.weights && !layer.scored ? choiceRoot(layer.weights, Views | FloatCasts, k) : Value();
  Value ids = layer.gated  ? idsOfGates(builder, loc, chain, layer, weights)
              : layer.mask ? idsOfMask(builder, loc, layer.mask, k, ffn.gate.experts)
                           : chain.asMatrix(builder, loc, choiceRoot(layer.indices, Views | IntCasts, k), k);
  const Value given = ids;
  if (layer.gated)
    weights = chain.asMatrix(builder, loc, weights, k);
  else if (!layer.compared)
    ids = keepInRange(builder, loc, ids, ffn.gate.experts);
  else if (!layer.mask)
    ids = withoutOthers(builder, loc, ids, ffn.gate.experts);
  if (layer.scored) {
    Value scores = chain.asMatrix(builder, loc, layer.weights, ffn.gate.experts);
    weights = makeNode(builder, loc, "GatherElements", 13, {scores, ids}, tensorType(ids).clone(tensorType(scores).getElementType()),
                       builder.getNamedAttr("axis", builder.getI64IntegerAttr(1)));
  }
  if (layer.function != MapFunction::None || layer.scalesInput)
    weights = applyFunction(builder, loc, chain.asMatrix(builder, loc, weights, k), layer.function);
  Value vector = combineWeights(layer, builder, loc, chain, weights, ids);
  if (layer.requireEqual)
    requireEqualCounts(builder, loc, name, x, ids, vector, k);
  if (layer.scalesInput) {
    // A token and choice is a row of its own, with one expert and weight 1.
    x = scaleRows(builder, loc, chain, x, weights, k);
    ids = chain.asMatrix(builder, loc, ids, 1);
    vector = chain.asF32Vector(builder, loc, onesFor(builder, loc, ids));
  }
  // Once per token, where that is the same.
  if (auto shared = takeSharedInput(layer.ffn.steps))
    x = roundRows(builder, loc, x, *shared);
  vector = scaleWeights(ffn, builder, loc, chain, vector, ids);
  Assignments list = LayerBuilder::assign(builder, loc, ids);
  RankedTensorType sumType = tensorType(sum->getResult(0));
  const bool ownShape = sumType.getRank() != 2 || layer.scalesInput;
  auto resultType = RankedTensorType::get({ownShape ? tensorType(x).getDimSize(0) : sumType.getDimSize(0), hidden}, sumType.getElementType());
  Value result = chain.experts(builder, loc, x, list, vector, expertWeights(ffn, layer.pieces, builder, chain, name),
                               OriginAttr::get(builder.getContext(), name, layer.form), resultType);
  if (layer.scalesInput && k > 1) {
    const int64_t rows = resultType.isDynamicDim(0) ? ShapedType::kDynamic : resultType.getDimSize(0) / k;
    result = chain.reshape(builder, loc, result, {-1, k, hidden}, RankedTensorType::get({rows, k, hidden}, resultType.getElementType()));
    result = makeNode(builder, loc, "ReduceSum", 13, {result, makeInts(builder, loc, {1})},
                      RankedTensorType::get({rows, hidden}, resultType.getElementType()),
                      builder.getNamedAttr("keepdims", builder.getI64IntegerAttr(0)));
  }
  if (layer.passing > 0)
    result = addPassed(layer, builder, loc, chain, result, x, given, vector);
  result = finishResult(layer, builder, chain, result);
  sum->getResult(0).replaceAllUsesWith(result);
  eraseDead(sum.getOperation());
  return result;
}

void replaceRoutedLayers(MutableArrayRef<RoutedLayer> layers, LayerBuilder &chain) {
  // A layer may read the sum of an earlier one, which is gone by then.
  DenseMap<Value, Value> replaced;
  for (RoutedLayer &layer : layers) {
    for (Value *input : {&layer.x, &layer.indices, &layer.weights, &layer.mask, &layer.start, &layer.leadingOf})
      if (Value now = *input ? replaced.lookup(*input) : Value())
        *input = now;
    for (MutableArrayRef<Value> values : {MutableArrayRef<Value>(layer.factors), MutableArrayRef<Value>(layer.picks)})
      for (Value &value : values)
        if (Value now = replaced.lookup(value))
          value = now;
    Value sum = layer.choices.sum->getResult(0);
    Value result = replaceRoutedLayer(layer, chain);
    replaced[sum] = result;
  }
}

/// The nearest node behind which rows are integers, among those that `candidate` is made by; null where there is none.
static OnnxOp roundedRows(Operation *candidate) {
  constexpr size_t most = 32; // nodes of one expert; beyond lies what is in front of the layer
  static constexpr StringLiteral names[] = {"MatMulInteger", "QLinearMatMul", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QGemm", "QuantizeLinear", "DynamicQuantizeLinear"};
  SmallVector<Operation *> nodes = {candidate};
  DenseSet<Operation *> seen = {candidate};
  for (size_t i = 0; i < nodes.size() && nodes.size() < most; ++i)
    for (Value operand : nodes[i]->getOperands()) {
      auto node = operand.getDefiningOp<OnnxOp>();
      if (!node || !seen.insert(node).second)
        continue;
      if (llvm::is_contained(names, node.getOpType()))
        return node;
      nodes.push_back(node);
    }
  return {};
}

void remarkMiss(bool wanted, Operation *candidate, Operation *at, StringRef why, StringRef what) {
  LLVM_DEBUG(llvm::dbgs() << "not a layer: " << why << " at " << *(at ? at : candidate) << "\n");
  if (!wanted || why.empty())
    return;
  // Rounding in a place where layers have none hides what is behind it, so that the reason alone may mislead.
  // In a long sum the node that was missed is nearer to it.
  OnnxOp rounded = what == "router" ? OnnxOp() : roundedRows(candidate);
  if (!rounded && what != "router" && at)
    rounded = roundedRows(at);
  if (rounded) {
    InFlightDiagnostic remark = candidate->emitRemark() << what << " not raised: rows are rounded to integers as the model runs (" << rounded.getOpType()
                                                        << "), which a layer of ours does only in front of and behind its products: " << why << "; its ops are computed as they stand";
    remark.attachNote(rounded.getLoc()) << "at this node";
    return;
  }
  InFlightDiagnostic remark = candidate->emitRemark() << what << " not raised: " << why;
  if (at && at != candidate)
    remark.attachNote(at->getLoc()) << "at this node";
}

} // namespace moe::raise
