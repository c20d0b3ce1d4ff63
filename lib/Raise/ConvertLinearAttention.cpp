// LinearAttention: a state per head, changed by each token in turn. Tokens follow one another, so their number must be known; it is 1 in decoding.
#include "OnnxConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using moe::convertScalar;
using moe::NodeConverter;
using moe::SizedTensor;
using moe::TensorBuilder;

namespace {

/// Each token is a copy of the step's code.
constexpr int64_t maximumTokens = 1024;

/// The recurrence of one node: S is [batch, heads, key size, value size], in the state's element type.
class Recurrence {
public:
  Recurrence(NodeConverter &node, Type wide) : node(node), t(node.t), wide(wide) {}

  LogicalResult convert();

private:
  /// Token `step` of a packed input [batch, tokens, heads·size] as [batch, heads, size], in the state's type.
  SizedTensor token(const SizedTensor &packed, int64_t step, int64_t heads);
  /// body over [batch, heads, key size, value size] of inputs that lack the dims of `missing`, or have size 1 in them.
  SizedTensor spread(ArrayRef<std::pair<SizedTensor, ArrayRef<int64_t>>> inputs, moe::ScalarBody body);
  /// Sum over the keys of state · vector, for vectors [batch, heads of the query, key size]: [batch, heads, value size], of the query or of the state,
  /// whichever are more.
  SizedTensor read(const SizedTensor &state, const SizedTensor &vector, int64_t queryHeads);
  SizedTensor decayed(const SizedTensor &state, int64_t step);
  SizedTensor updated(const SizedTensor &state, int64_t step);

  NodeConverter &node;
  TensorBuilder &t;
  Type wide;
  SizedTensor key, value, decay, beta;
  int64_t heads = 1;
  SmallVector<AffineExpr> stateDims;
};

SizedTensor Recurrence::token(const SizedTensor &packed, int64_t step, int64_t heads) {
  SmallVector<OpFoldResult> offsets(3, t.builder.getIndexAttr(0));
  offsets[1] = t.builder.getIndexAttr(step);
  SizedTensor slice = t.slice(packed, offsets, {packed.dims[0], t.size(1), packed.dims[2]}, {1, 1, 1});
  SizedTensor split = t.reshape(slice, {packed.dims[0], t.size(heads), t.inference.normalise(packed.dims[2].floorDiv(heads))});
  return t.convert(split, wide);
}

SizedTensor Recurrence::spread(ArrayRef<std::pair<SizedTensor, ArrayRef<int64_t>>> inputs, moe::ScalarBody body) {
  SmallVector<SizedTensor> values;
  SmallVector<AffineMap> maps;
  for (const auto &[input, missing] : inputs) {
    SmallVector<AffineExpr> results;
    for (int64_t dim = 0; dim < 4; ++dim)
      if (!llvm::is_contained(missing, dim))
        results.push_back(TensorBuilder::isOne(input.dims[results.size()]) ? t.size(0) : getAffineDimExpr(dim, t.context()));
    values.push_back(input);
    maps.push_back(AffineMap::get(4, 0, results, t.context()));
  }
  return t.generic(values, maps, stateDims, wide, body);
}

SizedTensor Recurrence::read(const SizedTensor &state, const SizedTensor &vector, int64_t queryHeads) {
  // Loops: batch, head of the state, query heads that share it, value, key.
  AffineExpr b, h, g, v, k;
  bindDims(t.context(), b, h, g, v, k);
  if (queryHeads < heads) {
    // A head of the query reads several states. Loops: batch, query head, its states, value, key.
    const AffineExpr shared = t.size(queryHeads), each = t.size(heads / queryHeads);
    auto inner = [&](ArrayRef<AffineExpr> results) { return AffineMap::get(5, 0, results, t.context()); };
    SizedTensor states = t.reshape(state, {stateDims[0], shared, each, stateDims[2], stateDims[3]});
    SizedTensor rows = t.contract(states, inner({b, h, g, k, v}), vector, inner({b, h, k}), {stateDims[0], shared, each, stateDims[3]}, inner({b, h, g, v}));
    return t.reshape(rows, {stateDims[0], t.size(heads), stateDims[3]});
  }
  SmallVector<AffineExpr> grouped = {vector.dims[0], t.size(heads), t.size(queryHeads / heads), vector.dims[2]};
  SmallVector<AffineExpr> dims = {vector.dims[0], t.size(heads), t.size(queryHeads / heads), stateDims[3]};
  auto map = [&](ArrayRef<AffineExpr> results) { return AffineMap::get(5, 0, results, t.context()); };
  SizedTensor sum = t.contract(state, map({b, h, k, v}), t.reshape(vector, grouped), map({b, h, g, k}), dims, map({b, h, g, v}));
  return t.reshape(sum, {vector.dims[0], t.size(queryHeads), stateDims[3]});
}

SizedTensor Recurrence::decayed(const SizedTensor &state, int64_t step) {
  if (!decay)
    return state;
  // [batch, heads, key size], or one factor per head.
  SizedTensor gate = token(decay, step, heads);
  return spread({{state, {}}, {gate, {3}}}, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    return arith::MulFOp::create(b, loc, in[0], math::ExpOp::create(b, loc, in[1]));
  });
}

