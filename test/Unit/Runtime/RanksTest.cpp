// Exchanges between ranks: what must come is computed here, from the same numbers on every rank. Under mpiexec (test/Runtime/exchanges.test); alone nothing is
// tested. Tests that end all ranks are disabled but for who asks for them.
#include "moe/Runtime/Mpi.h"
#include "moe/Runtime/Ranks.h"

#include <gtest/gtest.h>
#include <random>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <vector>

using namespace moe::runtime;

namespace {

constexpr int64_t devices = 8;

class RanksTest : public testing::Test {
protected:
  void SetUp() override {
    if (!isLaunched())
      GTEST_SKIP() << "needs mpiexec";
    if (!ranks)
      ranks = new Ranks; // Ranks live as long as the process: their communicator is taken once.
    static bool isOpen = false;
    const unsigned char identity[32] = {1};
    if (!isOpen)
      ASSERT_EQ(ranks->open(devices, identity, "test"), MOE_STATUS_OK);
    isOpen = true;
  }
  static Ranks *ranks;
};

Ranks *RanksTest::ranks = nullptr;

/// One exchange: its counts, what this rank sends, and what has come.
struct Exchange {
  Exchange(std::mt19937 &random, int64_t n, int64_t rank, int64_t width, int most) : width(width), counts(n, std::vector<int32_t>(n)) {
    for (auto &row : counts)
      for (int32_t &count : row)
        count = random() % 3 == 0 ? 0 : int32_t(random() % unsigned(most));
    token.reserve(1); // Null would say that tokens are not known.
    for (int64_t r = 0; r < n; ++r) {
      send.push_back(counts[rank][r]);
      receive.push_back(counts[r][rank]);
      append(from, rank, r);
      for (int32_t i = 0; i < counts[rank][r]; ++i)
        token.push_back(tokenOf(r, i));
      append(want, r, rank);
    }
    into.assign(want.size(), -1);
  }

  /// Tokens recur, in no order, among the rows for one rank and for several.
  static int32_t tokenOf(int64_t target, int32_t i) { return int32_t((i * 7 + target) % 23); }

  void append(std::vector<float> &rows, int64_t source, int64_t target) const {
    for (int32_t i = 0; i < counts[source][target]; ++i)
      for (int64_t c = 0; c < width; ++c)
        rows.push_back(float(source * 1009 + tokenOf(target, i) * 31 + c));
  }

  int64_t width;
  std::vector<std::vector<int32_t>> counts;
  std::vector<int32_t> send, receive, token;
  std::vector<float> from, into, want;
};

TEST_F(RanksTest, ExchangesArrive) {
  const int64_t n = ranks->count();
  std::mt19937 random(5);
  for (int round = 0; round < 60; ++round) {
    const int64_t perNode = std::vector<int64_t>{0, 1, 2, 4, 8}[size_t(round / 2) % 5];
    std::vector<Exchange> all;
    for (int e = 0; e < 4; ++e)
      all.emplace_back(random, n, ranks->rank(), e == 3 ? 4096 : 5 + e, round % 10 == 9 ? 1 : 40);
    for (Exchange &e : all)
      ranks->startExchange(e.from.data(), e.into.data(), e.send.data(), e.receive.data(), round % 2 ? e.token.data() : nullptr, e.width * 4, perNode);
    for (size_t i : {2, 0, 3, 1}) {
      ranks->waitForExchange(all[i].into.data());
      ASSERT_EQ(all[i].into, all[i].want) << "round " << round << ", exchange " << i << ", " << perNode << " devices a node";
    }
  }
}

TEST_F(RanksTest, DISABLED_CountsDisagree) {
  const int64_t n = ranks->count();
  std::vector<int32_t> send(n, 2), receive(n, 2);
  if (ranks->rank() == 0)
    send[1] = 3;
  std::vector<float> from(size_t(2 * n + 1) * 4), into(size_t(2 * n + 1) * 4);
  ranks->startExchange(from.data(), into.data(), send.data(), receive.data(), nullptr, 16, getenv("MOE_TEST_TWO_LEVEL") ? 2 : 0);
  ranks->waitForExchange(into.data());
}

TEST_F(RanksTest, DISABLED_OneDies) {
  const int64_t n = ranks->count(), width = 1 << 16;
  std::vector<int32_t> counts(n, 4);
  std::vector<float> from(size_t(4 * n * width)), into(from.size());
  ranks->startExchange(from.data(), into.data(), counts.data(), counts.data(), nullptr, width * 4, getenv("MOE_TEST_TWO_LEVEL") ? 2 : 0);
  if (ranks->rank() == 1)
    kill(getpid(), SIGKILL);
  ranks->waitForExchange(into.data());
  ranks->exchange(from.data(), into.data(), counts.data(), counts.data(), width * 4);
}

} // namespace
