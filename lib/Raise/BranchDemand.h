// Under which conditions the result of an ONNX node counts. Import has no branches: it computes both sides of an If, and runs of a Loop that may not take
// place, and chooses. What such a node would find wrong with its data is an error only where the model runs it.
#ifndef MOE_LIB_RAISE_BRANCHDEMAND_H
#define MOE_LIB_RAISE_BRANCHDEMAND_H

#include "moe/IR/MoeDialect.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/PointerIntPair.h"

namespace moe {

/// An ONNX value of one bool, and what it must be.
using BranchCondition = llvm::PointerIntPair<mlir::Value, 1, bool>;

class BranchDemand {
public:
  BranchDemand() = default;
  /// Follows the values of `body`, in which every user is behind what it uses, from their users to what they are made of.
  explicit BranchDemand(mlir::Block &body);

  /// Conditions that all hold where the results of `op` are chosen; none if they count always, or in more than one case. Only values that
  /// are computed before `op`: a node that the model runs outside of the branch that needs it is judged always.
  llvm::SmallVector<BranchCondition> of(mlir::Operation *op) const;

private:
  void demand(mlir::Value value, llvm::ArrayRef<BranchCondition> conditions);

  llvm::DenseMap<mlir::Operation *, llvm::SmallVector<BranchCondition>> demands;
};

} // namespace moe

#endif // MOE_LIB_RAISE_BRANCHDEMAND_H
