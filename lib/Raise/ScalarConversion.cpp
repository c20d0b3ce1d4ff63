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
static Value floatToInteger(OpBuilder &builder, Location loc, Value value, IntegerType target) {
  bool isUnsigned = target.isUnsigned();
  auto to = cast<IntegerType>(moe::codeType(target));
  if (moe::isHalf(value.getType())) // the bounds of i32 and i64 do not fit f16
    value = arith::ExtFOp::create(builder, loc, builder.getF32Type(), value);
  auto from = cast<FloatType>(value.getType());
  auto bound = [&](APInt integer, APFloat::roundingMode mode) -> Value {
    APFloat number(from.getFloatSemantics());
    number.convertFromAPInt(integer, /*IsSigned=*/!isUnsigned, mode);
    return arith::ConstantOp::create(builder, loc, builder.getFloatAttr(from, number));
  };
  unsigned width = to.getWidth();
  APInt least = isUnsigned ? APInt::getZero(width) : APInt::getSignedMinValue(width);
  APInt greatest = isUnsigned ? APInt::getMaxValue(width) : APInt::getSignedMaxValue(width);
  Value low = bound(least, APFloat::rmTowardZero);
  Value high = bound(greatest, APFloat::rmTowardZero);
  Value zero = arith::ConstantOp::create(builder, loc, builder.getFloatAttr(from, 0.0));
  Value isNan = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::UNO, value, value);
  Value number = arith::SelectOp::create(builder, loc, isNan, zero, value);
  Value tooHigh = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OGT, number, high);
  Value top = arith::ConstantOp::create(builder, loc, builder.getIntegerAttr(to, greatest));
  Value atLeast = arith::MaximumFOp::create(builder, loc, number, low);
  Value within = arith::MinimumFOp::create(builder, loc, atLeast, high);
  Value integer = isUnsigned ? arith::FPToUIOp::create(builder, loc, to, within).getResult() : arith::FPToSIOp::create(builder, loc, to, within).getResult();
  return arith::SelectOp::create(builder, loc, tooHigh, top, integer);
}

Value moe::convertScalar(OpBuilder &builder, Location loc, Value value, Type type, bool isUnsigned) {
  Type from = value.getType();
  if (from == codeType(type))
    return value;
  if (auto toFloat = dyn_cast<FloatType>(type)) {
    if (isa<FloatType>(from))
      return floatToFloat(builder, loc, value, toFloat);
    if (from.isInteger(1) || isUnsigned)
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
  Type target = codeType(type);
  if (width < toInteger.getWidth())
    return width == 1 || isUnsigned ? arith::ExtUIOp::create(builder, loc, target, value).getResult()
                                    : arith::ExtSIOp::create(builder, loc, target, value).getResult();
  return arith::TruncIOp::create(builder, loc, target, value);
}
