// The columns of one dense product on the devices of a mesh: each computes an equal range of them for all rows.
#ifndef MOE_LIB_DISTRIBUTE_COLUMNSPLITTER_H
#define MOE_LIB_DISTRIBUTE_COLUMNSPLITTER_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "moe/IR/MoeDialect.h"

namespace moe {

/// Is `sharding` the one way in which columns (and heads) are shared out: range d on device d of all?
bool isEvenSharding(ShardingAttr sharding);

/// Rewrites one product of M rows, in front of it. Device d of D has the d-th of D equal ranges of columns, rank r of n the devices r·D/n …
class ColumnSplitter {
public:
  /// `op` can be shared out by the sharding of `plan`.
  ColumnSplitter(mlir::linalg::MatmulOp op, PlanAttr plan, WeightOrder order);

  /// The columns of this rank alone: M × N/n.
  mlir::Value own();
  /// The columns of all ranks, gathered: what the product gives.
  mlir::Value all();

private:
  mlir::Value constant(int64_t value);
  mlir::Value list(mlir::OpFoldResult size, llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location, mlir::Value)> body);
  mlir::Value product();
  mlir::Value gathered(mlir::Value part);
  mlir::Value joined(mlir::Value parts, mlir::OpFoldResult count);

  mlir::linalg::MatmulOp op;
  PlanAttr plan;
  ShardingAttr sharding;
  WeightOrder order;
  int64_t devices, columns; ///< Columns of a device.
  mlir::Type element;
  mlir::OpBuilder builder;
  mlir::Location loc;
  mlir::Value tokens, ownDevices, first; ///< Rows; this rank's devices.
};

} // namespace moe

#endif // MOE_LIB_DISTRIBUTE_COLUMNSPLITTER_H
