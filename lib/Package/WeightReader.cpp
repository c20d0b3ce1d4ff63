// Model files are untrusted: every range is compared with the file's length before a byte is read.
#include "WeightReader.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/DialectResourceBlobManager.h"

#include "llvm/Support/CheckedArithmetic.h"
#include "llvm/Support/MathExtras.h"

#include <sys/mman.h>

using namespace mlir;

namespace moe {

static constexpr int64_t keptMappedBytes = 64 << 20;

int64_t denseBytes(RankedTensorType type) {
  if (!type.hasStaticShape() || !type.getElementType().isIntOrFloat())
    return -1;
  unsigned width = type.getElementTypeBitWidth();
  if (width != 1 && width % 8 != 0)
    return -1;
  std::optional<int64_t> bytes = width == 1 ? 1 : width / 8;
  for (int64_t size : type.getShape())
    bytes = bytes ? llvm::checkedMul<int64_t>(*bytes, size) : std::nullopt;
  return bytes && *bytes < (int64_t(1) << 62) ? *bytes : -1;
}

/// Bytes of a tensor as a file has it: elements below a byte are packed, lowest bits first.
static int64_t sourceBytes(RankedTensorType type) {
  if (!type.getElementType().isIntOrFloat() || (type.getElementTypeBitWidth() != 2 && type.getElementTypeBitWidth() != 4))
    return denseBytes(type);
  const int64_t elements = denseBytes(RankedTensorType::get(type.getShape(), IntegerType::get(type.getContext(), 8)));
  return elements < 0 ? -1 : static_cast<int64_t>(llvm::divideCeil(elements * type.getElementTypeBitWidth(), uint64_t(8)));
}

FailureOr<ArrayRef<uint8_t>> WeightReader::openFile(WeightOp op, FileAttr file, int64_t bytes) {
  auto fail = [&](const Twine &message) -> FailureOr<ArrayRef<uint8_t>> {
    return op.emitError() << "weight @" << op.getSymName() << ": " << file.getPath() << ": " << message, failure();
  };
  if (file.getLength() != bytes)
    return fail("expected " + Twine(bytes) + " bytes, the recipe names " + Twine(file.getLength()));
  if (bytes == 0)
    return ArrayRef<uint8_t>();
  auto &region = files[file.getPath()];
  if (!region) {
    auto handle = llvm::sys::fs::openNativeFileForRead(file.getPath());
    if (!handle)
      return fail(llvm::toString(handle.takeError()));
    llvm::sys::fs::file_status status;
    std::error_code error = llvm::sys::fs::status(*handle, status);
    if (!error && status.type() != llvm::sys::fs::file_type::regular_file)
      error = std::make_error_code(std::errc::not_supported);
    if (!error && status.getSize() == 0)
      error = std::make_error_code(std::errc::io_error);
    auto mapped = error ? nullptr
                        : std::make_unique<llvm::sys::fs::mapped_file_region>(
                              *handle, llvm::sys::fs::mapped_file_region::readonly, status.getSize(), 0, error);
    llvm::sys::fs::closeFile(*handle);
    if (error)
      return fail("cannot map the file: " + error.message());
    region = std::move(mapped);
  }
  const auto size = static_cast<int64_t>(region->size());
  if (file.getOffset() < 0 || file.getOffset() > size || bytes > size - file.getOffset())
    return fail("expected " + Twine(bytes) + " bytes at " + Twine(file.getOffset()) + ", the file has " + Twine(size) + " bytes");
  mappedBytes += bytes;
  return ArrayRef(reinterpret_cast<const uint8_t *>(region->const_data()) + file.getOffset(), bytes);
}

void WeightReader::release() {
  expanded.clear();
  // Small weights share pages: asking after each would fault the same ones in again and again.
  if (mappedBytes < keptMappedBytes)
    return;
  mappedBytes = 0;
  for (auto &file : files)
    if (file.second) // LLVM's own dontNeed asks by posix_madvise, which the C library here leaves without effect.
      madvise(const_cast<char *>(file.second->const_data()), file.second->size(), MADV_DONTNEED);
}

/// The attribute has one element of `width` bits in each byte.
ArrayRef<uint8_t> WeightReader::packBits(DenseElementsAttr dense, unsigned width, int64_t bytes) {
  auto values = std::make_unique<std::vector<uint8_t>>(bytes);
  int64_t bit = 0;
  const ArrayRef<char> raw = dense.getRawData();
  for (int64_t i = 0, count = dense.getNumElements(); i < count; ++i, bit += width)
    (*values)[bit / 8] |= (static_cast<uint8_t>(raw[dense.isSplat() ? 0 : i]) & ((1u << width) - 1)) << (bit % 8);
  expanded.push_back(std::move(values));
  return *expanded.back();
}

FailureOr<ArrayRef<uint8_t>> WeightReader::openAttribute(WeightOp op, Attribute source, RankedTensorType type, int64_t bytes) {
  auto fail = [&]() -> FailureOr<ArrayRef<uint8_t>> {
    return op.emitError() << "weight @" << op.getSymName() << " of type " << type << ": expected " << bytes
                          << " bytes of values of this type as its source",
           failure();
  };
  auto elements = dyn_cast<ElementsAttr>(source);
  if (!elements || elements.getShapedType() != type)
    return fail();
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(source)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob || static_cast<int64_t>(blob->getData().size()) != bytes)
      return fail();
    return ArrayRef(reinterpret_cast<const uint8_t *>(blob->getData().data()), bytes);
  }
  auto dense = dyn_cast<DenseElementsAttr>(source);
  if (!dense)
    return fail();
  const bool isBool = dense.getElementType().isInteger(1);
  const unsigned width = dense.getElementType().getIntOrFloatBitWidth();
  if (!isBool && width < 8)
    return packBits(dense, width, bytes);
  if (!dense.isSplat() && !isBool) {
    ArrayRef<char> raw = dense.getRawData();
    if (static_cast<int64_t>(raw.size()) != bytes)
      return fail();
    return ArrayRef(reinterpret_cast<const uint8_t *>(raw.data()), bytes);
  }
  // A splat holds one value, bools are packed in bits.
  auto values = std::make_unique<std::vector<uint8_t>>();
  values->reserve(bytes);
  if (isBool) {
    for (bool value : dense.getValues<bool>())
      values->push_back(value);
  } else {
    ArrayRef<char> one = dense.getRawData();
    while (static_cast<int64_t>(values->size()) < bytes)
      values->insert(values->end(), one.begin(), one.end());
  }
  expanded.push_back(std::move(values));
  return ArrayRef(*expanded.back());
}

