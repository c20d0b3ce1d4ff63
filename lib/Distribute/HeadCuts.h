// Where the heads of attention lie in a tensor, and which ops treat heads apart.
#ifndef MOE_LIB_DISTRIBUTE_HEADCUTS_H
#define MOE_LIB_DISTRIBUTE_HEADCUTS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "moe/IR/Caches.h"
#include "moe/IR/MoeDialect.h"

#include "llvm/ADT/DenseMap.h"

#include <optional>
#include <tuple>

namespace moe {

/// Head h of `heads` has the places h·unit … (h + 1)·unit of dim `dim`, all of them. Devices may have copies of key heads, not of those of queries.
struct HeadCut {
  int64_t dim = 0, unit = 1, heads = 1, devices = 1;
  bool isKey = false;

  bool operator==(const HeadCut &other) const {
    return std::tie(dim, unit, heads, devices, isKey) == std::tie(other.dim, other.unit, other.heads, other.devices, other.isKey);
  }
};

/// Finds, from attention back to the first op of its block, what can be computed for a rank's heads alone because nobody reads the rest. Caches of a model are read in
/// the next step by nobody else: a rank keeps its own heads of those that only attention reads.
class HeadCuts {
public:
  /// Attention with a sharding is cut; each must be fit for it. Ops of one block.
  explicit HeadCuts(mlir::Block &block);

  /// The caches of which a rank has only its own heads: inputs and outputs that are to become parts.
  llvm::ArrayRef<KvCache> ownCaches() const { return caches; }
  /// The cut of an own cache: where heads lie in its past, its present and all between.
  HeadCut of(const KvCache &cache) const { return *of(cache.grown); }

  /// The cut of what `op` gives if it is to be written again for a rank's heads; of its queries if it is attention.
  std::optional<HeadCut> of(mlir::Operation *op) const;
  /// The cut of what an op that is written again reads there; nothing where it reads all heads, or no tensor.
  std::optional<HeadCut> of(mlir::OpOperand &operand) const;

private:
  void visitAll(mlir::Block &block);
  void visit(mlir::Operation *op);
  /// Are all who read the past, and the present, content with the heads that what grows it is cut to?
  bool isOwn(const KvCache &cache) const;
  /// Is `use` only that of an output which may become a part?
  bool isPresent(mlir::OpOperand &use) const;
  void cutAttention(AttentionOp op, ShardingAttr sharding);
  /// Do all readers of `result` want the same heads alone? Then which.
  std::optional<HeadCut> wantedOf(mlir::Value result) const;
  /// Writes down what `op` reads so as to give `cut`; false, and nothing, where it cannot be cut so.
  bool want(mlir::Operation *op, HeadCut cut);
  bool want(mlir::linalg::LinalgOp op, HeadCut cut);
  bool want(mlir::tensor::ExpandShapeOp op, HeadCut cut);
  bool want(mlir::tensor::CollapseShapeOp op, HeadCut cut);

  llvm::SmallVector<KvCache> caches;
  llvm::DenseMap<mlir::Operation *, HeadCut> results;
  llvm::DenseMap<mlir::OpOperand *, HeadCut> operands;
};

/// Can the columns of `op` be computed for a rank's heads alone, as its plan shares them out?
bool sharesHeads(mlir::linalg::MatmulOp op, const HeadCut &cut);

} // namespace moe

#endif // MOE_LIB_DISTRIBUTE_HEADCUTS_H
