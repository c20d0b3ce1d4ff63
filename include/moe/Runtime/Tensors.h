//===- Tensors.h - checks of the caller's tensors ---------------*- C++ -*-===//
// Generated code believes what the memref descriptors say. So everything about a caller's tensor is checked here, once per run, and a
// refusal names the tensor, what was expected and what was found.
#ifndef MOE_RUNTIME_TENSORS_H
#define MOE_RUNTIME_TENSORS_H

#include "moe/Runtime/ModelInfoReader.h"

namespace moe::runtime {

/// Where the dims of inputs and outputs lie in the flat arrays of moe_shapes, and which input dims share a symbol.
class DimTable {
public:
  DimTable() = default;
  DimTable(const DimTable &) = delete;
  DimTable &operator=(const DimTable &) = delete;
  ~DimTable();

  /// Builds the table; `info` must outlive it. Call once.
  moe_status build(const ModelInfo &info);

  /// For each flat input dim the first one with the same symbol (itself if it has none).
  uint32_t *sameAs = nullptr;
  /// The input that each flat input dim belongs to.
  uint32_t *inputOf = nullptr;
};

/// Elements that a tensor may have at most, counting dims of size 0 as 1: its bytes and those of its copies stay far below 2^63.
constexpr int64_t maxElements = int64_t(1) << 48;

/// The memory from a tensor's first element to past its last.
struct Extent {
  uintptr_t begin, end;
};

/// Checks that `inputs` have the model's number, ranks, dtypes and dims, and writes their dims to `dims` (numInputDims). Reads no data pointer.
moe_status checkInputShapes(const ModelInfo &info, const DimTable &table, const moe_tensor *inputs, int32_t count, int64_t *dims);

/// Writes the elements of the inputs that decide sizes to `words` (numSizeElements), as moe_shapes reads them. The shapes were checked.
moe_status readSizeElements(const ModelInfo &info, const moe_tensor *inputs, int64_t *words);

/// Checks that `outputs` have the model's number, ranks, dtypes and the sizes in `dims` (numOutputDims).
moe_status checkOutputShapes(const ModelInfo &info, const moe_tensor *outputs, int32_t count, const int64_t *dims);

/// Checks data pointers, alignment, strides and overlaps of tensors whose shapes were checked. Writes the address of each tensor's first
/// element (inputs, then outputs) to `addresses`; not null even for tensors without elements. `extents` is room for as many.
moe_status checkBuffers(const ModelInfo &info, const moe_tensor *inputs, const moe_tensor *outputs, void **addresses, Extent *extents);

/// Strides of a contiguous row-major tensor, in elements.
void contiguousStrides(const int64_t *shape, int32_t rank, int64_t *strides);

} // namespace moe::runtime

#endif // MOE_RUNTIME_TENSORS_H
