// moe-cuda-narrow-rows: products read rows of 16 bits where tensor cores take them and nothing is lost, or where the user allows it. Runs on tensors between fuse and lower.
#include "moe/Codegen/CUDA/Passes.h"

#include "PanelCodes.h"
#include "moe/IR/Activations.h"
#include "moe/IR/Quantization.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_CUDANARROWROWS
#include "moe/Codegen/CUDA/Passes.h.inc"

namespace {

/// The products that scores of routings come from, which stay in f32 whatever is allowed.
DenseSet<Operation *> productsOfRouters(func::FuncOp function) {
  DenseSet<Operation *> products;
  SetVector<Value> values;
  function.walk([&](RoutePermuteOp route) {
    for (Value value : {route.getLogits(), route.getIndices(), route.getWeights()})
      if (value)
        values.insert(value);
  });
  for (size_t next = 0; next < values.size(); ++next) {
    Operation *op = values[next].getDefiningOp();
    if (isa_and_nonnull<GroupedMatmulOp>(op))
      products.insert(op);
    else if (op && !isa<AttentionOp>(op))
      values.insert_range(op->getOperands());
  }
  return products;
}

struct CudaNarrowRows : impl::CudaNarrowRowsBase<CudaNarrowRows> {
  using Base::Base;

  void runOnOperation() override {
    if (activations == "f32")
      return;
    rounded.clear();
    routerProducts = productsOfRouters(getOperation());
    SmallVector<GroupedMatmulOp> products;
    getOperation().walk([&](GroupedMatmulOp op) { products.push_back(op); });
    for (GroupedMatmulOp op : products)
      if (Value rows = narrowRowsOf(op)) {
        op.getXMutable().assign(rows);
        if (activations == "bf16")
          narrowResult(op, getElementTypeOrSelf(rows));
      }
  }

private:
  /// Rows of 16 bits for `op` to read; null where it keeps its own.
  Value narrowRowsOf(GroupedMatmulOp op) {
    const Value rows = op.getX();
    if (!getElementTypeOrSelf(rows).isF32())
      return {};
    OpBuilder b(op);
    for (Type element : {Type(b.getF16Type()), Type(b.getBF16Type())})
      if (takes(op, element))
        if (Value narrow = narrowRowsBehind(b, op.getLoc(), rows, element))
          return narrow;
    if (activations != "bf16" || routerProducts.contains(op) || !takes(op, b.getBF16Type()))
      return {};
    Value &narrow = rounded[rows];
    if (!narrow) {
      b.setInsertionPointAfterValue(rows);
      narrow = convertElements(b, op.getLoc(), rows, b.getBF16Type());
    }
    return narrow;
  }

  /// The result of `op`, where only a product of rows of `element` reads it, becomes its rows.
  void narrowResult(GroupedMatmulOp op, Type element) {
    const Value result = op->getResult(0);
    auto next = result.hasOneUse() ? dyn_cast<GroupedMatmulOp>(*result.user_begin()) : GroupedMatmulOp();
    if (op.getCombineRows() || !next || next.getX() != result || !getElementTypeOrSelf(result).isF32() || !takes(next, element))
      return;
    OpBuilder b(op);
    const Value out = op.getOuts()[0];
    Value narrow = tensor::EmptyOp::create(b, op.getLoc(), tensor::getMixedSizes(b, op.getLoc(), out), element);
    op.getOutsMutable()[0].assign(narrow);
    op->getResult(0).setType(cast<RankedTensorType>(narrow.getType()));
  }

  /// Whether tensor cores multiply rows of `element` by the weights of `op`.
  static bool takes(GroupedMatmulOp op, Type element) {
    const auto weight = cast<RankedTensorType>(op.getWeight().getType());
    const auto out = cast<RankedTensorType>(op.getResult(0).getType());
    const int64_t depth = cast<RankedTensorType>(op.getX().getType()).getDimSize(1);
    // Chunks of 16 bytes; see ProductSpec. A dynamic size is no multiple.
    if (!weight.hasStaticShape() || depth % 8 != 0 || out.getDimSize(1) % 8 != 0)
      return false;
    auto dequant = op.getWeight().getDefiningOp<DequantOp>();
    return dequant ? takesCodes(dequant, op.getOrder(), depth) : weight.getElementType() == element;
  }

  static bool takesCodes(DequantOp op, WeightOrder order, int64_t depth) {
    switch (op.getFormat().getFormat()) {
    case QuantFormat::Nf4:
    case QuantFormat::TernaryDict:
      return false;
    default:
      break;
    }
    auto typeOf = [](Value value) { return value ? cast<RankedTensorType>(value.getType()) : RankedTensorType(); };
    const FailureOr<QuantLayout> layout =
        QuantLayout::get({op.getFormat(), typeOf(op.getPayload()), typeOf(op.getScales()), typeOf(op.getZeros()), typeOf(op.getResult())},
                         [&]() { return op.emitOpError(); });
    if (failed(layout) || layout->zeros == QuantLayout::Zeros::Floats)
      return false;
    const int64_t group = std::min(order == WeightOrder::OutIn ? layout->groupColumns : layout->groupRows, depth);
    return PanelCodes::areWhole(group, depth);
  }

  DenseSet<Operation *> routerProducts;
  /// Rows that were rounded, for all products that read them.
  DenseMap<Value, Value> rounded;
};

} // namespace
} // namespace moe
