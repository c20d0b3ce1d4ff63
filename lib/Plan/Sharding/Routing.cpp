// Independent draws conditioned on their number. Sums of products over all sets of k experts are coefficients of the polynomial
// Π ((1 - c_e) + c_e·x); all terms are positive, so nothing cancels.
#include "moe/Plan/Sharding/Routing.h"

#include <algorithm>
#include <cmath>

namespace moe::plan {

namespace {

/// A share this close to 0 or 1 is one: its odds would be no number.
constexpr double edge = 1e-12;

/// Multiplies `polynomial` (lowest first, cut off above its size) by (miss + take·x).
void multiply(std::vector<double> &polynomial, double miss, double take) {
  for (size_t j = polynomial.size() - 1; j > 0; --j)
    polynomial[j] = miss * polynomial[j] + take * polynomial[j - 1];
  polynomial[0] *= miss;
}

/// For every expert the probability to be among `drawn` successes, under the condition that there are so many. `total`: probability of that.
std::vector<double> inclusions(const std::vector<double> &chances, int64_t drawn, double &total) {
  const size_t count = chances.size(), terms = static_cast<size_t>(drawn) + 1;
  // Polynomials of the experts before and after each one.
  std::vector<std::vector<double>> before(count + 1, std::vector<double>(terms));
  std::vector<double> after(terms);
  before[0][0] = after[0] = 1;
  for (size_t e = 0; e < count; ++e) {
    before[e + 1] = before[e];
    multiply(before[e + 1], 1 - chances[e], chances[e]);
  }
  total = before[count][terms - 1];
  std::vector<double> result(count);
  for (size_t e = count; e-- > 0;) {
    double others = 0;
    for (size_t j = 0; j + 1 < terms; ++j)
      others += before[e][j] * after[terms - 2 - j];
    result[e] = chances[e] * others / total;
    multiply(after, 1 - chances[e], chances[e]);
  }
  return result;
}

} // namespace

Routing::Routing(std::vector<double> shares, int64_t topK, const std::vector<double> &coactivation) : shares(std::move(shares)), k(topK) {
  double trace = 0;
  const size_t count = this->shares.size();
  for (size_t e = 0; e < count && !coactivation.empty(); ++e)
    trace += coactivation[e * count + e];
  if (trace > 0) {
    pairs = coactivation;
    for (double &pair : pairs)
      pair *= static_cast<double>(k) / trace;
  }
  fit();
}

void Routing::fit() {
  drawn = k;
  chances = shares;
  std::vector<size_t> open;
  for (size_t e = 0; e < shares.size(); ++e) {
    if (shares[e] >= 1 - edge) {
      chances[e] = 1;
      --drawn;
    } else if (shares[e] <= edge) {
      chances[e] = 0;
    } else {
      open.push_back(e);
    }
  }
  drawn = std::clamp<int64_t>(drawn, 0, static_cast<int64_t>(open.size()));
  std::vector<double> fitted;
  for (size_t e : open)
    fitted.push_back(shares[e]);
  // Each round multiplies the odds of an expert by what they lack. Equal shares are a fixed point.
  constexpr int maximumRounds = 500;
  for (int round = 0; round < maximumRounds && drawn > 0; ++round) {
    const std::vector<double> found = inclusions(fitted, drawn, drawnProbability);
    double worst = 0;
    for (size_t i = 0; i < open.size(); ++i)
      worst = std::max(worst, std::abs(found[i] - shares[open[i]]));
    if (worst < 1e-11)
      break;
    for (size_t i = 0; i < open.size(); ++i) {
      const double wanted = shares[open[i]];
      const double odds = fitted[i] / (1 - fitted[i]) * (wanted / (1 - wanted)) / (found[i] / (1 - found[i]));
      fitted[i] = std::clamp(odds / (1 + odds), edge, 1 - edge);
    }
  }
  for (size_t i = 0; i < open.size(); ++i)
    chances[open[i]] = fitted[i];
  // The last round may have moved the chances.
  polynomial.assign(static_cast<size_t>(drawn) + 1, 0);
  polynomial[0] = 1;
  for (double chance : fitted)
    multiply(polynomial, 1 - chance, chance);
  drawnProbability = polynomial.back();
}

double Routing::copies(const std::vector<ExpertPart> &parts) const {
  double sum = 0;
  for (const auto &[expert, fraction] : parts)
    sum += share(expert) * fraction;
  return sum;
}

double Routing::hitByPairs(const std::vector<ExpertPart> &parts) const {
  const size_t count = shares.size();
  double both = 0;
  for (size_t i = 0; i < parts.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      both += pairs[static_cast<size_t>(parts[i].first) * count + static_cast<size_t>(parts[j].first)] * parts[i].second * parts[j].second;
  const double most = static_cast<double>(std::min<int64_t>(k, static_cast<int64_t>(parts.size())));
  return most > 0 ? copies(parts) - 2 * both / most : 0;
}

std::vector<double> Routing::divideOut(const std::vector<ExpertPart> &parts) const {
  // Dividing by (1 - c) + c·x enlarges rounding errors by 1 / (1 - c) a factor; within these limits they stay far below 1e-9.
  constexpr size_t maximumParts = 64;
  constexpr double maximumChance = 0.2;
  if (parts.size() > maximumParts)
    return {};
  std::vector<double> others = polynomial;
  for (const auto &[expert, fraction] : parts) {
    const double chance = chances[size_t(expert)];
    if (chance > maximumChance)
      return {};
    others[0] /= 1 - chance;
    for (size_t j = 1; j < others.size(); ++j)
      others[j] = (others[j] - chance * others[j - 1]) / (1 - chance);
  }
  return others;
}

double Routing::hit(const std::vector<ExpertPart> &parts) const {
  double found = 0;
  if (!pairs.empty()) {
    found = hitByPairs(parts);
  } else {
    double always = 1;
    std::vector<double> missed = divideOut(parts);
    const bool fromAll = missed.empty();
    if (fromAll) {
      missed.assign(static_cast<size_t>(drawn) + 1, 0);
      missed[0] = 1;
    }
    // A chosen expert misses the group with probability 1 - fraction, each for itself.
    std::vector<double> kept(fromAll ? shares.size() : 0, 1.0);
    for (const auto &[expert, fraction] : parts) {
      const double chance = chances[size_t(expert)];
      if (fromAll)
        kept[size_t(expert)] = 1 - fraction;
      else
        multiply(missed, 1 - chance, chance * (1 - fraction));
    }
    for (size_t e = 0; e < kept.size(); ++e) {
      if (chances[e] >= 1)
        always *= kept[e];
      else if (chances[e] > 0)
        multiply(missed, 1 - chances[e], chances[e] * kept[e]);
    }
    found = 1 - always * missed.back() / drawnProbability;
  }
  return std::clamp(found, 0.0, std::min(1.0, copies(parts)));
}

} // namespace moe::plan
