//===- Kernels.h - GPU kernels of a lowered module --------------*- C++ -*-===//
// What the driver does with kernels: have them emitted, take them out of the host module, have PTX written. As with objects, LLVM runs in
// moe-codegen-worker (moe/Codegen/CPU/Objects.h, ObjectKind::Ptx); namespace worker is what happens there.
#ifndef MOE_CODEGEN_CUDA_KERNELS_H
#define MOE_CODEGEN_CUDA_KERNELS_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/PassManager.h"

#include "llvm/ADT/StringRef.h"

#include <string>
#include <vector>

namespace moe {

struct CudaKernelOptions {
  /// For tests: the tensor core tile of every product it can serve, as ROWSxCOLUMNS; empty: chosen by the number of slots.
  std::string tile;
  /// The GPUs that kernels are for: sm_80 (and newer), sm_90a, or all.
  std::string arch = "sm_80";
};

/// Appends the passes from a lowered module (of moe-cuda-split-products and lower) to one whose entry launches the kernels of a gpu.module.
void buildCudaKernelPipeline(mlir::OpPassManager &pm, const CudaKernelOptions &options = {});

/// Registers it for moe-opt as `moe-cuda-kernel-pipeline`.
void registerCudaKernelPipeline();

/// A kernel by its number: threads of a block, bytes of dynamic shared memory, and the one architecture that it is for (empty: all).
struct KernelInfo {
  std::string name;
  int64_t threads, sharedBytes;
  std::string arch;
};

/// The table that the pipeline left on `module`.
std::vector<KernelInfo> kernelTable(mlir::ModuleOp module);

/// A module of the kernels alone; `module` keeps the host side.
mlir::OwningOpRef<mlir::ModuleOp> takeKernels(mlir::ModuleOp module);

/// Of such a module what code for `arch` has, with that target. Only a module of arch=all is for more than one.
mlir::OwningOpRef<mlir::ModuleOp> kernelsFor(mlir::ModuleOp kernels, llvm::StringRef arch);

namespace worker {

/// Reads the module of takeKernels in `inputPath` (bytecode or text) and writes its PTX, for the chip that its gpu.module names.
bool emitPtx(llvm::StringRef inputPath, llvm::StringRef outputPath, std::string &error);

} // namespace worker
} // namespace moe

#endif // MOE_CODEGEN_CUDA_KERNELS_H
