// Which dim of a tensor runs over the sequences of a batch, and which ops treat sequences apart.
#ifndef MOE_LIB_DISTRIBUTE_BATCHDIMS_H
#define MOE_LIB_DISTRIBUTE_BATCHDIMS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "moe/IR/MoeDialect.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

#include <optional>

namespace moe {

/// Sequence b has the places b·unit … (b + 1)·unit of dim `dim`.
struct BatchDim {
  int64_t dim = 0;
  mlir::Value unit; ///< Index; null: 1.
};

/// Learns op by op, in the order of the block, where batches lie. Sizes are compared as values: a dim that is the product of the number of sequences and
/// something else, with the sequences outermost, is known where it was made that way.
class BatchDims {
public:
  /// The sizes of a tensor, read off what it was made with where that says them, so that asking keeps nothing alive.
  static llvm::SmallVector<mlir::OpFoldResult> sizesOf(mlir::OpBuilder &builder, mlir::Value tensor);

  /// `inputs` have one sequence at each place of their first dim.
  explicit BatchDims(llvm::ArrayRef<mlir::BlockArgument> inputs);

  /// To be called for each op of the block in order. May write index arithmetic behind it.
  void visit(mlir::Operation *op);

  /// Nothing where the dim is not known, or there is none.
  std::optional<BatchDim> of(mlir::Value tensor) const;
  /// Is the index a multiple of the number of sequences? Then `unit` is the other factor, null for 1.
  bool isMultiple(mlir::Value index, mlir::Value &unit) const;

  /// Would `op` on one rank's sequences of all its operands that have any give that rank's part of each result? It must not look at more than one
  /// sequence at a time nor at the number of one. What its regions read from outside may be all sequences.
  bool keepsApart(mlir::Operation *op) const;

private:
  void set(mlir::Value tensor, int64_t dim, mlir::Value unit);
  void visitScalar(mlir::Operation *op);
  void visitSizes(mlir::Value result, llvm::ArrayRef<mlir::OpFoldResult> sizes);
  bool keepsApart(mlir::linalg::LinalgOp op) const;
  bool keepsApart(AttentionOp op) const;
  bool isFirst(mlir::Value tensor) const;

  llvm::DenseMap<mlir::Value, BatchDim> dims;
  llvm::DenseMap<mlir::Value, mlir::Value> multiples;
  llvm::DenseSet<mlir::Value> tainted; ///< Indices that depend on the number of sequences in another way.
};

} // namespace moe

#endif // MOE_LIB_DISTRIBUTE_BATCHDIMS_H
