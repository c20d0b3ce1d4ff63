// moe-raise-onnx: every moe.onnx op of the entry function becomes linalg, tensor, arith, math, moe.concat. Inference gives each value its
// dims, and the contents of shape arithmetic; sizes are built from the entry arguments, so what only computed shapes is dead afterwards.
// Must hold before: import's form (docs/Stages.md), with MoE layers already raised where they were recognised.
#include "NumberRange.h"
#include "OnnxConversion.h"
#include "OtherFacts.h"
#include "moe/Raise/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_RAISEONNX
#include "moe/Raise/Passes.h.inc"

namespace {

/// Element types that arith computes with.
bool isComputable(Type type) {
  if (isNarrow(type))
    return false;
  if (auto integer = dyn_cast<IntegerType>(type))
    return llvm::is_contained({1u, 8u, 16u, 32u, 64u}, integer.getWidth());
  return isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(type);
}

/// Ops that convert elements of narrow types or move them, and compute with none.
bool takesNarrow(StringRef opType) {
  return llvm::is_contained<ArrayRef<StringRef>>({"Cast", "CastLike", "QuantizeLinear", "DequantizeLinear", "Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Shape",
                             "Size"}, opType);
}

/// The ONNX nodes whose results something live needs as tensors: found backwards from what is not an ONNX node. Operands whose contents are
/// known, and those that give only a shape, keep nothing alive.
llvm::DenseSet<Operation *> neededNodes(Block &body, const ConvertedValues &values) {
  llvm::DenseSet<Operation *> needed;
  auto need = [&](Value value) {
    Operation *producer = value.getDefiningOp();
    if (isa_and_nonnull<OnnxOp>(producer) && !values.hasContents(value))
      needed.insert(producer);
  };
  for (Operation &op : llvm::reverse(body)) {
    auto node = dyn_cast<OnnxOp>(op);
    if (!node) {
      if (!isOpTriviallyDead(&op))
        op.walk([&](Operation *inner) {
          if (!isa<tensor::DimOp>(inner))
            llvm::for_each(inner->getOperands(), need);
        });
      continue;
    }
    if (!needed.contains(node))
      continue;
    for (Value result : node.getOutputs()) {
      // What decides the size of a result is needed, though the node itself may not read it.
      const ValueFacts facts = values.inference.facts(result);
      for (AffineExpr dim : facts.dims)
        values.inference.forEachElementTensor(dim, need);
    }
    uint32_t shapeOnly = ConversionTable::get().lookup(node).shapeOnlyInputs;
    auto hasDataDims = [&](Value input) {
      const ValueFacts facts = values.inference.facts(input);
      return llvm::any_of(facts.dims, [&](AffineExpr dim) { return values.sizes.dependsOnData(dim); });
    };
    for (auto [i, input] : llvm::enumerate(node.getInputs()))
      if (i >= 32 || !(shapeOnly & (1u << i)) || hasDataDims(input))
        need(input);
  }
  return needed;
}

class RaiseOnnx : public impl::RaiseOnnxBase<RaiseOnnx> {
public:
  using Base::Base;
  void runOnOperation() override;

private:
  LogicalResult raiseEntry(func::FuncOp entry);
  LogicalResult convertNodes(Block &body, ConvertedValues &values);
  LogicalResult convertNode(OnnxOp op, ConvertedValues &values);
  LogicalResult replaceUses(Block &body, ConvertedValues &values);
  LogicalResult setSignature(func::FuncOp entry, ConvertedValues &values);
};

} // namespace

