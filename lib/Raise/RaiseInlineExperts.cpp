// Experts that compute a region, not an ffn: the region is written out once per expert, on its rows and its slices of the parameters. Runs
// early, so that layers inside of experts are found like any other. Expects moe.layer expanded.
#include "StoredSlices.h"
#include "moe/IR/Layers.h"
#include "moe/Raise/Passes.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_RAISEINLINEEXPERTS
#include "moe/Raise/Passes.h.inc"

namespace {

/// Writes out the region of one moe.experts.
class ExpertInliner {
public:
  ExpertInliner(ExpertsOp op, SymbolTable &symbols, int64_t experts)
      : op(op), symbols(symbols), builder(op), loc(op.getLoc()), experts(experts),
        padded(cast<RankedTensorType>(op.getRows().getType()).getRank() == 3) {}

  /// The value that replaces the result.
  Value build() {
    SmallVector<Value> results;
    for (int64_t expert = 0; expert < experts; ++expert) {
      IRMapping mapping;
      Block &body = op.getBody().front();
      mapping.map(body.getArgument(0), conform(padded ? paddedRows(expert) : raggedRows(expert), body.getArgument(0).getType()));
      for (auto [argument, parameter] : llvm::zip_equal(body.getArguments().drop_front(), op.getParameters()))
        mapping.map(argument, conform(slice(parameter, expert), argument.getType()));
      for (Operation &inner : body.without_terminator())
        builder.clone(inner, mapping);
      results.push_back(mapping.lookupOrDefault(cast<YieldOp>(body.getTerminator()).getResult()));
    }
    return conform(padded ? joinPadded(results) : joinRagged(results), op.getResult().getType());
  }

private:
  Value conform(Value value, Type type) {
    return value.getType() == type ? value : tensor::CastOp::create(builder, loc, type, value).getResult();
  }
  Value index(int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); }
  OpFoldResult sizeOf(Value tensor, int64_t dim) { return tensor::getMixedSize(builder, loc, tensor, dim); }

  /// Slice `number` of a tensor along its first dim, with one rank less.
  Value sliceOfTensor(Value tensor, int64_t number) {
    auto type = cast<RankedTensorType>(tensor.getType());
    SmallVector<OpFoldResult> offsets(type.getRank(), builder.getIndexAttr(0)), strides(type.getRank(), builder.getIndexAttr(1)), sizes;
    offsets[0] = builder.getIndexAttr(number);
    sizes.push_back(builder.getIndexAttr(1));
    for (int64_t dim = 1; dim < type.getRank(); ++dim)
      sizes.push_back(sizeOf(tensor, dim));
    auto result = RankedTensorType::get(type.getShape().drop_front(), type.getElementType());
    return tensor::ExtractSliceOp::create(builder, loc, result, tensor, offsets, sizes, strides);
  }

  Value paddedRows(int64_t expert) { return sliceOfTensor(op.getRows(), expert); }

  /// The expert's slice of a parameter: of a stored weight, a stored weight.
  Value slice(Value parameter, int64_t expert) {
    Value stored = storedSlice(builder, symbols, parameter, expert);
    return stored ? stored : sliceOfTensor(parameter, expert);
  }

  /// First slot of an expert, index.
  Value offsetOf(OpBuilder &body, Location place, int64_t expert) {
    Value number = arith::ConstantIndexOp::create(body, place, expert);
    Value value = tensor::ExtractOp::create(body, place, op.getOffset(), number);
    return arith::IndexCastOp::create(body, place, body.getIndexType(), value);
  }

  /// R×H: row i is the expert's i-th, zero behind its last.
  Value raggedRows(int64_t expert) {
    auto type = cast<RankedTensorType>(op.getRows().getType());
    const Value first = offsetOf(builder, loc, expert), end = offsetOf(builder, loc, expert + 1);
    return overRows(type, op.getRows(), [&](OpBuilder &body, Value row, Value column, Value) -> Value {
      Value place = arith::AddIOp::create(body, loc, first, row);
      Value isOwn = arith::CmpIOp::create(body, loc, arith::CmpIPredicate::slt, place, end);
      Value read = tensor::ExtractOp::create(body, loc, op.getRows(), ValueRange{inside(body, place, op.getRows()), column});
      Value zero = arith::ConstantOp::create(body, loc, body.getZeroAttr(type.getElementType()));
      return arith::SelectOp::create(body, loc, isOwn, read, zero);
    });
  }

  /// `place`, or the last row where it is behind that, or 0.
  Value inside(OpBuilder &body, Value place, Value rows) {
    Value count = getValueOrCreateConstantIndexOp(body, loc, tensor::getMixedSize(body, loc, rows, 0));
    Value last = arith::SubIOp::create(body, loc, count, arith::ConstantIndexOp::create(body, loc, 1));
    Value low = arith::MinSIOp::create(body, loc, place, last);
    return arith::MaxSIOp::create(body, loc, low, arith::ConstantIndexOp::create(body, loc, 0));
  }

