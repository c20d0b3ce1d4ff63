// moe-cuda-emit-kernels: the lowered entry becomes a host function that launches kernels. Needs the memrefs and barriers that lower leaves, with plain
// weights and moe.sum_slots (moe-cuda-split-products). A barrier of the entry is the order of launches.
#include "AttentionKernels.h"
#include "CudaNames.h"
#include "LoopOutliner.h"
#include "ProductKernels.h"
#include "RouteKernels.h"
#include "SumKernels.h"
#include "moe/Codegen/CUDA/Passes.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;
namespace moe {
#define GEN_PASS_DEF_CUDAEMITKERNELS
#include "moe/Codegen/CUDA/Passes.h.inc"

namespace {
struct CudaEmitKernels : impl::CudaEmitKernelsBase<CudaEmitKernels> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    func::FuncOp entry;
    for (auto function : module.getOps<func::FuncOp>())
      if (function->hasAttr("moe.entry"))
        entry = function;
    if (!entry || !llvm::hasSingleElement(entry.getBody())) {
      module.emitError("moe-cuda-emit-kernels expects the entry that lower leaves, a function of one block with moe.entry");
      return signalPassFailure();
    }
    for (auto begin : entry.getOps<LoopBeginOp>()) {
      begin.emitOpError("begins a loop whose number of runs only the run tells, which is not supported yet with --target=cuda");
      return signalPassFailure();
    }
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    KernelTable table(module, ModuleOp::create(builder, module.getLoc(), kernelModule));
    table.tile = tile;
    if (arch != "sm_80" && arch != "sm_90a" && arch != "all") {
      module.emitError() << "moe-cuda-emit-kernels expects arch sm_80, sm_90a or all, found '" << arch << "'";
      return signalPassFailure();
    }
    table.archs = arch == "all" ? KernelArchs::Both : arch == "sm_80" ? KernelArchs::Sm80 : KernelArchs::Sm90a;
    if (failed(emitAll(table, entry.getBody().front())))
      return signalPassFailure();
    table.finish();
    RewritePatternSet patterns(&getContext());
    // LLVM has no code for these on a GPU.
    populateMathPolynomialApproximationPatterns(patterns, [](StringRef name) { return name == math::SinOp::getOperationName() || name == math::CosOp::getOperationName(); });
    (void)applyPatternsGreedily(table.device, std::move(patterns));
    dropUnused(entry);
  }

private:
  /// A constant of the module lies in the host's memory; loops bring their own copies, kernel ops would read the host's. moe-cuda-store-constants leaves none.
  static bool readsHostConstant(Operation *op) {
    return llvm::any_of(op->getOperands(), [](Value operand) {
      while (auto view = operand.getDefiningOp<ViewLikeOpInterface>())
        operand = view.getViewSource();
      return operand.getDefiningOp<memref::GetGlobalOp>() != nullptr;
    });
  }

  static LogicalResult replace(KernelTable &table, Operation *op) {
    if (readsHostConstant(op))
      return op->emitOpError() << "reads a constant of the graph; CUDA kernels take stored weights (moe-cuda-store-constants makes these)";
    if (auto route = dyn_cast<RoutePermuteOp>(op))
      return RouteKernels(table, op->getLoc()).replace(route);
    if (auto product = dyn_cast<GroupedMatmulOp>(op))
      return ProductKernels(table, op->getLoc()).replace(product);
    if (auto attention = dyn_cast<AttentionOp>(op))
      return AttentionKernels(table, op->getLoc()).replace(attention);
    return SumKernels(table, op->getLoc()).replace(cast<SumSlotsOp>(op));
  }

  LogicalResult emitAll(KernelTable &table, Block &block) {
    LoopOutliner loops(table, block);
    SmallVector<Operation *> ops(llvm::make_pointer_range(block)), between;
    for (Operation *op : ops) {
      if (isa<ExchangeOp, GatherSharesOp>(op))
        return op->emitOpError() << "has no CUDA kernel yet";
      const bool isKernel = isa<RoutePermuteOp, GroupedMatmulOp, SumSlotsOp, AttentionOp>(op), isBarrier = isa<BarrierOp>(op);
      if (!isKernel && !isBarrier && !isa<func::ReturnOp>(op)) {
        between.push_back(op);
        continue;
      }
      if (failed(loops.outline(between, op)))
        return failure();
      between.clear();
      if (isKernel && failed(replace(table, op)))
        return failure();
      if (isBarrier)
        op->erase();
    }
    return success();
  }

  /// Thread numbers and constants that only loops have read.
  static void dropUnused(func::FuncOp entry) {
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(entry.getBody().front())))
      if (isOpTriviallyDead(&op))
        op.erase();
    auto module = entry->getParentOfType<ModuleOp>();
    for (auto global : llvm::make_early_inc_range(module.getOps<memref::GlobalOp>()))
      if (SymbolTable::symbolKnownUseEmpty(global, module.getBodyRegion().front().getParentOp()))
        global.erase();
  }
};
} // namespace
} // namespace moe
