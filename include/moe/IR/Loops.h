//===- Loops.h - the ops of a loop that two marks bound ---------------*- C++ -*-===//
// moe.loop_begin and moe.loop_end stand in one straight line: which ops are between them, and which of those every run computes alike.
#ifndef MOE_IR_LOOPS_H
#define MOE_IR_LOOPS_H

#include "moe/IR/MoeDialect.h"

namespace moe {

/// The end of the loop that begins at the mark `begin` (not one `apart`); null where its block has none behind it.
LoopEndOp endOf(LoopBeginOp begin);

/// The mark with the number of `part`, which may stand apart; null where the block has none behind `part`.
LoopBeginOp markOf(LoopBeginOp part);

/// The loops of a block, in the order in which they begin: an outer one before those inside of it.
llvm::SmallVector<std::pair<LoopBeginOp, LoopEndOp>> loopsOf(mlir::Block &block);

/// Moves the ops between the marks that no run changes in front of the loop, each behind what it uses: those without effects whose operands are no
/// values of a run. With `onlyIfUsedBehind`, those alone that something behind the loop uses, and what they are made of.
void moveOutOfLoop(LoopBeginOp begin, LoopEndOp end, bool onlyIfUsedBehind);

} // namespace moe

#endif // MOE_IR_LOOPS_H
