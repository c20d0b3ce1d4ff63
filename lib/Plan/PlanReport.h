//===- PlanReport.h - a plan as one page of HTML ------------------*- C++ -*-===//
// Private to the plan stage: what --plan-report writes.
#ifndef MOE_LIB_PLAN_PLANREPORT_H
#define MOE_LIB_PLAN_PLANREPORT_H

#include "moe/Plan/Sharding/Search.h"

#include "mlir/Support/LLVM.h"

#include <string>
#include <vector>

namespace moe::plan {

/// Layers that are planned alike.
struct ReportLayer {
  std::vector<std::string> names;
  PlanLayer layer;
  ScoredCandidate chosen;
  Placement placement;
  bool isPinned = false;
};

/// The rest of what the page says.
struct ReportFacts {
  /// Where the numbers of the mesh come from, which loads were read ("none"), and how the plan was found.
  std::string meshSource, profile, solver;
  double modelUs = 0, boundUs = 0;
};

/// The page: mesh, and for each kind of layer where experts lie, who sends how much to whom, what each device does when, and what else was weighed. Well-formed
/// XML, with drawings in it and no script; the same input gives the same text. Of more than 64 devices the first 64 are drawn.
std::string planReport(const Mesh &mesh, const ReportFacts &facts, llvm::ArrayRef<ReportLayer> layers, const SearchOptions &options);

} // namespace moe::plan

#endif // MOE_LIB_PLAN_PLANREPORT_H
