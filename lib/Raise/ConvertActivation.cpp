// Activation functions: elementwise formulas on floats. f16 and bf16 are computed in f32 and rounded once.
#include "OnnxConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using moe::NodeConverter;
using moe::SizedTensor;

namespace {

/// Arithmetic on floats that reads like the formulas.
struct Formula {
  OpBuilder &builder;
  Location loc;
  Type type;

  Value number(double value) const { return arith::ConstantOp::create(builder, loc, builder.getFloatAttr(type, value)); }
  Value add(Value a, Value b) const { return arith::AddFOp::create(builder, loc, a, b); }
  Value sub(Value a, Value b) const { return arith::SubFOp::create(builder, loc, a, b); }
  Value mul(Value a, Value b) const { return arith::MulFOp::create(builder, loc, a, b); }
  Value div(Value a, Value b) const { return arith::DivFOp::create(builder, loc, a, b); }
  Value max(Value a, Value b) const { return arith::MaximumFOp::create(builder, loc, a, b); }
  Value min(Value a, Value b) const { return arith::MinimumFOp::create(builder, loc, a, b); }
  Value neg(Value a) const { return arith::NegFOp::create(builder, loc, a); }
  Value exp(Value a) const { return math::ExpOp::create(builder, loc, a); }
  Value tanh(Value a) const { return math::TanhOp::create(builder, loc, a); }
  Value ifLess(Value a, Value b, Value then, Value otherwise) const {
    Value less = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OLT, a, b);
    return arith::SelectOp::create(builder, loc, less, then, otherwise);
  }
  Value sigmoid(Value x) const { return div(number(1), add(number(1), exp(neg(x)))); }
  /// log(1 + exp(x)), without overflow.
  Value softplus(Value x) const {
    Value small = math::Log1pOp::create(builder, loc, exp(neg(math::AbsFOp::create(builder, loc, x))));
    return add(max(x, number(0)), small);
  }
  Value geluErf(Value x) const {
    Value erf = math::ErfOp::create(builder, loc, mul(x, number(0.70710678118654752440)));
    return mul(mul(number(0.5), x), add(number(1), erf));
  }
  Value geluTanh(Value x) const {
    Value cube = mul(mul(x, x), x);
    Value inner = mul(number(0.79788456080286535588), add(x, mul(number(0.044715), cube)));
    return mul(mul(number(0.5), x), add(number(1), tanh(inner)));
  }
};

/// Parameters of the node, read before the body is built.
struct Parameters {
  double alpha, beta;
  bool flag;
};

using Activation = Value (*)(const Formula &, Value, const Parameters &);

struct ActivationRow {
  const char *type;
  const char *domain;
  double alpha, beta; // the schema's defaults of attributes alpha and beta (gamma for Selu)
  Activation formula;
};

const ActivationRow rows[] = {
    {"Relu", "", 0, 0, [](const Formula &f, Value x, const Parameters &) { return f.max(x, f.number(0)); }},
    {"Sigmoid", "", 0, 0, [](const Formula &f, Value x, const Parameters &) { return f.sigmoid(x); }},
    {"Softplus", "", 0, 0, [](const Formula &f, Value x, const Parameters &) { return f.softplus(x); }},
    {"Softsign", "", 0, 0,
     [](const Formula &f, Value x, const Parameters &) {
       return f.div(x, f.add(f.number(1), math::AbsFOp::create(f.builder, f.loc, x)));
     }},
    {"LeakyRelu", "", 0.01, 0,
     [](const Formula &f, Value x, const Parameters &p) { return f.ifLess(x, f.number(0), f.mul(f.number(p.alpha), x), x); }},
    {"ThresholdedRelu", "", 1, 0, [](const Formula &f, Value x, const Parameters &p) { return f.ifLess(f.number(p.alpha), x, x, f.number(0)); }},
    {"Elu", "", 1, 0,
     [](const Formula &f, Value x, const Parameters &p) {
       return f.ifLess(x, f.number(0), f.mul(f.number(p.alpha), f.sub(f.exp(x), f.number(1))), x);
     }},
    {"HardSigmoid", "", 0.2, 0.5,
     [](const Formula &f, Value x, const Parameters &p) {
       return f.max(f.number(0), f.min(f.number(1), f.add(f.mul(f.number(p.alpha), x), f.number(p.beta))));
     }},
    {"HardSwish", "", 0, 0,
     [](const Formula &f, Value x, const Parameters &) {
       return f.mul(x, f.max(f.number(0), f.min(f.number(1), f.add(f.mul(f.number(1.0 / 6), x), f.number(0.5)))));
     }},
    {"Mish", "", 0, 0, [](const Formula &f, Value x, const Parameters &) { return f.mul(x, f.tanh(f.softplus(x))); }},
    {"Gelu", "", 0, 0,
     [](const Formula &f, Value x, const Parameters &p) { return p.flag ? f.geluTanh(x) : f.geluErf(x); }},
    {"Gelu", "com.microsoft", 0, 0, [](const Formula &f, Value x, const Parameters &) { return f.geluErf(x); }},
    {"Swish", "", 1, 0,
     [](const Formula &f, Value x, const Parameters &p) { return f.mul(x, f.sigmoid(p.alpha == 1 ? x : f.mul(f.number(p.alpha), x))); }},
    {"QuickGelu", "com.microsoft", 1.702, 0,
     [](const Formula &f, Value x, const Parameters &p) { return f.mul(x, f.sigmoid(f.mul(f.number(p.alpha), x))); }},
};

