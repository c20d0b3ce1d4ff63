// What a running launch is made of: threads, warps, blocks, and the one launch. Internal to the executor, which runs on one CPU thread.
#ifndef MOE_LIB_CODEGEN_CUDA_SIMT_STATE_H
#define MOE_LIB_CODEGEN_CUDA_SIMT_STATE_H

#include "moe/Codegen/CUDA/Simt/Simt.h"

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace moe::simt {

constexpr uint32_t warpSize = 32;
constexpr uint32_t barrierCount = 16;

struct Block;
struct Warp;

/// What a thread knows of the others' past: the last clock of each thread of its block that happened before now, and of other blocks' threads
/// where an atomic told it. Threads that met at a barrier share one.
struct Knowledge {
  uint32_t block = 0;
  std::vector<uint32_t> own; // of the threads of `block`
  std::map<uint32_t, std::vector<uint32_t>> foreign; // by block
};
using KnowledgePtr = std::shared_ptr<const Knowledge>;

/// The kinds of operation in which a thread waits for others.
enum class Kind : uint32_t { None, BlockBarrier, WarpSync, Shuffle, Vote, Match, Redux, Elect, LoadMatrix, StoreMatrix, Product, GroupProduct, MemoryBarrier };

/// What a thread asks of a collective, and its answer.
struct Request {
  Kind kind = Kind::None;
  uint32_t mask = 0;
  /// Must be the same in all participants: kind of shuffle, shape of product and so on. For a barrier: its id.
  uint64_t variant = 0;
  const char *site = "";
  uint64_t value = 0;
  uint32_t offset = 0, clamp = 0;
  const void *a = nullptr, *b = nullptr, *c = nullptr;
  void *out = nullptr;
  uint64_t answer = 0;
};

/// A cp.async that was issued and not waited for.
struct Thread;
struct AsyncCopy {
  char *destination;
  const char *source;
  uint32_t size, sourceSize;
  uint64_t group;
  const char *site;
};

/// A copy that an mbarrier is told of, not done yet.
struct TrackedCopy {
  Thread *issuer;
  uint32_t clock;
  KnowledgePtr known;
  const char *site;
  /// Where it writes, and what: made when it is done.
  struct Piece {
    char *destination;
    const char *source; // null: zeros
    uint32_t size;
  };
  std::vector<Piece> pieces;
  uint64_t bytes;
  /// Bulk copies write past the generic proxy, cp.async does not.
  bool isBulk = true;
};

/// The state of an mbarrier; the eight bytes themselves are nobody's to read.
struct MemoryBarrier {
  uint32_t expected = 0;
  int64_t arrivals = 0, bytes = 0; // left in this phase
  uint64_t phase = 0;
  KnowledgePtr gathered, released; // of this phase and of the last
  std::vector<Thread *> waiters;
  std::vector<TrackedCopy> copies;
};

/// What a wgmma reads until it is waited for: rows of 16 bytes, as they were.
struct GroupOperands {
  uint64_t group;
  const char *site;
  std::vector<const char *> rows;
  std::vector<char> bytes;
};

struct Thread {
  Block *block = nullptr;
  Warp *warp = nullptr;
  uint32_t index = 0, lane = 0;
  uint32_t id[3] = {0, 0, 0};
  /// Number in the launch: block number times threads of a block plus index.
  uint32_t actor = 0;
  void *stackPointer = nullptr;
  char *stack = nullptr;
  bool exited = false;
  bool waiting = false;
  Request request;
  uint32_t clock = 1;
  KnowledgePtr known;
  /// At the last fence; null: there was none. What relaxed atomics read since the last fence.
  KnowledgePtr fenced, pending;
  std::deque<AsyncCopy> copies;
  uint64_t group = 0;
  /// Of the first thread of a warpgroup.
  std::deque<GroupOperands> operands;
  uint64_t productGroup = 0;
  /// The clock of its last fence.proxy.async.
  uint32_t proxyFence = 0;
  /// What it knew then.
  KnowledgePtr proxyKnown;
  /// Where it last tried an exchange: the next time there it waits for others.
  const void *triedAddress = nullptr;
  const char *triedSite = nullptr;
  std::deque<AsyncCopy> stores; // bulk copies to global memory
  uint64_t storeGroup = 0;
};

struct Warp {
  Block *block = nullptr;
  std::vector<Thread *> lanes;
  /// Lanes that wait in a warp's collective, and those that have not exited.
  uint32_t waiting = 0, live = 0;
};

struct BlockBarrier {
  uint32_t expected = 0, arrived = 0;
  /// reduction + 1; 0: none.
  uint32_t operation = 0;
  std::vector<Thread *> waiters;
  std::vector<KnowledgePtr> arrivals; // of those that do not wait
};

/// The last write of a byte, and its reads since.
struct Cell {
  static constexpr uint32_t nobody = 0xFFFFFFFF, several = 0xFFFFFFFE;
  uint32_t writer = nobody, writeClock = 0;
  /// For `several`, the clock is an index into Shadow::readers.
  uint32_t reader = nobody, readClock = 0;
  const char *writeSite = nullptr, *readSite = nullptr;
};

struct Reader {
  uint32_t actor, clock;
  const char *site;
};

struct Block {
  uint32_t number = 0;
  uint32_t id[3] = {0, 0, 0};
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  BlockBarrier barriers[barrierCount];
  uint32_t live = 0;
  char *shared = nullptr;
  std::map<char *, MemoryBarrier> memoryBarriers;
  std::vector<Cell> shadow; // a cell for each byte of shared memory
};

/// One operation's accesses by one warp, until they are a request.
struct Gathering {
  uint32_t mask = 0;
  uint32_t size = 0;
  uintptr_t addresses[warpSize] = {};
};

struct Execution {
  const Launch *launch = nullptr;
  Report *report = nullptr;
  Thread *current = nullptr;
  void *mainStackPointer = nullptr;
  std::vector<std::unique_ptr<Block>> blocks;
  std::deque<Thread *> ready;
  uint64_t random = 0;
  uint32_t threadsPerBlock = 0;
  uint64_t sharedBytes = 0, staticShared = 0;
  bool failed = false;
  /// Times that threads looked again in vain since anything happened.
  uint64_t idle = 0;
  /// Cells of global memory, by address / 2 in pages of 2048 cells.
  std::unordered_map<uintptr_t, std::vector<Cell>> globalShadow;
  std::vector<std::vector<Reader>> readers;
  std::unordered_map<uintptr_t, KnowledgePtr> released;
  std::map<std::pair<Warp *, const char *>, Gathering> gatherings;
  std::map<const char *, SiteCounter> counters;
};

extern Execution *execution;

inline Thread &self() { return *execution->current; }
inline const Options &options() { return execution->launch->options; }

/// Ends the launch with a fault of the current thread: its kernel, block, thread and place. Does not return.
[[noreturn]] void fault(const char *site, const std::string &what);
/// "thread (1,0,0)" of the current block, with the block if it is another.
std::string nameOf(uint32_t actor);
std::string nameOf(const Thread &thread);
std::string text(const void *address);

/// Lets other threads run until this one is made ready.
void wait();
void makeReady(Thread &thread);
/// Lets others run first, now and then: the order of atomics.
void perhapsYield();
/// A thread looks again for what has not happened: lets all others run first. A fault if that never ends.
void spin(const char *site);
uint64_t nextRandom();

/// Joins what the threads know: each knows afterwards what any did before.
void synchronize(const std::vector<Thread *> &threads, const std::vector<KnowledgePtr> &more);
/// What `thread` knows, with its own past.
KnowledgePtr snapshot(Thread &thread);
void acquire(Thread &thread, const KnowledgePtr &other);
KnowledgePtr joined(const KnowledgePtr &one, const KnowledgePtr &other);

/// After a thread has exited: collectives that waited for it.
void completeAfterExit(Thread &thread);

/// Records an access for the race detector.
void recordAccess(Thread &thread, const void *address, uint64_t size, uint32_t access, const char *site);
/// Bytes of shared memory that a cp.async will write, or has written: pending accesses are a fault.
void recordPending(Thread &thread, const void *address, uint64_t size, const char *site);
/// The bytes of a copy have arrived: it wrote them at that clock of its issuer.
void recordArrival(const Thread &issuer, uint32_t clock, const void *address, uint64_t size, bool isBulk, const char *site);
/// Reads by wgmma or a bulk copy: what ordinary stores wrote needs a fence.proxy.async.
void recordProxyRead(Thread &thread, const void *address, uint64_t size, const char *site);
bool isShared(const Block &block, const void *address, uint64_t size);
/// Bounds, alignment, races and counters of one access.
void checkAccess(void *address, uint64_t size, uint32_t alignment, uint32_t access, uint32_t space, const char *site, bool count);
/// Counts passes over the banks for `count` rows of 16 bytes.
void countRows(const char *site, const uintptr_t *rows, uint32_t count);
/// Counts what the warps of a block that ends have begun.
void finishCounters(const Block &block);
/// Puts all counters into the report.
void reportCounters();

} // namespace moe::simt

#endif // MOE_LIB_CODEGEN_CUDA_SIMT_STATE_H
