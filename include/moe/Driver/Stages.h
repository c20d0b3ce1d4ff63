//===- Stages.h - the one table of compilation stages -----------*- C++ -*-===//
// This table alone names the stages: --compile-to, --compile-from, --dump-stages-to, the moe-<stage>-pipeline names of moe-opt and
// docs/Stages.md come from it.
#ifndef MOE_DRIVER_STAGES_H
#define MOE_DRIVER_STAGES_H

#include "mlir/Pass/PassManager.h"
#include "moe/Codegen/CPU/Passes.h"
#include "moe/Distribute/Passes.h"
#include "moe/Fuse/Passes.h"
#include "moe/Lower/Passes.h"
#include "moe/Plan/Passes.h"
#include "moe/Raise/Passes.h"

#include "llvm/ADT/ArrayRef.h"

namespace moe {

enum class Stage { Import, Raise, Plan, Distribute, Fuse, Lower, Codegen, Package };

/// Options of every stage that is a pass pipeline.
struct StageOptions {
  RaiseOptions raise;
  PlanOptions plan;
  DistributeOptions distribute;
  FuseOptions fuse;
  LowerOptions lower;
};

/// One row of the table. `build` is null for stages that are no pass pipeline (import, codegen, package). `verify` makes the pass that says what the
/// stage leaves, which the pipeline ends in; null for the same stages.
struct StageInfo {
  Stage stage;
  llvm::StringLiteral name;
  llvm::StringLiteral summary;
  void (*build)(mlir::OpPassManager &, const StageOptions &);
  std::unique_ptr<mlir::Pass> (*verify)();
};

/// The table, in order.
llvm::ArrayRef<StageInfo> stages();

/// The row with that name, or null.
const StageInfo *findStage(llvm::StringRef name);

} // namespace moe

#endif // MOE_DRIVER_STAGES_H
