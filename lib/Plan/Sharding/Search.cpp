// The choice for all layers. Without the limit on memory it is a shortest path over (layer, attention option). With it, memory is a second
// coordinate of the path, counted in parts of the device's memory: rounded up for a plan that fits, rounded down for a bound that holds.
#include "moe/Plan/Sharding/Search.h"
#include "moe/Plan/Sharding/Profile.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <queue>
#include <sstream>

namespace moe::plan {

namespace {

constexpr double never = std::numeric_limits<double>::infinity();

/// A candidate as the path sees it.
struct Option {
  double timeUs;
  double weightBytes;
  size_t index;
};

/// Of the candidates whose buffer fits `buffer`: those that no other beats in time and weights. Fastest first.
std::vector<Option> usefulOptions(const LayerCandidates &candidates, double buffer) {
  std::vector<Option> options;
  double lightest = never;
  for (size_t i = 0; i < candidates.scored.size(); ++i) {
    const ScoredCandidate &scored = candidates.scored[i];
    if (scored.cost.bufferBytes > buffer || scored.cost.weightBytes >= lightest)
      continue;
    lightest = scored.cost.weightBytes;
    options.push_back({scored.timeUs, scored.cost.weightBytes, i});
  }
  return options;
}

/// What a path does at one layer.
struct Step {
  size_t attention = 0;
  size_t option = 0;
};

class Chain {
public:
  Chain(const Levels &levels, const std::vector<PlanLayer> &layers, const std::vector<const LayerCandidates *> &candidates,
        const SearchOptions &options)
      : levels(levels), layers(layers), candidates(candidates), parts(options.memoryParts) {}

  /// The fastest path whose buffers fit `buffer` and whose weights fit `memory`, both bytes; with `roundDown` a path at most that slow, which may
  /// need some more. `never` where there is none. An infinite `memory` is one part that nothing fills.
  double solve(double buffer, double memory, bool roundDown, std::vector<Step> &path) {
    const bool limited = std::isfinite(memory);
    const size_t columns = limited ? static_cast<size_t>(parts) + 1 : 1;
    auto partsOf = [&](double bytes) {
      if (!limited)
        return size_t(0);
      const double exact = bytes / memory * static_cast<double>(parts);
      return static_cast<size_t>(std::min(roundDown ? std::floor(exact) : std::ceil(exact), static_cast<double>(columns)));
    };
    std::vector<std::vector<Option>> options;
    std::vector<std::vector<std::vector<From>>> from(layers.size());
    std::vector<std::vector<double>> times;
    for (size_t l = 0; l < layers.size(); ++l) {
      options.push_back(usefulOptions(*candidates[l], buffer));
      from[l].assign(layers[l].attention.size(), std::vector<From>(columns));
      std::vector<std::vector<double>> next(layers[l].attention.size(), std::vector<double>(columns, never));
      for (size_t a = 0; a < next.size(); ++a) {
        std::vector<uint32_t> before;
        const std::vector<double> arrived = arrive(l, a, times, columns, before);
        for (size_t o = 0; o < options[l].size(); ++o) {
          const double time = options[l][o].timeUs + layers[l].attention[a].timeUs;
          const size_t need = partsOf(options[l][o].weightBytes + layers[l].attention[a].weightBytes);
          for (size_t used = need; used < columns; ++used)
            if (arrived[used - need] + time < next[a][used]) {
              next[a][used] = arrived[used - need] + time;
              from[l][a][used] = {static_cast<uint32_t>(o), before[used - need], static_cast<uint32_t>(need)};
            }
        }
      }
      times = std::move(next);
    }
    return trace(times, from, options, path);
  }

private:
  struct From {
    uint32_t option = 0;
    uint32_t attention = 0;
    uint32_t need = 0;
  };

