// What a report says about each MoE layer, read off the chain score, select, weigh, slots, dispatch, experts of a raised module.
#include "moe/IR/Layers.h"
#include "moe/IR/MoeDialect.h"
#include "moe/Package/ModelDescription.h"

#include "mlir/IR/Builders.h"

#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace moe {

namespace {

int64_t knownDim(Type type, int64_t fromBack) {
  auto shaped = dyn_cast<RankedTensorType>(type);
  if (!shaped || shaped.getRank() < fromBack)
    return 0;
  int64_t size = shaped.getDimSize(shaped.getRank() - fromBack);
  return ShapedType::isDynamic(size) ? 0 : size;
}

/// Experts that every token gets; 0 where that depends on the scores.
int64_t expertsPerToken(SelectOp select, int64_t experts) {
  if (select.getSide() == SelectSide::Expert)
    return 0;
  switch (select.getMode()) {
  case SelectMode::TopK:
  case SelectMode::SparseMixer:
  case SelectMode::Table:
    return select.getK();
  case SelectMode::All:
    return experts;
  case SelectMode::BalancedExact:
  case SelectMode::BalancedAuction:
    return 1;
  default:
    return 0;
  }
}

/// Fills experts, top k and the router from the slots that feed `op`.
void describeRouting(ExpertsOp op, MoeLayerInfo &layer) {
  auto slots = op.getOffset().getDefiningOp<SlotsOp>();
  if (!slots) {
    // Slots that products filled: nobody chose.
    if (auto origin = op.getOrigin(); origin && (origin->getForm() == "soft" || origin->getForm() == "padded"))
      layer.router = origin->getForm() == "soft" ? "soft" : "given";
    return;
  }
  layer.experts = slots.getExperts();
  Operation *list = slots.getToken().getDefiningOp();
  if (auto assign = dyn_cast_or_null<AssignOp>(list)) {
    layer.topK = knownDim(assign.getIndices().getType(), 1);
    layer.router = "given";
  } else if (auto select = dyn_cast_or_null<SelectOp>(list)) {
    layer.topK = expertsPerToken(select, layer.experts);
    layer.router = stringifySelectMode(select.getMode()).str();
    if (auto score = select.getChoice() ? select.getChoice().getDefiningOp<ScoreOp>() : ScoreOp())
      layer.router = (stringifyScoreFunction(score.getFunction()) + " " + layer.router).str();
  }
}

/// The element type of what is stored: through a dequantisation, and of the symbol rather than of the value that a cast made.
std::string storedType(Value weight) {
  while (Operation *producer = weight.getDefiningOp()) {
    if (auto dequant = dyn_cast<DequantOp>(producer))
      return stringifyQuantFormat(dequant.getFormat().getFormat()).str();
    if (isa<WeightRefOp>(producer) || producer->getNumOperands() != 1)
      break;
    weight = producer->getOperand(0);
  }
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << getElementTypeOrSelf(weight.getType());
  return text;
}

void describeExperts(ExpertsOp op, MoeLayerInfo &layer) {
  layer.hidden = knownDim(op.getRows().getType(), 1);
  if (!op.getFfn()) {
    layer.activation = "custom";
    return;
  }
  FfnAttr ffn = *op.getFfn();
  layer.activation = stringifyActivation(ffn.getActivation()).str();
  layer.gated = ffn.isGated();
  if (!op.getGate())
    return;
  layer.weightType = storedType(op.getGate());
  bool outIn = op.getOrder() == WeightOrder::OutIn;
  bool shared = isOneTensor(ffn.getGate());
  layer.intermediate = knownDim(op.getGate().getType(), outIn ? 2 : 1) / (shared ? 2 : 1);
  if (layer.experts == 0)
    layer.experts = knownDim(op.getGate().getType(), 3);
}

} // namespace

std::vector<MoeLayerInfo> collectMoeLayers(ModuleOp raised) {
  std::vector<MoeLayerInfo> layers;
  raised.walk([&](ExpertsOp op) {
    MoeLayerInfo layer;
    layer.name = layerName(op);
    layer.form = op.getOrigin() ? op.getOrigin()->getForm().str() : "mlir";
    describeRouting(op, layer);
    describeExperts(op, layer);
    layers.push_back(std::move(layer));
  });
  return layers;
}

static constexpr StringLiteral layersAttrName = "moe.layers";

namespace {

/// Calls the functions with the name of each field and a reference to it: numbers, texts, and the one that is true or false.
template <typename Layer, typename Number, typename Text, typename Flag> void forEachField(Layer &layer, Number number, Text text, Flag flag) {
  text("name", layer.name);
  text("form", layer.form);
  number("experts", layer.experts);
  number("top_k", layer.topK);
  number("hidden", layer.hidden);
  number("intermediate", layer.intermediate);
  text("activation", layer.activation);
  flag("gated", layer.gated);
  text("router", layer.router);
  text("weight_type", layer.weightType);
}

} // namespace

void recordMoeLayers(ModuleOp module, const std::vector<MoeLayerInfo> &layers) {
  if (layers.empty()) {
    module->removeAttr(layersAttrName);
    return;
  }
  Builder builder(module.getContext());
  SmallVector<Attribute> list;
  for (const MoeLayerInfo &layer : layers) {
    NamedAttrList fields;
    forEachField(
        layer, [&](StringRef name, int64_t value) { fields.set(name, builder.getI64IntegerAttr(value)); },
        [&](StringRef name, const std::string &value) { fields.set(name, builder.getStringAttr(value)); },
        [&](StringRef name, bool value) { fields.set(name, builder.getBoolAttr(value)); });
    list.push_back(fields.getDictionary(builder.getContext()));
  }
  module->setAttr(layersAttrName, builder.getArrayAttr(list));
}

FailureOr<std::vector<MoeLayerInfo>> recordedMoeLayers(ModuleOp module) {
  std::vector<MoeLayerInfo> layers;
  Attribute recorded = module->getAttr(layersAttrName);
  if (!recorded)
    return layers;
  auto list = dyn_cast<ArrayAttr>(recorded);
  bool isValid = bool(list);
  for (Attribute entry : list ? list.getValue() : ArrayRef<Attribute>()) {
    auto fields = dyn_cast<DictionaryAttr>(entry);
    MoeLayerInfo layer;
    auto get = [&](StringRef name, auto read) {
      Attribute value = fields ? fields.get(name) : Attribute();
      isValid = isValid && value && read(value);
    };
    forEachField(
        layer,
        [&](StringRef name, int64_t &field) {
          get(name, [&](Attribute value) {
            auto number = dyn_cast<IntegerAttr>(value);
            const bool fits = number && number.getType().isSignlessInteger(64) && number.getInt() >= 0;
            field = fits ? number.getInt() : 0;
            return fits;
          });
        },
        [&](StringRef name, std::string &field) {
          get(name, [&](Attribute value) {
            auto text = dyn_cast<StringAttr>(value);
            field = text ? text.str() : "";
            return bool(text);
          });
        },
        [&](StringRef name, bool &field) {
          get(name, [&](Attribute value) {
            auto flag = dyn_cast<BoolAttr>(value);
            field = flag && flag.getValue();
            return bool(flag);
          });
        });
    layers.push_back(std::move(layer));
  }
  if (!isValid)
    return module.emitError() << "'" << layersAttrName << "' is not a list of layers as the raise stage writes it", failure();
  return layers;
}

} // namespace moe
