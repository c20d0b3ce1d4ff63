// Reductions along axes: one linalg.generic with reduction iterators; f16 and bf16 accumulate in f32.
#include "OnnxConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using moe::NodeConverter;
using moe::SizedTensor;
using moe::TensorBuilder;

namespace {

/// MaxUnsigned and MinUnsigned are Max and Min of integers without a sign.
enum class Fold { Sum, Product, Max, Min, MaxUnsigned, MinUnsigned };
enum class Before { Nothing, Square, Abs };
enum class After { Nothing, Sqrt, Log, Divide };

struct ReductionRow {
  const char *type;
  Fold fold;
  Before before;
  After after;
};

const ReductionRow rows[] = {
    {"ReduceSum", Fold::Sum, Before::Nothing, After::Nothing},   {"ReduceMean", Fold::Sum, Before::Nothing, After::Divide},
    {"ReduceProd", Fold::Product, Before::Nothing, After::Nothing}, {"ReduceMax", Fold::Max, Before::Nothing, After::Nothing},
    {"ReduceMin", Fold::Min, Before::Nothing, After::Nothing},   {"ReduceSumSquare", Fold::Sum, Before::Square, After::Nothing},
    {"ReduceL1", Fold::Sum, Before::Abs, After::Nothing},        {"ReduceL2", Fold::Sum, Before::Square, After::Sqrt},
    {"ReduceLogSum", Fold::Sum, Before::Nothing, After::Log},
};

/// The neutral element: what a reduction over no elements gives.
TypedAttr neutral(Builder &builder, Fold fold, Type type) {
  if (auto floatType = dyn_cast<FloatType>(type)) {
    double infinity = std::numeric_limits<double>::infinity();
    double value = fold == Fold::Sum ? 0 : fold == Fold::Product ? 1 : fold == Fold::Max ? -infinity : infinity;
    return builder.getFloatAttr(floatType, value);
  }
  unsigned width = type.getIntOrFloatBitWidth();
  if (width == 1) // Max is "or", Min is "and"
    return builder.getBoolAttr(fold == Fold::Min);
  APInt value = fold == Fold::Sum       ? APInt(width, 0)
                : fold == Fold::Product ? APInt(width, 1)
                : fold == Fold::MaxUnsigned ? APInt::getMinValue(width)
                : fold == Fold::MinUnsigned ? APInt::getMaxValue(width)
                : fold == Fold::Max     ? APInt::getSignedMinValue(width)
                                        : APInt::getSignedMaxValue(width);
  return builder.getIntegerAttr(type, value);
}

Value combine(OpBuilder &b, Location loc, Fold fold, Value x, Value acc) {
  bool isFloat = isa<FloatType>(acc.getType()), isBool = acc.getType().isInteger(1);
  switch (fold) {
  case Fold::Sum:
    return isFloat ? arith::AddFOp::create(b, loc, acc, x).getResult() : arith::AddIOp::create(b, loc, acc, x).getResult();
  case Fold::Product:
    return isFloat ? arith::MulFOp::create(b, loc, acc, x).getResult() : arith::MulIOp::create(b, loc, acc, x).getResult();
  case Fold::Max:
    return isFloat  ? arith::MaximumFOp::create(b, loc, acc, x).getResult()
           : isBool ? arith::OrIOp::create(b, loc, acc, x).getResult()
                    : arith::MaxSIOp::create(b, loc, acc, x).getResult();
  case Fold::Min:
    return isFloat  ? arith::MinimumFOp::create(b, loc, acc, x).getResult()
           : isBool ? arith::AndIOp::create(b, loc, acc, x).getResult()
                    : arith::MinSIOp::create(b, loc, acc, x).getResult();
  case Fold::MaxUnsigned:
    return arith::MaxUIOp::create(b, loc, acc, x);
  case Fold::MinUnsigned:
    return arith::MinUIOp::create(b, loc, acc, x);
  }
  llvm_unreachable("all folds are handled");
}

Value prepare(OpBuilder &b, Location loc, Before before, Value x, bool isUnsigned) {
  bool isFloat = isa<FloatType>(x.getType());
  if (before == Before::Square)
    return isFloat ? arith::MulFOp::create(b, loc, x, x).getResult() : arith::MulIOp::create(b, loc, x, x).getResult();
  if (before == Before::Abs && !isUnsigned) {
    if (isFloat)
      return math::AbsFOp::create(b, loc, x);
    Value zero = arith::ConstantOp::create(b, loc, cast<TypedAttr>(b.getZeroAttr(x.getType())));
    return arith::MaxSIOp::create(b, loc, x, arith::SubIOp::create(b, loc, zero, x));
  }
  return x;
}

/// The fold that input 0's element type asks for.
Fold foldFor(NodeConverter &node, Fold fold) {
  if (!node.isUnsigned(0))
    return fold;
  return fold == Fold::Max ? Fold::MaxUnsigned : fold == Fold::Min ? Fold::MinUnsigned : fold;
}

/// The axes of a reduction: an input from opset 13 (ReduceSum) or 18 on, else an attribute. None given means all, or none where the node says
/// that it then does nothing.
FailureOr<SmallVector<int64_t>> reductionAxes(NodeConverter &node, int64_t rank) {
  std::optional<SmallVector<int64_t>> axes = node.getInts("axes");
  if (!axes && node.has(1) && !(axes = node.constants(1)))
    return node.error() << "has axes that depend on data";
  if (!axes || axes->empty()) {
    if (node.getInt("noop_with_empty_axes", 0))
      return SmallVector<int64_t>();
    return llvm::to_vector(llvm::seq<int64_t>(0, rank));
  }
  return node.axes(*axes, rank);
}

/// The last step on the reduced tensor, and the way back to the element type.
SizedTensor finishReduction(NodeConverter &node, const ReductionRow &row, const SizedTensor &sum, AffineExpr count, Type type) {
  Type sumType = sum.elementType();
  if (row.after == After::Nothing && sumType == type)
    return sum;
  Value divisor;
  if (row.after == After::Divide) {
    TensorBuilder &t = node.t;
    divisor = t.sizeAs(count, sumType);
  }
  return node.t.elementwise(sum, sum.dims, type, [&](OpBuilder &b, Location loc, ValueRange in) {
    Value y = in[0];
    if (row.after == After::Sqrt)
      y = math::SqrtOp::create(b, loc, y);
    else if (row.after == After::Log)
      y = math::LogOp::create(b, loc, y);
    else if (row.after == After::Divide && isa<FloatType>(sumType))
      y = arith::DivFOp::create(b, loc, y, divisor);
    else if (row.after == After::Divide) {
      // Of no elements the mean is not defined; the quotient must not trap.
      Value one = arith::ConstantOp::create(b, loc, b.getIntegerAttr(sumType, 1));
      Value count = arith::MaxSIOp::create(b, loc, divisor, one);
      y = node.isUnsigned(0) ? arith::DivUIOp::create(b, loc, y, count).getResult() : arith::DivSIOp::create(b, loc, y, count).getResult();
    }
    return moe::convertScalar(b, loc, y, type);
  });
}

LogicalResult convertReduction(NodeConverter &node) {
  const ReductionRow &row = *llvm::find_if(rows, [&](const ReductionRow &row) { return node.type() == row.type; });
  SizedTensor x = node.input(0);
  if (!x)
    return failure();
  FailureOr<SmallVector<int64_t>> axes = reductionAxes(node, x.rank());
  if (failed(axes))
    return failure();
  Type type = x.elementType(), sumType = moe::accumulatorType(type);
  bool isBool = type.isInteger(1);
  if ((isBool && (row.fold == Fold::Sum || row.fold == Fold::Product)) ||
      (!isa<FloatType>(type) && (row.after == After::Sqrt || row.after == After::Log)))
    return node.error() << "is not defined on elements of type " << type;
  TensorBuilder &t = node.t;
  SmallVector<AffineExpr> folded;
  for (int64_t axis : *axes)
    folded.push_back(x.dims[axis]);
  SizedTensor result;
  if (axes->empty()) {
    result = row.before == Before::Nothing ? t.convert(x, sumType)
                                           : t.elementwise(x, x.dims, sumType, [&](OpBuilder &b, Location loc, ValueRange in) {
                                               return prepare(b, loc, row.before, moe::convertScalar(b, loc, in[0], sumType), node.isUnsigned(0));
                                             });
  } else {
    Fold fold = foldFor(node, row.fold);
    Value init = arith::ConstantOp::create(t.builder, t.loc, neutral(t.builder, fold, sumType));
    result = t.reduce(x, *axes, init, [&](OpBuilder &b, Location loc, ValueRange in) {
      return combine(b, loc, fold, prepare(b, loc, row.before, moe::convertScalar(b, loc, in[0], sumType), node.isUnsigned(0)), in[1]);
    });
  }
  result = finishReduction(node, row, result, t.product(folded), type);
  return node.finish(t.reshape(result, node.resultDims()));
}

/// log(sum(exp(x))), with the greatest element taken out first.
LogicalResult convertLogSumExp(NodeConverter &node) {
  SizedTensor x = node.input(0);
  if (!x)
    return failure();
  FailureOr<SmallVector<int64_t>> axes = reductionAxes(node, x.rank());
  if (failed(axes))
    return failure();
  Type type = x.elementType(), wide = moe::accumulatorType(type);
  if (!isa<FloatType>(type))
    return node.error() << "is not defined on elements of type " << type;
  if (axes->empty())
    return node.finish(x);
  TensorBuilder &t = node.t;
  Value lowest = arith::ConstantOp::create(t.builder, t.loc, neutral(t.builder, Fold::Max, wide));
  SizedTensor greatest = t.reduce(x, *axes, lowest, [&](OpBuilder &b, Location loc, ValueRange in) {
    return combine(b, loc, Fold::Max, moe::convertScalar(b, loc, in[0], wide), in[1]);
  });
  // Where the greatest is infinite it is not taken out: ∞ − ∞ would be NaN.
  SizedTensor shift = t.elementwise(greatest, greatest.dims, wide, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    Value zero = arith::ConstantOp::create(b, loc, cast<TypedAttr>(b.getZeroAttr(wide)));
    Value difference = arith::SubFOp::create(b, loc, in[0], in[0]);
    Value isFinite = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, difference, zero);
    return arith::SelectOp::create(b, loc, isFinite, in[0], zero);
  });
  SizedTensor shiftWide = t.reshape(shift, t.unitDims(x.dims, *axes));
  SizedTensor powers = t.elementwise({x, shiftWide}, x.dims, wide, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    return math::ExpOp::create(b, loc, arith::SubFOp::create(b, loc, moe::convertScalar(b, loc, in[0], wide), in[1]));
  });
  SizedTensor sum = t.reduce(powers, *axes, t.scalar(wide, 0), [&](OpBuilder &b, Location loc, ValueRange in) {
    return combine(b, loc, Fold::Sum, in[0], in[1]);
  });
  SizedTensor result = t.elementwise({sum, shift}, sum.dims, type, [&](OpBuilder &b, Location loc, ValueRange in) {
    Value y = arith::AddFOp::create(b, loc, math::LogOp::create(b, loc, in[0]), in[1]);
    return moe::convertScalar(b, loc, y, type);
  });
  return node.finish(t.reshape(result, node.resultDims()));
}

