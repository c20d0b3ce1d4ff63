//===- Barrier.h - where the threads of a run meet --------------*- C++ -*-===//
// Generated code meets at moe_rt_barrier many times per layer: a meeting must cost a fraction of a microsecond when all threads have a CPU,
// and must not burn a time slice when they do not.
#ifndef MOE_RUNTIME_BARRIER_H
#define MOE_RUNTIME_BARRIER_H

#include <atomic>
#include <stdint.h>

namespace moe::runtime {

/// A barrier for a fixed number of threads, usable any number of times. What a thread wrote before wait() is visible to all after it. The
/// generation is the sense: it changes when the last thread arrives. Its members lie on cache lines of their own.
class Barrier {
public:
  /// `threads` is at least 1. A thread that waits spins `spins` rounds of pause before it sleeps.
  Barrier(uint32_t threads, uint32_t spins) : threads(threads), spins(spins) {}

  /// Returns when all threads have called it.
  void wait();

private:
  alignas(64) std::atomic<uint32_t> arrived{0};
  alignas(64) std::atomic<uint32_t> generation{0};
  std::atomic<uint32_t> sleepers{0};
  alignas(64) const uint32_t threads;
  const uint32_t spins;
};

} // namespace moe::runtime

#endif // MOE_RUNTIME_BARRIER_H
