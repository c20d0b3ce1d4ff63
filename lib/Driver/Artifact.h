//===- Artifact.h - code and package of a lowered module --------*- C++ -*-===//
// The last two stages of a session, codegen and package: one object per ISA version, then the artifact.
#ifndef MOE_LIB_DRIVER_ARTIFACT_H
#define MOE_LIB_DRIVER_ARTIFACT_H

#include "moe/Driver/Session.h"
#include "moe/Package/Package.h"

namespace moe {

/// Writes what `options.emit` asks for, from a module that has gone through lower. `layers` are those of the raised module,
/// `notRaised` what looked like one and is none. Errors are diagnostics.
mlir::LogicalResult writeCode(mlir::ModuleOp lowered, const std::vector<MoeLayerInfo> &layers, const std::vector<NotRaisedInfo> &notRaised,
                              const SessionOptions &options, const Progress &progress, SessionSummary &summary);

/// Writes a file ("-": the standard output) with `write`. Empty, or what went wrong; then there is no file.
std::string writeOutput(llvm::StringRef path, llvm::function_ref<void(llvm::raw_ostream &)> write);

} // namespace moe

#endif // MOE_LIB_DRIVER_ARTIFACT_H
