// What an ONNX file says of devices: configurations of the model, sharding specs and stages of its nodes. Hints: nothing that is computed depends on them.
#ifndef MOE_LIB_IMPORT_DEVICEHINTS_H
#define MOE_LIB_IMPORT_DEVICEHINTS_H

#include "mlir/IR/BuiltinAttributes.h"
#include "moe/Import/Wire/Model.h"

namespace moe {

/// The value of `deviceHintsAttrName` for `model`; null where it says nothing of devices. What contradicts itself (a device that a configuration does not have, a tensor that is
/// none of the node's, more shards than devices) is left out with a warning at `file`.
mlir::DictionaryAttr deviceHints(mlir::MLIRContext &context, mlir::Location file, const wire::Model &model);

} // namespace moe

#endif // MOE_LIB_IMPORT_DEVICEHINTS_H
