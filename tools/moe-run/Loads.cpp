// The outputs that moe-compile --record-load adds, as a profile for the planner.
#include "Loads.h"
#include "Failure.h"
#include "Json.h"
#include "moe/Machine/ModelInfo.h"
#include "moe/Runtime/Error.h"
#include "moe/Runtime/ModelInfoReader.h"

#include <cstring>

namespace moe::run {

bool isLoadOutput(const std::string &name) { return name.compare(0, std::strlen(loadOutputPrefix), loadOutputPrefix) == 0; }

std::string profileText(const Session &session) {
  uint64_t bytes = 0;
  const auto *blob = static_cast<const unsigned char *>(session.functions().metadata(&bytes));
  runtime::ModelInfo info;
  if (info.read(blob, bytes) != MOE_STATUS_OK)
    throw Failure(runtime::lastError());
  JsonList layers("[]");
  bool any = false;
  for (size_t i = 0; i < session.outputs().size(); ++i) {
    const std::string output = session.outputs()[i].name;
    if (!isLoadOutput(output))
      continue;
    any = true;
    const std::string name = output.substr(std::strlen(loadOutputPrefix));
    uint32_t topK = 0;
    for (uint32_t l = 0; l < info.numLayers; ++l)
      if (name == info.layers[l].name)
        topK = info.layers[l].topK;
    if (topK == 0)
      throw Failure("--record-load: layer '" + name + "' does not have a fixed number of experts for each token");
    const Array &counts = session.outputArrays()[i];
    JsonList window("[]"), windows("[]");
    int64_t assignments = 0;
    for (int64_t e = 0; e < counts.elements(); ++e) {
      int32_t count = 0;
      std::memcpy(&count, counts.bytes.data() + size_t(e) * sizeof(count), sizeof(count));
      window.add(std::to_string(count));
      assignments += count;
    }
    if (assignments > 0) // A run without tokens says nothing of where they go.
      windows.add(window.str());
    JsonList layer("{}");
    layer.add("name", jsonString(name)).add("experts", std::to_string(counts.elements())).add("top_k", std::to_string(topK));
    layers.add(layer.add("windows", windows.str()).str());
  }
  if (!any)
    throw Failure("--record-load: expected a model that counts how often experts are chosen; compile it with moe-compile --record-load");
  return JsonList("{}").add("version", "1").add("layers", layers.str()).str() + "\n";
}

} // namespace moe::run
