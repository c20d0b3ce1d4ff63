// Sums over windows and named dims: Conv, CausalConvWithState, Einsum. One generic each whose body reads the input at a computed place.
#include "OnnxConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "moe/IR/Einsum.h"

using namespace mlir;
using moe::convertScalar;
using moe::NodeConverter;
using moe::SizedTensor;
using moe::TensorBuilder;
using utils::IteratorType;

namespace {

/// start + sum over the kernel of weight · element(point of all loops). The loops are the result's dims, then the weight's from dim 1 on.
SizedTensor sumOverKernel(TensorBuilder &t, const SizedTensor &start, const SizedTensor &weight, AffineMap weightMap,
                          llvm::function_ref<Value(OpBuilder &, Location, ValueRange)> element) {
  unsigned loops = weightMap.getNumDims(), rank = start.rank();
  Type wide = start.elementType();
  SmallVector<IteratorType> iterators(rank, IteratorType::parallel);
  iterators.append(loops - rank, IteratorType::reduction);
  SmallVector<AffineExpr> results;
  for (unsigned i = 0; i < rank; ++i)
    results.push_back(getAffineDimExpr(i, t.context()));
  SmallVector<AffineMap> maps = {weightMap, AffineMap::get(loops, 0, results, t.context())};
  auto op = linalg::GenericOp::create(t.builder, t.loc, start.value.getType(), weight.value, start.value, maps, iterators,
                                      [&](OpBuilder &b, Location loc, ValueRange in) {
                                        SmallVector<Value> at;
                                        for (unsigned i = 0; i < loops; ++i)
                                          at.push_back(linalg::IndexOp::create(b, loc, i));
                                        Value x = convertScalar(b, loc, element(b, loc, at), wide);
                                        Value product = arith::MulFOp::create(b, loc, x, convertScalar(b, loc, in[0], wide));
                                        linalg::YieldOp::create(b, loc, arith::AddFOp::create(b, loc, in[1], product).getResult());
                                      });
  return {op.getResult(0), start.dims};
}

/// The bias spread over dim 1 of the result, or zeros, in the type that sums are kept in.
SizedTensor biasOrZeros(NodeConverter &node, unsigned i, ArrayRef<AffineExpr> dims, Type wide) {
  if (!node.has(i))
    return node.t.zeros(dims, wide);
  SizedTensor bias = node.input(i);
  if (!bias)
    return {};
  AffineMap map = AffineMap::get(dims.size(), 0, getAffineDimExpr(1, node.t.context()), node.t.context());
  return node.t.generic(bias, map, dims, wide, [&](OpBuilder &b, Location loc, ValueRange in) { return convertScalar(b, loc, in[0], wide); });
}

/// Strides, dilations and the padding in front, per spatial dim.
struct Window {
  SmallVector<int64_t> strides, dilations;
  SmallVector<Value> before;
};

Window windowOf(NodeConverter &node, const SizedTensor &x, const SizedTensor &w) {
  TensorBuilder &t = node.t;
  int64_t spatial = x.rank() - 2;
  Window window;
  window.strides = node.getInts("strides").value_or(SmallVector<int64_t>(spatial, 1));
  window.dilations = node.getInts("dilations").value_or(SmallVector<int64_t>(spatial, 1));
  SmallVector<int64_t> pads = node.getInts("pads").value_or(SmallVector<int64_t>(2 * spatial, 0));
  StringRef automatic = node.getString("auto_pad", "NOTSET");
  SmallVector<AffineExpr> dims = node.resultDims();
  for (int64_t i = 0; i < spatial; ++i) {
    if (!automatic.starts_with("SAME")) {
      window.before.push_back(t.indexConstant(automatic == "VALID" ? 0 : pads[i]));
      continue;
    }
    // What the windows reach beyond the input, in equal parts; the odd one goes to the end for SAME_UPPER.
    AffineExpr reach = (dims[i + 2] - 1) * window.strides[i] + (w.dims[i + 2] - 1) * window.dilations[i] + 1 - x.dims[i + 2];
    Value total = arith::MaxSIOp::create(t.builder, t.loc, t.indexOf(reach), t.indexConstant(0));
    if (automatic == "SAME_LOWER")
      total = arith::AddIOp::create(t.builder, t.loc, total, t.indexConstant(1));
    window.before.push_back(arith::DivUIOp::create(t.builder, t.loc, total, t.indexConstant(2)));
  }
  return window;
}

LogicalResult convertConv(NodeConverter &node) {
  SizedTensor x = node.input(0), w = node.input(1);
  if (!x || !w)
    return failure();
  if (!isa<FloatType>(x.elementType()))
    return node.error() << "is not defined on elements of type " << x.elementType();
  TensorBuilder &t = node.t;
  SmallVector<AffineExpr> dims = node.resultDims();
  Type type = x.elementType(), wide = moe::accumulatorType(type);
  SizedTensor start = biasOrZeros(node, 2, dims, wide);
  if (!start)
    return failure();
  unsigned rank = dims.size(), spatial = rank - 2, loops = rank + 1 + spatial;
  Window window = windowOf(node, x, w);
  // Feature map m reads the channels of group m / (maps of a group).
  int64_t group = node.getInt("group", 1);
  Value mapsOfGroup = t.indexOf(w.dims[0].floorDiv(group)), channelsOfGroup = t.indexOf(w.dims[1]);
  Value zero = t.indexConstant(0), one = t.indexConstant(1);
  SmallVector<Value> sizes, strides, dilations;
  for (unsigned i = 0; i < spatial; ++i) {
    sizes.push_back(t.indexOf(x.dims[i + 2]));
    strides.push_back(t.indexConstant(window.strides[i]));
    dilations.push_back(t.indexConstant(window.dilations[i]));
  }
  SmallVector<AffineExpr> read = {getAffineDimExpr(1, t.context())};
  for (unsigned i = rank; i < loops; ++i)
    read.push_back(getAffineDimExpr(i, t.context()));
  AffineMap weightMap = AffineMap::get(loops, 0, read, t.context());
  SizedTensor sum = sumOverKernel(t, start, w, weightMap, [&](OpBuilder &b, Location loc, ValueRange at) -> Value {
    Value channel = at[rank];
    if (group != 1) {
      Value first = arith::MulIOp::create(b, loc, arith::DivUIOp::create(b, loc, at[1], mapsOfGroup), channelsOfGroup);
      channel = arith::AddIOp::create(b, loc, first, channel);
    }
    SmallVector<Value> from = {at[0], channel};
    Value inside;
    for (unsigned i = 0; i < spatial; ++i) {
      Value place = arith::AddIOp::create(b, loc, arith::MulIOp::create(b, loc, at[i + 2], strides[i]),
                                          arith::MulIOp::create(b, loc, at[rank + 1 + i], dilations[i]));
      place = arith::SubIOp::create(b, loc, place, window.before[i]);
      Value lies = arith::AndIOp::create(b, loc, arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, place, zero),
                                         arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, place, sizes[i]));
      inside = inside ? arith::AndIOp::create(b, loc, inside, lies).getResult() : lies;
      Value last = arith::SubIOp::create(b, loc, sizes[i], one);
      from.push_back(arith::MaxSIOp::create(b, loc, arith::MinSIOp::create(b, loc, place, last), zero));
    }
    Value element = tensor::ExtractOp::create(b, loc, x.value, from);
    Value nothing = arith::ConstantOp::create(b, loc, b.getFloatAttr(type, 0));
    return arith::SelectOp::create(b, loc, inside, element, nothing);
  });
  return node.finish(t.convert(sum, type));
}

