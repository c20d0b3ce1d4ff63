// Hand-written .mlir as input of a compilation: after this it looks like what the ONNX importer leaves, so that one set of stages serves both.
#include "moe/Import/MlirInput.h"

#include "LinkLibrary.h"
#include "moe/IR/MoeDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"

using namespace mlir;

namespace moe {

// Payloads above this many bytes are weights and leave the IR, as in the ONNX importer.
static constexpr int64_t kInlineBytes = 4096;

// The function to compile: the one marked moe.entry, else @main, else the only public one.
static func::FuncOp findEntry(ModuleOp module) {
  SmallVector<func::FuncOp> publicFunctions;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function->hasAttr("moe.entry"))
      return function;
    if (function.isPublic() && !function.isExternal())
      publicFunctions.push_back(function);
  }
  if (auto main = module.lookupSymbol<func::FuncOp>("main"))
    return main;
  return publicFunctions.size() == 1 ? publicFunctions.front() : func::FuncOp();
}

static ArrayAttr nameDims(Builder &builder, RankedTensorType type) {
  SmallVector<Attribute> names;
  for (int64_t size : type.getShape())
    names.push_back(builder.getStringAttr(ShapedType::isDynamic(size) ? std::string("?") : std::to_string(size)));
  return builder.getArrayAttr(names);
}

static LogicalResult nameInterface(func::FuncOp entry) {
  Builder builder(entry.getContext());
  for (auto [index, type] : llvm::enumerate(entry.getArgumentTypes())) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor)
      return entry.emitError("expected ranked tensors as arguments of the entry function, got ") << type << " for argument " << index;
    if (!entry.getArgAttr(index, "moe.name"))
      entry.setArgAttr(index, "moe.name", builder.getStringAttr("arg" + std::to_string(index)));
    if (!entry.getArgAttr(index, "moe.dims"))
      entry.setArgAttr(index, "moe.dims", nameDims(builder, tensor));
  }
  for (auto [index, type] : llvm::enumerate(entry.getResultTypes())) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor)
      return entry.emitError("expected ranked tensors as results of the entry function, got ") << type << " for result " << index;
    if (!entry.getResultAttr(index, "moe.name"))
      entry.setResultAttr(index, "moe.name", builder.getStringAttr("result" + std::to_string(index)));
    if (!entry.getResultAttr(index, "moe.dims"))
      entry.setResultAttr(index, "moe.dims", nameDims(builder, tensor));
  }
  return success();
}

// Large dense constants become weights, so that packing finds them where it finds an ONNX model's.
static void outlineConstants(ModuleOp module, func::FuncOp entry) {
  SymbolTable symbols(module);
  OpBuilder moduleBuilder(module.getBodyRegion());
  SmallVector<arith::ConstantOp> large;
  entry.walk([&](arith::ConstantOp constant) {
    auto values = dyn_cast<ElementsAttr>(constant.getValue());
    auto type = values ? dyn_cast<RankedTensorType>(values.getShapedType()) : RankedTensorType();
    if (!type || !type.getElementType().isIntOrFloat() || values.isSplat())
      return;
    if (type.getNumElements() * llvm::divideCeil(type.getElementTypeBitWidth(), 8) > kInlineBytes)
      large.push_back(constant);
  });
  for (arith::ConstantOp constant : large) {
    auto weight = WeightOp::create(moduleBuilder, constant.getLoc(), "constant", /*sym_visibility=*/StringAttr(),
                                   cast<RankedTensorType>(constant.getType()), constant.getValue(), PackingFamilyAttr(), ArrayAttr(), WeightOrderAttr(),
                                   GateLayoutAttr(), IntegerAttr(), IntegerAttr(), QuantAttr(), TypeAttr(), BlocksAttr());
    symbols.insert(weight);
    OpBuilder builder(constant);
    auto reference = WeightRefOp::create(builder, constant.getLoc(), constant.getType(), weight.getSymName());
    constant.replaceAllUsesWith(reference.getResult());
    constant.erase();
  }
}

OwningOpRef<ModuleOp> readMlirModel(MLIRContext &context, StringRef path, const ImportOptions &options) {
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(path, &context);
  if (!module)
    return nullptr;
  if (failed(linkLibrary(*module)))
    return nullptr;
  if (!options.fixedDims.empty()) {
    module->emitError("--dim fixes dims of ONNX models; write the size in the .mlir file instead");
    return nullptr;
  }
  func::FuncOp entry = findEntry(*module);
  if (!entry) {
    module->emitError("expected an entry function: one with the attribute moe.entry, one named @main, or only one public function");
    return nullptr;
  }
  entry->setAttr("moe.entry", UnitAttr::get(&context));
  // After lower the interface is on memrefs and already named.
  if (llvm::all_of(entry.getArgumentTypes(), llvm::IsaPred<MemRefType>) && entry.getNumArguments() > 0)
    return module;
  if (failed(nameInterface(entry)))
    return nullptr;
  outlineConstants(*module, entry);
  return module;
}

} // namespace moe
