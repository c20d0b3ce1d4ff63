//===- OnnxInference.h - types and symbolic facts of moe.onnx ---*- C++ -*-===//
// Our own shape inference. Walks a function of moe.onnx ops in order, sets result types in place, and knows for each value its
// dims as functions of the entry arguments' dims, and for small integer tensors (shape arithmetic) their contents too.
//
// A dim is an AffineExpr over symbols (products of symbols occur, so it may be semi-affine). `symbols()` says what symbol i is: a dim of an entry
// argument, an element of a small integer tensor, the minimum or maximum of two expressions, or a size that depends on data. Two input dims with
// the same name in `moe.dims` are one symbol.
#ifndef MOE_IR_ONNXINFERENCE_H
#define MOE_IR_ONNXINFERENCE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/Value.h"
#include "moe/IR/MoeDialect.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/MapVector.h"

#include <memory>
#include <optional>
#include <string>

namespace moe {

class DimAlgebra;

/// What is known of one tensor value.
struct ValueFacts {
  /// One expression per dim; a constant for a static dim.
  llvm::SmallVector<mlir::AffineExpr> dims;
  /// The elements in row-major order, for integer and bool tensors of at most 64 elements whose contents are functions of the input dims. Where only
  /// some are, the others are symbols that depend on data.
  std::optional<llvm::SmallVector<mlir::AffineExpr>> content;

  /// The elements where all of them are the same in every run.
  std::optional<llvm::SmallVector<int64_t>> numbers() const;
};

/// The element type of an ONNX data type number (as in TensorProto.data_type and Cast's `to`); null where MLIR has none (strings, numbers that are no
/// data type).
mlir::Type onnxElementType(mlir::MLIRContext *context, int64_t dataType);

/// What the value of a symbol is.
enum class SymbolKind {
  /// Dim `dim` of the entry argument `argument`.
  Argument,
  /// Element `dim`, in row-major order, of the integer tensor `tensor`; it may be negative. Known on entry where the tensor is an entry argument.
  Element,
  /// A size or number that depends on data: it is not known on entry.
  Data,
  /// The lesser or the greater of `lhs` and `rhs`, which use only earlier symbols.
  Minimum,
  Maximum
};

/// One symbol of the expressions. `argument` is null unless the kind is Argument, `tensor` unless it is Element.
struct DimSymbol {
  SymbolKind kind = SymbolKind::Argument;
  mlir::BlockArgument argument;
  mlir::Value tensor;
  int64_t dim = 0;
  std::string name;
  mlir::AffineExpr lhs, rhs;
  /// The node whose data decides, for the kind Data; null where that is not known.
  mlir::LocationAttr origin;
  /// Never negative: a size, or a minimum or maximum that cannot be.
  bool isSize = true;
  /// A size of the kind Data is never greater; null where nothing is known.
  mlir::AffineExpr most = {};
};

/// Two sizes that inference had to take as equal (broadcasting, Concat, MatMul), and the node that needs it. Where one of the expressions has a
/// symbol that depends on data, entry cannot check it: it holds in a valid model while the node that makes the data is there.
struct DimCondition {
  mlir::AffineExpr lhs, rhs;
  mlir::Location loc;
};

class OnnxInference {
public:
  explicit OnnxInference(mlir::MLIRContext *context);
  ~OnnxInference();

  /// Registers the entry arguments; their `moe.dims` attributes name the symbols. A missing name is a symbol of its own.
  void addEntryArguments(mlir::func::FuncOp entry);

  /// Infers one op: moe.onnx, moe.absent, moe.weight_ref, arith.constant, the chain of an MoE layer. Sets the result types of moe.onnx in place (result types that the
  /// op has so far are ignored, but a result of type none is an absent output and stays one). On failure a diagnostic at the op's location
  /// names the node, what was expected and what was found.
  mlir::LogicalResult infer(mlir::Operation *op);

  /// addEntryArguments and infer over the whole body, in order; then the function's result types.
  mlir::LogicalResult inferFunction(mlir::func::FuncOp entry);

  /// The facts of a value seen so far; valid until the next call of a method. A value that was not is given the facts of its type.
  const ValueFacts &facts(mlir::Value value);

  /// Records a condition that entry checks, without taking it as given.
  void requireAtEntry(mlir::AffineExpr lhs, mlir::AffineExpr rhs, mlir::Location loc) { dimConditions.push_back({normalise(lhs), normalise(rhs), loc}); }

  /// Says what is known of a value that no ONNX node makes (the result of a moe op); its dims are normalised by the caller.
  void setFacts(mlir::Value value, ValueFacts facts) { valueFacts[value] = std::move(facts); }

  /// Are two sizes provably equal, the conditions taken into account?
  bool provablyEqual(mlir::AffineExpr lhs, mlir::AffineExpr rhs);
  /// Is the expression never negative, as far as the signs of sizes tell?
  bool provablyNonNegative(mlir::AffineExpr expression);
  /// The canonical form of an expression, with symbols that a condition determines replaced. Equal sizes have equal forms where we can prove it.
  mlir::AffineExpr normalise(mlir::AffineExpr expression);
  /// Does the expression have a symbol that depends on data, itself or inside a minimum or maximum? A condition may tie such a symbol to the inputs'
  /// dims: then the expression as `facts` gives it depends on data, and its normal form does not.
  bool dependsOnData(mlir::AffineExpr expression) const;
  /// Does the expression use elements of a tensor, itself or inside a minimum or maximum?
  bool usesElements(mlir::AffineExpr expression) const;
  /// Calls `visit` for the tensors whose elements the expression uses.
  void forEachElementTensor(mlir::AffineExpr expression, llvm::function_ref<void(mlir::Value)> visit) const;
  /// The expression for people: "2*batch*seq".
  std::string text(mlir::AffineExpr expression) const;

  llvm::ArrayRef<DimSymbol> symbols() const;
  llvm::ArrayRef<DimCondition> conditions() const { return dimConditions; }

  /// Is there a rule for this op? `domain` is "" for ONNX's own.
  static bool knows(llvm::StringRef domain, llvm::StringRef opType);

private:
  friend class OnnxNode;

  /// The facts of moe.score … moe.combine, which stand among the nodes once layers are recognised.
  void inferChain(mlir::Operation *op);

  mlir::MLIRContext *context;
  std::unique_ptr<DimAlgebra> algebra;
  llvm::DenseMap<mlir::Value, ValueFacts> valueFacts;
  llvm::SmallVector<DimCondition> dimConditions;
};

} // namespace moe

#endif // MOE_IR_ONNXINFERENCE_H
