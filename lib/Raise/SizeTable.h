//===- SizeTable.h - symbolic sizes as index values at function entry -*- C++ -*-===//
// The raise stage promises that every dynamic size is a function of the input dims and of elements of small inputs, or has a bound that is. This table
// makes that so: it turns the AffineExprs of OnnxInference into index arithmetic at the start of the entry function, each distinct expression once;
// those that depend on data, where they are first needed. Inference must have run.
#ifndef MOE_LIB_RAISE_SIZETABLE_H
#define MOE_LIB_RAISE_SIZETABLE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "moe/IR/OnnxInference.h"

#include "llvm/ADT/DenseMap.h"

#include <functional>

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

  /// Sizes that depend on data are built before `op` from here on. Nodes are converted in their order, so that what one has built is there for the next.
  void setPlace(mlir::Operation *op) { place = op; }
  /// Gives the tensor that stands for a value, so that its elements can be read; null where there is none yet.
  std::function<mlir::Value(mlir::Value)> tensorOf;
  /// Says what a size that depends on data is. Kept between 0 and `bound`, where there is one: memory is planned for that. Null: what a condition says of
  /// it, that sizes which add up to one known on entry are none of them greater.
  void define(mlir::AffineExpr size, mlir::Value value, mlir::Value bound);
  /// Can the size be built here: is every symbol known on entry, defined, or an element of a tensor that there is?
  bool isKnown(mlir::AffineExpr size);

  /// Does the size use a symbol that neither an input dim nor an element of an input gives?
  bool dependsOnData(mlir::AffineExpr size) const { return inference.dependsOnData(size); }

  /// The size in the model's own names, for messages: "past_seq + 1".
  std::string describe(mlir::AffineExpr size) const { return inference.text(size); }

  /// The size as an index value that dominates the rest of the body. The size must be known.
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

  /// Emits that the run stops here where a condition of the node at `loc` on sizes that depend on data does not hold, unless it stopped before: as soon
  /// as the sizes are known, since what inference took as equal is taken so by all nodes. False where such a size is not known here.
  bool emitDataConditions(mlir::Location loc);
  /// The same for the conditions on symbols of `size` that are known here: a node is about to make a tensor of that size.
  void emitConditionsOn(mlir::AffineExpr size);
  /// Emits the conditions that low <= number < high, but those that always hold. None of the three depends on data.
  void requireWithin(mlir::AffineExpr number, mlir::AffineExpr low, mlir::AffineExpr high, mlir::Location loc, llvm::StringRef what);

  /// Emits a moe.require_equal for every two input dims that share a name and for every condition of inference that no data decides.
  void emitConditions();

private:
  mlir::Value build(mlir::AffineExpr size);
  mlir::Value buildElement(mlir::AffineExpr size, DimSymbol symbol);
  mlir::Value buildBinary(mlir::AffineBinaryOpExpr size);
  mlir::Value constant(int64_t value);
  void require(mlir::AffineExpr lhs, mlir::AffineExpr rhs, mlir::Location loc, const llvm::Twine &message);
  void requireInputDims();
  void findDataConditions();
  void emitDataCondition(size_t number);
  void stopUnlessEqual(mlir::Value lhs, mlir::Value rhs, mlir::Location loc, const llvm::Twine &message);

  mlir::func::FuncOp entry;
  OnnxInference &inference;
  mlir::OpBuilder builderFor(mlir::AffineExpr size);
  void placedFor(mlir::AffineExpr size, mlir::Operation *op);

  mlir::Operation *last = nullptr, *place = nullptr;
  llvm::DenseMap<mlir::AffineExpr, mlir::Value> values;
  /// Conditions on sizes that depend on data, by number: those of a node, those with a symbol, and which are not emitted yet.
  llvm::SmallVector<DimCondition> dataConditions;
  llvm::DenseMap<mlir::Location, llvm::SmallVector<size_t, 1>> conditionsOfNode;
  llvm::DenseMap<mlir::AffineExpr, llvm::SmallVector<size_t, 1>> conditionsOfSymbol;
  llvm::SmallVector<bool> isEmitted;
  llvm::DenseMap<mlir::AffineExpr, mlir::AffineExpr> partsOf; ///< A size that depends on data to one that it is a part of.
  llvm::DenseMap<mlir::Value, SizedTensor> origins;
};

} // namespace moe

#endif // MOE_LIB_RAISE_SIZETABLE_H