  /// A matrix of the sizes of `init`, by a function of row, column and the value of `init` there.
  Value overRows(RankedTensorType type, Value init, llvm::function_ref<Value(OpBuilder &, Value, Value, Value)> body) {
    const Value out = tensor::EmptyOp::create(builder, loc, tensor::getMixedSizes(builder, loc, init), type.getElementType());
    const AffineMap identity = builder.getMultiDimIdentityMap(2);
    const SmallVector<AffineMap> maps = {identity, identity};
    const SmallVector<utils::IteratorType> iterators(2, utils::IteratorType::parallel);
    return linalg::GenericOp::create(builder, loc, TypeRange{out.getType()}, ValueRange{init}, ValueRange{out}, maps, iterators,
                                     [&](OpBuilder &inner, Location place, ValueRange arguments) {
                                       Value row = linalg::IndexOp::create(inner, place, 0), column = linalg::IndexOp::create(inner, place, 1);
                                       linalg::YieldOp::create(inner, place, body(inner, row, column, arguments[0]));
                                     })
        .getResult(0);
  }

  /// Row r of the result is that of the expert whose rows it is among; zero where it is nobody's.
  Value joinRagged(ArrayRef<Value> results) {
    auto type = cast<RankedTensorType>(results[0].getType());
    const Value zero = arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type.getElementType()));
    const SmallVector<OpFoldResult> sizes = {sizeOf(op.getRows(), 0), sizeOf(results[0], 1)};
    const Value empty = tensor::EmptyOp::create(builder, loc, sizes, type.getElementType());
    Value joined = linalg::FillOp::create(builder, loc, zero, empty).getResult(0);
    for (auto [expert, result] : llvm::enumerate(results)) {
      const Value first = offsetOf(builder, loc, expert), end = offsetOf(builder, loc, expert + 1);
      joined = overRows(type, joined, [&, result = result](OpBuilder &body, Value row, Value column, Value before) -> Value {
        Value begins = arith::CmpIOp::create(body, loc, arith::CmpIPredicate::sge, row, first);
        Value ends = arith::CmpIOp::create(body, loc, arith::CmpIPredicate::slt, row, end);
        Value place = inside(body, arith::SubIOp::create(body, loc, row, first), result);
        Value read = tensor::ExtractOp::create(body, loc, result, ValueRange{place, column});
        return arith::SelectOp::create(body, loc, arith::AndIOp::create(body, loc, begins, ends), read, before);
      });
    }
    return joined;
  }

  /// E×C×H from E matrices.
  Value joinPadded(ArrayRef<Value> results) {
    SmallVector<Value> slices;
    for (Value result : results) {
      auto type = cast<RankedTensorType>(result.getType());
      const SmallVector<OpFoldResult> sizes = {builder.getIndexAttr(1), sizeOf(result, 0), sizeOf(result, 1)};
      auto one = RankedTensorType::get({1, type.getDimSize(0), type.getDimSize(1)}, type.getElementType());
      slices.push_back(tensor::ExpandShapeOp::create(builder, loc, one, result, SmallVector<ReassociationIndices>{{0, 1}, {2}}, sizes));
    }
    const SmallVector<OpFoldResult> sizes = {builder.getIndexAttr(experts), sizeOf(results[0], 0), sizeOf(results[0], 1)};
    const Value out = tensor::EmptyOp::create(builder, loc, sizes, cast<RankedTensorType>(results[0].getType()).getElementType());
    return ConcatOp::create(builder, loc, TypeRange{out.getType()}, slices, ValueRange{out}, 0).getResults()[0];
  }

  ExpertsOp op;
  SymbolTable &symbols;
  OpBuilder builder;
  Location loc;
  int64_t experts;
  bool padded;
};

struct RaiseInlineExperts : impl::RaiseInlineExpertsBase<RaiseInlineExperts> {
  using Base::Base;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    // From the outside in: what a region holds is found again once it is written out.
    while (ExpertsOp op = findRegion()) {
      const int64_t offsets = op.getOffset().getType().getDimSize(0);
      if (ShapedType::isDynamic(offsets)) {
        op.emitError() << describeOp(op) << ": expected a static number of experts where they compute a region";
        return signalPassFailure();
      }
      if (offsets < 2) {
        op.emitError() << describeOp(op) << ": expected at least one expert, got offsets of length " << offsets;
        return signalPassFailure();
      }
      for (Value parameter : op.getParameters())
        if (cast<RankedTensorType>(parameter.getType()).getDimSize(0) != offsets - 1) {
          op.emitError() << describeOp(op) << ": expected parameters of " << offsets - 1 << " experts, got " << parameter.getType();
          return signalPassFailure();
        }
      op.getResult().replaceAllUsesWith(ExpertInliner(op, symbols, offsets - 1).build());
      op.erase();
    }
  }

  ExpertsOp findRegion() {
    ExpertsOp found;
    getOperation().walk<WalkOrder::PreOrder>([&](ExpertsOp op) {
      if (op.getFfn())
        return WalkResult::advance();
      found = op;
      return WalkResult::interrupt();
    });
    return found;
  }
};

} // namespace
} // namespace moe
