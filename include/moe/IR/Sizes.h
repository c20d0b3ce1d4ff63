//===- Sizes.h - sizes of routing results as index arithmetic --------*- C++ -*-===//
// What the reification of shapes and the lowering of routing ops both compute.
#ifndef MOE_IR_SIZES_H
#define MOE_IR_SIZES_H

#include "moe/IR/MoeDialect.h"

namespace moe {

/// Slots of one expert as the attribute says, from T, K and the number of experts; all of type index.
mlir::Value slotsPerExpert(mlir::OpBuilder &builder, mlir::Location loc, CapacityAttr rule, mlir::Value tokens, mlir::Value choices,
                           mlir::Value experts);

} // namespace moe

#endif // MOE_IR_SIZES_H
