// Numbers that an expression of constants has, for the trip counts of loops.
#ifndef MOE_LIB_IMPORT_SCALARFOLDER_H
#define MOE_LIB_IMPORT_SCALARFOLDER_H

#include "mlir/IR/Value.h"

#include <optional>

namespace moe {

/// The single element of an integer or bool tensor that ONNX nodes of scalar arithmetic make of constants, rounded as their types say;
/// nothing where an operand is no constant, a node is another one, or the number is no integer of 53 bits.
std::optional<int64_t> foldToInteger(mlir::Value value);

} // namespace moe

#endif // MOE_LIB_IMPORT_SCALARFOLDER_H
