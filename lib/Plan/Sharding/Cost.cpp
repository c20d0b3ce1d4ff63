// The cost of one candidate: an all-to-all by what the fullest device sends or receives on either level, experts by the roofline, and the
// two put together by the overlap of chunks.
#include "moe/Plan/Sharding/Cost.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

namespace moe::plan {

std::string Candidate::str() const {
  std::string text =
      "ep" + std::to_string(ep) + " etp" + std::to_string(etp) + " edp" + std::to_string(edp) + " slots" + std::to_string(slotsPerRank);
  if (movement == Movement::Fetch)
    return text + " fetch";
  text += algorithm == Algorithm::Direct ? " direct" : " two-level";
  if (dedup != Dedup::None)
    text += dedup == Dedup::Device ? " device-dedup" : " node-dedup";
  return text + " chunks" + std::to_string(chunks);
}

bool Candidate::isBitwise(int64_t topK) const {
  const bool sumsOnTheWay = movement == Movement::Tokens && dedup != Dedup::None && topK > 2;
  return etp == 1 && !sumsOnTheWay;
}

bool layoutOf(const Levels &levels, const Candidate &candidate, RankLayout &layout) {
  const int64_t group = candidate.ep * candidate.etp;
  if (levels.perNode % candidate.etp != 0 || (levels.perNode % group != 0 && group % levels.perNode != 0))
    return false;
  layout.ranks = candidate.ep;
  layout.perNode = std::min(candidate.ep, levels.perNode / candidate.etp);
  return true;
}

double allToAllUs(const Levels &levels, const RankLayout &layout, const Traffic &traffic, double tokens, double copyBytes, Algorithm algorithm,
                  Dedup dedup, const CostOptions &options) {
  const std::vector<double> &toRank = dedup == Dedup::None ? traffic.copies : traffic.rankReach;
  const size_t perNode = static_cast<size_t>(layout.perNode), nodes = static_cast<size_t>(layout.nodes());
  std::vector<double> inNode(nodes);
  for (size_t rank = 0; rank < toRank.size(); ++rank)
    inNode[rank / perNode] += toRank[rank];
  const bool twoLevel = algorithm == Algorithm::TwoLevel;
  // What crosses the network for a node, and how many tokens a rank hands on inside of its own.
  const std::vector<double> &toNode = twoLevel && dedup == Dedup::Node ? traffic.nodeReach : inNode;
  const double all = std::accumulate(toNode.begin(), toNode.end(), 0.0), unit = tokens * copyBytes;
  const double sources = static_cast<double>(layout.ranks), lanes = twoLevel ? static_cast<double>(nodes) : 1;
  const int64_t interPeers = twoLevel ? layout.nodes() - 1 : layout.ranks - layout.perNode;
  double slowestInter = 0, slowestIntra = 0;
  for (size_t rank = 0; rank < toRank.size(); ++rank) {
    const size_t node = rank / perNode;
    const double interOut = all - toNode[node];
    const double interIn = twoLevel ? (lanes - 1) * toNode[node] : (sources - static_cast<double>(perNode)) * toRank[rank];
    const double intraOut = lanes * (inNode[node] - toRank[rank]), intraIn = lanes * static_cast<double>(perNode - 1) * toRank[rank];
    slowestInter = std::max(slowestInter, std::max(interOut, interIn));
    slowestIntra = std::max(slowestIntra, std::max(intraOut, intraIn));
  }
  const double inter = levels.inter.timeUs(interPeers, unit * slowestInter), intra = levels.intra.timeUs(layout.perNode - 1, unit * slowestIntra);
  const double longer = std::max(inter, intra);
  return twoLevel ? longer + options.twoLevelSerial * std::min(inter, intra) : longer;
}

double allGatherUs(const Levels &levels, double tokens, double copyBytes) {
  const int64_t across = levels.devices() - levels.perNode, inside = levels.perNode - 1;
  const double own = tokens * copyBytes;
  return std::max(levels.inter.timeUs(across, own * static_cast<double>(across)), levels.intra.timeUs(inside, own * static_cast<double>(inside)));
}

double expertUs(const Device &device, const LayerShape &shape, const Traffic &traffic, size_t begin, size_t end, double groupTokens, int64_t etp) {
  const double split = static_cast<double>(etp), peak = device.tflops.at(shape.computeType) * 1e6;
  const double rowFlops = 2 * shape.elements(shape.intermediate) / split;
  double active = 0, rows = 0, arithmetic = 0;
  for (size_t s = begin; s < end; ++s) {
    const double share = traffic.slotShare[s];
    if (share <= 0)
      continue;
    const double isActive = share >= 1 ? 1 : -std::expm1(groupTokens * std::log1p(-share)), own = groupTokens * share;
    active += isActive;
    rows += own;
    // Rows of the expert where it has any: own / isActive; at that height the product runs at h / (h + half) of the peak.
    arithmetic += rowFlops * (own + device.gemmHalfRows * isActive) / peak;
  }
  const double bytes = active * shape.expertBytes() / split + 2 * rows * shape.combineCopyBytes();
  return device.gemmAlphaUs * active + std::max(arithmetic, bytes / (device.memoryGbps * 1e3));
}

double overlapUs(const Pipeline &pipeline) {
  // Times at which the communication stream is busy, in order; dispatches leave no gap.
  std::vector<std::pair<double, double>> busy = {{0, static_cast<double>(pipeline.chunks) * pipeline.dispatchUs}};
  auto computeFrom = [&](double start, double work) {
    for (const auto &[from, to] : busy) {
      if (to <= start || work <= 0)
        continue;
      if (from > start) {
        const double free = std::min(work, from - start);
        work -= free;
        start += free;
        if (work <= 0)
          break;
      }
      const double done = std::min(work, (to - start) / (1 + pipeline.slowdown));
      work -= done;
      start += done * (1 + pipeline.slowdown);
    }
    return start + work;
  };
  double computed = computeFrom(0, pipeline.sharedUs), combined = busy[0].second;
  for (int64_t chunk = 0; chunk < pipeline.chunks; ++chunk) {
    const double arrived = static_cast<double>(chunk + 1) * pipeline.dispatchUs;
    computed = computeFrom(std::max(computed, arrived), pipeline.expertUs);
    const double start = std::max(combined, computed);
    combined = start + pipeline.combineUs;
    busy.emplace_back(start, combined);
  }
  return combined;
}

/// Products of the experts that all tokens use, on every device.
static double sharedUs(const Device &device, const LayerShape &shape) {
  if (shape.sharedIntermediate == 0)
    return 0;
  LayerShape shared = shape;
  shared.intermediate = shape.sharedIntermediate;
  Traffic all;
  all.slotShare = {1};
  return expertUs(device, shared, all, 0, 1, shape.tokens, 1);
}

static LayerCost costOfFetch(const Mesh &mesh, const Levels &levels, const LayerShape &shape, const Candidate &candidate, const RankLayout &layout,
                             const Traffic &traffic) {
  LayerCost cost;
  const double rankBytes = static_cast<double>(candidate.slotsPerRank) * shape.expertBytes();
  const int64_t away = layout.ranks - layout.perNode;
  const double inter = levels.inter.timeUs(away, rankBytes * static_cast<double>(away));
  const double intra = levels.intra.timeUs(layout.perNode - 1, rankBytes * static_cast<double>(layout.perNode - 1));
  cost.fetchUs = std::max(0.0, std::max(inter, intra) - shape.beforeUs);
  cost.sharedUs = sharedUs(mesh.device, shape);
  cost.expertUs = expertUs(mesh.device, shape, traffic, 0, traffic.slotShare.size(), shape.tokens, 1);
  cost.totalUs = cost.fetchUs + cost.sharedUs + cost.expertUs;
  cost.weightBytes = rankBytes;
  cost.bufferBytes = candidate.ep > 1 ? rankBytes * static_cast<double>(candidate.ep) : 0;
  return cost;
}

static LayerCost costOfTokens(const Mesh &mesh, const Levels &levels, const LayerShape &shape, const Candidate &candidate, const RankLayout &layout,
                              const Traffic &traffic, const CostOptions &options) {
  LayerCost cost;
  const double chunks = static_cast<double>(candidate.chunks), tokens = shape.tokens / chunks, etp = static_cast<double>(candidate.etp);
  const double groupTokens = tokens * static_cast<double>(candidate.ep * candidate.etp);
  Pipeline pipeline;
  pipeline.chunks = candidate.chunks;
  pipeline.slowdown = mesh.device.commComputeSlowdown;
  pipeline.dispatchUs = allToAllUs(levels, layout, traffic, tokens, shape.dispatchCopyBytes(), candidate.algorithm, candidate.dedup, options);
  pipeline.combineUs = allToAllUs(levels, layout, traffic, tokens, shape.combineCopyBytes(), candidate.algorithm, options.sumsOnTheWay ? candidate.dedup : Dedup::None,
                                  options);
  pipeline.sharedUs = sharedUs(mesh.device, shape);
  const size_t perRank = static_cast<size_t>(candidate.slotsPerRank);
  double mostRows = 0;
  for (size_t rank = 0; rank < traffic.copies.size(); ++rank) {
    // Devices that share an expert first gather all its rows, and in the end add up their parts.
    const double rows = groupTokens * (candidate.dedup == Dedup::None ? traffic.copies[rank] : traffic.rankReach[rank]);
    double time = expertUs(mesh.device, shape, traffic, rank * perRank, (rank + 1) * perRank, groupTokens, candidate.etp);
    for (double bytes : {shape.dispatchCopyBytes(), shape.combineCopyBytes()})
      time += levels.intra.timeUs(candidate.etp - 1, (etp - 1) / etp * rows * bytes);
    pipeline.expertUs = std::max(pipeline.expertUs, time);
    mostRows = std::max(mostRows, groupTokens * traffic.copies[rank]);
  }
  cost.dispatchUs = chunks * pipeline.dispatchUs;
  cost.combineUs = chunks * pipeline.combineUs;
  cost.expertUs = chunks * pipeline.expertUs;
  cost.sharedUs = pipeline.sharedUs;
  cost.totalUs = overlapUs(pipeline);
  cost.weightBytes = static_cast<double>(candidate.slotsPerRank) * shape.expertBytes() / etp;
  // No chunk is bounded below its share of the tokens, so the buffer is that of all chunks.
  const double possible = shape.tokens * static_cast<double>(candidate.ep * candidate.etp * std::min(shape.topK, candidate.slotsPerRank));
  const double rows = std::min(possible, chunks * mostRows * (1 + options.bufferMargin));
  cost.bufferBytes = rows * (shape.dispatchCopyBytes() + shape.combineCopyBytes());
  return cost;
}

/// The same with every part of an expert as an expert of its own.
static LayerCost costOfParts(const Mesh &mesh, const Levels &levels, const LayerShape &shape, const Candidate &candidate, const Traffic &traffic,
                             const CostOptions &options) {
  const auto parts = static_cast<size_t>(candidate.etp), perRank = static_cast<size_t>(candidate.slotsPerRank);
  LayerShape part = shape;
  part.intermediate /= candidate.etp;
  Candidate all = candidate;
  all.ep *= candidate.etp;
  all.etp = 1;
  const RankLayout layout{all.ep, std::min(all.ep, levels.perNode)};
  Traffic spread = traffic;
  spread.copies.clear();
  spread.rankReach.clear();
  spread.slotShare.clear();
  for (size_t rank = 0; rank < traffic.copies.size(); ++rank)
    for (size_t p = 0; p < parts; ++p) {
      spread.copies.push_back(traffic.copies[rank]);
      spread.rankReach.push_back(traffic.rankReach[rank]);
      const auto first = traffic.slotShare.begin() + static_cast<std::ptrdiff_t>(rank * perRank);
      spread.slotShare.insert(spread.slotShare.end(), first, first + static_cast<std::ptrdiff_t>(perRank));
    }
  spread.ranksPerNode = layout.perNode;
  return costOfTokens(mesh, levels, part, all, layout, spread, options);
}

LayerCost costOf(const Mesh &mesh, const LayerShape &shape, const Candidate &candidate, const RankLayout &layout, const Traffic &traffic,
                 const CostOptions &options) {
  const Levels levels = mesh.levels();
  LayerCost cost = candidate.movement == Movement::Fetch ? costOfFetch(mesh, levels, shape, candidate, layout, traffic)
                   : candidate.etp > 1 && options.partsTravel ? costOfParts(mesh, levels, shape, candidate, traffic, options)
                                                         : costOfTokens(mesh, levels, shape, candidate, layout, traffic, options);
  cost.weightBytes += shape.elements(shape.sharedIntermediate) * shape.weightBytes;
  const double gathered = (shape.gathersResults ? shape.combineCopyBytes() : 0) + shape.routedBytes;
  if (gathered > 0) {
    cost.gatherUs = allGatherUs(levels, shape.tokens, gathered);
    cost.totalUs += cost.gatherUs;
  }
  return cost;
}

double meanOrTail(std::vector<double> values, bool tail) {
  std::sort(values.begin(), values.end(), std::greater<double>());
  const size_t count = tail ? (values.size() + 19) / 20 : values.size();
  return std::accumulate(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count), 0.0) / static_cast<double>(count);
}

} // namespace moe::plan
