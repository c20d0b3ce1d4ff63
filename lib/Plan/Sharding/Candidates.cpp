// Enumerates and scores what can be done with one layer. A placement is made once for each number of ranks and slots, from the loads of all
// windows together, and then costed on each window.
#include "moe/Plan/Sharding/Profile.h"
#include "moe/Plan/Sharding/Search.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace moe::plan {

namespace {

std::vector<int64_t> divisors(int64_t number) {
  std::vector<int64_t> found;
  for (int64_t d = 1; d <= number; ++d)
    if (number % d == 0)
      found.push_back(d);
  return found;
}

/// One routing for each window.
std::vector<Routing> routingsOf(const PlanLayer &layer) {
  std::vector<Routing> routings;
  const int64_t k = layer.shape.topK;
  for (const std::vector<double> &window : layer.windows)
    routings.emplace_back(sharesOf(window, k), k, layer.coactivation);
  if (routings.empty())
    routings.emplace_back(uniformShares(layer.shape.experts, k), k, layer.coactivation);
  return routings;
}

std::vector<double> meanLoads(const std::vector<Routing> &routings) {
  std::vector<double> loads(static_cast<size_t>(routings[0].experts()));
  for (const Routing &routing : routings)
    for (size_t e = 0; e < loads.size(); ++e)
      loads[e] += routing.share(static_cast<int64_t>(e)) / static_cast<double>(routings.size());
  return loads;
}

ScoredCandidate score(const Mesh &mesh, const PlanLayer &layer, const Candidate &candidate, const RankLayout &layout,
                      const std::vector<Traffic> &windows, const SearchOptions &options) {
  ScoredCandidate result{candidate, 0, {}, -1};
  std::vector<double> times;
  double weights = 0, buffer = 0;
  for (const Traffic &traffic : windows) {
    const LayerCost cost = costOf(mesh, layer.shape, candidate, layout, traffic, options.cost);
    times.push_back(cost.totalUs);
    weights = std::max(weights, cost.weightBytes);
    buffer = std::max(buffer, cost.bufferBytes);
    if (cost.totalUs > result.cost.totalUs)
      result.cost = cost;
  }
  result.cost.weightBytes = weights;
  result.cost.bufferBytes = buffer;
  result.timeUs = meanOrTail(std::move(times), options.tail);
  return result;
}

/// What candidates are sorted by. Times and bytes that differ by rounding are equal, whatever the compiler; of equals the simpler way comes first.
auto rankOf(const ScoredCandidate &scored) {
  const Candidate &way = scored.candidate;
  return std::make_tuple(std::nearbyint(scored.timeUs * 1e6), std::nearbyint(scored.cost.weightBytes + scored.cost.bufferBytes), way.movement, way.algorithm,
                         way.dedup, way.chunks, way.etp, way.ep, way.slotsPerRank, scored.placement);
}

/// All experts on the device that has the tokens.
Traffic trafficInPlace(const Routing &routing) {
  Traffic traffic;
  for (int64_t e = 0; e < routing.experts(); ++e)
    traffic.slotShare.push_back(routing.share(e));
  return traffic;
}

/// Scores the candidates of one layer.
class Scorer {
public:
  Scorer(const Mesh &mesh, const PlanLayer &layer, const SearchOptions &options)
      : mesh(mesh), levels(mesh.levels()), layer(layer), options(options), routings(routingsOf(layer)), loads(meanLoads(routings)) {}

