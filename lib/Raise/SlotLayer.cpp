// Experts on slots: what fills slots, and the moe.experts that takes the experts' place.
#include "SlotLayer.h"

using namespace mlir;

namespace moe::raise {

//===-- What fills slots -------------------------------------------------===//

/// The node above views, casts and transposes.
static OnnxOp movedFrom(Value value) {
  while (true) {
    value = peel(value, Views | FloatCasts);
    OnnxOp transpose = definedBy(value, "Transpose");
    if (!transpose)
      return value.getDefiningOp<OnnxOp>();
    value = transpose.getInputs()[0];
  }
}

static bool isStored(Value value) { return static_cast<bool>(storedTensor(peel(value, Views | FloatCasts))); }

/// Are these indices made by a node, and not known before the model runs?
static bool areComputed(Value indices) {
  Value root = peel(indices, Views | AllCasts);
  return root.getDefiningOp<OnnxOp>() && !constantInts(indices);
}

/// Does `op` put computed rows where computed indices say?
static bool placesRows(OnnxOp op) {
  if (isNode(op, "ScatterND") || isNode(op, "ScatterElements"))
    return op.getInputs().size() == 3 && areComputed(op.getInputs()[1]) && !isStored(op.getInputs()[2]);
  if (isNode(op, "Gather") || isNode(op, "GatherND") || isNode(op, "GatherElements"))
    return op.getInputs().size() == 2 && areComputed(op.getInputs()[1]) && !isStored(op.getInputs()[0]);
  return false;
}

StringRef dispatchForm(Value slots) {
  OnnxOp op = movedFrom(slots);
  // Behind the slots may lie one for tokens that found no place.
  if (op && isNode(op, "Slice"))
    op = movedFrom(op.getInputs()[0]);
  if (!op)
    return {};
  if (placesRows(op))
    return "padded";
  // Rows scattered into zeros are added to what is there so far.
  if (isNode(op, "Add"))
    return llvm::any_of(op.getInputs(),
                        [](Value input) {
                          OnnxOp scatter = movedFrom(input);
                          return scatter && (isNode(scatter, "ScatterND") || isNode(scatter, "ScatterElements")) && placesRows(scatter);
                        })
               ? "padded"
               : "";
  if (!(isNode(op, "MatMul") || isNode(op, "Einsum") || isNode(op, "Gemm")) || op.getInputs().size() != 2 || llvm::any_of(op.getInputs(), isStored))
    return {};
  const bool isSoft = llvm::any_of(op.getInputs(), [](Value input) {
    OnnxOp dispatch = movedFrom(input);
    return dispatch && isNode(dispatch, "Softmax");
  });
  return isSoft ? "soft" : "padded";
}

//===-- The layer --------------------------------------------------------===//

/// `value` with its dim `from` moved to `to`.
static Value moveDim(OpBuilder &builder, Location loc, Value value, int64_t from, int64_t to) {
  if (from == to)
    return value;
  RankedTensorType type = tensorType(value);
  SmallVector<int64_t> order, shape;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (dim != from)
      order.push_back(dim);
  order.insert(order.begin() + to, from);
  for (int64_t dim : order)
    shape.push_back(type.getDimSize(dim));
  return makeNode(builder, loc, "Transpose", 13, {value}, type.clone(shape), builder.getNamedAttr("perm", builder.getDenseI64ArrayAttr(order)));
}

/// `value` as [E, R, columns]; its first dim holds as many indices of each expert.
static Value joinRows(OpBuilder &builder, Location loc, Value value, int64_t experts) {
  RankedTensorType type = tensorType(value);
  if (type.getRank() == 3 && type.getDimSize(0) == experts)
    return value;
  const int64_t columns = type.getShape().back(), rows = type.hasStaticShape() ? type.getNumElements() / experts / columns : ShapedType::kDynamic;
  return LayerBuilder::reshape(builder, loc, value, {experts, -1, columns}, type.clone({experts, rows, columns}));
}

/// `value` [E, R, columns] with the rows' dims of `like`.
static Value splitRows(OpBuilder &builder, Location loc, Value value, Value like) {
  RankedTensorType type = tensorType(value), likeType = tensorType(like);
  const int64_t rank = likeType.getRank(), columns = type.getShape().back();
  if (rank == 3 && type.getDimSize(0) == likeType.getDimSize(0))
    return value;
  SmallVector<int64_t> shape(likeType.getShape());
  shape.back() = columns;
  auto ints = [&](int64_t size) { return RankedTensorType::get({size}, builder.getI64Type()); };
  Value dims = makeNode(builder, loc, "Shape", 15, {like}, ints(rank - 1), builder.getNamedAttr("end", builder.getI64IntegerAttr(-1)));
  Value target = makeNode(builder, loc, "Concat", 13, {dims, makeInts(builder, loc, {columns})}, ints(rank), builder.getNamedAttr("axis", builder.getI64IntegerAttr(0)));
  return makeNode(builder, loc, "Reshape", 14, {value, target}, type.clone(shape));
}

/// offset[e] = e·R for rows [E, R, H].
static Value paddedOffsets(OpBuilder &builder, Location loc, Value rows) {
  RankedTensorType type = tensorType(rows);
  const int64_t experts = type.getDimSize(0), each = type.getDimSize(1);
  auto vector = [&](Type element) { return RankedTensorType::get({experts + 1}, element); };
  if (!type.isDynamicDim(1)) {
    SmallVector<int32_t> starts;
    for (int64_t expert = 0; expert <= experts; ++expert)
      starts.push_back(static_cast<int32_t>(expert * each));
    return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(vector(builder.getI32Type()), ArrayRef<int32_t>(starts)));
  }
  auto numbers = llvm::to_vector(llvm::seq<int64_t>(0, experts + 1));
  Value expert = arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(vector(builder.getI64Type()), ArrayRef<int64_t>(numbers)));
  Value size = makeNode(builder, loc, "Shape", 15, {rows}, RankedTensorType::get({1}, builder.getI64Type()),
                        {builder.getNamedAttr("start", builder.getI64IntegerAttr(1)), builder.getNamedAttr("end", builder.getI64IntegerAttr(2))});
  Value starts = makeNode(builder, loc, "Mul", 14, {expert, size}, vector(builder.getI64Type()));
  constexpr int64_t onnxInt32 = 6;
  return makeNode(builder, loc, "Cast", 13, {starts}, vector(builder.getI32Type()), builder.getNamedAttr("to", builder.getI64IntegerAttr(onnxInt32)));
}

