//===- Routing.h - which experts a token chooses together ---------*- C++ -*-===//
// The probability that a token has anything to do on a group of devices. Where a token is sent once to each device or node however many of its
// experts are there, this and not the sum of loads decides the traffic. No LLVM here.
#ifndef MOE_PLAN_SHARDING_ROUTING_H
#define MOE_PLAN_SHARDING_ROUTING_H

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace moe::plan {

/// A part of an expert's tokens: (expert, fraction in [0, 1]). A group that holds two of an expert's four replicas gets half of them.
using ExpertPart = std::pair<int64_t, double>;

/// How the k experts of one token are distributed, given how often each is chosen.
///
/// Without counts of pairs: k experts by the distribution of largest entropy that has the given shares. A set of k experts has a probability
/// proportional to the product of its experts' weights; the weights are fitted to the shares. For equal shares it is the choice of k of E at
/// random, so that a group of m experts is missed with probability C(E - m, k) / C(E, k).
///
/// With counts of pairs: the upper bound S1 - 2·S2/min(k, experts in the group), where S1 sums the shares and S2 the pairs of the group. It is
/// exact for k ≤ 2 and never below the truth, so traffic is never underestimated.
class Routing {
public:
  /// `shares`: probability of each expert, in [0, 1], summing to `topK`. `coactivation` as in LayerLoad, or empty.
  Routing(std::vector<double> shares, int64_t topK, const std::vector<double> &coactivation = {});

  int64_t experts() const { return static_cast<int64_t>(shares.size()); }
  int64_t topK() const { return k; }
  /// The probability that a token chooses expert `expert`.
  double share(int64_t expert) const { return shares[static_cast<size_t>(expert)]; }
  /// Expected number of a token's copies for a group that gets `parts`.
  double copies(const std::vector<ExpertPart> &parts) const;
  /// The probability that at least one of them is: at most 1 and at most `copies`. An expert occurs at most once in `parts`.
  double hit(const std::vector<ExpertPart> &parts) const;

private:
  double hitByPairs(const std::vector<ExpertPart> &parts) const;
  void fit();
  /// The product of all factors but those of `parts`; empty where rounding does not allow to divide them out.
  std::vector<double> divideOut(const std::vector<ExpertPart> &parts) const;

  std::vector<double> shares;
  int64_t k;
  /// Probability of each pair, [E·E]; empty without counts.
  std::vector<double> pairs;
  /// Chances of independent draws that give the distribution when conditioned on `drawn` successes. 1 for an expert that every token chooses:
  /// those are not counted in `drawn`.
  std::vector<double> chances;
  int64_t drawn = 0;
  /// Product of the factors (1 - chance) + chance·x of the others, up to x^drawn.
  std::vector<double> polynomial;
  /// Its last coefficient: the probability of `drawn` successes.
  double drawnProbability = 1;
};

} // namespace moe::plan

#endif // MOE_PLAN_SHARDING_ROUTING_H
