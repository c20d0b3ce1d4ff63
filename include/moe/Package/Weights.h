//===- Weights.h - writes model.weights --------------------------*- C++ -*-===//
// Reads the recipes of moe.weight symbols (where the bytes are, how they are packed, where they go) and streams the file. Memory stays
// bounded whatever the size of the model: sources are mapped, the result is made panel by panel.
#ifndef MOE_PACKAGE_WEIGHTS_H
#define MOE_PACKAGE_WEIGHTS_H

#include "moe/Package/ModelDescription.h"

#include "llvm/ADT/STLFunctionalExtras.h"

namespace moe {

/// Called with the bytes written so far and the bytes in all; at most once per MiB.
using PackingProgress = llvm::function_ref<void(uint64_t done, uint64_t total)>;

/// Writes every weight of `lowered` that has a section and an offset to the file `path`. Errors (a source that is too short, a recipe that does
/// not fit its type, weights that overlap) are diagnostics that name the weight.
mlir::FailureOr<WeightsDescription> writeWeights(mlir::ModuleOp lowered, llvm::StringRef path, PackingProgress progress);

} // namespace moe

#endif // MOE_PACKAGE_WEIGHTS_H
