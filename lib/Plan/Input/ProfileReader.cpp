// A profile of expert loads from JSON text. Kinds are checked here, what the counts must satisfy by Profile::validate.
#include "JsonFields.h"
#include "moe/Plan/Input.h"

using namespace llvm;

namespace moe::plan {

static bool readNumbers(const json::Value &value, const std::string &path, std::vector<double> &out, std::string &error) {
  const json::Array *array = value.getAsArray();
  if (!array)
    return failKind(error, path, "an array", &value);
  out.reserve(out.size() + array->size());
  for (size_t i = 0; i < array->size(); ++i) {
    double number = 0;
    // The path is only made for an error: profiles have millions of numbers.
    if (std::optional<double> found = (*array)[i].getAsNumber())
      number = *found;
    else if (!readValue((*array)[i], path + "[" + std::to_string(i) + "]", number, error))
      return false;
    out.push_back(number);
  }
  return true;
}

static bool readLayer(const json::Object &object, const std::string &path, LayerLoad &layer, std::string &error) {
  Fields fields(object, path, error);
  if (!fields.read("name", layer.name) || !fields.read("experts", layer.experts) || !fields.read("top_k", layer.topK))
    return false;
  const json::Array *windows = fields.array("windows");
  if (!windows)
    return false;
  for (size_t w = 0; w < windows->size(); ++w)
    if (!readNumbers((*windows)[w], fields.at("windows") + "[" + std::to_string(w) + "]", layer.windows.emplace_back(), error))
      return false;
  error.clear();
  const json::Array *pairs = fields.array("coactivation", /*required=*/false);
  if (!error.empty() || !fields.finish())
    return false;
  for (size_t e = 0; pairs && e < pairs->size(); ++e) {
    const std::string row = path + ".coactivation[" + std::to_string(e) + "]";
    const size_t before = layer.coactivation.size();
    if (!readNumbers((*pairs)[e], row, layer.coactivation, error))
      return false;
    // A short row and a long one could together have the right number of counts.
    const int64_t length = static_cast<int64_t>(layer.coactivation.size() - before);
    if (length != layer.experts) {
      error = row + ": expected " + std::to_string(layer.experts) + " counts, one an expert, found " + std::to_string(length);
      return false;
    }
  }
  if (pairs && static_cast<int64_t>(pairs->size()) != layer.experts) {
    error = path + ".coactivation: expected " + std::to_string(layer.experts) + " rows, one an expert, found " + std::to_string(pairs->size());
    return false;
  }
  return true;
}

std::optional<Profile> readProfile(std::string_view text, std::string &error) {
  std::optional<json::Value> value = parseJsonObject(text, error);
  if (!value)
    return std::nullopt;
  Profile profile;
  Fields fields(*value->getAsObject(), "", error);
  if (!fields.readVersion())
    return std::nullopt;
  const json::Array *layers = fields.array("layers");
  if (!layers || !fields.finish())
    return std::nullopt;
  for (size_t l = 0; l < layers->size(); ++l) {
    const std::string path = "layers[" + std::to_string(l) + "]";
    const json::Object *object = (*layers)[l].getAsObject();
    if (!object) {
      failKind(error, path, "an object", &(*layers)[l]);
      return std::nullopt;
    }
    if (!readLayer(*object, path, profile.layers.emplace_back(), error))
      return std::nullopt;
  }
  if (!profile.validate(error))
    return std::nullopt;
  return profile;
}

} // namespace moe::plan
