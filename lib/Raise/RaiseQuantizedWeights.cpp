// Stored weights that a graph dequantises become moe.dequant, before anything looks for layers: what reads them then looks like any product
// with a weight, and the codes stay in the file until weights are packed. Dequantised activations are left for the ordinary conversion.
#include "IntegerProducts.h"
#include "OnnxMatch.h"
#include "LayerBuilder.h"
#include "WeightViews.h"
#include "moe/IR/Quantization.h"
#include "moe/Raise/Passes.h"

#include "mlir/IR/IRMapping.h"

#include "llvm/ADT/DenseMap.h"
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
  /// Replaces a DequantizeLinear of a part of the experts' stored matrices by the same part of all of them dequantised, where they have one scale.
  void dequantizeWhole(OnnxOp op);
  /// Replaces a DequantizeLinear of a stored weight that moe.dequant can say; leaves others.
  void raiseDequantize(OnnxOp op);

private:
  /// A value that the model stores, as a weight_ref; null otherwise.
  Value stored(OpBuilder &builder, Value value, StringRef part);
  /// The same with other sizes.
  Value storedAs(OpBuilder &builder, Value value, ArrayRef<int64_t> sizes, StringRef part);

  LayerBuilder chain;
  /// Stored codes, their scale and zero point: all of them dequantised.
  DenseMap<std::pair<Value, std::pair<Value, Value>>, Value> wholes;
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

/// Does a Transpose swap the last two dims, and no others?
static bool swapsMatrix(OnnxOp op) {
  const int64_t rank = tensorType(op.getInputs()[0]) ? tensorType(op.getInputs()[0]).getRank() : 0;
  auto permutation = intsAttribute(op, "perm");
  return rank == 2 ? !permutation || *permutation == SmallVector<int64_t>{1, 0} : rank == 3 && permutation && *permutation == SmallVector<int64_t>{0, 2, 1};
}

/// Does a product read the weight with the columns in the last dim, as [in, out]? Looks through what takes matrices out of a tensor.
static bool isReadInOut(Value weight, unsigned depth = 0) {
  constexpr unsigned most = 6;
  for (OpOperand &use : weight.getUses()) {
    auto user = dyn_cast<OnnxOp>(use.getOwner());
    if (!user || depth > most)
      continue;
    if (isNode(user, "MatMul"))
      return use.getOperandNumber() == 1;
    if (isNode(user, "Gemm"))
      return intAttribute(user, "transB", 0) == 0;
    const bool turns = isNode(user, "Transpose");
    if (turns || isNode(user, "Identity") || isNode(user, "Squeeze") || isNode(user, "Gather") || isNode(user, "GatherND") || isNode(user, "Split"))
      return isReadInOut(user->getResult(0), depth + 1) != turns;
  }
  return false;
}

namespace {
/// How a DequantizeLinear's scales lie.
struct Groups {
  /// The group size and the axis of moe.dequant.
  int64_t size = 0, axis = -1;
  /// Of a list or number that more groups have than one: the sizes of the scales, and which dim of these the list counts (-1: it is one number).
  SmallVector<int64_t> sizes = {};
  int64_t listed = -1;
};
} // namespace

/// None where moe.dequant cannot say how the scales lie. `axis` is that of the codes as they are stored.
static std::optional<Groups> groupsOf(OnnxOp op, int64_t axis, RankedTensorType codes, RankedTensorType scales, bool turned) {
  const int64_t rank = codes.getRank(), block = intAttribute(op, "block_size", 0);
  const bool isOne = scales.getNumElements() == 1 && scales.getRank() < 2;
  if (!isOne && (axis < 0 || axis >= rank))
    return std::nullopt;
  if (block > 0)
    return !turned && axis >= rank - 2 && scales.getRank() == rank ? std::optional<Groups>({block, axis - rank}) : std::nullopt;
  if (rank > 3 || (!isOne && scales.getRank() != 1))
    return std::nullopt;
  // One scale per row or per column of a matrix; a dim of one scale each is what groups of all the other are.
  Groups result;
  const bool isMatrixDim = !isOne && axis >= rank - 2;
  result.axis = isMatrixDim ? (axis == rank - 2 ? -1 : -2) : isReadInOut(op->getResult(0)) != turned ? -2 : -1;
  if (isMatrixDim && rank == 2)
    return result;
  result.sizes.assign(codes.getShape().begin(), codes.getShape().end());
  result.sizes.erase(result.sizes.end() + result.axis);
  result.listed = isOne ? -1 : axis == 0 ? 0 : rank - 2;
  return result;
}

