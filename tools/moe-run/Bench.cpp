// Timing of runs, and of plain reading from memory as what a run of few tokens could reach at best.
#include "Bench.h"
#include "Failure.h"
#include "Team.h"
#include "moe/Runtime/Error.h"
#include "moe/Runtime/ModelInfoReader.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <thread>

namespace moe::run {

using Clock = std::chrono::steady_clock;

static double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

int findTokensInput(const std::vector<moe_tensor_info> &inputs) {
  auto isIds = [](const moe_tensor_info &info) { return info.rank == 2 && info.dtype.code == MOE_INT && info.dtype.bits >= 32; };
  for (size_t i = 0; i < inputs.size(); ++i)
    if (std::strcmp(inputs[i].name, "input_ids") == 0 && isIds(inputs[i]))
      return int(i);
  for (size_t i = 0; i < inputs.size(); ++i)
    if (isIds(inputs[i]))
      return int(i);
  return -1;
}

double percentile(const std::vector<double> &sorted, double fraction) {
  const size_t rank = size_t(std::ceil(fraction * double(sorted.size())));
  return sorted[std::min(sorted.size(), std::max<size_t>(rank, 1)) - 1];
}

/// Adds up a buffer with enough independent chains to keep many loads in flight. The compiler cannot drop it: the sum is used.
static uint64_t sumWords(const uint64_t *words, size_t count) {
  uint64_t sums[8] = {};
  for (size_t i = 0; i + 8 <= count; i += 8)
    for (size_t lane = 0; lane < 8; ++lane)
      sums[lane] += words[i + lane];
  uint64_t sum = 0;
  for (uint64_t lane : sums)
    sum += lane;
  return sum;
}

double measureReadBandwidth(int32_t threads) {
  constexpr size_t words = size_t(32) << 20; // 256 MiB: more than the last cache of nearly all machines.
  constexpr int passes = 5;
  std::unique_ptr<uint64_t[]> buffer(new uint64_t[words]);
  std::atomic<uint64_t> sink{0};
  std::vector<double> times;
  const size_t share = words / size_t(threads) / 8 * 8;
  auto forAll = [&](auto &&work) {
    std::vector<std::thread> team;
    for (int32_t t = 1; t < threads; ++t)
      team.emplace_back(work, t);
    work(0);
    for (std::thread &thread : team)
      thread.join();
  };
  // First touch by the thread that reads, so that the memory is near it.
  forAll([&](int32_t t) { std::fill_n(buffer.get() + size_t(t) * share, share, uint64_t(t)); });
  for (int pass = 0; pass < passes; ++pass) {
    const Clock::time_point start = Clock::now();
    forAll([&](int32_t t) { sink += sumWords(buffer.get() + size_t(t) * share, share); });
    times.push_back(secondsSince(start));
  }
  volatile uint64_t keep = sink;
  (void)keep;
  return double(share * size_t(threads) * 8) / *std::min_element(times.begin(), times.end());
}

uint64_t mappedWeightBytes(const Session &session) {
  uint64_t bytes = 0;
  const auto *blob = static_cast<const unsigned char *>(session.functions().metadata(&bytes));
  runtime::ModelInfo info;
  if (info.read(blob, bytes) != MOE_STATUS_OK)
    throw Failure(runtime::lastError());
  const std::string isa = session.isa();
  for (uint32_t v = 0; v < info.numVersions; ++v) {
    if (isa != info.versions[v].name)
      continue;
    uint64_t sum = 0;
    std::vector<bool> seen(info.numSections);
    for (uint32_t s = 0; s < info.versions[v].numSections; ++s) {
      const uint32_t section = info.versions[v].sections[s];
      sum += seen[section] ? 0 : info.sections[section].bytes;
      seen[section] = true;
    }
    return sum;
  }
  return 0;
}

namespace {

/// Where the ranks of a session meet between runs; one rank alone has no team.
class Meeting {
public:
  explicit Meeting(const Session &session) {
    if (session.ranks() > 1)
      team.emplace();
  }

  /// The slowest rank's `time`, and in `goOn` what rank 0 wants: clocks differ, but the number of runs must not.
  double share(double time, bool &goOn) {
    const Word mine = {time, goOn};
    const std::vector<Word> all = team ? team->gather(mine) : std::vector<Word>{mine};
    goOn = all[0].goOn;
    double slowest = 0;
    for (const Word &word : all)
      slowest = std::max(slowest, word.time);
    return slowest;
  }

private:
  struct Word {
    double time;
    bool goOn;
  };

  std::optional<Team> team;
};

} // namespace

BenchResult bench(Session &session, double seconds) {
  constexpr int64_t leastRuns = 10, mostRuns = 1000000;
  BenchResult result;
  // Warm up: pages of the weights come in, caches fill, the clock rises.
  Meeting meeting(session);
  bool goOn = true;
  Clock::time_point start = Clock::now();
  do {
    session.run();
    ++result.warmupRuns;
    goOn = result.warmupRuns < 3 || secondsSince(start) < std::min(0.5, seconds / 4);
    meeting.share(0, goOn);
  } while (goOn);
  std::vector<double> times;
  start = Clock::now();
  do {
    const Clock::time_point begin = Clock::now();
    session.run();
    const double mine = secondsSince(begin);
    const int64_t runs = int64_t(times.size()) + 1;
    goOn = runs < leastRuns || (secondsSince(start) < seconds && runs < mostRuns);
    times.push_back(meeting.share(mine, goOn));
  } while (goOn);
  for (double time : times)
    result.mean += time / double(times.size());
  std::sort(times.begin(), times.end());
  result.runs = int64_t(times.size());
  result.fastest = times.front();
  result.p50 = percentile(times, 0.5);
  result.p90 = percentile(times, 0.9);
  result.p99 = percentile(times, 0.99);
  if (int input = findTokensInput(session.inputs()); input >= 0) {
    const std::vector<int64_t> &shape = session.inputArrays()[size_t(input)].shape;
    result.tokensInput = session.inputs()[size_t(input)].name;
    result.tokens = shape[0] * shape[1];
  }
  result.weightBytes = mappedWeightBytes(session);
  // Ranks may share a memory or not, and each reads a part of the weights: one number for all would mean nothing.
  if (session.ranks() > 1)
    return result;
  result.readBandwidth = measureReadBandwidth(session.threads());
  if (result.weightBytes)
    result.rooflineShare = double(result.weightBytes) / result.readBandwidth / result.p50;
  return result;
}

} // namespace moe::run
