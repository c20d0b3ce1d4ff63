// Gives stored weights the layout that kernels read, and each its place in model.weights. No bytes are touched: a packed weight is a symbol
// that names its sources, and package writes it. Before: the form that fuse leaves, on tensors. After: every moe.weight that is read has a
// section and an offset, and a grouped_matmul with a plan has a packed weight, `packing` and `columns`.
#include "QuantizedRows.h"
#include "moe/IR/Layers.h"
#include "moe/IR/Quantization.h"
#include "moe/Lower/Passes.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/Support/CheckedArithmetic.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_LOWERPACKWEIGHTS
#include "moe/Lower/Passes.h.inc"

namespace {

/// Columns of a panel; a panel of pairs holds half as many of each.
constexpr int64_t panelColumns = 32;
/// Alignment of a weight in its section, in bytes.
constexpr int64_t weightAlignment = 64;

/// What makes two packed weights the same: sources, how they are read, the layout, and the parts that columns and k of an expert are cut into.
using PackedKey = std::tuple<ArrayAttr, WeightOrder, GateLayout, PlanAttr, QuantAttr, BlocksAttr, int64_t, int64_t>;

/// A weight in the file, maybe quantised: the references to its parts (values, or payload, scales and zero points).
struct StoredWeight {
  SmallVector<WeightRefOp, 3> parts;
  QuantAttr quant;
  PartExpertsOp cut; ///< What cuts the experts; null where they are whole.

  /// Reads a weight operand; no parts where it is computed.
  static StoredWeight of(Value value) {
    StoredWeight weight;
    if ((weight.cut = value.getDefiningOp<PartExpertsOp>()))
      value = weight.cut.getWeight();
    SmallVector<Value> values = {value};
    if (auto dequant = value.getDefiningOp<DequantOp>()) {
      weight.quant = dequant.getFormat();
      values.assign(dequant->operand_begin(), dequant->operand_end());
    }
    for (Value part : values) {
      auto reference = part.getDefiningOp<WeightRefOp>();
      if (!reference)
        return {};
      weight.parts.push_back(reference);
    }
    return weight;
  }

