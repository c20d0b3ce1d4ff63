// Profiles and the routing probabilities that follow from them: published tables, and enumeration of all choices for small numbers.
#include "moe/Plan/Input.h"
#include "moe/Plan/Sharding/Routing.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <random>

using namespace moe::plan;

namespace {

/// Experts first, first + 1, …, `count` of them, whole.
std::vector<ExpertPart> group(int64_t first, int64_t count) {
  std::vector<ExpertPart> parts;
  for (int64_t e = first; e < first + count; ++e)
    parts.emplace_back(e, 1.0);
  return parts;
}

double expectedGroups(int64_t experts, int64_t topK, int64_t groups) {
  Routing routing(uniformShares(experts, topK), topK);
  double sum = 0;
  for (int64_t q = 0; q < groups; ++q)
    sum += routing.hit(group(q * experts / groups, experts / groups));
  return sum;
}

/// Calls `visit(set)` for all sets of `k` of `n` experts.
template <typename Visit> void forAllChoices(int n, int k, Visit visit) {
  for (unsigned bits = 0; bits < 1u << n; ++bits)
    if (__builtin_popcount(bits) == k)
      visit(bits);
}

TEST(Routing, PublishedTableOfDistinctGroups) {
  struct Row {
    int64_t experts, topK;
    std::vector<double> distinct; // for 2, 4, 8, … groups
  };
  const Row rows[] = {
      {8, 2, {1.571, 1.857, 2}},
      {128, 8, {1.994, 3.629, 5.339, 6.597, 7.359, 7.780}},
      {160, 6, {1.972, 3.311, 4.459, 5.206, 5.632}},
      {256, 8, {1.993, 3.614, 5.295, 6.523, 7.267, 7.676}},
      {128, 4, {1.881, 2.754, 3.342, 3.680, 3.860, 3.953}},
  };
  for (const Row &row : rows)
    for (size_t i = 0; i < row.distinct.size(); ++i)
      EXPECT_NEAR(expectedGroups(row.experts, row.topK, int64_t(2) << i), row.distinct[i], 6e-4) << row.experts << " in " << (2 << i);
}

TEST(Routing, DuplicateRateThatHierMoeReports) {
  // 55 % of the copies go to a group that the token reaches anyway: k = 8 and 4 groups.
  EXPECT_NEAR(1 - expectedGroups(128, 8, 4) / 8, 0.55, 0.005);
  EXPECT_NEAR(1 - expectedGroups(256, 8, 4) / 8, 0.55, 0.005);
}

TEST(Routing, SkewedSharesAgainstAllChoices) {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> weight(0.05, 4);
  for (int k = 1; k <= 5; ++k) {
    constexpr int n = 8;
    std::vector<double> weights(n), shares(n);
    for (double &w : weights)
      w = weight(random);
    auto product = [&](unsigned bits) {
      double value = 1;
      for (int e = 0; e < n; ++e)
        value *= bits >> e & 1 ? weights[size_t(e)] : 1;
      return value;
    };
    double total = 0, hit = 0, halfHit = 0;
    forAllChoices(n, k, [&](unsigned bits) {
      const double p = product(bits);
      total += p;
      hit += bits & 0b10110 ? p : 0;
      // A group with expert 0 whole and half of expert 5.
      halfHit += bits & 1 ? p : bits >> 5 & 1 ? p / 2 : 0;
      for (int e = 0; e < n; ++e)
        shares[size_t(e)] += bits >> e & 1 ? p : 0;
    });
    for (double &share : shares)
      share /= total;
    Routing routing(shares, k);
    EXPECT_NEAR(routing.hit({{1, 1.0}, {2, 1.0}, {4, 1.0}}), hit / total, 1e-8) << k;
    EXPECT_NEAR(routing.hit({{0, 1.0}, {5, 0.5}}), halfHit / total, 1e-8) << k;
  }
}

TEST(Routing, ExpertsThatAllOrNoneChoose) {
  // Expert 0 always, expert 3 never; one of 1, 2, 4 besides.
  Routing routing({1, 0.25, 0.5, 0, 0.25}, 2);
  EXPECT_DOUBLE_EQ(routing.hit({{0, 1.0}}), 1);
  EXPECT_DOUBLE_EQ(routing.hit({{3, 1.0}}), 0);
  EXPECT_NEAR(routing.hit({{1, 1.0}, {2, 1.0}}), 0.75, 1e-9);
  EXPECT_NEAR(routing.hit({{0, 0.5}}), 0.5, 1e-9);
  EXPECT_DOUBLE_EQ(Routing(uniformShares(4, 4), 4).hit({{2, 1.0}}), 1);
}

TEST(Routing, PairsAreExactForTwoAndAnUpperBoundBeyond) {
  std::mt19937 random(11);
  constexpr int n = 8, tokens = 400;
  for (int k = 1; k <= 4; ++k) {
    std::vector<double> pairs(n * n), shares(n);
    double hit = 0, copies = 0;
    for (int t = 0; t < tokens; ++t) {
      // Neighbours are chosen together.
      std::vector<int> order(n);
      for (int e = 0; e < n; ++e)
        order[size_t(e)] = e;
      std::shuffle(order.begin(), order.end(), random);
      std::sort(order.begin() + 1, order.end(), [&](int a, int b) { return std::abs(a - order[0]) < std::abs(b - order[0]); });
      int inGroup = 0;
      for (int i = 0; i < k; ++i) {
        shares[size_t(order[size_t(i)])] += 1.0 / tokens;
        inGroup += order[size_t(i)] < 4;
        for (int j = 0; j < k; ++j)
          pairs[size_t(order[size_t(i)] * n + order[size_t(j)])] += 1;
      }
      hit += inGroup > 0 ? 1.0 / tokens : 0;
      copies += inGroup / double(tokens);
    }
    Routing routing(shares, k, pairs);
    EXPECT_NEAR(routing.copies(group(0, 4)), copies, 1e-9);
    if (k <= 2)
      EXPECT_NEAR(routing.hit(group(0, 4)), hit, 1e-9);
    EXPECT_GE(routing.hit(group(0, 4)), hit - 1e-9);
    EXPECT_LE(routing.hit(group(0, 4)), std::min(1.0, copies) + 1e-9);
  }
}

TEST(Shares, ZipfTable) {
  struct Row {
    int64_t experts;
    double exponent, maximum, gini;
  };
  const Row rows[] = {{32, .2, 1.64, .095},  {32, .8, 5.72, .428},  {64, .5, 4.38, .277},
                      {128, .3, 3.06, .163}, {256, .4, 5.65, .234}, {256, 1, 41.8, .677}};
  for (const Row &row : rows) {
    std::vector<double> shares = zipfShares(row.experts, 1, row.exponent);
    const double n = double(row.experts);
    double gini = 0;
    // Largest first, so rank n - i from below.
    for (size_t i = 0; i < shares.size(); ++i)
      gini += (2 * (n - double(i)) - n - 1) * shares[i] / n;
    EXPECT_NEAR(shares[0] * n / row.maximum, 1, 3e-3) << row.experts << " " << row.exponent;
    EXPECT_NEAR(gini, row.gini, 6e-4) << row.experts << " " << row.exponent;
  }
}

TEST(Shares, NoExpertIsChosenTwiceByAToken) {
  std::vector<double> shares = zipfShares(32, 8, 2);
  double sum = 0;
  for (double share : shares) {
    EXPECT_LE(share, 1);
    sum += share;
  }
  EXPECT_EQ(shares[0], 1);
  EXPECT_NEAR(sum, 8, 1e-9);
}

const char *const small = R"({"version": 1, "layers": [{"name": "a", "experts": 4, "top_k": 2,
  "windows": [[40, 20, 30, 10], [1, 0, 0, 1]], "coactivation": [[4, 1, 2, 1], [1, 2, 1, 0], [2, 1, 3, 0], [1, 0, 0, 1]]}]})";

