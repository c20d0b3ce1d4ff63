// Opening a model: its description, the version for this CPU, its weights; and the shapes of its outputs.
#include "moe/Runtime/Model.h"
#include "Memory.h"
#include "moe/Machine/Cpuid.h"
#include "moe/Runtime/Error.h"
#include "moe/Machine/Sha256.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace moe;
using namespace moe::runtime;

/// Linux lets a process use AMX tiles only after it has asked: arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA).
static bool requestTiles() {
#if defined(__x86_64__)
  return syscall(SYS_arch_prctl, 0x1023, 18) == 0;
#else
  return false;
#endif
}

/// Appends the names of `features` to `text`, each after a space.
static void appendFeatures(char *text, size_t room, uint64_t features) {
  int count;
  const CpuFeatureName *names = cpuFeatureNames(&count);
  for (int i = 0; i < count; ++i)
    if (features & names[i].bit) {
      const size_t used = strlen(text);
      snprintf(text + used, room - used, " %s", names[i].name);
      features &= ~names[i].bit;
    }
  if (features) {
    const size_t used = strlen(text);
    snprintf(text + used, room - used, " (unknown feature bits %" PRIx64 ")", features);
  }
}

moe_status moe_model::pickVersion(const char *isa) {
  const uint64_t present = readCpuInfo().features;
  char text[512] = "";
  bool named = false;
  for (version = 0; version < info.numVersions; ++version) {
    const VersionInfo &candidate = info.versions[version];
    if (isa && strcmp(isa, candidate.name) != 0)
      continue;
    named = true;
    const uint64_t missing = candidate.features & ~present;
    if (missing == 0 && (!(candidate.features & CpuAmxTile) || requestTiles()))
      return MOE_STATUS_OK;
    const size_t used = strlen(text);
    snprintf(text + used, sizeof(text) - used, "%s'%s' needs", used ? "; " : "", candidate.name);
    if (missing)
      appendFeatures(text, sizeof(text), missing);
    else
      snprintf(text + strlen(text), sizeof(text) - strlen(text), " the kernel's permission for AMX tiles");
  }
  if (named && isa)
    return fail(MOE_STATUS_UNSUPPORTED_CPU, "version '%s' does not run on this CPU, which lacks: %s", isa, text);
  if (named)
    return fail(MOE_STATUS_UNSUPPORTED_CPU, "no version of the model runs on this CPU, which lacks: %s", text);
  for (uint32_t i = 0; i < info.numVersions; ++i) {
    const size_t used = strlen(text);
    snprintf(text + used, sizeof(text) - used, "%s'%s'", used ? ", " : "", info.versions[i].name);
  }
  return fail(MOE_STATUS_BAD_ARGUMENT, "expected one of the versions %s, found '%s'", text, isa);
}

moe_status moe_model::open(const char *folder, const char *isa, bool verify) {
  if (moe_status status = info.read(program.info, program.infoBytes))
    return status;
  if (moe_status status = table.build(info))
    return status;
  if (moe_status status = pickVersion(isa))
    return status;
  uint8_t identity[32];
  Sha256 hash;
  hash.update(program.info, program.infoBytes);
  hash.finish(identity);
  if (moe_status status = ranks.open(info.devices, identity, info.versions[version].name))
    return status;
  info.takeParts(ranks.rank(), ranks.count());
  if (moe_status status = weights.map(folder, info, info.versions[version], verify))
    return status;
  if (moe_status status = weights.dropForeign(ranks))
    return status;
  onGpu = program.kernels.table != nullptr;
  return onGpu ? gpu.open(folder, program.kernels, info, weights.sections()) : MOE_STATUS_OK;
}

moe_status moe_model::computeShapes(const moe_tensor *inputs, int32_t numInputs, int64_t *inDims, int64_t *outDims,
                                    int64_t &arenaBytes) const {
  if (moe_status status = checkInputShapes(info, table, inputs, numInputs, inDims))
    return status;
  if (moe_status status = readSizeElements(info, inputs, inDims + info.numInputDims))
    return status;
  arenaBytes = program.shapes(inDims, outDims);
  if (arenaBytes < 0) {
    const uint64_t check = uint64_t(-1 - arenaBytes);
    return fail(MOE_STATUS_BAD_SHAPE, "%s", check < info.numChecks ? info.checks[check] : "the inputs' dims do not fit together");
  }
  const int64_t *dim = outDims;
  for (uint32_t i = 0; i < info.numOutputs; ++i) {
    int64_t elements = 1;
    for (int32_t d = 0; d < info.outputs[i].rank; ++d, ++dim) {
      if (*dim < 0)
        return fail(MOE_STATUS_BAD_SHAPE, "these inputs would give output '%s', dim %" PRId32 ", the size %" PRId64, info.outputs[i].name, d,
                    *dim);
      if (*dim > 1 && elements > maxElements / *dim)
        return fail(MOE_STATUS_NO_MEMORY, "these inputs would give output '%s' more than 2^48 elements", info.outputs[i].name);
      elements *= *dim > 1 ? *dim : 1;
    }
  }
  return MOE_STATUS_OK;
}

void moe_model::release() {
  if (owners.fetch_sub(1, std::memory_order_acq_rel) == 1)
    destroyObject(this);
}

moe_status moe::runtime::openModel(const Program &program, const char *folder, const moe_open_options *options, moe_model **model) {
  if (!model)
    return fail(MOE_STATUS_BAD_ARGUMENT, "moe_model_open: the pointer to the model is null");
  *model = nullptr;
  if (!folder)
    return fail(MOE_STATUS_BAD_ARGUMENT, "moe_model_open: folder is null");
  if (options && options->size != sizeof(moe_open_options))
    return fail(MOE_STATUS_BAD_ARGUMENT, "moe_open_options.size: expected %zu, found %" PRIu64, sizeof(moe_open_options), options->size);
  moe_model *made = createObject<moe_model>(program);
  if (!made)
    return fail(MOE_STATUS_NO_MEMORY, "no memory for the model");
  const moe_status status = made->open(folder, options ? options->isa : nullptr, options && options->verify);
  if (status != MOE_STATUS_OK)
    made->release();
  else
    *model = made;
  return status;
}
