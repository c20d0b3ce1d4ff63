// The nvvm ops of sm_90 as calls of the SIMT executor: mbarriers, bulk copies, wgmma.
#include "SimtCalls.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "moe/Codegen/CUDA/Simt/Abi.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace moe {

LogicalResult SimtCalls::convertMemoryBarrierOp(Operation *op, bool &done) {
  OpBuilder builder(op);
  Location loc = op->getLoc();
  Type i32 = builder.getI32Type(), i64 = builder.getI64Type();
  auto number = [&](uint32_t value) { return constant(builder, loc, value); };
  auto arrive = [&](Value barrier, Value count, Value bytes) {
    Value token = call(builder, op, "simt_mbarrier_arrive", i64, {generic(builder, loc, barrier), count, bytes});
    if (op->getNumResults())
      op->getResult(0).replaceAllUsesWith(token);
  };
  auto waitFor = [&](Value barrier, Value phase, uint32_t kind) {
    const bool isParity = phase.getType() == i32;
    if (isParity)
      phase = LLVM::ZExtOp::create(builder, loc, i64, phase);
    Value ended = call(builder, op, "simt_mbarrier_wait", i32, {generic(builder, loc, barrier), phase, number(isParity), number(kind)});
    if (op->getNumResults())
      op->getResult(0).replaceAllUsesWith(LLVM::TruncOp::create(builder, loc, op->getResult(0).getType(), ended));
  };
  bool isPredicated = false;
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](NVVM::MBarrierInitOp init) {
        isPredicated = static_cast<bool>(init.getPredicate());
        call(builder, op, "simt_mbarrier_init", {}, {generic(builder, loc, init.getAddr()), init.getCount()});
      })
      .Case([&](NVVM::MBarrierInvalOp inval) { call(builder, op, "simt_mbarrier_invalidate", {}, {generic(builder, loc, inval.getAddr())}); })
      .Case([&](NVVM::MBarrierArriveOp arrival) { arrive(arrival.getAddr(), arrival.getCount() ? arrival.getCount() : number(1), number(0)); })
      .Case([&](NVVM::MBarrierArriveExpectTxOp arrival) {
        isPredicated = static_cast<bool>(arrival.getPredicate());
        arrive(arrival.getAddr(), number(1), arrival.getTxcount());
      })
      .Case([&](NVVM::MBarrierExpectTxOp expect) { arrive(expect.getAddr(), number(0), expect.getTxcount()); })
      .Case([&](NVVM::MBarrierTestWaitOp test) { waitFor(test.getAddr(), test.getStateOrPhase(), 0); })
      .Case([&](NVVM::MBarrierTryWaitOp attempt) { waitFor(attempt.getAddr(), attempt.getStateOrPhase(), 1); })
      // This one is a loop already.
      .Case([&](NVVM::MBarrierTryWaitParityOp attempt) { waitFor(attempt.getAddr(), attempt.getPhase(), 2); })
      .Case([&](NVVM::CpAsyncMBarrierArriveOp arrival) {
        call(builder, op, "simt_mbarrier_arrive_copies", {}, {generic(builder, loc, arrival.getAddr()), number(arrival.getNoinc())});
      })
      .Case([&](NVVM::FenceProxyOp) { call(builder, op, "simt_fence_proxy", {}, {}, /*withSite=*/false); })
      // An mbarrier is seen after the barrier that must follow its initialisation.
      .Case<NVVM::FenceMbarrierInitOp>([](Operation *) {})
      .Default([&](Operation *) { done = false; });
  if (isPredicated)
    return op->emitError("the SIMT executor takes no predicate here; use a branch");
  if (done)
    op->erase();
  return success();
}

