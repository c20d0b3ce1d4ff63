// Emits the moe chain of one layer: the one place that knows its shape.
#include "LayerBuilder.h"

#include "OnnxMatch.h"
#include "WeightViews.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace moe::raise {

LayerBuilder::LayerBuilder(ModuleOp module) : module(module), symbols(module) {
  module.walk([&](Operation *op) {
    if (auto origin = op->getAttrOfType<OriginAttr>("origin"))
      names.insert(origin.getName());
  });
}

//===-- Names -------------------------------------------------------------===//

/// The name that the model gives a weight: its symbol, or the location of a small constant; empty without one.
static StringRef weightName(Value value) {
  Operation *op = value ? peel(value, Views | FloatCasts).getDefiningOp() : nullptr;
  if (auto reference = dyn_cast_or_null<WeightRefOp>(op))
    return reference.getWeight();
  auto constant = dyn_cast_or_null<arith::ConstantOp>(op);
  auto name = constant ? constant->getLoc()->findInstanceOf<NameLoc>() : NameLoc();
  return name ? name.getName().getValue() : StringRef();
}

/// `name` without its last component ("a.b.c" → "a.b"); empty if it has only one.
static StringRef parentPath(StringRef name) {
  size_t end = name.find_last_of("./");
  return end == StringRef::npos ? StringRef() : name.take_front(end);
}

static StringRef commonPath(StringRef a, StringRef b) {
  while (!a.empty() && a != b && !(b.starts_with(a) && StringRef("./").contains(b[a.size()])))
    a = parentPath(a);
  return a;
}

/// The path of the router's weight, whose name says the layer ("….mlp.gate.weight" → "….mlp"): the one that the nearest product above `from`
/// reads. Empty where there is none within `limit` nodes.
static StringRef routerPath(Value from, unsigned limit) {
  llvm::SmallSetVector<Operation *, 32> seen;
  if (from && from.getDefiningOp())
    seen.insert(from.getDefiningOp());
  for (unsigned i = 0; i < seen.size() && i < limit; ++i) {
    auto node = dyn_cast<OnnxOp>(seen[i]);
    if (node && (isNode(node, "Gemm") || isNode(node, "MatMul"))) {
      for (Value operand : node.getInputs().take_front(2)) {
        StringRef path = parentPath(parentPath(weightName(operand)));
        if (!path.empty())
          return path;
      }
      continue;
    }
    for (Value operand : seen[i]->getOperands())
      if (auto producer = operand.getDefiningOp<OnnxOp>())
        seen.insert(producer);
  }
  return {};
}

std::string LayerBuilder::uniqueName(StringRef wanted) {
  std::string name = wanted.str();
  for (unsigned i = 1; !names.insert(name).second; ++i)
    name = (wanted + "_" + Twine(i)).str();
  return name;
}

std::string LayerBuilder::nameLayer(ArrayRef<Value> weights, Value routing) {
  StringRef path;
  bool first = true;
  for (Value weight : weights) {
    if (!weight)
      continue;
    StringRef parent = parentPath(weightName(weight));
    path = first ? parent : commonPath(path, parent);
    first = false;
  }
  if (path.empty())
    path = routerPath(routing, 64);
  if (!path.empty())
    return uniqueName(path);
  std::string name;
  do
    name = "moe_layer_" + std::to_string(unnamed++);
  while (!names.insert(name).second);
  return name;
}

//===-- ONNX glue ---------------------------------------------------------===//

Value makeNode(OpBuilder &builder, Location loc, StringRef type, int64_t version, ValueRange inputs, RankedTensorType result,
               ArrayRef<NamedAttribute> attributes) {
  return OnnxOp::create(builder, loc, TypeRange{result}, type, inputs, "", version, builder.getDictionaryAttr(attributes), 0)->getResult(0);
}

Value makeInts(OpBuilder &builder, Location loc, ArrayRef<int64_t> numbers) {
  auto type = RankedTensorType::get({static_cast<int64_t>(numbers.size())}, builder.getI64Type());
  return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(type, numbers));
}

Value LayerBuilder::reshape(OpBuilder &builder, Location loc, Value value, ArrayRef<int64_t> shape, RankedTensorType type) {
  return makeNode(builder, loc, "Reshape", 14, {value, makeInts(builder, loc, shape)}, type);
}

