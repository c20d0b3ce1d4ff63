//===- Quantization.h - where the parts of a quantised weight lie ----*- C++ -*-===//
// moe.dequant says how a weight is stored; this is the arithmetic behind it: which bits are an element's code, which scale and which zero point
// belong to it. Shared by the verifier, by the packing of weights and by what lowers a dequantisation to loops.
#ifndef MOE_IR_QUANTIZATION_H
#define MOE_IR_QUANTIZATION_H

#include "moe/IR/MoeDialect.h"

#include "llvm/ADT/STLFunctionalExtras.h"

namespace moe {

/// Bits that a format stores for an element; 0 where that varies (ternary_dict).
unsigned storedBits(QuantFormat format);

/// Is a code an integer that a zero point is subtracted from?
bool isIntegerFormat(QuantFormat format);

/// The number that a code of a format of small floats or of a table stands for; exact in f32. `code` has storedBits bits.
float codeValue(QuantFormat format, unsigned code);

/// Types of a quantised weight's parts; `zeros` may be null, `codebook` is null but for ternary_dict.
struct QuantTypes {
  QuantAttr quant;
  mlir::RankedTensorType payload, scales, zeros;
  /// Of the dequantised weight: rank at least 2, sizes static.
  mlir::RankedTensorType result;
  mlir::RankedTensorType codebook = {};
};

/// How many parts a quantised weight may have: payload, scales and, where there are, zeros and codebook.
inline bool isPartCount(QuantFormat format, size_t count) {
  return format == QuantFormat::TernaryDict ? count == 4 : count == 2 || count == 3;
}

/// An element of the weight is (outer, row, column): the last two dims of the result, and all before them as one.
struct QuantLayout {
  /// How zero points are stored: not at all, as floats, or as codes.
  enum class Zeros { None, Floats, Codes };

  QuantFormat format = QuantFormat::Int8Channel;
  unsigned bits = 8;
  /// Codes are two's complement.
  bool isSigned = false;
  Zeros zeros = Zeros::None;
  int64_t outers = 1, rows = 0, columns = 0;
  /// Codes from the start of one row to that of the next.
  int64_t rowCodes = 0;
  /// Elements along rows and columns that share a scale, and scales along them.
  int64_t groupRows = 1, groupColumns = 1, scaleRows = 1, scaleColumns = 1;
  /// Scales in a line of the last dim of `scales`, and codes of zero points in the line that belongs to it.
  int64_t scaleLine = 1, zeroLine = 1;

  /// The layout that the types say. Where they do not fit each other (dequant-c4 to dequant-c7, quant-c1 to quant-c3), reports
  /// through `error`. Of ternary_dict only format, outers, rows and columns: where a row's codes lie is data.
  static mlir::FailureOr<QuantLayout> get(const QuantTypes &types, llvm::function_ref<mlir::InFlightDiagnostic()> error);

  /// The zero point of integer formats without zero points.
  int64_t impliedZero() const { return isSigned ? 0 : int64_t(1) << (bits - 1); }
  /// Place of an element's code, in codes.
  int64_t codeIndex(int64_t outer, int64_t row, int64_t column) const { return (outer * rows + row) * rowCodes + column; }
  /// Place of an element's scale.
  int64_t scaleIndex(int64_t outer, int64_t row, int64_t column) const {
    return (outer * scaleRows + row / groupRows) * scaleColumns + column / groupColumns;
  }
  /// Place of the zero point that belongs to a scale: a float's number, or in codes.
  int64_t zeroIndex(int64_t scale) const { return zeros == Zeros::Floats ? scale : scale / scaleLine * zeroLine + scale % scaleLine; }
};

} // namespace moe

#endif // MOE_IR_QUANTIZATION_H
