// Checks of the caller's tensors before a run. Sizes are bounded first, so that no later product of sizes can overflow.
#include "moe/Runtime/Tensors.h"
#include "moe/Runtime/Error.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace moe::runtime {

/// Input or output number `index`, for messages.
struct Subject {
  const char *kind;
  const moe_tensor_info &info;
};

DimTable::~DimTable() {
  free(sameAs);
  free(inputOf);
}

moe_status DimTable::build(const ModelInfo &info) {
  const size_t count = info.numInputDims ? info.numInputDims : 1;
  sameAs = static_cast<uint32_t *>(calloc(count, sizeof(uint32_t)));
  inputOf = static_cast<uint32_t *>(calloc(count, sizeof(uint32_t)));
  const char **symbols = static_cast<const char **>(calloc(count, sizeof(char *)));
  if (!sameAs || !inputOf || !symbols) {
    free(symbols);
    return fail(MOE_STATUS_NO_MEMORY, "no memory for the table of the model's dims");
  }
  uint32_t flat = 0;
  for (uint32_t i = 0; i < info.numInputs; ++i)
    for (int32_t d = 0; d < info.inputs[i].rank; ++d, ++flat) {
      symbols[flat] = info.inputs[i].dims[d].symbol;
      inputOf[flat] = i;
      sameAs[flat] = flat;
      for (uint32_t earlier = 0; earlier < flat && *symbols[flat]; ++earlier)
        if (strcmp(symbols[earlier], symbols[flat]) == 0) {
          sameAs[flat] = earlier;
          break;
        }
    }
  free(symbols);
  return MOE_STATUS_OK;
}

/// The name of a type that its code alone says, null for the others.
static const char *narrowFloatName(uint8_t code) {
  switch (code) {
  case MOE_FLOAT8_E4M3FN:
    return "float8_e4m3fn";
  case MOE_FLOAT8_E4M3FNUZ:
    return "float8_e4m3fnuz";
  case MOE_FLOAT8_E5M2:
    return "float8_e5m2";
  case MOE_FLOAT8_E5M2FNUZ:
    return "float8_e5m2fnuz";
  case MOE_FLOAT8_E8M0FNU:
    return "float8_e8m0fnu";
  case MOE_FLOAT6_E2M3FN:
    return "float6_e2m3fn";
  case MOE_FLOAT6_E3M2FN:
    return "float6_e3m2fn";
  case MOE_FLOAT4_E2M1FN:
    return "float4_e2m1fn";
  default:
    return nullptr;
  }
}

static const char *dtypeName(moe_dtype dtype, char (&text)[32]) {
  const char *kind = dtype.code == MOE_INT ? "int" : dtype.code == MOE_UINT ? "uint" : dtype.code == MOE_FLOAT ? "float"
                     : dtype.code == MOE_BFLOAT ? "bfloat" : nullptr;
  if (dtype.code == MOE_BOOL && dtype.bits == 8 && dtype.lanes == 1)
    return "bool";
  if (const char *name = narrowFloatName(dtype.code); name && dtype.lanes == 1)
    return name;
  if (kind && dtype.lanes == 1)
    snprintf(text, sizeof(text), "%s%d", kind, dtype.bits);
  else
    snprintf(text, sizeof(text), "{code %d, bits %d, lanes %d}", dtype.code, dtype.bits, dtype.lanes);
  return text;
}

/// What a dim is called in messages: "dim 1" or "dim 1 (seq)".
static const char *dimName(const moe_tensor_info &info, int32_t dim, char (&text)[96]) {
  if (*info.dims[dim].symbol)
    snprintf(text, sizeof(text), "dim %" PRId32 " (%s)", dim, info.dims[dim].symbol);
  else
    snprintf(text, sizeof(text), "dim %" PRId32, dim);
  return text;
}

