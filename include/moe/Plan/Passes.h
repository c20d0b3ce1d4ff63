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
  /// Memory nodes (NUMA) of the machine, from 1 to 64: each gets a part of every expert's panels and the threads that lie side by side.
  int64_t memoryNodes = 1;
  /// The machines that experts are spread over: sizes of named axes ("node=2,rank=4", numbers assumed) or a JSON file (moe/Plan/Input.h). Empty: one.
  std::string mesh;
  /// JSON file of expert loads (moe/Plan/Input.h), or several recordings with commas between them; empty: all experts are chosen equally often.
  std::string profile;
  /// Devices that share the experts between them; 0: the plan stage chooses.
  int64_t expertParallel = 0;
  /// Devices that share each expert, a part of its intermediate features on each: results agree within the tolerance of sums; 0: the plan stage chooses.
  int64_t expertSplit = 1;
  /// What is pinned of layers, the rest is chosen: "NAME=ep4:etp2:slots3;NAME=ep2"; empty: nothing.
  std::string pin;
  /// A planned model (MLIR) whose experts should stay where they are as far as that costs no more than a hundredth of a layer's time; empty: none.
  std::string replanFrom;
  /// File for a page of HTML about the plan; empty: none.
  std::string planReport;
  /// Parts in which tokens travel, one while experts compute another, and how: auto, direct, two_level or two_level_dedup (moe.sharding). 0 and auto: the plan stage chooses.
  int64_t exchangeChunks = 0;
  std::string exchange = "auto";
  /// Tokens of a step, of all devices together, that the plan is made for.
  int64_t planTokens = 1024;
  /// Sequences that these tokens are of: whole ones may be shared out among the devices between the layers.
  int64_t planSequences = 1;
  /// Keys that a query sees, caches with them; 0: the tokens of a sequence.
  int64_t planKeys = 0;
  /// What lies between the layers is computed by every device for all tokens (whole), by each for its own sequences (batch), products by each for its own columns
  /// (columns) and attention for its own heads, too (heads), or as is expected to be faster (auto).
  std::string betweenLayers = "auto";
  /// Remarks say why a plan was chosen and what the others would have cost.
  bool explainPlan = false;
};

/// Appends the stage's passes; the last one is the stage's verify pass.
void buildPlanPipeline(mlir::OpPassManager &pm, const PlanOptions &options);

#define GEN_PASS_REGISTRATION
#include "moe/Plan/Passes.h.inc"

} // namespace moe

#endif // MOE_PLAN_PASSES_H
