// Rules that several verifiers share, and those of attributes whose meaning depends on the op they stand on. The latter are checked by ops
// and not by the attributes: an attribute may be built from a user's model, where a broken rule must be a diagnostic.
#include "VerifierUtils.h"

#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;
using namespace moe;

int64_t verify::times(int64_t a, int64_t b) {
  int64_t result;
  const bool known = !ShapedType::isDynamic(a) && !ShapedType::isDynamic(b) && !llvm::MulOverflow(a, b, result);
  return known ? result : ShapedType::kDynamic;
}

int64_t verify::plus(int64_t a, int64_t b) {
  int64_t result;
  const bool known = !ShapedType::isDynamic(a) && !ShapedType::isDynamic(b) && !llvm::AddOverflow(a, b, result);
  return known ? result : ShapedType::kDynamic;
}

ShapedType verify::shaped(Type type) { return cast<ShapedType>(type); }

LogicalResult verify::length(Operation *op, StringRef name, Type type, int64_t expected, StringRef why) {
  const int64_t found = shaped(type).getDimSize(0);
  if (agree(found, expected))
    return success();
  return op->emitOpError("expected ") << name << " of length " << expected << " (" << why << "), got " << found;
}

LogicalResult verify::size(Operation *op, StringRef name, Type type, unsigned dim, int64_t expected, StringRef why) {
  const int64_t found = shaped(type).getDimSize(dim);
  if (agree(found, expected))
    return success();
  return op->emitOpError("expected dim ") << dim << " of " << name << " to be " << expected << " (" << why << "), got " << found;
}

LogicalResult verify::oneLength(Operation *op, ArrayRef<Named> lists) {
  Named known = {"", Type()};
  for (const Named &list : lists) {
    if (!list.type || shaped(list.type).isDynamicDim(0))
      continue;
    if (known.type && shaped(known.type).getDimSize(0) != shaped(list.type).getDimSize(0))
      return op->emitOpError("expected ") << list.name << " of length " << shaped(known.type).getDimSize(0) << " (that of " << known.name
                                          << "), got " << shaped(list.type).getDimSize(0);
    if (!known.type)
      known = list;
  }
  return success();
}

LogicalResult verify::sameSizes(Operation *op, Named value, Named expected) {
  if (succeeded(verifyCompatibleShape(value.type, expected.type)))
    return success();
  return op->emitOpError("expected ") << value.name << " with the sizes of " << expected.name << ", " << expected.type << ", got "
                                      << value.type;
}

LogicalResult verify::rank(Operation *op, StringRef name, Type type, int64_t first, int64_t second) {
  const int64_t found = shaped(type).getRank();
  if (found == first || found == second)
    return success();
  InFlightDiagnostic error = op->emitOpError("expected ") << name << " of rank " << first;
  if (second >= 0)
    error << " or " << second;
  return error << ", got " << type;
}

LogicalResult verify::exactlyWhere(Operation *op, StringRef name, bool present, bool expected, StringRef where) {
  if (present == expected)
    return success();
  return op->emitOpError("expected ") << name << " exactly " << where << ", got " << (present ? "one elsewhere" : "none");
}

LogicalResult verify::tokenGroups(Operation *op, std::optional<uint64_t> groupSize, Value groupsOf) {
  if (groupSize && static_cast<int64_t>(*groupSize) < 1)
    return op->emitOpError("expected group_size >= 1, got ") << static_cast<int64_t>(*groupSize);
  if (groupSize && groupsOf)
    return op->emitOpError("expected group_size or groups_of, got both");
  return success();
}

LogicalResult verify::ffn(Operation *op, FfnAttr ffn) {
  // ffn-c1
  if (ffn.alphaValue() != 1.0 && ffn.getActivation() != Activation::Silu)
    return op->emitOpError("expected alpha only with activation silu, got ") << stringifyActivation(ffn.getActivation());
  // ffn-c2
  if (!ffn.isGated() && (ffn.upOffsetValue() != 0.0 || ffn.getLimit()))
    return op->emitOpError("expected up_offset and limit only with a gate, got gate none");
  // ffn-c3
  if (!std::isfinite(ffn.alphaValue()) || !std::isfinite(ffn.upOffsetValue()))
    return op->emitOpError("expected finite alpha and up_offset, got ") << ffn;
  if (!(ffn.limitValue() >= 0.0))
    return op->emitOpError("expected a limit that is not negative, got ") << ffn.limitValue();
  return success();
}

LogicalResult verify::router(Operation *op, RouterAttr router, int64_t experts) {
  // router-c1
  if (router.getK() < 1 || (!ShapedType::isDynamic(experts) && router.getK() > experts)) {
    if (ShapedType::isDynamic(experts))
      return op->emitOpError("expected k >= 1, got ") << router.getK();
    return op->emitOpError("expected 1 <= k <= experts (") << experts << "), got " << router.getK();
  }
  // router-c2
  if (router.getFunction() == ScoreFunction::Sinkhorn)
    return op->emitOpError("expected a router function of identity, softmax, sigmoid or sqrt_softplus, got sinkhorn");
  // router-c3
  if (router.getSource() == WeightSource::SparseMixer)
    return op->emitOpError("expected a router source of gather, softmax_selected or one, got sparse_mixer");
  // router-c4
  if (router.getNorm() == WeightNorm::Lp)
    return op->emitOpError("expected a router norm of none or l1, got lp");
  // router-c5
  if (!std::isfinite(router.scaleValue()))
    return op->emitOpError("expected a finite scale, got ") << router.scaleValue();
  return success();
}

LogicalResult verify::origin(Operation *op, OriginAttr origin) {
  // origin-c1
  if (!origin || llvm::is_contained({"fused", "grouped", "batched", "unrolled", "tiled", "masked", "gathered", "padded", "soft", "mlir"}, origin.getForm()))
    return success();
  return op->emitOpError("expected a form of fused, grouped, batched, unrolled, tiled, masked, gathered, padded, soft or mlir, got '")
         << origin.getForm() << "'";
}

LogicalResult verify::plan(Operation *op, PlanAttr plan) {
  if (!plan || llvm::is_contained({"f32", "bf16", "int8"}, plan.getActivations()))
    return success();
  return op->emitOpError("expected planned activations of f32, bf16 or int8, got '") << plan.getActivations() << "'";
}