/// [batch, length, channels…] as [batch, channels, length].
SizedTensor channelsFirst(TensorBuilder &t, const SizedTensor &x) {
  return t.transpose(t.reshape(x, {x.dims[0], x.dims[1], t.product(ArrayRef<AffineExpr>(x.dims).drop_front(2))}), {0, 2, 1});
}

/// The state in front of the input, then a depthwise sum; the new state is the end of both together.
LogicalResult convertCausalConv(NodeConverter &node) {
  SizedTensor x = node.input(0), w = node.input(1);
  if (!x || !w)
    return failure();
  Type type = x.elementType(), wide = moe::accumulatorType(type);
  StringRef activation = node.getString("activation", "none");
  if (!isa<FloatType>(type))
    return node.error() << "is not defined on elements of type " << type;
  if (activation != "none" && activation != "silu" && activation != "swish")
    return node.error() << "has activation '" << activation << "', expected none, silu or swish";
  TensorBuilder &t = node.t;
  const bool isLast = node.getInt("channels_last", 0);
  if (isLast)
    x = channelsFirst(t, x);
  const int64_t dilation = node.getInt("dilation", 1), before = (cast<AffineConstantExpr>(w.dims[2]).getValue() - 1) * dilation;
  SmallVector<AffineExpr> stateDims = {x.dims[0], x.dims[1], t.size(before)}, paddedDims = {x.dims[0], x.dims[1], x.dims[2] + before};
  SizedTensor start = biasOrZeros(node, 2, x.dims, wide);
  SizedTensor state = node.has(3) ? node.input(3) : t.zeros(stateDims, type);
  if (node.failed())
    return failure();
  if (isLast && node.has(3))
    state = channelsFirst(t, state);
  SizedTensor padded = before == 0 ? x : t.concat({state, x}, 2, paddedDims);
  AffineMap weightMap = AffineMap::get(4, 0, {getAffineDimExpr(1, t.context()), t.size(0), getAffineDimExpr(3, t.context())}, t.context());
  Value distance = t.indexConstant(dilation);
  SizedTensor sum = sumOverKernel(t, start, w, weightMap, [&](OpBuilder &b, Location loc, ValueRange at) -> Value {
    Value tap = dilation == 1 ? at[3] : arith::MulIOp::create(b, loc, at[3], distance).getResult();
    return tensor::ExtractOp::create(b, loc, padded.value, ValueRange{at[0], at[1], arith::AddIOp::create(b, loc, at[2], tap)});
  });
  SizedTensor result = t.elementwise(sum, x.dims, type, [&](OpBuilder &b, Location loc, ValueRange in) {
    Value y = in[0];
    if (activation != "none") {
      Value one = arith::ConstantOp::create(b, loc, b.getFloatAttr(wide, 1));
      Value power = math::ExpOp::create(b, loc, arith::NegFOp::create(b, loc, y));
      y = arith::DivFOp::create(b, loc, y, arith::AddFOp::create(b, loc, one, power));
    }
    return convertScalar(b, loc, y, type);
  });
  const auto give = [&](unsigned i, const SizedTensor &value) {
    node.result(i, isLast ? t.reshape(t.transpose(value, {0, 2, 1}), node.resultDims(i)) : value);
  };
  if (node.wants(0))
    give(0, result);
  if (node.wants(1)) {
    SmallVector<OpFoldResult> offsets = {t.builder.getIndexAttr(0), t.builder.getIndexAttr(0), t.sizes.getFold(x.dims[2])};
    give(1, t.slice(padded, offsets, stateDims, {1, 1, 1}));
  }
  return success();
}

