//===- IntegerProducts.h - products of codes as products of numbers -*- C++ -*-===//
// Dynamic quantisation leaves a MatMulInteger of codes, whose sums a Cast and a Mul turn into the numbers they stand for. Written as the product of what
// the codes stand for, it is a product with a stored weight like any other, for recognisers and kernels alike.
#ifndef MOE_LIB_RAISE_INTEGERPRODUCTS_H
#define MOE_LIB_RAISE_INTEGERPRODUCTS_H

#include "moe/IR/MoeDialect.h"

namespace moe::raise {

/// Replaces the numbers that a MatMulInteger of a DynamicQuantizeLinear's codes and stored ones ends in by a MatMul of two DequantizeLinear; leaves
/// others. Equal but for the rounding of sums: those of codes are exact.
void writeAsFloats(OnnxOp product);

} // namespace moe::raise

#endif // MOE_LIB_RAISE_INTEGERPRODUCTS_H
