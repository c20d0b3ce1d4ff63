// Kernel of moe.sum_slots: a block adds the rows of one token, experts ascending, in f32.
#ifndef MOE_CODEGEN_CUDA_SUMKERNELS_H
#define MOE_CODEGEN_CUDA_SUMKERNELS_H

#include "KernelTable.h"
#include "moe/IR/MoeDialect.h"

namespace moe {

class SumKernels {
public:
  SumKernels(KernelTable &table, mlir::Location loc) : table(table), b(loc, table.host.getContext()) {}

  /// Replaces `op` by a launch; an error names what no kernel takes.
  llvm::LogicalResult replace(SumSlotsOp op);

private:
  void emit(llvm::StringRef name);
  void emitColumns(mlir::ValueRange a, mlir::Value column);
  /// Columns that a thread adds at once: 16 bytes of the widest type.
  int64_t width() const;

  KernelTable &table;
  GpuBuilder b;
  int64_t columns = 0;
  mlir::Type y, out;
};

} // namespace moe

#endif // MOE_CODEGEN_CUDA_SUMKERNELS_H
