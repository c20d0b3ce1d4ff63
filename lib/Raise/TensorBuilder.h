//===- TensorBuilder.h - linalg and tensor ops with symbolic sizes -*- C++ -*-===//
// What the conversions of ONNX ops are written in: a tensor together with its dims, and builders that make linalg, tensor and moe.concat ops
// from such tensors. Sizes come from the SizeTable, so no op here ever reads the size of an intermediate tensor.
#ifndef MOE_LIB_RAISE_TENSORBUILDER_H
#define MOE_LIB_RAISE_TENSORBUILDER_H

#include "SizeTable.h"

#include "mlir/Dialect/Utils/StructuredOpsUtils.h"

namespace moe {

/// Makes the scalar result of one element from the scalars of the inputs.
using ScalarBody = llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location, mlir::ValueRange)>;
/// The same for a point of the result: `indices` are its coordinates.
using PointBody = llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location, mlir::ValueRange indices, mlir::ValueRange scalars)>;

class TensorBuilder {
public:
  TensorBuilder(mlir::OpBuilder builder, mlir::Location loc, SizeTable &sizes, OnnxInference &inference)
      : builder(builder), loc(loc), sizes(sizes), inference(inference) {}

  mlir::MLIRContext *context() const { return builder.getContext(); }
  /// A constant size.
  mlir::AffineExpr size(int64_t value) const { return mlir::getAffineConstantExpr(value, context()); }
  /// The product of sizes.
  mlir::AffineExpr product(llvm::ArrayRef<mlir::AffineExpr> dims) const;
  mlir::Value indexOf(mlir::AffineExpr size) { return sizes.get(size); }
  /// A condition that a dim of `size` that is read by as many indices as `counts` multiply to is not empty.
  void requireIndexable(mlir::AffineExpr size, llvm::ArrayRef<mlir::AffineExpr> counts) { sizes.requireIndexable(size, product(counts), loc); }
  mlir::Value indexConstant(int64_t value) { return sizes.get(size(value)); }
  /// A scalar constant; `value` is converted to the type.
  mlir::Value scalar(mlir::Type type, double value);
  mlir::Value integer(mlir::Type type, int64_t value);
  /// A size as a scalar of a float or integer type.
  mlir::Value sizeAs(mlir::AffineExpr size, mlir::Type type);

  /// The type with these dims: static where constant.
  mlir::RankedTensorType type(llvm::ArrayRef<mlir::AffineExpr> dims, mlir::Type elementType) const;
  mlir::Value empty(llvm::ArrayRef<mlir::AffineExpr> dims, mlir::Type elementType);
  SizedTensor filled(llvm::ArrayRef<mlir::AffineExpr> dims, mlir::Value scalar);
  SizedTensor zeros(llvm::ArrayRef<mlir::AffineExpr> dims, mlir::Type elementType);

  /// One linalg.generic over all points of `dims`, each input read through its map (loops = result dims).
  SizedTensor generic(llvm::ArrayRef<SizedTensor> inputs, llvm::ArrayRef<mlir::AffineMap> maps, llvm::ArrayRef<mlir::AffineExpr> dims,
                      mlir::Type elementType, ScalarBody body);
  /// The same with the coordinates of the point.
  SizedTensor points(llvm::ArrayRef<SizedTensor> inputs, llvm::ArrayRef<mlir::AffineMap> maps, llvm::ArrayRef<mlir::AffineExpr> dims,
                     mlir::Type elementType, PointBody body);
  /// Elementwise with numpy broadcasting to `dims`. A constant input of one value becomes a scalar of the body.
  SizedTensor elementwise(llvm::ArrayRef<SizedTensor> inputs, llvm::ArrayRef<mlir::AffineExpr> dims, mlir::Type elementType, ScalarBody body);
  /// The map that reads an input of `dims` at a point of the result it is broadcast to.
  mlir::AffineMap broadcastMap(llvm::ArrayRef<mlir::AffineExpr> dims, llvm::ArrayRef<mlir::AffineExpr> resultDims) const;
  /// The result dims of broadcasting two tensors.
  llvm::SmallVector<mlir::AffineExpr> broadcastDims(llvm::ArrayRef<mlir::AffineExpr> lhs, llvm::ArrayRef<mlir::AffineExpr> rhs) const;

