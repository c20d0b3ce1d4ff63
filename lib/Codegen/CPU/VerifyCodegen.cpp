// What the codegen pipeline leaves behind. The worker process trusts this: what passes here, LLVM can translate and the linker can resolve.
#include "moe/Codegen/CPU/Passes.h"

#include "CodegenNames.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

namespace moe {
#define GEN_PASS_DEF_VERIFYCODEGEN
#include "moe/Codegen/CPU/Passes.h.inc"

using namespace mlir;

namespace {

/// Functions of libc and libm that generated code may call; those of libm also with the suffix f.
bool isLibraryFunction(StringRef name) {
  static const llvm::StringSet<> memory = {"memcpy", "memmove", "memset"};
  static const llvm::StringSet<> mathematics = {
      "acos", "acosh", "asin",  "asinh", "atan", "atan2", "atanh", "cbrt", "ceil",  "cos",       "cosh", "erf",  "erfc", "exp",  "exp2", "expm1",
      "fabs", "floor", "fma",   "fmod",  "log",  "log10", "log1p", "log2", "pow",   "roundeven", "rint", "round", "sin", "sinh", "sqrt", "tan",
      "tanh", "trunc"};
  return memory.contains(name) || mathematics.contains(name) || (name.consume_back("f") && mathematics.contains(name));
}

struct VerifyCodegen : impl::VerifyCodegenBase<VerifyCodegen> {
  using Base::Base;

  void runOnOperation() override {
    bool valid = true;
    getOperation().walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (op == getOperation() || isa<LLVM::LLVMDialect>(op->getDialect()))
        return WalkResult::advance();
      op->emitOpError("is left after codegen; only the LLVM dialect may be");
      valid = false;
      return WalkResult::skip();
    });
    for (auto function : getOperation().getOps<LLVM::LLVMFuncOp>())
      valid &= succeeded(function.isExternal() ? verifyDeclaration(function) : verifyFeatures(function));
    if (!valid)
      signalPassFailure();
  }

private:
  static LogicalResult verifyDeclaration(LLVM::LLVMFuncOp function) {
    StringRef name = function.getSymName();
    if (llvm::is_contained({barrierFunction, faultFunction, exchangeFunction, exchangeStartFunction, exchangeWaitFunction, gatherFunction, launchFunction,
                            hasKernelFunction, tensorMapFunction, faultRecordFunction, scratchFunction}, name) || name.starts_with("llvm.") || isLibraryFunction(name))
      return success();
    // An unused declaration does no harm: no symbol of it reaches the object.
    if (SymbolTable::symbolKnownUseEmpty(function, function->getParentOp()))
      return success();
    return function.emitOpError("is called but no model.so defines it");
  }

  LogicalResult verifyFeatures(LLVM::LLVMFuncOp function) {
    LLVM::TargetFeaturesAttr present = function.getTargetFeaturesAttr();
    for (StringRef feature : llvm::split(features, ',')) {
      if (feature.empty())
        continue;
      if (present && llvm::is_contained(present.getFeatures(), StringAttr::get(&getContext(), feature)))
        continue;
      if (!present && !usesVectors(function))
        continue; // the shape function and its helpers
      return function.emitOpError("lacks the target feature ") << feature;
    }
    return success();
  }

  static bool usesVectors(LLVM::LLVMFuncOp function) {
    WalkResult result = function.walk([](Operation *op) {
      auto isVector = [](Type type) { return isa<VectorType>(type); };
      bool found = llvm::any_of(op->getOperandTypes(), isVector) || llvm::any_of(op->getResultTypes(), isVector);
      return found ? WalkResult::interrupt() : WalkResult::advance();
    });
    return result.wasInterrupted();
  }
};

} // namespace
} // namespace moe
