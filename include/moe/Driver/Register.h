//===- Register.h - all dialects and passes ---------------------*- C++ -*-===//
#ifndef MOE_DRIVER_REGISTER_H
#define MOE_DRIVER_REGISTER_H

#include "mlir/IR/DialectRegistry.h"

namespace moe {

/// Registers the moe dialect, every upstream dialect its stages use, and their external interfaces.
void registerAllDialects(mlir::DialectRegistry &registry);

/// Registers every pass of moe-opt, the moe-<stage>-pipeline of each stage, and the upstream passes useful beside them.
void registerAllPasses();

} // namespace moe

#endif // MOE_DRIVER_REGISTER_H
