// Stored weights that a graph dequantises become moe.dequant, before anything looks for layers: what reads them then looks like any product
// with a weight, and the codes stay in the file until weights are packed. Dequantised activations are left for the ordinary conversion.
#include "OnnxMatch.h"
#include "LayerBuilder.h"
#include "WeightViews.h"
#include "moe/IR/Quantization.h"
#include "moe/Raise/Passes.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace moe {
#define GEN_PASS_DEF_RAISEQUANTIZEDWEIGHTS
#include "moe/Raise/Passes.h.inc"

namespace raise {
namespace {

class QuantizedRaiser {
public:
  explicit QuantizedRaiser(ModuleOp module) : chain(module) {}

  /// Replaces a MatMulNBits; an error where the node is not what the schema says, or not supported.
  LogicalResult raiseMatMul(OnnxOp op);
  /// Replaces a DequantizeLinear of a stored weight that moe.dequant can say; leaves others.
  void raiseDequantize(OnnxOp op);

private:
  /// A value that the model stores, as a weight_ref; null otherwise.
  Value stored(OpBuilder &builder, Value value, StringRef part);
  /// The same with other sizes.
  Value storedAs(OpBuilder &builder, Value value, ArrayRef<int64_t> sizes, StringRef part);

  LayerBuilder chain;
};

InFlightDiagnostic nodeError(OnnxOp op) { return emitError(op.getLoc()) << op.getDomain() << "." << op.getOpType() << ": "; }

std::string nameOf(OnnxOp op) {
  auto name = op.getLoc()->findInstanceOf<NameLoc>();
  return name ? name.getName().str() : op.getOpType().str();
}

} // namespace

Value QuantizedRaiser::stored(OpBuilder &builder, Value value, StringRef part) {
  if (!value || !isa_and_nonnull<WeightRefOp, arith::ConstantOp>(value.getDefiningOp()))
    return {};
  Value weight = chain.storedWeight(builder, value, part);
  return weight.getDefiningOp<WeightRefOp>() ? weight : Value();
}

Value QuantizedRaiser::storedAs(OpBuilder &builder, Value value, ArrayRef<int64_t> sizes, StringRef part) {
  Value weight = stored(builder, value, part);
  if (!weight)
    return {};
  auto type = RankedTensorType::get(sizes, tensorType(weight).getElementType());
  return tensorType(weight) == type ? weight : viewWeight(builder, weight, type);
}

//===-- MatMulNBits -------------------------------------------------------===//

namespace {
/// The attributes of a MatMulNBits, checked.
struct NBits {
  int64_t columns, depth, bits, block, blocks;

