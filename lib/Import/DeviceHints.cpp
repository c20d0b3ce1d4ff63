// See DeviceHints.h. Nothing in the file is believed: what is kept has names that exist, devices and axes in range, and as many shards as devices.
#include "DeviceHints.h"

#include "moe/Machine/ModelInfo.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/Diagnostics.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace moe {
namespace {

/// No tensor of a model has more dims.
constexpr int64_t mostAxes = 64;

class HintReader {
public:
  HintReader(MLIRContext &context, Location file, const wire::Model &model) : builder(&context), file(file), model(model) {
    for (const wire::TensorProto &tensor : model.graph.initializers)
      ranks[tensor.name] = static_cast<int64_t>(tensor.dims.size());
    for (const auto *values : {&model.graph.inputs, &model.graph.outputs, &model.graph.values})
      for (const wire::ValueInfo &value : *values)
        if (value.type.kind == wire::Type::Kind::Tensor && value.type.hasShape)
          ranks.try_emplace(value.name, static_cast<int64_t>(value.type.dims.size()));
  }

  DictionaryAttr read() {
    SmallVector<Attribute> configurations, nodes;
    for (const wire::DeviceConfiguration &configuration : model.configurations)
      if (DictionaryAttr kept = describe(configuration))
        configurations.push_back(kept);
    for (auto [position, node] : llvm::enumerate(model.graph.nodes))
      for (const wire::NodeDevices &devices : node.devices)
        if (DictionaryAttr kept = describe(node, position, devices))
          nodes.push_back(kept);
    if (configurations.empty())
      return {};
    return builder.getDictionaryAttr({builder.getNamedAttr("configurations", builder.getArrayAttr(configurations)), builder.getNamedAttr("nodes", builder.getArrayAttr(nodes))});
  }

private:
  NamedAttribute text(StringRef name, StringRef value) { return builder.getNamedAttr(name, builder.getStringAttr(value)); }
  NamedAttribute number(StringRef name, int64_t value) { return builder.getNamedAttr(name, builder.getI64IntegerAttr(value)); }
  NamedAttribute list(StringRef name, ArrayRef<Attribute> values) { return builder.getNamedAttr(name, builder.getArrayAttr(values)); }

  DictionaryAttr describe(const wire::DeviceConfiguration &configuration) {
    const StringRef name(configuration.name);
    auto drop = [&]() -> InFlightDiagnostic { return emitWarning(file) << "the device configuration '" << name << "' is ignored: "; };
    const int64_t devices = configuration.devices.value_or(0);
    if (name.empty() || counts.contains(name))
      return drop() << (name.empty() ? "it has no name" : "another has that name"), DictionaryAttr();
    if (devices < 1 || devices > int64_t(maxDevices))
      return drop() << "expected 1 to " << maxDevices << " devices, found " << devices, DictionaryAttr();
    if (!configuration.names.empty() && static_cast<int64_t>(configuration.names.size()) != devices)
      return drop() << "expected " << devices << " names of devices or none, found " << configuration.names.size(), DictionaryAttr();
    counts[name] = devices;
    SmallVector<StringRef> names(configuration.names.begin(), configuration.names.end());
    return builder.getDictionaryAttr({text("name", name), number("devices", devices), builder.getNamedAttr("names", builder.getStrArrayAttr(names))});
  }

  DictionaryAttr describe(const wire::Node &node, size_t position, const wire::NodeDevices &devices) {
    const std::string name = node.name.empty() ? (StringRef(node.opType) + "#" + Twine(position)).str() : std::string(node.name);
    auto configuration = counts.find(StringRef(devices.configuration));
    if (configuration == counts.end()) {
      emitWarning(file) << "node '" << name << "': expected the name of a device configuration of the model, found '" << StringRef(devices.configuration) << "'; its devices are ignored";
      return {};
    }
    SmallVector<Attribute> specs;
    llvm::SmallDenseSet<StringRef> tensors;
    for (const auto *names : {&node.inputs, &node.outputs})
      for (std::string_view tensor : *names)
        tensors.insert(tensor);
    for (const wire::ShardingSpec &spec : devices.specs) {
      std::string why;
      if (DictionaryAttr kept = describe(tensors, spec, configuration->second, why))
        specs.push_back(kept);
      else
        emitWarning(file) << "node '" << name << "': the sharding of '" << StringRef(spec.tensor) << "' is ignored: " << why;
    }
    SmallVector<NamedAttribute> said = {text("node", name), text("configuration", devices.configuration), list("specs", specs)};
    if (devices.stage)
      said.push_back(number("stage", *devices.stage));
    return builder.getDictionaryAttr(said);
  }

