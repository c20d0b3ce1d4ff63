// moe-verify-raised: what the raise stage leaves behind (docs/Stages.md). Internal: a violation is a fault of the stage, or of hand-written input.
#include "moe/IR/MoeDialect.h"
#include "moe/Raise/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_VERIFYRAISED
#include "moe/Raise/Passes.h.inc"

namespace {

/// Every argument (or result) has a name and one string per dim.
LogicalResult verifyNames(func::FuncOp entry, StringRef what, TypeRange types, llvm::function_ref<DictionaryAttr(unsigned)> attributes) {
  for (auto [i, type] : llvm::enumerate(types)) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor)
      return entry.emitError() << what << " " << i << " of the entry function is " << type << ", expected a ranked tensor";
    DictionaryAttr dictionary = attributes(i);
    auto name = dictionary ? dictionary.getAs<StringAttr>("moe.name") : StringAttr();
    if (!name)
      return entry.emitError() << what << " " << i << " of the entry function has no 'moe.name'";
    auto dims = dictionary.getAs<ArrayAttr>("moe.dims");
    bool isNamed = dims && static_cast<int64_t>(dims.size()) == tensor.getRank() && llvm::all_of(dims, [](Attribute dim) { return isa<StringAttr>(dim); });
    if (!isNamed)
      return entry.emitError() << what << " '" << name.getValue() << "' of the entry function has no 'moe.dims' of " << tensor.getRank() << " strings";
  }
  return success();
}

class VerifyRaised : public impl::VerifyRaisedBase<VerifyRaised> {
public:
  using Base::Base;

  void runOnOperation() override {
    bool ok = true;
    getOperation().walk([&](Operation *op) {
      if (isa<OnnxOp, AbsentOp, LayerOp>(op)) {
        op->emitError() << "is left after the raise stage";
        ok = false;
      }
      // No later stage takes these, and none would say so.
      if (auto call = dyn_cast<func::CallOp>(op)) {
        call.emitError() << "calls '" << call.getCallee() << "', which calls itself; a function is inlined where it is called";
        ok = false;
      }
      if (op->getName().getDialectNamespace() == "scf" && llvm::any_of(op->getResultTypes(), llvm::IsaPred<RankedTensorType>)) {
        op->emitError() << "is not supported on tensors: a model has no loops and branches but in regions of linalg ops";
        ok = false;
      }
      for (Type type : op->getResultTypes())
        if (isa<UnrankedTensorType>(type)) {
          op->emitError() << "has a result of type " << type << ", expected a ranked tensor";
          ok = false;
        }
    });
    unsigned entries = 0;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (!function->hasAttr("moe.entry"))
        continue;
      ++entries;
      ok &= succeeded(verifyNames(function, "argument", function.getArgumentTypes(), [&](unsigned i) { return function.getArgAttrDict(i); }));
      ok &= succeeded(verifyNames(function, "result", function.getResultTypes(), [&](unsigned i) { return function.getResultAttrDict(i); }));
    }
    if (entries != 1) {
      getOperation().emitError() << "has " << entries << " functions with 'moe.entry', expected one";
      ok = false;
    }
    if (!ok)
      signalPassFailure();
  }
};

} // namespace
} // namespace moe
