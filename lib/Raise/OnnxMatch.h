//===- OnnxMatch.h - reading moe.onnx graphs --------------------*- C++ -*-===//
// What every recogniser needs: attributes with their defaults, constants, and walks up that skip ops which do not change values.
//
// "Flat" is the word for what Reshape, Squeeze, Unsqueeze, Flatten, Identity and a Transpose that moves only dims of size 1 keep: the elements in
// row-major order. Two values with the same flat root hold the same elements; their shapes say how they are grouped.
#ifndef MOE_LIB_RAISE_ONNXMATCH_H
#define MOE_LIB_RAISE_ONNXMATCH_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "moe/IR/MoeDialect.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <optional>

namespace moe::raise {

/// The op that makes `value` if it is the ONNX node `type` of `domain`; null otherwise.
OnnxOp definedBy(mlir::Value value, llvm::StringRef type, llvm::StringRef domain = "");
/// Is `op` the ONNX node `type` of `domain`? The default domain is "" or "ai.onnx".
bool isNode(OnnxOp op, llvm::StringRef type, llvm::StringRef domain = "");
/// Is `op`, which may be null, the node QuantizeLinear or DequantizeLinear (`type`) of ONNX or of com.microsoft, which had narrow codes first?
bool isLinear(OnnxOp op, llvm::StringRef type);

/// A node attribute, or `otherwise` where it is absent or of another kind.
int64_t intAttribute(OnnxOp op, llvm::StringRef name, int64_t otherwise);
/// The `accuracy_level` of a node with quantised weights for moe.dequant; null where it leaves that open (0 or absent).
mlir::IntegerAttr accuracyLevelOf(OnnxOp op);
double floatAttribute(OnnxOp op, llvm::StringRef name, double otherwise);
llvm::StringRef stringAttribute(OnnxOp op, llvm::StringRef name, llvm::StringRef otherwise);
/// A list attribute of integers; none where it is absent.
std::optional<llvm::SmallVector<int64_t>> intsAttribute(OnnxOp op, llvm::StringRef name);

/// Input `index` of a node; null where the node has no such input or it is absent.
mlir::Value inputOrNull(OnnxOp op, unsigned index);

/// The ranked tensor type of a value; null for anything else.
mlir::RankedTensorType tensorType(mlir::Value value);
/// Size of dim `dim` (negative counts from the end) if static; -1 where dynamic or out of range.
int64_t staticDim(mlir::Value value, int64_t dim);
/// The last dim of `type` that is not 1, else its last: what holds the columns of rows, whatever dims of size 1 follow. -1 for a scalar.
int64_t columnDim(mlir::RankedTensorType type);
/// `axis` of an ONNX node counted from the front, for a tensor of `rank` dims.
int64_t fromFront(int64_t axis, int64_t rank);

/// What a walk up may skip.
enum Peel : unsigned {
  Views = 1,      ///< Reshape, Squeeze, Unsqueeze, Flatten, Transpose of dims of size 1: same elements in row-major order.
  FloatCasts = 2, ///< Cast between f32, f16 and bf16.
  IntCasts = 4,   ///< Cast between i64 and i32.
  AllCasts = 8,   ///< Cast between bool, integers and floats: what is 0 or 1 stays so.
  Transposes = 16 ///< Transpose of any dims.
};
/// Walks up through Identity, casts to the same type and what `what` allows.
mlir::Value peel(mlir::Value value, unsigned what);
/// One step of that walk; null where `value` is not made by an op that may be skipped.
mlir::Value peelOnce(mlir::Value value, unsigned what);
/// The value that holds the same elements in row-major order, as far up as possible.
inline mlir::Value flatRoot(mlir::Value value) { return peel(value, Views); }

/// Do the two values have the same flat root, behind as many casts to the same types? Converters give each reader of a value a Cast of its own.
bool sameElements(mlir::Value a, mlir::Value b);

/// The elements of a value that is known at compile time, views skipped; null otherwise. Reads `arith.constant` and weights written in
/// the IR; of stored weights those of at most 1 MiB (a large constant of a static export).
mlir::DenseElementsAttr constantElements(mlir::Value value);
/// The elements of a constant integer tensor, row-major.
std::optional<llvm::SmallVector<int64_t>> constantInts(mlir::Value value);
/// The elements of a constant tensor of floats, row-major; none where one is not finite. Casts, which may round, are not looked through.
std::optional<llvm::SmallVector<double>> finiteFloats(mlir::Value value);
/// The number that all elements of `value` have: constants, ConstantOfShape, Expand or Cast of them, and what foldScalar knows.
std::optional<double> splatNumber(mlir::Value value);
/// A constant of exactly one element that broadcasts to `to` without growing it.
std::optional<double> scalarFor(mlir::Value value, mlir::Value to);

/// The axes of a Reduce*, Squeeze or Unsqueeze node: the second input, or the attribute of old opsets.
std::optional<llvm::SmallVector<int64_t>> axesOf(OnnxOp op);

/// `op(x, c)` with a scalar constant on the side that the op allows: both for Add and Mul, the right one for Sub and Div.
struct ScalarUse {
  mlir::Value operand;
  double scalar;
};
std::optional<ScalarUse> matchScalar(mlir::Value value, llvm::StringRef type);

/// The last value on the walk up through `what` that is `wanted`; null where none is.
mlir::Value farthest(mlir::Value value, unsigned what, llvm::function_ref<bool(mlir::Value)> wanted);

/// Walks up through views to the nearest [rows, columns] matrix with the elements of `value`; without one, to the flat root.
mlir::Value nearestMatrix(mlir::Value value, int64_t columns);

/// Erases `ops` and their producers as far as nobody reads their results, but not `keep` and what it reads. Nulls are skipped.
void eraseDead(llvm::ArrayRef<mlir::Operation *> ops, mlir::Operation *keep = nullptr);

} // namespace moe::raise

#endif // MOE_LIB_RAISE_ONNXMATCH_H
