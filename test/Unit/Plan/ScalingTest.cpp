// Scale on paper: published models on 8 to 4,096 devices in the whole space of plans, with attention replicated. The sweep is printed for
// tools/dev/scale-table; what the published systems report of their order is asserted here.
#include "moe/Plan/Sharding/Search.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <gtest/gtest.h>

using namespace moe::plan;

namespace {

/// A model as far as its layers go. Attention has so many weights a layer.
struct Model {
  const char *name;
  int64_t layers, experts, topK, hidden, intermediate, matrices, shared;
  double attentionWeights;
  bool isFp8;
};

/// From the models' published configurations. Attention: the products of queries, keys, values and outputs (DeepSeek-V3: with its low ranks).
const Model models[] = {
    {"Mixtral-8x7B", 32, 8, 2, 4096, 14336, 3, 0, 2.0 * 4096 * (4096 + 1024), false},
    {"Qwen3-235B-A22B", 94, 128, 8, 4096, 1536, 3, 0, 2.0 * 4096 * (8192 + 512), false},
    {"DeepSeek-V3", 58, 256, 8, 7168, 2048, 3, 2048, 7168.0 * (1536 + 576 + 16384) + 1536.0 * 24576 + 512.0 * 32768, true},
    {"Switch-C", 15, 2048, 1, 2080, 6144, 2, 0, 4.0 * 2080 * 2048, false},
};

/// Eight GPUs to a node, as the reference of DeepSeek-V3 has them: 160 GB/s inside, 45 GB/s a GPU between nodes; 72 of 80 GiB for weights and buffers.
Mesh meshOf(int64_t devices) {
  Mesh mesh;
  mesh.axes = {{"node", std::max<int64_t>(1, devices / 8), {18, 45, 0.7, 0}}, {"gpu", std::min<int64_t>(8, devices), {3, 160, 0.2, 0}}};
  mesh.device.name = "h800";
  mesh.device.tflops = {{"bf16", 989}, {"f8E4M3FN", 1979}};
  mesh.device.gemmAlphaUs = 6;
  mesh.device.gemmHalfRows = 96;
  mesh.device.memoryGbps = 3350;
  mesh.device.memoryBytes = int64_t(72) << 30;
  mesh.device.commComputeSlowdown = 0.12;
  return mesh;
}

double attentionUs(const Model &model, const Mesh &mesh, double tokens) {
  const double arithmetic = 2 * model.attentionWeights * (tokens + mesh.device.gemmHalfRows) / (mesh.device.tflops.at("bf16") * 1e6);
  return std::max(arithmetic, 2 * model.attentionWeights / (mesh.device.memoryGbps * 1e3));
}

PlanLayer layerOf(const Model &model, const Mesh &mesh, double tokens) {
  PlanLayer layer;
  layer.name = model.name;
  LayerShape &shape = layer.shape;
  shape.experts = model.experts;
  shape.topK = model.topK;
  shape.hidden = model.hidden;
  shape.intermediate = model.intermediate;
  shape.matrices = model.matrices;
  shape.sharedIntermediate = model.shared;
  shape.tokens = tokens;
  shape.computeType = model.isFp8 ? "f8E4M3FN" : "bf16";
  shape.weightBytes = shape.dispatchBytes = model.isFp8 ? 1 : 2;
  shape.scaleBytes = model.isFp8 ? double(model.hidden) / 128 * 4 : 0;
  shape.combineBytes = 2;
  layer.attention = {{1, attentionUs(model, mesh, tokens), 2 * model.attentionWeights}};
  return layer;
}

/// The plan of a model; nothing where it does not fit.
std::optional<PlanResult> planOf(const Model &model, int64_t devices, double tokens) {
  const Mesh mesh = meshOf(devices);
  SearchOptions options;
  options.placementEffort = 0; // Equal loads: EPLB's rule is as good as it gets.
  options.extraSlots = {0};
  std::string error;
  return searchPlan(mesh, std::vector<PlanLayer>(size_t(model.layers), layerOf(model, mesh, tokens)), options, error);
}

/// The devices that share the experts, of the layer that has most.
int64_t widest(const PlanResult &plan) {
  int64_t ep = 0;
  for (const LayerChoice &layer : plan.layers)
    ep = std::max(ep, layer.chosen.candidate.ep * layer.chosen.candidate.etp);
  return ep;
}

TEST(Scaling, DecodingIsSpreadAtLeastAsWideAsPrefill) {
  // DeepSeek-V3's own service: experts over 32 GPUs for prefill, over 144 and more for decoding.
  for (int64_t devices : {32, 64, 128}) {
    const std::optional<PlanResult> prefill = planOf(models[2], devices, 4096), decode = planOf(models[2], devices, 128);
    ASSERT_TRUE(prefill && decode);
    EXPECT_GE(widest(*decode), widest(*prefill)) << devices;
  }
}

TEST(Scaling, ExpertsAreNeverSplitWhereTheyFit) {
  // Megatron's rule: expert parallelism over tensor parallelism for experts.
  for (const Model &model : models)
    if (const std::optional<PlanResult> plan = planOf(model, 64, 4096))
      for (const LayerChoice &layer : plan->layers)
        EXPECT_EQ(layer.chosen.candidate.etp, 1) << model.name << " " << layer.chosen.candidate.str();
}

TEST(Scaling, AcrossNodesTokensGoOnceToANode) {
  // DeepEP, HierMoE: with 8 experts a token, what crosses the network is sent once to a node and handed on inside.
  const std::optional<PlanResult> plan = planOf(models[2], 64, 4096);
  ASSERT_TRUE(plan);
  for (const LayerChoice &layer : plan->layers)
    if (layer.chosen.candidate.ep > 8) {
      EXPECT_EQ(layer.chosen.candidate.algorithm, Algorithm::TwoLevel);
      EXPECT_EQ(layer.chosen.candidate.dedup, Dedup::Node);
    }
}

TEST(Scaling, AStepOfAsManyTokensADeviceTakesAboutAsLong) {
  const std::optional<PlanResult> few = planOf(models[2], 32, 128), many = planOf(models[2], 256, 128);
  ASSERT_TRUE(few && many);
  EXPECT_LE(many->totalUs, few->totalUs * 1.5);
}

/// One line for each model, number of tokens and of devices; see tools/dev/scale-table.
TEST(Scaling, DISABLED_Sweep) {
  for (const Model &model : models)
    for (double tokens : {4096.0, 128.0})
      for (int64_t devices = 8; devices <= 4096; devices *= 2) {
        const std::optional<PlanResult> plan = planOf(model, devices, tokens);
        std::printf("scale|%s|%g|%lld|", model.name, tokens, static_cast<long long>(devices));
        if (!plan) {
          std::printf("does not fit\n");
          continue;
        }
        double busy = 0;
        std::vector<std::pair<std::string, int>> ways;
        for (const LayerChoice &layer : plan->layers) {
          busy += layer.chosen.cost.expertUs + layer.chosen.cost.sharedUs + attentionUs(model, meshOf(devices), tokens);
          const std::string way = layer.chosen.candidate.str();
          const auto found = std::find_if(ways.begin(), ways.end(), [&](const auto &known) { return known.first == way; });
          if (found == ways.end())
            ways.emplace_back(way, 1);
          else
            ++found->second;
        }
        std::printf("%.1f|%.1f|%.4f|%.2f|", plan->totalUs, plan->boundUs, std::max(0.0, 1 - busy / plan->totalUs), plan->memoryBytes / double(1 << 30));
        for (const auto &[way, count] : ways)
          std::printf("%s%d × %s", way == ways[0].first ? "" : "; ", count, way.c_str());
        std::printf("\n");
      }
}

} // namespace
