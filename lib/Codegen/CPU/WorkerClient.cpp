// The compiler's side of moe-codegen-worker: files for its input and output, its command line, and what its end means.
#include "ObjectCache.h"
#include "moe/Codegen/CPU/Objects.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/IR/Diagnostics.h"
#include "moe/Support/ChildProcess.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"

#include <cstring>
#include <unistd.h>

using namespace mlir;

namespace moe {

std::string findCodegenWorker(const WorkerOptions &options, std::string &error) {
  if (!options.path.empty())
    return options.path;
  if (auto fromEnvironment = llvm::sys::Process::GetEnv("MOE_CODEGEN_WORKER"))
    return *fromEnvironment;
  // Any address of this program will do; inside a Python extension it answers python itself, which has the worker beside it only by
  // accident, so the extension passes a path.
  std::string executable = llvm::sys::fs::getMainExecutable("", reinterpret_cast<void *>(&findCodegenWorker));
  llvm::SmallString<256> beside(llvm::sys::path::parent_path(executable));
  llvm::sys::path::append(beside, "moe-codegen-worker");
  if (llvm::sys::fs::can_execute(beside))
    return beside.str().str();
  error = ("no moe-codegen-worker at " + beside + "; set MOE_CODEGEN_WORKER to its path").str();
  return "";
}

namespace {

/// One sentence on how the worker ended.
std::string describeEnding(const ChildResult &result) {
  switch (result.ending) {
  case ChildResult::Exited:
    return "codegen worker failed (exit status " + std::to_string(result.code) + ")";
  case ChildResult::Signalled: {
    const char *name = strsignal(result.code);
    return "codegen worker was killed (signal " + std::to_string(result.code) + ", " + (name ? name : "unknown") + ")";
  }
  case ChildResult::TimedOut:
    return "codegen worker took longer than " + std::to_string(result.code) + " s and was stopped";
  case ChildResult::NotStarted:
    return "codegen worker did not run";
  }
  llvm_unreachable("covered switch");
}

/// The lines of the worker that matter to a user, one note each: its errors, else the last few that it printed.
void attachOutput(InFlightDiagnostic &diagnostic, Location loc, StringRef output) {
  SmallVector<StringRef> lines, errors;
  output.split(lines, '\n', -1, /*KeepEmpty=*/false);
  llvm::copy_if(lines, std::back_inserter(errors), [](StringRef line) { return line.contains("error:") || line.contains("ERROR:"); });
  ArrayRef<StringRef> shown = errors.empty() ? ArrayRef(lines).take_back(5) : ArrayRef(errors).take_front(10);
  for (StringRef line : shown)
    diagnostic.attachNote(loc) << "worker: " << line.trim();
}

LogicalResult runWorker(Location loc, std::vector<std::string> arguments, const WorkerOptions &options) {
  std::string error;
  std::string worker = findCodegenWorker(options, error);
  if (worker.empty())
    return emitError(loc) << error;
  arguments.push_back("--parent=" + std::to_string(getpid()));
  arguments.push_back("--memory-limit=" + std::to_string(options.memoryLimit));
  if (!options.injectFault.empty())
    arguments.push_back("--inject-fault=" + options.injectFault);
  ChildResult result = runChild(worker, arguments, options.timeoutSeconds);
  if (result.succeeded())
    return success();
  InFlightDiagnostic diagnostic = emitError(loc) << describeEnding(result);
  attachOutput(diagnostic, loc, result.output);
  if (result.ending == ChildResult::Signalled || StringRef(result.output).contains("out of memory"))
    diagnostic.attachNote(loc) << "it may use " << (options.memoryLimit >> 20) << " MiB of memory; raise this with --worker-memory-limit";
  if (result.ending == ChildResult::TimedOut)
    diagnostic.attachNote(loc) << "raise the limit with --worker-timeout";
  return diagnostic;
}

/// Writes a file for the worker to read; the caller removes it.
LogicalResult writeInput(Location loc, ModuleOp module, StringRef path) {
  std::error_code error;
  llvm::raw_fd_ostream stream(path, error);
  LogicalResult written = success();
  if (!error) {
    written = writeBytecodeToFile(module, stream);
    stream.close();
    error = stream.error();
    stream.clear_error();
  }
  if (error)
    return emitError(loc) << "cannot write " << path << ": " << error.message();
  return written;
}

StringRef kindName(ObjectKind kind) {
  switch (kind) {
  case ObjectKind::Object:
    return "obj";
  case ObjectKind::Assembly:
    return "asm";
  case ObjectKind::LLVMIR:
    return "llvm";
  case ObjectKind::Ptx:
    return "ptx";
  }
  llvm_unreachable("covered switch");
}

} // namespace

LogicalResult emitObject(ModuleOp module, ObjectKind kind, StringRef outputPath, const WorkerOptions &options) {
  Location loc = module.getLoc();
  // Beside the output, in a folder that the caller removes also when a signal ends it.
  const std::string input = (outputPath + ".mlirbc").str();
  llvm::FileRemover removeInput(input);
  if (failed(writeInput(loc, module, input)))
    return failure();
  // Who asks for other limits wants to see what the worker does under them.
  const WorkerOptions usual;
  const bool isUsual = options.injectFault.empty() && options.memoryLimit == usual.memoryLimit && options.timeoutSeconds == usual.timeoutSeconds;
  const std::string kept = isUsual ? findInObjectCache(module, kindName(kind)) : "";
  if (takeFromObjectCache(kept, outputPath))
    return success();
  if (failed(runWorker(loc, {"emit", input, "--output-kind=" + kindName(kind).str(), "-o", outputPath.str()}, options)))
    return failure();
  putIntoObjectCache(kept, outputPath);
  return success();
}

LogicalResult linkModel(Location loc, const LinkInputs &inputs, StringRef outputPath, const WorkerOptions &options) {
  std::vector<std::string> arguments = {"link", "-o", outputPath.str()};
  for (const std::string &object : inputs.objects)
    arguments.push_back(object);
  for (const std::string &archive : inputs.wholeArchives)
    arguments.push_back("--whole-archive=" + archive);
  for (const std::string &archive : inputs.archives)
    arguments.push_back("--archive=" + archive);
  for (const std::string &pattern : inputs.exports)
    arguments.push_back("--export=" + pattern);
  return runWorker(loc, arguments, options);
}

LogicalResult emitAndLinkModel(ModuleOp tables, LinkInputs inputs, StringRef outputPath, const WorkerOptions &options) {
  const std::string object = (outputPath + ".tables.o").str();
  llvm::FileRemover removeObject(object);
  if (failed(emitObject(tables, ObjectKind::Object, object, options)))
    return failure();
  inputs.objects.push_back(object);
  return linkModel(tables.getLoc(), inputs, outputPath, options);
}

} // namespace moe
