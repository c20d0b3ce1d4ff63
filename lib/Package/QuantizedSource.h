// Reads the parts of a quantised weight element by element: codes, scales, zero points, and the values they make.
#ifndef MOE_LIB_PACKAGE_QUANTIZEDSOURCE_H
#define MOE_LIB_PACKAGE_QUANTIZEDSOURCE_H

#include "TernaryDictionary.h"
#include "WeightReader.h"
#include "moe/IR/Quantization.h"

namespace moe {

/// The float that a little-endian element of a float type stands for; a byte is a power of two (e8m0).
float readFloat(mlir::Type type, const uint8_t *bytes);

/// One quantised weight. The bytes of its parts must outlive it.
class QuantizedSource {
public:
  /// `parts` are payload, scales and maybe zero points and codebook of a weight of type `values`. Misfits are reported through `error`.
  static mlir::FailureOr<QuantizedSource> get(QuantAttr quant, mlir::RankedTensorType values, llvm::ArrayRef<WeightData> parts,
                                              llvm::function_ref<mlir::InFlightDiagnostic()> error);

  const QuantLayout &layout() const { return place; }

  /// The code of an element as it lies, without sign.
  unsigned code(int64_t outer, int64_t row, int64_t column) const {
    return codeAt(parts[0].bytes, place.codeIndex(outer, row, column));
  }
  /// The same by its place, QuantLayout::codeIndex; and the bytes of all codes.
  unsigned codeAt(int64_t index) const { return codeAt(parts[0].bytes, index); }
  llvm::ArrayRef<uint8_t> codes() const { return parts[0].bytes; }
  /// ternary_dict: the digit of an element, and the numbers of its row's lo and hi among the scales.
  /// The first digit that is read has all decoded; where several threads read, decodeDigits comes first.
  void decodeDigits() const {
    if (digits.empty())
      digits = rows->digits();
  }
  unsigned digit(int64_t outer, int64_t row, int64_t column) const {
    decodeDigits();
    return digits[line(outer, row) * place.columns + column];
  }
  int64_t codeCount() const { return static_cast<int64_t>(parts[0].bytes.size() / 2); }
  llvm::ArrayRef<uint8_t> stringCodes(int64_t outer, int64_t row) const { return rows->codes(line(outer, row)); }
  int64_t lowIndex(int64_t outer, int64_t row) const { return 2 * line(outer, row); }
  int64_t highIndex(int64_t outer, int64_t row) const { return 2 * line(outer, row) + 1; }
  float scale(int64_t scaleIndex) const;
  mlir::Type scaleType() const { return parts[1].type.getElementType(); }
  /// The scale as it lies, of `size` bytes.
  const uint8_t *scaleBytes(int64_t scaleIndex, size_t size) const { return parts[1].bytes.data() + scaleIndex * size; }
  /// The zero point that belongs to a scale: stored or implied; 0 for formats without.
  float zero(int64_t scaleIndex) const;
  /// The dequantised element.
  float value(int64_t outer, int64_t row, int64_t column) const;
  /// The number that a code of an integer format stands for before the zero point is subtracted; a table's entry for others.
  float number(unsigned code) const;

private:
  /// ternary_dict: digits and scales of a row of the payload.
  int64_t line(int64_t outer, int64_t row) const { return outer * place.rows + row; }
  unsigned codeAt(llvm::ArrayRef<uint8_t> bytes, int64_t index) const {
    const int64_t bit = index * place.bits;
    return bytes[bit / 8] >> (bit % 8) & ((1u << place.bits) - 1);
  }

  QuantLayout place;
  llvm::SmallVector<WeightData, 4> parts;
  /// ternary_dict: its rows, and the digit of each element once one was read.
  std::optional<TernaryRows> rows;
  mutable std::vector<uint8_t> digits;
};

} // namespace moe

#endif // MOE_LIB_PACKAGE_QUANTIZEDSOURCE_H
