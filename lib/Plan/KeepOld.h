//===- KeepOld.h - a new plan that moves little -------------------*- C++ -*-===//
// Private to the plan stage.
#ifndef MOE_LIB_PLAN_KEEPOLD_H
#define MOE_LIB_PLAN_KEEPOLD_H

#include "OldPlan.h"
#include "moe/Plan/Sharding/Search.h"

namespace moe::plan {

/// What a layer does after all, and what that moves.
struct KeptChoice {
  ScoredCandidate chosen;
  Placement placement;
  /// Slots whose device has to get weights, of `slots`; -1 where the devices are shared out in another way, so that all may move.
  int64_t moved = -1, slots = 0;
  /// The old plan under the new loads; 0 where it is no plan of this mesh.
  double oldUs = 0;
};

/// A time that is no more than this share above the best counts as the best.
inline constexpr double replanTolerance = 0.01;

/// Of `chosen`, which the search has found for `layer`, the old plan, and the old plan improved until it is as good: the one that moves least among those
/// that take at most `replanTolerance` longer than `chosen` and need no more than `memory` bytes of weights and a buffer,
/// which others make at least `buffer` bytes large.
KeptChoice keepOld(const Mesh &mesh, const PlanLayer &layer, const ScoredCandidate &chosen, const Placement &placement, const OldSharding &old,
                   double memory, double buffer, const SearchOptions &options);

} // namespace moe::plan

#endif // MOE_LIB_PLAN_KEEPOLD_H
