// See ColumnSplitter.h. The columns of a device are what an expert is elsewhere: a range of slots of one moe.grouped_matmul, whose rows are all rows. So
// packing, memory maps and kernels know nothing new, and a column is summed as without.
#include "ColumnSplitter.h"

#include "moe/IR/Activations.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"

#include "llvm/ADT/Sequence.h"

using namespace mlir;

namespace moe {

bool isEvenSharding(ShardingAttr sharding) {
  const ArrayRef<int64_t> slots = sharding.getSlots().asArrayRef();
  return sharding.getEp() == sharding.devices() && llvm::equal(slots, llvm::seq<int64_t>(0, sharding.getEp()));
}

ColumnSplitter::ColumnSplitter(linalg::MatmulOp op, PlanAttr plan, WeightOrder order)
    : op(op), plan(plan), sharding(plan.getSharding()), order(order), devices(sharding.devices()), builder(op), loc(op.getLoc()) {
  const auto type = cast<RankedTensorType>(op.getResult(0).getType());
  columns = type.getDimSize(1) / devices;
  element = type.getElementType();
  tokens = tensor::DimOp::create(builder, loc, op.getInputs()[0], 0);
  const Value ranks = NumRanksOp::create(builder, loc);
  ownDevices = arith::DivUIOp::create(builder, loc, constant(devices), ranks);
  first = arith::MulIOp::create(builder, loc, RankOp::create(builder, loc), ownDevices);
}

Value ColumnSplitter::own() { return joined(product(), ownDevices); }

Value ColumnSplitter::all() {
  const Type type = op.getResult(0).getType();
  const Value all = joined(gathered(product()), builder.getIndexAttr(devices));
  return all.getType() == type ? all : tensor::CastOp::create(builder, loc, type, all).getResult();
}

Value ColumnSplitter::constant(int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); }

/// A list of i32 whose place `i` has `body(i)`.
Value ColumnSplitter::list(OpFoldResult size, llvm::function_ref<Value(OpBuilder &, Location, Value)> body) {
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
Value ColumnSplitter::product() {
  const Value slots = arith::MulIOp::create(builder, loc, ownDevices, tokens);
  const Value rows = list(slots, [&](OpBuilder &inner, Location place, Value slot) { return arith::RemUIOp::create(inner, place, slot, tokens).getResult(); });
  const Value offsets = list(builder.getIndexAttr(devices + 1), [&](OpBuilder &inner, Location place, Value device) {
    const Value zero = arith::ConstantIndexOp::create(inner, place, 0);
    const Value before = arith::MaxSIOp::create(inner, place, arith::SubIOp::create(inner, place, device, first), zero);
    return arith::MulIOp::create(inner, place, arith::MinSIOp::create(inner, place, before, ownDevices), tokens).getResult();
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
Value ColumnSplitter::gathered(Value part) {
  const Value all = arith::MulIOp::create(builder, loc, constant(devices), tokens);
  const Value unit = arith::MaxSIOp::create(builder, loc, tokens, constant(1));
  return AllGatherOp::create(builder, loc, part.getType(), part, all, unit, sharding.getMesh().getValue(), devices);
}

/// The columns of `count` devices, one after the other, c·M×N/D, side by side: M×c·N/D.
Value ColumnSplitter::joined(Value parts, OpFoldResult count) {
  const SmallVector<ReassociationIndices> split = {{0, 1}, {2}}, join = {{0}, {1, 2}};
  const auto byDevice = RankedTensorType::get({isa<Attribute>(count) ? devices : ShapedType::kDynamic, ShapedType::kDynamic, columns}, element);
  const SmallVector<OpFoldResult> sizes = {count, OpFoldResult(tokens), builder.getIndexAttr(columns)};
  const Value blocks = tensor::ExpandShapeOp::create(builder, loc, byDevice, parts, split, sizes);
  const Value out = tensor::EmptyOp::create(builder, loc, {sizes[1], sizes[0], sizes[2]}, element);
  const Value byRow = linalg::TransposeOp::create(builder, loc, blocks, out, {1, 0, 2}).getResult()[0];
  return tensor::CollapseShapeOp::create(builder, loc, byRow, join);
}

} // namespace moe
