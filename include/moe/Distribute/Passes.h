//===- Passes.h - passes and pipeline of Distribute ---------------------*- C++ -*-===//
// Obeys the plan: one program per rank.
#ifndef MOE_DISTRIBUTE_PASSES_H
#define MOE_DISTRIBUTE_PASSES_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"

#include <memory>

namespace moe {

#define GEN_PASS_DECL
#include "moe/Distribute/Passes.h.inc"

/// Options of the stage, declared once; the command line, moe-opt and Python read this struct.
struct DistributeOptions {
};

/// Appends the stage's passes; the last one is the stage's verify pass.
void buildDistributePipeline(mlir::OpPassManager &pm, const DistributeOptions &options);

#define GEN_PASS_REGISTRATION
#include "moe/Distribute/Passes.h.inc"

} // namespace moe

#endif // MOE_DISTRIBUTE_PASSES_H
