// Sums the shares of slots over ranks and nodes. Parts of one expert in one group are joined first, since a token chooses an expert once.
#include "moe/Plan/Sharding/Traffic.h"

#include <map>

namespace moe::plan {

/// The experts of slots [begin, end) and the fraction of each expert's slots that is there.
static std::vector<ExpertPart> partsOf(const Placement &placement, const std::vector<int64_t> &counts, size_t begin, size_t end) {
  std::map<int64_t, int64_t> here;
  for (size_t s = begin; s < end; ++s)
    ++here[placement.expertOfSlot[s]];
  std::vector<ExpertPart> parts;
  for (const auto &[expert, count] : here)
    parts.emplace_back(expert, static_cast<double>(count) / static_cast<double>(counts[size_t(expert)]));
  return parts;
}

Traffic trafficOf(const Routing &routing, const Placement &placement, int64_t ranksPerNode) {
  Traffic traffic;
  traffic.topK = routing.topK();
  const std::vector<int64_t> counts = placement.replicas(routing.experts());
  const size_t perRank = static_cast<size_t>(placement.slotsPerDevice()), ranks = static_cast<size_t>(placement.devices);
  for (int64_t expert : placement.expertOfSlot)
    traffic.slotShare.push_back(routing.share(expert) / static_cast<double>(counts[size_t(expert)]));
  for (size_t rank = 0; rank < ranks; ++rank) {
    const std::vector<ExpertPart> parts = partsOf(placement, counts, rank * perRank, (rank + 1) * perRank);
    traffic.copies.push_back(routing.copies(parts));
    traffic.rankReach.push_back(routing.hit(parts));
  }
  regroup(routing, placement, ranksPerNode, traffic);
  return traffic;
}

void regroup(const Routing &routing, const Placement &placement, int64_t ranksPerNode, Traffic &traffic) {
  traffic.ranksPerNode = ranksPerNode;
  if (ranksPerNode == 1) {
    traffic.nodeReach = traffic.rankReach;
    return;
  }
  traffic.nodeReach.clear();
  const std::vector<int64_t> counts = placement.replicas(routing.experts());
  const size_t nodeSlots = static_cast<size_t>(placement.slotsPerDevice() * ranksPerNode);
  for (size_t slot = 0; slot < placement.expertOfSlot.size(); slot += nodeSlots)
    traffic.nodeReach.push_back(routing.hit(partsOf(placement, counts, slot, slot + nodeSlots)));
}

std::vector<double> trafficMatrix(const std::vector<double> &tokens, const std::vector<double> &perToken) {
  std::vector<double> matrix;
  matrix.reserve(tokens.size() * perToken.size());
  for (double count : tokens)
    for (double share : perToken)
      matrix.push_back(count * share);
  return matrix;
}

} // namespace moe::plan
