// See LoopWriter.h.
#include "LoopWriter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <limits>

using namespace mlir;

namespace moe {

Value LoopWriter::index(int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); }
Value LoopWriter::i32(int64_t value) { return arith::ConstantIntOp::create(builder, loc, value, 32); }
Value LoopWriter::i64(int64_t value) { return arith::ConstantIntOp::create(builder, loc, value, 64); }
Value LoopWriter::f32(double value) {
  return arith::ConstantOp::create(builder, loc, builder.getF32FloatAttr(static_cast<float>(value)));
}
Value LoopWriter::flag(bool value) { return arith::ConstantIntOp::create(builder, loc, value, 1); }

Value LoopWriter::dim(Value memref, int64_t dim) {
  auto type = cast<MemRefType>(memref.getType());
  return type.isDynamicDim(dim) ? memref::DimOp::create(builder, loc, memref, dim).getResult() : index(type.getDimSize(dim));
}
Value LoopWriter::load(Value memref, ValueRange indices) { return memref::LoadOp::create(builder, loc, memref, indices); }
void LoopWriter::store(Value value, Value memref, ValueRange indices) { memref::StoreOp::create(builder, loc, value, memref, indices); }

Value LoopWriter::toIndex(Value integer) {
  return integer.getType().isIndex() ? integer : arith::IndexCastOp::create(builder, loc, builder.getIndexType(), integer).getResult();
}
Value LoopWriter::toI32(Value index) { return arith::IndexCastOp::create(builder, loc, builder.getI32Type(), index); }

Value LoopWriter::toFloat(Value value, Type type) {
  const unsigned from = getElementTypeOrSelf(value.getType()).getIntOrFloatBitWidth(), to = getElementTypeOrSelf(type).getIntOrFloatBitWidth();
  if (value.getType() == type)
    return value;
  if (from < to)
    return arith::ExtFOp::create(builder, loc, type, value);
  return arith::TruncFOp::create(builder, loc, type, value);
}

template <typename FloatOp, typename IntegerOp>
Value LoopWriter::binary(Value a, Value b) {
  if (isa<FloatType>(getElementTypeOrSelf(a.getType())))
    return FloatOp::create(builder, loc, a, b);
  return IntegerOp::create(builder, loc, a, b);
}

Value LoopWriter::add(Value a, Value b) { return binary<arith::AddFOp, arith::AddIOp>(a, b); }
Value LoopWriter::sub(Value a, Value b) { return binary<arith::SubFOp, arith::SubIOp>(a, b); }
Value LoopWriter::mul(Value a, Value b) { return binary<arith::MulFOp, arith::MulIOp>(a, b); }
Value LoopWriter::div(Value a, Value b) { return binary<arith::DivFOp, arith::DivSIOp>(a, b); }
Value LoopWriter::rem(Value a, Value b) { return binary<arith::RemFOp, arith::RemSIOp>(a, b); }
Value LoopWriter::divUp(Value a, Value b) { return arith::CeilDivUIOp::create(builder, loc, a, b); }
Value LoopWriter::min(Value a, Value b) { return binary<arith::MinimumFOp, arith::MinSIOp>(a, b); }
Value LoopWriter::max(Value a, Value b) { return binary<arith::MaximumFOp, arith::MaxSIOp>(a, b); }

Value LoopWriter::compare(Value a, Value b, unsigned integerPredicate, unsigned floatPredicate) {
  if (isa<FloatType>(a.getType()))
    return arith::CmpFOp::create(builder, loc, static_cast<arith::CmpFPredicate>(floatPredicate), a, b);
  return arith::CmpIOp::create(builder, loc, static_cast<arith::CmpIPredicate>(integerPredicate), a, b);
}

