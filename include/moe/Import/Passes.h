//===- Passes.h - passes on imported modules --------------------*- C++ -*-===//
// Import reads a file and is no pass; these work on its result.
#ifndef MOE_IMPORT_PASSES_H
#define MOE_IMPORT_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"
#include "moe/IR/MoeDialect.h"

#include <memory>

namespace moe {

#define GEN_PASS_DECL
#include "moe/Import/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "moe/Import/Passes.h.inc"

} // namespace moe

#endif // MOE_IMPORT_PASSES_H
