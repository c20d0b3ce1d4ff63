// See MemoryRoots.h.
#include "MemoryRoots.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "moe/IR/MoeDialect.h"

using namespace mlir;

namespace moe {

Value memoryRoot(Value memref) {
  while (auto view = memref.getDefiningOp<ViewLikeOpInterface>())
    memref = view.getViewSource();
  return memref;
}

bool isReadOnlyRoot(Value root) { return isa_and_nonnull<WeightRefOp, memref::GetGlobalOp>(root.getDefiningOp()); }

RowSpace rowSpace(Value memref, unsigned leadingDims) {
  while (Operation *op = memref.getDefiningOp()) {
    if (isa<memref::CastOp>(op)) {
      memref = op->getOperand(0);
    } else if (auto collapse = dyn_cast<memref::CollapseShapeOp>(op)) {
      unsigned sourceDims = 0;
      SmallVector<ReassociationIndices> groups = collapse.getReassociationIndices();
      if (leadingDims > groups.size())
        break;
      for (unsigned group = 0; group < leadingDims; ++group)
        sourceDims += groups[group].size();
      leadingDims = sourceDims;
      memref = collapse.getSrc();
    } else if (auto expand = dyn_cast<memref::ExpandShapeOp>(op)) {
      unsigned resultDims = 0, group = 0;
      SmallVector<ReassociationIndices> groups = expand.getReassociationIndices();
      while (group < groups.size() && resultDims < leadingDims)
        resultDims += groups[group++].size();
      if (resultDims != leadingDims)
        break;
      leadingDims = group;
      memref = expand.getSrc();
    } else {
      break;
    }
  }
  return {memref, leadingDims};
}

} // namespace moe
