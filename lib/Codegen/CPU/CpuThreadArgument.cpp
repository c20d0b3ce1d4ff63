// Thread and rank numbers, barriers, exchanges between ranks and weights become loads from the MoeThread that each thread of the runtime passes in. Must run while functions
// are still func.func on memrefs; the field numbers below are those of moe/Runtime/Kernel.h.
#include "moe/Codegen/CPU/Passes.h"

#include "CodegenNames.h"
#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "moe/IR/MoeDialect.h"

namespace moe {
#define GEN_PASS_DEF_CPUTHREADARGUMENT
#include "moe/Codegen/CPU/Passes.h.inc"

using namespace mlir;

namespace {

constexpr int64_t weightAlignment = 64;

/// Fields of MoeThread; each has 8 bytes.
enum ThreadField : int32_t { Thread = 0, Threads = 1, Barrier = 2, Sections = 3, Fault = 4, Rank = 5, Ranks = 6, Ranking = 7 };

bool isCollective(Operation *op) { return isa<ExchangeOp, ExchangeStartOp, ExchangeWaitOp, GatherSharesOp>(op); }
bool needsThread(Operation *op) { return isa<ThreadIdOp, NumThreadsOp, BarrierOp, FaultOp, WeightRefOp, RankOp, NumRanksOp>(op) || isCollective(op); }

Value loadInvariant(OpBuilder &builder, Location loc, Type type, Value address, int32_t slot) {
  Type pointer = LLVM::LLVMPointerType::get(builder.getContext());
  if (slot)
    address = LLVM::GEPOp::create(builder, loc, pointer, pointer, address, ArrayRef<LLVM::GEPArg>{slot},
                                  LLVM::GEPNoWrapFlags::inbounds);
  return LLVM::LoadOp::create(builder, loc, type, address, /*alignment=*/8, /*isVolatile=*/false, /*isNonTemporal=*/false,
                              /*isInvariant=*/true);
}

struct CpuThreadArgument : impl::CpuThreadArgumentBase<CpuThreadArgument> {
  using Base::Base;

  void runOnOperation() override {
    collect();
    if (failed(checkReferences()))
      return signalPassFailure();
    for (func::FuncOp function : needing)
      addArgument(function);
    for (func::FuncOp function : needing) {
      SmallVector<Operation *> ops;
      function.walk([&](Operation *op) {
        if (needsThread(op) || isa<func::CallOp>(op))
          ops.push_back(op);
      });
      for (Operation *op : ops)
        if (failed(rewrite(op, function.getArgument(function.getNumArguments() - 1))))
          return signalPassFailure();
    }
    for (Operation &op : llvm::make_early_inc_range(*getOperation().getBody()))
      if (isa<WeightOp, MeshOp>(op))
        op.erase();
  }

private:
  /// Fills `needing`: the entry, functions with such ops, and those that call one.
  void collect() {
    needing.clear();
    DenseMap<StringAttr, SmallVector<func::FuncOp>> callers;
    SmallVector<func::FuncOp> open;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      bool direct = function->hasAttr("moe.entry");
      function.walk([&](Operation *op) {
        direct |= needsThread(op);
        if (auto call = dyn_cast<func::CallOp>(op))
          callers[call.getCalleeAttr().getAttr()].push_back(function);
      });
      if (direct && needing.insert(function))
        open.push_back(function);
    }
    while (!open.empty())
      for (func::FuncOp caller : callers[open.pop_back_val().getSymNameAttr()])
        if (needing.insert(caller))
          open.push_back(caller);
    for (func::FuncOp function : needing)
      names.insert(function.getSymNameAttr());
  }

  /// A function used as a value could not be given its argument at the call.
  LogicalResult checkReferences() {
    WalkResult result = getOperation().walk([&](func::ConstantOp op) {
      if (!names.contains(op.getValueAttr().getAttr()))
        return WalkResult::advance();
      op.emitOpError("takes the address of a function that needs the thread: ") << op.getValueAttr();
      return WalkResult::interrupt();
    });
    for (func::FuncOp function : needing)
      if (function->hasAttr("moe.shapes"))
        return function.emitOpError("is the shape function and must not use threads or weights");
    return failure(result.wasInterrupted());
  }

