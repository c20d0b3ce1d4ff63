// Fuses elementwise linalg ops into their consumers with MLIR's patterns; what is ours is the rule that says when it pays.
// Values that several users read, or that one user reads again and again along a broadcast dim, are recomputed for each read once fused:
// allowed only where that costs less than a buffer. Kernels (moe.grouped_matmul, moe.concat) are no linalg ops, so nothing crosses them.
#include "moe/Fuse/Passes.h"
#include "moe/IR/MoeDialect.h"

#include "llvm/ADT/SmallPtrSet.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_FUSEELEMENTWISE
#include "moe/Fuse/Passes.h.inc"

namespace {

/// Bounds of a fused op: beyond them registers spill and compile time grows; they also bound what duplication of cheap bodies costs.
constexpr size_t maxBodyOps = 64;
constexpr size_t maxInputs = 16;
/// A body of that many operations at most may be computed twice.
constexpr size_t maxCheapOps = 6;

/// Copies, casts, compares, selects, adds and multiplies cost less than a trip through memory; divisions, functions and gathers do not.
bool isCheap(linalg::GenericOp op) {
  size_t count = 0;
  for (Operation &inner : op.getBody()->without_terminator()) {
    if (isa<math::MathDialect>(inner.getDialect()) || isa<tensor::ExtractOp>(inner) || inner.getNumRegions() != 0)
      return false;
    if (isa<arith::DivFOp, arith::RemFOp, arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp, arith::FloorDivSIOp,
            arith::CeilDivSIOp, arith::CeilDivUIOp>(inner))
      return false;
    ++count;
  }
  return count <= maxCheapOps;
}

/// A copy (a broadcast or transpose) whose neighbours along the last dim are neighbours in its input too.
bool isCopyOfRows(linalg::GenericOp op) {
  if (op.getNumDpsInputs() != 1 || op.getNumDpsInits() != 1 || !op.getBody()->without_terminator().empty() ||
      op.getBody()->getTerminator()->getOperand(0) != op.getBody()->getArgument(0))
    return false;
  const SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (maps[0].getNumResults() == 0 || maps[1].getNumResults() == 0)
    return true;
  const AffineExpr last = maps[1].getResults().back();
  return maps[0].getResults().back() == last || !llvm::is_contained(maps[0].getResults(), last);
}

/// True if the fused op stays within the bounds.
bool staysSmall(linalg::GenericOp producer, linalg::GenericOp consumer) {
  if (producer.getBody()->getOperations().size() + consumer.getBody()->getOperations().size() > maxBodyOps)
    return false;
  llvm::SmallPtrSet<Value, 16> inputs;
  for (linalg::GenericOp op : {producer, consumer})
    for (Value input : op.getDpsInputs())
      inputs.insert(input);
  return inputs.size() <= maxInputs;
}

bool shouldFuse(OpOperand *operand) {
  auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  if (!producer || !consumer || producer->getBlock() != consumer->getBlock() || !staysSmall(producer, consumer))
    return false;
  // A permutation reads each element once. A projection reads it again along each loop that it leaves out.
  if (consumer.getMatchingIndexingMap(operand).isPermutation())
    return producer->hasOneUse() || isCheap(producer);
  // The innermost loop of a product would do what the producer does over and over: only reads may go there, in order.
  return consumer.getNumReductionLoops() == 0 ? isCheap(producer) : isCopyOfRows(producer);
}

struct FuseElementwise : impl::FuseElementwiseBase<FuseElementwise> {
  using Base::Base;

  void runOnOperation() override {
    generalizeElementwise();
    RewritePatternSet patterns(&getContext());
    linalg::populateElementwiseOpsFusionPatterns(patterns, shouldFuse);
    GreedyRewriteConfig config;
    // One sweep visits each op; what a fusion changes is visited again. No bound on rewrites: each removes an edge between two ops.
    config.setUseTopDownTraversal(true).setMaxIterations(GreedyRewriteConfig::kNoLimit);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns), config)))
      signalPassFailure();
  }

  /// Fusion knows linalg.generic only: linalg.broadcast, linalg.transpose, linalg.add … become that. Reductions and products stay named.
  void generalizeElementwise() {
    SmallVector<linalg::LinalgOp> named;
    getOperation().walk([&](linalg::LinalgOp op) {
      const bool moves = isa<linalg::BroadcastOp, linalg::TransposeOp>(op.getOperation());
      if (!isa<linalg::GenericOp, linalg::FillOp>(op.getOperation()) && (moves || linalg::isElementwise(op)) && op.hasPureTensorSemantics())
        named.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (linalg::LinalgOp op : named) {
      rewriter.setInsertionPoint(op);
      (void)linalg::generalizeNamedOp(rewriter, op);
    }
  }
};

} // namespace
} // namespace moe
