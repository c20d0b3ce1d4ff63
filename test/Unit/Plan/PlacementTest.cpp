// Placements against EPLB's published example slot by slot, optima found by a constraint solver or by trying everything, and the balance that
// EPLB is known to reach on skewed loads.
#include "moe/Plan/Sharding/Placement.h"
#include "moe/Plan/Sharding/Profile.h"

#include <algorithm>
#include <functional>
#include <gtest/gtest.h>
#include <limits>
#include <random>

using namespace moe::plan;

namespace {

using Slots = std::vector<int64_t>;
const std::vector<double> layer0 = {90, 132, 40, 61, 104, 165, 39, 4, 73, 56, 183, 86};
const std::vector<double> layer1 = {20, 107, 104, 64, 19, 197, 187, 157, 172, 86, 16, 27};

PlacementProblem published(const std::vector<double> &loads, bool keepGroups) {
  return {loads, /*devices=*/8, /*slots=*/16, /*groups=*/keepGroups ? 4 : 1, /*nodes=*/keepGroups ? 2 : 1};
}

/// Every expert has a slot, and with groups all its slots are on one node with the rest of its group.
void expectValid(const PlacementProblem &problem, const Placement &placement) {
  const int64_t experts = static_cast<int64_t>(problem.loads.size());
  ASSERT_EQ(static_cast<int64_t>(placement.expertOfSlot.size()), problem.slots);
  for (int64_t count : placement.replicas(experts))
    EXPECT_GE(count, 1);
  if (!problem.keepsGroups())
    return;
  std::vector<int64_t> nodeOfGroup(static_cast<size_t>(problem.groups), -1);
  for (int64_t s = 0; s < problem.slots; ++s) {
    int64_t &node = nodeOfGroup[size_t(placement.expertOfSlot[size_t(s)] / (experts / problem.groups))];
    const int64_t here = s / (problem.slots / problem.nodes);
    EXPECT_TRUE(node == -1 || node == here) << "slot " << s;
    node = here;
  }
}

TEST(Eplb, PublishedExample) {
  EXPECT_EQ(placeByEplb(published(layer0, true)).expertOfSlot, (Slots{5, 6, 5, 7, 8, 4, 3, 4, 10, 9, 10, 2, 0, 1, 11, 1}));
  EXPECT_EQ(placeByEplb(published(layer1, true)).expertOfSlot, (Slots{7, 10, 6, 8, 6, 11, 8, 9, 2, 4, 5, 1, 5, 0, 3, 1}));
  EXPECT_EQ(placeByEplb(published(layer0, false)).expertOfSlot, (Slots{10, 6, 10, 7, 0, 2, 11, 4, 5, 9, 5, 4, 8, 3, 1, 1}));
  EXPECT_EQ(placeByEplb(published(layer1, false)).expertOfSlot, (Slots{1, 10, 2, 4, 5, 11, 5, 0, 6, 7, 6, 3, 8, 8, 9, 7}));
}

TEST(Eplb, PublishedCountsAndLoads) {
  EXPECT_EQ(placeByEplb(published(layer0, true)).replicas(12), (Slots{1, 2, 1, 1, 2, 2, 1, 1, 1, 1, 2, 1}));
  EXPECT_EQ(placeByEplb(published(layer1, true)).replicas(12), (Slots{1, 2, 1, 1, 1, 2, 2, 1, 2, 1, 1, 1}));
  EXPECT_EQ(replicaCounts(layer1, 16), (Slots{1, 1, 1, 1, 1, 2, 2, 2, 2, 1, 1, 1}));
  EXPECT_EQ(placeByEplb(published(layer0, true)).deviceLoads(layer0), (std::vector<double>{121.5, 86.5, 125, 113, 147.5, 131.5, 156, 152}));
  EXPECT_EQ(placeByEplb(published(layer1, false)).deviceLoads(layer1), (std::vector<double>{123, 123, 125.5, 118.5, 172, 157.5, 172, 164.5}));
}

TEST(Eplb, GroupsThatDoNotDivideAmongNodesCountForNothing) {
  PlacementProblem problem = published(layer0, false);
  problem.groups = 3;
  problem.nodes = 2;
  EXPECT_EQ(placeByEplb(problem).expertOfSlot, placeByEplb(published(layer0, false)).expertOfSlot);
}

TEST(Place, ReachesTheConstraintSolversOptimum) {
  struct Case {
    std::vector<double> loads;
    bool keepGroups;
    double optimum;
  };
  for (const Case &c : {Case{layer0, true, 151}, {layer0, false, 136}, {layer1, true, 179.5}, {layer1, false, 172}}) {
    const PlacementProblem problem = published(c.loads, c.keepGroups);
    const PlacementResult result = place(problem);
    expectValid(problem, result.placement);
    EXPECT_DOUBLE_EQ(result.maxLoad, c.optimum);
    EXPECT_LE(result.bound, c.optimum);
  }
}

/// The best placement by trying all: each slot any expert, devices of two slots.
double bruteForce(const PlacementProblem &problem) {
  double best = std::numeric_limits<double>::infinity();
  Placement placement{problem.devices, Slots(static_cast<size_t>(problem.slots))};
  const size_t perDevice = static_cast<size_t>(placement.slotsPerDevice());
  std::function<void(size_t)> fill = [&](size_t slot) {
    if (slot == placement.expertOfSlot.size()) {
      const Slots counts = placement.replicas(static_cast<int64_t>(problem.loads.size()));
      if (*std::min_element(counts.begin(), counts.end()) > 0)
        best = std::min(best, placement.maxDeviceLoad(problem.loads));
      return;
    }
    // Order inside a device means nothing.
    int64_t first = slot % perDevice ? placement.expertOfSlot[slot - 1] : 0;
    for (int64_t e = first; e < static_cast<int64_t>(problem.loads.size()); ++e) {
      placement.expertOfSlot[slot] = e;
      fill(slot + 1);
    }
  };
  fill(0);
  return best;
}

TEST(Place, AgainstAllPlacementsOfSmallCases) {
  std::mt19937 random(3);
  double gaps = 0;
  int cases = 0;
  const std::pair<int64_t, PlacementProblem> shapes[] = {{4, {{}, 3, 6, 1, 1}}, {5, {{}, 3, 6, 1, 1}}, {5, {{}, 2, 8, 1, 1}}, {6, {{}, 4, 8, 1, 1}}};
  for (const auto &[experts, shape] : shapes)
    for (int draw = 0; draw < 8; ++draw, ++cases) {
      PlacementProblem problem = shape;
      for (int64_t e = 0; e < experts; ++e)
        problem.loads.push_back(double(random() % 200 + 1));
      const double best = bruteForce(problem);
      const PlacementResult result = place(problem, 100000);
      EXPECT_LE(result.bound, best * (1 + 1e-12));
      EXPECT_GE(result.maxLoad, best * (1 - 1e-12));
      EXPECT_LE(result.maxLoad, best * 1.04);
      gaps += result.maxLoad / best - 1;
    }
  EXPECT_LE(gaps / cases, 0.01);
}

TEST(Eplb, KnownBalanceOfSkewedLoads) {
  // Mean over draws of (mean / largest device load): 256 experts, 288 slots, 32 devices on 4 nodes, 8 groups; Zipf loads in random order. The
  // known numbers are means of 20 other draws, so they are met within three standard errors of such a mean (from a program in numpy).
  struct Row {
    double exponent, groups, groupsError, global;
  };
  const Row rows[] = {{.2, .988, .0017, .998}, {.4, .974, .0045, .999}, {.6, .944, .0104, .999}, {.8, .880, .0153, .999}, {1, .721, .0149, .995}};
  std::mt19937 random(5);
  constexpr int draws = 200;
  for (const Row &row : rows) {
    double groups = 0, global = 0;
    for (int draw = 0; draw < draws; ++draw) {
      PlacementProblem problem{zipfShares(256, 1, row.exponent), 32, 288, 8, 4};
      std::shuffle(problem.loads.begin(), problem.loads.end(), random);
      groups += 1.0 / 32 / placeByEplb(problem).maxDeviceLoad(problem.loads) / draws;
      problem.groups = problem.nodes = 1;
      global += 1.0 / 32 / placeByEplb(problem).maxDeviceLoad(problem.loads) / draws;
    }
    EXPECT_NEAR(groups, row.groups, 3 * row.groupsError) << row.exponent;
    EXPECT_NEAR(global, row.global, 0.0015) << row.exponent;
  }
}

TEST(Place, NeverWorseThanEplb) {
  std::mt19937 random(9);
  for (double exponent : {0.2, 0.6, 1.0, 1.2})
    for (bool keepGroups : {false, true}) {
      PlacementProblem problem{zipfShares(256, 1, exponent), 32, 288, keepGroups ? 8 : 1, keepGroups ? 4 : 1};
      std::shuffle(problem.loads.begin(), problem.loads.end(), random);
      const PlacementResult result = place(problem, 100000);
      expectValid(problem, result.placement);
      EXPECT_LE(result.maxLoad, placeByEplb(problem).maxDeviceLoad(problem.loads));
      EXPECT_GE(result.maxLoad, result.bound);
    }
}

TEST(Place, OddNumbers) {
  // More groups than are tried in all ways; a node of one device; no load at all; experts that nobody wants.
  PlacementProblem many{zipfShares(64, 1, 0.7), 16, 80, 32, 4};
  expectValid(many, place(many, 10000).placement);
  EXPECT_LE(place(many, 10000).maxLoad, placeByEplb(many).maxDeviceLoad(many.loads));
  PlacementProblem one{{5, 0, 0}, 1, 4, 1, 1};
  EXPECT_EQ(place(one).maxLoad, 5);
  PlacementProblem idle{{0, 0, 0}, 3, 3, 1, 1};
  EXPECT_EQ(place(idle).maxLoad, 0);
  EXPECT_EQ(place(idle).gap(), 0);
}

TEST(Place, RefusesNumbersThatDoNotFit) {
  std::string error;
  auto errorOf = [&](PlacementProblem problem) {
    EXPECT_FALSE(problem.validate(error));
    return error;
  };
  EXPECT_EQ(errorOf({{}, 1, 1, 1, 1}), "experts: expected at least 1, found 0");
  EXPECT_EQ(errorOf({{1, 2, 3}, 2, 5, 1, 1}), "slots: expected a multiple of 2 devices, at least 3, found 5");
  EXPECT_EQ(errorOf({{1, 2, 3}, 2, 2, 1, 1}), "slots: expected a multiple of 2 devices, at least 3, found 2");
  EXPECT_EQ(errorOf({{1, -2, 3}, 1, 3, 1, 1}), "load of expert 1: expected a finite number, at least 0, found -2.000000");
  EXPECT_EQ(errorOf({{1, 2, 3, 4, 5, 6}, 3, 6, 2, 2}), "nodes: expected a divisor of 3 devices, found 2");
  EXPECT_EQ(errorOf({{1, 2, 3, 4, 5, 6}, 2, 6, 4, 2}), "groups: expected a divisor of 6 experts, found 4");
  EXPECT_TRUE(published(layer0, true).validate(error));
}

} // namespace
