//===- Attention.h - scaled dot-product attention as tensor ops -*- C++ -*-===//
// What the attention ops of ONNX and of ONNX Runtime share: scores, masks by place, softmax with a sink, the two products. Where nobody asks for the
// scores and the sizes allow it, that is one moe.attention. Else it is spelled out: heads that share keys are not repeated then, the query heads of a
// group count as more rows of one batched product, [B·Hkv, G·Sq, D] × [B·Hkv, Sk, D]ᵀ. Scores, masks and softmax are f32 at least; the products
// round once. A query that may see no key gives 0.
#ifndef MOE_LIB_RAISE_ATTENTION_H
#define MOE_LIB_RAISE_ATTENTION_H

#include "OnnxConversion.h"

namespace moe {

/// How far the scores are taken.
enum class ScoreLevel { Scaled, Capped, Biased };

/// The operands of one attention, read from its node.
struct AttentionParts {
  /// [B, H, S, D]; key and value with the past in front.
  SizedTensor query, key, value;
  /// Added where of floats, required where of bools: [.., Sq, Sk], broadcast. Empty where absent.
  SizedTensor mask;
  /// [B] keys that count, where ONNX gives them; the block's queries are the last of these.
  SizedTensor validKeys;
  /// ONNX Runtime's caches: [B] i64 tokens before the block, and [B] i64 rows of the cache that hold the last of them. The mask's columns then are
  /// the tokens' places, not rows.
  SizedTensor before, resident;
  /// [Hq] what each head adds to the sum of its softmax, as a score. Empty where absent.
  SizedTensor sink;
  mlir::AffineExpr batch, queryHeads, keyHeads, queryLength, keyLength;
  /// Rows of the cache in front of the block's keys.
  mlir::AffineExpr cacheLength;
  double scale = 1, softcap = 0;
  bool isCausal = false;
  /// Keys that a query sees on each side of its own place; -1: all.
  int64_t left = -1, right = -1;

  /// Takes the sizes from query and key. Fails with a message at the node where the key heads do not divide the query heads, and where `scale` has
  /// no value and no head size to follow from.
  mlir::LogicalResult readSizes(NodeConverter &node);
};

struct Attended {
  /// [B, Hq, Sq, Dv] in the query's element type.
  SizedTensor result;
  /// [B, Hq, Sq, Sk]: the raw products in the accumulator's type, and the probabilities in the query's element type. Empty where they are not asked for.
  SizedTensor raw, probabilities;
};

/// softmax(scores)·value. `softmaxType` is at least the accumulator's.
Attended attend(TensorBuilder &t, const AttentionParts &parts, mlir::Type softmaxType, bool needsScores = false);

/// The raw products taken to `level`, in `resultType`.
SizedTensor attentionScores(TensorBuilder &t, const AttentionParts &parts, const SizedTensor &raw, ScoreLevel level, mlir::Type resultType);

} // namespace moe

#endif // MOE_LIB_RAISE_ATTENTION_H
