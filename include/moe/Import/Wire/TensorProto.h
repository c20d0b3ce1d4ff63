//===- TensorProto.h - ONNX tensors as bytes --------------------*- C++ -*-===//
// Reads a serialised TensorProto in place and gives its elements as little-endian row-major bytes, wherever the file keeps them. Also writes one.
// No LLVM here: moe-run reads its test inputs with it.
#ifndef MOE_IMPORT_WIRE_TENSORPROTO_H
#define MOE_IMPORT_WIRE_TENSORPROTO_H

#include "moe/Import/Wire/Cursor.h"

#include <utility>

namespace moe::wire {

/// TensorProto.DataType. The value is the number in the file, which may also be one that is not listed here.
enum class DataType : int32_t {
#define MOE_ONNX_DATA_TYPE(name, number, bits) name = number,
#include "moe/Import/Wire/OnnxFields.inc"
};

/// Bits of one element in raw_data; 0 for strings and for numbers that are no data type.
unsigned elementBits(DataType type);
/// ONNX's own spelling ("FLOAT16"), or "data type 99" for a number that is none.
std::string dataTypeName(DataType type);

/// A TensorProto as it lies in the file. Repeated numbers stay encoded: each run is one element or one packed run.
struct TensorProto {
  std::string_view name;
  DataType dataType = DataType::UNDEFINED;
  std::vector<int64_t> dims;
  std::optional<Bytes> rawData;
  std::vector<Bytes> floatData, doubleData, int32Data, int64Data, uint64Data;
  std::vector<std::string_view> stringData;
  /// The elements are in another file, described by `externalData` (location, offset, length, checksum).
  bool external = false;
  std::vector<std::pair<std::string_view, std::string_view>> externalData;
  bool hasSegment = false;
};

/// The elements of a tensor: little-endian, row-major, in ONNX's packing of sub-byte types (bool is a byte). Moves, but does not copy.
struct TensorData {
  TensorData() = default;
  TensorData(TensorData &&) = default;
  TensorData &operator=(TensorData &&) = default;
  TensorData(const TensorData &) = delete;
  TensorData &operator=(const TensorData &) = delete;

  std::string_view name;
  DataType dataType = DataType::UNDEFINED;
  std::vector<int64_t> dims;
  /// The bytes; in the parsed input where `inPlace`, else in `storage`. Empty for an external tensor.
  const uint8_t *data = nullptr;
  size_t size = 0;
  bool inPlace = false;
  bool external = false;
  std::vector<uint8_t> storage;
};

/// Parses the fields of a TensorProto message; `tensor` may hold an earlier occurrence, which is merged with.
bool readTensorProto(MessageReader &reader, TensorProto &tensor);

/// Parses a StringStringEntryProto: key and value.
bool readStringPair(MessageReader &reader, std::pair<std::string_view, std::string_view> &entry);

/// Number of elements; nothing where a dim is negative or the product does not fit.
std::optional<int64_t> elementCount(const std::vector<int64_t> &dims);
/// Bytes of `count` elements, the last byte padded; nothing where that does not fit or the type has no width.
std::optional<uint64_t> payloadSize(DataType type, int64_t count);

/// Gives the elements of a tensor that is not external. Copies only where the typed fields are not already laid out like raw_data. Errors (a size that
/// does not match the dims, a value that does not fit the type, strings) are recorded in `decoder`.
bool loadTensor(Decoder &decoder, const FieldPath &path, const TensorProto &tensor, TensorData &result);

/// Parses and loads one serialised TensorProto, such as an `input_0.pb` of an ONNX test. Nothing on an error, which `error` receives.
/// Of an external tensor only name, type and dims are given. The result points into `input`.
std::optional<TensorData> parseTensor(Bytes input, WireError &error);

/// Serialises a tensor with raw_data. `data` is as in TensorData.
std::vector<uint8_t> writeTensor(std::string_view name, DataType type, const std::vector<int64_t> &dims, Bytes data);

} // namespace moe::wire

#endif // MOE_IMPORT_WIRE_TENSORPROTO_H
