// One nvvm op after the other becomes a call of the SIMT executor. Registers of a matrix travel through words in the frame.
#include "SimtCalls.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "moe/Codegen/CUDA/Simt/Abi.h"

#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace moe {

Value SimtCalls::bits32(OpBuilder &builder, Location loc, Value value) {
  Type i32 = builder.getI32Type();
  if (value.getType() == i32)
    return value;
  if (auto integer = dyn_cast<IntegerType>(value.getType()); integer && integer.getWidth() < 32)
    return LLVM::ZExtOp::create(builder, loc, i32, value);
  return LLVM::BitcastOp::create(builder, loc, i32, value);
}

Value SimtCalls::fromBits32(OpBuilder &builder, Location loc, Value value, Type type) {
  if (value.getType() == type)
    return value;
  if (auto integer = dyn_cast<IntegerType>(type); integer && integer.getWidth() < 32)
    return LLVM::TruncOp::create(builder, loc, type, value);
  return LLVM::BitcastOp::create(builder, loc, type, value);
}

Value SimtCalls::frameWords(Operation *op, unsigned count) {
  auto function = op->getParentOfType<LLVM::LLVMFuncOp>();
  OpBuilder builder = OpBuilder::atBlockBegin(&function.getBody().front());
  return LLVM::AllocaOp::create(builder, op->getLoc(), pointerType(), builder.getI32Type(), constant(builder, op->getLoc(), count), 16);
}

void SimtCalls::storeWords(OpBuilder &builder, Location loc, ValueRange values, Value words) {
  for (auto [i, value] : llvm::enumerate(values)) {
    Value slot = LLVM::GEPOp::create(builder, loc, pointerType(), builder.getI32Type(), words, ArrayRef<LLVM::GEPArg>{int32_t(i)});
    LLVM::StoreOp::create(builder, loc, bits32(builder, loc, value), slot);
  }
}

Value SimtCalls::loadWords(OpBuilder &builder, Location loc, Value words, Type type) {
  auto loadOne = [&](unsigned i, Type element) {
    Value slot = LLVM::GEPOp::create(builder, loc, pointerType(), builder.getI32Type(), words, ArrayRef<LLVM::GEPArg>{int32_t(i)});
    return fromBits32(builder, loc, LLVM::LoadOp::create(builder, loc, builder.getI32Type(), slot), element);
  };
  auto structure = dyn_cast<LLVM::LLVMStructType>(type);
  if (!structure)
    return loadOne(0, type);
  Value result = LLVM::UndefOp::create(builder, loc, type);
  for (auto [i, element] : llvm::enumerate(structure.getBody()))
    result = LLVM::InsertValueOp::create(builder, loc, result, loadOne(i, element), ArrayRef<int64_t>{int64_t(i)});
  return result;
}

/// The register that an op reads, or nothing.
static std::optional<SimtRegister> registerOf(StringRef op) {
  if (!op.consume_front("nvvm.read.ptx.sreg."))
    return std::nullopt;
  const std::pair<StringRef, SimtRegister> names[] = {
      {"tid.x", simtTidX}, {"tid.y", simtTidY}, {"tid.z", simtTidZ}, {"ntid.x", simtNtidX}, {"ntid.y", simtNtidY}, {"ntid.z", simtNtidZ},
      {"ctaid.x", simtCtaidX}, {"ctaid.y", simtCtaidY}, {"ctaid.z", simtCtaidZ}, {"nctaid.x", simtNctaidX}, {"nctaid.y", simtNctaidY},
      {"nctaid.z", simtNctaidZ}, {"laneid", simtLaneId}, {"warpsize", simtWarpSize}, {"warpid", simtWarpId}, {"nwarpid", simtNwarpId},
      {"smid", simtSmId}, {"nsmid", simtNsmId}, {"lanemask.eq", simtLaneMaskEq}, {"lanemask.le", simtLaneMaskLe},
      {"lanemask.lt", simtLaneMaskLt}, {"lanemask.ge", simtLaneMaskGe}, {"lanemask.gt", simtLaneMaskGt}, {"total.smem.size", simtTotalShared},
      {"dynamic.smem.size", simtDynamicShared}};
  for (const auto &[name, number] : names)
    if (op == name)
      return number;
  return std::nullopt;
}

