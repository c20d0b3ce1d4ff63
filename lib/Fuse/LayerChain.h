//===- LayerChain.h - the ops of one MoE layer ------------------*- C++ -*-===//
// Finds the chain score … combine of a layer and says whether moe.route_permute and moe.grouped_matmul can express it.
#ifndef MOE_LIB_FUSE_LAYERCHAIN_H
#define MOE_LIB_FUSE_LAYERCHAIN_H

#include "moe/IR/MoeDialect.h"

#include <string>

namespace moe {

/// The ops of a dropless layer. `assign` is set, or `score`, `select` and `weigh` are and `router` says what they do, or `select` alone: then the router
/// is more than the kernel can compute, stays as it is, and the kernel is given what it chose.
///
/// It ends in `combine`, or, where distribute has taken the rows to other ranks, in `rows`, and then has no experts and no dispatch.
struct LayerChain {
  CombineOp combine;
  SlotRowsOp rows;
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

  /// The op that the chain ends in, its number of tokens and its weights.
  mlir::Operation *end() const;
  mlir::Value tokens() const;
  mlir::Value weights() const;

  /// Does the kernel read the chosen experts and their weights, instead of computing them from logits?
  bool isGiven() const { return !router; }

  /// The ops in an order in which each is dead once those before it are erased.
  llvm::SmallVector<mlir::Operation *> opsFromTheEnd() const;
};

/// The chain that ends in `end`, a moe.combine or a moe.slot_rows, or failure with the reason in `why`: a clause that completes "the layer is not
/// fused: ".
mlir::FailureOr<LayerChain> matchLayerChain(mlir::Operation *end, std::string &why);

} // namespace moe

#endif // MOE_LIB_FUSE_LAYERCHAIN_H
