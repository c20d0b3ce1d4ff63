// linalg ops, moe.concat and moe.routine on memrefs become loops, split over threads; single stores go to thread 0. Expects barriers placed and buffers
// planned: nothing here moves work between threads other than LoopPlan says.
#include "EntryPoint.h"
#include "LoopEmitter.h"
#include "MemoryRoots.h"
#include "moe/IR/MoeDialect.h"
#include "moe/Lower/Passes.h"

namespace moe {
#define GEN_PASS_DEF_LOWERLOOPS
#include "moe/Lower/Passes.h.inc"
} // namespace moe

using namespace mlir;
using linalg::LinalgOp;

namespace moe {
namespace {

struct LowerLoops : impl::LowerLoopsBase<LowerLoops> {
  using Base::Base;

  void runOnOperation() override {
    func::FuncOp entry = findEntry(getOperation());
    if (!entry)
      return signalPassFailure();
    if (failed(checkBufferized(entry)))
      return signalPassFailure();
    for (Operation &op : llvm::make_early_inc_range(entry.getBody().front())) {
      OpBuilder builder(&op);
      if (auto linalgOp = dyn_cast<LinalgOp>(op)) {
        LoopEmitter(builder, linalgOp).emit();
        op.erase();
      } else if (auto concat = dyn_cast<ConcatOp>(op)) {
        emitConcat(builder, entry, concat);
        op.erase();
      } else if (auto routine = dyn_cast<RoutineOp>(op)) {
        inlineRoutine(builder, routine);
        op.erase();
      } else if (auto store = dyn_cast<memref::StoreOp>(op)) {
        store->moveBefore(onFirstThread(builder, op.getLoc()).thenBlock()->getTerminator());
      }
    }
  }

private:
  static LogicalResult checkBufferized(func::FuncOp entry) {
    for (Operation &op : entry.getBody().front())
      if (isa<LinalgOp, ConcatOp, RoutineOp>(op) && llvm::any_of(op.getOperandTypes(), llvm::IsaPred<TensorType>))
        return op.emitOpError("works on tensors, expected memrefs; loops are made after moe-lower-bufferize");
    return success();
  }

  void emitConcat(OpBuilder &builder, func::FuncOp entry, ConcatOp concat);
  static scf::IfOp onFirstThread(OpBuilder &builder, Location loc);
  static void inlineRoutine(OpBuilder &builder, RoutineOp routine);
  bool mayBeOneBuffer(func::FuncOp entry, Value input, Value output);
};

/// An empty scf.if that thread 0 alone enters.
scf::IfOp LowerLoops::onFirstThread(OpBuilder &builder, Location loc) {
  Value thread = ThreadIdOp::create(builder, loc);
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value isFirst = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, thread, zero);
  return scf::IfOp::create(builder, loc, isFirst, /*withElseRegion=*/false);
}

/// Puts the body in the routine's place, on this thread's share of the items.
void LowerLoops::inlineRoutine(OpBuilder &builder, RoutineOp routine) {
  Location loc = routine.getLoc();
  SmallVector<Value> arguments;
  if (Value items = routine.getItems()) {
    auto [begin, end] = shareOf(builder, loc, items);
    arguments = {begin, end};
  }
  for (Value operand : llvm::concat<Value>(routine.getInputs(), routine.getOuts())) {
    Type type = routine.getBody().getArgument(arguments.size()).getType();
    arguments.push_back(operand.getType() == type ? operand : memref::CastOp::create(builder, loc, type, operand).getResult());
  }
  Block *target = routine->getBlock();
  Block::iterator place = routine->getIterator();
  if (!routine.getItems()) {
    target = onFirstThread(builder, loc).thenBlock();
    place = target->getTerminator()->getIterator();
  }
  Block &body = routine.getBody().front();
  for (auto [from, to] : llvm::zip_equal(body.getArguments(), arguments))
    from.replaceAllUsesWith(to);
  target->getOperations().splice(place, body.getOperations());
}

/// Whether input and output are a past and its present.
bool LowerLoops::mayBeOneBuffer(func::FuncOp entry, Value input, Value output) {
  auto past = dyn_cast<BlockArgument>(memoryRoot(input)), present = dyn_cast<BlockArgument>(memoryRoot(output));
  if (!past || !present)
    return false;
  auto of = entry.getArgAttrOfType<IntegerAttr>(past.getArgNumber(), "moe.past_of");
  return of && of == entry.getArgAttr(present.getArgNumber(), "moe.output");
}

void LowerLoops::emitConcat(OpBuilder &builder, func::FuncOp entry, ConcatOp concat) {
  Location loc = concat.getLoc();
  Value output = concat.getOuts().front();
  int64_t rank = cast<MemRefType>(output.getType()).getRank();
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  SmallVector<OpFoldResult> offsets(rank, zero), strides(rank, one);
  Value from = arith::ConstantIndexOp::create(builder, loc, 0);
  for (Value input : concat.getInputs()) {
    SmallVector<OpFoldResult> sizes = memref::getMixedSizes(builder, loc, input);
    offsets[concat.getAxis()] = getAsOpFoldResult(from);
    Value part = memref::SubViewOp::create(builder, loc, output, offsets, sizes, strides);
    OpBuilder::InsertionGuard guard(builder);
    if (mayBeOneBuffer(entry, input, output)) {
      Value source = memref::ExtractAlignedPointerAsIndexOp::create(builder, loc, input);
      Value target = memref::ExtractAlignedPointerAsIndexOp::create(builder, loc, output);
      Value differ = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, source, target);
      auto ifOp = scf::IfOp::create(builder, loc, differ, /*withElseRegion=*/false);
      builder.setInsertionPointToStart(ifOp.thenBlock());
    }
    auto copy = linalg::CopyOp::create(builder, loc, input, part);
    builder.setInsertionPoint(copy);
    LoopEmitter(builder, copy).emit();
    builder.setInsertionPointAfter(copy);
    copy.erase();
    builder.setInsertionPoint(concat);
    Value size = getValueOrCreateConstantIndexOp(builder, loc, sizes[concat.getAxis()]);
    from = arith::AddIOp::create(builder, loc, from, size);
  }
}

} // namespace
} // namespace moe
