//===- Session.h - one compilation, from file to artifact -------*- C++ -*-===//
// What moe-compile and the Python package both call. A session reads a model, runs the stages of the table and writes what was asked for.
#ifndef MOE_DRIVER_SESSION_H
#define MOE_DRIVER_SESSION_H

#include "moe/Driver/Stages.h"
#include "moe/Import/Import.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace moe {

/// What a session writes.
enum class Emit {
  Artifact, ///< The folder model.so, model.h, model.weights, manifest.json.
  Mlir,     ///< The module after `compileTo` (default: lower), as text.
  Llvm,     ///< LLVM IR of the first ISA version, as text.
  Assembly, ///< Its assembly.
  Object,   ///< Its object file.
  Ptx,      ///< PTX of the kernels, as text; for Target::Cuda.
  SassReport, ///< What NVIDIA's assembler makes of each kernel, as text; for Target::Cuda.
};

enum class Target { Cpu, Cuda };

/// The code of kernels in an artifact.
enum class GpuCode {
  Auto,   ///< Fatbin where NVIDIA's assembler is found, else Ptx, and a warning says so.
  Ptx,    ///< PTX alone, which the driver compiles for the GPU at hand when the model is loaded.
  Fatbin, ///< Machine code for the architectures of moe/Machine/Gpu.h, with PTX for others. An error without the assembler.
};

struct SessionOptions {
  /// Path of the `.onnx` or `.mlir` file.
  std::string input;
  /// Folder of the artifact, or file for other kinds ("-": standard output).
  std::string output;
  Emit emit = Emit::Artifact;
  Target target = Target::Cpu;
  /// With Target::Cuda: kernels.sim.so beside model.so, the kernels for the SIMT executor.
  bool withSim = false;
  GpuCode gpuCode = GpuCode::Auto;
  /// The GPUs that kernels are for: "sm_80" (and newer), "sm_90a", or "all", which is an artifact with code of both where it has machine code, and sm_80 elsewhere.
  std::string gpuArch = "all";
  /// ISA versions, as in --cpu-features: names or +feature lists, ';' between versions.
  std::string cpuFeatures = "host";
  /// First and last stage to run (names of the table); empty means from the start, to the end.
  std::string compileFrom, compileTo;
  /// Folder for the IR after each stage; empty: none.
  std::string dumpStagesTo;
  /// File for the report on raising (JSON: what became an MoE layer, what did not and why); empty: none.
  std::string raiseReport;
  /// Something that looks like an MoE layer and is not raised is an error, and so is a model without any.
  bool requireRaised = false;
  ImportOptions import;
  StageOptions stages;
  /// Limits of the codegen worker: address space in MiB and seconds.
  unsigned workerMemoryMiB = 8192, workerSeconds = 600;
  /// Passed to the worker for tests of its failures (abort, kill, hang, oom); empty in use.
  std::string workerFault;
  /// For tests: matrix tiles become loops, and versions with tiles run on CPUs without.
  bool emulateTiles = false;
  /// For tests: the tensor core tile of all CUDA products, as ROWSxCOLUMNS, wgmma_ROWSxCOLUMNS.
  std::string cudaTile;
  /// Path of moe-codegen-worker; empty: beside the running program.
  std::string workerPath;
};

/// One MoE layer, as in the manifest.
struct LayerSummary {
  std::string name, form;
  int64_t experts = 0, topK = 0;
};

/// What the summary of moe-compile says.
struct SessionSummary {
  std::vector<LayerSummary> layers;
  /// What looked like an MoE layer and was not raised.
  int64_t layersNotRaised = 0;
  int64_t routePermutes = 0, groupedProducts = 0, denseProducts = 0;
  uint64_t weightBytes = 0;
  std::vector<std::string> isaVersions;
  double seconds = 0;
};

/// Called when a stage starts (`done` and `total` are 0) and while weights are packed (bytes).
using Progress = std::function<void(llvm::StringRef stage, uint64_t done, uint64_t total)>;

/// Receives every diagnostic of a session as one line of text, `error: …` first.
using DiagnosticSink = std::function<void(llvm::StringRef)>;

/// Runs a session. On failure every problem has gone to `sink`, and neither the output nor a part of it exists.
mlir::LogicalResult runSession(const SessionOptions &options, const Progress &progress,
                               const DiagnosticSink &sink, SessionSummary &summary);

} // namespace moe

#endif // MOE_DRIVER_SESSION_H
