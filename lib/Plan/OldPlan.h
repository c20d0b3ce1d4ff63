//===- OldPlan.h - the plan that a model runs by ------------------*- C++ -*-===//
// Private to the plan stage: what an earlier run of it has written.
#ifndef MOE_LIB_PLAN_OLDPLAN_H
#define MOE_LIB_PLAN_OLDPLAN_H

#include "moe/IR/MoeDialect.h"
#include "moe/Plan/Sharding/Cost.h"

#include "mlir/IR/MLIRContext.h"

#include <map>
#include <optional>
#include <string>

namespace moe::plan {

/// How a layer is spread.
struct OldSharding {
  Candidate candidate;
  Placement placement;
};

/// What a #moe.sharding says.
OldSharding readSharding(ShardingAttr sharding);

/// The shardings by name of the layer in the MLIR file `path` (moe-compile --compile-to=plan). Nothing and `error` where there is no such file, it is no
/// MLIR, or no layer has a sharding. `context` says which dialects there are; the file is read in another.
std::optional<std::map<std::string, OldSharding>> readOldPlan(llvm::StringRef path, mlir::MLIRContext &context, std::string &error);

} // namespace moe::plan

#endif // MOE_LIB_PLAN_OLDPLAN_H
