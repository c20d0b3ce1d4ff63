// Obeys the batch split of a function: what lies between its sharded layers is computed by each rank for its own sequences. A value has its first form, of
// all sequences, and where that is known to be of use a second, this rank's part of it along the dim of sequences: always exactly that part, so that
// any op may read either form. Ops that treat sequences apart are written again on parts; others keep all, for which parts that took work are
// gathered. What nobody reads in the end is erased. Before: moe-distribute-experts.
#include "BatchDims.h"
#include "moe/Distribute/Passes.h"
#include "moe/IR/Layers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_DISTRIBUTEBATCH
#include "moe/Distribute/Passes.h.inc"

namespace {

/// Is the op itself worth being computed for a part of the sequences, and what it gives worth being gathered?
bool isWork(Operation *op) {
  if (isa<AttentionOp, AllGatherOp, SumRowsOp, CombineOp, ExpertsOp>(op))
    return true;
  auto loop = dyn_cast<linalg::LinalgOp>(op);
  return loop && linalg::isaContractionOpInterface(loop);
}

class BatchSplitter {
public:
  BatchSplitter(func::FuncOp function, BatchSplitAttr split, ArrayRef<BlockArgument> inputs)
      : function(function), split(split), dims(inputs), builder(OpBuilder::atBlockBegin(&function.getBody().front())), loc(function.getLoc()) {
    const Value all = tensor::DimOp::create(builder, loc, inputs.front(), 0);
    const Value devices = constant(split.getDevices());
    one = constant(1);
    // Rank r has devices r·D/n …, device d the sequences d·⌈B/D⌉ …
    const Value ofRank = arith::DivUIOp::create(builder, loc, devices, NumRanksOp::create(builder, loc));
    const Value share = arith::MulIOp::create(builder, loc, arith::CeilDivUIOp::create(builder, loc, all, devices), ofRank);
    first = arith::MinSIOp::create(builder, loc, arith::MulIOp::create(builder, loc, share, RankOp::create(builder, loc)), all);
    count = arith::MinSIOp::create(builder, loc, arith::MinSIOp::create(builder, loc, share, arith::SubIOp::create(builder, loc, all, first)), all);
  }

  void run() {
    SmallVector<Operation *> ops;
    for (Operation &op : function.getBody().front())
      ops.push_back(&op);
    for (Operation *op : ops) {
      dims.visit(op);
      builder.setInsertionPoint(op);
      rewrite(op);
    }
    for (Operation *op : llvm::reverse(ops))
      if (isOpTriviallyDead(op) || (isa<AllGatherOp>(op) && op->use_empty()))
        op->erase();
  }

private:
  Value constant(int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); }
  Value times(Value count, Value unit) { return unit ? arith::MulIOp::create(builder, loc, count, unit).getResult() : count; }

  /// This rank's part of a tensor that has a dim of sequences.
  Value partOf(Value whole) {
    if (Value known = parts.lookup(whole))
      return known;
    return parts[whole] = slice(whole, *dims.of(whole));
  }

