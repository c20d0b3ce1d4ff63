//===- ShapeResolver.h - sizes as functions of the entry's dims -*- C++ -*-===//
// Follows a size back through tensor programs to the dims of the entry's arguments, and to elements of those that give sizes, and writes the
// arithmetic anew at another place. The shape function and the entry both compute every size this way, so that nothing computed decides one.
#ifndef MOE_LIB_LOWER_SHAPERESOLVER_H
#define MOE_LIB_LOWER_SHAPERESOLVER_H

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallBitVector.h"
#include "mlir/IR/Builders.h"

#include <functional>

namespace moe {

/// Size of dim `dim` of a slice that drops the dims of `dropped`.
mlir::OpFoldResult sizeOfSlice(llvm::ArrayRef<mlir::OpFoldResult> sizes, const llvm::SmallBitVector &dropped, int64_t dim);

/// The value in front of destination-style ops and casts that decides the shape of `shaped`: they keep it. A loop, so that deep chains need no recursion.
mlir::Value decidesShape(mlir::Value shaped);

/// What an op says of a dynamic dim of its result: `size`, or the product of `dims` of `source`. Neither where the op is none that states it.
struct StatedDim {
  mlir::OpFoldResult size;
  mlir::Value source;
  llvm::SmallVector<int64_t> dims;
};
/// Allocations, and the views of the tensor and memref dialects.
StatedDim statedDim(mlir::Operation *op, int64_t dim);

class ShapeResolver {
public:
  /// Gives the value of dim `dim` of entry argument `argument`, built with the resolver's builder.
  using LeafFn = std::function<mlir::Value(mlir::BlockArgument argument, int64_t dim)>;

  /// Gives element `element`, in row-major order, of entry argument `argument`, of its own type. See mayDecideSizes.
  using ElementFn = std::function<mlir::Value(mlir::BlockArgument argument, int64_t element)>;

  ShapeResolver(mlir::OpBuilder &builder, LeafFn leaf, ElementFn elementLeaf)
      : builder(builder), leaf(std::move(leaf)), elementLeaf(std::move(elementLeaf)) {}

  /// Size of dimension `dim` of a ranked tensor or memref, as an index value. Null where it depends on data; `failedAt` then names the op.
  mlir::Value dim(mlir::Value shaped, int64_t dim);

  /// A scalar recomputed at the builder's place. Null where it depends on data.
  mlir::Value scalar(mlir::Value value);

  /// The op that made the last answer null.
  mlir::Operation *failedAt = nullptr;

private:
  mlir::Value computeDim(mlir::Value shaped, int64_t dim);
  mlir::Value computeScalar(mlir::Value value);
  mlir::Value dimOfView(mlir::Operation *op, int64_t dim);
  mlir::Value product(mlir::Value shaped, llvm::ArrayRef<int64_t> dims);
  mlir::Value fold(mlir::OpFoldResult size);
  mlir::Value nonZero(mlir::Location loc, mlir::Value divisor);
  mlir::Value constant(mlir::Location loc, int64_t value);
  mlir::Value element(mlir::Value tensor, llvm::ArrayRef<mlir::Value> indices);
  mlir::Value element(mlir::Value tensor, int64_t number);
  mlir::Value computeElement(mlir::Value tensor, int64_t number);
  mlir::Value elementOfGeneric(mlir::Operation *op, unsigned result, int64_t number);
  mlir::Value cloneScalar(mlir::Operation *op, mlir::IRMapping &mapping);

  /// Longer chains of tensors are no sizes, and recursion must end.
  static constexpr unsigned longestChain = 64;

  mlir::OpBuilder &builder;
  LeafFn leaf;
  ElementFn elementLeaf;
  llvm::DenseMap<std::pair<mlir::Value, int64_t>, mlir::Value> dims;
  llvm::DenseMap<mlir::Value, mlir::Value> scalars; ///< Null where it depends on data.
  /// By tensor and number in row-major order.
  llvm::DenseMap<std::pair<mlir::Value, int64_t>, mlir::Value> elements;
  unsigned elementDepth = 0;
};

} // namespace moe

#endif // MOE_LIB_LOWER_SHAPERESOLVER_H
