// Capacity, choice and soft forms: each expert has C slots, and a product or a lookup filled them from the tokens.
//
// Switch, GShard and V-MoE write a one-hot dispatch (tokens to slots) and a weighted combine (slots to tokens); Soft MoE writes a Softmax over the
// tokens and one over the slots; where experts choose tokens, a lookup by the indices of a TopK fills the slots. All of these stay what they are; what
// lies between is E batched experts on E×C×H rows, and that is moe.experts with padded rows. Raised only where a product of two computed tensors or such
// a lookup made the rows: a batched MLP of anything else (one per head, say) is no MoE layer.
#include "AllExpertsMatcher.h"
#include "RoutedLayer.h"
#include "moe/Raise/Passes.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_RAISEPADDEDEXPERTS
#include "moe/Raise/Passes.h.inc"

namespace raise {
namespace {

/// One layer: `op` gives the experts' results [E, C, H], or with dims for groups of tokens: [E, G, C, H], [G, E, C, H].
struct PaddedLayer {
  OnnxOp op;
  RoutedFfn ffn;
  StringRef form;
};

class PaddedMatcher : public AllExpertsMatcher {
public:
  using AllExpertsMatcher::AllExpertsMatcher;

  std::optional<PaddedLayer> match(OnnxOp op);
  /// Did the match get as far as two products with the matrices of E experts, on slots where they make no whole expert?
  bool sawExperts() const { return sawFfn; }

private:
  StringRef formOf(Value rows);

