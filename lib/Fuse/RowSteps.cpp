// Loops that round the rows of experts to steps, and the activation between two products whose results are rounded.
#include "RowSteps.h"
#include "moe/IR/ActivationMath.h"
#include "moe/IR/Activations.h"
#include "moe/IR/ArithBuilder.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace moe {
namespace {

/// What ActivationMath asks for, on one number.
struct ScalarBuilder : ArithBuilder {
  using ArithBuilder::ArithBuilder;
  static constexpr bool roundsAndScales = false;
  Value splat(double value) { return f32(value); }
  Value splatInt(int64_t value) { return i32(value); }
  Type f32Vector() { return getF32Type(); }
  Type i32Vector() { return getI32Type(); }
  Value fma(Value a, Value b, Value c) { return math::FmaOp::create(*this, a, b, c); }
};

ScalarBuilder scalars(OpBuilder &body, Location loc) {
  ScalarBuilder builder(loc, body.getContext());
  builder.setInsertionPoint(body.getInsertionBlock(), body.getInsertionPoint());
  return builder;
}

constexpr auto parallel = utils::IteratorType::parallel;

} // namespace

AffineMap RowRounder::dims(unsigned rank, ArrayRef<unsigned> wanted) {
  SmallVector<AffineExpr> results;
  for (unsigned dim : wanted)
    results.push_back(getAffineDimExpr(dim, builder.getContext()));
  return AffineMap::get(rank, 0, results, builder.getContext());
}

Value RowRounder::generic(ValueRange inputs, ArrayRef<AffineMap> maps, Value init, ArrayRef<utils::IteratorType> loops,
                          function_ref<Value(OpBuilder &, ValueRange)> body) {
  return linalg::GenericOp::create(builder, loc, TypeRange{init.getType()}, inputs, ValueRange{init}, maps, loops,
                                   [&](OpBuilder &inner, Location, ValueRange scalars) { linalg::YieldOp::create(inner, loc, body(inner, scalars)); })
      .getResult(0);
}

Value RowRounder::elementwise(ValueRange inputs, ArrayRef<AffineMap> maps, ArrayRef<OpFoldResult> sizes, Type element,
                              function_ref<Value(OpBuilder &, ValueRange)> body) {
  const Value out = tensor::EmptyOp::create(builder, loc, sizes, element);
  SmallVector<AffineMap> all(maps);
  all.push_back(builder.getMultiDimIdentityMap(sizes.size()));
  return generic(inputs, all, out, SmallVector<utils::IteratorType>(sizes.size(), parallel), body);
}

/// The expert of row r is the last that begins at r or before it; rows behind all experts have number E.
Value RowRounder::expertsOfRows(Value rows) {
  if (experts)
    return experts;
  const Type i32 = builder.getI32Type();
  const Value empty = tensor::EmptyOp::create(builder, loc, {tensor::getMixedSize(builder, loc, rows, 0)}, i32);
  const Value before = arith::ConstantOp::create(builder, loc, builder.getI32IntegerAttr(-1));
  const Value init = linalg::FillOp::create(builder, loc, before, empty).getResult(0);
  experts = generic(offset, {dims(2, {1}), dims(2, {0})}, init, {parallel, utils::IteratorType::reduction}, [&](OpBuilder &body, ValueRange in) -> Value {
    Value row = arith::IndexCastOp::create(body, loc, i32, linalg::IndexOp::create(body, loc, 0));
    Value begun = arith::CmpIOp::create(body, loc, arith::CmpIPredicate::sle, in[0], row);
    return arith::AddIOp::create(body, loc, in[1], arith::ExtUIOp::create(body, loc, i32, begun));
  });
  return experts;
}

/// The least or greatest number of each expert's rows, 0 counted among them: f32[E].
Value RowRounder::extremeOfExperts(Value rows, bool isGreatest) {
  auto extreme = [&](OpBuilder &body, Value a, Value b) -> Value {
    return isGreatest ? arith::MaximumFOp::create(body, loc, a, b).getResult() : arith::MinimumFOp::create(body, loc, a, b).getResult();
  };
  const Type f32 = builder.getF32Type();
  const Value zero = arith::ConstantOp::create(builder, loc, builder.getF32FloatAttr(0));
  auto zeros = [&](OpFoldResult size) { return linalg::FillOp::create(builder, loc, zero, tensor::EmptyOp::create(builder, loc, {size}, f32).getResult()).getResult(0); };
  const Value ofRow = generic(rows, {dims(2, {0, 1}), dims(2, {0})}, zeros(tensor::getMixedSize(builder, loc, rows, 0)),
                              {parallel, utils::IteratorType::reduction}, [&](OpBuilder &body, ValueRange in) { return extreme(body, in[0], in[1]); });
  const int64_t count = op.getGate().getType().getDimSize(0);
  return generic({ofRow, expertsOfRows(rows)}, {dims(2, {1}), dims(2, {1}), dims(2, {0})}, zeros(builder.getIndexAttr(count)),
                 {parallel, utils::IteratorType::reduction}, [&](OpBuilder &body, ValueRange in) -> Value {
                   Value expert = arith::IndexCastOp::create(body, loc, builder.getI32Type(), linalg::IndexOp::create(body, loc, 0));
                   Value isOwn = arith::CmpIOp::create(body, loc, arith::CmpIPredicate::eq, in[1], expert);
                   return arith::SelectOp::create(body, loc, isOwn, extreme(body, in[0], in[2]), in[2]);
                 });
}

