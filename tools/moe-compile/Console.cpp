// What moe-compile prints: progress on a terminal only, one line that is overwritten; -v gives a line per stage, also in a pipe.
#include "Console.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using Clock = std::chrono::steady_clock;

static double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

static std::string formatBytes(uint64_t bytes) {
  const char *units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = double(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(units)) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? formatv("{0} B", bytes).str() : formatv("{0:F1} {1}", value, units[unit]).str();
}

Console::Console(bool verbose, bool quiet)
    : verbose(verbose), quiet(quiet), terminal(sys::Process::StandardErrIsDisplayed() && !quiet) {}

void Console::clearLine() {
  if (lineOpen)
    errs() << "\r\033[K";
  lineOpen = false;
}

void Console::endStage() {
  clearLine();
  if (verbose && !quiet && !stage.empty())
    errs() << formatv("moe-compile: {0,-10} {1:F3} s\n", stage, secondsSince(stageStart));
  stage.clear();
}

void Console::progress(StringRef name, uint64_t done, uint64_t total) {
  if (name != stage) {
    endStage();
    stage = name.str();
    stageStart = Clock::now();
  } else if (secondsSince(lastUpdate) < 0.1) {
    return; // The terminal is slower than packing: ten updates a second are enough.
  }
  lastUpdate = Clock::now();
  if (!terminal)
    return;
  clearLine();
  errs() << "moe-compile: " << name;
  if (total)
    errs() << formatv("  weights {0} of {1} ({2}%)", formatBytes(done), formatBytes(total), done * 100 / total);
  errs().flush();
  lineOpen = true;
}

void Console::diagnostic(StringRef line) {
  clearLine();
  // A note belongs to the diagnostic before it.
  if (!line.starts_with("note"))
    lastWasError = line.starts_with("error");
  if (quiet && !lastWasError)
    return;
  errs() << "moe-compile: " << line << "\n";
}

void Console::finish() { endStage(); }

void Console::summary(const moe::SessionOptions &options, const moe::SessionSummary &summary) {
  if (quiet)
    return;
  MapVector<StringRef, int64_t> forms;
  for (const moe::LayerSummary &layer : summary.layers)
    ++forms[layer.form];
  // Standard output may be the report's.
  raw_ostream &out = options.raiseReport == "-" ? errs() : outs();
  out << options.output << ": ";
  if (summary.layers.empty()) {
    out << "no MoE layer found";
    if (summary.layersNotRaised)
      out << formatv(", but {0} {1}; {2} says why", summary.layersNotRaised, summary.layersNotRaised == 1 ? "node looks like one" : "nodes look like one",
                     options.raiseReport.empty() ? "--raise-report=FILE" : options.raiseReport);
  } else {
    out << summary.layers.size() << (summary.layers.size() == 1 ? " MoE layer (" : " MoE layers (");
    interleaveComma(forms, out, [&out](const auto &form) { out << form.second << " " << form.first; });
    out << ")";
  }
  out << formatv("\n  fused: {0} routings with permutation, {1} grouped products, {2} dense products\n", summary.routePermutes,
                    summary.groupedProducts, summary.denseProducts);
  out << formatv("  weights: {0}; ISA versions: {1}; {2:F1} s\n", formatBytes(summary.weightBytes),
                    llvm::join(summary.isaVersions, ", "), summary.seconds);
}
