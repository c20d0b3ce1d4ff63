// See KeepOld.h.
#include "KeepOld.h"
#include "moe/Plan/Sharding/Profile.h"
#include "moe/Plan/Sharding/Replan.h"

#include <algorithm>

namespace moe::plan {

KeptChoice keepOld(const Mesh &mesh, const PlanLayer &layer, const ScoredCandidate &chosen, const Placement &placement, const OldSharding &old,
                   double memory, double buffer, const SearchOptions &options) {
  const LayerShape &shape = layer.shape;
  KeptChoice best{chosen, placement, -1, static_cast<int64_t>(placement.expertOfSlot.size()), 0};
  RankLayout layout;
  std::string error;
  const std::optional<ScoredCandidate> asItWas = scorePinned(mesh, layer, old.candidate, old.placement, options, error);
  if (!asItWas || !layoutOf(mesh.levels(), old.candidate, layout))
    return best;
  best.oldUs = asItWas->timeUs;
  // What a user asks for is not kept back.
  const int64_t asked = layer.pinnedEp != 0 ? layer.pinnedEp : options.expertParallel;
  if ((asked != 0 && asked != old.candidate.ep) || (layer.pinnedSlots != 0 && layer.pinnedSlots != old.candidate.slotsPerRank) ||
      (old.candidate.etp != chosen.candidate.etp && (old.candidate.etp > 1 || options.expertSplit != 0)))
    return best;
  const double enough = chosen.timeUs * (1 + replanTolerance);
  auto isFine = [&](const ScoredCandidate &scored) { return scored.timeUs <= enough && scored.cost.weightBytes + std::max(buffer, scored.cost.bufferBytes) <= memory; };
  const bool isAlike = chosen.candidate.ep == old.candidate.ep && chosen.candidate.etp == old.candidate.etp && chosen.candidate.edp == old.candidate.edp &&
                       chosen.candidate.slotsPerRank == old.candidate.slotsPerRank;
  const int64_t perNode = layout.perNode;
  auto take = [&](const Placement &other) {
    const std::optional<ScoredCandidate> scored = scorePinned(mesh, layer, old.candidate, other, options, error);
    const int64_t moved = movedSlots(old.placement, other);
    if (scored && isFine(*scored) && (best.moved < 0 || moved < best.moved))
      best = {*scored, other, moved, static_cast<int64_t>(other.expertOfSlot.size()), best.oldUs};
  };
  if (isAlike) {
    best.placement = alignTo(old.placement, placement, perNode);
    best.moved = movedSlots(old.placement, best.placement);
  }
  std::vector<double> loads(static_cast<size_t>(shape.experts), 1);
  if (!layer.windows.empty())
    loads = sharesOf(totalLoads({layer.name, shape.experts, shape.topK, layer.windows, {}}), shape.topK);
  const int64_t slots = static_cast<int64_t>(old.placement.expertOfSlot.size());
  const Placement fresh = isAlike ? placement : place({loads, old.candidate.ep, slots, 1, 1}, options.placementEffort).placement;
  take(replan(loads, old.placement, fresh, perNode, replanTolerance));
  take(old.placement);
  return best;
}

} // namespace moe::plan
