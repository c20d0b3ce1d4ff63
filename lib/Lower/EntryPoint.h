//===- EntryPoint.h - the entry function of a module ------------*- C++ -*-===//
// Finds the functions that the stages agree on by attribute.
#ifndef MOE_LIB_LOWER_ENTRYPOINT_H
#define MOE_LIB_LOWER_ENTRYPOINT_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

namespace moe {

/// The one function with attribute `moe.entry`; null after a diagnostic where there is none, more than one, or it is not one block.
mlir::func::FuncOp findEntry(mlir::ModuleOp module);

/// The one function with attribute `moe.shapes`; null after a diagnostic where there is none.
mlir::func::FuncOp findShapes(mlir::ModuleOp module);

/// May sizes be computed from the elements of an argument of this type? They are few, and numbers.
bool mayDecideSizes(mlir::ShapedType type);

/// The position of element `element`, in row-major order, of a value of static shape.
llvm::SmallVector<mlir::Value> elementIndices(mlir::OpBuilder &builder, mlir::Value shaped, int64_t element);

/// An element of argument `argument` as @moe_shapes has it: the runtime puts the elements of such arguments behind the dims of all inputs, integers as
/// they are and floats as the bits of an f64. Takes room for the argument's elements where it has none yet (attribute `moe.values_at`). `inputDims`
/// is the array of both, `numDims` the number of the dims.
mlir::Value loadInputElement(mlir::OpBuilder &builder, mlir::func::FuncOp entry, unsigned argument, int64_t element, mlir::Value inputDims,
                             int64_t numDims);

} // namespace moe

#endif // MOE_LIB_LOWER_ENTRYPOINT_H
