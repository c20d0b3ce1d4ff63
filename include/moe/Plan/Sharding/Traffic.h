//===- Traffic.h - what tokens send to the ranks of a placement ---*- C++ -*-===//
// Expected copies and reach of one token, and the traffic matrix that follows. No LLVM here.
#ifndef MOE_PLAN_SHARDING_TRAFFIC_H
#define MOE_PLAN_SHARDING_TRAFFIC_H

#include "moe/Plan/Sharding/Placement.h"
#include "moe/Plan/Sharding/Routing.h"

namespace moe::plan {

/// Expectations for one token of any source: all sources draw from the same distribution. Ranks are the devices of a placement.
struct Traffic {
  /// Ranks that share a node; the number of ranks is a multiple of it.
  int64_t ranksPerNode = 1;
  /// [ranks]: copies that go to a rank.
  std::vector<double> copies;
  /// [ranks]: the probability that any does.
  std::vector<double> rankReach;
  /// [nodes]: the probability that any goes to a rank of the node.
  std::vector<double> nodeReach;
  /// [slots]: the probability that a token goes to the slot.
  std::vector<double> slotShare;
  /// k, the copies of a token.
  int64_t topK = 1;
};

/// The traffic of tokens that `routing` describes to `placement`; replicas are chosen at random, each as likely as the others.
Traffic trafficOf(const Routing &routing, const Placement &placement, int64_t ranksPerNode);

/// Changes how many ranks of `traffic`, which comes from the same routing and placement, share a node.
void regroup(const Routing &routing, const Placement &placement, int64_t ranksPerNode, Traffic &traffic);

/// [sources · ranks], row-major: rows that source s, which has `tokens[s]` tokens, sends to rank d. `perToken` is `copies` or `rankReach`.
std::vector<double> trafficMatrix(const std::vector<double> &tokens, const std::vector<double> &perToken);

} // namespace moe::plan

#endif // MOE_PLAN_SHARDING_TRAFFIC_H
