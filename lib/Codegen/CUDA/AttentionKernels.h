// Kernel of moe.attention: a warp for each query, keys one after the other with a running softmax. Any types, masks and layouts.
#ifndef MOE_CODEGEN_CUDA_ATTENTIONKERNELS_H
#define MOE_CODEGEN_CUDA_ATTENTIONKERNELS_H

#include "GpuBuilder.h"
#include "KernelTable.h"
#include "moe/IR/ActivationMath.h"

namespace moe {

class AttentionKernels {
public:
  AttentionKernels(KernelTable &table, mlir::Location loc) : table(table), b(loc, table.host.getContext()), math(b) {}

  /// Replaces `op` by a launch; an error names what the kernel does not take.
  llvm::LogicalResult replace(AttentionOp op);

private:
  using Value = mlir::Value;
  /// Of the op, as arguments of the kernel; null where the op has none.
  struct Operands {
    Value q, k, v, mask, counts, sink, out, before;
  };
  /// A query, and the keys first … end − 1 that it may see.
  struct Query {
    Value batch, head, keyHead, token, first, end;
  };
  void emit(AttentionOp op, llvm::StringRef name, mlir::TypeRange types);
  void emitQuery(AttentionOp op, const Operands &o, Value number, Value lane);
  void findKeys(AttentionOp op, const Operands &o, Query &query);
  Value score(AttentionOp op, const Operands &o, const Query &query, llvm::ArrayRef<Value> q, Value key, Value lane);
  Value maskAt(const Operands &o, const Query &query, Value key);
  llvm::SmallVector<Value> loadRow(Value memref, Value batch, Value head, Value row, Value lane);
  Value index(int64_t value) { return mlir::arith::ConstantIndexOp::create(b, value); }

  KernelTable &table;
  GpuBuilder b;
  ActivationMath<GpuBuilder> math;
};

} // namespace moe

#endif // MOE_CODEGEN_CUDA_ATTENTIONKERNELS_H
