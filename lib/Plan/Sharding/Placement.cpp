// Placement with a certificate. Groups that stay on their nodes make two levels: which groups share a node, then a placement inside each.
#include "moe/Plan/Sharding/Placement.h"

#include "LocalSearch.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

namespace moe::plan {

namespace {

/// Sets of groups that a node can hold are all tried up to this number.
constexpr double maximumSets = 512;

/// Two levels, with what is known about a node that holds a certain set of groups (a bit mask).
class GroupSearch {
public:
  GroupSearch(const PlacementProblem &problem, int64_t effort) : problem(problem), perNode(static_cast<int>(problem.groups / problem.nodes)) {
    double sets = 1;
    for (int i = 0; i < perNode; ++i)
      sets *= static_cast<double>(problem.groups - i) / (i + 1);
    feasible = problem.groups < 32 && sets <= maximumSets;
    nodeEffort = std::max<int64_t>(1000, static_cast<int64_t>(static_cast<double>(effort) / std::max(sets, 1.0)));
  }

  /// True if every way to give groups to nodes can be looked at.
  bool isExhaustive() const { return feasible; }

  PlacementProblem nodeProblem(uint32_t groups) const {
    PlacementProblem node;
    node.devices = problem.devices / problem.nodes;
    node.slots = problem.slots / problem.nodes;
    for (int64_t expert : expertsOf(groups))
      node.loads.push_back(problem.loads[size_t(expert)]);
    return node;
  }

  std::vector<int64_t> expertsOf(uint32_t groups) const {
    const int64_t size = static_cast<int64_t>(problem.loads.size()) / problem.groups;
    std::vector<int64_t> experts;
    for (int64_t g = 0; g < problem.groups; ++g)
      for (int64_t e = 0; groups >> g & 1 && e < size; ++e)
        experts.push_back(g * size + e);
    return experts;
  }

  const PlacementResult &placed(uint32_t groups) {
    auto [entry, isNew] = results.try_emplace(groups);
    if (isNew)
      entry->second = place(nodeProblem(groups), nodeEffort);
    return entry->second;
  }

  double bound(uint32_t groups) {
    auto [entry, isNew] = bounds.try_emplace(groups);
    if (isNew)
      entry->second = placementBound(nodeProblem(groups));
    return entry->second;
  }

  /// The split of all groups whose worst node is best by `cost`; `sets` gets one mask a node.
  template <typename Cost> double bestSplit(Cost cost, std::vector<uint32_t> &sets) {
    double best = std::numeric_limits<double>::infinity();
    std::vector<uint32_t> chosen;
    split(static_cast<uint32_t>((uint64_t(1) << problem.groups) - 1), 0, cost, chosen, best, sets);
    return best;
  }

private:
  /// Gives the lowest group that is left, and all ways to fill its node up, to the next node.
  template <typename Cost>
  void split(uint32_t left, double worst, Cost &cost, std::vector<uint32_t> &chosen, double &best, std::vector<uint32_t> &sets) {
    if (left == 0) {
      best = worst;
      sets = chosen;
      return;
    }
    const uint32_t lowest = left & (~left + 1), others = left & ~lowest;
    for (uint32_t subset = others;; subset = (subset - 1) & others) {
      if (__builtin_popcount(subset) == perNode - 1) {
        const double worse = std::max(worst, cost(subset | lowest));
        if (worse < best) {
          chosen.push_back(subset | lowest);
          split(others & ~subset, worse, cost, chosen, best, sets);
          chosen.pop_back();
        }
      }
      if (subset == 0)
        break;
    }
  }

