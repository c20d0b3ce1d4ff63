// Memory: allocations and modules' variables, what an access may do, and how well warps use banks and sectors.
#include "State.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#define MOE_SIMT_EXPORT __attribute__((visibility("default")))

namespace moe::simt {

namespace {

struct Allocation {
  size_t size;
  std::string name;
  bool isVariable;
};

std::map<uintptr_t, Allocation> &allocations() {
  static std::map<uintptr_t, Allocation> all;
  return all;
}

std::vector<const SimtModule *> &modules() {
  static std::vector<const SimtModule *> all;
  return all;
}

uintptr_t number(const void *address) { return reinterpret_cast<uintptr_t>(address); }

const char *verb(uint32_t access) { return access == simtAtomic ? "changes" : access == simtWrite || access == simtAtomicWrite ? "writes" : "reads"; }

/// The stack of a thread of the running blocks that holds the address.
bool isOwnStack(const Thread &thread, const void *address, uint64_t size) {
  const auto *bytes = static_cast<const char *>(address);
  constexpr uint64_t stackBytes = 256 << 10;
  return bytes >= thread.stack && bytes + size <= thread.stack + stackBytes;
}

/// A cache of the last allocation that was found: accesses come in runs.
struct Found {
  uintptr_t start = 1, end = 0;
};
Found lastFound;

void checkBounds(Thread &thread, void *address, uint64_t size, uint32_t access, uint32_t space, const char *site) {
  const bool shared = isShared(*thread.block, address, size);
  if (space == 3) {
    if (shared)
      return;
    const int64_t offset = static_cast<int64_t>(number(address) - number(thread.block->shared));
    fault(site, std::string(verb(access)) + " " + std::to_string(size) + " bytes at offset " + std::to_string(offset) +
                    " of shared memory; the block has " + std::to_string(execution->sharedBytes) + " bytes");
  }
  if (space == 0 && (shared || isOwnStack(thread, address, size)))
    return;
  const uintptr_t start = number(address);
  if (start >= lastFound.start && start + size <= lastFound.end)
    return;
  std::string why;
  if (!isGlobal(address, size, why))
    fault(site, std::string(verb(access)) + " " + std::to_string(size) + " bytes out of bounds at " + text(address) + ": " + why);
}

/// Bank conflicts of one request: each phase serves as many lanes as 128 bytes hold; a pass serves one word of each bank.
void countShared(SiteCounter &counter, const Gathering &gathering) {
  const uint32_t lanesOfPhase = std::max<uint32_t>(1, warpSize / std::max<uint32_t>(1, gathering.size / 4));
  for (uint32_t first = 0; first < warpSize; first += lanesOfPhase) {
    std::vector<uintptr_t> words;
    for (uint32_t lane = first; lane < first + lanesOfPhase; ++lane)
      if (gathering.mask >> lane & 1)
        for (uintptr_t word = gathering.addresses[lane] / 4; word <= (gathering.addresses[lane] + gathering.size - 1) / 4; ++word)
          words.push_back(word);
    if (words.empty())
      continue;
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    uint32_t banks[32] = {};
    for (uintptr_t word : words)
      ++banks[word % 32];
    counter.passes += *std::max_element(banks, banks + 32);
    ++counter.idealPasses;
  }
}

void countGlobal(SiteCounter &counter, const Gathering &gathering) {
  std::vector<uintptr_t> sectors;
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    if (gathering.mask >> lane & 1)
      for (uintptr_t sector = gathering.addresses[lane] / 32; sector <= (gathering.addresses[lane] + gathering.size - 1) / 32; ++sector)
        sectors.push_back(sector);
  std::sort(sectors.begin(), sectors.end());
  counter.sectors += std::unique(sectors.begin(), sectors.end()) - sectors.begin();
}

SiteCounter &counterOf(const char *site) {
  SiteCounter &counter = execution->counters[site];
  counter.site = site;
  return counter;
}

void finishRequest(const Warp &warp, const char *site, Gathering &gathering) {
  if (gathering.mask == 0)
    return;
  SiteCounter &counter = counterOf(site);
  ++counter.requests;
  const auto lane = static_cast<uint32_t>(__builtin_ctz(gathering.mask));
  if (isShared(*warp.block, reinterpret_cast<const void *>(gathering.addresses[lane]), 1))
    countShared(counter, gathering);
  else
    countGlobal(counter, gathering);
  gathering.mask = 0;
}

/// Lanes of a warp reach an operation one after the other; when one comes again, the others' turn is over.
void count(Thread &thread, void *address, uint64_t size, const char *site) {
  Gathering &gathering = execution->gatherings[{thread.warp, site}];
  if (gathering.mask >> thread.lane & 1)
    finishRequest(*thread.warp, site, gathering);
  gathering.size = static_cast<uint32_t>(size);
  gathering.mask |= 1u << thread.lane;
  gathering.addresses[thread.lane] = number(address);
  if (gathering.mask == thread.warp->live)
    finishRequest(*thread.warp, site, gathering);
}

/// The memory model of C++ for atomics and fences: a release is what an acquire of the same address knows afterwards.
void orderAtomic(Thread &thread, void *address, uint32_t access) {
  const bool writes = (access & 7) == simtAtomic || (access & 7) == simtAtomicWrite;
  const bool reads = (access & 7) != simtAtomicWrite;
  auto found = execution->released.find(number(address));
  if (reads && found != execution->released.end()) {
    if (access & simtAcquire)
      acquire(thread, found->second);
    else
      thread.pending = joined(thread.pending, found->second);
  }
  if (!writes)
    return;
  KnowledgePtr told = access & simtRelease ? snapshot(thread) : thread.fenced;
  // A write of its own ends the chain, a read-modify-write goes on with it.
  if ((access & 7) == simtAtomic && found != execution->released.end())
    told = joined(told, found->second);
  if (told)
    execution->released[number(address)] = told;
  else
    execution->released.erase(number(address));
}

} // namespace

bool isShared(const Block &block, const void *address, uint64_t size) {
  const auto *bytes = static_cast<const char *>(address);
  return bytes >= block.shared && size <= execution->sharedBytes && bytes + size <= block.shared + execution->sharedBytes;
}

void checkAccess(void *address, uint64_t size, uint32_t alignment, uint32_t access, uint32_t space, const char *site, bool counts) {
  Thread &thread = self();
  const uint32_t what = access & 7;
  checkBounds(thread, address, size, what, space, site);
  if (alignment > 1 && number(address) % alignment != 0)
    fault(site, std::string(verb(what)) + " " + std::to_string(size) + " bytes at " + text(address) + ", expected an address that is a multiple of " +
                    std::to_string(alignment) + ": misaligned");
  if (isOwnStack(thread, address, size))
    return;
  recordAccess(thread, address, size, what, site);
  if (counts && options().counters)
    count(thread, address, size, site);
}

void countRows(const char *site, const uintptr_t *rows, uint32_t rowCount) {
  if (!options().counters)
    return;
  Gathering gathering;
  gathering.size = 16;
  gathering.mask = rowCount >= 32 ? 0xFFFFFFFF : (1u << rowCount) - 1;
  std::copy(rows, rows + rowCount, gathering.addresses);
  SiteCounter &counter = counterOf(site);
  ++counter.requests;
  countShared(counter, gathering);
}

void finishCounters(const Block &block) {
  auto &all = execution->gatherings;
  for (auto entry = all.begin(); entry != all.end();) {
    if (entry->first.first->block != &block) {
      ++entry;
      continue;
    }
    finishRequest(*entry->first.first, entry->first.second, entry->second);
    entry = all.erase(entry);
  }
}

void reportCounters() {
  for (const auto &[site, counter] : execution->counters)
    execution->report->counters.push_back(counter);
  // In the order of the source, as far as the text says it.
  std::sort(execution->report->counters.begin(), execution->report->counters.end(),
            [](const SiteCounter &a, const SiteCounter &b) { return a.site < b.site; });
}

MOE_SIMT_EXPORT void *allocate(size_t bytes, const std::string &name) {
  const size_t whole = (std::max<size_t>(bytes, 1) + 255) / 256 * 256;
  void *memory = std::aligned_alloc(256, whole);
  if (!memory)
    return nullptr;
  const uint32_t poison = 0xFFC1FFC1;
  for (size_t i = 0; i + sizeof(poison) <= whole; i += sizeof(poison))
    std::memcpy(static_cast<char *>(memory) + i, &poison, sizeof(poison));
  allocations()[number(memory)] = {bytes, name, false};
  return memory;
}

MOE_SIMT_EXPORT bool release(void *address) {
  auto found = allocations().find(number(address));
  if (found == allocations().end() || found->second.isVariable)
    return false;
  allocations().erase(found);
  lastFound = Found();
  std::free(address);
  return true;
}

MOE_SIMT_EXPORT bool isGlobal(const void *address, size_t bytes, std::string &why) {
  const uintptr_t start = number(address);
  auto after = allocations().upper_bound(start);
  if (after == allocations().begin()) {
    why = "no allocation is there";
    return false;
  }
  const auto &[base, allocation] = *std::prev(after);
  if (start - base <= allocation.size && bytes <= allocation.size - (start - base)) {
    lastFound = {base, base + allocation.size};
    return true;
  }
  why = "the nearest allocation below is " + allocation.name + " of " + std::to_string(allocation.size) + " bytes, the access begins at its byte " +
        std::to_string(start - base);
  return false;
}

MOE_SIMT_EXPORT const SimtKernel *findKernel(const std::string &name) {
  for (auto module = modules().rbegin(); module != modules().rend(); ++module)
    for (uint64_t i = 0; i < (*module)->kernelCount; ++i)
      if (name == (*module)->kernels[i].name)
        return &(*module)->kernels[i];
  return nullptr;
}

MOE_SIMT_EXPORT std::vector<std::string> kernelNames() {
  std::vector<std::string> names;
  for (const SimtModule *module : modules())
    for (uint64_t i = 0; i < module->kernelCount; ++i)
      names.push_back(module->kernels[i].name);
  return names;
}

} // namespace moe::simt

