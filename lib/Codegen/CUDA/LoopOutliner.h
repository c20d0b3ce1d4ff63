// Loops of the lowered entry as kernels. Lower has split each loop by thread number and put barriers where a thread reads what another wrote. On a GPU
// a barrier is the end of a kernel: what stands between two of them becomes one, and its threads are those of the whole grid.
#ifndef MOE_CODEGEN_CUDA_LOOPOUTLINER_H
#define MOE_CODEGEN_CUDA_LOOPOUTLINER_H

#include "KernelTable.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"

namespace moe {

class LoopOutliner {
public:
  /// Looks at the entry once; `entry` has one block.
  LoopOutliner(KernelTable &table, mlir::Block &entry);

  /// True for what a kernel must do: it touches memory and is not a launch.
  static bool isDeviceWork(mlir::Operation *op);

  /// Moves the device work among `ops`, which stand between two barriers, into a kernel launched before `end`. An error names an op whose result the
  /// host would need.
  llvm::LogicalResult outline(llvm::ArrayRef<mlir::Operation *> ops, mlir::Operation *end);

private:
  void clone(mlir::Operation *op);
  void prepare(mlir::Value operand);
  mlir::Value threadNumber(bool isCount);
  mlir::Value rootOf(mlir::Value memref);
  /// Lets warps take the parts of threads where the kernel allows it.
  bool shareRowsIfPossible();
  mlir::Value faultRecord(mlir::OpBuilder &host, mlir::Location loc);
  void noteFaults();
  mlir::func::FuncOp emitNoteFault(mlir::ModuleOp device, mlir::TypeRange types);
  /// Fills `gone` with the work and the host's ops that compute on from its results.
  llvm::LogicalResult checkResults(llvm::ArrayRef<mlir::Operation *> work, llvm::SetVector<mlir::Operation *> &gone);
  void copyGlobal(mlir::memref::GetGlobalOp op);

  KernelTable &table;
  /// Pure ops whose result depends on the thread or on data: kernels compute them.
  llvm::DenseSet<mlir::Operation *> onDevice;
  /// While a kernel is emitted: what stands for values of the entry, and the values passed in.
  mlir::IRMapping mapping;
  llvm::SmallVector<mlir::Value> captured, threadNumbers;
  GpuBuilder b;
  mlir::func::FuncOp function;
  /// The kernel notes faults; its first argument is where.
  bool hasFaults = false;
};

} // namespace moe

#endif // MOE_CODEGEN_CUDA_LOOPOUTLINER_H
