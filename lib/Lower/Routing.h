//===- Routing.h - routing ops as moe.routine -------------------*- C++ -*-===//
// What the lowerings of the routing ops share: sizes, buffers, and what is known of an assignment list. Each lowering replaces its op by one
// or more moe.routine on tensors; bodies are deterministic and do not depend on the number of threads.
#ifndef MOE_LIB_LOWER_ROUTING_H
#define MOE_LIB_LOWER_ROUTING_H

#include "LoopWriter.h"
#include "moe/IR/MoeDialect.h"

namespace moe {

/// What the op that made an assignment list says of it.
struct ListFacts {
  mlir::Value tokens;         ///< T, index.
  mlir::Value choices;        ///< K, index; null where the list is not ordered by token and then rank with K of each token.
};

/// What moe.slots says of its slots.
struct SlotFacts {
  mlir::Value rows;     ///< Ragged: how many rows hold all slots, index. Padded: null.
  mlir::Value capacity; ///< Padded: rows of an expert, index. Ragged: null.
};

/// The groups that moe.slots counts by: values of type index.
struct SlotGroups {
  mlir::Value size;    ///< Tokens of a group; null for one group of all.
  mlir::Value count;   ///< Groups.
  mlir::Value tokens;  ///< T; null where the list does not say.
  mlir::Value choices; ///< K; null where tokens do not have K each.
};

class Routing {
public:
  using Value = mlir::Value;
  using Values = llvm::SmallVector<mlir::Value>;

  explicit Routing(mlir::MLIRContext *context) : builder(context) {}

  /// Replaces `op` by routines before it; it is erased. Failure after a diagnostic.
  mlir::LogicalResult lower(ScoreOp op);
  mlir::LogicalResult lower(SelectOp op);
  mlir::LogicalResult lower(AssignOp op);
  mlir::LogicalResult lower(FilterOp op);
  mlir::LogicalResult lower(WeighOp op);
  mlir::LogicalResult lower(SlotsOp op);
  mlir::LogicalResult lower(DispatchOp op);
  mlir::LogicalResult lower(CompactOp op);
  mlir::LogicalResult lower(CombineOp op);
  mlir::LogicalResult lower(StatsOp op);
  mlir::LogicalResult lower(NoiseOp op);
  mlir::LogicalResult lower(SlotRowsOp op);
  mlir::LogicalResult lower(ShardSlotsOp op);
  mlir::LogicalResult lower(PartSlotsOp op);
  mlir::LogicalResult lower(TakeRowsOp op);
  mlir::LogicalResult lower(AllToAllOp op);
  mlir::LogicalResult lower(AllToAllStartOp op);
  mlir::LogicalResult lower(AllToAllWaitOp op);
  mlir::LogicalResult lower(SumRowsOp op);
  mlir::LogicalResult lower(AllGatherOp op);

private:
  /// A buffer that a routine writes: its sizes (index values) and element type; a tensor that it goes on writing, or null for a new one.
  struct Out {
    Values sizes;
    mlir::Type element;
    Value begun = {};
  };
  /// The arguments of a routine's body: null inputs stay null.
  struct Body {
    LoopWriter &w;
    Value begin, end; ///< This thread's share; null where thread 0 does all.
    Values ins, outs;
  };

  /// The expert of each token that a balanced mode gives it, i32[T]; -1 for none.
  Value assignBalanced(SelectOp op, Value choice, const SlotGroups &groups, Value experts);
  /// How many groups may be assigned at once: as many as threads may want, and as scratch of E×E each allows.
  Value lanesOfBalance(Value groups, Value experts);

  /// i32[N]: the assignments sorted by what the op says, those of a group of tokens together.
  Value sortAssignments(SlotsOp op, const SlotGroups &groups);
  /// i32[G+1]: the places in such an order where groups begin, and N.
  Value findGroups(SlotsOp op, const SlotGroups &groups, Value sorted);
  /// Chunks that moe.slots splits the assignments of a group into, from N and G.
  Value chunksOfGroup(Value length, Value groups, int64_t experts);

