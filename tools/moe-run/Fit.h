//===- Fit.h - straight lines through measured times ------------*- C++ -*-===//
// What calibration makes of its measurements: a time as a sum of non-negative terms, how well it fits, and the mesh file that follows.
#ifndef MOE_RUN_FIT_H
#define MOE_RUN_FIT_H

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace moe::run {

/// One measurement: what it was of (the same number of terms in all), and its time in microseconds, > 0.
struct Sample {
  std::vector<double> terms;
  double timeUs = 0;
};

/// time ≈ Σ coefficient · term.
struct Fit {
  /// Each ≥ 0: a time that falls with a term is not what a mesh can say.
  std::vector<double> coefficients;
  /// 1 - (sum of squares left) / (sum of squares about the mean), ≤ 1. Both sums take each measurement by the inverse of its time, as the fit
  /// does: the scatter of a time grows with it, and without that only the longest would count.
  double r2 = 0;
};

/// The non-negative coefficients with the least sum of (time - fit)² / time; exact where the times are such a sum. With fewer samples than terms, or
/// terms that depend on each other, the ones that come later are 0. Throws a Failure without samples.
Fit fitTimes(const std::vector<Sample> &samples);

/// A link as measured; the fields are those of a mesh file.
struct MeasuredLink {
  std::string name;
  int64_t size = 1;
  double alphaUs = 0, gbps = 0, perMessageUs = 0, r2 = 1;
};

/// What one device can do; rates by MLIR's name of the element type.
struct MeasuredDevice {
  std::string name;
  std::map<std::string, double> tflops;
  double gemmAlphaUs = 0, gemmHalfRows = 0, memoryGbps = 0, r2 = 1;
  int64_t memoryMib = 0;
};

/// An all-to-all of one axis: terms {1, peers, bytes to all of them}. Where all samples have the same number of peers, latency and cost per message cannot
/// be told apart; then a message costs what one of a ping-pong does, `messageUs`, and the rest is latency. Throws a Failure where times do not grow
/// with bytes.
MeasuredLink linkOf(const std::string &name, int64_t size, const std::vector<Sample> &samples, double messageUs);

/// Products of `rows` rows: terms {1, operations a row, operations}. Sets the rate of `type`, and for the first type the fixed cost and the rows at which
/// half of the rate is reached; `r2` becomes the worst.
void addProduct(MeasuredDevice &device, const std::string &type, const std::vector<Sample> &samples);

/// The text of a mesh file. Throws a Failure that says which fit is below `leastR2` and by how much: nothing is planned with numbers that do not predict.
std::string meshText(const std::vector<MeasuredLink> &links, const MeasuredDevice &device, double leastR2);

/// As Mesh::minimumR2, below which the planner refuses a mesh.
constexpr double leastMeshR2 = 0.97;

} // namespace moe::run

#endif // MOE_RUN_FIT_H
