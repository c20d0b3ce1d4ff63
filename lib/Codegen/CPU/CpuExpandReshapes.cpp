// moe-cpu-expand-reshapes: memref.expand_shape to memref.reinterpret_cast.
//
// Upstream's expand-strided-metadata infers the sizes of an expanded dim from its source and crashes where a group has two dynamic dims
// (batch·seq to batch, seq). The op names all its sizes; this pass uses them. It must run before expand-strided-metadata.
#include "moe/Codegen/CPU/Passes.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_CPUEXPANDRESHAPES
#include "moe/Codegen/CPU/Passes.h.inc"

namespace {

OpFoldResult multiply(OpBuilder &builder, Location loc, OpFoldResult lhs, OpFoldResult rhs) {
  const std::optional<int64_t> left = getConstantIntValue(lhs), right = getConstantIntValue(rhs);
  if (left && right)
    return builder.getIndexAttr(*left * *right);
  if (left && *left == 1)
    return rhs;
  if (right && *right == 1)
    return lhs;
  return arith::MulIOp::create(builder, loc, getValueOrCreateConstantIndexOp(builder, loc, lhs),
                               getValueOrCreateConstantIndexOp(builder, loc, rhs))
      .getResult();
}

void expandReshape(memref::ExpandShapeOp reshape) {
  OpBuilder builder(reshape);
  const Location loc = reshape.getLoc();
  auto metadata = memref::ExtractStridedMetadataOp::create(builder, loc, reshape.getSrc());
  const SmallVector<OpFoldResult> sizes = reshape.getMixedOutputShape();
  const SmallVector<OpFoldResult> sourceStrides = metadata.getConstifiedMixedStrides();
  SmallVector<OpFoldResult> strides(sizes.size(), builder.getIndexAttr(1));
  // Within a group the last dim has the source's stride, each dim before it the stride times the sizes behind it.
  for (auto [group, stride] : llvm::zip_equal(reshape.getReassociationIndices(), sourceStrides)) {
    OpFoldResult running = stride;
    for (int64_t dim : llvm::reverse(group)) {
      strides[dim] = running;
      running = multiply(builder, loc, running, sizes[dim]);
    }
  }
  // The result type may know a stride that the source's type does not; the type's word counts.
  const auto [typeStrides, typeOffset] = reshape.getResultType().getStridesAndOffset();
  for (auto [stride, known] : llvm::zip_equal(strides, typeStrides))
    if (!ShapedType::isDynamic(known))
      stride = builder.getIndexAttr(known);
    else
      stride = getValueOrCreateConstantIndexOp(builder, loc, stride);
  OpFoldResult offset = ShapedType::isDynamic(typeOffset) ? OpFoldResult(metadata.getOffset()) : builder.getIndexAttr(typeOffset);
  Value view = memref::ReinterpretCastOp::create(builder, loc, reshape.getResultType(), metadata.getBaseBuffer(), offset, sizes, strides);
  reshape.replaceAllUsesWith(view);
  reshape.erase();
}

struct CpuExpandReshapes : impl::CpuExpandReshapesBase<CpuExpandReshapes> {
  using CpuExpandReshapesBase::CpuExpandReshapesBase;
  void runOnOperation() override {
    SmallVector<memref::ExpandShapeOp> reshapes;
    getOperation().walk([&](memref::ExpandShapeOp reshape) { reshapes.push_back(reshape); });
    llvm::for_each(reshapes, expandReshape);
  }
};

} // namespace
} // namespace moe
