// Pieces of a weight's bytes that do not depend on each other: made by all CPUs, handed over in order. Packing is bound by the making of bytes, not by
// the disk, where one thread makes them.
#ifndef MOE_LIB_PACKAGE_ORDEREDPIECES_H
#define MOE_LIB_PACKAGE_ORDEREDPIECES_H

#include "WeightPacking.h"

namespace moe {

/// Calls `fill` for each of `count` pieces with its number and room for `bytes` zeros, on several threads, and hands the pieces to `sink` in order.
/// While some are handed over the next are made. False once the sink fails.
bool writeInOrder(int64_t count, int64_t bytes, llvm::function_ref<void(int64_t piece, uint8_t *to)> fill, ByteSink sink);

} // namespace moe

#endif // MOE_LIB_PACKAGE_ORDEREDPIECES_H