LogicalResult convertActivation(NodeConverter &node) {
  StringRef domain = node.op.getDomain() == "ai.onnx" ? "" : node.op.getDomain();
  const ActivationRow *row = llvm::find_if(rows, [&](const ActivationRow &row) { return node.type() == row.type && domain == row.domain; });
  SizedTensor x = node.input(0);
  if (!x)
    return failure();
  Type type = x.elementType();
  if (!isa<FloatType>(type))
    return node.error() << "is not defined on elements of type " << type;
  Parameters parameters{node.getFloat("alpha", row->alpha), node.getFloat("beta", row->beta), node.getString("approximate", "none") == "tanh"};
  Type wide = moe::accumulatorType(type);
  return node.finish(node.t.elementwise(x, node.resultDims(), type, [&](OpBuilder &builder, Location loc, ValueRange in) {
    Formula formula{builder, loc, wide};
    Value y = row->formula(formula, moe::convertScalar(builder, loc, in[0], wide), parameters);
    return moe::convertScalar(builder, loc, y, type);
  }));
}

/// x + bias, then Gelu (BiasGelu), or the tanh form of it (FastGelu, where the bias is optional).
LogicalResult convertBiasGelu(NodeConverter &node) {
  SmallVector<SizedTensor> inputs = {node.input(0)};
  if (node.has(1))
    inputs.push_back(node.input(1));
  if (node.failed())
    return failure();
  Type type = inputs.front().elementType(), wide = moe::accumulatorType(type);
  bool isTanh = node.type() == "FastGelu";
  return node.finish(node.t.elementwise(inputs, node.resultDims(), type, [&](OpBuilder &builder, Location loc, ValueRange in) {
    Formula formula{builder, loc, wide};
    Value x = moe::convertScalar(builder, loc, in[0], wide);
    if (in.size() > 1)
      x = formula.add(x, moe::convertScalar(builder, loc, in[1], wide));
    return moe::convertScalar(builder, loc, isTanh ? formula.geluTanh(x) : formula.geluErf(x), type);
  }));
}

/// Swish of the first input times the second.
LogicalResult convertSwiGlu(NodeConverter &node) {
  SizedTensor gate = node.input(0), linear = node.input(1);
  if (!gate || !linear)
    return failure();
  Type type = gate.elementType(), wide = moe::accumulatorType(type);
  if (!isa<FloatType>(type))
    return node.error() << "is not defined on elements of type " << type;
  double alpha = node.getFloat("alpha", 1);
  return node.finish(node.t.elementwise({gate, linear}, node.resultDims(), type, [&](OpBuilder &builder, Location loc, ValueRange in) {
    Formula formula{builder, loc, wide};
    Value x = moe::convertScalar(builder, loc, in[0], wide);
    Value swish = formula.mul(x, formula.sigmoid(alpha == 1 ? x : formula.mul(formula.number(alpha), x)));
    return moe::convertScalar(builder, loc, formula.mul(swish, moe::convertScalar(builder, loc, in[1], wide)), type);
  }));
}

} // namespace

void moe::addActivationConversions(ConversionTable &table) {
  for (const ActivationRow &row : rows)
    table.add(row.type, convertActivation, row.domain);
  table.add("SwiGLU", convertSwiGlu);
  table.add("BiasGelu", convertBiasGelu, "com.microsoft");
  table.add("FastGelu", convertBiasGelu, "com.microsoft");
}
