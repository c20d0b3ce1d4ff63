//===- LayerChain.h - the ops of one MoE layer ------------------*- C++ -*-===//
// Finds the chain score … combine of a layer and says whether moe.route_permute and moe.grouped_matmul can express it.
#ifndef MOE_LIB_FUSE_LAYERCHAIN_H
#define MOE_LIB_FUSE_LAYERCHAIN_H

#include "moe/IR/MoeDialect.h"

#include <string>

namespace moe {

/// The ops of a dropless layer. Either `score`, `select` and `weigh` are set and `router` says what they do, or `assign` is.
struct LayerChain {
  CombineOp combine;
  ExpertsOp experts;
  DispatchOp dispatch;
  SlotsOp slots;
  WeighOp weigh;
  SelectOp select;
  ScoreOp score;
  AssignOp assign;
  RouterAttr router;
  /// Assignments per token, 1 ≤ k.
  int64_t k = 0;

  /// The ops in an order in which each is dead once those before it are erased.
  llvm::SmallVector<mlir::Operation *> opsFromTheEnd() const;
};

/// The chain that ends in `combine`, or failure with the reason in `why`: a clause that completes "the layer is not fused: ".
mlir::FailureOr<LayerChain> matchLayerChain(CombineOp combine, std::string &why);

} // namespace moe

#endif // MOE_LIB_FUSE_LAYERCHAIN_H
