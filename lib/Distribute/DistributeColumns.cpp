// Obeys the sharding of dense products (the vocabulary head, projections of attention): one program for every rank. How a product is cut is in
// ColumnSplitter.cpp; nothing is decided here. Before: a sharding in the moe.plan of each product that is to be shared out.
#include "ColumnSplitter.h"
#include "moe/Distribute/Passes.h"
#include "moe/IR/Layers.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_DISTRIBUTECOLUMNS
#include "moe/Distribute/Passes.h.inc"

namespace {

struct DistributeColumns : impl::DistributeColumnsBase<DistributeColumns> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<linalg::MatmulOp> products;
    getOperation().walk([&](linalg::MatmulOp op) {
      if (auto plan = op->getAttrOfType<PlanAttr>(planAttrName); plan && plan.getSharding())
        products.push_back(op);
    });
    for (linalg::MatmulOp op : products)
      if (failed(distribute(op)))
        return signalPassFailure();
  }

  LogicalResult distribute(linalg::MatmulOp op) {
    const auto plan = op->getAttrOfType<PlanAttr>(planAttrName);
    const ShardingAttr sharding = plan.getSharding();
    if (!meshOf(op, sharding))
      return failure();
    std::string why;
    if (!canShareColumns(op, sharding.devices(), why))
      return op.emitError() << describeOp(op) << " has a sharding but its columns cannot be shared out: " << why;
    if (!isEvenSharding(sharding))
      return op.emitError() << describeOp(op) << ": expected the sharding of columns, slot d on device d of all " << sharding.devices() << ", found " << sharding;
    op.getResult(0).replaceAllUsesWith(ColumnSplitter(op, plan, *weightOrderOf(op)).all());
    op.erase();
    return success();
  }
};

} // namespace
} // namespace moe
