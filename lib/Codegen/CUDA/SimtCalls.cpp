// Declarations, calls and tables for the SIMT executor. The layout of the tables is that of the structs in moe/Codegen/CUDA/Simt/Abi.h.
#include "SimtCalls.h"

#include "mlir/IR/SymbolTable.h"
#include "moe/Codegen/CUDA/Simt/Abi.h"

#include "llvm/ADT/Twine.h"

using namespace mlir;

namespace moe {

SimtCalls::SimtCalls(ModuleOp host) : host(host) {}

LLVM::LLVMPointerType SimtCalls::pointerType() { return LLVM::LLVMPointerType::get(host.getContext()); }

Value SimtCalls::constant(OpBuilder &builder, Location loc, uint32_t value) {
  return LLVM::ConstantOp::create(builder, loc, builder.getI32IntegerAttr(static_cast<int32_t>(value)));
}

Value SimtCalls::word(OpBuilder &builder, Location loc, uint64_t value) {
  return LLVM::ConstantOp::create(builder, loc, builder.getI64IntegerAttr(static_cast<int64_t>(value)));
}

Value SimtCalls::generic(OpBuilder &builder, Location loc, Value pointer) {
  if (cast<LLVM::LLVMPointerType>(pointer.getType()).getAddressSpace() == 0)
    return pointer;
  return LLVM::AddrSpaceCastOp::create(builder, loc, pointerType(), pointer);
}

std::string SimtCalls::freshName(StringRef base) {
  std::string name = base.str();
  for (unsigned i = 0; host.lookupSymbol(name); ++i)
    name = (base + "." + llvm::Twine(i)).str();
  return name;
}

Value SimtCalls::addressOf(OpBuilder &builder, Location loc, StringRef symbol) {
  return LLVM::AddressOfOp::create(builder, loc, pointerType(), symbol);
}

std::string SimtCalls::addString(StringRef text, bool fresh) {
  if (!fresh && strings.contains(text))
    return strings[text];
  OpBuilder builder = OpBuilder::atBlockBegin(host.getBody());
  std::string bytes = text.str();
  bytes.push_back('\0');
  auto type = LLVM::LLVMArrayType::get(builder.getI8Type(), bytes.size());
  const std::string name = freshName(("simt.string." + llvm::Twine(stringCount++)).str());
  auto global = LLVM::GlobalOp::create(builder, host.getLoc(), type, /*isConstant=*/true, LLVM::Linkage::Internal, name, builder.getStringAttr(bytes));
  global.setDsoLocal(true);
  if (!fresh)
    strings[text] = name;
  return name;
}

/// "file:line:column op": the innermost place in a file that `loc` names.
static std::string describe(Operation *op) {
  std::string text;
  op->getLoc()->walk([&](Location inner) {
    if (auto file = dyn_cast<FileLineColLoc>(inner)) {
      StringRef path = file.getFilename().getValue();
      text = (path.substr(path.rfind('/') + 1) + ":" + llvm::Twine(file.getLine()) + ":" + llvm::Twine(file.getColumn()) + " ").str();
      return WalkResult::interrupt();
    }
    if (auto name = dyn_cast<NameLoc>(inner))
      text = (name.getName().getValue() + " ").str();
    return WalkResult::advance();
  });
  return text + op->getName().getStringRef().str();
}

Value SimtCalls::site(OpBuilder &builder, Operation *source) {
  // Each operation has a string of its own: the executor knows operations apart by its address.
  return addressOf(builder, source->getLoc(), addString(describe(source), /*fresh=*/true));
}

Value SimtCalls::call(OpBuilder &builder, Operation *source, StringRef name, Type result, ArrayRef<Value> arguments, bool withSite) {
  SmallVector<Value> operands(arguments);
  if (withSite)
    operands.push_back(site(builder, source));
  auto function = host.lookupSymbol<LLVM::LLVMFuncOp>(name);
  if (!function) {
    OpBuilder atStart = OpBuilder::atBlockBegin(host.getBody());
    SmallVector<Type> types(ValueRange(operands).getTypes());
    Type returned = result ? result : LLVM::LLVMVoidType::get(host.getContext());
    function = LLVM::LLVMFuncOp::create(atStart, host.getLoc(), name, LLVM::LLVMFunctionType::get(returned, types));
    // LLVM must not move a collective into or out of a branch.
    function.setConvergent(true);
    function.setPassthroughAttr(builder.getArrayAttr({builder.getStringAttr("nounwind"), builder.getStringAttr("noduplicate")}));
  }
  auto called = LLVM::CallOp::create(builder, source->getLoc(), function, operands);
  called.setConvergent(true);
  return result ? called.getResult() : Value();
}

LLVM::GlobalOp SimtCalls::addTable(StringRef base, Type type, bool isConstant, llvm::function_ref<Value(OpBuilder &, Location)> initial) {
  OpBuilder builder = OpBuilder::atBlockEnd(host.getBody());
  Location loc = host.getLoc();
  auto global = LLVM::GlobalOp::create(builder, loc, type, isConstant, LLVM::Linkage::Internal, freshName(base), Attribute());
  global.setDsoLocal(true);
  Block *block = builder.createBlock(&global.getInitializerRegion());
  builder.setInsertionPointToStart(block);
  LLVM::ReturnOp::create(builder, loc, initial(builder, loc));
  return global;
}

/// A struct or array of `fields`.
static Value aggregate(OpBuilder &builder, Location loc, Type type, ArrayRef<Value> fields) {
  Value result = LLVM::UndefOp::create(builder, loc, type);
  for (auto [i, field] : llvm::enumerate(fields))
    result = LLVM::InsertValueOp::create(builder, loc, result, field, ArrayRef<int64_t>{int64_t(i)});
  return result;
}

LLVM::GlobalOp SimtCalls::addSharedDescriptor(StringRef name, uint64_t size, uint64_t alignment, Location) {
  MLIRContext *context = host.getContext();
  Type i64 = IntegerType::get(context, 64);
  const std::string text = addString(name, /*fresh=*/false);
  Type type = LLVM::LLVMStructType::getLiteral(context, {pointerType(), i64, i64, i64});
  return addTable(("simt.shared." + name).str(), type, /*isConstant=*/false, [&](OpBuilder &builder, Location loc) {
    return aggregate(builder, loc, type, {addressOf(builder, loc, text), word(builder, loc, size), word(builder, loc, alignment), word(builder, loc, 0)});
  });
}

void SimtCalls::addModuleTables(ArrayRef<SimtKernelEntry> kernels, ArrayRef<SimtGlobalEntry> globals) {
  MLIRContext *context = host.getContext();
  Type i64 = IntegerType::get(context, 64), pointer = pointerType();
  // An array, or a null pointer for an empty one.
  auto addArray = [&](StringRef base, Type element, size_t count, llvm::function_ref<Value(OpBuilder &, Location, size_t)> at) -> std::string {
    if (count == 0)
      return "";
    Type type = LLVM::LLVMArrayType::get(element, count);
    return addTable(base, type, /*isConstant=*/true, [&](OpBuilder &builder, Location loc) {
             SmallVector<Value> values;
             for (size_t i = 0; i < count; ++i)
               values.push_back(at(builder, loc, i));
             return aggregate(builder, loc, type, values);
           }).getSymName().str();
  };
  auto address = [&](OpBuilder &builder, Location loc, StringRef symbol) -> Value {
    return symbol.empty() ? LLVM::ZeroOp::create(builder, loc, pointer).getResult() : addressOf(builder, loc, symbol);
  };

  struct Arrays {
    std::string name, shared, sizes;
  };
  std::vector<Arrays> arrays;
  for (const SimtKernelEntry &kernel : kernels)
    arrays.push_back({addString(kernel.name, false),
                      addArray("simt.kernel.shared", pointer, kernel.shared.size(),
                               [&](OpBuilder &builder, Location loc, size_t i) { return addressOf(builder, loc, kernel.shared[i]); }),
                      addArray("simt.kernel.sizes", i64, kernel.parameterSizes.size(),
                               [&](OpBuilder &builder, Location loc, size_t i) { return word(builder, loc, kernel.parameterSizes[i]); })});
  Type kernelType = LLVM::LLVMStructType::getLiteral(context, {pointer, pointer, pointer, i64, pointer, i64, i64});
  const std::string kernelTable = addArray("simt.kernels", kernelType, kernels.size(), [&](OpBuilder &builder, Location loc, size_t i) {
    const SimtKernelEntry &kernel = kernels[i];
    return aggregate(builder, loc, kernelType,
                     {address(builder, loc, arrays[i].name), address(builder, loc, kernel.function), address(builder, loc, arrays[i].shared),
                      word(builder, loc, kernel.shared.size()), address(builder, loc, arrays[i].sizes),
                      word(builder, loc, kernel.parameterSizes.size()), word(builder, loc, kernel.maximumThreads)});
  });

  std::vector<std::string> globalNames;
  for (const SimtGlobalEntry &global : globals)
    globalNames.push_back(addString(global.name, false));
  Type globalType = LLVM::LLVMStructType::getLiteral(context, {pointer, pointer, i64});
  const std::string globalTable = addArray("simt.globals", globalType, globals.size(), [&](OpBuilder &builder, Location loc, size_t i) {
    return aggregate(builder, loc, globalType,
                     {address(builder, loc, globalNames[i]), address(builder, loc, globals[i].name), word(builder, loc, globals[i].size)});
  });

  Type moduleType = LLVM::LLVMStructType::getLiteral(context, {i64, pointer, i64, pointer, i64});
  LLVM::GlobalOp table = addTable("simt.module", moduleType, /*isConstant=*/true, [&](OpBuilder &builder, Location loc) {
    return aggregate(builder, loc, moduleType,
                     {word(builder, loc, simtAbiVersion), address(builder, loc, kernelTable), word(builder, loc, kernels.size()),
                      address(builder, loc, globalTable), word(builder, loc, globals.size())});
  });

  OpBuilder builder = OpBuilder::atBlockEnd(host.getBody());
  Location loc = host.getLoc();
  auto constructor = LLVM::LLVMFuncOp::create(builder, loc, freshName("simt.register"),
                                              LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context), {}), LLVM::Linkage::Internal, true);
  builder.setInsertionPointToStart(constructor.addEntryBlock(builder));
  call(builder, constructor, "moe_simt_register", {}, {addressOf(builder, loc, table.getSymName())}, /*withSite=*/false);
  LLVM::ReturnOp::create(builder, loc, ValueRange());
  builder.setInsertionPointToEnd(host.getBody());
  LLVM::GlobalCtorsOp::create(builder, loc, builder.getArrayAttr({FlatSymbolRefAttr::get(constructor)}), builder.getI32ArrayAttr({65535}),
                              builder.getArrayAttr({LLVM::ZeroAttr::get(context)}));
}

} // namespace moe
