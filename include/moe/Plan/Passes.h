//===- Passes.h - passes and pipeline of Plan ---------------------*- C++ -*-===//
// Decides precision, packing and placement; writes attributes and changes no computation.
#ifndef MOE_PLAN_PASSES_H
#define MOE_PLAN_PASSES_H

#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"

#include <memory>
#include <string>

namespace moe {

#define GEN_PASS_DECL
#include "moe/Plan/Passes.h.inc"

/// Options of the stage, declared once; the command line, moe-opt and Python read this struct.
struct PlanOptions {
  /// Precision that kernels compute in: auto (the graph's dtype), f32, bf16 or int8.
  std::string activations = "auto";
};

/// Appends the stage's passes; the last one is the stage's verify pass.
void buildPlanPipeline(mlir::OpPassManager &pm, const PlanOptions &options);

#define GEN_PASS_REGISTRATION
#include "moe/Plan/Passes.h.inc"

} // namespace moe

#endif // MOE_PLAN_PASSES_H
