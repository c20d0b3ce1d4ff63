//===- Passes.h - passes and pipeline of Lower ---------------------*- C++ -*-===//
// Tensors to memrefs in a planned arena, one function that every thread runs.
#ifndef MOE_LOWER_PASSES_H
#define MOE_LOWER_PASSES_H

#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"

#include <memory>

namespace moe {

#define GEN_PASS_DECL
#include "moe/Lower/Passes.h.inc"

/// Options of the stage, declared once; the command line, moe-opt and Python read this struct.
struct LowerOptions {
};

/// Appends the stage's passes; the last one is the stage's verify pass.
void buildLowerPipeline(mlir::OpPassManager &pm, const LowerOptions &options);

#define GEN_PASS_REGISTRATION
#include "moe/Lower/Passes.h.inc"

} // namespace moe

#endif // MOE_LOWER_PASSES_H
