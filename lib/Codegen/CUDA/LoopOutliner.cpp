// Loops of the lowered entry as kernels.
#include "LoopOutliner.h"

#include "CudaNames.h"
#include "WarpRows.h"
#include "moe/IR/MoeDialect.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
namespace moe {

// Blocks and threads of every such kernel: enough to fill a large GPU once. Their number may be anything, as the number of CPU threads may.
// Where warps take the parts of threads there are more blocks.
static constexpr int64_t loopBlocks = 128, warpLoopBlocks = 256, loopThreads = 64;

LoopOutliner::LoopOutliner(KernelTable &table, Block &entry) : table(table), b(entry.getParentOp()->getLoc(), table.host.getContext()) {
  for (Operation &op : entry) {
    const bool depends = llvm::any_of(op.getOperands(), [&](Value operand) {
      Operation *definition = operand.getDefiningOp();
      return definition && (onDevice.contains(definition) || isDeviceWork(definition));
    });
    if (isa<ThreadIdOp, NumThreadsOp>(op) || (depends && isMemoryEffectFree(&op)))
      onDevice.insert(&op);
  }
}

bool LoopOutliner::isDeviceWork(Operation *op) {
  return !isMemoryEffectFree(op) && !isa<LLVM::LLVMDialect>(op->getDialect()) && !isa<cf::AssertOp>(op) && !op->hasTrait<OpTrait::IsTerminator>();
}

/// The host decides grids and addresses before a kernel has run. What is computed of data stays in the kernel that has read them: behind its barrier the
/// memory may have become another value's.
LogicalResult LoopOutliner::checkResults(ArrayRef<Operation *> work, SetVector<Operation *> &gone) {
  const llvm::SmallPtrSet<Operation *, 16> inside(work.begin(), work.end());
  Block *block = work.front()->getBlock();
  gone.insert_range(work);
  for (size_t next = 0; next < gone.size(); ++next) {
    for (Operation *user : gone[next]->getUsers()) {
      Operation *ancestor = block->findAncestorOpInBlock(*user);
      if (onDevice.contains(ancestor))
        gone.insert(ancestor);
      else if (!inside.contains(ancestor))
        return gone[next]->emitOpError() << "computes on the GPU what the host or a later kernel would need; not supported yet with --target=cuda";
    }
  }
  return success();
}

LogicalResult LoopOutliner::outline(ArrayRef<Operation *> ops, Operation *end) {
  const SmallVector<Operation *> work(llvm::make_filter_range(ops, isDeviceWork));
  if (work.empty())
    return success();
  SetVector<Operation *> gone;
  if (failed(checkResults(work, gone)))
    return failure();
  mapping.clear();
  captured.clear();
  threadNumbers.clear();
  bool isByWarps = false;
  const Location loc = work.front()->getLoc();
  const std::string key = llvm::formatv("loops {0}", static_cast<const void *>(work.front()));
  const KernelEntry entry = table.get(key, "moe_loops", loopThreads, 0, [&](StringRef name) {
    OpBuilder::InsertionGuard guard(b);
    hasFaults = llvm::any_of(work, [](Operation *op) { return op->walk([](FaultOp) { return WalkResult::interrupt(); }).wasInterrupted(); });
    function = b.beginKernel(table.device, name, hasFaults ? TypeRange{b.pointer()} : TypeRange{});
    for (Operation *op : work)
      clone(op);
    isByWarps = !hasFaults && shareRowsIfPossible();
    noteFaults();
    func::ReturnOp::create(b);
    function.setFunctionType(b.getFunctionType(function.front().getArgumentTypes(), {}));
  });
  OpBuilder host(end);
  SmallVector<Value> arguments;
  if (hasFaults)
    arguments.push_back(faultRecord(host, loc));
  for (Value value : captured)
    appendArgument(host, loc, value, arguments);
  auto index = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(host, loc, value); };
  table.launch(host, loc, entry, index(isByWarps ? warpLoopBlocks : loopBlocks), index(1), arguments);
  // Users stand behind what they use.
  SmallVector<Operation *> ordered = gone.takeVector();
  llvm::sort(ordered, [](Operation *a, Operation *b) { return b->isBeforeInBlock(a); });
  for (Operation *op : ordered)
    op->erase();
  return success();
}

void LoopOutliner::clone(Operation *op) {
  SetVector<Value> needed;
  needed.insert(op->operand_begin(), op->operand_end());
  for (Region &region : op->getRegions())
    getUsedValuesDefinedAbove(region, needed);
  for (Value value : needed)
    prepare(value);
  b.clone(*op, mapping);
}

/// Makes `operand` known in the kernel: computed there if it depends on the thread or on data or is a constant, else an argument.
void LoopOutliner::prepare(Value operand) {
  if (mapping.contains(operand))
    return;
  Operation *definition = operand.getDefiningOp();
  if (isa_and_nonnull<ThreadIdOp, NumThreadsOp>(definition)) {
    mapping.map(operand, threadNumber(isa<NumThreadsOp>(definition)));
  } else if (definition && (onDevice.contains(definition) || definition->hasTrait<OpTrait::ConstantLike>() || isa<VectorType>(operand.getType()))) {
    // A vector is no argument; what the host computes of one has no effects.
    clone(definition);
  } else if (auto global = dyn_cast_or_null<memref::GetGlobalOp>(definition)) {
    copyGlobal(global);
    clone(definition);
  } else {
    captured.push_back(operand);
    mapping.map(operand, function.front().addArgument(operand.getType(), operand.getLoc()));
  }
}

