// The barrier of generated code: a central counter, a generation that all watch, and a futex for those who watched too long.
#include "moe/Runtime/Barrier.h"
#include "Futex.h"
#include "moe/Runtime/Kernel.h"

namespace moe::runtime {

void Barrier::wait() {
  if (threads == 1)
    return;
  // This thread has not arrived yet, so the generation cannot change before the addition below.
  const uint32_t mine = generation.load(std::memory_order_relaxed);
  if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == threads) {
    arrived.store(0, std::memory_order_relaxed);
    // Sequential consistency orders this store before the load of `sleepers`; a sleeper counts itself before the kernel compares the
    // generation. So either it is seen here, or it sees the new generation.
    generation.store(mine + 1, std::memory_order_seq_cst);
    if (sleepers.load(std::memory_order_seq_cst) != 0)
      futexWakeAll(generation);
    return;
  }
  waitThenSleep(
      spins, [&] { return generation.load(std::memory_order_acquire) != mine; },
      [&] {
        sleepers.fetch_add(1, std::memory_order_seq_cst);
        while (generation.load(std::memory_order_seq_cst) == mine)
          futexWait(generation, mine);
        sleepers.fetch_sub(1, std::memory_order_relaxed);
      });
}

} // namespace moe::runtime

void moe_rt_barrier(void *barrier) { static_cast<moe::runtime::Barrier *>(barrier)->wait(); }