std::string errorWith(const std::string &from, const std::string &to) {
  std::string text = small, error;
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
  EXPECT_FALSE(readProfile(text, error)) << text;
  return error;
}

TEST(ProfileReader, ReadsWhatIsThere) {
  std::string error;
  std::optional<Profile> profile = readProfile(small, error);
  ASSERT_TRUE(profile) << error;
  ASSERT_EQ(profile->layers.size(), 1u);
  const LayerLoad &layer = profile->layers[0];
  EXPECT_EQ(layer.name, "a");
  EXPECT_EQ(layer.windows[1], (std::vector<double>{1, 0, 0, 1}));
  EXPECT_EQ(layer.coactivation[2 * 4 + 1], 1);
  EXPECT_EQ(totalLoads(layer), (std::vector<double>{41, 20, 30, 11}));
  EXPECT_EQ(sharesOf(layer.windows[0], 2), (std::vector<double>{0.8, 0.4, 0.6, 0.2}));
}

TEST(ProfileReader, NamesThePlace) {
  EXPECT_EQ(errorWith("40, 20", "90, 20"), "layers[0].windows[0][0]: expected at most 75, the window's tokens, found 90");
  EXPECT_EQ(errorWith("40, 20", "-40, 20"), "layers[0].windows[0][0]: expected a finite number, at least 0, found -40");
  EXPECT_EQ(errorWith("40, 20", "\"40\", 20"), "layers[0].windows[0][0]: expected a finite number, found a text");
  EXPECT_EQ(errorWith("40, 20", "40, 1e999"), "layers[0].windows[0][1]: expected a finite number, at least 0, found inf");
  EXPECT_EQ(errorWith("40, 20", "40"), "layers[0].windows[0]: expected 4 loads, one an expert, found 3");
  EXPECT_EQ(errorWith("[1, 0, 0, 1]]", "[0, 0, 0, 0]]"), "layers[0].windows[1]: expected loads with a positive finite sum, found 0");
  EXPECT_EQ(errorWith("\"top_k\": 2", "\"top_k\": 5"), "layers[0].top_k: expected 1 to 4, the number of experts, found 5");
  EXPECT_EQ(errorWith("\"experts\": 4", "\"experts\": 0"), "layers[0].coactivation[0]: expected 0 counts, one an expert, found 4");
  EXPECT_EQ(errorWith("[4, 1, 2, 1]", "[4, 1, 1, 2]"), "layers[0].coactivation[0][2]: expected 2, as in the transposed place, found 1");
  EXPECT_EQ(errorWith("[4, 1, 2, 1]", "[5, 1, 2, 1]"), "layers[0].coactivation[0]: expected counts besides the diagonal that sum to 5, found 4");
  EXPECT_EQ(errorWith("[4, 1, 2, 1], ", ""), "layers[0].coactivation: expected 4 rows, one an expert, found 3");
  EXPECT_EQ(errorWith("\"windows\"", "\"window\""), "layers[0].windows: expected an array, found nothing");
  EXPECT_EQ(errorWith("\"coactivation\"", "\"pairs\""), "layers[0].pairs: no such field; there are coactivation, experts, name, top_k, windows");
}

} // namespace
