//===- Passes.h - passes of CUDA codegen --------------------------------*- C++ -*-===//
// Kernels on nvvm ops, and what becomes of them.
#ifndef MOE_CODEGEN_CUDA_PASSES_H
#define MOE_CODEGEN_CUDA_PASSES_H

#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"

#include <memory>
#include <string>

namespace moe {

#define GEN_PASS_DECL
#include "moe/Codegen/CUDA/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "moe/Codegen/CUDA/Passes.h.inc"

} // namespace moe

#endif // MOE_CODEGEN_CUDA_PASSES_H
