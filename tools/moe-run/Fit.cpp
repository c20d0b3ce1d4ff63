// Weighted least squares with non-negative coefficients, and the mesh file. A handful of terms: all choices of those that are not 0 are tried.
#include "Fit.h"
#include "Failure.h"
#include "Json.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace moe::run {
namespace {

using Matrix = std::vector<std::vector<double>>;

/// Solves the normal equations of the columns in `chosen`; false where they depend on each other.
bool solve(const std::vector<Sample> &samples, const std::vector<double> &scale, const std::vector<size_t> &chosen, std::vector<double> &out) {
  const size_t n = chosen.size();
  Matrix system(n, std::vector<double>(n + 1));
  double weights = 0;
  for (const Sample &sample : samples)
    weights += 1 / sample.timeUs;
  for (const Sample &sample : samples)
    for (size_t i = 0; i < n; ++i) {
      const double left = sample.terms[chosen[i]] / scale[chosen[i]] / sample.timeUs;
      for (size_t j = 0; j < n; ++j)
        system[i][j] += left * sample.terms[chosen[j]] / scale[chosen[j]];
      system[i][n] += left * sample.timeUs;
    }
  for (size_t column = 0; column < n; ++column) {
    size_t pivot = column;
    for (size_t row = column + 1; row < n; ++row)
      if (std::fabs(system[row][column]) > std::fabs(system[pivot][column]))
        pivot = row;
    std::swap(system[column], system[pivot]);
    // Terms were brought to one size, so what rounding leaves of 0 is small beside the sum of the weights.
    if (std::fabs(system[column][column]) < 1e-10 * weights)
      return false;
    for (size_t row = 0; row < n; ++row) {
      const double factor = row == column ? 0 : system[row][column] / system[column][column];
      for (size_t k = column; factor != 0 && k <= n; ++k)
        system[row][k] -= factor * system[column][k];
    }
  }
  for (size_t i = 0; i < n; ++i)
    out[chosen[i]] = system[i][n] / system[i][i] / scale[chosen[i]];
  return true;
}

double valueOf(const std::vector<double> &coefficients, const Sample &sample) {
  double value = 0;
  for (size_t i = 0; i < coefficients.size(); ++i)
    value += coefficients[i] * sample.terms[i];
  return value;
}

double squaresLeft(const std::vector<Sample> &samples, const std::vector<double> &coefficients) {
  double sum = 0;
  for (const Sample &sample : samples) {
    const double off = sample.timeUs - valueOf(coefficients, sample);
    sum += off * off / sample.timeUs;
  }
  return sum;
}

double squaresAboutMean(const std::vector<Sample> &samples) {
  double weights = 0, sum = 0;
  for (const Sample &sample : samples) // The mean with weights 1 / time: n / Σ (1 / time).
    weights += 1 / sample.timeUs;
  const double mean = double(samples.size()) / weights;
  for (const Sample &sample : samples)
    sum += (sample.timeUs - mean) * (sample.timeUs - mean) / sample.timeUs;
  return sum;
}


void checkFit(const std::string &what, double r2, double least) {
  if (r2 >= least)
    return;
  char text[64];
  std::snprintf(text, sizeof(text), "%.2f, found %.3f", least, r2);
  throw Failure("no mesh was written: expected times of " + what + " that a straight line fits with an r2 of at least " + text +
                "; measure on machines that do nothing else");
}

} // namespace

