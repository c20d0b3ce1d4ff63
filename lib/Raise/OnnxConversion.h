//===- OnnxConversion.h - what the conversions of ONNX nodes share -*- C++ -*-===//
// One conversion per ONNX op, grouped in families, each family a file that fills the table. A conversion sees an NodeConverter: the inputs as
// tensors with symbolic dims, the attributes with their defaults, what inference knows of contents, and a TensorBuilder at the node's place.
// Inference has run over the whole function, and inputs come converted (nodes are converted in order).
#ifndef MOE_LIB_RAISE_ONNXCONVERSION_H
#define MOE_LIB_RAISE_ONNXCONVERSION_H

#include "BranchDemand.h"
#include "NarrowTypes.h"
#include "TensorBuilder.h"

#include "llvm/ADT/StringMap.h"

namespace moe {

/// The tensors that stand for the ONNX values converted so far. Their elements are of codeType: integers are signless, as arith has no others, and
/// narrow types are bytes. An entry argument of another type is read through an unrealized cast, which goes when the entry's signature is changed.
class ConvertedValues {
public:
  ConvertedValues(SizeTable &sizes, OnnxInference &inference) : sizes(sizes), inference(inference) {}

  /// The tensor that stands for a value. Contents known as functions of the input dims are built at function entry. Fails with a message at
  /// `user` where the producer was not converted.
  mlir::FailureOr<SizedTensor> get(mlir::Value value, mlir::Operation *user);
  void set(mlir::Value value, mlir::Value converted) { values[value] = converted; }
  /// The same without a message: null where the producer was not converted.
  mlir::Value find(mlir::Value value) const;
  /// Is it the result of an ONNX node that is not converted and whose contents are not known?
  bool isMissing(mlir::Value value) const;
  /// Are the contents known, so that the producer need not be converted?
  bool hasContents(mlir::Value value) const;

  SizeTable &sizes;
  OnnxInference &inference;
  /// When the results of a node count.
  BranchDemand demand;

private:
  mlir::Value materialise(mlir::Value value);
  /// An argument, constant or weight as a tensor of its codeType; null where it is none of these.
  mlir::Value asCode(mlir::Value value);

  llvm::DenseMap<mlir::Value, mlir::Value> values;
};

/// One node under conversion.
class NodeConverter {
public:
  NodeConverter(OnnxOp op, ConvertedValues &values)
      : op(op), t(mlir::OpBuilder(op), op.getLoc(), values.sizes, values.inference), values(values) {}

  OnnxOp op;
  TensorBuilder t;

  llvm::StringRef type() { return op.getOpType(); }
  int64_t version() { return op.getVersion(); }
  unsigned numInputs() { return op.getInputs().size(); }

  /// Is input i there (not beyond the last, not moe.absent)?
  bool has(unsigned i);
  /// Input i; `failed()` turns true and the tensor is empty where it cannot be had.
  SizedTensor input(unsigned i);
  /// The element of input i; fails with a message where it may have more or none.
  mlir::FailureOr<mlir::Value> onlyElement(unsigned i);
  /// The tensor that stands for any ONNX value before this node.
  mlir::FailureOr<SizedTensor> tensor(mlir::Value value);
  bool failed() const { return hasFailed; }
  /// What inference knows of input i or result i.
  llvm::SmallVector<mlir::AffineExpr> inputDims(unsigned i) { return values.inference.facts(op.getInputs()[i]).dims; }
  llvm::SmallVector<mlir::AffineExpr> resultDims(unsigned i = 0) { return values.inference.facts(op.getOutputs()[i]).dims; }
  /// Element types as ONNX has them: the tensors themselves are of their codeType.
  mlir::Type inputElement(unsigned i) { return mlir::cast<mlir::RankedTensorType>(op.getInputs()[i].getType()).getElementType(); }
  mlir::Type resultElement(unsigned i = 0) { return mlir::cast<mlir::RankedTensorType>(op.getOutputs()[i].getType()).getElementType(); }
  /// Is input i of unsigned integers?
  bool isUnsigned(unsigned i) { return inputElement(i).isUnsignedInteger(); }
  /// The elements of a value where they are integers known as functions of the input dims and depend on no data.
  std::optional<llvm::SmallVector<mlir::AffineExpr>> contents(mlir::Value value);
  std::optional<llvm::SmallVector<mlir::AffineExpr>> contents(unsigned i) { return has(i) ? contents(op.getInputs()[i]) : std::nullopt; }
  /// The same where all are constants.
  std::optional<llvm::SmallVector<int64_t>> constants(unsigned i);
  /// Is result i there and does anything read it?
  bool wants(unsigned i);

