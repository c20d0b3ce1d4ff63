//===- EntryPoint.h - the entry function of a module ------------*- C++ -*-===//
// Finds the functions that the stages agree on by attribute.
#ifndef MOE_LIB_LOWER_ENTRYPOINT_H
#define MOE_LIB_LOWER_ENTRYPOINT_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace moe {

/// The one function with attribute `moe.entry`; null after a diagnostic where there is none, more than one, or it is not one block.
mlir::func::FuncOp findEntry(mlir::ModuleOp module);

/// The one function with attribute `moe.shapes`; null after a diagnostic where there is none.
mlir::func::FuncOp findShapes(mlir::ModuleOp module);

} // namespace moe

#endif // MOE_LIB_LOWER_ENTRYPOINT_H