/// The number of rows of `columns` elements that a tensor has, if static.
static int64_t rowsOf(RankedTensorType type, int64_t columns) {
  return type.hasStaticShape() && columns > 0 ? type.getNumElements() / columns : ShapedType::kDynamic;
}

Value LayerBuilder::asMatrix(OpBuilder &builder, Location loc, Value value, int64_t columns) {
  RankedTensorType type = tensorType(value);
  if (type.getRank() == 2 && type.getDimSize(1) == columns)
    return value;
  return reshape(builder, loc, value, {-1, columns}, RankedTensorType::get({rowsOf(type, columns), columns}, type.getElementType()));
}

Value LayerBuilder::castTo(OpBuilder &builder, Location loc, Value value, Type element) {
  RankedTensorType type = tensorType(value);
  if (type.getElementType() == element)
    return value;
  // Numbers of TensorProto.DataType.
  const int64_t onnxType = element.isF16() ? 10 : element.isBF16() ? 16 : 1;
  NamedAttribute to = builder.getNamedAttr("to", builder.getI64IntegerAttr(onnxType));
  return makeNode(builder, loc, "Cast", 13, {value}, type.clone(element), to);
}

Value LayerBuilder::asF32(OpBuilder &builder, Location loc, Value value) { return castTo(builder, loc, value, builder.getF32Type()); }

Value LayerBuilder::asF32Vector(OpBuilder &builder, Location loc, Value value) {
  value = asF32(builder, loc, value);
  RankedTensorType type = tensorType(value);
  if (type.getRank() == 1)
    return value;
  return reshape(builder, loc, value, {-1}, RankedTensorType::get({rowsOf(type, 1)}, type.getElementType()));
}

//===-- The chain ---------------------------------------------------------===//

static Assignments makeAssignments(Operation *op) {
  return {op->getResult(0), op->getResult(1), op->getResult(2), op->getResult(3)};
}

/// Types of an assignment list of `rows` tokens with `k` choices each.
static SmallVector<Type> assignmentTypes(Builder &builder, int64_t rows, int64_t k) {
  int64_t count = ShapedType::isDynamic(rows) ? rows : rows * k;
  Type ids = RankedTensorType::get({count}, builder.getI32Type());
  return {ids, ids, ids, RankedTensorType::get({count}, builder.getI1Type())};
}

Routing Routing::of(RouterAttr router) {
  Routing routing;
  routing.function = router.getFunction();
  routing.k = router.getK();
  routing.source = router.getSource();
  routing.norm = router.getNorm();
  routing.scale = router.scaleValue();
  return routing;
}

Assignments LayerBuilder::route(OpBuilder &builder, Location loc, Value logits, const Routing &routing, Value &weights) {
  RankedTensorType type = tensorType(logits);
  const int64_t rows = type.getDimSize(0), k = routing.k;
  auto score = ScoreOp::create(builder, loc, type, type, logits, /*noise=*/Value(), routing.bias, /*valid=*/Value(), routing.function,
                               ScoreAxis::Expert, llvm::APFloat(1.0), NoiseTarget::None, routing.basis, FloatAttr(), IntegerAttr());
  SmallVector<Type> types = assignmentTypes(builder, rows, k);
  types.push_back(RankedTensorType::get({rows, 2}, builder.getF32Type()));
  const FloatAttr jitter = routing.jitter ? builder.getF64FloatAttr(*routing.jitter) : FloatAttr();
  auto select = SelectOp::create(builder, loc, TypeRange(types), score.getChoice(), /*ids=*/Value(), /*table=*/Value(), /*valid=*/Value(),
                                 /*groups_of=*/Value(), jitter ? SelectMode::SparseMixer : SelectMode::TopK, static_cast<uint64_t>(k),
                                 SelectSide::Token, /*threshold=*/FloatAttr(), jitter, /*epsilon=*/FloatAttr(), routing.groups, CapacityAttr(),
                                 /*group_size=*/IntegerAttr());
  Assignments list = makeAssignments(select);
  auto weightsType = RankedTensorType::get(tensorType(list.token).getShape(), builder.getF32Type());
  const bool readsLogits = routing.source == WeightSource::SoftmaxSelected && routing.function != ScoreFunction::Identity;
  weights = WeighOp::create(builder, loc, weightsType, readsLogits ? logits : score.getScores(), list.token, list.expert, list.rank, list.valid,
                            /*keep=*/Value(), routing.source, routing.norm, llvm::APFloat(routing.p), routing.epsilonMode,
                            llvm::APFloat(routing.epsilon), llvm::APFloat(routing.scale), jitter);
  return list;
}

