// Last touch on LLVM-dialect functions: linkage, CPU features, and what is known about the memory of weights. A function without its features
// makes LLVM's back end abort on a wide vector, so every function gets them here and moe-verify-codegen checks it.
#include "moe/Codegen/CPU/Passes.h"

#include "CodegenNames.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"

namespace moe {
#define GEN_PASS_DEF_CPUFINISHFUNCTIONS
#include "moe/Codegen/CPU/Passes.h.inc"

using namespace mlir;

namespace {

/// True if `pointer` is the address of a weight, or an element of one.
bool isWeightAddress(Value pointer) {
  while (auto element = pointer.getDefiningOp<LLVM::GEPOp>()) {
    if (element->hasAttr(weightAddressAttrName))
      return true;
    pointer = element.getBase();
  }
  return false;
}

struct CpuFinishFunctions : impl::CpuFinishFunctionsBase<CpuFinishFunctions> {
  using Base::Base;

  void runOnOperation() override {
    const llvm::SetVector<Operation *> beforeChoice = reachableFrom(shapesFunction);
    for (auto function : getOperation().getOps<LLVM::LLVMFuncOp>()) {
      if (function.isExternal())
        continue;
      setLinkage(function);
      if (!beforeChoice.contains(function))
        setFeatures(function);
    }
    for (auto global : getOperation().getOps<LLVM::GlobalOp>()) {
      global.setLinkage(LLVM::Linkage::Internal);
      global->removeAttr(SymbolTable::getVisibilityAttrName());
      global.setDsoLocal(true);
    }
    getOperation().walk([](LLVM::LoadOp load) {
      if (!load.getVolatile_() && load.getOrdering() == LLVM::AtomicOrdering::not_atomic && isWeightAddress(load.getAddr()))
        load.setInvariant(true);
    });
    getOperation().walk([](LLVM::BrOp branch) { annotateLoop(branch); });
    getOperation().walk([](LLVM::CondBrOp branch) { annotateLoop(branch); });
    getOperation().walk([](Operation *op) { dropMoeAttributes(op); });
  }

private:
  /// The function of that name and all that it calls or names.
  llvm::SetVector<Operation *> reachableFrom(StringRef name) {
    llvm::SetVector<Operation *> reached;
    SymbolTable symbols(getOperation());
    if (Operation *root = symbols.lookup(name))
      reached.insert(root);
    for (unsigned i = 0; i < reached.size(); ++i) {
      Operation *function = reached[i];
      auto uses = SymbolTable::getSymbolUses(function);
      if (!uses)
        continue;
      for (SymbolTable::SymbolUse use : *uses)
        if (Operation *used = symbols.lookup(use.getSymbolRef().getLeafReference()))
          if (isa<LLVM::LLVMFuncOp>(used))
            reached.insert(used);
    }
    return reached;
  }

  void setLinkage(LLVM::LLVMFuncOp function) {
    bool isPublic = function.getSymVisibilityAttr() != StringAttr::get(&getContext(), "private") &&
                    (function.getSymName() == shapesFunction || function.getSymName().starts_with(entryPrefix));
    // Hidden: other objects of the same model.so call these two, nobody outside does.
    if (isPublic)
      function.setVisibility_(LLVM::Visibility::Hidden);
    else
      function.setLinkage(LLVM::Linkage::Internal);
    function.setSymVisibilityAttr(nullptr);
    function.setDsoLocal(true);
    addPassthrough(function, "nounwind");
  }

  void setFeatures(LLVM::LLVMFuncOp function) {
    if (features.empty())
      return;
    SmallVector<StringRef> names = llvm::to_vector(llvm::split(features, ','));
    function.setTargetFeaturesAttr(LLVM::TargetFeaturesAttr::get(&getContext(), names));
    if (llvm::is_contained(names, "+avx512f"))
      function.setPreferVectorWidthAttr(StringAttr::get(&getContext(), "512"));
  }

  void addPassthrough(LLVM::LLVMFuncOp function, StringRef name) {
    SmallVector<Attribute> attributes;
    if (ArrayAttr present = function.getPassthroughAttr())
      attributes.append(present.begin(), present.end());
    Attribute added = StringAttr::get(&getContext(), name);
    if (!llvm::is_contained(attributes, added))
      attributes.push_back(added);
    function.setPassthroughAttr(ArrayAttr::get(&getContext(), attributes));
  }

  /// MLIR carries what lower says of a loop to its last branch, but not into the attribute that is translated.
  template <typename Branch>
  static void annotateLoop(Branch branch) {
    const StringRef name = "llvm.loop_annotation";
    if (auto annotation = branch->template getAttrOfType<LLVM::LoopAnnotationAttr>(name)) {
      branch->removeDiscardableAttr(name);
      branch.setLoopAnnotationAttr(annotation);
    }
  }

  static bool isMoe(NamedAttribute attribute) { return attribute.getName().strref().starts_with("moe."); }

  static void dropMoeAttributes(Operation *op) {
    for (NamedAttribute attribute : llvm::to_vector(op->getDiscardableAttrs()))
      if (isMoe(attribute))
        op->removeDiscardableAttr(attribute.getName());
    auto function = dyn_cast<LLVM::LLVMFuncOp>(op);
    if (!function)
      return;
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      for (NamedAttribute attribute : llvm::to_vector(mlir::function_interface_impl::getArgAttrs(function, i)))
        if (isMoe(attribute))
          function.removeArgAttr(i, attribute.getName());
  }
};

} // namespace
} // namespace moe
