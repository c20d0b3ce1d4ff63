// Checks of recorded loads and the probabilities they give.
#include "moe/Plan/Sharding/Profile.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>

namespace moe::plan {

namespace {

/// Counts are whole numbers, but may come as sums of rounded ones.
constexpr double tolerance = 1e-6;

bool fail(std::string &error, const std::string &place, const std::string &expected, double found) {
  std::ostringstream text;
  text << place << ": expected " << expected << ", found " << found;
  error = text.str();
  return false;
}

std::string number(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

bool validateWindow(const LayerLoad &layer, const std::vector<double> &window, const std::string &place, std::string &error) {
  if (static_cast<int64_t>(window.size()) != layer.experts)
    return fail(error, place, std::to_string(layer.experts) + " loads, one an expert", static_cast<double>(window.size()));
  double sum = 0;
  for (size_t e = 0; e < window.size(); ++e) {
    if (!std::isfinite(window[e]) || window[e] < 0)
      return fail(error, place + "[" + std::to_string(e) + "]", "a finite number, at least 0", window[e]);
    sum += window[e];
  }
  if (!(sum > 0) || !std::isfinite(sum))
    return fail(error, place, "loads with a positive finite sum", sum);
  const double tokens = sum / static_cast<double>(layer.topK);
  for (size_t e = 0; e < window.size(); ++e)
    if (window[e] > tokens * (1 + tolerance))
      return fail(error, place + "[" + std::to_string(e) + "]", "at most " + number(tokens) + ", the window's tokens", window[e]);
  return true;
}

bool validatePairs(const LayerLoad &layer, const std::string &place, std::string &error) {
  const size_t count = static_cast<size_t>(layer.experts);
  const std::vector<double> &pairs = layer.coactivation;
  if (pairs.size() != count * count)
    return fail(error, place, std::to_string(count) + " rows of as many counts", static_cast<double>(pairs.size()));
  double trace = 0;
  for (size_t i = 0; i < count; ++i) {
    const double own = pairs[i * count + i];
    double others = 0;
    for (size_t j = 0; j < count; ++j) {
      const double both = pairs[i * count + j];
      const std::string at = place + "[" + std::to_string(i) + "][" + std::to_string(j) + "]";
      if (!std::isfinite(both) || both < 0)
        return fail(error, at, "a finite number, at least 0", both);
      if (both > own * (1 + tolerance))
        return fail(error, at, "at most " + number(own) + ", the tokens that chose expert " + std::to_string(i), both);
      if (std::abs(both - pairs[j * count + i]) > tolerance * own)
        return fail(error, at, number(pairs[j * count + i]) + ", as in the transposed place", both);
      if (i != j)
        others += both;
    }
    const double expected = own * static_cast<double>(layer.topK - 1);
    if (std::abs(others - expected) > tolerance * expected + tolerance)
      return fail(error, place + "[" + std::to_string(i) + "]", "counts besides the diagonal that sum to " + number(expected), others);
    trace += own;
  }
  return trace > 0 || fail(error, place, "at least one token", trace);
}

} // namespace

bool Profile::append(const Profile &more, std::string &error) {
  for (const LayerLoad &other : more.layers) {
    auto mine = std::find_if(layers.begin(), layers.end(), [&](const LayerLoad &layer) { return layer.name == other.name; });
    if (mine == layers.end() || mine->experts != other.experts || mine->topK != other.topK || mine->coactivation.size() != other.coactivation.size()) {
      error = "layer '" + other.name + "': expected the experts, choices and pairs of the recordings before, found others";
      return false;
    }
    mine->windows.insert(mine->windows.end(), other.windows.begin(), other.windows.end());
    for (size_t i = 0; i < other.coactivation.size(); ++i)
      mine->coactivation[i] += other.coactivation[i];
  }
  if (layers.size() == more.layers.size())
    return true;
  error = "expected " + std::to_string(layers.size()) + " layers as in the recordings before, found " + std::to_string(more.layers.size());
  return false;
}

bool Profile::validate(std::string &error) const {
  std::set<std::string> names;
  for (size_t l = 0; l < layers.size(); ++l) {
    const LayerLoad &layer = layers[l];
    const std::string place = "layers[" + std::to_string(l) + "]";
    if (!names.insert(layer.name).second) {
      error = place + ".name: expected a name that no other layer has, found '" + layer.name + "' again";
      return false;
    }
    if (layer.experts < 1 || layer.experts > maximumExperts)
      return fail(error, place + ".experts", "1 to " + std::to_string(maximumExperts), static_cast<double>(layer.experts));
    if (layer.topK < 1 || layer.topK > layer.experts)
      return fail(error, place + ".top_k", "1 to " + std::to_string(layer.experts) + ", the number of experts", static_cast<double>(layer.topK));
    if (layer.windows.empty())
      return fail(error, place + ".windows", "at least one window", 0);
    for (size_t w = 0; w < layer.windows.size(); ++w)
      if (!validateWindow(layer, layer.windows[w], place + ".windows[" + std::to_string(w) + "]", error))
        return false;
    if (!layer.coactivation.empty() && !validatePairs(layer, place + ".coactivation", error))
      return false;
  }
  return true;
}

/// Scales `wanted` to the sum k without letting any exceed 1: what is too much is spread over the others, until none is.
static std::vector<double> cappedShares(std::vector<double> wanted, int64_t topK) {
  std::vector<bool> full(wanted.size());
  double left = static_cast<double>(topK);
  for (bool changed = true; changed;) {
    changed = false;
    double sum = 0;
    for (size_t e = 0; e < wanted.size(); ++e)
      sum += full[e] ? 0 : wanted[e];
    const double scale = sum > 0 ? left / sum : 0;
    for (size_t e = 0; e < wanted.size(); ++e) {
      if (full[e])
        continue;
      wanted[e] *= scale;
      if (wanted[e] >= 1) {
        wanted[e] = 1;
        full[e] = true;
        changed = true;
      }
    }
    left = static_cast<double>(topK - std::count(full.begin(), full.end(), true));
  }
  return wanted;
}

std::vector<double> uniformShares(int64_t experts, int64_t topK) {
  return std::vector<double>(static_cast<size_t>(experts), static_cast<double>(topK) / static_cast<double>(experts));
}

std::vector<double> zipfShares(int64_t experts, int64_t topK, double exponent) {
  std::vector<double> wanted(static_cast<size_t>(experts));
  for (size_t e = 0; e < wanted.size(); ++e)
    wanted[e] = std::pow(static_cast<double>(e + 1), -exponent);
  return cappedShares(std::move(wanted), topK);
}

std::vector<double> sharesOf(const std::vector<double> &loads, int64_t topK) { return cappedShares(loads, topK); }

std::vector<double> totalLoads(const LayerLoad &layer) {
  std::vector<double> total(static_cast<size_t>(layer.experts));
  for (const std::vector<double> &window : layer.windows)
    for (size_t e = 0; e < total.size(); ++e)
      total[e] += window[e];
  return total;
}

} // namespace moe::plan
