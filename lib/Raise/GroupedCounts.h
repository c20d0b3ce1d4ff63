//===- GroupedCounts.h - how many rows each expert has, and whose they are ----*- C++ -*-===//
// Graphs that sort rows by expert count the choices of each expert and divide places of rows by K in more than one way; this file knows the ways.
#ifndef MOE_LIB_RAISE_GROUPEDCOUNTS_H
#define MOE_LIB_RAISE_GROUPEDCOUNTS_H

#include "OnnxMatch.h"
#include "SizeProof.h"

namespace moe::raise {

/// Has `counts` one element for each of `experts` experts, in order, which says how many of `ids` are that expert? As the column sums of a tensor
/// [T, E] that is 1 at the ids of token t, which are different.
bool countsChoices(mlir::Value counts, mlir::Value ids, int64_t experts, const SizeProof &proof);

/// The dividend of a quotient by `divisor` of floats that is cut to an integer (torch's div with rounding_mode="trunc"), where that is no negative number
/// and below 2^24, up to which an f32 has all integers; null for anything else.
mlir::Value matchTruncatedQuotient(mlir::Value value, int64_t divisor);

} // namespace moe::raise

#endif // MOE_LIB_RAISE_GROUPEDCOUNTS_H
