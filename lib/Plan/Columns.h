// Dense products whose columns the devices share: which may be, and what that saves.
#ifndef MOE_LIB_PLAN_COLUMNS_H
#define MOE_LIB_PLAN_COLUMNS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "moe/IR/MoeDialect.h"
#include "moe/Plan/Sharding/Cost.h"

namespace moe::plan {

/// A product whose columns can be shared out, with the microseconds that it takes on one device and with its columns on all, gathered.
struct ColumnProduct {
  mlir::linalg::MatmulOp op;
  double wholeUs = 0, sharedUs = 0;
  /// As sharedUs where nobody needs the columns of others.
  double ownUs = 0;
  int64_t devices = 1;
};

/// Those of `function` for `tokens` tokens. Routers' products are among them: all ranks get all logits. Products inside of other ops are not.
std::vector<ColumnProduct> columnProducts(mlir::func::FuncOp function, const Mesh &machines, double tokens);

/// The d-th of equal ranges on device d of `mesh`, which is `machines`.
ShardingAttr evenSharding(MeshOp mesh, const Mesh &machines);

/// Gives the plan of `product` its sharding: range d of the columns on device d of `mesh`, which is `machines`.
void shareColumns(const ColumnProduct &product, MeshOp mesh, const Mesh &machines);

} // namespace moe::plan

#endif // MOE_LIB_PLAN_COLUMNS_H
