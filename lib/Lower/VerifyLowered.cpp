// What the lower stage leaves behind (docs/Stages.md): two functions, no tensors, no linalg, no allocation, barriers where every thread
// passes.
#include "EntryPoint.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "moe/IR/MoeDialect.h"
#include "moe/Lower/Passes.h"

namespace moe {
#define GEN_PASS_DEF_VERIFYLOWERED
#include "moe/Lower/Passes.h.inc"
} // namespace moe

using namespace mlir;

namespace moe {
namespace {

bool isAllowed(Operation *op) {
  if (isa<memref::AllocOp, memref::AllocaOp, memref::DeallocOp, memref::CopyOp, memref::ReshapeOp>(op))
    return false;
  if (isa<MoeDialect>(op->getDialect()))
    return isa<WeightOp, WeightRefOp, RoutePermuteOp, GroupedMatmulOp, SumSlotsOp, AttentionOp, BarrierOp, FaultOp, ThreadIdOp, NumThreadsOp, LoopBeginOp, LoopEndOp, MeshOp, RankOp, NumRanksOp,
               ExchangeOp, ExchangeStartOp, ExchangeWaitOp, GatherSharesOp>(op);
  return isa<ModuleOp, func::FuncOp, func::ReturnOp, cf::AssertOp>(op) ||
         isa_and_nonnull<arith::ArithDialect, math::MathDialect, memref::MemRefDialect, scf::SCFDialect, vector::VectorDialect>(
             op->getDialect());
}

struct VerifyLowered : impl::VerifyLoweredBase<VerifyLowered> {
  using Base::Base;

  void runOnOperation() override {
    func::FuncOp entry = findEntry(getOperation()), shapes = entry ? findShapes(getOperation()) : func::FuncOp();
    if (!shapes || failed(checkSignature(entry)))
      return signalPassFailure();
    WalkResult result = getOperation().walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (!op->getDialect() || !isAllowed(op)) {
        op->emitOpError("is left after the lower stage");
        return WalkResult::interrupt();
      }
      for (Type type : llvm::concat<const Type>(op->getOperandTypes(), op->getResultTypes()))
        if (isa<TensorType>(type)) {
          op->emitOpError() << "has a value of type " << type << " after the lower stage, expected no tensors";
          return WalkResult::interrupt();
        }
      // A kernel holds barriers inside: all threads must reach it, as they must a barrier.
      if (isa<BarrierOp, RoutePermuteOp, GroupedMatmulOp, SumSlotsOp, AttentionOp, LoopBeginOp, LoopEndOp, cf::AssertOp>(op) && op->getParentOp() != entry) {
        op->emitOpError("is nested or outside of the entry, expected it where every thread passes");
        return WalkResult::interrupt();
      }
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }

private:
  LogicalResult checkSignature(func::FuncOp entry) {
    if (entry.getNumResults() != 0)
      return entry.emitError() << "entry returns " << entry.getNumResults() << " values, expected outputs as arguments";
    for (auto [index, type] : llvm::enumerate(entry.getArgumentTypes()))
      if (!isa<MemRefType>(type))
        return entry.emitError() << "argument " << index << " of the entry has type " << type << ", expected a memref";
    unsigned last = entry.getNumArguments();
    if (last == 0 || !entry.getArgAttr(last - 1, "moe.arena"))
      return entry.emitError("the entry has no arena, expected it as last argument");
    return success();
  }
};

} // namespace
} // namespace moe