/// Device, dtype, rank and the bounds of the sizes.
static moe_status checkHeader(const Subject &subject, const moe_tensor &tensor) {
  const char *kind = subject.kind, *name = subject.info.name;
  if (tensor.device.device_type != MOE_CPU)
    return fail(MOE_STATUS_BAD_ARGUMENT, "%s '%s': expected device_type %d (CPU), found %" PRId32, kind, name, int(MOE_CPU),
                tensor.device.device_type);
  char expected[32], found[32];
  if (memcmp(&tensor.dtype, &subject.info.dtype, sizeof(moe_dtype)) != 0)
    return fail(MOE_STATUS_BAD_DTYPE, "%s '%s': expected dtype %s, found %s", kind, name, dtypeName(subject.info.dtype, expected),
                dtypeName(tensor.dtype, found));
  if (tensor.ndim != subject.info.rank)
    return fail(MOE_STATUS_BAD_SHAPE, "%s '%s': expected %" PRId32 " dims, found %" PRId32, kind, name, subject.info.rank, tensor.ndim);
  if (tensor.ndim > 0 && !tensor.shape)
    return fail(MOE_STATUS_BAD_ARGUMENT, "%s '%s': shape is null", kind, name);
  int64_t elements = 1;
  char dim[96];
  for (int32_t d = 0; d < tensor.ndim; ++d) {
    const int64_t size = tensor.shape[d];
    if (size < 0)
      return fail(MOE_STATUS_BAD_SHAPE, "%s '%s', %s: found the negative size %" PRId64, kind, name, dimName(subject.info, d, dim), size);
    if (size > 1 && elements > maxElements / size)
      return fail(MOE_STATUS_BAD_SHAPE, "%s '%s', %s: a tensor of more than 2^48 elements", kind, name, dimName(subject.info, d, dim));
    elements *= size > 1 ? size : 1;
  }
  return MOE_STATUS_OK;
}

static moe_status checkCount(const char *kind, const moe_tensor *tensors, int32_t found, uint32_t expected) {
  if (found < 0 || uint32_t(found) != expected)
    return fail(MOE_STATUS_BAD_ARGUMENT, "expected %" PRIu32 " %ss, found %" PRId32, expected, kind, found);
  if (expected && !tensors)
    return fail(MOE_STATUS_BAD_ARGUMENT, "the array of %ss is null", kind);
  return MOE_STATUS_OK;
}

/// An input dim against the model's fixed size and against the first dim with its symbol.
static moe_status checkInputDim(const ModelInfo &info, const DimTable &table, uint32_t flat, int32_t d, const int64_t *dims) {
  const moe_tensor_info &input = info.inputs[table.inputOf[flat]];
  char dim[96], other[96];
  const bool isWrong = input.dims[d].size >= 0 && dims[flat] != input.dims[d].size;
  const PartInfo *part = isWrong ? info.partOf(table.inputOf[flat]) : nullptr;
  if (part && part->axis == uint32_t(d))
    return fail(MOE_STATUS_BAD_SHAPE, "input '%s', %s: expected this rank's %" PRId64 " of %" PRIu32 ", from %" PRId64 " on, found %" PRId64, input.name,
                dimName(input, d, dim), input.dims[d].size, part->heads * part->unit, part->first, dims[flat]);
  if (isWrong)
    return fail(MOE_STATUS_BAD_SHAPE, "input '%s', %s: expected %" PRId64 ", found %" PRId64, input.name, dimName(input, d, dim),
                input.dims[d].size, dims[flat]);
  const uint32_t first = table.sameAs[flat];
  if (dims[flat] == dims[first])
    return MOE_STATUS_OK;
  int32_t firstDim = 0;
  while (first - uint32_t(firstDim) > 0 && table.inputOf[first - uint32_t(firstDim) - 1] == table.inputOf[first])
    ++firstDim;
  const moe_tensor_info &owner = info.inputs[table.inputOf[first]];
  return fail(MOE_STATUS_BAD_SHAPE, "input '%s', %s: expected %" PRId64 " as in %s of input '%s', found %" PRId64, input.name,
              dimName(input, d, dim), dims[first], dimName(owner, firstDim, other), owner.name, dims[flat]);
}

moe_status checkInputShapes(const ModelInfo &info, const DimTable &table, const moe_tensor *inputs, int32_t count, int64_t *dims) {
  if (moe_status status = checkCount("input", inputs, count, info.numInputs))
    return status;
  uint32_t flat = 0;
  for (uint32_t i = 0; i < info.numInputs; ++i) {
    if (moe_status status = checkHeader({"input", info.inputs[i]}, inputs[i]))
      return status;
    for (int32_t d = 0; d < info.inputs[i].rank; ++d, ++flat) {
      dims[flat] = inputs[i].shape[d];
      if (moe_status status = checkInputDim(info, table, flat, d, dims))
        return status;
    }
  }
  return MOE_STATUS_OK;
}

moe_status checkOutputShapes(const ModelInfo &info, const moe_tensor *outputs, int32_t count, const int64_t *dims) {
  if (moe_status status = checkCount("output", outputs, count, info.numOutputs))
    return status;
  char dim[96];
  for (uint32_t i = 0; i < info.numOutputs; ++i) {
    const moe_tensor_info &output = info.outputs[i];
    if (moe_status status = checkHeader({"output", output}, outputs[i]))
      return status;
    for (int32_t d = 0; d < output.rank; ++d, ++dims)
      if (outputs[i].shape[d] != *dims)
        return fail(MOE_STATUS_BAD_SHAPE, "output '%s', %s: expected %" PRId64 " for these inputs, found %" PRId64, output.name,
                    dimName(output, d, dim), *dims, outputs[i].shape[d]);
  }
  return MOE_STATUS_OK;
}

