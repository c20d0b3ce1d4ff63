// Codegen and package for a GPU: kernels as PTX and, where NVIDIA's assembler is found, machine code; and the entry around them for the host's CPU. The runtime, its C ABI and the package are those of CPU artifacts.
#include "Artifact.h"

#include "moe/Codegen/CPU/Passes.h"
#include "moe/Codegen/CUDA/Fatbin.h"
#include "moe/Codegen/CUDA/Kernels.h"
#include "moe/Codegen/CUDA/Passes.h"
#include "moe/Codegen/CUDA/SassReport.h"
#include "moe/Support/TemporaryFolder.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Pass/PassManager.h"

#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using namespace mlir;

namespace moe {
namespace {

/// The host's part and the kernels, apart.
struct CudaCode {
  OwningOpRef<ModuleOp> host, kernels;
  std::vector<KernelInfo> table;
};

LogicalResult makeKernels(ModuleOp lowered, StringRef arch, CudaCode &code, const SessionOptions &options) {
  code.host = lowered.clone();
  PassManager manager(lowered.getContext());
  buildCudaKernelPipeline(manager, {options.cudaTile, arch.str()});
  if (failed(manager.run(*code.host)))
    return failure();
  code.table = kernelTable(*code.host);
  code.kernels = takeKernels(*code.host);
  return success();
}

/// PTX of the kernels for each architecture of `arch`, oldest first.
FailureOr<std::vector<PtxFile>> makePtx(const CudaCode &code, StringRef arch, const TemporaryFolder &scratch, const SessionOptions &options) {
  std::vector<PtxFile> files;
  for (StringRef one : {"sm_80", "sm_90a"}) {
    if (arch != "all" && arch != one)
      continue;
    files.push_back({one.str(), scratch.file(("kernels." + one + ".ptx").str())});
    if (failed(emitObject(*kernelsFor(*code.kernels, one), ObjectKind::Ptx, files.back().path, workerOptions(options))))
      return failure();
  }
  return files;
}

/// After this the host's module has no kernels.
LogicalResult compileHost(CudaCode &code, StringRef path, const SessionOptions &options) {
  PassManager manager(code.host->getContext());
  // What runs here computes sizes and calls the driver: base x86-64 is enough.
  buildCpuCodegenPipeline(manager, CpuCodegenOptions());
  if (failed(manager.run(*code.host)))
    return failure();
  return emitObject(*code.host, ObjectKind::Object, path, workerOptions(options));
}

/// A hidden constant with a NUL behind it, of the module of runtime tables.
void addText(ModuleOp tables, StringRef name, StringRef text) {
  OpBuilder builder = OpBuilder::atBlockEnd(tables.getBody());
  std::string withNul = text.str();
  withNul.push_back('\0');
  auto type = LLVM::LLVMArrayType::get(builder.getI8Type(), withNul.size());
  auto global = LLVM::GlobalOp::create(builder, tables.getLoc(), type, /*isConstant=*/true, LLVM::Linkage::External, name, builder.getStringAttr(withNul),
                                       /*alignment=*/8);
  global.setVisibility_(LLVM::Visibility::Hidden);
  global.setDsoLocal(true);
}

/// What moe/Runtime/Cuda.h reads: a line for each kernel.
std::string tableText(const std::vector<KernelInfo> &table) {
  std::string text;
  for (const KernelInfo &kernel : table)
    text += llvm::formatv("{0} {1} {2} {3}\n", kernel.name, kernel.threads, kernel.sharedBytes, kernel.arch.empty() ? 0 : 1);
  return text;
}

/// kernels.sim.so beside `sharedObject`: host code of the kernels, for the executor.
LogicalResult addSimulation(ModuleOp kernels, const TemporaryFolder &scratch, StringRef sharedObject, const WorkerOptions &worker) {
  OwningOpRef<ModuleOp> host = kernels.clone();
  PassManager manager(host->getContext());
  manager.addPass(createCudaToSimt());
  LinkInputs link;
  link.objects = {scratch.file("kernels.sim.o"), runtimeArchive(worker, "libmoe_simt.so")};
  if (failed(manager.run(*host)) || failed(emitObject(*host, ObjectKind::Object, link.objects.front(), worker)))
    return failure();
  llvm::SmallString<128> path(llvm::sys::path::parent_path(sharedObject));
  llvm::sys::path::append(path, "kernels.sim.so");
  return linkModel(kernels.getLoc(), link, path, worker);
}

/// How the kernels of an artifact are written.
struct ImagePlan {
  CudaTools tools;
  /// A fatbin; else PTX alone.
  bool assembles = false;
  /// As of CudaKernelOptions.
  std::string arch;
};

FailureOr<ImagePlan> planImage(Location loc, const SessionOptions &options) {
  ImagePlan plan;
  plan.arch = options.gpuArch;
  if (options.gpuCode != GpuCode::Ptx) {
    FailureOr<CudaTools> tools = findCudaTools(loc);
    if (failed(tools))
      return failure();
    const char *const where = "ptxas and fatbinary are not found ($MOE_PTXAS, $CUDA_HOME/bin, $PATH; CUDA Toolkit, or nvidia-cuda-nvcc of PyPI)";
    if (!tools->canAssemble() && options.gpuCode == GpuCode::Fatbin)
      return emitError(loc) << "--gpu-code=fatbin: " << where;
    if (!tools->canAssemble())
      emitWarning(loc) << "the artifact has its kernels as PTX alone, which the driver compiles at each first load: " << where;
    plan.tools = *tools;
    plan.assembles = tools->canAssemble();
  }
  // One text is for one architecture.
  if (!plan.assembles)
    plan.arch = textArch(options);
  return plan;
}

/// What the driver loads: the path of a fatbin or of PTX, and what it holds, for manifest and summary.
struct KernelImage {
  std::string path, contents;
};

FailureOr<KernelImage> makeImage(Location loc, const CudaCode &code, const ImagePlan &plan, const TemporaryFolder &scratch, const SessionOptions &options) {
  FailureOr<std::vector<PtxFile>> ptx = makePtx(code, plan.arch, scratch, options);
  if (failed(ptx))
    return failure();
  // The oldest is for all newer GPUs.
  const PtxFile &text = ptx->front();
  const std::string textName = "ptx80" + std::string(text.arch == "sm_80" ? "" : " of " + text.arch);
  if (!plan.assembles)
    return KernelImage{text.path, textName};
  KernelImage image = {scratch.file("kernels.fatbin"), ""};
  FailureOr<std::vector<Cubin>> cubins = assembleCubins(loc, *ptx, scratch.path(), plan.tools, options.workerSeconds);
  if (failed(cubins) || failed(writeFatbin(loc, *cubins, text, image.path, plan.tools, options.workerSeconds)))
    return failure();
  for (const Cubin &cubin : *cubins)
    image.contents += cubin.arch + " ";
  image.contents += textName;
  return image;
}

LogicalResult writeSassReport(ModuleOp lowered, const CudaCode &code, const TemporaryFolder &scratch, const SessionOptions &options) {
  const Location loc = lowered.getLoc();
  FailureOr<CudaTools> tools = findCudaTools(loc);
  if (failed(tools))
    return failure();
  if (tools->ptxas.empty())
    return emitError(loc) << "--emit=sass-report: ptxas is not found ($MOE_PTXAS, $CUDA_HOME/bin, $PATH; CUDA Toolkit, or nvidia-cuda-nvcc of PyPI)";
  FailureOr<std::vector<PtxFile>> ptx = makePtx(code, options.gpuArch, scratch, options);
  if (failed(ptx))
    return failure();
  FailureOr<std::vector<Cubin>> cubins = assembleCubins(loc, *ptx, scratch.path(), *tools, options.workerSeconds);
  if (failed(cubins))
    return failure();
  FailureOr<std::string> report = sassReport(loc, *cubins, code.table, *tools, options.workerSeconds);
  if (failed(report))
    return failure();
  const std::string error = writeOutput(options.output, [&](llvm::raw_ostream &stream) { stream << *report; });
  return error.empty() ? success() : lowered.emitError(error);
}

LogicalResult writeCudaArtifact(ModuleOp lowered, CudaCode &code, const ImagePlan &plan, const TemporaryFolder &scratch, ArtifactOptions artifact,
                                const SessionOptions &options, std::string &contents) {
  const WorkerOptions worker = workerOptions(options);
  LinkInputs link;
  link.objects = {scratch.file("host.o")};
  link.wholeArchives = {runtimeArchive(worker, "libMoeRuntime.a")};
  link.archives = {runtimeArchive(worker, "libMoeMachine.a")};
  FailureOr<KernelImage> image = makeImage(lowered.getLoc(), code, plan, scratch, options);
  if (failed(image) || failed(compileHost(code, link.objects.front(), options)))
    return failure();
  auto text = llvm::MemoryBuffer::getFile(image->path);
  if (!text)
    return lowered.emitError("cannot read the kernels: ") << text.getError().message();
  contents = image->contents;
  artifact.compilerOptions.push_back({"gpu-code", contents});
  artifact.isaVersions.push_back({"cuda", {}});
  artifact.link = [&](ModuleOp tables, StringRef path) -> LogicalResult {
    addText(tables, "moe_kernels", tableText(code.table));
    addText(tables, "moe_kernel_image", (*text)->getBuffer());
    if (options.withSim && failed(addSimulation(*code.kernels, scratch, path, worker)))
      return failure();
    return emitAndLinkModel(tables, link, path, worker);
  };
  return writeArtifact(lowered, artifact);
}

} // namespace

std::string textArch(const SessionOptions &options) { return options.gpuArch == "all" ? "sm_80" : options.gpuArch; }

LogicalResult writeCudaCode(ModuleOp lowered, const std::vector<MoeLayerInfo> &layers, const std::vector<NotRaisedInfo> &notRaised,
                            const SessionOptions &options, const Progress &progress, SessionSummary &summary) {
  TemporaryFolder scratch;
  std::string error;
  if (!scratch.createPrivate("moe-compile", error))
    return lowered.emitError(error);
  progress("codegen", 0, 0);
  CudaCode code;
  if (options.emit == Emit::SassReport)
    return failed(makeKernels(lowered, options.gpuArch, code, options)) ? failure() : writeSassReport(lowered, code, scratch, options);
  if (options.emit == Emit::Ptx) {
    if (failed(makeKernels(lowered, textArch(options), code, options)))
      return failure();
    FailureOr<std::vector<PtxFile>> ptx = makePtx(code, textArch(options), scratch, options);
    return failed(ptx) ? failure() : copyToOutput(lowered, ptx->front().path, options);
  }
  FailureOr<ImagePlan> plan = planImage(lowered.getLoc(), options);
  if (failed(plan) || failed(makeKernels(lowered, plan->arch, code, options)))
    return failure();
  ArtifactOptions artifact;
  artifact.path = options.output;
  artifact.layers = layers;
  artifact.notRaised = notRaised;
  artifact.compilerOptions = recordedOptions(options);
  artifact.progress = [&](uint64_t done, uint64_t total) { progress("package", done, total); };
  std::string contents;
  if (failed(writeCudaArtifact(lowered, code, *plan, scratch, artifact, options, contents)))
    return failure();
  summary.isaVersions.push_back("cuda (" + contents + ")");
  summary.weightBytes = fileBytes(options.output, "model.weights");
  return success();
}

} // namespace moe
