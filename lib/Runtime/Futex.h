//===- Futex.h - spin first, then sleep in the kernel -----------*- C++ -*-===//
// The two waits of the runtime (barrier, thread pool) spin a bounded number of rounds and then sleep on a futex, so that an idle or
// oversubscribed process burns no CPU. Linux only.
#ifndef MOE_LIB_RUNTIME_FUTEX_H
#define MOE_LIB_RUNTIME_FUTEX_H

#include "moe/Runtime/Barrier.h"

#include <atomic>
#include <limits.h>
#include <linux/futex.h>
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

/// Returns when `ready` answers true: asks it as often as `limit` allows, then calls `sleep`, which returns when it is so. Tells `limit` whether
/// more spinning would have been worth it.
template <typename Ready, typename Sleep> void spinThenSleep(SpinLimit &limit, Ready ready, Sleep sleep) {
  for (uint32_t round = 0, rounds = limit.rounds(); round < rounds; ++round) {
    if (ready())
      return limit.learn(true);
    pauseCpu();
  }
  timespec before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  sleep();
  clock_gettime(CLOCK_MONOTONIC, &after);
  const int64_t slept = (after.tv_sec - before.tv_sec) * int64_t(1000000000) + after.tv_nsec - before.tv_nsec;
  // About what the most rounds take, with the waking.
  constexpr int64_t worthSpinning = 300000;
  limit.learn(slept < worthSpinning);
}

} // namespace moe::runtime

#endif // MOE_LIB_RUNTIME_FUTEX_H
