//===- SizeBounds.h - bounds of sizes that depend on data -------*- C++ -*-===//
// A size that the model computes (how many elements are not zero) is not known on entry, but memory is planned there. Whoever makes such a size keeps it
// below something that is known (arith.minsi), so that a bound can be read off the arithmetic that made it.
#ifndef MOE_LIB_LOWER_SIZEBOUNDS_H
#define MOE_LIB_LOWER_SIZEBOUNDS_H

#include "ShapeResolver.h"

namespace moe {

class SizeBounds {
public:
  /// `resolver` gives what is known on entry; bounds are built at the place of its builder.
  SizeBounds(mlir::OpBuilder &builder, ShapeResolver &resolver) : builder(builder), resolver(resolver) {}

  /// The greatest value that the scalar may have, as an index known on entry: the value itself where that is known. Null where there is none.
  mlir::Value upper(mlir::Value scalar) { return rangeOf(scalar).high; }
  /// The same of a dim of a tensor or memref.
  mlir::Value upperDim(mlir::Value shaped, int64_t dim) { return rangeOfDim(shaped, dim).high; }

private:
  /// Least and greatest value, null where there is none.
  struct Range {
    mlir::Value low, high;
  };
  Range rangeOf(mlir::Value scalar);
  Range rangeOfDim(mlir::Value shaped, int64_t dim);
  Range compute(mlir::Operation *op);
  Range computeDim(mlir::Operation *op, int64_t dim);
  Range productOfDims(mlir::Value shaped, llvm::ArrayRef<int64_t> dims);
  Range product(Range a, Range b, mlir::Location loc);
  Range fold(mlir::OpFoldResult size);
  template <typename Op> mlir::Value both(mlir::Value a, mlir::Value b, mlir::Location loc);
  template <typename Op> mlir::Value either(mlir::Value a, mlir::Value b, mlir::Location loc);

  mlir::OpBuilder &builder;
  ShapeResolver &resolver;
  llvm::DenseMap<mlir::Value, Range> known;
};

} // namespace moe

#endif // MOE_LIB_LOWER_SIZEBOUNDS_H
