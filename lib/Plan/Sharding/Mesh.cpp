// Checks of a mesh and its view as two levels. Every number comes from a file or a flag, so nothing about it is taken for granted.
#include "moe/Plan/Sharding/Mesh.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>

namespace moe::plan {

double Link::timeUs(int64_t peers, double bytes) const {
  if (peers <= 0)
    return 0;
  return alphaUs + perMessageUs * static_cast<double>(peers) + bytes / (gbps * 1e3);
}

int64_t Mesh::devices() const {
  int64_t count = 1;
  for (const Axis &axis : axes)
    count *= axis.size;
  return count;
}

Levels Mesh::levels() const {
  Levels levels;
  levels.perNode = axes.back().size;
  levels.intra = axes.back().link;
  bool first = true;
  int64_t below = levels.perNode;
  for (auto axis = axes.rbegin() + 1; axis != axes.rend(); ++axis) {
    Link link = axis->link;
    if (link.nics > 0)
      link.gbps *= std::min(1.0, static_cast<double>(link.nics) / static_cast<double>(below));
    below *= axis->size;
    // An axis of one position carries nothing.
    if (axis->size == 1)
      continue;
    levels.nodes *= axis->size;
    if (first)
      levels.inter = link;
    levels.inter.alphaUs = std::max(levels.inter.alphaUs, link.alphaUs);
    levels.inter.perMessageUs = std::max(levels.inter.perMessageUs, link.perMessageUs);
    levels.inter.gbps = std::min(levels.inter.gbps, link.gbps);
    first = false;
  }
  return levels;
}

namespace {

/// Records the first number that is out of its range.
struct Checker {
  std::string &error;

  bool fail(const std::string &field, const std::string &expected, const std::string &found) {
    error = field + ": expected " + expected + ", found " + found;
    return false;
  }
  template <typename Number> bool fail(const std::string &field, const std::string &expected, Number found) {
    std::ostringstream text;
    text << found;
    return fail(field, expected, text.str());
  }
  bool positive(const std::string &field, double value) {
    return (std::isfinite(value) && value > 0) || fail(field, "a positive finite number", value);
  }
  bool notNegative(const std::string &field, double value) {
    return (std::isfinite(value) && value >= 0) || fail(field, "a finite number, at least 0", value);
  }
};

bool validateAxes(const Mesh &mesh, Checker &check) {
  if (mesh.axes.empty())
    return check.fail("axes", "at least one axis", "none");
  std::set<std::string> names;
  int64_t devices = 1;
  for (size_t i = 0; i < mesh.axes.size(); ++i) {
    const Axis &axis = mesh.axes[i];
    const std::string field = "axes[" + std::to_string(i) + "]";
    if (axis.name.empty())
      return check.fail(field + ".name", "a name", "an empty text");
    if (!names.insert(axis.name).second)
      return check.fail(field + ".name", "a name that no other axis has", "'" + axis.name + "' again");
    if (axis.size < 1 || axis.size > Mesh::maximumDevices / devices)
      return check.fail(field + ".size", "at least 1 and at most " + std::to_string(Mesh::maximumDevices) + " devices in all", axis.size);
    devices *= axis.size;
    if (axis.link.nics < 0)
      return check.fail(field + ".link.nics", "at least 0", axis.link.nics);
    if (!check.notNegative(field + ".link.alpha_us", axis.link.alphaUs) || !check.positive(field + ".link.gbps", axis.link.gbps) ||
        !check.notNegative(field + ".link.per_msg_us", axis.link.perMessageUs))
      return false;
  }
  return true;
}

bool validateDevice(const Device &device, Checker &check) {
  if (device.tflops.empty())
    return check.fail("device.tflops", "a number for at least one element type", "none");
  for (const auto &[type, value] : device.tflops)
    if (!check.positive("device.tflops." + type, value))
      return false;
  if (device.memoryBytes <= 0)
    return check.fail("device.mem_mib", "a positive size", device.memoryBytes);
  return check.notNegative("device.gemm_alpha_us", device.gemmAlphaUs) && check.notNegative("device.gemm_half_m", device.gemmHalfRows) &&
         check.positive("device.mem_gbps", device.memoryGbps) && check.notNegative("device.comm_compute_slowdown", device.commComputeSlowdown);
}

bool validateIds(const Mesh &mesh, Checker &check) {
  if (mesh.deviceIds.empty())
    return true;
  const int64_t devices = mesh.devices();
  if (static_cast<int64_t>(mesh.deviceIds.size()) != devices)
    return check.fail("device_ids", std::to_string(devices) + " numbers, one a device", mesh.deviceIds.size());
  std::vector<bool> seen(static_cast<size_t>(devices));
  for (size_t i = 0; i < mesh.deviceIds.size(); ++i) {
    const int64_t id = mesh.deviceIds[i];
    const std::string field = "device_ids[" + std::to_string(i) + "]";
    if (id < 0 || id >= devices)
      return check.fail(field, "a number from 0 to " + std::to_string(devices - 1), id);
    if (seen[static_cast<size_t>(id)])
      return check.fail(field, "every device once", std::to_string(id) + " again");
    seen[static_cast<size_t>(id)] = true;
  }
  return true;
}

} // namespace

bool Mesh::validate(std::string &error) const {
  Checker check{error};
  if (!(r2 >= minimumR2 && r2 <= 1))
    return check.fail("r2", "a fit of 0.97 to 1 (calibrate again, on idle machines)", r2);
  return validateAxes(*this, check) && validateDevice(device, check) && validateIds(*this, check);
}

} // namespace moe::plan
