//===- Rotary.h - rotary position embedding as tensor ops -------*- C++ -*-===//
// What RotaryEmbedding of ONNX and of ONNX Runtime and GroupQueryAttention share.
#ifndef MOE_LIB_RAISE_ROTARY_H
#define MOE_LIB_RAISE_ROTARY_H

#include "OnnxConversion.h"

namespace moe {

/// Rows of a cache [M, R/2] at `positions` [B, S] (integers): [B, S, R/2]. A position outside the cache reads its nearest row.
SizedTensor rotaryRows(TensorBuilder &t, const SizedTensor &cache, const SizedTensor &positions);

/// Turns the first R elements of each head of `x`, four dims with the sequence at `sequenceDim` (1 or 2), by the angles of `cosine` and `sine`
/// [B, S, R/2], whose sizes of 1 serve all. Pairs are the two halves of the R elements, or neighbours where `interleaved`. Fails with a message at
/// the node where R is not between 1 and a static head size.
mlir::FailureOr<SizedTensor> rotateHeads(NodeConverter &node, const SizedTensor &x, unsigned sequenceDim, const SizedTensor &cosine,
                                         const SizedTensor &sine, bool interleaved);

} // namespace moe

#endif // MOE_LIB_RAISE_ROTARY_H
