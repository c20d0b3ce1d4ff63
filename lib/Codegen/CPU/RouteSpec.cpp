// Reading of moe.route_permute: every assumption of the emitter is checked here, with a diagnostic.
#include "MatmulSpec.h"
#include "RouteEmitter.h"

using namespace mlir;
namespace moe {

// Scores and counts of all experts lie on the stack of each thread.
static constexpr int64_t maxExperts = 16384;

static LogicalResult checkOuts(RoutePermuteOp op, bool fromLogits) {
  const Type f32 = Float32Type::get(op.getContext()), i32 = IntegerType::get(op.getContext(), 32);
  const ValueRange outs = op.getOuts();
  if (outs.size() != 5 && (fromLogits || outs.size() != 3))
    return op.emitOpError() << "has " << outs.size() << " outs; expected rows, slot_weights, offsets"
                            << (fromLogits ? " and the scratch chosen and chosen_weights" : "");
  const std::pair<StringRef, Type> expected[] = {
      {"rows", i32}, {"slot_weights", f32}, {"offsets", i32}, {"chosen", i32}, {"chosen_weights", f32}};
  for (auto [out, what] : llvm::zip(outs, expected))
    if (failed(checkKernelMemRef(op, what.first, out, what.second, {1}, /*contiguous=*/true)))
      return failure();
  const int64_t offsets = cast<MemRefType>(outs[2].getType()).getDimSize(0), experts = op.getExperts();
  if (!ShapedType::isDynamic(offsets) && offsets != experts + 1)
    return op.emitOpError() << "'offsets' must have " << experts + 1 << " elements, found " << offsets;
  return success();
}

static LogicalResult readRouter(RoutePermuteOp op, RouteSpec &spec) {
  const Type f32 = Float32Type::get(op.getContext());
  if (!op.getRouter() || op.getIndices() || op.getWeights())
    return op.emitOpError() << "'logits' go with 'router' and without 'indices' and 'weights'";
  spec.router = *op.getRouter();
  spec.k = spec.router.getK();
  if (failed(checkKernelMemRef(op, "logits", op.getLogits(), f32, {2}, /*contiguous=*/false)))
    return failure();
  const int64_t width = cast<MemRefType>(op.getLogits().getType()).getDimSize(1);
  if (width != spec.experts)
    return op.emitOpError() << "'logits' must have " << spec.experts << " columns, one per expert, found " << width;
  if (spec.k < 1 || spec.k > spec.experts)
    return op.emitOpError() << "router selects " << spec.k << " of " << spec.experts << " experts";
  const ScoreFunction function = spec.router.getFunction();
  if (function != ScoreFunction::Softmax && function != ScoreFunction::Sigmoid && function != ScoreFunction::Identity)
    return op.emitOpError() << "the CPU router kernel has no score function " << stringifyScoreFunction(function);
  const WeightSource source = spec.router.getSource();
  if (source == WeightSource::SparseMixer)
    return op.emitOpError() << "the CPU router kernel has no weight source " << stringifyWeightSource(source);
  if (spec.router.getNorm() == WeightNorm::Lp)
    return op.emitOpError() << "the CPU router kernel has no weight norm lp";
  return success();
}

static LogicalResult readIndices(RoutePermuteOp op, RouteSpec &spec) {
  if (!op.getIndices() || op.getRouter())
    return op.emitOpError() << "needs 'logits' with 'router', or 'indices' without 'router'";
  if (failed(checkKernelMemRef(op, "indices", op.getIndices(), Type(), {2}, /*contiguous=*/true)))
    return failure();
  const auto type = cast<MemRefType>(op.getIndices().getType());
  spec.k = type.getDimSize(1);
  spec.idBits = type.getElementTypeBitWidth();
  spec.hasWeights = static_cast<bool>(op.getWeights());
  if (spec.hasWeights)
    return checkKernelMemRef(op, "weights", op.getWeights(), Float32Type::get(op.getContext()), {1, 2}, /*contiguous=*/true);
  return success();
}

FailureOr<RouteSpec> RouteSpec::read(RoutePermuteOp op) {
  RouteSpec spec;
  spec.experts = op.getExperts();
  if (spec.experts < 1 || spec.experts > maxExperts)
    return op.emitOpError() << "'experts' must be 1 to " << maxExperts << ", found " << spec.experts;
  if (failed(checkOuts(op, static_cast<bool>(op.getLogits()))))
    return failure();
  if (failed(op.getLogits() ? readRouter(op, spec) : readIndices(op, spec)))
    return failure();
  return spec;
}

} // namespace moe
