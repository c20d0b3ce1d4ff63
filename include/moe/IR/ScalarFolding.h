//===- ScalarFolding.h - numbers that constants make -----------*- C++ -*-===//
// Numbers that an expression of constants and static sizes has: trip counts of loops, scales of attention.
#ifndef MOE_IR_SCALARFOLDING_H
#define MOE_IR_SCALARFOLDING_H

#include "mlir/IR/Value.h"

#include <optional>

namespace moe {

/// The single element of a tensor that ONNX nodes of scalar arithmetic make of constants and of static sizes, rounded as their types say; nothing where
/// an operand is none of these, a node is another one, or an integer has more than 53 bits.
std::optional<double> foldScalar(mlir::Value value);

/// The same of a tensor of integers or bools, as an integer.
std::optional<int64_t> foldToInteger(mlir::Value value);

} // namespace moe

#endif // MOE_IR_SCALARFOLDING_H