  WeightRefOp payload() const { return parts[0]; }
  /// Of ternary_dict.
  WeightRefOp codebook() const { return parts[3]; }
};

/// What `weight` is cut from, itself where it is whole.
Value wholeOf(Value weight) {
  auto cut = weight.getDefiningOp<PartExpertsOp>();
  return cut ? cut.getWeight() : weight;
}

/// The matrices of one product, read from a grouped_matmul.
struct PackedShape {
  int64_t experts, columns, panels, depth;
};

/// Groups of k below this would be mostly scales; such weights are widened when they are packed.
constexpr int64_t shortestGroup = 8;

/// Kernels on rows of bf16 read pairs of k.
bool isPaired(PlanAttr plan) { return plan.getActivations() == "bf16"; }

PanelCode panelCode(QuantFormat format) {
  switch (format) {
  case QuantFormat::Int8Channel:
  case QuantFormat::Int8Group:
    return PanelCode::Int8;
  case QuantFormat::Int2Group:
    return PanelCode::Int2;
  case QuantFormat::Mxfp4:
  case QuantFormat::Nvfp4:
    return PanelCode::E2m1;
  case QuantFormat::Nf4:
    return PanelCode::Nf4;
  case QuantFormat::Fp8Block:
    return PanelCode::E4m3;
  default:
    return PanelCode::Int4;
  }
}

/// The blocks that a kernel reads the dequantised weight `op` in, `quads` for products of integers; null where package decodes it instead.
BlocksAttr blocksOf(DequantOp op, WeightOrder order, bool quads) {
  if (op.getFormat().getFormat() == QuantFormat::TernaryDict) {
    // A row of digits has to be a column of panels.
    const int64_t depth = op.getType().getShape().back();
    return order == WeightOrder::OutIn && depth > 0
               ? BlocksAttr::get(op.getContext(), PanelCode::Ternary, depth, cast<ShapedType>(op.getScales().getType()).getElementType(), Type(), false, 0)
               : BlocksAttr();
  }
  auto typeOf = [](Value value) { return value ? cast<RankedTensorType>(value.getType()) : RankedTensorType(); };
  FailureOr<QuantLayout> layout =
      QuantLayout::get({op.getFormat(), typeOf(op.getPayload()), typeOf(op.getScales()), typeOf(op.getZeros()), typeOf(op.getResult())},
                       [&]() { return op.emitOpError(); });
  if (failed(layout))
    return {};
  const bool outIn = order == WeightOrder::OutIn;
  const int64_t depth = outIn ? layout->columns : layout->rows;
  const int64_t group = std::min(outIn ? layout->groupColumns : layout->groupRows, depth);
  // Float zero points of signed codes have no place in a block.
  if (group < std::min(shortestGroup, depth) || group < 1 || (layout->isSigned && layout->zeros == QuantLayout::Zeros::Floats))
    return {};
  MLIRContext *context = op.getContext();
  Type scale = typeOf(op.getScales()).getElementType(), zero;
  if (!scale.isF32() && !scale.isF16() && !scale.isBF16())
    scale = BFloat16Type::get(context); // holds every e8m0 and e4m3
  if (layout->zeros == QuantLayout::Zeros::Floats)
    zero = Float32Type::get(context);
  else if (layout->zeros == QuantLayout::Zeros::Codes)
    zero = IntegerType::get(context, 8);
  return BlocksAttr::get(context, panelCode(layout->format), group, scale, zero, quads, /*dictionary=*/0);
}

/// Panels of more bytes than this, decoded, would not stay in a cache while rows pass, nor go on every stack: their digits are packed instead.
constexpr int64_t mostDecodedBytes = 256 * 1024;

/// `blocks` of digits as strings of the dictionary that all payloads share; as they are where there is none, a panel is too large or the digits
/// take no more bytes.
BlocksAttr keepDictionary(BlocksAttr blocks, int64_t panels, ArrayRef<StoredWeight> weights) {
  int64_t codes = 0;
  for (const StoredWeight &weight : weights) {
    const auto payload = cast<RankedTensorType>(weight.payload().getType());
    if (!payload.hasStaticShape() || weight.codebook().getWeightAttr() != weights.front().codebook().getWeightAttr())
      return blocks;
    codes += payload.getNumElements();
  }
  const BlocksAttr kept = blocks.withDictionary(panels, codes);
  return kept.getDictionary() < blocks.blockBytes() && kept.blockBytes() <= mostDecodedBytes && panels <= std::numeric_limits<int32_t>::max() / panelColumns ? kept : blocks;
}

struct LowerPackWeights : impl::LowerPackWeightsBase<LowerPackWeights> {
  using Base::Base;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    widened.clear();
    rows = QuantizedRows();
    llvm::DenseMap<PackedKey, WeightOp> packed;
    const WalkResult result = getOperation().walk([&](GroupedMatmulOp op) { return WalkResult(packProduct(op, symbols, packed)); });
    if (result.wasInterrupted())
      return signalPassFailure();
    const llvm::DenseSet<StringAttr> read = eraseUnread();
    const WalkResult left = getOperation().walk([&](PartExpertsOp op) {
      op.emitOpError("is read by an op that no kernel does, expected products that are packed only");
      return WalkResult::interrupt();
    });
    if (left.wasInterrupted())
      return signalPassFailure();
    if (failed(placeWeights(read)))
      signalPassFailure();
  }