  int64_t getInt(llvm::StringRef name, int64_t otherwise);
  double getFloat(llvm::StringRef name, double otherwise);
  llvm::StringRef getString(llvm::StringRef name, llvm::StringRef otherwise);
  std::optional<llvm::SmallVector<int64_t>> getInts(llvm::StringRef name);
  bool hasAttribute(llvm::StringRef name) { return static_cast<bool>(op.getNodeAttributes().get(name)); }
  /// Counts a negative axis from the end; fails with a message outside [-rank, rank).
  mlir::FailureOr<int64_t> axis(int64_t axis, int64_t rank);
  mlir::FailureOr<llvm::SmallVector<int64_t>> axes(llvm::ArrayRef<int64_t> axes, int64_t rank);

  /// A condition that low <= element < high holds for each element of `values`, which stands for the ONNX value `origin` or is made of its elements: an
  /// error where constants break it, one on entry where the input dims decide, nothing where it is proven; what is left is checked while the model
  /// runs. `what` an element is, for the message: "an index".
  mlir::LogicalResult requireWithin(mlir::Value origin, const SizedTensor &values, mlir::AffineExpr low, mlir::AffineExpr high, llvm::StringRef what);
  /// The same for values that are computed here.
  void requireWithin(const SizedTensor &values, mlir::AffineExpr low, mlir::AffineExpr high, llvm::StringRef what);
  /// ONNX indices into a dim of `size`: negative ones count from the end.
  mlir::LogicalResult requireIndices(unsigned i, const SizedTensor &indices, mlir::AffineExpr size) {
    return requireWithin(op.getInputs()[i], indices, -size, size, "an index");
  }

  /// Sets result i, cast to the type that inference gave it.
  void result(unsigned i, const SizedTensor &tensor);
  mlir::LogicalResult finish(const SizedTensor &tensor) {
    if (failed())
      return mlir::failure();
    result(0, tensor);
    return mlir::success();
  }
  /// An error that names the node.
  mlir::InFlightDiagnostic error();

private:
  std::string describe(llvm::StringRef what);
  /// The values where this node's results count, and `low` in their place where they do not.
  SizedTensor whereDemanded(const SizedTensor &values, mlir::AffineExpr low);

  ConvertedValues &values;
  bool hasFailed = false;
};

/// The attributes saturate and round_mode of a node; fails with a message where they are no such.
mlir::FailureOr<NarrowRules> narrowRules(NodeConverter &node);

using ConvertNode = mlir::LogicalResult (*)(NodeConverter &);

struct NodeConversion {
  ConvertNode convert = nullptr;
  /// Bit i: input i gives only its type or shape, so its producer need not be converted for this node.
  uint32_t shapeOnlyInputs = 0;
  /// Does the conversion itself say how long its result is (data decides it)?
  bool definesSizes = false;
};

/// Conversions by domain and op type. The default domain is "" (also spelled "ai.onnx").
class ConversionTable {
public:
  /// The table with all families, built once.
  static const ConversionTable &get();

  NodeConversion &add(llvm::StringRef type, ConvertNode convert, llvm::StringRef domain = "", uint32_t shapeOnlyInputs = 0) {
    return table[(domain + ":" + type).str()] = {convert, shapeOnlyInputs};
  }
  /// The conversion of an op, or one without `convert`.
  NodeConversion lookup(OnnxOp op) const;

private:
  llvm::StringMap<NodeConversion> table;
};

// One per family, each in its file Convert<Family>.cpp.
void addElementwiseConversions(ConversionTable &table);
void addActivationConversions(ConversionTable &table);
void addCastConversions(ConversionTable &table);
void addShapeConversions(ConversionTable &table);
void addMovementConversions(ConversionTable &table);
void addReductionConversions(ConversionTable &table);
void addNormalizationConversions(ConversionTable &table);
void addMatmulConversions(ConversionTable &table);
void addAttentionConversions(ConversionTable &table);
void addMultiHeadAttentionConversions(ConversionTable &table);
void addGroupQueryAttentionConversions(ConversionTable &table);
void addRotaryConversions(ConversionTable &table);
void addGatherConversions(ConversionTable &table);
void addGatherBlockQuantizedConversions(ConversionTable &table);
void addCompactConversions(ConversionTable &table);
void addScanConversions(ConversionTable &table);
void addQuantizeConversions(ConversionTable &table);
void addConvolutionConversions(ConversionTable &table);
void addLinearAttentionConversions(ConversionTable &table);

} // namespace moe

#endif // MOE_LIB_RAISE_ONNXCONVERSION_H