LogicalResult SimtCalls::convertNvvm(Operation *op) {
  if (std::optional<SimtRegister> number = registerOf(op->getName().getStringRef())) {
    OpBuilder builder(op);
    Value value = call(builder, op, "simt_register", builder.getI32Type(), {constant(builder, op->getLoc(), *number)}, /*withSite=*/false);
    if (value.getType() != op->getResult(0).getType())
      value = LLVM::ZExtOp::create(builder, op->getLoc(), op->getResult(0).getType(), value);
    op->getResult(0).replaceAllUsesWith(value);
    op->erase();
    return success();
  }
  for (auto convert : {&SimtCalls::convertBarrierOp, &SimtCalls::convertWarpOp, &SimtCalls::convertMatrixOp, &SimtCalls::convertScalarOp,
                       &SimtCalls::convertMemoryBarrierOp, &SimtCalls::convertBulkOp, &SimtCalls::convertGroupOp}) {
    bool done = true;
    if (failed((this->*convert)(op, done)))
      return failure();
    if (done)
      return success();
  }
  return op->emitError() << "the SIMT executor does not know '" << op->getName() << "'";
}

LogicalResult SimtCalls::convertBarrierOp(Operation *op, bool &done) {
  OpBuilder builder(op);
  Location loc = op->getLoc();
  auto orZero = [&](Value value) { return value ? value : constant(builder, loc, 0); };
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](NVVM::Barrier0Op) { call(builder, op, "simt_barrier", {}, {orZero({}), orZero({})}); })
      .Case([&](NVVM::BarrierOp barrier) {
        Value id = orZero(barrier.getBarrierId()), count = orZero(barrier.getNumberOfThreads());
        if (!barrier.getReductionOp()) {
          call(builder, op, "simt_barrier", {}, {id, count});
          return;
        }
        Value kind = constant(builder, loc, static_cast<uint32_t>(*barrier.getReductionOp()));
        Value result = call(builder, op, "simt_barrier_reduce", builder.getI32Type(), {id, count, kind, barrier.getReductionPredicate()});
        barrier.getResult(0).replaceAllUsesWith(result);
      })
      .Case([&](NVVM::BarrierArriveOp arrive) {
        call(builder, op, "simt_barrier_arrive", {}, {orZero(arrive.getBarrierId()), arrive.getNumberOfThreads()});
      })
      .Case([&](NVVM::SyncWarpOp sync) { call(builder, op, "simt_warp_sync", {}, {sync.getMask()}); })
      .Case([&](NVVM::MembarOp fence) {
        call(builder, op, "simt_fence", {}, {constant(builder, loc, static_cast<uint32_t>(fence.getScope()))}, /*withSite=*/false);
      })
      .Case([&](NVVM::CpAsyncOp copy) {
        Value size = constant(builder, loc, copy.getSize());
        call(builder, op, "simt_cp_async", {},
             {generic(builder, loc, copy.getDst()), generic(builder, loc, copy.getSrc()), size, copy.getCpSize() ? copy.getCpSize() : size});
      })
      .Case([&](NVVM::CpAsyncCommitGroupOp) { call(builder, op, "simt_cp_async_commit", {}, {}, /*withSite=*/false); })
      .Case([&](NVVM::CpAsyncWaitGroupOp wait) {
        call(builder, op, "simt_cp_async_wait", {}, {constant(builder, loc, wait.getN())}, /*withSite=*/false);
      })
      // What only steers the hardware.
      .Case<NVVM::SetMaxRegisterOp, NVVM::PrefetchOp, NVVM::GriddepcontrolOp, NVVM::NanosleepOp>([](Operation *) {})
      .Default([&](Operation *) { done = false; });
  if (done)
    op->erase();
  return success();
}

/// The first and second part of what a collective answers in 64 bits: a word, and a predicate in bit 32.
static Value unpack(OpBuilder &builder, Location loc, Value packed, Type type, llvm::function_ref<Value(Value, Type)> fromBits) {
  Value word = LLVM::TruncOp::create(builder, loc, builder.getI32Type(), packed);
  auto structure = dyn_cast<LLVM::LLVMStructType>(type);
  if (!structure)
    return fromBits(word, type);
  Value shift = LLVM::ConstantOp::create(builder, loc, builder.getI64IntegerAttr(32));
  Value predicate = LLVM::TruncOp::create(builder, loc, builder.getI1Type(), LLVM::LShrOp::create(builder, loc, packed, shift));
  Value result = LLVM::UndefOp::create(builder, loc, type);
  result = LLVM::InsertValueOp::create(builder, loc, result, fromBits(word, structure.getBody()[0]), ArrayRef<int64_t>{0});
  return LLVM::InsertValueOp::create(builder, loc, result, predicate, ArrayRef<int64_t>{1});
}

