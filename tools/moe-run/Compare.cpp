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

double integerToDouble(const Array &array, int64_t index) {
  const bool isSigned = array.dtype.code == MOE_INT;
  switch (array.dtype.bits) {
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

bool isFloating(moe_dtype dtype) { return dtype.code == MOE_FLOAT || dtype.code == MOE_BFLOAT; }

} // namespace

double elementAsDouble(const Array &array, int64_t index) {
  if (array.dtype.code == MOE_BFLOAT)
    return bfloatToDouble(load<uint16_t>(array, index));
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
  const size_t elementBytes = got.dtype.bits / 8;
  result.elements = got.elements();
  for (int64_t i = 0; i < result.elements; ++i) {
    if (std::memcmp(&got.bytes[size_t(i) * elementBytes], &want.bytes[size_t(i) * elementBytes], elementBytes) == 0)
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
