// moe-cpu-lower-loops: structured control flow becomes branches, with the condition of a counted loop behind its body.
//
// MLIR's own conversion puts the condition in front. LLVM turns such loops around one by one and updates the dominator tree of the whole function each
// time: in a function of some thousand loops (a model is one function) that alone takes most of the time of code generation. Loops that are turned around
// already cost nothing there, and the code that comes out is the same.
#include "moe/Codegen/CPU/Passes.h"

#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_CPULOWERLOOPS
#include "moe/Codegen/CPU/Passes.h.inc"

namespace {

struct LowerFor : OpRewritePattern<scf::ForOp> {
  LowerFor(MLIRContext *context) : OpRewritePattern(context, /*benefit=*/2) {}

  LogicalResult matchAndRewrite(scf::ForOp loop, PatternRewriter &rewriter) const override {
    Location loc = loop.getLoc();
    Block *before = rewriter.getInsertionBlock();
    Block *rest = rewriter.splitBlock(before, Block::iterator(loop));
    Block *after = rewriter.createBlock(rest, loop.getResultTypes(), SmallVector<Location>(loop.getNumResults(), loc));
    cf::BranchOp::create(rewriter, loc, rest);

    Block *first = loop.getBody();
    Operation *yield = loop.getRegion().back().getTerminator();
    const Value number = loop.getInductionVar();
    const Value end = loop.getUpperBound();
    rewriter.setInsertionPoint(yield);
    SmallVector<Value> again = {arith::AddIOp::create(rewriter, loc, number, loop.getStep())};
    llvm::append_range(again, yield->getOperands());
    auto latch = cf::CondBranchOp::create(rewriter, loc, isBelow(loop, again.front(), end, rewriter), first, again, after, yield->getOperands());
    latch->setDiscardableAttrs(loop->getDiscardableAttrDictionary());
    rewriter.eraseOp(yield);
    rewriter.inlineRegionBefore(loop.getRegion(), after);

    rewriter.setInsertionPointToEnd(before);
    SmallVector<Value> enter = {loop.getLowerBound()};
    llvm::append_range(enter, loop.getInitArgs());
    if (isEntered(loop))
      cf::BranchOp::create(rewriter, loc, first, enter);
    else
      cf::CondBranchOp::create(rewriter, loc, isBelow(loop, enter.front(), end, rewriter), first, enter, after, loop.getInitArgs());
    rewriter.replaceOp(loop, after->getArguments());
    return success();
  }

private:
  static Value isBelow(scf::ForOp loop, Value number, Value end, OpBuilder &builder) {
    auto predicate = loop.getUnsignedCmp() ? arith::CmpIPredicate::ult : arith::CmpIPredicate::slt;
    return arith::CmpIOp::create(builder, loop.getLoc(), predicate, number, end);
  }

  /// Whether the bounds say that the body runs at least once.
  static bool isEntered(scf::ForOp loop) {
    std::optional<int64_t> start = getConstantIntValue(loop.getLowerBound()), end = getConstantIntValue(loop.getUpperBound());
    return start && end && *start >= 0 && *start < *end;
  }
};

struct CpuLowerLoops : impl::CpuLowerLoopsBase<CpuLowerLoops> {
  using Base::Base;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateSCFToControlFlowConversionPatterns(patterns);
    patterns.add<LowerFor>(&getContext());
    ConversionTarget target(getContext());
    target.addIllegalDialect<scf::SCFDialect>();
    target.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
    if (failed(applyPartialConversion(getOperation(), target, std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace moe
