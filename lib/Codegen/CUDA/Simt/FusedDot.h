// How a tensor core adds products of floats, to the bit: the model of "MMA-Sim" (Xu et al., 2025; the package mmasim), found there by tests on
// hardware. A chunk of products and the accumulator are lined up at the greatest exponent, each is cut to F bits behind the point, the sum is exact
// and is cut to f32 (or rounded to f16); chunks follow each other. Products are not normalised before they are lined up.
#ifndef MOE_LIB_CODEGEN_CUDA_SIMT_FUSEDDOT_H
#define MOE_LIB_CODEGEN_CUDA_SIMT_FUSEDDOT_H

#include <cstdint>

namespace moe::simt {

struct DotModel {
  /// Bits behind the point, products of a chunk, and the exponent that a zero counts with.
  int fractionBits;
  uint32_t chunk;
  int zeroExponent;
  /// Exponents of A's and B's subnormals.
  int leastA, leastB;
  bool toHalf;
};

/// The model of mma.sync on `arch` (80 or 90) for elements of `bits` bits.
DotModel dotModel(uint32_t arch, uint32_t bits, int leastA, int leastB, bool toHalf);

/// a · b + c over `depth` products, as the bits of an f32 or, if the model says so, an f16.
uint32_t fusedDot(const DotModel &model, const double *a, const double *b, uint32_t depth, double c);

} // namespace moe::simt

#endif // MOE_LIB_CODEGEN_CUDA_SIMT_FUSEDDOT_H
