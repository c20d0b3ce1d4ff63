//===- Array.h - tensors in host memory -------------------------*- C++ -*-===//
// What moe-run reads from files, gives to a model and writes to files: contiguous row-major tensors with a name.
#ifndef MOE_RUN_ARRAY_H
#define MOE_RUN_ARRAY_H

#include "moe/Runtime/moe_model.h"

#include <string>
#include <vector>

namespace moe::run {

/// An element type in the spellings of those who write it.
struct ElementType {
  moe_dtype dtype;     ///< As the C ABI has it.
  int32_t onnx;        ///< ONNX TensorProto.DataType.
  const char *name;    ///< As moe-run prints it: "f32".
  const char *npy;     ///< As moe-run writes it to .npy files: "<f4".
};

/// The type of a C ABI dtype, null if moe-run does not know it.
const ElementType *findType(moe_dtype dtype);
/// The type of an ONNX data type number, null if moe-run does not know it.
const ElementType *findOnnxType(int32_t onnx);
/// The type that a .npy descriptor without byte order names ("f4"), null if there is none.
const ElementType *findNpyType(const std::string &kind);

/// "f32" or a description of an unknown dtype.
std::string typeName(moe_dtype dtype);
/// "[2, 3]".
std::string shapeName(const std::vector<int64_t> &shape);

/// Whether two dtypes are the same.
bool sameType(moe_dtype a, moe_dtype b);

/// Bytes of one element in memory: an element of less than 8 bits takes one.
constexpr int64_t elementBytes(moe_dtype dtype) { return (dtype.bits + 7) / 8; }
/// Is it a type that numpy lacks, whose bits .npy files hold as unsigned integers? Its `npy` is then theirs.
bool isForeign(moe_dtype dtype);

/// Number of elements. Throws a Failure that begins with `what` if a size is negative or the bytes do not fit 2^48.
int64_t countElements(const std::vector<int64_t> &shape, moe_dtype dtype, const std::string &what);

/// A tensor that owns its elements.
struct Array {
  moe_dtype dtype{};
  std::vector<int64_t> shape;
  std::vector<unsigned char> bytes;

  /// Zeros. `what` names the tensor in a Failure.
  static Array zeros(moe_dtype dtype, std::vector<int64_t> shape, const std::string &what);

  int64_t elements() const { return dtype.bits ? int64_t(bytes.size()) / elementBytes(dtype) : 0; }

  /// The array as an argument of the C ABI; points into this object.
  moe_tensor view();
};

} // namespace moe::run

#endif // MOE_RUN_ARRAY_H
