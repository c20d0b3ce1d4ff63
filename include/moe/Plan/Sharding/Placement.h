//===- Placement.h - which device holds which experts -------------*- C++ -*-===//
// Replication and placement of experts by load: the rule that serving systems use (EPLB), a search that starts from it, and a lower bound that
// says how far from the best the result can be. No LLVM here.
#ifndef MOE_PLAN_SHARDING_PLACEMENT_H
#define MOE_PLAN_SHARDING_PLACEMENT_H

#include <cstdint>
#include <string>
#include <vector>

namespace moe::plan {

/// Experts to place. Every device has the same number of slots, every slot holds one expert, every expert has a slot at least; the tokens of an
/// expert are split equally over its slots.
struct PlacementProblem {
  /// [E], in any one unit, finite and ≥ 0.
  std::vector<double> loads;
  int64_t devices = 1;
  /// Slots of all devices together, a multiple of `devices`, at least E.
  int64_t slots = 0;
  /// With more than one node and `groups` a multiple of `nodes`, expert e belongs to group e / (E / groups), each node holds groups / nodes whole
  /// groups, and all replicas of an expert are on its node: routers that limit a token to few groups then reach few nodes. Otherwise groups and
  /// nodes count for nothing.
  int64_t groups = 1;
  int64_t nodes = 1;

  /// True if groups stay on their nodes.
  bool keepsGroups() const { return nodes > 1 && groups % nodes == 0; }
  /// False where the numbers do not fit; `error` says which, what is expected and what was found.
  bool validate(std::string &error) const;
};

/// Expert of each slot; device d has slots [d · slots per device, (d + 1) · slots per device), node n the devices of its share likewise.
struct Placement {
  int64_t devices = 1;
  std::vector<int64_t> expertOfSlot;

  int64_t slotsPerDevice() const { return static_cast<int64_t>(expertOfSlot.size()) / devices; }
  /// Number of slots of each of `experts`.
  std::vector<int64_t> replicas(int64_t experts) const;
  /// Load of each device.
  std::vector<double> deviceLoads(const std::vector<double> &loads) const;
  double maxDeviceLoad(const std::vector<double> &loads) const;
};

/// A placement with its certificate.
struct PlacementResult {
  Placement placement;
  /// Load of the fullest device.
  double maxLoad = 0;
  /// No placement has a smaller one than this.
  double bound = 0;

  /// How much worse than the best it can be: 0.01 is one per cent.
  double gap() const { return bound > 0 ? maxLoad / bound - 1 : 0; }
};

/// Replica counts, [E], that make the largest load of a single replica as small as it can be: each slot beyond the first of every expert goes to
/// the expert with the largest load per replica, the first of equals.
std::vector<int64_t> replicaCounts(const std::vector<double> &loads, int64_t slots);

/// EPLB's placement, slot by slot: groups to nodes, replicas inside a node, replicas to devices, each time largest first onto the least full.
Placement placeByEplb(const PlacementProblem &problem);

/// At least as good as EPLB's: its placement, improved by swaps, by giving a replica of one expert to another, and by restarts from a disturbed
/// placement until about `effort` moves have been weighed. Where the ways to give groups to nodes are few, all are tried. The same input gives the
/// same result on every machine.
PlacementResult place(const PlacementProblem &problem, int64_t effort = 1000000);

/// A bound for any placement: the mean, the smallest largest replica, and where the ways to give groups to nodes are few the same for each node.
double placementBound(const PlacementProblem &problem);

} // namespace moe::plan

#endif // MOE_PLAN_SHARDING_PLACEMENT_H
