// See PlanReport.h. Drawings are SVG; what a mark stands for is in its title, which browsers show beside the pointer.
#include "PlanReport.h"
#include "moe/Plan/Sharding/Profile.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>

using namespace llvm;

namespace moe::plan {
namespace {

constexpr int64_t mostDrawn = 64;

std::string escaped(StringRef text) {
  std::string out;
  raw_string_ostream stream(out);
  printHTMLEscaped(text, stream);
  return out;
}

std::string number(double value) { return formatv("{0:F1}", value).str(); }

std::string bytesText(double bytes) {
  if (bytes < 1 << 20)
    return formatv("{0:F1} KiB", bytes / 1024).str();
  return bytes < double(1 << 30) ? formatv("{0:F1} MiB", bytes / (1 << 20)).str() : formatv("{0:F1} GiB", bytes / (1 << 30)).str();
}

/// White to dark blue.
std::string shade(double share) {
  const double s = std::clamp(share, 0.0, 1.0);
  return formatv("rgb({0},{1},{2})", int(247 - 239 * s), int(251 - 203 * s), int(255 - 148 * s)).str();
}

/// Writes the page of one plan.
class Page {
public:
  Page(const Mesh &mesh, const ReportFacts &facts, const SearchOptions &options) : mesh(mesh), facts(facts), options(options), out(text) {}

  std::string run(ArrayRef<ReportLayer> layers) {
    out << "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head><meta charset=\"utf-8\"/><title>moe-opt: plan</title>\n<style>\n"
           "body { font: 14px sans-serif; margin: 2em; } table { border-collapse: collapse; } td, th { border: 1px solid #ccc; padding: 2px 8px; text-align: right; }\n"
           "td:first-child, th:first-child, td:last-child { text-align: left; } svg { font: 10px sans-serif; display: block; }\n"
           "</style></head>\n<body>\n<h1>How experts are spread</h1>\n";
    writeMesh();
    out << "<p>All layers together: " << number(facts.modelUs) << " us expected; no plan that was weighed takes less than " << number(facts.boundUs)
        << " us (" << escaped(facts.solver) << "). Loads: " << escaped(facts.profile) << ".</p>\n";
    for (const ReportLayer &layer : layers)
      writeLayer(layer);
    out << "</body>\n</html>\n";
    return text;
  }

private:
  void writeMesh() {
    out << "<h2>Mesh</h2>\n<p>" << mesh.devices() << " devices; numbers: " << escaped(facts.meshSource) << ".</p>\n<table id=\"mesh\">\n"
        << "<tr><th>axis</th><th>size</th><th>start, us</th><th>us a message</th><th>GB/s</th></tr>\n";
    for (const Axis &axis : mesh.axes)
      out << "<tr><td>" << escaped(axis.name) << "</td><td>" << axis.size << "</td><td>" << formatv("{0:F2}", axis.link.alphaUs).str() << "</td><td>"
          << formatv("{0:F2}", axis.link.perMessageUs).str() << "</td><td>" << formatv("{0:F2}", axis.link.gbps).str() << "</td></tr>\n";
    out << "</table>\n<p>A device:";
    for (const auto &[type, rate] : mesh.device.tflops)
      out << " " << escaped(type) << " " << formatv("{0:F3}", rate).str() << " TFLOP/s,";
    out << " memory " << formatv("{0:F1}", mesh.device.memoryGbps).str() << " GB/s, " << bytesText(double(mesh.device.memoryBytes)) << ".</p>\n";
  }

  void writeLayer(const ReportLayer &kind) {
    const LayerShape &shape = kind.layer.shape;
    const int64_t k = shape.topK;
    std::vector<double> shares = uniformShares(shape.experts, k);
    if (!kind.layer.windows.empty())
      shares = sharesOf(totalLoads({kind.layer.name, shape.experts, k, kind.layer.windows, {}}), k);
    const Traffic traffic = trafficOf(Routing(shares, k, kind.layer.coactivation), kind.placement, 1);
    out << "<h2>" << escaped(kind.names.front());
    if (kind.names.size() > 1)
      out << " and " << kind.names.size() - 1 << " like it";
    out << "</h2>\n<p>" << shape.experts << " experts, " << k << " a token, H " << shape.hidden << ", I " << shape.intermediate << ", "
        << number(shape.tokens) << " tokens a device. " << (kind.isPinned ? "Pinned: " : "Chosen: ") << escaped(kind.chosen.candidate.str()) << ", "
        << number(kind.chosen.timeUs) << " us.</p>\n";
    if (kind.names.size() > 1)
      out << "<details><summary>Layers</summary><p>" << escaped(join(kind.names, ", ")) << "</p></details>\n";
    writePlacement(kind, traffic);
    writeTraffic(kind, traffic);
    writeTimeline(kind, traffic);
    writeCandidates(kind);
  }

