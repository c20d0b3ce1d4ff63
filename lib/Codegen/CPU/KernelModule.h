// The functions that kernel emission has added to a module: same key, same function. A model of 32 equal layers has one set.
#ifndef MOE_CODEGEN_CPU_KERNELMODULE_H
#define MOE_CODEGEN_CPU_KERNELMODULE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "moe/Machine/Isa.h"
#include "llvm/ADT/StringMap.h"

namespace moe {

class KernelModule {
public:
  KernelModule(mlir::ModuleOp module, const IsaVersion &isa) : module(module), isa(isa) {}

  mlir::ModuleOp module;
  const IsaVersion &isa;

  /// The function of `key`; made by `make` under a free name that starts with `prefix` where there is none yet.
  mlir::func::FuncOp get(llvm::StringRef key, llvm::StringRef prefix,
                         llvm::function_ref<mlir::func::FuncOp(llvm::StringRef name)> make) {
    const auto found = functions.find(key);
    if (found != functions.end())
      return found->second;
    std::string name = prefix.str();
    for (unsigned number = 1; module.lookupSymbol(name); ++number)
      name = (prefix + "_" + llvm::Twine(number)).str();
    // `make` may add functions of its own to the map.
    mlir::func::FuncOp function = make(name);
    functions[key] = function;
    return function;
  }

private:
  llvm::StringMap<mlir::func::FuncOp> functions;
};

} // namespace moe

#endif // MOE_CODEGEN_CPU_KERNELMODULE_H
