// Math functions on f32, vectors and scalars alike, become polynomials; narrow floats are computed in f32. What stays (sin, cos, pow, f64)
// calls libm. The same code serves both, so that a value does not depend on whether it fell in a vector or behind it.
#include "EntryPoint.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "moe/Lower/Passes.h"

namespace moe {
#define GEN_PASS_DEF_LOWERMATH
#include "moe/Lower/Passes.h.inc"
} // namespace moe

using namespace mlir;

namespace moe {
namespace {

/// 1 + tanh(z) is 2 / (1 + exp(−2z)): the sum would cancel where z is far below zero.
struct OnePlusTanh : OpRewritePattern<arith::AddFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::AddFOp op, PatternRewriter &rewriter) const override {
    auto tanh = op.getLhs().getDefiningOp<math::TanhOp>();
    Value other = op.getRhs();
    if (!tanh) {
      tanh = op.getRhs().getDefiningOp<math::TanhOp>();
      other = op.getLhs();
    }
    if (!tanh || !matchPattern(other, m_OneFloat()))
      return failure();
    Location loc = op.getLoc();
    auto constant = [&](double value) -> Value {
      Type type = op.getType();
      TypedAttr attr = rewriter.getFloatAttr(getElementTypeOrSelf(type), value);
      if (auto vector = dyn_cast<VectorType>(type))
        attr = DenseElementsAttr::get(vector, ArrayRef<Attribute>(attr));
      return arith::ConstantOp::create(rewriter, loc, attr);
    };
    Value scaled = arith::MulFOp::create(rewriter, loc, tanh.getOperand(), constant(-2.0));
    Value exp = math::ExpOp::create(rewriter, loc, scaled);
    Value sum = arith::AddFOp::create(rewriter, loc, exp, constant(1.0));
    rewriter.replaceOpWithNewOp<arith::DivFOp>(op, constant(2.0), sum);
    return success();
  }
};

struct LowerMath : impl::LowerMathBase<LowerMath> {
  using Base::Base;

  void runOnOperation() override {
    func::FuncOp entry = findEntry(getOperation());
    if (!entry)
      return signalPassFailure();
    RewritePatternSet first(&getContext());
    first.add<OnePlusTanh>(&getContext());
    populateMathAlgebraicSimplificationPatterns(first);
    math::populateExpansionPatterns(first, {"rsqrt", "fpowi", "ipowi", "clampf"});
    if (failed(applyPatternsGreedily(entry, std::move(first))))
      return signalPassFailure();
    RewritePatternSet patterns(&getContext());
    auto everything = [](StringRef) { return true; };
    auto isAccurate = [](StringRef name) {
      return llvm::is_contained({math::ExpOp::getOperationName(), math::TanhOp::getOperationName(), math::ErfOp::getOperationName(),
                                 math::ExpM1Op::getOperationName(), math::LogOp::getOperationName(), math::Log2Op::getOperationName(),
                                 math::Log1pOp::getOperationName()},
                                name);
    };
    populateMathF32ExpansionPatterns(patterns, everything);
    populateMathPolynomialApproximationPatterns(patterns, isAccurate);
    if (failed(applyPatternsGreedily(entry, std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace moe
