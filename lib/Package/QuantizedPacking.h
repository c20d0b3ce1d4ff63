// Panels of quantised weights.
#ifndef MOE_LIB_PACKAGE_QUANTIZEDPACKING_H
#define MOE_LIB_PACKAGE_QUANTIZEDPACKING_H

#include "WeightPacking.h"

namespace moe {

/// Makes the panels of a weight with `dequant` from the parts of its sources. Errors as packWeight's.
mlir::LogicalResult packQuantized(WeightOp op, llvm::ArrayRef<WeightData> parts, ByteSink sink);

} // namespace moe

#endif // MOE_LIB_PACKAGE_QUANTIZEDPACKING_H
