// Builds a moe_model_info for tests, field by field, so that tests can also build wrong ones.
#ifndef MOE_TEST_UNIT_RUNTIME_INFOBLOB_H
#define MOE_TEST_UNIT_RUNTIME_INFOBLOB_H

#include "moe/Machine/ModelInfo.h"

#include <string>
#include <vector>

/// One input or output. A dim is a size and a symbol.
struct BlobTensor {
  std::string name;
  uint32_t dtype;
  std::vector<std::pair<int64_t, std::string>> dims;
};

/// All that the format holds.
struct BlobModel {
  std::vector<BlobTensor> inputs, outputs;
  std::vector<std::vector<uint32_t>> pairs;
  struct Default {
    uint32_t input;
    std::vector<int64_t> shape;
    std::string data;
  };
  std::vector<Default> defaults;
  std::vector<uint32_t> sizeInputs, foundDims;
  std::vector<std::string> checks, faults;
  struct Section {
    uint32_t id;
    uint64_t offset, bytes;
  };
  std::vector<Section> sections;
  struct Version {
    std::string name;
    uint64_t features;
    std::vector<uint32_t> sections;
  };
  std::vector<Version> versions = {{"plain", 0, {}}};
  struct Layer {
    std::string name, form;
    std::vector<uint32_t> numbers; ///< experts, top_k, hidden, intermediate
  };
  std::vector<Layer> layers;
  struct Shard {
    uint32_t section;
    uint64_t offset, expertBytes;
    uint32_t experts, slotsPerDevice;
    std::vector<uint32_t> slots;
  };
  uint32_t devices = 1; ///< 1: the blob ends with the layers.
  std::vector<Shard> shards;
  std::vector<std::vector<uint32_t>> parts; ///< tensor, axis, heads, places of a head
  uint64_t weightsBytes = 0;
  std::string weightsSha256 = std::string(32, '\0');
  uint32_t formatVersion = moe::modelInfoVersion;

  /// The blob; its header's size is right.
  std::vector<unsigned char> bytes() const {
    std::string out(moe::modelInfoMagic, 8);
    auto u32 = [&](uint64_t value) { out.append(reinterpret_cast<const char *>(&value), 4); };
    auto u64 = [&](uint64_t value) { out.append(reinterpret_cast<const char *>(&value), 8); };
    auto text = [&](const std::string &value) {
      u32(value.size());
      out.append(value.c_str(), value.size() + 1);
    };
    u32(formatVersion);
    u32(0);
    u64(weightsBytes);
    out += weightsSha256;
    for (const auto *tensors : {&inputs, &outputs}) {
      u32(tensors->size());
      for (const BlobTensor &tensor : *tensors) {
        text(tensor.name);
        u32(tensor.dtype);
        u32(tensor.dims.size());
        for (const auto &[size, symbol] : tensor.dims) {
          u64(uint64_t(size));
          text(symbol);
        }
      }
    }
    u32(pairs.size());
    for (const auto &pair : pairs)
      for (uint32_t value : pair)
        u32(value);
    u32(defaults.size());
    for (const Default &value : defaults) {
      u32(value.input);
      u32(value.shape.size());
      for (int64_t size : value.shape)
        u64(uint64_t(size));
      u32(value.data.size());
      out += value.data;
    }
    for (const std::vector<uint32_t> *numbers : {&sizeInputs, &foundDims}) {
      u32(numbers->size());
      for (uint32_t value : *numbers)
        u32(value);
    }
    for (const std::vector<std::string> *messages : {&checks, &faults}) {
      u32(messages->size());
      for (const std::string &message : *messages)
        text(message);
    }
    u32(sections.size());
    for (const Section &section : sections) {
      u32(section.id);
      u64(section.offset);
      u64(section.bytes);
      out.append(32, '\0');
    }
    u32(versions.size());
    for (const Version &version : versions) {
      text(version.name);
      u64(version.features);
      u32(version.sections.size());
      for (uint32_t section : version.sections)
        u32(section);
    }
    u32(layers.size());
    for (const Layer &layer : layers) {
      text(layer.name);
      text(layer.form);
      for (uint32_t number : layer.numbers)
        u32(number);
    }
    if (devices != 1) {
      u32(devices);
      u32(shards.size());
      for (const Shard &shard : shards) {
        u32(shard.section);
        u64(shard.offset);
        u64(shard.expertBytes);
        u32(shard.experts);
        u32(shard.slotsPerDevice);
        u32(shard.slots.size());
        for (uint32_t expert : shard.slots)
          u32(expert);
      }
      u32(parts.size());
      for (const std::vector<uint32_t> &part : parts)
        for (uint32_t number : part)
          u32(number);
    }
    const uint32_t size = uint32_t(out.size());
    out.replace(12, 4, reinterpret_cast<const char *>(&size), 4);
    return {out.begin(), out.end()};
  }
};

/// x float[batch, seq], past float[batch, heads = 2, past, 4] -> y float[batch, seq], present float[batch, 2, past + seq, 4].
inline BlobModel cacheModel() {
  BlobModel model;
  model.inputs = {{"x", moe::OnnxFloat, {{-1, "batch"}, {-1, "seq"}}},
                  {"past", moe::OnnxFloat, {{-1, "batch"}, {2, ""}, {-1, "past"}, {4, ""}}}};
  model.outputs = {{"y", moe::OnnxFloat, {{-1, "batch"}, {-1, "seq"}}},
                   {"present", moe::OnnxFloat, {{-1, "batch"}, {2, ""}, {-1, "total"}, {4, ""}}}};
  model.pairs = {{1, 1, 2}};
  model.checks = {"expected seq to be even"};
  model.faults = {"an id", "a position"};
  return model;
}

#endif // MOE_TEST_UNIT_RUNTIME_INFOBLOB_H
