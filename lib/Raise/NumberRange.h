//===- NumberRange.h - between what an integer tensor's elements lie -*- C++ -*-===//
// Indices that cannot be out of range need no check while the model runs: the results of TopK and ArgMax, constants, and what Cast, Where, Mod, Clip
// and ops that only move elements make of them.
#ifndef MOE_LIB_RAISE_NUMBERRANGE_H
#define MOE_LIB_RAISE_NUMBERRANGE_H

#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/Value.h"
#include "moe/IR/OnnxInference.h"

namespace moe {

/// least <= element <= most for each element, as functions of the input dims; null where nothing is known.
struct NumberRange {
  mlir::AffineExpr least, most;
  /// Some element is `least` and some is `most`, where there are any: what the bounds break, an element breaks.
  bool isExact = false;
};

/// What is known of the elements of a value in the ONNX graph. Inference must have run.
NumberRange rangeOf(OnnxInference &inference, mlir::Value value);

/// Does low <= element < high hold for each element of `value`, whatever the inputs?
bool isProvenWithin(OnnxInference &inference, mlir::Value value, mlir::AffineExpr low, mlir::AffineExpr high);

} // namespace moe

#endif // MOE_LIB_RAISE_NUMBERRANGE_H