  /// i32 for each of `count` slots: the assignment that has it, or -1.
  Value ownersOfSlots(mlir::Operation *op, Value token, Value slot, Value keep, Value tokens, Value count);

  /// A moe.routine; `items` null: thread 0 runs it. Inputs may be null. Results are in the order of `outs`.
  Values routine(mlir::Operation *op, Value items, llvm::ArrayRef<Value> inputs, llvm::ArrayRef<Out> outs, llvm::function_ref<void(Body &)> body);

  /// Size of a dim of a tensor: a constant, the value that its buffer was made with, or tensor.dim.
  Value size(Value tensor, int64_t dim);
  Value constant(int64_t value);
  /// Index arithmetic in the entry, folded where both are constants.
  Value multiply(Value a, Value b);
  Value addTo(Value a, Value b);
  /// Adds a check on the input dims unless `a` and `b` are the same already; failure where they are unequal constants.
  mlir::LogicalResult requireEqual(mlir::Operation *op, Value a, Value b, const llvm::Twine &what);
  /// The lists have one length.
  mlir::LogicalResult requireLengths(mlir::Operation *op, llvm::ArrayRef<Value> lists);
  /// Replaces a result of the op; sizes that only the result's type states are checked on entry.
  mlir::LogicalResult replace(mlir::OpResult result, Value value);
  /// Slots of one expert as the attribute says, from T and the number of assignments (index).
  Value capacity(CapacityAttr rule, Value tokens, Value choices, Value experts);

  mlir::OpBuilder builder;
  llvm::DenseMap<Value, ListFacts> lists;   ///< By the token list.
  llvm::DenseMap<Value, SlotFacts> slots;   ///< By the slot list.
  llvm::DenseMap<std::pair<Value, int64_t>, Value> sizes;
};

/// The tokens begin … end of a group, and which part of a scratch its thread has: values of type index.
struct TokenSpan {
  mlir::Value begin, end, lane;
};

/// Writes loops that give each token of `span` and `valid` (null: all) an expert, each expert as many tokens as any other (the first ones one more where
/// that does not come out even), such that the sum of `choice` is greatest; `expert` i32[T] gets the answer, -1 for other tokens. The values
/// are compared to 2^-40 of the greatest; what is not finite counts as the least that is. Scratch: `values`
/// i64[T×E], and for each lane `loads` i32[L×2×E], `gains` i64[L×E×E], `movers` i32[L×E×E], `sums` i64[L×E] and `previous` i32[L×E].
struct BalanceBuffers {
  mlir::Value choice, valid, expert, values, loads, gains, movers, sums, previous;
};
void writeBalancedAssignment(LoopWriter &w, const BalanceBuffers &buffers, TokenSpan span);

/// Writes the auction of moe.select; where it does not end, the exact assignment, whose `expert` gets the answer of both. `shares` is i32[L×E];
/// f32[T] are `prices`, `values` and `bids`, i32[T] `keys`, `bidders` and `holders`, i1[T] `taken`: all scratch.
struct AuctionBuffers {
  mlir::Value choice, valid, shares, prices, values, bids, keys, bidders, holders, taken;
};
void writeAuction(LoopWriter &w, const AuctionBuffers &buffers, const BalanceBuffers &exact, TokenSpan span, double epsilon);

/// start[t] … start[t+1]: where the assignments of token t lie in `entries`, in the order of `owner`, which holds assignments or -1. `tokenOf` says the token
/// of one, an index below `tokens`.
void listByToken(LoopWriter &w, mlir::Value owner, mlir::Value start, mlir::Value entries, mlir::Value tokens,
                 llvm::function_ref<mlir::Value(mlir::Value n)> tokenOf);

/// Calls `body` for the columns 0 … count of a row, in vectors and then one by one; `lanes` is the vector type's length or 1.
void forColumns(LoopWriter &w, mlir::Value count, llvm::function_ref<void(mlir::Value column, int64_t lanes)> body);

} // namespace moe

#endif // MOE_LIB_LOWER_ROUTING_H
