// Elementwise comparison of an output with its recording.
#include "Compare.h"

#include <cmath>
#include <cstring>
#include <limits>

namespace moe::run {
namespace {

template <typename T> T load(const Array &array, int64_t index) {
  T value;
  std::memcpy(&value, array.bytes.data() + size_t(index) * sizeof(T), sizeof(T));
  return value;
}

double halfToDouble(uint16_t bits) {
  const int exponent = (bits >> 10) & 0x1f, mantissa = bits & 0x3ff;
  double value;
  if (exponent == 31)
    value = mantissa ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
  else if (exponent == 0)
    value = std::ldexp(mantissa, -24);
  else
    value = std::ldexp(1024 + mantissa, exponent - 25);
  return bits & 0x8000 ? -value : value;
}

double bfloatToDouble(uint16_t bits) {
  const uint32_t wide = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof(value));
  return value;
}

/// The parts of a float of 8 bits or less with a sign and a mantissa; codes above `greatest` without their sign are not finite.
struct NarrowFloat {
  uint8_t code;
  int bits, mantissa, bias;
  unsigned greatest;
  bool hasInfinity;
};

constexpr NarrowFloat narrowFloats[] = {
    {MOE_FLOAT8_E4M3FN, 8, 3, 7, 0x7e, false}, {MOE_FLOAT8_E4M3FNUZ, 8, 3, 8, 0x7f, false},  {MOE_FLOAT8_E5M2, 8, 2, 15, 0x7b, true},
    {MOE_FLOAT8_E5M2FNUZ, 8, 2, 16, 0x7f, false}, {MOE_FLOAT6_E2M3FN, 6, 3, 1, 0x1f, false}, {MOE_FLOAT6_E3M2FN, 6, 2, 3, 0x1f, false},
    {MOE_FLOAT4_E2M1FN, 4, 1, 1, 0x7, false},
};

double narrowToDouble(const NarrowFloat &format, unsigned byte) {
  const unsigned sign = 1u << (format.bits - 1), code = byte & (sign - 1);
  const bool isNegative = byte & sign, isUnsignedZero = format.code == MOE_FLOAT8_E4M3FNUZ || format.code == MOE_FLOAT8_E5M2FNUZ;
  double value;
  if (code > format.greatest || (isUnsignedZero && isNegative && code == 0))
    value = format.hasInfinity && code == format.greatest + 1 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  else if (code >> format.mantissa)
    value = std::ldexp((1u << format.mantissa) + (code & ((1u << format.mantissa) - 1)), int(code >> format.mantissa) - format.bias - format.mantissa);
  else
    value = std::ldexp(code, 1 - format.bias - format.mantissa);
  return isNegative ? -value : value;
}

const NarrowFloat *findNarrowFloat(moe_dtype dtype) {
  for (const NarrowFloat &format : narrowFloats)
    if (format.code == dtype.code)
      return &format;
  return nullptr;
}

double integerToDouble(const Array &array, int64_t index) {
  const bool isSigned = array.dtype.code == MOE_INT;
  switch (array.dtype.bits) {
  case 2:
  case 4: {
    const int range = 1 << array.dtype.bits, value = load<uint8_t>(array, index) & (range - 1);
    return isSigned && value >= range / 2 ? value - range : value;
  }
  case 8:
    return isSigned ? load<int8_t>(array, index) : load<uint8_t>(array, index);
  case 16:
    return isSigned ? load<int16_t>(array, index) : load<uint16_t>(array, index);
  case 32:
    return isSigned ? double(load<int32_t>(array, index)) : double(load<uint32_t>(array, index));
  default:
    return isSigned ? double(load<int64_t>(array, index)) : double(load<uint64_t>(array, index));
  }
}

bool isFloating(moe_dtype dtype) { return dtype.code != MOE_INT && dtype.code != MOE_UINT && dtype.code != MOE_BOOL; }

} // namespace

double elementAsDouble(const Array &array, int64_t index) {
  if (array.dtype.code == MOE_BFLOAT)
    return bfloatToDouble(load<uint16_t>(array, index));
  if (const NarrowFloat *format = findNarrowFloat(array.dtype))
    return narrowToDouble(*format, load<uint8_t>(array, index));
  if (array.dtype.code == MOE_FLOAT8_E8M0FNU) {
    const int code = load<uint8_t>(array, index);
    return code == 255 ? std::numeric_limits<double>::quiet_NaN() : std::ldexp(1.0, code - 127);
  }
  if (array.dtype.code != MOE_FLOAT)
    return integerToDouble(array, index);
  if (array.dtype.bits == 16)
    return halfToDouble(load<uint16_t>(array, index));
  return array.dtype.bits == 32 ? double(load<float>(array, index)) : load<double>(array, index);
}

std::string indexName(int64_t flat, const std::vector<int64_t> &shape) {
  std::vector<int64_t> index(shape.size());
  for (size_t d = shape.size(); d-- > 0; flat /= shape[d])
    index[d] = flat % shape[d];
  return shapeName(index);
}

Comparison compare(const Array &got, const Array &want, const Tolerance &tolerance) {
  Comparison result;
  if (!sameType(got.dtype, want.dtype))
    result.problem = "expected " + typeName(want.dtype) + ", found " + typeName(got.dtype);
  else if (got.shape != want.shape)
    result.problem = "expected shape " + shapeName(want.shape) + ", found " + shapeName(got.shape);
  if (!result.problem.empty())
    return result;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const bool floating = isFloating(got.dtype);
  const size_t width = size_t(elementBytes(got.dtype));
  result.elements = got.elements();
  for (int64_t i = 0; i < result.elements; ++i) {
    if (std::memcmp(&got.bytes[size_t(i) * width], &want.bytes[size_t(i) * width], width) == 0)
      continue;
    const double a = elementAsDouble(got, i), b = elementAsDouble(want, i);
    double error = a == b || (std::isnan(a) && std::isnan(b)) ? 0 : std::fabs(a - b);
    if (std::isnan(error))
      error = infinity;
    // An infinite want would make the tolerance infinite.
    const double allowed = std::isfinite(b) ? tolerance.atol + tolerance.rtol * std::fabs(b) : 0;
    double share = error == 0 ? 0 : allowed > 0 ? error / allowed : infinity;
    if (!floating)
      share = infinity; // The bytes differ, even where the doubles do not.
    result.outside += !(share <= 1);
    result.largest = std::fmax(result.largest, error);
    if (share > result.largestShare) {
      result.largestShare = share;
      result.worst = i, result.got = a, result.want = b;
    }
  }
  result.passed = result.outside == 0;
  return result;
}

} // namespace moe::run
