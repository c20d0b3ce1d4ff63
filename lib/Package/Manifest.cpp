// manifest.json: what people and tools read about an artifact. The runtime does not; it has moe_model_info.
#include "moe/Package/Package.h"

#include "llvm/Support/Base64.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace moe {

namespace {

constexpr int64_t manifestFormatVersion = 1;

/// JSON strings are UTF-8; names of a file may be anything.
std::string valid(StringRef text) { return json::isUTF8(text) ? text.str() : json::fixUTF8(text); }

void writeTensors(json::OStream &json, StringRef name, const std::vector<TensorDescription> &tensors) {
  json.attributeArray(name, [&] {
    for (const TensorDescription &tensor : tensors)
      json.object([&] {
        json.attribute("name", valid(tensor.name));
        json.attribute("dtype", dataTypeName(tensor.dataType));
        json.attributeArray("dims", [&] {
          for (const DimDescription &dim : tensor.dims) {
            if (dim.size != dynamicDim)
              json.value(dim.size);
            else
              json.value(dim.symbol.empty() ? "?" : valid(dim.symbol));
          }
        });
        if (tensor.part)
          json.attributeObject("part", [&] {
            json.attribute("axis", tensor.part->axis);
            json.attribute("heads", tensor.part->heads);
            json.attribute("places_of_a_head", tensor.part->unit);
          });
        if (tensor.defaultBytes)
          json.attributeObject("default", [&] {
            json.attributeArray("shape", [&] {
              for (int64_t size : tensor.defaultShape)
                json.value(size);
            });
            json.attribute("base64", encodeBase64(*tensor.defaultBytes));
          });
      });
  });
}

void writeSource(json::OStream &json, const SourceDescription &source) {
  json.attributeObject("model", [&] {
    json.attribute("producer_name", valid(source.producerName));
    json.attribute("graph_name", valid(source.graphName));
    json.attribute("domain", valid(source.domain));
    json.attribute("description", valid(source.description));
    json.attribute("graph_description", valid(source.graphDescription));
    if (source.version)
      json.attribute("version", *source.version);
    json.attributeObject("custom_metadata_map", [&] {
      for (const auto &[key, value] : source.metadata)
        json.attribute(valid(key), valid(value));
    });
  });
}

void writePairs(json::OStream &json, const ModelDescription &model) {
  json.attributeArray("kv_pairs", [&] {
    for (const CachePairDescription &pair : model.cachePairs)
      json.object([&] {
        json.attribute("input", valid(model.inputs[pair.input].name));
        json.attribute("output", valid(model.outputs[pair.output].name));
        json.attribute("axis", pair.axis);
      });
  });
}

void writeLayers(json::OStream &json, const std::vector<MoeLayerInfo> &layers) {
  json.attributeArray("moe_layers", [&] {
    for (const MoeLayerInfo &layer : layers)
      json.object([&] {
        json.attribute("name", valid(layer.name));
        json.attribute("export_form", valid(layer.form));
        json.attribute("experts", layer.experts);
        json.attribute("top_k", layer.topK);
        json.attribute("hidden", layer.hidden);
        json.attribute("intermediate", layer.intermediate);
        json.attribute("activation", layer.activation);
        json.attribute("gated", layer.gated);
        json.attribute("router", layer.router);
        json.attribute("weight_dtype", layer.weightType);
      });
  });
}

void writeNotRaised(json::OStream &json, const std::vector<NotRaisedInfo> &misses) {
  json.attributeArray("not_raised", [&] {
    for (const NotRaisedInfo &miss : misses)
      json.object([&] {
        json.attribute("node", valid(miss.node));
        json.attribute("what", valid(miss.what));
        json.attribute("reason", valid(miss.reason));
        if (!miss.at.empty())
          json.attribute("at", valid(miss.at));
      });
  });
}

void writeWeights(json::OStream &json, const WeightsDescription &weights) {
  json.attributeObject("weights", [&] {
    json.attribute("file", "model.weights");
    json.attribute("bytes", weights.bytes);
    json.attribute("sha256", hexDigest(weights.sha256));
    json.attributeArray("sections", [&] {
      for (size_t id = 0; id < weights.sections.size(); ++id) {
        const SectionDescription &section = weights.sections[id];
        if (section.packing.empty())
          continue;
        json.object([&] {
          json.attribute("id", static_cast<int64_t>(id));
          json.attribute("packing", section.packing);
          json.attribute("offset", section.offset);
          json.attribute("bytes", section.bytes);
          json.attribute("sha256", hexDigest(section.sha256));
        });
      }
    });
  });
}

} // namespace

std::string raiseReportText(const std::vector<MoeLayerInfo> &layers, const std::vector<NotRaisedInfo> &notRaised) {
  std::string text;
  raw_string_ostream stream(text);
  json::OStream json(stream, /*IndentSize=*/2);
  json.object([&] {
    json.attribute("format_version", manifestFormatVersion);
    writeLayers(json, layers);
    writeNotRaised(json, notRaised);
  });
  text += '\n';
  return text;
}

std::string manifestText(const ModelDescription &model, const ArtifactOptions &options) {
  std::string text;
  raw_string_ostream stream(text);
  json::OStream json(stream, /*IndentSize=*/2);
  json.object([&] {
    json.attribute("format_version", manifestFormatVersion);
    json.attributeObject("compiler", [&] {
      json.attribute("name", "moe-opt");
      json.attribute("version", MOE_VERSION);
      json.attributeObject("options", [&] {
        for (const auto &[name, value] : options.compilerOptions)
          json.attribute(valid(name), valid(value));
      });
    });
    writeSource(json, model.source);
    writeTensors(json, "inputs", model.inputs);
    writeTensors(json, "outputs", model.outputs);
    writePairs(json, model);
    writeLayers(json, model.layers);
    writeNotRaised(json, options.notRaised);
    json.attributeArray("isa_versions", [&] {
      for (const IsaDescription &isa : model.isaVersions)
        json.object([&] {
          json.attribute("name", isa.name);
          json.attributeArray("features", [&] {
            for (const std::string &feature : isa.features)
              json.value(feature);
          });
          json.attributeArray("sections", [&] {
            for (uint32_t section : isa.sections)
              json.value(static_cast<int64_t>(section));
          });
        });
    });
    writeWeights(json, model.weights);
  });
  text += '\n';
  return text;
}

} // namespace moe
