//===- ThreadPool.h - the threads that run models ---------------*- C++ -*-===//
// One pool per process, shared by all loaded models: two pools of N threads that spin on N CPUs would stop each other. Every model.so
// has a copy of this code; the first that needs threads publishes its pool (see ThreadPool.cpp), later ones use that.
#ifndef MOE_RUNTIME_THREADPOOL_H
#define MOE_RUNTIME_THREADPOOL_H

#include <stdint.h>

namespace moe::runtime {

/// Most threads that one run may use.
constexpr int32_t maxThreads = 1024;

/// What every thread of a team calls: its place, 0 to threads - 1, and a barrier (moe/Runtime/Barrier.h) for exactly these threads.
using TeamFunction = void (*)(void *context, int64_t thread, int64_t threads, void *barrier);

/// Calls `function` on `threads` threads at once and returns when all have returned. The caller is thread 0. Teams that fit on the pool
/// side by side run so; otherwise they take turns, first come first served. Fewer threads join when the system gives no more, and one when
/// called from inside a team, so it cannot deadlock. After fork() the child starts a pool of its own; a child of a running team must not
/// return into it. `threads` is 1 to maxThreads.
void runTeam(int32_t threads, TeamFunction function, void *context);

/// The number of threads a team has by default: $MOE_NUM_THREADS, else the CPUs in the process's affinity mask (at most maxThreads).
/// Answers 0 if the variable is set to anything but a number from 1 to maxThreads.
/// Where threads run is the system's choice; with $MOE_PIN_THREADS=1, read when the process's pool is made, thread i > 0 stays on number i of those CPUs.
int32_t defaultThreads();

} // namespace moe::runtime

#endif // MOE_RUNTIME_THREADPOOL_H
