// The process-wide thread pool: workers that wait, first awake, then asleep, for their share of a team's work.
//
// The pool is published in `moe_process_pool_v1`, a symbol of binding STB_GNU_UNIQUE: the dynamic linker resolves it to one address in the
// whole process, even for libraries loaded with RTLD_LOCAL. A change to the layout or meaning of SharedPool or Barrier needs a new number in that name.
// The library that creates the pool pins itself: its code runs in the workers until the process ends.
#include "moe/Runtime/ThreadPool.h"
#include "Futex.h"
#include "Memory.h"
#include "moe/Machine/Cpuid.h"
#include "moe/Runtime/Barrier.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

// In assembly because clang has no attribute for unique symbols; eight zero bytes.
__asm__(".pushsection .bss.moe_process_pool_v1,\"aw\",@nobits\n"
        ".balign 8\n"
        ".type moe_process_pool_v1,@gnu_unique_object\n"
        ".size moe_process_pool_v1,8\n"
        "moe_process_pool_v1: .zero 8\n"
        ".popsection\n");

namespace moe::runtime {
namespace {

/// What copies of the runtime share. Created once per process (and once more in a forked child), never freed.
struct SharedPool {
  pid_t process;                                                              ///< A forked child inherits the memory, not the threads.
  void (*run)(SharedPool *, int32_t threads, TeamFunction function, void *context); ///< The code of the library that made the pool.
};

enum WorkerState : uint32_t {
  workerIdle,     ///< Nothing to do, the worker spins; or it is done and its team may look.
  workerAsleep,   ///< Nothing to do, the worker is in futexWait or on its way.
  workerBusy,     ///< It has a share of a team's work.
  workerAwaited,  ///< As busy, and the team's caller is in futexWait or on its way.
};

/// One thread. A team's caller owns it from acquire to release; the fields below `state` are written before state becomes busy.
struct alignas(64) Worker {
  Worker(SpinLimit &spins, int32_t cpu) : spins(spins), cpu(cpu) {}

  Word state{workerIdle};
  SpinLimit &spins; ///< The pool's.
  const int32_t cpu; ///< It stays on this one; -1: where the system puts it.
  TeamFunction function = nullptr;
  void *context = nullptr;
  int64_t thread = 0;
  int64_t threads = 0;
  Barrier *barrier = nullptr;
  bool taken = false; ///< Belongs to a team; guarded by Pool::mutex.
};

/// The CPUs of the affinity mask that the pool was made under. With MOE_PIN_THREADS=1 worker i stays on number i + 1 of them, so that the threads of a
/// team lie side by side on the CPUs of a node, as the split of weights over memory nodes has it (moe.memory_nodes), from run to run. The caller is thread
/// 0 and the user's own to pin.
struct CpuList {
  cpu_set_t mask;
  bool pins = false;

  CpuList() {
    const char *text = getenv("MOE_PIN_THREADS");
    pins = text && text[0] == '1' && text[1] == '\0' && sched_getaffinity(0, sizeof(mask), &mask) == 0;
  }
  /// -1 where nothing is pinned or there are fewer.
  int32_t of(int32_t worker) const {
    int32_t left = worker + 1;
    for (int32_t cpu = 0; pins && cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &mask) && left-- == 0)
        return cpu;
    return -1;
  }
};

struct Pool : SharedPool {
  /// 256 rounds of pause are about 10 µs, as many of yield 100 µs: longer than most serial parts. Where others want the CPUs, the first yield
  /// ends the wait.
  SpinLimit patient{256};
  /// For teams of more threads than CPUs, where whoever spins keeps another from running.
  SpinLimit crowded{50};
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t changed = PTHREAD_COND_INITIALIZER; ///< Workers were given back or the line moved.
  int32_t processors = readCpuInfo().threads;        ///< CPUs in the affinity mask when the pool was made.
  int32_t limit = processors - 1;                    ///< Most workers to start.
  CpuList cpus;
  int32_t started = 0;                               ///< Workers that exist.
  int32_t idle = 0;                                  ///< Workers that belong to no team.
  uint64_t lineEnd = 0;                              ///< Number that the next team in the line gets.
  uint64_t lineHead = 0;                             ///< Number of the team whose turn it is.
  Worker *workers[maxThreads] = {};
};

/// Whether this thread is part of a team; a team inside a team is the caller alone.
thread_local bool insideTeam = false;

void *workerMain(void *argument) {
  Worker &self = *static_cast<Worker *>(argument);
  insideTeam = true;
  if (self.cpu >= 0) { // Where it is not allowed the thread goes on as others do.
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(self.cpu, &one);
    sched_setaffinity(0, sizeof(one), &one);
  }
  for (;;) {
    waitAwake(self.spins, [&] { return self.state.load(std::memory_order_acquire) >= workerBusy; });
    uint32_t state = workerIdle;
    self.state.compare_exchange_strong(state, workerAsleep, std::memory_order_acq_rel);
    while ((state = self.state.load(std::memory_order_acquire)) == workerAsleep)
      futexWait(self.state, workerAsleep);
    // Busy or already awaited. After the exchange the caller may give this worker to another team at once.
    self.function(self.context, self.thread, self.threads, self.barrier);
    if (self.state.exchange(workerIdle, std::memory_order_acq_rel) == workerAwaited)
      futexWakeAll(self.state);
  }
  return nullptr;
}

/// Null when the system gives no memory or no thread. Signals stay with the threads of the program.
Worker *startWorker(SpinLimit &spins, int32_t cpu) {
  Worker *worker = createObject<Worker>(spins, cpu);
  if (!worker)
    return nullptr;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  int error = pthread_create(&thread, nullptr, workerMain, worker);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) {
    destroyObject(worker);
    return nullptr;
  }
  pthread_detach(thread);
  return worker;
}

