//===- OtherFacts.h - dims of values that no ONNX node makes ----*- C++ -*-===//
// Hand-written input and recognisers leave tensor and linalg ops among the ONNX nodes. Inference knows ONNX and the moe chain; this file tells it
// the dims of the rest.
#ifndef MOE_LIB_RAISE_OTHERFACTS_H
#define MOE_LIB_RAISE_OTHERFACTS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "moe/IR/OnnxInference.h"

namespace moe {

/// Inference over the entry function: ONNX nodes by `inference` itself, other ops by what their operands say. A dim that nothing says is a
/// symbol of its own that depends on data.
mlir::LogicalResult inferWithOtherOps(mlir::func::FuncOp entry, OnnxInference &inference);

} // namespace moe

#endif // MOE_LIB_RAISE_OTHERFACTS_H
