// Reading of moe.grouped_matmul. What the op's verifier holds for (which operands go together, and their sizes) is taken as given;
// checked is what the emitter assumes beyond it: memrefs, their layout and elements, packed weights.
#include "MatmulSpec.h"

#include "moe/Machine/Isa.h"

using namespace mlir;
namespace moe {

LogicalResult checkKernelMemRef(Operation *op, StringRef name, Value value, Type element, ArrayRef<int64_t> ranks, bool contiguous) {
  auto type = dyn_cast<MemRefType>(value.getType());
  if (!type)
    return op->emitOpError() << "kernel emission needs memrefs, but '" << name << "' is " << value.getType();
  const bool rightElement =
      element ? type.getElementType() == element
              : type.getElementType().isInteger(32) || type.getElementType().isInteger(64);
  if (!rightElement)
    return op->emitOpError() << "'" << name << "' must have elements of "
                             << (element ? llvm::formatv("{0}", element).str() : std::string("i32 or i64")) << ", found "
                             << type.getElementType();
  if (!llvm::is_contained(ranks, type.getRank()))
    return op->emitOpError() << "'" << name << "' has rank " << type.getRank() << ", which its kernel does not take";
  int64_t offset = 0;
  SmallVector<int64_t> strides;
  if (failed(type.getStridesAndOffset(strides, offset)) || strides.back() != 1)
    return op->emitOpError() << "'" << name << "' must be dense in its last dim, found " << type;
  if (contiguous && !type.areTrailingDimsContiguous(type.getRank()))
    return op->emitOpError() << "'" << name << "' must be contiguous, found " << type;
  return success();
}

static LogicalResult checkOperands(GroupedMatmulOp op) {
  const Type f32 = Float32Type::get(op.getContext()), i32 = IntegerType::get(op.getContext(), 32);
  const auto elementOf = [](Value value) { return cast<ShapedType>(value.getType()).getElementType(); };
  // Rows of bf16 go with a weight of pairs, which the verifier has seen, not with blocks. Only a result that nothing is added to may be rounded.
  const bool quads = op.getBlocks() && op.getBlocks()->getQuads();
  const Type x = quads ? Type(IntegerType::get(op.getContext(), 8)) : elementOf(op.getX()).isBF16() && !op.getBlocks() ? elementOf(op.getX()) : f32;
  const Type out = op.getOutBlocks()                                              ? Type(IntegerType::get(op.getContext(), 8))
                   : elementOf(op.getOuts()[0]).isBF16() && !op.getCombineRows() ? elementOf(op.getOuts()[0])
                                                                                 : f32;
  Type weightElement = elementOf(op.getWeight());
  const bool isPanel = op.getBlocks() ? weightElement.isInteger(8) : weightElement.isF16() || weightElement.isBF16();
  if (!isPanel)
    weightElement = f32;
  struct Check {
    StringRef name;
    Value value;
    Type element;
    SmallVector<int64_t, 2> ranks;
    bool contiguous;
  };
  const Check checks[] = {{"x", op.getX(), x, {2}, false},
                          {"rows", op.getRows(), i32, {1}, true},
                          {"offsets", op.getOffsets(), i32, {1}, true},
                          {"weight", op.getWeight(), weightElement, {3, 4, 5}, true},
                          {"bias", op.getBias(), f32, {1, 2}, true},
                          {"up_bias", op.getUpBias(), f32, {1, 2}, true},
                          {"combine_rows", op.getCombineRows(), i32, {1}, true},
                          {"combine_weights", op.getCombineWeights(), f32, {1}, true},
                          {"codebook", op.getCodebook(), Type(), {1}, true},
                          {"outs", op.getOuts()[0], out, {2}, false}};
  for (const Check &check : checks)
    if (check.value && failed(checkKernelMemRef(op, check.name, check.value, check.element, check.ranks, check.contiguous)))
      return failure();
  return success();
}

static LogicalResult readShapes(GroupedMatmulOp op, MatmulSpec &spec) {
  spec.gateUp = op.getPacking() == PackingFamily::GateUp16;
  const auto weight = cast<MemRefType>(op.getWeight().getType());
  if (!weight.hasStaticShape())
    return op.emitOpError() << "'weight' must have a static shape, found " << weight;
  const auto shape = weight.getShape();
  spec.weightElement = weight.getElementType();
  spec.blocks = op.getBlocksAttr();
  spec.xElement = cast<MemRefType>(op.getX().getType()).getElementType();
  spec.outBlocks = op.getOutBlocksAttr();
  spec.outElement = spec.outBlocks ? Type(Float32Type::get(op.getContext())) : cast<MemRefType>(op.getOuts()[0].getType()).getElementType();
  spec.pairs = spec.xElement.isBF16();
  if (spec.blocks || spec.pairs) {
    spec.experts = shape.front();
    spec.panels = shape[1];
    spec.k = cast<MemRefType>(op.getX().getType()).getDimSize(1);
    if (ShapedType::isDynamic(spec.k))
      return op.emitOpError() << "'x' must have a static number of columns";
  } else {
    spec.experts = shape.size() == 4 ? shape.front() : 1;
    spec.panels = shape[shape.size() - 3];
    spec.k = shape[shape.size() - 2];
  }
  spec.columns = spec.outBlocks ? *op.getColumns() / (spec.gateUp ? 2 : 1) : cast<MemRefType>(op.getOuts()[0].getType()).getDimSize(1);
  if (ShapedType::isDynamic(spec.columns))
    return op.emitOpError() << "'outs' must have a static number of columns";
  spec.ragged = static_cast<bool>(op.getOffsets());
  return success();
}

static void readBias(GroupedMatmulOp op, MatmulSpec &spec) {
  const GateLayout gate = spec.ffn ? spec.ffn.getGate() : GateLayout::None;
  spec.hasGateBias = static_cast<bool>(op.getBias());
  spec.hasUpBias = static_cast<bool>(op.getUpBias());
  if (spec.hasGateBias || spec.hasUpBias)
    spec.bias = isInHalves(gate) ? BiasForm::Halves : isInPairs(gate) ? BiasForm::Interleaved : BiasForm::Plain;
  spec.upBiasFirst = isUpFirst(gate);
}

FailureOr<MatmulSpec> MatmulSpec::read(GroupedMatmulOp op) {
  MatmulSpec spec;
  if (op.getFfn())
    spec.ffn = *op.getFfn();
  spec.gather = static_cast<bool>(op.getRows());
  spec.combine = static_cast<bool>(op.getCombineRows());
  if (op.getPacking() == PackingFamily::Plain)
    return op.emitOpError() << "CPU kernels read packed weights (panel32 or gate_up16); found packing plain";
  if (failed(checkOperands(op)) || failed(readShapes(op, spec)))
    return failure();
  readBias(op, spec);
  return spec;
}

int64_t MatmulSpec::panelBytes() const {
  if (hasDictionary())
    return blocks.blockBytes();
  if (multipliesIntegers())
    return k / blocks.rowBlockBytes() * blocks.blockBytes();
  if (blocks)
    return blocks.panelBytes(k);
  return (pairs ? (k + 1) / 2 : k) * panelColumns * laneType().getIntOrFloatBitWidth() / 8;
}

Type MatmulSpec::laneType() const { return pairs ? Type(IntegerType::get(weightElement.getContext(), 32)) : weightElement; }

std::string MatmulSpec::kernelKey() const {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << gateUp << gather << combine << static_cast<int>(bias) << hasGateBias << hasUpBias << hasTail() << ' ';
  // Kernels get K as an argument, but sections, the number of blocks and the distance of panels depend on it.
  stream << weightElement << ' ' << outElement << ' ';
  stream << hasSections() << ' ';
  if (pairs)
    stream << "pairs " << k % 2 << ' ';
  if (blocks)
    stream << blocks << ' ' << k << ' ';
  // The gate layout shows in the place of the bias only.
  if (ffn)
    stream << static_cast<int>(ffn.getActivation()) << ' ' << ffn.alphaValue() << ' ' << ffn.upOffsetValue() << ' '
           << ffn.limitValue();
  return text;
}

std::string MatmulSpec::driverKey() const {
  std::string key = llvm::formatv("{0} {1} {2} {3} {4} {5}", kernelKey(), experts, panels, k, columns, ragged);
  if (outBlocks)
    llvm::raw_string_ostream(key) << ' ' << outBlocks;
  return key;
}

} // namespace moe
