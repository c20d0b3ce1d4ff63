// Barriers, and the collectives of a warp: a thread leaves its request and waits; the last one to come answers for all.
#include "Collectives.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#define MOE_SIMT_EXPORT __attribute__((visibility("default")))

namespace moe::simt {

namespace {

/// Lanes of the mask that have not exited, or a fault of the current thread.
uint32_t participants(const Thread &thread, const Request &request) {
  if (!(request.mask >> thread.lane & 1)) {
    char mask[16];
    snprintf(mask, sizeof(mask), "0x%08x", request.mask);
    fault(request.site, std::string("lane ") + std::to_string(thread.lane) + " takes part with a mask that does not name it: " + mask);
  }
  return request.mask & thread.warp->live;
}

bool agrees(const Request &one, const Request &other) {
  return one.kind == other.kind && one.mask == other.mask && one.variant == other.variant;
}

/// True if all lanes of `lanes` wait with requests that agree.
bool allHere(const Warp &warp, uint32_t lanes, const Request &request) {
  if ((warp.waiting & lanes) != lanes)
    return false;
  for (uint32_t rest = lanes; rest; rest &= rest - 1)
    if (!agrees(warp.lanes[__builtin_ctz(rest)]->request, request))
      return false;
  return true;
}

bool isAligned(Kind kind) { return kind == Kind::LoadMatrix || kind == Kind::StoreMatrix || kind == Kind::Product; }

/// All lanes of a warp must be here, at the same place: the .aligned operations.
void checkAligned(const Warp &warp, uint32_t lanes, const Request &request) {
  if (request.mask != lanes || warp.lanes.size() != warpSize)
    fault(request.site, "a warp's operation needs all 32 lanes; some have exited or never were");
  for (Thread *lane : warp.lanes)
    if (lane->request.site != request.site)
      fault(request.site, "the warp diverged: " + nameOf(*lane) + " is at " + lane->request.site);
}

void shuffle(Warp &warp, uint32_t lanes) {
  for (uint32_t rest = lanes; rest; rest &= rest - 1) {
    const auto lane = static_cast<uint32_t>(__builtin_ctz(rest));
    Request &request = warp.lanes[lane]->request;
    const uint32_t bound = request.clamp & 31, segment = request.clamp >> 8 & 31;
    const uint32_t highest = (lane & segment) | (bound & ~segment), lowest = lane & segment;
    int64_t source = 0;
    bool valid = false;
    switch (request.variant) {
    case 0:
      source = lane ^ (request.offset & 31);
      valid = source <= highest;
      break;
    case 1:
      source = static_cast<int64_t>(lane) - (request.offset & 31);
      valid = source >= highest;
      break;
    case 2:
      source = lane + (request.offset & 31);
      valid = source <= highest;
      break;
    default:
      source = lowest | ((request.offset & 31) & ~segment);
      valid = source <= highest;
    }
    if (!valid)
      source = lane;
    if (!(lanes >> source & 1)) {
      execution->current = warp.lanes[lane];
      fault(request.site, "takes the value of lane " + std::to_string(source) + ", which takes no part");
    }
    request.answer = (warp.lanes[source]->request.value & 0xFFFFFFFF) | uint64_t(valid) << 32;
  }
}

void vote(Warp &warp, uint32_t lanes) {
  uint32_t ballot = 0;
  for (uint32_t rest = lanes; rest; rest &= rest - 1)
    if (warp.lanes[__builtin_ctz(rest)]->request.value)
      ballot |= 1u << __builtin_ctz(rest);
  for (uint32_t rest = lanes; rest; rest &= rest - 1) {
    Request &request = warp.lanes[__builtin_ctz(rest)]->request;
    const uint64_t answers[] = {ballot != 0, ballot == lanes, ballot, ballot == 0 || ballot == lanes};
    request.answer = answers[request.variant];
  }
}

void match(Warp &warp, uint32_t lanes) {
  for (uint32_t rest = lanes; rest; rest &= rest - 1) {
    Request &request = warp.lanes[__builtin_ctz(rest)]->request;
    uint32_t equal = 0;
    for (uint32_t others = lanes; others; others &= others - 1)
      if (warp.lanes[__builtin_ctz(others)]->request.value == request.value)
        equal |= 1u << __builtin_ctz(others);
    if (request.variant == 0)
      request.answer = equal;
    else
      request.answer = equal == lanes ? lanes | uint64_t(1) << 32 : 0;
  }
}

float asFloat(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

uint32_t asBits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

uint32_t reduceTwo(uint32_t kind, uint32_t a, uint32_t b, bool keepsNan) {
  switch (kind) {
  case 1:
    return a + b;
  case 2:
    return a & b;
  case 3:
    return static_cast<uint32_t>(std::max(static_cast<int32_t>(a), static_cast<int32_t>(b)));
  case 4:
    return static_cast<uint32_t>(std::min(static_cast<int32_t>(a), static_cast<int32_t>(b)));
  case 5:
    return a | b;
  case 6:
    return std::max(a, b);
  case 7:
    return std::min(a, b);
  case 8:
    return a ^ b;
  default:
    if (keepsNan && (std::isnan(asFloat(a)) || std::isnan(asFloat(b))))
      return 0x7FFFFFFF;
    return asBits(kind == 9 ? std::fmin(asFloat(a), asFloat(b)) : std::fmax(asFloat(a), asFloat(b)));
  }
}

void redux(Warp &warp, uint32_t lanes) {
  const Request &first = warp.lanes[__builtin_ctz(lanes)]->request;
  const auto kind = static_cast<uint32_t>(first.variant & 0xFF);
  const uint64_t flags = first.variant >> 8;
  auto valueOf = [&](uint32_t lane) {
    const auto bits = static_cast<uint32_t>(warp.lanes[lane]->request.value);
    return flags & 1 && kind >= 9 ? bits & 0x7FFFFFFF : bits;
  };
  uint32_t result = valueOf(static_cast<uint32_t>(__builtin_ctz(lanes)));
  for (uint32_t rest = lanes & (lanes - 1); rest; rest &= rest - 1)
    result = reduceTwo(kind, result, valueOf(static_cast<uint32_t>(__builtin_ctz(rest))), flags & 2);
  for (uint32_t rest = lanes; rest; rest &= rest - 1)
    warp.lanes[__builtin_ctz(rest)]->request.answer = result;
}

/// Which lane is elected is the hardware's affair, but for the same mask always the same.
void elect(Warp &warp, uint32_t lanes) {
  auto leader = static_cast<uint32_t>(__builtin_ctz(lanes));
  if (options().seed != 0) {
    uint32_t others = lanes, skipped = static_cast<uint32_t>((lanes * 2654435761u ^ options().seed) % static_cast<uint32_t>(__builtin_popcount(lanes)));
    for (; skipped; --skipped)
      others &= others - 1;
    leader = static_cast<uint32_t>(__builtin_ctz(others));
  }
  for (uint32_t rest = lanes; rest; rest &= rest - 1) {
    const auto lane = static_cast<uint32_t>(__builtin_ctz(rest));
    warp.lanes[lane]->request.answer = lane == leader;
  }
}

void perform(Warp &warp, uint32_t lanes, Kind kind) {
  ++execution->report->collectives;
  switch (kind) {
  case Kind::WarpSync: {
    std::vector<Thread *> threads;
    for (uint32_t rest = lanes; rest; rest &= rest - 1)
      threads.push_back(warp.lanes[__builtin_ctz(rest)]);
    synchronize(threads, {});
    break;
  }
  case Kind::Shuffle:
    return shuffle(warp, lanes);
  case Kind::Vote:
    return vote(warp, lanes);
  case Kind::Match:
    return match(warp, lanes);
  case Kind::Redux:
    return redux(warp, lanes);
  case Kind::Elect:
    return elect(warp, lanes);
  case Kind::LoadMatrix:
    return loadMatrix(warp);
  case Kind::StoreMatrix:
    return storeMatrix(warp);
  case Kind::Product:
    return product(warp);
  case Kind::None:
  case Kind::BlockBarrier:
  case Kind::GroupProduct:
  case Kind::MemoryBarrier:
    break;
  }
}

void finish(Warp &warp, uint32_t lanes, const Thread *without) {
  warp.waiting &= ~lanes;
  for (uint32_t rest = lanes; rest; rest &= rest - 1) {
    Thread *thread = warp.lanes[__builtin_ctz(rest)];
    if (thread != without)
      makeReady(*thread);
  }
}

/// Threads of one warp that wait at a barrier wait at the same one: barriers are aligned.
void checkBarrierSites(const BlockBarrier &barrier) {
  std::map<const Warp *, const Thread *> seen;
  for (const Thread *thread : barrier.waiters) {
    auto [first, isNew] = seen.try_emplace(thread->warp, thread);
    if (!isNew && first->second->request.site != thread->request.site)
      fault(thread->request.site, "divergent barrier: " + nameOf(*first->second) + " of the same warp waits at " + first->second->request.site);
  }
}

void completeBarrier(BlockBarrier &barrier, const Thread *without) {
  checkBarrierSites(barrier);
  ++execution->report->collectives;
  uint32_t count = 0;
  for (const Thread *thread : barrier.waiters)
    count += thread->request.value != 0;
  const bool all = count == barrier.waiters.size();
  for (Thread *thread : barrier.waiters)
    thread->request.answer = barrier.operation == 1 ? count : barrier.operation == 2 ? all : count != 0;
  std::vector<Thread *> waiters;
  waiters.swap(barrier.waiters);
  std::vector<KnowledgePtr> arrivals;
  arrivals.swap(barrier.arrivals);
  barrier.expected = barrier.arrived = barrier.operation = 0;
  synchronize(waiters, arrivals);
  for (Thread *thread : waiters)
    if (thread != without)
      makeReady(*thread);
}

/// Counts the arrival of the current thread. True if the barrier is complete with it.
bool arrive(uint32_t id, uint32_t count, uint32_t operation, const char *site) {
  Thread &thread = self();
  if (id >= barrierCount)
    fault(site, "expected a barrier from 0 to 15, found " + std::to_string(id));
  if (count % warpSize != 0)
    fault(site, "expected a multiple of 32 threads at a barrier, found " + std::to_string(count));
  BlockBarrier &barrier = thread.block->barriers[id];
  if (barrier.arrived != 0 && (barrier.expected != count || barrier.operation != operation))
    fault(site, "barrier " + std::to_string(id) + " is used in two ways at once: for " + std::to_string(barrier.expected) + " and for " +
                    std::to_string(count) + " threads (0: all), or with different reductions");
  barrier.expected = count;
  barrier.operation = operation;
  ++barrier.arrived;
  const uint32_t needed = count ? count : thread.block->live;
  if (barrier.arrived > needed)
    fault(site, "more threads arrive at barrier " + std::to_string(id) + " than the " + std::to_string(needed) + " it is for");
  return barrier.arrived == needed;
}

uint64_t blockBarrier(uint32_t id, uint32_t count, uint32_t operation, uint32_t predicate, const char *site) {
  Thread &thread = self();
  thread.request = Request();
  thread.request.kind = Kind::BlockBarrier;
  thread.request.variant = id;
  thread.request.site = site;
  thread.request.value = predicate;
  const bool complete = arrive(id, count, operation, site);
  BlockBarrier &barrier = thread.block->barriers[id];
  barrier.waiters.push_back(&thread);
  if (complete)
    completeBarrier(barrier, &thread);
  else
    wait();
  return thread.request.answer;
}

} // namespace

uint64_t collective(const Request &request) {
  Thread &thread = self();
  Warp &warp = *thread.warp;
  thread.request = request;
  const uint32_t lanes = participants(thread, request);
  warp.waiting |= 1u << thread.lane;
  if (allHere(warp, lanes, request)) {
    if (isAligned(request.kind))
      checkAligned(warp, lanes, request);
    perform(warp, lanes, request.kind);
    finish(warp, lanes, &thread);
  } else {
    wait();
  }
  return thread.request.answer;
}

void completeAfterExit(Thread &thread) {
  Block &block = *thread.block;
  for (BlockBarrier &barrier : block.barriers)
    if (barrier.arrived != 0 && barrier.expected == 0 && barrier.arrived == block.live)
      completeBarrier(barrier, nullptr);
  Warp &warp = *thread.warp;
  for (uint32_t rest = warp.waiting; rest; rest &= rest - 1) {
    const auto lane = static_cast<uint32_t>(__builtin_ctz(rest));
    if (!(warp.waiting >> lane & 1))
      continue;
    const Request &request = warp.lanes[lane]->request;
    const uint32_t lanes = request.mask & warp.live;
    if (!allHere(warp, lanes, request))
      continue;
    const Kind kind = request.kind;
    execution->current = warp.lanes[lane];
    if (isAligned(kind))
      checkAligned(warp, lanes, request);
    perform(warp, lanes, kind);
    finish(warp, lanes, nullptr);
  }
  execution->current = &thread;
}

} // namespace moe::simt

using namespace moe::simt;

static Request makeRequest(Kind kind, uint32_t mask, uint64_t variant, uint64_t value, const char *site) {
  Request request;
  request.kind = kind;
  request.mask = mask;
  request.variant = variant;
  request.value = value;
  request.site = site;
  return request;
}

extern "C" {

MOE_SIMT_EXPORT void simt_barrier(uint32_t id, uint32_t count, const char *site) { blockBarrier(id, count, 0, 0, site); }

MOE_SIMT_EXPORT uint32_t simt_barrier_reduce(uint32_t id, uint32_t count, uint32_t operation, uint32_t predicate, const char *site) {
  return static_cast<uint32_t>(blockBarrier(id, count, operation + 1, predicate, site));
}

MOE_SIMT_EXPORT void simt_barrier_arrive(uint32_t id, uint32_t count, const char *site) {
  Thread &thread = self();
  if (count == 0)
    fault(site, "an arrival needs the number of threads");
  const bool complete = arrive(id, count, 0, site);
  BlockBarrier &barrier = thread.block->barriers[id];
  if (options().races)
    barrier.arrivals.push_back(snapshot(thread));
  if (complete)
    completeBarrier(barrier, nullptr);
}

MOE_SIMT_EXPORT void simt_warp_sync(uint32_t mask, const char *site) { collective(makeRequest(Kind::WarpSync, mask, 0, 0, site)); }

MOE_SIMT_EXPORT uint64_t simt_shuffle(uint32_t mask, uint32_t value, uint32_t offset, uint32_t clamp, uint32_t kind, const char *site) {
  Request request = makeRequest(Kind::Shuffle, mask, kind, value, site);
  request.offset = offset;
  request.clamp = clamp;
  return collective(request);
}

MOE_SIMT_EXPORT uint32_t simt_vote(uint32_t mask, uint32_t predicate, uint32_t kind, const char *site) {
  return static_cast<uint32_t>(collective(makeRequest(Kind::Vote, mask, kind, predicate & 1, site)));
}

MOE_SIMT_EXPORT uint64_t simt_match(uint32_t mask, uint64_t value, uint32_t kind, const char *site) {
  return collective(makeRequest(Kind::Match, mask, kind, value, site));
}

MOE_SIMT_EXPORT uint32_t simt_redux(uint32_t mask, uint32_t value, uint32_t kind, uint32_t flags, const char *site) {
  return static_cast<uint32_t>(collective(makeRequest(Kind::Redux, mask, kind | uint64_t(flags) << 8, value, site)));
}

MOE_SIMT_EXPORT uint32_t simt_elect(uint32_t mask, const char *site) {
  return static_cast<uint32_t>(collective(makeRequest(Kind::Elect, mask, 0, 0, site)));
}

} // extern "C"