  /// Times before layer `l` under attention option `a`, by memory used, and the previous layer's option.
  std::vector<double> arrive(size_t l, size_t a, const std::vector<std::vector<double>> &times, size_t columns, std::vector<uint32_t> &before) const {
    before.assign(columns, 0);
    std::vector<double> arrived(columns, l == 0 ? 0 : never);
    for (size_t p = 0; p < times.size(); ++p) {
      const double change = reshardUs(levels, layers[l].shape, layers[l - 1].attention[p].tensorParallel, layers[l].attention[a].tensorParallel);
      for (size_t used = 0; used < columns; ++used)
        if (times[p][used] + change < arrived[used]) {
          arrived[used] = times[p][used] + change;
          before[used] = static_cast<uint32_t>(p);
        }
    }
    return arrived;
  }

  double trace(const std::vector<std::vector<double>> &times, const std::vector<std::vector<std::vector<From>>> &from,
               const std::vector<std::vector<Option>> &options, std::vector<Step> &path) const {
    size_t attention = 0, used = 0;
    double best = never;
    for (size_t a = 0; a < times.size(); ++a)
      for (size_t u = 0; u < times[a].size(); ++u)
        if (times[a][u] < best) {
          best = times[a][u];
          attention = a;
          used = u;
        }
    path.assign(layers.size(), {});
    for (size_t l = layers.size(); l-- > 0 && best < never;) {
      const From &step = from[l][attention][used];
      path[l] = {attention, options[l][step.option].index};
      attention = step.attention;
      used -= step.need;
    }
    return best;
  }

