// Tokens that are routed must be rows that exist, and experts that are given must be experts: with dynamic dims the types of a chain cannot say it, and a kernel that trusted them would
// read behind its input. One pass for all export forms and for hand-written chains, after the layers are found.
#include "moe/IR/MoeDialect.h"
#include "moe/Raise/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_RAISECHECKROWS
#include "moe/Raise/Passes.h.inc"

namespace {

/// The logits behind scores, which have their sizes: a chain whose ops have uses elsewhere would not be fused.
Value behindScore(Value value) {
  auto score = value.getDefiningOp<ScoreOp>();
  return score ? score.getLogits() : value;
}

/// What an assignment list is made from: scores, expert ids or token ids, with one row per token.
Value routingOf(Value token) {
  Operation *op = token.getDefiningOp();
  if (auto assign = dyn_cast_or_null<AssignOp>(op))
    return assign.getIndices();
  auto select = dyn_cast_or_null<SelectOp>(op);
  if (!select)
    return {};
  return select.getChoice() ? behindScore(select.getChoice()) : select.getIds();
}

/// Does an op give every row of its first operand a row of its own, in place?
bool keepsRows(Operation *op) {
  if (auto generic = dyn_cast<linalg::GenericOp>(op))
    return generic.getNumDpsInputs() > 0 && generic.getNumParallelLoops() == generic.getNumLoops() &&
           llvm::all_of(generic.getIndexingMapsArray(), [](AffineMap map) { return map.getNumResults() < 2 || map.isIdentity(); });
  return isa<tensor::CastOp>(op) || (op->hasTrait<OpTrait::Elementwise>() && op->getNumOperands() > 0);
}

/// Are these the rows of a moe.dispatch with these offsets? They then are within the rows, in order.
bool areDispatched(Value rows, Value offset) {
  while (Operation *op = rows.getDefiningOp()) {
    if (auto dispatch = dyn_cast<DispatchOp>(op))
      return dispatch.getOffset() == offset;
    if (!keepsRows(op))
      return false;
    rows = op->getOperand(0);
  }
  return false;
}

/// The assignments per token, if every token has as many.
std::optional<int64_t> assignmentsPerToken(Value token) {
  Operation *op = token.getDefiningOp();
  if (auto assign = dyn_cast_or_null<AssignOp>(op)) {
    const int64_t k = assign.getIndices().getType().getDimSize(1);
    return ShapedType::isDynamic(k) ? std::nullopt : std::optional(k);
  }
  auto select = dyn_cast_or_null<SelectOp>(op);
  if (select && select.getMode() == SelectMode::TopK && select.getSide() == SelectSide::Token)
    return static_cast<int64_t>(select.getK());
  return std::nullopt;
}

struct RaiseCheckRows : impl::RaiseCheckRowsBase<RaiseCheckRows> {
  using Base::Base;

  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function.isDeclaration())
        continue;
      // Conditions are the entry's own: an op in a region is run under sizes that are known there only.
      for (Operation &op : llvm::make_early_inc_range(function.getBody().front()))
        check(&op);
    }
  }