Fit fitTimes(const std::vector<Sample> &samples) {
  if (samples.empty())
    throw Failure("expected measurements to fit, found none");
  const size_t terms = samples.front().terms.size();
  std::vector<double> scale(terms, 0);
  for (const Sample &sample : samples)
    for (size_t i = 0; i < terms; ++i)
      scale[i] = std::max(scale[i], std::fabs(sample.terms[i]));
  Fit best;
  double least = 0;
  for (unsigned set = 1; set < 1u << terms; ++set) {
    std::vector<size_t> chosen;
    bool isUsable = true;
    for (size_t i = 0; i < terms; ++i)
      if (set >> i & 1) {
        chosen.push_back(i);
        isUsable &= scale[i] > 0;
      }
    std::vector<double> found(terms, 0);
    if (!isUsable || !solve(samples, scale, chosen, found) || *std::min_element(found.begin(), found.end()) < 0)
      continue;
    const double left = squaresLeft(samples, found);
    // Of equals the first: the one with earlier terms.
    if (best.coefficients.empty() || left < least) {
      best.coefficients = found;
      least = left;
    }
  }
  if (best.coefficients.empty())
    best.coefficients.assign(terms, 0);
  const double spread = squaresAboutMean(samples);
  // Equal times: either all of them are met, or nothing is explained.
  best.r2 = spread > 0 ? 1 - squaresLeft(samples, best.coefficients) / spread : squaresLeft(samples, best.coefficients) <= 1e-12;
  return best;
}

MeasuredLink linkOf(const std::string &name, int64_t size, const std::vector<Sample> &samples, double messageUs) {
  const Fit fit = fitTimes(samples);
  MeasuredLink link{name, size, fit.coefficients[0], 0, fit.coefficients[1], fit.r2};
  if (fit.coefficients[2] <= 0)
    throw Failure("axis '" + name + "': expected times that grow with the bytes sent, found that they do not; no bandwidth follows from them");
  link.gbps = 1e-3 / fit.coefficients[2]; // A byte a microsecond is 10^-3 GB/s.
  bool isOneNumber = true;
  for (const Sample &sample : samples)
    isOneNumber &= sample.terms[1] == samples.front().terms[1];
  if (isOneNumber) {
    const double peers = samples.front().terms[1], together = link.alphaUs + link.perMessageUs * peers;
    link.perMessageUs = std::min(messageUs, together / peers);
    link.alphaUs = together - link.perMessageUs * peers;
  }
  return link;
}

void addProduct(MeasuredDevice &device, const std::string &type, const std::vector<Sample> &samples) {
  const Fit fit = fitTimes(samples);
  if (fit.coefficients[2] <= 0)
    throw Failure("products of " + type + ": expected times that grow with the operations, found that they do not");
  if (device.tflops.empty()) {
    device.gemmAlphaUs = fit.coefficients[0];
    device.gemmHalfRows = fit.coefficients[1] / fit.coefficients[2];
    device.r2 = fit.r2;
  }
  device.tflops[type] = 1e-6 / fit.coefficients[2]; // An operation a microsecond is 10^-6 TFLOP/s.
  device.r2 = std::min(device.r2, fit.r2);
}

std::string meshText(const std::vector<MeasuredLink> &links, const MeasuredDevice &device, double leastR2) {
  JsonList axes("[]"), tflops("{}"), object("{}"), mesh("{}");
  double r2 = device.r2;
  for (const MeasuredLink &link : links) {
    checkFit("all-to-alls along axis '" + link.name + "'", link.r2, leastR2);
    JsonList axis("{}"), numbers("{}");
    numbers.add("alpha_us", jsonNumber(link.alphaUs)).add("gbps", jsonNumber(link.gbps)).add("per_msg_us", jsonNumber(link.perMessageUs));
    axis.add("name", jsonString(link.name)).add("size", std::to_string(link.size)).add("link", numbers.str());
    axes.add(axis.str());
    r2 = std::min(r2, link.r2);
  }
  checkFit("matrix products", device.r2, leastR2);
  for (const auto &[type, rate] : device.tflops)
    tflops.add(type.c_str(), jsonNumber(rate));
  object.add("name", jsonString(device.name)).add("tflops", tflops.str()).add("gemm_alpha_us", jsonNumber(device.gemmAlphaUs));
  object.add("gemm_half_m", jsonNumber(device.gemmHalfRows)).add("mem_gbps", jsonNumber(device.memoryGbps));
  object.add("mem_mib", std::to_string(device.memoryMib));
  mesh.add("version", "1").add("axes", axes.str()).add("device", object.str()).add("r2", jsonNumber(r2));
  return mesh.str() + "\n";
}

} // namespace moe::run
