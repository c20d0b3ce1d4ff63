// A mesh from JSON text. Only kinds are checked here; ranges are Mesh::validate's, so that a mesh from attributes meets the same rules.
#include "JsonFields.h"
#include "moe/Plan/Input.h"

using namespace llvm;

namespace moe::plan {

static bool readLink(const json::Object &object, const std::string &path, Link &link, std::string &error) {
  Fields fields(object, path, error);
  return fields.read("alpha_us", link.alphaUs) && fields.read("gbps", link.gbps) && fields.read("per_msg_us", link.perMessageUs) &&
         fields.read("nics", link.nics, /*required=*/false) && fields.finish();
}

static bool readAxes(const json::Array &array, Mesh &mesh, std::string &error) {
  for (size_t i = 0; i < array.size(); ++i) {
    const std::string path = "axes[" + std::to_string(i) + "]";
    const json::Object *object = array[i].getAsObject();
    if (!object)
      return failKind(error, path, "an object", &array[i]);
    Axis axis;
    Fields fields(*object, path, error);
    if (!fields.read("name", axis.name) || !fields.read("size", axis.size))
      return false;
    const json::Object *link = fields.child("link");
    if (!link || !readLink(*link, fields.at("link"), axis.link, error) || !fields.finish())
      return false;
    mesh.axes.push_back(std::move(axis));
  }
  return true;
}

static bool readDevice(const json::Object &object, Device &device, std::string &error) {
  Fields fields(object, "device", error);
  const json::Object *tflops = fields.child("tflops");
  if (!tflops)
    return false;
  for (const auto &entry : *tflops) {
    const std::string type = StringRef(entry.first).str();
    if (!readValue(entry.second, "device.tflops." + type, device.tflops[type], error))
      return false;
  }
  int64_t mebibytes = 0;
  if (!fields.read("name", device.name, /*required=*/false) || !fields.read("gemm_alpha_us", device.gemmAlphaUs, /*required=*/false) ||
      !fields.read("gemm_half_m", device.gemmHalfRows, /*required=*/false) || !fields.read("mem_gbps", device.memoryGbps) ||
      !fields.read("mem_mib", mebibytes) || !fields.read("comm_compute_slowdown", device.commComputeSlowdown, /*required=*/false) || !fields.finish())
    return false;
  // Beyond this the size in bytes is no int64.
  constexpr int64_t maximumMebibytes = INT64_MAX >> 20;
  if (mebibytes < 1 || mebibytes > maximumMebibytes) {
    error = "device.mem_mib: expected 1 to " + std::to_string(maximumMebibytes) + ", found " + std::to_string(mebibytes);
    return false;
  }
  device.memoryBytes = mebibytes << 20;
  return true;
}

std::optional<Mesh> readMesh(std::string_view text, std::string &error) {
  std::optional<json::Value> value = parseJsonObject(text, error);
  if (!value)
    return std::nullopt;
  Mesh mesh;
  Fields fields(*value->getAsObject(), "", error);
  if (!fields.readVersion() || !fields.read("r2", mesh.r2, /*required=*/false))
    return std::nullopt;
  const json::Array *axes = fields.array("axes");
  if (!axes || !readAxes(*axes, mesh, error))
    return std::nullopt;
  const json::Object *device = fields.child("device");
  if (!device || !readDevice(*device, mesh.device, error))
    return std::nullopt;
  error.clear();
  if (const json::Array *ids = fields.array("device_ids", /*required=*/false)) {
    for (size_t i = 0; i < ids->size(); ++i)
      if (!readValue((*ids)[i], "device_ids[" + std::to_string(i) + "]", mesh.deviceIds.emplace_back(), error))
        return std::nullopt;
  }
  if (!error.empty() || !fields.finish() || !mesh.validate(error))
    return std::nullopt;
  return mesh;
}

} // namespace moe::plan