private:
  static void check(Operation *op) {
    OpBuilder builder(op);
    if (auto dispatch = dyn_cast<DispatchOp>(op)) {
      if (Value routing = routingOf(dispatch.getToken()))
        requireSameRows(builder, op, dispatch.getX(), routing, "the rows of x and of the routing");
    } else if (auto weigh = dyn_cast<WeighOp>(op)) {
      if (Value routing = routingOf(weigh.getToken()))
        requireSameRows(builder, op, behindScore(weigh.getScores()), routing, "the rows of the scores and of the routing");
    } else if (auto assign = dyn_cast<AssignOp>(op)) {
      // -1 says that a choice has no expert, as capacities do.
      Value experts = expertsOf(builder, assign.getExpert());
      if (experts)
        requireWithin(builder, op->getLoc(), assign.getIndices(), -1, experts, "an expert's number");
    } else if (auto select = dyn_cast<SelectOp>(op)) {
      checkTable(builder, select);
    } else if (auto slots = dyn_cast<SlotsOp>(op)) {
      auto select = slots.getToken().getDefiningOp<SelectOp>();
      if (select && select.getChoice() && select.getChoice().getType().isDynamicDim(1))
        require(builder, op->getLoc(), tensor::DimOp::create(builder, op->getLoc(), behindScore(select.getChoice()), 1),
                arith::ConstantIndexOp::create(builder, op->getLoc(), static_cast<int64_t>(slots.getExperts())),
                "the columns of the router's scores and the number of experts");
    } else if (auto combine = dyn_cast<CombineOp>(op)) {
      checkCombine(builder, combine);
    } else if (auto experts = dyn_cast<ExpertsOp>(op)) {
      if (experts.getRows().getType().getRank() == 2 && !areDispatched(experts.getRows(), experts.getOffset()))
        checkOffsets(builder, experts);
    }
  }

  /// Offsets that may be anything: they must rise from 0 or more to the number of rows or less. The experts read them inside that, whatever they are.
  static void checkOffsets(OpBuilder &builder, ExpertsOp experts) {
    const Location loc = experts.getLoc();
    Value offset = experts.getOffset(), rows = builder.createOrFold<tensor::DimOp>(loc, experts.getRows(), 0);
    Value one = arith::ConstantIndexOp::create(builder, loc, 1), beyond = builder.createOrFold<arith::AddIOp>(loc, rows, one);
    const auto vector = [&](OpFoldResult size, llvm::function_ref<Value(OpBuilder &, Value place, ValueRange)> element, ValueRange inputs) {
      Value init = tensor::EmptyOp::create(builder, loc, {size}, builder.getI32Type());
      const SmallVector<AffineMap> maps(inputs.size() + 1, builder.getMultiDimIdentityMap(1));
      auto op = linalg::GenericOp::create(builder, loc, init.getType(), inputs, init, maps, utils::IteratorType::parallel,
                                          [&](OpBuilder &b, Location, ValueRange in) {
                                            linalg::YieldOp::create(b, loc, element(b, linalg::IndexOp::create(b, loc, 0), in));
                                          });
      return op.getResult(0);
    };
    const int64_t count = experts.getOffset().getType().getDimSize(0);
    const OpFoldResult bounds = tensor::getMixedSize(builder, loc, offset, 0);
    const OpFoldResult numbers = ShapedType::isDynamic(count)
                                     ? OpFoldResult(builder.createOrFold<arith::SubIOp>(loc, tensor::DimOp::create(builder, loc, offset, 0), one))
                                     : OpFoldResult(builder.getIndexAttr(count - 1));
    requireWithin(builder, loc, offset, 0, beyond, "an offset of the experts");
    Value differences = vector(numbers, [&](OpBuilder &b, Value place, ValueRange) -> Value {
      Value next = tensor::ExtractOp::create(b, loc, offset, arith::AddIOp::create(b, loc, place, one).getResult());
      return arith::SubIOp::create(b, loc, next, tensor::ExtractOp::create(b, loc, offset, place));
    }, {});
    requireWithin(builder, loc, differences, 0, beyond, "the number of rows between two offsets of the experts");
    Value inside = vector(bounds, [&](OpBuilder &b, Value, ValueRange in) -> Value {
      Value zero = arith::ConstantIndexOp::create(b, loc, 0), place = arith::IndexCastOp::create(b, loc, b.getIndexType(), in[0]);
      Value kept = arith::MinSIOp::create(b, loc, arith::MaxSIOp::create(b, loc, place, zero), rows);
      return arith::IndexCastOp::create(b, loc, b.getI32Type(), kept);
    }, offset);
    experts.getOffsetMutable().assign(inside);
  }

  /// How many experts the slots that read this list are for; null where there are none.
  static Value expertsOf(OpBuilder &builder, Value expert) {
    for (Operation *user : expert.getUsers())
      if (auto slots = dyn_cast<SlotsOp>(user))
        return arith::ConstantIndexOp::create(builder, expert.getLoc(), static_cast<int64_t>(slots.getExperts()));
    return {};
  }

  /// The ids must be rows of the table, and what the table gives numbers of experts. The ids of tokens that are not valid may be anything.
  static void checkTable(OpBuilder &builder, SelectOp select) {
    if (select.getMode() != SelectMode::Table || select.getValid())
      return;
    const Location loc = select.getLoc();
    requireWithin(builder, loc, select.getIds(), 0, builder.createOrFold<tensor::DimOp>(loc, select.getTable(), 0), "an id of the table");
    if (Value experts = expertsOf(builder, select.getExpert()))
      requireWithin(builder, loc, chosenRows(builder, select), -1, experts, "an expert's number in the table");
  }

  /// The rows of the table that the ids choose, T×K: what fuse reads of a chain nobody else may, so not the result of select.
  static Value chosenRows(OpBuilder &builder, SelectOp select) {
    const Location loc = select.getLoc();
    Value ids = select.getIds(), table = select.getTable();
    auto index = [&](OpBuilder &b, int64_t value) -> Value { return arith::ConstantIndexOp::create(b, loc, value); };
    Value last = arith::SubIOp::create(builder, loc, builder.createOrFold<tensor::DimOp>(loc, table, 0), index(builder, 1));
    Value init = tensor::EmptyOp::create(builder, loc, {tensor::getMixedSize(builder, loc, ids, 0), tensor::getMixedSize(builder, loc, table, 1)},
                                         builder.getI32Type());
    const AffineMap rows = AffineMap::get(2, 0, builder.getAffineDimExpr(0)), all = builder.getMultiDimIdentityMap(2);
    const SmallVector<utils::IteratorType> iterators(2, utils::IteratorType::parallel);
    auto generic = linalg::GenericOp::create(
        builder, loc, init.getType(), ids, init, ArrayRef<AffineMap>{rows, all}, iterators, [&](OpBuilder &b, Location, ValueRange in) {
          Value id = arith::IndexCastOp::create(b, loc, b.getIndexType(), in[0]);
          Value row = arith::MaxSIOp::create(b, loc, arith::MinSIOp::create(b, loc, id, last), index(b, 0));
          Value column = linalg::IndexOp::create(b, loc, 1);
          linalg::YieldOp::create(b, loc, tensor::ExtractOp::create(b, loc, table, ValueRange{row, column}).getResult());
        });
    return generic.getResult(0);
  }

  static void requireWithin(OpBuilder &builder, Location loc, Value values, int64_t low, Value high, StringRef what) {
    RequireRangeOp::create(builder, loc, values, arith::ConstantIndexOp::create(builder, loc, low), high, builder.getStringAttr(prefixOf(loc) + what),
                           IntegerAttr());
  }

  static std::string prefixOf(Location loc) {
    auto node = loc->findInstanceOf<NameLoc>();
    return node ? (node.getName().getValue() + ": ").str() : std::string();
  }

  /// The result's rows, and the weights where they do not come from the routing itself.
  static void checkCombine(OpBuilder &builder, CombineOp combine) {
    Value routing = routingOf(combine.getToken());
    if (!routing)
      return;
    Location loc = combine.getLoc();
    Value tokens = builder.createOrFold<tensor::DimOp>(loc, routing, 0);
    require(builder, loc, combine.getTokens(), tokens, "the tokens of the result and the rows of the routing");
    const std::optional<int64_t> count = assignmentsPerToken(combine.getToken());
    if (!count || combine.getWeights().getDefiningOp<WeighOp>())
      return;
    Value weights = builder.createOrFold<tensor::DimOp>(loc, combine.getWeights(), 0);
    Value perToken = arith::ConstantIndexOp::create(builder, loc, *count);
    require(builder, loc, weights, builder.createOrFold<arith::MulIOp>(loc, tokens, perToken),
            "the combine weights and the assignments of the routing");
  }

  static void requireSameRows(OpBuilder &builder, Operation *op, Value a, Value b, StringRef what) {
    if (a == b)
      return;
    require(builder, op->getLoc(), builder.createOrFold<tensor::DimOp>(op->getLoc(), a, 0),
            builder.createOrFold<tensor::DimOp>(op->getLoc(), b, 0), what);
  }

  static void require(OpBuilder &builder, Location loc, Value a, Value b, StringRef what) {
    if (a == b || (getConstantIntValue(a) && getConstantIntValue(a) == getConstantIntValue(b)))
      return;
    RequireEqualOp::create(builder, loc, a, b, builder.getStringAttr(prefixOf(loc) + what + " differ in number"));
  }
};

} // namespace
} // namespace moe
