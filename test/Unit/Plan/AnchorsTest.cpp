// The rules of other planners against the tables that they published and against brute force over their own models.
#include "moe/Plan/Sharding/Anchors.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <random>

using namespace moe::plan;

namespace {

TEST(Tutel, BytesOfBaseAndLargeLayers) {
  const TutelLayer base{64, 16, 2, 1, 4096, 2048, 2048, 2}, large{64, 16, 2, 1, 1024, 2048, 32768, 2};
  const std::pair<int64_t, std::pair<double, double>> table[] = {{0, {264.2, 4227.9}}, {1, {78.6, 217.8}}, {2, {136.3, 100.1}}, {4, {264.2, 66.1}}};
  for (const auto &[r, megabytes] : table) {
    EXPECT_NEAR(tutelBytes(base, r) / 1e6, megabytes.first, 0.06) << r;
    EXPECT_NEAR(tutelBytes(large, r) / 1e6, megabytes.second, 0.06) << r;
  }
}

TEST(Tutel, OrderOfRegimesByCapacity) {
  for (int factor = 1; factor <= 8; ++factor) {
    const double f = factor;
    EXPECT_EQ(tutelDegree({64, 16, 2, f, 4096, 2048, 2048, 2}), factor <= 3 ? 1 : 0) << factor;
    EXPECT_EQ(tutelDegree({64, 16, 2, f, 1024, 2048, 32768, 2}), factor <= 2 ? 4 : 2) << factor;
  }
}

TEST(Alpa, ObjectiveOfItsLayer) {
  // Its test of an MoE layer: 64 sequences of 16 tokens, hidden 64, 16 experts, 4 devices, latency and time a byte of 1. Experts are shared out: four
  // all-to-alls of rows for the two experts of a token, forward and backward, and the gradients of what is replicated.
  constexpr double b = 64, s = 16, h = 64, e = 16;
  const double once = alpaAllToAll(b * s * h * 2 * 4, 4, 1, 1);
  double gradients = 0;
  for (double elements : {3 * h * h, 3 * h, h * h, h, h * e, h, h, h, h})
    gradients += alpaAllReduce(elements * 4, 4, 1, 1);
  EXPECT_NEAR(2 * once, 393218.002, 1e-6);
  EXPECT_NEAR(4 * once + gradients, 893965.094, 1e-6);
}

TEST(HybridEp, ShareIsTheBestOfItsModel) {
  std::mt19937 random(2);
  std::uniform_real_distribution<double> unit(0.01, 1);
  for (int draw = 0; draw < 5000; ++draw) {
    const double tokens = unit(random) * 1e8, experts = unit(random) * 1e7, bandwidth = unit(random) * 1e10, before = unit(random) * 0.05;
    const int64_t devices = 2 + int64_t(random() % 63);
    const double g = double(devices);
    auto latency = [&](double p) {
      const double exchange = tokens * (g - 1) / g * p / bandwidth, gather = experts * (g - 1) * (1 - p) / bandwidth;
      return 2 * exchange + std::max(before, gather);
    };
    double best = 1e30;
    for (int i = 0; i <= 2000; ++i)
      best = std::min(best, latency(i / 2000.0));
    const double share = hybridEpShare(tokens, experts, devices, bandwidth, before);
    ASSERT_GE(share, 0);
    ASSERT_LE(share, 1);
    ASSERT_LE(latency(share), best * (1 + 1e-12));
  }
}

TEST(FasterMoe, ShadowedSets) {
  using Experts = std::vector<int64_t>;
  auto shadows = [](std::vector<double> loads, size_t others, double load) {
    loads.resize(loads.size() + others, load);
    return shadowedExperts(loads, ShadowModel());
  };
  EXPECT_EQ(shadows({16384}, 15, 512), (Experts{0}));
  EXPECT_EQ(shadows({8192, 6144}, 14, 512), (Experts{0, 1}));
  EXPECT_EQ(shadows({}, 16, 1024), Experts{});
  EXPECT_EQ(shadows({30000, 8000, 3000}, 13, 800), (Experts{0, 1, 2}));
  EXPECT_EQ(shadowedExperts({}, ShadowModel()), Experts{});
}

} // namespace