  LayerCandidates run() {
    for (int64_t ep : divisors(levels.devices())) {
      const int64_t asked = layer.pinnedEp != 0 ? layer.pinnedEp : options.expertParallel;
      if (asked != 0 && ep != asked)
        continue;
      const int64_t fewest = (layer.shape.experts + ep - 1) / ep;
      if (layer.pinnedSlots != 0 && (layer.pinnedSlots < fewest || layer.pinnedSlots > layer.shape.experts))
        continue;
      for (int64_t extra : layer.pinnedSlots != 0 ? std::vector<int64_t>{layer.pinnedSlots - fewest} : options.extraSlots)
        if (fewest + extra <= layer.shape.experts)
          scoreRanks(ep, fewest + extra);
      if (ep > 1 && !options.onlyRunnable && layer.pinnedSlots == 0)
        scoreFetch(ep, fewest);
    }
    std::sort(result.scored.begin(), result.scored.end(), [](const ScoredCandidate &a, const ScoredCandidate &b) { return rankOf(a) < rankOf(b); });
    return std::move(result);
  }

private:
  /// All candidates with `ep` ranks of `slots` slots.
  void scoreRanks(int64_t ep, int64_t slots) {
    PlacementProblem problem{loads, ep, ep * slots, 1, 1};
    result.placements.push_back(place(problem, options.placementEffort));
    const int64_t global = static_cast<int64_t>(result.placements.size()) - 1;
    const Placement placement = result.placements.back().placement;
    std::vector<Traffic> windows;
    for (const Routing &routing : routings)
      windows.push_back(trafficOf(routing, placement, 1));
    const int64_t asked = layer.pinnedEtp != 0 ? layer.pinnedEtp : options.onlyRunnable ? options.expertSplit : 0;
    for (int64_t etp : divisors(levels.perNode)) {
      if ((asked != 0 && etp != asked) || (options.onlyRunnable && etp > 1 && !layer.isCuttable))
        continue;
      Candidate candidate{ep, etp, levels.devices() / ep / etp, slots};
      RankLayout layout;
      if (levels.devices() % (ep * etp) != 0 || layer.shape.intermediate % etp != 0 || !layoutOf(levels, candidate, layout))
        continue;
      for (size_t w = 0; w < windows.size(); ++w)
        regroup(routings[w], placement, layout.perNode, windows[w]);
      scoreExchanges(candidate, layout, windows, global);
      scoreGroups(candidate, layout);
    }
  }

  /// The same with a placement that keeps the router's groups on their nodes, where there can be one.
  void scoreGroups(const Candidate &candidate, const RankLayout &layout) {
    PlacementProblem problem{loads, candidate.ep, candidate.ep * candidate.slotsPerRank, layer.groups, layout.nodes()};
    if (layer.groups == 1 || !problem.keepsGroups())
      return;
    result.placements.push_back(place(problem, options.placementEffort));
    std::vector<Traffic> windows;
    for (const Routing &routing : routings)
      windows.push_back(trafficOf(routing, result.placements.back().placement, layout.perNode));
    scoreExchanges(candidate, layout, windows, static_cast<int64_t>(result.placements.size()) - 1);
  }

  void scoreExchanges(Candidate candidate, const RankLayout &layout, const std::vector<Traffic> &windows, int64_t placement) {
    // A wish for one way counts where there are several.
    const bool hasLevels = layout.nodes() > 1 && layout.perNode > 1;
    for (Algorithm algorithm : {Algorithm::Direct, Algorithm::TwoLevel}) {
      if (hasLevels ? options.algorithm && algorithm != *options.algorithm : algorithm == Algorithm::TwoLevel)
        continue;
      for (Dedup dedup : {Dedup::None, Dedup::Device, Dedup::Node}) {
        // Nothing is sent twice, or nothing knows of nodes.
        if (dedup != Dedup::None && (candidate.ep == 1 || layer.shape.topK == 1))
          continue;
        if ((dedup == Dedup::Node && algorithm == Algorithm::Direct) || (dedup == Dedup::Device && options.onlyRunnable))
          continue;
        if (hasLevels && layer.shape.topK > 1 && options.dedup && dedup != *options.dedup)
          continue;
        candidate.algorithm = algorithm;
        candidate.dedup = dedup;
        for (int64_t chunks : options.chunks) {
          // A number that the user has asked for is not doubted; where nothing travels there is one chunk.
          const bool isForced = options.chunks.size() == 1;
          if (!isForced && chunks > 1 && (candidate.ep == 1 || static_cast<double>(chunks) > layer.shape.tokens))
            continue;
          candidate.chunks = candidate.ep == 1 ? 1 : chunks;
          result.scored.push_back(score(mesh, layer, candidate, layout, windows, options));
          result.scored.back().placement = placement;
        }
      }
    }
  }

