//===- LinkLibrary.h - functions that models may call without defining them ---*- C++ -*-===//
#ifndef MOE_LIB_IMPORT_LINKLIBRARY_H
#define MOE_LIB_IMPORT_LINKLIBRARY_H

#include "mlir/IR/BuiltinOps.h"

namespace moe {

/// Gives every function of `module` that is declared without a body and named `moe.…` the body of the library (include/moe/Library). Failure
/// after a diagnostic that names the function: the library has none of that name, or one of another type.
llvm::LogicalResult linkLibrary(mlir::ModuleOp module);

} // namespace moe

#endif // MOE_LIB_IMPORT_LINKLIBRARY_H
