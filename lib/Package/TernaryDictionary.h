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

/// Rows of digits, checked when they are opened. The bytes must outlive them.
class TernaryRows {
public:
  /// What the bytes have wrong for rows × columns elements is reported through `error`.
  static mlir::FailureOr<TernaryRows> open(const TernaryParts &parts, int64_t rows, int64_t columns,
                                           llvm::function_ref<mlir::InFlightDiagnostic()> error);

  /// The codes of a row, two bytes each.
  llvm::ArrayRef<uint8_t> codes(int64_t row) const { return parts.codes.slice(2 * start(row), 2 * (start(row + 1) - start(row))); }
  /// The digits 0, 1 and 2 of all rows.
  std::vector<uint8_t> digits() const;

private:
  /// A string of the dictionary: at most 14 pairs of digits.
  struct Digits {
    uint8_t pairs = 0;
    std::array<uint8_t, 28> digit = {};
  };

  int64_t start(int64_t row) const;
  const Digits &string(int64_t code) const;
  mlir::LogicalResult readCodebook(llvm::function_ref<mlir::InFlightDiagnostic()> error);
  mlir::LogicalResult checkRow(int64_t row, llvm::function_ref<mlir::InFlightDiagnostic()> error) const;

  TernaryParts parts;
  int64_t rows = 0, columns = 0;
  std::vector<Digits> strings;
};

} // namespace moe

#endif // MOE_LIB_PACKAGE_TERNARYDICTIONARY_H
