// The layouts that kernels read weights in, filled from weights as files have them.
#ifndef MOE_LIB_PACKAGE_WEIGHTPACKING_H
#define MOE_LIB_PACKAGE_WEIGHTPACKING_H

#include "WeightReader.h"

#include "llvm/ADT/STLFunctionalExtras.h"

namespace moe {

/// Receives the bytes of a weight in order. False stops: writing has failed.
using ByteSink = llvm::function_ref<bool(llvm::ArrayRef<uint8_t>)>;

/// Makes the values of `op` from `sources` (itself, or those of its `from`) and hands them to `sink`. A recipe that does not fit its types is a
/// diagnostic; so every check comes before the first byte. Fails silently where the sink does.
mlir::LogicalResult packWeight(WeightOp op, llvm::ArrayRef<WeightData> sources, ByteSink sink);

} // namespace moe

#endif // MOE_LIB_PACKAGE_WEIGHTPACKING_H
