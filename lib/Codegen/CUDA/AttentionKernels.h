// Kernels of moe.attention. For many queries of f16 or bf16: tensor cores, 64 queries of a head and 64 keys at a time. Else a warp for each query, keys one after the other: any types. Both
// have a running softmax and take all masks, windows and layouts. A query's result depends on no other query; which kernel it is, the number of queries of a sequence says.
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
  /// Begins the kernel `name` of `op`.
  Operands begin(AttentionOp op, llvm::StringRef name, mlir::TypeRange types);
  void emit(AttentionOp op, llvm::StringRef name, mlir::TypeRange types);
  void emitQuery(AttentionOp op, const Operands &o, Value number, Value lane);
  void findKeys(AttentionOp op, const Operands &o, Query &query);
  Value keyHeadOf(const Operands &o, Value head);
  Value score(AttentionOp op, const Operands &o, const Query &query, llvm::ArrayRef<Value> q, Value key, Value lane);
  /// What becomes of the product of a query and a key.
  Value scoreOf(AttentionOp op, const Operands &o, const Query &query, Value product, Value key);
  Value maskAt(const Operands &o, const Query &query, Value key);
  llvm::SmallVector<Value> loadRow(Value memref, Value batch, Value head, Value row, Value lane);

  // Tensor cores (FlashAttention.cpp).
  struct Flash;
  static constexpr int64_t flashQueries = 64;
  static bool fitsTensorCores(AttentionOp op);
  void emitFlash(AttentionOp op, llvm::StringRef name, mlir::TypeRange types);
  void loadTile(Flash &f, Value memref, Value head, Value first, Value from, Value to, Value tile, int64_t pitch);
  void loadElements(Flash &f, Value memref, Value head, Value first, Value from, Value to, Value tile, int64_t pitch);
  void copyChunks(Flash &f, Value start, Value stride, int64_t columns, Value first, Value from, Value to, Value tile, int64_t pitch);
  void loadQueries(Flash &f);
  llvm::SmallVector<Value> flashScores(Flash &f, Value firstKey);
  llvm::SmallVector<Value> flashRound(Flash &f, Value firstKey, mlir::ValueRange carried);
  void addValues(Flash &f, llvm::ArrayRef<Value> powers, llvm::MutableArrayRef<Value> sums);
  void storeFlash(Flash &f, mlir::ValueRange carried);

  Value index(int64_t value) { return mlir::arith::ConstantIndexOp::create(b, value); }

  KernelTable &table;
  GpuBuilder b;
  ActivationMath<GpuBuilder> math;
};

} // namespace moe

#endif // MOE_CODEGEN_CUDA_ATTENTIONKERNELS_H
