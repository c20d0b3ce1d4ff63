// Quantisation as ONNX writes it: DequantizeLinear, QuantizeLinear, DynamicQuantizeLinear, MatMulInteger. Quantised weights of products are taken
// before this, as they lie; what comes here is arithmetic on tensors. All of it is computed in f32 (f64 for f64).
#include "OnnxConversion.h"
#include "moe/IR/Activations.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>

using namespace mlir;
using moe::castElement;
using moe::convertScalar;
using moe::NodeConverter;
using moe::SizedTensor;
using moe::TensorBuilder;

namespace {

/// How a scale or zero point belongs to the elements of the tensor it is for.
enum class Granularity { Tensor, Axis, Block };

/// A tensor with its scale and, if it has one, its zero point.
struct Quantised {
  SizedTensor x, scale, zero;
  Granularity granularity = Granularity::Tensor;
  int64_t axis = 0, block = 0;
};

/// Makes an element from x, its scale, and its zero point or null.
using ElementBody = llvm::function_ref<Value(OpBuilder &, Location, Value, Value, Value)>;

LogicalResult readGranularity(NodeConverter &node, Quantised &in) {
  if (in.scale.rank() == 0 || (in.scale.rank() == 1 && TensorBuilder::isOne(in.scale.dims[0])))
    return success();
  FailureOr<int64_t> axis = node.axis(node.getInt("axis", 1), in.x.rank());
  if (failed(axis))
    return failure();
  in.axis = *axis;
  in.block = node.getInt("block_size", 0);
  if (in.block == 0 && in.scale.rank() == 1) {
    in.granularity = Granularity::Axis;
    return node.t.equal(in.scale.dims[0], in.x.dims[*axis]) ? success() : LogicalResult(node.error() << "needs one scale for each index of axis " << *axis);
  }
  in.granularity = Granularity::Block;
  if (in.block < 1 || in.scale.rank() != in.x.rank())
    return node.error() << "has scales of " << in.scale.rank() << " dims and block_size " << in.block
                        << ", expected a scalar, a list, or as many dims as the input with a block_size";
  for (int64_t i = 0; i < in.x.rank(); ++i) {
    auto wanted = dyn_cast<AffineConstantExpr>(in.x.dims[i]), found = dyn_cast<AffineConstantExpr>(in.scale.dims[i]);
    bool fits = i == *axis ? wanted && found && found.getValue() == static_cast<int64_t>(llvm::divideCeil(wanted.getValue(), in.block))
                           : node.t.equal(in.x.dims[i], in.scale.dims[i]);
    if (!fits)
      return node.error() << "has scales that do not fit blocks of " << in.block << " along axis " << *axis;
  }
  return success();
}

/// The inputs of a node of quantisation.
FailureOr<Quantised> readInputs(NodeConverter &node) {
  Quantised in{node.input(0), node.input(1), node.has(2) ? node.input(2) : SizedTensor()};
  if (node.failed())
    return failure();
  // One value may be a scalar or a list.
  auto isSingle = [](const SizedTensor &tensor) { return tensor.rank() == 0 || (tensor.rank() == 1 && TensorBuilder::isOne(tensor.dims[0])); };
  if (in.zero && in.zero.rank() != in.scale.rank() && !(isSingle(in.zero) && isSingle(in.scale)))
    return node.error() << "has a zero point of " << in.zero.rank() << " dims, expected " << in.scale.rank() << " as the scale has";
  if (!isa<FloatType>(in.scale.elementType()))
    return node.error() << "has scales of type " << in.scale.elementType() << ", expected floats";
  if (failed(readGranularity(node, in)))
    return failure();
  return in;
}

/// The map that reads a scale or zero point at a point of x; not for blocks.
AffineMap parameterMap(TensorBuilder &t, const Quantised &in, const SizedTensor &parameter) {
  SmallVector<AffineExpr> results;
  for (int64_t i = 0; i < parameter.rank(); ++i)
    results.push_back(in.granularity == Granularity::Axis ? getAffineDimExpr(in.axis, t.context()) : t.size(0));
  return AffineMap::get(in.x.rank(), 0, results, t.context());
}

/// A generic over x together with its parameters.
SizedTensor mapElements(NodeConverter &node, const Quantised &in, Type elementType, ElementBody body) {
  TensorBuilder &t = node.t;
  AffineMap identity = t.builder.getMultiDimIdentityMap(in.x.rank());
  if (in.granularity != Granularity::Block) {
    SmallVector<SizedTensor> inputs = {in.x, in.scale};
    SmallVector<AffineMap> maps = {identity, parameterMap(t, in, in.scale)};
    if (in.zero) {
      inputs.push_back(in.zero);
      maps.push_back(parameterMap(t, in, in.zero));
    }
    return t.generic(inputs, maps, in.x.dims, elementType, [&](OpBuilder &b, Location loc, ValueRange scalars) {
      return body(b, loc, scalars[0], scalars[1], in.zero ? scalars[2] : Value());
    });
  }
  Value block = t.indexConstant(in.block);
  return t.points(in.x, identity, in.x.dims, elementType, [&](OpBuilder &b, Location loc, ValueRange at, ValueRange scalars) {
    SmallVector<Value> from(at);
    from[in.axis] = arith::DivUIOp::create(b, loc, at[in.axis], block);
    Value scale = tensor::ExtractOp::create(b, loc, in.scale.value, from);
    return body(b, loc, scalars[0], scale, in.zero ? tensor::ExtractOp::create(b, loc, in.zero.value, from).getResult() : Value());
  });
}

/// (x − zero point) · scale. Differences of integers are exact in i32, and in f32 up to 24 bits.
LogicalResult convertDequantize(NodeConverter &node) {
  FailureOr<Quantised> in = readInputs(node);
  if (failed(in))
    return failure();
  Type result = node.resultElement(), wide = result.isF64() ? result : Type(node.t.builder.getF32Type());
  Type stored = node.inputElement(0);
  bool isInteger = isa<IntegerType>(stored);
  Type i32 = node.t.builder.getI32Type();
  return node.finish(mapElements(node, *in, result, [&](OpBuilder &b, Location loc, Value value, Value factor, Value shift) {
    Value number;
    if (isInteger) {
      number = castElement(b, loc, value, stored, i32);
      if (shift)
        number = arith::SubIOp::create(b, loc, number, castElement(b, loc, shift, stored, i32));
      number = convertScalar(b, loc, number, wide);
    } else {
      number = castElement(b, loc, value, stored, wide);
      if (shift)
        number = arith::SubFOp::create(b, loc, number, castElement(b, loc, shift, stored, wide));
    }
    Value product = arith::MulFOp::create(b, loc, number, convertScalar(b, loc, factor, wide));
    return convertScalar(b, loc, product, result);
  }));
}

/// The least and greatest of an integer type of at most 16 bits, as a float.
double leastOf(IntegerType type) { return type.isUnsigned() ? 0 : -std::ldexp(1.0, type.getWidth() - 1); }
double greatestOf(IntegerType type) { return std::ldexp(1.0, type.getWidth() - (type.isUnsigned() ? 0 : 1)) - 1; }

/// saturate(round(x / scale) + zero point), halves to even.
Value quantise(OpBuilder &b, Location loc, Value x, Value scale, Value zero, Type target) {
  auto integer = cast<IntegerType>(target);
  Value number = moe::codeOf(b, loc, x, scale, zero, leastOf(integer), greatestOf(integer));
  return moe::isNarrow(target) ? castElement(b, loc, number, number.getType(), target) : convertScalar(b, loc, number, target);
}

/// x / scale + zero point, rounded as Cast does.
Value quantiseToFloat(OpBuilder &b, Location loc, Value x, Value scale, Value zero, Type target, moe::NarrowRules rules) {
  Value number = arith::DivFOp::create(b, loc, x, scale);
  if (zero)
    number = arith::AddFOp::create(b, loc, number, zero);
  return castElement(b, loc, number, number.getType(), target, rules);
}

LogicalResult convertQuantize(NodeConverter &node) {
  FailureOr<Quantised> in = readInputs(node);
  if (failed(in))
    return failure();
  Type target = node.resultElement();
  if (!isa<IntegerType>(target) && !moe::isNarrow(target))
    return node.error() << "to elements of type " << target << " is not defined, expected integers or floats of at most 8 bits";
  FailureOr<moe::NarrowRules> rules = moe::narrowRules(node);
  if (failed(rules))
    return failure();
  Type wide = node.t.builder.getF32Type(), source = node.inputElement(0);
  return node.finish(mapElements(node, *in, moe::codeType(target), [&](OpBuilder &b, Location loc, Value value, Value factor, Value shift) {
    Value number = castElement(b, loc, value, source, wide), scale = convertScalar(b, loc, factor, wide);
    Value offset = shift ? castElement(b, loc, shift, target, wide) : Value();
    return isa<FloatType>(target) ? quantiseToFloat(b, loc, number, scale, offset, target, *rules) : quantise(b, loc, number, scale, offset, target);
  }));
}

/// The scale covers the values and zero with 256 steps; the zero point is where zero falls.
LogicalResult convertDynamicQuantize(NodeConverter &node) {
  SizedTensor x = node.input(0);
  if (!x)
    return failure();
  TensorBuilder &t = node.t;
  Type f32 = t.builder.getF32Type(), bytes = node.resultElement(0);
  if (x.elementType() != f32)
    return node.error() << "is not defined on elements of type " << x.elementType();
  SmallVector<int64_t> all = llvm::to_vector(llvm::seq<int64_t>(0, x.rank()));
  auto extreme = [&](bool isMax) {
    return t.reduce(x, all, t.scalar(f32, 0), [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
      return isMax ? arith::MaximumFOp::create(b, loc, in[0], in[1]).getResult() : arith::MinimumFOp::create(b, loc, in[0], in[1]).getResult();
    });
  };
  SizedTensor least = extreme(false), greatest = extreme(true);
  SizedTensor scale = t.elementwise({least, greatest}, {}, f32, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    Value range = arith::SubFOp::create(b, loc, in[1], in[0]);
    return arith::DivFOp::create(b, loc, range, arith::ConstantOp::create(b, loc, b.getF32FloatAttr(255)));
  });
  SizedTensor zero = t.elementwise({least, scale}, {}, moe::codeType(bytes), [&](OpBuilder &b, Location loc, ValueRange in) {
    return quantise(b, loc, arith::NegFOp::create(b, loc, in[0]), in[1], Value(), bytes);
  });
  SizedTensor y = t.elementwise({x, scale, zero}, x.dims, moe::codeType(bytes), [&](OpBuilder &b, Location loc, ValueRange in) {
    return quantise(b, loc, in[0], in[1], convertScalar(b, loc, in[2], f32, /*isUnsigned=*/true), bytes);
  });
  const SizedTensor *results[] = {&y, &scale, &zero};
  for (unsigned i = 0; i < 3; ++i)
    if (node.wants(i))
      node.result(i, *results[i]);
  return success();
}

