//===- ExpertChoice.h - how graphs without indices say who chose whom ---------*- C++ -*-===//
// Forms D, E and F do not look experts up: they compare ids with expert numbers (one-hot tensors), or spread the weights of the chosen experts into a
// row per token (maps). Both are read back to (indices, weights).
#ifndef MOE_LIB_RAISE_EXPERTCHOICE_H
#define MOE_LIB_RAISE_EXPERTCHOICE_H

#include "OnnxMatch.h"
#include "SizeProof.h"

namespace moe::raise {

/// A tensor […, E] that is nonzero at most where `ids` ([…], one element per row) is the number of the column.
struct OneHot {
  mlir::Value ids;
  /// The tensor itself where some choices were taken out of it (capacity); null where it is exactly that.
  mlir::Value mask;
  int64_t experts = 0;
};
std::optional<OneHot> matchOneHot(mlir::Value value);

/// Is the value of a one-hot tensor 1 where it is not 0: a comparison, or a OneHot of 0 and 1?
bool hasOnes(mlir::Value value);

/// The choices of one expert: a tensor over tokens and choices, nonzero where the choice is `expert`.
struct ExpertMask {
  OneHot hot;
  int64_t expert = 0;
  /// Dim of the mask that counts the tokens, and the one that counts the choices (-1: there is only one).
  int64_t tokenDim = 0, choiceDim = -1;
  /// Choices per token.
  int64_t k = 1;
  /// The mask has one element per token, in the order of the ids' rows, whichever of its choices is the expert.
  bool anyChoice = false;
  /// Given: a choice counts only where its weight in this map […, E] is not 0.
  mlir::Value weightedBy = {};
};
std::optional<ExpertMask> matchExpertMask(mlir::Value value, const SizeProof &proof);

/// The tokens whose element for one expert is not 0 (`positive`: is above it), in a map […, E] of floats or of bool that anything may have made.
struct GateMask {
  mlir::Value map;
  int64_t expert = 0, experts = 0;
  bool positive = false;
};
std::optional<GateMask> matchGateMask(mlir::Value value, const SizeProof &proof);

/// The ids of choices that differ from each other, one per token each, outside of which a map […, E] is surely 0: one-hot rows, perhaps with gaps, that
/// are weighted and added up. Empty where they cannot be read.
llvm::SmallVector<mlir::Value> matchGatePicks(mlir::Value map);

/// What is computed from the spread weights of a token.
enum class MapFunction { None, Sigmoid, Softmax };

/// A map […, E]: at (t, ids[t, k]) it has f(weights[t, k]), elsewhere 0. Where ids of a token may be the same (sums of one-hot rows), f is none and the
/// weights add up.
struct WeightMap {
  /// Elements are [T, K].
  mlir::Value ids, weights;
  MapFunction function = MapFunction::None;
  int64_t k = 0, experts = 0;
  /// What the column of each expert is multiplied by, behind the function; empty for nothing.
  llvm::SmallVector<double> scales = {};
};
/// Reads a map; says in `why` what it is not.
std::optional<WeightMap> matchWeightMap(mlir::Value map, const SizeProof &proof, llvm::StringRef &why);

/// The weights of one expert, one per token.
struct ExpertColumn {
  /// [T, K], or the map […, E] alone. Without weights and map: 1 where the ids, one per token, are the expert.
  mlir::Value ids, weights, map;
  int64_t expert = 0, k = 0;
};
/// Σ over the choices of (ids == expert) · weights, (ids == expert) of one choice, or one column of a map.
std::optional<ExpertColumn> matchExpertColumn(mlir::Value value, const SizeProof &proof);

/// The indices of the greatest of each row, [.., 1], of `experts` columns: gives the rows; null where `ids` is nothing like that.
mlir::Value matchPickedFrom(mlir::Value ids, int64_t experts);

/// Is `rest` the rows of `pool` with -inf at `pick`?
bool isWithoutPick(mlir::Value rest, mlir::Value pool, mlir::Value pick);

/// Are these surely no negative numbers: a Softmax or Sigmoid, some of one, or one divided by a sum of it?
bool isNonNegative(mlir::Value value);

/// Are the K ids of a token surely different: indices of one TopK, some of these, picks that each leave the one before out, or only one?
bool idsDistinct(mlir::Value ids, int64_t k);

} // namespace moe::raise

#endif // MOE_LIB_RAISE_EXPERTCHOICE_H
