//===- Passes.h - passes and pipeline of CpuCodegen ---------------------*- C++ -*-===//
// Kernels for one ISA version, then LLVM IR.
#ifndef MOE_CODEGEN_CPU_PASSES_H
#define MOE_CODEGEN_CPU_PASSES_H

#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"

#include <memory>

namespace moe {

#define GEN_PASS_DECL
#include "moe/Codegen/CPU/Passes.h.inc"

/// Options of the stage, declared once; the command line, moe-opt and Python read this struct.
struct CpuCodegenOptions {
};

/// Appends the stage's passes; the last one is the stage's verify pass.
void buildCpuCodegenPipeline(mlir::OpPassManager &pm, const CpuCodegenOptions &options);

#define GEN_PASS_REGISTRATION
#include "moe/Codegen/CPU/Passes.h.inc"

} // namespace moe

#endif // MOE_CODEGEN_CPU_PASSES_H