LogicalResult SimtCalls::convertBulkOp(Operation *op, bool &done) {
  OpBuilder builder(op);
  Location loc = op->getLoc();
  auto pointer = [&](Value value) { return generic(builder, loc, value); };
  auto coordinates = [&](ValueRange values) {
    Value words = frameWords(op, values.size());
    storeWords(builder, loc, values, words);
    return words;
  };
  bool isOdd = false;
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](NVVM::CpAsyncBulkGlobalToSharedClusterOp copy) {
        isOdd = static_cast<bool>(copy.getMulticastMask());
        call(builder, op, "simt_bulk_load", {}, {pointer(copy.getDstMem()), pointer(copy.getSrcMem()), pointer(copy.getMbar()), copy.getSize()});
      })
      .Case([&](NVVM::CpAsyncBulkSharedCTAToGlobalOp copy) {
        isOdd = static_cast<bool>(copy.getByteMask());
        call(builder, op, "simt_bulk_store", {}, {pointer(copy.getDstMem()), pointer(copy.getSrcMem()), copy.getSize()});
      })
      .Case([&](NVVM::CpAsyncBulkCommitGroupOp) { call(builder, op, "simt_bulk_commit", {}, {}, /*withSite=*/false); })
      .Case([&](NVVM::CpAsyncBulkWaitGroupOp wait) {
        call(builder, op, "simt_bulk_wait", {}, {constant(builder, loc, wait.getGroup()), constant(builder, loc, wait.getRead().value_or(false))},
             /*withSite=*/false);
      })
      .Case([&](NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp copy) {
        isOdd = copy.getMulticastMask() || copy.getPredicate() || copy.getMode() != NVVM::TMALoadMode::TILE || copy.getGroup();
        call(builder, op, "simt_tensor_load", {},
             {pointer(copy.getDstMem()), pointer(copy.getTmaDescriptor()), pointer(copy.getMbar()), coordinates(copy.getCoordinates()),
              constant(builder, loc, copy.getCoordinates().size())});
      })
      .Case([&](NVVM::CpAsyncBulkTensorSharedCTAToGlobalOp copy) {
        isOdd = copy.getPredicate() || copy.getMode() != NVVM::TMAStoreMode::TILE;
        call(builder, op, "simt_tensor_store", {},
             {pointer(copy.getTmaDescriptor()), pointer(copy.getSrcMem()), coordinates(copy.getCoordinates()),
              constant(builder, loc, copy.getCoordinates().size())});
      })
      .Default([&](Operation *) { done = false; });
  if (isOdd)
    return op->emitError("the SIMT executor copies tiles without multicast, predicate or mask only");
  if (done)
    op->erase();
  return success();
}

/// The executor's number of an element type of wgmma, or nothing.
static std::optional<uint32_t> typeOf(NVVM::WGMMATypes type) {
  switch (type) {
  case NVVM::WGMMATypes::f16:
    return simtF16;
  case NVVM::WGMMATypes::bf16:
    return simtBF16;
  case NVVM::WGMMATypes::tf32:
    return simtTF32;
  case NVVM::WGMMATypes::f32:
    return simtF32;
  default:
    return std::nullopt;
  }
}

LogicalResult SimtCalls::convertGroupOp(Operation *op, bool &done) {
  OpBuilder builder(op);
  Location loc = op->getLoc();
  if (auto product = dyn_cast<NVVM::WgmmaMmaAsyncOp>(op)) {
    const std::optional<uint32_t> a = typeOf(product.getTypeA()), b = typeOf(product.getTypeB()), d = typeOf(product.getTypeD());
    if (!a || !b || d != simtF32)
      return op->emitError("the SIMT executor has wgmma of f16, bf16 and tf32 with sums in f32 only");
    const bool isTurned = product.getLayoutB() == NVVM::MMALayout::row;
    if (product.getLayoutA() != NVVM::MMALayout::row || (isTurned && (*b == simtTF32)))
      return op->emitError("the SIMT executor has wgmma of K-major operands, and of f16 and bf16 with B by rows too");
    const uint32_t n = product.getShape().getN(), k = product.getShape().getK();
    const uint32_t flags = (product.getScaleD() == NVVM::WGMMAScaleOut::one ? 1 : 0) | (product.getScaleA() == NVVM::WGMMAScaleIn::neg ? 2 : 0) |
                           (product.getScaleB() == NVVM::WGMMAScaleIn::neg ? 4 : 0) | (isTurned ? 8 : 0);
    Value words = frameWords(op, n / 2);
    SmallVector<Value> sums;
    for (auto [i, type] : llvm::enumerate(cast<LLVM::LLVMStructType>(product.getInouts().getType()).getBody()))
      sums.push_back(LLVM::ExtractValueOp::create(builder, loc, type, product.getInouts(), ArrayRef<int64_t>{int64_t(i)}));
    storeWords(builder, loc, sums, words);
    call(builder, op, "simt_wgmma", {},
         {product.getDescriptorA(), product.getDescriptorB(), constant(builder, loc, n | k << 16), constant(builder, loc, *a | *b << 8 | *d << 16),
          constant(builder, loc, flags), words});
    product.getResults().replaceAllUsesWith(loadWords(builder, loc, words, product.getResults().getType()));
  } else if (isa<NVVM::WgmmaGroupSyncAlignedOp>(op)) {
    call(builder, op, "simt_wgmma_commit", {}, {}, /*withSite=*/false);
  } else if (auto wait = dyn_cast<NVVM::WgmmaWaitGroupSyncOp>(op)) {
    call(builder, op, "simt_wgmma_wait", {}, {constant(builder, loc, wait.getGroup())}, /*withSite=*/false);
  } else if (!isa<NVVM::WgmmaFenceAlignedOp>(op)) {
    done = false;
    return success();
  }
  op->erase();
  return success();
}

} // namespace moe
