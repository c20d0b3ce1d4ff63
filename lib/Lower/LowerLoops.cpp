// linalg ops, moe.concat, moe.append and moe.routine on memrefs become loops, split over threads; single stores go to thread 0. Expects barriers placed and buffers
// planned: nothing here moves work between threads other than LoopPlan says.
#include "EntryPoint.h"
#include "LoopEmitter.h"
#include "LoopWriter.h"
#include "MemoryRoots.h"
#include "Routing.h"
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
      } else if (auto append = dyn_cast<AppendOp>(op)) {
        emitAppend(builder, entry, append);
        op.erase();
      } else if (auto routine = dyn_cast<RoutineOp>(op)) {
        inlineRoutine(builder, routine);
        op.erase();
      } else if (auto condition = dyn_cast<RequireRangeOp>(op)) {
        emitCondition(builder, condition);
        op.erase();
      } else if (auto store = dyn_cast<memref::StoreOp>(op)) {
        store->moveBefore(onFirstThread(builder, op.getLoc()).thenBlock()->getTerminator());
      }
    }
  }

private:
  static LogicalResult checkBufferized(func::FuncOp entry) {
    for (Operation &op : entry.getBody().front())
      if (isa<LinalgOp, ConcatOp, AppendOp, RoutineOp, RequireRangeOp>(op) && llvm::any_of(op.getOperandTypes(), llvm::IsaPred<TensorType>))
        return op.emitOpError("works on tensors, expected memrefs; loops are made after moe-lower-bufferize");
    return success();
  }

  void emitConcat(OpBuilder &builder, func::FuncOp entry, ConcatOp concat);
  void emitAppend(OpBuilder &builder, func::FuncOp entry, AppendOp append);
  static Value differ(OpBuilder &builder, Location loc, Value input, Value output);
  static scf::IfOp onFirstThread(OpBuilder &builder, Location loc);
  static void inlineRoutine(OpBuilder &builder, RoutineOp routine);
  static void emitCondition(OpBuilder &builder, RequireRangeOp condition);
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

/// One loop over this thread's share that only asks whether any value is out of range, which vectors do; where one is, a second that finds the first.
void LowerLoops::emitCondition(OpBuilder &builder, RequireRangeOp condition) {
  const Location loc = condition.getLoc();
  LoopWriter w(builder, loc);
  Value values = condition.getValues(), total = w.index(1), low = condition.getLow(), high = condition.getHigh();
  const int64_t rank = cast<MemRefType>(values.getType()).getRank();
  for (int64_t dim = 0; dim < rank; ++dim)
    total = w.mul(total, w.dim(values, dim));
  if (rank > 1) {
    ReassociationIndices all = llvm::to_vector<2>(llvm::seq<int64_t>(0, rank));
    values = memref::CollapseShapeOp::create(builder, loc, values, ArrayRef<ReassociationIndices>(all));
  }
  std::pair<Value, Value> share(w.index(0), total);
  OpBuilder::InsertionGuard guard(builder);
  if (isOnOneThread(condition))
    builder.setInsertionPointToStart(onFirstThread(builder, loc).thenBlock());
  else
    share = shareOf(builder, loc, total);
  const Type number = builder.getI64Type();
  // v - low < high - low without signs: wrapping makes every v below low a great number.
  Value from = arith::IndexCastOp::create(builder, loc, number, low), length = arith::IndexCastOp::create(builder, loc, number, w.sub(high, low));
  auto load = [&](Value position) -> Value {
    Value value = w.load(values, rank == 0 ? ValueRange() : ValueRange(position));
    return value.getType() == number ? value : arith::ExtSIOp::create(builder, loc, number, value).getResult();
  };
  auto isOutside = [&](Value value) -> Value {
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::uge, arith::SubIOp::create(builder, loc, value, from), length);
  };
  Value any = w.loop(share.first, share.second, ValueRange(w.flag(false)), [&](Value position, ValueRange carried) {
    return LoopWriter::Values{w.either(carried.front(), isOutside(load(position)))};
  }).front();
  w.when(any, [&]() {
    w.loop(share.first, share.second, [&](Value position) {
      Value value = load(position);
      w.when(isOutside(value), [&]() {
        Value found = arith::IndexCastOp::create(builder, loc, builder.getIndexType(), value);
        FaultOp::create(builder, loc, condition.getNumber().value_or(0), position, found, low, high);
      });
    });
  });
}