  /// Obeys the plan of one product; one without a plan, or planned plain, keeps its weight as it is.
  LogicalResult packProduct(GroupedMatmulOp op, SymbolTable &symbols, llvm::DenseMap<PackedKey, WeightOp> &packed) {
    const PlanAttr plan = op.getPlanAttr();
    if (!plan)
      return success();
    op.removePlanAttr();
    if (plan.getPacking() == PackingFamily::Plain)
      return success();
    const GateLayout gate = op.getFfn() ? op.getFfn()->getGate() : GateLayout::None;
    StoredWeight weight = StoredWeight::of(op.getWeight()), up = op.getUp() ? StoredWeight::of(op.getUp()) : StoredWeight();
    if (weight.parts.empty() || (op.getUp() && up.parts.empty()))
      return op.emitError() << describeOp(op)
                            << ": packing a weight that is computed is not supported yet; expected a moe.weight_ref or a moe.dequant of some";
    if (op.getUp() && (weight.quant != up.quant || weight.parts.size() != up.parts.size()))
      return op.emitError() << describeOp(op) << ": gate and up weights that are quantised differently are not supported yet";
    SmallVector<Attribute> from;
    for (WeightRefOp reference : llvm::concat<WeightRefOp>(weight.parts, up.parts)) {
      if (!symbols.lookup<WeightOp>(reference.getWeight()))
        return reference.emitOpError("names no moe.weight of the outermost module: ") << reference.getWeightAttr();
      from.push_back(reference.getWeightAttr());
    }
    const bool cutsColumns = weight.cut && (weight.cut.getDim() == 1) == (op.getOrder() == WeightOrder::OutIn);
    if (weight.cut && ((weight.quant && !cutsColumns) || weight.cut.getHalves() != isInHalves(gate)))
      return op.emitError() << describeOp(op) << ": expected experts that are cut to be of floats or cut by columns, and in halves where gate and up are, found "
                            << weight.cut.getWeight().getType();
    const FailureOr<PackedShape> shape = shapeOf(op, plan, gate);
    if (failed(shape))
      return failure();

    OpBuilder builder(op);
    BlocksAttr blocks = chooseBlocks(op, plan.getActivations() == "int8");
    if (blocks && blocks.isTernary())
      blocks = keepDictionary(blocks, shape->experts * shape->panels, op.getUp() ? ArrayRef({weight, up}) : ArrayRef(weight));
    const auto parts = weight.cut ? static_cast<int64_t>(weight.cut.getParts()) : 1;
    const PackedKey key(builder.getArrayAttr(from), op.getOrder(), gate, plan, weight.quant, blocks, cutsColumns ? parts : 1, cutsColumns ? 1 : parts);
    WeightOp &entry = packed[key];
    if (!entry)
      entry = createPacked(key, *shape, wholeOf(op.getWeight()), symbols);
    // Two layers with one weight have one plan here: it is part of the key.
    if (plan.getSharding())
      entry->setAttr(shardingAttrName, plan.getSharding());
    op.setBlocksAttr(blocks);
    if (blocks && blocks.getDictionary())
      op.getCodebookMutable().assign(weight.codebook());
    if (blocks && blocks.getQuads())
      op.getXMutable().assign(rows.quantized(op, shape->depth, blocks));
    auto reference = WeightRefOp::create(builder, weight.parts[0].getLoc(), entry.getType(), FlatSymbolRefAttr::get(entry.getSymNameAttr()));
    op.getWeightMutable().assign(reference.getResult());
    op.getUpMutable().clear();
    for (MutableOperandRange bias : {op.getBiasMutable(), op.getUpBiasMutable()})
      if (failed(widenBias(op, bias, symbols)))
        return failure();
    op.setPacking(plan.getPacking());
    op.setOrder(WeightOrder::OutIn);
    op.setColumns(shape->columns);
    return success();
  }

  /// The blocks that the weight of `op` is packed in; null where it is packed as floats. With `integers` rows of int8 are wanted: a weight that
  /// these cannot be multiplied with gets a remark.
  BlocksAttr chooseBlocks(GroupedMatmulOp op, bool integers) {
    auto dequant = wholeOf(op.getWeight()).getDefiningOp<DequantOp>();
    const bool isInteger = dequant && isIntegerFormat(dequant.getFormat().getFormat());
    BlocksAttr blocks = dequant ? blocksOf(dequant, op.getOrder(), integers && isInteger) : BlocksAttr();
    if (integers && (!blocks || !blocks.getQuads()))
      op.emitRemark() << describeOp(op) << ": the rows stay f32, not int8: "
                      << (isInteger ? "the weight's groups of k are too short or its signed codes have zero points that are floats"
                                    : "the weight is not quantised to integers");
    return blocks;
  }

  /// Kernels read biases of f32: a stored one of f16 or bf16 gets a copy that package converts.
  LogicalResult widenBias(GroupedMatmulOp op, MutableOperandRange bias, SymbolTable &symbols) {
    if (bias.empty())
      return success();
    auto type = cast<ShapedType>(bias[0].get().getType());
    if (type.getElementType().isF32())
      return success();
    auto reference = bias[0].get().getDefiningOp<WeightRefOp>();
    auto source = reference ? symbols.lookup<WeightOp>(reference.getWeight()) : WeightOp();
    if (!source)
      return op.emitError() << describeOp(op) << ": a bias of type " << type.getElementType()
                            << " that is computed is not supported yet; expected f32 or a moe.weight_ref";
    WeightOp &wide = widened[source.getSymNameAttr()];
    OpBuilder builder(op);
    if (!wide) {
      OpBuilder detached(&getContext());
      wide = WeightOp::create(detached, source.getLoc(), StringAttr::get(&getContext(), source.getSymName() + ".f32"), StringAttr(),
                              TypeAttr::get(type.clone(builder.getF32Type())), Attribute(), PackingFamilyAttr::get(&getContext(), PackingFamily::Plain),
                              builder.getArrayAttr({FlatSymbolRefAttr::get(source.getSymNameAttr())}), WeightOrderAttr(), GateLayoutAttr(),
                              IntegerAttr(), IntegerAttr(), QuantAttr(), TypeAttr(), BlocksAttr());
      symbols.insert(wide, std::next(source->getIterator()));
    }
    bias.assign(WeightRefOp::create(builder, reference.getLoc(), wide.getType(), FlatSymbolRefAttr::get(wide.getSymNameAttr())).getResult());
    return success();
  }

