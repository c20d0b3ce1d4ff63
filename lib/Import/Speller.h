//===- Speller.h - a fused node being spelled out as standard nodes -*- C++ -*-===//
// What the formulas of SpelledNodes.h share: inputs and attributes of the fused node, the nodes they emit, errors. One file per family of formulas,
// each of which adds its forms to the table.
#ifndef MOE_LIB_IMPORT_SPELLER_H
#define MOE_LIB_IMPORT_SPELLER_H

#include "SpelledNodes.h"

#include "mlir/IR/BuiltinTypes.h"

#include "llvm/ADT/StringMap.h"

namespace moe {

/// A node being spelled out. After an error every value is null, and a null operand gives a null result, so that formulas need no checks.
class Speller {
public:
  /// The most nodes that one dim or attribute is spelled out as, and the most elements of a constant that is computed for a node.
  static constexpr int64_t mostNodes = 4096, mostElements = int64_t(1) << 22;

  Speller(const FusedNodeView &node, mlir::OpBuilder &builder, OnnxInference &inference) : node(node), builder(builder), inference(inference) {}

  bool has(unsigned i) const { return i < node.operands.size() && mlir::isa<mlir::RankedTensorType>(node.operands[i].getType()); }
  /// Input i, or moe.absent.
  mlir::Value input(unsigned i) { return i < node.operands.size() ? node.operands[i] : absent(); }
  mlir::Value absent() { return AbsentOp::create(builder, node.loc, builder.getNoneType()); }
  unsigned inputs() const { return node.operands.size(); }
  bool wants(unsigned i) const { return i < node.wanted.size() && node.wanted[i]; }
  mlir::RankedTensorType type(unsigned i) const { return mlir::cast<mlir::RankedTensorType>(node.operands[i].getType()); }
  /// The version of a node of ONNX's own domain.
  int64_t version() const { return node.version; }

  int64_t integer(llvm::StringRef name, int64_t standard) const;
  double real(llvm::StringRef name, double standard) const;
  llvm::StringRef string(llvm::StringRef name, llvm::StringRef standard) const;
  /// A list of integers; nothing where the node does not have it.
  std::optional<llvm::SmallVector<int64_t>> integers(llvm::StringRef name) const;
  /// The same of `count` integers, `standard` each where the node does not have it. Empty after an error: another number of them, or one that is not from
  /// `least` to 2^30, so that nothing that is computed of a few of them overflows.
  llvm::SmallVector<int64_t> boundedIntegers(llvm::StringRef name, int64_t standard, int64_t count, int64_t least);
  mlir::Attribute attribute(llvm::StringRef name) const { return node.attributes.get(name); }
  mlir::NamedAttribute integerAttribute(llvm::StringRef name, int64_t value) const { return builder.getNamedAttr(name, builder.getI64IntegerAttr(value)); }
  mlir::NamedAttribute realAttribute(llvm::StringRef name, double value) const { return builder.getNamedAttr(name, builder.getF32FloatAttr(value)); }
  mlir::NamedAttribute integersAttribute(llvm::StringRef name, llvm::ArrayRef<int64_t> values) const {
    return builder.getNamedAttr(name, builder.getDenseI64ArrayAttr(values));
  }
  mlir::NamedAttribute stringAttribute(llvm::StringRef name, llvm::StringRef value) const { return builder.getNamedAttr(name, builder.getStringAttr(value)); }
  /// The attributes of these names that the node has.
  llvm::SmallVector<mlir::NamedAttribute> kept(llvm::ArrayRef<llvm::StringRef> names) const;

  /// An error that names the node.
  mlir::InFlightDiagnostic error();
  bool failed() const { return hasFailed; }

  /// Results of a node, of its newest version where none is given; of ONNX's own domain, unless one is.
  llvm::SmallVector<mlir::Value> emitAll(llvm::StringRef opType, llvm::ArrayRef<mlir::Value> operands, llvm::ArrayRef<mlir::NamedAttribute> attributes,
                                         unsigned results, int64_t version = 0, llvm::StringRef domain = "");
  mlir::Value emit(llvm::StringRef opType, llvm::ArrayRef<mlir::Value> operands, llvm::ArrayRef<mlir::NamedAttribute> attributes = {}, int64_t version = 0) {
    return emitAll(opType, operands, attributes, 1, version).front();
  }

