//===- Profile.h - how often each expert is chosen ----------------*- C++ -*-===//
// Expert loads per layer and window, as recorded by a run or declared, and the probabilities that they stand for. No LLVM here.
#ifndef MOE_PLAN_SHARDING_PROFILE_H
#define MOE_PLAN_SHARDING_PROFILE_H

#include <cstdint>
#include <string>
#include <vector>

namespace moe::plan {

/// Loads of one MoE layer.
struct LayerLoad {
  std::string name;
  /// E ≥ 1.
  int64_t experts = 0;
  /// Experts that a token chooses, 1 ≤ k ≤ E.
  int64_t topK = 0;
  /// [windows][E]: assignments to each expert in each window, before capacity drops any. In a window of n tokens they sum to n·k, and no expert
  /// has more than n.
  std::vector<std::vector<double>> windows;
  /// Empty, or [E·E]: tokens of some sample that chose both experts; the diagonal holds the tokens that chose the one. Symmetric, and a row
  /// without its diagonal sums to k - 1 times its diagonal.
  std::vector<double> coactivation;
};

/// What was recorded of a model's layers.
struct Profile {
  static constexpr int64_t maximumExperts = 1 << 16;

  std::vector<LayerLoad> layers;

  /// Appends the windows of another recording of the same layers (pairs are added up). False, and `error` names the layer, where they are not the same.
  bool append(const Profile &more, std::string &error);

  /// False where counts contradict what is said above; `error` names the place, what is expected and what was found.
  bool validate(std::string &error) const;
};

/// The probability of each expert to be among the k of a token; they sum to k.
std::vector<double> uniformShares(int64_t experts, int64_t topK);
/// The same under Zipf's law: expert i is wanted (i + 1)^-exponent as often as expert 0, except that none is chosen by more than every token.
std::vector<double> zipfShares(int64_t experts, int64_t topK, double exponent);
/// The same from the assignments of one window.
std::vector<double> sharesOf(const std::vector<double> &loads, int64_t topK);
/// The assignments of all windows of `layer` together, [E].
std::vector<double> totalLoads(const LayerLoad &layer);

} // namespace moe::plan

#endif // MOE_PLAN_SHARDING_PROFILE_H
