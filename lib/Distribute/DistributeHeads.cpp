// Obeys the sharding of attention: each rank computes its own heads. What leads there is written again for these heads as far as nobody reads the rest
// (HeadCuts.h); of what others read, or cannot be cut, the rank takes its heads. What attention gives is gathered. Nothing is decided here. Before: a
// moe.sharding at each moe.attention that is to be shared out; moe-distribute-batch.
#include "BatchDims.h"
#include "ColumnSplitter.h"
#include "HeadCuts.h"
#include "moe/Distribute/Passes.h"
#include "moe/IR/Layers.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_DISTRIBUTEHEADS
#include "moe/Distribute/Passes.h.inc"

namespace {

class HeadSplitter {
public:
  explicit HeadSplitter(Block &block) : block(block), cuts(block), builder(OpBuilder::atBlockBegin(&block)), loc(block.getParentOp()->getLoc()) {
    ranks = NumRanksOp::create(builder, loc);
    rank = RankOp::create(builder, loc);
  }

  void run() {
    SmallVector<Operation *> ops;
    for (Operation &op : block)
      ops.push_back(&op);
    for (const KvCache &cache : cuts.ownCaches())
      takePart(cache);
    for (Operation *op : ops) {
      const std::optional<HeadCut> cut = cuts.of(op);
      if (!cut)
        continue;
      builder.setInsertionPoint(op);
      loc = op->getLoc();
      if (auto attention = dyn_cast<AttentionOp>(op))
        gather(attention, *cut);
      else
        parts[op->getResult(0)] = {{*cut, partOf(op, *cut)}};
    }
    if (!cuts.ownCaches().empty())
      givePart();
    for (Operation *op : llvm::reverse(ops))
      if (cuts.of(op) && op->use_empty())
        op->erase();
  }

private:
  struct Range {
    Value first, count;
  };

  Value constant(int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); }

  /// This rank's heads. Rank r of n has the devices r·D/n …, device d the query heads d·H/D …, and of key heads those that these read: ⌊d·H/D⌋ …
  Range rangeOf(const HeadCut &cut) {
    Range &range = ranges[{cut.heads, cut.devices}];
    if (range.first)
      return range;
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointAfter(rank.getDefiningOp());
    const Value devices = constant(cut.devices), heads = arith::MulIOp::create(builder, loc, arith::DivUIOp::create(builder, loc, devices, ranks), constant(cut.heads));
    range.first = arith::DivUIOp::create(builder, loc, arith::MulIOp::create(builder, loc, rank, heads), devices);
    const Value begun = arith::DivUIOp::create(builder, loc, arith::AddIOp::create(builder, loc, heads, constant(cut.devices - 1)), devices);
    range.count = arith::MinSIOp::create(builder, loc, begun, constant(cut.heads)); // Memory is planned for what is known: all of them.
    return range;
  }

  Value times(Value value, int64_t unit) { return unit == 1 ? value : arith::MulIOp::create(builder, loc, value, constant(unit)).getResult(); }

  static RankedTensorType typeOf(Value whole, const HeadCut &cut) {
    const auto type = cast<RankedTensorType>(whole.getType());
    SmallVector<int64_t> shape(type.getShape());
    shape[cut.dim] = ShapedType::kDynamic;
    return RankedTensorType::get(shape, type.getElementType());
  }

  /// The sizes of this rank's part of `whole`.
  SmallVector<OpFoldResult> sizesOf(Value whole, const HeadCut &cut) {
    SmallVector<OpFoldResult> sizes = BatchDims::sizesOf(builder, whole);
    sizes[cut.dim] = times(rangeOf(cut).count, cut.unit);
    return sizes;
  }