  static FailureOr<NBits> read(OnnxOp op) {
    NBits n = {intAttribute(op, "N", 0), intAttribute(op, "K", 0), intAttribute(op, "bits", 4), intAttribute(op, "block_size", 0), 0};
    if (n.columns < 1 || n.depth < 1 || n.block < 1)
      return nodeError(op) << "expected N, K and block_size of at least 1, found " << n.columns << ", " << n.depth << " and " << n.block;
    if (n.bits != 2 && n.bits != 4 && n.bits != 8)
      return nodeError(op) << "expected bits 2, 4 or 8, found " << n.bits;
    if (const int64_t prepacked = intAttribute(op, "weight_prepacked", 0); prepacked != 0)
      return nodeError(op) << "weight_prepacked = " << prepacked << ": the bytes are permuted for CUDA; export again with weight_prepacked = 0";
    if (inputOrNull(op, 4))
      return nodeError(op) << "input g_idx (groups in another order) is not supported";
    n.blocks = llvm::divideCeil(n.depth, n.block);
    return n;
  }
};
} // namespace

LogicalResult QuantizedRaiser::raiseMatMul(OnnxOp op) {
  const FailureOr<NBits> read = NBits::read(op);
  if (failed(read))
    return failure();
  const NBits n = *read;
  OpBuilder builder(op);
  const std::string name = nameOf(op);
  const int64_t rowBytes = llvm::divideCeil(n.blocks * n.block * n.bits, int64_t(8));
  Value codes = storedAs(builder, inputOrNull(op, 1), {n.columns, rowBytes}, name + ".codes");
  Value scales = storedAs(builder, inputOrNull(op, 2), {n.columns, n.blocks}, name + ".scales");
  if (!codes || !scales)
    return nodeError(op) << "expected stored weights of " << n.columns * rowBytes << " bytes and " << n.columns * n.blocks << " scales, found "
                         << op.getInputs()[1].getType() << " and " << op.getInputs()[2].getType();
  Value zeros;
  if (Value given = inputOrNull(op, 3)) {
    const bool floats = isa<FloatType>(tensorType(given).getElementType());
    zeros = storedAs(builder, given, {n.columns, floats ? n.blocks : int64_t(llvm::divideCeil(n.blocks * n.bits, int64_t(8)))}, name + ".zeros");
    if (!zeros)
      return nodeError(op) << "expected stored zero points for " << n.columns << " times " << n.blocks << " blocks, found " << given.getType();
  }
  const QuantFormat format = n.bits == 2 ? QuantFormat::Int2Group : n.bits == 8 ? QuantFormat::Int8Group : QuantFormat::Int4Group;
  auto quant = QuantAttr::get(op.getContext(), format, n.block, /*bits=*/0, /*axis=*/-1);
  const Type element = tensorType(op.getInputs()[0]).getElementType();
  auto type = RankedTensorType::get({n.columns, n.depth}, element);
  if (failed(QuantLayout::get({quant, tensorType(codes), tensorType(scales), zeros ? tensorType(zeros) : RankedTensorType(), type},
                              [&]() { return nodeError(op); })))
    return failure();
  Value weight = DequantOp::create(builder, op.getLoc(), type, codes, scales, zeros, /*codebook=*/Value(), quant, accuracyLevelOf(op));
  auto create = [&](StringRef node, Type result, ValueRange inputs, int64_t version, ArrayRef<NamedAttribute> attributes) {
    return OnnxOp::create(builder, op.getLoc(), TypeRange{result}, node, inputs, "", version, builder.getDictionaryAttr(attributes), 0)->getResult(0);
  };
  Value transposed = create("Transpose", RankedTensorType::get({n.depth, n.columns}, element), weight, 13,
                            builder.getNamedAttr("perm", builder.getDenseI64ArrayAttr({1, 0})));
  Type result = op->getResult(0).getType();
  Value product = create("MatMul", result, {op.getInputs()[0], transposed}, 13, {});
  if (Value bias = inputOrNull(op, 5))
    product = create("Add", result, {product, bias}, 14, {});
  op->getResult(0).replaceAllUsesWith(product);
  op.erase();
  return success();
}

//===-- DequantizeLinear --------------------------------------------------===//

/// The format of codes of this type; none where moe.dequant has no such.
static std::optional<QuantFormat> formatOf(Type codes) {
  if (!isa<IntegerType>(codes))
    return std::nullopt;
  switch (codes.getIntOrFloatBitWidth()) {
  case 2:
    return QuantFormat::Int2Group;
  case 4:
    return QuantFormat::Int4Group;
  case 8:
    return QuantFormat::Int8Group;
  default:
    return std::nullopt;
  }
}

/// How a DequantizeLinear's scales lie: the group size and the axis of moe.dequant. None where it cannot say that.
static std::optional<std::pair<int64_t, int64_t>> groupsOf(OnnxOp op, RankedTensorType codes, RankedTensorType scales) {
  const int64_t rank = codes.getRank(), block = intAttribute(op, "block_size", 0);
  const int64_t axis = fromFront(intAttribute(op, "axis", 1), rank);
  if (axis < 0 || axis >= rank)
    return std::nullopt;
  if (block > 0 && axis >= rank - 2 && scales.getRank() == rank)
    return std::pair(block, axis - rank);
  // One scale per row or per column of a matrix; a dim of one scale each is what groups of all the other are.
  if (block == 0 && rank == 2 && scales.getRank() == 1)
    return std::pair(int64_t(0), axis == 0 ? int64_t(-1) : int64_t(-2));
  return std::nullopt;
}

void QuantizedRaiser::raiseDequantize(OnnxOp op) {
  Value x = op.getInputs()[0], scale = inputOrNull(op, 1), zero = inputOrNull(op, 2);
  RankedTensorType codes = tensorType(x), scales = scale ? tensorType(scale) : RankedTensorType();
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (!codes || !scales || !type || !codes.hasStaticShape() || codes.getRank() < 2)
    return;
  const std::optional<QuantFormat> format = formatOf(codes.getElementType());
  const auto groups = groupsOf(op, codes, scales);
  for (Value part : {x, scale, zero})
    if (part && !isa_and_nonnull<WeightRefOp, arith::ConstantOp>(part.getDefiningOp()))
      return;
  if (!format || !groups)
    return;
  OpBuilder builder(op);
  // ONNX subtracts nothing where moe.dequant would subtract the middle of the range.
  if (!zero && codes.getElementType().isUnsignedInteger()) {
    auto zeroType = RankedTensorType::get(scales.getShape(), codes.getElementType());
    zero = arith::ConstantOp::create(builder, op.getLoc(), DenseElementsAttr::get(zeroType, builder.getIntegerAttr(codes.getElementType(), 0)));
  }
  auto quant = QuantAttr::get(op.getContext(), *format, groups->first, /*bits=*/0, groups->second);
  bool fits = true;
  auto discard = [&]() {
    fits = false;
    return InFlightDiagnostic();
  };
  if (failed(QuantLayout::get({quant, codes, scales, zero ? tensorType(zero) : RankedTensorType(), type}, discard)) || !fits)
    return;
  const std::string name = nameOf(op);
  Value parts[3];
  for (auto [i, part, what] : {std::tuple(0, x, ".codes"), std::tuple(1, scale, ".scales"), std::tuple(2, zero, ".zeros")})
    if (part && !(parts[i] = stored(builder, part, name + what)))
      return;
  op->getResult(0).replaceAllUsesWith(DequantOp::create(builder, op.getLoc(), type, parts[0], parts[1], parts[2], /*codebook=*/Value(), quant,
                                                          /*accuracy_level=*/IntegerAttr()));
  op.erase();
}

namespace {
struct RaiseQuantizedWeights : impl::RaiseQuantizedWeightsBase<RaiseQuantizedWeights> {
  using Base::Base;

  void runOnOperation() override {
    QuantizedRaiser raiser(getOperation());
    SmallVector<OnnxOp> products, dequants;
    getOperation().walk([&](OnnxOp op) {
      if (isNode(op, "MatMulNBits", "com.microsoft"))
        products.push_back(op);
      else if (isNode(op, "DequantizeLinear") || isNode(op, "DequantizeLinear", "com.microsoft"))
        dequants.push_back(op);
    });
    for (OnnxOp op : dequants)
      raiser.raiseDequantize(op);
    bool wrong = false;
    for (OnnxOp op : products)
      wrong |= failed(raiser.raiseMatMul(op));
    if (wrong)
      signalPassFailure();
  }
};
} // namespace
} // namespace raise
} // namespace moe
