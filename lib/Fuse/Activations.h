// The precision that a plan gives a product's rows, made visible: rows are rounded by an op of their own, which fuses into the loop before it.
#ifndef MOE_LIB_FUSE_ACTIVATIONS_H
#define MOE_LIB_FUSE_ACTIVATIONS_H

#include "moe/IR/MoeDialect.h"

namespace moe {

/// The element type of rows for a product with this plan (null: none) that have `element` in the graph.
mlir::Type activationElement(PlanAttr plan, mlir::Type element);

/// `rows` as a product with this plan reads them: rounded to the element type of its activations.
mlir::Value roundActivations(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value rows, PlanAttr plan);

} // namespace moe

#endif // MOE_LIB_FUSE_ACTIVATIONS_H
