// Gives stored weights the layout that kernels read, and each its place in model.weights. No bytes are touched: a packed weight is a symbol
// that names its sources, and package writes it. Before: the form that fuse leaves, on tensors. After: every moe.weight that is read has a
// section and an offset, and a grouped_matmul with a plan has a packed weight, `packing` and `columns`.
#include "moe/IR/Layers.h"
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

/// What makes two packed weights the same: sources, how they are read, and the layout.
using PackedKey = std::tuple<StringAttr, StringAttr, WeightOrder, GateLayout, PackingFamily>;

/// The matrices of one product, read from a grouped_matmul.
struct PackedShape {
  int64_t experts, columns, panels, depth;
};

struct LowerPackWeights : impl::LowerPackWeightsBase<LowerPackWeights> {
  using Base::Base;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    llvm::DenseMap<PackedKey, WeightOp> packed;
    const WalkResult result = getOperation().walk([&](GroupedMatmulOp op) { return WalkResult(packProduct(op, symbols, packed)); });
    if (result.wasInterrupted())
      return signalPassFailure();
    const llvm::DenseSet<StringAttr> read = eraseUnread();
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
    auto weight = op.getWeight().getDefiningOp<WeightRefOp>();
    auto up = op.getUp() ? op.getUp().getDefiningOp<WeightRefOp>() : WeightRefOp();
    if (!weight || (op.getUp() && !up))
      return op.emitError() << describeOp(op) << ": packing a weight that is computed is not supported yet; expected a moe.weight_ref";
    for (WeightRefOp reference : {weight, up})
      if (reference && !symbols.lookup<WeightOp>(reference.getWeight()))
        return reference.emitOpError("names no moe.weight of the outermost module: ") << reference.getWeightAttr();
    const FailureOr<PackedShape> shape = shapeOf(op, plan.getPacking(), gate);
    if (failed(shape))
      return failure();

    const PackedKey key(weight.getWeightAttr().getAttr(), up ? up.getWeightAttr().getAttr() : StringAttr(), op.getOrder(), gate,
                        plan.getPacking());
    WeightOp &entry = packed[key];
    if (!entry)
      entry = createPacked(key, *shape, symbols);
    OpBuilder builder(op);
    auto reference = WeightRefOp::create(builder, weight.getLoc(), entry.getType(), FlatSymbolRefAttr::get(entry.getSymNameAttr()));
    op.getWeightMutable().assign(reference.getResult());
    op.getUpMutable().clear();
    op.setPacking(plan.getPacking());
    op.setOrder(WeightOrder::OutIn);
    op.setColumns(shape->columns);
    return success();
  }

  /// Checks that the product fits the packing and gives the sizes of the packed weight.
  FailureOr<PackedShape> shapeOf(GroupedMatmulOp op, PackingFamily packing, GateLayout gate) {
    auto error = [&]() { return op.emitError() << describeOp(op) << ": "; };
    if (!cast<ShapedType>(op.getX().getType()).getElementType().isF32())
      return error() << "rows of type " << cast<ShapedType>(op.getX().getType()).getElementType() << " are not supported yet; expected f32";
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

  /// The symbol of a packed weight, after its first source. Packed weights are f32: package converts f16 and bf16.
  WeightOp createPacked(const PackedKey &key, const PackedShape &shape, SymbolTable &symbols) {
    const auto [weight, up, order, gate, packing] = key;
    MLIRContext *context = &getContext();
    Operation *source = symbols.lookup(weight);
    SmallVector<Attribute> from = {FlatSymbolRefAttr::get(weight)};
    if (up)
      from.push_back(FlatSymbolRefAttr::get(up));
    const auto type = RankedTensorType::get({shape.experts, shape.panels, shape.depth, panelColumns}, Float32Type::get(context));
    OpBuilder builder(context);
    auto op = WeightOp::create(builder, source->getLoc(), StringAttr::get(context, weight.getValue() + ".panels"),
                               /*sym_visibility=*/StringAttr(), TypeAttr::get(type), /*source=*/Attribute(),
                               PackingFamilyAttr::get(context, packing), ArrayAttr::get(context, from),
                               WeightOrderAttr::get(context, order), GateLayoutAttr::get(context, gate),
                               /*section=*/IntegerAttr(), /*offset=*/IntegerAttr());
    symbols.insert(op, std::next(source->getIterator()));
    return op;
  }

  /// Erases references that nothing uses, then weights that neither a reference nor a packed weight that is read names. Returns the weights
  /// that are read.
  llvm::DenseSet<StringAttr> eraseUnread() {
    llvm::DenseSet<StringAttr> read;
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