  void addArgument(func::FuncOp function) {
    Type pointer = LLVM::LLVMPointerType::get(&getContext());
    Builder builder(&getContext());
    auto attributes = builder.getDictionaryAttr({builder.getNamedAttr(LLVM::LLVMDialect::getNoAliasAttrName(), builder.getUnitAttr()),
                                                 builder.getNamedAttr(LLVM::LLVMDialect::getReadonlyAttrName(), builder.getUnitAttr())});
    // Only the runtime writes a MoeThread, before the run.
    (void)function.insertArgument(function.getNumArguments(), pointer, attributes, function.getLoc());
  }

  LogicalResult rewrite(Operation *op, Value thread) {
    OpBuilder builder(op);
    Location loc = op->getLoc();
    if (auto call = dyn_cast<func::CallOp>(op)) {
      if (names.contains(call.getCalleeAttr().getAttr()))
        call.getOperandsMutable().append(thread);
      return success();
    }
    if (auto weight = dyn_cast<WeightRefOp>(op))
      return rewriteWeight(weight, thread);
    if (isa<BarrierOp>(op)) {
      Type pointer = LLVM::LLVMPointerType::get(&getContext());
      Value barrier = loadInvariant(builder, loc, pointer, thread, Barrier);
      LLVM::CallOp::create(builder, loc, declare(barrierFunction, barrier.getType()), barrier);
    } else if (auto fault = dyn_cast<FaultOp>(op)) {
      Type number = builder.getI64Type(), pointer = LLVM::LLVMPointerType::get(&getContext());
      SmallVector<Value> operands = {loadInvariant(builder, loc, pointer, thread, Fault),
                                     LLVM::ConstantOp::create(builder, loc, number, fault.getNumberAttr())};
      for (Value operand : fault.getOperands())
        operands.push_back(arith::IndexCastOp::create(builder, loc, number, operand));
      LLVM::CallOp::create(builder, loc, declare(faultFunction, llvm::to_vector(ValueRange(operands).getTypes())), operands);
    } else if (isCollective(op)) {
      rewriteCollective(op, thread);
    } else {
      const ThreadField field = isa<ThreadIdOp>(op) ? Thread : isa<NumThreadsOp>(op) ? Threads : isa<RankOp>(op) ? Rank : Ranks;
      Value number = loadInvariant(builder, loc, builder.getI64Type(), thread, field);
      op->replaceAllUsesWith(arith::IndexCastOp::create(builder, loc, builder.getIndexType(), number));
    }
    op->erase();
    return success();
  }

  static StringRef functionOf(Operation *op) {
    return isa<ExchangeOp>(op)        ? exchangeFunction
           : isa<ExchangeStartOp>(op) ? exchangeStartFunction
           : isa<ExchangeWaitOp>(op)  ? exchangeWaitFunction
                                      : gatherFunction;
  }

  /// The call of the runtime: the ranks, the buffers, for a gather the rows and those of a sequence, the bytes of a row, and for a start the tokens, null where they are not known, and the devices of a node.
  void rewriteCollective(Operation *op, Value thread) {
    OpBuilder builder(op);
    const Location loc = op->getLoc();
    const Type pointer = LLVM::LLVMPointerType::get(&getContext()), number = builder.getI64Type();
    SmallVector<Value> operands = {loadInvariant(builder, loc, pointer, thread, Ranking)};
    for (Value buffer : op->getOperands()) {
      if (!isa<MemRefType>(buffer.getType()))
        continue;
      Value address = memref::ExtractAlignedPointerAsIndexOp::create(builder, loc, buffer);
      address = arith::IndexCastOp::create(builder, loc, number, address);
      operands.push_back(LLVM::IntToPtrOp::create(builder, loc, pointer, address));
    }
    const Value rows = op->getOperand(0);
    auto size = [&](int64_t dim) -> Value {
      return arith::IndexCastOp::create(builder, loc, number, memref::DimOp::create(builder, loc, rows, dim).getResult());
    };
    if (auto gather = dyn_cast<GatherSharesOp>(op))
      operands.append({size(0), arith::IndexCastOp::create(builder, loc, number, gather.getUnit())});
    const int64_t bytes = cast<MemRefType>(rows.getType()).getElementTypeBitWidth() / 8;
    Value element = LLVM::ConstantOp::create(builder, loc, number, builder.getI64IntegerAttr(bytes));
    operands.push_back(LLVM::MulOp::create(builder, loc, size(1), element));
    if (auto start = dyn_cast<ExchangeStartOp>(op); start && !start.getToken())
      operands.insert(operands.begin() + 5, LLVM::ZeroOp::create(builder, loc, pointer));
    if (auto start = dyn_cast<ExchangeStartOp>(op))
      operands.push_back(LLVM::ConstantOp::create(builder, loc, number, start.getPerNodeAttr()));
    LLVM::CallOp::create(builder, loc, declare(functionOf(op), llvm::to_vector(ValueRange(operands).getTypes())), operands);
  }