  /// This rank's part of what an op reads: computed as a part, or taken from the whole, once.
  Value partOf(OpOperand &operand) {
    const std::optional<HeadCut> cut = cuts.of(operand);
    const Value whole = operand.get();
    if (!cut)
      return whole;
    auto &known = parts[whole];
    for (const auto &[other, part] : known)
      if (other == *cut)
        return part;
    const SmallVector<OpFoldResult> sizes = sizesOf(whole, *cut);
    SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0)), strides(sizes.size(), builder.getIndexAttr(1));
    offsets[cut->dim] = times(rangeOf(*cut).first, cut->unit);
    const Value part = tensor::ExtractSliceOp::create(builder, loc, typeOf(whole, *cut), whole, offsets, sizes, strides);
    known.push_back({*cut, part});
    return part;
  }

  /// The past of `cache` becomes this rank's part. Who asks for another size than that of the heads asks the part.
  void takePart(const KvCache &cache) {
    const HeadCut cut = cuts.of(cache);
    BlockArgument past = cache.past;
    builder.setInsertionPointAfter(rank.getDefiningOp());
    const Type whole = past.getType();
    past.setType(typeOf(past, cut));
    auto stand = tensor::CastOp::create(builder, past.getLoc(), whole, past);
    past.replaceUsesWithIf(stand, [&](OpOperand &use) {
      auto dim = dyn_cast<tensor::DimOp>(use.getOwner());
      return use.getOwner() != stand && !(dim && dim.getConstantIndex() && *dim.getConstantIndex() != cut.dim);
    });
    parts[stand] = {{cut, past}};
  }

  /// The function takes and gives parts: its type, and what is said of its arguments and results.
  void givePart() {
    auto function = cast<func::FuncOp>(block.getParentOp());
    auto describe = [&](NamedAttrList attributes, const HeadCut &cut) {
      attributes.set(partAttrName, builder.getDenseI64ArrayAttr({cut.dim, cut.heads, cut.unit}));
      if (auto dims = dyn_cast_or_null<ArrayAttr>(attributes.get("moe.dims")); dims && static_cast<size_t>(cut.dim) < dims.size()) {
        SmallVector<Attribute> names(dims.getValue());
        names[cut.dim] = builder.getStringAttr("?");
        attributes.set("moe.dims", builder.getArrayAttr(names));
      }
      return attributes.getDictionary(function.getContext());
    };
    for (const KvCache &cache : cuts.ownCaches()) {
      const HeadCut cut = cuts.of(cache);
      cache.present->set(parts[cache.present->get()].front().second);
      function.setArgAttrs(cache.past.getArgNumber(), describe(NamedAttrList(function.getArgAttrDict(cache.past.getArgNumber())), cut));
      function.setResultAttrs(cache.present->getOperandNumber(), describe(NamedAttrList(function.getResultAttrDict(cache.present->getOperandNumber())), cut));
    }
    function.setFunctionType(FunctionType::get(function.getContext(), block.getArgumentTypes(), block.getTerminator()->getOperandTypes()));
  }

  /// `op` for this rank's heads.
  Value partOf(Operation *op, const HeadCut &cut) {
    const Value whole = op->getResult(0);
    const RankedTensorType type = typeOf(whole, cut);
    if (isa<tensor::EmptyOp>(op))
      return tensor::EmptyOp::create(builder, loc, sizesOf(whole, cut), type.getElementType());
    if (auto matmul = dyn_cast<linalg::MatmulOp>(op); matmul && matmul->hasAttr(planAttrName)) {
      const Value own = ColumnSplitter(matmul, matmul->getAttrOfType<PlanAttr>(planAttrName), *weightOrderOf(matmul)).own();
      return own.getType() == type ? own : tensor::CastOp::create(builder, loc, type, own).getResult();
    }
    if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
      return tensor::ExpandShapeOp::create(builder, loc, type, partOf(expand.getSrcMutable()), expand.getReassociationIndices(), sizesOf(whole, cut));
    if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
      return tensor::CollapseShapeOp::create(builder, loc, type, partOf(collapse.getSrcMutable()), collapse.getReassociationIndices());
    if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
      SmallVector<OpFoldResult> sizes = slice.getMixedSizes();
      sizes[cut.dim] = times(rangeOf(cut).count, cut.unit);
      return tensor::ExtractSliceOp::create(builder, loc, type, partOf(slice.getSourceMutable()), slice.getMixedOffsets(), sizes, slice.getMixedStrides());
    }
    Operation *copy = again(op);
    copy->getResult(0).setType(type);
    // The caller's buffers are as large as a rank's part, which sizes that only the run knows must not hide.
    const Value source = copy->getOperand(0);
    if (auto grown = dyn_cast<DestinationStyleOpInterface>(copy); grown && isa<ConcatOp, AppendOp>(copy) && isa<BlockArgument>(peelCasts(source))) {
      builder.setInsertionPoint(copy);
      SmallVector<OpFoldResult> sizes = sizesOf(whole, cut);
      sizes[cut.dim] = tensor::DimOp::create(builder, loc, source, cut.dim).getResult();
      grown.getDpsInitsMutable()[0].set(tensor::EmptyOp::create(builder, loc, sizes, type.getElementType()));
      builder.setInsertionPointAfter(copy);
    }
    return copy->getResult(0);
  }

  /// A copy of `op` that reads parts.
  Operation *again(Operation *op) {
    SmallVector<Value> operands;
    for (OpOperand &operand : op->getOpOperands())
      operands.push_back(partOf(operand));
    Operation *copy = builder.clone(*op);
    copy->setOperands(operands);
    return copy;
  }

  /// Attention over this rank's heads, and the results of all: B×Hq×T×V. Shares are those of devices: what lies outside of heads goes inside of devices and back.
  void gather(AttentionOp op, const HeadCut &cut) {
    const auto sharding = op->getAttrOfType<ShardingAttr>(shardingAttrName);
    Operation *copy = again(op);
    copy->removeAttr(shardingAttrName);
    for (auto [result, out] : llvm::zip_equal(copy->getResults(), cast<AttentionOp>(copy).getOuts()))
      result.setType(out.getType());
    const Value own = copy->getResult(0);
    const auto type = cast<RankedTensorType>(op.getResult(0).getType());
    const Type element = type.getElementType();
    const SmallVector<OpFoldResult> sizes = BatchDims::sizesOf(builder, op.getResult(0));
    const int64_t ofDevice = cut.heads / cut.devices;
    const OpFoldResult heads = builder.getIndexAttr(ofDevice);
    const Value ownDevices = arith::DivUIOp::create(builder, loc, constant(cut.devices), ranks);
    auto shape = [&](ArrayRef<int64_t> front) {
      SmallVector<int64_t> all(front);
      all.append({ofDevice, type.getDimSize(2), type.getDimSize(3)});
      return RankedTensorType::get(all, element);
    };
    auto turned = [&](Value value, ArrayRef<OpFoldResult> outer) {
      const Value empty = tensor::EmptyOp::create(builder, loc, {outer[0], outer[1], heads, sizes[2], sizes[3]}, element);
      return linalg::TransposeOp::create(builder, loc, value, empty, {1, 0, 2, 3, 4}).getResult()[0];
    };
    const SmallVector<ReassociationIndices> byDevice = {{0}, {1, 2}, {3}, {4}}, byRow = {{0, 1, 2, 3}, {4}};
    const Value split = tensor::ExpandShapeOp::create(builder, loc, shape({type.getDimSize(0), ShapedType::kDynamic}), own, byDevice, {sizes[0], ownDevices, heads, sizes[2], sizes[3]});
    Value rows = tensor::CollapseShapeOp::create(builder, loc, turned(split, {ownDevices, sizes[0]}), byRow);
    const Value unit = times(arith::MulIOp::create(builder, loc, value(sizes[0]), value(sizes[2])), ofDevice);
    const auto rowsType = RankedTensorType::get({ShapedType::kDynamic, type.getDimSize(3)}, element);
    if (rows.getType() != rowsType)
      rows = tensor::CastOp::create(builder, loc, rowsType, rows);
    const Value all = AllGatherOp::create(builder, loc, rowsType, rows, times(unit, cut.devices), arith::MaxSIOp::create(builder, loc, unit, constant(1)),
                                          sharding.getMesh().getValue(), cut.devices);
    const OpFoldResult devices = builder.getIndexAttr(cut.devices);
    const auto outerType = shape({cut.devices, type.getDimSize(0)});
    const auto dynamicAll = RankedTensorType::get({outerType.hasStaticShape() ? outerType.getNumElements() / type.getDimSize(3) : ShapedType::kDynamic, type.getDimSize(3)}, element);
    const Value gathered = all.getType() == dynamicAll ? all : tensor::CastOp::create(builder, loc, dynamicAll, all).getResult();
    const Value apart = tensor::ExpandShapeOp::create(builder, loc, outerType, gathered, byRow, {devices, sizes[0], heads, sizes[2], sizes[3]});
    op.getResult(0).replaceAllUsesWith(tensor::CollapseShapeOp::create(builder, loc, type, turned(apart, {sizes[0], devices}), byDevice).getResult());
  }

  Value value(OpFoldResult size) { return getValueOrCreateConstantIndexOp(builder, loc, size); }

  Block &block;
  HeadCuts cuts;
  OpBuilder builder;
  Location loc;
  Value rank, ranks;
  llvm::DenseMap<Value, SmallVector<std::pair<HeadCut, Value>>> parts;
  llvm::DenseMap<std::pair<int64_t, int64_t>, Range> ranges;
};

