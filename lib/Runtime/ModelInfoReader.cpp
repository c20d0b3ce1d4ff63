// Reads the binary description of a model. Nothing in the blob is believed: every length is compared with the bytes that are left before
// anything is allocated or read.
#include "moe/Runtime/ModelInfoReader.h"
#include "moe/Machine/ModelInfo.h"
#include "moe/Runtime/Error.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace moe::runtime {

struct ModelInfo::Block {
  Block *next;
  // The array follows.
};

ModelInfo::~ModelInfo() {
  while (blocks) {
    Block *next = blocks->next;
    free(blocks);
    blocks = next;
  }
}

/// Walks the blob once. After the first error `status` is not ok and every further read answers zero.
class ModelInfoParser {
public:
  ModelInfoParser(ModelInfo &info, const unsigned char *blob, uint64_t bytes) : info(info), blob(blob), bytes(bytes) {}

  moe_status parse() {
    readHeader();
    readTensors(info.inputs, info.numInputs, info.numInputDims);
    readTensors(info.outputs, info.numOutputs, info.numOutputDims);
    readPairs();
    readDefaults();
    readSizeInputs();
    readFoundDims();
    readMessages(info.checks, info.numChecks);
    readMessages(info.faults, info.numFaults);
    readSections();
    readVersions();
    readLayers();
    if (ok() && at != bytes)
      readShards();
    if (status == MOE_STATUS_OK && at != bytes)
      bad("expected the end, found %" PRIu64 " more bytes", bytes - at);
    return status;
  }

private:
  bool ok() const { return status == MOE_STATUS_OK; }

  [[gnu::format(printf, 2, 3)]] void bad(const char *format, ...) {
    if (!ok())
      return;
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    status = fail(MOE_STATUS_BAD_ARTIFACT, "model.so: model description, byte %" PRIu64 " of %" PRIu64 ": %s", at, bytes, text);
  }

  template <typename T> T number() {
    T value = 0;
    if (ok() && bytes - at < sizeof(T))
      bad("expected %zu more bytes, found %" PRIu64, sizeof(T), bytes - at);
    if (!ok())
      return 0;
    memcpy(&value, blob + at, sizeof(T));
    at += sizeof(T);
    return value;
  }

  void digest(uint8_t out[32]) {
    if (ok() && bytes - at < sha256Bytes)
      bad("expected a digest of 32 bytes, found %" PRIu64, bytes - at);
    if (!ok())
      return;
    memcpy(out, blob + at, sha256Bytes);
    at += sha256Bytes;
  }

  const char *string() {
    uint32_t length = number<uint32_t>();
    if (ok() && bytes - at <= length)
      bad("expected a string of %" PRIu32 " bytes and a NUL, found %" PRIu64 " bytes", length, bytes - at);
    if (!ok())
      return "";
    const char *text = reinterpret_cast<const char *>(blob + at);
    if (strnlen(text, uint64_t(length) + 1) != length) {
      bad("expected the NUL of a string after %" PRIu32 " bytes, found it elsewhere", length);
      return "";
    }
    at += uint64_t(length) + 1;
    return text;
  }

  /// The count of a list whose items take at least `itemBytes` bytes each.
  uint32_t count(uint64_t itemBytes) {
    uint32_t value = number<uint32_t>();
    if (ok() && value > (bytes - at) / itemBytes)
      bad("a list of %" PRIu32 " items cannot fit in the %" PRIu64 " bytes left", value, bytes - at);
    return ok() ? value : 0;
  }

  /// A zeroed array that lives as long as `info`.
  template <typename T> T *array(uint64_t items) {
    if (!ok())
      return nullptr;
    auto *block = static_cast<ModelInfo::Block *>(calloc(1, sizeof(ModelInfo::Block) + items * sizeof(T)));
    if (!block) {
      status = fail(MOE_STATUS_NO_MEMORY, "no memory for the model's description");
      return nullptr;
    }
    block->next = info.blocks;
    info.blocks = block;
    return reinterpret_cast<T *>(block + 1);
  }