moe_status readSizeElements(const ModelInfo &info, const moe_tensor *inputs, int64_t *words) {
  for (uint32_t k = 0; k < info.numSizeInputs; ++k) {
    const moe_tensor_info &expected = info.inputs[info.sizeInputs[k]];
    const moe_tensor &input = inputs[info.sizeInputs[k]];
    int64_t elements = 1;
    for (int32_t d = 0; d < input.ndim; ++d)
      elements *= input.shape[d];
    if (elements && !input.data)
      return fail(MOE_STATUS_BAD_ARGUMENT, "input '%s': data is null, but sizes depend on its elements", expected.name);
    const char *data = static_cast<const char *>(input.data) + input.byte_offset;
    for (int64_t i = 0; i < elements; ++i, ++words) {
      if (expected.dtype.bits == 64) { // A double is its own bits.
        memcpy(words, data + 8 * i, 8);
      } else if (expected.dtype.code == MOE_INT) {
        int32_t value;
        memcpy(&value, data + 4 * i, 4);
        *words = value;
      } else {
        float value;
        memcpy(&value, data + 4 * i, 4);
        const double wide = value;
        memcpy(words, &wide, 8);
      }
    }
  }
  return MOE_STATUS_OK;
}

void contiguousStrides(const int64_t *shape, int32_t rank, int64_t *strides) {
  int64_t stride = 1;
  for (int32_t d = rank - 1; d >= 0; --d) {
    strides[d] = stride;
    stride *= shape[d] > 1 ? shape[d] : 1;
  }
}

/// Elements that a tensor's memory spans from its first to its last, 0 without elements. Its shape and strides were checked.
static int64_t spanElements(const moe_tensor &tensor) {
  int64_t last = 0, stride = 1;
  for (int32_t d = tensor.ndim - 1; d >= 0; --d) {
    if (tensor.shape[d] == 0)
      return 0;
    last += (tensor.shape[d] - 1) * (tensor.strides ? tensor.strides[d] : stride);
    stride *= tensor.shape[d];
  }
  return last + 1;
}

/// Strides of a KV cache: dense last dim, no two elements at one address.
static moe_status checkCacheStrides(const Subject &subject, const moe_tensor &tensor) {
  char dim[96];
  const int32_t rank = tensor.ndim;
  if (rank > 0 && tensor.shape[rank - 1] > 1 && tensor.strides[rank - 1] != 1)
    return fail(MOE_STATUS_BAD_SHAPE, "%s '%s', %s: expected stride 1 in the last dim, found %" PRId64, subject.kind, subject.info.name,
                dimName(subject.info, rank - 1, dim), tensor.strides[rank - 1]);
  // By ascending stride every dim must step over all that the dims before it span.
  bool used[maxRank] = {};
  int64_t span = 1;
  for (int32_t round = 0; round < rank; ++round) {
    int32_t smallest = -1;
    for (int32_t d = 0; d < rank; ++d)
      if (!used[d] && tensor.shape[d] > 1 && (smallest < 0 || tensor.strides[d] < tensor.strides[smallest]))
        smallest = d;
    if (smallest < 0)
      break;
    used[smallest] = true;
    const int64_t stride = tensor.strides[smallest], steps = tensor.shape[smallest] - 1;
    if (stride < span)
      return fail(MOE_STATUS_BAD_SHAPE, "%s '%s', %s: expected a stride of at least %" PRId64 ", found %" PRId64, subject.kind,
                  subject.info.name, dimName(subject.info, smallest, dim), span, stride);
    if (stride > maxElements / steps || (span += stride * steps) > maxElements)
      return fail(MOE_STATUS_BAD_SHAPE, "%s '%s', %s: stride %" PRId64 " spans more than 2^48 elements", subject.kind, subject.info.name,
                  dimName(subject.info, smallest, dim), stride);
  }
  return MOE_STATUS_OK;
}