/// The sources of a list one after another. They are copied, since nothing says that they lie so in the file.
FailureOr<ArrayRef<uint8_t>> WeightReader::openList(WeightOp op, ArrayAttr list, RankedTensorType type) {
  if (type.getRank() == 0 || static_cast<int64_t>(list.size()) != type.getDimSize(0))
    return op.emitError() << "weight @" << op.getSymName() << " of type " << type << ": expected one source for each index of the first dim, got "
                          << list.size(),
           failure();
  RankedTensorType part = type.clone(type.getShape().drop_front());
  const int64_t bytes = sourceBytes(part);
  // Numbers of a few bits are packed: parts that end within a byte cannot be put together.
  if (bytes < 0 || bytes * static_cast<int64_t>(list.size()) != sourceBytes(type))
    return op.emitError() << "weight @" << op.getSymName() << " of type " << type << ": expected sources of whole bytes", failure();
  auto values = std::make_unique<std::vector<uint8_t>>();
  values->reserve(bytes * list.size());
  for (Attribute source : list) {
    auto file = dyn_cast<FileAttr>(source);
    FailureOr<ArrayRef<uint8_t>> data = file ? openFile(op, file, bytes) : openAttribute(op, source, part, bytes);
    if (failed(data))
      return failure();
    values->insert(values->end(), data->begin(), data->end());
  }
  expanded.push_back(std::move(values));
  return ArrayRef(*expanded.back());
}

FailureOr<WeightData> WeightReader::open(WeightOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  int64_t bytes = sourceBytes(type);
  if (bytes < 0)
    return op.emitError() << "weight @" << op.getSymName() << " of type " << type << ": expected static sizes and elements of whole bytes or of 2 or 4 bits",
           failure();
  Attribute source = op.getSourceAttr();
  if (!source)
    return op.emitError() << "weight @" << op.getSymName() << " has no source", failure();
  auto file = dyn_cast<FileAttr>(source);
  auto list = dyn_cast<ArrayAttr>(source);
  FailureOr<ArrayRef<uint8_t>> data = file ? openFile(op, file, bytes) : list ? openList(op, list, type) : openAttribute(op, source, type, bytes);
  if (failed(data))
    return failure();
  return WeightData{type, *data};
}

} // namespace moe
