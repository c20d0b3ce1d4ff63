// The placement rule of EPLB, with its order among equals, so that its published example comes out slot by slot. Our own search starts here
// and can therefore not be worse.
#include "moe/Plan/Sharding/Placement.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <queue>

namespace moe::plan {

namespace {

/// Where each item of a packing went.
struct Packing {
  std::vector<int64_t> pack;
  std::vector<int64_t> rank;
};

/// Equal numbers of items in every pack: heaviest first, each to the lightest pack that has room, the first of equals. Packs of one item keep
/// the order of the items.
Packing packEqually(const std::vector<double> &weights, int64_t packs) {
  const int64_t count = static_cast<int64_t>(weights.size()), room = count / packs;
  Packing result{std::vector<int64_t>(weights.size()), std::vector<int64_t>(weights.size())};
  if (room == 1) {
    std::iota(result.pack.begin(), result.pack.end(), 0);
    return result;
  }
  std::vector<int64_t> order(weights.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    const double left = weights[size_t(a)], right = weights[size_t(b)];
    return left != right ? left > right : a < b;
  });
  // Packs that have room, the lightest first, of equals the first.
  using Pack = std::pair<double, int64_t>;
  std::priority_queue<Pack, std::vector<Pack>, std::greater<Pack>> open;
  for (int64_t p = 0; p < packs; ++p)
    open.push({0.0, p});
  std::vector<int64_t> filled(static_cast<size_t>(packs));
  for (int64_t item : order) {
    const auto [sum, pack] = open.top();
    open.pop();
    result.pack[size_t(item)] = pack;
    result.rank[size_t(item)] = filled[size_t(pack)]++;
    if (filled[size_t(pack)] < room)
      open.push({sum + weights[size_t(item)], pack});
  }
  return result;
}

/// Experts of the slots of one node, before they are put on devices: first every expert, then the replicas in the order they were given.
std::vector<int64_t> replicate(const std::vector<double> &loads, int64_t slots, std::vector<int64_t> &counts) {
  std::vector<int64_t> expertOf(loads.size());
  std::iota(expertOf.begin(), expertOf.end(), 0);
  counts.assign(loads.size(), 1);
  // By load per replica, of equals the first: hence the negative number.
  std::priority_queue<std::pair<double, int64_t>> queue;
  for (size_t e = 0; e < loads.size(); ++e)
    queue.push({loads[e], -static_cast<int64_t>(e)});
  while (static_cast<int64_t>(expertOf.size()) < slots) {
    const int64_t best = -queue.top().second;
    queue.pop();
    expertOf.push_back(best);
    queue.push({loads[size_t(best)] / static_cast<double>(++counts[size_t(best)]), -best});
  }
  return expertOf;
}

} // namespace

std::vector<int64_t> replicaCounts(const std::vector<double> &loads, int64_t slots) {
  std::vector<int64_t> counts;
  replicate(loads, slots, counts);
  return counts;
}

Placement placeByEplb(const PlacementProblem &problem) {
  const int64_t nodes = problem.keepsGroups() ? problem.nodes : 1, groups = problem.keepsGroups() ? problem.groups : 1;
  const int64_t experts = static_cast<int64_t>(problem.loads.size()), groupSize = experts / groups, nodeExperts = experts / nodes;
  std::vector<double> groupLoads(static_cast<size_t>(groups));
  for (int64_t e = 0; e < experts; ++e)
    groupLoads[size_t(e / groupSize)] += problem.loads[size_t(e)];
  const Packing ofGroups = packEqually(groupLoads, nodes);
  // Experts in the order of their nodes.
  std::vector<int64_t> inNodeOrder(problem.loads.size());
  for (int64_t e = 0; e < experts; ++e) {
    const size_t group = size_t(e / groupSize);
    const int64_t at = ofGroups.pack[group] * nodeExperts + ofGroups.rank[group] * groupSize + e % groupSize;
    inNodeOrder[size_t(at)] = e;
  }
  const int64_t nodeSlots = problem.slots / nodes, deviceSlots = problem.slots / problem.devices;
  Placement placement{problem.devices, std::vector<int64_t>(static_cast<size_t>(problem.slots))};
  for (int64_t node = 0; node < nodes; ++node) {
    std::vector<double> loads;
    for (int64_t i = 0; i < nodeExperts; ++i)
      loads.push_back(problem.loads[size_t(inNodeOrder[size_t(node * nodeExperts + i)])]);
    std::vector<int64_t> counts;
    const std::vector<int64_t> expertOf = replicate(loads, nodeSlots, counts);
    std::vector<double> slotLoads;
    for (int64_t expert : expertOf)
      slotLoads.push_back(loads[size_t(expert)] / static_cast<double>(counts[size_t(expert)]));
    const Packing ofSlots = packEqually(slotLoads, problem.devices / nodes);
    for (size_t s = 0; s < expertOf.size(); ++s) {
      const int64_t slot = node * nodeSlots + ofSlots.pack[s] * deviceSlots + ofSlots.rank[s];
      placement.expertOfSlot[size_t(slot)] = inNodeOrder[size_t(node * nodeExperts + expertOf[s])];
    }
  }
  return placement;
}

} // namespace moe::plan