  LogicalResult rewriteWeight(WeightRefOp op, Value thread) {
    auto weight = SymbolTable::lookupNearestSymbolFrom<WeightOp>(op, op.getWeightAttr());
    auto type = dyn_cast<MemRefType>(op.getType());
    if (!type || !type.hasStaticShape() || !type.getLayout().isIdentity())
      return op.emitOpError("must be a memref of static shape and identity layout after lower, found ") << op.getType();
    if (!weight || !weight.getSection() || !weight.getOffset())
      return op.emitOpError("reads ") << op.getWeightAttr() << ", which has no place in model.weights";
    // The attributes are signed; their accessors are not.
    const auto section = static_cast<int64_t>(*weight.getSection()), offset = static_cast<int64_t>(*weight.getOffset());
    if (section < 0 || section > std::numeric_limits<int32_t>::max() || offset < 0 || offset % weightAlignment)
      return op.emitOpError("reads ") << op.getWeightAttr() << " at section " << section << ", offset " << offset
                                      << "; an offset is a multiple of 64";
    OpBuilder builder(op);
    Location loc = op.getLoc();
    Type pointer = LLVM::LLVMPointerType::get(&getContext());
    Value sections = loadInvariant(builder, loc, pointer, thread, Sections);
    Value base = loadInvariant(builder, loc, pointer, sections, static_cast<int32_t>(section));
    Value distance = LLVM::ConstantOp::create(builder, loc, builder.getI64Type(), builder.getI64IntegerAttr(offset));
    auto address = LLVM::GEPOp::create(builder, loc, pointer, builder.getI8Type(), base, ValueRange{distance},
                                       LLVM::GEPNoWrapFlags::inbounds);
    address->setDiscardableAttr(weightAddressAttrName, builder.getUnitAttr());
    Value yes = LLVM::ConstantOp::create(builder, loc, builder.getI1Type(), builder.getBoolAttr(true));
    Value alignment = LLVM::ConstantOp::create(builder, loc, builder.getI64Type(), builder.getI64IntegerAttr(weightAlignment));
    LLVM::AssumeOp::create(builder, loc, yes, LLVM::AssumeAlignTag(), address, alignment);
    LLVMTypeConverter converter(&getContext());
    Value descriptor = MemRefDescriptor::fromStaticShape(builder, loc, converter, type, address);
    op.replaceAllUsesWith(UnrealizedConversionCastOp::create(builder, loc, type, descriptor).getResult(0));
    op.erase();
    return success();
  }

  /// A function of the runtime that returns nothing.
  LLVM::LLVMFuncOp declare(StringRef name, ArrayRef<Type> arguments) {
    if (auto declared = getOperation().lookupSymbol<LLVM::LLVMFuncOp>(name))
      return declared;
    OpBuilder builder = OpBuilder::atBlockEnd(getOperation().getBody());
    auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(&getContext()), arguments);
    auto function = LLVM::LLVMFuncOp::create(builder, getOperation().getLoc(), name, type);
    // Defined in the same model.so: no PLT.
    function.setVisibility_(LLVM::Visibility::Hidden);
    return function;
  }

  llvm::SetVector<func::FuncOp> needing;
  llvm::DenseSet<StringAttr> names;
};

} // namespace
} // namespace moe
