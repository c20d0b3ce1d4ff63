// Elementary functions of f32 as vector arithmetic. Kernels bring their own; this is for the elementwise loops of the graph.
// Sine and cosine are left to libm: upstream's reduction of the argument is in f32 and loses the angle of long rotary positions.
#include "moe/Codegen/CPU/Passes.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

#include "llvm/ADT/StringSwitch.h"

namespace moe {
#define GEN_PASS_DEF_CPUAPPROXIMATEMATH
#include "moe/Codegen/CPU/Passes.h.inc"

using namespace mlir;

namespace {

/// Functions whose polynomial stays within 5 units in the last place; test/Codegen/CPU/approximate-math.test measures it. Subnormal results
/// of exp are 0, and log takes a subnormal argument for the smallest normal one.
bool isApproximated(StringRef name) {
  return llvm::StringSwitch<bool>(name)
      .Cases({math::ExpOp::getOperationName(), math::TanhOp::getOperationName(), math::ErfOp::getOperationName(),
              math::LogOp::getOperationName(), math::Log2Op::getOperationName(), math::Log1pOp::getOperationName(),
              math::ExpM1Op::getOperationName()},
             true)
      .Default(false);
}

struct CpuApproximateMath : impl::CpuApproximateMathBase<CpuApproximateMath> {
  using Base::Base;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    // Half precisions are computed in f32, with or without a polynomial.
    populateMathF32ExpansionPatterns(patterns, [](StringRef) { return true; });
    populateMathPolynomialApproximationPatterns(patterns, isApproximated);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace moe
