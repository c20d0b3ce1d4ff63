// TensorProto to bytes and back. The typed fields of a tensor are decoded here once, so that nobody above sees protobuf's encodings.
#include "moe/Import/Wire/TensorProto.h"

#include "moe/Import/Wire/Fields.h"

#include <cstring>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "payloads are used in place and ONNX files are little-endian");

namespace moe::wire {

unsigned elementBits(DataType type) {
  switch (type) {
#define MOE_ONNX_DATA_TYPE(name, number, bits)                                                                                                                 \
  case DataType::name:                                                                                                                                         \
    return bits;
#include "moe/Import/Wire/OnnxFields.inc"
  }
  return 0;
}

std::string dataTypeName(DataType type) {
  switch (type) {
#define MOE_ONNX_DATA_TYPE(name, number, bits)                                                                                                                 \
  case DataType::name:                                                                                                                                         \
    return #name;
#include "moe/Import/Wire/OnnxFields.inc"
  }
  return "data type " + std::to_string(static_cast<int32_t>(type));
}

bool readStringPair(MessageReader &reader, std::pair<std::string_view, std::string_view> &entry) {
  Field field;
  while (reader.next(field)) {
    if (field.number == StringStringEntryProtoField::Key && !reader.read(field, "key", entry.first))
      return false;
    if (field.number == StringStringEntryProtoField::Value && !reader.read(field, "value", entry.second))
      return false;
  }
  return reader.ok();
}

static bool readTensorField(MessageReader &reader, const Field &field, TensorProto &tensor) {
  using F = TensorProtoField;
  int32_t number = 0;
  switch (field.number) {
  case F::Dims:
    return reader.append(field, "dims", tensor.dims);
  case F::DataType:
    if (!reader.read(field, "data_type", number))
      return false;
    tensor.dataType = static_cast<DataType>(number);
    return true;
  case F::Segment:
    tensor.hasSegment = true;
    return true;
  case F::FloatData:
    return reader.appendRun(field, "float_data", WireType::Fixed32, tensor.floatData);
  case F::Int32Data:
    return reader.appendRun(field, "int32_data", WireType::Varint, tensor.int32Data);
  case F::StringData:
    return reader.append(field, "string_data", tensor.stringData);
  case F::Int64Data:
    return reader.appendRun(field, "int64_data", WireType::Varint, tensor.int64Data);
  case F::Name:
    return reader.read(field, "name", tensor.name);
  case F::RawData: {
    Bytes bytes;
    if (!reader.read(field, "raw_data", bytes))
      return false;
    tensor.rawData = bytes;
    return true;
  }
  case F::DoubleData:
    return reader.appendRun(field, "double_data", WireType::Fixed64, tensor.doubleData);
  case F::Uint64Data:
    return reader.appendRun(field, "uint64_data", WireType::Varint, tensor.uint64Data);
  case F::ExternalData: {
    MessageReader inner(reader, field, "external_data", static_cast<int64_t>(tensor.externalData.size()));
    tensor.externalData.emplace_back();
    return readStringPair(inner, tensor.externalData.back());
  }
  case F::DataLocation:
    if (!reader.read(field, "data_location", number))
      return false;
    tensor.external = number == 1;
    return true;
  default:
    return true;
  }
}

bool readTensorProto(MessageReader &reader, TensorProto &tensor) {
  Field field;
  while (reader.next(field))
    if (!readTensorField(reader, field, tensor))
      return false;
  return reader.ok();
}

std::optional<int64_t> elementCount(const std::vector<int64_t> &dims) {
  int64_t count = 1;
  bool empty = false, overflow = false;
  for (int64_t dim : dims) {
    if (dim < 0)
      return std::nullopt;
    empty |= dim == 0;
    overflow |= __builtin_mul_overflow(count, dim == 0 ? 1 : dim, &count);
  }
  // A zero dim makes the tensor empty, however large the others are.
  if (empty)
    return 0;
  return overflow ? std::nullopt : std::optional<int64_t>(count);
}

std::optional<uint64_t> payloadSize(DataType type, int64_t count) {
  uint64_t bits = elementBits(type), total = 0;
  if (!bits || count < 0 || __builtin_mul_overflow(static_cast<uint64_t>(count), bits, &total))
    return std::nullopt;
  return total / 8 + (total % 8 != 0);
}

namespace {
/// Decodes the typed fields of one tensor into `result.storage`.
class TypedData {
public:
  TypedData(Decoder &decoder, const FieldPath &path, const TensorProto &tensor, TensorData &result, int64_t count)
      : decoder(decoder), path(path), tensor(tensor), result(result), count(count) {}

