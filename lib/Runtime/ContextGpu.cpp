// A run on the model's GPU. Tensors of the caller are in host memory; each has a mirror on the GPU, byte for byte, so that strides stay what they are.
#include "Memory.h"
#include "moe/Runtime/Context.h"

using namespace moe::runtime;

void moe_context::releaseMirrors() {
  const uint32_t count = model.info.numInputs + model.info.numOutputs + 2;
  // Null also where prepare() found no memory.
  for (uint32_t i = 0; mirrors && model.onGpu && i < count; ++i)
    model.gpu.release(mirrors[i].address);
  free(mirrors);
  if (model.onGpu)
    model.gpu.release(scratch.address);
}

/// Makes room for the tensors of this run and the arena, and copies what the run reads. A cache whose two tensors are one buffer has one mirror.
moe_status moe_context::mirrorTensors() {
  const uint32_t inputs = model.info.numInputs, tensors = inputs + model.info.numOutputs;
  for (uint32_t i = 0; i < tensors + 2; ++i) {
    const int64_t bytes = i < tensors ? int64_t(extents[i].end - extents[i].begin) : i == tensors ? arenaBytes : int64_t(sizeof(record));
    Mirror &mirror = mirrors[i];
    if (mirror.address && bytes <= mirror.bytes)
      continue;
    model.gpu.release(mirror.address);
    mirror = {nullptr, 0};
    if (moe_status status = model.gpu.allocate(size_t(bytes), i < tensors ? "a tensor" : "the arena and faults", &mirror.address))
      return status;
    mirror.bytes = bytes;
  }
  for (uint32_t i = 0; i < tensors; ++i) {
    const int32_t pair = i < inputs ? -1 : model.info.outputs[i - inputs].pair;
    const bool isShared = pair >= 0 && extents[i].begin == extents[pair].begin;
    // An output of a cache has gaps between its rows that the run leaves as they are.
    if (i < inputs || (pair >= 0 && !isShared))
      if (moe_status status = model.gpu.copyIn(mirrors[i].address, reinterpret_cast<void *>(extents[i].begin), size_t(extents[i].end - extents[i].begin)))
        return status;
    addresses[i] = mirrors[i].address;
    if (!isShared)
      continue;
    // The present tensor is as long as the buffer; the past one lies at its beginning.
    if (moe_status status = model.gpu.copyIn(mirrors[i].address, reinterpret_cast<void *>(extents[i].begin), size_t(extents[i].end - extents[i].begin)))
      return status;
    addresses[pair] = mirrors[i].address;
  }
  return MOE_STATUS_OK;
}

moe_status moe_context::launchAll(const moe_tensor *inputs, const moe_tensor *outputs) {
  if (moe_status status = mirrorTensors())
    return status;
  const uint32_t first = model.info.numInputs, tensors = first + model.info.numOutputs;
  writeDescriptors(inputs, outputs, mirrors[tensors].address, mirrors[tensors].bytes);
  MoeFault none = {-1, 0, 0, 0, 0};
  void *faults = mirrors[tensors + 1].address;
  record = {0, none};
  if (moe_status status = model.gpu.copyIn(faults, &record, sizeof(record)))
    return status;
  model.gpu.useFaultRecord(faults);
  model.gpu.useScratch(&scratch);
  const MoeThread place = {0, 1, nullptr, model.gpu.sections(), &none, model.ranks.rank(), model.ranks.count(), &model.ranks};
  model.program.entries[model.version](descriptors, &place);
  for (uint32_t i = first; i < tensors; ++i)
    if (moe_status status = model.gpu.copyOut(reinterpret_cast<void *>(extents[i].begin), mirrors[i].address, size_t(extents[i].end - extents[i].begin)))
      return status;
  return model.gpu.copyOut(&record, faults, sizeof(record));
}

moe_status moe_context::runOnGpu(const moe_tensor *inputs, const moe_tensor *outputs) {
  if (moe_status status = model.gpu.begin())
    return status;
  const moe_status launched = launchAll(inputs, outputs);
  const moe_status finished = model.gpu.finish();
  fault = record.fault;
  // What went wrong first explains what came after it.
  return finished == MOE_STATUS_OK ? launched : finished;
}
