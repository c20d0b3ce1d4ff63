//===- Barrier.h - where the threads of a run meet --------------*- C++ -*-===//
// Generated code meets at moe_rt_barrier many times per layer: a meeting must cost a fraction of a microsecond when all threads have a CPU,
// and must not burn a time slice when they do not.
#ifndef MOE_RUNTIME_BARRIER_H
#define MOE_RUNTIME_BARRIER_H

#include <atomic>
#include <stdint.h>

namespace moe::runtime {

/// How many rounds of pause, and then of yield, are worth waiting awake. Where all threads have a CPU it stays at the most; where others compete for the CPUs, a thread
/// that spins keeps away the one it waits for, and the limit falls until they sleep at once. Shared by threads; only a guess, so unordered.
class SpinLimit {
public:
  explicit SpinLimit(uint32_t most) : most(most), current(most) {}

  uint32_t rounds() const { return current.load(std::memory_order_relaxed); }

  /// Whether a wait ended, or would have ended, within the most rounds.
  void learn(bool worthIt) {
    const uint32_t now = rounds();
    if (worthIt && now < most)
      current.store(now + now / 8 < most ? now + now / 8 : most, std::memory_order_relaxed);
    else if (!worthIt && now / 4 >= least)
      current.store(now / 4, std::memory_order_relaxed);
  }

private:
  static constexpr uint32_t least = 32;
  const uint32_t most;
  std::atomic<uint32_t> current;
};

/// A barrier for a fixed number of threads, usable any number of times. What a thread wrote before wait() is visible to all after it. The
/// generation is the sense: it changes when the last thread arrives. Its members lie on cache lines of their own. The layout is part of what
/// the models of a process share, see ThreadPool.cpp.
class Barrier {
public:
  /// `threads` is at least 1.
  Barrier(uint32_t threads, SpinLimit &spins) : threads(threads), spins(spins) {}

  /// Returns when all threads have called it.
  void wait();

private:
  alignas(64) std::atomic<uint32_t> arrived{0};
  alignas(64) std::atomic<uint32_t> generation{0};
  std::atomic<uint32_t> sleepers{0};
  alignas(64) const uint32_t threads;
  SpinLimit &spins;
};

} // namespace moe::runtime

#endif // MOE_RUNTIME_BARRIER_H