/// Refuses what no conversion could handle: sizes that nothing gives and element types without arithmetic.
static LogicalResult checkNode(OnnxOp op, const NodeConversion &conversion, ConvertedValues &values) {
  auto fail = [&]() { return op.emitError() << "node '" << nodeName(op.getLoc()) << "' (" << op.getOpType() << "): "; };
  auto isAllowed = [&](Type type) { return isComputable(type) || (isNarrow(type) && takesNarrow(op.getOpType())); };
  for (Value result : op.getOutputs()) {
    auto type = dyn_cast<RankedTensorType>(result.getType());
    if (!type || result.use_empty())
      continue;
    SmallVector<AffineExpr> dims = values.inference.facts(result).dims;
    for (auto [i, dim] : llvm::enumerate(dims))
      if (!values.sizes.isKnown(dim) && !conversion.definesSizes)
        return fail() << "the size of dim " << i << " of the result depends on data (" << values.sizes.describe(dim) << ")";
    if (!isAllowed(type.getElementType()))
      return fail() << "results of element type " << type.getElementType() << " are not supported yet";
  }
  for (Value input : op.getInputs())
    if (auto type = dyn_cast<RankedTensorType>(input.getType()); type && !isAllowed(type.getElementType()))
      return fail() << "inputs of element type " << type.getElementType() << " are not supported yet";
  return success();
}

LogicalResult RaiseOnnx::convertNode(OnnxOp op, ConvertedValues &values) {
  NodeConversion conversion = ConversionTable::get().lookup(op);
  if (!conversion.convert)
    return op.emitError() << "node '" << nodeName(op.getLoc()) << "': ONNX op '" << op.getOpType() << "' of domain '" << op.getDomain()
                          << "' (version " << op.getVersion() << ") is not supported yet";
  values.sizes.setPlace(op);
  if (failed(checkNode(op, conversion, values)))
    return failure();
  for (Value result : op.getOutputs()) {
    const ValueFacts facts = values.inference.facts(result);
    for (AffineExpr dim : facts.dims)
      values.sizes.emitConditionsOn(dim);
  }
  if (!values.sizes.emitDataConditions(op.getLoc()))
    return op.emitError() << "node '" << nodeName(op.getLoc()) << "' (" << op.getOpType() << "): needs sizes that depend on data to be equal";
  NodeConverter node(op, values);
  if (failed(conversion.convert(node)))
    return failure();
  return failure(node.failed());
}

/// Drops the conditions on ONNX values that hold whatever the inputs: recognisers make them without asking.
static void dropProvenConditions(Block &body, ConvertedValues &values) {
  for (auto condition : llvm::make_early_inc_range(body.getOps<RequireRangeOp>())) {
    std::optional<int64_t> low = getConstantIntValue(condition.getLow()), high = getConstantIntValue(condition.getHigh());
    auto number = [&](int64_t value) { return getAffineConstantExpr(value, condition.getContext()); };
    if (low && high && isProvenWithin(values.inference, condition.getValues(), number(*low), number(*high)))
      condition.erase();
  }
}

LogicalResult RaiseOnnx::convertNodes(Block &body, ConvertedValues &values) {
  values.demand = BranchDemand(body);
  llvm::DenseSet<Operation *> needed = neededNodes(body, values);
  SmallVector<OnnxOp> nodes(body.getOps<OnnxOp>());
  bool ok = true;
  for (OnnxOp node : nodes) {
    if (!needed.contains(node))
      continue;
    // Every node that cannot be raised is reported, but none that only lacks what an earlier one did not give.
    if (!ok && llvm::any_of(node.getInputs(), [&](Value input) { return values.isMissing(input); }))
      continue;
    ok &= succeeded(convertNode(node, values));
  }
  return success(ok);
}

