//===- ExpertSum.h - weighted sums over the experts of a token ----------------*- C++ -*-===//
// Where every expert computes every token, a layer ends in a sum over the experts of results times a map of weights: a ReduceSum of a Mul, or one product.
// The results may be one batched product (form E) or stacked from experts that stand side by side (form F).
#ifndef MOE_LIB_RAISE_EXPERTSUM_H
#define MOE_LIB_RAISE_EXPERTSUM_H

#include "OnnxMatch.h"
#include "SizeProof.h"

namespace moe::raise {

/// Σ over E of rows · map, or Σ over K of the chosen rows · weights.
struct ExpertSum {
  /// Elements are [E, T, H] where `expertsFirst`, [T, H, E] where `expertsLast`, else [T, E, H].
  mlir::Value rows;
  /// […, E], one row per token; null where the rows of the chosen experts are picked by a GatherElements.
  mlir::Value map;
  bool expertsFirst = false;
  int64_t experts = 0;
  /// In place of a map: elements are [T, K], and the ids surely experts.
  mlir::Value ids = {}, weights = {};
  int64_t k = 0;
  bool expertsLast = false;
};

/// All ways to read `op` as such a sum: none where it is something else.
llvm::SmallVector<ExpertSum> matchExpertSums(OnnxOp op, const SizeProof &proof);

/// The map […, E] of which `value` has the elements: as they are, or as [E, T] where the experts come first. Null where it is none.
mlir::Value mapBehind(mlir::Value value, int64_t experts, bool expertsFirst);

/// The dim of E that a ReduceSum over a tensor of results sums: 0 where `expertsFirst`, else the one before the columns. None for other sums.
struct SummedExperts {
  mlir::Value summed;
  bool expertsFirst = false;
  int64_t experts = 0;
};
std::optional<SummedExperts> matchSummedExperts(OnnxOp sum);

} // namespace moe::raise

#endif // MOE_LIB_RAISE_EXPERTSUM_H
