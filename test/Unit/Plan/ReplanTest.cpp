// Placements for new loads: what moves, what may not, and that little movement does not cost balance.
#include "moe/Plan/Sharding/Replan.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <gtest/gtest.h>
#include <random>

using namespace moe::plan;

namespace {

TEST(Replan, CountsWeightsThatAreSent) {
  EXPECT_EQ(movedSlots({2, {0, 1, 2, 3}}, {2, {1, 0, 3, 2}}), 0);
  EXPECT_EQ(movedSlots({2, {0, 1, 2, 3}}, {2, {0, 2, 1, 3}}), 2);
  // One copy of 0 is enough for two slots.
  EXPECT_EQ(movedSlots({2, {1, 2, 0, 3}}, {2, {0, 0, 1, 3}}), 2);
}

TEST(Replan, NamesOfDevicesCostNothing) {
  const Placement old{2, {0, 1, 2, 3}}, swapped{2, {3, 2, 1, 0}};
  EXPECT_EQ(alignTo(old, swapped, 2).expertOfSlot, old.expertOfSlot);
  // Each a node of its own: they may not be exchanged.
  EXPECT_EQ(movedSlots(old, alignTo(old, swapped, 1)), 4);
}

TEST(Replan, WhatIsGoodEnoughStays) {
  const Placement old{2, {0, 1, 2, 3}};
  const std::vector<double> loads = {50, 50, 49.8, 50.2};
  EXPECT_EQ(replan(loads, old, {2, {0, 2, 1, 3}}, 2, 0.01).expertOfSlot, old.expertOfSlot);
}

TEST(Replan, OneSwapWhereOneWillDo) {
  // 4 experts more than half of the load on device 0; one exchange with device 1 makes 100 and 100.
  const Placement old{3, {0, 1, 2, 3, 4, 5}};
  const std::vector<double> loads = {70, 60, 40, 30, 50, 50};
  const Placement fresh = place({loads, 3, 6, 1, 1}).placement;
  const Placement next = replan(loads, old, fresh, 3, 0.01);
  EXPECT_LE(next.maxDeviceLoad(loads), fresh.maxDeviceLoad(loads) * 1.01);
  EXPECT_EQ(movedSlots(old, next), 2);
}

/// Loads of a window after `loads`: each expert drifts.
std::vector<double> drift(std::vector<double> loads, double by, std::mt19937 &random) {
  std::normal_distribution<double> normal;
  for (double &load : loads)
    load *= std::exp(by * normal(random));
  return loads;
}

TEST(Replan, MovesFewerThanANewPlanAndIsAsGood) {
  std::mt19937 random(5);
  int64_t moved = 0, anew = 0;
  for (int draw = 0; draw < 8; ++draw) {
    std::vector<double> loads(64);
    for (size_t e = 0; e < loads.size(); ++e)
      loads[e] = 1000 / std::pow(double(e + 1), 0.6);
    std::shuffle(loads.begin(), loads.end(), random);
    const Placement old = place({loads, 16, 80, 1, 1}, 20000).placement;
    const std::vector<double> now = drift(loads, 0.1, random);
    const Placement fresh = place({now, 16, 80, 1, 1}, 20000).placement, next = replan(now, old, fresh, 16, 0.01);
    // Every expert has a slot, the balance is the new plan's within the tolerance.
    const std::vector<int64_t> counts = next.replicas(64);
    EXPECT_EQ(std::count(counts.begin(), counts.end(), 0), 0);
    EXPECT_LE(next.maxDeviceLoad(now), fresh.maxDeviceLoad(now) * 1.01 * (1 + 1e-12));
    EXPECT_LE(movedSlots(old, next), movedSlots(old, alignTo(old, fresh, 16)));
    moved += movedSlots(old, next);
    anew += movedSlots(old, fresh);
  }
  EXPECT_LT(moved * 2, anew) << moved << " of " << anew;
  std::printf("64 experts in 80 slots, loads drift by a tenth: %lld slots move in 8 draws, %lld where planned anew\n", static_cast<long long>(moved),
              static_cast<long long>(anew));
}

} // namespace
