//===- Console.h - what moe-compile prints ----------------------*- C++ -*-===//
#ifndef MOE_TOOLS_MOE_COMPILE_CONSOLE_H
#define MOE_TOOLS_MOE_COMPILE_CONSOLE_H

#include "moe/Driver/Session.h"

#include <chrono>

/// Progress on a terminal, silence in a pipe, diagnostics on standard error, and the closing summary.
class Console {
public:
  Console(bool verbose, bool quiet);

  /// A stage starts (total 0), or `done` of `total` bytes of weights are packed.
  void progress(llvm::StringRef stage, uint64_t done, uint64_t total);
  /// One line of a diagnostic.
  void diagnostic(llvm::StringRef line);
  /// Clears the progress line and ends the last stage.
  void finish();
  /// MoE layers found and in which form, what was fused, weight bytes, time.
  void summary(const moe::SessionOptions &options, const moe::SessionSummary &summary);

private:
  void clearLine();
  void endStage();

  bool verbose, quiet, terminal;
  bool lineOpen = false, lastWasError = false;
  std::string stage;
  std::chrono::steady_clock::time_point stageStart, lastUpdate;
};

#endif // MOE_TOOLS_MOE_COMPILE_CONSOLE_H