/// The numbers of a list along dim `listed` of a tensor of `sizes`, the same in all other dims; null where they are not known.
static Value spread(OpBuilder &builder, Location loc, Value list, ArrayRef<int64_t> sizes, int64_t listed) {
  DenseElementsAttr elements = constantElements(list);
  if (!elements || elements.empty())
    return {};
  auto type = RankedTensorType::get(sizes, elements.getElementType());
  const size_t width = std::max<unsigned>(1, elements.getElementType().getIntOrFloatBitWidth() / 8);
  if (elements.isSplat() || elements.getNumElements() == 1)
    return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(type, *elements.getValues<Attribute>().begin()));
  if (listed < 0 || elements.getNumElements() != sizes[listed])
    return {};
  const ArrayRef<char> bytes = elements.getRawData();
  SmallVector<char, 0> all;
  int64_t below = 1;
  for (int64_t size : sizes.drop_front(listed + 1))
    below *= size;
  for (int64_t place = 0, count = type.getNumElements(); place < count; ++place)
    llvm::append_range(all, bytes.slice(place / below % sizes[listed] * width, width));
  return arith::ConstantOp::create(builder, loc, DenseElementsAttr::getFromRawBuffer(type, all));
}

void QuantizedRaiser::raiseDequantize(OnnxOp op) {
  Value x = op.getInputs()[0], scale = inputOrNull(op, 1), zero = inputOrNull(op, 2);
  // Codes may be turned round first.
  OnnxOp turn = definedBy(x, "Transpose");
  x = turn ? turn.getInputs()[0] : x;
  RankedTensorType codes = tensorType(x), scales = scale ? tensorType(scale) : RankedTensorType();
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (!codes || !scales || !type || !codes.hasStaticShape() || !scales.hasStaticShape() || codes.getRank() < 2 || (turn && !swapsMatrix(turn)))
    return;
  const std::optional<QuantFormat> format = formatOf(codes.getElementType());
  int64_t axis = fromFront(intAttribute(op, "axis", 1), codes.getRank());
  if (turn && axis >= codes.getRank() - 2)
    axis = 2 * codes.getRank() - 3 - axis;
  const auto groups = groupsOf(op, axis, codes, scales, static_cast<bool>(turn));
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
  if (!groups->sizes.empty()) {
    scale = spread(builder, op.getLoc(), scale, groups->sizes, groups->listed);
    const bool hadZero = static_cast<bool>(zero);
    zero = zero ? spread(builder, op.getLoc(), zero, groups->sizes, groups->listed) : Value();
    if (!scale || (hadZero && !zero))
      return;
    scales = tensorType(scale);
  }
  if (turn)
    type = RankedTensorType::get(codes.getShape(), type.getElementType());
  auto quant = QuantAttr::get(op.getContext(), *format, groups->size, /*bits=*/0, groups->axis);
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
  Value weight = DequantOp::create(builder, op.getLoc(), type, parts[0], parts[1], parts[2], /*codebook=*/Value(), quant, /*accuracy_level=*/IntegerAttr());
  if (turn)
    weight = OnnxOp::create(builder, op.getLoc(), TypeRange{op->getResult(0).getType()}, "Transpose", ValueRange{weight}, "", 13, turn.getNodeAttributes(), 0)->getResult(0);
  op->getResult(0).replaceAllUsesWith(weight);
  eraseDead(op.getOperation());
}

