//===- Sizes.h - sizes of routing results as index arithmetic --------*- C++ -*-===//
// What the reification of shapes and the lowering of routing ops both compute.
#ifndef MOE_IR_SIZES_H
#define MOE_IR_SIZES_H

#include "moe/IR/MoeDialect.h"

namespace moe {

/// Slots of one expert as the attribute says, from T, K and the number of experts; all of type index.
mlir::Value slotsPerExpert(mlir::OpBuilder &builder, mlir::Location loc, CapacityAttr rule, mlir::Value tokens, mlir::Value choices,
                           mlir::Value experts);

/// Groups of tokens, as moe.select, moe.slots and moe.stats state them; all of type index.
struct TokenGroups {
  mlir::Value size;   ///< Tokens of a group, at least 1; the last group may have fewer.
  mlir::Value count;  ///< Groups: T / size, rounded up.
  mlir::Value tokens; ///< Tokens that a capacity counts: min(size, T).
};

/// Of T tokens; one of `groupSize` and `groupsOf` is given.
TokenGroups groupsOfTokens(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value tokens, std::optional<uint64_t> groupSize,
                           mlir::Value groupsOf);

} // namespace moe

#endif // MOE_IR_SIZES_H