  bool load() {
    switch (tensor.dataType) {
    case DataType::FLOAT:
    case DataType::COMPLEX64:
      return fixed(tensor.floatData);
    case DataType::DOUBLE:
    case DataType::COMPLEX128:
      return fixed(tensor.doubleData);
    case DataType::INT64:
      return varints(tensor.int64Data, 64);
    case DataType::UINT64:
      return varints(tensor.uint64Data, 64);
    case DataType::UINT32:
      return varints(tensor.uint64Data, 32);
    case DataType::FLOAT6E2M3:
    case DataType::FLOAT6E3M2:
      return varints(tensor.int32Data, 6) && packSixBits();
    default:
      // Two and four bit types lie packed in bytes, one byte per entry.
      return varints(tensor.int32Data, elementBits(tensor.dataType) < 8 ? 8 : elementBits(tensor.dataType));
    }
  }

private:
  /// float_data and double_data already have the raw layout; one packed run is used in place.
  bool fixed(const std::vector<Bytes> &runs) {
    if (runs.size() == 1) {
      result.data = runs[0].data;
      result.size = runs[0].size;
      result.inPlace = true;
      return true;
    }
    for (const Bytes &run : runs)
      result.storage.insert(result.storage.end(), run.data, run.end());
    return true;
  }

  bool varints(const std::vector<Bytes> &runs, unsigned bits) {
    size_t width = bits <= 8 ? 1 : bits / 8;
    for (const Bytes &run : runs) {
      const uint8_t *at = run.data;
      while (at != run.end()) {
        const uint8_t *start = at;
        uint64_t value = 0;
        if (!readVarint(at, run.end(), value))
          return decoder.fail(start, path, "expected a varint of at most ten bytes among the elements");
        if (!fits(value, bits))
          return decoder.fail(start, path, "element " + std::to_string(static_cast<int64_t>(value)) + " does not fit " + dataTypeName(tensor.dataType));
        if (tensor.dataType == DataType::BOOL)
          value = value != 0;
        uint8_t little[8];
        std::memcpy(little, &value, sizeof little);
        result.storage.insert(result.storage.end(), little, little + width);
      }
    }
    return true;
  }

  /// A bit pattern may be written signed or unsigned; only what is neither is wrong. int32_data is sign-extended to 64 bits on the wire.
  static bool fits(uint64_t value, unsigned bits) {
    if (bits == 64)
      return true;
    int64_t asSigned = static_cast<int64_t>(value);
    return value < (uint64_t(1) << bits) || (asSigned < 0 && asSigned >= -(int64_t(1) << (bits - 1)));
  }

  /// One element per byte to four elements in three bytes, as raw_data has them.
  bool packSixBits() {
    if (result.storage.size() != static_cast<uint64_t>(count))
      return decoder.fail(nullptr, path, "expected " + std::to_string(count) + " elements, found " + std::to_string(result.storage.size()));
    std::vector<uint8_t> packed((result.storage.size() * 6 + 7) / 8);
    for (size_t i = 0; i < result.storage.size(); ++i) {
      unsigned code = result.storage[i] & 63;
      size_t bit = i * 6;
      packed[bit / 8] |= static_cast<uint8_t>(code << (bit % 8));
      if (bit % 8 > 2)
        packed[bit / 8 + 1] |= static_cast<uint8_t>(code >> (8 - bit % 8));
    }
    result.storage = std::move(packed);
    return true;
  }

