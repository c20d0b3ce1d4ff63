// The product by wgmma (sm_90a): four warps multiply 64 rows of x with all rows of weights of the tile, both read from shared memory as copies have left them. The copies, the
// stages and the end are those of MmaProduct.cpp: a stage's chunks are swizzled as a matrix descriptor says (128 bytes), and a thread has the sums of an n8 fragment where
// mma.sync has them. A sum adds along k in the same order, 16 of k at a time.
#include "MmaState.h"

using namespace mlir;
namespace moe {

/// k of one wgmma of 16-bit numbers.
constexpr int64_t groupDepth = 16;

/// The matrix descriptor (PTX ISA, "Matrix-Descriptor Format") of rows of 128 swizzled bytes at `address`: its 18 bits by 16, then 1024 bytes between groups of eight rows.
Value ProductKernels::descriptorOf(Value address) {
  constexpr int64_t between = (8 * stageRowBytes / 16) << 32, leading = int64_t(1) << 16, swizzle = int64_t(1) << 62;
  Value place = LLVM::PtrToIntOp::create(b, b.getI64Type(), address);
  place = b.shiftRight(b.bitAnd(place, b.i64((1 << 18) - 1)), b.i64(4));
  return b.bitOr(place, b.i64(between | leading | swizzle));
}

Value ProductKernels::multiplyGroupStage(MmaState &s, Value stage, Value sums) {
  const Type i8 = b.getI8Type();
  Value base = b.at(s.memory, i8, b.mul(stage, s.stageBytes()));
  // The 64 rows of this group of four warps.
  Value group = b.div(s.warpRow, 64);
  Value rows = descriptorOf(b.at(base, i8, b.mul(group, 64 * stageRowBytes))), weights = descriptorOf(b.at(base, i8, s.shape.rows * stageRowBytes));
  MLIRContext *context = b.getContext();
  const auto element = NVVM::WGMMATypesAttr::get(context, spec.x.isBF16() ? NVVM::WGMMATypes::bf16 : NVVM::WGMMATypes::f16);
  const auto f32 = NVVM::WGMMATypesAttr::get(context, NVVM::WGMMATypes::f32);
  const auto shape = NVVM::MMAShapeAttr::get(context, 64, static_cast<int>(s.shape.columns), groupDepth);
  const auto positive = NVVM::WGMMAScaleInAttr::get(context, NVVM::WGMMAScaleIn::one);
  NVVM::WgmmaFenceAlignedOp::create(b);
  for (int64_t step = 0; step < stageDepth / groupDepth; ++step) {
    const int64_t units = step * groupDepth * 2 / 16;
    sums = NVVM::WgmmaMmaAsyncOp::create(b, sums.getType(), sums, b.add(rows, units), b.add(weights, units), shape, element, element, f32,
                                         NVVM::WGMMAScaleOutAttr::get(context, NVVM::WGMMAScaleOut::one), positive, positive,
                                         NVVM::MMALayoutAttr::get(context, NVVM::MMALayout::row), NVVM::MMALayoutAttr::get(context, NVVM::MMALayout::col),
                                         NVVM::MMAIntOverflowAttr());
  }
  NVVM::WgmmaGroupSyncAlignedOp::create(b);
  NVVM::WgmmaWaitGroupSyncOp::create(b, 0);
  return sums;
}

SmallVector<Value> ProductKernels::multiplyGroupRounds(MmaState &s) {
  MLIRContext *context = b.getContext();
  const auto type = LLVM::LLVMStructType::getLiteral(context, SmallVector<Type>(s.sums(), b.getF32Type()));
  Value zeros = LLVM::ZeroOp::create(b, type);
  Value sums = b.forLoop(b.i32(0), b.i32(s.rounds(spec)), b.i32(1), {zeros}, [&](Value round, ValueRange now) -> SmallVector<Value> {
    NVVM::CpAsyncWaitGroupOp::create(b, s.shape.stages - 2);
    // What cp.async wrote is read past the generic proxy.
    NVVM::FenceProxyOp::create(b, NVVM::ProxyKind::async_shared, NVVM::SharedSpaceAttr::get(context, NVVM::SharedSpace::shared_cta));
    b.sync(); // The stage of this round is there, that of the round before has been read.
    loadAhead(s, round);
    return {multiplyGroupStage(s, b.rem(round, s.shape.stages), now[0])};
  })[0];
  SmallVector<Value> all;
  for (int64_t i = 0; i < s.sums(); ++i)
    all.push_back(LLVM::ExtractValueOp::create(b, sums, i));
  return all;
}

} // namespace moe
