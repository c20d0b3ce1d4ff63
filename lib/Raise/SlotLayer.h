//===- SlotLayer.h - experts on slots that a dispatch filled ----*- C++ -*-===//
// What layers with slots share, whether their experts are one batched product or stand one by one: what fills slots, and the moe.experts in their place.
#ifndef MOE_LIB_RAISE_SLOTLAYER_H
#define MOE_LIB_RAISE_SLOTLAYER_H

#include "RoutedLayer.h"

namespace moe::raise {

/// One layer: `op` gives the experts' results.
struct SlotLayer {
  OnnxOp op;
  RoutedFfn ffn;
  /// Tensors of single experts, where each has its own.
  ExpertPieces pieces;
  llvm::StringRef form;
  /// The rows of all experts, [E, C, H] or with dims for groups of tokens: dim `dim` holds the experts, as many indices each, in order.
  mlir::Value slots;
  int64_t dim = 0;
  /// The results of an expert have the dims `piece` and are joined along dim `join`; empty where the results of all have the dims of the slots.
  llvm::SmallVector<int64_t> piece = {};
  int64_t join = 0;
};

/// "soft" or "padded" where a dispatch filled the slots: a product of two computed tensors (soft: one is a Softmax), or rows that are gathered or scattered
/// by computed indices. Else empty.
llvm::StringRef dispatchForm(mlir::Value slots);

/// Why a layer is none where that is empty.
inline constexpr llvm::StringLiteral notDispatched =
    "the rows of the experts are no product of a dispatch with tokens, and no computed indices put them there";

/// Replaces each `op` by a moe.experts; `layers` is in program order.
void replaceSlotLayers(llvm::MutableArrayRef<SlotLayer> layers, LayerBuilder &chain);

} // namespace moe::raise

#endif // MOE_LIB_RAISE_SLOTLAYER_H
