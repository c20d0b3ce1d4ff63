//===- LocalSearch.h - improves a placement on equal devices ------*- C++ -*-===//
// Private to placement: one node, or a mesh without nodes.
#ifndef MOE_LIB_PLAN_SHARDING_LOCALSEARCH_H
#define MOE_LIB_PLAN_SHARDING_LOCALSEARCH_H

#include "moe/Plan/Sharding/Placement.h"

namespace moe::plan {

/// Lowers the load of the fullest device of `placement` until it reaches `bound` or `effort` moves have been weighed. Never raises it.
void improvePlacement(const std::vector<double> &loads, Placement &placement, double bound, int64_t effort);

/// Lowers the load of the fullest device by the best move, again and again, until it is at most `enough` or no move lowers it.
void improveUntil(const std::vector<double> &loads, Placement &placement, double enough);

} // namespace moe::plan

#endif // MOE_LIB_PLAN_SHARDING_LOCALSEARCH_H
