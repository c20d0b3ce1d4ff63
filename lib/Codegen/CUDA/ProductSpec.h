// What the kernels of a product depend on, read off a moe.grouped_matmul on memrefs with plain weights.
#ifndef MOE_CODEGEN_CUDA_PRODUCTSPEC_H
#define MOE_CODEGEN_CUDA_PRODUCTSPEC_H

#include "moe/IR/MoeDialect.h"

namespace moe {

struct ProductSpec {
  /// Experts (1 for a dense product), columns of x, columns of one stored weight, columns of the result.
  int64_t experts = 1, depth = 0, stored = 0, columns = 0;
  bool hasOffsets = false, hasRows = false, hasBias = false, hasUpBias = false;
  WeightOrder order = WeightOrder::OutIn;
  GateLayout gate = GateLayout::None;
  /// Null: no activation.
  FfnAttr ffn;
  mlir::Type x, weight, bias, upBias, out;

  /// Reads and checks `op`; an error names the operand, what was expected and what was found.
  static llvm::FailureOr<ProductSpec> read(GroupedMatmulOp op);

  bool isGated() const { return gate != GateLayout::None; }
  /// Tensor cores take rows and weights of one 16-bit type, whole chunks of 16 bytes along K and along the result's rows.
  bool fitsTensorCores() const {
    return (x.isF16() || x.isBF16()) && x == weight && order == WeightOrder::OutIn && depth % 8 == 0 && columns % 8 == 0;
  }
  /// All of it as text.
  std::string key() const;
};

} // namespace moe

#endif // MOE_CODEGEN_CUDA_PRODUCTSPEC_H