/// Takes up to `wanted` idle workers of lowest number, in that order, so that a thread keeps its place and its cache from run to run.
int32_t acquireWorkers(Pool &pool, int32_t wanted, Worker **team) {
  pthread_mutex_lock(&pool.mutex);
  const uint64_t ticket = pool.lineEnd++;
  while (ticket != pool.lineHead)
    pthread_cond_wait(&pool.changed, &pool.mutex);
  if (pool.limit < wanted)
    pool.limit = wanted;
  while (pool.idle < wanted) {
    Worker *worker = pool.started < pool.limit ? startWorker(pool.patient, pool.cpus.of(pool.started)) : nullptr;
    if (worker) {
      pool.workers[pool.started++] = worker;
      ++pool.idle;
    } else if (pool.started < wanted) {
      break; // The system gives no more threads: waiting would not help.
    } else {
      pthread_cond_wait(&pool.changed, &pool.mutex);
    }
  }
  int32_t taken = 0;
  for (int32_t i = 0; i < pool.started && taken < wanted; ++i) {
    if (pool.workers[i]->taken)
      continue;
    pool.workers[i]->taken = true;
    team[taken++] = pool.workers[i];
  }
  pool.idle -= taken;
  ++pool.lineHead;
  if (pool.lineHead != pool.lineEnd)
    pthread_cond_broadcast(&pool.changed);
  pthread_mutex_unlock(&pool.mutex);
  return taken;
}

void releaseWorkers(Pool &pool, Worker **team, int32_t count) {
  pthread_mutex_lock(&pool.mutex);
  for (int32_t i = 0; i < count; ++i)
    team[i]->taken = false;
  pool.idle += count;
  if (pool.lineHead != pool.lineEnd)
    pthread_cond_broadcast(&pool.changed);
  pthread_mutex_unlock(&pool.mutex);
}

void startShare(Worker &worker) {
  if (worker.state.exchange(workerBusy, std::memory_order_acq_rel) == workerAsleep)
    futexWakeAll(worker.state);
}

/// Returns when the worker has done its share.
void awaitShare(Worker &worker, SpinLimit &spins) {
  waitThenSleep(
      spins, [&] { return worker.state.load(std::memory_order_acquire) < workerBusy; },
      [&] {
        uint32_t state = workerBusy;
        if (!worker.state.compare_exchange_strong(state, workerAwaited, std::memory_order_acq_rel, std::memory_order_acquire))
          return;
        while (worker.state.load(std::memory_order_acquire) == workerAwaited)
          futexWait(worker.state, workerAwaited);
      });
}

void runAlone(TeamFunction function, void *context) {
  SpinLimit none(0);
  Barrier barrier(1, none);
  function(context, 0, 1, &barrier);
}

/// The team's function as the owner of the pool runs it.
void runShared(SharedPool *shared, int32_t threads, TeamFunction function, void *context) {
  if (insideTeam)
    return runAlone(function, context);
  Pool &pool = *static_cast<Pool *>(shared);
  Worker *team[maxThreads];
  const int32_t count = acquireWorkers(pool, threads - 1, team);
  SpinLimit &spins = count + 1 <= pool.processors ? pool.patient : pool.crowded;
  Barrier barrier(count + 1, spins);
  for (int32_t i = 0; i < count; ++i) {
    team[i]->function = function;
    team[i]->context = context;
    team[i]->thread = i + 1;
    team[i]->threads = count + 1;
    team[i]->barrier = &barrier;
    startShare(*team[i]);
  }
  insideTeam = true;
  function(context, 0, count + 1, &barrier);
  insideTeam = false;
  for (int32_t i = 0; i < count; ++i)
    awaitShare(*team[i], spins);
  releaseWorkers(pool, team, count);
}

/// Keeps the library that holds this code loaded for good. In a static program there is nothing to do.
void pinLibrary() {
  Dl_info self;
  if (dladdr(reinterpret_cast<void *>(&runShared), &self) != 0 && self.dli_fname)
    dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

} // namespace

extern "C" __attribute__((visibility("default"))) std::atomic<void *> moe_process_pool_v1; ///< A SharedPool.

/// The pool of this process, made if there is none; null without memory.
static SharedPool *processPool() {
  void *present = moe_process_pool_v1.load(std::memory_order_acquire);
  const pid_t process = getpid();
  if (present && static_cast<SharedPool *>(present)->process == process)
    return static_cast<SharedPool *>(present);
  Pool *pool = createObject<Pool>();
  if (!pool)
    return nullptr;
  pool->process = process;
  pool->run = runShared;
  pinLibrary();
  if (moe_process_pool_v1.compare_exchange_strong(present, static_cast<SharedPool *>(pool), std::memory_order_acq_rel, std::memory_order_acquire))
    return pool;
  destroyObject(pool);
  return static_cast<SharedPool *>(present);
}

void runTeam(int32_t threads, TeamFunction function, void *context) {
  SharedPool *pool = threads > 1 ? processPool() : nullptr;
  if (!pool)
    return runAlone(function, context);
  pool->run(pool, threads, function, context);
}

int32_t defaultThreads() {
  const char *text = getenv("MOE_NUM_THREADS");
  if (!text || !*text) {
    int32_t processors = readCpuInfo().threads;
    return processors < maxThreads ? processors : maxThreads;
  }
  int32_t value = 0;
  for (const char *digit = text; *digit; ++digit) {
    if (*digit < '0' || *digit > '9' || value > maxThreads)
      return 0;
    value = value * 10 + (*digit - '0');
  }
  return value <= maxThreads ? value : 0;
}

} // namespace moe::runtime
