// Codegen and package: the lowered module is cloned and compiled once per ISA version, then everything goes into one artifact.
#include "Artifact.h"

#include "moe/Codegen/CPU/Objects.h"
#include "moe/IR/MoeDialect.h"
#include "moe/Machine/Cpuid.h"
#include "moe/Machine/Isa.h"
#include "moe/Support/TemporaryFolder.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace mlir;

namespace moe {
namespace {

// The named version that this CPU runs best, by CPUID.
IsaVersion hostVersion() {
  const uint64_t have = readCpuInfo().features;
  IsaVersion best = namedIsaVersions().front();
  for (const IsaVersion &version : namedIsaVersions())
    if (llvm::all_of(version.features, [&](const std::string &feature) { return (have & cpuFeatureBit(feature.c_str())) != 0; }))
      best = version;
  return best;
}

// --cpu-features; "host" among the versions is what CPUID says. Best version first: the loader takes the first that runs.
FailureOr<std::vector<IsaVersion>> isaVersions(ModuleOp module, StringRef text) {
  std::string expanded;
  while (true) {
    const size_t end = text.find_first_of(",;");
    const StringRef item = text.take_front(end);
    expanded += item.trim() == "host" ? hostVersion().name : item.str();
    if (end == StringRef::npos)
      break;
    expanded += text[end];
    text = text.drop_front(end + 1);
  }
  std::vector<IsaVersion> versions;
  std::string error;
  if (!parseCpuFeatures(expanded, versions, error))
    return module.emitError("--cpu-features: ") << error;
  llvm::sort(versions, [](const IsaVersion &a, const IsaVersion &b) {
    return std::make_pair(a.f32Lanes, a.features.size()) > std::make_pair(b.f32Lanes, b.features.size());
  });
  return versions;
}

} // namespace

WorkerOptions workerOptions(const SessionOptions &options) {
  WorkerOptions worker;
  worker.path = options.workerPath;
  worker.memoryLimit = uint64_t(options.workerMemoryMiB) << 20;
  worker.timeoutSeconds = options.workerSeconds;
  worker.injectFault = options.workerFault;
  return worker;
}

// Compiles one ISA version of the module into `path`.
static LogicalResult compileVersion(ModuleOp lowered, const IsaVersion &isa, unsigned number, ObjectKind kind, StringRef path,
                             const SessionOptions &options) {
  OwningOpRef<ModuleOp> code = lowered.clone();
  CpuCodegenOptions codegen;
  codegen.features = isa.featureString();
  codegen.version = number;
  codegen.emulateTiles = options.emulateTiles;
  PassManager manager(lowered.getContext());
  buildCpuCodegenPipeline(manager, codegen);
  if (failed(manager.run(*code)))
    return failure();
  return emitObject(*code, kind, path, workerOptions(options));
}

// Archives that model.so is made of lie beside the tools: <prefix>/bin and <prefix>/lib.
std::string runtimeArchive(const WorkerOptions &worker, StringRef name) {
  std::string ignored;
  SmallString<128> path(llvm::sys::path::parent_path(findCodegenWorker(worker, ignored)));
  llvm::sys::path::append(path, "..", "lib", name);
  return std::string(path);
}

std::vector<std::pair<std::string, std::string>> recordedOptions(const SessionOptions &options) {
  std::vector<std::pair<std::string, std::string>> recorded = {
      {"target", options.target == Target::Cuda ? "cuda" : "cpu"}, {"cpu-features", options.cpuFeatures}, {"activations", options.stages.plan.activations}};
  const PlanOptions &plan = options.stages.plan;
  for (const auto &[name, value] : {std::pair("mesh", plan.mesh), std::pair("profile", plan.profile)})
    if (!value.empty())
      recorded.emplace_back(name, value);
  if (plan.memoryNodes != PlanOptions().memoryNodes)
    recorded.emplace_back("memory-nodes", std::to_string(plan.memoryNodes));
  if (plan.expertParallel)
    recorded.emplace_back("expert-parallel", std::to_string(plan.expertParallel));
  if (plan.exchangeChunks)
    recorded.emplace_back("exchange-chunks", std::to_string(plan.exchangeChunks));
  if (plan.exchange != PlanOptions().exchange)
    recorded.emplace_back("exchange", plan.exchange);
  std::string dims;
  for (const auto &[name, size] : options.import.fixedDims)
    dims += (dims.empty() ? "" : ",") + name + "=" + std::to_string(size);
  if (!dims.empty())
    recorded.emplace_back("dim", dims);
  for (const std::string &name : options.import.overridable)
    recorded.emplace_back("overridable", name);
  return recorded;
}

// --emit=llvm, asm or obj: the code of the first version, as one file.
static LogicalResult writeFile(ModuleOp lowered, const IsaVersion &isa, const TemporaryFolder &scratch, const SessionOptions &options) {
  const ObjectKind kind = options.emit == Emit::Llvm       ? ObjectKind::LLVMIR
                          : options.emit == Emit::Assembly ? ObjectKind::Assembly
                                                           : ObjectKind::Object;
  const std::string path = scratch.file("code");
  if (failed(compileVersion(lowered, isa, 0, kind, path, options)))
    return failure();
  return copyToOutput(lowered, path, options);
}

LogicalResult copyToOutput(ModuleOp module, StringRef path, const SessionOptions &options) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer)
    return module.emitError("cannot read the code: ") << buffer.getError().message();
  const std::string error = writeOutput(options.output, [&](raw_ostream &stream) { stream << (*buffer)->getBuffer(); });
  return error.empty() ? success() : LogicalResult(module.emitError(error));
}