  const PlacementProblem &problem;
  int perNode;
  bool feasible = false;
  int64_t nodeEffort;
  std::map<uint32_t, PlacementResult> results;
  std::map<uint32_t, double> bounds;
};

/// Improves each node of EPLB's placement on its own.
void improveNodes(const PlacementProblem &problem, Placement &placement, int64_t effort) {
  const size_t nodeSlots = static_cast<size_t>(problem.slots / problem.nodes);
  for (size_t start = 0; start < placement.expertOfSlot.size(); start += nodeSlots) {
    const auto begin = placement.expertOfSlot.begin() + static_cast<std::ptrdiff_t>(start), end = begin + static_cast<std::ptrdiff_t>(nodeSlots);
    // Numbers inside the node, since a replica must not leave it.
    std::vector<int64_t> experts(begin, end);
    std::sort(experts.begin(), experts.end());
    experts.erase(std::unique(experts.begin(), experts.end()), experts.end());
    PlacementProblem node;
    node.devices = problem.devices / problem.nodes;
    node.slots = static_cast<int64_t>(nodeSlots);
    for (int64_t expert : experts)
      node.loads.push_back(problem.loads[size_t(expert)]);
    Placement inside{node.devices, {}};
    for (auto slot = begin; slot != end; ++slot)
      inside.expertOfSlot.push_back(std::lower_bound(experts.begin(), experts.end(), *slot) - experts.begin());
    improvePlacement(node.loads, inside, placementBound(node), effort / problem.nodes);
    for (size_t s = 0; s < nodeSlots; ++s)
      placement.expertOfSlot[start + s] = experts[size_t(inside.expertOfSlot[s])];
  }
}

void placeGroups(const PlacementProblem &problem, Placement &placement, int64_t effort) {
  GroupSearch search(problem, effort);
  if (!search.isExhaustive())
    return improveNodes(problem, placement, effort);
  std::vector<uint32_t> sets;
  const double best = search.bestSplit([&](uint32_t groups) { return search.placed(groups).maxLoad; }, sets);
  if (best >= placement.maxDeviceLoad(problem.loads))
    return;
  placement.expertOfSlot.clear();
  for (uint32_t groups : sets) {
    const std::vector<int64_t> experts = search.expertsOf(groups);
    for (int64_t inside : search.placed(groups).placement.expertOfSlot)
      placement.expertOfSlot.push_back(experts[size_t(inside)]);
  }
}

bool fail(std::string &error, const char *what, const std::string &expected, int64_t found) {
  error = std::string(what) + ": expected " + expected + ", found " + std::to_string(found);
  return false;
}

} // namespace

bool PlacementProblem::validate(std::string &error) const {
  const int64_t experts = static_cast<int64_t>(loads.size());
  if (experts < 1)
    return fail(error, "experts", "at least 1", experts);
  for (size_t e = 0; e < loads.size(); ++e)
    if (!std::isfinite(loads[e]) || loads[e] < 0) {
      error = "load of expert " + std::to_string(e) + ": expected a finite number, at least 0, found " + std::to_string(loads[e]);
      return false;
    }
  if (devices < 1)
    return fail(error, "devices", "at least 1", devices);
  if (slots < experts || slots % devices != 0)
    return fail(error, "slots", "a multiple of " + std::to_string(devices) + " devices, at least " + std::to_string(experts), slots);
  if (groups < 1)
    return fail(error, "groups", "at least 1", groups);
  if (nodes < 1)
    return fail(error, "nodes", "at least 1", nodes);
  if (!keepsGroups())
    return true;
  if (experts % groups != 0)
    return fail(error, "groups", "a divisor of " + std::to_string(experts) + " experts", groups);
  if (devices % nodes != 0)
    return fail(error, "nodes", "a divisor of " + std::to_string(devices) + " devices", nodes);
  return true;
}

std::vector<int64_t> Placement::replicas(int64_t experts) const {
  std::vector<int64_t> counts(static_cast<size_t>(experts));
  for (int64_t expert : expertOfSlot)
    ++counts[size_t(expert)];
  return counts;
}

std::vector<double> Placement::deviceLoads(const std::vector<double> &loads) const {
  const std::vector<int64_t> counts = replicas(static_cast<int64_t>(loads.size()));
  std::vector<double> sums(static_cast<size_t>(devices));
  const size_t perDevice = static_cast<size_t>(slotsPerDevice());
  for (size_t s = 0; s < expertOfSlot.size(); ++s) {
    const size_t expert = static_cast<size_t>(expertOfSlot[s]);
    sums[s / perDevice] += loads[expert] / static_cast<double>(counts[expert]);
  }
  return sums;
}

double Placement::maxDeviceLoad(const std::vector<double> &loads) const {
  const std::vector<double> sums = deviceLoads(loads);
  return *std::max_element(sums.begin(), sums.end());
}

double placementBound(const PlacementProblem &problem) {
  double bound = std::accumulate(problem.loads.begin(), problem.loads.end(), 0.0) / static_cast<double>(problem.devices);
  const std::vector<int64_t> counts = replicaCounts(problem.loads, problem.slots);
  for (size_t e = 0; e < counts.size(); ++e)
    bound = std::max(bound, problem.loads[e] / static_cast<double>(counts[e]));
  if (!problem.keepsGroups())
    return bound;
  GroupSearch search(problem, 0);
  std::vector<uint32_t> sets;
  if (search.isExhaustive())
    bound = std::max(bound, search.bestSplit([&](uint32_t groups) { return search.bound(groups); }, sets));
  return bound;
}

PlacementResult place(const PlacementProblem &problem, int64_t effort) {
  PlacementResult result;
  result.placement = placeByEplb(problem);
  result.bound = placementBound(problem);
  if (problem.keepsGroups())
    placeGroups(problem, result.placement, effort);
  else
    improvePlacement(problem.loads, result.placement, result.bound, effort);
  result.maxLoad = result.placement.maxDeviceLoad(problem.loads);
  return result;
}

} // namespace moe::plan
