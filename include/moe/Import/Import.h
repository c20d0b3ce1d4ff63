//===- Import.h - ONNX files to modules -------------------------*- C++ -*-===//
// The import stage: docs/Stages.md says what it leaves behind. Reads untrusted files; whatever they hold, the answer is a module or diagnostics.
#ifndef MOE_IMPORT_IMPORT_H
#define MOE_IMPORT_IMPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace moe {

/// Options of the import stage.
struct ImportOptions {
  /// Sizes for symbolic dims of the inputs, by name (`--dim batch=1`). A name that no input has is an error.
  std::vector<std::pair<std::string, int64_t>> fixedDims;
  /// Dims of inputs that share a name may differ in size, as ONNX Runtime allows (`--ignore-dim-names`): only the first dim of a name keeps it. Otherwise a name
  /// is one size, which a run checks.
  bool ignoreDimNames = false;
  /// External data files may be symbolic links, as in the cache of the Hugging Face hub. What a link names is then read wherever it is.
  bool allowLinks = false;
  /// Initializers that are inputs of the graph as well and that a run may give other values for (`--overridable w`): they become inputs with a default.
  /// All others are constants. A name that is no such initializer is an error.
  std::vector<std::string> overridable;
};

/// Reads the ONNX model at `path` into a module with the entry function @main, types inferred. The weights stay in their files, which must not change
/// until the model is packaged. Null on an error; diagnostics name the file, the node or tensor, and what was expected.
mlir::OwningOpRef<mlir::ModuleOp> importOnnx(mlir::MLIRContext &context, llvm::StringRef path, const ImportOptions &options);

} // namespace moe

#endif // MOE_IMPORT_IMPORT_H
