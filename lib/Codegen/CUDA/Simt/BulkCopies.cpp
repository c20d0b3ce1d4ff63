// cp.async.bulk and cp.async.bulk.tensor. A load becomes pieces for an mbarrier; a store is done when its group is waited for.
#include "MemoryBarriers.h"
#include "TensorMap.h"

#include <algorithm>
#include <cstring>

#define MOE_SIMT_EXPORT __attribute__((visibility("default")))

using namespace moe::simt;

namespace {

void checkSixteen(const void *destination, const void *source, uint64_t size, const char *site) {
  const auto bits = reinterpret_cast<uintptr_t>(destination) | reinterpret_cast<uintptr_t>(source) | size;
  if (bits % 16 != 0)
    fault(site, "expected addresses and a size that are multiples of 16, found " + text(destination) + ", " + text(source) + " and " +
                    std::to_string(size) + ": misaligned");
}

void announce(TrackedCopy &copy, char *destination, const char *source, uint32_t size, const char *site) {
  if (!isShared(*self().block, destination, size))
    checkAccess(destination, size, 1, simtWrite, 3, site, /*counts=*/false);
  recordPending(self(), destination, size, site);
  if (options().poison)
    std::memset(destination, 0xFF, size);
  copy.pieces.push_back({destination, source, size});
}

const TensorMap &mapAt(const void *address, uint32_t rank, const char *site) {
  const auto *map = static_cast<const TensorMap *>(address);
  if (map->magic != tensorMapMagic)
    fault(site, "expected a tensor map made by cuTensorMapEncodeTiled at " + text(address) + ", found other bytes");
  if (map->rank != rank)
    fault(site, "expected " + std::to_string(map->rank) + " coordinates, as the tensor map has dims, found " + std::to_string(rank));
  return *map;
}

/// Calls visit(place in the box in bytes, address in the tensor or null, bytes) for runs of at most 16 bytes.
template <typename Visit> void forEachRun(const TensorMap &map, const int32_t *coordinates, const Visit &visit) {
  const uint32_t runElements = 16 / map.elementBytes;
  uint64_t rows = 1;
  for (uint32_t d = 1; d < map.rank; ++d)
    rows *= map.box[d];
  for (uint64_t row = 0; row < rows; ++row) {
    uint64_t rest = row, offset = 0;
    bool inside = true;
    for (uint32_t d = 1; d < map.rank; ++d) {
      const int64_t index = coordinates[d] + static_cast<int64_t>(rest % map.box[d]);
      rest /= map.box[d];
      inside &= index >= 0 && index < static_cast<int64_t>(map.sizes[d]);
      offset += static_cast<uint64_t>(index) * map.strides[d - 1];
    }
    for (uint32_t first = 0; first < map.box[0]; first += runElements) {
      const uint64_t place = (row * map.box[0] + first) * map.elementBytes;
      const int64_t column = coordinates[0] + static_cast<int64_t>(first);
      int64_t here = 0;
      if (inside && column >= 0 && column < static_cast<int64_t>(map.sizes[0]))
        here = std::min<int64_t>(runElements, static_cast<int64_t>(map.sizes[0]) - column);
      visit(place, reinterpret_cast<char *>(map.address + offset + static_cast<uint64_t>(column) * map.elementBytes), here * map.elementBytes);
    }
  }
}

/// Where the box's byte `place` lies: swizzled by its address.
char *placeInShared(void *start, uint64_t place, const TensorMap &map) {
  return reinterpret_cast<char *>(swizzled(reinterpret_cast<uintptr_t>(start) + place, map.swizzle));
}

void checkStart(const void *start, const TensorMap &map, const char *site) {
  const uint32_t needed = map.swizzle == 0 ? 128 : map.swizzle * 8;
  if (reinterpret_cast<uintptr_t>(start) % needed != 0)
    fault(site, "expected shared memory at a multiple of " + std::to_string(needed) + " for this tensor map, found " + text(start) + ": misaligned");
}

uint64_t boxBytes(const TensorMap &map) {
  uint64_t bytes = map.elementBytes;
  for (uint32_t d = 0; d < map.rank; ++d)
    bytes *= map.box[d];
  return bytes;
}

void store(char *destination, const char *source, uint32_t size, const char *site) {
  Thread &thread = self();
  checkAccess(destination, size, 1, simtWrite, 1, site, /*counts=*/false);
  if (!isShared(*thread.block, source, size))
    checkAccess(const_cast<char *>(source), size, 1, simtRead, 3, site, /*counts=*/false);
  recordProxyRead(thread, source, size, site);
  thread.stores.push_back({destination, source, size, size, thread.storeGroup, site});
}

} // namespace

extern "C" {

MOE_SIMT_EXPORT void simt_bulk_load(void *destination, const void *source, void *address, uint32_t size, const char *site) {
  MemoryBarrier &barrier = memoryBarrierAt(address, site);
  checkSixteen(destination, source, size, site);
  checkAccess(const_cast<void *>(source), size, 16, simtRead, 1, site, /*counts=*/false);
  TrackedCopy copy;
  copy.site = site;
  copy.bytes = size;
  announce(copy, static_cast<char *>(destination), static_cast<const char *>(source), size, site);
  track(barrier, std::move(copy));
}

MOE_SIMT_EXPORT void simt_bulk_store(void *destination, const void *source, uint32_t size, const char *site) {
  checkSixteen(destination, source, size, site);
  store(static_cast<char *>(destination), static_cast<const char *>(source), size, site);
}

MOE_SIMT_EXPORT void simt_bulk_commit() { ++self().storeGroup; }

MOE_SIMT_EXPORT void simt_bulk_wait(uint32_t pending, uint32_t) {
  Thread &thread = self();
  while (!thread.stores.empty() && thread.stores.front().group + pending < thread.storeGroup) {
    const AsyncCopy &copy = thread.stores.front();
    std::memcpy(copy.destination, copy.source, copy.size);
    thread.stores.pop_front();
  }
}

MOE_SIMT_EXPORT void simt_tensor_load(void *destination, const void *address, void *barrierAddress, const int32_t *coordinates, uint32_t rank,
                                      const char *site) {
  MemoryBarrier &barrier = memoryBarrierAt(barrierAddress, site);
  const TensorMap &map = mapAt(address, rank, site);
  checkStart(destination, map, site);
  TrackedCopy copy;
  copy.site = site;
  copy.bytes = boxBytes(map);
  forEachRun(map, coordinates, [&](uint64_t place, char *source, int64_t bytes) {
    const auto whole = static_cast<int64_t>(std::min<uint64_t>(16, boxBytes(map) - place));
    char *target = placeInShared(destination, place, map);
    if (bytes > 0) {
      checkAccess(source, static_cast<uint64_t>(bytes), 1, simtRead, 1, site, /*counts=*/false);
      announce(copy, target, source, static_cast<uint32_t>(bytes), site);
    }
    if (bytes < whole) // Outside of the tensor there are zeros.
      announce(copy, target + bytes, nullptr, static_cast<uint32_t>(whole - bytes), site);
  });
  track(barrier, std::move(copy));
}

MOE_SIMT_EXPORT void simt_tensor_store(const void *address, const void *source, const int32_t *coordinates, uint32_t rank, const char *site) {
  const TensorMap &map = mapAt(address, rank, site);
  checkStart(source, map, site);
  forEachRun(map, coordinates, [&](uint64_t place, char *target, int64_t bytes) {
    if (bytes > 0)
      store(target, placeInShared(const_cast<void *>(source), place, map), static_cast<uint32_t>(bytes), site);
  });
}

} // extern "C"
