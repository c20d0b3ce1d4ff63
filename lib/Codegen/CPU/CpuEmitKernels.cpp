// moe-cpu-emit-kernels: the kernel ops of a lowered module become code for one ISA version. Needs memrefs and the SPMD entry that
// lower leaves; leaves scf, vector, arith, math, memref, llvm and func, and the moe ops that the runtime stands behind
// (moe.thread_id, moe.num_threads, moe.barrier).
#include "AttentionEmitter.h"
#include "MatmulEmitter.h"
#include "RouteEmitter.h"
#include "moe/Codegen/CPU/Passes.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
namespace moe {
#define GEN_PASS_DEF_CPUEMITKERNELS
#include "moe/Codegen/CPU/Passes.h.inc"

namespace {
struct CpuEmitKernels : impl::CpuEmitKernelsBase<CpuEmitKernels> {
  using Base::Base;

  void runOnOperation() override {
    IsaVersion isa;
    std::string error;
    if (!parseFeatureString(features, isa, error)) {
      getOperation().emitError() << "moe-cpu-emit-kernels: " << error;
      return signalPassFailure();
    }
    KernelModule kernels(getOperation(), isa);
    if (failed(emitAll(kernels)))
      signalPassFailure();
  }

private:
  LogicalResult emitAll(KernelModule &kernels) {
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isa<GroupedMatmulOp, RoutePermuteOp, AttentionOp>(op))
        ops.push_back(op);
    });
    bool ok = true;
    for (Operation *op : ops) {
      if (auto matmul = dyn_cast<GroupedMatmulOp>(op))
        ok &= succeeded(MatmulEmitter(kernels, op->getLoc()).replace(matmul));
      else if (auto attention = dyn_cast<AttentionOp>(op))
        ok &= succeeded(AttentionEmitter(kernels, op->getLoc()).replace(attention));
      else
        ok &= succeeded(RouteEmitter(kernels, op->getLoc()).replace(cast<RoutePermuteOp>(op)));
    }
    return success(ok);
  }
};
} // namespace
} // namespace moe
