// ONNX Cast of one element.
#include "TensorBuilder.h"

#include "llvm/ADT/APFloat.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

static Value floatToFloat(OpBuilder &builder, Location loc, Value value, FloatType to) {
  auto from = cast<FloatType>(value.getType());
  if (from.getWidth() < to.getWidth())
    return arith::ExtFOp::create(builder, loc, to, value);
  if (from.getWidth() > to.getWidth())
    return arith::TruncFOp::create(builder, loc, to, value);
  // f16 and bf16: neither holds the other.
  Value wide = arith::ExtFOp::create(builder, loc, builder.getF32Type(), value);
  return arith::TruncFOp::create(builder, loc, to, wide);
}

/// Truncates towards zero, saturates, and makes NaN 0: fptosi alone is undefined for what does not fit.
static Value floatToInteger(OpBuilder &builder, Location loc, Value value, IntegerType to) {
  if (moe::isHalf(value.getType())) // the bounds of i32 and i64 do not fit f16
    value = arith::ExtFOp::create(builder, loc, builder.getF32Type(), value);
  auto from = cast<FloatType>(value.getType());
  auto bound = [&](APInt integer, APFloat::roundingMode mode) -> Value {
    APFloat number(from.getFloatSemantics());
    number.convertFromAPInt(integer, /*IsSigned=*/true, mode);
    return arith::ConstantOp::create(builder, loc, builder.getFloatAttr(from, number));
  };
  Value low = bound(APInt::getSignedMinValue(to.getWidth()), APFloat::rmTowardZero);
  Value high = bound(APInt::getSignedMaxValue(to.getWidth()), APFloat::rmTowardZero);
  Value zero = arith::ConstantOp::create(builder, loc, builder.getFloatAttr(from, 0.0));
  Value isNan = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::UNO, value, value);
  Value number = arith::SelectOp::create(builder, loc, isNan, zero, value);
  Value tooHigh = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OGT, number, high);
  Value top = arith::ConstantOp::create(builder, loc, builder.getIntegerAttr(to, APInt::getSignedMaxValue(to.getWidth())));
  Value atLeast = arith::MaximumFOp::create(builder, loc, number, low);
  Value within = arith::MinimumFOp::create(builder, loc, atLeast, high);
  Value integer = arith::FPToSIOp::create(builder, loc, to, within);
  return arith::SelectOp::create(builder, loc, tooHigh, top, integer);
}

Value moe::convertScalar(OpBuilder &builder, Location loc, Value value, Type type) {
  Type from = value.getType();
  if (from == type)
    return value;
  if (auto toFloat = dyn_cast<FloatType>(type)) {
    if (isa<FloatType>(from))
      return floatToFloat(builder, loc, value, toFloat);
    if (from.isInteger(1))
      return arith::UIToFPOp::create(builder, loc, type, value);
    return arith::SIToFPOp::create(builder, loc, type, value);
  }
  auto toInteger = dyn_cast<IntegerType>(type);
  if (!toInteger)
    return {};
  if (auto floatType = dyn_cast<FloatType>(from)) {
    if (toInteger.getWidth() != 1)
      return floatToInteger(builder, loc, value, toInteger);
    Value zero = arith::ConstantOp::create(builder, loc, builder.getFloatAttr(floatType, 0.0));
    return arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::UNE, value, zero);
  }
  unsigned width = cast<IntegerType>(from).getWidth();
  if (toInteger.getWidth() == 1) {
    Value zero = arith::ConstantOp::create(builder, loc, builder.getIntegerAttr(from, 0));
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, value, zero);
  }
  if (width == 1)
    return arith::ExtUIOp::create(builder, loc, type, value);
  if (width < toInteger.getWidth())
    return arith::ExtSIOp::create(builder, loc, type, value);
  return arith::TruncIOp::create(builder, loc, type, value);
}