  void readHeader() {
    if (bytes < modelInfoHeaderBytes)
      return bad("expected a header of %" PRIu64 " bytes", modelInfoHeaderBytes);
    if (memcmp(blob, modelInfoMagic, sizeof(modelInfoMagic)) != 0)
      return bad("expected the magic bytes MOEINFO, found others");
    at = sizeof(modelInfoMagic);
    uint32_t version = number<uint32_t>();
    if (version != modelInfoVersion)
      return bad("expected format version %" PRIu32 ", found %" PRIu32, modelInfoVersion, version);
    uint32_t whole = number<uint32_t>();
    if (whole != bytes)
      return bad("the header says %" PRIu32 " bytes in all", whole);
    info.weightsBytes = number<uint64_t>();
    digest(info.weightsSha256);
  }

  moe_dtype dtype(uint32_t onnx) {
    const uint8_t bits = uint8_t(onnxDataTypeBits(onnx));
    switch (onnx) {
    case OnnxFloat:
    case OnnxFloat16:
    case OnnxDouble:
      return {MOE_FLOAT, bits, 1};
    case OnnxBfloat16:
      return {MOE_BFLOAT, bits, 1};
    case OnnxInt2:
    case OnnxInt4:
    case OnnxInt8:
    case OnnxInt16:
    case OnnxInt32:
    case OnnxInt64:
      return {MOE_INT, bits, 1};
    case OnnxUint2:
    case OnnxUint4:
    case OnnxUint8:
    case OnnxUint16:
    case OnnxUint32:
    case OnnxUint64:
      return {MOE_UINT, bits, 1};
    case OnnxBool:
      return {MOE_BOOL, bits, 1};
    case OnnxFloat8e4m3fn:
      return {MOE_FLOAT8_E4M3FN, bits, 1};
    case OnnxFloat8e4m3fnuz:
      return {MOE_FLOAT8_E4M3FNUZ, bits, 1};
    case OnnxFloat8e5m2:
      return {MOE_FLOAT8_E5M2, bits, 1};
    case OnnxFloat8e5m2fnuz:
      return {MOE_FLOAT8_E5M2FNUZ, bits, 1};
    case OnnxFloat8e8m0:
      return {MOE_FLOAT8_E8M0FNU, bits, 1};
    case OnnxFloat6e2m3:
      return {MOE_FLOAT6_E2M3FN, bits, 1};
    case OnnxFloat6e3m2:
      return {MOE_FLOAT6_E3M2FN, bits, 1};
    case OnnxFloat4e2m1:
      return {MOE_FLOAT4_E2M1FN, bits, 1};
    default:
      bad("unknown ONNX data type %" PRIu32, onnx);
      return {0, 0, 0};
    }
  }

  void readTensors(moe_tensor_info *&tensors, uint32_t &tensorCount, uint32_t &dimSum) {
    tensorCount = count(4 + 1 + 4 + 4);
    tensors = array<moe_tensor_info>(tensorCount);
    for (uint32_t i = 0; i < tensorCount && ok(); ++i) {
      moe_tensor_info &tensor = tensors[i];
      tensor.name = string();
      tensor.dtype = dtype(number<uint32_t>());
      tensor.pair = tensor.pair_axis = -1;
      const uint32_t rank = count(8 + 4 + 1);
      if (rank > uint32_t(maxRank))
        return bad("expected at most %" PRId32 " dims in '%s', found %" PRIu32, maxRank, tensor.name, rank);
      moe_dim *dims = array<moe_dim>(rank);
      for (uint32_t d = 0; d < rank && ok(); ++d) {
        dims[d].size = number<int64_t>();
        if (dims[d].size < dynamicDim)
          bad("dim %" PRIu32 " of '%s' has the size %" PRId64, d, tensor.name, dims[d].size);
        dims[d].symbol = string();
      }
      tensor.dims = dims;
      tensor.rank = int32_t(rank);
      dimSum += rank; // Fits: the blob has fewer than 2^32 bytes.
    }
  }

