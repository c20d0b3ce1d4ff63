// Kernels on nvvm ops become x86 functions on calls of the SIMT executor. The ops are translated in CudaToSimtOps.cpp; here the rest: checks
// before accesses, address spaces, shared variables, tables. Runs on what convert-nvvm-to-llvm would read, so that what is run is what ships.
#include "moe/Codegen/CUDA/Passes.h"

#include "CudaNames.h"
#include "SimtCalls.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "moe/Codegen/CUDA/Simt/Abi.h"

#include "llvm/ADT/SetVector.h"

namespace moe {
#define GEN_PASS_DEF_CUDATOSIMT
#include "moe/Codegen/CUDA/Passes.h.inc"

using namespace mlir;

namespace {

constexpr unsigned sharedSpace = 3;

bool isKernel(LLVM::LLVMFuncOp function) {
  return function->hasAttr(NVVM::NVVMDialect::getKernelFuncAttrName()) || function->hasAttr(gpu::GPUDialect::getKernelFuncAttrName());
}

/// True if `pointer` is this thread's own: an alloca, or something inside one.
bool isLocal(Value pointer) {
  while (Operation *definition = pointer.getDefiningOp()) {
    if (isa<LLVM::AllocaOp>(definition))
      return true;
    if (!isa<LLVM::GEPOp, LLVM::AddrSpaceCastOp, LLVM::BitcastOp>(definition))
      return false;
    pointer = definition->getOperand(0);
  }
  return false;
}

uint32_t orderingBits(LLVM::AtomicOrdering ordering) {
  switch (ordering) {
  case LLVM::AtomicOrdering::acquire:
    return simtAcquire;
  case LLVM::AtomicOrdering::release:
    return simtRelease;
  case LLVM::AtomicOrdering::acq_rel:
  case LLVM::AtomicOrdering::seq_cst:
    return simtAcquire | simtRelease;
  default:
    return 0;
  }
}

bool isAtomic(LLVM::AtomicOrdering ordering) { return ordering != LLVM::AtomicOrdering::not_atomic; }

/// Everything about one gpu.module.
class ModuleConversion {
public:
  ModuleConversion(ModuleOp host, gpu::GPUModuleOp device) : host(host), device(device), calls(host), layout(device) {}