/// Whether input and output are a past and its present.
bool LowerLoops::mayBeOneBuffer(func::FuncOp entry, Value input, Value output) {
  auto past = dyn_cast<BlockArgument>(memoryRoot(input)), present = dyn_cast<BlockArgument>(memoryRoot(output));
  if (!past || !present)
    return false;
  auto of = entry.getArgAttrOfType<IntegerAttr>(past.getArgNumber(), "moe.past_of");
  return of && of == entry.getArgAttr(present.getArgNumber(), "moe.output");
}

/// Has the caller given two buffers?
Value LowerLoops::differ(OpBuilder &builder, Location loc, Value input, Value output) {
  Value source = memref::ExtractAlignedPointerAsIndexOp::create(builder, loc, input);
  Value target = memref::ExtractAlignedPointerAsIndexOp::create(builder, loc, output);
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, source, target);
}

/// Three loops over rows, which write different ones: those of the past, unless they are there already, those behind it, and the new ones.
void LowerLoops::emitAppend(OpBuilder &builder, func::FuncOp entry, AppendOp append) {
  LoopWriter w(builder, append.getLoc());
  Value past = append.getPast(), rows = append.getRows(), at = append.getAt(), output = append.getOuts().front();
  Value heads = w.dim(output, 1), length = w.dim(output, 2), added = w.dim(rows, 2), width = w.dim(output, 3);
  Value lists = w.mul(w.dim(output, 0), heads), kept = w.min(w.dim(past, 2), length);
  const Type element = cast<MemRefType>(output.getType()).getElementType();
  const auto writeRow = [&](Value from, Value fromRow, Value sequence, Value head, Value row) {
    forColumns(w, width, [&](Value column, int64_t lanes) {
      const auto type = VectorType::get({lanes}, element);
      Value value;
      if (from)
        value = vector::LoadOp::create(w.builder, w.loc, type, from, ValueRange{sequence, head, fromRow, column});
      else
        value = arith::ConstantOp::create(w.builder, w.loc, cast<TypedAttr>(w.builder.getZeroAttr(type)));
      vector::StoreOp::create(w.builder, w.loc, value, output, ValueRange{sequence, head, row, column});
    });
  };
  // Rows first … first + count of each list, split over threads.
  const auto forRows = [&](Value first, Value count, llvm::function_ref<void(Value sequence, Value head, Value row)> body) {
    auto [begin, end] = shareOf(w.builder, w.loc, w.mul(lists, count));
    w.loop(begin, end, [&](Value item) {
      Value list = w.div(item, count);
      body(w.div(list, heads), w.rem(list, heads), w.add(first, w.rem(item, count)));
    });
  };
  const auto isNew = [&](Value sequence, Value row) {
    Value start = w.toIndex(w.load(at, {sequence}));
    return w.both(w.le(start, row), w.lt(row, w.add(start, added)));
  };
  const auto copyPast = [&] {
    forRows(w.index(0), kept, [&](Value sequence, Value head, Value row) {
      w.when(w.negate(isNew(sequence, row)), [&] { writeRow(past, row, sequence, head, row); });
    });
  };
  if (mayBeOneBuffer(entry, past, output))
    w.when(differ(builder, w.loc, past, output), copyPast);
  else
    copyPast();
  forRows(kept, w.sub(length, kept), [&](Value sequence, Value head, Value row) {
    w.when(w.negate(isNew(sequence, row)), [&] { writeRow(Value(), Value(), sequence, head, row); });
  });
  forRows(w.index(0), added, [&](Value sequence, Value head, Value number) {
    Value row = w.add(w.toIndex(w.load(at, {sequence})), number);
    w.when(w.both(w.ge(row, w.index(0)), w.lt(row, length)), [&] { writeRow(rows, number, sequence, head, row); });
  });
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
      auto ifOp = scf::IfOp::create(builder, loc, differ(builder, loc, input, output), /*withElseRegion=*/false);
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
