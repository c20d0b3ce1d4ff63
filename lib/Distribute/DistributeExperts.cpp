// Obeys the sharding of each layer: one program for every rank. Tokens are shared out among devices; rows go to the devices of their experts, results
// come back, and every rank gets all tokens again, since what lies between two layers is computed by every rank. Routing is computed by every rank
// too: it costs little, its capacities and orders stay those of all tokens, and no rank has to ask another how many rows come. Nothing is
// decided here. Before: a sharding in the plan of each layer that is to be spread.
#include "Overlap.h"
#include "moe/Distribute/Passes.h"
#include "moe/IR/Layers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_DISTRIBUTEEXPERTS
#include "moe/Distribute/Passes.h.inc"

namespace {

/// Rows that travel.
struct Exchange {
  Value rows, flight;
};

/// Rewrites one layer.
class Sharder {
public:
  Sharder(const RaggedLayer &layer, ShardingAttr planned) : layer(layer), parts(planned.getEtp()), sharding(planned.ofParts()), builder(layer.combine), loc(builder.getInsertionPoint()->getLoc()) {}

  void run() {
    DispatchOp dispatch = layer.dispatch;
    CombineOp combine = layer.combine;
    const Type list = RankedTensorType::get({ShapedType::kDynamic}, builder.getI32Type());
    const auto weights = RankedTensorType::get({ShapedType::kDynamic}, builder.getF32Type());
    // The experts stand before the combine, whose weights may come after them: all is written at the combine.
    slots = SlotRowsOp::create(builder, loc, list, weights, dispatch.getOffset().getType(), dispatch.getToken(), dispatch.getSlot(), dispatch.getKeep(),
                               combine.getWeights(), dispatch.getOffset(), combine.getTokens());
    rows = slots.getRows();
    slotWeights = slots.getSlotWeights();
    offsets = slots.getOffsets();
    if (parts > 1)
      cutSlots();
    SmallVector<Chunk> chunks(sharding.getChunks());
    const Value most = chunks.size() > 1 ? rowsOfChunk() : Value();
    for (auto [number, chunk] : llvm::enumerate(chunks))
      send(chunk, static_cast<int64_t>(number), most);
    for (Chunk &chunk : chunks)
      compute(chunk);
    Value own;
    for (auto [number, chunk] : llvm::enumerate(chunks))
      own = sum(chunk, static_cast<int64_t>(number), own);
    auto all = AllGatherOp::create(builder, loc, own.getType(), own, /*tokens=*/Value(), /*unit=*/Value(), sharding.getMesh().getValue(), sharding.devices());
    combine.getResult().replaceAllUsesWith(all.getResult());
    combine.erase();
    layer.experts.erase();
    dispatch.erase();
    computeWhileTravelling({slots, arrivals.front(), all});
  }

private:
  /// Tokens that travel together.
  struct Chunk {
    ShardSlotsOp shard;
    Exchange out, back;
  };

  /// No rank sends or receives more rows than all choices of the tokens of a chunk.
  Value rowsOfChunk() {
    auto constant = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(builder, loc, value); };
    const Value tokens = layer.combine.getTokens(), devices = constant(sharding.devices());
    Value share = arith::CeilDivUIOp::create(builder, loc, tokens, devices);
    if (const Value ofSequences = shareOfSequences())
      share = arith::MaxSIOp::create(builder, loc, share, ofSequences);
    const Value part = arith::CeilDivUIOp::create(builder, loc, share, constant(sharding.getChunks()));
    return arith::MulIOp::create(builder, loc, part, constant(sharding.devices() * layer.topK * parts));
  }

  /// A token goes to all parts of its experts.
  void cutSlots() {
    const int64_t experts = cast<RankedTensorType>(offsets.getType()).getDimSize(0) - 1;
    const Type list = RankedTensorType::get({ShapedType::kDynamic}, builder.getI32Type()), weights = slotWeights.getType();
    auto cut = PartSlotsOp::create(builder, loc, TypeRange{list, weights, RankedTensorType::get({experts * parts + 1}, builder.getI32Type())}, rows,
                                   slotWeights, offsets, parts);
    rows = cut.getPartRows();
    slotWeights = cut.getPartWeights();
    offsets = cut.getPartOffset();
  }

