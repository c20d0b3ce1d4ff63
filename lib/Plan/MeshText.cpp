// See MeshText.h. Numbers that nobody has measured are those of two machines that are common today; a remark says that they are assumed.
#include "MeshText.h"

#include "moe/Plan/Input.h"

#include "llvm/Support/MemoryBuffer.h"

using namespace mlir;

namespace moe::plan {

/// Ranks of one machine exchange through memory, machines through 10 gigabit Ethernet.
static constexpr Link insideMachine = {2, 8, 0.5, 0}, betweenMachines = {30, 1.1, 3, 0};

static Device assumedDevice() {
  Device device;
  device.name = "assumed cpu";
  device.tflops = {{"f32", 0.5}, {"bf16", 1.0}, {"int8", 1.0}};
  device.gemmAlphaUs = 1;
  device.gemmHalfRows = 4;
  device.memoryGbps = 20;
  device.memoryBytes = int64_t(16) << 30;
  return device;
}

std::optional<std::string> textOfFile(StringRef path, std::string &error) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (buffer)
    return (*buffer)->getBuffer().str();
  error = (path + ": " + buffer.getError().message()).str();
  return std::nullopt;
}

std::optional<Mesh> meshOfText(StringRef text, std::string &source, std::string &error) {
  if (!text.contains('=')) {
    std::optional<std::string> json = textOfFile(text, error);
    std::optional<Mesh> mesh = json ? readMesh(*json, error) : std::nullopt;
    if (json && !mesh)
      error = (text + ": ").str() + error;
    source = text.str();
    return mesh;
  }
  Mesh mesh;
  SmallVector<StringRef> parts;
  text.split(parts, ',');
  for (StringRef part : parts) {
    auto [name, size] = part.split('=');
    Axis axis;
    axis.name = name.trim().str();
    if (axis.name.empty() || size.trim().getAsInteger(10, axis.size) || axis.size < 1) {
      error = ("expected axes and their sizes, as in node=2,rank=4, or a JSON file, found '" + text + "'").str();
      return std::nullopt;
    }
    mesh.axes.push_back(std::move(axis));
  }
  for (Axis &axis : mesh.axes)
    axis.link = &axis == &mesh.axes.back() ? insideMachine : betweenMachines;
  mesh.device = assumedDevice();
  source = "assumed";
  return mesh.validate(error) ? std::optional(mesh) : std::nullopt;
}

Mesh meshOfOp(MeshOp op) {
  Mesh mesh;
  auto number = [](FloatAttr attribute) { return attribute.getValueAsDouble(); };
  for (auto axis : op.getAxes().getAsRange<AxisAttr>())
    mesh.axes.push_back({axis.getName().str(), axis.getSize(),
                         {number(axis.getAlphaUs()), number(axis.getGbps()), number(axis.getPerMsgUs()), axis.getNics()}});
  const DeviceAttr device = op.getDevice();
  mesh.device.name = device.getName().str();
  for (NamedAttribute entry : device.getTflops())
    if (auto value = dyn_cast<FloatAttr>(entry.getValue()))
      mesh.device.tflops[entry.getName().str()] = number(value);
  mesh.device.gemmAlphaUs = number(device.getGemmAlphaUs());
  mesh.device.gemmHalfRows = number(device.getGemmHalfRows());
  mesh.device.memoryGbps = number(device.getMemGbps());
  mesh.device.memoryBytes = device.getMemMib() <= (INT64_MAX >> 20) ? device.getMemMib() << 20 : INT64_MAX;
  mesh.device.commComputeSlowdown = number(device.getCommComputeSlowdown());
  if (auto ids = op.getDeviceIds())
    mesh.deviceIds.assign(ids->begin(), ids->end());
  if (auto r2 = op.getR2())
    mesh.r2 = r2->convertToDouble();
  return mesh;
}

MeshOp createMeshOp(OpBuilder &builder, Location loc, StringRef name, const Mesh &mesh, StringRef source) {
  MLIRContext *context = builder.getContext();
  auto number = [&](double value) { return builder.getF64FloatAttr(value); };
  SmallVector<Attribute> axes;
  for (const Axis &axis : mesh.axes)
    axes.push_back(AxisAttr::get(context, axis.name, axis.size, number(axis.link.alphaUs), number(axis.link.gbps), number(axis.link.perMessageUs),
                                 axis.link.nics));
  NamedAttrList tflops;
  for (const auto &[type, speed] : mesh.device.tflops)
    tflops.set(type, number(speed));
  const Device &device = mesh.device;
  auto attribute = DeviceAttr::get(context, device.name, tflops.getDictionary(context), number(device.gemmAlphaUs), number(device.gemmHalfRows),
                                   number(device.memoryGbps), device.memoryBytes >> 20, number(device.commComputeSlowdown));
  return MeshOp::create(builder, loc, builder.getStringAttr(name), builder.getArrayAttr(axes), attribute,
                        mesh.deviceIds.empty() ? DenseI64ArrayAttr() : builder.getDenseI64ArrayAttr(mesh.deviceIds),
                        mesh.r2 == 1 ? FloatAttr() : number(mesh.r2), builder.getStringAttr(source));
}

SmallVector<std::string> axesOfGroup(const Mesh &mesh, int64_t count) {
  SmallVector<std::string> names;
  for (auto axis = mesh.axes.rbegin(); axis != mesh.axes.rend() && count > 1; ++axis) {
    if (axis->size == 1)
      continue;
    const bool whole = count % axis->size == 0;
    names.insert(names.begin(), whole ? axis->name : axis->name + ":(1)" + std::to_string(count));
    count = whole ? count / axis->size : 1;
  }
  return names;
}

} // namespace moe::plan
