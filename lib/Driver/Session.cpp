// One compilation: reads the model, runs the stages of the table, hands the lowered module to codegen and package.
#include "moe/Driver/Session.h"

#include "Artifact.h"
#include "RaiseReport.h"
#include "moe/Codegen/CUDA/Kernels.h"
#include "moe/Codegen/CUDA/Passes.h"
#include "moe/Driver/Register.h"
#include "moe/IR/MoeDialect.h"
#include "moe/Import/MlirInput.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <chrono>

using namespace mlir;

namespace moe {
namespace {

// `file:line:col`, or `node 'name'` for a location that the ONNX importer made.
std::string describeLocation(Location location, StringRef input) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (auto fused = dyn_cast<FusedLoc>(location))
    return fused.getLocations().empty() ? input.str() : describeLocation(fused.getLocations().front(), input);
  if (auto site = dyn_cast<CallSiteLoc>(location))
    return describeLocation(site.getCallee(), input);
  if (auto file = dyn_cast<FileLineColLoc>(location)) {
    stream << file.getFilename().getValue();
    if (file.getLine())
      stream << ":" << file.getLine() << ":" << file.getColumn();
    return text;
  }
  stream << input;
  if (auto name = dyn_cast<NameLoc>(location))
    stream << ": node '" << name.getName().getValue() << "'";
  return text;
}

StringRef severityName(DiagnosticSeverity severity) {
  switch (severity) {
  case DiagnosticSeverity::Error:
    return "error";
  case DiagnosticSeverity::Warning:
    return "warning";
  case DiagnosticSeverity::Note:
    return "note";
  case DiagnosticSeverity::Remark:
    return "remark";
  }
  return "";
}

void forward(const Diagnostic &diagnostic, StringRef input, const DiagnosticSink &sink) {
  const std::string message = diagnostic.str();
  // The importer names nodes itself, with their op; other stages know only the location.
  const bool namesNode = StringRef(message).starts_with("node '") || StringRef(message).starts_with("tensor '");
  const std::string where = namesNode ? input.str() : describeLocation(diagnostic.getLocation(), input);
  sink((severityName(diagnostic.getSeverity()) + ": " + where + ": " + message).str());
  for (const Diagnostic &note : diagnostic.getNotes())
    if (!StringRef(note.str()).starts_with("see current operation")) // The IR says little to a user; --dump-stages-to shows it.
      forward(note, input, sink);
}

class Session {
public:
  Session(const SessionOptions &options, const Progress &progress, const DiagnosticSink &sink, SessionSummary &summary)
      : options(options), progress(progress), sink(sink), summary(summary), context(makeRegistry(), MLIRContext::Threading::DISABLED) {
    context.loadAllAvailableDialects();
  }

  LogicalResult run();

private:
  LogicalResult runAll();
  static DialectRegistry makeRegistry() {
    DialectRegistry registry;
    registerAllDialects(registry);
    return registry;
  }

  LogicalResult fail(const Twine &message) {
    sink(("error: " + message).str());
    return failure();
  }
  LogicalResult checkOptions();
  LogicalResult checkTarget();
  LogicalResult read();
  LogicalResult verifyInput();
  LogicalResult runStages();
  LogicalResult dump(const StageInfo &info, size_t number);
  LogicalResult reportRaising();
  LogicalResult writeModule(StringRef path);