  void readPairs() {
    const uint32_t pairCount = count(12);
    for (uint32_t i = 0; i < pairCount && ok(); ++i) {
      const uint32_t input = number<uint32_t>(), output = number<uint32_t>(), axis = number<uint32_t>();
      if (!ok())
        return;
      if (input >= info.numInputs || output >= info.numOutputs)
        return bad("KV pair %" PRIu32 " names input %" PRIu32 " of %" PRIu32 " and output %" PRIu32 " of %" PRIu32, i, input, info.numInputs, output, info.numOutputs);
      moe_tensor_info &past = info.inputs[input], &present = info.outputs[output];
      if (past.pair != -1 || present.pair != -1)
        return bad("KV pair %" PRIu32 " names an input or output of another pair", i);
      if (past.rank != present.rank || axis >= uint32_t(past.rank) || memcmp(&past.dtype, &present.dtype, sizeof(moe_dtype)) != 0)
        return bad("the KV pair of '%s' and '%s' has different ranks or dtypes, or grows along dim %" PRIu32, past.name, present.name, axis);
      past.pair = int32_t(output), present.pair = int32_t(input);
      past.pair_axis = present.pair_axis = int32_t(axis);
    }
  }

  void readDefaults() {
    info.defaults = array<moe_tensor>(info.numInputs);
    for (uint32_t i = 0; i < info.numInputs && ok(); ++i)
      info.defaults[i].ndim = -1;
    const uint32_t defaultCount = count(4 + 4 + 4);
    for (uint32_t i = 0; i < defaultCount && ok(); ++i) {
      const uint32_t input = number<uint32_t>();
      if (ok() && (input >= info.numInputs || info.defaults[input].ndim >= 0))
        return bad("default %" PRIu32 " is of input %" PRIu32 " of %" PRIu32 ", expected another input for each", i, input, info.numInputs);
      if (ok())
        readDefault(info.inputs[input], info.defaults[input]);
    }
  }

  void readDefault(const moe_tensor_info &input, moe_tensor &value) {
    const uint32_t rank = count(8);
    if (ok() && rank != uint32_t(input.rank))
      return bad("expected a default of rank %" PRId32 " for '%s', found rank %" PRIu32, input.rank, input.name, rank);
    value = {nullptr, {MOE_CPU, 0}, int32_t(rank), input.dtype, array<int64_t>(rank), nullptr, 0};
    uint64_t elements = 1;
    for (uint32_t d = 0; d < rank && ok(); ++d) {
      const int64_t size = number<int64_t>();
      const bool fits = size >= 0 && (input.dims[d].size == dynamicDim || input.dims[d].size == size);
      if (ok() && (!fits || (size && elements > bytes / uint64_t(size))))
        return bad("the default of '%s' has the size %" PRId64 " in dim %" PRIu32, input.name, size, d);
      value.shape[d] = size;
      elements *= uint64_t(size);
    }
    const uint32_t length = count(1);
    if (ok() && length != elements * ((input.dtype.bits + 7u) / 8))
      return bad("the default of '%s' has %" PRIu32 " bytes for %" PRIu64 " elements of %d bits", input.name, length, elements, input.dtype.bits);
    // Copied: in the blob it lies where it falls, and a run wants it aligned to an element.
    value.data = array<uint64_t>((uint64_t(length) + 7) / 8);
    if (!ok())
      return;
    memcpy(value.data, blob + at, length);
    at += length;
  }

  void readSizeInputs() {
    info.numSizeInputs = count(4);
    info.sizeInputs = array<uint32_t>(info.numSizeInputs);
    for (uint32_t i = 0; i < info.numSizeInputs && ok(); ++i) {
      info.sizeInputs[i] = number<uint32_t>();
      if (ok() && info.sizeInputs[i] >= info.numInputs)
        return bad("sizes depend on input %" PRIu32 " of %" PRIu32, info.sizeInputs[i], info.numInputs);
      if (!ok())
        return;
      const moe_tensor_info &input = info.inputs[info.sizeInputs[i]];
      const bool isNumber = (input.dtype.code == MOE_INT || input.dtype.code == MOE_FLOAT) && (input.dtype.bits == 32 || input.dtype.bits == 64);
      int64_t elements = isNumber ? 1 : -1;
      for (int32_t d = 0; d < input.rank && elements >= 0; ++d)
        elements = input.dims[d].size >= 0 && input.dims[d].size <= maxShapeElements ? elements * input.dims[d].size : -1;
      if (elements < 0 || elements > maxShapeElements)
        return bad("sizes depend on input '%s', expected at most %" PRIu32 " elements of int32, int64, float or double", input.name, maxShapeElements);
      info.numSizeElements += uint32_t(elements);
    }
  }

