// The order of the passes that make kernels of a lowered module, and what becomes of the kernels and of the host around them.
#include "CudaNames.h"
#include "moe/Codegen/CUDA/Kernels.h"
#include "moe/Codegen/CUDA/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void moe::buildCudaKernelPipeline(OpPassManager &pm, const CudaKernelOptions &options) {
  CudaEmitKernelsOptions emit;
  emit.tile = options.tile;
  emit.arch = options.arch;
  pm.addPass(createCudaEmitKernels(emit));
  OpPassManager &device = pm.nest<ModuleOp>();
  device.addNestedPass<func::FuncOp>(createConvertVectorToSCFPass(VectorTransferToSCFOptions().enableFullUnroll()));
  device.addPass(memref::createExpandStridedMetadataPass());
  device.addPass(createLowerAffinePass());
  device.addPass(createCanonicalizerPass());
  device.addPass(createCSEPass());
  device.addPass(createLoopInvariantCodeMotionPass());
  device.addPass(createSCFToControlFlowPass());
  ConvertVectorToLLVMPassOptions vector;
  vector.force32BitVectorIndices = false;
  device.addPass(createConvertVectorToLLVMPass(vector));
  device.addPass(createConvertMathToLLVMPass());
  device.addPass(createConvertMathToLibmPass());
  device.addPass(createFinalizeMemRefToLLVMConversionPass());
  device.addPass(createArithToLLVMConversionPass());
  device.addPass(createConvertIndexToLLVMPass());
  device.addPass(createConvertControlFlowToLLVMPass());
  device.addPass(createUBToLLVMConversionPass());
  device.addPass(createConvertFuncToLLVMPass());
  device.addPass(createReconcileUnrealizedCastsPass());
  device.addPass(createCanonicalizerPass());
  device.addPass(createCSEPass());
  CudaWrapKernelsOptions wrap;
  wrap.arch = options.arch;
  pm.addPass(createCudaWrapKernels(wrap));
}

OwningOpRef<ModuleOp> moe::takeKernels(ModuleOp module) {
  OwningOpRef<ModuleOp> kernels = ModuleOp::create(module.getLoc());
  for (auto device : llvm::make_early_inc_range(module.getOps<gpu::GPUModuleOp>()))
    device->moveBefore(kernels->getBody(), kernels->getBody()->end());
  return kernels;
}

OwningOpRef<ModuleOp> moe::kernelsFor(ModuleOp kernels, StringRef arch) {
  OwningOpRef<ModuleOp> copy = kernels.clone();
  for (auto device : copy->getOps<gpu::GPUModuleOp>()) {
    device.setTargetsAttr(ArrayAttr::get(copy->getContext(), {kernelTarget(copy->getContext(), arch)}));
    for (auto function : llvm::make_early_inc_range(device.getOps<LLVM::LLVMFuncOp>()))
      if (auto only = function->removeAttr(kernelArchAttrName); only && cast<StringAttr>(only).getValue() != arch)
        function.erase();
  }
  return copy;
}

std::vector<moe::KernelInfo> moe::kernelTable(ModuleOp module) {
  std::vector<KernelInfo> table;
  if (auto rows = module->getAttrOfType<ArrayAttr>(kernelsAttrName))
    for (auto row : rows.getAsRange<DictionaryAttr>()) {
      const auto only = row.getAs<StringAttr>(kernelArchAttrName);
      table.push_back({row.getAs<StringAttr>("name").getValue().str(), row.getAs<IntegerAttr>("threads").getInt(), row.getAs<IntegerAttr>("shared").getInt(),
                       only ? only.getValue().str() : ""});
    }
  return table;
}

namespace {
struct PipelineOptions : PassPipelineOptions<PipelineOptions> {
  Option<std::string> tile{*this, "tile", llvm::cl::desc("as of moe-cuda-emit-kernels")};
  Option<std::string> arch{*this, "arch", llvm::cl::desc("as of moe-cuda-emit-kernels"), llvm::cl::init("sm_80")};
};
} // namespace

void moe::registerCudaKernelPipeline() {
  PassPipelineRegistration<PipelineOptions>("moe-cuda-kernel-pipeline", "kernels of a lowered module as a gpu.module of the LLVM dialect and nvvm",
                                            [](OpPassManager &pm, const PipelineOptions &options) { buildCudaKernelPipeline(pm, {options.tile, options.arch}); });
}