/// The results [E, R, columns] as one tensor of the type of the layer's: pieces of each expert, joined.
static Value joinPieces(OpBuilder &builder, Location loc, Value value, const SlotLayer &layer, RankedTensorType type) {
  auto sizes = [](ArrayRef<int64_t> dims) {
    return llvm::map_to_vector(dims, [](int64_t size) { return ShapedType::isDynamic(size) ? -1 : size; });
  };
  SmallVector<int64_t> stacked = layer.piece;
  stacked.insert(stacked.begin(), layer.ffn.gate.experts);
  value = LayerBuilder::reshape(builder, loc, value, sizes(stacked), type.clone(tensorType(value).getElementType()).clone(stacked));
  value = moveDim(builder, loc, value, 0, layer.join);
  return LayerBuilder::reshape(builder, loc, value, sizes(type.getShape()), type.clone(tensorType(value).getElementType()));
}

static Value replaceSlotLayer(const SlotLayer &layer, LayerBuilder &chain) {
  OnnxOp op = layer.op;
  const RoutedFfn &ffn = layer.ffn;
  Location loc = op.getLoc();
  OpBuilder builder(op);
  SmallVector<Value> named = {ffn.gate.weight, ffn.up ? ffn.up->weight : Value(), ffn.down.weight};
  named.append(layer.pieces.gate);
  named.append(layer.pieces.down);
  std::string name = chain.nameLayer(named, layer.slots);
  Value grouped = moveDim(builder, loc, chain.asF32(builder, loc, layer.slots), layer.dim, 0);
  Value rows = joinRows(builder, loc, grouped, ffn.gate.experts);
  Value offset = paddedOffsets(builder, loc, rows);
  auto stored = [&](Value value, StringRef part) { return value ? chain.storedWeight(builder, value, name + "." + part.str()) : Value(); };
  ExpertWeights weights = expertWeights(ffn, layer.pieces, builder, chain, name);
  SmallVector<int64_t> shape(tensorType(rows).getShape());
  shape.back() = ffn.down.out;
  Value y = ExpertsOp::create(builder, loc, tensorType(rows).clone(shape), rows, offset, stored(weights.gate, "gate"), stored(weights.gateBias, "gate_bias"),
                              stored(weights.up, "up"), stored(weights.upBias, "up_bias"), stored(weights.down, "down"),
                              stored(weights.downBias, "down_bias"), ValueRange{}, weights.ffn, weights.order, orderOfDown(builder, weights),
                              OriginAttr::get(builder.getContext(), name, layer.form), PlanAttr(), weights.steps)
                .getResult();
  RankedTensorType type = tensorType(op->getResult(0));
  y = layer.piece.empty() ? moveDim(builder, loc, splitRows(builder, loc, y, grouped), 0, layer.dim) : joinPieces(builder, loc, y, layer, type);
  y = chain.castTo(builder, loc, y, type.getElementType());
  op->getResult(0).replaceAllUsesWith(y);
  eraseDead(op.getOperation());
  return y;
}

void replaceSlotLayers(MutableArrayRef<SlotLayer> layers, LayerBuilder &chain) {
  // A layer may read the results of an earlier one, which are gone by then.
  DenseMap<Value, Value> replaced;
  for (SlotLayer &layer : layers) {
    if (Value now = replaced.lookup(layer.slots))
      layer.slots = now;
    Value result = layer.op->getResult(0);
    Value now = replaceSlotLayer(layer, chain);
    replaced[result] = now;
  }
}

} // namespace moe::raise
