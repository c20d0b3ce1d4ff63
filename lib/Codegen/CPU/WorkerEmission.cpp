// Inside the worker process: LLVM dialect to LLVM IR to machine code, and the linker's command line. Whatever LLVM does here, only the worker
// dies of it.
#include "moe/Codegen/CPU/Objects.h"

#include "mlir/Dialect/DLTI/DLTI.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"

#include "llvm/Analysis/CGSCCPassManager.h"
#include "llvm/Analysis/LoopAnalysisManager.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Target/TargetOptions.h"
#include "llvm/TargetParser/Triple.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <link.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MOE_HUGE_SHADOW_MEMORY
#endif
#endif

namespace moe::worker {

using namespace llvm;

bool limitProcess(uint64_t memoryLimit, std::string &error) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  rlimit noCore = {0, 0};
  setrlimit(RLIMIT_CORE, &noCore);
#ifndef MOE_HUGE_SHADOW_MEMORY // sanitizers reserve terabytes of address space
  if (memoryLimit == 0)
    return true;
  // A limit that is there already may be lower and cannot be raised.
  rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
  getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = limit.rlim_max = std::min<rlim_t>(limit.rlim_max, memoryLimit);
  if (setrlimit(RLIMIT_AS, &limit) != 0) {
    error = std::string("cannot limit the memory: ") + std::strerror(errno);
    return false;
  }
#endif
  return true;
}

/// The target of all CPU code. Base x86-64: what a function may use beyond that is its own attribute.
static std::unique_ptr<TargetMachine> createTargetMachine(std::string &error) {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  Triple triple("x86_64-unknown-linux-gnu");
  const Target *target = TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return nullptr;
  TargetOptions options;
  options.UseInitArray = true; // Constructors of an object go where today's linkers look.
  return std::unique_ptr<TargetMachine>(
      target->createTargetMachine(triple, "x86-64", "", options, Reloc::PIC_, CodeModel::Small, CodeGenOptLevel::Aggressive));
}

static void optimize(Module &module, TargetMachine &machine) {
  PipelineTuningOptions tuning;
  // Kernels keep their accumulators in registers only as long as nobody unrolls K; what should be vectors was made so by us.
  tuning.LoopUnrolling = false;
  tuning.SLPVectorization = false;
  LoopAnalysisManager loops;
  FunctionAnalysisManager functions;
  CGSCCAnalysisManager graphs;
  ModuleAnalysisManager modules;
  PassBuilder builder(&machine, tuning);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(graphs);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, graphs, modules);
  builder.buildPerModuleDefaultPipeline(OptimizationLevel::O3).run(module, modules);
}

static std::unique_ptr<Module> translate(mlir::MLIRContext &mlirContext, LLVMContext &context, StringRef inputPath, TargetMachine &machine,
                                         std::string &error) {
  // Diagnostics are printed on standard error, where the parent reads them.
  mlir::OwningOpRef<mlir::ModuleOp> source = mlir::parseSourceFile<mlir::ModuleOp>(inputPath, &mlirContext);
  if (!source) {
    error = ("cannot read " + inputPath).str();
    return nullptr;
  }
  std::unique_ptr<Module> module = mlir::translateModuleToLLVMIR(*source, context, "model");
  if (!module) {
    error = "cannot translate the module to LLVM IR";
    return nullptr;
  }
  module->setDataLayout(machine.createDataLayout());
  module->setTargetTriple(machine.getTargetTriple());
  module->setPICLevel(PICLevel::BigPIC);
  raw_string_ostream problems(error);
  if (verifyModule(*module, &problems))
    return nullptr;
  return module;
}

bool emit(StringRef inputPath, ObjectKind kind, StringRef outputPath, std::string &error) {
  std::unique_ptr<TargetMachine> machine = createTargetMachine(error);
  if (!machine)
    return false;
  mlir::DialectRegistry registry;
  registry.insert<mlir::LLVM::LLVMDialect, mlir::DLTIDialect>();
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
  mlir::MLIRContext mlirContext(registry, mlir::MLIRContext::Threading::DISABLED);
  LLVMContext context;
  std::unique_ptr<Module> module = translate(mlirContext, context, inputPath, *machine, error);
  if (!module)
    return false;
  optimize(*module, *machine);

  std::error_code failure;
  ToolOutputFile output(outputPath, failure, kind == ObjectKind::Object ? sys::fs::OF_None : sys::fs::OF_Text);
  if (failure) {
    error = ("cannot write " + outputPath + ": " + failure.message()).str();
    return false;
  }
  if (kind == ObjectKind::LLVMIR) {
    module->print(output.os(), nullptr);
  } else {
    legacy::PassManager passes;
    auto type = kind == ObjectKind::Object ? CodeGenFileType::ObjectFile : CodeGenFileType::AssemblyFile;
    if (machine->addPassesToEmitFile(passes, output.os(), nullptr, type)) {
      error = "the target cannot write this kind of file";
      return false;
    }
    passes.run(*module);
  }
  output.os().flush();
  if (output.os().has_error()) {
    error = ("cannot write " + outputPath + ": " + output.os().error().message()).str();
    output.os().clear_error();
    return false;
  }
  output.keep();
  return true;
}

/// Paths of the C library, the maths library and the dynamic loader that this process runs with.
static std::vector<std::string> systemLibraries() {
  std::vector<std::string> paths;
  dl_iterate_phdr(
      [](dl_phdr_info *info, size_t, void *found) {
        StringRef name = sys::path::filename(info->dlpi_name);
        if (name == "libc.so.6" || name == "libm.so.6" || name.starts_with("ld-linux"))
          static_cast<std::vector<std::string> *>(found)->push_back(info->dlpi_name);
        return 0;
      },
      &paths);
  return paths;
}

std::string versionScript(ArrayRef<std::string> exports) {
  std::string text = "{\n  global:\n";
  for (const std::string &pattern : exports)
    text += "    " + pattern + ";\n";
  return text + "  local: *;\n};\n";
}

std::vector<std::string> linkArguments(const LinkInputs &inputs, StringRef versionScriptPath, StringRef outputPath) {
  std::vector<std::string> arguments = {
      "ld.lld", "-shared", "-m", "elf_x86_64", "-o", outputPath.str(), "-soname", sys::path::filename(outputPath).str(), "--hash-style=gnu",
      "--eh-frame-hdr", "--gc-sections", "-z", "now", "-z", "relro", "-z", "defs", "-z", "noexecstack",
      "--version-script=" + versionScriptPath.str()};
  arguments.insert(arguments.end(), inputs.objects.begin(), inputs.objects.end());
  arguments.push_back("--whole-archive");
  arguments.insert(arguments.end(), inputs.wholeArchives.begin(), inputs.wholeArchives.end());
  arguments.push_back("--no-whole-archive");
  arguments.insert(arguments.end(), inputs.archives.begin(), inputs.archives.end());
  arguments.push_back("--as-needed");
  std::vector<std::string> libraries = systemLibraries();
  arguments.insert(arguments.end(), libraries.begin(), libraries.end());
  return arguments;
}

} // namespace moe::worker
