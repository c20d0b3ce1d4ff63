// A run: check the caller's tensors, make room in the arena, write the memref descriptors, call the entry on every thread of a team.
#include "moe/Runtime/Context.h"
#include "Memory.h"
#include "moe/Runtime/Error.h"
#include "moe/Runtime/ThreadPool.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

using namespace moe::runtime;

Arena::~Arena() { free(memory); }

moe_status Arena::reserve(int64_t bytes) {
  if (memory && bytes <= capacity)
    return MOE_STATUS_OK;
  free(memory);
  memory = nullptr;
  capacity = 0;
  constexpr int64_t hugePage = int64_t(2) << 20, cacheLine = 64;
  const int64_t unit = bytes >= hugePage ? hugePage : cacheLine;
  if (bytes > INT64_MAX - unit || posix_memalign(&memory, size_t(unit), size_t((bytes / unit + 1) * unit)) != 0) {
    memory = nullptr;
    return fail(MOE_STATUS_NO_MEMORY, "no memory for the %" PRId64 " bytes that inputs of this size need", bytes);
  }
  capacity = (bytes / unit + 1) * unit;
  if (unit == hugePage)
    madvise(memory, size_t(capacity), MADV_HUGEPAGE); // Advice only.
  return MOE_STATUS_OK;
}

moe_context::moe_context(moe_model &model, int32_t threads) : model(model), threads(threads) {
  model.owners.fetch_add(1, std::memory_order_relaxed);
}

moe_context::~moe_context() {
  free(inDims);
  free(outDims);
  free(addresses);
  free(extents);
  free(words);
  free(descriptors);
  free(foundDims);
  releaseMirrors();
  model.release();
}

/// Words of a memref descriptor: allocated, aligned, offset, sizes, strides.
static size_t descriptorWords(int32_t rank) { return 3 + 2 * size_t(rank); }

moe_status moe_context::prepare() {
  const ModelInfo &info = model.info;
  const size_t tensors = size_t(info.numInputs) + info.numOutputs;
  size_t wordCount = 2 * descriptorWords(1); // The dims that a run finds out, and the arena.
  for (uint32_t i = 0; i < info.numInputs; ++i)
    wordCount += descriptorWords(info.inputs[i].rank);
  for (uint32_t i = 0; i < info.numOutputs; ++i)
    wordCount += descriptorWords(info.outputs[i].rank);
  inDims = allocateArray<int64_t>(size_t(info.numInputDims) + info.numSizeElements);
  outDims = allocateArray<int64_t>(info.numOutputDims);
  addresses = allocateArray<void *>(tensors);
  extents = allocateArray<Extent>(tensors);
  words = allocateArray<int64_t>(wordCount);
  descriptors = allocateArray<void *>(tensors + 2);
  foundDims = allocateArray<int64_t>(info.numFoundDims);
  mirrors = allocateArray<Mirror>(tensors + 2);
  if (!inDims || !outDims || !foundDims || !mirrors || !addresses || !extents || !words || !descriptors)
    return fail(MOE_STATUS_NO_MEMORY, "no memory for a context");
  return MOE_STATUS_OK;
}

/// Fills one descriptor and answers the word after it. `strides` null: contiguous.
static int64_t *writeDescriptor(int64_t *word, void *address, const int64_t *shape, const int64_t *strides, int32_t rank) {
  word[0] = word[1] = int64_t(reinterpret_cast<intptr_t>(address));
  word[2] = 0;
  int64_t *sizes = word + 3, *steps = sizes + rank;
  if (rank > 0)
    memcpy(sizes, shape, size_t(rank) * sizeof(int64_t));
  contiguousStrides(sizes, rank, steps);
  // Strides of dims of size 1 are never used by a caller, but generated code takes the last one for 1.
  for (int32_t d = 0; strides && d < rank; ++d)
    if (sizes[d] > 1)
      steps[d] = strides[d];
  return steps + rank;
}

void moe_context::writeDescriptors(const moe_tensor *inputs, const moe_tensor *outputs, void *arenaData, int64_t bytesOfArena) {
  int64_t *word = words;
  uint32_t next = 0;
  auto write = [&](const moe_tensor_info &info, const moe_tensor &tensor) {
    descriptors[next] = word;
    word = writeDescriptor(word, addresses[next], tensor.shape, info.pair >= 0 ? tensor.strides : nullptr, info.rank);
    ++next;
  };
  for (uint32_t i = 0; i < model.info.numInputs; ++i)
    write(model.info.inputs[i], inputs[i]);
  for (uint32_t i = 0; i < model.info.numOutputs; ++i)
    write(model.info.outputs[i], outputs[i]);
  if (const int64_t found = model.info.numFoundDims) {
    descriptors[next++] = word;
    word = writeDescriptor(word, foundDims, &found, nullptr, 1);
  }
  descriptors[next] = word;
  writeDescriptor(word, arenaData, &bytesOfArena, nullptr, 1);
}

#if defined(__x86_64__)
/// Round to nearest, denormals kept, no exceptions: every thread must compute alike whatever its creator had set.
constexpr unsigned defaultControlWord = 0x1f80;
#endif

static constexpr MoeFault noFault = {-1, 0, 0, 0, 0};

void moe_rt_fault(MoeFault *fault, int64_t number, int64_t position, int64_t value, int64_t low, int64_t high) {
  const bool isFirst = fault->number < 0 || number < fault->number || (number == fault->number && position < fault->position);
  if (isFirst)
    *fault = {number, position, value, low, high};
}

