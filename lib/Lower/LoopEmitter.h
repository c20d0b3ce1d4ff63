//===- LoopEmitter.h - one linalg op as loops -------------------*- C++ -*-===//
// Writes one linalg op on memrefs as scf loops over vectors, split over threads as its LoopPlan says. The order in which a reduction adds
// depends on the length of the row alone: not on the number of threads, not on other rows.
#ifndef MOE_LIB_LOWER_LOOPEMITTER_H
#define MOE_LIB_LOWER_LOOPEMITTER_H

#include "LoopPlan.h"

namespace moe {

/// Begin and end of this thread's share of the things 0 … total (index): contiguous, and a function of the three numbers alone.
std::pair<mlir::Value, mlir::Value> shareOf(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value total);

class LoopEmitter {
public:
  LoopEmitter(mlir::OpBuilder &builder, mlir::linalg::LinalgOp op)
      : builder(builder), op(op), loc(op->getLoc()), plan(LoopPlan::of(op)), ivs(op.getNumLoops()), loaded(1) {}

  /// Writes the loops at the builder's place; the op itself stays.
  void emit();

private:
  /// A value of the body in one lane group.
  struct Lane {
    mlir::Value value;
    LaneKind kind = LaneKind::Uniform;
  };
  using Values = llvm::SmallVector<mlir::Value>;

  void emitUnstructured();
  void emitSplit();
  void emitParallel(llvm::ArrayRef<unsigned> dims);
  void emitInner(mlir::Value begin, mlir::Value end);
  void emitRange(unsigned dim, mlir::Value begin, mlir::Value end, int64_t step, unsigned count, bool lanes);
  void emitPoint(bool lanes);
  Values emitReductions(llvm::ArrayRef<unsigned> dims, Values accumulators, bool lanes);
  Values emitVectorReductions(llvm::ArrayRef<unsigned> dims, Values accumulators);
  Values emitBodies(llvm::ArrayRef<mlir::Value> accumulators, bool lanes);
  Values emitBody(unsigned instance, llvm::ArrayRef<mlir::Value> accumulators, bool lanes);
  Lane emitBodyOp(mlir::Operation *inner, llvm::DenseMap<mlir::Value, Lane> &values, bool lanes);
  mlir::Value emitFusedProduct(mlir::Operation *inner, llvm::DenseMap<mlir::Value, Lane> &values, bool lanes);
  /// `isRest`: the loop does what vectors have left over.
  Values loop(int dim, mlir::Value begin, mlir::Value end, int64_t step, Values carried,
              llvm::function_ref<Values(mlir::Value, Values)> body, bool isRest = false);

  mlir::Value constant(int64_t value);
  mlir::Value toVector(Lane lane);
  mlir::Value reduceLanes(mlir::Value vector, mlir::Operation *combiner);
  mlir::Value combine(mlir::Operation *combiner, mlir::Value accumulator, mlir::Value value);
  Values indicesOf(mlir::OpOperand &operand, unsigned instance);
  mlir::Value load(mlir::OpOperand &operand, unsigned instance, bool lanes);
  mlir::Value initial(unsigned output, unsigned instance, bool lanes);
  void preload(bool lanes);
  mlir::VectorType vectorOf(mlir::Type element) { return mlir::VectorType::get({plan.lanes}, element); }
  bool isContraction() const;

  mlir::OpBuilder &builder;
  mlir::linalg::LinalgOp op;
  mlir::Location loc;
  LoopPlan plan;
  Values sizes;      // of each loop dim
  Values ivs;        // of each loop dim; null outside of its loop
  int unrolled = -1; // a dim of which several points are computed side by side, and their number and distance
  unsigned instances = 1;
  int64_t instanceStep = 1;
  llvm::SmallVector<llvm::DenseMap<unsigned, mlir::Value>> loaded; // per instance: operands loaded in an outer loop
};

} // namespace moe

#endif // MOE_LIB_LOWER_LOOPEMITTER_H
