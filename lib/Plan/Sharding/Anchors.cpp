// Rules of published planners.
#include "moe/Plan/Sharding/Anchors.h"

#include <algorithm>
#include <numeric>

namespace moe::plan {

double tutelBytes(const TutelLayer &layer, int64_t r) {
  const double devices = static_cast<double>(layer.devices), others = 1 - 1 / devices;
  const double all = static_cast<double>(layer.experts * 2 * layer.hidden * layer.intermediate) * layer.elementBytes;
  if (r == 0)
    return all * others;
  const double group = static_cast<double>(layer.devices / layer.experts / r);
  const double weights = all / static_cast<double>(layer.experts * r) * (1 - 1 / group);
  const double copies = static_cast<double>(layer.topK) * layer.capacityFactor * layer.tokens * static_cast<double>(r);
  return 2 * copies * static_cast<double>(layer.hidden) * layer.elementBytes * others + weights;
}

int64_t tutelDegree(const TutelLayer &layer) {
  int64_t best = 0;
  const int64_t most = layer.devices / layer.experts;
  for (int64_t r = 1; r <= most; ++r)
    if (most % r == 0 && tutelBytes(layer, r) < tutelBytes(layer, best))
      best = r;
  return best;
}

double alpaAllToAll(double bytes, int64_t devices, double alpha, double beta) {
  const double n = static_cast<double>(devices);
  return alpha + beta * (n - 1) / (n * n) * bytes * (n / 2) + 0.001;
}

double alpaAllReduce(double bytes, int64_t devices, double alpha, double beta) {
  const double n = static_cast<double>(devices);
  return alpha + beta * 2 * (n - 1) / n * bytes + 0.01;
}

double hybridEpShare(double tokenBytes, double expertBytes, int64_t devices, double bandwidth, double beforeExpertS) {
  const double count = static_cast<double>(devices);
  // A smaller share saves 2·D of tokens and costs G·P of weights once the weights are no longer hidden.
  if (2 * tokenBytes >= count * expertBytes)
    return 0;
  return std::max(0.0, 1 - bandwidth * beforeExpertS / (expertBytes * (count - 1)));
}

std::vector<int64_t> shadowedExperts(const std::vector<double> &loads, const ShadowModel &model) {
  std::vector<int64_t> order(loads.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    const double left = loads[size_t(a)], right = loads[size_t(b)];
    return left != right ? left > right : a < b;
  });
  constexpr double elementBytes = 4;
  const double square = model.ratio * model.hidden * model.hidden;
  const double perToken = 3 * 4 * square / model.flops + 4 * model.hidden * elementBytes / model.bandwidth;
  const double perShadow = 2 * square * elementBytes / model.bandwidth;
  size_t taken = 0;
  double time = loads.empty() ? 0 : perToken * loads[size_t(order[0])];
  while (taken + 1 < order.size()) {
    const double next = perToken * loads[size_t(order[taken + 1])] + static_cast<double>(taken + 1) * perShadow;
    if (next >= time)
      break;
    time = next;
    ++taken;
  }
  order.resize(taken);
  return order;
}

} // namespace moe::plan
