// Inside the worker process: a gpu.module to LLVM IR to PTX. Whatever LLVM does here, only the worker dies of it.
#include "moe/Codegen/CUDA/Kernels.h"

#include "mlir/Conversion/NVVMToLLVM/NVVMToLLVM.h"
#include "mlir/Dialect/DLTI/DLTI.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"

#include "llvm/Analysis/CGSCCPassManager.h"
#include "llvm/Analysis/LoopAnalysisManager.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Triple.h"

namespace moe::worker {

using namespace llvm;

static std::unique_ptr<TargetMachine> createTargetMachine(mlir::NVVM::NVVMTargetAttr wanted, std::string &error) {
  LLVMInitializeNVPTXTargetInfo();
  LLVMInitializeNVPTXTarget();
  LLVMInitializeNVPTXTargetMC();
  LLVMInitializeNVPTXAsmPrinter();
  Triple triple("nvptx64-nvidia-cuda");
  const Target *target = TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return nullptr;
  return std::unique_ptr<TargetMachine>(target->createTargetMachine(triple, wanted.getChip(), wanted.getFeatures(), TargetOptions(), std::nullopt,
                                                                    std::nullopt, CodeGenOptLevel::Aggressive));
}

static void optimize(Module &module, TargetMachine &machine) {
  LoopAnalysisManager loops;
  FunctionAnalysisManager functions;
  CGSCCAnalysisManager graphs;
  ModuleAnalysisManager modules;
  PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(graphs);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, graphs, modules);
  builder.buildPerModuleDefaultPipeline(OptimizationLevel::O3).run(module, modules);
}

/// The gpu.module of `source` and the chip that it is for.
static mlir::gpu::GPUModuleOp findKernels(mlir::ModuleOp source, mlir::NVVM::NVVMTargetAttr &target, std::string &error) {
  auto modules = source.getOps<mlir::gpu::GPUModuleOp>();
  if (!hasSingleElement(modules)) {
    error = "expected one gpu.module";
    return nullptr;
  }
  mlir::gpu::GPUModuleOp kernels = *modules.begin();
  mlir::ArrayAttr targets = kernels.getTargetsAttr();
  target = targets && targets.size() == 1 ? dyn_cast<mlir::NVVM::NVVMTargetAttr>(targets[0]) : nullptr;
  if (!target) {
    error = "expected one #nvvm.target of the gpu.module";
    return nullptr;
  }
  return kernels;
}

static bool writePtx(Module &module, TargetMachine &machine, StringRef outputPath, std::string &error) {
  std::error_code failure;
  ToolOutputFile output(outputPath, failure, sys::fs::OF_Text);
  if (failure) {
    error = ("cannot write " + outputPath + ": " + failure.message()).str();
    return false;
  }
  legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, output.os(), nullptr, CodeGenFileType::AssemblyFile)) {
    error = "the target cannot write PTX";
    return false;
  }
  passes.run(module);
  output.os().flush();
  if (output.os().has_error()) {
    error = ("cannot write " + outputPath + ": " + output.os().error().message()).str();
    output.os().clear_error();
    return false;
  }
  output.keep();
  return true;
}

bool emitPtx(StringRef inputPath, StringRef outputPath, std::string &error) {
  mlir::DialectRegistry registry;
  registry.insert<mlir::LLVM::LLVMDialect, mlir::DLTIDialect, mlir::gpu::GPUDialect, mlir::NVVM::NVVMDialect>();
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
  mlir::registerGPUDialectTranslation(registry);
  mlir::registerNVVMDialectTranslation(registry);
  mlir::MLIRContext mlirContext(registry, mlir::MLIRContext::Threading::DISABLED);
  mlir::OwningOpRef<mlir::ModuleOp> source = mlir::parseSourceFile<mlir::ModuleOp>(inputPath, &mlirContext);
  if (!source) {
    error = ("cannot read " + inputPath).str();
    return false;
  }
  mlir::NVVM::NVVMTargetAttr target;
  mlir::gpu::GPUModuleOp kernels = findKernels(*source, target, error);
  std::unique_ptr<TargetMachine> machine = kernels ? createTargetMachine(target, error) : nullptr;
  if (!machine)
    return false;
  // Of sm_90's ops some are inline PTX.
  mlir::PassManager conversion(&mlirContext);
  conversion.addNestedPass<mlir::gpu::GPUModuleOp>(mlir::createConvertNVVMToLLVMPass());
  if (failed(conversion.run(*source))) {
    error = "cannot convert nvvm ops to inline PTX";
    return false;
  }
  LLVMContext context;
  std::unique_ptr<Module> module = mlir::translateModuleToLLVMIR(kernels, context, "moe_kernels");
  if (!module) {
    error = "cannot translate the kernels to LLVM IR";
    return false;
  }
  module->setDataLayout(machine->createDataLayout());
  module->setTargetTriple(machine->getTargetTriple());
  raw_string_ostream problems(error);
  if (verifyModule(*module, &problems))
    return false;
  optimize(*module, *machine);
  return writePtx(*module, *machine, outputPath, error);
}

} // namespace moe::worker
