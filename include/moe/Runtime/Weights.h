//===- Weights.h - model.weights in memory ----------------------*- C++ -*-===//
// Maps the sections of model.weights that the chosen version reads. Nothing is copied: pages come in as kernels touch them.
#ifndef MOE_RUNTIME_WEIGHTS_H
#define MOE_RUNTIME_WEIGHTS_H

#include "moe/Runtime/ModelInfoReader.h"
#include "moe/Runtime/Ranks.h"

namespace moe::runtime {

/// The mapped sections of one model.
class Weights {
public:
  Weights() = default;
  Weights(const Weights &) = delete;
  Weights &operator=(const Weights &) = delete;
  ~Weights();

  /// Opens folder/model.weights, compares its length and, with `verify`, its SHA-256 with `info`, and maps the sections of `version`. Call
  /// once; `info` must outlive this object. A model without weights needs no file.
  moe_status map(const char *folder, const ModelInfo &info, const VersionInfo &version, bool verify);

  /// Gives back the addresses of experts that `ranks` says other ranks have: pages that hold nothing else cannot be touched any more. Call after map.
  moe_status dropForeign(const Ranks &ranks);

  /// For MoeThread.sections: one address per section of the model, null if not mapped.
  const void *const *sections() const { return addresses; }

private:
  moe_status dropExperts(const ShardInfo &shard, uint32_t first, uint32_t last);
  moe_status mapSections(int file, const char *path, const VersionInfo &version);

  const ModelInfo *info = nullptr;
  const void **addresses = nullptr;
};

} // namespace moe::runtime

#endif // MOE_RUNTIME_WEIGHTS_H
