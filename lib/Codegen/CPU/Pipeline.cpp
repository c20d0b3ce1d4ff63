// The order of the stage's passes.
#include "moe/Codegen/CPU/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

/// Multi-dimensional vectors, memrefs and arithmetic to what the conversions to the LLVM dialect accept.
static void addSimplification(OpPassManager &pm, const moe::CpuCodegenOptions &options) {
  pm.addNestedPass<func::FuncOp>(createConvertVectorToSCFPass(VectorTransferToSCFOptions().enableFullUnroll()));
  pm.addPass(moe::createCpuExpandFma({options.features}));
  pm.addPass(moe::createCpuExpandReshapes());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(moe::createCpuWidenHalves({options.features}));
  // Without the instruction, LLVM would call a function of the compiler's own library to round to bf16.
  arith::ArithExpandOpsPassOptions expand;
  expand.includeBf16 = !llvm::is_contained(llvm::split(options.features, ','), "+avx512bf16");
  pm.addPass(arith::createArithExpandOpsPass(expand));
  pm.addPass(createCSEPass());
}

static void addConversionToLLVM(OpPassManager &pm) {
  pm.addPass(moe::createCpuLowerLoops());
  ConvertVectorToLLVMPassOptions vector;
  vector.x86Vector = true;
  vector.amx = true;
  // An index of a buffer may exceed 32 bits.
  vector.force32BitVectorIndices = false;
  pm.addPass(createConvertVectorToLLVMPass(vector));
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createConvertMathToLibmPass());
  pm.addPass(createFinalizeMemRefToLLVMConversionPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertIndexToLLVMPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createUBToLLVMConversionPass());
  pm.addPass(createConvertFuncToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createCanonicalizerPass());
}

void moe::buildCpuCodegenPipeline(OpPassManager &pm, const CpuCodegenOptions &options) {
  pm.addPass(createCpuEmitKernels({options.features}));
  if (options.emulateTiles)
    pm.addPass(createCpuEmulateTiles({options.features}));
  pm.addPass(createCpuThreadArgument());
  pm.addPass(createCpuPackEntry({options.version}));
  pm.addPass(createCpuLowerRunLoops());
  pm.addPass(createCpuLowerAsserts());
  addSimplification(pm, options);
  addConversionToLLVM(pm);
  pm.addPass(createCpuHideHalves({options.features}));
  pm.addPass(createCpuFinishFunctions({options.features}));
  pm.addPass(createVerifyCodegen({options.features}));
}

namespace {
/// The struct's fields as options of a registered pipeline.
struct PipelineOptions : PassPipelineOptions<PipelineOptions> {
  Option<std::string> features{*this, "features", llvm::cl::desc("LLVM feature string of the ISA version: +avx2,+fma")};
  Option<unsigned> version{*this, "version", llvm::cl::desc("number of the ISA version"), llvm::cl::init(0)};
  Option<bool> emulateTiles{*this, "emulate-tiles", llvm::cl::desc("for tests: matrix tiles become loops"), llvm::cl::init(false)};
};
} // namespace

void moe::registerCpuCodegenPipeline() {
  PassPipelineRegistration<PipelineOptions>("moe-codegen-pipeline", "kernels and LLVM dialect for one ISA version",
                                            [](OpPassManager &pm, const PipelineOptions &options) {
                                              CpuCodegenOptions stage;
                                              stage.features = options.features;
                                              stage.version = options.version;
                                              stage.emulateTiles = options.emulateTiles;
                                              buildCpuCodegenPipeline(pm, stage);
                                            });
}
