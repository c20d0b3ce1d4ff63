// The C ABI of generated code: one pointer per memref descriptor for the entry, bare pointers for the shape function. Runs after
// moe-cpu-thread-argument, when the entry ends in its MoeThread, and before functions are converted to the LLVM dialect.
#include "moe/Codegen/CPU/Passes.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace moe {
#define GEN_PASS_DEF_CPUPACKENTRY
#include "moe/Codegen/CPU/Passes.h.inc"

using namespace mlir;

namespace {

struct CpuPackEntry : impl::CpuPackEntryBase<CpuPackEntry> {
  using Base::Base;

  void runOnOperation() override {
    func::FuncOp entry, shapes;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (failed(take(function, "moe.entry", entry)) || failed(take(function, "moe.shapes", shapes)))
        return signalPassFailure();
      function.setPrivate();
    }
    if (!entry) {
      getOperation().emitError("has no function with the attribute moe.entry");
      return signalPassFailure();
    }
    if (shapes && version != 0) {
      shapes.erase();
      shapes = nullptr;
    }
    if (failed(wrapEntry(entry)) || (shapes && failed(wrapShapes(shapes, entry))))
      signalPassFailure();
  }

private:
  LogicalResult take(func::FuncOp function, StringRef attribute, func::FuncOp &slot) {
    if (!function->hasAttr(attribute))
      return success();
    if (slot)
      return function.emitOpError("is a second function with the attribute ") << attribute;
    slot = function;
    return success();
  }

  /// Appends the wrapper `name`; what had that name gets another.
  FailureOr<func::FuncOp> createWrapper(func::FuncOp wrapped, const Twine &name, FunctionType type) {
    SymbolTable symbols(getOperation());
    std::string text = name.str();
    if (Operation *taken = symbols.lookup(text))
      if (failed(symbols.renameToUnique(taken, {})))
        return failure();
    auto wrapper = func::FuncOp::create(wrapped.getLoc(), text, type);
    symbols.insert(wrapper);
    wrapper.setPublic();
    wrapper.addEntryBlock();
    return wrapper;
  }

  LogicalResult wrapEntry(func::FuncOp entry) {
    Type pointer = LLVM::LLVMPointerType::get(&getContext());
    if (entry.getNumResults() != 0 || entry.getNumArguments() == 0 || entry.getArgumentTypes().back() != pointer)
      return entry.emitOpError("must take memrefs and the thread and return nothing");
    auto wrapper = createWrapper(entry, "moe_entry_" + Twine(version), FunctionType::get(&getContext(), {pointer, pointer}, {}));
    if (failed(wrapper))
      return failure();
    Location loc = entry.getLoc();
    OpBuilder builder = OpBuilder::atBlockBegin(&wrapper->getBody().front());
    LLVMTypeConverter converter(&getContext());
    SmallVector<Value> operands;
    for (auto [index, type] : llvm::enumerate(entry.getArgumentTypes().drop_back())) {
      auto memref = dyn_cast<MemRefType>(type);
      Type descriptor = memref ? converter.convertType(memref) : Type();
      if (!descriptor)
        return entry.emitOpError("argument ") << index << " must be a memref, found " << type;
      Value slot = wrapper->getArgument(0);
      if (index)
        slot = LLVM::GEPOp::create(builder, loc, pointer, pointer, slot, ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(index)},
                                   LLVM::GEPNoWrapFlags::inbounds);
      Value address = LLVM::LoadOp::create(builder, loc, pointer, slot);
      Value loaded = LLVM::LoadOp::create(builder, loc, descriptor, address);
      operands.push_back(UnrealizedConversionCastOp::create(builder, loc, memref, loaded).getResult(0));
    }
    operands.push_back(wrapper->getArgument(1));
    func::CallOp::create(builder, loc, entry, operands);
    func::ReturnOp::create(builder, loc);
    return success();
  }

  /// Number of dims of the arguments that carry `attribute`: the size of one of the shape function's lists.
  static int64_t countDims(func::FuncOp entry, StringRef attribute) {
    int64_t dims = 0;
    for (unsigned i = 0; i < entry.getNumArguments(); ++i)
      if (auto memref = dyn_cast<MemRefType>(entry.getArgumentTypes()[i]); memref && entry.getArgAttr(i, attribute))
        dims += memref.getRank();
    return dims;
  }

  /// Number of elements that lie behind the input dims.
  static int64_t countElements(func::FuncOp entry) {
    int64_t elements = 0;
    for (unsigned i = 0; i < entry.getNumArguments(); ++i)
      if (entry.getArgAttr(i, "moe.values_at"))
        elements += cast<MemRefType>(entry.getArgumentTypes()[i]).getNumElements();
    return elements;
  }

  LogicalResult wrapShapes(func::FuncOp shapes, func::FuncOp entry) {
    MLIRContext *context = &getContext();
    Type pointer = LLVM::LLVMPointerType::get(context);
    Type number = IntegerType::get(context, 64), list = MemRefType::get({ShapedType::kDynamic}, number);
    if (shapes.getFunctionType() != FunctionType::get(context, {list, list}, {number}))
      return shapes.emitOpError("must have the type (memref<?xi64>, memref<?xi64>) -> i64, found ") << shapes.getFunctionType();
    auto wrapper = createWrapper(shapes, "moe_shapes", FunctionType::get(context, {pointer, pointer}, {number}));
    if (failed(wrapper))
      return failure();
    Location loc = shapes.getLoc();
    OpBuilder builder = OpBuilder::atBlockBegin(&wrapper->getBody().front());
    LLVMTypeConverter converter(context);
    const int64_t dims[] = {countDims(entry, "moe.input") + countElements(entry), countDims(entry, "moe.output")};
    SmallVector<Value> operands;
    for (auto [argument, count] : llvm::zip(wrapper->getArguments(), dims)) {
      auto fixed = MemRefType::get({count}, number);
      Value descriptor = MemRefDescriptor::fromStaticShape(builder, loc, converter, fixed, argument);
      operands.push_back(UnrealizedConversionCastOp::create(builder, loc, list, descriptor).getResult(0));
    }
    auto call = func::CallOp::create(builder, loc, shapes, operands);
    func::ReturnOp::create(builder, loc, call.getResults());
    return success();
  }
};

} // namespace
} // namespace moe