/// As DynamicQuantizeLinear finds them: 256 steps cover the numbers and 0. ONNX Runtime has steps of 1 where all are 0, and the schema divides by 0.
RowRounder::RowParameters RowRounder::found(Value rows) {
  const Value least = extremeOfExperts(rows, false), greatest = extremeOfExperts(rows, true);
  const SmallVector<OpFoldResult> sizes = {tensor::getMixedSize(builder, loc, least, 0)};
  const AffineMap identity = dims(1, {0});
  const Type f32 = builder.getF32Type();
  RowParameters result;
  result.scale = elementwise({least, greatest}, {identity, identity}, sizes, f32, [&](OpBuilder &body, ValueRange in) -> Value {
    ScalarBuilder b = scalars(body, loc);
    Value range = b.subf(in[1], in[0]), isNone = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, range, b.f32(0));
    return b.select(isNone, b.f32(1), b.divf(range, b.f32(255)));
  });
  result.zero = elementwise({least, result.scale}, {identity, identity}, sizes, f32, [&](OpBuilder &body, ValueRange in) {
    ScalarBuilder b = scalars(body, loc);
    return codeOf(body, loc, arith::NegFOp::create(b, in[0]), in[1], b.f32(0), 0, 255);
  });
  return result;
}

RowRounder::RowParameters RowRounder::ofExperts(StepsAttr steps, Value rows) {
  if (!steps.getScales())
    return found(rows);
  auto list = [&](auto numbers) -> Value {
    const SmallVector<float> floats(numbers.begin(), numbers.end());
    auto type = RankedTensorType::get({static_cast<int64_t>(floats.size())}, builder.getF32Type());
    return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(type, ArrayRef(floats)));
  };
  return {list(steps.getScales().asArrayRef()), list(steps.getZeros().asArrayRef())};
}

RowRounder::RowParameters RowRounder::ofRows(StepsAttr steps, Value rows) {
  if (steps.getScales() && llvm::all_equal(steps.getScales().asArrayRef()) && llvm::all_equal(steps.getZeros().asArrayRef()))
    return {};
  const RowParameters own = ofExperts(steps, rows);
  const Value last = arith::ConstantIndexOp::create(builder, loc, op.getGate().getType().getDimSize(0) - 1);
  auto spread = [&](Value list) {
    return elementwise(expertsOfRows(rows), dims(1, {0}), tensor::getMixedSize(builder, loc, rows, 0), builder.getF32Type(), [&](OpBuilder &body, ValueRange in) -> Value {
      Value expert = arith::IndexCastOp::create(body, loc, body.getIndexType(), in[0]);
      return tensor::ExtractOp::create(body, loc, list, ValueRange{arith::MinUIOp::create(body, loc, expert, last).getResult()});
    });
  };
  return {spread(own.scale), spread(own.zero)};
}

Value RowRounder::round(Value rows, StepsPlace place) {
  const StepsAttr steps = op.stepsAt(place);
  if (!steps)
    return rows;
  const RowParameters own = ofRows(steps, rows);
  SmallVector<Value> inputs = {rows};
  SmallVector<AffineMap> maps = {dims(2, {0, 1})};
  if (own.scale) {
    inputs.append({own.scale, own.zero});
    maps.append(2, dims(2, {0}));
  }
  return elementwise(inputs, maps, tensor::getMixedSizes(builder, loc, rows), builder.getF32Type(), [&](OpBuilder &body, ValueRange in) -> Value {
    ScalarBuilder b = scalars(body, loc);
    Value scale = own.scale ? in[1] : b.f32(steps.getScales()[0]), zero = own.zero ? in[2] : b.f32(steps.getZeros()[0]);
    Value code = codeOf(body, loc, in[0], scale, zero, static_cast<double>(steps.getLower()), static_cast<double>(steps.getUpper()));
    ScalarBuilder after = scalars(body, loc);
    return after.mulf(after.subf(code, zero), scale);
  });
}

Value RowRounder::activate(Value gate, Value up) {
  const FfnAttr ffn = op.getFfnAttr();
  const GateLayout layout = ffn.getGate();
  const AffineMap identity = dims(2, {0, 1});
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, gate);
  if (!isOneTensor(layout)) {
    const SmallVector<Value> inputs = up ? SmallVector<Value>{gate, up} : SmallVector<Value>{gate};
    return elementwise(inputs, SmallVector<AffineMap>(inputs.size(), identity), sizes, builder.getF32Type(), [&](OpBuilder &body, ValueRange in) {
      ScalarBuilder b = scalars(body, loc);
      ActivationMath<ScalarBuilder> math(b);
      return up ? math.gated(ffn, in[0], in[1]) : math.activation(ffn.getActivation(), ffn.alphaValue(), in[0]);
    });
  }
  const int64_t columns = cast<ShapedType>(gate.getType()).getDimSize(1) / 2;
  const bool pairs = layout == GateLayout::Interleaved || layout == GateLayout::UpFirstPairs, upFirst = layout == GateLayout::UpFirst || layout == GateLayout::UpFirstPairs;
  sizes[1] = builder.getIndexAttr(columns);
  return elementwise({}, {}, sizes, builder.getF32Type(), [&](OpBuilder &body, ValueRange) {
    Value row = linalg::IndexOp::create(body, loc, 0), column = linalg::IndexOp::create(body, loc, 1);
    auto part = [&](bool second) -> Value {
      Value first = pairs ? arith::MulIOp::create(body, loc, column, arith::ConstantIndexOp::create(body, loc, 2)).getResult() : column;
      Value place = arith::AddIOp::create(body, loc, first, arith::ConstantIndexOp::create(body, loc, !second ? 0 : pairs ? 1 : columns));
      return tensor::ExtractOp::create(body, loc, gate, ValueRange{row, place});
    };
    Value own = part(upFirst), other = part(!upFirst);
    ScalarBuilder b = scalars(body, loc);
    return ActivationMath<ScalarBuilder>(b).gated(ffn, own, other);
  });
}

} // namespace moe
