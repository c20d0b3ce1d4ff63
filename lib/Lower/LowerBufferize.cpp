// Tensors to memrefs, by upstream's One-Shot Bufferize: reuse in place where the analysis allows it, results computed straight into the
// outputs. Every copy that it makes is a linalg.copy, so that later passes see one kind of op. Expects the entry as moe-lower-entry leaves
// it.
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/Transforms.h"
#include "moe/IR/MoeDialect.h"
#include "moe/Lower/Passes.h"

namespace moe {
#define GEN_PASS_DEF_LOWERBUFFERIZE
#include "moe/Lower/Passes.h.inc"
} // namespace moe

using namespace mlir;

namespace moe {
namespace {

Value peelCasts(Value value) {
  while (auto cast = value.getDefiningOp<memref::CastOp>())
    value = cast.getSource();
  return value;
}

/// Undoes what CSE did to destinations. Two outputs of one op in one buffer would be wrong, so each gets a tensor.empty of its own; a fill
/// that two ops start from would be copied for one of them, so each op gets its own fill, which moe-lower-threads can then fold.
void separateDestinations(ModuleOp module) {
  SmallVector<DestinationStyleOpInterface> ops;
  module.walk([&](DestinationStyleOpInterface op) { ops.push_back(op); });
  for (DestinationStyleOpInterface op : ops) {
    llvm::SmallDenseSet<Value> seen;
    for (OpOperand &init : op.getDpsInitsMutable()) {
      OpBuilder builder(op);
      auto fill = init.get().getDefiningOp<linalg::FillOp>();
      if (fill && !init.get().hasOneUse())
        init.set(builder.clone(*fill)->getResult(0));
      auto empty = init.get().getDefiningOp<tensor::EmptyOp>();
      if (empty && !seen.insert(empty.getResult()).second)
        init.set(builder.clone(*empty)->getResult(0));
    }
  }
}

struct LowerBufferize : impl::LowerBufferizeBase<LowerBufferize> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    separateDestinations(module);
    IRRewriter rewriter(&getContext());
    if (failed(bufferization::eliminateEmptyTensors(rewriter, module)))
      return signalPassFailure();
    bufferization::OneShotBufferizationOptions options;
    options.bufferAlignment = 64;
    options.memCpyFn = [](OpBuilder &builder, Location loc, Value from, Value to) {
      if (peelCasts(from) != peelCasts(to))
        linalg::CopyOp::create(builder, loc, from, to);
      return success();
    };
    bufferization::BufferizationState state;
    if (failed(bufferization::runOneShotBufferize(module, options, state)))
      return signalPassFailure();
    // A copy between casts of one buffer, where an output was computed in place.
    module.walk([](linalg::CopyOp copy) {
      if (peelCasts(copy.getInputs().front()) == peelCasts(copy.getOutputs().front()))
        copy.erase();
    });
  }
};

} // namespace
} // namespace moe
