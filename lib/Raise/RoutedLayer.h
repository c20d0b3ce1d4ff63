//===- RoutedLayer.h - the frame that forms B and C share -------*- C++ -*-===//
// Both end in a sum over the K choices of a token of weighted expert rows, and both become moe.assign and the rest of the chain. The
// forms add how a routed row meets its expert's matrix.
#ifndef MOE_LIB_RAISE_ROUTEDLAYER_H
#define MOE_LIB_RAISE_ROUTEDLAYER_H

#include "LayerBuilder.h"
#include "RoutedFfn.h"

namespace moe::raise {

/// `sum` over the choices of a token: ReduceSum over the last dim but one of a [T, K, H] tensor.
struct ChoiceSum {
  OnnxOp sum;
  /// The summed tensor, not peeled; its flat elements are [T·K, H].
  mlir::Value rows;
  int64_t k = 0, hidden = 0;
};
std::optional<ChoiceSum> matchChoiceSum(OnnxOp op);

/// `values · weights` where each row of `values` ([…, H]) has one weight ([…, 1]).
struct WeightedRows {
  mlir::Value rows, weights;
};
std::optional<WeightedRows> matchWeightedRows(mlir::Value value, int64_t hidden, const SizeProof &proof);

/// All that a form found out about one layer.
struct RoutedLayer {
  ChoiceSum choices;
  /// Elements are [T, H], [T, K] and [T, K] in row-major order.
  mlir::Value x, indices, weights;
  RoutedFfn ffn;
  llvm::StringRef form;
  /// Nodes that go away were the reason to take sizes as equal: the chain must require it itself.
  bool requireEqual = false;
};

/// Are these ids surely in [0, experts): the indices of a TopK over that many, or an ArgMax?
bool idsInRange(mlir::Value ids, int64_t experts);

/// Do x, indices, weights and the result have one row per token for all input dims, and fitting widths? Says why not in `why`; sets
/// `requireEqual`.
bool checkRoutedLayer(RoutedLayer &layer, const SizeProof &proof, std::string &why);

/// Replaces the sum of each layer by the chain and erases what nobody reads any more. `layers` is in program order.
void replaceRoutedLayers(llvm::MutableArrayRef<RoutedLayer> layers, LayerBuilder &chain);

/// Remarks of the recognisers: why something that looked like a layer was left as it is. Off unless the pass option asks.
void remarkMiss(bool wanted, mlir::Operation *candidate, mlir::Operation *at, llvm::StringRef why, llvm::StringRef what = "MoE layer");

} // namespace moe::raise

#endif // MOE_LIB_RAISE_ROUTEDLAYER_H