  Value slice(Value whole, BatchDim batch) {
    SmallVector<OpFoldResult> sizes = BatchDims::sizesOf(builder, whole);
    SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0)), strides(sizes.size(), builder.getIndexAttr(1));
    offsets[batch.dim] = times(first, batch.unit);
    sizes[batch.dim] = times(count, batch.unit);
    return tensor::ExtractSliceOp::create(builder, loc, cast<RankedTensorType>(whole.getType()), whole, offsets, sizes, strides);
  }

  /// All sequences of a value that took work: its parts, gathered; the value itself where rows of its type are not exchanged.
  Value wholeOf(Value value) {
    const std::optional<BatchDim> batch = dims.of(value);
    const auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!batch || !worked.contains(value) || !parts.contains(value))
      return value;
    if (Value known = gathered.lookup(value))
      return known;
    const Type element = type.getElementType();
    if (!element.isF32() && !element.isF16() && !element.isBF16() && !element.isInteger(32) && !element.isInteger(64))
      return value;
    for (int64_t dim = 0; dim < batch->dim; ++dim)
      if (type.getDimSize(dim) != 1)
        return value;
    return gathered[value] = gather(value, *batch);
  }

  Value gather(Value value, BatchDim batch) {
    const auto type = cast<RankedTensorType>(value.getType());
    const int64_t rank = type.getRank(), rowDims = std::max(batch.dim + 1, rank - 1);
    const SmallVector<OpFoldResult> sizes = BatchDims::sizesOf(builder, value);
    Value tokens, unit = batch.unit;
    for (int64_t dim = 0; dim < rowDims; ++dim) {
      const Value size = getValueOrCreateConstantIndexOp(builder, loc, sizes[dim]);
      tokens = tokens ? arith::MulIOp::create(builder, loc, tokens, size).getResult() : size;
      if (dim > batch.dim)
        unit = unit ? arith::MulIOp::create(builder, loc, unit, size).getResult() : size;
    }
    // Rows are all but the last dim.
    SmallVector<ReassociationIndices> groups(1);
    for (int64_t dim = 0; dim < rank; ++dim) {
      if (dim == rowDims)
        groups.emplace_back();
      groups.back().push_back(dim);
    }
    Value rows = partOf(value);
    if (rank > static_cast<int64_t>(groups.size()))
      rows = tensor::CollapseShapeOp::create(builder, loc, rows, groups);
    const bool isList = groups.size() == 1;
    const SmallVector<ReassociationIndices> columns = {{0, 1}};
    if (isList) {
      const auto list = cast<RankedTensorType>(rows.getType());
      rows = tensor::ExpandShapeOp::create(builder, loc, RankedTensorType::get({list.getDimSize(0), 1}, list.getElementType()), rows, columns,
                                           {tensor::getMixedSize(builder, loc, rows, 0), builder.getIndexAttr(1)});
    }
    Value all = AllGatherOp::create(builder, loc, rows.getType(), rows, tokens, unit, split.getMesh().getValue(), split.getDevices());
    if (isList)
      all = tensor::CollapseShapeOp::create(builder, loc, all, columns);
    if (rank > static_cast<int64_t>(groups.size()))
      all = tensor::ExpandShapeOp::create(builder, loc, type, all, groups, sizes);
    return all;
  }

  void rewrite(Operation *op) {
    if (op->getNumResults() == 1 && op->getResult(0).getType().isIndex())
      return;
    auto readsWork = [&](Value value) { return worked.contains(value); };
    const bool isWorked = isWork(op) || llvm::any_of(op->getOperands(), readsWork);
    if (auto all = dyn_cast<AllGatherOp>(op))
      return takeShares(all);
    if (auto take = dyn_cast<TakeRowsOp>(op); take && takeOwn(take))
      return;
    if (dims.keepsApart(op)) {
      IRMapping mapping;
      for (Value operand : op->getOperands())
        mapping.map(operand, partOfOperand(operand));
      forEachCaptured(op, [&](Value value) { mapping.map(value, wholeOf(value)); });
      Operation *copy = builder.clone(*op, mapping);
      for (auto [whole, part] : llvm::zip_equal(op->getResults(), copy->getResults())) {
        parts[whole] = part;
        if (isWorked)
          worked.insert(whole);
      }
      return;
    }
    for (OpOperand &operand : op->getOpOperands())
      operand.set(wholeOf(operand.get()));
    llvm::DenseMap<Value, Value> replaced;
    forEachCaptured(op, [&](Value value) { replaced[value] = wholeOf(value); });
    for (auto [value, whole] : replaced)
      value.replaceUsesWithIf(whole, [op = op](OpOperand &use) { return op->isProperAncestor(use.getOwner()); });
    if (isWorked) // Its result is whole: a part of it is cut out on demand.
      for (Value result : op->getResults())
        worked.insert(result);
  }

  Value partOfOperand(Value operand) {
    Value unit;
    if (dims.of(operand))
      return partOf(operand);
    return dims.isMultiple(operand, unit) ? times(count, unit) : operand;
  }

  /// Values from outside that the regions of `op` read.
  void forEachCaptured(Operation *op, llvm::function_ref<void(Value)> body) {
    for (Region &region : op->getRegions())
      region.walk([&](Operation *inner) {
        for (Value operand : inner->getOperands())
          if (!op->isAncestor(operand.getParentBlock()->getParentOp()) && isa<RankedTensorType>(operand.getType()))
            body(operand);
      });
  }

  /// Shares of a layer become shares of sequences; what this rank has added up is its part of all.
  void takeShares(AllGatherOp op) {
    const std::optional<BatchDim> batch = dims.of(op.getRows());
    if (!batch || batch->dim != 0 || op.getTokens() || op.getGroup() != split.getMesh().getValue())
      return;
    auto last = op.getRows().getDefiningOp<SumRowsOp>();
    const Value unit = batch->unit ? batch->unit : one;
    for (SumRowsOp sum = last; sum; sum = sum.getInto() ? sum.getInto().getDefiningOp<SumRowsOp>() : SumRowsOp())
      share(sum, unit);
    op.getUnitMutable().assign(unit);
    builder.setInsertionPoint(op);
    parts[op.getResult()] = slice(op.getRows(), *batch);
    worked.insert(op.getResult());
    gathered[op.getResult()] = op.getResult();
  }

  void share(SumRowsOp sum, Value unit) {
    sum.getUnitMutable().assign(unit);
    if (auto shard = sum.getSendSlot().getDefiningOp<ShardSlotsOp>())
      shard.getUnitMutable().assign(unit);
  }

  /// Rows that a layer sends are this rank's.
  bool takeOwn(TakeRowsOp op) {
    const std::optional<BatchDim> batch = dims.of(op.getX());
    auto shard = op.getIndex().getDefiningOp<ShardSlotsOp>();
    if (!batch || batch->dim != 0 || !shard || shard.getSendToken() != op.getIndex() || op.getFirst() ||
        shard.getSharding().getMesh() != split.getMesh())
      return false;
    const Value part = partOf(op.getX());
    op.getXMutable().assign(part);
    op.getFirstMutable().assign(times(first, batch->unit));
    return true;
  }

  func::FuncOp function;
  BatchSplitAttr split;
  BatchDims dims;
  OpBuilder builder;
  Location loc;
  Value first, count, one; ///< This rank's sequences.
  llvm::DenseMap<Value, Value> parts, gathered;
  llvm::DenseSet<Value> worked;
};

struct DistributeBatch : impl::DistributeBatchBase<DistributeBatch> {
  using Base::Base;

  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (auto split = function->getAttrOfType<BatchSplitAttr>(batchSplitAttrName))
        if (failed(distribute(function, split)))
          return signalPassFailure();
  }

  LogicalResult distribute(func::FuncOp function, BatchSplitAttr split) {
    auto mesh = getOperation().lookupSymbol<MeshOp>(split.getMesh().getAttr());
    if (!mesh)
      return function.emitError() << "function '" << function.getName() << "' has a batch split: expected a moe.mesh named " << split.getMesh() << ", found none";
    if (mesh.devices() != split.getDevices())
      return function.emitError() << "function '" << function.getName() << "': expected a batch split over the " << mesh.devices() << " devices of "
                                  << split.getMesh() << ", found one over " << split.getDevices();
    const SmallVector<BlockArgument> inputs = sequenceInputs(function);
    if (inputs.empty())
      return function.emitError() << "function '" << function.getName() << "' has a batch split: expected an input whose first dim is dynamic, found none";
    BatchSplitter(function, split, inputs).run();
    return success();
  }
};

} // namespace
} // namespace moe
