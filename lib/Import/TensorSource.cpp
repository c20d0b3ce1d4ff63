// From TensorProto to attributes. Bytes of large tensors are never copied: only where they lie is kept.
#include "TensorSource.h"

#include "ExternalData.h"
#include "moe/IR/MoeDialect.h"
#include "moe/IR/OnnxInference.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;

namespace moe {

/// One element of two, four or six bits per byte, which is how MLIR stores them.
static std::vector<char> unpackBits(wire::Bytes payload, unsigned bits, int64_t count) {
  std::vector<char> elements(count);
  for (int64_t i = 0; i < count; ++i) {
    uint64_t bit = static_cast<uint64_t>(i) * bits;
    unsigned value = payload.data[bit / 8] >> (bit % 8);
    if (bit % 8 + bits > 8)
      value |= static_cast<unsigned>(payload.data[bit / 8 + 1]) << (8 - bit % 8);
    elements[i] = static_cast<char>(value & ((1u << bits) - 1));
  }
  return elements;
}

DenseElementsAttr denseFromPayload(RankedTensorType type, wire::DataType dataType, wire::Bytes payload) {
  int64_t count = type.getNumElements();
  if (dataType == wire::DataType::BOOL) {
    SmallVector<bool> values;
    for (int64_t i = 0; i < count; ++i)
      values.push_back(payload.data[i] != 0);
    return DenseElementsAttr::get(type, ArrayRef<bool>(values));
  }
  unsigned bits = wire::elementBits(dataType);
  std::vector<char> unpacked;
  ArrayRef<char> raw(reinterpret_cast<const char *>(payload.data), payload.size);
  if (bits < 8) {
    unpacked = unpackBits(payload, bits, count);
    raw = unpacked;
  }
  // One element stands for all where they are equal: shorter to print and to hold.
  size_t width = count ? raw.size() / count : 0;
  bool isSplat = count > 1;
  for (size_t at = width; isSplat && at < raw.size(); at += width)
    isSplat = raw.slice(at, width) == raw.take_front(width);
  return DenseElementsAttr::getFromRawBuffer(type, isSplat ? raw.take_front(width) : raw);
}

FailureOr<wire::Bytes> TensorReader::externalBytes(StringRef path, Location loc) {
  auto [place, isNew] = mapped.try_emplace(path);
  if (isNew) {
    std::string error;
    std::optional<wire::MappedFile> file = wire::MappedFile::open(path.str(), error);
    if (!file) {
      mapped.erase(place);
      emitError(loc) << "cannot open the external data '" << path << "': " << error;
      return failure();
    }
    place->second = std::move(*file);
  }
  return place->second.bytes();
}

// Written into the IR, which may be read again from another folder. Without a working directory the path stays as it is.
static std::string absolutePath(StringRef path) {
  llvm::SmallString<256> absolute(path);
  (void)llvm::sys::fs::make_absolute(absolute);
  return absolute.str().str();
}

/// A tensor in an attribute seldom has a name; its location names the node.
static InFlightDiagnostic tensorError(const wire::TensorProto &tensor, Location loc) {
  if (tensor.name.empty())
    return emitError(loc) << "the tensor in an attribute: ";
  return emitError(loc) << "tensor '" << StringRef(tensor.name) << "': ";
}

FailureOr<TensorSource> TensorReader::readExternal(const wire::TensorProto &tensor, RankedTensorType type, uint64_t size, Location loc, bool mustBeDense) {
  std::string error;
  std::optional<FileRange> range = resolveExternalData(llvm::sys::path::parent_path(modelPath), tensor, size, options.allowLinks, error);
  if (!range) {
    tensorError(tensor, loc) << error;
    return failure();
  }
  if (!mustBeDense && size > largestConstant)
    return TensorSource{type, nullptr, FileAttr::get(context, absolutePath(range->path), range->offset, range->length)};
  FailureOr<wire::Bytes> bytes = externalBytes(range->path, loc);
  if (failed(bytes))
    return failure();
  // The file may have changed since its size was read.
  if (range->offset > bytes->size || size > bytes->size - range->offset) {
    tensorError(tensor, loc) << "the external data '" << range->path << "' changed while it was read";
    return failure();
  }
  return TensorSource{type, denseFromPayload(type, tensor.dataType, {bytes->data + range->offset, size}), nullptr};
}

FailureOr<TensorSource> TensorReader::read(const wire::TensorProto &tensor, Location loc, bool mustBeDense) {
  Type element = onnxElementType(context, static_cast<int64_t>(tensor.dataType));
  if (!element) {
    tensorError(tensor, loc) << "expected a data type of numbers, found " << wire::dataTypeName(tensor.dataType);
    return failure();
  }
  wire::Decoder decoder(model);
  wire::FieldPath path{nullptr, "", -1};
  wire::TensorData data;
  if (!wire::loadTensor(decoder, path, tensor, data)) {
    emitError(loc) << decoder.error->str();
    return failure();
  }
  auto type = RankedTensorType::get(tensor.dims, element);
  if (tensor.external)
    return readExternal(tensor, type, *wire::payloadSize(tensor.dataType, *wire::elementCount(tensor.dims)), loc, mustBeDense);
  // In place means in the given bytes, which for a list attribute are not the file's.
  bool isInModel = data.inPlace && !std::less<>()(data.data, model.data) && !std::less<>()(model.end(), data.data);
  bool isFile = isInModel && !mustBeDense && data.size > largestConstant;
  if (isFile)
    return TensorSource{type, nullptr, FileAttr::get(context, absolutePath(modelPath), data.data - model.data, data.size)};
  return TensorSource{type, denseFromPayload(type, tensor.dataType, {data.data, data.size}), nullptr};
}

} // namespace moe
