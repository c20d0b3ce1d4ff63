// Experts of a layer that moe.route_permute could not express: their two products become kernels on rows where they lie. Expects
// moe-fuse-route-permute before it, which takes all it can with gather and combine.
#include "RowSteps.h"
#include "moe/IR/Activations.h"
#include "moe/Fuse/Passes.h"
#include "moe/IR/Layers.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_FUSEEXPERTS
#include "moe/Fuse/Passes.h.inc"

namespace {

/// Writes the two products of one moe.experts before it.
class ProductBuilder {
public:
  ProductBuilder(ExpertsOp op, OpBuilder &builder) : op(op), builder(builder), loc(op.getLoc()) {}

  /// The value that replaces the result.
  Value build() {
    const auto type = cast<RankedTensorType>(op.getRows().getType());
    Value rows = op.getRows(), offset = op.getOffset();
    const bool padded = type.getRank() == 3;
    if (padded) {
      rows = tensor::CollapseShapeOp::create(builder, loc, rows, joined());
      offset = paddedOffsets();
    }
    const PlanAttr plan = op.getPlanAttr();
    RowRounder rounder(op, offset, builder);
    rows = roundActivations(builder, loc, rounder.round(rows, StepsPlace::Input), plan);
    // The first product rounds what the second reads; the result is what the graph had.
    Value hidden = op.getStepsAttr() ? steppedHidden(rounder, rows, offset)
                                     : product(rows, offset, op.getGate(), op.getGateBias(), op.getUp(), op.getUpBias(), op.getFfnAttr(), op.getOrder(), plan,
                                               activationElement(plan, type.getElementType()));
    // Kernels write f32 and bf16.
    const Type element = type.getElementType(), written = element.isF16() ? Type(builder.getF32Type()) : element;
    Value result = product(hidden, offset, op.getDown(), op.getDownBias(), Value(), Value(), FfnAttr(), op.orderOfDown(), secondPlan(), written);
    result = rounder.round(convertElements(builder, loc, result, element), StepsPlace::Result);
    if (padded)
      result = expand(result);
    const Type wanted = op.getResult().getType();
    return result.getType() == wanted ? result : tensor::CastOp::create(builder, loc, wanted, result).getResult();
  }

private:
  static SmallVector<ReassociationIndices> joined() { return {{0, 1}, {2}}; }

  Value product(Value rows, Value offset, Value weight, Value bias, Value up, Value upBias, FfnAttr ffn, WeightOrder order, PlanAttr plan,
                Type element) {
    int64_t columns = cast<ShapedType>(weight.getType()).getDimSize(order == WeightOrder::OutIn ? 1 : 2);
    if (ffn && isOneTensor(ffn.getGate()))
      columns /= 2;
    const SmallVector<OpFoldResult> sizes = {tensor::getMixedSize(builder, loc, rows, 0), builder.getIndexAttr(columns)};
    const Value out = tensor::EmptyOp::create(builder, loc, sizes, element);
    return GroupedMatmulOp::create(builder, loc, out.getType(), rows, /*rows=*/Value(), offset, weight, bias, up, upBias,
                                   /*combine_rows=*/Value(), /*combine_weights=*/Value(), /*codebook=*/Value(), out, ffn, order, PackingFamily::Plain,
                                   /*columns=*/IntegerAttr(), op.getOriginAttr(), plan, /*blocks=*/BlocksAttr(), /*out_blocks=*/BlocksAttr())
        .getResults()[0];
  }

  /// What the second product reads where rows are rounded on the way: loops between the products say what no epilogue does.
  Value steppedHidden(RowRounder &rounder, Value rows, Value offset) {
    const Type f32 = builder.getF32Type();
    Value hidden;
    if (op.stepsAt(StepsPlace::Gate) || op.stepsAt(StepsPlace::Up)) {
      auto first = [&](Value weight, Value bias, StepsPlace place) {
        return rounder.round(product(rows, offset, weight, bias, Value(), Value(), FfnAttr(), op.getOrder(), secondPlan(), f32), place);
      };
      Value gate = first(op.getGate(), op.getGateBias(), StepsPlace::Gate);
      Value up = op.getUp() ? first(op.getUp(), op.getUpBias(), StepsPlace::Up) : Value();
      hidden = rounder.activate(gate, up);
    } else {
      hidden = product(rows, offset, op.getGate(), op.getGateBias(), op.getUp(), op.getUpBias(), op.getFfnAttr(), op.getOrder(), op.getPlanAttr(), f32);
    }
    return roundActivations(builder, loc, rounder.round(hidden, StepsPlace::Hidden), op.getPlanAttr());
  }

  /// offset[e] = e·C: every slot of a padded expert is a row.
  Value paddedOffsets() {
    const Value capacity = getValueOrCreateConstantIndexOp(builder, loc, tensor::getMixedSize(builder, loc, op.getRows(), 1));
    const OpFoldResult count = tensor::getMixedSize(builder, loc, op.getOffset(), 0);
    const Type i32 = builder.getI32Type();
    const Value out = tensor::EmptyOp::create(builder, loc, {count}, i32);
    return linalg::GenericOp::create(builder, loc, TypeRange{out.getType()}, ValueRange(), ValueRange{out},
                                     ArrayRef<AffineMap>{builder.getMultiDimIdentityMap(1)},
                                     ArrayRef<utils::IteratorType>{utils::IteratorType::parallel},
                                     [&](OpBuilder &body, Location place, ValueRange) {
                                       Value expert = linalg::IndexOp::create(body, place, 0);
                                       Value first = arith::MulIOp::create(body, place, expert, capacity);
                                       Value narrow = arith::IndexCastOp::create(body, place, i32, first);
                                       linalg::YieldOp::create(body, place, narrow);
                                     })
        .getResult(0);
  }

  Value expand(Value result) {
    const SmallVector<OpFoldResult> sizes = {tensor::getMixedSize(builder, loc, op.getRows(), 0),
                                             tensor::getMixedSize(builder, loc, op.getRows(), 1),
                                             tensor::getMixedSize(builder, loc, result, 1)};
    SmallVector<int64_t> shape;
    SmallVector<Value> dynamic;
    dispatchIndexOpFoldResults(sizes, dynamic, shape);
    const auto type = RankedTensorType::get(shape, cast<RankedTensorType>(result.getType()).getElementType());
    return tensor::ExpandShapeOp::create(builder, loc, type, result, joined(), sizes);
  }

  /// The plan of experts speaks of their first product; gate and up pairs are no matter of the second.
  PlanAttr secondPlan() {
    PlanAttr plan = op.getPlanAttr();
    if (!plan || plan.getPacking() != PackingFamily::GateUp16)
      return plan;
    return PlanAttr::get(builder.getContext(), PackingFamily::Panel32, plan.getActivations(), plan.getSharding());
  }

  ExpertsOp op;
  OpBuilder &builder;
  Location loc;
};

struct FuseExperts : impl::FuseExpertsBase<FuseExperts> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<ExpertsOp> ops;
    getOperation().walk([&](ExpertsOp op) {
      if (op.getFfn())
        ops.push_back(op);
    });
    for (ExpertsOp op : ops) {
      if (!llvm::all_of(ValueRange{op.getGate(), op.getDown()},
                        [](Value weight) { return cast<ShapedType>(weight.getType()).hasStaticShape(); })) {
        op.emitRemark() << "the experts are not fused: their weights have dynamic sizes";
        continue;
      }
      OpBuilder builder(op);
      op.getResult().replaceAllUsesWith(ProductBuilder(op, builder).build());
      op.erase();
    }
  }
};

} // namespace
} // namespace moe