uint64_t fileBytes(const llvm::Twine &folder, StringRef name) {
  uint64_t bytes = 0;
  SmallString<128> path;
  llvm::sys::path::append(path, folder, name);
  (void)llvm::sys::fs::file_size(path, bytes);
  return bytes;
}

std::string writeOutput(StringRef path, llvm::function_ref<void(raw_ostream &)> write) {
  std::string problem;
  std::unique_ptr<llvm::ToolOutputFile> file = openOutputFile(path, &problem);
  if (!file)
    return problem;
  write(file->os());
  file->os().flush();
  if (std::error_code error = file->os().error()) {
    file->os().clear_error();
    return ("cannot write " + (path == "-" ? StringRef("to the standard output") : path) + ": " + error.message()).str();
  }
  file->keep();
  return "";
}

LogicalResult writeCode(ModuleOp lowered, const std::vector<MoeLayerInfo> &layers, const std::vector<NotRaisedInfo> &notRaised,
                        const SessionOptions &options, const Progress &progress, SessionSummary &summary) {
  FailureOr<std::vector<IsaVersion>> versions = isaVersions(lowered, options.cpuFeatures);
  if (failed(versions))
    return failure();
  TemporaryFolder scratch; // Of objects between codegen and link.
  std::string error;
  if (!scratch.createPrivate("moe-compile", error))
    return lowered.emitError(error);
  progress("codegen", 0, 0);
  if (options.emit != Emit::Artifact)
    return writeFile(lowered, versions->front(), scratch, options);

  ArtifactOptions artifact;
  LinkInputs link;
  const WorkerOptions worker = workerOptions(options);
  for (auto [number, isa] : llvm::enumerate(*versions)) {
    link.objects.push_back(scratch.file("version" + Twine(number) + ".o"));
    if (failed(compileVersion(lowered, isa, number, ObjectKind::Object, link.objects.back(), options)))
      return failure();
    artifact.isaVersions.push_back({isa.name, isa.features});
    if (options.emulateTiles)
      llvm::erase_if(artifact.isaVersions.back().features, [](StringRef feature) { return feature.starts_with("amx-"); });
    summary.isaVersions.push_back(isa.name);
  }
  link.wholeArchives = {runtimeArchive(worker, "libMoeRuntime.a")};
  link.archives = {runtimeArchive(worker, "libMoeMachine.a")};
  artifact.path = options.output;
  artifact.layers = layers;
  artifact.notRaised = notRaised;
  artifact.compilerOptions = recordedOptions(options);
  artifact.link = [&](ModuleOp tables, StringRef path) { return emitAndLinkModel(tables, link, path, worker); };
  artifact.progress = [&](uint64_t done, uint64_t total) { progress("package", done, total); };
  progress("package", 0, 0);
  if (failed(writeArtifact(lowered, artifact)))
    return failure();
  summary.weightBytes = fileBytes(options.output, "model.weights");
  return success();
}

} // namespace moe
