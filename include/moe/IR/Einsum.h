//===- Einsum.h - the equation of ONNX's Einsum -----------------*- C++ -*-===//
// "bij,bjk->bik", "...ij,jk" and the like as numbers: inference and conversion read an equation in the same way.
#ifndef MOE_IR_EINSUM_H
#define MOE_IR_EINSUM_H

#include "mlir/Support/LLVM.h"

#include <string>

namespace moe {

/// Which label each dim has; labels count from 0. A label that the result lacks is summed over.
struct EinsumEquation {
  llvm::SmallVector<llvm::SmallVector<unsigned>> operands;
  llvm::SmallVector<unsigned> result;
  unsigned labels = 0;
};

/// Reads an equation for operands of these ranks. The dims under an ellipsis have labels of their own, counted from the last dim. On failure `error`
/// says what was expected and found.
mlir::FailureOr<EinsumEquation> parseEinsum(llvm::StringRef equation, llvm::ArrayRef<int64_t> ranks, std::string &error);

} // namespace moe

#endif // MOE_IR_EINSUM_H
