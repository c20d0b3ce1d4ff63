// States what the distribute stage leaves behind: no sharding annotations of another dialect, exchanges only over a mesh of the module, and what a rank holds of
// a layer agrees with the sharding of its experts.
#include "moe/Distribute/Passes.h"
#include "moe/IR/Layers.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_VERIFYDISTRIBUTED
#include "moe/Distribute/Passes.h.inc"

namespace {

struct VerifyDistributed : impl::VerifyDistributedBase<VerifyDistributed> {
  using Base::Base;

  void runOnOperation() override {
    bool valid = true;
    getOperation().walk([&](Operation *op) { valid &= succeeded(check(op)); });
    if (!valid)
      signalPassFailure();
    markAllAnalysesPreserved();
  }

  LogicalResult check(Operation *op) {
    if (op->getName().getDialectNamespace() == "shard")
      return op->emitError() << describeOp(op) << " is left after the distribute stage";
    if (auto exchange = dyn_cast<AllToAllOp>(op))
      return checkExchange(exchange);
    if (auto start = dyn_cast<AllToAllStartOp>(op))
      return checkDevices(start, start.getGroup(), start.getSend().getType().getDimSize(0));
    if (auto gather = dyn_cast<AllGatherOp>(op))
      return checkDevices(gather, gather.getGroup(), static_cast<int64_t>(gather.getDevices()));
    if (auto sum = dyn_cast<SumRowsOp>(op))
      return checkShares(sum);
    if (auto split = op->getAttrOfType<BatchSplitAttr>(batchSplitAttrName))
      return checkDevices(op, split.getMesh().getValue(), split.getDevices());
    if (auto experts = dyn_cast<ExpertsOp>(op))
      return checkExperts(experts);
    return success();
  }

  /// Counts of an exchange over a mesh speak of its devices.
  LogicalResult checkExchange(AllToAllOp op) {
    if (!lookupMesh(op.getGroup()))
      return op->emitError() << describeOp(op) << " is left after the distribute stage; its group '" << op.getGroup() << "' is no moe.mesh";
    if (!op.getSend() || !op.getBounded())
      return op->emitError() << describeOp(op) << " over mesh '" << op.getGroup() << "': expected counts and bounded rows";
    return checkDevices(op, op.getGroup(), op.getSend().getType().getDimSize(0));
  }

  LogicalResult checkDevices(Operation *op, StringRef group, int64_t devices) {
    MeshOp mesh = lookupMesh(group);
    if (!mesh)
      return op->emitError() << describeOp(op) << ": its group '" << group << "' is no moe.mesh";
    if (mesh.devices() != devices)
      return op->emitError() << describeOp(op) << ": expected the " << mesh.devices() << " devices of mesh '" << group << "', found " << devices;
    return success();
  }

  /// Tokens come back to the rank that sent them, and are gathered from there: one rule says whose they are.
  LogicalResult checkShares(SumRowsOp op) {
    auto shard = op.getSendSlot().getDefiningOp<ShardSlotsOp>();
    auto fail = [&](Operation *other) {
      InFlightDiagnostic error = op->emitError() << describeOp(op) << ": expected the unit of shares that the rows were sent by, found another";
      error.attachNote(other->getLoc()) << "which is this one's";
      return error;
    };
    if (shard && shard.getUnit() != op.getUnit())
      return fail(shard);
    for (Operation *user : op.getResult().getUsers())
      if (auto gather = dyn_cast<AllGatherOp>(user); gather && !gather.getTokens() && gather.getUnit() != op.getUnit())
        return fail(gather);
    return success();
  }

  /// Experts with a sharding read the rows that this rank has by that sharding.
  LogicalResult checkExperts(ExpertsOp op) {
    const ShardingAttr sharding = op.getPlan() ? op.getPlan()->getSharding() : ShardingAttr();
    if (!sharding)
      return success();
    auto shard = op.getOffset().getDefiningOp<ShardSlotsOp>();
    if (!shard)
      return op->emitError() << describeOp(op) << " has a sharding and still the rows of all ranks after the distribute stage";
    if (shard.getSharding() != sharding)
      return op->emitError() << describeOp(op) << ": expected rows by its own sharding, found those of " << shard.getSharding();
    return success();
  }

  MeshOp lookupMesh(StringRef name) { return getOperation().lookupSymbol<MeshOp>(name); }
};

} // namespace
} // namespace moe
