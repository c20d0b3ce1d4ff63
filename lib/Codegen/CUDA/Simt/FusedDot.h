// How a tensor core adds products of floats, to the bit: the model of "MMA-Sim" (Xu et al., 2025; the package mmasim), found there by tests on
// hardware. A chunk of products and the accumulator are lined up at the greatest exponent, each is cut to F bits behind the point, the sum is exact
// and is cut to f32 (or rounded to f16); chunks follow each other. Products are not normalised before they are lined up.
#ifndef MOE_LIB_CODEGEN_CUDA_SIMT_FUSEDDOT_H
#define MOE_LIB_CODEGEN_CUDA_SIMT_FUSEDDOT_H

#include <cstdint>

namespace moe::simt {

/// A float as an integer: significand * 2^(exponent - fraction bits of its type).
struct Number {
  int32_t significand = 0;
  int32_t exponent = 0;
  bool isFinite = true;
  /// Infinity or NaN, if not finite.
  float special = 0;
};

/// The number that `bits` are in one of the types of SimtType; tf32 is an f32 whose low 13 bits are not looked at.
Number decode(uint32_t type, uint32_t bits);

struct DotModel {
  /// Bits behind the point in a sum, products of a chunk, and the exponent that a zero counts with.
  int sumBits;
  uint32_t chunk;
  int zeroExponent;
  /// Fraction bits of the elements.
  int bitsA, bitsB;
  /// simtF32 or simtF16.
  uint32_t result;
};

/// The model of mma.sync on `arch` (80 or 90). Accumulator and result have the same type.
DotModel dotModel(uint32_t arch, uint32_t typeA, uint32_t typeB, uint32_t result);

/// a · b + c over `depth` products, as bits of the result's type; `c` are bits of it.
uint32_t fusedDot(const DotModel &model, const Number *a, const Number *b, uint32_t depth, uint32_t c);

} // namespace moe::simt

#endif // MOE_LIB_CODEGEN_CUDA_SIMT_FUSEDDOT_H