void moe_context::collect(const MoeFault &found) {
  while (collecting.test_and_set(std::memory_order_acquire))
    ; // A thread comes here once in a run, and only one that fails.
  moe_rt_fault(&fault, found.number, found.position, found.value, found.low, found.high);
  collecting.clear(std::memory_order_release);
}

moe_status moe_context::reportFault() const {
  const char *what = uint64_t(fault.number) < model.info.numFaults ? model.info.faults[fault.number] : "a value";
  if (fault.low >= fault.high)
    return fail(MOE_STATUS_BAD_ARGUMENT, "%s: expected none, found %" PRId64 " (element %" PRId64 ")", what, fault.value, fault.position);
  return fail(MOE_STATUS_BAD_ARGUMENT, "%s: expected %" PRId64 " to %" PRId64 ", found %" PRId64 " (element %" PRId64 ")", what, fault.low,
              fault.high - 1, fault.value, fault.position);
}

void moe_context::runThread(void *argument, int64_t thread, int64_t threads, void *barrier) {
  moe_context &context = *static_cast<moe_context *>(argument);
  MoeFault found = noFault;
  const MoeThread place = {thread, threads, barrier, context.model.weights.sections(), &found,
                           context.model.ranks.rank(), context.model.ranks.count(), &context.model.ranks};
#if defined(__x86_64__)
  const unsigned before = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr(defaultControlWord);
#endif
  context.model.program.entries[context.model.version](context.descriptors, &place);
#if defined(__x86_64__)
  __builtin_ia32_ldmxcsr(before);
#endif
  if (found.number >= 0)
    context.collect(found);
}

void moe_context::writeFoundDims(const moe_tensor *outputs) {
  const ModelInfo &info = model.info;
  uint32_t next = 0, place = 0;
  for (uint32_t o = 0; o < info.numOutputs && next < info.numFoundDims; ++o)
    for (int32_t d = 0; d < info.outputs[o].rank; ++d, ++place)
      if (next < info.numFoundDims && info.foundDims[next] == place)
        outputs[o].shape[d] = foundDims[next++];
}

uint64_t moe_context::digestOfInputs(const moe_tensor *inputs) const {
  constexpr uint64_t mostBytes = 1 << 20;
  uint64_t digest = 0xcbf29ce484222325; // FNV-1a.
  auto add = [&](const void *data, uint64_t bytes) {
    for (uint64_t i = 0; i < bytes; ++i)
      digest = (digest ^ static_cast<const unsigned char *>(data)[i]) * 0x100000001b3;
  };
  add(inDims, model.info.numInputDims * sizeof(int64_t));
  for (uint32_t i = 0; i < model.info.numInputs; ++i) {
    const moe_tensor_info &info = model.info.inputs[i];
    uint64_t bytes = (info.dtype.bits + 7) / 8;
    for (int32_t d = 0; d < info.rank; ++d)
      bytes *= uint64_t(inputs[i].shape[d]);
    if (info.pair < 0 && bytes <= mostBytes)
      add(addresses[i], bytes);
  }
  return digest;
}

moe_status moe_context::prepareRun(const moe_tensor *inputs, int32_t numInputs, const moe_tensor *outputs, int32_t numOutputs) {
  if (moe_status status = model.computeShapes(inputs, numInputs, inDims, outDims, arenaBytes))
    return status;
  if (moe_status status = checkOutputShapes(model.info, outputs, numOutputs, outDims))
    return status;
  if (moe_status status = checkBuffers(model.info, inputs, outputs, addresses, extents))
    return status;
  return model.onGpu ? MOE_STATUS_OK : arena.reserve(arenaBytes);
}

moe_status moe_context::runLocked(const moe_tensor *inputs, int32_t numInputs, const moe_tensor *outputs, int32_t numOutputs) {
  moe_status status = prepareRun(inputs, numInputs, outputs, numOutputs);
  if (model.ranks.count() > 1)
    status = model.ranks.agree(status, status == MOE_STATUS_OK ? digestOfInputs(inputs) : 0);
  if (status != MOE_STATUS_OK)
    return status;
  if (model.onGpu) {
    if (moe_status failure = runOnGpu(inputs, outputs))
      return failure;
    return fault.number >= 0 ? reportFault() : MOE_STATUS_OK;
  }
  writeDescriptors(inputs, outputs, arena.data(), arena.bytes());
  fault = noFault;
  runTeam(threads, runThread, this);
  if (fault.number >= 0)
    return reportFault();
  writeFoundDims(outputs);
  return MOE_STATUS_OK;
}

moe_status moe_context::run(const moe_tensor *inputs, int32_t numInputs, const moe_tensor *outputs, int32_t numOutputs) {
  if (running.exchange(true, std::memory_order_acquire))
    return fail(MOE_STATUS_BAD_ARGUMENT, "the context is running already: each thread needs a context of its own");
  const bool exchanges = model.ranks.count() > 1;
  moe_status status;
  if (exchanges && model.isExchanging.exchange(true, std::memory_order_acquire)) {
    status = fail(MOE_STATUS_BAD_ARGUMENT, "another context of the model is running: models on several ranks run in one context at a time");
  } else {
    status = runLocked(inputs, numInputs, outputs, numOutputs);
    if (exchanges)
      model.isExchanging.store(false, std::memory_order_release);
  }
  running.store(false, std::memory_order_release);
  return status;
}
