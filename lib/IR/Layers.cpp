// Questions that several stages ask about an op. No stage may include another; what they share about the dialect is here.
#include "moe/IR/Layers.h"
#include "moe/IR/Activations.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

#include "llvm/ADT/EquivalenceClasses.h"

using namespace mlir;

std::string moe::layerName(Operation *op) {
  if (auto origin = op->getAttrOfType<OriginAttr>("origin"))
    return origin.getName().str();
  if (auto name = op->getLoc()->findInstanceOf<NameLoc>())
    return name.getName().str();
  return "";
}

std::string moe::describeOp(Operation *op) {
  std::string text = ("op '" + op->getName().getStringRef() + "'").str();
  const std::string name = layerName(op);
  return name.empty() ? text : text + " of layer '" + name + "'";
}

Value moe::bfloat16Behind(Value rows) {
  Value narrow = narrowBehind(rows);
  return narrow && getElementTypeOrSelf(narrow).isBF16() ? narrow : Value();
}

bool moe::holdBfloat16(Value rows) {
  while (Operation *op = rows.getDefiningOp()) {
    if (auto dispatch = dyn_cast<DispatchOp>(op))
      rows = dispatch.getX();
    else if (isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp, tensor::CastOp>(op))
      rows = op->getOperand(0);
    else
      break;
  }
  return static_cast<bool>(bfloat16Behind(rows));
}

/// A stored weight, or what is dequantised from stored parts.
static bool isStored(Value value) {
  if (auto dequant = value.getDefiningOp<moe::DequantOp>())
    return llvm::all_of(dequant->getOperands(), isStored);
  return static_cast<bool>(value.getDefiningOp<moe::WeightRefOp>());
}

Value moe::storedWeightOf(linalg::MatmulOp matmul) {
  if (!matmul.hasPureTensorSemantics())
    return {};
  auto isF32Matrix = [](Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    return type && type.getRank() == 2 && type.getElementType().isF32();
  };
  const Value weight = matmul.getInputs()[1];
  if (!isStored(weight) || !isF32Matrix(matmul.getInputs()[0]) || !isF32Matrix(matmul.getOutputs()[0]))
    return {};
  auto type = cast<ShapedType>(weight.getType());
  const Type element = type.getElementType();
  return type.getRank() == 2 && (element.isF32() || element.isF16() || element.isBF16()) ? weight : Value();
}

std::optional<moe::WeightOrder> moe::weightOrderOf(linalg::MatmulOp matmul) {
  MLIRContext *context = matmul.getContext();
  const SmallVector<AffineMap> maps = matmul.getIndexingMapsArray();
  auto map = [&](unsigned first, unsigned second) {
    return AffineMap::get(3, 0, {getAffineDimExpr(first, context), getAffineDimExpr(second, context)}, context);
  };
  if (maps[0] != map(0, 2) || maps[2] != map(0, 1))
    return std::nullopt;
  if (maps[1] == map(2, 1))
    return WeightOrder::InOut;
  if (maps[1] == map(1, 2))
    return WeightOrder::OutIn;
  return std::nullopt;
}

Value moe::zeroFilledInit(linalg::MatmulOp matmul) {
  const Value init = matmul.getOutputs()[0];
  if (auto fill = init.getDefiningOp<linalg::FillOp>())
    return matchPattern(fill.getInputs()[0], m_AnyZeroFloat()) ? fill.getOutputs()[0] : Value();
  return matchPattern(init, m_AnyZeroFloat()) ? init : Value();
}

bool moe::canShareColumns(linalg::MatmulOp matmul, int64_t devices, std::string &why) {
  const Value weight = storedWeightOf(matmul);
  const int64_t columns = cast<ShapedType>(matmul.getResult(0).getType()).getDimSize(1);
  if (!weight)
    why = "its weight is not stored";
  else if (!weightOrderOf(matmul) || !zeroFilledInit(matmul))
    why = "it is no plain product of rows with a weight";
  else if (ShapedType::isDynamic(columns) || columns % devices != 0)
    why = "its columns are not a multiple of the " + std::to_string(devices) + " devices";
  return why.empty();
}

bool moe::canShareHeads(AttentionOp op, int64_t devices, std::string &why) {
  const int64_t heads = cast<ShapedType>(op.getQ().getType()).getDimSize(1), keyHeads = cast<ShapedType>(op.getK().getType()).getDimSize(1);
  if (ShapedType::isDynamic(heads) || ShapedType::isDynamic(keyHeads))
    why = "its heads are not static";
  else if (heads % devices != 0)
    why = "its " + std::to_string(heads) + " query heads are not a multiple of the " + std::to_string(devices) + " devices";
  else if (!isa<RankedTensorType>(op.getQ().getType()) || !op->getResult(1).use_empty())
    why = "its scratch is read";
  // Ranks, of which there is any divisor of the devices, have whole key heads or an equal part of one.
  for (int64_t ranks = 1; why.empty() && ranks <= devices; ++ranks)
    if (devices % ranks == 0 && keyHeads % ranks != 0 && ranks % keyHeads != 0)
      why = "its " + std::to_string(keyHeads) + " key heads are neither a multiple nor a divisor of " + std::to_string(ranks) + " ranks";
  return why.empty();
}

