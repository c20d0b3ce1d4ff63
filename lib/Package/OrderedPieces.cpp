// Two buffers in turn: one is being filled by threads, each a run of its pieces, while the other goes to the sink.
#include "OrderedPieces.h"

#include "moe/Machine/Cpuid.h"

#include <algorithm>
#include <future>

namespace moe {

namespace {

/// Bytes that are made before they are handed over, about: many pieces for each thread, little beside a weight.
constexpr int64_t batchBytes = 16 << 20;
/// More threads than this wait for the disk.
constexpr int64_t mostThreads = 16;

} // namespace

bool writeInOrder(int64_t count, int64_t bytes, llvm::function_ref<void(int64_t piece, uint8_t *to)> fill, ByteSink sink) {
  const int64_t perBatch = std::clamp<int64_t>(batchBytes / std::max<int64_t>(bytes, 1), 1, std::max<int64_t>(count, 1));
  static const int64_t processors = readCpuInfo().threads;
  const int64_t threads = std::min({processors, mostThreads, perBatch});
  std::vector<uint8_t> buffers[2];
  const auto make = [&](std::vector<uint8_t> &buffer, int64_t first) {
    const int64_t pieces = std::min(perBatch, count - first);
    buffer.assign(pieces * bytes, 0);
    const auto part = [&, pieces](int64_t thread) {
      for (int64_t i = pieces * thread / threads; i < pieces * (thread + 1) / threads; ++i)
        fill(first + i, buffer.data() + i * bytes);
    };
    std::vector<std::future<void>> others;
    for (int64_t thread = 1; thread < threads; ++thread)
      others.push_back(std::async(std::launch::async, part, thread));
    part(0);
    for (std::future<void> &other : others)
      other.get();
  };
  if (count > 0)
    make(buffers[0], 0);
  bool fine = true;
  for (int64_t first = 0, turn = 0; first < count && fine; first += perBatch, turn ^= 1) {
    std::future<void> next;
    if (first + perBatch < count)
      next = std::async(std::launch::async, [&, turn, first] { make(buffers[turn ^ 1], first + perBatch); });
    fine = sink(buffers[turn]);
    if (next.valid())
      next.get();
  }
  return fine;
}

} // namespace moe
