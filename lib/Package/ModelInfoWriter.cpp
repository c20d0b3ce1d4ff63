// The writer of the format that moe/Machine/ModelInfo.h describes; lib/Runtime/ModelInfoReader.cpp reads it.
#include "moe/Machine/Cpuid.h"
#include "moe/Package/ModelDescription.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Endian.h"

#include <limits>

namespace moe {

namespace {

class Writer {
public:
  explicit Writer(std::vector<uint8_t> &bytes) : bytes(bytes) {}

  template <typename T> void number(T value) {
    uint8_t raw[sizeof(T)];
    llvm::support::endian::write<T>(raw, value, llvm::endianness::little);
    bytes.insert(bytes.end(), raw, raw + sizeof(T));
  }

  void count(size_t value) {
    fits &= value <= std::numeric_limits<uint32_t>::max();
    number(static_cast<uint32_t>(value));
  }

  void string(llvm::StringRef text) {
    // A NUL inside would end the string for a reader in C.
    text = text.take_until([](char c) { return c == '\0'; });
    count(text.size());
    bytes.insert(bytes.end(), text.bytes_begin(), text.bytes_end());
    bytes.push_back(0);
  }

  void raw(llvm::StringRef data) {
    count(data.size());
    bytes.insert(bytes.end(), data.bytes_begin(), data.bytes_end());
  }

  void digest(const std::array<uint8_t, sha256Bytes> &value) { bytes.insert(bytes.end(), value.begin(), value.end()); }

  template <typename Item> void list(const std::vector<Item> &items, llvm::function_ref<void(const Item &)> write) {
    count(items.size());
    for (const Item &item : items)
      write(item);
  }

  /// False if a length did not fit in 32 bits.
  bool fits = true;

private:
  std::vector<uint8_t> &bytes;
};

/// A size that a report may show; what does not fit is "not known".
uint32_t reported(int64_t value) { return value < 0 || value > std::numeric_limits<uint32_t>::max() ? 0 : static_cast<uint32_t>(value); }

/// Of which inputs and outputs, counted on, ranks have parts.
void writeParts(const ModelDescription &model, Writer &writer) {
  const auto hasPart = [](const TensorDescription &tensor) { return tensor.part.has_value(); };
  writer.count(llvm::count_if(model.inputs, hasPart) + llvm::count_if(model.outputs, hasPart));
  uint32_t number = 0;
  for (const auto *tensors : {&model.inputs, &model.outputs})
    for (const TensorDescription &tensor : *tensors) {
      if (tensor.part)
        for (uint32_t value : {number, tensor.part->axis, tensor.part->heads, tensor.part->unit})
          writer.number(value);
      ++number;
    }
}

} // namespace

bool writeModelInfo(const ModelDescription &model, std::vector<uint8_t> &bytes, std::string &error) {
  bytes.assign(modelInfoMagic, modelInfoMagic + sizeof(modelInfoMagic));
  Writer writer(bytes);
  writer.number(modelInfoVersion);
  const size_t sizeField = bytes.size();
  writer.number(uint32_t(0));
  writer.number(model.weights.bytes);
  writer.digest(model.weights.sha256);
  auto writeTensor = [&](const TensorDescription &tensor) {
    writer.string(tensor.name);
    writer.number(tensor.dataType);
    writer.list<DimDescription>(tensor.dims, [&](const DimDescription &dim) {
      writer.number(dim.size);
      writer.string(dim.symbol);
    });
  };
  writer.list<TensorDescription>(model.inputs, writeTensor);
  writer.list<TensorDescription>(model.outputs, writeTensor);
  writer.list<CachePairDescription>(model.cachePairs, [&](const CachePairDescription &pair) {
    writer.number(pair.input);
    writer.number(pair.output);
    writer.number(pair.axis);
  });
  writer.count(llvm::count_if(model.inputs, [](const TensorDescription &input) { return input.defaultBytes.has_value(); }));
  for (auto [index, input] : llvm::enumerate(model.inputs)) {
    if (!input.defaultBytes)
      continue;
    writer.number(static_cast<uint32_t>(index));
    writer.list<int64_t>(input.defaultShape, [&](const int64_t &size) { writer.number(size); });
    writer.raw(*input.defaultBytes);
  }
  writer.list<SizeInputDescription>(model.sizeInputs, [&](const SizeInputDescription &input) { writer.number(input.input); });
  writer.list<uint32_t>(model.foundDims, [&](const uint32_t &place) { writer.number(place); });
  for (const std::vector<std::string> *messages : {&model.checks, &model.faults})
    writer.list<std::string>(*messages, [&](const std::string &message) { writer.string(message); });
  uint32_t id = 0;
  writer.list<SectionDescription>(model.weights.sections, [&](const SectionDescription &section) {
    writer.number(id++);
    writer.number(section.offset);
    writer.number(section.bytes);
    writer.digest(section.sha256);
  });
  writer.list<IsaDescription>(model.isaVersions, [&](const IsaDescription &isa) {
    uint64_t features = 0;
    for (const std::string &name : isa.features) {
      uint64_t bit = cpuFeatureBit(name.c_str());
      if (bit == 0 && error.empty())
        error = "CPU feature '" + name + "' is not one that a loader can test for";
      features |= bit;
    }
    writer.string(isa.name);
    writer.number(features);
    writer.list<uint32_t>(isa.sections, [&](const uint32_t &section) { writer.number(section); });
  });
  writer.list<MoeLayerInfo>(model.layers, [&](const MoeLayerInfo &layer) {
    writer.string(layer.name);
    writer.string(layer.form);
    for (int64_t value : {layer.experts, layer.topK, layer.hidden, layer.intermediate})
      writer.number(reported(value));
  });
  if (model.devices > 1) {
    writer.number(model.devices);
    writer.list<ShardDescription>(model.shards, [&](const ShardDescription &shard) {
      writer.number(shard.section);
      writer.number(shard.offset);
      writer.number(shard.expertBytes);
      writer.number(shard.experts);
      writer.number(shard.slotsPerDevice);
      writer.list<uint32_t>(shard.slots, [&](const uint32_t &expert) { writer.number(expert); });
    });
    writeParts(model, writer);
  }
  if (!writer.fits || bytes.size() > std::numeric_limits<uint32_t>::max())
    error = "the description of the model exceeds 4 GiB";
  if (!error.empty())
    return false;
  llvm::support::endian::write32le(bytes.data() + sizeField, static_cast<uint32_t>(bytes.size()));
  return true;
}

} // namespace moe
