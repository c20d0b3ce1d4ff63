//===- ObjectCache.h - code that was made before ----------------*- C++ -*-===//
// What the worker makes of a module depends on the module alone. Where $MOE_OBJECT_CACHE names a folder, the result is kept there and taken again for the
// same module: the test suites compile the same models many times. Nothing is ever removed; whoever changes the worker or LLVM empties the folder.
#ifndef MOE_CODEGEN_CPU_OBJECTCACHE_H
#define MOE_CODEGEN_CPU_OBJECTCACHE_H

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace moe {

/// The file in which the result for this module is kept, be it there or not; "" without $MOE_OBJECT_CACHE. `kind` is what the worker makes of it. The
/// module's text counts, without places: its bytecode differs from one compilation to the next.
std::string findInObjectCache(mlir::ModuleOp module, llvm::StringRef kind);

/// Copies the kept file to `output`; false where there is none.
bool takeFromObjectCache(llvm::StringRef kept, llvm::StringRef output);

/// Keeps `output`. A failure to do so is none of the compilation: another one makes it again.
void putIntoObjectCache(llvm::StringRef kept, llvm::StringRef output);

} // namespace moe

#endif // MOE_CODEGEN_CPU_OBJECTCACHE_H