/// ArgMax and ArgMin: the extreme value first, then the least (or greatest) index that has it. Where NaN is the extreme nothing compares equal
/// and the index is 0.
LogicalResult convertArg(NodeConverter &node) {
  SizedTensor x = node.input(0);
  if (!x)
    return failure();
  FailureOr<int64_t> axis = node.axis(node.getInt("axis", 0), x.rank());
  if (failed(axis))
    return failure();
  Type type = x.elementType();
  if (type.isInteger(1))
    return node.error() << "is not defined on elements of type " << type;
  TensorBuilder &t = node.t;
  Fold fold = foldFor(node, node.type() == "ArgMax" ? Fold::Max : Fold::Min);
  bool last = node.getInt("select_last_index", 0);
  Value start = arith::ConstantOp::create(t.builder, t.loc, neutral(t.builder, fold, type));
  SizedTensor extreme = t.reduce(x, *axis, start, [&](OpBuilder &b, Location loc, ValueRange in) { return combine(b, loc, fold, in[0], in[1]); });
  SizedTensor spread = t.reshape(extreme, t.unitDims(x.dims, *axis));
  Type i64 = t.builder.getI64Type();
  constexpr int64_t none = std::numeric_limits<int64_t>::max();
  Value nothing = t.integer(i64, last ? -1 : none);
  SizedTensor candidates = t.elementwise({x, spread}, x.dims, i64, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    Value isExtreme = isa<FloatType>(type) ? arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, in[0], in[1]).getResult()
                                           : arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, in[0], in[1]).getResult();
    Value index = arith::IndexCastOp::create(b, loc, i64, linalg::IndexOp::create(b, loc, *axis));
    return arith::SelectOp::create(b, loc, isExtreme, index, nothing);
  });
  SizedTensor chosen = t.reduce(candidates, *axis, nothing, [&](OpBuilder &b, Location loc, ValueRange in) {
    return combine(b, loc, last ? Fold::Max : Fold::Min, in[0], in[1]);
  });
  SizedTensor result = t.elementwise(chosen, chosen.dims, i64, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    Value found = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, in[0], nothing);
    Value zero = arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(0));
    return arith::SelectOp::create(b, loc, found, in[0], zero);
  });
  return node.finish(t.reshape(result, node.resultDims()));
}

} // namespace

void moe::addReductionConversions(ConversionTable &table) {
  for (const ReductionRow &row : rows)
    table.add(row.type, convertReduction);
  table.add("ReduceLogSumExp", convertLogSumExp);
  table.add("ArgMax", convertArg);
  table.add("ArgMin", convertArg);
}
