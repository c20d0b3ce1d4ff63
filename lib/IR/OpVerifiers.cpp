// Verifiers of the moe ops.
#include "moe/IR/MoeDialect.h"

using namespace mlir;
namespace moe {
#define STUB(Op) LogicalResult Op::verify() { return success(); }
STUB(OnnxOp) STUB(WeightOp) STUB(NoiseOp) STUB(ScoreOp) STUB(SelectOp) STUB(AssignOp) STUB(FilterOp) STUB(WeighOp) STUB(SlotsOp)
STUB(DispatchOp) STUB(CombineOp) STUB(ExpertsOp) STUB(DequantOp) STUB(LayerOp) STUB(StatsOp) STUB(AllToAllOp)
STUB(RoutePermuteOp) STUB(GroupedMatmulOp) STUB(ConcatOp)
#undef STUB
LogicalResult WeightRefOp::verifySymbolUses(SymbolTableCollection &tables) {
  auto weight = tables.lookupNearestSymbolFrom<WeightOp>(*this, getWeightAttr());
  if (!weight)
    return emitOpError("names no moe.weight: ") << getWeightAttr();
  return success();
}
LogicalResult GroupsAttr::verify(llvm::function_ref<InFlightDiagnostic()> error, int64_t count, int64_t keep, int64_t topR, GroupMask) {
  return success();
}
LogicalResult CapacityAttr::verify(llvm::function_ref<InFlightDiagnostic()> error, CapacityBase, int64_t, int64_t, Rounding, bool, bool, int64_t, int64_t, int64_t) {
  return success();
}
static void destinationEffects(DestinationStyleOpInterface op, SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<MemRefType>(operand.get().getType()))
      continue;
    if (!op.isDpsInit(&operand))
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
    else
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
  }
}
#define EFFECTS(Op) void Op::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) { destinationEffects(cast<DestinationStyleOpInterface>(getOperation()), effects); }
EFFECTS(RoutePermuteOp) EFFECTS(GroupedMatmulOp) EFFECTS(ConcatOp)
#undef EFFECTS
} // namespace moe