Value LayerBuilder::chosenValues(OpBuilder &builder, Location loc, Assignments list) {
  auto type = RankedTensorType::get(tensorType(list.token).getShape(), builder.getF32Type());
  return WeighOp::create(builder, loc, type, list.token.getDefiningOp<SelectOp>().getChoice(), list.token, list.expert, list.rank, list.valid,
                         /*keep=*/Value(), WeightSource::Gather, WeightNorm::None, llvm::APFloat(1.0), EpsilonMode::None, llvm::APFloat(0.0),
                         llvm::APFloat(1.0), FloatAttr());
}

Assignments LayerBuilder::assign(OpBuilder &builder, Location loc, Value indices) {
  RankedTensorType type = tensorType(indices);
  return makeAssignments(AssignOp::create(builder, loc, assignmentTypes(builder, type.getDimSize(0), type.getDimSize(1)), indices));
}

Value LayerBuilder::storedWeight(OpBuilder &builder, Value value, StringRef name) {
  DenseElementsAttr elements;
  auto constant = value ? value.getDefiningOp<arith::ConstantOp>() : arith::ConstantOp();
  if (!constant || !(elements = dyn_cast<DenseElementsAttr>(constant.getValue())))
    return value;
  StringAttr &symbol = promoted[elements];
  if (!symbol) {
    OpBuilder top = OpBuilder::atBlockBegin(module.getBody());
    auto weight = WeightOp::create(top, constant.getLoc(), StringAttr::get(constant.getContext(), name), StringAttr(), TypeAttr::get(tensorType(value)), elements, PackingFamilyAttr(), ArrayAttr(),
                                   WeightOrderAttr(), GateLayoutAttr(), IntegerAttr(), IntegerAttr(), QuantAttr(), TypeAttr(), BlocksAttr());
    symbol = symbols.insert(weight);
  }
  return WeightRefOp::create(builder, constant.getLoc(), value.getType(), FlatSymbolRefAttr::get(symbol));
}

Value LayerBuilder::storedAs(OpBuilder &builder, Value value, ArrayRef<int64_t> shape) {
  if (!value || tensorType(value).getShape() == shape)
    return value;
  RankedTensorType type = tensorType(value).clone(shape);
  if (auto constant = value.getDefiningOp<arith::ConstantOp>())
    return arith::ConstantOp::create(builder, constant.getLoc(), cast<DenseElementsAttr>(constant.getValue()).reshape(type));
  Value view = viewWeight(builder, value, type);
  return view ? view : reshape(builder, value.getLoc(), value, shape, type);
}

Value LayerBuilder::stackQuantized(OpBuilder &builder, ArrayRef<Value> parts, StringRef name) {
  auto first = parts.front().getDefiningOp<DequantOp>();
  auto stacked = [&](unsigned operand, StringRef suffix) {
    Value own = first.getODSOperands(operand).empty() ? Value() : first.getODSOperands(operand).front();
    if (!own)
      return own;
    SmallVector<Value> values;
    for (Value part : parts)
      values.push_back(part.getDefiningOp<DequantOp>().getODSOperands(operand).front());
    return stackWeights(builder, values, tensorType(own).getShape(), (name + suffix).str());
  };
  SmallVector<int64_t> shape = {static_cast<int64_t>(parts.size())};
  llvm::append_range(shape, first.getType().getShape());
  Value codes = stacked(0, ".codes"), scales = stacked(1, ".scales"), zeros = stacked(2, ".zeros");
  return DequantOp::create(builder, first.getLoc(), first.getType().clone(shape), codes, scales, zeros, /*codebook=*/Value(), first.getFormatAttr(),
                           first.getAccuracyLevelAttr());
}