  bool sawFfn = false;
};

} // namespace

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

/// Is `node` a lookup in computed rows by the indices of a TopK, as experts choose tokens? `index` may be repeated along the columns.
static bool looksUpChosen(OnnxOp node) {
  if (!node || !(isNode(node, "Gather") || isNode(node, "GatherND") || isNode(node, "GatherElements")) ||
      storedTensor(peel(node.getInputs()[0], Views | FloatCasts | Transposes)))
    return false;
  constexpr unsigned anywhere = Views | IntCasts | Transposes;
  Value index = peel(node.getInputs()[1], anywhere);
  if (auto repeat = index.getDefiningOp<OnnxOp>(); repeat && (isNode(repeat, "Expand") || isNode(repeat, "Tile")))
    index = peel(repeat.getInputs()[0], anywhere);
  return definedBy(index, "TopK") && cast<OpResult>(index).getResultNumber() == 1;
}

/// "soft" or "padded" where a product of two computed tensors or the choice of tokens filled the slots; else empty.
StringRef PaddedMatcher::formOf(Value rows) {
  OnnxOp product = movedFrom(rows);
  if (looksUpChosen(product))
    return "padded";
  if (!product || !(isNode(product, "MatMul") || isNode(product, "Einsum")) || product.getInputs().size() != 2 ||
      llvm::any_of(product.getInputs(), [](Value input) { return static_cast<bool>(storedTensor(peel(input, Views | FloatCasts))); })) {
    miss(product, "the rows of the experts are neither a product of a dispatch with tokens nor tokens that a TopK chose");
    return {};
  }
  const bool isSoft = llvm::any_of(product.getInputs(), [](Value input) {
    OnnxOp dispatch = movedFrom(input);
    return dispatch && isNode(dispatch, "Softmax");
  });
  return isSoft ? "soft" : "padded";
}

std::optional<PaddedLayer> PaddedMatcher::match(OnnxOp op) {
  const bool isProduct = isNode(op, "MatMul") || isNode(op, "Einsum");
  if (!(isProduct || isNode(op, "Add")) || op.getInputs().size() != 2 || !tensorType(op->getResult(0)))
    return std::nullopt;
  RankedTensorType type = tensorType(op->getResult(0));
  if (type.getRank() < 3)
    return std::nullopt;
  // A product whose bias follows is read with it.
  if (isProduct && op->getResult(0).hasOneUse())
    if (auto add = dyn_cast<OnnxOp>(*op->getResult(0).user_begin()); add && isNode(add, "Add"))
      for (Value addend : add.getInputs())
        if (addend != op->getResult(0) && isBias(addend))
          return std::nullopt;
  auto ffn = matchFfn(op->getResult(0));
  sawFfn = ffn || (firstRows && !formOf(firstRows).empty());
  if (!ffn)
    return std::nullopt;
  if (!ffn->scales.empty())
    return miss(op, "the results of experts on slots are scaled");
  Value rows = ffn->gate.rows;
  const int64_t experts = ffn->gate.experts;
  if (ffn->up && (flatRoot(ffn->up->rows) != flatRoot(rows) || tensorType(ffn->up->rows) != tensorType(rows)))
    return miss(op, "gate and up read different rows");
  if (ffn->gate.sharesRows || ffn->down.experts != experts || (ffn->up && ffn->up->experts != experts))
    return miss(op, "the experts do not have rows of their own");
  StringRef form = formOf(rows);
  if (form.empty())
    return std::nullopt;
  const bool keepsDims = ffn->down.place.dim == ffn->gate.rowsPlace.dim && proof.sameLeading(rows, op->getResult(0)) &&
                         proof.sameShape(ffn->down.result, op->getResult(0));
  if (!keepsDims)
    return miss(op, "the results of the experts do not have the dims of their rows");
  if (tensorType(rows).hasStaticShape() && tensorType(rows).getNumElements() / tensorType(rows).getShape().back() > INT32_MAX)
    return miss(op, "there are more slots than can be numbered");
  Type element = type.getElementType();
  auto fits = [&](Value value) { return !value || tensorType(value).getElementType() == element; };
  const RoutedFfn &parts = *ffn;
  if (!fits(rows) || !fits(parts.gate.weight) || !fits(parts.gate.bias) || !fits(parts.down.weight) || !fits(parts.down.bias) ||
      (parts.up && (!fits(parts.up->weight) || !fits(parts.up->bias))))
    return miss(op, "rows and weights have different element types");
  return PaddedLayer{op, parts, form};
}

static Value makeNode(OpBuilder &builder, Location loc, StringRef type, int64_t version, ValueRange inputs, RankedTensorType result,
                      ArrayRef<NamedAttribute> attributes = {}) {
  return OnnxOp::create(builder, loc, TypeRange{result}, type, inputs, "", version, builder.getDictionaryAttr(attributes), 0)->getResult(0);
}

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

/// `value` [E, …, columns] as [E, R, columns].
static Value joinRows(OpBuilder &builder, Location loc, Value value, int64_t experts) {
  RankedTensorType type = tensorType(value);
  if (type.getRank() == 3)
    return value;
  const int64_t columns = type.getShape().back(), rows = type.hasStaticShape() ? type.getNumElements() / experts / columns : ShapedType::kDynamic;
  return LayerBuilder::reshape(builder, loc, value, {experts, -1, columns}, type.clone({experts, rows, columns}));
}

/// `value` [E, R, columns] with the rows' dims of `like`.
static Value splitRows(OpBuilder &builder, Location loc, Value value, Value like) {
  RankedTensorType type = tensorType(value), likeType = tensorType(like);
  const int64_t rank = likeType.getRank(), columns = type.getShape().back();
  if (rank == 3)
    return value;
  SmallVector<int64_t> shape(likeType.getShape());
  shape.back() = columns;
  auto ints = [&](int64_t size) { return RankedTensorType::get({size}, builder.getI64Type()); };
  Value dims = makeNode(builder, loc, "Shape", 15, {like}, ints(rank - 1), builder.getNamedAttr("end", builder.getI64IntegerAttr(-1)));
  Value last = arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(ints(1), ArrayRef<int64_t>(columns)));
  Value target = makeNode(builder, loc, "Concat", 13, {dims, last}, ints(rank), builder.getNamedAttr("axis", builder.getI64IntegerAttr(0)));
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

static void replacePadded(const PaddedLayer &layer, LayerBuilder &chain) {
  OnnxOp op = layer.op;
  const RoutedFfn &ffn = layer.ffn;
  Location loc = op.getLoc();
  OpBuilder builder(op);
  std::string name = chain.nameLayer({ffn.gate.weight, ffn.up ? ffn.up->weight : Value(), ffn.down.weight}, ffn.gate.rows);
  const int64_t experts = ffn.gate.experts, dim = ffn.gate.rowsPlace.dim;
  Value grouped = moveDim(builder, loc, chain.asF32(builder, loc, ffn.gate.rows), dim, 0);
  Value rows = joinRows(builder, loc, grouped, experts);
  Value offset = paddedOffsets(builder, loc, rows);
  auto stored = [&](Value value, StringRef part) { return chain.storedWeight(builder, value, name + "." + part.str()); };
  auto bias = [&](const RoutedProduct &product, StringRef part) {
    return stored(chain.storedAs(builder, product.bias, {product.experts, product.out}), part);
  };
  SmallVector<int64_t> shape(tensorType(rows).getShape());
  shape.back() = ffn.down.out;
  Value y = ExpertsOp::create(builder, loc, tensorType(rows).clone(shape), rows, offset, stored(ffn.gate.weight, "gate"), bias(ffn.gate, "gate_bias"),
                              ffn.up ? stored(ffn.up->weight, "up") : Value(), ffn.up ? bias(*ffn.up, "up_bias") : Value(),
                              stored(ffn.down.weight, "down"), bias(ffn.down, "down_bias"), ValueRange{}, ffn.ffn, ffn.gate.order,
                              OriginAttr::get(builder.getContext(), name, layer.form), PlanAttr())
                .getResult();
  y = moveDim(builder, loc, splitRows(builder, loc, y, grouped), 0, dim);
  RankedTensorType type = tensorType(op->getResult(0));
  y = chain.castTo(builder, loc, y, type.getElementType());
  op->getResult(0).replaceAllUsesWith(y);
  eraseDead(op.getOperation());
}

namespace {
struct RaisePaddedExperts : impl::RaisePaddedExpertsBase<RaisePaddedExperts> {
  using Base::Base;

  void runOnOperation() override {
    LayerBuilder chain(getOperation());
    LogicalResult result = forEachOnnxFunction(getOperation(), [&](func::FuncOp function, const SizeProof &proof) {
      std::vector<PaddedLayer> layers;
      function.walk([&](OnnxOp op) {
        PaddedMatcher matcher(proof);
        if (auto layer = matcher.match(op))
          layers.push_back(*layer);
        else
          remarkMiss(remarks && matcher.sawExperts(), op, matcher.missedAt(), matcher.missed());
      });
      for (const PaddedLayer &layer : layers)
        replacePadded(layer, chain);
    });
    if (failed(result))
      signalPassFailure();
  }
};
} // namespace
} // namespace raise
} // namespace moe
