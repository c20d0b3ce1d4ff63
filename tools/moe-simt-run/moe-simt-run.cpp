// moe-simt-run: runs a kernel of a gpu.module on the SIMT executor, for tests. Lowers it with moe-cuda-to-simt, makes a shared object in a
// temporary folder, loads it and launches. Prints buffers and counters; a fault of the kernel is an error and exit status 1.
#include "Arguments.h"
#include "moe/Codegen/CPU/Objects.h"
#include "moe/Codegen/CUDA/Passes.h"
#include "moe/Codegen/CUDA/Simt/Simt.h"

#include "mlir/Dialect/DLTI/DLTI.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"

#include <dlfcn.h>

using namespace llvm;

namespace {

cl::OptionCategory category("moe-simt-run");
cl::opt<std::string> input(cl::Positional, cl::cat(category), cl::desc("<kernels.mlir>"));
cl::opt<std::string> kernelName("kernel", cl::cat(category), cl::desc("Name of the kernel; not needed where there is one"));
cl::list<uint32_t> grid("grid", cl::CommaSeparated, cl::cat(category), cl::desc("Blocks: x,y,z"));
cl::list<uint32_t> block("block", cl::CommaSeparated, cl::cat(category), cl::desc("Threads of a block: x,y,z"));
cl::opt<uint64_t> dynamicShared("dynamic-shared", cl::cat(category), cl::desc("Bytes of dynamic shared memory"), cl::init(0));
cl::list<std::string> arguments("arg", cl::cat(category), cl::desc("i32=5, f32[64]=iota, bf16[8]=1.5, f32[8]=none, i8[4]=@file"));
cl::list<unsigned> printed("print", cl::CommaSeparated, cl::cat(category), cl::desc("Numbers of the arguments to print afterwards"));
cl::list<std::string> dumped("dump", cl::cat(category), cl::desc("N=file: write the bytes of argument N"));
cl::opt<uint64_t> seed("seed", cl::cat(category), cl::desc("Draw the order of threads, blocks and atomics"), cl::init(0));
cl::opt<unsigned> resident("resident-blocks", cl::cat(category), cl::desc("Blocks alive at a time; 0: all"), cl::init(1));
cl::opt<uint32_t> arch("arch", cl::cat(category), cl::desc("80 or 90: shared memory of a block, and how a tensor core adds"), cl::init(90));
cl::opt<bool> races("races", cl::cat(category), cl::desc("Look for races"), cl::init(true));
cl::opt<bool> poison("poison", cl::cat(category), cl::desc("Fill what is not written yet with NaNs"), cl::init(true));
cl::opt<bool> counters("counters", cl::cat(category), cl::desc("Print bank conflicts and sectors of each access"));

int fail(const Twine &message) {
  errs() << "moe-simt-run: error: " << message << "\n";
  return 1;
}

/// Lowers the input and loads it: its kernels are registered afterwards.
bool load(StringRef folder, std::string &error) {
  mlir::DialectRegistry registry;
  registry.insert<mlir::LLVM::LLVMDialect, mlir::NVVM::NVVMDialect, mlir::gpu::GPUDialect, mlir::DLTIDialect>();
  mlir::MLIRContext context(registry);
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::parseSourceFile<mlir::ModuleOp>(input, &context);
  if (!module)
    return false;
  mlir::PassManager passes(&context);
  passes.addPass(moe::createCudaToSimt());
  if (failed(passes.run(*module)))
    return false;
  const std::string object = (folder + "/kernels.o").str(), library = (folder + "/kernels.so").str();
  // The executor that this program was linked with, wherever it lies.
  Dl_info executor = {};
  if (!dladdr(reinterpret_cast<void *>(&moe_simt_register), &executor)) {
    error = "cannot find " MOE_SIMT_LIBRARY;
    return false;
  }
  moe::LinkInputs inputs;
  inputs.objects = {object, executor.dli_fname};
  if (failed(moe::emitObject(*module, moe::ObjectKind::Object, object, {})) || failed(moe::linkModel(module->getLoc(), inputs, library, {})))
    return false;
  if (dlopen(library.c_str(), RTLD_NOW))
    return true;
  error = dlerror();
  return false;
}

void printCounters(const moe::simt::Report &report) {
  outs() << "shared " << report.sharedBytes << " bytes\n";
  for (const moe::simt::SiteCounter &counter : report.counters)
    outs() << counter.site << ": " << counter.requests << " requests, " << counter.sectors << " sectors, " << counter.passes << " passes (ideal "
           << counter.idealPasses << ")\n";
}

int launch() {
  std::vector<std::string> names = moe::simt::kernelNames();
  if (kernelName.empty() && names.size() != 1)
    return fail("expected --kernel, for there are " + Twine(names.size()) + " kernels");
  moe::simt::Launch launch;
  launch.kernel = moe::simt::findKernel(kernelName.empty() ? names.front() : kernelName);
  if (!launch.kernel)
    return fail("there is no kernel " + kernelName);
  std::vector<KernelArgument> values(arguments.size());
  std::vector<void *> parameters;
  std::string error;
  for (auto [text, value] : zip(arguments, values)) {
    StringRef content = text;
    if (!(content.consume_front("map=") ? parseMap(content, values, value, error) : parseArgument(text, value, error)))
      return fail(error);
    parameters.push_back(value.parameter());
  }
  if (parameters.size() != launch.kernel->parameterCount)
    return fail("the kernel takes " + Twine(launch.kernel->parameterCount) + " arguments, found " + Twine(parameters.size()));
  std::copy_n(grid.begin(), std::min<size_t>(3, grid.size()), launch.grid);
  std::copy_n(block.begin(), std::min<size_t>(3, block.size()), launch.block);
  launch.dynamicShared = dynamicShared;
  launch.parameters = parameters.data();
  launch.options = {poison, races, counters, seed, resident, uint64_t(arch >= 90 ? 227 : 163) << 10, arch};
  moe::simt::Report report;
  if (!moe::simt::run(launch, report))
    return fail(report.fault);
  for (unsigned i : printed)
    if (i < values.size() && values[i].isBuffer)
      values[i].print(outs());
  for (StringRef request : dumped) {
    auto [number, path] = request.split('=');
    unsigned i = 0;
    std::error_code failure;
    if (number.getAsInteger(10, i) || i >= values.size() || !values[i].isBuffer)
      return fail("--dump expects N=file, found " + request);
    raw_fd_ostream(path, failure).write(static_cast<const char *>(values[i].memory), values[i].bytes());
    if (failure)
      return fail("cannot write " + path + ": " + failure.message());
  }
  if (counters)
    printCounters(report);
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  InitLLVM initialize(argc, argv);
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(argc, argv, "runs a kernel of a gpu.module on the CPU\n");
  if (input.empty())
    return fail("expected a file of kernels (.mlir); see --help");
  SmallString<128> folder;
  if (std::error_code error = sys::fs::createUniqueDirectory("moe-simt-run", folder))
    return fail("cannot make a temporary folder: " + error.message());
  std::string error;
  const bool loaded = load(folder, error);
  sys::fs::remove_directories(folder);
  if (!loaded)
    return error.empty() ? 1 : fail(error);
  return launch();
}
