//===- Package.h - writes the artifact ---------------------------*- C++ -*-===//
// The last stage: a folder with model.so, model.h, model.weights and manifest.json.
#ifndef MOE_PACKAGE_PACKAGE_H
#define MOE_PACKAGE_PACKAGE_H

#include "moe/Package/ModelDescription.h"
#include "moe/Package/Weights.h"

#include <functional>
#include <utility>

namespace moe {

/// One version of the code, as codegen made it: `moe_entry_<n>`, n its place in the list, is in the objects that `link` adds.
struct IsaCode {
  std::string name;                  ///< "avx2".
  std::vector<std::string> features; ///< LLVM's names without sign, as IsaVersion has them.
};

/// What writeArtifact needs beside the module.
struct ArtifactOptions {
  /// The folder. Replaced if it is an artifact or empty; anything else there is an error.
  std::string path;
  /// ISA versions, best first; at least one.
  std::vector<IsaCode> isaVersions;
  /// Those of the raised module (collectMoeLayers).
  std::vector<MoeLayerInfo> layers;
  /// What raising left as it was, for the manifest.
  std::vector<NotRaisedInfo> notRaised;
  /// Links model.so at the given path from the objects, the runtime and the code of the given module of the LLVM dialect, which defines
  /// moe_model_info, moe_model_info_size and moe_entries. Errors are diagnostics. The driver passes emitAndLinkModel of moe/Codegen/CPU.
  std::function<mlir::LogicalResult(mlir::ModuleOp tables, llvm::StringRef sharedObject)> link;
  /// Recorded in the manifest: options of the compiler by name, as text.
  std::vector<std::pair<std::string, std::string>> compilerOptions;
  /// Called while model.weights is written; may be empty.
  std::function<void(uint64_t done, uint64_t total)> progress;
};

/// Writes the artifact of a module that has gone through lower. On failure (diagnostics) what was at `path` is untouched.
mlir::LogicalResult writeArtifact(mlir::ModuleOp lowered, const ArtifactOptions &options);

/// A module of the LLVM dialect with the tables that the runtime reads: moe_model_info, moe_model_info_size, moe_entries.
mlir::OwningOpRef<mlir::ModuleOp> buildRuntimeTables(mlir::MLIRContext *context, llvm::ArrayRef<uint8_t> modelInfo, unsigned isaVersions);

/// Text of manifest.json.
std::string manifestText(const ModelDescription &model, const ArtifactOptions &options);

/// Text of the report on raising: `moe_layers` and `not_raised` as the manifest has them.
std::string raiseReportText(const std::vector<MoeLayerInfo> &layers, const std::vector<NotRaisedInfo> &notRaised);

/// Text of model.h: the C ABI under a comment that lists inputs and outputs.
std::string modelHeaderText(const ModelDescription &model);

} // namespace moe

#endif // MOE_PACKAGE_PACKAGE_H
