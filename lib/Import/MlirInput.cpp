// Hand-written .mlir as input of a compilation: after this it looks like what the ONNX importer leaves, so that one set of stages serves both.
#include "moe/Import/MlirInput.h"

#include "LinkLibrary.h"
#include "moe/IR/MoeDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

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

// What hand-written attributes of one argument or result say: a name that no other has, and a string per dim that its size does not contradict.
static LogicalResult checkInterface(func::FuncOp entry, const Twine &what, RankedTensorType type, Attribute name, Attribute dims,
                                    llvm::StringMap<std::string> &owners) {
  auto text = dyn_cast<StringAttr>(name);
  if (!text || text.empty())
    return entry.emitError("expected a string that is not empty as 'moe.name' of ") << what << ", got " << name;
  auto [owner, isNew] = owners.try_emplace(text.getValue(), what.str());
  if (!isNew)
    return entry.emitError() << owner->second << " and " << what << " have the same 'moe.name', '" << text.getValue() << "'";
  auto list = dyn_cast<ArrayAttr>(dims);
  if (!list || static_cast<int64_t>(list.size()) != type.getRank() || !llvm::all_of(list, llvm::IsaPred<StringAttr>))
    return entry.emitError("expected ") << type.getRank() << " strings as 'moe.dims' of " << what << ", got " << dims;
  for (auto [index, dim] : llvm::enumerate(list.getAsRange<StringAttr>())) {
    int64_t size = 0;
    if (dim.getValue().getAsInteger(10, size) || size == type.getDimSize(index))
      continue; // A symbol, or the size.
    auto diagnostic = entry.emitError() << "'moe.dims' of " << what << " says that dim " << index << " is " << dim.getValue() << ", its type ";
    return type.isDynamicDim(index) ? diagnostic << "that it is dynamic: expected a symbol or '?'"
                                    : diagnostic << "that it is " << type.getDimSize(index);
  }
  return success();
}

static LogicalResult nameInterface(func::FuncOp entry) {
  Builder builder(entry.getContext());
  llvm::StringMap<std::string> argumentNames, resultNames;
  for (auto [index, type] : llvm::enumerate(entry.getArgumentTypes())) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor)
      return entry.emitError("expected ranked tensors as arguments of the entry function, got ") << type << " for argument " << index;
    if (!entry.getArgAttr(index, "moe.name"))
      entry.setArgAttr(index, "moe.name", builder.getStringAttr("arg" + std::to_string(index)));
    if (!entry.getArgAttr(index, "moe.dims"))
      entry.setArgAttr(index, "moe.dims", nameDims(builder, tensor));
    if (failed(checkInterface(entry, "argument " + Twine(index), tensor, entry.getArgAttr(index, "moe.name"), entry.getArgAttr(index, "moe.dims"),
                              argumentNames)))
      return failure();
  }
  for (auto [index, type] : llvm::enumerate(entry.getResultTypes())) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor)
      return entry.emitError("expected ranked tensors as results of the entry function, got ") << type << " for result " << index;
    if (!entry.getResultAttr(index, "moe.name"))
      entry.setResultAttr(index, "moe.name", builder.getStringAttr("result" + std::to_string(index)));
    if (!entry.getResultAttr(index, "moe.dims"))
      entry.setResultAttr(index, "moe.dims", nameDims(builder, tensor));
    if (failed(checkInterface(entry, "result " + Twine(index), tensor, entry.getResultAttr(index, "moe.name"),
                              entry.getResultAttr(index, "moe.dims"), resultNames)))
      return failure();
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
    auto weight = WeightOp::create(moduleBuilder, constant.getLoc(), moduleBuilder.getStringAttr("constant"), /*visibility=*/StringAttr(),
                                   TypeAttr::get(constant.getType()), constant.getValue(), PackingFamilyAttr(), ArrayAttr(), WeightOrderAttr(),
                                   GateLayoutAttr(), IntegerAttr(), IntegerAttr(), QuantAttr(), TypeAttr(), BlocksAttr());
    symbols.insert(weight);
    OpBuilder builder(constant);
    auto reference = WeightRefOp::create(builder, constant.getLoc(), constant.getType(), weight.getSymName());
    constant.replaceAllUsesWith(reference.getResult());
    constant.erase();
  }
}

// Relative paths of weights mean the folder of the .mlir file; what is not there is looked for in the working directory.
static void resolvePaths(ModuleOp module, StringRef path) {
  for (auto weight : module.getOps<WeightOp>()) {
    auto file = dyn_cast_or_null<FileAttr>(weight.getSourceAttr());
    if (!file || file.getPath().empty() || llvm::sys::path::is_absolute(file.getPath()))
      continue;
    SmallString<256> beside(llvm::sys::path::parent_path(path)), here(file.getPath());
    llvm::sys::path::append(beside, file.getPath());
    if (llvm::sys::fs::make_absolute(beside) || llvm::sys::fs::make_absolute(here))
      continue;
    const bool isHere = !llvm::sys::fs::exists(beside) && llvm::sys::fs::exists(here);
    weight.setSourceAttr(FileAttr::get(module.getContext(), isHere ? here : beside, file.getOffset(), file.getLength()));
  }
}

OwningOpRef<ModuleOp> readMlirModel(MLIRContext &context, StringRef path, const ImportOptions &options) {
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(path, &context);
  if (!module)
    return nullptr;
  resolvePaths(*module, path);
  if (failed(linkLibrary(*module)))
    return nullptr;
  if (!options.fixedDims.empty()) {
    module->emitError("--dim fixes dims of ONNX models; write the size in the .mlir file instead");
    return nullptr;
  }
  if (!options.overridable.empty()) {
    module->emitError("--overridable names initializers of ONNX models; make the value an argument of the entry function instead");
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
