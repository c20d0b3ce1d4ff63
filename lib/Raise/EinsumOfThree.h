//===- EinsumOfThree.h - experts' rows, matrices and weights in one Einsum ----*- C++ -*-===//
// 'tkf,tkfh,tk->th' is the second product of the experts and the weighted sum behind it in one node. Recognisers read products of two.
#ifndef MOE_LIB_RAISE_EINSUMOFTHREE_H
#define MOE_LIB_RAISE_EINSUMOFTHREE_H

#include "mlir/IR/BuiltinOps.h"

namespace moe::raise {

/// Writes each Einsum of three tensors, one of which holds the matrices of experts (stored, or looked up in a stored tensor), as two: first the rows with
/// the matrices, then the result with what is left. That is the same sum in another order, and less work even where no layer is found.
void splitEinsums(mlir::ModuleOp module);

} // namespace moe::raise

#endif // MOE_LIB_RAISE_EINSUMOFTHREE_H
