//===- Matmul.h - named products --------------------------------*- C++ -*-===//
// The two named products that conversions emit; f16 and bf16 accumulate in f32 and are rounded once.
#ifndef MOE_LIB_RAISE_MATMUL_H
#define MOE_LIB_RAISE_MATMUL_H

#include "TensorBuilder.h"

namespace moe {

/// [M, K] times [K, N], each side read transposed where said: one linalg.matmul.
SizedTensor matmul(TensorBuilder &t, const SizedTensor &lhs, bool transposeLhs, const SizedTensor &rhs, bool transposeRhs);

/// [B, M, K] times [B, K, N] (or [B, N, K] transposed): one linalg.batch_matmul. `resultType` is the accumulator's type or the elements'.
SizedTensor batchMatmul(TensorBuilder &t, const SizedTensor &lhs, const SizedTensor &rhs, bool transposeRhs, mlir::Type resultType);

} // namespace moe

#endif // MOE_LIB_RAISE_MATMUL_H
