//===- SizeTable.h - symbolic sizes as index values at function entry -*- C++ -*-===//
// The raise stage promises that every dynamic size is a function of the input dims. This table makes that so: it turns the AffineExprs of
// OnnxInference into index arithmetic at the start of the entry function, each distinct expression once. Inference must have run.
#ifndef MOE_LIB_RAISE_SIZETABLE_H
#define MOE_LIB_RAISE_SIZETABLE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "moe/IR/OnnxInference.h"

#include "llvm/ADT/DenseMap.h"

namespace moe {

/// A tensor value and its dims as functions of the input dims.
struct SizedTensor {
  mlir::Value value;
  llvm::SmallVector<mlir::AffineExpr> dims;

  mlir::Type elementType() const { return mlir::cast<mlir::RankedTensorType>(value.getType()).getElementType(); }
  int64_t rank() const { return dims.size(); }
  explicit operator bool() const { return static_cast<bool>(value); }
};

/// Name of an ONNX node for messages: what its location says, else "<unnamed>".
std::string nodeName(mlir::Location loc);

class SizeTable {
public:
  SizeTable(mlir::func::FuncOp entry, OnnxInference &inference) : entry(entry), inference(inference) {}

  /// Does the size use a symbol that no input dim gives?
  bool dependsOnData(mlir::AffineExpr size) const { return inference.dependsOnData(size); }

  /// The size in the model's own names, for messages: "past_seq + 1".
  std::string describe(mlir::AffineExpr size) const { return inference.text(size); }

  /// The size as an index value that dominates the whole body. The size must not depend on data.
  mlir::Value get(mlir::AffineExpr size);

  /// The size as an attribute where it is constant, else as a value.
  mlir::OpFoldResult getFold(mlir::AffineExpr size);

  /// A builder placed after everything this table made so far and before the rest of the entry block. Tell `placed` what was built last.
  mlir::OpBuilder entryBuilder();
  void placed(mlir::Operation *op) { last = op; }

  /// The tensor that a reshape was made of, so that chains of reshapes stay one step; empty for other values.
  SizedTensor reshapedFrom(mlir::Value value) const { return origins.lookup(value); }
  void setReshapedFrom(mlir::Value value, SizedTensor origin) { origins[value] = std::move(origin); }

  /// Emits a condition that `size` is not 0 where `count` indices into it are read: no index can be kept inside an empty dim.
  void requireIndexable(mlir::AffineExpr size, mlir::AffineExpr count, mlir::Location loc);

  /// Emits the conditions that low <= number < high, but those that always hold. None of the three depends on data.
  void requireWithin(mlir::AffineExpr number, mlir::AffineExpr low, mlir::AffineExpr high, mlir::Location loc, llvm::StringRef what);

  /// Emits a moe.require_equal for every two input dims that share a name and for every condition of inference that no data decides.
  void emitConditions();

private:
  mlir::Value build(mlir::AffineExpr size);
  mlir::Value buildBinary(mlir::AffineBinaryOpExpr size);
  mlir::Value constant(int64_t value);
  void require(mlir::AffineExpr lhs, mlir::AffineExpr rhs, mlir::Location loc, const llvm::Twine &message);
  void requireInputDims();

  mlir::func::FuncOp entry;
  OnnxInference &inference;
  mlir::Operation *last = nullptr;
  llvm::DenseMap<mlir::AffineExpr, mlir::Value> values;
  llvm::DenseMap<mlir::Value, SizedTensor> origins;
};

} // namespace moe

#endif // MOE_LIB_RAISE_SIZETABLE_H
