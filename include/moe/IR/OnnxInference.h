//===- OnnxInference.h - types and symbolic facts of moe.onnx ---*- C++ -*-===//
// Our own shape inference. Walks a function of moe.onnx ops in order, sets result types in place, and knows for each value its
// dims as functions of the entry arguments' dims, and for small integer tensors (shape arithmetic) their contents too.
//
// A dim is an AffineExpr over symbols. Symbol i is dim `symbols()[i].dim` of entry argument `symbols()[i].argument`; two input dims
// with the same name in `moe.dims` are one symbol. A size that depends on data is a symbol whose `argument` is null.
#ifndef MOE_IR_ONNXINFERENCE_H
#define MOE_IR_ONNXINFERENCE_H

#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/Value.h"
#include "moe/IR/MoeDialect.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/MapVector.h"

#include <optional>
#include <string>

namespace moe {

/// What is known of one tensor value.
struct ValueFacts {
  /// One expression per dim; a constant for a static dim.
  llvm::SmallVector<mlir::AffineExpr> dims;
  /// The elements in row-major order, for integer tensors of at most 64 elements whose contents are functions of the input dims.
  std::optional<llvm::SmallVector<mlir::AffineExpr>> content;
};

/// Where a symbol comes from: dim `dim` of `argument`, or a size that depends on data where `argument` is null.
struct DimSymbol {
  mlir::BlockArgument argument;
  int64_t dim = 0;
  std::string name;
};

/// Two sizes that inference had to take as equal (broadcasting, Concat, MatMul), and the node that needs it.
struct DimCondition {
  mlir::AffineExpr lhs, rhs;
  mlir::Location loc;
};

class OnnxInference {
public:
  explicit OnnxInference(mlir::MLIRContext *context) : context(context) {}

  /// Registers the entry arguments; their `moe.dims` attributes name the symbols. A missing name is a symbol of its own.
  void addEntryArguments(mlir::func::FuncOp entry);

  /// Infers one op: moe.onnx, moe.absent, moe.weight_ref, arith.constant. Sets the result types of moe.onnx in place (result types that the
  /// op has so far are ignored). On failure a diagnostic at the op's location names the node, what was expected and what was found.
  mlir::LogicalResult infer(mlir::Operation *op);

  /// addEntryArguments and infer over the whole body, in order; then the function's result types.
  mlir::LogicalResult inferFunction(mlir::func::FuncOp entry);

  /// The facts of a value seen so far.
  const ValueFacts &facts(mlir::Value value) const;

  /// Are two sizes provably equal, the conditions taken into account?
  bool provablyEqual(mlir::AffineExpr lhs, mlir::AffineExpr rhs) const;

  llvm::ArrayRef<DimSymbol> symbols() const { return dimSymbols; }
  llvm::ArrayRef<DimCondition> conditions() const { return dimConditions; }

private:
  mlir::MLIRContext *context;
  llvm::DenseMap<mlir::Value, ValueFacts> valueFacts;
  llvm::SmallVector<DimSymbol> dimSymbols;
  llvm::SmallVector<DimCondition> dimConditions;
};

} // namespace moe

#endif // MOE_IR_ONNXINFERENCE_H