/// An operand of MatMulInteger as i32 without its zero point; `perRow` says which dim a list of zero points belongs to.
SizedTensor centred(NodeConverter &node, unsigned i, bool perRow) {
  SizedTensor x = node.input(i), zero = node.has(i + 2) ? node.input(i + 2) : SizedTensor();
  if (node.failed())
    return {};
  TensorBuilder &t = node.t;
  Type i32 = t.builder.getI32Type();
  bool isUnsigned = node.isUnsigned(i);
  if (!zero)
    return t.convert(x, i32, isUnsigned);
  if (zero.rank() == 1 && perRow && !TensorBuilder::isOne(zero.dims[0]))
    zero = t.reshape(zero, {zero.dims[0], t.size(1)});
  return t.elementwise({x, zero}, x.dims, i32, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    return arith::SubIOp::create(b, loc, convertScalar(b, loc, in[0], i32, isUnsigned), convertScalar(b, loc, in[1], i32, isUnsigned));
  });
}

LogicalResult convertMatMulInteger(NodeConverter &node) {
  SizedTensor lhs = centred(node, 0, true), rhs = centred(node, 1, false);
  if (!lhs || !rhs)
    return failure();
  if (lhs.rank() < 2 || rhs.rank() < 2)
    return node.error() << "with a vector is not supported yet, expected operands of rank 2 or more";
  TensorBuilder &t = node.t;
  SmallVector<AffineExpr> dims = node.resultDims();
  unsigned rank = dims.size();
  // Loops: the dims of the result, then the sum.
  auto map = [&](const SizedTensor &operand, AffineExpr row, AffineExpr column) {
    AffineMap batch = t.broadcastMap(ArrayRef<AffineExpr>(operand.dims).drop_back(2), ArrayRef<AffineExpr>(dims).drop_back(2));
    SmallVector<AffineExpr> results(batch.getResults());
    results.append({row, column});
    return AffineMap::get(rank + 1, 0, results, t.context());
  };
  AffineExpr m = getAffineDimExpr(rank - 2, t.context()), n = getAffineDimExpr(rank - 1, t.context()), k = getAffineDimExpr(rank, t.context());
  AffineMap result = t.builder.getMultiDimIdentityMap(rank + 1).dropResult(rank);
  return node.finish(t.contract(lhs, map(lhs, m, k), rhs, map(rhs, k, n), dims, result));
}

} // namespace

void moe::addQuantizeConversions(ConversionTable &table) {
  for (const char *domain : {"", "com.microsoft"}) {
    table.add("DequantizeLinear", convertDequantize, domain);
    table.add("QuantizeLinear", convertQuantize, domain);
  }
  table.add("DynamicQuantizeLinear", convertDynamicQuantize);
  table.add("MatMulInteger", convertMatMulInteger);
}
