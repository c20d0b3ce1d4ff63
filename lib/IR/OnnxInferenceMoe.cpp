// Sizes of the moe ops that stand among ONNX nodes once layers are recognised, so that inference sees through a layer: its result has as
// many rows as its input. Their types are never changed.
#include "OnnxInferenceNode.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace moe {

/// The size that an index is, where it is a constant or a dim of a tensor that is known; null otherwise.
static AffineExpr indexSize(OnnxInference &inference, Value index) {
  APInt number;
  if (matchPattern(index, m_ConstantInt(&number)))
    return getAffineConstantExpr(number.getSExtValue(), index.getContext());
  auto dim = index.getDefiningOp<tensor::DimOp>();
  std::optional<int64_t> position = dim ? dim.getConstantIndex() : std::nullopt;
  if (!position || *position < 0 || *position >= static_cast<int64_t>(inference.facts(dim.getSource()).dims.size()))
    return {};
  return inference.facts(dim.getSource()).dims[*position];
}

void OnnxInference::inferChain(Operation *op) {
  // Dims that the type of a result fixes stay; only dynamic ones are taken from `sizes`, where that has one.
  auto set = [&](Value result, ArrayRef<AffineExpr> sizes) {
    ValueFacts known = facts(result);
    auto type = cast<RankedTensorType>(result.getType());
    for (size_t i = 0; i < known.dims.size() && i < sizes.size(); ++i)
      if (type.isDynamicDim(i) && sizes[i])
        known.dims[i] = normalise(sizes[i]);
    valueFacts[result] = std::move(known);
  };
  auto dimsOf = [&](Value value) { return SmallVector<AffineExpr>(facts(value).dims); };
  if (auto score = dyn_cast<ScoreOp>(op)) {
    SmallVector<AffineExpr> dims = dimsOf(score.getLogits());
    set(score.getScores(), dims);
    set(score.getChoice(), dims);
  } else if (auto select = dyn_cast<SelectOp>(op)) {
    if (!select.getChoice() || select.getSide() != SelectSide::Token ||
        (select.getMode() != SelectMode::TopK && select.getMode() != SelectMode::SparseMixer))
      return;
    AffineExpr tokens = dimsOf(select.getChoice())[0];
    for (Value result : {select.getToken(), select.getExpert(), select.getRank(), select.getValidOut()})
      set(result, {tokens * static_cast<int64_t>(select.getK())});
    set(select.getKth(), {tokens});
  } else if (auto assign = dyn_cast<AssignOp>(op)) {
    SmallVector<AffineExpr> dims = dimsOf(assign.getIndices());
    for (Value result : assign->getResults())
      set(result, {dims[0] * dims[1]});
  } else if (isa<LoopBeginOp, LoopEndOp>(op)) {
    // Every run has the sizes of the first.
    auto end = dyn_cast<LoopEndOp>(op);
    const ValueRange first = end ? ValueRange(end.getCarried()) : ValueRange(op->getOperands());
    for (auto [result, value] : llvm::zip(op->getResults(), first))
      set(result, dimsOf(value));
  } else if (auto weigh = dyn_cast<WeighOp>(op)) {
    set(weigh.getWeights(), dimsOf(weigh.getToken()));
  } else if (auto slots = dyn_cast<SlotsOp>(op)) {
    set(slots.getSlot(), dimsOf(slots.getToken()));
    set(slots.getKeep(), dimsOf(slots.getToken()));
  } else if (auto dispatch = dyn_cast<DispatchOp>(op)) {
    // Ragged rows without a capacity: one per assignment. Dropped or padded ones are known by their type only.
    auto slotsOp = dispatch.getSlot().getDefiningOp<SlotsOp>();
    if (dispatch.getLayout() == SlotLayout::Ragged && slotsOp && !slotsOp.getCapacityAttr() && slotsOp.getPadTo() == 1)
      set(dispatch.getRows(), dimsOf(dispatch.getToken()));
  } else if (auto experts = dyn_cast<ExpertsOp>(op)) {
    SmallVector<AffineExpr> dims = dimsOf(experts.getRows());
    set(experts.getResult(), ArrayRef<AffineExpr>(dims).drop_back());
  } else if (auto combine = dyn_cast<CombineOp>(op)) {
    set(combine.getResult(), {indexSize(*this, combine.getTokens())});
  }
}

} // namespace moe
