// Reading of moe.route_permute. What the op's verifier holds for (sizes, ranks, the choice of operands) is taken as given; checked is
// what the emitter assumes beyond it: memrefs, their layout, and which routers there is a kernel for.
#include "MatmulSpec.h"
#include "RouteEmitter.h"

using namespace mlir;
namespace moe {

// Scores and counts of all experts lie on the stack of each thread.
static constexpr int64_t maxExperts = 16384;

static LogicalResult checkOuts(RoutePermuteOp op) {
  const Type f32 = Float32Type::get(op.getContext()), i32 = IntegerType::get(op.getContext(), 32);
  const std::pair<StringRef, Type> expected[] = {
      {"rows", i32}, {"slot_weights", f32}, {"offsets", i32}, {"chosen", i32}, {"chosen_weights", f32}};
  for (auto [out, what] : llvm::zip(op.getOuts(), expected))
    if (failed(checkKernelMemRef(op, what.first, out, what.second, {1}, /*contiguous=*/true)))
      return failure();
  return success();
}

static LogicalResult readRouter(RoutePermuteOp op, RouteSpec &spec) {
  const Type f32 = Float32Type::get(op.getContext());
  spec.router = *op.getRouter();
  spec.k = spec.router.getK();
  if (failed(checkKernelMemRef(op, "logits", op.getLogits(), f32, {2}, /*contiguous=*/false)))
    return failure();
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
  if (failed(checkKernelMemRef(op, "indices", op.getIndices(), Type(), {2}, /*contiguous=*/true)))
    return failure();
  const auto type = cast<MemRefType>(op.getIndices().getType());
  spec.k = type.getDimSize(1);
  spec.idBits = type.getElementTypeBitWidth();
  spec.hasWeights = static_cast<bool>(op.getWeights());
  if (spec.hasWeights)
    return checkKernelMemRef(op, "weights", op.getWeights(), Float32Type::get(op.getContext()), {2}, /*contiguous=*/true);
  return success();
}

FailureOr<RouteSpec> RouteSpec::read(RoutePermuteOp op) {
  RouteSpec spec;
  spec.experts = op.getExperts();
  if (spec.experts > maxExperts)
    return op.emitOpError() << "'experts' must be at most " << maxExperts << ", found " << spec.experts;
  if (op.getOuts().size() != (op.getLogits() ? 5u : 3u))
    return op.emitOpError("the CPU router kernel writes no places; only CUDA kernels do");
  if (failed(checkOuts(op)))
    return failure();
  if (failed(op.getLogits() ? readRouter(op, spec) : readIndices(op, spec)))
    return failure();
  return spec;
}

} // namespace moe
