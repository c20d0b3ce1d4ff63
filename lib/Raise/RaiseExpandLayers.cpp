// moe.layer is sugar for people who write MLIR; every later pass knows only the chain.
#include "LayerBuilder.h"
#include "OnnxMatch.h"
#include "moe/Raise/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_RAISEEXPANDLAYERS
#include "moe/Raise/Passes.h.inc"

namespace {
struct RaiseExpandLayers : impl::RaiseExpandLayersBase<RaiseExpandLayers> {
  using Base::Base;

  void runOnOperation() override {
    raise::LayerBuilder chain(getOperation());
    SmallVector<LayerOp> layers;
    getOperation().walk([&](LayerOp layer) { layers.push_back(layer); });
    for (LayerOp layer : layers)
      if (failed(expand(layer, chain)))
        return signalPassFailure();
  }

  /// The dims that the chain is built from. The op's verifier knows the rest.
  static LogicalResult check(LayerOp layer) {
    RankedTensorType x = raise::tensorType(layer.getX()), logits = raise::tensorType(layer.getLogits()), gate = raise::tensorType(layer.getGate());
    if (x.isDynamicDim(1))
      return layer.emitOpError("needs a static hidden size, found ") << x;
    if (gate.getRank() != 3 || gate.isDynamicDim(0))
      return layer.emitOpError("needs gate weights of rank 3 with a static number of experts, found ") << gate;
    const int64_t experts = gate.getDimSize(0), k = layer.getRouter().getK();
    if (logits.getDimSize(1) != experts)
      return layer.emitOpError("expected logits for ") << experts << " experts, as many as the weights have, found " << logits;
    if (k < 1 || k > experts)
      return layer.emitOpError("expected k from 1 to ") << experts << ", the number of experts, found " << k;
    return success();
  }

  static LogicalResult expand(LayerOp layer, raise::LayerBuilder &chain) {
    if (failed(check(layer)))
      return failure();
    OpBuilder builder(layer);
    Location loc = layer.getLoc();
    Value weights;
    raise::Assignments list = raise::LayerBuilder::route(builder, loc, layer.getLogits(), raise::Routing::of(layer.getRouter()), weights);
    OriginAttr origin = layer.getOriginAttr();
    if (!origin)
      origin = OriginAttr::get(builder.getContext(), chain.nameLayer({layer.getGate(), layer.getUp(), layer.getDown()}, layer.getLogits()), "mlir");
    raise::ExpertWeights parts{layer.getGate(),     layer.getGateBias(), layer.getUp(),  layer.getUpBias(),
                               layer.getDown(), layer.getDownBias(), layer.getFfn(), layer.getOrder()};
    Value result = chain.experts(builder, loc, layer.getX(), list, weights, parts, origin, raise::tensorType(layer.getResult()));
    layer.getResult().replaceAllUsesWith(result);
    layer.erase();
    return success();
  }
};
} // namespace
} // namespace moe