  /// Checks that the product fits the packing and gives the sizes of the packed weight.
  FailureOr<PackedShape> shapeOf(GroupedMatmulOp op, PlanAttr plan, GateLayout gate) {
    const PackingFamily packing = plan.getPacking();
    auto error = [&]() { return op.emitError() << describeOp(op) << ": "; };
    const Type rows = cast<ShapedType>(op.getX().getType()).getElementType();
    const bool isQuantised = static_cast<bool>(wholeOf(op.getWeight()).getDefiningOp<DequantOp>());
    // Kernels of a GPU take narrow rows by quantised blocks; those of a CPU refuse them.
    const bool areNarrow = plan.getActivations() == "f32" && (rows.isF16() || rows.isBF16()) && chooseBlocks(op, /*integers=*/false);
    if (isPaired(plan) ? !rows.isBF16() : !rows.isF32() && !areNarrow)
      return error() << "rows of type " << rows << " are not supported yet; expected " << plan.getActivations();
    if (isPaired(plan) && isQuantised)
      return error() << "quantised weights are not supported yet with rows of bf16";
    if ((packing == PackingFamily::GateUp16) != (gate != GateLayout::None))
      return error() << "packing " << stringifyPackingFamily(packing) << " does not fit the gate layout " << stringifyGateLayout(gate);
    if ((gate == GateLayout::Separate) != static_cast<bool>(op.getUp()))
      return error() << "expected an up weight exactly where the gate layout is separate, got " << stringifyGateLayout(gate);
    auto type = cast<ShapedType>(op.getWeight().getType());
    if (op.getUp() && op.getUp().getType() != type)
      return error() << "expected gate and up weights of one type, got " << type << " and " << op.getUp().getType();
    const Type element = type.getElementType();
    if (!element.isF32() && !element.isF16() && !element.isBF16())
      return error() << "weights of type " << element << " are not supported yet; expected f32, f16 or bf16";
    if (!type.hasStaticShape() || (type.getRank() != 2 && type.getRank() != 3))
      return error() << "expected a weight with static sizes and rank 2 or 3, got " << type;

    const bool outIn = op.getOrder() == WeightOrder::OutIn;
    const int64_t rank = type.getRank(), stored = type.getDimSize(rank - (outIn ? 2 : 1));
    PackedShape shape = {rank == 3 ? type.getDimSize(0) : 1, stored, 0, type.getDimSize(rank - (outIn ? 1 : 2))};
    if (gate == GateLayout::Separate && llvm::MulOverflow<int64_t>(stored, 2, shape.columns))
      return error() << "weight is too large: " << type;
    if (gate != GateLayout::None && shape.columns % 2 != 0)
      return error() << "expected an even number of gate and up columns, got " << shape.columns;
    // A panel of pairs covers 16 gate and 16 up columns: both families need one panel for 32 columns begun.
    shape.panels = gate == GateLayout::None ? llvm::divideCeil(shape.columns, panelColumns)
                                            : llvm::divideCeil(shape.columns / 2, panelColumns / 2);
    return shape;
  }

  /// The symbol of a packed weight, after its first source. Kernels widen f16 and bf16 and dequantise blocks, so both stay as small as they are.
  WeightOp createPacked(const PackedKey &key, const PackedShape &shape, Value values, SymbolTable &symbols) {
    const auto [from, order, gate, plan, quant, blocks, columnParts, depthParts] = key;
    MLIRContext *context = &getContext();
    const StringAttr weight = cast<FlatSymbolRefAttr>(from[0]).getAttr();
    Operation *source = symbols.lookup(weight);
    Type element = cast<ShapedType>(values.getType()).getElementType();
    if (auto dequant = values.getDefiningOp<DequantOp>()) {
      // Package decodes what has no blocks. The two values of a ternary row are often bf16 and then stay so.
      const bool narrow = quant.getFormat() == QuantFormat::TernaryDict && cast<ShapedType>(dequant.getScales().getType()).getElementType().isBF16();
      element = narrow ? Type(BFloat16Type::get(context)) : Type(Float32Type::get(context));
    }
    if (isPaired(plan))
      element = BFloat16Type::get(context);
    SmallVector<int64_t> sizes = {shape.experts, shape.panels};
    if (blocks)
      sizes.push_back(blocks.panelBytes(shape.depth));
    else if (isPaired(plan))
      sizes.append({(shape.depth + 1) / 2, panelColumns, 2});
    else
      sizes.append({shape.depth, panelColumns});
    const auto type = RankedTensorType::get(sizes, blocks ? IntegerType::get(context, 8) : element);
    OpBuilder builder(context);
    auto op = WeightOp::create(builder, source->getLoc(), StringAttr::get(context, weight.getValue() + ".panels"),
                               /*sym_visibility=*/StringAttr(), TypeAttr::get(type), /*source=*/Attribute(),
                               PackingFamilyAttr::get(context, plan.getPacking()), from,
                               WeightOrderAttr::get(context, order), GateLayoutAttr::get(context, gate),
                               /*section=*/IntegerAttr(), /*offset=*/IntegerAttr(), quant, quant ? TypeAttr::get(values.getType()) : TypeAttr(), blocks);
    if (columnParts > 1)
      op.setColumnParts(columnParts);
    if (depthParts > 1)
      op.setDepthParts(depthParts);
    symbols.insert(op, std::next(source->getIterator()));
    return op;
  }

