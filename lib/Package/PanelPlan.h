// The panels that a packed weight has and which source column fills which panel column. Layouts: MoeAttrs.td, PackingFamily.
#ifndef MOE_LIB_PACKAGE_PANELPLAN_H
#define MOE_LIB_PACKAGE_PANELPLAN_H

#include "moe/IR/MoeDialect.h"

namespace moe {

/// Columns of the product in a panel, and pairs of gate and up columns in one of pairs.
inline constexpr int64_t panelWidth = 32, pairsPerPanel = panelWidth / 2;

/// The recipe of a panel layout, checked against its types.
struct PanelPlan {
  int64_t experts, panels, depth;
  int64_t columns; ///< Columns of each source, of a part where experts are cut.
  int64_t perLane; ///< Values of k side by side: 2 for pairs, else 1.
  PackingFamily packing;
  GateLayout gate;
  int64_t columnParts = 1, depthParts = 1; ///< Parts that the columns or the values of k of an expert are cut into; `experts` counts parts.
  int64_t expertSize = 0; ///< Elements of a whole expert in a source.
  /// Distance in elements between neighbours along the column and along k.
  int64_t columnStride, depthStride;

  /// The source and its column that fill column `c` of panel `p` of expert (or part) `e`; -1 if that column is padding.
  std::pair<unsigned, int64_t> sourceColumn(int64_t e, int64_t p, int64_t c) const;
  /// Place in a source of value 0 of column `column` of expert (or part) `e`, in elements.
  int64_t sourcePlace(int64_t e, int64_t column) const {
    return sourceExpert(e) * expertSize + column * columnStride + e % depthParts * depth * depthStride;
  }
  /// The expert of a source that expert (or part) `e` is, or is cut from.
  int64_t sourceExpert(int64_t e) const { return e / (columnParts * depthParts); }
  /// Values of a panel for `count` values of k, with those that fill up the last lane.
  int64_t panelValues(int64_t count) const { return (count + perLane - 1) / perLane * perLane * panelWidth; }
  /// Place of (k, c) among the values of a panel.
  int64_t place(int64_t k, int64_t c) const { return (k / perLane * panelWidth + c) * perLane + k % perLane; }
};

/// The start of every message about a weight.
mlir::InFlightDiagnostic packingError(WeightOp op);

/// The recipe of `op` from sources whose values have these types; an error where it does not fit them or the type of `op`.
mlir::FailureOr<PanelPlan> planPanels(WeightOp op, llvm::ArrayRef<mlir::RankedTensorType> sources);

} // namespace moe

#endif // MOE_LIB_PACKAGE_PANELPLAN_H
