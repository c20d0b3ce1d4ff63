// What is computed while the rows of a layer travel.
#ifndef MOE_LIB_DISTRIBUTE_OVERLAP_H
#define MOE_LIB_DISTRIBUTE_OVERLAP_H

#include "moe/IR/MoeDialect.h"

namespace moe {

/// The ops of a layer that has been spread over devices, in one block.
struct TravellingLayer {
  mlir::Operation *first;     ///< Nothing of the layer stands before it.
  AllToAllWaitOp arrival;     ///< The first that waits.
  AllGatherOp last;
};

/// Moves products that neither need nor feed the layer's exchanges, with the ops that only they need or that need only them, to before `arrival`: those between the
/// exchanges of a layer before and this one, and those between this one and the first op that needs its result. Shared experts are such.
void computeWhileTravelling(const TravellingLayer &layer);

} // namespace moe

#endif // MOE_LIB_DISTRIBUTE_OVERLAP_H
