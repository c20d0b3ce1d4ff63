// The data that lib/Runtime/LinkedProgram.cpp names, as a module that goes through the same worker as the kernels.
#include "moe/Package/Package.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"

using namespace mlir;

namespace moe {

static LLVM::GlobalOp createHidden(OpBuilder &builder, Location loc, Type type, StringRef name, Attribute value) {
  auto global = LLVM::GlobalOp::create(builder, loc, type, /*isConstant=*/true, LLVM::Linkage::External, name, value, /*alignment=*/8);
  global.setVisibility_(LLVM::Visibility::Hidden);
  global.setDsoLocal(true);
  return global;
}

OwningOpRef<ModuleOp> buildRuntimeTables(MLIRContext *context, ArrayRef<uint8_t> modelInfo, unsigned isaVersions) {
  context->loadDialect<LLVM::LLVMDialect>();
  Location loc = UnknownLoc::get(context);
  OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
  OpBuilder builder = OpBuilder::atBlockEnd(module->getBody());
  auto bytes = LLVM::LLVMArrayType::get(builder.getI8Type(), modelInfo.size());
  StringRef text(reinterpret_cast<const char *>(modelInfo.data()), modelInfo.size());
  createHidden(builder, loc, bytes, "moe_model_info", builder.getStringAttr(text));
  createHidden(builder, loc, builder.getI64Type(), "moe_model_info_size", builder.getI64IntegerAttr(modelInfo.size()));

  Type pointer = LLVM::LLVMPointerType::get(context);
  auto entryType = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context), {pointer, pointer});
  for (unsigned version = 0; version < isaVersions; ++version) {
    auto entry = LLVM::LLVMFuncOp::create(builder, loc, "moe_entry_" + std::to_string(version), entryType);
    entry.setVisibility_(LLVM::Visibility::Hidden);
    entry.setDsoLocal(true);
  }
  auto table = createHidden(builder, loc, LLVM::LLVMArrayType::get(pointer, isaVersions), "moe_entries", Attribute());
  builder.createBlock(&table.getInitializerRegion());
  Value value = LLVM::UndefOp::create(builder, loc, table.getGlobalType());
  for (unsigned version = 0; version < isaVersions; ++version) {
    Value entry = LLVM::AddressOfOp::create(builder, loc, pointer, "moe_entry_" + std::to_string(version));
    value = LLVM::InsertValueOp::create(builder, loc, value, entry, ArrayRef<int64_t>{version});
  }
  LLVM::ReturnOp::create(builder, loc, value);
  return module;
}

} // namespace moe
