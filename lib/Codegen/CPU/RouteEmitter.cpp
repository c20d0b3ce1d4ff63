// Routing: the call site and the sort by expert. The scores and the selection are in RouteSelect.cpp.
#include "RouteEmitter.h"

using namespace mlir;
namespace moe {

LogicalResult RouteEmitter::replace(RoutePermuteOp op) {
  FailureOr<RouteSpec> read = RouteSpec::read(op);
  if (failed(read))
    return failure();
  spec = *read;
  const bool fromLogits = static_cast<bool>(spec.router);
  func::FuncOp select = fromLogits ? selectFunction() : func::FuncOp();
  func::FuncOp scatter = scatterFunction();

  b.setInsertionPoint(op);
  const ValueRange outs = op.getOuts();
  Value thread = b.toI64(ThreadIdOp::create(b)), threads = b.toI64(NumThreadsOp::create(b));
  Value ids, weights, tokens, k;
  if (fromLogits) {
    ids = b.memrefPointer(outs[3]);
    weights = b.memrefPointer(outs[4]);
    tokens = b.memrefSize(op.getLogits(), 0);
    k = b.i64(spec.k);
    func::CallOp::create(b, select,
                         ValueRange{b.memrefPointer(op.getLogits()), b.memrefStride(op.getLogits(), 0), ids, weights, tokens,
                                    thread, threads});
    BarrierOp::create(b);
  } else {
    ids = b.memrefPointer(op.getIndices());
    weights = spec.hasWeights ? b.memrefPointer(op.getWeights()) : Value(LLVM::ZeroOp::create(b, b.ptrType()));
    tokens = b.memrefSize(op.getIndices(), 0);
    k = b.memrefSize(op.getIndices(), 1);
  }
  func::CallOp::create(b, scatter,
                       ValueRange{ids, weights, b.memrefPointer(outs[0]), b.memrefPointer(outs[1]), b.memrefPointer(outs[2]),
                                  tokens, k, thread, threads});
  op.erase();
  return success();
}

// Every thread counts all slots, which is cheaper than adding up counts of parts behind one more barrier, and then places the slots
// of its own experts. Slots of an expert keep the order of tokens and ranks, whatever the number of threads.
func::FuncOp RouteEmitter::scatterFunction() {
  const std::string key = llvm::formatv("route scatter {0} {1} {2}", spec.experts, spec.idBits, spec.hasWeights);
  return kernels.get(key, "moe_route_scatter", [&](StringRef name) {
    OpBuilder::InsertionGuard guard(b);
    SmallVector<Type> types(5, b.ptrType());
    types.append(4, b.getI64Type());
    func::FuncOp function = b.beginFunction(kernels.module, name, types);
    const ValueRange a = function.getArguments();
    Value ids = a[0], weights = a[1], rows = a[2], slotWeights = a[3], offsets = a[4], tokens = a[5], k = a[6];
    Value thread = a[7], threads = a[8], experts = b.i64(spec.experts);
    Value counts = b.stack(b.getI32Type(), spec.experts, 64);
    Value slots = b.mul(tokens, k);
    emitCounts(ids, counts, slots);
    emitStarts(counts, offsets, rows, slotWeights, slots, thread);
    Value from = b.shareStart(experts, thread, threads), to = b.shareStart(experts, b.add(thread, b.i64(1)), threads);
    b.ifTrue(b.compare(arith::CmpIPredicate::slt, from, to),
             [&] { emitScatter(ids, weights, counts, rows, slotWeights, tokens, k, from, to); });
    func::ReturnOp::create(b);
    return function;
  });
}

Value RouteEmitter::loadId(Value ids, Value slot) {
  const Type type = b.getIntegerType(spec.idBits);
  return b.toI64(b.load(type, b.at(ids, type, slot)));
}

// Adds one to the count of `id` and gives what it was.
Value RouteEmitter::bump(Value counts, Value id) {
  Value place = b.at(counts, b.getI32Type(), id);
  Value before = b.load(b.getI32Type(), place);
  b.store(b.add(before, b.i32(1)), place);
  return b.toI64(before);
}

void RouteEmitter::emitCounts(Value ids, Value counts, Value slots) {
  Value zero = b.i64(0), experts = b.i64(spec.experts);
  b.forLoop(zero, experts, [&](Value e) { b.store(b.i32(0), b.at(counts, b.getI32Type(), e)); });
  b.forLoop(zero, slots, [&](Value slot) {
    Value id = loadId(ids, slot);
    // Unsigned: an id that is negative or too large names no expert and takes no slot.
    b.ifTrue(b.compare(arith::CmpIPredicate::ult, id, experts), [&] { bump(counts, id); });
  });
}

// Counts become the first slot of each expert. Thread 0 writes them down and clears the slots that no expert has.
void RouteEmitter::emitStarts(Value counts, Value offsets, Value rows, Value slotWeights, Value slots, Value thread) {
  const Type i32 = b.getI32Type();
  Value zero = b.i64(0), experts = b.i64(spec.experts);
  Value total = b.forLoop(zero, experts, b.i64(1), {b.i32(0)}, [&](Value e, ValueRange start) -> SmallVector<Value> {
    Value place = b.at(counts, i32, e);
    Value count = b.load(i32, place);
    b.store(start[0], place);
    return {b.add(start[0], count)};
  })[0];
  b.ifTrue(b.compare(arith::CmpIPredicate::eq, thread, zero), [&] {
    b.forLoop(zero, experts,
              [&](Value e) { b.store(b.load(i32, b.at(counts, i32, e)), b.at(offsets, i32, e)); });
    b.store(total, b.at(offsets, i32, experts));
    b.forLoop(b.toI64(total), slots, [&](Value slot) {
      b.store(b.i32(0), b.at(rows, i32, slot));
      b.store(b.f32(0.0), b.atF32(slotWeights, slot));
    });
  });
}

void RouteEmitter::emitScatter(Value ids, Value weights, Value counts, Value rows, Value slotWeights, Value tokens, Value k,
                               Value from, Value to) {
  const Type i32 = b.getI32Type();
  Value zero = b.i64(0), own = b.sub(to, from);
  b.forLoop(zero, tokens, [&](Value token) {
    Value row = arith::TruncIOp::create(b, i32, token), first = b.mul(token, k);
    b.forLoop(zero, k, [&](Value rank) {
      Value slot = b.add(first, rank), id = loadId(ids, slot);
      b.ifTrue(b.compare(arith::CmpIPredicate::ult, b.sub(id, from), own), [&] {
        Value target = bump(counts, id);
        b.store(row, b.at(rows, i32, target));
        Value weight = spec.hasWeights ? b.load(b.getF32Type(), b.atF32(weights, slot)) : b.f32(1.0);
        b.store(weight, b.atF32(slotWeights, target));
      });
    });
  });
}

} // namespace moe