/// Biases: a quantiser stores them as i32 with the scales of rows times those of weights. They are few numbers, which are known.
static void foldBias(OnnxOp op) {
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  RankedTensorType codesType = tensorType(op.getInputs()[0]), scalesType = tensorType(op.getInputs()[1]);
  if (!type || !type.getElementType().isF32() || !codesType || !codesType.getElementType().isSignlessInteger(32) || codesType.getRank() > 1 ||
      !scalesType || !scalesType.getElementType().isF32() || scalesType.getRank() > 1)
    return;
  DenseElementsAttr codes = constantElements(op.getInputs()[0]), scales = constantElements(op.getInputs()[1]);
  Value zero = inputOrNull(op, 2);
  if (!codes || !scales || codes.empty() || scales.empty() || (scales.getNumElements() != 1 && scales.getNumElements() != codes.getNumElements()) ||
      (zero && splatNumber(zero) != 0.0))
    return;
  const auto factors = llvm::to_vector(scales.getValues<float>());
  SmallVector<float> numbers;
  for (auto [i, code] : llvm::enumerate(codes.getValues<int32_t>()))
    numbers.push_back(static_cast<float>(code) * factors[factors.size() == 1 ? 0 : i]);
  OpBuilder builder(op);
  op->getResult(0).replaceAllUsesWith(arith::ConstantOp::create(builder, op.getLoc(), DenseElementsAttr::get(type, ArrayRef<float>(numbers))));
  eraseDead(op.getOperation());
}

//===-- Taken apart before they are dequantised ----------------------------===//

/// Is it a node whose first result, or each of them, has elements of its first operand?
static bool movesElements(OnnxOp op) {
  static constexpr StringLiteral moves[] = {"Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Transpose", "Split", "Slice", "Gather", "GatherND", "Expand"};
  return op && op.getDomain().empty() && llvm::is_contained(moves, op.getOpType());
}

/// The stored matrices of all experts of which `value` is a part; null where it is none.
static Value storedExperts(Value value) {
  constexpr unsigned most = 16; // What moves the part out is written anew, by a recursion.
  for (unsigned i = 0; i < most && movesElements(value.getDefiningOp<OnnxOp>()); ++i)
    value = value.getDefiningOp<OnnxOp>().getInputs()[0];
  Operation *op = value.getDefiningOp();
  return op && isa<WeightRefOp, arith::ConstantOp>(op) && tensorType(value) && tensorType(value).getRank() == 3 ? value : Value();
}

/// `value`, which is moved out of `from`, moved out of `to` in the same way: `to` has the elements of `from` in another type.
static Value movedAlike(OpBuilder &builder, Value value, Value from, Value to) {
  if (value == from)
    return to;
  auto op = value.getDefiningOp<OnnxOp>();
  IRMapping mapping;
  mapping.map(op.getInputs()[0], movedAlike(builder, op.getInputs()[0], from, to));
  Operation *copy = builder.clone(*op, mapping);
  for (Value result : copy->getResults())
    result.setType(tensorType(result).clone(tensorType(to).getElementType()));
  return copy->getResult(cast<OpResult>(value).getResultNumber());
}

void QuantizedRaiser::dequantizeWhole(OnnxOp op) {
  Value x = op.getInputs()[0], scale = inputOrNull(op, 1), zero = inputOrNull(op, 2);
  Value whole = storedExperts(x);
  if (!whole || whole == x || !scale || !tensorType(scale) || !tensorType(scale).hasStaticShape() || tensorType(scale).getNumElements() != 1 ||
      intAttribute(op, "block_size", 0) != 0)
    return;
  Operation *last = whole.getDefiningOp();
  for (Value part : {scale, zero}) {
    Operation *source = part ? part.getDefiningOp() : last;
    if (!source || source->getBlock() != last->getBlock())
      return;
    last = last->isBeforeInBlock(source) ? source : last;
  }
  Value &all = wholes[{whole, {scale, zero}}];
  OpBuilder builder(op);
  if (!all) {
    builder.setInsertionPointAfter(last);
    OnnxOp copy = cast<OnnxOp>(builder.clone(*op));
    copy->setOperand(0, whole);
    copy->getResult(0).setType(tensorType(whole).clone(tensorType(op->getResult(0)).getElementType()));
    all = copy->getResult(0);
    builder.setInsertionPoint(op);
  }
  op->getResult(0).replaceAllUsesWith(movedAlike(builder, x, whole, all));
  eraseDead(op.getOperation());
}

