// moe-cuda-split-products: products keep plain weights, and the combine becomes an op of its own. Runs on tensors between fuse and lower, so that the
// rows between the product and the sum have their place in the arena.
#include "moe/Codegen/CUDA/Passes.h"

#include "moe/IR/MoeDialect.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_CUDASPLITPRODUCTS
#include "moe/Codegen/CUDA/Passes.h.inc"

namespace {

Value emptyLike(OpBuilder &b, Location loc, Value rows, int64_t rowsDim, ArrayRef<int64_t> otherSizes, Type element) {
  SmallVector<OpFoldResult> sizes = {tensor::getMixedSize(b, loc, rows, rowsDim)};
  for (int64_t size : otherSizes)
    sizes.push_back(b.getIndexAttr(size));
  return tensor::EmptyOp::create(b, loc, sizes, element);
}

/// The out of a routing that says where each token's slots are, added to it if it has none.
Value placesOf(RoutePermuteOp &route) {
  const size_t without = route.getLogits() ? 5 : 3;
  if (route.getOuts().size() > without)
    return route.getResults().back();
  OpBuilder b(route);
  const Location loc = route.getLoc();
  SmallVector<Value> outs(route.getOuts());
  outs.push_back(emptyLike(b, loc, outs[0], 0, {}, b.getI32Type()));
  SmallVector<Type> types(ValueRange(outs).getTypes());
  auto wider = RoutePermuteOp::create(b, loc, types, route.getLogits(), route.getIndices(), route.getWeights(), outs, route.getExpertsAttr(),
                                      route.getRouterAttr());
  route.replaceAllUsesWith(wider.getResults().drop_back());
  route.erase();
  route = wider;
  return route.getResults().back();
}

struct CudaSplitProducts : impl::CudaSplitProductsBase<CudaSplitProducts> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<GroupedMatmulOp> products;
    getOperation().walk([&](GroupedMatmulOp op) { products.push_back(op); });
    for (GroupedMatmulOp op : products) {
      if (failed(plan(op)))
        return signalPassFailure();
      if (op.getCombineRows() && failed(split(op)))
        return signalPassFailure();
    }
  }

private:
  /// A quantised weight is packed in panels, which kernels unpack in registers; others stay as they are stored.
  LogicalResult plan(GroupedMatmulOp op) {
    auto dequant = op.getWeight().getDefiningOp<DequantOp>();
    op.removePlanAttr();
    if (!dequant)
      return success();
    if (dequant.getFormat().getFormat() == QuantFormat::TernaryDict)
      return op.emitOpError() << "has a weight of ternary_dict; CUDA kernels unpack the other quantised formats so far";
    const bool isGated = op.getFfn() && op.getFfn()->getGate() != GateLayout::None;
    op.setPlanAttr(PlanAttr::get(op.getContext(), isGated ? PackingFamily::GateUp16 : PackingFamily::Panel32, "f32"));
    return success();
  }

  LogicalResult split(GroupedMatmulOp op) {
    auto route = op.getCombineRows().getDefiningOp<RoutePermuteOp>();
    if (!route || op.getCombineRows() != route.getResult(0) || op.getCombineWeights() != route.getResult(1))
      return op.emitOpError() << "combines slots that are not those of one moe.route_permute; CUDA kernels need its places";
    Value places = placesOf(route);
    OpBuilder b(op);
    const Location loc = op.getLoc();
    const Value out = op.getOuts()[0];
    const auto type = cast<RankedTensorType>(out.getType());
    if (type.isDynamicDim(1))
      return op.emitOpError() << "has a dynamic number of columns, " << type;
    // f32, whatever the model's type: the sum is then rounded once.
    Value rows = emptyLike(b, loc, op.getCombineRows(), 0, {type.getDimSize(1)}, b.getF32Type());
    op.getCombineRowsMutable().clear();
    op.getCombineWeightsMutable().clear();
    auto product = cast<GroupedMatmulOp>(b.clone(*op));
    product.getOutsMutable().assign(rows);
    product.getResult(0).setType(cast<RankedTensorType>(rows.getType()));
    auto sum = SumSlotsOp::create(b, loc, TypeRange{type}, product.getResult(0), places, route.getResult(1), ValueRange{out});
    op.replaceAllUsesWith(sum.getResults());
    op.erase();
    return success();
  }
};

} // namespace
} // namespace moe
