//===- QuantizedRows.h - rows of int8 for products of integers -----*- C++ -*-===//
// A product whose weight has quads (#moe.blocks) reads rows of int8. They are made once: by the product that computes them (`out_blocks`), which
// saves a barrier and the rows of f32, else by a routine before the first product that reads them. Products with blocks of one kind share them.
#ifndef MOE_LIB_LOWER_QUANTIZEDROWS_H
#define MOE_LIB_LOWER_QUANTIZEDROWS_H

#include "moe/IR/MoeDialect.h"

#include "llvm/ADT/DenseMap.h"

namespace moe {

class QuantizedRows {
public:
  /// The rows `x` of `op`, f32 of `depth` columns, as `blocks` describes rows of int8.
  mlir::Value quantized(GroupedMatmulOp op, int64_t depth, BlocksAttr blocks);

private:
  /// `x`, if the product that computes it has been made to write rows of int8; else null.
  static mlir::Value byProducer(mlir::Value x, int64_t depth, BlocksAttr kind);

  llvm::DenseMap<std::tuple<mlir::Value, BlocksAttr, mlir::Block *>, mlir::Value> made;
};

} // namespace moe

#endif // MOE_LIB_LOWER_QUANTIZEDROWS_H