  DictionaryAttr describe(const llvm::SmallDenseSet<StringRef> &tensors, const wire::ShardingSpec &spec, int64_t devices, std::string &why) {
    if (spec.tensor.empty() || !tensors.contains(spec.tensor))
      return why = "it is no input or output of the node", DictionaryAttr();
    if (spec.devices.size() > maxDevices || spec.groups.size() > maxDevices || static_cast<int64_t>(spec.axes.size()) > mostAxes)
      return why = "it has more than " + std::to_string(maxDevices) + " devices or groups, or more than " + std::to_string(mostAxes) + " axes", DictionaryAttr();
    const auto isDevice = [&](int64_t device) { return device >= 0 && device < devices; };
    const auto failDevice = [&](int64_t device) { return why = "expected devices from 0 to " + std::to_string(devices - 1) + ", found " + std::to_string(device), DictionaryAttr(); };
    SmallVector<Attribute> groups, axes;
    llvm::SmallDenseSet<int64_t> keys;
    for (const wire::ShardingSpec::Group &group : spec.groups) {
      if (!keys.insert(group.key).second)
        return why = "expected one device group for " + std::to_string(group.key) + ", found a second", DictionaryAttr();
      for (int64_t device : group.devices) // Members are devices, never groups: nothing can go round in a circle.
        if (!isDevice(device))
          return failDevice(device);
      groups.push_back(builder.getDictionaryAttr({number("key", group.key), builder.getNamedAttr("devices", builder.getDenseI64ArrayAttr(group.devices))}));
    }
    for (int64_t device : spec.devices)
      if (!keys.contains(device) && !isDevice(device))
        return failDevice(device);
    int64_t shards = 1;
    for (const wire::ShardedAxis &axis : spec.axes) {
      DictionaryAttr kept = describe(spec, axis, shards, why);
      if (!kept)
        return {};
      axes.push_back(kept);
    }
    if (!spec.axes.empty() && shards != static_cast<int64_t>(spec.devices.size()))
      return why = "expected as many devices as shards, found " + std::to_string(spec.devices.size()) + " devices or groups and " + std::to_string(shards) + " shards", DictionaryAttr();
    return builder.getDictionaryAttr({text("tensor", spec.tensor), builder.getNamedAttr("devices", builder.getDenseI64ArrayAttr(spec.devices)), list("groups", groups), list("axes", axes)});
  }

  /// Multiplies `shards` by those of the axis.
  DictionaryAttr describe(const wire::ShardingSpec &spec, const wire::ShardedAxis &sharded, int64_t &shards, std::string &why) {
    const auto known = ranks.find(StringRef(spec.tensor));
    const int64_t rank = known == ranks.end() ? mostAxes : known->second;
    if (!sharded.axis || *sharded.axis < -rank || *sharded.axis >= rank)
      return why = "expected an axis from " + std::to_string(-rank) + " to " + std::to_string(rank - 1) + ", found " + (sharded.axis ? std::to_string(*sharded.axis) : "none"), DictionaryAttr();
    const auto placeOf = [&](int64_t axis) { return axis < 0 && known != ranks.end() ? axis + rank : axis; };
    if (llvm::count_if(spec.axes, [&](const wire::ShardedAxis &other) { return other.axis && placeOf(*other.axis) == placeOf(*sharded.axis); }) > 1)
      return why = "axis " + std::to_string(*sharded.axis) + " is sharded twice", DictionaryAttr();
    if (sharded.factors.empty())
      return why = "axis " + std::to_string(*sharded.axis) + " has no number of shards", DictionaryAttr();
    SmallVector<Attribute> factors;
    for (const wire::ShardedAxis::Factor &factor : sharded.factors) {
      const int64_t count = factor.shards.value_or(0);
      if (count < 1 || count > int64_t(maxDevices) || (shards *= count) > int64_t(maxDevices))
        return why = "expected 1 to " + std::to_string(maxDevices) + " shards in all, found " + std::to_string(count) + " of axis " + std::to_string(*sharded.axis), DictionaryAttr();
      SmallVector<NamedAttribute> said = {number("shards", count)};
      if (factor.size.kind == wire::Dimension::Kind::Value)
        said.push_back(number("size", factor.size.value));
      if (factor.size.kind == wire::Dimension::Kind::Param)
        said.push_back(text("size_name", factor.size.param));
      factors.push_back(builder.getDictionaryAttr(said));
    }
    return builder.getDictionaryAttr({number("axis", *sharded.axis), list("factors", factors)});
  }

  Builder builder;
  Location file;
  const wire::Model &model;
  llvm::StringMap<int64_t> ranks, counts; ///< Of tensors, and devices of configurations.
};

} // namespace

DictionaryAttr deviceHints(MLIRContext &context, Location file, const wire::Model &model) {
  const bool saysAnything = !model.configurations.empty() || llvm::any_of(model.graph.nodes, [](const wire::Node &node) { return !node.devices.empty(); });
  return saysAnything ? HintReader(context, file, model).read() : DictionaryAttr();
}

} // namespace moe
