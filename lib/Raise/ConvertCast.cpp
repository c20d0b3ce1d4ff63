// Cast, CastLike and BitCast.
#include "OnnxConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using moe::NodeConverter;
using moe::SizedTensor;

/// The attributes of Cast, CastLike and QuantizeLinear for floats of 8 bits.
FailureOr<moe::NarrowRules> moe::narrowRules(NodeConverter &node) {
  NarrowRules rules;
  rules.saturate = node.getInt("saturate", 1) != 0;
  StringRef rounding = node.getString("round_mode", "up");
  if (rounding != "up" && rounding != "down" && rounding != "nearest")
    return node.error() << "expected round_mode to be up, down or nearest, found '" << rounding << "'";
  rules.rounding = rounding == "up" ? PowerRounding::Up : rounding == "down" ? PowerRounding::Down : PowerRounding::Nearest;
  return rules;
}

/// The result type is inference's reading of `to` (Cast) or of the second input (CastLike).
static LogicalResult convertCast(NodeConverter &node) {
  SizedTensor x = node.input(0);
  if (!x)
    return failure();
  Type from = node.inputElement(0), to = node.resultElement();
  if (!moe::isNarrow(from) && !moe::isNarrow(to))
    return node.finish(node.t.convert(x, to, node.isUnsigned(0)));
  if (from == to)
    return node.finish(x);
  FailureOr<moe::NarrowRules> rules = moe::narrowRules(node);
  if (failed(rules))
    return failure();
  return node.finish(node.t.elementwise(x, x.dims, moe::codeType(to), [&](OpBuilder &b, Location loc, ValueRange in) {
    return moe::castElement(b, loc, in[0], from, to, *rules);
  }));
}

/// The same bits as another type. A bool is a byte, of which any but 0 is true.
static LogicalResult convertBitCast(NodeConverter &node) {
  SizedTensor x = node.input(0);
  if (!x)
    return failure();
  Type to = moe::codeType(node.resultElement());
  if (x.elementType() == to)
    return node.finish(x);
  return node.finish(node.t.elementwise(x, x.dims, to, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
    Value bits = in[0];
    if (bits.getType().isInteger(1))
      bits = arith::ExtUIOp::create(b, loc, b.getI8Type(), bits);
    if (to.isInteger(1))
      return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, bits, arith::ConstantOp::create(b, loc, b.getZeroAttr(bits.getType())));
    return bits.getType() == to ? bits : arith::BitcastOp::create(b, loc, to, bits).getResult();
  }));
}

void moe::addCastConversions(ConversionTable &table) {
  table.add("Cast", convertCast);
  table.add("BitCast", convertBitCast);
  table.add("CastLike", convertCast, "", /*shapeOnlyInputs=*/1u << 1);
}