  int64_t drawn(const ReportLayer &kind) const { return std::min(mostDrawn, kind.placement.devices); }

  void sayDrawn(const ReportLayer &kind) {
    if (kind.placement.devices > mostDrawn)
      out << "<p>The first " << mostDrawn << " of " << kind.placement.devices << " devices.</p>\n";
  }

  void writePlacement(const ReportLayer &kind, const Traffic &traffic) {
    constexpr int cell = 22, left = 70;
    const int64_t slots = kind.placement.slotsPerDevice(), devices = drawn(kind);
    const double most = *std::max_element(traffic.slotShare.begin(), traffic.slotShare.end());
    out << "<h3>Experts of each device of a group, darker with load</h3>\n";
    sayDrawn(kind);
    out << "<svg class=\"placement\" width=\"" << left + slots * cell + 10 << "\" height=\"" << devices * cell + 10 << "\">\n";
    for (int64_t d = 0; d < devices; ++d) {
      out << "<text x=\"0\" y=\"" << d * cell + 15 << "\">device " << d << "</text>\n";
      for (int64_t s = 0; s < slots; ++s) {
        const size_t slot = size_t(d * slots + s);
        const double share = traffic.slotShare[slot];
        out << "<g><title>device " << d << ", expert " << kind.placement.expertOfSlot[slot] << ": " << formatv("{0:F2}", 100 * share / double(kind.layer.shape.topK)).str()
            << " % of the load</title><rect x=\"" << left + s * cell << "\" y=\"" << d * cell << "\" width=\"" << cell - 1 << "\" height=\"" << cell - 1
            << "\" fill=\"" << shade(most > 0 ? share / most : 0) << "\"/><text x=\"" << left + s * cell + 2 << "\" y=\"" << d * cell + 15 << "\" fill=\""
            << (most > 0 && share / most > 0.5 ? "white" : "black") << "\">" << kind.placement.expertOfSlot[slot] << "</text></g>\n";
      }
    }
    out << "</svg>\n";
  }

  /// Rows that a device of a group sends to each of the others, as bytes on the way to the experts.
  void writeTraffic(const ReportLayer &kind, const Traffic &traffic) {
    constexpr int cell = 12, left = 70;
    const int64_t devices = drawn(kind);
    if (kind.placement.devices == 1) {
      out << "<p>Nothing is sent: every device has all experts.</p>\n";
      return;
    }
    const std::vector<double> matrix = trafficMatrix(std::vector<double>(size_t(kind.placement.devices), kind.layer.shape.tokens),
                                                     kind.chosen.candidate.dedup == Dedup::None ? traffic.copies : traffic.rankReach);
    const double unit = kind.layer.shape.dispatchCopyBytes(), most = *std::max_element(matrix.begin(), matrix.end());
    out << "<h3>Bytes to the experts, from each device (row) to each (column)</h3>\n";
    sayDrawn(kind);
    out << "<svg class=\"traffic\" width=\"" << left + devices * cell + 10 << "\" height=\"" << devices * cell + 10 << "\">\n";
    for (int64_t from = 0; from < devices; ++from) {
      out << "<text x=\"0\" y=\"" << from * cell + 10 << "\">" << from << "</text>\n";
      for (int64_t to = 0; to < devices; ++to) {
        const double rows = from == to ? 0 : matrix[size_t(from * kind.placement.devices + to)];
        out << "<rect x=\"" << left + to * cell << "\" y=\"" << from * cell << "\" width=\"" << cell - 1 << "\" height=\"" << cell - 1 << "\" fill=\""
            << (from == to ? "#eee" : shade(most > 0 ? rows / most : 0)) << "\"><title>" << from << " to " << to << ": "
            << (from == to ? "stays" : bytesText(rows * unit)) << "</title></rect>\n";
      }
    }
    out << "</svg>\n";
  }

  struct Bar {
    double from, to;
    StringRef what, color;
    bool isCompute;
  };

  /// What one device does when, chunk by chunk, as overlapUs has it; all wait for the device with the longest products.
  std::vector<Bar> barsOf(const ReportLayer &kind, double own, double longest) const {
    const double chunks = double(kind.chosen.candidate.chunks), dispatch = kind.chosen.cost.dispatchUs / chunks, combine = kind.chosen.cost.combineUs / chunks;
    const double shared = kind.chosen.cost.sharedUs;
    std::vector<Bar> bars;
    if (shared > 0)
      bars.push_back({0, shared, "shared expert", "#8c564b", true});
    double computed = shared, combined = chunks * dispatch;
    for (double c = 0; c < chunks; ++c) {
      bars.push_back({c * dispatch, (c + 1) * dispatch, "dispatch", "#1f77b4", false});
      const double start = std::max(computed, (c + 1) * dispatch);
      bars.push_back({start, start + own / chunks, "experts", "#2ca02c", true});
      computed = start + longest / chunks;
      const double back = std::max(combined, computed);
      bars.push_back({back, back + combine, "combine", "#ff7f0e", false});
      combined = back + combine;
    }
    if (kind.chosen.cost.gatherUs > 0)
      bars.push_back({combined, combined + kind.chosen.cost.gatherUs, "gather", "#9467bd", false});
    return bars;
  }

