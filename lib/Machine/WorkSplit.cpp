// The formulas of lib/Codegen/CPU/MatmulEmitter (splitColumns, splitUnits), on given loads.
#include "moe/Machine/WorkSplit.h"

#include <algorithm>
#include <numeric>

namespace moe {

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

std::pair<int64_t, int64_t> WorkSplit::columnShare(int64_t thread) const {
  const bool isUneven = halves && ceilDiv(panels, threads) * threads * 100 > panels * (100 + unevenPercent);
  const int64_t count = isUneven ? 2 * panels : panels, each = isUneven ? 1 : 2;
  return {count * thread / threads * each, count * (thread + 1) / threads * each};
}

std::vector<int64_t> WorkSplit::columnCosts(const std::vector<int64_t> &rows) const {
  int64_t perHalf = 0;
  for (int64_t count : rows)
    perHalf += count > 0 ? count + panelCostInRows : 0;
  std::vector<int64_t> costs;
  for (int64_t thread = 0; thread < threads; ++thread) {
    const auto [from, to] = columnShare(thread);
    costs.push_back((to - from) * perHalf);
  }
  return costs;
}

int64_t WorkSplit::nodeOf(int64_t thread) const { return threads >= memoryNodes ? thread * memoryNodes / threads : 0; }

std::pair<int64_t, int64_t> WorkSplit::nodeUnits(int64_t node) const {
  const int64_t nodes = threads >= memoryNodes ? memoryNodes : 1, units = panels / panelsPerUnit;
  return {units * node / nodes, units * (node + 1) / nodes};
}

std::vector<int64_t> WorkSplit::unitCosts(const std::vector<int64_t> &rows) const {
  struct Line {
    int64_t units, cost;
  };
  std::vector<int64_t> costs(threads, 0);
  for (int64_t first = 0, end; first < threads; first = end) { // the threads of a node
    const int64_t node = nodeOf(first), nodePanels = nodeUnits(node).second - nodeUnits(node).first;
    for (end = first + 1; end < threads && nodeOf(end) == node;)
      ++end;
    std::vector<Line> experts;
    int64_t length = 0;
    for (int64_t count : rows) {
      const int64_t blocks = ceilDiv(count, mostBlockRows), blockRows = ceilDiv(count, std::max<int64_t>(blocks, 1));
      experts.push_back({nodePanels * blocks, blockRows + panelCostInRows});
      length += experts.back().units * experts.back().cost;
    }
    for (int64_t thread = first; thread < end; ++thread) {
      const int64_t from = length * (thread - first) / (end - first), to = length * (thread - first + 1) / (end - first);
      int64_t start = 0;
      for (const Line &line : experts) {
        const auto firstFrom = [&](int64_t place) { return std::min(ceilDiv(std::max<int64_t>(place - start, 0), line.cost), line.units); };
        costs[thread] += (firstFrom(to) - firstFrom(from)) * line.cost;
        start += line.units * line.cost;
      }
    }
  }
  return costs;
}

double WorkSplit::unevenness(const std::vector<int64_t> &costs) {
  const int64_t sum = std::accumulate(costs.begin(), costs.end(), int64_t(0));
  return sum == 0 ? 1 : static_cast<double>(*std::max_element(costs.begin(), costs.end())) * static_cast<double>(costs.size()) / static_cast<double>(sum);
}

} // namespace moe