  /// Input i with the scale and zero point behind it; `axis` is that of a list of scales.
  mlir::Value dequantised(unsigned i, int64_t axis = 0) {
    return emit("DequantizeLinear", {input(i), input(i + 1), input(i + 2)}, {integerAttribute("axis", axis)});
  }
  /// y by the scale at input i and the zero point behind it, which may lack: the codes are of the type of input `like` then.
  mlir::Value quantised(mlir::Value y, unsigned i, unsigned like);
  /// The sums of a product of integers as floats: times both scales, plus a bias, if there is one at input `bias`.
  mlir::Value scaledSums(mlir::Value sums, mlir::Value lhsScale, mlir::Value rhsScale, unsigned bias);
  mlir::Value cast(mlir::Value value, mlir::Type element);
  mlir::Value reshape(mlir::Value value, llvm::ArrayRef<int64_t> dims);
  mlir::Value transpose(mlir::Value value, llvm::ArrayRef<int64_t> permutation) { return emit("Transpose", {value}, {integersAttribute("perm", permutation)}); }
  /// A constant: a list of i64, or one number of an element type.
  mlir::Value list(llvm::ArrayRef<int64_t> values);
  mlir::Value number(double value, mlir::Type element);
  /// A constant of dims, its elements row by row, of an element type.
  mlir::Value constant(llvm::ArrayRef<int64_t> dims, llvm::ArrayRef<double> elements, mlir::Type element);
  /// The size of a dim as i64 [1], and as a scalar.
  mlir::Value size(mlir::Value value, int64_t dim) { return emit("Shape", {value}, {integerAttribute("start", dim), integerAttribute("end", dim + 1)}); }
  mlir::Value count(mlir::Value value, int64_t dim) { return emit("Squeeze", {size(value, dim)}); }
  mlir::Value unsqueeze(mlir::Value value, llvm::ArrayRef<int64_t> axes) { return emit("Unsqueeze", {value, list(axes)}); }
  /// Elements [from, to) along an axis.
  mlir::Value slice(mlir::Value value, int64_t axis, int64_t from, int64_t to) { return emit("Slice", {value, list({from}), list({to}), list({axis})}); }

  mlir::RankedTensorType typeOf(mlir::Value value) const { return mlir::cast<mlir::RankedTensorType>(value.getType()); }
  mlir::Type f32() const { return builder.getF32Type(); }
  mlir::Type i64() const { return builder.getI64Type(); }
  mlir::Type i32() const { return builder.getI32Type(); }

  /// The elements of a value that are known when the model is compiled; nothing where they are not.
  std::optional<llvm::SmallVector<int64_t>> constants(mlir::Value value);
  std::optional<llvm::SmallVector<double>> realConstants(mlir::Value value);
  /// Is element i of a list the size of a dim of a value, whatever that is when the model runs?
  bool isSizeOf(mlir::Value list, unsigned i, mlir::Value value, int64_t dim);
  /// Element i of a list, where it is known when the model is compiled.
  std::optional<int64_t> knownElement(mlir::Value list, unsigned i);
  /// Lists of i64 one behind the other.
  mlir::Value joined(llvm::ArrayRef<mlir::Value> lists) { return emit("Concat", lists, {integerAttribute("axis", 0)}); }
  /// 0, 1, … below a count, a scalar of i64.
  mlir::Value upTo(mlir::Value count) { return emit("Range", {number(0, i64()), count, number(1, i64())}); }
  mlir::Value add(mlir::Value lhs, mlir::Value rhs) { return emit("Add", {lhs, rhs}); }
  mlir::Value subtract(mlir::Value lhs, mlir::Value rhs) { return emit("Sub", {lhs, rhs}); }
  mlir::Value multiply(mlir::Value lhs, mlir::Value rhs) { return emit("Mul", {lhs, rhs}); }
  mlir::Value divide(mlir::Value lhs, mlir::Value rhs) { return emit("Div", {lhs, rhs}); }
  /// Mean over axes, which stay as dims of 1.
  mlir::Value mean(mlir::Value value, llvm::ArrayRef<int64_t> axes) { return emit("ReduceMean", {value, list(axes)}, {integerAttribute("keepdims", 1)}); }
  /// The element type of a number of TensorProto.DataType; null where there is none.
  mlir::Type elementType(int64_t dataType) const { return onnxElementType(builder.getContext(), dataType); }
  mlir::Type boolean() const { return builder.getI1Type(); }

  /// An error where `found` of something is more than `most`: what is spelled out grows with it.
  bool requireMost(llvm::StringRef what, int64_t found, int64_t most);
  /// An error where dims of two inputs are known to differ.
  void requireSameDims(unsigned i, unsigned j);
  /// An error where input i has another number of dims.
  bool requireRank(unsigned i, int64_t least, int64_t most);

private:
  const FusedNodeView &node;
  mlir::OpBuilder &builder;
  OnnxInference &inference;
  bool hasFailed = false;
};

using SpelledResults = llvm::SmallVector<mlir::Value>;

struct SpelledForm {
  SpelledResults (*spell)(Speller &) = nullptr;
  /// The inputs that must be there, and the most inputs and outputs.
  llvm::SmallVector<unsigned> required;
  unsigned maxInputs = 0, maxOutputs = 1;
};

/// Forms by "domain:op".
using SpelledForms = llvm::StringMap<SpelledForm>;

// One per family, each in its file Spelled<Family>.cpp.
void addQuantizedForms(SpelledForms &forms);
void addFusedForms(SpelledForms &forms);
void addAttentionForms(SpelledForms &forms);
void addPoolingForms(SpelledForms &forms);
void addNormalizationForms(SpelledForms &forms);
void addMovementForms(SpelledForms &forms);
void addResizeForms(SpelledForms &forms);
void addTransformForms(SpelledForms &forms);
void addConvolutionForms(SpelledForms &forms);
void addSamplingForms(SpelledForms &forms);

} // namespace moe

#endif // MOE_LIB_IMPORT_SPELLER_H
