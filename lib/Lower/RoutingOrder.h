//===- RoutingOrder.h - the order in which assignments claim slots --*- C++ -*-===//
// Assignments in the order of moe.slots have places 0 … N, group after group of tokens. A list of K choices per token has most orders by
// arithmetic; others are sorted (RoutingOrder.cpp). Places are split into chunks that lie in one group each, for threads to walk.
#ifndef MOE_LIB_LOWER_ROUTINGORDER_H
#define MOE_LIB_LOWER_ROUTINGORDER_H

#include "LoopWriter.h"
#include "moe/IR/MoeDialect.h"

namespace moe {

/// Places begin … end.
struct PlaceRange {
  mlir::Value begin, end;
};

/// Inside the body of a routine. Values are of type index, or null.
struct PlaceOrder {
  using Value = mlir::Value;

  LoopWriter &w;
  SlotOrder kind;
  Value length;    ///< N.
  Value tokens;    ///< T; null where the list does not say.
  Value choices;   ///< K; null where tokens do not have K each.
  Value groupSize; ///< Tokens of a group; null for one group of all.
  Value sorted;    ///< i32[N], the assignment of each place; null where the place says it.
  Value starts;    ///< i32[G+1], where groups begin; null where tokens say it.

  /// The places of a group of tokens.
  PlaceRange group(Value number) const;
  /// Chunk `part` of `parts` of a range.
  PlaceRange part(PlaceRange range, Value part, Value parts) const;
  /// Calls `body` with the assignment of each place of `range`, in order; `group` is the group's range that it lies in.
  void forEach(PlaceRange range, PlaceRange group, llvm::function_ref<void(Value n)> body) const;
};

} // namespace moe

#endif // MOE_LIB_LOWER_ROUTINGORDER_H