static moe_status checkStrides(const Subject &subject, const moe_tensor &tensor) {
  if (!tensor.strides)
    return MOE_STATUS_OK;
  int64_t dense[maxRank];
  contiguousStrides(tensor.shape, tensor.ndim, dense);
  for (int32_t d = 0; d < tensor.ndim; ++d)
    if (tensor.shape[d] == 0)
      return MOE_STATUS_OK;
  if (subject.info.pair >= 0)
    return checkCacheStrides(subject, tensor);
  char dim[96];
  for (int32_t d = 0; d < tensor.ndim; ++d)
    if (tensor.shape[d] > 1 && tensor.strides[d] != dense[d])
      return fail(MOE_STATUS_BAD_SHAPE, "%s '%s', %s: expected contiguous row-major with stride %" PRId64 ", found %" PRId64, subject.kind,
                  subject.info.name, dimName(subject.info, d, dim), dense[d], tensor.strides[d]);
  return MOE_STATUS_OK;
}

static moe_status checkMemory(const Subject &subject, const moe_tensor &tensor, void *&address, Extent &extent) {
  if (moe_status status = checkStrides(subject, tensor))
    return status;
  const int64_t elementBytes = (subject.info.dtype.bits + 7) / 8, elements = spanElements(tensor);
  extent = {0, 0};
  alignas(64) static char nothing[64];
  address = nothing;
  if (elements == 0)
    return MOE_STATUS_OK;
  if (!tensor.data)
    return fail(MOE_STATUS_BAD_ARGUMENT, "%s '%s': data is null", subject.kind, subject.info.name);
  extent.begin = reinterpret_cast<uintptr_t>(tensor.data) + tensor.byte_offset;
  extent.end = extent.begin + uintptr_t(elements) * uintptr_t(elementBytes);
  if (extent.begin % uintptr_t(elementBytes) != 0)
    return fail(MOE_STATUS_BAD_ARGUMENT, "%s '%s': expected an address that is a multiple of %" PRId64 ", found %p", subject.kind,
                subject.info.name, elementBytes, reinterpret_cast<void *>(extent.begin));
  address = reinterpret_cast<void *>(extent.begin);
  return MOE_STATUS_OK;
}

/// Whether past and present of a KV pair are one buffer: same address, same strides wherever a stride matters.
static bool isInPlace(const moe_tensor &past, const moe_tensor &present) {
  int64_t pastDense[maxRank], presentDense[maxRank];
  contiguousStrides(past.shape, past.ndim, pastDense);
  contiguousStrides(present.shape, present.ndim, presentDense);
  const int64_t *pastStrides = past.strides ? past.strides : pastDense;
  const int64_t *presentStrides = present.strides ? present.strides : presentDense;
  for (int32_t d = 0; d < past.ndim; ++d)
    if (past.shape[d] > 1 && pastStrides[d] != presentStrides[d])
      return false;
  return true;
}

static bool overlap(const Extent &a, const Extent &b) { return a.begin < b.end && b.begin < a.end; }

static moe_status checkOverlaps(const ModelInfo &info, const moe_tensor *inputs, const moe_tensor *outputs, const Extent *extents) {
  const Extent *outputExtents = extents + info.numInputs;
  for (uint32_t o = 0; o < info.numOutputs; ++o) {
    const moe_tensor_info &output = info.outputs[o];
    for (uint32_t i = 0; i < info.numInputs; ++i) {
      if (!overlap(outputExtents[o], extents[i]))
        continue;
      const bool pair = output.pair == int32_t(i), sameAddress = outputExtents[o].begin == extents[i].begin;
      if (pair && sameAddress && isInPlace(inputs[i], outputs[o]))
        continue;
      return fail(MOE_STATUS_BAD_ARGUMENT, "output '%s' overlaps input '%s'%s", output.name, info.inputs[i].name,
                  !pair         ? ""
                  : sameAddress ? ": expected the same strides for an update in place"
                                : ": expected the same address for an update in place");
    }
    for (uint32_t other = 0; other < o; ++other)
      if (overlap(outputExtents[o], outputExtents[other]))
        return fail(MOE_STATUS_BAD_ARGUMENT, "output '%s' overlaps output '%s'", output.name, info.outputs[other].name);
  }
  return MOE_STATUS_OK;
}

moe_status checkBuffers(const ModelInfo &info, const moe_tensor *inputs, const moe_tensor *outputs, void **addresses, Extent *extents) {
  for (uint32_t i = 0; i < info.numInputs; ++i)
    if (moe_status status = checkMemory({"input", info.inputs[i]}, inputs[i], addresses[i], extents[i]))
      return status;
  for (uint32_t o = 0; o < info.numOutputs; ++o)
    if (moe_status status =
            checkMemory({"output", info.outputs[o]}, outputs[o], addresses[info.numInputs + o], extents[info.numInputs + o]))
      return status;
  return checkOverlaps(info, inputs, outputs, extents);
}

} // namespace moe::runtime
