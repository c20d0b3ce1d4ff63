// Makes the straight line between the marks of a loop one that may be run again: what no run changes moves in front of it, what runs read from
// there is kept (`captured`), and each run writes buffers of its own. Expects the entry on tensors, just before moe-lower-bufferize.
#include "EntryPoint.h"
#include "moe/IR/Loops.h"
#include "moe/Lower/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"

#include "llvm/ADT/SetVector.h"

namespace moe {
#define GEN_PASS_DEF_LOWERRUNLOOPS
#include "moe/Lower/Passes.h.inc"
} // namespace moe

using namespace mlir;

namespace moe {
namespace {

struct LowerRunLoops : impl::LowerRunLoopsBase<LowerRunLoops> {
  using Base::Base;

  void runOnOperation() override {
    func::FuncOp entry = findEntry(getOperation());
    if (!entry)
      return signalPassFailure();
    Block &body = entry.getBody().front();
    if (failed(checkMarks(body)))
      return signalPassFailure();
    joinParts(body);
    for (auto [begin, end] : loopsOf(body))
      dropStaying(begin, end);
    // From the inside out: what an inner loop does not change may not change in the outer one either.
    const auto loops = loopsOf(body);
    for (auto [begin, end] : llvm::reverse(loops)) {
      moveOutOfLoop(begin, end, /*onlyIfUsedBehind=*/false);
      ownDestinations(begin, end);
      if (failed(copyCrossing(begin, end)) || failed(checkUses(begin, end)))
        return signalPassFailure();
    }
    for (auto [begin, end] : llvm::reverse(loops))
      capture(begin, end);
  }

private:
  static LogicalResult checkMarks(Block &body);
  static void joinParts(Block &body);
  static void dropStaying(LoopBeginOp begin, LoopEndOp end);
  static void ownDestinations(LoopBeginOp begin, LoopEndOp end);
  static LogicalResult copyCrossing(LoopBeginOp begin, LoopEndOp end);
  static LogicalResult checkUses(LoopBeginOp begin, LoopEndOp end);
  static void capture(LoopBeginOp begin, LoopEndOp end);
};

/// Each loop has an end, and its runs send nothing to other ranks.
LogicalResult LowerRunLoops::checkMarks(Block &body) {
  for (auto begin : body.getOps<LoopBeginOp>()) {
    LoopBeginOp mark = markOf(begin);
    LoopEndOp end = mark ? endOf(mark) : LoopEndOp();
    if (!end)
      return begin.emitOpError("has no moe.loop_end of its number behind it in the entry");
    for (Operation *op = begin; op != end; op = op->getNextNode()) {
      WalkResult exchange = op->walk([](Operation *inner) {
        return isa<ExchangeOp, ExchangeStartOp, ExchangeWaitOp, GatherSharesOp>(inner) ? WalkResult::interrupt() : WalkResult::advance();
      });
      if (exchange.wasInterrupted())
        return op->emitError("sends rows to other ranks in a loop whose number of runs only the run tells, which is not supported yet; compile without --mesh");
    }
  }
  return success();
}

/// What a pass has put between a part that stands apart and the mark, and reads it, belongs to the body.
void LowerRunLoops::joinParts(Block &body) {
  SmallVector<LoopBeginOp> parts(body.getOps<LoopBeginOp>());
  for (LoopBeginOp part : parts) {
    if (!part.getApart())
      continue;
    LoopBeginOp mark = markOf(part);
    llvm::SetVector<Operation *> late;
    late.insert(part);
    for (Operation *op = part->getNextNode(); op != mark; op = op->getNextNode()) {
      const bool reads = op->walk([&](Operation *inner) {
                             return llvm::any_of(inner->getOperands(), [&](Value operand) { return late.contains(operand.getDefiningOp()); })
                                        ? WalkResult::interrupt()
                                        : WalkResult::advance();
                           }).wasInterrupted();
      if (reads)
        late.insert(op);
    }
    Operation *place = mark;
    for (Operation *op : late.getArrayRef().drop_front()) {
      op->moveAfter(place);
      place = op;
    }
  }
}

/// A value that every run passes on as it is is that in front of the loop. The flag stays: the mark reads its buffer.
void LowerRunLoops::dropStaying(LoopBeginOp begin, LoopEndOp end) {
  SmallVector<Value> inits, next, carried;
  SmallVector<unsigned> kept;
  SmallVector<Type> types;
  OpBuilder builder(begin);
  auto conform = [&](Value value, Type type) {
    return value.getType() == type ? value : tensor::CastOp::create(builder, value.getLoc(), type, value).getResult();
  };
  for (auto [number, place] : llvm::enumerate(end.getCarried())) {
    auto part = place.getDefiningOp<LoopBeginOp>();
    const unsigned own = cast<OpResult>(place).getResultNumber();
    if (number == 0 || part != begin || end.getNext()[number] != place) {
      kept.push_back(number);
      continue;
    }
    Value init = begin.getInits()[own];
    end.getResult(number).replaceAllUsesWith(conform(init, end.getResult(number).getType()));
    place.replaceUsesWithIf(conform(init, place.getType()), [&](OpOperand &use) { return use.getOwner() != end; });
  }
  if (kept.size() == end.getCarried().size())
    return;
  SmallVector<unsigned> keptResults;
  for (unsigned number : kept)
    if (Value place = end.getCarried()[number]; place.getDefiningOp() == begin)
      keptResults.push_back(cast<OpResult>(place).getResultNumber());
  for (unsigned own : keptResults) {
    inits.push_back(begin.getInits()[own]);
    types.push_back(begin.getResult(own).getType());
  }
  auto newBegin = LoopBeginOp::create(builder, begin.getLoc(), types, begin.getNumber(), inits, /*apart=*/false);
  for (auto [own, result] : llvm::zip_equal(keptResults, newBegin.getResults()))
    begin.getResult(own).replaceAllUsesWith(result);
  types.clear();
  for (unsigned number : kept) {
    next.push_back(end.getNext()[number]);
    carried.push_back(end.getCarried()[number]);
    types.push_back(end.getResult(number).getType());
  }
  builder.setInsertionPoint(end);
  auto newEnd = LoopEndOp::create(builder, end.getLoc(), types, end.getNumber(), next, carried, ValueRange());
  for (auto [number, result] : llvm::zip_equal(kept, newEnd.getResults()))
    end.getResult(number).replaceAllUsesWith(result);
  end.erase();
  begin.erase();
}

/// Buffers that a run starts from are the run's own: a fill in front of the loop would hold what the last run has made of it.
void LowerRunLoops::ownDestinations(LoopBeginOp begin, LoopEndOp end) {
  for (Operation *op = begin->getNextNode(); op != end; op = op->getNextNode()) {
    auto writes = dyn_cast<DestinationStyleOpInterface>(op);
    if (!writes)
      continue;
    for (OpOperand &init : writes.getDpsInitsMutable()) {
      Operation *source = init.get().getDefiningOp();
      if (!isa_and_nonnull<tensor::EmptyOp, linalg::FillOp>(source) || !source->isBeforeInBlock(begin))
        continue;
      OpBuilder builder(op);
      IRMapping mapping;
      if (auto fill = dyn_cast<linalg::FillOp>(source))
        if (auto empty = fill.getOutputs().front().getDefiningOp<tensor::EmptyOp>())
          mapping.map(empty.getResult(), builder.clone(*empty)->getResult(0));
      init.set(builder.clone(*source, mapping)->getResult(0));
    }
  }
}

/// The value that `value` is a view of.
Value viewed(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<tensor::CastOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::ExtractSliceOp, tensor::ReshapeOp>(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

/// Values of a run that trade places are copied first: the end writes the places one after the other.
LogicalResult LowerRunLoops::copyCrossing(LoopBeginOp begin, LoopEndOp end) {
  OpBuilder builder(end);
  for (auto [number, operand] : llvm::enumerate(end.getNextMutable())) {
    Value next = operand.get();
    auto from = viewed(next).getDefiningOp<LoopBeginOp>();
    if (!from || from.getNumber() != begin.getNumber())
      continue;
    auto type = cast<RankedTensorType>(next.getType());
    SmallVector<Value> sizes;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (type.isDynamicDim(dim))
        sizes.push_back(tensor::DimOp::create(builder, end.getLoc(), next, dim));
    Value empty = tensor::EmptyOp::create(builder, end.getLoc(), type.getShape(), type.getElementType(), sizes);
    operand.set(linalg::CopyOp::create(builder, end.getLoc(), next, empty).getResult(0));
  }
  return success();
}

/// What depends on a run is used in it alone.
LogicalResult LowerRunLoops::checkUses(LoopBeginOp begin, LoopEndOp end) {
  for (Operation *op = begin; op != end; op = op->getNextNode())
    for (Operation *user : op->getUsers())
      if (Operation *place = begin->getBlock()->findAncestorOpInBlock(*user); place && end->isBeforeInBlock(place))
        return place->emitOpError("uses a value of one run of a loop behind that loop");
  return success();
}

void LowerRunLoops::capture(LoopBeginOp begin, LoopEndOp end) {
  llvm::SetVector<Value> captured;
  for (Operation *op = begin->getNextNode(); op != end; op = op->getNextNode())
    op->walk([&](Operation *inner) {
      for (Value operand : inner->getOperands()) {
        Operation *producer = operand.getDefiningOp();
        if (!isa<RankedTensorType>(operand.getType()) || isa_and_nonnull<LoopBeginOp, tensor::EmptyOp, arith::ConstantOp, WeightRefOp>(producer))
          continue;
        const bool isOutside = producer ? producer->getBlock() == begin->getBlock() && producer->isBeforeInBlock(begin)
                                        : cast<BlockArgument>(operand).getOwner() == begin->getBlock();
        if (isOutside)
          captured.insert(operand);
      }
    });
  end.getCapturedMutable().append(captured.getArrayRef());
}

} // namespace
} // namespace moe
