// Kernels by key, and the host's calls that launch them.
#include "KernelTable.h"

#include "CudaNames.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
namespace moe {

KernelEntry KernelTable::get(StringRef key, StringRef prefix, int64_t threads, int64_t sharedBytes, llvm::function_ref<void(StringRef)> make,
                             StringRef arch) {
  auto [place, isNew] = entries.try_emplace(key);
  if (!isNew)
    return place->second;
  std::string name = prefix.str();
  for (unsigned number = 1; device.lookupSymbol(name); ++number)
    name = (prefix + "_" + Twine(number)).str();
  const KernelEntry entry = {static_cast<int64_t>(rows.size()), threads, sharedBytes};
  place->second = entry;
  Builder b(host.getContext());
  SmallVector<NamedAttribute> row = {b.getNamedAttr("name", b.getStringAttr(name)), b.getNamedAttr("threads", b.getI64IntegerAttr(threads)),
                                     b.getNamedAttr("shared", b.getI64IntegerAttr(sharedBytes))};
  if (!arch.empty())
    row.push_back(b.getNamedAttr(kernelArchAttrName, b.getStringAttr(arch)));
  rows.push_back(b.getDictionaryAttr(row));
  make(name);
  return entry;
}

void KernelTable::launch(OpBuilder &builder, Location loc, const KernelEntry &kernel, Value blocksX, Value blocksY, ValueRange arguments,
                         ValueRange byValue) {
  const Type pointer = LLVM::LLVMPointerType::get(builder.getContext()), i64 = builder.getI64Type();
  auto constant = [&](int64_t value) -> Value { return LLVM::ConstantOp::create(builder, loc, i64, builder.getI64IntegerAttr(value)); };
  Value one = constant(1);
  Value places = LLVM::AllocaOp::create(builder, loc, pointer, pointer, constant(std::max<int64_t>(arguments.size() + byValue.size(), 1)), 8);
  auto setPlace = [&](size_t number, Value place) {
    Value slot = LLVM::GEPOp::create(builder, loc, pointer, pointer, places, ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(number)});
    LLVM::StoreOp::create(builder, loc, place, slot);
  };
  for (auto [number, argument] : llvm::enumerate(arguments)) {
    Value place = LLVM::AllocaOp::create(builder, loc, pointer, argument.getType(), one, 8);
    LLVM::StoreOp::create(builder, loc, argument, place);
    setPlace(number, place);
  }
  for (auto [number, place] : llvm::enumerate(byValue))
    setPlace(arguments.size() + number, place);
  auto toI64 = [&](Value value) -> Value { return arith::IndexCastOp::create(builder, loc, i64, value); };
  SmallVector<Value> operands = {constant(kernel.number), toI64(blocksX), toI64(blocksY), places};
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(builder.getContext()), {i64, i64, i64, pointer});
  LLVM::CallOp::create(builder, loc, runtimeFunction(loc, launchFunction, type), operands);
}

Value KernelTable::isThere(OpBuilder &builder, Location loc, const KernelEntry &kernel) {
  const Type i64 = builder.getI64Type(), i32 = builder.getI32Type();
  Value number = LLVM::ConstantOp::create(builder, loc, i64, builder.getI64IntegerAttr(kernel.number));
  Value found = LLVM::CallOp::create(builder, loc, runtimeFunction(loc, hasKernelFunction, LLVM::LLVMFunctionType::get(i32, {i64})), ValueRange{number}).getResult();
  Value zero = LLVM::ConstantOp::create(builder, loc, i32, builder.getI32IntegerAttr(0));
  return LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::ne, found, zero);
}

Value KernelTable::tensorMap(OpBuilder &builder, Location loc, Value address, ArrayRef<int64_t> words) {
  const Type pointer = LLVM::LLVMPointerType::get(builder.getContext()), i64 = builder.getI64Type();
  auto constant = [&](int64_t value) -> Value { return LLVM::ConstantOp::create(builder, loc, i64, builder.getI64IntegerAttr(value)); };
  Value places = LLVM::AllocaOp::create(builder, loc, pointer, i64, constant(words.size()), 8);
  for (auto [number, word] : llvm::enumerate(words)) {
    Value place = LLVM::GEPOp::create(builder, loc, pointer, i64, places, ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(number)});
    LLVM::StoreOp::create(builder, loc, constant(word), place);
  }
  const auto type = LLVM::LLVMFunctionType::get(pointer, {pointer, pointer});
  return LLVM::CallOp::create(builder, loc, runtimeFunction(loc, tensorMapFunction, type), ValueRange{address, places}).getResult();
}

LLVM::LLVMFuncOp KernelTable::runtimeFunction(Location loc, StringRef name, LLVM::LLVMFunctionType type) {
  auto function = host.lookupSymbol<LLVM::LLVMFuncOp>(name);
  if (function)
    return function;
  OpBuilder atEnd = OpBuilder::atBlockEnd(host.getBody());
  function = LLVM::LLVMFuncOp::create(atEnd, loc, name, type);
  function.setVisibility_(LLVM::Visibility::Hidden);
  return function;
}

void KernelTable::finish() { host->setAttr(kernelsAttrName, ArrayAttr::get(host.getContext(), rows)); }

void appendArgument(OpBuilder &host, Location loc, Value value, SmallVectorImpl<Value> &arguments) {
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

Value pointerOf(OpBuilder &builder, Location loc, Value memref) {
  Value address = memref::ExtractAlignedPointerAsIndexOp::create(builder, loc, memref);
  address = arith::IndexCastOp::create(builder, loc, builder.getI64Type(), address);
  return LLVM::IntToPtrOp::create(builder, loc, LLVM::LLVMPointerType::get(builder.getContext()), address);
}

Value sizeOf(OpBuilder &builder, Location loc, Value memref, int64_t dim) {
  const auto type = cast<MemRefType>(memref.getType());
  if (!type.isDynamicDim(dim))
    return arith::ConstantIndexOp::create(builder, loc, type.getDimSize(dim));
  return memref::DimOp::create(builder, loc, memref, dim);
}

} // namespace moe
