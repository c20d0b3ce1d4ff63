// A group that is no mesh has one rank, and what a rank sends to itself it has already. Runs before fuse, which looks through no exchange.
#include "moe/Distribute/Passes.h"
#include "moe/IR/Layers.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_DISTRIBUTELOCALEXCHANGE
#include "moe/Distribute/Passes.h.inc"

namespace {

struct DistributeLocalExchange : impl::DistributeLocalExchangeBase<DistributeLocalExchange> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<AllToAllOp> ops;
    getOperation()->walk([&](AllToAllOp op) {
      if (!SymbolTable::lookupNearestSymbolFrom<MeshOp>(op, StringAttr::get(&getContext(), op.getGroup())))
        ops.push_back(op);
    });
    for (AllToAllOp op : ops)
      if (failed(replace(op)))
        return signalPassFailure();
  }

  static LogicalResult replace(AllToAllOp op) {
    if (op.getSend()) {
      const int64_t ranks = op.getSend().getType().getDimSize(0);
      if (ranks != 1) {
        InFlightDiagnostic error = op.emitError() << describeOp(op) << " over group '" << op.getGroup() << "': expected counts of 1 rank, got ";
        return ShapedType::isDynamic(ranks) ? error << "a number that is not known" : error << ranks;
      }
    }
    OpBuilder builder(op);
    Value result = op.getBuffer();
    if (result.getType() != op.getResult().getType())
      result = tensor::CastOp::create(builder, op.getLoc(), op.getResult().getType(), result);
    op.getResult().replaceAllUsesWith(result);
    op.erase();
    return success();
  }
};

} // namespace
} // namespace moe