  void writeTimeline(const ReportLayer &kind, const Traffic &traffic) {
    constexpr int left = 70, width = 800, row = 22;
    const int64_t devices = drawn(kind);
    const size_t slots = size_t(kind.placement.slotsPerDevice());
    const Candidate &candidate = kind.chosen.candidate;
    const double tokens = kind.layer.shape.tokens * double(candidate.ep * candidate.etp);
    std::vector<double> own;
    for (size_t d = 0; d < size_t(kind.placement.devices); ++d)
      own.push_back(expertUs(mesh.device, kind.layer.shape, traffic, d * slots, (d + 1) * slots, tokens, candidate.etp));
    const double longest = *std::max_element(own.begin(), own.end());
    double end = 1e-9;
    for (const Bar &bar : barsOf(kind, longest, longest))
      end = std::max(end, bar.to);
    out << "<h3>Time of each device, us: exchanges above, products below</h3>\n";
    sayDrawn(kind);
    out << "<svg class=\"timeline\" width=\"" << left + width + 60 << "\" height=\"" << devices * row + 20 << "\">\n";
    for (int64_t d = 0; d < devices; ++d) {
      out << "<text x=\"0\" y=\"" << d * row + 14 << "\">device " << d << "</text>\n";
      for (const Bar &bar : barsOf(kind, own[size_t(d)], longest))
        out << "<rect x=\"" << formatv("{0:F1}", left + bar.from / end * width).str() << "\" y=\"" << d * row + (bar.isCompute ? 10 : 0) << "\" width=\""
            << formatv("{0:F1}", (bar.to - bar.from) / end * width).str() << "\" height=\"9\" fill=\"" << bar.color << "\"><title>" << bar.what << ": "
            << number(bar.from) << " to " << number(bar.to) << " us</title></rect>\n";
    }
    for (int step = 0; step <= 4; ++step)
      out << "<text x=\"" << left + width * step / 4 << "\" y=\"" << devices * row + 14 << "\">" << number(end * step / 4) << "</text>\n";
    out << "</svg>\n<p>Blue: to the experts; green: experts; orange: back; violet: to all devices. A device whose products end before the longest waits.</p>\n";
  }

  void writeCandidates(const ReportLayer &kind) {
    SearchOptions all = options;
    all.expertParallel = 0;
    PlanLayer asked = kind.layer;
    asked.pinnedEp = asked.pinnedSlots = 0;
    const LayerCandidates runnable = scoreCandidates(mesh, asked, all);
    all.onlyRunnable = false;
    const LayerCandidates everything = scoreCandidates(mesh, asked, all);
    std::vector<std::string> canRun;
    for (const ScoredCandidate &scored : runnable.scored)
      canRun.push_back(scored.candidate.str());
    out << "<h3>What else was weighed</h3>\n<table class=\"candidates\">\n<tr><th>way</th><th>us</th><th>of the chosen</th><th>a device</th><th>why not</th></tr>\n";
    constexpr size_t mostListed = 24;
    size_t listed = 0;
    for (const ScoredCandidate &scored : everything.scored) {
      const std::string name = scored.candidate.str();
      const double memory = scored.cost.weightBytes + scored.cost.bufferBytes;
      const bool isChosen = name == kind.chosen.candidate.str();
      // The chosen one and all that can run are listed, of the others the fastest.
      const bool runs = is_contained(canRun, name);
      if (!runs && ++listed > mostListed)
        continue;
      out << "<tr><td>" << escaped(name) << "</td><td>" << number(scored.timeUs) << "</td><td>" << formatv("{0:F2}", scored.timeUs / kind.chosen.timeUs).str()
          << "</td><td>" << bytesText(memory) << "</td><td>";
      if (isChosen)
        out << "chosen";
      else if (memory > double(mesh.device.memoryBytes) - options.otherBytes)
        out << "more memory than there is";
      else if (!runs)
        out << "the distribute stage cannot run it yet";
      else
        out << (scored.timeUs >= kind.chosen.timeUs ? "slower" : kind.isPinned ? "another way is pinned" : "with the other layers more memory than there is, or not asked for");
      out << "</td></tr>\n";
    }
    out << "</table>\n";
  }

  const Mesh &mesh;
  const ReportFacts &facts;
  const SearchOptions &options;
  std::string text;
  raw_string_ostream out;
};

} // namespace

std::string planReport(const Mesh &mesh, const ReportFacts &facts, ArrayRef<ReportLayer> layers, const SearchOptions &options) {
  return Page(mesh, facts, options).run(layers);
}

} // namespace moe::plan
