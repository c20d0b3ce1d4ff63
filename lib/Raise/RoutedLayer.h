//===- RoutedLayer.h - the frame that all forms without a fused node share ----*- C++ -*-===//
// Each ends in a sum of weighted expert rows per token, and each becomes moe.assign and the rest of the chain. The forms add how a row meets its
// expert's matrix, and how ids and weights are written down.
#ifndef MOE_LIB_RAISE_ROUTEDLAYER_H
#define MOE_LIB_RAISE_ROUTEDLAYER_H

#include "ExpertChoice.h"
#include "ExpertMatcher.h"
#include "LayerBuilder.h"
#include "RoutedFfn.h"

namespace moe::raise {

/// `sum` over the choices of a token: ReduceSum over dim K of a tensor [T, K, H], or of [.., K, H] with dims of size 1 between and behind, where the dims
/// in front count the tokens.
struct ChoiceSum {
  /// The node whose first result is the layer's output; its elements are [T, H].
  OnnxOp sum;
  /// The summed tensor, not peeled; its flat elements are [T·K, H].
  mlir::Value rows;
  int64_t k = 0, hidden = 0;
};
std::optional<ChoiceSum> matchChoiceSum(OnnxOp op);

/// `values · weights` where each row of `values` ([…, H]) has one weight ([…, 1]). Dims of size 1 may follow in both.
struct WeightedRows {
  mlir::Value rows, weights;
};
std::optional<WeightedRows> matchWeightedRows(mlir::Value value, int64_t hidden, const SizeProof &proof);

/// x of rows [T·K, H] that repeat each token K times in a row: by an Expand or Tile of a dim of size 1, or read at the number of each choice's token.
/// Null where they are something else.
mlir::Value matchRepeatedTokens(mlir::Value rows, int64_t k, int64_t hidden, const SizeProof &proof);

/// All that a form found out about one layer.
struct RoutedLayer {
  ChoiceSum choices;
  /// Elements are [T, H], [T, K] and [T, K] in row-major order. Null weights: 1 each.
  mlir::Value x, indices, weights;
  RoutedFfn ffn;
  llvm::StringRef form;
  /// Ids are compared with expert numbers, not looked up: one that is no expert reaches none.
  bool compared = false;
  /// One-hot [T, K, E] that has fewer choices than `indices`; null where all count.
  mlir::Value mask = {};
  /// Elements are [T, K]: the weights are multiplied by them.
  llvm::SmallVector<mlir::Value> factors = {};
  /// The elements of `weights` are [T, E], and a choice has that of its expert.
  bool scored = false;
  /// A map [T, E] in `indices`, whose element for an expert is not 0 (`positive`: is above it), is all that says who chose whom; `weights` are [T, E], too.
  bool gated = false, positive = false;
  /// With `gated`: ids of different experts, one per token each, outside of which the map is 0. None: any expert may be chosen.
  llvm::SmallVector<mlir::Value> picks = {};
  /// Ids behind those of the experts that have weights: so many experts hand a token on as it is.
  int64_t passing = 0;
  /// What is computed from the weights of a token's choices.
  MapFunction function = MapFunction::None;
  /// The weights scale the rows on the way in, and the results are added as they are.
  bool scalesInput = false;
  /// Tensors of single experts, where each has its own.
  ExpertPieces pieces = {};
  /// What the sum starts from; null for zero.
  mlir::Value start = {};
  /// A value whose first `leading` dims are those of the output, where the output is no matrix and more than one of its dims is dynamic.
  mlir::Value leadingOf = {};
  int64_t leading = 0;
  /// Nodes that go away were the reason to take sizes as equal: the chain must require it itself.
  bool requireEqual = false;
};

/// Are these ids surely in [0, experts): the indices of a TopK over that many, an ArgMax, or a Concat of these?
bool idsInRange(mlir::Value ids, int64_t experts);

/// Finds out how to shape the output; `sources` are values that may have its dims, with what they are views of. False where none has.
bool placeOutput(RoutedLayer &layer, llvm::ArrayRef<mlir::Value> sources, const SizeProof &proof);

/// Do x, indices, weights and the result have one row per token for all input dims, and fitting widths? Says why not in `why`; sets
/// `requireEqual`.
bool checkRoutedLayer(RoutedLayer &layer, const SizeProof &proof, std::string &why);

/// Are the ids surely numbers of experts, 0 to `experts` - 1?
bool idsInRange(mlir::Value ids, int64_t experts);

/// The weights of all experts of a layer called `name`: stored as one tensor each, or made from the experts' own in `pieces`.
ExpertWeights expertWeights(const RoutedFfn &ffn, const ExpertPieces &pieces, mlir::OpBuilder &builder, LayerBuilder &chain, llvm::StringRef name);

/// Replaces the sum of each layer by the chain and erases what nobody reads any more. `layers` is in program order.
void replaceRoutedLayers(llvm::MutableArrayRef<RoutedLayer> layers, LayerBuilder &chain);

/// Remarks of the recognisers: why something that looked like a layer was left as it is. Off unless the pass option asks.
void remarkMiss(bool wanted, mlir::Operation *candidate, mlir::Operation *at, llvm::StringRef why, llvm::StringRef what = "MoE layer");

/// The run of a recogniser whose layers end in a sum over choices or experts (a ReduceSum, a product that sums, or a
/// ScatterND): asks a new Matcher(proof) at each and replaces the layers that it finds. Fails where
/// inference fails.
template <typename Matcher> mlir::LogicalResult raiseLayersAtSums(mlir::ModuleOp module, bool remarks) {
  LayerBuilder chain(module);
  return forEachOnnxFunction(module, [&](mlir::func::FuncOp function, const SizeProof &proof) {
    std::vector<RoutedLayer> layers;
    function.walk([&](OnnxOp op) {
      if (!(isNode(op, "ReduceSum") || isNode(op, "MatMul") || isNode(op, "Einsum") || isNode(op, "ScatterND")))
        return;
      Matcher matcher(proof);
      if (auto layer = matcher.match(op))
        layers.push_back(*layer);
      else if (matcher.isCandidate())
        remarkMiss(remarks, op, matcher.missedAt(), matcher.missed());
    });
    replaceRoutedLayers(layers, chain);
  });
}

} // namespace moe::raise

#endif // MOE_LIB_RAISE_ROUTEDLAYER_H
