// One node as the rules of inference see it: checked access to inputs, attributes and facts, and ways to set results. The rules are grouped by op
// family in OnnxInference*.cpp; each family adds its rules to the table.
#ifndef MOE_LIB_IR_ONNXINFERENCENODE_H
#define MOE_LIB_IR_ONNXINFERENCENODE_H

#include "DimAlgebra.h"

#include "llvm/ADT/StringMap.h"

namespace moe {

using Dims = llvm::SmallVector<mlir::AffineExpr>;

class OnnxNode {
public:
  OnnxNode(OnnxInference &inference, OnnxOp op) : op(op), inference(inference), algebra(*inference.algebra) {}

  //===-- Inputs -----------------------------------------------------------===//
  unsigned inputs() const { return op.getInputs().size(); }
  /// Is input `i` there and not absent?
  bool has(unsigned i) const { return i < inputs() && !mlir::isa<mlir::NoneType>(op.getInputs()[i].getType()); }
  mlir::Type element(unsigned i) const { return mlir::cast<mlir::RankedTensorType>(op.getInputs()[i].getType()).getElementType(); }
  const ValueFacts &facts(unsigned i) { return inference.facts(op.getInputs()[i]); }
  /// A copy: facts move when others are added.
  Dims dims(unsigned i) { return facts(i).dims; }
  int64_t rank(unsigned i) { return facts(i).dims.size(); }
  /// The elements of a small integer input, where known: numbers, sizes, and elements of tensors.
  std::optional<Dims> content(unsigned i) { return has(i) ? facts(i).content : std::nullopt; }
  /// The elements of a small integer input; those of one that is not known become symbols of kind Element. Nothing where its size is not static or
  /// too large.
  std::optional<Dims> contentOrSymbols(unsigned i);
  /// The elements of an input that must be constants.
  std::optional<llvm::SmallVector<int64_t>> constants(unsigned i);

  //===-- Attributes -------------------------------------------------------===//
  int64_t version() const { return op.getVersion(); }
  int64_t integer(llvm::StringRef name, int64_t standard) const;
  double real(llvm::StringRef name, double standard) const;
  llvm::StringRef string(llvm::StringRef name, llvm::StringRef standard) const;
  std::optional<llvm::SmallVector<int64_t>> integers(llvm::StringRef name) const;
  mlir::Attribute attribute(llvm::StringRef name) const { return op.getNodeAttributes().get(name); }
  /// The axes of an op that had them as attribute before `inputSince` and as input `i` from there on. Normalised to [0, rank) and checked; nothing
  /// where the node gives none. Failure was reported.
  mlir::FailureOr<std::optional<llvm::SmallVector<int64_t>>> axes(unsigned i, int64_t inputSince, int64_t rank);
  /// A single axis attribute, normalised and checked. `rank` is the number of positions.
  mlir::FailureOr<int64_t> axis(llvm::StringRef name, int64_t standard, int64_t rank);
  mlir::FailureOr<int64_t> normaliseAxis(int64_t axis, int64_t rank, llvm::StringRef what = "axis");

  //===-- Results ----------------------------------------------------------===//
  unsigned outputs() const { return op.getOutputs().size(); }
  /// Is output `i` there and not absent?
  bool hasOutput(unsigned i) const { return i < outputs() && !mlir::isa<mlir::NoneType>(op.getOutputs()[i].getType()); }
  /// Sets type and facts of output `i`; nothing to do where it is absent.
  mlir::LogicalResult set(unsigned i, mlir::Type element, llvm::ArrayRef<mlir::AffineExpr> dims, std::optional<Dims> content = std::nullopt);
  /// Output 0 is like input `i`.
  mlir::LogicalResult setLike(unsigned i) { return set(0, element(i), dims(i)); }

