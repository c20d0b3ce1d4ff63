//===- Compare.h - got against want -----------------------------*- C++ -*-===//
#ifndef MOE_RUN_COMPARE_H
#define MOE_RUN_COMPARE_H

#include "Array.h"

namespace moe::run {

/// |got - want| <= atol + rtol * |want| passes; NaN equals NaN, an infinity equals itself. Integers and booleans must be equal.
struct Tolerance {
  double atol = 1e-4;
  double rtol = 1e-3;
};

/// The result for one output.
struct Comparison {
  bool passed = false;
  std::string problem;      ///< Why nothing could be compared: another dtype or shape. Empty if elements were compared.
  int64_t elements = 0;     ///< Compared.
  int64_t outside = 0;      ///< That did not pass.
  double largest = 0;       ///< Largest |got - want|; infinity where one of the two is NaN or infinite and the other is not the same.
  double largestShare = 0;  ///< Largest |got - want| / (atol + rtol * |want|): at most 1 passes. Infinity for a wrong integer.
  int64_t worst = -1;       ///< Flat index of the element with that share, -1 if all are equal.
  double got = 0, want = 0; ///< Its values.
};

/// Compares an output with what was recorded.
Comparison compare(const Array &got, const Array &want, const Tolerance &tolerance);

/// An element as a double. 64-bit integers lose bits beyond 2^53.
double elementAsDouble(const Array &array, int64_t index);

/// "[1, 0, 7]" for a flat index of a row-major shape.
std::string indexName(int64_t flat, const std::vector<int64_t> &shape);

} // namespace moe::run

#endif // MOE_RUN_COMPARE_H
