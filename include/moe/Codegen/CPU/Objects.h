//===- Objects.h - machine code from LLVM-dialect modules --------*- C++ -*-===//
// Two sides. The compiler calls emitObject and linkModel, which run the program moe-codegen-worker: LLVM may abort or need more memory than
// there is, and the caller must survive that. The worker calls the functions of namespace worker, which do the work in its own process.
#ifndef MOE_CODEGEN_CPU_OBJECTS_H
#define MOE_CODEGEN_CPU_OBJECTS_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"

#include "llvm/Support/raw_ostream.h"

#include <string>
#include <vector>

namespace moe {

/// What emission writes: an ELF object, its assembly, LLVM IR after optimisation; or, of a module of kernels (moe/Codegen/CUDA/Kernels.h), PTX.
enum class ObjectKind { Object, Assembly, LLVMIR, Ptx };

/// How the worker is run.
struct WorkerOptions {
  /// Path of moe-codegen-worker; empty: found by findCodegenWorker.
  std::string path;
  /// Bytes of address space that the worker may use.
  uint64_t memoryLimit = uint64_t(8) << 30;
  /// Seconds that one run of the worker may take.
  unsigned timeoutSeconds = 600;
  /// For tests: abort, kill, hang or oom makes the worker end that way. Empty: nothing.
  std::string injectFault;
};

/// The path in `options`, else the environment variable MOE_CODEGEN_WORKER, else beside the running executable. Empty and `error` if there
/// is none.
std::string findCodegenWorker(const WorkerOptions &options, std::string &error);

/// Writes the code of an LLVM-dialect module (what buildCpuCodegenPipeline leaves) to `outputPath`, and for as long as it takes its own input
/// beside it. An error is a diagnostic at the module.
mlir::LogicalResult emitObject(mlir::ModuleOp module, ObjectKind kind, llvm::StringRef outputPath, const WorkerOptions &options);

/// What becomes one model.so.
struct LinkInputs {
  /// Object files, all used.
  std::vector<std::string> objects;
  /// Archives of which every member is used: libMoeRuntime.a, whose C ABI nothing inside the model calls.
  std::vector<std::string> wholeArchives;
  /// Archives that supply what is missing: libMoeMachine.a.
  std::vector<std::string> archives;
  /// Patterns of the names that model.so exports; all others are local.
  std::vector<std::string> exports = {"moe_*"};
};

/// Links `inputs` with the C and maths library of this machine into the shared object `outputPath`. Undefined symbols are errors, shown as
/// diagnostics at `loc`.
mlir::LogicalResult linkModel(mlir::Location loc, const LinkInputs &inputs, llvm::StringRef outputPath, const WorkerOptions &options);

/// Emits `tables` (an LLVM-dialect module without vectors) as one more object and links it with `inputs`: what ArtifactOptions::link wants.
mlir::LogicalResult emitAndLinkModel(mlir::ModuleOp tables, LinkInputs inputs, llvm::StringRef outputPath, const WorkerOptions &options);

namespace worker {

/// Makes this process end when the process that started it does; `parent` is that one's number, 0 if nobody gave it. False where it has ended already,
/// which is not rare: this program needs longer to load than a user to press Ctrl-C. Called first.
bool endWithParent(int parent);

/// Limits this process's address space (bytes, 0 for no limit). Called before anything large is allocated.
bool limitProcess(uint64_t memoryLimit, std::string &error);

/// Reads the LLVM-dialect module in `inputPath` (bytecode or text), optimises it and writes `outputPath`.
bool emit(llvm::StringRef inputPath, ObjectKind kind, llvm::StringRef outputPath, std::string &error);

/// The arguments of GNU ld for `inputs`; the C library is that of this process.
std::vector<std::string> linkArguments(const LinkInputs &inputs, llvm::StringRef versionScriptPath, llvm::StringRef outputPath);

/// Text of the version script for `exports`.
std::string versionScript(llvm::ArrayRef<std::string> exports);

} // namespace worker
} // namespace moe

#endif // MOE_CODEGEN_CPU_OBJECTS_H