moe::MeshOp moe::meshOf(Operation *op, ShardingAttr sharding) {
  auto mesh = SymbolTable::lookupNearestSymbolFrom<MeshOp>(op, sharding.getMesh());
  if (!mesh) {
    op->emitError() << describeOp(op) << ": expected a moe.mesh named " << sharding.getMesh() << ", found none";
    return {};
  }
  if (mesh.devices() == sharding.devices())
    return mesh;
  op->emitError() << describeOp(op) << ": expected a sharding over the " << mesh.devices() << " devices of " << sharding.getMesh() << ", found one over "
                  << sharding.devices();
  return {};
}

/// The input whose first dim `size` is; null otherwise.
static BlockArgument firstDimOf(Value size) {
  auto dim = size.getDefiningOp<tensor::DimOp>();
  auto input = dim && dim.getConstantIndex() == 0 ? dyn_cast<BlockArgument>(dim.getSource()) : BlockArgument();
  return input && input.getOwner()->isEntryBlock() ? input : BlockArgument();
}

SmallVector<BlockArgument> moe::sequenceInputs(FunctionOpInterface function) {
  SmallVector<BlockArgument> candidates, found;
  if (function.isExternal())
    return found;
  for (BlockArgument input : function.getArguments())
    if (auto type = dyn_cast<RankedTensorType>(input.getType()); type && type.getRank() > 0 && type.isDynamicDim(0))
      candidates.push_back(input);
  if (candidates.empty())
    return found;
  auto nameOf = [&](BlockArgument input) {
    auto dims = function.getArgAttrOfType<ArrayAttr>(input.getArgNumber(), "moe.dims");
    return dims && !dims.empty() ? dyn_cast<StringAttr>(dims[0]) : StringAttr();
  };
  llvm::EquivalenceClasses<unsigned> classes;
  for (BlockArgument input : candidates) {
    classes.insert(input.getArgNumber());
    for (BlockArgument other : candidates)
      if (const StringAttr name = nameOf(input); name && name == nameOf(other))
        classes.unionSets(input.getArgNumber(), other.getArgNumber());
  }
  function.walk([&](RequireEqualOp op) {
    const BlockArgument a = firstDimOf(op.getLhs()), b = firstDimOf(op.getRhs());
    if (a && b && llvm::is_contained(candidates, a) && llvm::is_contained(candidates, b))
      classes.unionSets(a.getArgNumber(), b.getArgNumber());
  });
  for (BlockArgument input : candidates)
    if (classes.isEquivalent(candidates.front().getArgNumber(), input.getArgNumber()))
      found.push_back(input);
  return found;
}

std::optional<moe::RaggedLayer> moe::shardableLayer(ExpertsOp experts, std::string &why) {
  auto refuse = [&](const char *reason) {
    why = reason;
    return std::optional<RaggedLayer>();
  };
  RaggedLayer layer;
  layer.experts = experts;
  layer.dispatch = experts.getRows().getDefiningOp<DispatchOp>();
  if (!experts.getFfn())
    return refuse("its experts compute a region");
  if (experts.getStepsAttr())
    return refuse("its experts round their rows between the products");
  if (!layer.dispatch || !layer.dispatch.getRows().hasOneUse())
    return refuse("its rows are not those of one moe.dispatch alone");
  if (layer.dispatch.getLayout() != SlotLayout::Ragged)
    return refuse("its rows are padded to a capacity");
  if (layer.dispatch.getWeights())
    return refuse("its rows are weighted before the experts");
  const Value rows = experts.getResult();
  layer.combine = rows.hasOneUse() ? dyn_cast<CombineOp>(*rows.user_begin()) : CombineOp();
  if (!layer.combine)
    return refuse("its results are read by others than one moe.combine");
  CombineOp combine = layer.combine;
  if (combine.getDropped() != Dropped::Zero)
    return refuse("a token without an expert keeps its row");
  DispatchOp dispatch = layer.dispatch;
  if (combine.getToken() != dispatch.getToken() || combine.getSlot() != dispatch.getSlot() || combine.getKeep() != dispatch.getKeep() ||
      experts.getOffset() != dispatch.getOffset())
    return refuse("moe.dispatch and moe.combine do not use the same slots");
  auto slots = dispatch.getSlot().getDefiningOp<SlotsOp>();
  if (!slots || slots.getOffset() != dispatch.getOffset())
    return refuse("its slots are not those of one moe.slots");
  if (auto assign = slots.getToken().getDefiningOp<AssignOp>())
    layer.topK = assign.getIndices().getType().getDimSize(1);
  else if (auto select = slots.getToken().getDefiningOp<SelectOp>(); select && select.getSide() == SelectSide::Token)
    layer.topK = select.getMode() == SelectMode::All ? static_cast<int64_t>(slots.getExperts()) : static_cast<int64_t>(select.getK());
  if (layer.topK < 1)
    return refuse("how many experts a token has is not known");
  return layer;
}
