// Softmax and the layer normalizations. Statistics of f16 and bf16 are computed in f32.
#include "Normalization.h"
#include "OnnxConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using moe::convertScalar;
using moe::NodeConverter;
using moe::SizedTensor;
using moe::TensorBuilder;

namespace {

LogicalResult requireFloat(NodeConverter &node, const SizedTensor &x) {
  if (isa<FloatType>(x.elementType()))
    return success();
  return node.error() << "is not defined on elements of type " << x.elementType();
}

/// Before opset 13 the input counts as a matrix: the dims before the axis, and the dims from it on, each as one.
LogicalResult convertSoftmax(NodeConverter &node) {
  SizedTensor x = node.input(0);
  if (!x || failed(requireFloat(node, x)))
    return failure();
  bool isMatrix = node.version() < 13;
  FailureOr<int64_t> axis = node.axis(node.getInt("axis", isMatrix ? 1 : -1), x.rank());
  if (failed(axis))
    return failure();
  TensorBuilder &t = node.t;
  SmallVector<AffineExpr> dims = x.dims;
  SizedTensor rows = x;
  int64_t rowAxis = *axis;
  if (isMatrix) {
    ArrayRef<AffineExpr> all = x.dims;
    rows = t.reshape(x, {t.product(all.take_front(*axis)), t.product(all.drop_front(*axis))});
    rowAxis = 1;
  }
  SizedTensor result;
  if (node.type() == "Softmax") {
    result = t.softmax(rows, rowAxis);
  } else { // LogSoftmax: x − max − log(sum(exp(x − max)))
    Type type = x.elementType(), wide = moe::accumulatorType(type);
    AffineMap identity = t.builder.getMultiDimIdentityMap(rows.rank()), outer = identity.dropResult(rowAxis);
    SizedTensor greatest =
        t.reduce(rows, rowAxis, t.scalar(wide, -std::numeric_limits<double>::infinity()), [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
          return arith::MaximumFOp::create(b, loc, in[1], convertScalar(b, loc, in[0], wide));
        });
    SizedTensor shifted = t.generic({rows, greatest}, {identity, outer}, rows.dims, wide, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
      return arith::SubFOp::create(b, loc, convertScalar(b, loc, in[0], wide), in[1]);
    });
    SizedTensor sum = t.reduce(shifted, rowAxis, t.scalar(wide, 0), [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
      return arith::AddFOp::create(b, loc, in[1], math::ExpOp::create(b, loc, in[0]));
    });
    result = t.generic({shifted, sum}, {identity, outer}, rows.dims, type, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
      return convertScalar(b, loc, arith::SubFOp::create(b, loc, in[0], math::LogOp::create(b, loc, in[1])), type);
    });
  }
  return node.finish(t.reshape(result, dims));
}

/// What a normalization over the dims from `axis` on has computed; mean is empty where it is not subtracted. Statistics lack the dims.
struct Normalized {
  SizedTensor result, mean, inverse;
};

/// ((x − mean) · 1/sqrt(mean((x − mean)²) + epsilon)), in the accumulator's type, rounded to `resultType` before scale and bias come: that is
/// how ONNX writes it. `subtractMean` is false for RMS normalization.
Normalized normalize(TensorBuilder &t, const SizedTensor &x, int64_t axis, double epsilon, bool subtractMean, Type wide, Type resultType) {
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(axis, x.rank()));
  AffineMap identity = t.builder.getMultiDimIdentityMap(x.rank());
  // getMajorSubMap has no map without results, which is what normalizing over all dims needs.
  AffineMap outer = AffineMap::get(x.rank(), 0, identity.getResults().take_front(axis), t.context());
  Value count = t.sizeAs(t.product(ArrayRef<AffineExpr>(x.dims).drop_front(axis)), wide);
  Normalized out;
  SizedTensor centred = x;
  if (subtractMean) {
    SizedTensor sum = t.reduce(x, axes, t.scalar(wide, 0), [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
      return arith::AddFOp::create(b, loc, in[1], convertScalar(b, loc, in[0], wide));
    });
    out.mean = t.elementwise(sum, sum.dims, wide, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
      return arith::DivFOp::create(b, loc, in[0], count);
    });
    centred = t.generic({x, out.mean}, {identity, outer}, x.dims, wide, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
      return arith::SubFOp::create(b, loc, convertScalar(b, loc, in[0], wide), in[1]);
    });
  }
  SizedTensor squares = t.reduce(centred, axes, t.scalar(wide, 0), [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    Value value = convertScalar(b, loc, in[0], wide);
    return arith::AddFOp::create(b, loc, in[1], arith::MulFOp::create(b, loc, value, value));
  });
  out.inverse = t.elementwise(squares, squares.dims, wide, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    Value mean = arith::DivFOp::create(b, loc, in[0], count);
    Value small = arith::ConstantOp::create(b, loc, b.getFloatAttr(wide, epsilon));
    Value root = math::SqrtOp::create(b, loc, arith::AddFOp::create(b, loc, mean, small));
    Value one = arith::ConstantOp::create(b, loc, b.getFloatAttr(wide, 1));
    return arith::DivFOp::create(b, loc, one, root);
  });
  out.result = t.generic({centred, out.inverse}, {identity, outer}, x.dims, resultType, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    Value y = arith::MulFOp::create(b, loc, convertScalar(b, loc, in[0], wide), in[1]);
    return convertScalar(b, loc, y, resultType);
  });
  return out;
}