using namespace moe::simt;

extern "C" {

MOE_SIMT_EXPORT void moe_simt_register(const SimtModule *module) {
  if (module->version != simtAbiVersion)
    return; // Its kernels are not found then.
  modules().push_back(module);
  for (uint64_t i = 0; i < module->globalCount; ++i)
    allocations()[number(module->globals[i].address)] = {module->globals[i].size, module->globals[i].name, true};
}

MOE_SIMT_EXPORT uint32_t simt_register(uint32_t which) {
  const Thread &thread = self();
  const Launch &launch = *execution->launch;
  const uint32_t bit = 1u << thread.lane;
  switch (static_cast<SimtRegister>(which)) {
  case simtTidX: case simtTidY: case simtTidZ:
    return thread.id[which - simtTidX];
  case simtNtidX: case simtNtidY: case simtNtidZ:
    return launch.block[which - simtNtidX];
  case simtCtaidX: case simtCtaidY: case simtCtaidZ:
    return thread.block->id[which - simtCtaidX];
  case simtNctaidX: case simtNctaidY: case simtNctaidZ:
    return launch.grid[which - simtNctaidX];
  case simtLaneId:
    return thread.lane;
  case simtWarpSize:
    return warpSize;
  case simtWarpId:
    return thread.index / warpSize;
  case simtNwarpId:
    return static_cast<uint32_t>(thread.block->warps.size());
  case simtSmId:
    return thread.block->number % 132;
  case simtNsmId:
    return 132;
  case simtLaneMaskEq:
    return bit;
  case simtLaneMaskLe:
    return bit | (bit - 1);
  case simtLaneMaskLt:
    return bit - 1;
  case simtLaneMaskGe:
    return ~(bit - 1);
  case simtLaneMaskGt:
    return ~(bit | (bit - 1));
  case simtTotalShared:
    return static_cast<uint32_t>(execution->sharedBytes);
  case simtDynamicShared:
    return static_cast<uint32_t>(launch.dynamicShared);
  }
  return 0;
}

MOE_SIMT_EXPORT char *simt_shared(const SimtShared *variable) { return self().block->shared + variable->offset; }

MOE_SIMT_EXPORT void simt_check(void *address, uint64_t size, uint32_t alignment, uint32_t access, uint32_t space, const char *site) {
  const uint32_t what = access & 7;
  // A thread that spins on a flag must let the others run.
  if (what == simtAtomicRead)
    spin(site);
  else if (what >= simtAtomic)
    perhapsYield();
  checkAccess(address, size, alignment, access, space, site, /*count=*/true);
  if (what >= simtAtomic && options().races)
    orderAtomic(self(), address, access);
}

MOE_SIMT_EXPORT void simt_fence(uint32_t) {
  if (!options().races)
    return;
  Thread &thread = self();
  acquire(thread, thread.pending);
  thread.pending = nullptr;
  thread.fenced = snapshot(thread);
}

} // extern "C"
