// The search against trying everything on small models, against what others would choose, and against what the published systems report.
#include "moe/Plan/Sharding/Search.h"
#include "moe/Plan/Sharding/Anchors.h"
#include "moe/Plan/Sharding/Profile.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <iostream>
#include <numeric>
#include <random>

using namespace moe::plan;

namespace {

/// The mesh of the reference's table: 160 and 45 GB/s, fp8 experts.
Mesh h800(int64_t devices, int64_t memoryBytes) {
  Mesh mesh;
  mesh.axes = {{"node", std::max<int64_t>(1, devices / 8), {18, 45, 0.7, 0}}, {"gpu", std::min<int64_t>(8, devices), {3, 160, 0.2, 0}}};
  mesh.device.tflops = {{"bf16", 989}, {"f8E4M3FN", 1979}};
  mesh.device.gemmAlphaUs = 6;
  mesh.device.gemmHalfRows = 96;
  mesh.device.memoryGbps = 3350;
  mesh.device.memoryBytes = memoryBytes;
  mesh.device.commComputeSlowdown = 0.12;
  return mesh;
}

PlanLayer deepSeekV3(double tokens) {
  PlanLayer layer;
  layer.name = "moe";
  layer.shape = {256, 8, 7168, 2048, 3, 2048, tokens, "f8E4M3FN", 1, 2, 1, 7168.0 / 128 * 4};
  return layer;
}

PlanLayer smallLayer(double tokens, std::vector<double> loads = {}) {
  PlanLayer layer;
  layer.name = "small";
  layer.shape = {8, 2, 1024, 2048, 3, 0, tokens, "bf16", 2, 2, 2};
  if (!loads.empty())
    layer.windows = {std::move(loads)};
  return layer;
}

constexpr int64_t gibibyte = int64_t(1) << 30;

/// The least time over all combinations of candidates and attention options that fit `memory`.
double bruteForce(const Mesh &mesh, const std::vector<PlanLayer> &layers, const SearchOptions &options) {
  std::vector<LayerCandidates> candidates;
  for (const PlanLayer &layer : layers)
    candidates.push_back(scoreCandidates(mesh, layer, options));
  double best = 1e300;
  std::function<void(size_t, double, double, double, int64_t)> choose = [&](size_t l, double time, double weights, double buffer, int64_t split) {
    if (weights + buffer > double(mesh.device.memoryBytes) || time >= best)
      return;
    if (l == layers.size()) {
      best = time;
      return;
    }
    for (const AttentionOption &attention : layers[l].attention)
      for (const ScoredCandidate &scored : candidates[l].scored) {
        const double change = l == 0 ? 0 : reshardUs(mesh.levels(), layers[l].shape, split, attention.tensorParallel);
        choose(l + 1, time + scored.timeUs + attention.timeUs + change, weights + scored.cost.weightBytes + attention.weightBytes,
               std::max(buffer, scored.cost.bufferBytes), attention.tensorParallel);
      }
  };
  choose(0, 0, 0, 0, 1);
  return best;
}

void expectFits(const Mesh &mesh, const std::vector<PlanLayer> &layers, const PlanResult &plan) {
  double weights = 0, buffer = 0, time = 0;
  ASSERT_EQ(plan.layers.size(), layers.size());
  for (size_t l = 0; l < layers.size(); ++l) {
    const LayerChoice &choice = plan.layers[l];
    const AttentionOption &attention = layers[l].attention[choice.attention];
    weights += choice.chosen.cost.weightBytes + attention.weightBytes;
    buffer = std::max(buffer, choice.chosen.cost.bufferBytes);
    time += choice.chosen.timeUs + attention.timeUs;
    if (l > 0)
      time +=
          reshardUs(mesh.levels(), layers[l].shape, layers[l - 1].attention[plan.layers[l - 1].attention].tensorParallel, attention.tensorParallel);
  }
  EXPECT_LE(weights + buffer, double(mesh.device.memoryBytes));
  EXPECT_NEAR(plan.memoryBytes, weights + buffer, 1);
  EXPECT_NEAR(plan.totalUs, time, 1e-6 * time);
  EXPECT_LE(plan.boundUs, plan.totalUs * (1 + 1e-12));
}

TEST(Search, EqualsBruteForceUnderEveryMemoryLimit) {
  SearchOptions options;
  options.chunks = {1, 4};
  options.extraSlots = {0, 1};
  std::vector<PlanLayer> layers = {smallLayer(4096), smallLayer(1024, {90, 20, 80, 10, 30, 50, 60, 60}), smallLayer(4096)};
  for (size_t l = 0; l < layers.size(); ++l)
    layers[l].attention = {{1, 400, 80e6}, {4, 350.0 + 100 * double(l), 20e6}};
  // So slow a link that whole copies of the experts are fastest, where they fit.
  Mesh mesh = h800(4, 80 * gibibyte);
  mesh.axes[1].link.gbps = 20;
  const double unlimited = bruteForce(mesh, layers, options);
  std::string error;
  int limited = 0;
  for (double mebibytes : {2000, 600, 550, 500, 450, 400, 350, 300, 250, 200, 150}) {
    mesh.device.memoryBytes = int64_t(mebibytes) << 20;
    const double best = bruteForce(mesh, layers, options);
    std::optional<PlanResult> plan = searchPlan(mesh, layers, options, error);
    ASSERT_EQ(plan.has_value(), best < 1e300) << mebibytes << " " << error;
    if (!plan)
      continue;
    expectFits(mesh, layers, *plan);
    EXPECT_GE(plan->totalUs, best * (1 - 1e-9)) << mebibytes;
    EXPECT_LE(plan->totalUs, best * 1.01) << mebibytes;
    EXPECT_LE(plan->boundUs, best * (1 + 1e-9)) << mebibytes;
    limited += best > unlimited;
    // Coarse counting may cost time, but neither the memory nor the bound.
    for (int64_t parts : {5, 17, 60}) {
      SearchOptions coarse = options;
      coarse.memoryParts = parts;
      std::optional<PlanResult> rough = searchPlan(mesh, layers, coarse, error);
      if (!rough)
        continue;
      expectFits(mesh, layers, *rough);
      EXPECT_LE(rough->boundUs, best * (1 + 1e-9)) << mebibytes << " in " << parts;
      EXPECT_GE(rough->totalUs, best * (1 - 1e-9)) << mebibytes << " in " << parts;
    }
  }
  EXPECT_GT(limited, 3) << "memory never mattered";
}

TEST(Search, ChangesOfAttentionArePaidFor) {
  // A split of four is faster in the middle layer alone, by less than two changes cost.
  std::vector<PlanLayer> layers(3, smallLayer(512));
  Mesh mesh = h800(4, 80 * gibibyte);
  const double change = reshardUs(mesh.levels(), layers[0].shape, 1, 4);
  EXPECT_NEAR(change, 3 + 3 * 0.2 + 512 * 2048 * 0.75 / 160e3, 1e-9);
  auto middle = [&](double gain) {
    for (PlanLayer &layer : layers)
      layer.attention = {{1, 100, 0}, {4, 200, 0}};
    layers[1].attention[1].timeUs = 100 - gain;
    std::string error;
    return searchPlan(mesh, layers, {}, error)->layers[1].attention;
  };
  EXPECT_EQ(middle(2 * change - 1), 0u);
  EXPECT_EQ(middle(2 * change + 1), 1u);
}

TEST(Search, NeverWorseThanWhatOthersWouldChoose) {
  std::mt19937 random(4);
  std::string error;
  for (double tokens : {16.0, 512.0, 4096.0})
    for (double exponent : {0.0, 0.6, 1.2}) {
      std::vector<double> loads = zipfShares(64, 4, exponent);
      std::shuffle(loads.begin(), loads.end(), random);
      PlanLayer layer;
      layer.name = "skewed";
      layer.shape = {64, 4, 2048, 1408, 3, 0, tokens, "bf16", 1, 2, 2};
      layer.windows = {loads};
      const Mesh mesh = h800(32, 80 * gibibyte);
      std::optional<PlanResult> plan = searchPlan(mesh, {layer}, {}, error);
      ASSERT_TRUE(plan) << error;
      auto costOfPinned = [&](const Candidate &candidate) {
        const Placement placement = placeByEplb({sharesOf(loads, 4), candidate.ep, candidate.ep * candidate.slotsPerRank, 1, 1});
        std::optional<ScoredCandidate> pinned = scorePinned(mesh, layer, candidate, placement, {}, error);
        EXPECT_TRUE(pinned) << error;
        return pinned ? pinned->timeUs : 0;
      };
      const double chosen = plan->totalUs * (1 - 1e-12);
      EXPECT_LE(chosen, costOfPinned({32, 1, 1, 2})) << "all expert-parallel";
      EXPECT_LE(chosen, costOfPinned({32, 1, 1, 3})) << "expert-parallel with EPLB's replicas";
      EXPECT_LE(chosen, costOfPinned({4, 8, 1, 16})) << "as much tensor-parallel as a node allows";
      EXPECT_LE(chosen, costOfPinned({1, 1, 32, 64})) << "all experts everywhere, as if all were shadowed";
      EXPECT_LE(chosen, costOfPinned({32, 1, 1, 2, Movement::Fetch})) << "weights fetched, as Tutel's degree 0";
      for (int64_t degree : {1, 2, 4})
        EXPECT_LE(chosen, costOfPinned({32 / degree, degree, 1, 2 * degree})) << "Tutel's degree " << degree;
    }
}

TEST(Search, DeepSeekV3AsTheReferencePlansIt) {
  // 58 layers, 56 GB for experts: 8 devices do not hold them, 16 do with one copy; beyond, the rest of the mesh holds copies.
  std::string error;
  const std::vector<PlanLayer> prefill(58, deepSeekV3(4096));
  EXPECT_FALSE(searchPlan(h800(8, 56000000000), prefill, {}, error));
  EXPECT_EQ(error.substr(0, 69), "no plan fits: expected at most 56000000000 bytes on a device, found 8");
  std::optional<PlanResult> plan = searchPlan(h800(16, 56000000000), prefill, {}, error);
  ASSERT_TRUE(plan) << error;
  // The reference has one plan for all layers: ep16, two levels, once to a node. What memory that leaves lets some layers stay inside a node.
  int64_t across = 0;
  for (const LayerChoice &layer : plan->layers) {
    const Candidate &candidate = layer.chosen.candidate;
    EXPECT_GE(candidate.ep, 8) << candidate.str();
    if (candidate.ep < 16)
      continue;
    ++across;
    EXPECT_EQ(candidate.algorithm, Algorithm::TwoLevel) << candidate.str();
    EXPECT_EQ(candidate.dedup, Dedup::Node) << candidate.str();
  }
  EXPECT_GT(across, 29);
  EXPECT_LE(plan->gap(), 0.01);
}

TEST(Search, TailPlansForTheWorstWindows) {
  PlanLayer layer = smallLayer(2048);
  for (int w = 0; w < 19; ++w)
    layer.windows.push_back({10, 10, 10, 10, 10, 10, 10, 10});
  layer.windows.push_back({40, 40, 0, 0, 0, 0, 0, 0});
  SearchOptions mean, tail;
  tail.tail = true;
  std::string error;
  const Mesh mesh = h800(8, 80 * gibibyte);
  const std::optional<PlanResult> byMean = searchPlan(mesh, {layer}, mean, error), byTail = searchPlan(mesh, {layer}, tail, error);
  ASSERT_TRUE(byMean && byTail) << error;
  const LayerChoice &choice = byMean->layers[0];
  const double worst = scorePinned(mesh, layer, choice.chosen.candidate, choice.placement.placement, tail, error)->timeUs;
  EXPECT_LE(byTail->totalUs, worst * (1 + 1e-12));
  EXPECT_GT(byTail->totalUs, byMean->totalUs);
}

TEST(Search, GroupsStayOnTheirNodesWhereThatSavesTraffic) {
  // 16 experts in 4 groups of 4; a token chooses two of one group. Two nodes of 2 devices that are badly connected.
  PlanLayer layer;
  layer.name = "grouped";
  layer.shape = {16, 2, 4096, 1024, 3, 0, 4096, "bf16", 2, 2, 2};
  layer.windows = {std::vector<double>(16, 3)};
  layer.coactivation.assign(16 * 16, 0);
  for (size_t i = 0; i < 16; ++i)
    for (size_t j = 0; j < 16; ++j)
      if (i / 4 == j / 4)
        layer.coactivation[i * 16 + j] = i == j ? 3 : 1;
  Mesh mesh = h800(4, 80 * gibibyte);
  mesh.axes = {{"node", 2, {18, 5, 0.7, 0}}, {"gpu", 2, {3, 160, 0.2, 0}}};
  // The fastest with one copy of the experts.
  auto fastest = [&](const LayerCandidates &candidates) {
    return *std::find_if(candidates.scored.begin(), candidates.scored.end(),
                         [](const ScoredCandidate &scored) { return scored.candidate.ep == 4 && scored.candidate.movement == Movement::Tokens; });
  };
  const ScoredCandidate without = fastest(scoreCandidates(mesh, layer, {}));
  layer.groups = 4;
  const LayerCandidates candidates = scoreCandidates(mesh, layer, {});
  const ScoredCandidate with = fastest(candidates);
  EXPECT_LT(with.timeUs, without.timeUs * 0.8);
  EXPECT_EQ(with.candidate.dedup, Dedup::Node) << with.candidate.str();
  const Placement &placement = candidates.placements[size_t(with.placement)].placement;
  const int64_t half = static_cast<int64_t>(placement.expertOfSlot.size()) / 2;
  std::vector<int> nodesOfGroup(4);
  for (int64_t s = 0; s < 2 * half; ++s)
    nodesOfGroup[size_t(placement.expertOfSlot[size_t(s)] / 4)] |= s < half ? 1 : 2;
  for (int nodes : nodesOfGroup)
    EXPECT_NE(nodes, 3);
  // Layers that differ in nothing else are not planned alike. Memory holds a quarter of the experts of each.
  PlanLayer plain = layer;
  plain.groups = 1;
  plain.shape.intermediate = layer.shape.intermediate = 8192;
  mesh.device.memoryBytes = 2 * gibibyte;
  std::string error;
  const std::optional<PlanResult> both = searchPlan(mesh, {plain, layer}, {}, error);
  ASSERT_TRUE(both) << error;
  EXPECT_LT(both->layers[1].chosen.timeUs, both->layers[0].chosen.timeUs);
  layer.groups = 3;
  EXPECT_FALSE(searchPlan(mesh, {layer}, {}, error));
  EXPECT_EQ(error, "layer grouped, groups: expected a divisor of 16 experts, found 3");
}

TEST(Search, PlacementsAreForAllWindowsTogether) {
  // Together 15, 9, 5, 17: experts 3 and 2 share a rank. The last window alone would put 3 with 0.
  PlanLayer layer = smallLayer(256);
  layer.shape.experts = 4;
  layer.shape.topK = 1;
  layer.windows = {{14, 5, 1, 3}, {1, 4, 4, 14}};
  SearchOptions options;
  options.extraSlots = {0};
  Mesh mesh = h800(8, gibibyte);
  mesh.axes = {{"rank", 2, {3, 160, 0.2, 0}}};
  for (const PlacementResult &result : scoreCandidates(mesh, layer, options).placements) {
    if (result.placement.devices != 2)
      continue;
    std::vector<int64_t> slots = result.placement.expertOfSlot;
    std::sort(slots.begin(), slots.begin() + 2);
    std::sort(slots.begin() + 2, slots.end());
    EXPECT_TRUE(slots == (std::vector<int64_t>{2, 3, 0, 1}) || slots == (std::vector<int64_t>{0, 1, 2, 3}));
  }
}

TEST(Search, NumbersThatDoNotDivide) {
  std::string error;
  for (int64_t experts : {1, 3, 5, 6, 7}) {
    PlanLayer layer = smallLayer(256);
    layer.shape.experts = experts;
    layer.shape.topK = std::min<int64_t>(2, experts);
    for (int64_t devices : {1, 4, 6}) {
      Mesh mesh = h800(8, gibibyte);
      mesh.axes = {{"rank", devices, {3, 160, 0.2, 0}}};
      for (const ScoredCandidate &scored : scoreCandidates(mesh, layer, {}).scored) {
        EXPECT_TRUE(std::isfinite(scored.timeUs) && scored.timeUs > 0) << scored.candidate.str();
        EXPECT_EQ(scored.candidate.ep * scored.candidate.etp * scored.candidate.edp, devices);
        EXPECT_GE(scored.candidate.ep * scored.candidate.slotsPerRank, experts);
      }
      EXPECT_TRUE(searchPlan(mesh, {layer}, {}, error)) << error;
    }
  }
}

TEST(Search, OnlyWhatCanRun) {
  const Mesh mesh = h800(32, 56 * gibibyte);
  const PlanLayer layer = deepSeekV3(4096);
  SearchOptions options;
  const double anything = scoreCandidates(mesh, layer, options).scored.front().timeUs;
  options.onlyRunnable = true;
  options.cost.sumsOnTheWay = false;
  const LayerCandidates runnable = scoreCandidates(mesh, layer, options);
  ASSERT_FALSE(runnable.scored.empty());
  for (const ScoredCandidate &scored : runnable.scored) {
    const Candidate &c = scored.candidate;
    EXPECT_TRUE(c.movement == Movement::Tokens && c.dedup != Dedup::Device && c.etp == 1) << c.str();
  }
  // Sums on the way back are what makes prefill over nodes faster yet; chunks can be run.
  EXPECT_LT(anything, runnable.scored.front().timeUs);
  EXPECT_GT(runnable.scored.front().candidate.chunks, 1);
  options.algorithm = Algorithm::Direct;
  options.dedup = Dedup::None;
  options.chunks = {3};
  for (const ScoredCandidate &scored : scoreCandidates(mesh, layer, options).scored)
    EXPECT_TRUE(scored.candidate.algorithm == Algorithm::Direct && scored.candidate.chunks == (scored.candidate.ep > 1 ? 3 : 1)) << scored.candidate.str();
  options.expertParallel = 16;
  for (const ScoredCandidate &scored : scoreCandidates(mesh, layer, options).scored)
    EXPECT_EQ(scored.candidate.ep, 16);
}

TEST(Search, PinnedPlansThatDoNotFit) {
  const Mesh mesh = h800(16, gibibyte);
  std::string error;
  auto errorOf = [&](const Candidate &candidate, const Placement &placement) {
    EXPECT_FALSE(scorePinned(mesh, smallLayer(64), candidate, placement, {}, error));
    return error;
  };
  const Placement all{8, {0, 1, 2, 3, 4, 5, 6, 7}};
  EXPECT_EQ(errorOf({8, 1, 1, 1}, all), "plan of small: expected ep · etp · edp to be 16 devices, found 8");
  EXPECT_EQ(errorOf({8, 0, 2, 1}, all), "plan of small: expected ep, etp, edp and chunks of at least 1, found 0");
  EXPECT_EQ(errorOf({1, 16, 1, 8}, all),
            "plan of small: expected ep · etp to divide, or be a multiple of, the devices of a node, with etp inside of one, found 16");
  EXPECT_EQ(errorOf({8, 1, 2, 2}, all), "plan of small: expected a placement of 16 slots, found 8");
  EXPECT_EQ(errorOf({8, 1, 2, 1}, {8, {0, 1, 2, 3, 4, 5, 6, 8}}), "plan of small: expected experts from 0 to 7, found 8");
  EXPECT_EQ(errorOf({8, 1, 2, 1}, {8, {0, 1, 2, 3, 4, 5, 6, 6}}), "plan of small: expected a slot for every expert, found 0");
  EXPECT_EQ(errorOf({8, 1, 2, 1, Movement::Tokens, Algorithm::Direct, Dedup::Node}, all),
            "plan of small: expected 2 levels where tokens are sent once to a node, found 1");
  EXPECT_TRUE(scorePinned(mesh, smallLayer(64), {8, 1, 2, 1}, all, {}, error)) << error;
}

TEST(Search, LayersThatAreNotValid) {
  std::string error;
  auto errorOf = [&](const std::function<void(PlanLayer &)> &spoil) {
    PlanLayer layer = smallLayer(64);
    spoil(layer);
    EXPECT_FALSE(searchPlan(h800(8, gibibyte), {layer}, {}, error));
    return error;
  };
  EXPECT_EQ(errorOf([](PlanLayer &layer) { layer.shape.computeType = "i4"; }),
            "layer small: expected an element type that the device has a speed for, found 'i4'");
  EXPECT_EQ(errorOf([](PlanLayer &layer) { layer.shape.topK = 9; }),
            "layer small, as the only one: layers[0].top_k: expected 1 to 8, the number of experts, found 9");
  EXPECT_EQ(errorOf([](PlanLayer &layer) {
              layer.windows = {{1, 2}};
            }),
            "layer small, as the only one: layers[0].windows[0]: expected 8 loads, one an expert, found 2");
  EXPECT_EQ(errorOf([](PlanLayer &layer) { layer.shape.tokens = 0; }), "layer small, tokens: expected at least 1.000000, found 0.000000");
}

/// 61 layers of 256 experts on 1,024 devices; with `distinct`, each layer has loads of its own. tools/dev/bench-plan times these.
void planThousandDevices(bool distinct) {
  std::vector<PlanLayer> layers(61, deepSeekV3(4096));
  std::mt19937 random(8);
  for (size_t l = 0; l < layers.size() && distinct; ++l) {
    std::vector<double> loads = zipfShares(256, 8, 0.4);
    std::shuffle(loads.begin(), loads.end(), random);
    layers[l].windows = {loads};
  }
  const Mesh mesh = h800(1024, 80 * gibibyte);
  std::string error;
  std::optional<PlanResult> plan = searchPlan(mesh, layers, {}, error);
  ASSERT_TRUE(plan) << error;
  expectFits(mesh, layers, *plan);
  std::cout << "61 layers, 256 experts, 1024 devices, " << (distinct ? "all different" : "all alike") << ": " << plan->totalUs << " us, gap "
            << plan->gap() << ", first layer " << plan->layers[0].chosen.candidate.str() << "\n";
}

TEST(ThousandDevices, EqualLayers) { planThousandDevices(false); }
TEST(ThousandDevices, DISABLED_DistinctLayers) { planThousandDevices(true); }

} // namespace
