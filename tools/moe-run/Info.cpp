// moe-run --info: what model.so says about itself. Reads the description that it carries, so it works on a CPU that cannot run the model.
#include "Commands.h"
#include "Failure.h"
#include "Json.h"
#include "moe/Machine/Cpuid.h"
#include "moe/Runtime/Error.h"
#include "moe/Runtime/ModelInfoReader.h"

#include <cstdio>

namespace moe::run {
namespace {

std::string dimsText(const moe_tensor_info &info) {
  std::string text = "[";
  for (int32_t d = 0; d < info.rank; ++d) {
    const moe_dim &dim = info.dims[d];
    text += d ? ", " : "";
    text += *dim.symbol ? dim.symbol : dim.size < 0 ? "?" : "";
    if (dim.size >= 0)
      text += (*dim.symbol ? " = " : "") + std::to_string(dim.size);
  }
  return text + "]";
}

std::string featuresText(uint64_t features) {
  std::string text;
  int count = 0;
  const CpuFeatureName *names = cpuFeatureNames(&count);
  for (int i = 0; i < count; ++i)
    if (features & names[i].bit) {
      text += (text.empty() ? "" : " ") + std::string(names[i].name);
      features &= ~names[i].bit;
    }
  if (features)
    text += (text.empty() ? "" : " ") + std::string("unknown features");
  return text.empty() ? "any x86-64" : text;
}

uint64_t sectionBytes(const runtime::ModelInfo &info, const runtime::VersionInfo &version) {
  uint64_t sum = 0;
  for (uint32_t s = 0; s < version.numSections; ++s)
    sum += info.sections[version.sections[s]].bytes;
  return sum;
}

/// `first` is the number that parts give to the first of `tensors`.
void printTensors(const runtime::ModelInfo &info, uint32_t first, const char *title, const char *partner, const moe_tensor_info *tensors, uint32_t count, const moe_tensor_info *others) {
  std::printf("%s\n", title);
  for (uint32_t i = 0; i < count; ++i) {
    std::printf("  %s: %s %s", tensors[i].name, typeName(tensors[i].dtype).c_str(), dimsText(tensors[i]).c_str());
    if (tensors[i].pair >= 0)
      std::printf("  (KV cache, %s '%s' along dim %d)", partner, others[tensors[i].pair].name, tensors[i].pair_axis);
    if (const runtime::PartInfo *part = info.partOf(first + i))
      std::printf("  (a process has its own heads of %u along dim %u)", part->heads, part->axis);
    std::printf("\n");
  }
}

/// "?" for a number that the compiler did not know.
std::string known(uint32_t number) { return number ? std::to_string(number) : "?"; }

/// Is the version to be described? All are where no name is given.
bool isWanted(const runtime::VersionInfo &version, const std::string &isa) { return isa.empty() || isa == version.name; }

/// Throws for a name that no version has.
void checkIsa(const runtime::ModelInfo &info, const Options &options) {
  std::string names;
  for (uint32_t v = 0; v < info.numVersions; ++v) {
    if (!options.session.isa.empty() && isWanted(info.versions[v], options.session.isa))
      return;
    names += (v ? ", '" : "'") + std::string(info.versions[v].name) + "'";
  }
  if (!options.session.isa.empty())
    throw Failure(options.folder + ": --isa: expected one of the versions " + names + ", found '" + options.session.isa + "'");
}

void printText(const runtime::ModelInfo &info, const std::string &isa, const char *madeBy) {
  printTensors(info, 0, "inputs", "extended as", info.inputs, info.numInputs, info.outputs);
  printTensors(info, info.numInputs, "outputs", "extends", info.outputs, info.numOutputs, info.inputs);
  std::printf("MoE layers\n%s", info.numLayers ? "" : "  none\n");
  for (uint32_t i = 0; i < info.numLayers; ++i) {
    const runtime::LayerInfo &layer = info.layers[i];
    std::printf("  %s: %s, %s experts, top %s, hidden %s, intermediate %s\n", layer.name, layer.form, known(layer.experts).c_str(),
                known(layer.topK).c_str(), known(layer.hidden).c_str(), known(layer.intermediate).c_str());
  }
  if (info.devices > 1)
    std::printf("planned for %u devices: runs on any number of processes that divides it\n", info.devices);
  const uint64_t present = readCpuInfo().features;
  std::printf("versions\n");
  for (uint32_t v = 0; v < info.numVersions; ++v) {
    const runtime::VersionInfo &version = info.versions[v];
    if (!isWanted(version, isa))
      continue;
    std::printf("  %s: needs %s%s, reads %llu bytes of weights\n", version.name, featuresText(version.features).c_str(),
                version.features & ~present ? " (not on this CPU)" : "", static_cast<unsigned long long>(sectionBytes(info, version)));
  }
  std::printf("weights: %llu bytes in %u sections\n", static_cast<unsigned long long>(info.weightsBytes), info.numSections);
  std::printf("made by moe-opt %s\n", madeBy);
}

std::string jsonTensors(const runtime::ModelInfo &info, uint32_t first, const moe_tensor_info *tensors, uint32_t count, const moe_tensor_info *others) {
  JsonList list("[]");
  for (uint32_t i = 0; i < count; ++i) {
    JsonList dims("[]"), object("{}");
    for (int32_t d = 0; d < tensors[i].rank; ++d) {
      const moe_dim &dim = tensors[i].dims[d];
      dims.add(dim.size >= 0 ? std::to_string(dim.size) : *dim.symbol ? jsonString(dim.symbol) : "null");
    }
    object.add("name", jsonString(tensors[i].name)).add("dtype", jsonString(typeName(tensors[i].dtype))).add("dims", dims.str());
    if (tensors[i].pair >= 0)
      object.add("pair", jsonString(others[tensors[i].pair].name)).add("pair_axis", std::to_string(tensors[i].pair_axis));
    if (const runtime::PartInfo *part = info.partOf(first + i))
      object.add("part_axis", std::to_string(part->axis)).add("part_of_heads", std::to_string(part->heads));
    list.add(object.str());
  }
  return list.str();
}

std::string jsonText(const runtime::ModelInfo &info, const std::string &isa, const char *madeBy) {
  JsonList layers("[]"), versions("[]");
  auto number = [](uint32_t value) { return value ? std::to_string(value) : std::string("null"); };
  for (uint32_t i = 0; i < info.numLayers; ++i) {
    const runtime::LayerInfo &layer = info.layers[i];
    layers.add(JsonList("{}")
                   .add("name", jsonString(layer.name))
                   .add("form", jsonString(layer.form))
                   .add("experts", number(layer.experts))
                   .add("top_k", number(layer.topK))
                   .add("hidden", number(layer.hidden))
                   .add("intermediate", number(layer.intermediate))
                   .str());
  }
  for (uint32_t v = 0; v < info.numVersions; ++v)
    versions.add(JsonList("{}")
                     .add("name", jsonString(info.versions[v].name))
                     .add("needs", jsonString(featuresText(info.versions[v].features)))
                     .add("weight_bytes", std::to_string(sectionBytes(info, info.versions[v])))
                     .str());
  return JsonList("{}")
      .add("inputs", jsonTensors(info, 0, info.inputs, info.numInputs, info.outputs))
      .add("outputs", jsonTensors(info, info.numInputs, info.outputs, info.numOutputs, info.inputs))
      .add("moe_layers", layers.str())
      .add("devices", std::to_string(info.devices))
      .add("versions", versions.str())
      .add("weights_bytes", std::to_string(info.weightsBytes))
      .add("moe_opt_version", jsonString(madeBy))
      .str();
}

} // namespace

void describeModel(const Options &options) {
  // What is asked to be verified is opened, which also needs a CPU that can run the model; the description alone does not.
  if (options.session.verify)
    Session(options.folder, options.session);
  const Library library(options.folder);
  uint64_t bytes = 0;
  const auto *blob = static_cast<const unsigned char *>(library.metadata(&bytes));
  runtime::ModelInfo info;
  if (info.read(blob, bytes) != MOE_STATUS_OK)
    throw Failure(options.folder + ": " + runtime::lastError());
  checkIsa(info, options);
  if (options.json)
    std::printf("%s\n", jsonText(info, options.session.isa, library.version()).c_str());
  else
    printText(info, options.session.isa, library.version());
}

} // namespace moe::run