  void readFoundDims() {
    info.numFoundDims = count(4);
    info.foundDims = array<uint32_t>(info.numFoundDims);
    for (uint32_t i = 0; i < info.numFoundDims && ok(); ++i) {
      info.foundDims[i] = number<uint32_t>();
      if (ok() && (info.foundDims[i] >= info.numOutputDims || (i && info.foundDims[i] <= info.foundDims[i - 1])))
        return bad("a run finds out dim %" PRIu32 " of %" PRIu32 " of the outputs, expected them in order", info.foundDims[i], info.numOutputDims);
    }
  }

  void readMessages(const char **&messages, uint32_t &number) {
    number = count(4 + 1);
    messages = array<const char *>(number);
    for (uint32_t i = 0; i < number && ok(); ++i)
      messages[i] = string();
  }

  void readSections() {
    info.numSections = count(4 + 8 + 8 + sha256Bytes);
    info.sections = array<SectionInfo>(info.numSections);
    for (uint32_t i = 0; i < info.numSections && ok(); ++i) {
      SectionInfo &section = info.sections[i];
      section.id = number<uint32_t>();
      section.offset = number<uint64_t>();
      section.bytes = number<uint64_t>();
      digest(section.sha256);
      if (ok() && section.offset % weightSectionAlignment != 0)
        return bad("weight section %" PRIu32 " starts at %" PRIu64 ", expected a multiple of 4096", i, section.offset);
      if (ok() && (section.offset > info.weightsBytes || section.bytes > info.weightsBytes - section.offset))
        return bad("weight section %" PRIu32 " (%" PRIu64 " bytes at %" PRIu64 ") reaches beyond model.weights (%" PRIu64 " bytes)", i,
                   section.bytes, section.offset, info.weightsBytes);
    }
  }

  void readVersions() {
    info.numVersions = count(4 + 1 + 8 + 4);
    if (ok() && info.numVersions == 0)
      return bad("expected at least one ISA version, found none");
    info.versions = array<VersionInfo>(info.numVersions);
    for (uint32_t i = 0; i < info.numVersions && ok(); ++i) {
      VersionInfo &version = info.versions[i];
      version.name = string();
      version.features = number<uint64_t>();
      version.numSections = count(4);
      uint32_t *sections = array<uint32_t>(version.numSections);
      for (uint32_t s = 0; s < version.numSections && ok(); ++s) {
        sections[s] = number<uint32_t>();
        if (ok() && sections[s] >= info.numSections)
          bad("ISA version '%s' reads weight section %" PRIu32 " of %" PRIu32, version.name, sections[s], info.numSections);
      }
      version.sections = sections;
    }
  }

  void readLayers() {
    info.numLayers = count(4 + 1 + 4 + 1 + 4 * 4);
    info.layers = array<LayerInfo>(info.numLayers);
    for (uint32_t i = 0; i < info.numLayers && ok(); ++i) {
      LayerInfo &layer = info.layers[i];
      layer.name = string();
      layer.form = string();
      layer.experts = number<uint32_t>();
      layer.topK = number<uint32_t>();
      layer.hidden = number<uint32_t>();
      layer.intermediate = number<uint32_t>();
    }
  }

  void readShards() {
    info.devices = number<uint32_t>();
    if (ok() && (info.devices < 2 || info.devices > maxDevices))
      return bad("expected 2 to %" PRIu32 " devices, found %" PRIu32, maxDevices, info.devices);
    info.numShards = count(4 + 8 + 8 + 4 + 4 + 4);
    info.shards = array<ShardInfo>(info.numShards);
    for (uint32_t i = 0; i < info.numShards && ok(); ++i)
      readShard(info.shards[i], i);
    info.numParts = count(4 * 4);
    info.parts = array<PartInfo>(info.numParts);
    for (uint32_t i = 0; i < info.numParts && ok(); ++i)
      readPart(info.parts[i], i);
  }