  //===-- Sizes ------------------------------------------------------------===//
  mlir::AffineExpr number(int64_t value) const { return algebra.constant(value); }
  /// A size that depends on data.
  mlir::AffineExpr freshSize(llvm::StringRef what, mlir::AffineExpr most = {}) { return fresh(what, true, most); }
  /// A number that depends on data and may be negative.
  mlir::AffineExpr freshNumber(llvm::StringRef what) { return fresh(what, false); }
  mlir::AffineExpr product(llvm::ArrayRef<mlir::AffineExpr> sizes);
  /// The size that a number given as data stands for: itself where it cannot be negative. A negative one is refused, on entry or by the run.
  mlir::AffineExpr sizeFrom(mlir::AffineExpr number, llvm::StringRef what);
  /// Is the number an element, so that its sign is known at run time only?
  bool mayBeNegative(mlir::AffineExpr number) { return algebra.usesElements(number) && !algebra.nonNegative(number); }
  /// 1 where the number is negative, else 0.
  mlir::AffineExpr isNegative(mlir::AffineExpr value) { return algebra.maximum(number(0), algebra.minimum(number(1), value * -1)); }
  /// 1 where the number is 0, else 0.
  mlir::AffineExpr isZero(mlir::AffineExpr value) { return number(1) - algebra.minimum(number(1), algebra.maximum(value, value * -1)); }
  /// Takes `number` for not negative: recorded as a condition.
  void requireNotNegative(mlir::AffineExpr number);
  /// Takes two sizes as equal: proven, or recorded as a condition. An error where they cannot be. `what` says whose sizes they are.
  mlir::LogicalResult requireEqual(mlir::AffineExpr lhs, mlir::AffineExpr rhs, const llvm::Twine &what);
  /// ONNX's multidirectional broadcasting.
  mlir::FailureOr<Dims> broadcast(llvm::ArrayRef<mlir::AffineExpr> lhs, llvm::ArrayRef<mlir::AffineExpr> rhs);
  /// A side of a broadcast: its dims, and whether it is an input of the model, which is read where it lies, or what only such are broadcast to.
  struct Operand {
    Dims dims;
    bool isInput = false;
  };
  Operand operand(unsigned i);
  /// Broadcasting of operands that TensorBuilder::elementwise reads: dims of inputs may be 1 when the model runs. The last dim of one input is taken as equal
  /// to what a node made, which is read in vectors; with `anyLast` it may be 1 too.
  mlir::FailureOr<Dims> broadcastOperands(const Operand &lhs, const Operand &rhs, bool anyLast = false);
  /// ONNX's unidirectional broadcasting: input `i` must fit `dims`, which stay.
  mlir::LogicalResult broadcastTo(unsigned i, llvm::ArrayRef<mlir::AffineExpr> dims, llvm::StringRef what);
  mlir::FailureOr<mlir::AffineExpr> broadcastDim(mlir::AffineExpr lhs, mlir::AffineExpr rhs);

  //===-- Checks -----------------------------------------------------------===//
  /// "node 'name' (MatMul, version 13): ", at the op's location.
  mlir::InFlightDiagnostic error();
  mlir::LogicalResult requireRank(unsigned i, int64_t least, int64_t most, llvm::StringRef what);
  mlir::LogicalResult requireSameElement(unsigned lhs, unsigned rhs);
  std::string text(mlir::AffineExpr expression) const { return algebra.text(expression); }
  std::string text(llvm::ArrayRef<mlir::AffineExpr> dims) const;

  /// Mutable: the accessors of an op are not const.
  mutable OnnxOp op;
  OnnxInference &inference;
  DimAlgebra &algebra;

private:
  mlir::AffineExpr fresh(llvm::StringRef what, bool isSize, mlir::AffineExpr most = {});
  bool isEmptyWith(mlir::AffineExpr size, mlir::AffineExpr smallest);
};

/// Infers the results of one node whose number of inputs and version were checked.
using OnnxRule = mlir::LogicalResult (*)(OnnxNode &);

/// One row of the table.
struct OnnxRuleEntry {
  OnnxRule rule = nullptr;
  /// The first inputs, which must be there, and the most there may be.
  unsigned minInputs = 0, maxInputs = 0, maxOutputs = 1;
  /// The oldest version whose attributes and inputs the rule understands.
  int64_t minVersion = 1;
};

constexpr unsigned anyNumber = ~0u;

/// The rules by op; contrib ops as "domain::op".
using OnnxRuleTable = llvm::StringMap<OnnxRuleEntry>;
void addElementwiseRules(OnnxRuleTable &table);
void addShapeRules(OnnxRuleTable &table);
void addMovementRules(OnnxRuleTable &table);
void addIndexingRules(OnnxRuleTable &table);
void addReductionRules(OnnxRuleTable &table);
void addProductRules(OnnxRuleTable &table);
void addAttentionRules(OnnxRuleTable &table);
void addConvolutionRules(OnnxRuleTable &table);
void addContribRules(OnnxRuleTable &table);

} // namespace moe

#endif // MOE_LIB_IR_ONNXINFERENCENODE_H