struct DistributeHeads : impl::DistributeHeadsBase<DistributeHeads> {
  using Base::Base;

  void runOnOperation() override {
    llvm::SetVector<Block *> blocks;
    bool isValid = true;
    getOperation().walk([&](AttentionOp op) {
      if (auto sharding = op->getAttrOfType<ShardingAttr>(shardingAttrName)) {
        isValid &= succeeded(check(op, sharding));
        blocks.insert(op->getBlock());
      }
    });
    if (!isValid)
      return signalPassFailure();
    for (Block *block : blocks)
      HeadSplitter(*block).run();
  }

  LogicalResult check(AttentionOp op, ShardingAttr sharding) {
    if (!meshOf(op, sharding))
      return failure();
    std::string why;
    if (!canShareHeads(op, sharding.devices(), why))
      return op.emitError() << describeOp(op) << " has a sharding but its heads cannot be shared out: " << why;
    if (!isEvenSharding(sharding))
      return op.emitError() << describeOp(op) << ": expected the sharding of heads, slot d on device d of all " << sharding.devices() << ", found " << sharding;
    if (!isa<func::FuncOp>(op->getParentOp()))
      return op.emitError() << describeOp(op) << " has a sharding: expected it in the body of a function, found it in '" << op->getParentOp()->getName() << "'";
    return success();
  }
};

} // namespace
} // namespace moe