LogicalResult RaiseOnnx::replaceUses(Block &body, ConvertedValues &values) {
  SmallVector<OnnxOp> nodes(body.getOps<OnnxOp>());
  SmallVector<tensor::DimOp> dims;
  body.walk([&](tensor::DimOp dim) { dims.push_back(dim); });
  for (tensor::DimOp dim : dims) {
    // Sizes are read from entry arguments only.
    std::optional<int64_t> index = dim.getConstantIndex();
    const ValueFacts facts = values.inference.facts(dim.getSource());
    if (!index || !isa_and_nonnull<OnnxOp>(dim.getSource().getDefiningOp()) || *index < 0 || *index >= static_cast<int64_t>(facts.dims.size()))
      continue;
    values.sizes.setPlace(dim);
    if (!values.sizes.isKnown(facts.dims[*index]))
      return dim.emitError() << "needs a size that depends on data: " << values.sizes.describe(facts.dims[*index]);
    dim.replaceAllUsesWith(values.sizes.get(facts.dims[*index]));
    dim.erase();
  }
  for (OnnxOp node : nodes)
    for (Value result : node.getOutputs())
      for (OpOperand &use : llvm::make_early_inc_range(result.getUses())) {
        Operation *user = use.getOwner();
        if (isa<OnnxOp>(user) || isOpTriviallyDead(user))
          continue;
        FailureOr<SizedTensor> converted = values.get(result, user);
        if (failed(converted))
          return failure();
        use.set(converted->value);
      }
  // Users before producers.
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body)))
    if (isa<OnnxOp, AbsentOp>(op) || isOpTriviallyDead(&op)) {
      if (!op.use_empty())
        return op.emitError() << "is still used after conversion";
      op.erase();
    }
  return success();
}

/// Gives the entry's signature the element types that the values in it have. The attribute `moe.dtype` keeps what callers pass.
LogicalResult RaiseOnnx::setSignature(func::FuncOp entry, ConvertedValues &values) {
  Operation *terminator = entry.getBody().front().getTerminator();
  auto keep = [&](Type type) { return TypeAttr::get(cast<RankedTensorType>(type).getElementType()); };
  for (auto [i, type] : llvm::enumerate(entry.getResultTypes())) {
    if (!isa<RankedTensorType>(type) || codeType(getElementTypeOrSelf(type)) == getElementTypeOrSelf(type))
      continue;
    FailureOr<SizedTensor> converted = values.get(terminator->getOperand(i), terminator);
    if (failed(converted))
      return failure();
    terminator->setOperand(i, converted->value);
    entry.setResultAttr(i, "moe.dtype", keep(type));
  }
  for (BlockArgument argument : entry.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type || codeType(type.getElementType()) == type.getElementType())
      continue;
    for (OpOperand &use : llvm::make_early_inc_range(argument.getUses())) {
      if (auto cast = dyn_cast<UnrealizedConversionCastOp>(use.getOwner())) {
        cast.getResult(0).replaceAllUsesWith(argument);
        cast.erase();
      } else if (!isa<tensor::DimOp>(use.getOwner())) {
        return use.getOwner()->emitError() << "cannot read elements of type " << type.getElementType();
      }
    }
    entry.setArgAttr(argument.getArgNumber(), "moe.dtype", keep(type));
    argument.setType(type.clone(codeType(type.getElementType())));
  }
  entry.setType(FunctionType::get(&getContext(), entry.getBody().getArgumentTypes(), terminator->getOperandTypes()));
  return success();
}

LogicalResult RaiseOnnx::raiseEntry(func::FuncOp entry) {
  if (!llvm::hasSingleElement(entry.getBody()))
    return entry.emitError() << "has " << entry.getBody().getBlocks().size() << " blocks, expected one";
  OnnxInference inference(&getContext());
  if (failed(inferWithOtherOps(entry, inference)))
    return failure();
  SizeTable sizes(entry, inference);
  ConvertedValues values(sizes, inference);
  sizes.tensorOf = [&](Value value) { return values.find(value); };
  sizes.emitConditions();
  dropProvenConditions(entry.getBody().front(), values);
  if (failed(convertNodes(entry.getBody().front(), values)))
    return failure();
  if (failed(replaceUses(entry.getBody().front(), values)))
    return failure();
  return setSignature(entry, values);
}

void RaiseOnnx::runOnOperation() {
  for (auto function : getOperation().getOps<func::FuncOp>())
    if (function->hasAttr("moe.entry") && !function.isExternal() && failed(raiseEntry(function)))
      return signalPassFailure();
}

} // namespace moe
