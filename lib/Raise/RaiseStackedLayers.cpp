// Models that store the weights of all their layers in one tensor and run over the layers in a Loop or Scan: behind import each layer takes its slice by a
// Gather at a number. The slice becomes a stored weight of its own, so that the layer looks like one that stands alone. Matrices of experts that lie below
// each other in one, which a Reshape takes apart (DBRX), become one tensor of three dims.
#include "LayerBuilder.h"
#include "OnnxMatch.h"
#include "RoutedFfn.h"
#include "StoredSlices.h"
#include "moe/Raise/Passes.h"

#include "llvm/ADT/DenseSet.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_RAISESTACKEDLAYERS
#include "moe/Raise/Passes.h.inc"

namespace {

/// A node that takes one slice of a stored tensor along its first dim, and drops that dim.
struct StackedSlice {
  OnnxOp node;
  RankedTensorType whole;
  int64_t number = 0;
};

std::optional<StackedSlice> matchSlice(OnnxOp node) {
  if (!raise::isNode(node, "Gather") || node.getInputs().size() != 2 || raise::intAttribute(node, "axis", 0) != 0)
    return std::nullopt;
  auto whole = dyn_cast<RankedTensorType>(node.getInputs()[0].getType());
  auto index = dyn_cast<RankedTensorType>(node.getInputs()[1].getType());
  if (!node.getInputs()[0].getDefiningOp<WeightRefOp>() || !whole || !whole.hasStaticShape() || !index || index.getRank() != 0)
    return std::nullopt;
  auto number = raise::constantInts(node.getInputs()[1]);
  const int64_t count = whole.getDimSize(0);
  if (!number || number->size() != 1 || (*number)[0] < -count || (*number)[0] >= count)
    return std::nullopt;
  return StackedSlice{node, whole, (*number)[0] < 0 ? (*number)[0] + count : (*number)[0]};
}

/// Does the node see a stored matrix as matrices of as many columns?
bool takesMatricesApart(OnnxOp node) {
  if (!raise::isNode(node, "Reshape") || node.getInputs().empty() || !raise::storedTensor(node.getInputs()[0]))
    return false;
  RankedTensorType from = raise::tensorType(node.getInputs()[0]), to = raise::tensorType(node->getResult(0));
  return to && to.hasStaticShape() && from.getRank() == 2 && to.getRank() == 3 && from.getDimSize(1) == to.getDimSize(2) &&
         isa<FloatType>(to.getElementType()) && raise::storedTensor(node.getInputs()[0]).getType() == from;
}

struct RaiseStackedLayers : impl::RaiseStackedLayersBase<RaiseStackedLayers> {
  using Base::Base;

  void runOnOperation() override {
    std::vector<StackedSlice> slices;
    llvm::DenseSet<int64_t> layers;
    // Three dims are the experts of one layer, four those of a number of layers: that number tells which other tensors are stacked by layers.
    constexpr int64_t stackedRank = 4;
    getOperation().walk([&](OnnxOp node) {
      if (auto slice = matchSlice(node)) {
        slices.push_back(*slice);
        if (slice->whole.getRank() >= stackedRank)
          layers.insert(slice->whole.getDimSize(0));
      }
    });
    SymbolTable symbols(getOperation());
    for (const StackedSlice &slice : slices) {
      if (slice.whole.getRank() < 2 || !layers.contains(slice.whole.getDimSize(0)))
        continue;
      OnnxOp node = slice.node;
      OpBuilder builder(node);
      Value stored = storedSlice(builder, symbols, node.getInputs()[0], slice.number);
      if (!stored || stored.getType() != node->getResult(0).getType())
        continue;
      node->getResult(0).replaceAllUsesWith(stored);
      node.erase();
    }
    SmallVector<OnnxOp> views;
    getOperation().walk([&](OnnxOp node) {
      if (takesMatricesApart(node))
        views.push_back(node);
    });
    if (views.empty())
      return;
    raise::LayerBuilder chain(getOperation());
    for (OnnxOp node : views) {
      OpBuilder builder(node);
      RankedTensorType type = raise::tensorType(node->getResult(0));
      Value stored = chain.storedAs(builder, raise::storedTensor(node.getInputs()[0]), type.getShape());
      if (stored.getType() != type)
        continue;
      node->getResult(0).replaceAllUsesWith(stored);
      node.erase();
    }
  }
};

} // namespace
} // namespace moe
