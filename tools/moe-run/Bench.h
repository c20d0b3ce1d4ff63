//===- Bench.h - how fast a model runs --------------------------*- C++ -*-===//
#ifndef MOE_RUN_BENCH_H
#define MOE_RUN_BENCH_H

#include "Session.h"

namespace moe::run {

/// Times in seconds.
struct BenchResult {
  int64_t warmupRuns = 0, runs = 0;
  double mean = 0, p50 = 0, p90 = 0, p99 = 0, fastest = 0;
  std::string tokensInput;   ///< The input whose [batch, seq] are counted as tokens; empty if there is none.
  int64_t tokens = 0;        ///< Per run.
  uint64_t weightBytes = 0;  ///< Of the sections that the version in use maps.
  double readBandwidth = 0;  ///< Bytes per second that as many threads read from memory.
  double rooflineShare = 0;  ///< weightBytes / readBandwidth, divided by p50; 0 without weights.
};

/// Runs what is bound to the session, first to warm up, then for `seconds` and at least 10 times. On several ranks all must call it; rank 0's clock
/// decides how many runs there are, a run takes as long as on the slowest rank, and the bandwidth is not measured.
BenchResult bench(Session &session, double seconds);

/// Bytes per second that `threads` threads read together from a buffer larger than the caches; the best of a few passes.
double measureReadBandwidth(int32_t threads);

/// The input that looks like token ids: "input_ids", else the first integer input of rank 2; -1 if there is none.
int findTokensInput(const std::vector<moe_tensor_info> &inputs);

/// The value that a share `fraction` of sorted `times` does not exceed (nearest rank).
double percentile(const std::vector<double> &sorted, double fraction);

/// Bytes of the weight sections that the session's version reads.
uint64_t mappedWeightBytes(const Session &session);

} // namespace moe::run

#endif // MOE_RUN_BENCH_H
