// What the builders of CPU and of GPU kernels have in common: constants, arithmetic on numbers or vectors of them, loops and branches. They exist
// so that emitters read like the loops they write.
#ifndef MOE_IR_ARITHBUILDER_H
#define MOE_IR_ARITHBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace moe {

class ArithBuilder : public mlir::ImplicitLocOpBuilder {
public:
  using Value = mlir::Value;
  using ValueRange = mlir::ValueRange;
  using Type = mlir::Type;

  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;

  Value i64(int64_t value) { return mlir::arith::ConstantOp::create(*this, getI64IntegerAttr(value)); }
  Value i32(int64_t value) { return mlir::arith::ConstantOp::create(*this, getI32IntegerAttr(static_cast<int32_t>(value))); }
  Value f32(double value) { return mlir::arith::ConstantOp::create(*this, getF32FloatAttr(static_cast<float>(value))); }

  Value add(Value a, Value b) { return mlir::arith::AddIOp::create(*this, a, b); }
  Value sub(Value a, Value b) { return mlir::arith::SubIOp::create(*this, a, b); }
  Value mul(Value a, Value b) { return mlir::arith::MulIOp::create(*this, a, b); }
  /// Unsigned.
  Value div(Value a, Value b) { return mlir::arith::DivUIOp::create(*this, a, b); }
  Value min(Value a, Value b) { return mlir::arith::MinSIOp::create(*this, a, b); }
  Value max(Value a, Value b) { return mlir::arith::MaxSIOp::create(*this, a, b); }
  Value compare(mlir::arith::CmpIPredicate predicate, Value a, Value b) { return mlir::arith::CmpIOp::create(*this, predicate, a, b); }
  Value select(Value condition, Value a, Value b) { return mlir::arith::SelectOp::create(*this, condition, a, b); }
  /// An integer of at most 64 bits or an index, sign-extended to i64.
  Value toI64(Value value);

  Value addf(Value a, Value b) { return mlir::arith::AddFOp::create(*this, a, b); }
  Value subf(Value a, Value b) { return mlir::arith::SubFOp::create(*this, a, b); }
  Value mulf(Value a, Value b) { return mlir::arith::MulFOp::create(*this, a, b); }
  Value divf(Value a, Value b) { return mlir::arith::DivFOp::create(*this, a, b); }
  /// max(x, low) and min(x, high); NaN stays NaN. One instruction on x86, whose max and min give the second operand where one is NaN: x.
  Value atLeast(Value x, Value low);
  Value atMost(Value x, Value high);

  /// scf.for with step `step`; `body` gets the counter and the carried values and returns the next ones.
  llvm::SmallVector<Value> forLoop(Value from, Value to, Value step, ValueRange carried,
                                   llvm::function_ref<llvm::SmallVector<Value>(Value, ValueRange)> body);
  void forLoop(Value from, Value to, Value step, llvm::function_ref<void(Value)> body);
  void ifTrue(Value condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise = nullptr);
};

} // namespace moe

#endif // MOE_IR_ARITHBUILDER_H