LogicalResult SimtCalls::convertWarpOp(Operation *op, bool &done) {
  OpBuilder builder(op);
  Location loc = op->getLoc();
  Type i32 = builder.getI32Type(), i64 = builder.getI64Type();
  auto number = [&](auto kind) { return constant(builder, loc, static_cast<uint32_t>(kind)); };
  auto fromBits = [&](Value value, Type type) { return fromBits32(builder, loc, value, type); };
  auto toPredicate = [&](Value value, Type type) -> Value {
    if (type == i32)
      return value;
    return LLVM::TruncOp::create(builder, loc, type, value);
  };
  Value result;
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](NVVM::ShflOp shuffle) {
        Value packed = call(builder, op, "simt_shuffle", i64,
                            {shuffle.getThreadMask(), bits32(builder, loc, shuffle.getVal()), shuffle.getOffset(), shuffle.getMaskAndClamp(),
                             number(shuffle.getKind())});
        result = unpack(builder, loc, packed, shuffle.getType(), fromBits);
      })
      .Case([&](NVVM::VoteSyncOp vote) {
        Value answer = call(builder, op, "simt_vote", i32, {vote.getMask(), bits32(builder, loc, vote.getPred()), number(vote.getKind())});
        result = toPredicate(answer, vote.getType());
      })
      .Case([&](NVVM::MatchSyncOp match) {
        Value value = match.getVal();
        if (value.getType() != i64)
          value = LLVM::ZExtOp::create(builder, loc, i64, value);
        Value packed = call(builder, op, "simt_match", i64, {match.getThreadMask(), value, number(match.getKind())});
        result = unpack(builder, loc, packed, match.getType(), fromBits);
      })
      .Case([&](NVVM::ReduxOp redux) {
        Value flags = constant(builder, loc, (redux.getAbs() ? 1 : 0) | (redux.getNan() ? 2 : 0));
        Value answer = call(builder, op, "simt_redux", i32,
                            {redux.getMaskAndClamp(), bits32(builder, loc, redux.getVal()), number(redux.getKind()), flags});
        result = fromBits(answer, redux.getType());
      })
      .Case([&](NVVM::ElectSyncOp elect) {
        Value mask = elect.getMembermask() ? elect.getMembermask() : constant(builder, loc, 0xFFFFFFFFu);
        result = toPredicate(call(builder, op, "simt_elect", i32, {mask}), elect.getType());
      })
      .Default([&](Operation *) { done = false; });
  if (done) {
    op->getResult(0).replaceAllUsesWith(result);
    op->erase();
  }
  return success();
}

/// False and an error if a product is not one that the executor has.
static LogicalResult checkProduct(NVVM::MmaOp product, NVVM::MMATypes a, NVVM::MMATypes b) {
  using T = NVVM::MMATypes;
  const int64_t m = product.getShape().getM(), n = product.getShape().getN(), k = product.getShape().getK();
  if (product.getLayoutA() != NVVM::MMALayout::row || product.getLayoutB() != NVVM::MMALayout::col)
    return product.emitError("the SIMT executor multiplies a row-major A by a column-major B only");
  if (product.accumPtxType() != product.resultPtxType())
    return product.emitError() << "the SIMT executor adds to an accumulator of the result's type, found " << NVVM::stringifyEnum(product.accumPtxType())
                               << " and " << NVVM::stringifyEnum(product.resultPtxType());
  const bool half = (a == T::f16 || a == T::bf16) && a == b && (k == 16 || k == 8);
  const bool tf32 = a == T::tf32 && a == b && (k == 8 || k == 4);
  const bool integer = (a == T::s8 || a == T::u8) && (b == T::s8 || b == T::u8) && (k == 32 || k == 16);
  if (m != 16 || n != 8 || !(half || tf32 || integer))
    return product.emitError() << "the SIMT executor has no product m" << m << "n" << n << "k" << k << " of " << NVVM::stringifyEnum(a) << " and "
                               << NVVM::stringifyEnum(b);
  return success();
}