  Decoder &decoder;
  const FieldPath &path;
  const TensorProto &tensor;
  TensorData &result;
  int64_t count;
};
} // namespace

static std::string dimsText(const std::vector<int64_t> &dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i)
    text += (i ? "," : "") + std::to_string(dims[i]);
  return text + "]";
}

bool loadTensor(Decoder &decoder, const FieldPath &path, const TensorProto &tensor, TensorData &result) {
  result.name = tensor.name;
  result.dataType = tensor.dataType;
  result.dims = tensor.dims;
  result.external = tensor.external;
  if (tensor.hasSegment)
    return decoder.fail(nullptr, path, "tensor '" + std::string(tensor.name) + "' is a segment of a tensor, which is not supported");
  std::optional<int64_t> count = elementCount(tensor.dims);
  if (!count)
    return decoder.fail(nullptr, path, "tensor '" + std::string(tensor.name) + "' has dims " + dimsText(tensor.dims) + ", which is no size");
  std::optional<uint64_t> expected = payloadSize(tensor.dataType, *count);
  if (!expected)
    return decoder.fail(nullptr, path, "tensor '" + std::string(tensor.name) + "' of " + dataTypeName(tensor.dataType) + " and dims " +
                                           dimsText(tensor.dims) + " has no byte layout");
  if (tensor.external)
    return true;
  if (tensor.rawData) {
    result.data = tensor.rawData->data;
    result.size = tensor.rawData->size;
    result.inPlace = true;
  } else if (!TypedData(decoder, path, tensor, result, *count).load()) {
    return false;
  }
  if (!result.inPlace) {
    result.data = result.storage.data();
    result.size = result.storage.size();
  }
  if (result.size != *expected)
    return decoder.fail(result.inPlace ? result.data : nullptr, path,
                        "tensor '" + std::string(tensor.name) + "' of " + dataTypeName(tensor.dataType) + " and dims " + dimsText(tensor.dims) + ": expected " +
                            std::to_string(*expected) + " bytes, found " + std::to_string(result.size));
  return true;
}

std::optional<TensorData> parseTensor(Bytes input, WireError &error) {
  Decoder decoder(input);
  MessageReader reader(decoder, "tensor");
  TensorProto tensor;
  TensorData result;
  if (readTensorProto(reader, tensor) && loadTensor(decoder, reader.path(), tensor, result))
    return result;
  error = *decoder.error;
  return std::nullopt;
}

static void writeVarint(std::vector<uint8_t> &out, uint64_t value) {
  for (; value > 0x7f; value >>= 7)
    out.push_back(static_cast<uint8_t>(value | 0x80));
  out.push_back(static_cast<uint8_t>(value));
}

static void writeBytes(std::vector<uint8_t> &out, uint32_t field, Bytes bytes) {
  writeVarint(out, (static_cast<uint64_t>(field) << 3) | static_cast<uint64_t>(WireType::Length));
  writeVarint(out, bytes.size);
  out.insert(out.end(), bytes.data, bytes.end());
}

std::vector<uint8_t> writeTensor(std::string_view name, DataType type, const std::vector<int64_t> &dims, Bytes data) {
  std::vector<uint8_t> out;
  for (int64_t dim : dims) {
    writeVarint(out, TensorProtoField::Dims << 3);
    writeVarint(out, static_cast<uint64_t>(dim));
  }
  writeVarint(out, TensorProtoField::DataType << 3);
  writeVarint(out, static_cast<uint64_t>(static_cast<int64_t>(type)));
  writeBytes(out, TensorProtoField::Name, {reinterpret_cast<const uint8_t *>(name.data()), name.size()});
  writeBytes(out, TensorProtoField::RawData, data);
  return out;
}

} // namespace moe::wire
