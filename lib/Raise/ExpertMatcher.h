//===- ExpertMatcher.h - one expert of a layer written expert by expert -------*- C++ -*-===//
// Forms D and F compute each expert by nodes of its own, with a slice of a stored tensor or with a tensor of its own. This file reads one such
// expert and puts all of a layer together.
#ifndef MOE_LIB_RAISE_EXPERTMATCHER_H
#define MOE_LIB_RAISE_EXPERTMATCHER_H

#include "RoutedFfn.h"

#include <string>

namespace moe::raise {

/// Reads what one expert computes. Its products have `experts` = 1 and say which slice of their weight they take.
class ExpertMatcher : public RoutedMatcher {
public:
  using RoutedMatcher::RoutedMatcher;

protected:
  std::optional<RoutedProduct> matchProduct(mlir::Value value) override;
  bool isBias(mlir::Value addend) override;
  bool takeBias(OnnxOp add, unsigned side, RoutedProduct &product) override;
};

/// Slice `index` of the first dim of a stored tensor, or the whole of one (-1).
struct StoredSlice {
  mlir::Value stored;
  int64_t index = -1;
};

/// The part [index, index + 1) of dim `axis` (from the front) that `value` takes of a tensor: a Gather with one constant index, an output of a
/// Split into single elements, or a Slice of one element. Views on top are skipped. A null `source` means: something else.
struct SinglePart {
  mlir::Value source;
  int64_t index = 0;
};
SinglePart matchSinglePart(mlir::Value value, int64_t axis, const SizeProof &proof);

/// `value` as rows times a finite number that is known: one that stands alone, or one of a stored vector. Not a division by 0.
std::optional<ScalarUse> matchScaled(mlir::Value value, const SizeProof &proof);

/// A stored matrix, or a matrix of a stored [E, a, b], seen through Transposes of its two dims; `transposed` is flipped by them. Null where `value` is
/// something else.
StoredSlice matchStoredMatrix(mlir::Value value, bool &transposed, const SizeProof &proof);

/// Puts one part of all experts together: `whole` is the tensor whose slice e is expert e's, or the first of the tensors that are put into `pieces`, one
/// per expert. Where neither fits, false and the reason in `why`. `mayHaveMore`: the tensor may have slices behind those of the experts, if firstSlices
/// can leave them out.
bool mergePart(llvm::ArrayRef<StoredSlice> parts, llvm::SmallVectorImpl<mlir::Value> &pieces, mlir::Value &whole, std::string &why, bool mayHaveMore = false);

/// The stored tensors of a layer whose experts have one each, in the order of the experts; empty where one tensor holds all.
struct ExpertPieces {
  llvm::SmallVector<mlir::Value> gate, gateBias, up, upBias, down, downBias;
};

/// Puts experts 0 … E-1 together. The result's products have E experts; where `pieces` has tensors, the weight is the first of them. Fails, and says
/// why, where experts compute different things or a tensor is used out of order.
std::optional<RoutedFfn> mergeExperts(llvm::ArrayRef<RoutedFfn> experts, ExpertPieces &pieces, std::string &why, bool mayHaveMore = false);

} // namespace moe::raise

#endif // MOE_LIB_RAISE_EXPERTMATCHER_H
