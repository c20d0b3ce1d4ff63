// Reads a packed weight's recipe from its op. The verifier has seen it, but package reads files and must not trust that one ran.
#include "PanelPlan.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace moe {

std::pair<unsigned, int64_t> PanelPlan::sourceColumn(int64_t e, int64_t p, int64_t c) const {
  const int64_t part = e % columnParts;
  if (packing == PackingFamily::Panel32) {
    int64_t n = p * panelWidth + c;
    return {0, n < columns ? part * columns + n : -1};
  }
  const int64_t isUp = c / pairsPerPanel, ofPart = gate == GateLayout::Separate ? columns : columns / 2, pairs = ofPart * columnParts;
  int64_t pair = p * pairsPerPanel + c % pairsPerPanel;
  if (pair >= ofPart)
    return {0, -1};
  pair += part * ofPart;
  switch (gate) {
  case GateLayout::Separate:
    return {static_cast<unsigned>(isUp), pair};
  case GateLayout::Interleaved:
    return {0, 2 * pair + isUp};
  case GateLayout::UpFirstPairs:
    return {0, 2 * pair + 1 - isUp};
  case GateLayout::UpFirst:
    return {0, (1 - isUp) * pairs + pair};
  default:
    return {0, isUp * pairs + pair};
  }
}

InFlightDiagnostic packingError(WeightOp op) { return op.emitError() << "weight @" << op.getSymName() << ": "; }

FailureOr<PanelPlan> planPanels(WeightOp op, ArrayRef<RankedTensorType> sources) {
  PanelPlan plan;
  plan.packing = *op.getPacking();
  plan.gate = op.getGate().value_or(GateLayout::None);
  const bool paired = plan.packing == PackingFamily::GateUp16;
  if (paired != (plan.gate != GateLayout::None))
    return packingError(op) << "packing " << stringifyPackingFamily(plan.packing) << " does not fit the gate layout "
                     << stringifyGateLayout(plan.gate),
           failure();
  const size_t expected = plan.gate == GateLayout::Separate ? 2 : 1;
  if (sources.size() != expected)
    return packingError(op) << "expected " << expected << " sources, found " << sources.size(), failure();
  RankedTensorType source = sources.front();
  if (sources.back() != source || (source.getRank() != 2 && source.getRank() != 3))
    return packingError(op) << "expected sources of one type and of rank 2 or 3, found " << source << " and " << sources.back(), failure();

  const int64_t rank = source.getRank();
  const bool outIn = op.getOrder().value_or(WeightOrder::OutIn) == WeightOrder::OutIn;
  plan.experts = rank == 3 ? source.getDimSize(0) : 1;
  plan.columns = source.getDimSize(rank - (outIn ? 2 : 1));
  plan.depth = source.getDimSize(rank - (outIn ? 1 : 2));
  plan.columnStride = outIn ? plan.depth : 1;
  plan.depthStride = outIn ? 1 : plan.columns;
  plan.expertSize = plan.columns * plan.depth;
  plan.columnParts = static_cast<int64_t>(op.getColumnParts().value_or(1));
  plan.depthParts = static_cast<int64_t>(op.getDepthParts().value_or(1));
  if (plan.columnParts < 1 || plan.depthParts < 1 || plan.columns % plan.columnParts != 0 || plan.depth % plan.depthParts != 0 ||
      (op.getQuant() && plan.depthParts != 1))
    return packingError(op) << "expected parts that divide " << plan.columns << " columns and " << plan.depth << " values of k, those of quantised weights whole, found "
                            << plan.columnParts << " and " << plan.depthParts,
           failure();
  plan.experts *= plan.columnParts * plan.depthParts;
  plan.columns /= plan.columnParts;
  plan.depth /= plan.depthParts;
  if (paired && expected == 1 && plan.columns % 2 != 0)
    return packingError(op) << "expected an even number of gate and up columns, found " << plan.columns, failure();
  const int64_t pairs = expected == 2 ? plan.columns : plan.columns / 2;
  plan.panels = paired ? llvm::divideCeil(pairs, pairsPerPanel) : llvm::divideCeil(plan.columns, panelWidth);

  auto target = cast<RankedTensorType>(op.getType());
  plan.perLane = target.getRank() == 5 ? 2 : 1;
  SmallVector<int64_t> sizes = {plan.experts, plan.panels};
  if (op.getBlocks())
    sizes.push_back(op.getBlocks()->panelBytes(plan.depth));
  else
    sizes.append({(plan.depth + plan.perLane - 1) / plan.perLane, panelWidth});
  if (plan.perLane > 1)
    sizes.push_back(plan.perLane);
  auto wanted = RankedTensorType::get(sizes, target.getElementType());
  if (target != wanted)
    return packingError(op) << "expected the type " << wanted << " for " << stringifyPackingFamily(plan.packing) << " of " << source << ", found "
                     << target,
           failure();
  return plan;
}

} // namespace moe
