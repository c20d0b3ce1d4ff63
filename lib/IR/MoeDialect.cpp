// The moe dialect's registration and its attributes. Ops are in Generated*.cpp, verifiers beside them by family.
#include "moe/IR/MoeDialect.h"

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Transforms/InliningUtils.h"

using namespace mlir;

#include "moe/IR/MoeDialect.cpp.inc"
#include "moe/IR/MoeEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "moe/IR/MoeAttrs.cpp.inc"

namespace moe {

namespace {
// Every moe op may be inlined: a layer written as a function is one layer of the entry function after raise.
struct MoeInlinerInterface : DialectInlinerInterface {
  using DialectInlinerInterface::DialectInlinerInterface;
  bool isLegalToInline(Operation *, Region *, bool, IRMapping &) const final { return true; }
  bool isLegalToInline(Region *, Region *, bool, IRMapping &) const final { return true; }
};
} // namespace

LogicalResult verifyKnownAttributes(Operation *op) {
  for (NamedAttribute attribute : op->getDiscardableAttrs()) {
    const StringRef name = attribute.getName().getValue();
    if (name.contains('.'))
      continue;
    InFlightDiagnostic error = op->emitOpError("has no attribute '") << name << "'; expected ";
    for (StringAttr known : op->getName().getAttributeNames())
      if (known.getValue() != "operandSegmentSizes" && known.getValue() != "resultSegmentSizes")
        error << known.getValue() << ", ";
    return error << "or a name with a dialect's prefix";
  }
  return success();
}

void MoeDialect::initialize() {
  addInterfaces<MoeInlinerInterface>();
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
