//===- Passes.h - passes and pipeline of CpuCodegen ---------------------*- C++ -*-===//
// Kernels for one ISA version, then LLVM IR.
#ifndef MOE_CODEGEN_CPU_PASSES_H
#define MOE_CODEGEN_CPU_PASSES_H

#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"

#include <memory>
#include <string>

namespace moe {

#define GEN_PASS_DECL
#include "moe/Codegen/CPU/Passes.h.inc"

/// Options of the stage, declared once; the command line, moe-opt and Python read this struct.
struct CpuCodegenOptions {
  /// LLVM feature string of this ISA version, IsaVersion::featureString(): "+avx2,+fma". Empty for base x86-64.
  std::string features;
  /// Number of this ISA version: n of `moe_entry_<n>`. Version 0 also keeps `moe_shapes`.
  unsigned version = 0;
  /// For tests: instructions on matrix tiles become loops, so that a CPU without them runs the code.
  bool emulateTiles = false;
};

/// Appends the stage's passes; the last one is the stage's verify pass.
void buildCpuCodegenPipeline(mlir::OpPassManager &pm, const CpuCodegenOptions &options);

/// Registers the stage for moe-opt as `moe-codegen-pipeline`, with the options as its own.
void registerCpuCodegenPipeline();

#define GEN_PASS_REGISTRATION
#include "moe/Codegen/CPU/Passes.h.inc"

} // namespace moe

#endif // MOE_CODEGEN_CPU_PASSES_H
