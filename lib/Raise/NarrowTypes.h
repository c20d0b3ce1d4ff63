//===- NarrowTypes.h - elements of less than a byte, and floats of 8 bits and less -*- C++ -*-===//
// ONNX has them only to store and to convert: i4, u4, i2, u2, float8 of five kinds, float6 of two, float4. Code holds an element of such a type as one
// byte (codeType is i8) whose low bits are the element's; what the others are makes no difference.
#ifndef MOE_LIB_RAISE_NARROWTYPES_H
#define MOE_LIB_RAISE_NARROWTYPES_H

#include "mlir/IR/Builders.h"

namespace moe {

/// How f8E8M0FNU, which holds powers of two, is rounded to.
enum class PowerRounding { Up, Down, Nearest };

/// What ONNX Cast and QuantizeLinear leave to attributes.
struct NarrowRules {
  /// For floats of 8 bits: what does not fit becomes the greatest number; else infinity, or NaN where there is none.
  bool saturate = true;
  PowerRounding rounding = PowerRounding::Up;
};

/// Is it a type that code holds as a byte and converts before it computes?
bool isNarrow(mlir::Type type);

/// The number that a byte holds: an i8 (for unsigned integers without a sign), or an f32, which holds every narrow float.
mlir::Value widenNarrow(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value byte, mlir::Type narrow);

/// ONNX Cast of a scalar from one ONNX element type to another; `value` is of from's codeType, and so is the result of to's.
mlir::Value castElement(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value, mlir::Type from, mlir::Type to, NarrowRules rules = {});

} // namespace moe

#endif // MOE_LIB_RAISE_NARROWTYPES_H
