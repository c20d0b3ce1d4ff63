//===- Futex.h - spin first, then yield, then sleep in the kernel ------*- C++ -*-===//
// The waits of the runtime (barrier, thread pool) spin for some microseconds, then offer their CPU to others, and then sleep on a futex, so that
// an idle process burns no CPU, and one on a busy machine does not keep the thread that it waits for from running. Linux only.
#ifndef MOE_LIB_RUNTIME_FUTEX_H
#define MOE_LIB_RUNTIME_FUTEX_H

#include "moe/Runtime/Barrier.h"

#include <atomic>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace moe::runtime {

using Word = std::atomic<uint32_t>;
static_assert(sizeof(Word) == 4 && Word::is_always_lock_free, "the kernel compares these four bytes");

/// Sleeps while `word` is `value`; may also return early.
inline void futexWait(Word &word, uint32_t value) {
  syscall(SYS_futex, reinterpret_cast<uint32_t *>(&word), FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

/// Wakes all that sleep on `word`.
inline void futexWakeAll(Word &word) {
  syscall(SYS_futex, reinterpret_cast<uint32_t *>(&word), FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

/// Tells the CPU that this is a spin loop.
inline void pauseCpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// Nanoseconds of a clock that only goes forward.
inline int64_t nanoseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * int64_t(1000000000) + now.tv_nsec;
}

/// Waits awake until `ready` answers true, or as long as `limit` allows: rounds of pause, then as many of yield. A yield costs less than a
/// microsecond where nobody else wants this CPU; one that takes longer says that somebody does, and then waiting awake is over. Answers whether
/// `ready` did.
template <typename Ready> bool waitAwake(SpinLimit &limit, Ready ready) {
  constexpr int64_t quickYield = 10000;
  const uint32_t rounds = limit.rounds();
  for (uint32_t round = 0; round < rounds; ++round) {
    if (ready())
      return true;
    pauseCpu();
  }
  int64_t before = nanoseconds();
  for (uint32_t round = 0; round < rounds; ++round) {
    sched_yield();
    if (ready())
      return true;
    const int64_t after = nanoseconds();
    if (after - before > quickYield)
      return false;
    before = after;
  }
  return ready();
}

/// Returns when `ready` answers true: waits awake, then calls `sleep`, which returns when it is so. Tells `limit` whether waiting awake for longer
/// would have been worth it.
template <typename Ready, typename Sleep> void waitThenSleep(SpinLimit &limit, Ready ready, Sleep sleep) {
  if (waitAwake(limit, ready))
    return limit.learn(true);
  const int64_t before = nanoseconds();
  sleep();
  // About what the most rounds take, with the waking.
  constexpr int64_t worthWaiting = 200000;
  limit.learn(nanoseconds() - before < worthWaiting);
}

} // namespace moe::runtime

#endif // MOE_LIB_RUNTIME_FUTEX_H
