// (Σ (a - za)·(b - zb))·(sa·sb) as Σ (sa·(a - za))·(sb·(b - zb)).
#include "IntegerProducts.h"
#include "LayerBuilder.h"
#include "OnnxMatch.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace moe::raise {
namespace {

/// The nodes of one product, and what its codes stand for.
struct IntegerProduct {
  OnnxOp rows, scaled;
  Value codes, scale, zero;
};

} // namespace

/// The node that alone reads `value`, if it is of this type.
static OnnxOp onlyReader(Value value, StringRef type) {
  auto user = value.hasOneUse() ? dyn_cast<OnnxOp>(*value.user_begin()) : OnnxOp();
  return user && isNode(user, type) ? user : OnnxOp();
}

static bool isStored(Value value) { return isa_and_nonnull<WeightRefOp, arith::ConstantOp>(value.getDefiningOp()); }

/// One number for all columns, or one for each of them.
static bool isPerColumn(Value value, int64_t columns) {
  RankedTensorType type = tensorType(value);
  return type && isStored(value) && type.hasStaticShape() && (type.getRank() == 0 || (type.getRank() == 1 && (type.getDimSize(0) == 1 || type.getDimSize(0) == columns)));
}

static std::optional<IntegerProduct> match(OnnxOp product) {
  IntegerProduct found;
  found.rows = definedBy(product.getInputs()[0], "DynamicQuantizeLinear");
  found.codes = product.getInputs()[1];
  found.zero = inputOrNull(product, 3);
  RankedTensorType type = tensorType(found.codes);
  if (!found.rows || product.getInputs()[0] != found.rows->getResult(0) || inputOrNull(product, 2) != found.rows->getResult(2) || !type ||
      !type.hasStaticShape() || type.getRank() < 2 || !isStored(found.codes) || (found.zero && !isPerColumn(found.zero, type.getShape().back())))
    return std::nullopt;
  OnnxOp cast = onlyReader(product->getResult(0), "Cast");
  found.scaled = cast && tensorType(cast->getResult(0)).getElementType().isF32() ? onlyReader(cast->getResult(0), "Mul") : OnnxOp();
  if (!found.scaled)
    return std::nullopt;
  OnnxOp scales = definedBy(found.scaled.getInputs()[found.scaled.getInputs()[0] == cast->getResult(0) ? 1 : 0], "Mul");
  for (unsigned side : {0u, 1u})
    if (scales && scales.getInputs()[side] == found.rows->getResult(1))
      found.scale = scales.getInputs()[1 - side];
  if (!found.scale || !isPerColumn(found.scale, type.getShape().back()) || !tensorType(found.scale).getElementType().isF32())
    return std::nullopt;
  // A list of scales has a list of zero points.
  const bool alike = !found.zero || tensorType(found.zero).getNumElements() == tensorType(found.scale).getNumElements();
  return alike ? std::optional(found) : std::nullopt;
}

void writeAsFloats(OnnxOp product) {
  auto found = match(product);
  if (!found)
    return;
  OpBuilder builder(found->scaled);
  Location loc = product.getLoc();
  const Type f32 = builder.getF32Type();
  RankedTensorType codes = tensorType(found->codes);
  constexpr int64_t version = 13;
  auto dequantize = [&](Value value, Value scale, Value zero) {
    SmallVector<Value> inputs = {value, scale};
    if (zero)
      inputs.push_back(zero);
    const NamedAttribute axis = builder.getNamedAttr("axis", builder.getI64IntegerAttr(codes.getRank() - 1));
    return makeNode(builder, loc, "DequantizeLinear", version, inputs, tensorType(value).clone(f32), axis);
  };
  Value rows = dequantize(product.getInputs()[0], found->rows->getResult(1), found->rows->getResult(2));
  Value weight = dequantize(found->codes, found->scale, found->zero);
  Value result = found->scaled->getResult(0);
  result.replaceAllUsesWith(makeNode(builder, loc, "MatMul", version, {rows, weight}, tensorType(result)));
  eraseDead(found->scaled.getOperation());
}

} // namespace moe::raise
