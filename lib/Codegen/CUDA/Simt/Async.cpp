// cp.async: the bytes arrive when they are waited for, and not before. Until then the destination holds NaNs and may not be touched.
#include "State.h"

#include <cstring>

#define MOE_SIMT_EXPORT __attribute__((visibility("default")))

using namespace moe::simt;

namespace {

void finishCopy(Thread &thread, const AsyncCopy &copy) {
  std::memcpy(copy.destination, copy.source, copy.sourceSize);
  std::memset(copy.destination + copy.sourceSize, 0, copy.size - copy.sourceSize);
  recordArrival(thread, thread.clock, copy.destination, copy.size, /*isBulk=*/false, copy.site);
}

} // namespace

extern "C" {

MOE_SIMT_EXPORT void simt_cp_async(void *destination, const void *source, uint32_t size, uint32_t sourceSize, const char *site) {
  Thread &thread = self();
  if (sourceSize > size)
    fault(site, "expected at most " + std::to_string(size) + " bytes of source, found " + std::to_string(sourceSize));
  if (reinterpret_cast<uintptr_t>(source) % size != 0)
    fault(site, "cp.async reads at " + text(source) + ", expected an address that is a multiple of " + std::to_string(size) + ": misaligned");
  if (sourceSize)
    checkAccess(const_cast<void *>(source), sourceSize, 1, simtRead, 1, site, /*counts=*/true);
  if (!isShared(*thread.block, destination, size) || reinterpret_cast<uintptr_t>(destination) % size != 0)
    checkAccess(destination, size, size, simtWrite, 3, site, /*counts=*/false);
  recordPending(thread, destination, size, site);
  if (options().poison)
    std::memset(destination, 0xFF, size);
  thread.copies.push_back({static_cast<char *>(destination), static_cast<const char *>(source), size, sourceSize, thread.group, site});
}

MOE_SIMT_EXPORT void simt_cp_async_commit() { ++self().group; }

MOE_SIMT_EXPORT void simt_cp_async_wait(uint32_t pending) {
  Thread &thread = self();
  while (!thread.copies.empty() && thread.copies.front().group + pending < thread.group) {
    finishCopy(thread, thread.copies.front());
    thread.copies.pop_front();
  }
}

} // extern "C"
