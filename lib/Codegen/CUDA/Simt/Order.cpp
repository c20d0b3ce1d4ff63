// What happened before what: clocks of threads, joined where a barrier, a fence with an atomic, or a wait orders them. And the race detector,
// which compares them with the last write and the reads of a byte.
#include "State.h"

#include <algorithm>

namespace moe::simt {

namespace {

constexpr uint32_t pendingBit = 0x80000000; // of a write clock: a cp.async that was not waited for
constexpr uint32_t atomicBit = 0x40000000;
constexpr uint32_t bulkBit = 0x20000000; // written by a bulk copy, not by the thread's own stores
constexpr uint32_t clockMask = 0x1FFFFFFF;
constexpr size_t mostReaders = 48;
constexpr uintptr_t cellsOfPage = 2048;

/// True if what `actor` did at `clock` happened before what `thread` does now.
bool isBefore(const Thread &thread, uint32_t actor, uint32_t clock) {
  if (actor == thread.actor)
    return true;
  const uint32_t perBlock = execution->threadsPerBlock;
  const uint32_t block = actor / perBlock, index = actor % perBlock;
  if (block == thread.block->number)
    return thread.known->own[index] >= clock;
  auto found = thread.known->foreign.find(block);
  return found != thread.known->foreign.end() && found->second[index] >= clock;
}

void joinInto(std::vector<uint32_t> &into, const std::vector<uint32_t> &from) {
  if (into.empty())
    into = from;
  else
    for (size_t i = 0; i < from.size(); ++i)
      into[i] = std::max(into[i], from[i]);
}

void joinInto(Knowledge &into, const Knowledge &from) {
  auto clocksOf = [&](uint32_t block) -> std::vector<uint32_t> & { return block == into.block ? into.own : into.foreign[block]; };
  joinInto(clocksOf(from.block), from.own);
  for (const auto &[block, clocks] : from.foreign)
    joinInto(clocksOf(block), clocks);
}

[[noreturn]] void race(const char *site, const void *address, const char *what, uint32_t actor, const char *verb, const char *otherSite) {
  const Block &block = *self().block;
  std::string where = isShared(block, address, 1)
                          ? "byte " + std::to_string(static_cast<const char *>(address) - block.shared) + " of shared memory"
                          : "global memory at " + text(address);
  fault(site, std::string("race: ") + what + " " + where + ", which " + nameOf(actor) + " " + verb + " at " + (otherSite ? otherSite : "?") +
                  ", with nothing that orders the two");
}

void checkWriter(Thread &thread, const Cell &cell, const void *address, bool atomic, const char *what, const char *site) {
  if (cell.writer == Cell::nobody)
    return;
  if (cell.writeClock & pendingBit) {
    fault(site, std::string(what) + " byte " + std::to_string(static_cast<const char *>(address) - thread.block->shared) +
                    " of shared memory, which a cp.async of " + nameOf(cell.writer) + " at " + cell.writeSite + " writes and which was not waited for");
  }
  if (atomic && (cell.writeClock & atomicBit))
    return;
  if (!isBefore(thread, cell.writer, cell.writeClock & clockMask))
    race(site, address, what, cell.writer, "writes", cell.writeSite);
}

void checkReaders(Thread &thread, const Cell &cell, const void *address, const char *what, const char *site) {
  if (cell.reader == Cell::nobody)
    return;
  if (cell.reader != Cell::several) {
    if (!isBefore(thread, cell.reader, cell.readClock))
      race(site, address, what, cell.reader, "reads", cell.readSite);
    return;
  }
  for (const Reader &reader : execution->readers[cell.readClock])
    if (!isBefore(thread, reader.actor, reader.clock))
      race(site, address, what, reader.actor, "reads", reader.site);
}

void addReader(Thread &thread, Cell &cell, const char *site) {
  const bool replaces = cell.reader == Cell::nobody || (cell.reader != Cell::several && isBefore(thread, cell.reader, cell.readClock));
  if (replaces) {
    cell.reader = thread.actor;
    cell.readClock = thread.clock;
    cell.readSite = site;
    return;
  }
  if (cell.reader != Cell::several) {
    execution->readers.push_back({{cell.reader, cell.readClock, cell.readSite}});
    cell.reader = Cell::several;
    cell.readClock = static_cast<uint32_t>(execution->readers.size() - 1);
  }
  auto &readers = execution->readers[cell.readClock];
  // A read that happened before this one is covered by it.
  readers.erase(std::remove_if(readers.begin(), readers.end(), [&](const Reader &r) { return isBefore(thread, r.actor, r.clock); }), readers.end());
  if (readers.size() < mostReaders)
    readers.push_back({thread.actor, thread.clock, site});
}

void recordCell(Thread &thread, Cell &cell, const void *address, uint32_t access, const char *site) {
  const bool atomic = access >= simtAtomic;
  const bool reads = access == simtRead || access == simtAtomicRead;
  const char *what = atomic ? "an atomic on" : reads ? "reads" : "writes";
  checkWriter(thread, cell, address, atomic, what, site);
  if (reads) {
    if (!atomic)
      addReader(thread, cell, site);
    return;
  }
  checkReaders(thread, cell, address, what, site);
  cell.writer = thread.actor;
  cell.writeClock = thread.clock | (atomic ? atomicBit : 0);
  cell.writeSite = site;
  cell.reader = Cell::nobody;
}

} // namespace

void synchronize(const std::vector<Thread *> &threads, const std::vector<KnowledgePtr> &more) {
  if (!options().races)
    return;
  auto together = std::make_shared<Knowledge>();
  together->block = self().block->number;
  std::vector<const Knowledge *> seen;
  auto join = [&](const KnowledgePtr &known) {
    if (std::find(seen.begin(), seen.end(), known.get()) != seen.end())
      return;
    seen.push_back(known.get());
    joinInto(*together, *known);
  };
  for (Thread *thread : threads)
    join(thread->known);
  for (const KnowledgePtr &known : more)
    join(known);
  for (Thread *thread : threads)
    together->own[thread->index] = thread->clock;
  for (Thread *thread : threads) {
    thread->known = together;
    ++thread->clock;
  }
}

KnowledgePtr snapshot(Thread &thread) {
  auto copy = std::make_shared<Knowledge>(*thread.known);
  copy->own[thread.index] = thread.clock++;
  return copy;
}

KnowledgePtr joined(const KnowledgePtr &one, const KnowledgePtr &other) {
  if (!one || !other || one == other)
    return one ? one : other;
  auto result = std::make_shared<Knowledge>(*one);
  joinInto(*result, *other);
  return result;
}

void acquire(Thread &thread, const KnowledgePtr &other) {
  if (other)
    thread.known = joined(thread.known, other);
}

void recordAccess(Thread &thread, const void *address, uint64_t size, uint32_t access, const char *site) {
  if (!options().races)
    return;
  const auto *bytes = static_cast<const char *>(address);
  if (isShared(*thread.block, address, size)) {
    Cell *cells = thread.block->shadow.data() + (bytes - thread.block->shared);
    for (uint64_t i = 0; i < size; ++i)
      recordCell(thread, cells[i], bytes + i, access, site);
    return;
  }
  // Two bytes share a cell in global memory. A single byte is written too seldom to spend one on each.
  if (size == 1 && access != simtRead)
    return;
  const uintptr_t first = reinterpret_cast<uintptr_t>(address) / 2, last = (reinterpret_cast<uintptr_t>(address) + size - 1) / 2;
  for (uintptr_t i = first; i <= last; ++i) {
    std::vector<Cell> &page = execution->globalShadow[i / cellsOfPage];
    if (page.empty())
      page.resize(cellsOfPage);
    recordCell(thread, page[i % cellsOfPage], reinterpret_cast<const void *>(i * 2), access, site);
  }
}

void recordArrival(const Thread &issuer, uint32_t clock, const void *address, uint64_t size, bool isBulk, const char *site) {
  if (!options().races)
    return;
  Cell *cells = issuer.block->shadow.data() + (static_cast<const char *>(address) - issuer.block->shared);
  for (uint64_t i = 0; i < size; ++i) {
    cells[i].writer = issuer.actor;
    cells[i].writeClock = clock | (isBulk ? bulkBit : 0);
    cells[i].writeSite = site;
  }
}

void recordProxyRead(Thread &thread, const void *address, uint64_t size, const char *site) {
  if (!options().races)
    return;
  recordAccess(thread, address, size, simtRead, site);
  const Block &block = *thread.block;
  const Cell *cells = block.shadow.data() + (static_cast<const char *>(address) - block.shared);
  for (uint64_t i = 0; i < size; ++i) {
    if (cells[i].writer == Cell::nobody || (cells[i].writeClock & bulkBit))
      continue;
    const Thread &writer = block.threads[cells[i].writer % execution->threadsPerBlock];
    const uint32_t clock = cells[i].writeClock & clockMask;
    // The fence of the reader serves as well, if it knew of the write by then.
    const bool isFenced = clock <= writer.proxyFence || (thread.proxyKnown && thread.proxyKnown->own[writer.index] >= clock);
    if (!isFenced)
      fault(site, "reads byte " + std::to_string(static_cast<const char *>(address) + i - block.shared) + " of shared memory, which " +
                      nameOf(cells[i].writer) + " wrote at " + cells[i].writeSite + " without a fence.proxy.async after it");
  }
}

void recordPending(Thread &thread, const void *address, uint64_t size, const char *site) {
  if (!options().races)
    return;
  recordAccess(thread, address, size, simtWrite, site);
  Cell *cells = thread.block->shadow.data() + (static_cast<const char *>(address) - thread.block->shared);
  for (uint64_t i = 0; i < size; ++i)
    cells[i].writeClock |= pendingBit;
}

} // namespace moe::simt
