// mbarriers: phases that end when all arrivals and all announced bytes are there. Copies that a barrier tracks are done when somebody asks for the
// phase, and not before; what they wrote is known to whoever saw the phase end.
#include "MemoryBarriers.h"

#include <algorithm>
#include <cstring>

#define MOE_SIMT_EXPORT __attribute__((visibility("default")))

namespace moe::simt {

namespace {

void endPhaseIfDone(MemoryBarrier &barrier) {
  if (barrier.arrivals != 0 || barrier.bytes != 0)
    return;
  ++barrier.phase;
  barrier.arrivals = barrier.expected;
  barrier.released = barrier.gathered;
  barrier.gathered = nullptr;
  ++execution->report->collectives;
  for (Thread *waiter : barrier.waiters)
    makeReady(*waiter);
  barrier.waiters.clear();
}

void finishCopy(MemoryBarrier &barrier, const TrackedCopy &copy) {
  for (const TrackedCopy::Piece &piece : copy.pieces) {
    if (piece.source)
      std::memcpy(piece.destination, piece.source, piece.size);
    else
      std::memset(piece.destination, 0, piece.size);
    recordArrival(*copy.issuer, copy.clock, piece.destination, piece.size, copy.isBulk, copy.site);
  }
  barrier.gathered = joined(barrier.gathered, copy.known);
  barrier.bytes -= static_cast<int64_t>(copy.bytes);
  endPhaseIfDone(barrier);
}

void finishCopies(MemoryBarrier &barrier) {
  while (!barrier.copies.empty()) {
    // Copies end in any order.
    const size_t which = options().seed ? nextRandom() % barrier.copies.size() : 0;
    const TrackedCopy copy = std::move(barrier.copies[which]);
    barrier.copies.erase(barrier.copies.begin() + static_cast<ptrdiff_t>(which));
    finishCopy(barrier, copy);
  }
}

void arrive(Thread &thread, MemoryBarrier &barrier, uint32_t count, const char *site) {
  if (barrier.arrivals < count)
    fault(site, "arrives " + std::to_string(count) + " times at an mbarrier that expects " + std::to_string(barrier.arrivals) + " more in this phase");
  barrier.arrivals -= count;
  if (options().races)
    barrier.gathered = joined(barrier.gathered, snapshot(thread));
}

} // namespace

MemoryBarrier &memoryBarrierAt(void *address, const char *site) {
  Thread &thread = self();
  checkAccess(address, 8, 8, simtAtomic, 3, site, /*counts=*/false);
  auto found = thread.block->memoryBarriers.find(static_cast<char *>(address));
  if (found == thread.block->memoryBarriers.end())
    fault(site, "no mbarrier was initialised at byte " + std::to_string(static_cast<char *>(address) - thread.block->shared) + " of shared memory");
  return found->second;
}

void track(MemoryBarrier &barrier, TrackedCopy copy) {
  Thread &thread = self();
  copy.issuer = &thread;
  copy.clock = thread.clock;
  if (options().races)
    copy.known = snapshot(thread);
  const bool isAwaited = !barrier.waiters.empty();
  barrier.copies.push_back(std::move(copy));
  if (isAwaited)
    finishCopies(barrier);
}

} // namespace moe::simt

using namespace moe::simt;

extern "C" {

MOE_SIMT_EXPORT void simt_mbarrier_init(void *address, uint32_t count, const char *site) {
  Thread &thread = self();
  checkAccess(address, 8, 8, simtWrite, 3, site, /*counts=*/false);
  if (count == 0 || count >= 1 << 20)
    fault(site, "expected an mbarrier for 1 to 1048575 arrivals, found " + std::to_string(count));
  MemoryBarrier &barrier = thread.block->memoryBarriers[static_cast<char *>(address)];
  if (!barrier.waiters.empty() || !barrier.copies.empty())
    fault(site, "initialises an mbarrier that is in use");
  barrier = MemoryBarrier();
  barrier.expected = count;
  barrier.arrivals = count;
}

MOE_SIMT_EXPORT void simt_mbarrier_invalidate(void *address, const char *site) {
  MemoryBarrier &barrier = memoryBarrierAt(address, site);
  if (!barrier.waiters.empty() || !barrier.copies.empty())
    fault(site, "invalidates an mbarrier that is in use");
  self().block->memoryBarriers.erase(static_cast<char *>(address));
}

MOE_SIMT_EXPORT uint64_t simt_mbarrier_arrive(void *address, uint32_t count, uint32_t bytes, const char *site) {
  MemoryBarrier &barrier = memoryBarrierAt(address, site);
  const uint64_t phase = barrier.phase;
  barrier.bytes += bytes;
  if (barrier.bytes >= 1 << 20)
    fault(site, "announces more than 1048575 bytes at an mbarrier: " + std::to_string(barrier.bytes));
  if (count) {
    arrive(self(), barrier, count, site);
    endPhaseIfDone(barrier);
  }
  return phase;
}

MOE_SIMT_EXPORT void simt_mbarrier_arrive_copies(void *address, uint32_t noIncrement, const char *site) {
  Thread &thread = self();
  MemoryBarrier &barrier = memoryBarrierAt(address, site);
  if (!noIncrement)
    ++barrier.arrivals;
  // The copies become the barrier's; the arrival is one that is made when they are done. It stands for them now, with no bytes of its own.
  TrackedCopy copy;
  copy.issuer = &thread;
  copy.site = site;
  copy.bytes = 0;
  copy.isBulk = false;
  for (const AsyncCopy &one : thread.copies) {
    if (one.sourceSize)
      copy.pieces.push_back({one.destination, one.source, one.sourceSize});
    if (one.sourceSize < one.size)
      copy.pieces.push_back({one.destination + one.sourceSize, nullptr, one.size - one.sourceSize});
  }
  thread.copies.clear();
  if (barrier.arrivals < 1)
    fault(site, "arrives at an mbarrier that expects no more in this phase");
  --barrier.arrivals;
  ++barrier.bytes; // The phase lasts until the copies are done.
  copy.bytes = 1;
  track(barrier, std::move(copy));
}

MOE_SIMT_EXPORT uint32_t simt_mbarrier_wait(void *address, uint64_t token, uint32_t isParity, uint32_t kind, const char *site) {
  Thread &thread = self();
  for (;;) {
    MemoryBarrier &barrier = memoryBarrierAt(address, site);
    // Now and then one looks before the copies have come.
    if (options().seed == 0 || kind == 2 || nextRandom() % 4 != 0)
      finishCopies(barrier);
    if (isParity ? (barrier.phase & 1) != (token & 1) : barrier.phase > token) {
      acquire(thread, barrier.released);
      return 1;
    }
    if (kind == 0) {
      spin(site);
      return 0;
    }
    if (!barrier.copies.empty()) // looked too early
      return 0;
    thread.request = Request();
    thread.request.kind = Kind::MemoryBarrier;
    thread.request.site = site;
    barrier.waiters.push_back(&thread);
    wait();
  }
}

MOE_SIMT_EXPORT void simt_fence_proxy() {
  Thread &thread = self();
  thread.proxyKnown = thread.known;
  thread.proxyFence = thread.clock++;
}

} // extern "C"