  void scoreFetch(int64_t ep, int64_t slots) {
    Candidate candidate{ep, 1, levels.devices() / ep, slots, Movement::Fetch};
    RankLayout layout;
    if (!layoutOf(levels, candidate, layout))
      return;
    std::vector<Traffic> windows;
    for (const Routing &routing : routings)
      windows.push_back(trafficInPlace(routing));
    result.scored.push_back(score(mesh, layer, candidate, layout, windows, options));
  }

  const Mesh &mesh;
  Levels levels;
  const PlanLayer &layer;
  const SearchOptions &options;
  std::vector<Routing> routings;
  std::vector<double> loads;
  LayerCandidates result;
};

} // namespace

LayerCandidates scoreCandidates(const Mesh &mesh, const PlanLayer &layer, const SearchOptions &options) { return Scorer(mesh, layer, options).run(); }

std::optional<ScoredCandidate> scorePinned(const Mesh &mesh, const PlanLayer &layer, const Candidate &candidate, const Placement &placement,
                                           const SearchOptions &options, std::string &error) {
  RankLayout layout;
  const int64_t devices = mesh.devices();
  auto fail = [&](const std::string &expected, int64_t found) {
    error = "plan of " + layer.name + ": expected " + expected + ", found " + std::to_string(found);
    return std::nullopt;
  };
  if (candidate.ep < 1 || candidate.etp < 1 || candidate.edp < 1 || candidate.chunks < 1)
    return fail("ep, etp, edp and chunks of at least 1", std::min({candidate.ep, candidate.etp, candidate.edp, candidate.chunks}));
  if (candidate.ep > devices || candidate.etp > devices || candidate.edp > devices || candidate.ep * candidate.etp * candidate.edp != devices)
    return fail("ep · etp · edp to be " + std::to_string(devices) + " devices", candidate.ep * candidate.etp * candidate.edp);
  if (!layoutOf(mesh.levels(), candidate, layout))
    return fail("ep · etp to divide, or be a multiple of, the devices of a node, with etp inside of one", candidate.ep * candidate.etp);
  if (layer.shape.intermediate % candidate.etp != 0)
    return fail("etp to divide F = " + std::to_string(layer.shape.intermediate), candidate.etp);
  if (candidate.dedup == Dedup::Node && candidate.algorithm != Algorithm::TwoLevel)
    return fail("2 levels where tokens are sent once to a node", 1);
  const std::vector<Routing> routings = routingsOf(layer);
  std::vector<Traffic> windows;
  if (candidate.movement == Movement::Fetch) {
    if (candidate.etp != 1)
      return fail("etp of 1 where weights are fetched", candidate.etp);
    for (const Routing &routing : routings)
      windows.push_back(trafficInPlace(routing));
    return score(mesh, layer, candidate, layout, windows, options);
  }
  if (placement.devices != candidate.ep || static_cast<int64_t>(placement.expertOfSlot.size()) != candidate.ep * candidate.slotsPerRank)
    return fail("a placement of " + std::to_string(candidate.ep * candidate.slotsPerRank) + " slots",
                static_cast<int64_t>(placement.expertOfSlot.size()));
  for (int64_t expert : placement.expertOfSlot)
    if (expert < 0 || expert >= layer.shape.experts)
      return fail("experts from 0 to " + std::to_string(layer.shape.experts - 1), expert);
  const std::vector<int64_t> counts = placement.replicas(layer.shape.experts);
  if (std::find(counts.begin(), counts.end(), 0) != counts.end())
    return fail("a slot for every expert", 0);
  for (const Routing &routing : routings)
    windows.push_back(trafficOf(routing, placement, layout.perNode));
  return score(mesh, layer, candidate, layout, windows, options);
}

} // namespace moe::plan
