//===- MlirInput.h - hand-written .mlir as input ----------------*- C++ -*-===//
#ifndef MOE_IMPORT_MLIRINPUT_H
#define MOE_IMPORT_MLIRINPUT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "moe/Import/Import.h"

namespace moe {

/// Parses a `.mlir` file. A file without an entry function gets one: `@main`, or the only public function. Entry arguments and results that
/// have no `moe.name` and `moe.dims` get them (`arg0`, `result0`; dynamic dims are unnamed). Dense constants over 4 KiB become moe.weight.
/// Functions named `moe.…` that are only declared get the body that the library has (include/moe/Library).
/// Null after a diagnostic.
mlir::OwningOpRef<mlir::ModuleOp> readMlirModel(mlir::MLIRContext &context, llvm::StringRef path, const ImportOptions &options);

} // namespace moe

#endif // MOE_IMPORT_MLIRINPUT_H
