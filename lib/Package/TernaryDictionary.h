// Rows of ternary digits that are stored as codes of a dictionary (QMoE). Format: the description of moe.dequant.
#ifndef MOE_LIB_PACKAGE_TERNARYDICTIONARY_H
#define MOE_LIB_PACKAGE_TERNARYDICTIONARY_H

#include "mlir/IR/Diagnostics.h"

#include <array>

#include <vector>

namespace moe {

/// Little-endian bytes: 16-bit codes, i32 numbers of the first code of each row and of all codes, two 32-bit words for each string.
struct TernaryParts {
  llvm::ArrayRef<uint8_t> codes, starts, codebook;
};

/// The digits 0, 1 and 2 of rows × columns elements. What the bytes have wrong is reported through `error`.
mlir::FailureOr<std::vector<uint8_t>> decodeTernary(const TernaryParts &parts, int64_t rows, int64_t columns,
                                                    llvm::function_ref<mlir::InFlightDiagnostic()> error);

} // namespace moe

#endif // MOE_LIB_PACKAGE_TERNARYDICTIONARY_H