  const Levels levels;
  const std::vector<PlanLayer> &layers;
  const std::vector<const LayerCandidates *> &candidates;
  int64_t parts;
};

/// All sizes that the largest buffer of a plan can have, ascending; empty where some layer needs more than `memory`.
std::vector<double> bufferSizes(const std::vector<const LayerCandidates *> &candidates, double memory) {
  std::vector<double> sizes;
  double needed = 0;
  for (const LayerCandidates *layer : candidates) {
    double least = never;
    for (const ScoredCandidate &scored : layer->scored) {
      least = std::min(least, scored.cost.bufferBytes);
      if (scored.cost.bufferBytes < memory)
        sizes.push_back(scored.cost.bufferBytes);
    }
    needed = std::max(needed, least);
  }
  std::sort(sizes.begin(), sizes.end());
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  sizes.erase(sizes.begin(), std::lower_bound(sizes.begin(), sizes.end(), needed));
  return sizes;
}

/// Weights and the largest buffer share the memory. Branch and bound over the size of that buffer: between two sizes no plan is faster than the one
/// whose buffers fit the larger and whose weights fit what the smaller leaves. The interval that promises most is halved, until what it promises
/// is nearly had.
double solveLimited(Chain &chain, const std::vector<double> &sizes, double memory, std::vector<Step> &best, double &bound) {
  constexpr double tolerance = 1e-3;
  constexpr int maximumSplits = 8;
  struct Interval {
    double bound;
    size_t low, high;
    bool operator>(const Interval &other) const { return bound > other.bound; }
  };
  std::priority_queue<Interval, std::vector<Interval>, std::greater<Interval>> open;
  std::vector<Step> path;
  double time = never;
  auto tryLimit = [&](double limit) {
    const double found = chain.solve(limit, memory - limit, false, path);
    if (found < time) {
      time = found;
      best = path;
    }
  };
  auto consider = [&](size_t low, size_t high) { open.push({chain.solve(sizes[high], memory - sizes[low], true, path), low, high}); };
  bound = never;
  if (sizes.empty())
    return never;
  tryLimit(sizes.back());
  tryLimit(sizes.front());
  consider(0, sizes.size() - 1);
  for (int split = 0; split < maximumSplits; ++split) {
    const Interval interval = open.top();
    if (interval.low == interval.high || interval.bound >= time * (1 - tolerance))
      break;
    open.pop();
    const size_t middle = (interval.low + interval.high) / 2;
    tryLimit(sizes[middle]);
    consider(interval.low, middle);
    consider(middle + 1, interval.high);
  }
  bound = std::min(time, open.top().bound);
  return time;
}

double memoryOf(const std::vector<PlanLayer> &layers, const std::vector<const LayerCandidates *> &candidates, const std::vector<Step> &path) {
  double weights = 0, buffer = 0;
  for (size_t l = 0; l < path.size(); ++l) {
    const LayerCost &cost = candidates[l]->scored[path[l].option].cost;
    weights += cost.weightBytes + layers[l].attention[path[l].attention].weightBytes;
    buffer = std::max(buffer, cost.bufferBytes);
  }
  return weights + buffer;
}

/// The least that all layers need, for the error of a model that does not fit.
double leastMemory(const std::vector<PlanLayer> &layers, const std::vector<const LayerCandidates *> &candidates) {
  double weights = 0, buffer = 0;
  for (size_t l = 0; l < layers.size(); ++l) {
    double leastWeights = never, leastBuffer = never, leastAttention = never;
    for (const ScoredCandidate &scored : candidates[l]->scored) {
      leastWeights = std::min(leastWeights, scored.cost.weightBytes);
      leastBuffer = std::min(leastBuffer, scored.cost.bufferBytes);
    }
    for (const AttentionOption &attention : layers[l].attention)
      leastAttention = std::min(leastAttention, attention.weightBytes);
    weights += leastWeights + leastAttention;
    buffer = std::max(buffer, leastBuffer);
  }
  return weights + buffer;
}

bool sameLayer(const PlanLayer &a, const PlanLayer &b) {
  const LayerShape &x = a.shape, &y = b.shape;
  return x.experts == y.experts && x.topK == y.topK && x.hidden == y.hidden && x.intermediate == y.intermediate && x.matrices == y.matrices &&
         x.sharedIntermediate == y.sharedIntermediate && x.tokens == y.tokens && x.computeType == y.computeType &&
         x.dispatchBytes == y.dispatchBytes && x.combineBytes == y.combineBytes && x.weightBytes == y.weightBytes && x.scaleBytes == y.scaleBytes &&
         x.beforeUs == y.beforeUs && x.gathersResults == y.gathersResults && x.routedBytes == y.routedBytes && a.windows == b.windows && a.coactivation == b.coactivation && a.groups == b.groups &&
         a.pinnedEp == b.pinnedEp && a.pinnedSlots == b.pinnedSlots && a.pinnedEtp == b.pinnedEtp && a.isCuttable == b.isCuttable;
}

bool validateShape(const PlanLayer &layer, const Mesh &mesh, std::string &error) {
  const LayerShape &shape = layer.shape;
  auto check = [&](const char *what, double value, double least) {
    if (std::isfinite(value) && value >= least)
      return true;
    error = "layer " + layer.name + ", " + what + ": expected at least " + std::to_string(least) + ", found " + std::to_string(value);
    return false;
  };
  if (!check("hidden size", static_cast<double>(shape.hidden), 1) || !check("intermediate size", static_cast<double>(shape.intermediate), 1) ||
      !check("matrices", static_cast<double>(shape.matrices), 1) ||
      !check("shared intermediate size", static_cast<double>(shape.sharedIntermediate), 0) || !check("tokens", shape.tokens, 1) ||
      !check("bytes of a dispatched element", shape.dispatchBytes, 0.125) || !check("bytes of a combined element", shape.combineBytes, 0.125) ||
      !check("bytes of a weight", shape.weightBytes, 0.125) || !check("bytes of scales", shape.scaleBytes, 0) ||
      !check("bytes of routing", shape.routedBytes, 0) || !check("time before the experts", shape.beforeUs, 0) || !check("attention options", static_cast<double>(layer.attention.size()), 1))
    return false;
  if (mesh.device.tflops.count(shape.computeType))
    return true;
  error = "layer " + layer.name + ": expected an element type that the device has a speed for, found '" + shape.computeType + "'";
  return false;
}

bool validateLayers(const Mesh &mesh, const std::vector<PlanLayer> &layers, std::string &error) {
  for (const PlanLayer &layer : layers) {
    if (!validateShape(layer, mesh, error))
      return false;
    // Loads meet the rules of a profile, also where there are none.
    LayerLoad load{layer.name, layer.shape.experts, layer.shape.topK, layer.windows, layer.coactivation};
    if (load.windows.empty() && load.topK >= 1 && load.experts >= load.topK && load.experts <= Profile::maximumExperts)
      load.windows.push_back(uniformShares(load.experts, load.topK));
    if (layer.groups < 1 || layer.groups > load.experts || load.experts % layer.groups != 0) {
      error = "layer " + layer.name + ", groups: expected a divisor of " + std::to_string(load.experts) + " experts, found " +
              std::to_string(layer.groups);
      return false;
    }
    Profile profile{{load}};
    std::string why;
    if (!profile.validate(why)) {
      error = "layer " + layer.name + ", as the only one: " + why;
      return false;
    }
  }
  return true;
}

} // namespace

double reshardUs(const Levels &levels, const LayerShape &shape, int64_t from, int64_t to) {
  if (from == to)
    return 0;
  const int64_t group = std::max(from, to);
  const Link &link = group <= levels.perNode ? levels.intra : levels.inter;
  return link.timeUs(group - 1, shape.tokens * shape.combineCopyBytes() * static_cast<double>(group - 1) / static_cast<double>(group));
}

std::optional<PlanResult> searchPlan(const Mesh &mesh, const std::vector<PlanLayer> &layers, const SearchOptions &options, std::string &error) {
  if (!mesh.validate(error) || !validateLayers(mesh, layers, error))
    return std::nullopt;
  std::vector<size_t> classOf;
  std::vector<LayerCandidates> classes;
  std::vector<size_t> firstOf;
  for (size_t l = 0; l < layers.size(); ++l) {
    size_t c = 0;
    while (c < firstOf.size() && !sameLayer(layers[firstOf[c]], layers[l]))
      ++c;
    if (c == firstOf.size()) {
      firstOf.push_back(l);
      classes.push_back(scoreCandidates(mesh, layers[l], options));
    }
    classOf.push_back(c);
  }
  std::vector<const LayerCandidates *> candidates;
  for (size_t c : classOf)
    candidates.push_back(&classes[c]);
  for (size_t l = 0; l < layers.size(); ++l)
    if (candidates[l]->scored.empty()) {
      error = "layer " + layers[l].name + ": expected a number of devices that divides " + std::to_string(mesh.devices()) +
              " and slots that hold all experts, found ep " + std::to_string(layers[l].pinnedEp) + " and slots " + std::to_string(layers[l].pinnedSlots) + " pinned";
      const int64_t etp = layers[l].pinnedEtp != 0 ? layers[l].pinnedEtp : options.expertSplit;
      if (etp > 1)
        error += ", experts cut into " + std::to_string(etp) + (layers[l].isCuttable ? "" : " though they cannot be");
      return std::nullopt;
    }

  const double memory = std::max(0.0, static_cast<double>(mesh.device.memoryBytes) - options.otherBytes);
  Chain chain(mesh.levels(), layers, candidates, options);
  std::vector<Step> best, path;
  PlanResult result;
  result.totalUs = result.boundUs = chain.solve(never, never, false, best);
  if (memoryOf(layers, candidates, best) > memory) {
    double bound = 0;
    result.totalUs = memory <= 0 ? never : solveLimited(chain, bufferSizes(candidates, memory), memory, best, bound);
    result.boundUs = std::max(result.boundUs, bound);
  }
  if (result.totalUs == never) {
    std::ostringstream text;
    text.precision(12);
    text << "no plan fits: expected at most " << memory << " bytes on a device";
    if (options.otherBytes > 0)
      text << ", beside " << options.otherBytes << " of KV caches";
    text << ", found " << leastMemory(layers, candidates)
         << " for the smallest candidates of all layers";
    error = text.str();
    return std::nullopt;
  }
  result.memoryBytes = memoryOf(layers, candidates, best);
  for (size_t l = 0; l < layers.size(); ++l) {
    const ScoredCandidate &chosen = candidates[l]->scored[best[l].option];
    result.layers.push_back(
        {chosen, chosen.placement < 0 ? PlacementResult() : candidates[l]->placements[size_t(chosen.placement)], best[l].attention});
  }
  return result;
}

} // namespace moe::plan