/// Multiplies by scale and adds the optional bias, in the type of the normalized tensor, and converts to `resultType`.
SizedTensor scaleAndShift(TensorBuilder &t, const SizedTensor &normalized, const SizedTensor &scale, const SizedTensor &bias, Type resultType) {
  SmallVector<SizedTensor> inputs = {normalized, scale};
  if (bias)
    inputs.push_back(bias);
  return t.elementwise(inputs, normalized.dims, resultType, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    Type wide = moe::accumulatorType(in[0].getType());
    Value y = arith::MulFOp::create(b, loc, convertScalar(b, loc, in[0], wide), convertScalar(b, loc, in[1], wide));
    if (in.size() > 2)
      y = arith::AddFOp::create(b, loc, convertScalar(b, loc, convertScalar(b, loc, y, in[0].getType()), wide), convertScalar(b, loc, in[2], wide));
    return convertScalar(b, loc, convertScalar(b, loc, y, in[0].getType()), resultType);
  });
}

/// The type statistics are computed in: stash_type 1 is f32, but never narrower than the input.
Type stashType(const SizedTensor &x) {
  return x.elementType().isF64() ? x.elementType() : Type(Float32Type::get(x.value.getContext()));
}

/// LayerNormalization, RMSNormalization, SimplifiedLayerNormalization; outputs Y, then (mean,) and inverse standard deviation.
LogicalResult convertNormalization(NodeConverter &node) {
  SizedTensor x = node.input(0), scale = node.input(1), bias;
  if (!x || !scale || failed(requireFloat(node, x)))
    return failure();
  if (node.has(2))
    bias = node.input(2);
  FailureOr<int64_t> axis = node.axis(node.getInt("axis", -1), x.rank());
  if (failed(axis) || node.failed())
    return failure();
  bool isLayer = node.type() == "LayerNormalization";
  TensorBuilder &t = node.t;
  Normalized normalized = normalize(t, x, *axis, node.getFloat("epsilon", 1e-5), isLayer, stashType(x), scale.elementType());
  node.result(0, scaleAndShift(t, normalized.result, scale, bias, node.resultElement()));
  unsigned next = 1;
  if (isLayer && node.wants(next))
    node.result(next, t.reshape(normalized.mean, node.resultDims(next)));
  next += isLayer;
  if (node.wants(next))
    node.result(next, t.reshape(normalized.inverse, node.resultDims(next)));
  return failure(node.failed());
}

