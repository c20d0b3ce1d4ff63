// Fused multiply-adds for CPUs that have none. LLVM would keep the single rounding by calling libm's fma for every lane.
#include "moe/Codegen/CPU/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

namespace moe {
#define GEN_PASS_DEF_CPUEXPANDFMA
#include "moe/Codegen/CPU/Passes.h.inc"

using namespace mlir;

namespace {

struct CpuExpandFma : impl::CpuExpandFmaBase<CpuExpandFma> {
  using Base::Base;

  void runOnOperation() override {
    if (llvm::is_contained(llvm::split(features, ','), "+fma"))
      return;
    getOperation().walk([](Operation *op) {
      if (!isa<math::FmaOp, vector::FMAOp>(op))
        return;
      OpBuilder builder(op);
      Value product = arith::MulFOp::create(builder, op->getLoc(), op->getOperand(0), op->getOperand(1));
      op->getResult(0).replaceAllUsesWith(arith::AddFOp::create(builder, op->getLoc(), product, op->getOperand(2)));
      op->erase();
    });
  }
};

} // namespace
} // namespace moe