/// The record of this run on the GPU, as the host knows it.
Value LoopOutliner::faultRecord(OpBuilder &host, Location loc) {
  auto declared = table.host.lookupSymbol<LLVM::LLVMFuncOp>(faultRecordFunction);
  if (!declared) {
    OpBuilder atEnd = OpBuilder::atBlockEnd(table.host.getBody());
    declared = LLVM::LLVMFuncOp::create(atEnd, loc, faultRecordFunction, LLVM::LLVMFunctionType::get(b.pointer(), {}));
    declared.setVisibility_(LLVM::Visibility::Hidden);
  }
  return LLVM::CallOp::create(host, loc, declared, ValueRange()).getResult();
}

/// Each moe.fault of the kernel becomes a call of the function that writes the record.
void LoopOutliner::noteFaults() {
  SmallVector<FaultOp> faults;
  function.walk([&](FaultOp fault) { faults.push_back(fault); });
  for (FaultOp fault : faults) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(fault);
    SmallVector<Value> operands = {function.getArgument(0), b.i64(fault.getNumber())};
    for (Value operand : fault.getOperands())
      operands.push_back(b.toI64(operand));
    auto note = table.device.lookupSymbol<func::FuncOp>(noteFaultFunction);
    func::CallOp::create(b, note ? note : emitNoteFault(table.device, ValueRange(operands).getTypes()), operands);
    fault.erase();
  }
}

/// Keeps the fault of the least number, and of that the first position, as the CPU's runtime does. The record is a lock, then the words of MoeFault.
func::FuncOp LoopOutliner::emitNoteFault(ModuleOp device, TypeRange types) {
  OpBuilder::InsertionGuard guard(b);
  func::FuncOp note = b.beginKernel(device, noteFaultFunction, types);
  const ValueRange a = note.getArguments();
  const Type i64 = b.getI64Type();
  Value lock = a[0];
  auto word = [&](int64_t number) { return b.at(a[0], i64, 1 + number); };
  auto tryOnce = [&]() -> Value {
    auto exchange = LLVM::AtomicCmpXchgOp::create(b, lock, b.i32(0), b.i32(1), LLVM::AtomicOrdering::acq_rel, LLVM::AtomicOrdering::monotonic);
    Value taken = LLVM::ExtractValueOp::create(b, exchange.getResult(), 1);
    b.ifTrue(taken, [&] {
      Value number = b.load(i64, word(0)), position = b.load(i64, word(1));
      Value isFirst = b.bitOr(b.less(number, b.i64(0)), b.less(a[1], number));
      isFirst = b.bitOr(isFirst, b.bitAnd(b.equal(a[1], number), b.less(a[2], position)));
      b.ifTrue(isFirst, [&] {
        for (int64_t i = 0; i < 5; ++i)
          b.store(a[1 + i], word(i));
      });
      LLVM::AtomicRMWOp::create(b, LLVM::AtomicBinOp::xchg, lock, b.i32(0), LLVM::AtomicOrdering::acq_rel);
    });
    return taken;
  };
  auto loop = scf::WhileOp::create(b, TypeRange{}, ValueRange{});
  b.createBlock(&loop.getBefore());
  Value taken = tryOnce();
  Value again = arith::XOrIOp::create(b, taken, b.yes());
  scf::ConditionOp::create(b, again, ValueRange{});
  b.createBlock(&loop.getAfter());
  scf::YieldOp::create(b);
  b.setInsertionPointAfter(loop);
  func::ReturnOp::create(b);
  return note;
}

Value LoopOutliner::threadNumber(bool isCount) {
  const Type i32 = b.getI32Type();
  Value size = NVVM::BlockDimXOp::create(b, i32), number;
  if (isCount)
    number = b.mul(size, Value(NVVM::GridDimXOp::create(b, i32)));
  else
    number = b.add(b.mul(b.blockX(), size), b.threadX());
  threadNumbers.push_back(arith::IndexCastUIOp::create(b, b.getIndexType(), number));
  return threadNumbers.back();
}

/// The buffer behind a memref of the kernel, as the host knows it: an argument of the entry, or the place of a buffer in the arena.
Value LoopOutliner::rootOf(Value memref) {
  for (;;) {
    if (auto argument = dyn_cast<BlockArgument>(memref); argument && argument.getOwner() == &function.front())
      memref = captured[argument.getArgNumber()];
    else if (auto view = memref.getDefiningOp<memref::ViewOp>())
      return view.getByteShift();
    else if (auto view = memref.getDefiningOp<ViewLikeOpInterface>())
      memref = view.getViewSource();
    else
      return memref;
  }
}

bool LoopOutliner::shareRowsIfPossible() {
  auto root = [&](Value memref) { return rootOf(memref); };
  if (!canShareRows(function.front(), root))
    return false;
  OpBuilder::InsertionGuard guard(b);
  for (Value number : threadNumbers) {
    b.setInsertionPointAfter(number.getDefiningOp());
    Value warp = arith::DivUIOp::create(b, number, Value(arith::ConstantIndexOp::create(b, warpSize)));
    number.replaceAllUsesExcept(warp, warp.getDefiningOp());
  }
  shareRows(b, function.front(), root);
  return true;
}

void LoopOutliner::copyGlobal(memref::GetGlobalOp op) {
  if (table.device.lookupSymbol(op.getName()))
    return;
  auto global = table.host.lookupSymbol<memref::GlobalOp>(op.getName());
  OpBuilder atStart = OpBuilder::atBlockBegin(table.device.getBody());
  atStart.clone(*global);
}

} // namespace moe
