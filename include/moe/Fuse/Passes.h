//===- Passes.h - passes and pipeline of Fuse ---------------------*- C++ -*-===//
// Routing with permutation, experts with their epilogues.
#ifndef MOE_FUSE_PASSES_H
#define MOE_FUSE_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"

#include <memory>

namespace moe {

#define GEN_PASS_DECL
#include "moe/Fuse/Passes.h.inc"

/// Options of the stage, declared once; the command line, moe-opt and Python read this struct.
struct FuseOptions {
  /// The loads of each layer's experts become outputs of the model (moe/Machine/ModelInfo.h, loadOutputPrefix).
  bool recordLoads = false;
};

/// Appends the stage's passes; the last one is the stage's verify pass.
void buildFusePipeline(mlir::OpPassManager &pm, const FuseOptions &options);

#define GEN_PASS_REGISTRATION
#include "moe/Fuse/Passes.h.inc"

} // namespace moe

#endif // MOE_FUSE_PASSES_H