  /// Parts of a weight whose dim `dim` has the intermediate features.
  void cutWeight(MutableOperandRange weight, int64_t dim, bool halves) {
    if (weight.empty())
      return;
    const auto type = cast<RankedTensorType>(weight[0].get().getType());
    SmallVector<int64_t> sizes(type.getShape());
    sizes[0] *= parts;
    sizes[dim] /= parts;
    weight.assign(PartExpertsOp::create(builder, loc, RankedTensorType::get(sizes, type.getElementType()), weight[0].get(), parts, dim, halves).getResult());
  }

  /// Parts of a bias of what gate and up give, cut as the rows of the weight are: E×N, a part after the other E·p×N/p. In halves each half is cut.
  void cutBias(MutableOperandRange bias, bool halves) {
    if (bias.empty())
      return;
    const auto type = cast<RankedTensorType>(bias[0].get().getType());
    const int64_t experts = type.getDimSize(0), outer = halves ? 2 : 1, columns = type.getDimSize(1) / (outer * parts);
    const SmallVector<ReassociationIndices> split = {{0}, {1, 2, 3}}, join = {{0, 1}, {2, 3}};
    const Type element = type.getElementType();
    const Value apart = tensor::ExpandShapeOp::create(builder, loc, RankedTensorType::get({experts, outer, parts, columns}, element), bias[0].get(), split);
    const Value empty = tensor::EmptyOp::create(builder, loc, {experts, parts, outer, columns}, element);
    const Value byPart = linalg::TransposeOp::create(builder, loc, apart, empty, {0, 2, 1, 3}).getResult()[0];
    bias.assign(tensor::CollapseShapeOp::create(builder, loc, byPart, join).getResult());
  }

