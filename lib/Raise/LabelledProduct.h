//===- LabelledProduct.h - MatMul and Einsum read the same way --*- C++ -*-===//
// A product of two tensors as labels on their dims, like the equation of an Einsum: what a recogniser asks (which dims are summed, which are shared, in
// which order they stand) does not depend on the node that the model was written with.
#ifndef MOE_LIB_RAISE_LABELLEDPRODUCT_H
#define MOE_LIB_RAISE_LABELLEDPRODUCT_H

#include "OnnxMatch.h"
#include "SizeProof.h"

namespace moe::raise {

using Labels = llvm::SmallVector<unsigned>;

struct LabelledProduct {
  mlir::Value operands[2];
  /// One label per dim. A dim of size 1 that a MatMul repeats has a label of its own.
  Labels labels[2], result;

  /// `of` without labels of size 1 that `other` has not: dims that only make shapes fit.
  Labels withoutUnits(const Labels &of, const Labels &other) const;
  /// The dim of operand `side` with this label; -1 where it has none.
  int64_t dimOf(unsigned side, unsigned label) const;
  /// Is a label that both operands have surely of the same size in both?
  bool sameSizes(const SizeProof &proof) const;
  bool inResult(unsigned label) const { return llvm::is_contained(result, label); }

  /// Size of a label where it is static, else -1.
  int64_t sizeOf(unsigned label) const;
};

/// The product that `value` is: a MatMul of tensors, or an Einsum of two. None for anything else, and for an Einsum with a label twice in one
/// tensor.
std::optional<LabelledProduct> matchLabelledProduct(mlir::Value value);

/// A sum over the choices (or experts) of a token as one product: weights […, K] times rows […, K, H]. Perhaps with dims of size 1.
struct Combination {
  mlir::Value rows, weights;
  /// How many are summed, and how wide the rows are.
  int64_t summed = 0, hidden = 0;
  /// The summed dim stands before the tokens, not after them.
  bool rowsFirst = false, weightsFirst = false;
};
/// Operand `side` has the weights.
std::optional<Combination> matchCombination(const LabelledProduct &product, unsigned side, const SizeProof &proof);

} // namespace moe::raise

#endif // MOE_LIB_RAISE_LABELLEDPRODUCT_H
