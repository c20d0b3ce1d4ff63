// See Hints.h. The attribute may be a file's or somebody's who wrote MLIR: what is not there as it should be says nothing.
#include "Hints.h"

#include "moe/IR/Layers.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace moe::plan {

static StringRef text(DictionaryAttr dictionary, StringRef name) {
  const auto value = dictionary.getAs<StringAttr>(name);
  return value ? value.getValue() : StringRef();
}

static int64_t number(DictionaryAttr dictionary, StringRef name, int64_t otherwise) {
  const auto value = dictionary.getAs<IntegerAttr>(name);
  return value ? value.getValue().getSExtValue() : otherwise;
}

/// The dictionaries of a list; none where there is no list.
static SmallVector<DictionaryAttr> all(DictionaryAttr dictionary, StringRef name) {
  SmallVector<DictionaryAttr> found;
  if (const auto list = dictionary.getAs<ArrayAttr>(name))
    for (Attribute value : list)
      if (const auto entry = dyn_cast<DictionaryAttr>(value))
        found.push_back(entry);
  return found;
}

static std::optional<WeightHint> readSpec(StringRef node, DictionaryAttr spec, std::string &why) {
  WeightHint hint = {text(spec, "tensor").str(), node.str(), {}, {}};
  for (DictionaryAttr axis : all(spec, "axes")) {
    const SmallVector<DictionaryAttr> factors = all(axis, "factors");
    if (factors.size() != 1)
      return why = "its axis is several in one", std::nullopt;
    if (const int64_t shards = number(factors[0], "shards", 1); shards > 1)
      hint.axes.push_back({number(axis, "axis", 0), shards});
  }
  const auto devices = spec.getAs<DenseI64ArrayAttr>("devices");
  for (int64_t device : devices ? devices.asArrayRef() : ArrayRef<int64_t>()) {
    std::vector<int64_t> holders = {device};
    for (DictionaryAttr group : all(spec, "groups"))
      if (const auto members = group.getAs<DenseI64ArrayAttr>("devices"); members && number(group, "key", -1) == device)
        holders.assign(members.asArrayRef().begin(), members.asArrayRef().end());
    llvm::sort(holders);
    hint.holders.push_back(std::move(holders));
  }
  return hint;
}

std::vector<WeightHint> weightHints(ModuleOp module, int64_t devices, std::vector<std::string> &ignored) {
  std::vector<WeightHint> hints;
  const auto given = module->getAttrOfType<DictionaryAttr>(deviceHintsAttrName);
  if (!given)
    return hints;
  std::vector<std::string> followed;
  for (DictionaryAttr configuration : all(given, "configurations")) {
    const std::string name = text(configuration, "name").str();
    if (const int64_t count = number(configuration, "devices", 0); count != devices)
      ignored.push_back("configuration '" + name + "' is for " + std::to_string(count) + " devices, the mesh has " + std::to_string(devices));
    else
      followed.push_back(name);
  }
  int64_t stages = 0;
  for (DictionaryAttr node : all(given, "nodes")) {
    if (!llvm::is_contained(followed, text(node, "configuration")))
      continue;
    stages += node.contains("stage");
    for (DictionaryAttr spec : all(node, "specs")) {
      std::string why;
      if (std::optional<WeightHint> hint = readSpec(text(node, "node"), spec, why))
        hints.push_back(std::move(*hint));
      else
        ignored.push_back("the sharding of '" + text(spec, "tensor").str() + "' at node '" + text(node, "node").str() + "': " + why);
    }
  }
  if (stages)
    ignored.push_back("the pipeline stages of " + std::to_string(stages) + " nodes: all devices compute all layers");
  llvm::erase_if(hints, [](const WeightHint &hint) { return hint.axes.empty(); }); // Whole on its devices: nothing to share out.
  return hints;
}

StringRef storedName(Value weight) {
  if (!weight)
    return {};
  if (auto dequant = weight.getDefiningOp<DequantOp>())
    weight = dequant->getOperand(0);
  auto stored = weight.getDefiningOp<WeightRefOp>();
  return stored ? stored.getWeight() : StringRef();
}

/// Shard s on the devices d with d ≡ s modulo the number of shards?
static bool liesAsPlanned(const WeightHint &hint, int64_t shards, int64_t devices, std::string &why) {
  if (devices % shards != 0 || static_cast<int64_t>(hint.holders.size()) != shards) {
    why = std::to_string(shards) + " shards do not divide the " + std::to_string(devices) + " devices";
    return false;
  }
  for (int64_t shard = 0; shard < shards; ++shard) {
    std::vector<int64_t> planned;
    for (int64_t device = shard; device < devices; device += shards)
      planned.push_back(device);
    if (hint.holders[shard] == planned)
      continue;
    why = "shard " + std::to_string(shard) + " is on other devices than a plan has it: on every one whose number is " + std::to_string(shard) + " modulo " + std::to_string(shards);
    return false;
  }
  return true;
}

bool asksForExperts(const WeightHint &hint, ExpertsOp op, int64_t devices, int64_t &ep, int64_t &etp, std::string &why) {
  const bool outIn = op.getOrder() == WeightOrder::OutIn, isDown = storedName(op.getDown()) == hint.tensor;
  // Both dims of an expert are in the order that the op says; the intermediate one is what gate and up give, and down reads.
  const int64_t split = isDown == outIn ? 2 : 1;
  ep = etp = 1;
  int64_t last = -1;
  for (auto [axis, shards] : hint.axes) {
    const int64_t place = axis < 0 ? axis + 3 : axis;
    if (place <= last || place > 2)
      return why = "its axes are not in order", false;
    last = place;
    if (place == 0)
      ep = shards;
    else if (place == split)
      etp = shards;
    else
      return why = "axis " + std::to_string(axis) + " is the hidden size, which is not cut", false;
  }
  const GateLayout gate = op.getFfn() ? op.getFfn()->getGate() : GateLayout::None;
  if (etp > 1 && !isDown && (gate == GateLayout::Halves || gate == GateLayout::UpFirst))
    return why = "one half of it is gate and the other up: a part of an expert has columns of both", false;
  return liesAsPlanned(hint, ep * etp, devices, why);
}

bool asksForColumns(const WeightHint &hint, linalg::MatmulOp op, int64_t devices, std::string &why) {
  const std::optional<WeightOrder> order = weightOrderOf(op);
  const int64_t columns = order && *order == WeightOrder::OutIn ? 0 : 1;
  const int64_t axis = hint.axes.front().first;
  if (hint.axes.size() != 1 || (axis < 0 ? axis + 2 : axis) != columns)
    return why = "products are shared out by columns, not by what is summed over", false;
  if (hint.axes.front().second != devices)
    return why = "columns are shared out among all " + std::to_string(devices) + " devices", false;
  return liesAsPlanned(hint, devices, devices, why) && canShareColumns(op, devices, why);
}

} // namespace moe::plan
