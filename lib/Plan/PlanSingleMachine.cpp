// Chooses packing and precision for one machine. There is one kernel family, so nothing is searched yet: the packing follows from the
// kind of product, the precision from the option, the weights and what reads the result. Before: the form that raise leaves.
#include "moe/IR/Layers.h"
#include "moe/IR/Quantization.h"
#include "moe/Plan/Passes.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_PLANSINGLEMACHINE
#include "moe/Plan/Passes.h.inc"

namespace {

/// The accuracy_level of a model that lets rows be int8.
constexpr int64_t int8AccuracyLevel = 4;

/// The products that make logits: what routers read, back to the products of matrices behind it. Routers run in f32 whatever the dtype.
llvm::DenseSet<Operation *> productsOfRouters(ModuleOp module) {
  llvm::SetVector<Value> values;
  module.walk([&](Operation *op) {
    if (isa<ScoreOp, SelectOp, WeighOp, AssignOp, RoutePermuteOp>(op))
      values.insert_range(op->getOperands());
  });
  llvm::DenseSet<Operation *> products;
  for (size_t next = 0; next < values.size(); ++next) {
    Operation *op = values[next].getDefiningOp();
    if (!op)
      continue;
    auto structured = dyn_cast<linalg::LinalgOp>(op);
    if (structured && linalg::isaContractionOpInterface(structured))
      products.insert(op);
    else if (!isa<ExpertsOp, CombineOp, LayerOp>(op))
      values.insert_range(op->getOperands());
  }
  return products;
}

struct PlanSingleMachine : impl::PlanSingleMachineBase<PlanSingleMachine> {
  using Base::Base;

  void runOnOperation() override {
    if (!llvm::is_contained({"auto", "f32", "bf16", "int8"}, activations)) {
      getOperation().emitError("unknown value '") << activations << "' of option activations; expected auto, f32, bf16 or int8";
      return signalPassFailure();
    }
    if (memoryNodes < 1 || memoryNodes > mostMemoryNodes) {
      getOperation().emitError("memory-nodes: expected 1 to ") << mostMemoryNodes << ", found " << int64_t(memoryNodes);
      return signalPassFailure();
    }
    if (memoryNodes > 1)
      getOperation()->setAttr(memoryNodesAttrName, OpBuilder(&getContext()).getI64IntegerAttr(memoryNodes));
    routerProducts = productsOfRouters(getOperation());
    floatProducts.clear();
    const WalkResult result = getOperation().walk([&](Operation *op) {
      if (auto experts = dyn_cast<ExpertsOp>(op))
        return WalkResult(planExperts(experts));
      if (auto matmul = dyn_cast<linalg::MatmulOp>(op))
        return WalkResult(planMatmul(matmul));
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
    for (auto &[why, products] : floatProducts) {
      InFlightDiagnostic remark = products.front()->emitRemark() << describeOp(products.front());
      if (products.size() > 1)
        remark << " and " << products.size() - 1 << (products.size() == 2 ? " other product keep" : " other products keep");
      else
        remark << " keeps";
      remark << " activations in f32: " << why;
    }
  }

  LogicalResult planExperts(ExpertsOp op) {
    // A sharding that is there already is one that a user has pinned.
    const ShardingAttr sharding = op.getPlan() ? op.getPlan()->getSharding() : ShardingAttr();
    if (!op.getFfn()) {
      op.setPlanAttr(PlanAttr::get(&getContext(), PackingFamily::Plain, "f32", sharding));
      return success();
    }
    const PackingFamily packing = op.getFfn()->isGated() ? PackingFamily::GateUp16 : PackingFamily::Panel32;
    op.setPlanAttr(PlanAttr::get(&getContext(), packing, precisionFor(op, op.getRows(), {op.getGate(), op.getUp(), op.getDown()}), sharding));
    return success();
  }

  LogicalResult planMatmul(linalg::MatmulOp op) {
    const Value weight = storedWeightOf(op);
    if (!weight)
      return success();
    const StringRef precision = routerProducts.contains(op) ? StringRef("f32") : precisionFor(op, op.getInputs()[0], weight);
    op->setAttr(planAttrName, PlanAttr::get(&getContext(), PackingFamily::Panel32, precision));
    return success();
  }

  /// The precision of the activations of `op`, whose first product has these rows and whose products have these weights (null: absent): the one
  /// asked for, f32 with a remark where no kernel takes the weights in that. Left to us, int8 where the model allows it, bf16 where rows and
  /// weights are that, which loses nothing (experts would round what is between their products), else f32.
  StringRef precisionFor(Operation *op, Value rows, ArrayRef<Value> weights) {
    auto keepsFloat = [&](StringRef why) {
      if (isa<ExpertsOp>(op))
        op->emitRemark() << describeOp(op) << " keeps activations in f32: " << why;
      else // A model has hundreds.
        floatProducts[why].push_back(op);
      return StringRef("f32");
    };
    if (activations == "bf16")
      return llvm::none_of(weights, isQuantised) ? StringRef("bf16")
                                                 : keepsFloat("its weights are quantised; bf16 kernels take those of f32, f16 or bf16");
    if (activations == "int8") // A product of the op whose own weight is no integers is left in f32 by lower.
      return llvm::any_of(weights, isIntegers) ? StringRef("int8") : keepsFloat("its weights are not quantised to integers, which int8 kernels take");
    if (activations != "auto")
      return "f32";
    const auto allWeights = [&](auto condition) { return llvm::all_of(weights, [&](Value weight) { return !weight || condition(weight); }); };
    if (allWeights(allowsInt8) && llvm::any_of(weights, isIntegers))
      return "int8";
    const bool isBfloat16 = holdBfloat16(rows) && allWeights([](Value weight) { return !isQuantised(weight) && getElementTypeOrSelf(weight).isBF16(); });
    return isBfloat16 && !isa<ExpertsOp>(op) ? StringRef("bf16") : StringRef("f32");
  }

  static bool isQuantised(Value weight) { return weight && weight.getDefiningOp<DequantOp>(); }
  static bool isIntegers(Value weight) {
    auto dequant = weight ? weight.getDefiningOp<DequantOp>() : DequantOp();
    return dequant && isIntegerFormat(dequant.getFormat().getFormat());
  }
  /// Does the model say that rows of int8 are accurate enough for this weight?
  static bool allowsInt8(Value weight) { return isIntegers(weight) && weight.getDefiningOp<DequantOp>().getAccuracyLevel() == int8AccuracyLevel; }

  llvm::DenseSet<Operation *> routerProducts;
  /// Products of rows that keep f32, by the reason.
  llvm::MapVector<StringRef, SmallVector<Operation *>> floatProducts;
};

} // namespace
} // namespace moe
