// Steepest descent on (largest device load, sum of squares), restarted from disturbed copies of the best placement. The second number breaks
// ties between moves that leave several fullest devices, so that a plateau has a way down. Restarts use a generator whose numbers the standard
// fixes, so the result is the same everywhere.
#include "LocalSearch.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace moe::plan {

namespace {

/// Smaller is better.
struct Score {
  double largest = std::numeric_limits<double>::infinity();
  double squares = std::numeric_limits<double>::infinity();

  /// True if this is better than `other` by more than rounding.
  bool beats(const Score &other) const {
    const double step = 1e-9 * std::abs(other.largest);
    if (largest < other.largest - step)
      return true;
    return largest <= other.largest + step * 1e-3 && squares < other.squares * (1 - 1e-9);
  }
};

/// Either two slots exchange their experts, or slot `first` gets expert `expert`.
struct Move {
  size_t first = 0;
  size_t second = 0;
  int64_t expert = -1;
};

class Search {
public:
  Search(const std::vector<double> &loads, const Placement &placement, int64_t effort)
      : loads(loads), perDevice(static_cast<size_t>(placement.slotsPerDevice())), effort(effort) {
    reset(placement.expertOfSlot);
  }

  void reset(const std::vector<int64_t> &experts) {
    slots = experts;
    counts.assign(loads.size(), 0);
    holders.assign(loads.size(), {});
    for (size_t s = 0; s < slots.size(); ++s) {
      ++counts[size_t(slots[s])];
      holders[size_t(slots[s])].push_back(s / perDevice);
    }
    sums.assign(slots.size() / perDevice, 0);
    for (size_t s = 0; s < slots.size(); ++s)
      sums[s / perDevice] += part(slots[s], counts[size_t(slots[s])]);
  }

  /// Applies the best move until none is better, the effort is spent, or no device has more than `enough`.
  void descend(double enough = 0) {
    for (;;) {
      rank();
      if (current.largest <= enough)
        return;
      Score best = current;
      Move chosen;
      bool found = false;
      auto weigh = [&](const Move &move) {
        const Score score = scoreOf(move);
        --effort;
        if (score.beats(best)) {
          best = score;
          chosen = move;
          found = true;
        }
      };
      const size_t full = order[0];
      for (size_t s = full * perDevice; s < (full + 1) * perDevice && effort > 0; ++s) {
        for (size_t other = 0; other < slots.size(); ++other) {
          if (other / perDevice != full && slots[other] != slots[s])
            weigh({s, other, -1});
          if (counts[size_t(slots[other])] > 1 && slots[other] != slots[s])
            weigh({other, 0, slots[s]});
        }
        for (size_t e = 0; e < loads.size() && counts[size_t(slots[s])] > 1; ++e)
          if (slots[s] != static_cast<int64_t>(e))
            weigh({s, 0, static_cast<int64_t>(e)});
      }
      if (!found)
        return;
      apply(chosen);
    }
  }

  /// Some random moves that keep every expert.
  void disturb(std::mt19937 &random) {
    const int moves = 2 + static_cast<int>(random() % 3);
    for (int i = 0; i < moves; ++i) {
      const size_t a = random() % slots.size(), b = random() % slots.size();
      if (random() % 2 && counts[size_t(slots[a])] > 1 && slots[a] != slots[b])
        apply({a, 0, slots[b]});
      else if (slots[a] != slots[b])
        apply({a, b, -1});
    }
  }

  const std::vector<int64_t> &experts() const { return slots; }
  double largest() const { return *std::max_element(sums.begin(), sums.end()); }
  bool spent() const { return effort <= 0; }

private:
  double part(int64_t expert, int64_t count) const { return loads[size_t(expert)] / static_cast<double>(count); }

  /// Devices by load, fullest first, and the score of the present placement.
  void rank() {
    order.resize(sums.size());
    for (size_t d = 0; d < order.size(); ++d)
      order[d] = d;
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return sums[a] != sums[b] ? sums[a] > sums[b] : a < b; });
    current.largest = sums[order[0]];
    current.squares = 0;
    for (double sum : sums)
      current.squares += sum * sum;
  }

  void add(size_t device, double load) {
    for (auto &[changed, by] : changes)
      if (changed == device) {
        by += load;
        return;
      }
    changes.emplace_back(device, load);
  }

  /// Fills `changes` with what `move` adds to each device.
  void collect(const Move &move) {
    changes.clear();
    const size_t device = move.first / perDevice;
    const int64_t old = slots[move.first];
    if (move.expert < 0) {
      const int64_t other = slots[move.second];
      const double gain = part(other, counts[size_t(other)]) - part(old, counts[size_t(old)]);
      add(device, gain);
      add(move.second / perDevice, -gain);
      return;
    }
    const int64_t oldCount = counts[size_t(old)], newCount = counts[size_t(move.expert)];
    for (size_t holder : holders[size_t(old)])
      add(holder, part(old, oldCount - 1) - part(old, oldCount));
    add(device, -part(old, oldCount - 1));
    for (size_t holder : holders[size_t(move.expert)])
      add(holder, part(move.expert, newCount + 1) - part(move.expert, newCount));
    add(device, part(move.expert, newCount + 1));
  }

  Score scoreOf(const Move &move) {
    collect(move);
    Score score{0, current.squares};
    for (const auto &[device, by] : changes) {
      const double sum = sums[device] + by;
      score.largest = std::max(score.largest, sum);
      score.squares += sum * sum - sums[device] * sums[device];
    }
    // The fullest device that the move leaves alone.
    for (size_t device : order) {
      if (sums[device] <= score.largest)
        break;
      if (std::none_of(changes.begin(), changes.end(), [&](const auto &change) { return change.first == device; })) {
        score.largest = sums[device];
        break;
      }
    }
    return score;
  }

  void apply(const Move &move) {
    if (move.expert < 0)
      std::swap(slots[move.first], slots[move.second]);
    else
      slots[move.first] = move.expert;
    // Sums are made anew, so that rounding does not pile up.
    reset(std::vector<int64_t>(slots));
  }

  const std::vector<double> &loads;
  size_t perDevice;
  int64_t effort;
  std::vector<int64_t> slots, counts;
  /// Device of every slot of an expert, one entry a slot.
  std::vector<std::vector<size_t>> holders;
  std::vector<double> sums;
  std::vector<size_t> order;
  Score current;
  std::vector<std::pair<size_t, double>> changes;
};

} // namespace

void improvePlacement(const std::vector<double> &loads, Placement &placement, double bound, int64_t effort) {
  double best = placement.maxDeviceLoad(loads);
  const double enough = bound * (1 + 1e-9);
  if (placement.devices == 1 || best <= enough)
    return;
  Search search(loads, placement, effort);
  std::mt19937 random(1);
  for (;;) {
    search.descend();
    if (search.largest() < best) {
      best = search.largest();
      placement.expertOfSlot = search.experts();
    }
    if (best <= enough || search.spent())
      return;
    search.reset(placement.expertOfSlot);
    search.disturb(random);
  }
}

void improveUntil(const std::vector<double> &loads, Placement &placement, double enough) {
  Search search(loads, placement, std::numeric_limits<int64_t>::max());
  search.descend(enough);
  placement.expertOfSlot = search.experts();
}

} // namespace moe::plan
