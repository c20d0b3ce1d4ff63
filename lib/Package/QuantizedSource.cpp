// Formulas: the description of moe.dequant. All of it is exact in f32 but the two roundings of code - zero (for zero points that are not
// integers) and of the product with the scale.
#include "QuantizedSource.h"

#include "llvm/ADT/APFloat.h"

#include <cmath>
#include <cstring>

using namespace mlir;

namespace moe {

float readFloat(Type type, const uint8_t *bytes) {
  if (type.isF32()) {
    float value;
    std::memcpy(&value, bytes, sizeof(value));
    return value;
  }
  if (type.isInteger(8)) // e8m0; its NaN is all ones
    return *bytes == 0xff ? std::nanf("") : std::ldexp(1.0f, int(*bytes) - 127);
  if (type.isBF16()) { // the upper half of f32
    uint32_t wide = uint32_t(bytes[0]) << 16 | uint32_t(bytes[1]) << 24;
    float value;
    std::memcpy(&value, &wide, sizeof(value));
    return value;
  }
  auto floatType = cast<FloatType>(type);
  const unsigned width = floatType.getWidth();
  uint64_t bits = 0;
  std::memcpy(&bits, bytes, width / 8);
  llvm::APFloat number(floatType.getFloatSemantics(), llvm::APInt(width, bits));
  bool lost;
  number.convert(llvm::APFloat::IEEEsingle(), llvm::APFloat::rmNearestTiesToEven, &lost);
  return number.convertToFloat();
}

FailureOr<QuantizedSource> QuantizedSource::get(QuantAttr quant, RankedTensorType values, ArrayRef<WeightData> parts,
                                                llvm::function_ref<InFlightDiagnostic()> error) {
  if (!isPartCount(quant.getFormat(), parts.size()))
    return error() << "expected payload, scales and what " << stringifyQuantFormat(quant.getFormat()) << " has besides, found " << parts.size()
                   << " parts";
  auto typeOf = [&](size_t part) { return part < parts.size() ? parts[part].type : RankedTensorType(); };
  FailureOr<QuantLayout> layout = QuantLayout::get({quant, typeOf(0), typeOf(1), typeOf(2), values, typeOf(3)}, error);
  if (failed(layout))
    return failure();
  QuantizedSource source;
  source.place = *layout;
  source.parts.assign(parts.begin(), parts.end());
  if (layout->format == QuantFormat::TernaryDict) {
    FailureOr<TernaryRows> rows = TernaryRows::open({parts[0].bytes, parts[2].bytes, parts[3].bytes}, layout->outers * layout->rows, layout->columns, error);
    if (failed(rows))
      return failure();
    source.rows = std::move(*rows);
  }
  return source;
}

float QuantizedSource::scale(int64_t index) const {
  const Type type = parts[1].type.getElementType();
  return readFloat(type, parts[1].bytes.data() + index * (type.getIntOrFloatBitWidth() / 8));
}

float QuantizedSource::number(unsigned code) const {
  if (!isIntegerFormat(place.format))
    return codeValue(place.format, code);
  const unsigned half = 1u << (place.bits - 1);
  return place.isSigned ? static_cast<float>(static_cast<int>(code ^ half) - static_cast<int>(half)) : static_cast<float>(code);
}

float QuantizedSource::zero(int64_t scaleIndex) const {
  if (!isIntegerFormat(place.format))
    return 0;
  switch (place.zeros) {
  case QuantLayout::Zeros::None:
    return static_cast<float>(place.impliedZero());
  case QuantLayout::Zeros::Codes:
    return number(codeAt(parts[2].bytes, place.zeroIndex(scaleIndex)));
  case QuantLayout::Zeros::Floats:
    break;
  }
  const Type type = parts[2].type.getElementType();
  return readFloat(type, parts[2].bytes.data() + scaleIndex * (type.getIntOrFloatBitWidth() / 8));
}

float QuantizedSource::value(int64_t outer, int64_t row, int64_t column) const {
  if (rows) {
    const unsigned number = digit(outer, row, column);
    return number == 0 ? 0.0f : scale(number == 1 ? lowIndex(outer, row) : highIndex(outer, row));
  }
  const int64_t scaleIndex = place.scaleIndex(outer, row, column);
  return scale(scaleIndex) * (number(code(outer, row, column)) - zero(scaleIndex));
}

} // namespace moe
