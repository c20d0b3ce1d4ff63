//===- Search.h - the plan of a whole model -----------------------*- C++ -*-===//
// All candidates of each layer, and the best choice for all layers together under the memory of a device. No LLVM here.
#ifndef MOE_PLAN_SHARDING_SEARCH_H
#define MOE_PLAN_SHARDING_SEARCH_H

#include "moe/Plan/Sharding/Cost.h"

#include <optional>
#include <string>
#include <vector>

namespace moe::plan {

/// A way to run what lies between the experts of two layers; its time and memory are given, not modelled here.
struct AttentionOption {
  /// Devices that share a layer's heads.
  int64_t tensorParallel = 1;
  double timeUs = 0;
  double weightBytes = 0;
};

/// One MoE layer of the model.
struct PlanLayer {
  std::string name;
  LayerShape shape;
  /// As LayerLoad::windows; empty: all experts are chosen equally often.
  std::vector<std::vector<double>> windows;
  /// As LayerLoad::coactivation; may be empty.
  std::vector<double> coactivation;
  /// Groups of neighbouring experts, a divisor of E, that the router prefers to stay in; 1: there are none. Placements that keep groups on their
  /// nodes are tried besides those that do not: what they save in traffic (which `coactivation` shows) may be worth what they lose in balance.
  int64_t groups = 1;
  /// What a user has pinned, the rest is searched: ranks that share the experts, and slots of a rank; 0: free.
  int64_t pinnedEp = 0, pinnedSlots = 0;
  /// Devices that share each expert, where that is pinned; 0: as SearchOptions says. No more than one where the distribute stage cannot cut the experts.
  int64_t pinnedEtp = 0;
  bool isCuttable = true;
  /// At least one.
  std::vector<AttentionOption> attention = {AttentionOption()};
};

/// What is searched, and how thoroughly.
struct SearchOptions {
  CostOptions cost;
  /// The time of a layer is the mean over its windows, or that of the worst twentieth.
  bool tail = false;
  /// Numbers of chunks that are tried.
  std::vector<int64_t> chunks = {1, 2, 4, 8};
  /// Replica slots of each rank that are tried besides the fewest slots that hold all experts.
  std::vector<int64_t> extraSlots = {0, 1, 2};
  /// As `place`, for each number of ranks and slots.
  int64_t placementEffort = 4000;
  /// Bytes of a device that hold what is not searched: KV caches.
  double otherBytes = 0;
  /// Memory is counted in parts of the device's: more take longer and waste less.
  int64_t memoryParts = 16384;
  /// Only what the distribute stage can run: tokens that go to experts, over nodes once or every copy.
  bool onlyRunnable = false;
  /// With onlyRunnable: only this many devices that share each expert; 0: any.
  int64_t expertSplit = 1;
  /// Only this many ranks that share the experts; 0: any.
  int64_t expertParallel = 0;
  /// Only this way of travelling; nothing: any.
  std::optional<Algorithm> algorithm;
  std::optional<Dedup> dedup;
};

/// A candidate with what it costs.
struct ScoredCandidate {
  Candidate candidate;
  /// Mean or tail over the windows; the parts in `cost` are those of the slowest window.
  double timeUs = 0;
  LayerCost cost;
  /// Index into LayerCandidates::placements; -1 for fetched weights, which lie in the order of the experts.
  int64_t placement = -1;
};

/// All that can be done with one layer.
struct LayerCandidates {
  /// Fastest first, to a millionth of a microsecond; of equals the one with less memory, then the simpler one.
  std::vector<ScoredCandidate> scored;
  std::vector<PlacementResult> placements;
};

/// Scores every candidate of `layer`: ep · etp · edp devices, slots, direct or two-level, duplicates, chunks, and fetched weights. `layer` and `mesh`
/// must be valid (see `searchPlan`).
LayerCandidates scoreCandidates(const Mesh &mesh, const PlanLayer &layer, const SearchOptions &options);

/// Scores one candidate with a given placement, for plans that a user has pinned and for comparisons. Nothing and `error` where it does not fit the
/// mesh or the layer.
std::optional<ScoredCandidate> scorePinned(const Mesh &mesh, const PlanLayer &layer, const Candidate &candidate, const Placement &placement,
                                           const SearchOptions &options, std::string &error);

/// What one layer does.
struct LayerChoice {
  ScoredCandidate chosen;
  /// Of `chosen`; empty slots for fetched weights.
  PlacementResult placement;
  /// Index into PlanLayer::attention.
  size_t attention = 0;
};

/// A plan and how good it is at least.
struct PlanResult {
  std::vector<LayerChoice> layers;
  double totalUs = 0;
  /// No plan of the candidates takes less.
  double boundUs = 0;
  /// Weights of all layers and the largest buffer, of the fullest device.
  double memoryBytes = 0;

  /// 0.01: at most one per cent slower than the best.
  double gap() const { return boundUs > 0 ? totalUs / boundUs - 1 : 0; }
};

/// Time to move the activations of `shape` between layers whose attention is split differently.
double reshardUs(const Levels &levels, const LayerShape &shape, int64_t from, int64_t to);

/// The plan with the least sum of layers, attention and changes between them that fits the memory. Exact where memory does not bind; where it does,
/// `boundUs` certifies what counting memory in parts has cost. Equal layers are scored once. Nothing and `error` where the mesh or a layer is not
/// valid, or where no plan fits: then with the layer that needs most or the memory that all need together.
std::optional<PlanResult> searchPlan(const Mesh &mesh, const std::vector<PlanLayer> &layers, const SearchOptions &options, std::string &error);

} // namespace moe::plan

#endif // MOE_PLAN_SHARDING_SEARCH_H
