// See EntryPoint.h.
#include "EntryPoint.h"

using namespace mlir;

namespace moe {

static func::FuncOp findMarked(ModuleOp module, StringRef attribute) {
  func::FuncOp found;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!function->hasAttr(attribute))
      continue;
    if (found) {
      function.emitError() << "second function with attribute '" << attribute << "'; expected one";
      return {};
    }
    found = function;
  }
  if (!found) {
    module.emitError() << "no function with attribute '" << attribute << "'";
    return {};
  }
  if (!found.getBody().hasOneBlock()) {
    found.emitError() << "expected one block in the function with attribute '" << attribute << "', found "
                      << found.getBody().getBlocks().size();
    return {};
  }
  return found;
}

func::FuncOp findEntry(ModuleOp module) { return findMarked(module, "moe.entry"); }

func::FuncOp findShapes(ModuleOp module) { return findMarked(module, "moe.shapes"); }

} // namespace moe
