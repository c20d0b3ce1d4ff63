// Turns planned linalg.matmul into the kernel that expert products use too. A product is a candidate because plan says so; one that the
// kernel cannot do (transposed rows, a start other than zero) stays and is lowered as loops, with a remark.
#include "moe/IR/Activations.h"
#include "moe/Fuse/Passes.h"
#include "moe/IR/Layers.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_FUSEDENSEPRODUCTS
#include "moe/Fuse/Passes.h.inc"

namespace {

/// A linalg.generic that only adds a vector to the columns of `product`: that vector, else null.
Value addedVector(linalg::GenericOp add, Value product) {
  if (add.getNumDpsInputs() != 2 || add.getNumDpsInits() != 1 || !linalg::isElementwise(add))
    return {};
  Block *body = add.getBody();
  if (body->getOperations().size() != 2)
    return {};
  auto sum = dyn_cast<arith::AddFOp>(body->front());
  if (!sum || body->getTerminator()->getOperand(0) != sum.getResult())
    return {};
  const Value arguments[] = {body->getArgument(0), body->getArgument(1)};
  const bool ordered = sum.getLhs() == arguments[0] && sum.getRhs() == arguments[1];
  const bool swapped = sum.getLhs() == arguments[1] && sum.getRhs() == arguments[0];
  const unsigned side = add.getDpsInputs()[0] == product ? 0 : 1;
  if ((!ordered && !swapped) || add.getDpsInputs()[side] != product || add.getDpsInits()[0].getType() != product.getType())
    return {};
  const SmallVector<AffineMap> maps = add.getIndexingMapsArray();
  const unsigned rank = add.getNumLoops();
  const AffineMap columns = AffineMap::get(rank, 0, getAffineDimExpr(rank - 1, add.getContext()));
  if (!maps[side].isIdentity() || !maps[2].isIdentity() || maps[1 - side] != columns)
    return {};
  return add.getDpsInputs()[1 - side];
}

/// The add of a bias vector that is all that reads a product, maybe behind a reshape of its rows (?×N to B×S×N).
struct BiasAdd {
  linalg::GenericOp op;
  Value vector;
  tensor::ExpandShapeOp reshape;
};

BiasAdd findBiasAdd(Value product) {
  BiasAdd add;
  auto onlyUser = [](Value value) { return value.hasOneUse() ? *value.user_begin() : nullptr; };
  Operation *user = onlyUser(product);
  Block *block = product.getParentBlock();
  if (auto reshape = dyn_cast_if_present<tensor::ExpandShapeOp>(user);
      reshape && reshape->getBlock() == block && reshape.getReassociationIndices().back().size() == 1) {
    add.reshape = reshape;
    product = reshape.getResult();
    user = onlyUser(product);
  }
  add.op = dyn_cast_if_present<linalg::GenericOp>(user);
  if (add.op && add.op->getBlock() == block)
    add.vector = addedVector(add.op, product);
  return add;
}

struct FuseDenseProducts : impl::FuseDenseProductsBase<FuseDenseProducts> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<linalg::MatmulOp> products;
    getOperation().walk([&](linalg::MatmulOp op) {
      if (op->hasAttrOfType<PlanAttr>(planAttrName))
        products.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (linalg::MatmulOp op : products)
      if (StringRef why = fuse(op, rewriter); !why.empty())
        op.emitRemark() << "the product is not fused: " << why;
  }

  /// Replaces `op`; else leaves it and returns why.
  StringRef fuse(linalg::MatmulOp op, IRRewriter &rewriter) {
    if (!storedWeightOf(op))
      return "expected f32 rows and results and a stored weight of f32, f16 or bf16";
    const std::optional<WeightOrder> order = weightOrderOf(op);
    if (!order)
      return "its rows or result are transposed or broadcast";
    const Value init = op.getOutputs()[0];
    Value out = zeroFilledInit(op);
    if (!out)
      return "it does not start from zero";

    // The product moves to its bias add, where all that it reads is known to be computed.
    BiasAdd add = findBiasAdd(op->getResult(0));
    Operation *place = add.vector ? add.op : op;
    rewriter.setInsertionPoint(place);
    if (auto constant = out.getDefiningOp<arith::ConstantOp>()) {
      auto type = cast<RankedTensorType>(constant.getType());
      out = tensor::EmptyOp::create(rewriter, op.getLoc(), type.getShape(), type.getElementType());
    }
    const auto plan = op->getAttrOfType<PlanAttr>(planAttrName);
    const Value rows = roundActivations(rewriter, op.getLoc(), op.getInputs()[0], plan);
    auto product = GroupedMatmulOp::create(
        rewriter, op.getLoc(), op->getResultTypes()[0], rows, /*rows=*/Value(), /*offsets=*/Value(), op.getInputs()[1],
        add.vector, /*up=*/Value(), /*up_bias=*/Value(), /*combine_rows=*/Value(), /*combine_weights=*/Value(), /*codebook=*/Value(), out, /*ffn=*/FfnAttr(),
        *order, PackingFamily::Plain, /*columns=*/IntegerAttr(), /*origin=*/OriginAttr(), plan, /*blocks=*/BlocksAttr(), /*out_blocks=*/BlocksAttr());
    rewriter.replaceOp(op, product.getResults());
    if (add.vector) {
      if (add.reshape)
        rewriter.moveOpBefore(add.reshape, add.op);
      rewriter.replaceOp(add.op, add.reshape ? Value(add.reshape.getResult()) : Value(product.getResults()[0]));
    }
    if (auto fill = init.getDefiningOp<linalg::FillOp>(); fill && fill->use_empty())
      rewriter.eraseOp(fill);
    return {};
  }
};

} // namespace
} // namespace moe
