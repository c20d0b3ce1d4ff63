// The moe dialect's registration and its attributes. Ops are in Generated*.cpp, verifiers beside them by family.
#include "moe/IR/MoeDialect.h"

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"

using namespace mlir;

#include "moe/IR/MoeDialect.cpp.inc"
#include "moe/IR/MoeEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "moe/IR/MoeAttrs.cpp.inc"

namespace moe {

void MoeDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "moe/IR/MoeAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "moe/IR/MoeOps.cpp.inc"
      >();
}

} // namespace moe
