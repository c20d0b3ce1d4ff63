// Conversions, bounds, loops and branches of kernel code.
#include "moe/IR/ArithBuilder.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
namespace moe {

Value ArithBuilder::toI64(Value value) {
  if (value.getType().isInteger(64))
    return value;
  if (value.getType().isIndex())
    return arith::IndexCastOp::create(*this, getI64Type(), value);
  return arith::ExtSIOp::create(*this, getI64Type(), value);
}

Value ArithBuilder::atLeast(Value x, Value low) {
  return select(arith::CmpFOp::create(*this, arith::CmpFPredicate::OGT, low, x), low, x);
}
Value ArithBuilder::atMost(Value x, Value high) {
  return select(arith::CmpFOp::create(*this, arith::CmpFPredicate::OLT, high, x), high, x);
}

SmallVector<Value> ArithBuilder::forLoop(Value from, Value to, Value step, ValueRange carried,
                                         llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  auto loop = scf::ForOp::create(*this, from, to, step, carried);
  OpBuilder::InsertionGuard guard(*this);
  // Without carried values the builder has already put the terminator.
  if (carried.empty())
    setInsertionPoint(loop.getBody()->getTerminator());
  else
    setInsertionPointToStart(loop.getBody());
  SmallVector<Value> next = body(loop.getInductionVar(), loop.getRegionIterArgs());
  if (!carried.empty())
    scf::YieldOp::create(*this, next);
  return loop.getResults();
}

void ArithBuilder::forLoop(Value from, Value to, Value step, llvm::function_ref<void(Value)> body) {
  forLoop(from, to, step, {}, [&](Value counter, ValueRange) {
    body(counter);
    return SmallVector<Value>();
  });
}

void ArithBuilder::ifTrue(Value condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise) {
  auto branch = scf::IfOp::create(*this, condition, /*withElseRegion=*/static_cast<bool>(otherwise));
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPoint(branch.thenBlock()->getTerminator());
  then();
  if (!otherwise)
    return;
  setInsertionPoint(branch.elseBlock()->getTerminator());
  otherwise();
}

} // namespace moe
