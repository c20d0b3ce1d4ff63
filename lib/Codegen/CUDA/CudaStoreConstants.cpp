// moe-cuda-store-constants: constants that kernel ops read become stored weights, which the runtime copies to the GPU when a model is loaded. Runs on
// tensors between fuse and lower. Constants that only loops read stay: their kernels bring copies.
#include "moe/Codegen/CUDA/Passes.h"

#include "moe/IR/MoeDialect.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_CUDASTORECONSTANTS
#include "moe/Codegen/CUDA/Passes.h.inc"

namespace {

struct CudaStoreConstants : impl::CudaStoreConstantsBase<CudaStoreConstants> {
  using Base::Base;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    llvm::DenseMap<Attribute, WeightOp> stored;
    SmallVector<arith::ConstantOp> constants;
    getOperation().walk([&](arith::ConstantOp op) {
      auto type = dyn_cast<RankedTensorType>(op.getType());
      // A weight without elements has no place in a section, and nobody reads it.
      if (type && type.getNumElements() > 0 && isa<ElementsAttr>(op.getValue()) && llvm::any_of(op->getUses(), reachesKernel))
        constants.push_back(op);
    });
    for (arith::ConstantOp op : constants) {
      // Package writes what it can read byte by byte.
      if (!isa<DenseElementsAttr>(op.getValue())) {
        op.emitOpError() << "is read by a CUDA kernel; expected a dense attribute, found a constant of type " << op.getType() << " stored otherwise";
        return signalPassFailure();
      }
      store(op, symbols, stored[op.getValue()]);
    }
  }

private:
  /// True where a kernel op reads the value, as it is or in another shape. An out is written, not read.
  static bool reachesKernel(OpOperand &use) {
    Operation *user = use.getOwner();
    if (isa<GroupedMatmulOp, AttentionOp, RoutePermuteOp>(user))
      return !cast<DestinationStyleOpInterface>(user).isDpsInit(&use);
    if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp, tensor::ExtractSliceOp>(user))
      return llvm::any_of(user->getUses(), reachesKernel);
    return false;
  }

  void store(arith::ConstantOp op, SymbolTable &symbols, WeightOp &weight) {
    OpBuilder builder(op);
    if (!weight) {
      OpBuilder detached(&getContext());
      weight = WeightOp::create(detached, op.getLoc(), builder.getStringAttr("constant"), StringAttr(), TypeAttr::get(op.getType()), op.getValue(),
                                PackingFamilyAttr(), ArrayAttr(), WeightOrderAttr(), GateLayoutAttr(), IntegerAttr(), IntegerAttr(), QuantAttr(),
                                TypeAttr(), BlocksAttr());
      symbols.insert(weight, getOperation().getBody()->begin());
    }
    Value reference = WeightRefOp::create(builder, op.getLoc(), op.getType(), FlatSymbolRefAttr::get(weight.getSymNameAttr()));
    // What else reads the constant keeps it: the host folds sizes with it.
    op->replaceUsesWithIf(ValueRange{reference}, reachesKernel);
    if (op->use_empty())
      op->erase();
  }
};

} // namespace
} // namespace moe