/// com.microsoft: x + skip (+ bias), then a normalization over the last dim. Outputs Y, mean, inverse standard deviation, the sum.
LogicalResult convertSkipNormalization(NodeConverter &node) {
  bool isLayer = node.type() == "SkipLayerNormalization";
  SizedTensor x = node.input(0), skip = node.input(1), scale = node.input(2), shift;
  if (node.failed() || failed(requireFloat(node, x)))
    return failure();
  unsigned biasIndex = 3;
  if (isLayer) {
    if (node.has(3))
      shift = node.input(3);
    biasIndex = 4;
  }
  SmallVector<SizedTensor> parts = {x, skip};
  if (node.has(biasIndex))
    parts.push_back(node.input(biasIndex));
  if (node.failed())
    return failure();
  TensorBuilder &t = node.t;
  Type type = x.elementType(), wide = moe::accumulatorType(type);
  SizedTensor sum = t.elementwise(parts, x.dims, type, [&](OpBuilder &b, Location loc, ValueRange in) {
    Value total = convertScalar(b, loc, in[0], wide);
    for (Value next : in.drop_front())
      total = arith::AddFOp::create(b, loc, total, convertScalar(b, loc, next, wide));
    return convertScalar(b, loc, total, type);
  });
  Normalized normalized = normalize(t, sum, x.rank() - 1, node.getFloat("epsilon", 1e-12), isLayer, stashType(x), stashType(x));
  node.result(0, scaleAndShift(t, normalized.result, t.convert(scale, stashType(x)), shift ? t.convert(shift, stashType(x)) : shift, type));
  if (node.wants(1) && isLayer)
    node.result(1, t.reshape(normalized.mean, node.resultDims(1)));
  else if (node.wants(1))
    return node.error() << "has output 'mean', which is not supported yet";
  if (node.wants(2))
    node.result(2, t.reshape(normalized.inverse, node.resultDims(2)));
  if (node.wants(3))
    node.result(3, sum);
  return success();
}

/// x divided by the sum of its absolute values, or by the root of that of its squares; zeros stay zeros.
LogicalResult convertLpNormalization(NodeConverter &node) {
  SizedTensor x = node.input(0);
  if (!x || failed(requireFloat(node, x)))
    return failure();
  FailureOr<int64_t> axis = node.axis(node.getInt("axis", -1), x.rank());
  int64_t order = node.getInt("p", 2);
  if (failed(axis))
    return failure();
  if (order != 1 && order != 2)
    return node.error() << "has p " << order << ", expected 1 or 2";
  TensorBuilder &t = node.t;
  Type type = x.elementType(), wide = moe::accumulatorType(type);
  SizedTensor sum = t.reduce(x, *axis, t.scalar(wide, 0), [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    Value element = convertScalar(b, loc, in[0], wide);
    Value term = order == 1 ? math::AbsFOp::create(b, loc, element).getResult() : arith::MulFOp::create(b, loc, element, element).getResult();
    return arith::AddFOp::create(b, loc, in[1], term);
  });
  AffineMap identity = t.builder.getMultiDimIdentityMap(x.rank());
  return node.finish(t.generic({x, sum}, {identity, identity.dropResult(*axis)}, x.dims, type, [&](OpBuilder &b, Location loc, ValueRange in) {
    Value norm = order == 1 ? in[1] : math::SqrtOp::create(b, loc, in[1]).getResult();
    Value isZero = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, norm, arith::ConstantOp::create(b, loc, b.getFloatAttr(wide, 0)));
    Value divisor = arith::SelectOp::create(b, loc, isZero, arith::ConstantOp::create(b, loc, b.getFloatAttr(wide, 1)), norm);
    return convertScalar(b, loc, arith::DivFOp::create(b, loc, convertScalar(b, loc, in[0], wide), divisor), type);
  }));
}

} // namespace

SizedTensor moe::rmsNormalize(TensorBuilder &t, const SizedTensor &x, const SizedTensor &scale, double epsilon) {
  const Type wide = stashType(x);
  const Normalized normalized = normalize(t, x, x.rank() - 1, epsilon, /*subtractMean=*/false, wide, wide);
  return scaleAndShift(t, normalized.result, t.convert(scale, wide), {}, x.elementType());
}

void moe::addNormalizationConversions(ConversionTable &table) {
  table.add("LpNormalization", convertLpNormalization);
  table.add("Softmax", convertSoftmax);
  table.add("LogSoftmax", convertSoftmax);
  table.add("LayerNormalization", convertNormalization);
  table.add("RMSNormalization", convertNormalization);
  // ONNX Runtime's own op, which exporters write into the default domain too.
  table.add("SimplifiedLayerNormalization", convertNormalization);
  table.add("SimplifiedLayerNormalization", convertNormalization, "com.microsoft");
  table.add("SkipSimplifiedLayerNormalization", convertSkipNormalization, "com.microsoft");
  table.add("SkipLayerNormalization", convertSkipNormalization, "com.microsoft");
}
