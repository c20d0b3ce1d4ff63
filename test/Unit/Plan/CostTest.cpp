// The cost model against hand arithmetic, closed forms and tables that others published.
#include "moe/Plan/Sharding/Cost.h"
#include "moe/Plan/Sharding/Profile.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <numeric>
#include <random>

using namespace moe::plan;

namespace {

Traffic uniformTraffic(int64_t experts, int64_t topK, int64_t ranks, int64_t ranksPerNode) {
  Placement placement{ranks, std::vector<int64_t>(static_cast<size_t>(experts))};
  std::iota(placement.expertOfSlot.begin(), placement.expertOfSlot.end(), 0);
  return trafficOf(Routing(uniformShares(experts, topK), topK), placement, ranksPerNode);
}

Levels twoLevels(int64_t nodes, int64_t perNode) { return {nodes, perNode, /*inter=*/{10, 50, 1, 0}, /*intra=*/{2, 200, 0.5, 0}}; }

TEST(Traffic, CopiesAndReachOfSmallPlacement) {
  // Two ranks of two slots; expert 0 on both. Pairs of 3 experts, k = 2: {0,1}, {0,2}, {1,2} equally likely.
  Traffic traffic = trafficOf(Routing(uniformShares(3, 2), 2), {2, {0, 1, 0, 2}}, 1);
  EXPECT_EQ(traffic.nodeReach, traffic.rankReach);
  for (size_t rank : {size_t(0), size_t(1)}) {
    EXPECT_NEAR(traffic.copies[rank], 1, 1e-12);
    // Missed only by {0, the other's}, if 0 goes to the other rank: 1/3 · 1/2.
    EXPECT_NEAR(traffic.rankReach[rank], 1 - 1.0 / 6, 1e-12);
  }
  EXPECT_NEAR(traffic.slotShare[0], 1.0 / 3, 1e-12);
  EXPECT_EQ(trafficMatrix({3, 0}, {0.5, 2}), (std::vector<double>{1.5, 6, 0, 0}));
}

TEST(Traffic, ReplicasOnOneRankAreOneExpert) {
  Traffic traffic = trafficOf(Routing({0.5, 0.5}, 1), {2, {0, 0, 1, 1}}, 2);
  EXPECT_NEAR(traffic.rankReach[0], 0.5, 1e-12);
  EXPECT_NEAR(traffic.nodeReach[0], 1, 1e-12);
}

TEST(AllToAll, DirectByHand) {
  // 4 ranks on 2 nodes, k = 1: a rank sends 25 of its 100 tokens to each. 1000 bytes a copy.
  const Traffic traffic = uniformTraffic(4, 1, 4, 2);
  // Across: 2 peers, 50 copies: 10 + 2 + 50000 / 50e3 = 13. Inside: 1 peer, 25 copies: 2 + 0.5 + 0.125.
  EXPECT_NEAR(allToAllUs(twoLevels(2, 2), {4, 2}, traffic, 100, 1000, Algorithm::Direct, Dedup::None, {}), 13, 1e-9);
  EXPECT_NEAR(allToAllUs(twoLevels(1, 4), {4, 4}, uniformTraffic(4, 1, 4, 4), 100, 1000, Algorithm::Direct, Dedup::None, {}), 2 + 1.5 + 0.375, 1e-9);
}

TEST(AllToAll, TwoLevelByHand) {
  const Traffic traffic = uniformTraffic(4, 1, 4, 2);
  // Across: 1 peer, 50 copies: 10 + 1 + 1 = 12. Inside: the tokens of two devices, 25 copies each: 2 + 0.5 + 0.25 = 2.75.
  EXPECT_NEAR(allToAllUs(twoLevels(2, 2), {4, 2}, traffic, 100, 1000, Algorithm::TwoLevel, Dedup::None, {}), 14.75, 1e-9);
  EXPECT_NEAR(allToAllUs(twoLevels(2, 2), {4, 2}, traffic, 100, 1000, Algorithm::TwoLevel, Dedup::None, {0, 0}), 12, 1e-9);
}

TEST(AllToAll, OnceToANodeSavesWhatThePublishedDuplicateRateSays) {
  // 256 experts, k = 8, 4 nodes of 8: of 8 copies a token's 3.614 nodes remain (the table of distinct groups).
  const Traffic traffic = uniformTraffic(256, 8, 32, 8);
  Levels levels = twoLevels(4, 8);
  levels.inter = {0, 1, 0, 0};
  levels.intra = {0, 1e12, 0, 0};
  const double copies = allToAllUs(levels, {32, 8}, traffic, 1000, 1000, Algorithm::TwoLevel, Dedup::None, {});
  const double once = allToAllUs(levels, {32, 8}, traffic, 1000, 1000, Algorithm::TwoLevel, Dedup::Node, {});
  EXPECT_NEAR(once / copies, 3.614 / 8, 1e-4);
}

TEST(AllGather, ByHand) {
  // 100 tokens of 1000 bytes to 2 devices across, 10 + 2 + 200000 / 50e3, and to one inside, 2 + 0.5 + 100000 / 200e3.
  EXPECT_NEAR(allGatherUs(twoLevels(2, 2), 100, 1000), 16, 1e-9);
  EXPECT_NEAR(allGatherUs(twoLevels(1, 2), 100, 1000), 3, 1e-9);
  EXPECT_EQ(allGatherUs(twoLevels(1, 1), 100, 1000), 0);
}

TEST(AllToAll, TheFullestRankDecides) {
  // All tokens to rank 3: it receives from 3 ranks, 2 of them across.
  Traffic traffic = trafficOf(Routing({0, 0, 0, 1}, 1), {4, {0, 1, 2, 3}}, 2);
  EXPECT_NEAR(allToAllUs(twoLevels(2, 2), {4, 2}, traffic, 100, 1000, Algorithm::Direct, Dedup::None, {}), 10 + 2 + 200000 / 50e3, 1e-9);
}

TEST(Bytes, DeepEpBandwidthFromItsLatencies) {
  // 128 tokens of 7168, 8 copies each: fp8 with a float scale for each 128 elements out, bf16 back. Published microseconds and (whole) GB/s.
  LayerShape shape;
  shape.hidden = 7168;
  shape.dispatchBytes = 1;
  shape.scaleBytes = 7168 / 128 * 4;
  shape.combineBytes = 2;
  const double out = 128 * 8 * shape.dispatchCopyBytes(), back = 128 * 8 * shape.combineCopyBytes();
  EXPECT_NEAR(out / 1e6, 7.569, 5e-4);
  EXPECT_NEAR(back / 1e6, 14.680, 5e-4);
  const double rows[][4] = {{77, 98, 114, 127}, {118, 63, 195, 74}, {155, 48, 273, 53}, {173, 43, 314, 46}, {192, 39, 369, 39}, {194, 39, 360, 40}};
  for (const auto &row : rows) {
    EXPECT_NEAR(out / row[0] / 1e3 / row[1], 1, 0.021) << row[0];
    EXPECT_NEAR(back / row[2] / 1e3 / row[3], 1, 0.021) << row[2];
  }
}

/// FSMoE's closed form without gradients and expert sharding: the larger of the communication-bound and the compute-bound case.
double closedForm(double exchange, double expert, double chunks) { return std::max(2 * chunks * exchange, 2 * exchange + chunks * expert); }

TEST(Overlap, ClosedFormOfFsMoeOnRandomDraws) {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> start(0.005, 0.2), work(0.2, 5);
  for (int draw = 0; draw < 20000; ++draw) {
    const double exchangeStart = start(random), exchangeWork = work(random), expertStart = start(random), expertWork = work(random);
    int bestSimulated = 0, bestClosed = 0;
    double leastSimulated = 1e30, leastClosed = 1e30;
    for (int chunks = 1; chunks <= 16; ++chunks) {
      const double exchange = exchangeStart + exchangeWork / chunks, expert = expertStart + expertWork / chunks;
      const double simulated = overlapUs({chunks, exchange, expert, exchange, 0, 0}), closed = closedForm(exchange, expert, chunks);
      ASSERT_NEAR(simulated, closed, 1e-9);
      if (simulated < leastSimulated - 1e-9) {
        leastSimulated = simulated;
        bestSimulated = chunks;
      }
      if (closed < leastClosed - 1e-9) {
        leastClosed = closed;
        bestClosed = chunks;
      }
    }
    ASSERT_EQ(bestSimulated, bestClosed);
  }
}

TEST(Overlap, ComputeIsSlowerWhileCommunicationRuns) {
  // Two chunks of 10 each. The first expert runs 10 → 20 beside the second dispatch and does 10 / 1.5, the rest alone: 23.33. Its combine runs
  // beside the second expert, which does 10 / 1.5 until 33.33 and ends at 36.67; the last combine ends at 46.67.
  EXPECT_NEAR(overlapUs({2, 10, 10, 10, 0, 0.5}), 140.0 / 3, 1e-9);
  EXPECT_NEAR(overlapUs({1, 10, 10, 10, 0, 0.5}), 30, 1e-9);
}

TEST(Overlap, SharedExpertHidesBehindDispatch) {
  EXPECT_NEAR(overlapUs({1, 10, 5, 10, 8, 0}), 25, 1e-9);
  EXPECT_NEAR(overlapUs({1, 10, 5, 10, 14, 0}), 29, 1e-9);
  // 14 of work, 10 of time beside the dispatch that do 8: 16 in all.
  EXPECT_NEAR(overlapUs({1, 10, 5, 10, 14, 0.25}), 31, 1e-9);
}

LayerShape smallShape() {
  LayerShape shape;
  shape.experts = 4;
  shape.topK = 1;
  shape.hidden = 100;
  shape.intermediate = 50;
  shape.matrices = 2;
  shape.tokens = 10;
  return shape;
}

Device smallDevice() {
  Device device;
  device.tflops = {{"f32", 0.001}}; // 1000 operations a microsecond
  device.gemmAlphaUs = 1;
  device.gemmHalfRows = 5;
  device.memoryGbps = 1e9;
  device.memoryBytes = int64_t(1) << 40;
  return device;
}

TEST(Experts, RooflineByHand) {
  Traffic traffic;
  traffic.slotShare = {1, 1};
  // Arithmetic: 2 · 2 · 100 · 50 = 20000 operations a row, 10 rows at 10 / 15 of the peak: 300 us an expert, and 1 us to start.
  EXPECT_NEAR(expertUs(smallDevice(), smallShape(), traffic, 0, 2, 10, 1), 602, 1e-9);
  EXPECT_NEAR(expertUs(smallDevice(), smallShape(), traffic, 0, 1, 10, 2), 151, 1e-9);
  // Memory: 40000 bytes of weights an expert and 2 · 20 rows of 400 bytes at 1000 bytes a microsecond.
  Device device = smallDevice();
  device.tflops["f32"] = 1e9;
  device.memoryGbps = 1;
  EXPECT_NEAR(expertUs(device, smallShape(), traffic, 0, 2, 10, 1), 2 + 80 + 16, 1e-9);
}

TEST(Experts, DecodingPaysForDistinctActiveExperts) {
  // One token among 4 experts of a rank, each chosen by a quarter: one is active. With 2 tokens 4 · (1 - 0.75²) are.
  Traffic traffic;
  traffic.slotShare = {0.25, 0.25, 0.25, 0.25};
  Device device = smallDevice();
  device.gemmHalfRows = 0;
  device.tflops["f32"] = 1e9;
  device.memoryGbps = 1;
  EXPECT_NEAR(expertUs(device, smallShape(), traffic, 0, 4, 1, 1), 1 + 40 + 0.8, 1e-9);
  EXPECT_NEAR(expertUs(device, smallShape(), traffic, 0, 4, 2, 1), 1.75 * 41 + 1.6, 1e-9);
}

Mesh meshOf(const Levels &levels, const Device &device) {
  Mesh mesh;
  mesh.axes = {{"node", levels.nodes, levels.inter}, {"gpu", levels.perNode, levels.intra}};
  mesh.device = device;
  return mesh;
}

TEST(Layout, GroupsThatFitTheNodes) {
  RankLayout layout;
  const Levels levels = twoLevels(4, 8);
  EXPECT_TRUE(layoutOf(levels, {16, 2, 1}, layout));
  EXPECT_EQ(layout.perNode, 4);
  EXPECT_EQ(layout.nodes(), 4);
  EXPECT_TRUE(layoutOf(levels, {2, 2, 8}, layout));
  EXPECT_EQ(layout.nodes(), 1);
  EXPECT_FALSE(layoutOf(levels, {2, 16, 1}, layout)) << "an expert split over nodes";
  EXPECT_FALSE(layoutOf(levels, {3, 1, 1}, layout)) << "a group across a node's edge";
}

TEST(Cost, ResultsThatGoToAllComeOnTop) {
  LayerShape shape = smallShape();
  const Mesh mesh = meshOf(twoLevels(2, 2), smallDevice());
  Candidate candidate{4, 1, 1, 1};
  RankLayout layout;
  ASSERT_TRUE(layoutOf(mesh.levels(), candidate, layout));
  const Traffic traffic = uniformTraffic(4, 1, 4, 2);
  const LayerCost stays = costOf(mesh, shape, candidate, layout, traffic, {});
  shape.gathersResults = true;
  const LayerCost goes = costOf(mesh, shape, candidate, layout, traffic, {});
  EXPECT_EQ(stays.gatherUs, 0);
  // Rows of 100 · 4 bytes: 10 + 2 peers across + 2 · 10 · 400 / 50e3.
  EXPECT_NEAR(goes.gatherUs, 12 + 0.016 * shape.tokens, 1e-9);
  EXPECT_NEAR(goes.totalUs, stays.totalUs + goes.gatherUs, 1e-9);
}

TEST(Cost, RoutedBytesAreGatheredInsteadOfResults) {
  LayerShape shape = smallShape();
  const Mesh mesh = meshOf(twoLevels(2, 2), smallDevice());
  Candidate candidate{4, 1, 1, 1};
  RankLayout layout;
  ASSERT_TRUE(layoutOf(mesh.levels(), candidate, layout));
  const Traffic traffic = uniformTraffic(4, 1, 4, 2);
  shape.routedBytes = 16;
  // 10 + 2 peers across + 2 · tokens · 16 / 50e3.
  EXPECT_NEAR(costOf(mesh, shape, candidate, layout, traffic, {}).gatherUs, 12 + 0.00064 * shape.tokens, 1e-9);
}

TEST(Cost, PartsThatTravelAreExpertsOfTheirOwn) {
  LayerShape shape = smallShape();
  const Mesh mesh = meshOf(twoLevels(1, 4), smallDevice());
  const Candidate candidate{2, 2, 1, 2};
  RankLayout layout;
  ASSERT_TRUE(layoutOf(mesh.levels(), candidate, layout));
  CostOptions options;
  options.partsTravel = true;
  const LayerCost parts = costOf(mesh, shape, candidate, layout, uniformTraffic(4, 1, 2, 2), options);
  // Four ranks with two experts of half the size each, and the rows of the two that they are halves of.
  LayerShape half = shape;
  half.intermediate /= 2;
  Traffic traffic = uniformTraffic(4, 1, 2, 2), four;
  four.topK = traffic.topK;
  four.ranksPerNode = 4;
  four.nodeReach = traffic.nodeReach;
  for (size_t rank : {0, 0, 1, 1}) {
    four.copies.push_back(traffic.copies[rank]);
    four.rankReach.push_back(traffic.rankReach[rank]);
    four.slotShare.insert(four.slotShare.end(), {traffic.slotShare[2 * rank], traffic.slotShare[2 * rank + 1]});
  }
  const LayerCost whole = costOf(mesh, half, {4, 1, 1, 2}, {4, 4}, four, {});
  EXPECT_NEAR(parts.totalUs, whole.totalUs, 1e-9);
  EXPECT_NEAR(parts.weightBytes, 2 * shape.expertBytes() / 2, 1e-9);
  EXPECT_NEAR(parts.dispatchUs, whole.dispatchUs, 1e-9);
}

TEST(Cost, MemoryByHand) {
  LayerShape shape = smallShape();
  shape.sharedIntermediate = 25;
  shape.dispatchBytes = 2;
  const Mesh mesh = meshOf(twoLevels(1, 4), smallDevice());
  Candidate candidate{2, 2, 1, 2};
  RankLayout layout;
  ASSERT_TRUE(layoutOf(mesh.levels(), candidate, layout));
  const LayerCost cost = costOf(mesh, shape, candidate, layout, uniformTraffic(4, 1, 2, 2), {});
  // Two experts of 40000 bytes halved, a shared one of 20000.
  EXPECT_NEAR(cost.weightBytes, 60000, 1e-9);
  // Half of 4 devices' 40 tokens and a quarter more: 25 rows of 200 + 400 bytes.
  EXPECT_NEAR(cost.bufferBytes, 15000, 1e-9);
  // No margin beyond what there can be: k · all tokens.
  EXPECT_NEAR(costOf(mesh, shape, {1, 1, 4, 4}, {1, 1}, uniformTraffic(4, 1, 1, 1), {}).bufferBytes, 6000, 1e-9);
}

TEST(Cost, FetchingByHand) {
  LayerShape shape = smallShape();
  const Mesh mesh = meshOf(twoLevels(2, 2), smallDevice());
  Candidate candidate{4, 1, 1, 1, Movement::Fetch};
  RankLayout layout;
  ASSERT_TRUE(layoutOf(mesh.levels(), candidate, layout));
  // Two experts of 40000 bytes from the other node: 10 + 2 + 80000 / 50e3. All experts for the own 10 tokens: 10 · 20000 operations and half
  // rows of 4 · (1 - 0.75^10) active ones.
  LayerCost cost = costOf(mesh, shape, candidate, layout, uniformTraffic(4, 1, 4, 2), {});
  EXPECT_NEAR(cost.fetchUs, 13.6, 1e-9);
  const double active = 4 * (1 - std::pow(0.75, 10));
  EXPECT_NEAR(cost.expertUs, active + 200 + active * 100, 1e-6);
  EXPECT_NEAR(cost.weightBytes, 40000, 1e-9);
  EXPECT_NEAR(cost.bufferBytes, 160000, 1e-9);
  shape.beforeUs = 10;
  EXPECT_NEAR(costOf(mesh, shape, candidate, layout, uniformTraffic(4, 1, 4, 2), {}).fetchUs, 3.6, 1e-9);
}

TEST(Cost, ExpertParallelBeatsItsMixWithTensorParallel) {
  // Megatron's rule for Mixtral-8x7B on 8 H100: EP8 TP1 is better than EP4 TP2, and that better than TP8.
  LayerShape shape{8, 2, 4096, 14336, 3, 0, 4096, "bf16", 2, 2, 2};
  Device device;
  device.tflops = {{"bf16", 989}};
  device.gemmAlphaUs = 6;
  device.gemmHalfRows = 96;
  device.memoryGbps = 3350;
  device.memoryBytes = int64_t(80) << 30;
  const Mesh mesh = meshOf({1, 8, {}, {3, 450, 0.2, 0}}, device);
  auto timeOf = [&](int64_t ep) {
    Candidate candidate{ep, 8 / ep, 1, 8 / ep};
    RankLayout layout;
    EXPECT_TRUE(layoutOf(mesh.levels(), candidate, layout));
    return costOf(mesh, shape, candidate, layout, uniformTraffic(8, 2, ep, layout.perNode), {}).totalUs;
  };
  EXPECT_LT(timeOf(8), timeOf(4));
  EXPECT_LT(timeOf(4), timeOf(1));
}

TEST(Cost, PlansThatKeepEveryBit) {
  EXPECT_TRUE((Candidate{8, 1, 1, 1}).isBitwise(8));
  EXPECT_FALSE((Candidate{4, 2, 1, 1}).isBitwise(8));
  const Candidate once{8, 1, 1, 1, Movement::Tokens, Algorithm::TwoLevel, Dedup::Node, 1};
  EXPECT_FALSE(once.isBitwise(4));
  EXPECT_TRUE(once.isBitwise(2)) << "a sum of two terms";
}

TEST(Objective, MeanAndTail) {
  std::vector<double> values(40, 1);
  values[7] = 5;
  values[9] = 4;
  EXPECT_DOUBLE_EQ(meanOrTail(values, false), 47.0 / 40);
  EXPECT_DOUBLE_EQ(meanOrTail(values, true), 4.5);
  EXPECT_DOUBLE_EQ(meanOrTail({3, 1}, true), 3);
}

} // namespace
