//===- ExpertLoop.h - sums over experts that stand one after another ----------*- C++ -*-===//
// Forms D and F add up the experts in a chain: each step takes what is there so far and adds one expert's weighted rows. A form says what a step
// looks like; this file follows the chains and puts complete ones together.
#ifndef MOE_LIB_RAISE_EXPERTLOOP_H
#define MOE_LIB_RAISE_EXPERTLOOP_H

#include "RoutedLayer.h"

#include "llvm/ADT/MapVector.h"

#include <vector>

namespace moe::raise {

/// One step of a chain: an expert's weighted rows are added to `before`.
struct ExpertStep {
  OnnxOp op;
  /// The sum so far; null at a step that has none.
  mlir::Value before;
  int64_t expert = 0;
  RoutedFfn ffn;
  /// Who chose: ids or map, mask and weights (null: 1 each), the same in all steps of a layer. Experts that the ids can name.
  mlir::Value x, indices, mask, weights;
  int64_t k = 1, experts = 0;
  /// `weights` are a map of all experts, read at the expert's column.
  bool weightsAreMap = false;
  /// The expert's rows take the place of what `before` has there.
  bool replaces = false;
  /// `weights` are such a map, and so are `indices`: where it is not 0 the expert is chosen.
  bool gated = false;
  /// Then: a weight below 0 is no choice.
  bool positive = false;
  /// The expert hands its rows on as they are, and `ffn` says nothing (the zero-computation experts of LongCat-Flash).
  bool passes = false;
};

/// Nodes that look like steps of a chain and could not be read.
struct ExpertGaps {
  /// Those of which at least this is known: each adds one expert.
  int64_t experts = 0;
  /// Is there one that may add any number of experts?
  bool unknown = false;
};

/// A chain of steps that read the same tokens, ids and weights.
struct ExpertChain {
  std::vector<ExpertStep> steps;
  /// Nodes in or next to the chain that looked like a step and could not be read.
  ExpertGaps gaps;
  /// Does one of them stand between two steps?
  bool isBroken = false;
};

/// Emits an error at each Split that takes the list of experts which tokens chose apart into as many pieces as there were when the graph was traced
/// (a Python loop over `nonzero`): other tokens choose other experts, and there is no code for those. Fails where there is one.
mlir::LogicalResult refuseTracedLoops(mlir::ModuleOp module);

/// Is each piece of a Split of rows multiplied by a stored matrix of its own, as an expert's rows are?
bool feedsExperts(OnnxOp split);

class ExpertLoops {
public:
  /// Continues the chain that ends in `step.before`, or starts one. Steps come in program order.
  void add(const ExpertStep &step);
  /// One node that adds several experts, and `before` unless that is null.
  void addAll(llvm::MutableArrayRef<ExpertStep> steps, mlir::Value before);
  /// A node that adds to `before` and looks like a step, of one expert or of any number, but could not be read.
  void addGap(OnnxOp op, mlir::Value before, bool oneExpert);
  llvm::MutableArrayRef<ExpertChain> chains() { return all; }

private:
  std::vector<ExpertChain> all;
  /// The chain that ends in a value.
  llvm::DenseMap<mlir::Value, size_t> ends;
  /// What could not be read on the way to a value that no chain ends in.
  llvm::DenseMap<mlir::Value, ExpertGaps> gaps;
};

/// The steps as one layer, experts in order; sets ffn, pieces, start and all that the steps agree on. Says in `why` what does not fit.
std::optional<RoutedLayer> layerOf(const ExpertChain &chain, llvm::StringRef form, std::string &why);

} // namespace moe::raise

#endif // MOE_LIB_RAISE_EXPERTLOOP_H
