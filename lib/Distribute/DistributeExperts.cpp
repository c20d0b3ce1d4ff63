// Obeys the sharding of each layer: one program for every rank. Tokens are shared out among devices; rows go to the devices of their experts, results
// come back, and every rank gets all tokens again, since what lies between two layers is computed by every rank. Routing is computed by every rank
// too: it costs little, its capacities and orders stay those of all tokens, and no rank has to ask another how many rows come. Nothing is
// decided here. Before: a sharding in the plan of each layer that is to be spread.
#include "moe/Distribute/Passes.h"
#include "moe/IR/Layers.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_DISTRIBUTEEXPERTS
#include "moe/Distribute/Passes.h.inc"

namespace {

/// Rewrites one layer.
class Sharder {
public:
  Sharder(const RaggedLayer &layer, ShardingAttr sharding) : layer(layer), sharding(sharding), builder(layer.combine) {}

  void run() {
    DispatchOp dispatch = layer.dispatch;
    CombineOp combine = layer.combine;
    const Location loc = combine.getLoc();
    const Type list = RankedTensorType::get({ShapedType::kDynamic}, builder.getI32Type());
    const auto weights = RankedTensorType::get({ShapedType::kDynamic}, builder.getF32Type());
    const Type counts = RankedTensorType::get({sharding.devices()}, builder.getI32Type());
    const Type offsets = dispatch.getOffset().getType();
    // The experts stand before the combine, whose weights may come after them: all is written at the combine.
    auto slots = SlotRowsOp::create(builder, loc, list, weights, offsets, dispatch.getToken(), dispatch.getSlot(), dispatch.getKeep(), combine.getWeights(),
                                    dispatch.getOffset(), combine.getTokens());
    auto shard = ShardSlotsOp::create(builder, loc, TypeRange{list, list, counts, counts, list, list, offsets}, slots.getRows(), slots.getOffsets(),
                                      combine.getTokens(), sharding);
    const Value sent = take(loc, dispatch.getX(), shard.getSendToken());
    const Value here = exchange(loc, sent, shard.getSend(), shard.getReceive());
    const Value rows = take(loc, here, shard.getPlace());
    const Value results = experts(rows, shard.getLocalOffset());
    const Value ordered = take(loc, results, shard.getOrigin());
    const Value back = exchange(loc, ordered, shard.getReceive(), shard.getSend());
    const auto type = combine.getResult().getType();
    Value own = SumRowsOp::create(builder, loc, type, back, shard.getSendSlot(), slots.getRows(), slots.getSlotWeights(), combine.getTokens(),
                                  sharding.devices(), /*fused=*/false);
    own = AllGatherOp::create(builder, loc, type, own, sharding.getMesh().getValue(), sharding.devices());
    combine.getResult().replaceAllUsesWith(own);
    combine.erase();
    layer.experts.erase();
    dispatch.erase();
  }

private:
  Value take(Location loc, Value x, Value index) {
    const auto source = cast<RankedTensorType>(x.getType());
    const auto type = RankedTensorType::get({ShapedType::kDynamic, source.getDimSize(1)}, source.getElementType());
    return TakeRowsOp::create(builder, loc, type, x, index);
  }

  Value exchange(Location loc, Value rows, Value send, Value receive) {
    return AllToAllOp::create(builder, loc, rows.getType(), rows, send, receive, sharding.getMesh().getValue(), /*split_dim=*/0, /*bounded=*/true);
  }

  /// The experts on rows of this rank.
  Value experts(Value rows, Value offset) {
    ExpertsOp op = layer.experts;
    auto copy = cast<ExpertsOp>(builder.clone(*op));
    copy.getRowsMutable().assign(rows);
    copy.getOffsetMutable().assign(offset);
    const auto type = cast<RankedTensorType>(op.getResult().getType());
    copy.getResult().setType(RankedTensorType::get({ShapedType::kDynamic, type.getDimSize(1)}, type.getElementType()));
    return copy.getResult();
  }

  RaggedLayer layer;
  ShardingAttr sharding;
  OpBuilder builder;
};

struct DistributeExperts : impl::DistributeExpertsBase<DistributeExperts> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<ExpertsOp> ops;
    getOperation().walk([&](ExpertsOp op) {
      if (op.getPlan() && op.getPlan()->getSharding())
        ops.push_back(op);
    });
    for (ExpertsOp op : ops)
      if (failed(distribute(op)))
        return signalPassFailure();
  }

  LogicalResult distribute(ExpertsOp op) {
    const ShardingAttr sharding = op.getPlan()->getSharding();
    auto mesh = SymbolTable::lookupNearestSymbolFrom<MeshOp>(op, sharding.getMesh());
    if (!mesh)
      return op.emitError() << describeOp(op) << ": expected a moe.mesh named " << sharding.getMesh() << ", found none";
    if (mesh.devices() != sharding.devices())
      return op.emitError() << describeOp(op) << ": expected a sharding over the " << mesh.devices() << " devices of " << sharding.getMesh()
                            << ", found one over " << sharding.devices();
    std::string why;
    std::optional<RaggedLayer> layer = shardableLayer(op, why);
    if (!layer)
      return op.emitError() << describeOp(op) << " has a sharding but cannot be spread over devices: " << why;
    if (ShapedType::isDynamic(op.getOffset().getType().getDimSize(0)))
      return op.emitError() << describeOp(op) << ": expected a known number of experts";
    Sharder(*layer, sharding).run();
    return success();
  }
};

} // namespace
} // namespace moe