  /// Erases dequantisations and references that nothing uses, then weights that neither a reference nor a packed weight that is read names. Returns the weights
  /// that are read.
  llvm::DenseSet<StringAttr> eraseUnread() {
    llvm::DenseSet<StringAttr> read;
    SmallVector<PartExpertsOp> cuts;
    getOperation().walk([&](PartExpertsOp op) { cuts.push_back(op); });
    for (PartExpertsOp op : cuts)
      if (op->use_empty())
        op.erase();
    getOperation().walk([&](DequantOp op) {
      if (op->use_empty())
        op.erase();
    });
    SmallVector<WeightRefOp> unused;
    getOperation().walk([&](WeightRefOp op) {
      if (op->use_empty())
        unused.push_back(op);
      else
        read.insert(op.getWeightAttr().getAttr());
    });
    for (WeightRefOp op : unused)
      op.erase();

    llvm::DenseSet<StringAttr> needed = read;
    for (auto op : getOperation().getOps<WeightOp>())
      if (op.getFrom() && read.contains(op.getSymNameAttr()))
        for (auto source : op.getFrom()->getAsRange<FlatSymbolRefAttr>())
          needed.insert(source.getAttr());
    for (auto op : llvm::make_early_inc_range(getOperation().getOps<WeightOp>()))
      if (!needed.contains(op.getSymNameAttr()))
        op.erase();
    return read;
  }

  /// One section per packing family, its number the section's id; weights in the order of the module.
  LogicalResult placeWeights(const llvm::DenseSet<StringAttr> &read) {
    llvm::MapVector<int64_t, int64_t> ends;
    for (auto op : getOperation().getOps<WeightOp>()) {
      if (!read.contains(op.getSymNameAttr()))
        continue;
      const std::optional<int64_t> bytes = bytesOf(cast<RankedTensorType>(op.getType()));
      if (!bytes)
        return op.emitError() << "weight @" << op.getSymName() << " of type " << op.getType()
                              << " has no place in model.weights: expected static sizes of integers or floats, below 2^62 bytes";
      const auto section = static_cast<int64_t>(op.getPacking().value_or(PackingFamily::Plain));
      int64_t &end = ends[section];
      op.setSection(section);
      op.setOffset(end);
      if (llvm::AddOverflow<int64_t>(end, *bytes, end) || end > (int64_t(1) << 62))
        return op.emitError() << "the weights of section " << section << " exceed 2^62 bytes";
      end = static_cast<int64_t>(llvm::alignTo(end, weightAlignment));
    }
    return success();
  }

  /// Rows of int8 that products share.
  QuantizedRows rows;
  /// The f32 copies of weights of f16 and bf16, by the name of their source.
  llvm::DenseMap<StringAttr, WeightOp> widened;

  /// Bytes of a dense tensor; a bool takes one byte. nullopt if they are not known or do not fit.
  static std::optional<int64_t> bytesOf(RankedTensorType type) {
    if (!type.hasStaticShape() || !type.getElementType().isIntOrFloat())
      return std::nullopt;
    const unsigned width = type.getElementTypeBitWidth();
    std::optional<int64_t> bits = width == 1 ? 8 : width;
    for (int64_t size : type.getShape())
      bits = bits ? llvm::checkedMul<int64_t>(*bits, size) : std::nullopt;
    if (!bits || *bits > (int64_t(1) << 62))
      return std::nullopt;
    return llvm::divideCeil(*bits, int64_t(8));
  }
};

} // namespace
} // namespace moe
