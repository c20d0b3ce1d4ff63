//===- ModelInfoReader.h - reads moe_model_info -----------------*- C++ -*-===//
// The bounds-checked reader of the format that moe/Machine/ModelInfo.h describes. Used inside model.so and by moe-run.
#ifndef MOE_RUNTIME_MODELINFOREADER_H
#define MOE_RUNTIME_MODELINFOREADER_H

#include "moe/Runtime/moe_model.h"

namespace moe::runtime {

/// Largest rank of an input or output that the runtime takes.
constexpr int32_t maxRank = 32;

/// A section of model.weights.
struct SectionInfo {
  uint32_t id;     ///< Identifies the packing.
  uint64_t offset; ///< In model.weights, bytes, a multiple of 4096.
  uint64_t bytes;  ///< Length.
  uint8_t sha256[32];
};

/// One version of the code.
struct VersionInfo {
  const char *name;         ///< "avx2".
  uint64_t features;        ///< CpuFeature bits that the CPU must have.
  const uint32_t *sections; ///< Indices of the sections that it reads.
  uint32_t numSections;
};

/// An MoE layer, for reports. A number that the compiler did not know is 0.
struct LayerInfo {
  const char *name; ///< As the source model calls it.
  const char *form; ///< How the exporter wrote it: "batched", "unrolled", ...
  uint32_t experts, topK, hidden, intermediate;
};

/// A weight whose experts are spread over devices.
struct ShardInfo {
  uint32_t section;
  uint64_t offset, expertBytes;
  uint32_t experts, slotsPerDevice;
  const uint32_t *slots; ///< The expert of each slot of a group of devices.
  uint32_t numSlots;
};

/// An input, or the number of inputs plus an output, of whose dim `axis` a rank has only its own heads.
struct PartInfo {
  uint32_t tensor, axis, heads, unit;
  int64_t first; ///< The first place that this rank has, once takeParts was called.
};

/// What moe_model_info says. Strings point into the blob, arrays belong to this object.
class ModelInfo {
public:
  ModelInfo() = default;
  ModelInfo(const ModelInfo &) = delete;
  ModelInfo &operator=(const ModelInfo &) = delete;
  ~ModelInfo();

  /// Reads a blob of `bytes` bytes that must outlive this object. Call once. On bad_artifact or no_memory the object is unusable and
  /// lastError() says at which byte what was wrong.
  moe_status read(const unsigned char *blob, uint64_t bytes);

  /// Gives inputs and outputs that ranks have in parts the size that rank `rank` of `ranks` has, a divisor of `devices`. Call once.
  void takeParts(int64_t rank, int64_t ranks);
  /// The part that an input, or the number of inputs plus an output, is; null where every rank has all.
  const PartInfo *partOf(uint32_t tensor) const;

  uint64_t weightsBytes = 0; ///< Length of model.weights.
  uint8_t weightsSha256[32] = {};
  moe_tensor_info *inputs = nullptr; ///< Pairs included.
  moe_tensor_info *outputs = nullptr;
  moe_tensor *defaults = nullptr; ///< One for each input; ndim is -1 where it has none.
  uint32_t *sizeInputs = nullptr; ///< Inputs whose elements lie behind the input dims of moe_shapes, in order.
  uint32_t *foundDims = nullptr;  ///< Places among the dims of all outputs that a run finds out, ascending.
  const char **checks = nullptr; ///< Messages of moe_shapes.
  const char **faults = nullptr; ///< Messages of moe_rt_fault.
  SectionInfo *sections = nullptr;
  VersionInfo *versions = nullptr; ///< Best first.
  LayerInfo *layers = nullptr;
  ShardInfo *shards = nullptr;
  uint32_t devices = 1; ///< That the model is planned for.
  PartInfo *parts = nullptr;
  uint32_t numShards = 0, numParts = 0;
  uint32_t numInputs = 0, numOutputs = 0, numChecks = 0, numFaults = 0, numSections = 0, numVersions = 0, numLayers = 0;
  uint32_t numInputDims = 0, numOutputDims = 0; ///< Sums of the ranks.
  uint32_t numSizeInputs = 0, numSizeElements = 0, numFoundDims = 0;

private:
  friend class ModelInfoParser;
  struct Block;
  Block *blocks = nullptr; ///< All arrays, freed together.
};

} // namespace moe::runtime

#endif // MOE_RUNTIME_MODELINFOREADER_H
