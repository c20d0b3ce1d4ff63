// Calibration's arithmetic on times that are made by the formula it looks for: exact recovery, noise, what it must refuse.
#include "Failure.h"
#include "Fit.h"
#include "Products.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace moe::run;

namespace {

std::vector<Sample> linkTimes(double alpha, double message, double gbps, const std::vector<int> &peers, double noise = 0) {
  std::vector<Sample> samples;
  int sign = 1;
  for (int n : peers)
    for (double bytes = 256; bytes <= 1 << 20; bytes *= 4) {
      const double time = alpha + message * n + n * bytes / gbps * 1e-3;
      samples.push_back({{1, double(n), n * bytes}, time * (1 + sign * noise)});
      sign = -sign;
    }
  return samples;
}

std::string failureOf(const std::vector<MeasuredLink> &links, const MeasuredDevice &device) {
  try {
    meshText(links, device, leastMeshR2);
  } catch (const Failure &failure) {
    return failure.what();
  }
  return "";
}

MeasuredDevice deviceOf(const char *type, double tflops, double alpha, double half) {
  std::vector<Sample> samples;
  for (const ProductSize &size : productSizes()) {
    const double aRow = size.operations() / double(size.rows);
    samples.push_back({{1, aRow, size.operations()}, alpha + aRow * (double(size.rows) + half) / tflops * 1e-6});
  }
  MeasuredDevice device;
  addProduct(device, type, samples);
  device.memoryGbps = 20;
  device.memoryMib = 1024;
  return device;
}

TEST(Fit, RecoversALink) {
  const MeasuredLink link = linkOf("rank", 8, linkTimes(18, 0.7, 45, {1, 2, 4, 7}), 3);
  EXPECT_NEAR(link.alphaUs, 18, 1e-6);
  EXPECT_NEAR(link.perMessageUs, 0.7, 1e-6);
  EXPECT_NEAR(link.gbps, 45, 1e-6);
  EXPECT_NEAR(link.r2, 1, 1e-9);
}

TEST(Fit, OneNumberOfPeersIsSplitByThePingPong) {
  const MeasuredLink link = linkOf("rank", 2, linkTimes(2, 0.5, 8, {1}), 0.4);
  EXPECT_NEAR(link.perMessageUs, 0.4, 1e-9);
  EXPECT_NEAR(link.alphaUs, 2.1, 1e-6);
  EXPECT_NEAR(link.gbps, 8, 1e-6);
  // Where a ping-pong costs more than all that does not grow with bytes, the rest is 0 and not negative.
  EXPECT_NEAR(linkOf("rank", 2, linkTimes(2, 0.5, 8, {1}), 9).alphaUs, 0, 1e-9);
}

TEST(Fit, RecoversAProduct) {
  const MeasuredDevice device = deviceOf("f32", 0.5, 1.25, 4);
  EXPECT_NEAR(device.tflops.at("f32"), 0.5, 1e-9);
  EXPECT_NEAR(device.gemmAlphaUs, 1.25, 1e-6);
  EXPECT_NEAR(device.gemmHalfRows, 4, 1e-6);
}

TEST(Fit, CoefficientsAreNeverNegative) {
  // The line through these has -1 at 0; the best line through 0 is 2·x less a little.
  const Fit fit = fitTimes({{{1, 1}, 1}, {{1, 2}, 3}, {{1, 3}, 5}});
  EXPECT_EQ(fit.coefficients[0], 0);
  // Least Σ (t - c·x)² / t: c = Σ x / Σ (x² / t) = 6 / (1 + 4/3 + 9/5).
  EXPECT_NEAR(fit.coefficients[1], 6 / (1 + 4.0 / 3 + 9.0 / 5), 1e-12);
  EXPECT_LT(fit.r2, 1);
}

TEST(Fit, NoiseLowersR2) {
  const double little = linkOf("rank", 8, linkTimes(5, 0.7, 4, {1, 2, 4, 7}, 0.02), 0).r2;
  const double much = linkOf("rank", 8, linkTimes(5, 0.7, 4, {1, 2, 4, 7}, 0.6), 0).r2;
  EXPECT_GT(little, leastMeshR2);
  EXPECT_LT(much, leastMeshR2);
}

TEST(Fit, RefusesAMeshThatDoesNotPredict) {
  const MeasuredLink good = linkOf("node", 2, linkTimes(18, 0.7, 45, {1, 2}), 1), bad = linkOf("rank", 8, linkTimes(5, 0.7, 4, {1, 2, 4, 7}, 0.6), 0);
  const MeasuredDevice device = deviceOf("f32", 0.5, 1, 4);
  EXPECT_EQ(failureOf({good}, device), "");
  const std::string failure = failureOf({good, bad}, device);
  EXPECT_NE(failure.find("all-to-alls along axis 'rank' that a straight line fits with an r2 of at least 0.97, found 0."), std::string::npos) << failure;
  MeasuredDevice unsure = device;
  unsure.r2 = 0.9;
  EXPECT_NE(failureOf({good}, unsure).find("matrix products"), std::string::npos);
}

TEST(Fit, RefusesTimesThatDoNotGrow) {
  EXPECT_THROW(fitTimes({}), Failure);
  EXPECT_THROW(linkOf("rank", 2, {{{1, 1, 100}, 5}, {{1, 1, 200}, 4}, {{1, 1, 300}, 3}}, 0), Failure);
  MeasuredDevice device;
  EXPECT_THROW(addProduct(device, "f32", {{{1, 10, 100}, 5}, {{1, 10, 200}, 4}}), Failure);
}

TEST(Fit, WritesWhatThePlannerReads) {
  const std::string text = meshText({linkOf("rank", 4, linkTimes(2, 0.5, 8, {1, 2, 3}), 0)}, deviceOf("bf16", 1, 1, 4), leastMeshR2);
  for (const char *part : {"\"version\": 1", "\"axes\": [{\"name\": \"rank\", \"size\": 4, \"link\": {\"alpha_us\": ", "\"gbps\": ", "\"per_msg_us\": ", "\"tflops\": {\"bf16\": ",
                           "\"mem_gbps\": 20", "\"mem_mib\": 1024", "\"r2\": "})
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
}

} // namespace
