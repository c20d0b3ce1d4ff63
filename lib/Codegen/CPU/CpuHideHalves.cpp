// f16 and bf16 that the CPU cannot convert are bits by now: whatever computed with them was expanded. LLVM knows no register for them all the same
// and passes a value that a branch or a select chooses through f32, by calls of functions that a model does not have.
#include "moe/Codegen/CPU/Passes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/AttrTypeSubElements.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

namespace moe {
#define GEN_PASS_DEF_CPUHIDEHALVES
#include "moe/Codegen/CPU/Passes.h.inc"

using namespace mlir;

namespace {

struct CpuHideHalves : impl::CpuHideHalvesBase<CpuHideHalves> {
  using Base::Base;

  void runOnOperation() override {
    const auto has = [&](StringRef name) { return llvm::is_contained(llvm::split(features, ','), name); };
    const bool hidesF16 = !has("+f16c") && !has("+avx512f"), hidesBf16 = !has("+avx512bf16");
    const Type i16 = IntegerType::get(&getContext(), 16);
    const auto isHidden = [=](Type type) { return (hidesF16 && type.isF16()) || (hidesBf16 && type.isBF16()); };

    AttrTypeReplacer replacer;
    replacer.addReplacement([=](FloatType type) { return isHidden(type) ? std::optional<Type>(i16) : std::nullopt; });
    // A constant keeps its bits.
    replacer.addReplacement([=](FloatAttr value) -> std::optional<Attribute> {
      return isHidden(value.getType()) ? std::optional<Attribute>(IntegerAttr::get(i16, value.getValue().bitcastToAPInt())) : std::nullopt;
    });
    replacer.addReplacement([=](DenseElementsAttr values) -> std::optional<Attribute> {
      return isHidden(values.getElementType()) ? std::optional<Attribute>(values.bitcast(i16)) : std::nullopt;
    });
    replacer.recursivelyReplaceElementsIn(getOperation(), /*replaceAttrs=*/true, /*replaceLocs=*/false, /*replaceTypes=*/true);
  }
};

} // namespace
} // namespace moe
