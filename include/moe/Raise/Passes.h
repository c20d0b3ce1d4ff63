//===- Passes.h - passes and pipeline of Raise ---------------------*- C++ -*-===//
// ONNX ops become moe.*, linalg, tensor and arith; MoE layers are found.
#ifndef MOE_RAISE_PASSES_H
#define MOE_RAISE_PASSES_H

#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"

#include <memory>

namespace moe {

#define GEN_PASS_DECL
#include "moe/Raise/Passes.h.inc"

/// Options of the stage, declared once; the command line, moe-opt and Python read this struct.
struct RaiseOptions {
  /// The recognisers say by remarks what looked like an MoE layer or a router and was left as it is, and why.
  bool remarks = false;
  /// MoE layers are looked for among ordinary nodes. Off, such layers are compiled as the ops that they are written in; fused nodes and layers of
  /// hand-written files, which are MoE layers by name, still become what they say.
  bool experts = true;
};

/// Appends the stage's passes; the last one is the stage's verify pass.
void buildRaisePipeline(mlir::OpPassManager &pm, const RaiseOptions &options);

#define GEN_PASS_REGISTRATION
#include "moe/Raise/Passes.h.inc"

} // namespace moe

#endif // MOE_RAISE_PASSES_H
