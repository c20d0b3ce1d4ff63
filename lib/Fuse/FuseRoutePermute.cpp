// Turns the chain of a dropless layer into the three kernels that compute it, or, where its rows go to other ranks, its routing into the first. Nothing is decided here: the plan of the experts goes along.
// Before: the form that raise leaves, with plans. Ops of a layer that does not fit are left as they are, for moe-verify-fused to name.
#include "moe/IR/Activations.h"
#include "LayerChain.h"
#include "moe/Fuse/Passes.h"
#include "moe/IR/Layers.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_FUSEROUTEPERMUTE
#include "moe/Fuse/Passes.h.inc"

namespace {

/// Writes the kernels of one layer before its moe.combine.
class KernelBuilder {
public:
  KernelBuilder(LayerChain chain, OpBuilder &builder) : chain(std::move(chain)), builder(builder) {
    const Value source = this->chain.assign ? Value(this->chain.assign.getIndices()) : Value(this->chain.select.getChoice());
    tokens = cast<ShapedType>(source.getType()).getDimSize(0);
    slots = ShapedType::isDynamic(tokens) ? ShapedType::kDynamic : tokens * this->chain.k;
  }

  /// The values that replace the results of moe.slot_rows.
  SmallVector<Value> buildRows() {
    RoutePermuteOp route = buildRoute();
    SmallVector<Value> values;
    for (auto [result, type] : llvm::zip_first(route.getResults().take_front(3), chain.rows->getResultTypes()))
      values.push_back(result.getType() == type ? Value(result) : tensor::CastOp::create(builder, chain.rows.getLoc(), type, result).getResult());
    return values;
  }

  /// The value that replaces the result of moe.combine.
  Value build() {
    RoutePermuteOp route = buildRoute();
    GroupedMatmulOp first = buildFirst(route);
    return buildSecond(route, first.getResults()[0]);
  }

private:
  RoutePermuteOp buildRoute() {
    const Location loc = chain.slots.getLoc();
    const int64_t experts = chain.slots.getExperts();
    slotCount = ShapedType::isDynamic(slots) ? slotCountValue(loc) : Value();
    SmallVector<Value> outs = {empty(loc, {slots}, builder.getI32Type(), slotCount), empty(loc, {slots}, builder.getF32Type(), slotCount),
                               empty(loc, {experts + 1}, builder.getI32Type(), Value())};
    if (!chain.isGiven()) { // The kernel's scratch: what it selects, in the order of tokens.
      outs.push_back(empty(loc, {slots}, builder.getI32Type(), slotCount));
      outs.push_back(empty(loc, {slots}, builder.getF32Type(), slotCount));
    }
    const SmallVector<Type> types(ValueRange(outs).getTypes());
    const Value logits = chain.isGiven() ? Value() : Value(chain.score.getLogits());
    const Value indices = chain.isGiven() ? indexMatrix(loc) : Value();
    const Value weights = chain.isGiven() ? weightMatrix(loc) : Value();
    return RoutePermuteOp::create(builder, loc, types, logits, indices, weights, outs, experts, chain.router);
  }

  GroupedMatmulOp buildFirst(RoutePermuteOp route) {
    ExpertsOp op = chain.experts;
    const Location loc = op.getLoc();
    const bool outIn = op.getOrder() == WeightOrder::OutIn;
    int64_t columns = op.getGate().getType().getDimSize(outIn ? 1 : 2);
    if (isOneTensor(op.getFfn()->getGate()))
      columns /= 2;
    // The first product rounds what the second reads.
    const Value rows = roundActivations(builder, loc, chain.dispatch.getX(), op.getPlanAttr());
    const Value out = empty(loc, {slots, columns}, cast<ShapedType>(rows.getType()).getElementType(), slotCount);
    return GroupedMatmulOp::create(builder, loc, out.getType(), rows, route.getResults()[0], route.getResults()[2],
                                   op.getGate(), op.getGateBias(), op.getUp(), op.getUpBias(), /*combine_rows=*/Value(),
                                   /*combine_weights=*/Value(), /*codebook=*/Value(), out, op.getFfnAttr(), op.getOrder(), PackingFamily::Plain,
                                   /*columns=*/IntegerAttr(), op.getOriginAttr(), op.getPlanAttr(), /*blocks=*/BlocksAttr(), /*out_blocks=*/BlocksAttr());
  }