LogicalResult SimtCalls::convertMatrixOp(Operation *op, bool &done) {
  OpBuilder builder(op);
  Location loc = op->getLoc();
  auto columns = [](NVVM::MMALayout layout) { return layout == NVVM::MMALayout::col; };
  auto checkMatrix = [&](auto matrix) -> LogicalResult {
    if (matrix.getEltType() == NVVM::LdStMatrixEltType::B16 && matrix.getShape().getM() == 8 && matrix.getShape().getN() == 8)
      return success();
    return op->emitError("the SIMT executor moves matrices of 8x8 b16 only");
  };
  if (auto load = dyn_cast<NVVM::LdMatrixOp>(op)) {
    if (failed(checkMatrix(load)))
      return failure();
    Value words = frameWords(op, load.getNum());
    call(builder, op, "simt_ldmatrix", {},
         {generic(builder, loc, load.getPtr()), constant(builder, loc, load.getNum()), constant(builder, loc, columns(load.getLayout())), words});
    op->getResult(0).replaceAllUsesWith(loadWords(builder, loc, words, load.getType()));
  } else if (auto store = dyn_cast<NVVM::StMatrixOp>(op)) {
    if (failed(checkMatrix(store)))
      return failure();
    Value words = frameWords(op, store.getSources().size());
    storeWords(builder, loc, store.getSources(), words);
    call(builder, op, "simt_stmatrix", {},
         {generic(builder, loc, store.getPtr()), constant(builder, loc, store.getSources().size()),
          constant(builder, loc, columns(store.getLayout())), words});
  } else if (auto product = dyn_cast<NVVM::MmaOp>(op)) {
    auto typeOf = [](std::optional<NVVM::MMATypes> given, Value first) {
      return given ? *given : NVVM::MmaOp::inferOperandMMAType(first.getType(), /*isAccumulator=*/false).value_or(NVVM::MMATypes::b1);
    };
    const auto a = typeOf(product.getMultiplicandAPtxType(), product.getOperandA()[0]);
    const auto b = typeOf(product.getMultiplicandBPtxType(), product.getOperandB()[0]);
    if (failed(checkProduct(product, a, b)))
      return failure();
    const bool saturates = product.getIntOverflowBehavior() && *product.getIntOverflowBehavior() == NVVM::MMAIntOverflow::satfinite;
    const uint32_t shape = 16 | 8 << 8 | product.getShape().getK() << 16 | (saturates ? 1u << 24 : 0);
    const uint32_t types = uint32_t(a) | uint32_t(b) << 8 | uint32_t(product.accumPtxType()) << 16 | uint32_t(product.resultPtxType()) << 24;
    Value words[] = {frameWords(op, 4), frameWords(op, 4), frameWords(op, 4), frameWords(op, 4)};
    storeWords(builder, loc, product.getOperandA(), words[0]);
    storeWords(builder, loc, product.getOperandB(), words[1]);
    storeWords(builder, loc, product.getOperandC(), words[2]);
    call(builder, op, "simt_mma", {},
         {constant(builder, loc, shape), constant(builder, loc, types), words[0], words[1], words[2], words[3]});
    op->getResult(0).replaceAllUsesWith(loadWords(builder, loc, words[3], product.getType()));
  } else {
    done = false;
    return success();
  }
  op->erase();
  return success();
}

LogicalResult SimtCalls::convertScalarOp(Operation *op, bool &done) {
  OpBuilder builder(op);
  Location loc = op->getLoc();
  if (auto reciprocal = dyn_cast<NVVM::RcpApproxFtzF32Op>(op)) {
    Value one = LLVM::ConstantOp::create(builder, loc, builder.getF32FloatAttr(1.0f));
    op->getResult(0).replaceAllUsesWith(LLVM::FDivOp::create(builder, loc, one, op->getOperand(0)));
  } else if (isa<NVVM::InlinePtxOp>(op)) {
    return convertInlinePtx(op);
  } else {
    done = false;
    return success();
  }
  op->erase();
  return success();
}

LogicalResult SimtCalls::convertInlinePtx(Operation *op) {
  auto ptx = cast<NVVM::InlinePtxOp>(op);
  OpBuilder builder(op);
  Location loc = op->getLoc();
  // "name %0, %1;": a function of one number. The operands may be written with $ or %.
  std::string text = ptx.getPtxCode().str();
  std::replace(text.begin(), text.end(), '$', '%');
  auto [name, operands] = StringRef(text).trim().split(' ');
  const bool unary = operands.trim() == "%0, %1;" && op->getNumOperands() == 1 && op->getNumResults() == 1 && op->getResult(0).getType().isF32();
  Value result;
  if (unary) {
    Value x = op->getOperand(0);
    Value one = LLVM::ConstantOp::create(builder, loc, builder.getF32FloatAttr(1.0f));
    name.consume_back(".f32");
    name.consume_back(".ftz");
    if (name == "ex2.approx")
      result = LLVM::Exp2Op::create(builder, loc, x);
    else if (name == "lg2.approx")
      result = LLVM::Log2Op::create(builder, loc, x);
    else if (name == "sqrt.approx")
      result = LLVM::SqrtOp::create(builder, loc, x);
    else if (name == "tanh.approx")
      result = LLVM::TanhOp::create(builder, loc, x);
    else if (name == "rcp.approx")
      result = LLVM::FDivOp::create(builder, loc, one, x);
    else if (name == "rsqrt.approx")
      result = LLVM::FDivOp::create(builder, loc, one, LLVM::SqrtOp::create(builder, loc, x));
  }
  if (!result)
    return op->emitError() << "the SIMT executor does not know the PTX '" << ptx.getPtxCode() << "'";
  op->getResult(0).replaceAllUsesWith(result);
  op->erase();
  return success();
}

} // namespace moe
