//===- RowSteps.h - rounding between the products of an expert --*- C++ -*-===//
// Where a moe.experts rounds rows (`steps`), kernels cannot go from one product to the other by themselves: loops between them do what the attribute says.
#ifndef MOE_LIB_FUSE_ROWSTEPS_H
#define MOE_LIB_FUSE_ROWSTEPS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "moe/IR/MoeDialect.h"

namespace moe {

class RowRounder {
public:
  /// Writes at `builder`; `offset` is i32[E+1], where the rows of each expert begin.
  RowRounder(ExpertsOp op, mlir::Value offset, mlir::OpBuilder &builder) : op(op), offset(offset), builder(builder), loc(op.getLoc()) {}

  /// `rows` (R×N, f32) rounded as `op` says it of `place`; themselves where it says nothing.
  mlir::Value round(mlir::Value rows, StepsPlace place);
  /// What lies between the products: of R×N results of the first (`up` is null where `gate` has both) the R×I rows of the second.
  mlir::Value activate(mlir::Value gate, mlir::Value up);

private:
  /// Scale and zero point, f32, of each row: R of them. Both null where all experts have the same.
  struct RowParameters {
    mlir::Value scale, zero;
  };
  RowParameters ofRows(StepsAttr steps, mlir::Value rows);
  RowParameters ofExperts(StepsAttr steps, mlir::Value rows);
  RowParameters found(mlir::Value rows);
  mlir::Value extremeOfExperts(mlir::Value rows, bool isGreatest);
  mlir::Value expertsOfRows(mlir::Value rows);
  mlir::Value generic(mlir::ValueRange inputs, llvm::ArrayRef<mlir::AffineMap> maps, mlir::Value init, llvm::ArrayRef<mlir::utils::IteratorType> loops,
                      llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::ValueRange)> body);
  mlir::Value elementwise(mlir::ValueRange inputs, llvm::ArrayRef<mlir::AffineMap> maps, llvm::ArrayRef<mlir::OpFoldResult> sizes, mlir::Type element,
                          llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::ValueRange)> body);
  mlir::AffineMap dims(unsigned rank, llvm::ArrayRef<unsigned> wanted);

  ExpertsOp op;
  mlir::Value offset;
  mlir::OpBuilder &builder;
  mlir::Location loc;
  /// i32[R], made once.
  mlir::Value experts;
};

} // namespace moe

#endif // MOE_LIB_FUSE_ROWSTEPS_H
