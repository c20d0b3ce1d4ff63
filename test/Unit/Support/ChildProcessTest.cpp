// Every way in which a child process can end, seen from the parent.
#include "moe/Support/ChildProcess.h"

#include <chrono>
#include <csignal>
#include <gtest/gtest.h>

using namespace moe;

static ChildResult shell(const std::string &script, unsigned timeout = 20) { return runChild("/bin/sh", {std::string("-c"), script}, timeout); }

TEST(ChildProcess, ReturnsStatusAndOutput) {
  ChildResult result = shell("echo out; echo err >&2; exit 7");
  EXPECT_EQ(result.ending, ChildResult::Exited);
  EXPECT_EQ(result.code, 7);
  EXPECT_EQ(result.output, "out\nerr\n");
  EXPECT_FALSE(result.succeeded());
  EXPECT_TRUE(shell("true").succeeded());
}

TEST(ChildProcess, PassesArgumentsAsTheyAre) {
  ChildResult result = runChild("/bin/echo", {std::string("a b"), std::string("$HOME"), std::string("*")}, 20);
  EXPECT_EQ(result.output, "a b $HOME *\n");
}

TEST(ChildProcess, NamesTheSignal) {
  ChildResult result = shell("kill -9 $$");
  EXPECT_EQ(result.ending, ChildResult::Signalled);
  EXPECT_EQ(result.code, SIGKILL);
  EXPECT_EQ(shell("kill -6 $$").code, SIGABRT);
}

TEST(ChildProcess, StopsWhatTakesTooLong) {
  // One child that keeps its output open, one that closes it and hangs.
  for (const char *script : {"exec sleep 60", "exec >/dev/null 2>&1 sleep 60"}) {
    auto start = std::chrono::steady_clock::now();
    ChildResult result = shell(script, 1);
    EXPECT_EQ(result.ending, ChildResult::TimedOut) << script;
    EXPECT_EQ(result.code, 1);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
  }
}

TEST(ChildProcess, KeepsTheEndOfLongOutput) {
  ChildResult result = shell("i=0; while [ $i -lt 30000 ]; do echo line $i; i=$((i+1)); done");
  EXPECT_TRUE(result.succeeded());
  EXPECT_LE(result.output.size(), 64u << 10);
  EXPECT_NE(result.output.find("line 29999\n"), std::string::npos);
}

TEST(ChildProcess, ReadsNothing) { EXPECT_EQ(shell("cat; echo done").output, "done\n"); }

TEST(ChildProcess, SaysWhyAProgramDoesNotStart) {
  ChildResult result = runChild("/nowhere/at-all", {}, 5);
  EXPECT_EQ(result.ending, ChildResult::NotStarted);
  EXPECT_NE(result.output.find("/nowhere/at-all"), std::string::npos);
}

TEST(ChildProcess, IgnoresTheCallersSignalMask) {
  sigset_t blocked, before;
  sigfillset(&blocked);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  ChildResult result = shell("kill -15 $$; echo survived");
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  EXPECT_EQ(result.ending, ChildResult::Signalled);
  EXPECT_EQ(result.code, SIGTERM);
}