  LogicalResult run() {
    for (Operation &op : device.getBodyRegion().front())
      if (!isa<LLVM::LLVMFuncOp, LLVM::GlobalOp>(op))
        return op.emitError() << "expected functions and globals of the LLVM dialect in a gpu.module, found '" << op.getName() << "'";
    for (auto function : device.getOps<LLVM::LLVMFuncOp>())
      if (failed(convertBody(function)))
        return failure();
    collectShared();
    if (failed(moveToHost()))
      return failure();
    flattenSpaces();
    for (LLVM::LLVMFuncOp kernel : kernels)
      addKernel(kernel);
    calls.addModuleTables(kernelEntries, globals);
    device.erase(); // The data layout is asked until here.
    return success();
  }

private:
  LogicalResult convertBody(LLVM::LLVMFuncOp function) {
    if (function.isExternal())
      return success();
    SmallVector<Operation *> ops;
    function.walk([&](Operation *op) {
      if (op != function)
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      if (isa_and_nonnull<NVVM::NVVMDialect>(op->getDialect())) {
        if (failed(calls.convertNvvm(op)))
          return failure();
      } else if (!isa_and_nonnull<LLVM::LLVMDialect>(op->getDialect())) {
        return op->emitError() << "the SIMT executor takes LLVM dialect and nvvm ops, found '" << op->getName() << "'";
      } else if (isa<LLVM::InlineAsmOp, LLVM::CallIntrinsicOp>(op)) {
        return op->emitError() << "the SIMT executor cannot run this; use an nvvm op";
      } else {
        addCheck(op);
      }
    }
    return success();
  }

  void addCheck(Operation *op) {
    if (auto load = dyn_cast<LLVM::LoadOp>(op))
      return check(op, load.getAddr(), load.getType(), load.getAlignment(),
                   isAtomic(load.getOrdering()) || load.getVolatile_() ? simtAtomicRead | orderingBits(load.getOrdering()) : simtRead);
    if (auto store = dyn_cast<LLVM::StoreOp>(op))
      return check(op, store.getAddr(), store.getValue().getType(), store.getAlignment(),
                   isAtomic(store.getOrdering()) ? simtAtomicWrite | orderingBits(store.getOrdering()) : simtWrite);
    if (auto atomic = dyn_cast<LLVM::AtomicRMWOp>(op))
      return check(op, atomic.getPtr(), atomic.getType(), std::nullopt, simtAtomic | orderingBits(atomic.getOrdering()));
    if (auto exchange = dyn_cast<LLVM::AtomicCmpXchgOp>(op))
      return check(op, exchange.getPtr(), exchange.getVal().getType(), std::nullopt, simtAtomic | simtCompare | orderingBits(exchange.getSuccessOrdering()));
    if (auto fence = dyn_cast<LLVM::FenceOp>(op)) {
      OpBuilder builder(op);
      calls.call(builder, op, "simt_fence", {}, {calls.constant(builder, op->getLoc(), 2)}, /*withSite=*/false);
    }
  }

  void check(Operation *op, Value address, Type type, std::optional<uint64_t> alignment, uint32_t access) {
    if (isLocal(address))
      return;
    OpBuilder builder(op);
    Location loc = op->getLoc();
    const uint64_t size = layout.getTypeSize(type).getFixedValue();
    // Without an alignment LLVM takes the type's; an atomic needs that of its size.
    const uint64_t claimed = access >= simtAtomic ? size : alignment.value_or(layout.getTypeABIAlignment(type));
    const unsigned space = cast<LLVM::LLVMPointerType>(address.getType()).getAddressSpace();
    calls.call(builder, op, "simt_check", {},
               {calls.generic(builder, loc, address), LLVM::ConstantOp::create(builder, loc, builder.getI64IntegerAttr(size)),
                calls.constant(builder, loc, claimed), calls.constant(builder, loc, access), calls.constant(builder, loc, space)});
  }

  /// Which shared variables each kernel uses, itself or by what it calls. Before names move.
  void collectShared() {
    SymbolTable symbols(device);
    for (auto kernel : device.getOps<LLVM::LLVMFuncOp>()) {
      if (!isKernel(kernel) || kernel.isExternal())
        continue;
      kernels.push_back(kernel);
      llvm::SetVector<Operation *> reached;
      reached.insert(kernel);
      for (unsigned i = 0; i < reached.size(); ++i)
        if (auto uses = SymbolTable::getSymbolUses(reached[i]))
          for (SymbolTable::SymbolUse use : *uses)
            if (Operation *used = symbols.lookup(use.getSymbolRef().getLeafReference()))
              reached.insert(used);
      for (Operation *op : reached)
        if (auto global = dyn_cast<LLVM::GlobalOp>(op); global && global.getAddrSpace() == sharedSpace)
          sharedOf[kernel].push_back(global.getSymName().str());
    }
  }

  LogicalResult moveToHost() {
    SymbolTable symbols(host);
    for (Operation &op : llvm::make_early_inc_range(device.getBodyRegion().front())) {
      auto name = cast<SymbolOpInterface>(op).getNameAttr();
      if (Operation *other = symbols.lookup(name)) {
        auto function = dyn_cast<LLVM::LLVMFuncOp>(op);
        auto otherFunction = dyn_cast<LLVM::LLVMFuncOp>(other);
        if (function && function.isExternal() && otherFunction && function.getFunctionType() == otherFunction.getFunctionType()) {
          op.erase();
          continue;
        }
        InFlightDiagnostic diagnostic = op.emitError() << "two symbols have the name " << name << "; modules of kernels become one";
        diagnostic.attachNote(other->getLoc()) << "the other";
        return diagnostic;
      }
      op.remove();
      host.getBody()->push_back(&op);
      symbols.insert(&op);
      moved.push_back(&op);
    }
    for (Operation *op : SmallVector<Operation *>(moved)) {
      if (auto global = dyn_cast<LLVM::GlobalOp>(op))
        moveGlobal(global);
      else if (auto function = dyn_cast<LLVM::LLVMFuncOp>(op))
        moveFunction(function);
    }
    return success();
  }

  void moveGlobal(LLVM::GlobalOp global) {
    const uint64_t size = layout.getTypeSize(global.getType()).getFixedValue();
    const uint64_t alignment = global.getAlignment().value_or(layout.getTypeABIAlignment(global.getType()));
    if (global.getAddrSpace() != sharedSpace) {
      global.setAddrSpace(0);
      if (global.getValueOrNull() || !global.getInitializerRegion().empty() || global.getLinkage() != LLVM::Linkage::External)
        globals.push_back({global.getSymName().str(), size});
      return;
    }
    const std::string name = global.getSymName().str();
    // Its uses become the address that the executor gave it.
    LLVM::GlobalOp descriptor = calls.addSharedDescriptor(name, size, alignment, global.getLoc());
    host.walk([&](LLVM::AddressOfOp address) {
      if (address.getGlobalName() != name || address.getType().getAddressSpace() != sharedSpace)
        return;
      OpBuilder builder(address);
      Value of = LLVM::AddressOfOp::create(builder, address.getLoc(), descriptor);
      Value found = calls.call(builder, address, "simt_shared", calls.pointerType(), {of}, /*withSite=*/false);
      // The type stays as it was until all spaces go.
      Value cast = LLVM::AddrSpaceCastOp::create(builder, address.getLoc(), address.getType(), found);
      address.replaceAllUsesWith(cast);
      address.erase();
    });
    sharedDescriptors[name] = descriptor.getSymName().str();
    moved.erase(llvm::find(moved, global.getOperation()));
    global.erase();
  }

  void moveFunction(LLVM::LLVMFuncOp function) {
    for (NamedAttribute attribute : llvm::to_vector(function->getDiscardableAttrs()))
      if (attribute.getName().strref().starts_with("nvvm.") || attribute.getName().strref().starts_with("gpu.") || attribute.getName() == kernelArchAttrName) {
        if (attribute.getName() == NVVM::NVVMDialect::getMaxntidAttrName())
          maximumThreads[function] = product(attribute.getValue());
        function->removeDiscardableAttr(attribute.getName());
      }
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      for (NamedAttribute attribute : llvm::to_vector(mlir::function_interface_impl::getArgAttrs(function, i)))
        if (attribute.getName().strref().starts_with("nvvm."))
          function.removeArgAttr(i, attribute.getName());
    if (!function.isExternal()) {
      function.setLinkage(LLVM::Linkage::Internal);
      function.setDsoLocal(true);
    }
    function.setCConv(LLVM::cconv::CConv::C);
    function.setSymVisibilityAttr(nullptr);
  }

  static uint64_t product(Attribute sizes) {
    uint64_t result = 1;
    if (auto array = dyn_cast<DenseI32ArrayAttr>(sizes))
      for (int32_t size : array.asArrayRef())
        result *= size;
    return result;
  }

  /// Every pointer becomes a plain one; casts between spaces become nothing.
  void flattenSpaces() {
    AttrTypeReplacer replacer;
    replacer.addReplacement([](LLVM::LLVMPointerType type) { return LLVM::LLVMPointerType::get(type.getContext()); });
    for (Operation *op : moved) {
      replacer.recursivelyReplaceElementsIn(op, /*replaceAttrs=*/true, /*replaceLocs=*/false, /*replaceTypes=*/true);
      op->walk([](Operation *inner) {
        if (auto cast = dyn_cast<LLVM::AddrSpaceCastOp>(inner)) {
          cast.getResult().replaceAllUsesWith(cast.getOperand());
          cast.erase();
          return;
        }
        // The scopes are those of the device.
        for (StringRef name : {"syncscope"})
          if (inner->hasAttr(name))
            inner->removeAttr(name);
      });
    }
  }

  /// The function that the executor calls: it loads the arguments and calls the kernel.
  void addKernel(LLVM::LLVMFuncOp kernel) {
    SimtKernelEntry entry;
    entry.name = kernel.getSymName().str();
    entry.maximumThreads = maximumThreads.lookup(kernel);
    for (const std::string &name : sharedOf[kernel])
      entry.shared.push_back(sharedDescriptors[name]);
    OpBuilder builder = OpBuilder::atBlockEnd(host.getBody());
    Location loc = kernel.getLoc();
    auto voidType = LLVM::LLVMVoidType::get(host.getContext());
    entry.function = "simt.run." + entry.name;
    auto wrapper = LLVM::LLVMFuncOp::create(builder, loc, entry.function, LLVM::LLVMFunctionType::get(voidType, {calls.pointerType()}),
                                            LLVM::Linkage::Internal, /*dsoLocal=*/true);
    Block *block = wrapper.addEntryBlock(builder);
    builder.setInsertionPointToStart(block);
    SmallVector<Value> arguments;
    for (auto [i, type] : llvm::enumerate(kernel.getFunctionType().getParams())) {
      Value slot = LLVM::GEPOp::create(builder, loc, calls.pointerType(), calls.pointerType(), block->getArgument(0), ArrayRef<LLVM::GEPArg>{int32_t(i)});
      Value address = LLVM::LoadOp::create(builder, loc, calls.pointerType(), slot);
      // By value means: its address is what the kernel takes.
      auto byValue = kernel.getArgAttrOfType<TypeAttr>(i, LLVM::LLVMDialect::getByValAttrName());
      if (byValue)
        kernel.removeArgAttr(i, LLVM::LLVMDialect::getByValAttrName());
      arguments.push_back(byValue ? address : LLVM::LoadOp::create(builder, loc, type, address).getResult());
      entry.parameterSizes.push_back(layout.getTypeSize(byValue ? byValue.getValue() : type).getFixedValue());
    }
    LLVM::CallOp::create(builder, loc, kernel, arguments);
    LLVM::ReturnOp::create(builder, loc, ValueRange());
    kernelEntries.push_back(std::move(entry));
  }

  ModuleOp host;
  gpu::GPUModuleOp device;
  SimtCalls calls;
  DataLayout layout;
  SmallVector<Operation *> moved;
  SmallVector<LLVM::LLVMFuncOp> kernels;
  llvm::DenseMap<Operation *, SmallVector<std::string>> sharedOf;
  llvm::DenseMap<Operation *, uint64_t> maximumThreads;
  std::map<std::string, std::string> sharedDescriptors;
  std::vector<SimtKernelEntry> kernelEntries;
  std::vector<SimtGlobalEntry> globals;
};

struct CudaToSimt : impl::CudaToSimtBase<CudaToSimt> {
  using Base::Base;

  void runOnOperation() override {
    for (auto device : llvm::make_early_inc_range(getOperation().getOps<gpu::GPUModuleOp>()))
      if (failed(ModuleConversion(getOperation(), device).run()))
        return signalPassFailure();
    getOperation()->removeAttr(gpu::GPUDialect::getContainerModuleAttrName());
  }
};

} // namespace
} // namespace moe
