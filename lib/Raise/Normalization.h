//===- Normalization.h - normalization over the last dim --------*- C++ -*-===//
#ifndef MOE_LIB_RAISE_NORMALIZATION_H
#define MOE_LIB_RAISE_NORMALIZATION_H

#include "TensorBuilder.h"

namespace moe {

/// x / sqrt(mean(x²) + epsilon) · scale over the last dim, computed in f32 at least, in the type of `x`. `scale` has the size of the last dim.
SizedTensor rmsNormalize(TensorBuilder &t, const SizedTensor &x, const SizedTensor &scale, double epsilon);

} // namespace moe

#endif // MOE_LIB_RAISE_NORMALIZATION_H