Value LayerBuilder::stackWeights(OpBuilder &builder, ArrayRef<Value> parts, ArrayRef<int64_t> dims, StringRef name) {
  if (parts.front().getDefiningOp<DequantOp>())
    return stackQuantized(builder, parts, name);
  SmallVector<Attribute> sources;
  Type element = tensorType(parts.front()).getElementType();
  for (Value part : parts) {
    Attribute source;
    if (auto constant = part.getDefiningOp<arith::ConstantOp>())
      source = constant.getValue();
    else
      source = symbols.lookup<WeightOp>(part.getDefiningOp<WeightRefOp>().getWeight()).getSourceAttr();
    if (auto elements = dyn_cast<DenseElementsAttr>(source))
      source = elements.reshape(RankedTensorType::get(dims, element));
    sources.push_back(source);
  }
  SmallVector<int64_t> shape = {static_cast<int64_t>(parts.size())};
  shape.append(dims.begin(), dims.end());
  auto type = RankedTensorType::get(shape, element);
  OpBuilder top = OpBuilder::atBlockBegin(module.getBody());
  auto weight = WeightOp::create(top, parts.front().getLoc(), builder.getStringAttr(name), StringAttr(), TypeAttr::get(type), builder.getArrayAttr(sources), PackingFamilyAttr(), ArrayAttr(),
                                 WeightOrderAttr(), GateLayoutAttr(), IntegerAttr(), IntegerAttr(), QuantAttr(), TypeAttr(), BlocksAttr());
  StringAttr symbol = symbols.insert(weight);
  return WeightRefOp::create(builder, parts.front().getLoc(), type, FlatSymbolRefAttr::get(symbol));
}

WeightOrderAttr orderOfDown(OpBuilder &builder, const ExpertWeights &weights) {
  const WeightOrder down = weights.downOrder.value_or(weights.order);
  return down == weights.order ? WeightOrderAttr() : WeightOrderAttr::get(builder.getContext(), down);
}

Value LayerBuilder::experts(OpBuilder &builder, Location loc, Value x, Assignments list, Value weights, ExpertWeights parts,
                            OriginAttr origin, RankedTensorType resultType) {
  // Kernels compute in f32; rows of f16 and bf16 are widened once, and the sum over a token's experts is rounded once.
  x = asF32(builder, loc, x);
  const RankedTensorType wanted = resultType;
  resultType = resultType.clone(builder.getF32Type());
  RankedTensorType xType = tensorType(x);
  const int64_t hidden = xType.getDimSize(1), expertCount = tensorType(parts.gate).getDimSize(0);
  const int64_t slots = tensorType(list.token).getDimSize(0);
  Type i32 = builder.getI32Type();
  auto vector = [](int64_t size, Type element) { return RankedTensorType::get({size}, element); };
  auto slotOp = SlotsOp::create(builder, loc,
                                TypeRange{vector(slots, i32), vector(slots, builder.getI1Type()), vector(expertCount, i32), vector(expertCount + 1, i32)},
                                list.token, list.expert, list.rank, list.valid, /*priority=*/Value(), /*groups_of=*/Value(),
                                static_cast<uint64_t>(expertCount), SlotOrder::TokenMajor, CapacityAttr(), /*pad_to=*/uint64_t(1),
                                SlotFit::PerRank, SlotLayout::Ragged, /*group_size=*/IntegerAttr());
  auto rowsType = RankedTensorType::get({slots, hidden}, xType.getElementType());
  Value rows = DispatchOp::create(builder, loc, rowsType, x, list.token, list.expert, slotOp.getSlot(), slotOp.getKeep(), slotOp.getOffset(),
                                  /*weights=*/Value(), SlotLayout::Ragged);
  auto stored = [&](Value value, StringRef part) { return storedWeight(builder, value, (origin.getName() + "." + part).str()); };
  Value gate = stored(parts.gate, "gate"), gateBias = stored(parts.gateBias, "gate_bias");
  Value up = stored(parts.up, "up"), upBias = stored(parts.upBias, "up_bias");
  Value down = stored(parts.down, "down"), downBias = stored(parts.downBias, "down_bias");
  auto expertsOp = ExpertsOp::create(builder, loc, rowsType, rows, slotOp.getOffset(), gate, gateBias, up, upBias, down, downBias, ValueRange{},
                                     parts.ffn, parts.order, orderOfDown(builder, parts), origin, PlanAttr(), parts.steps);
  Value tokens = builder.createOrFold<tensor::DimOp>(loc, x, 0);
  Value combined = CombineOp::create(builder, loc, resultType, expertsOp.getResult(), list.token, list.expert, slotOp.getSlot(), slotOp.getKeep(),
                                     weights, tokens, Value());
  return castTo(builder, loc, combined, wanted.getElementType());
}

} // namespace moe::raise
