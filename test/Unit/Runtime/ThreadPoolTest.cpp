// The thread pool and its barrier under stress: more threads than CPUs, teams side by side, teams inside teams, a forked child.
#include "moe/Runtime/Barrier.h"
#include "moe/Runtime/ThreadPool.h"

#include <gtest/gtest.h>
#include <atomic>
#include <sched.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace moe::runtime;

namespace {

/// Every thread marks its place.
struct Places {
  std::vector<std::atomic<int>> calls = std::vector<std::atomic<int>>(maxThreads);
  std::atomic<int64_t> threads{0};

  static void mark(void *self, int64_t thread, int64_t threads, void *) {
    Places &places = *static_cast<Places *>(self);
    places.calls[thread]++;
    places.threads = threads;
  }
};

TEST(ThreadPool, CallsEveryThreadOnce) {
  for (int32_t threads = 1; threads <= 8; ++threads) {
    Places places;
    for (int run = 0; run < 50; ++run)
      runTeam(threads, Places::mark, &places);
    EXPECT_EQ(places.threads, threads);
    for (int32_t i = 0; i < 16; ++i)
      EXPECT_EQ(places.calls[i], i < threads ? 50 : 0) << "thread " << i << " of " << threads;
  }
}

/// Rounds of: write my cell, meet, read all cells (plain memory, so that ThreadSanitizer sees a missing barrier), meet.
struct Rounds {
  std::vector<int64_t> cells = std::vector<int64_t>(16);
  std::atomic<int64_t> wrong{0};
  int64_t rounds = 0;

  static void work(void *self, int64_t thread, int64_t threads, void *barrier) {
    Rounds &rounds = *static_cast<Rounds *>(self);
    for (int64_t round = 1; round <= rounds.rounds; ++round) {
      rounds.cells[thread] = round * 100 + thread;
      static_cast<Barrier *>(barrier)->wait();
      for (int64_t other = 0; other < threads; ++other)
        rounds.wrong += rounds.cells[other] != round * 100 + other;
      static_cast<Barrier *>(barrier)->wait();
    }
  }
};

TEST(ThreadPool, BarrierOrdersMemory) {
  for (int32_t threads = 1; threads <= 8; ++threads) {
    Rounds rounds;
    rounds.rounds = threads <= 2 ? 1000 : 100;
    runTeam(threads, Rounds::work, &rounds);
    EXPECT_EQ(rounds.wrong, 0) << threads << " threads";
  }
}

TEST(ThreadPool, WakesSleepers) {
  // Longer apart than the spinning: every run begins and some meetings happen with threads asleep in the kernel.
  for (int run = 0; run < 5; ++run) {
    Places places;
    runTeam(4, [](void *self, int64_t thread, int64_t threads, void *barrier) {
      if (thread == 1)
        usleep(5000);
      static_cast<Barrier *>(barrier)->wait();
      Places::mark(self, thread, threads, barrier);
      if (thread == 2)
        usleep(5000);
    }, &places);
    for (int32_t i = 0; i < 4; ++i)
      EXPECT_EQ(places.calls[i], 1);
    usleep(5000);
  }
}

TEST(ThreadPool, TeamsSideBySideAllFinish) {
  std::atomic<int64_t> wrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 5; ++caller)
    callers.emplace_back([caller, &wrong] {
      for (int run = 0; run < 40; ++run) {
        Rounds rounds;
        rounds.rounds = 3;
        runTeam(1 + (caller + run) % 4, Rounds::work, &rounds);
        wrong += rounds.wrong;
      }
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST(ThreadPool, TeamInsideTeamIsTheCallerAlone) {
  struct Outer {
    std::atomic<int> inner{0};
    std::atomic<int64_t> innerThreads{0};
  } outer;
  runTeam(3, [](void *self, int64_t, int64_t, void *) {
    runTeam(3, [](void *self, int64_t, int64_t threads, void *barrier) {
      static_cast<Barrier *>(barrier)->wait();
      static_cast<Outer *>(self)->inner++;
      static_cast<Outer *>(self)->innerThreads += threads;
    }, self);
  }, &outer);
  EXPECT_EQ(outer.inner, 3);
  EXPECT_EQ(outer.innerThreads, 3);
}

#if !defined(__SANITIZE_THREAD__) && !__has_feature(thread_sanitizer)
TEST(ThreadPool, ForkedChildHasThreadsOfItsOwn) {
  Places before;
  runTeam(3, Places::mark, &before); // The pool has workers, which the child will not have.
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(20);
    Rounds rounds;
    rounds.rounds = 10;
    runTeam(3, Rounds::work, &rounds);
    _exit(rounds.wrong == 0 && rounds.cells[2] == 1002 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// In a child, which makes a pool of its own: the pool of this process may exist already.
TEST(ThreadPool, PinnedWorkersStayOnOneCpuEach) {
  cpu_set_t all;
  ASSERT_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
  if (CPU_COUNT(&all) < 2)
    GTEST_SKIP() << "one CPU";
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(20);
    setenv("MOE_PIN_THREADS", "1", 1);
    struct Seen {
      std::atomic<int> right{0};
      cpu_set_t all;
    } seen;
    seen.all = all;
    runTeam(
        2,
        [](void *context, int64_t thread, int64_t, void *) {
          Seen &seen = *static_cast<Seen *>(context);
          cpu_set_t own;
          sched_getaffinity(0, sizeof(own), &own);
          int second = 0; // the second CPU of the mask
          for (int cpu = 0, number = 0; cpu < CPU_SETSIZE; ++cpu)
            if (CPU_ISSET(cpu, &seen.all) && number++ == 1)
              second = cpu;
          const bool isPinned = CPU_COUNT(&own) == 1 && CPU_ISSET(second, &own);
          seen.right += thread == 0 ? CPU_EQUAL(&own, &seen.all) : isPinned;
        },
        &seen);
    _exit(seen.right == 2 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
#endif

TEST(ThreadPool, DefaultThreadsComeFromTheEnvironment) {
  auto with = [](const char *value) {
    setenv("MOE_NUM_THREADS", value, 1);
    int32_t threads = defaultThreads();
    unsetenv("MOE_NUM_THREADS");
    return threads;
  };
  EXPECT_EQ(with("3"), 3);
  EXPECT_EQ(with("1024"), 1024);
  EXPECT_EQ(with("0"), 0);
  EXPECT_EQ(with("1025"), 0);
  EXPECT_EQ(with("99999999999999999999"), 0);
  EXPECT_EQ(with("-1"), 0);
  EXPECT_EQ(with("2 "), 0);
  cpu_set_t mask;
  ASSERT_EQ(sched_getaffinity(0, sizeof(mask), &mask), 0);
  EXPECT_EQ(with(""), CPU_COUNT(&mask));
}

} // namespace
