// moe-cuda-wrap-kernels: the nested module of kernels, converted to the LLVM dialect, becomes a gpu.module.
#include "CudaNames.h"
#include "moe/Codegen/CUDA/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_CUDAWRAPKERNELS
#include "moe/Codegen/CUDA/Passes.h.inc"

namespace {
struct CudaWrapKernels : impl::CudaWrapKernelsBase<CudaWrapKernels> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto device = module.lookupSymbol<ModuleOp>(kernelModule);
    auto kernels = module->getAttrOfType<ArrayAttr>(kernelsAttrName);
    if (!device || !kernels) {
      module.emitError() << "moe-cuda-wrap-kernels expects the nested module @" << kernelModule << " and the attribute " << kernelsAttrName;
      return signalPassFailure();
    }
    if (failed(checkDialects(device)) || failed(markKernels(device, kernels)))
      return signalPassFailure();
    OpBuilder builder(device);
    auto wrapped = gpu::GPUModuleOp::create(builder, device.getLoc(), kernelModule, builder.getArrayAttr({kernelTarget(&getContext(), arch == "sm_80" ? "sm_80" : "sm_90a")}));
    wrapped.getBodyRegion().front().getOperations().splice(wrapped.getBodyRegion().front().end(), device.getBody()->getOperations());
    device.erase();
  }

private:
  static LogicalResult checkDialects(ModuleOp device) {
    WalkResult result = device.walk([&](Operation *op) {
      if (op == device || isa<LLVM::LLVMDialect, NVVM::NVVMDialect>(op->getDialect()))
        return WalkResult::advance();
      op->emitOpError("is left in a kernel; expected the LLVM dialect and nvvm");
      return WalkResult::interrupt();
    });
    return failure(result.wasInterrupted());
  }

  LogicalResult markKernels(ModuleOp device, ArrayAttr kernels) {
    Builder b(&getContext());
    for (auto function : device.getOps<LLVM::LLVMFuncOp>()) {
      if (function.isExternal() && !SymbolTable::symbolKnownUseEmpty(function, device))
        return device.emitError() << "kernels call " << function.getSymName() << ", which there is no CUDA code for yet";
      if (!function.isExternal())
        function.setLinkage(LLVM::Linkage::Internal);
    }
    for (auto row : kernels.getAsRange<DictionaryAttr>()) {
      const auto name = row.getAs<StringAttr>("name");
      const auto threads = row.getAs<IntegerAttr>("threads");
      auto function = name && threads ? device.lookupSymbol<LLVM::LLVMFuncOp>(name) : LLVM::LLVMFuncOp();
      if (!function)
        return device.emitError() << kernelsAttrName << " names a kernel that is not in @" << kernelModule << ": " << row;
      function.setLinkage(LLVM::Linkage::External);
      function->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(), b.getUnitAttr());
      for (unsigned i = 0; i < function.getNumArguments(); ++i)
        if (function.getArgAttr(i, LLVM::LLVMDialect::getByValAttrName()))
          function.setArgAttr(i, NVVM::NVVMDialect::getGridConstantAttrName(), b.getUnitAttr());
      if (auto only = row.getAs<StringAttr>(kernelArchAttrName))
        function->setAttr(kernelArchAttrName, only);
      function->setAttr(NVVM::NVVMDialect::getMaxntidAttrName(), b.getDenseI32ArrayAttr({static_cast<int32_t>(threads.getInt())}));
    }
    return success();
  }
};
} // namespace
} // namespace moe