  const SessionOptions &options;
  const Progress &progress;
  const DiagnosticSink &sink;
  SessionSummary &summary;
  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  std::vector<MoeLayerInfo> layers;
  RaiseReport raising;
  /// Has a report been written that goes where a later stage fails?
  bool hasReport = false;
  // Rows of the table to run: [first, last].
  size_t first = 0, last = 0;
};

LogicalResult Session::checkTarget() {
  const bool isCuda = options.target == Target::Cuda;
  if (isCuda && (options.emit == Emit::Llvm || options.emit == Emit::Assembly || options.emit == Emit::Object))
    return fail("--target=cuda has --emit=mlir, --emit=ptx and --emit=sass-report, no other code");
  if (!isCuda && (options.emit == Emit::Ptx || options.emit == Emit::SassReport))
    return fail(options.emit == Emit::Ptx ? "--emit=ptx needs --target=cuda" : "--emit=sass-report needs --target=cuda");
  if (options.gpuCode != GpuCode::Auto && (!isCuda || options.emit != Emit::Artifact))
    return fail("--gpu-code needs an artifact of --target=cuda");
  if (options.gpuArch != "all" && !isCuda)
    return fail("--gpu-arch needs --target=cuda");
  if (options.withSim && (!isCuda || options.emit != Emit::Artifact))
    return fail("--with-sim needs an artifact of --target=cuda");
  if (isCuda && !options.stages.plan.mesh.empty())
    return fail("--mesh is not supported yet with --target=cuda");
  return success();
}

LogicalResult Session::checkOptions() {
  if (failed(checkTarget()))
    return failure();
  ArrayRef<StageInfo> table = stages();
  auto find = [&](const std::string &name, size_t &row) {
    for (auto [index, info] : llvm::enumerate(table))
      if (info.name == name) {
        row = index;
        return true;
      }
    return false;
  };
  std::string names;
  llvm::raw_string_ostream stream(names);
  llvm::interleaveComma(table, stream, [&](const StageInfo &info) { stream << info.name; });

  const size_t lower = size_t(Stage::Lower);
  last = options.emit == Emit::Mlir ? lower : table.size() - 1;
  if (!options.compileTo.empty()) {
    if (!find(options.compileTo, last))
      return fail("--compile-to expects a stage (" + names + "), got '" + options.compileTo + "'");
    if (options.emit != Emit::Artifact && (last > lower || options.emit != Emit::Mlir))
      return fail("--compile-to=" + options.compileTo + " and --emit exclude each other");
    if (last == size_t(Stage::Codegen))
      return fail("--compile-to=codegen leaves no IR; use --emit=llvm, asm or obj");
  }
  if (!options.compileFrom.empty()) {
    if (!find(options.compileFrom, first))
      return fail("--compile-from expects a stage (" + names + "), got '" + options.compileFrom + "'");
    if (first > lower)
      return fail("--compile-from=" + options.compileFrom + " leaves no IR to go on from; the last stage that does is lower");
    ++first;
    if (first > last + 1)
      return fail("--compile-from=" + options.compileFrom + " is after --compile-to=" + table[last].name.str());
  }
  if (options.requireRaised && !options.stages.raise.experts)
    return fail("--require-raised and --raise-experts=false exclude each other");
  if (options.output.empty())
    return fail("expected an output: -o <folder>, or -o <file> with --emit or --compile-to");
  if (options.emit == Emit::Artifact && last > lower && llvm::is_contained({".mlir", ".mlirbc", ".onnx"}, llvm::sys::path::extension(options.output)))
    return fail("expected a folder for the artifact, got '" + options.output + "'; --compile-to=lower and earlier stages write .mlir");
  // Asked before minutes go into code that then has no place.
  StringRef parent = llvm::sys::path::parent_path(StringRef(options.output).rtrim('/'));
  if (options.output != "-" && llvm::sys::fs::exists(parent.empty() ? "." : parent))
    if (std::error_code error = llvm::sys::fs::access(parent.empty() ? "." : parent, llvm::sys::fs::AccessMode::Write))
      return fail("cannot write '" + options.output + "': " + error.message());
  return success();
}

LogicalResult Session::read() {
  progress("import", 0, 0);
  if (options.input == "-")
    return fail("expected the path of a .onnx or .mlir file, got '-'; models are not read from standard input");
  if (!llvm::sys::fs::exists(options.input))
    return fail(options.input + ": no such file");
  const StringRef extension = llvm::sys::path::extension(options.input);
  if (extension == ".onnx") {
    if (!options.compileFrom.empty())
      return fail("--compile-from expects a .mlir file, got " + options.input);
    module = importOnnx(context, options.input, options.import);
  } else if (extension == ".mlir" || extension == ".mlirbc") {
    module = readMlirModel(context, options.input, options.import);
  } else {
    return fail(options.input + ": expected a file named .onnx or .mlir");
  }
  return success(bool(module));
}

LogicalResult Session::dump(const StageInfo &info, size_t number) {
  if (options.dumpStagesTo.empty())
    return success();
  if (std::error_code error = llvm::sys::fs::create_directories(options.dumpStagesTo, /*IgnoreExisting=*/true, llvm::sys::fs::all_all))
    return fail(options.dumpStagesTo + ": cannot create the folder: " + error.message());
  SmallString<128> path(options.dumpStagesTo);
  llvm::sys::path::append(path, std::to_string(number) + "-" + info.name + ".mlir");
  return writeModule(path);
}

/// What stands in a file need not be what its stage leaves: a later stage would say so in words that nobody understands.
LogicalResult Session::verifyInput() {
  const StageInfo *stage = first > 0 ? &stages()[first - 1] : nullptr;
  if (!stage || !stage->verify)
    return success();
  PassManager manager(&context);
  manager.addPass(stage->verify());
  if (failed(manager.run(*module)))
    return fail(options.input + " is not what the stage " + stage->name + " leaves (--compile-from); moe-opt runs single passes on any IR");
  return success();
}

LogicalResult Session::runStages() {
  ArrayRef<StageInfo> table = stages();
  // Hand-written IR that starts after raise names no layers, but until fuse has them.
  if (first > size_t(Stage::Raise) && first <= size_t(Stage::Fuse))
    recordMoeLayers(*module, collectMoeLayers(*module));
  if (first == 0 && failed(dump(table[0], 1)))
    return failure();
  // An input that a stage from raise to distribute left has its layers already; fuse takes them away.
  if (first > size_t(Stage::Raise) && first <= size_t(Stage::Fuse))
    layers = collectMoeLayers(*module);
  if (failed(verifyInput()))
    return failure();
  for (size_t row = std::max<size_t>(first, 1); row <= last && row < table.size(); ++row) {
    const StageInfo &info = table[row];
    if (!info.build)
      continue;
    progress(info.name, 0, 0);
    PassManager manager(&context);
    StageOptions stageOptions = options.stages;
    stageOptions.raise.remarks = true; // They go into the report; see run().
    // What kernels of a GPU take in bf16, moe-cuda-narrow-rows knows.
    if (options.target == Target::Cuda && stageOptions.plan.activations == "bf16")
      stageOptions.plan.activations = "auto";
    if (options.target == Target::Cuda && info.stage == Stage::Lower) {
      manager.addPass(createCudaStoreConstants());
      manager.addNestedPass<func::FuncOp>(createCudaNarrowRows({options.stages.plan.activations}));
      manager.addNestedPass<func::FuncOp>(createCudaSplitProducts());
    }
    info.build(manager, stageOptions);
    if (failed(manager.run(*module)))
      return failure();
    if (info.stage == Stage::Raise && failed(reportRaising()))
      return failure();
    if (failed(dump(info, row + 1)))
      return failure();
  }
  // Read off what is left at the end, so that the answer does not depend on the stage that this session began with.
  FailureOr<std::vector<MoeLayerInfo>> recorded = recordedMoeLayers(*module);
  if (failed(recorded))
    return failure();
  layers = std::move(*recorded);
  module->walk([&](Operation *op) {
    summary.routePermutes += isa<RoutePermuteOp>(op);
    if (auto product = dyn_cast<GroupedMatmulOp>(op))
      ++(product.getOffsets() ? summary.groupedProducts : summary.denseProducts);
  });
  return success();
}

LogicalResult Session::reportRaising() {
  layers = collectMoeLayers(*module);
  raising.finish(*module);
  if (!options.raiseReport.empty()) {
    const std::string text = raiseReportText(layers, raising.notRaised());
    const std::string error = writeOutput(options.raiseReport, [&](raw_ostream &stream) { stream << text; });
    if (!error.empty())
      return fail(error);
    hasReport = true;
  }
  if (!options.requireRaised)
    return success();
  const std::vector<std::string> complaints = raising.complaints(layers);
  for (const std::string &line : complaints)
    sink("error: " + options.input + ": " + line);
  hasReport &= complaints.empty(); // Else it stays: it says why the session ends here.
  return success(complaints.empty());
}

LogicalResult Session::writeModule(StringRef path) {
  const std::string error = writeOutput(path, [&](raw_ostream &stream) { module->print(stream); });
  return error.empty() ? success() : fail(error);
}

LogicalResult Session::run() {
  LogicalResult result = runAll();
  // What fails leaves no output. A report that is no file of its own (a pipe, a device) stays.
  if (failed(result) && hasReport && options.raiseReport != "-" && llvm::sys::fs::is_regular_file(options.raiseReport))
    (void)llvm::sys::fs::remove(options.raiseReport);
  return result;
}

LogicalResult Session::runAll() {
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    if (!raising.take(diagnostic))
      forward(diagnostic, options.input, sink);
    return success();
  });
  const auto start = std::chrono::steady_clock::now();
  if (failed(checkOptions()) || failed(read()) || failed(runStages()))
    return failure();
  const bool stopsAtIr = last <= size_t(Stage::Lower);
  if (options.target == Target::Cuda && options.emit == Emit::Mlir && options.compileTo.empty()) {
    // The host's entry and, in a gpu.module, the kernels as they become PTX.
    PassManager manager(&context);
    buildCudaKernelPipeline(manager, {options.cudaTile, textArch(options)});
    if (failed(manager.run(*module)))
      return failure();
  }
  LogicalResult result = stopsAtIr ? writeModule(options.output) : options.target == Target::Cuda ? writeCudaCode(*module, layers, raising.notRaised(), options, progress, summary)
                                          : writeCode(*module, layers, raising.notRaised(), options, progress, summary);
  summary.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  for (const MoeLayerInfo &layer : layers)
    summary.layers.push_back({layer.name, layer.form, layer.experts, layer.topK});
  summary.layersNotRaised = llvm::count_if(raising.notRaised(), [](const NotRaisedInfo &miss) { return miss.what != "router"; });
  return result;
}

} // namespace

LogicalResult runSession(const SessionOptions &options, const Progress &progress, const DiagnosticSink &sink, SessionSummary &summary) {
  return Session(options, progress, sink, summary).run();
}

} // namespace moe