  Value buildSecond(RoutePermuteOp route, Value hidden) {
    ExpertsOp op = chain.experts;
    const Location loc = chain.combine.getLoc();
    auto resultType = chain.combine.getResult().getType();
    const int64_t columns = op.getDown().getType().getDimSize(op.orderOfDown() == WeightOrder::OutIn ? 1 : 2);
    const int64_t rows = resultType.getDimSize(0);
    // Sums over the experts of a token are f32, rounded once.
    const Value out = empty(loc, {rows, columns}, builder.getF32Type(),
                            ShapedType::isDynamic(rows) ? Value(chain.combine.getTokens()) : Value());
    auto product = GroupedMatmulOp::create(builder, loc, out.getType(), hidden, /*rows=*/Value(), route.getResults()[2], op.getDown(),
                                           op.getDownBias(), /*up=*/Value(), /*up_bias=*/Value(), route.getResults()[0],
                                           route.getResults()[1], /*codebook=*/Value(), out, /*ffn=*/FfnAttr(), op.orderOfDown(), PackingFamily::Plain,
                                           /*columns=*/IntegerAttr(), op.getOriginAttr(), secondPlan(), /*blocks=*/BlocksAttr(), /*out_blocks=*/BlocksAttr());
    const Value result = convertElements(builder, loc, product.getResults()[0], resultType.getElementType());
    return result.getType() == resultType ? result : tensor::CastOp::create(builder, loc, resultType, result).getResult();
  }

  /// The plan of experts speaks of their first product; gate and up pairs are no matter of the second.
  PlanAttr secondPlan() {
    PlanAttr plan = chain.experts.getPlanAttr();
    if (!plan || plan.getPacking() != PackingFamily::GateUp16)
      return plan;
    return PlanAttr::get(builder.getContext(), PackingFamily::Panel32, plan.getActivations());
  }

  Value slotCountValue(Location loc) {
    const Value count = chain.tokens();
    if (chain.k == 1)
      return count;
    return arith::MulIOp::create(builder, loc, count, arith::ConstantIndexOp::create(builder, loc, chain.k));
  }

  /// An uninitialised tensor; `size` is its only dynamic dim.
  Value empty(Location loc, ArrayRef<int64_t> shape, Type element, Value size) {
    const bool dynamic = ShapedType::isDynamicShape(shape);
    return tensor::EmptyOp::create(builder, loc, shape, element, dynamic ? ValueRange(size) : ValueRange());
  }

  /// The T×K indices of experts.
  Value indexMatrix(Location loc) {
    return chain.assign ? Value(chain.assign.getIndices()) : choiceMatrix(loc, chain.select.getExpert(), builder.getI32Type());
  }

  /// The T×K matrix behind the weights that a graph computed.
  Value weightMatrix(Location loc) { return choiceMatrix(loc, chain.weights(), builder.getF32Type()); }

  /// A list of one `element` per choice as a T×K matrix.
  Value choiceMatrix(Location loc, Value list, Type element) {
    const auto type = RankedTensorType::get({tokens, chain.k}, element);
    if (auto collapse = list.getDefiningOp<tensor::CollapseShapeOp>(); collapse && collapse.getSrcType() == type)
      return collapse.getSrc();
    const auto vector = RankedTensorType::get({slots}, element);
    const Value source = list.getType() == vector ? list : tensor::CastOp::create(builder, loc, vector, list).getResult();
    const OpFoldResult rows = ShapedType::isDynamic(tokens) ? OpFoldResult(chain.tokens()) : builder.getIndexAttr(tokens);
    const SmallVector<ReassociationIndices> both = {{0, 1}};
    return tensor::ExpandShapeOp::create(builder, loc, type, source, both, {rows, builder.getIndexAttr(chain.k)});
  }

  LayerChain chain;
  OpBuilder &builder;
  int64_t tokens, slots;
  Value slotCount;
};

struct FuseRoutePermute : impl::FuseRoutePermuteBase<FuseRoutePermute> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<Operation *> ends;
    getOperation().walk([&](Operation *op) {
      if (isa<CombineOp, SlotRowsOp>(op))
        ends.push_back(op);
    });
    for (Operation *end : ends) {
      std::string why;
      FailureOr<LayerChain> chain = matchLayerChain(end, why);
      if (failed(chain)) {
        end->emitRemark() << "the layer is not fused: " << why;
        continue;
      }
      OpBuilder builder(end);
      KernelBuilder kernels(*chain, builder);
      if (chain->combine) {
        end->replaceAllUsesWith(ValueRange(kernels.build()));
      } else {
        // Sums of a layer whose kernels route are those of its kernels.
        auto markSums = [](Value rows) {
          for (Operation *user : rows.getUsers())
            if (auto sum = dyn_cast<SumRowsOp>(user))
              sum.setFused(true);
        };
        markSums(chain->rows.getRows());
        for (Operation *user : chain->rows.getRows().getUsers())
          if (auto parts = dyn_cast<PartSlotsOp>(user))
            markSums(parts.getPartRows());
        end->replaceAllUsesWith(kernels.buildRows());
      }
      for (Operation *op : chain->opsFromTheEnd())
        op->erase();
    }
  }
};

} // namespace
} // namespace moe