LogicalResult convertEinsum(NodeConverter &node) {
  SmallVector<SizedTensor> inputs;
  SmallVector<int64_t> ranks;
  for (unsigned i = 0; i < node.numInputs(); ++i) {
    inputs.push_back(node.input(i));
    if (!inputs.back())
      return failure();
    ranks.push_back(inputs.back().rank());
  }
  std::string message;
  FailureOr<moe::EinsumEquation> equation = moe::parseEinsum(node.getString("equation", ""), ranks, message);
  if (failed(equation))
    return node.error() << "equation: " << message;
  Type type = inputs.front().elementType(), wide = moe::accumulatorType(type);
  if (type.isInteger(1))
    return node.error() << "is not defined on elements of type " << type;
  TensorBuilder &t = node.t;
  // A label is a loop. Where one operand has size 1 and another more, the first is read at 0.
  SmallVector<bool> isRepeated(equation->labels, false);
  for (auto [input, labels] : llvm::zip(inputs, equation->operands))
    for (auto [dim, label] : llvm::zip(input.dims, labels))
      isRepeated[label] = isRepeated[label] || !TensorBuilder::isOne(dim);
  SmallVector<Value> values;
  SmallVector<AffineMap> maps;
  for (auto [input, labels] : llvm::zip(inputs, equation->operands)) {
    SmallVector<AffineExpr> read;
    for (auto [dim, label] : llvm::zip(input.dims, labels))
      read.push_back(TensorBuilder::isOne(dim) && isRepeated[label] ? t.size(0) : getAffineDimExpr(label, t.context()));
    maps.push_back(AffineMap::get(equation->labels, 0, read, t.context()));
    values.push_back(input.value);
  }
  SmallVector<AffineExpr> written;
  SmallVector<IteratorType> iterators(equation->labels, IteratorType::reduction);
  for (unsigned label : equation->result) {
    written.push_back(getAffineDimExpr(label, t.context()));
    iterators[label] = IteratorType::parallel;
  }
  maps.push_back(AffineMap::get(equation->labels, 0, written, t.context()));
  SizedTensor start = t.zeros(node.resultDims(), wide);
  auto op = linalg::GenericOp::create(t.builder, t.loc, start.value.getType(), values, start.value, maps, iterators, [&](OpBuilder &b, Location loc, ValueRange in) {
    bool isFloat = isa<FloatType>(wide);
    Value product = convertScalar(b, loc, in[0], wide);
    for (Value next : in.drop_front().drop_back()) {
      Value factor = convertScalar(b, loc, next, wide);
      product = isFloat ? arith::MulFOp::create(b, loc, product, factor).getResult() : arith::MulIOp::create(b, loc, product, factor).getResult();
    }
    Value sum = isFloat ? arith::AddFOp::create(b, loc, in.back(), product).getResult() : arith::AddIOp::create(b, loc, in.back(), product).getResult();
    linalg::YieldOp::create(b, loc, sum);
  });
  return node.finish(t.convert({op.getResult(0), start.dims}, type));
}

} // namespace

void moe::addConvolutionConversions(ConversionTable &table) {
  table.add("Conv", convertConv);
  table.add("CausalConvWithState", convertCausalConv);
  table.add("CausalConvWithState", convertCausalConv, "com.microsoft");
  table.add("Einsum", convertEinsum);
}