  void readPart(PartInfo &part, uint32_t index) {
    part.tensor = number<uint32_t>();
    part.axis = number<uint32_t>();
    part.heads = number<uint32_t>();
    part.unit = number<uint32_t>();
    if (!ok())
      return;
    if (part.tensor >= info.numInputs + info.numOutputs || (index && part.tensor <= info.parts[index - 1].tensor))
      return bad("part %" PRIu32 " is of tensor %" PRIu32 " of %" PRIu32 ", expected them in order", index, part.tensor, info.numInputs + info.numOutputs);
    const moe_tensor_info &tensor = part.tensor < info.numInputs ? info.inputs[part.tensor] : info.outputs[part.tensor - info.numInputs];
    if (part.axis >= uint32_t(tensor.rank) || tensor.dims[part.axis].size != dynamicDim || part.heads == 0 || part.unit == 0 || part.heads > UINT32_MAX / part.unit)
      bad("part %" PRIu32 " ('%s') is of dim %" PRIu32 ", %" PRIu32 " heads of %" PRIu32, index, tensor.name, part.axis, part.heads, part.unit);
  }

  void readShard(ShardInfo &shard, uint32_t index) {
    shard.section = number<uint32_t>();
    shard.offset = number<uint64_t>();
    shard.expertBytes = number<uint64_t>();
    shard.experts = number<uint32_t>();
    shard.slotsPerDevice = number<uint32_t>();
    shard.numSlots = count(4);
    uint32_t *slots = array<uint32_t>(shard.numSlots);
    for (uint32_t s = 0; s < shard.numSlots && ok(); ++s) {
      slots[s] = number<uint32_t>();
      if (ok() && slots[s] >= shard.experts)
        return bad("shard %" PRIu32 " has a slot of expert %" PRIu32 " of %" PRIu32, index, slots[s], shard.experts);
    }
    shard.slots = slots;
    if (!ok())
      return;
    if (shard.section >= info.numSections)
      return bad("shard %" PRIu32 " is in weight section %" PRIu32 " of %" PRIu32, index, shard.section, info.numSections);
    const uint64_t room = info.sections[shard.section].bytes;
    if (shard.experts == 0 || shard.expertBytes > room / shard.experts || shard.offset > room - shard.expertBytes * shard.experts)
      return bad("shard %" PRIu32 " reaches beyond its section of %" PRIu64 " bytes", index, room);
    if (shard.slotsPerDevice == 0 || shard.numSlots == 0 || shard.numSlots % shard.slotsPerDevice != 0 ||
        info.devices % (shard.numSlots / shard.slotsPerDevice) != 0)
      bad("shard %" PRIu32 " has %" PRIu32 " slots, %" PRIu32 " a device, for %" PRIu32 " devices", index, shard.numSlots, shard.slotsPerDevice, info.devices);
  }

  ModelInfo &info;
  const unsigned char *blob;
  uint64_t bytes;
  uint64_t at = 0;
  moe_status status = MOE_STATUS_OK;
};

moe_status ModelInfo::read(const unsigned char *blob, uint64_t bytes) { return ModelInfoParser(*this, blob, bytes).parse(); }

void ModelInfo::takeParts(int64_t rank, int64_t ranks) {
  for (uint32_t i = 0; i < numParts; ++i) {
    PartInfo &part = parts[i];
    const int64_t heads = int64_t(devices) / ranks * part.heads, begun = (heads + devices - 1) / devices;
    part.first = rank * heads / devices * part.unit;
    const moe_tensor_info &tensor = part.tensor < numInputs ? inputs[part.tensor] : outputs[part.tensor - numInputs];
    const_cast<moe_dim &>(tensor.dims[part.axis]).size = (begun < part.heads ? begun : part.heads) * part.unit; // An array of this object.
  }
}

const PartInfo *ModelInfo::partOf(uint32_t tensor) const {
  for (uint32_t i = 0; i < numParts; ++i)
    if (parts[i].tensor == tensor)
      return &parts[i];
  return nullptr;
}

} // namespace moe::runtime
