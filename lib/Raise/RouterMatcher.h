//===- RouterMatcher.h - routers written as ordinary ops ---------*- C++ -*-===//
// What chose a layer's experts and weighed them, read upwards from the ids and the weights: the score function, a bias on the choice, the limit to the
// best groups, the TopK, and what became of the chosen scores.
#ifndef MOE_LIB_RAISE_ROUTERMATCHER_H
#define MOE_LIB_RAISE_ROUTERMATCHER_H

#include "LayerBuilder.h"
#include "OnnxMatch.h"
#include "SizeProof.h"

namespace moe::raise {

/// Everything about a router that was recognised.
struct Router {
  /// Elements are [T, E].
  mlir::Value logits;
  /// `bias` is as the graph has it: E elements of any float type.
  Routing routing;
  /// The node whose first result has the chosen values in the order of the list; null where there is none.
  OnnxOp top;
  /// Tensors of one number per expert, of any float type: each chosen expert's multiplies its weight at the end.
  llvm::SmallVector<mlir::Value, 1> expertScales = {};
};

/// A choice that is limited to the experts of the best groups.
struct GroupLimit {
  /// What is chosen from, before the limit.
  mlir::Value choice;
  int64_t count = 0, keep = 0, topR = 0;
  /// The value that experts of the other groups take.
  double fill = 0.0;
};

/// Reads `masked`, a value [T, E] that a mask of groups has been put on; null, with the reason in `why`, where it is none.
std::optional<GroupLimit> matchGroupLimit(mlir::Value masked, int64_t experts, llvm::StringRef &why);

/// The sparse mixer's two rounds, the second without the pick of the first. `ids` and `weights` are peeled.
struct SparseMixer {
  mlir::Value logits;
  double jitter = 0.0;
};
std::optional<SparseMixer> matchSparseMixer(mlir::Value ids, mlir::Value weights, int64_t experts);

/// Is `op` a TopK of the greatest along the last dim?
bool isLastTopK(OnnxOp op);
/// Does `op` reduce the last dim of its input, and nothing else?
bool reducesLast(OnnxOp op);

class RouterMatcher {
public:
  RouterMatcher(mlir::Value ids, mlir::Value weights, int64_t experts, const SizeProof &proof)
      : idsOfLayer(ids), weightsOfLayer(weights), experts(experts), proof(proof) {}

  std::optional<Router> match();
  llvm::StringRef missed() const { return missedText; }
  mlir::Operation *missedAt() const { return missedOp; }

private:
  /// What is done to the chosen scores.
  enum class Post { None, Softmax, Sigmoid };

  std::nullopt_t miss(mlir::Operation *at, llvm::StringRef why) {
    missedOp = at;
    missedText = why;
    return std::nullopt;
  }
  bool matchTop();
  bool isChosenValue(mlir::Value value);
  mlir::Value takeScales(mlir::Value weight);
  mlir::Value matchLookedUp(mlir::Value value);
  bool matchWeights();
  bool matchNormalised(mlir::Value value, mlir::Value &numerator);
  bool matchDivisor(mlir::Value below, mlir::Value &sum, bool &viewed);
  bool matchPicked(mlir::Value value);
  bool matchChoice();
  bool matchBias(mlir::Value root, mlir::Value &unbiased);
  bool relate(mlir::Value unbiased);
  bool matchGroupFill(const GroupLimit &limit);

  mlir::Value idsOfLayer, weightsOfLayer;
  int64_t experts;
  const SizeProof &proof;
  Router router;
  /// The ids as the node that chose them made them, and that node: a TopK or an ArgMax.
  mlir::Value ids;
  OnnxOp top;
  Post post = Post::None;
  /// The scores [T, E] that weights are picked from; null where they are the values of `top`.
  mlir::Value scores;
  mlir::Operation *missedOp = nullptr;
  llvm::StringRef missedText;
};

} // namespace moe::raise

#endif // MOE_LIB_RAISE_ROUTERMATCHER_H
