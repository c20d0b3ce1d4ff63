//===- Replan.h - a placement for new loads that moves little -----*- C++ -*-===//
// Moving an expert to another device means sending its weights, so a placement that is nearly as good and keeps most experts where they are is worth more
// than the best one. No LLVM here.
#ifndef MOE_PLAN_SHARDING_REPLAN_H
#define MOE_PLAN_SHARDING_REPLAN_H

#include "moe/Plan/Sharding/Placement.h"

namespace moe::plan {

/// Slots of `to` whose device does not hold their expert in `from`: weights that have to be sent. Both have the same devices.
int64_t movedSlots(const Placement &from, const Placement &to);

/// `placement` with devices renamed, and slots of a device reordered, so that as much as can be seen at a glance stays where it is in `from`: each device of
/// `from`, in turn of the largest overlap, gets the device of `placement` that shares most with it, of the same node. Loads of devices only change places.
/// Both have the same devices and slots.
Placement alignTo(const Placement &from, const Placement &placement, int64_t devicesPerNode);

/// A placement whose fullest device has at most (1 + tolerance) times the load of `fresh`'s, `from` itself where that will do. Else `from` is improved move by
/// move until it does, and where no move improves it before, `fresh` is taken, aligned. All have the same devices and slots; experts have `loads`.
Placement replan(const std::vector<double> &loads, const Placement &from, const Placement &fresh, int64_t devicesPerNode, double tolerance);

} // namespace moe::plan

#endif // MOE_PLAN_SHARDING_REPLAN_H
