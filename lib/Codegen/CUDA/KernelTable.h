// The nested module @moe_kernels while kernels are emitted into it, and the launches of the host. Kernels are found again by the text of what
// they depend on, so that equal layers share them.
#ifndef MOE_CODEGEN_CUDA_KERNELTABLE_H
#define MOE_CODEGEN_CUDA_KERNELTABLE_H

#include "GpuBuilder.h"
#include "mlir/IR/BuiltinOps.h"

#include "llvm/ADT/StringMap.h"

namespace moe {

/// A kernel and how it is launched.
struct KernelEntry {
  int64_t number = 0;
  /// Threads of a block, and bytes of dynamic shared memory.
  int64_t threads = 0, sharedBytes = 0;
  /// Whether its last arguments are tensor maps.
  bool hasMaps = false;
};

/// The architectures that kernels are emitted for.
enum class KernelArchs { Sm80, Sm90a, Both };

class KernelTable {
public:
  KernelTable(mlir::ModuleOp host, mlir::ModuleOp device) : host(host), device(device) {}

  mlir::ModuleOp host, device;
  /// The tensor core tile that tests ask for, as ROWSxCOLUMNS; empty: by the number of slots.
  std::string tile;
  KernelArchs archs = KernelArchs::Sm80;

  /// The kernel of `key`; `make` emits it into `device` under a free name that starts with `prefix` where there is none yet. `arch`: the one architecture that it is for,
  /// empty for all.
  KernelEntry get(llvm::StringRef key, llvm::StringRef prefix, int64_t threads, int64_t sharedBytes,
                  llvm::function_ref<void(llvm::StringRef name)> make, llvm::StringRef arch = "");

  /// On the host, whether the code that the GPU took has this kernel (i1).
  mlir::Value isThere(mlir::OpBuilder &builder, mlir::Location loc, const KernelEntry &kernel);

  /// On the host, a launch of blocksX × blocksY blocks (index) with `arguments` (pointers and integers), then what `byValue` (pointers) point to.
  void launch(mlir::OpBuilder &builder, mlir::Location loc, const KernelEntry &kernel, mlir::Value blocksX, mlir::Value blocksY,
              mlir::ValueRange arguments, mlir::ValueRange byValue = {});

  /// On the host, a pointer to the tensor map of a matrix at `address` as `words` says (moe/Runtime/Kernel.h).
  mlir::Value tensorMap(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value address, llvm::ArrayRef<int64_t> words);

  /// Writes `moe.kernels` on the host module.
  void finish();

private:
  /// The declaration of a function of the runtime.
  mlir::LLVM::LLVMFuncOp runtimeFunction(mlir::Location loc, llvm::StringRef name, mlir::LLVM::LLVMFunctionType type);

  llvm::StringMap<KernelEntry> entries;
  llvm::SmallVector<mlir::Attribute> rows;
};

/// Appends what the conversion to the LLVM dialect makes of a kernel's argument: of a memref two pointers, the offset, sizes and strides.
void appendArgument(mlir::OpBuilder &host, mlir::Location loc, mlir::Value value, llvm::SmallVectorImpl<mlir::Value> &arguments);

/// Address of the first element of a memref in identity layout, and a size of it (index).
mlir::Value pointerOf(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value memref);
mlir::Value sizeOf(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value memref, int64_t dim);

} // namespace moe

#endif // MOE_CODEGEN_CUDA_KERNELTABLE_H