//===-- Rounded twice -----------------------------------------------------===//

/// Do both nodes have one scale and zero point, the same, of a size with which no step is lost?
static bool sameSteps(OnnxOp a, OnnxOp b) {
  auto scale = splatNumber(a.getInputs()[1]), other = splatNumber(b.getInputs()[1]);
  RankedTensorType type = tensorType(a.getInputs()[1]);
  if (!scale || scale != other || !type || !type.hasStaticShape() || type.getNumElements() != 1 || !type.getElementType().isF32() ||
      !(*scale > 1e-30 && *scale < 1e30) || tensorType(a.getInputs()[1]).getElementType() != tensorType(b.getInputs()[1]).getElementType())
    return false;
  DenseElementsAttr zero = inputOrNull(a, 2) ? constantElements(a.getInputs()[2]) : DenseElementsAttr();
  DenseElementsAttr otherZero = inputOrNull(b, 2) ? constantElements(b.getInputs()[2]) : DenseElementsAttr();
  return zero && otherZero && zero.getElementType() == otherZero.getElementType() && isa<IntegerType>(zero.getElementType()) && zero.getNumElements() == 1 &&
         otherZero.getNumElements() == 1 && zero.getValues<APInt>()[0] == otherZero.getValues<APInt>()[0];
}

/// What `value` has the elements of, in another order or more than once; itself where it is computed. `picks`: by numbers that the run finds.
static Value movedFrom(Value value, bool &picks) {
  for (picks = false; movesElements(value.getDefiningOp<OnnxOp>()); value = value.getDefiningOp<OnnxOp>().getInputs()[0]) {
    auto op = value.getDefiningOp<OnnxOp>();
    picks |= (isNode(op, "Gather") || isNode(op, "GatherND")) && !constantInts(op.getInputs()[1]);
  }
  return value;
}

/// Numbers that are on the steps already stay where they are when they are rounded to the same steps, however they were moved: quantisers put a pair
/// around every node. Rows that tokens of one expert are picked from keep it: those of another expert may have other steps, and a layer has them all.
static void dropSecondRounding(OnnxOp dequantize) {
  OnnxOp quantize = dequantize.getInputs()[0].getDefiningOp<OnnxOp>();
  if (!isLinear(quantize, "QuantizeLinear") || quantize->getResult(0).getType() != dequantize.getInputs()[0].getType() ||
      quantize.getInputs()[0].getType() != dequantize->getResult(0).getType() || !sameSteps(quantize, dequantize))
    return;
  bool picks;
  OnnxOp first = movedFrom(quantize.getInputs()[0], picks).getDefiningOp<OnnxOp>();
  if (!isLinear(first, "DequantizeLinear") || !sameSteps(first, dequantize))
    return;
  if (picks && !isa_and_nonnull<WeightRefOp, arith::ConstantOp>(first.getInputs()[0].getDefiningOp()))
    return;
  dequantize->getResult(0).replaceAllUsesWith(quantize.getInputs()[0]);
  eraseDead(dequantize.getOperation());
}

namespace {
struct RaiseQuantizedWeights : impl::RaiseQuantizedWeightsBase<RaiseQuantizedWeights> {
  using Base::Base;

  void runOnOperation() override {
    QuantizedRaiser raiser(getOperation());
    SmallVector<OnnxOp> products, integers, dequants;
    getOperation().walk([&](OnnxOp op) {
      if (isNode(op, "MatMulNBits", "com.microsoft"))
        products.push_back(op);
      else if (isNode(op, "MatMulInteger"))
        integers.push_back(op);
    });
    for (OnnxOp op : integers)
      writeAsFloats(op);
    auto again = [&]() {
      dequants.clear();
      getOperation().walk([&](OnnxOp op) {
        if (isLinear(op, "DequantizeLinear"))
          dequants.push_back(op);
      });
    };
    again();
    for (OnnxOp op : dequants)
      dropSecondRounding(op);
    again();
    for (OnnxOp op : dequants)
      raiser.dequantizeWhole(op);
    again();
    for (OnnxOp op : dequants)
      raiser.raiseDequantize(op);
    again();
    for (OnnxOp op : dequants)
      foldBias(op);
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
