//===- LoopWriter.h - scalar loops over buffers, with little ceremony -*- C++ -*-===//
// A thin layer over the builder for the bodies of moe.routine: arithmetic that follows the type of its operands, loops and conditions as
// callbacks. Integers are signed; comparisons of floats are ordered (false for NaN) but for `ne`.
#ifndef MOE_LIB_LOWER_LOOPWRITER_H
#define MOE_LIB_LOWER_LOOPWRITER_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/Location.h"

namespace moe {

class LoopWriter {
public:
  using Value = mlir::Value;
  using Values = llvm::SmallVector<mlir::Value>;
  using ValueRange = mlir::ValueRange;

  LoopWriter(mlir::OpBuilder &builder, mlir::Location loc) : builder(builder), loc(loc) {}

  /// Constants of type index, i32, i64, f32 and i1.
  Value index(int64_t value);
  Value i32(int64_t value);
  Value i64(int64_t value);
  Value f32(double value);
  Value flag(bool value);

  /// Size of a dim of a memref, index.
  Value dim(Value memref, int64_t dim);
  Value load(Value memref, ValueRange indices);
  void store(Value value, Value memref, ValueRange indices);

  /// i32 or i64 to index and back to i32; a wider or narrower float.
  Value toIndex(Value integer);
  Value toI32(Value index);
  Value toFloat(Value value, mlir::Type type);

  /// Arithmetic on operands of one type: index, integer, float or vectors of floats. Division truncates; divUp is for non-negative operands.
  Value add(Value a, Value b);
  Value sub(Value a, Value b);
  Value mul(Value a, Value b);
  Value div(Value a, Value b);
  Value rem(Value a, Value b);
  Value divUp(Value a, Value b);
  Value min(Value a, Value b);
  Value max(Value a, Value b);

  Value eq(Value a, Value b);
  Value ne(Value a, Value b);
  Value lt(Value a, Value b);
  Value le(Value a, Value b);
  Value gt(Value a, Value b) { return lt(b, a); }
  Value ge(Value a, Value b) { return le(b, a); }
  Value both(Value a, Value b);
  Value either(Value a, Value b);
  Value negate(Value flag);
  Value select(Value condition, Value a, Value b);
  /// 0 <= value < end, index or i32.
  Value inRange(Value value, Value end);

  /// for begin <= i < end, step by step.
  void loop(Value begin, Value end, llvm::function_ref<void(Value)> body);
  void loop(Value begin, Value end, int64_t step, llvm::function_ref<void(Value)> body);
  /// The same with values carried from round to round: the last round's, or `initial` without a round.
  Values loop(Value begin, Value end, ValueRange initial, llvm::function_ref<Values(Value, ValueRange)> body);
  /// while condition(carried): carried = body(carried).
  Values loopWhile(ValueRange initial, llvm::function_ref<Value(ValueRange)> condition, llvm::function_ref<Values(ValueRange)> body);
  void when(Value condition, llvm::function_ref<void()> body);
  /// The values of the side that is taken.
  Values choose(Value condition, llvm::function_ref<Values()> then, llvm::function_ref<Values()> otherwise);

  /// An i32 that orders floats as selection does: by value, -0 equal to 0, NaN below every number.
  Value orderKey(Value value);

  mlir::OpBuilder &builder;
  mlir::Location loc;

private:
  template <typename FloatOp, typename IntegerOp>
  Value binary(Value a, Value b);
  Value compare(Value a, Value b, unsigned integerPredicate, unsigned floatPredicate);
};

} // namespace moe

#endif // MOE_LIB_LOWER_LOOPWRITER_H
