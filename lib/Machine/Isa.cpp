// ISA versions: their names, feature lists and register tiles. Tile shapes are the measured ones: 12x32 keeps 24 of 32 zmm
// registers as sums, 6x16 keeps 12 of 16 ymm registers; neither spills as long as K is not unrolled.
#include "moe/Machine/Isa.h"

#include <algorithm>

namespace moe {

std::string IsaVersion::featureString() const {
  std::string text;
  for (const std::string &feature : features) {
    if (!text.empty())
      text += ',';
    text += '+' + feature;
  }
  return text;
}

IsaVersion IsaVersion::withLanes(int lanes) const {
  IsaVersion version = *this;
  if (lanes >= f32Lanes)
    return version;
  version.f32Lanes = lanes;
  version.f32Tile.columns = 2 * lanes;
  version.hasScale = false;
  if (!has("avx512vl")) {
    version.vectorRegisters = 16;
    version.f32Tile.rows = 6;
  }
  return version;
}

bool IsaVersion::has(std::string_view feature) const {
  return std::find(features.begin(), features.end(), feature) != features.end();
}

int IsaVersion::tilesFor(int rows) const {
  // Two multiply-adds a cycle of latency 4 want 8 sums in flight. Every vector of weights is used by all rows at once,
  // so from two rows on it takes a register, and each row takes one for its broadcast value.
  constexpr int sumsWanted = 8;
  int tiles = 1;
  while (tiles < 4 && rows * 2 * tiles < sumsWanted) {
    const int doubled = 2 * tiles;
    const int loaded = rows > 1 ? 2 * doubled : 1;
    if (rows * 2 * doubled + loaded + rows > vectorRegisters)
      break;
    tiles = doubled;
  }
  return tiles;
}

IsaVersion describeIsa(std::vector<std::string> features, std::string name) {
  IsaVersion version;
  version.features = std::move(features);
  version.name = name.empty() ? version.featureString() : std::move(name);
  if (version.name.empty())
    version.name = "x86-64";
  if (version.has("avx512f")) {
    version.f32Lanes = 16;
    version.vectorRegisters = 32;
    version.hasFma = version.hasScale = true;
    version.f32Tile = {12, 32};
  } else if (version.has("avx2") && version.has("fma")) {
    version.f32Lanes = 8;
    version.hasFma = true;
    version.f32Tile = {6, 16};
  }
  // What becomes of the sums of tiles is done in vectors of a tile's width.
  if (version.has("amx-tile") && version.f32Lanes == 16) {
    version.matrixTiles = {16, 64, 8, version.has("amx-bf16"), version.has("amx-int8")};
    // Processors with tiles are Intel's, whose prefetcher alone keeps too few lines under way: 10 GB/s of a core, with requests of one's own 17 to 22.
    version.fewRowsAhead = 8192;
  }
  return version;
}

static std::vector<std::string> plus(std::vector<std::string> features, const std::vector<std::string> &more) {
  features.insert(features.end(), more.begin(), more.end());
  return features;
}

const std::vector<IsaVersion> &namedIsaVersions() {
  static const std::vector<IsaVersion> versions = [] {
    const std::vector<std::string> avx2 = {"avx2", "fma", "f16c", "bmi2"};
    const std::vector<std::string> avx512 =
        plus(avx2, {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512vnni"});
    const std::vector<std::string> bf16 = plus(avx512, {"avx512bf16", "avx512vbmi"});
    return std::vector<IsaVersion>{describeIsa({}, "x86-64"), describeIsa(avx2, "avx2"), describeIsa(avx512, "avx512"),
                                   describeIsa(bf16, "avx512bf16"),
                                   describeIsa(plus(bf16, {"amx-tile", "amx-bf16", "amx-int8"}), "amx")};
  }();
  return versions;
}

static std::string_view trim(std::string_view text) {
  const auto isSpace = [](char c) { return c == ' ' || c == '\t' || c == '\n'; };
  while (!text.empty() && isSpace(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && isSpace(text.back()))
    text.remove_suffix(1);
  return text;
}

static std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t at = text.find(separator);
    parts.push_back(trim(text.substr(0, at)));
    if (at == std::string_view::npos)
      return parts;
    text.remove_prefix(at + 1);
  }
}

// Adds one item of a version, a feature "+a" or (where `names` is set) a named version, to `features`.
static bool addItem(std::string_view item, bool names, std::vector<std::string> &features, std::string &error) {
  std::vector<std::string> added;
  if (item.size() > 1 && item.front() == '+') {
    added.emplace_back(item.substr(1));
  } else {
    const auto &known = namedIsaVersions();
    const auto found = std::find_if(known.begin(), known.end(), [&](const IsaVersion &v) { return v.name == item; });
    if (!names || found == known.end()) {
      // "host" is replaced by the name of a version before this is called; the user may write it all the same.
      error = "expected " + std::string(names ? "a named CPU version (host, x86-64, avx2, avx512, avx512bf16, amx) or " : "") +
              "a feature as '+name', found '" + std::string(item) + "'";
      return false;
    }
    added = found->features;
  }
  for (std::string &feature : added)
    if (std::find(features.begin(), features.end(), feature) == features.end())
      features.push_back(std::move(feature));
  return true;
}

bool parseFeatureString(std::string_view text, IsaVersion &version, std::string &error) {
  std::vector<std::string> features;
  if (!trim(text).empty())
    for (std::string_view item : split(text, ','))
      if (!addItem(item, /*names=*/false, features, error))
        return false;
  version = describeIsa(std::move(features));
  return true;
}

bool parseCpuFeatures(std::string_view text, std::vector<IsaVersion> &versions, std::string &error) {
  for (std::string_view one : split(text, ';')) {
    std::vector<std::string> features;
    const std::vector<std::string_view> items = split(one, ',');
    for (std::string_view item : items)
      if (!addItem(item, /*names=*/true, features, error))
        return false;
    const bool named = items.size() == 1 && items[0].front() != '+';
    IsaVersion version = describeIsa(std::move(features), named ? std::string(items[0]) : "");
    for (const IsaVersion &other : versions)
      if (other.features == version.features) {
        error = "CPU version '" + version.name + "' is given twice";
        return false;
      }
    versions.push_back(std::move(version));
  }
  return true;
}

} // namespace moe
