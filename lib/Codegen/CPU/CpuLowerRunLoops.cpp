// moe-cpu-lower-run-loops: the marks of a loop become branches, around what stands between them.
//
// Every thread reads the flag at the beginning, behind a barrier that comes after the last write and before one that comes ahead of the next: all go on
// or all leave. From here on the entry has more than one block, so that this comes after the kernels, which expect one.
#include "moe/Codegen/CPU/Passes.h"
#include "moe/IR/Loops.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_CPULOWERRUNLOOPS
#include "moe/Codegen/CPU/Passes.h.inc"

namespace {

struct CpuLowerRunLoops : impl::CpuLowerRunLoopsBase<CpuLowerRunLoops> {
  using Base::Base;

  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function.isExternal() || !llvm::hasSingleElement(function.getBody()))
        continue;
      auto loops = loopsOf(function.getBody().front());
      // Equal index arithmetic is one op by now, which may stand in the loop and be used behind it.
      for (auto [begin, end] : llvm::reverse(loops))
        moveOutOfLoop(begin, end, /*onlyIfUsedBehind=*/true);
      for (auto [begin, end] : loops)
        lower(begin, end);
    }
    WalkResult left = getOperation().walk([](Operation *op) {
      if (!isa<LoopBeginOp, LoopEndOp>(op))
        return WalkResult::advance();
      op->emitOpError("is nested or has no partner, expected it where every thread passes");
      return WalkResult::interrupt();
    });
    if (left.wasInterrupted())
      signalPassFailure();
  }

private:
  /// before → head (flag?) → body → head, or head → rest.
  static void lower(LoopBeginOp begin, LoopEndOp end) {
    Location loc = begin.getLoc();
    Block *before = begin->getBlock(), *last = end->getBlock();
    Block *rest = last->splitBlock(end->getNextNode());
    // An inner loop has been in one block with this one, whose end is then in another block than its begin.
    Block *head = before->splitBlock(begin);
    Block *body = head->splitBlock(begin->getNextNode());
    last = end->getBlock();
    OpBuilder builder = OpBuilder::atBlockEnd(before);
    cf::BranchOp::create(builder, loc, head);
    builder.setInsertionPointToEnd(head);
    Value flag = memref::LoadOp::create(builder, loc, begin.getInits().front());
    cf::CondBranchOp::create(builder, loc, flag, body, rest);
    builder.setInsertionPointToEnd(last);
    cf::BranchOp::create(builder, loc, head);
    begin.erase();
    end.erase();
  }
};

} // namespace
} // namespace moe
