// The precision that a plan gives a product's rows, made visible: rows are rounded by an op of their own, which fuses into the loop before it.
// And the rounding to codes that quantised models do themselves.
#ifndef MOE_IR_ACTIVATIONS_H
#define MOE_IR_ACTIVATIONS_H

#include "moe/IR/MoeDialect.h"

namespace moe {

/// The element type of rows for a product with this plan (null: none) that have `element` in the graph.
mlir::Type activationElement(PlanAttr plan, mlir::Type element);

/// `rows` as a product with this plan reads them: rounded or widened to the element type of its activations; rows of bf16 that were widened, as
/// they were before.
mlir::Value roundActivations(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value rows, PlanAttr plan);

/// The rows of 16 bits behind `rows`, where those are f16 or bf16 or hold the same numbers as f32 (a loop that only widens); null otherwise.
mlir::Value narrowBehind(mlir::Value rows);

/// The same, of type `element` alone and in the shape of `rows`, which may be that loop's collapsed.
mlir::Value narrowRowsBehind(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value rows, mlir::Type element);

/// `values` rounded or widened to `element`, by a loop where they are not of that type.
mlir::Value convertElements(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value values, mlir::Type element);

/// The code of `x`: clip(round(x / scale) + zero, lower, upper), halves to even, as a float; a null zero is 0. All operands are f32 or f64 of one type.
mlir::Value codeOf(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value x, mlir::Value scale, mlir::Value zero, double lower, double upper);

} // namespace moe

#endif // MOE_IR_ACTIVATIONS_H
