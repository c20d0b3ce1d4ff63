// Links the functions of include/moe/Library (losses of published routers) into hand-written models. Their text is compiled in, so that a
// compiler that was moved still has it; only what a model declares, and what that calls, is copied. They are inlined in raise.
#include "LinkLibrary.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Parser/Parser.h"

using namespace mlir;

namespace moe {

static const char losses[] =
#include "Losses.inc"
    ;

/// "a, b, c": what a user could have meant.
static std::string namesOf(ModuleOp library) {
  std::string names;
  for (auto function : library.getOps<func::FuncOp>())
    names += (names.empty() ? "" : ", ") + function.getSymName().str();
  return names;
}

LogicalResult linkLibrary(ModuleOp module) {
  SmallVector<func::FuncOp> wanted;
  for (auto function : module.getOps<func::FuncOp>())
    if (function.isExternal() && function.getSymName().starts_with("moe."))
      wanted.push_back(function);
  if (wanted.empty())
    return success();

  OwningOpRef<ModuleOp> library = parseSourceString<ModuleOp>(losses, module.getContext(), "Losses.mlir");
  if (!library)
    return module.emitError("the library of functions cannot be read");
  SymbolTable symbols(module), definitions(*library);
  while (!wanted.empty()) {
    func::FuncOp declared = wanted.pop_back_val();
    const StringRef name = declared.getSymName();
    auto definition = definitions.lookup<func::FuncOp>(name);
    if (!definition)
      return declared.emitError("the library has no function '") << name << "'; it has " << namesOf(*library);
    if (definition.getFunctionType() != declared.getFunctionType())
      return declared.emitError("the library's '") << name << "' has the type " << definition.getFunctionType() << ", declared is "
                                                   << declared.getFunctionType();
    IRMapping mapping;
    definition.getBody().cloneInto(&declared.getBody(), mapping);
    declared.setPrivate();
    declared.walk([&](func::CallOp call) {
      if (symbols.lookup(call.getCallee()))
        return;
      auto callee = cast<func::FuncOp>(definitions.lookup(call.getCallee())->cloneWithoutRegions());
      symbols.insert(callee);
      wanted.push_back(callee);
    });
  }
  return success();
}

} // namespace moe
