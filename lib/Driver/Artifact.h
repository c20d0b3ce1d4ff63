//===- Artifact.h - code and package of a lowered module --------*- C++ -*-===//
// The last two stages of a session, codegen and package: one object per ISA version, then the artifact.
#ifndef MOE_LIB_DRIVER_ARTIFACT_H
#define MOE_LIB_DRIVER_ARTIFACT_H

#include "moe/Codegen/CPU/Objects.h"
#include "moe/Driver/Session.h"
#include "moe/Package/Package.h"

namespace moe {

/// Writes what `options.emit` asks for, from a module that has gone through lower. `layers` are those of the raised module,
/// `notRaised` what looked like one and is none. Errors are diagnostics.
mlir::LogicalResult writeCode(mlir::ModuleOp lowered, const std::vector<MoeLayerInfo> &layers, const std::vector<NotRaisedInfo> &notRaised,
                              const SessionOptions &options, const Progress &progress, SessionSummary &summary);

/// The same for Target::Cuda (CudaArtifact.cpp): an entry for the host's CPU that launches kernels, which are in the artifact as machine code and PTX.
mlir::LogicalResult writeCudaCode(mlir::ModuleOp lowered, const std::vector<MoeLayerInfo> &layers, const std::vector<NotRaisedInfo> &notRaised,
                                  const SessionOptions &options, const Progress &progress, SessionSummary &summary);

/// The architecture of what is one text for one (PTX, IR): as CudaKernelOptions has it, never all.
std::string textArch(const SessionOptions &options);

/// How the worker is run.
WorkerOptions workerOptions(const SessionOptions &options);
/// Path of an archive or library that lies beside the tools: <prefix>/bin and <prefix>/lib.
std::string runtimeArchive(const WorkerOptions &worker, llvm::StringRef name);
/// The options that the manifest lists.
std::vector<std::pair<std::string, std::string>> recordedOptions(const SessionOptions &options);
/// Bytes of folder/name, 0 if it is not there.
uint64_t fileBytes(const llvm::Twine &folder, llvm::StringRef name);
/// Writes the file `path` to where the options say.
mlir::LogicalResult copyToOutput(mlir::ModuleOp module, llvm::StringRef path, const SessionOptions &options);

/// Writes a file ("-": the standard output) with `write`. Empty, or what went wrong; then there is no file.
std::string writeOutput(llvm::StringRef path, llvm::function_ref<void(llvm::raw_ostream &)> write);

} // namespace moe

#endif // MOE_LIB_DRIVER_ARTIFACT_H