SizedTensor Recurrence::updated(const SizedTensor &state, int64_t step) {
  SizedTensor k = token(key, step, heads), v = token(value, step, heads), before = decayed(state, step);
  if (!beta)
    return spread({{before, {}}, {k, {3}}, {v, {2}}}, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
      return arith::AddFOp::create(b, loc, in[0], arith::MulFOp::create(b, loc, in[1], in[2]));
    });
  SizedTensor known = read(before, k, heads);
  SizedTensor rate = token(beta, step, TensorBuilder::isOne(beta.dims[2]) ? 1 : heads);
  return spread({{before, {}}, {k, {3}}, {v, {2}}, {known, {2}}, {rate, {3}}}, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    Value error = arith::SubFOp::create(b, loc, in[2], in[3]);
    Value change = arith::MulFOp::create(b, loc, in[4], arith::MulFOp::create(b, loc, in[1], error));
    return arith::AddFOp::create(b, loc, in[0], change);
  });
}

LogicalResult Recurrence::convert() {
  SizedTensor query = node.input(0);
  key = node.input(1);
  value = node.input(2);
  StringRef rule = node.getString("update_rule", "gated_delta");
  bool isGated = rule == "gated" || rule == "gated_delta", isDelta = rule == "delta" || rule == "gated_delta";
  if (!isGated && !isDelta && rule != "linear")
    return node.error() << "has update_rule '" << rule << "', expected linear, gated, delta or gated_delta";
  if (isGated)
    decay = node.input(4);
  if (isDelta)
    beta = node.input(5);
  if (node.failed())
    return failure();
  auto tokens = dyn_cast<AffineConstantExpr>(query.dims[1]);
  if (!tokens || tokens.getValue() > maximumTokens)
    return node.error() << "needs a number of tokens that is known and at most " << maximumTokens << ", found " << t.sizes.describe(query.dims[1])
                        << "; fix the dim's size with --dim";
  int64_t queryHeads = node.getInt("q_num_heads", 1);
  heads = node.getInt("kv_num_heads", 1);
  auto headSize = [&](const SizedTensor &packed) { return t.inference.normalise(packed.dims[2].floorDiv(heads)); };
  stateDims = {query.dims[0], t.size(heads), headSize(key), headSize(value)};
  SizedTensor state = node.has(3) ? t.convert(node.input(3), wide) : t.zeros(stateDims, wide);
  double given = node.getFloat("scale", 0);
  auto keySize = dyn_cast<AffineConstantExpr>(stateDims[2]);
  if (given == 0 && !keySize)
    return node.error() << "needs a size of keys that is known, found " << t.sizes.describe(stateDims[2]);
  double scale = given != 0 ? given : 1 / std::sqrt(double(keySize.getValue()));

  Type type = query.elementType();
  SmallVector<AffineExpr> rowDims = {query.dims[0], t.size(1), node.resultDims(0)[2]};
  SmallVector<SizedTensor> rows;
  for (int64_t step = 0; step < tokens.getValue(); ++step) {
    state = updated(state, step);
    SizedTensor row = read(state, token(query, step, queryHeads), queryHeads);
    row = t.elementwise(row, row.dims, type, [&](OpBuilder &b, Location loc, ValueRange in) {
      Value scaled = arith::MulFOp::create(b, loc, in[0], arith::ConstantOp::create(b, loc, b.getFloatAttr(wide, scale)));
      return convertScalar(b, loc, scaled, type);
    });
    rows.push_back(t.reshape(row, rowDims));
  }
  if (node.wants(0))
    node.result(0, rows.empty() ? t.zeros(node.resultDims(0), type) : rows.size() == 1 ? rows.front() : t.concat(rows, 1, node.resultDims(0)));
  if (node.wants(1))
    node.result(1, t.convert(state, node.resultElement(1)));
  return success();
}

LogicalResult convertLinearAttention(NodeConverter &node) {
  // The state may be kept in a wider type than the tokens.
  Type state = node.op.getOutputs().size() > 1 && !isa<NoneType>(node.op.getOutputs()[1].getType()) ? node.resultElement(1) : node.inputElement(0);
  Type wide = moe::accumulatorType(state);
  if (!isa<FloatType>(wide))
    return node.error() << "is not defined on elements of type " << wide;
  return Recurrence(node, wide).convert();
}

} // namespace

void moe::addLinearAttentionConversions(ConversionTable &table) {
  for (const char *domain : {"", "com.microsoft"})
    table.add("LinearAttention", convertLinearAttention, domain);
}
