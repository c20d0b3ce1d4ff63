// See Replan.h.
#include "moe/Plan/Sharding/Replan.h"
#include "LocalSearch.h"

#include <algorithm>
#include <tuple>

namespace moe::plan {

namespace {

/// The experts of a device, sorted.
std::vector<int64_t> expertsOf(const Placement &placement, int64_t device) {
  const auto begin = placement.expertOfSlot.begin() + device * placement.slotsPerDevice();
  std::vector<int64_t> experts(begin, begin + placement.slotsPerDevice());
  std::sort(experts.begin(), experts.end());
  return experts;
}

/// How many slots of the one device can stay where the other has theirs.
int64_t overlap(const std::vector<int64_t> &a, const std::vector<int64_t> &b) {
  std::vector<int64_t> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  return static_cast<int64_t>(both.size());
}

/// `experts` in the order of `old` as far as they are there; the rest, ascending, fills what is left.
std::vector<int64_t> ordered(const std::vector<int64_t> &old, std::vector<int64_t> experts) {
  std::vector<int64_t> result(old.size(), -1);
  for (size_t s = 0; s < old.size(); ++s) {
    const auto found = std::find(experts.begin(), experts.end(), old[s]);
    if (found == experts.end())
      continue;
    result[s] = old[s];
    experts.erase(found);
  }
  for (size_t s = 0, next = 0; s < result.size(); ++s)
    if (result[s] < 0)
      result[s] = experts[next++];
  return result;
}

} // namespace

int64_t movedSlots(const Placement &from, const Placement &to) {
  int64_t moved = 0;
  for (int64_t d = 0; d < to.devices; ++d) {
    const std::vector<int64_t> before = expertsOf(from, d);
    std::vector<int64_t> after = expertsOf(to, d);
    // Two slots of one expert on a device need its weights once.
    after.erase(std::unique(after.begin(), after.end()), after.end());
    moved += std::count_if(after.begin(), after.end(), [&](int64_t expert) { return !std::binary_search(before.begin(), before.end(), expert); });
  }
  return moved;
}

Placement alignTo(const Placement &from, const Placement &placement, int64_t devicesPerNode) {
  // All pairs of one node by what they share; of equals the first.
  std::vector<std::tuple<int64_t, int64_t, int64_t>> pairs;
  for (int64_t a = 0; a < from.devices; ++a)
    for (int64_t b = a / devicesPerNode * devicesPerNode; b < std::min(from.devices, (a / devicesPerNode + 1) * devicesPerNode); ++b)
      pairs.emplace_back(-overlap(expertsOf(from, a), expertsOf(placement, b)), a, b);
  std::sort(pairs.begin(), pairs.end());
  std::vector<bool> isNamed(static_cast<size_t>(from.devices)), isUsed(static_cast<size_t>(from.devices));
  Placement result = placement;
  const int64_t perDevice = placement.slotsPerDevice();
  for (const auto &[less, a, b] : pairs) {
    if (isNamed[size_t(a)] || isUsed[size_t(b)])
      continue;
    isNamed[size_t(a)] = isUsed[size_t(b)] = true;
    const auto old = from.expertOfSlot.begin() + a * perDevice;
    const std::vector<int64_t> slots = ordered({old, old + perDevice}, expertsOf(placement, b));
    std::copy(slots.begin(), slots.end(), result.expertOfSlot.begin() + a * perDevice);
  }
  return result;
}

Placement replan(const std::vector<double> &loads, const Placement &from, const Placement &fresh, int64_t devicesPerNode, double tolerance) {
  const double enough = fresh.maxDeviceLoad(loads) * (1 + tolerance);
  Placement result = from;
  improveUntil(loads, result, enough);
  const Placement other = alignTo(from, fresh, devicesPerNode);
  const bool isGood = result.maxDeviceLoad(loads) <= enough;
  return isGood && movedSlots(from, result) <= movedSlots(from, other) ? result : other;
}

} // namespace moe::plan