  /// Folds `axes` away, starting from `init`: body(point, {element of the input, accumulator}). `accumulator` is init's type.
  SizedTensor reduce(const SizedTensor &input, llvm::ArrayRef<int64_t> axes, mlir::Value init, ScalarBody body);
  /// A sum of products over the loops that the result map lacks; f16 and bf16 accumulate in f32 and are rounded once.
  SizedTensor contract(const SizedTensor &lhs, mlir::AffineMap lhsMap, const SizedTensor &rhs, mlir::AffineMap rhsMap,
                       llvm::ArrayRef<mlir::AffineExpr> dims, mlir::AffineMap resultMap);

  SizedTensor reshape(const SizedTensor &input, llvm::ArrayRef<mlir::AffineExpr> dims);
  SizedTensor transpose(const SizedTensor &input, llvm::ArrayRef<int64_t> permutation);
  SizedTensor broadcast(const SizedTensor &input, llvm::ArrayRef<mlir::AffineExpr> dims);
  SizedTensor concat(llvm::ArrayRef<SizedTensor> inputs, int64_t axis, llvm::ArrayRef<mlir::AffineExpr> dims);
  /// A dense slice: `offset` may be a value, step is 1 or greater.
  SizedTensor slice(const SizedTensor &input, llvm::ArrayRef<mlir::OpFoldResult> offsets, llvm::ArrayRef<mlir::AffineExpr> dims,
                    llvm::ArrayRef<int64_t> steps);
  /// ONNX Cast of all elements; see convertScalar for the types.
  SizedTensor convert(const SizedTensor &input, mlir::Type elementType, bool isUnsigned = false);
  /// Along one axis, in f32 for f16 and bf16: exp(x − max) / sum. A row of −∞ only gives NaN, or zeros where
  /// `emptyRowsAreZero`. The result has the input's element type.
  SizedTensor softmax(const SizedTensor &input, int64_t axis, bool emptyRowsAreZero = false);
  /// `dims` without those of `axes` (sorted or not), and with size 1 in their place.
  llvm::SmallVector<mlir::AffineExpr> dropDims(llvm::ArrayRef<mlir::AffineExpr> dims, llvm::ArrayRef<int64_t> axes) const;
  llvm::SmallVector<mlir::AffineExpr> unitDims(llvm::ArrayRef<mlir::AffineExpr> dims, llvm::ArrayRef<int64_t> axes) const;
  /// The value with exactly the type of `dims`, through a tensor.cast where it says less or more.
  SizedTensor withDims(mlir::Value value, llvm::ArrayRef<mlir::AffineExpr> dims);

  /// Provably equal sizes, the conditions taken into account.
  bool equal(mlir::AffineExpr lhs, mlir::AffineExpr rhs) const { return lhs == rhs || inference.provablyEqual(lhs, rhs); }
  static bool isOne(mlir::AffineExpr size);

  mlir::OpBuilder builder;
  mlir::Location loc;
  SizeTable &sizes;
  OnnxInference &inference;

private:
  /// A reshape by tensor.collapse_shape and tensor.expand_shape.
  SizedTensor regroup(const SizedTensor &input, llvm::ArrayRef<mlir::AffineExpr> dims);
  SizedTensor collapse(const SizedTensor &input, llvm::ArrayRef<llvm::SmallVector<int64_t, 2>> groups, llvm::ArrayRef<mlir::AffineExpr> dims);
  SizedTensor expand(const SizedTensor &input, llvm::ArrayRef<llvm::SmallVector<int64_t, 2>> groups, llvm::ArrayRef<mlir::AffineExpr> dims);
};

/// Is it f16 or bf16, whose sums and special functions are computed in f32?
bool isHalf(mlir::Type type);
/// The type sums of this type are kept in: f32 for f16 and bf16, else the type itself.
mlir::Type accumulatorType(mlir::Type type);
/// The type that code holds elements in: unsigned integers lose their sign and narrow types (NarrowTypes.h) become bytes; only the ops that read
/// them know.
mlir::Type codeType(mlir::Type type);
/// A scalar converted between float, integer and bool types with ONNX Cast's meaning; null where there is no conversion. Never undefined:
/// a float that does not fit saturates and NaN becomes 0. An unsigned `type` gives a value of its signless type; `isUnsigned` says that `value`, an
/// integer, is one without a sign.
mlir::Value convertScalar(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value, mlir::Type type, bool isUnsigned = false);

} // namespace moe

#endif // MOE_LIB_RAISE_TENSORBUILDER_H
