// Tensors in host memory and the table of element types.
#include "Array.h"
#include "Failure.h"

namespace moe::run {

// What numpy lacks comes last: its bits go to disk as unsigned integers. Read back they need the model's word what they are.
static const ElementType types[] = {
    {{MOE_FLOAT, 32, 1}, 1, "f32", "<f4"},   {{MOE_UINT, 8, 1}, 2, "ui8", "|u1"},     {{MOE_INT, 8, 1}, 3, "i8", "|i1"},
    {{MOE_UINT, 16, 1}, 4, "ui16", "<u2"},   {{MOE_INT, 16, 1}, 5, "i16", "<i2"},     {{MOE_INT, 32, 1}, 6, "i32", "<i4"},
    {{MOE_INT, 64, 1}, 7, "i64", "<i8"},     {{MOE_BOOL, 8, 1}, 9, "bool", "|b1"},    {{MOE_FLOAT, 16, 1}, 10, "f16", "<f2"},
    {{MOE_FLOAT, 64, 1}, 11, "f64", "<f8"},  {{MOE_UINT, 32, 1}, 12, "ui32", "<u4"},  {{MOE_UINT, 64, 1}, 13, "ui64", "<u8"},
    {{MOE_BFLOAT, 16, 1}, 16, "bf16", "<u2"},
    {{MOE_FLOAT8_E4M3FN, 8, 1}, 17, "f8E4M3FN", "|u1"},
    {{MOE_FLOAT8_E4M3FNUZ, 8, 1}, 18, "f8E4M3FNUZ", "|u1"},
    {{MOE_FLOAT8_E5M2, 8, 1}, 19, "f8E5M2", "|u1"},
    {{MOE_FLOAT8_E5M2FNUZ, 8, 1}, 20, "f8E5M2FNUZ", "|u1"},
    {{MOE_FLOAT8_E8M0FNU, 8, 1}, 24, "f8E8M0FNU", "|u1"},
    {{MOE_FLOAT6_E2M3FN, 6, 1}, 27, "f6E2M3FN", "|u1"},
    {{MOE_FLOAT6_E3M2FN, 6, 1}, 28, "f6E3M2FN", "|u1"},
    {{MOE_FLOAT4_E2M1FN, 4, 1}, 23, "f4E2M1FN", "|u1"},
    {{MOE_UINT, 4, 1}, 21, "ui4", "|u1"},
    {{MOE_INT, 4, 1}, 22, "i4", "|u1"},
    {{MOE_UINT, 2, 1}, 25, "ui2", "|u1"},
    {{MOE_INT, 2, 1}, 26, "i2", "|u1"},
};

bool sameType(moe_dtype a, moe_dtype b) { return a.code == b.code && a.bits == b.bits && a.lanes == b.lanes; }

bool isForeign(moe_dtype dtype) {
  const ElementType *type = findType(dtype);
  return type && findNpyType(type->npy + 1) != type;
}

const ElementType *findType(moe_dtype dtype) {
  for (const ElementType &type : types)
    if (sameType(type.dtype, dtype))
      return &type;
  return nullptr;
}

const ElementType *findOnnxType(int32_t onnx) {
  for (const ElementType &type : types)
    if (type.onnx == onnx)
      return &type;
  return nullptr;
}

const ElementType *findNpyType(const std::string &kind) {
  for (const ElementType &type : types)
    if (kind == type.npy + 1)
      return &type;
  return nullptr;
}

std::string typeName(moe_dtype dtype) {
  if (const ElementType *type = findType(dtype))
    return type->name;
  return "dtype {" + std::to_string(dtype.code) + ", " + std::to_string(dtype.bits) + ", " + std::to_string(dtype.lanes) + "}";
}

std::string shapeName(const std::vector<int64_t> &shape) {
  std::string text = "[";
  for (size_t d = 0; d < shape.size(); ++d)
    text += (d ? ", " : "") + std::to_string(shape[d]);
  return text + "]";
}

int64_t countElements(const std::vector<int64_t> &shape, moe_dtype dtype, const std::string &what) {
  constexpr int64_t most = int64_t(1) << 48;
  int64_t count = 1;
  bool empty = false;
  for (int64_t size : shape) {
    if (size < 0)
      throw Failure(what + ": the shape " + shapeName(shape) + " has a negative size");
    empty |= size == 0;
    if (size > 0 && count > most / size)
      throw Failure(what + ": a tensor of shape " + shapeName(shape) + " is too large");
    count *= size > 0 ? size : 1;
  }
  if (count > most / (elementBytes(dtype) + 1))
    throw Failure(what + ": a tensor of shape " + shapeName(shape) + " is too large");
  return empty ? 0 : count;
}

Array Array::zeros(moe_dtype dtype, std::vector<int64_t> shape, const std::string &what) {
  Array array;
  array.dtype = dtype;
  array.bytes.resize(size_t(countElements(shape, dtype, what)) * elementBytes(dtype));
  array.shape = std::move(shape);
  return array;
}

moe_tensor Array::view() { return {bytes.data(), {MOE_CPU, 0}, int32_t(shape.size()), dtype, shape.data(), nullptr, 0}; }

} // namespace moe::run
