//===- RowSteps.h - rows that are rounded to steps --------------*- C++ -*-===//
// Quantisers of activations put a QuantizeLinear and a DequantizeLinear in front of and behind products. Between the products of an expert such a
// pair becomes a #moe.steps of moe.experts; this file reads pairs and puts those of all experts together.
#ifndef MOE_LIB_RAISE_ROWSTEPS_H
#define MOE_LIB_RAISE_ROWSTEPS_H

#include "OnnxMatch.h"

#include <string>

namespace moe::raise {

/// What a pair does to rows: see #moe.steps.
struct RowSteps {
  StepsPlace at = StepsPlace::Input;
  /// One per expert, or one for all; empty where they are found as the model runs (DynamicQuantizeLinear).
  llvm::SmallVector<float> scales;
  llvm::SmallVector<int32_t> zeros;
  int64_t lower = 0, upper = 255;

  bool isDynamic() const { return scales.empty(); }
  bool sameNumbers(const RowSteps &other) const {
    return scales == other.scales && zeros == other.zeros && lower == other.lower && upper == other.upper;
  }
};

/// The steps of a DequantizeLinear of a QuantizeLinear (one known scale and zero point, integers of at most 16 bits, f32) or of a DynamicQuantizeLinear;
/// `rows` gets what is rounded. None where `value` is something else.
std::optional<RowSteps> matchSteps(mlir::Value value, mlir::Value &rows);

/// The steps of experts 0 … E-1 as one list. Fails, and says in `why`, where they are rounded at different places or to different codes.
std::optional<llvm::SmallVector<RowSteps>> mergeSteps(llvm::ArrayRef<llvm::ArrayRef<RowSteps>> experts, std::string &why);

/// Takes steps of the input off `steps` if all experts have the same, known ones: those of the tokens themselves.
std::optional<RowSteps> takeSharedInput(llvm::SmallVectorImpl<RowSteps> &steps);

/// `rows` (f32) rounded to one scale and zero point, by a QuantizeLinear and a DequantizeLinear.
mlir::Value roundRows(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value rows, const RowSteps &steps);

/// As an attribute of moe.experts with so many experts; null where there are none.
mlir::ArrayAttr stepsAttr(mlir::MLIRContext *context, llvm::ArrayRef<RowSteps> steps, int64_t experts);

} // namespace moe::raise

#endif // MOE_LIB_RAISE_ROWSTEPS_H
