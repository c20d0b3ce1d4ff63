//===- WorkSplit.h - which thread does which part of an expert product -*- C++ -*-===//
// The static split of grouped products among threads, in C++: what lib/Codegen/CPU/MatmulEmitter emits as code, for tests and for whoever wants to know
// how even a split is. Work is counted in rows times panels; fetching a panel costs as much as some rows.
#ifndef MOE_MACHINE_WORKSPLIT_H
#define MOE_MACHINE_WORKSPLIT_H

#include <cstdint>
#include <utility>
#include <vector>

namespace moe {

/// The split of one product of `experts` experts with `panels` panels of 32 columns each.
struct WorkSplit {
  /// Rows of a block at most: many register tiles, so that splitting an expert's rows among threads costs nothing.
  static constexpr int64_t mostBlockRows = 96;
  /// What fetching a panel costs, in rows: an expert with one row takes almost as long as one with this many.
  static constexpr int64_t panelCostInRows = 6;
  /// Threads share halves of panels where whole ones would leave the longest thread so many percent above the mean.
  static constexpr int64_t unevenPercent = 5;

  int64_t threads = 1;
  int64_t panels = 1;
  /// Panels that are never split among threads (a part of a row of int8 has one scale).
  int64_t panelsPerUnit = 1;
  /// True if halves of panels may be shared.
  bool halves = false;
  /// Memory nodes: each has a part of the panels of every expert and threads that lie side by side, threads that are fewer have one.
  int64_t memoryNodes = 1;

  /// The node of a thread, and the units of panels (from, to) that a node has of each expert.
  int64_t nodeOf(int64_t thread) const;
  std::pair<int64_t, int64_t> nodeUnits(int64_t node) const;

  /// The columns of thread `thread`, from and to, in halves of panels: a product whose results are added to rows of tokens, all experts in order.
  std::pair<int64_t, int64_t> columnShare(int64_t thread) const;
  /// Cost of each thread of such a product; `rows` has the rows of each expert. An expert without rows costs nothing.
  std::vector<int64_t> columnCosts(const std::vector<int64_t> &rows) const;
  /// Cost of each thread of a product whose units (panels times blocks of rows) lie on one line through all experts.
  std::vector<int64_t> unitCosts(const std::vector<int64_t> &rows) const;
  /// The greatest cost over the mean; 1 where all is even or nothing is to do.
  static double unevenness(const std::vector<int64_t> &costs);
};

} // namespace moe

#endif // MOE_MACHINE_WORKSPLIT_H
