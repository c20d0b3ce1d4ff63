// Obeys the sharding of dense products (the vocabulary head, projections of attention): one program for every rank. The columns of a device are what an expert
// is elsewhere: a range of slots of one moe.grouped_matmul, whose rows are all rows. So packing, memory maps and kernels know nothing new. Nothing is
// decided here. Before: a sharding in the moe.plan of each product that is to be shared out.
#include "moe/Distribute/Passes.h"
#include "moe/IR/Activations.h"
#include "moe/IR/Layers.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_DISTRIBUTECOLUMNS
#include "moe/Distribute/Passes.h.inc"

namespace {

/// Rewrites one product of M rows. Device d of D has the d-th of D equal ranges of columns, rank r of n the devices r·D/n …
class ColumnSplitter {
public:
  ColumnSplitter(linalg::MatmulOp op, PlanAttr plan, WeightOrder order)
      : op(op), plan(plan), sharding(plan.getSharding()), order(order), devices(sharding.devices()), builder(op), loc(op.getLoc()) {}

  void run() {
    const auto type = cast<RankedTensorType>(op.getResult(0).getType());
    columns = type.getDimSize(1) / devices;
    element = type.getElementType();
    tokens = tensor::DimOp::create(builder, loc, op.getInputs()[0], 0);
    const Value ranks = NumRanksOp::create(builder, loc);
    own = arith::DivUIOp::create(builder, loc, constant(devices), ranks);
    first = arith::MulIOp::create(builder, loc, RankOp::create(builder, loc), own);
    Value all = joined(gathered(product()));
    if (all.getType() != type)
      all = tensor::CastOp::create(builder, loc, type, all);
    op.getResult(0).replaceAllUsesWith(all);
    op.erase();
  }

private:
  Value constant(int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); }

  /// A list of i32 whose place `i` has `body(i)`.
  Value list(OpFoldResult size, llvm::function_ref<Value(OpBuilder &, Location, Value)> body) {
    const Value out = tensor::EmptyOp::create(builder, loc, ArrayRef(size), builder.getI32Type());
    const AffineMap map = builder.getMultiDimIdentityMap(1);
    return linalg::GenericOp::create(builder, loc, out.getType(), ValueRange(), out, map, utils::IteratorType::parallel,
                                     [&](OpBuilder &inner, Location place, ValueRange) {
                                       const Value number = body(inner, place, linalg::IndexOp::create(inner, place, 0));
                                       const Value narrow = arith::IndexCastOp::create(inner, place, inner.getI32Type(), number);
                                       linalg::YieldOp::create(inner, place, narrow);
                                     })
        .getResult(0);
  }

  /// This rank's columns of all rows, a device after the other: (D/n)·M rows.
  Value product() {
    const Value slots = arith::MulIOp::create(builder, loc, own, tokens);
    const Value rows = list(slots, [&](OpBuilder &inner, Location place, Value slot) { return arith::RemUIOp::create(inner, place, slot, tokens).getResult(); });
    const Value offsets = list(builder.getIndexAttr(devices + 1), [&](OpBuilder &inner, Location place, Value device) {
      const Value zero = arith::ConstantIndexOp::create(inner, place, 0);
      const Value before = arith::MaxSIOp::create(inner, place, arith::SubIOp::create(inner, place, device, first), zero);
      return arith::MulIOp::create(inner, place, arith::MinSIOp::create(inner, place, before, own), tokens).getResult();
    });
    const Value weight = op.getInputs()[1];
    const auto type = cast<RankedTensorType>(weight.getType());
    const bool outIn = order == WeightOrder::OutIn;
    SmallVector<int64_t> sizes = {devices, type.getDimSize(0), type.getDimSize(1)};
    sizes[outIn ? 1 : 2] = columns;
    const Value parts = PartExpertsOp::create(builder, loc, RankedTensorType::get(sizes, type.getElementType()), weight, devices, outIn ? 1 : 2, /*halves=*/false);
    const Value out = tensor::EmptyOp::create(builder, loc, {OpFoldResult(slots), builder.getIndexAttr(columns)}, element);
    return GroupedMatmulOp::create(builder, loc, out.getType(), roundActivations(builder, loc, op.getInputs()[0], plan), rows, offsets, parts, /*bias=*/Value(),
                                   /*up=*/Value(), /*up_bias=*/Value(), /*combine_rows=*/Value(), /*combine_weights=*/Value(), /*codebook=*/Value(), out,
                                   /*ffn=*/FfnAttr(), order, PackingFamily::Plain, /*columns=*/IntegerAttr(), /*origin=*/OriginAttr(), plan,
                                   /*blocks=*/BlocksAttr(), /*out_blocks=*/BlocksAttr())
        .getResult(0);
  }

  /// The columns of all devices: D·M rows. The share of a device is M of them, at least 1 where there are none.
  Value gathered(Value part) {
    const Value all = arith::MulIOp::create(builder, loc, constant(devices), tokens);
    const Value unit = arith::MaxSIOp::create(builder, loc, tokens, constant(1));
    return AllGatherOp::create(builder, loc, part.getType(), part, all, unit, sharding.getMesh().getValue(), devices);
  }

  /// D·M×N/D to M×N.
  Value joined(Value all) {
    const SmallVector<ReassociationIndices> split = {{0, 1}, {2}}, join = {{0}, {1, 2}};
    const auto byDevice = RankedTensorType::get({devices, ShapedType::kDynamic, columns}, element);
    const SmallVector<OpFoldResult> sizes = {builder.getIndexAttr(devices), OpFoldResult(tokens), builder.getIndexAttr(columns)};
    const Value blocks = tensor::ExpandShapeOp::create(builder, loc, byDevice, all, split, sizes);
    const Value out = tensor::EmptyOp::create(builder, loc, {sizes[1], sizes[0], sizes[2]}, element);
    const Value byRow = linalg::TransposeOp::create(builder, loc, blocks, out, {1, 0, 2}).getResult()[0];
    return tensor::CollapseShapeOp::create(builder, loc, byRow, join);
  }

  linalg::MatmulOp op;
  PlanAttr plan;
  ShardingAttr sharding;
  WeightOrder order;
  int64_t devices, columns = 0; ///< Columns of a device.
  Type element;
  OpBuilder builder;
  Location loc;
  Value tokens, own, first; ///< Rows; this rank's devices.
};

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
    if (!sharesColumns(sharding))
      return op.emitError() << describeOp(op) << ": expected the sharding of columns, slot d on device d of all " << sharding.devices() << ", found " << sharding;
    ColumnSplitter(op, plan, *weightOrderOf(op)).run();
    return success();
  }

  /// Is it the one way in which columns are shared out?
  static bool sharesColumns(ShardingAttr sharding) {
    const ArrayRef<int64_t> slots = sharding.getSlots().asArrayRef();
    return sharding.getEp() == sharding.devices() && llvm::equal(slots, llvm::seq<int64_t>(0, sharding.getEp()));
  }
};

} // namespace
} // namespace moe