  /// The bias of results, which are sums over the parts, belongs to the first part of each expert: E×H, with zeros for the others E·p×H.
  void giveBiasToFirst(MutableOperandRange bias) {
    if (bias.empty())
      return;
    const auto type = cast<RankedTensorType>(bias[0].get().getType());
    const int64_t experts = type.getDimSize(0), columns = type.getDimSize(1);
    const auto index = [&](int64_t value) -> OpFoldResult { return builder.getIndexAttr(value); };
    const Value zero = arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type.getElementType()));
    const Value empty = tensor::EmptyOp::create(builder, loc, {experts, parts, columns}, type.getElementType());
    const Value zeros = linalg::FillOp::create(builder, loc, zero, empty).getResult(0);
    const SmallVector<OpFoldResult> offsets = {index(0), index(0), index(0)}, sizes = {index(experts), index(1), index(columns)}, steps(3, index(1));
    const Value all = tensor::InsertSliceOp::create(builder, loc, bias[0].get(), zeros, offsets, sizes, steps);
    const SmallVector<ReassociationIndices> join = {{0, 1}, {2}};
    bias.assign(tensor::CollapseShapeOp::create(builder, loc, all, join).getResult());
  }

  /// Each part of an expert as one of its own.
  void cutExperts(ExpertsOp op) {
    const bool outIn = op.getOrder() == WeightOrder::OutIn;
    builder.setInsertionPoint(op);
    cutWeight(op.getGateMutable(), outIn ? 1 : 2, isInHalves(op.getFfn()->getGate()));
    cutWeight(op.getUpMutable(), outIn ? 1 : 2, false);
    cutWeight(op.getDownMutable(), op.orderOfDown() == WeightOrder::OutIn ? 2 : 1, false);
    cutBias(op.getGateBiasMutable(), isInHalves(op.getFfn()->getGate()));
    cutBias(op.getUpBiasMutable(), false);
    giveBiasToFirst(op.getDownBiasMutable());
    const PlanAttr plan = *op.getPlan();
    op.setPlanAttr(PlanAttr::get(op.getContext(), plan.getPacking(), plan.getActivations(), sharding));
    builder.setInsertionPointAfter(op);
  }

  /// Tokens of a device where whole sequences are shared out (moe-distribute-batch); null where they are not.
  Value shareOfSequences() {
    auto function = layer.combine->getParentOfType<FunctionOpInterface>();
    auto split = function ? function->getAttrOfType<BatchSplitAttr>(batchSplitAttrName) : BatchSplitAttr();
    const SmallVector<BlockArgument> inputs = split && split.getMesh() == sharding.getMesh() ? sequenceInputs(function) : SmallVector<BlockArgument>();
    if (inputs.empty())
      return {};
    auto constant = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(builder, loc, value); };
    const Value sequences = tensor::DimOp::create(builder, loc, inputs.front(), 0);
    const Value one = arith::MaxSIOp::create(builder, loc, sequences, constant(1));
    const Value length = arith::DivUIOp::create(builder, loc, layer.combine.getTokens(), one);
    return arith::MulIOp::create(builder, loc, arith::CeilDivUIOp::create(builder, loc, sequences, constant(sharding.devices())), length);
  }

  /// Rows go out.
  void send(Chunk &chunk, int64_t number, Value most) {
    const Type list = RankedTensorType::get({ShapedType::kDynamic}, builder.getI32Type());
    const Type counts = RankedTensorType::get({sharding.devices()}, builder.getI32Type());
    chunk.shard = ShardSlotsOp::create(builder, loc, TypeRange{list, list, counts, counts, list, list, offsets.getType()}, rows, offsets,
                                       layer.combine.getTokens(), /*unit=*/Value(), most, sharding, number);
    chunk.out = start(take(layer.dispatch.getX(), chunk.shard.getSendToken()), chunk.shard.getSend(), chunk.shard.getReceive(),
                      sharding.getDedup() == "node" ? Value(chunk.shard.getSendToken()) : Value());
  }

  /// The experts on what has come, and results go back.
  void compute(Chunk &chunk) {
    const Value arrived = take(wait(chunk.out), chunk.shard.getPlace());
    const Value results = experts(arrived, chunk.shard.getLocalOffset());
    chunk.back = start(take(results, chunk.shard.getOrigin()), chunk.shard.getReceive(), chunk.shard.getSend());
  }

  /// The rows of the tokens of a chunk, besides those in `before`.
  Value sum(Chunk &chunk, int64_t number, Value before) {
    return SumRowsOp::create(builder, loc, layer.combine.getResult().getType(), wait(chunk.back), chunk.shard.getSendSlot(), rows,
                             slotWeights, layer.combine.getTokens(), /*unit=*/Value(), before, sharding.devices(), number, sharding.getChunks(), /*fused=*/false);
  }

  Value take(Value x, Value index) {
    const auto source = cast<RankedTensorType>(x.getType());
    const auto type = RankedTensorType::get({ShapedType::kDynamic, source.getDimSize(1)}, source.getElementType());
    return TakeRowsOp::create(builder, loc, type, x, index, /*first=*/Value());
  }

  Exchange start(Value rows, Value send, Value receive, Value token = {}) {
    return {rows, AllToAllStartOp::create(builder, loc, rows.getType(), rows, send, receive, token, sharding.getMesh().getValue(), sharding.getPerNode())};
  }

  Value wait(const Exchange &exchange) {
    arrivals.push_back(AllToAllWaitOp::create(builder, loc, exchange.rows.getType(), exchange.flight, exchange.rows));
    return arrivals.back();
  }

  /// The experts on rows of this rank.
  Value experts(Value arrived, Value offset) {
    ExpertsOp op = layer.experts;
    auto copy = cast<ExpertsOp>(builder.clone(*op));
    copy.getRowsMutable().assign(arrived);
    copy.getOffsetMutable().assign(offset);
    if (parts > 1)
      cutExperts(copy);
    const auto type = cast<RankedTensorType>(op.getResult().getType());
    copy.getResult().setType(RankedTensorType::get({ShapedType::kDynamic, type.getDimSize(1)}, type.getElementType()));
    return copy.getResult();
  }

  RaggedLayer layer;
  int64_t parts; ///< Of an expert.
  ShardingAttr sharding; ///< Of parts.
  OpBuilder builder;
  Location loc;
  SlotRowsOp slots;
  Value rows, slotWeights, offsets; ///< Of all slots, those of parts.
  SmallVector<AllToAllWaitOp> arrivals;
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
    if (!meshOf(op, sharding))
      return failure();
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
