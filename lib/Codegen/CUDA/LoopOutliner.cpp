// Loops of the lowered entry as kernels.
#include "LoopOutliner.h"

#include "moe/IR/MoeDialect.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
namespace moe {

// Blocks and threads of every such kernel: enough to fill a large GPU once. Their number may be anything, as the number of CPU threads may.
static constexpr int64_t loopBlocks = 128, loopThreads = 64;

LoopOutliner::LoopOutliner(KernelTable &table, Block &entry) : table(table), b(entry.getParentOp()->getLoc(), table.host.getContext()) {
  for (Operation &op : entry) {
    const bool depends = llvm::any_of(op.getOperands(), [&](Value operand) { return byThread.contains(operand.getDefiningOp()); });
    if (isa<ThreadIdOp, NumThreadsOp>(op) || (depends && isMemoryEffectFree(&op)))
      byThread.insert(&op);
  }
}

bool LoopOutliner::isDeviceWork(Operation *op) {
  return !isMemoryEffectFree(op) && !isa<LLVM::LLVMDialect>(op->getDialect()) && !isa<cf::AssertOp>(op) && !op->hasTrait<OpTrait::IsTerminator>();
}

/// The host decides grids and addresses before a kernel has run.
LogicalResult LoopOutliner::checkResults(ArrayRef<Operation *> work) {
  const llvm::SmallPtrSet<Operation *, 16> inside(work.begin(), work.end());
  Block *block = work.front()->getBlock();
  for (Operation *op : work) {
    WalkResult fault = op->walk([&](FaultOp fault) {
      fault.emitOpError() << "conditions on data are not supported yet with --target=cuda";
      return WalkResult::interrupt();
    });
    if (fault.wasInterrupted())
      return failure();
    for (Operation *user : op->getUsers()) {
      Operation *ancestor = block->findAncestorOpInBlock(*user);
      if (!inside.contains(ancestor))
        return op->emitOpError() << "computes on the GPU what the host would need before; not supported yet with --target=cuda";
    }
  }
  return success();
}

LogicalResult LoopOutliner::outline(ArrayRef<Operation *> ops, Operation *end) {
  const SmallVector<Operation *> work(llvm::make_filter_range(ops, isDeviceWork));
  if (work.empty())
    return success();
  if (failed(checkResults(work)))
    return failure();
  mapping.clear();
  captured.clear();
  const Location loc = work.front()->getLoc();
  const std::string key = llvm::formatv("loops {0}", static_cast<const void *>(work.front()));
  const KernelEntry entry = table.get(key, "moe_loops", loopThreads, 0, [&](StringRef name) {
    OpBuilder::InsertionGuard guard(b);
    function = b.beginKernel(table.device, name, {});
    for (Operation *op : work)
      clone(op);
    func::ReturnOp::create(b);
    function.setFunctionType(b.getFunctionType(function.front().getArgumentTypes(), {}));
  });
  OpBuilder host(end);
  SmallVector<Value> arguments;
  for (Value value : captured)
    addArguments(host, loc, value, arguments);
  auto index = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(host, loc, value); };
  table.launch(host, loc, entry, index(loopBlocks), index(1), arguments);
  for (Operation *op : llvm::reverse(work))
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

/// Makes `operand` known in the kernel: computed there if it depends on the thread or is a constant, else an argument.
void LoopOutliner::prepare(Value operand) {
  if (mapping.contains(operand))
    return;
  Operation *definition = operand.getDefiningOp();
  if (isa_and_nonnull<ThreadIdOp, NumThreadsOp>(definition)) {
    mapping.map(operand, threadNumber(isa<NumThreadsOp>(definition)));
  } else if (definition && (byThread.contains(definition) || definition->hasTrait<OpTrait::ConstantLike>())) {
    clone(definition);
  } else if (auto global = dyn_cast_or_null<memref::GetGlobalOp>(definition)) {
    copyGlobal(global);
    clone(definition);
  } else {
    captured.push_back(operand);
    mapping.map(operand, function.front().addArgument(operand.getType(), operand.getLoc()));
  }
}

Value LoopOutliner::threadNumber(bool isCount) {
  const Type i32 = b.getI32Type();
  Value size = NVVM::BlockDimXOp::create(b, i32), number;
  if (isCount)
    number = b.mul(size, Value(NVVM::GridDimXOp::create(b, i32)));
  else
    number = b.add(b.mul(b.blockX(), size), b.threadX());
  return arith::IndexCastUIOp::create(b, b.getIndexType(), number);
}

void LoopOutliner::copyGlobal(memref::GetGlobalOp op) {
  if (table.device.lookupSymbol(op.getName()))
    return;
  auto global = table.host.lookupSymbol<memref::GlobalOp>(op.getName());
  OpBuilder atStart = OpBuilder::atBlockBegin(table.device.getBody());
  atStart.clone(*global);
}

/// What the conversion to the LLVM dialect makes of an argument: of a memref two pointers, the offset, sizes and strides.
void LoopOutliner::addArguments(OpBuilder &host, Location loc, Value value, SmallVectorImpl<Value> &arguments) {
  auto type = dyn_cast<MemRefType>(value.getType());
  auto toI64 = [&](Value index) -> Value { return arith::IndexCastOp::create(host, loc, host.getI64Type(), index); };
  if (!type) {
    arguments.push_back(value.getType().isIndex() ? toI64(value) : value);
    return;
  }
  Value pointer = pointerOf(host, loc, value);
  arguments.append({pointer, pointer});
  auto metadata = memref::ExtractStridedMetadataOp::create(host, loc, value);
  arguments.push_back(toI64(metadata.getOffset()));
  for (Value size : metadata.getSizes())
    arguments.push_back(toI64(size));
  for (Value stride : metadata.getStrides())
    arguments.push_back(toI64(stride));
}

} // namespace moe
