//===- Anchors.h - what published systems would decide ------------*- C++ -*-===//
// The rules of other planners, as their papers state them: our plans are held against them. No LLVM here.
#ifndef MOE_PLAN_SHARDING_ANCHORS_H
#define MOE_PLAN_SHARDING_ANCHORS_H

#include <cstdint>
#include <vector>

namespace moe::plan {

/// A layer under Tutel's adaptive parallelism: `devices` is a multiple of `experts`.
struct TutelLayer {
  int64_t devices = 1;
  int64_t experts = 1;
  int64_t topK = 1;
  double capacityFactor = 1;
  /// Tokens of each device.
  double tokens = 1;
  int64_t hidden = 1;
  int64_t intermediate = 1;
  double elementBytes = 2;
};

/// Bytes that a device moves forward with degree `r`: 0 gathers all weights and moves no token; r ≥ 1, a divisor of devices / experts, moves
/// every token to r devices and gathers weights that are split further. Experts have two matrices.
double tutelBytes(const TutelLayer &layer, int64_t r);
/// The degree among 0 and the divisors of devices / experts with the fewest bytes, the smallest of equals.
int64_t tutelDegree(const TutelLayer &layer);

/// Alpa's costs of an all-to-all and an all-reduce of `bytes` bytes over `devices` devices of one mesh dimension with latency `alpha` and time a byte
/// `beta`: the first with its penalty for congestion, both with the constants that break its solver's ties.
double alpaAllToAll(double bytes, int64_t devices, double alpha, double beta);
double alpaAllReduce(double bytes, int64_t devices, double alpha, double beta);

/// HybridEP's share of the token traffic that stays an all-to-all, in [0, 1]; the experts of the rest are gathered behind `beforeExpertS`.
/// `tokenBytes` are a device's, `expertBytes` those of its experts; bytes, bytes a second, seconds; devices ≥ 2.
double hybridEpShare(double tokenBytes, double expertBytes, int64_t devices, double bandwidth, double beforeExpertS);

/// What FasterMoE's rule needs to know: hidden size H, F = ratio · H, f32.
struct ShadowModel {
  double hidden = 2048;
  double ratio = 2;
  /// Bytes and operations a second.
  double bandwidth = 6.25e9;
  double flops = 11.5e12;
};

/// Experts that FasterMoE copies to all devices, most loaded first, given the tokens of each.
std::vector<int64_t> shadowedExperts(const std::vector<double> &loads, const ShadowModel &model);

} // namespace moe::plan

#endif // MOE_PLAN_SHARDING_ANCHORS_H