Value LoopWriter::eq(Value a, Value b) {
  return compare(a, b, static_cast<unsigned>(arith::CmpIPredicate::eq), static_cast<unsigned>(arith::CmpFPredicate::OEQ));
}
Value LoopWriter::ne(Value a, Value b) {
  return compare(a, b, static_cast<unsigned>(arith::CmpIPredicate::ne), static_cast<unsigned>(arith::CmpFPredicate::UNE));
}
Value LoopWriter::lt(Value a, Value b) {
  return compare(a, b, static_cast<unsigned>(arith::CmpIPredicate::slt), static_cast<unsigned>(arith::CmpFPredicate::OLT));
}
Value LoopWriter::le(Value a, Value b) {
  return compare(a, b, static_cast<unsigned>(arith::CmpIPredicate::sle), static_cast<unsigned>(arith::CmpFPredicate::OLE));
}
Value LoopWriter::both(Value a, Value b) { return arith::AndIOp::create(builder, loc, a, b); }
Value LoopWriter::either(Value a, Value b) { return arith::OrIOp::create(builder, loc, a, b); }
Value LoopWriter::negate(Value value) { return arith::XOrIOp::create(builder, loc, value, flag(true)); }
Value LoopWriter::select(Value condition, Value a, Value b) { return arith::SelectOp::create(builder, loc, condition, a, b); }

Value LoopWriter::inRange(Value value, Value end) {
  if (value.getType() != end.getType())
    value = toIndex(value);
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult, value, end);
}

void LoopWriter::loop(Value begin, Value end, llvm::function_ref<void(Value)> body) { loop(begin, end, 1, body); }

void LoopWriter::loop(Value begin, Value end, int64_t step, llvm::function_ref<void(Value)> body) {
  auto forOp = scf::ForOp::create(builder, loc, begin, end, index(step));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(forOp.getBody()->getTerminator());
  body(forOp.getInductionVar());
}

LoopWriter::Values LoopWriter::loop(Value begin, Value end, ValueRange initial, llvm::function_ref<Values(Value, ValueRange)> body) {
  auto forOp = scf::ForOp::create(builder, loc, begin, end, index(1), initial, [&](OpBuilder &, Location, Value, ValueRange) {});
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(forOp.getBody());
  Values results = body(forOp.getInductionVar(), forOp.getRegionIterArgs());
  scf::YieldOp::create(builder, loc, results);
  return Values(forOp.getResults());
}

LoopWriter::Values LoopWriter::loopWhile(ValueRange initial, llvm::function_ref<Value(ValueRange)> condition,
                                         llvm::function_ref<Values(ValueRange)> body) {
  auto loop = scf::WhileOp::create(builder, loc, initial.getTypes(), initial, [&](OpBuilder &, Location, ValueRange) {},
                                   [&](OpBuilder &, Location, ValueRange) {});
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBeforeBody());
  Value goOn = condition(loop.getBeforeArguments());
  scf::ConditionOp::create(builder, loc, goOn, loop.getBeforeArguments());
  builder.setInsertionPointToStart(loop.getAfterBody());
  Values results = body(loop.getAfterArguments());
  scf::YieldOp::create(builder, loc, results);
  return Values(loop.getResults());
}

void LoopWriter::when(Value condition, llvm::function_ref<void()> body) {
  auto ifOp = scf::IfOp::create(builder, loc, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(ifOp.thenBlock()->getTerminator());
  body();
}

LoopWriter::Values LoopWriter::choose(Value condition, llvm::function_ref<Values()> then, llvm::function_ref<Values()> otherwise) {
  auto side = [&](llvm::function_ref<Values()> body) {
    return [&, body](OpBuilder &nested, Location) {
      // The callbacks write with the builder of this writer.
      OpBuilder::InsertionGuard guard(builder);
      builder.restoreInsertionPoint(nested.saveInsertionPoint());
      Values results = body();
      scf::YieldOp::create(builder, loc, results);
    };
  };
  auto ifOp = scf::IfOp::create(builder, loc, condition, side(then), side(otherwise));
  return Values(ifOp.getResults());
}

Value LoopWriter::orderKey(Value value) {
  Value isZero = eq(value, f32(0.0)), isNan = ne(value, value);
  Value bits = arith::BitcastOp::create(builder, loc, builder.getI32Type(), select(isZero, f32(0.0), value));
  // Greater negative numbers have smaller bits: turn all but the sign around.
  Value sign = arith::ShRSIOp::create(builder, loc, bits, i32(31));
  Value turned = arith::XOrIOp::create(builder, loc, bits, arith::AndIOp::create(builder, loc, sign, i32(0x7fffffff)));
  return select(isNan, i32(std::numeric_limits<int32_t>::min()), turned);
}

} // namespace moe
