// Reading of moe.grouped_matmul: every assumption of the emitter is checked here, with a diagnostic.
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

static LogicalResult checkSizes(GroupedMatmulOp op, StringRef what, int64_t expected, int64_t found) {
  if (ShapedType::isDynamic(expected) || ShapedType::isDynamic(found) || expected == found)
    return success();
  return op.emitOpError() << what << ": expected " << expected << ", found " << found;
}

static LogicalResult checkOperands(GroupedMatmulOp op) {
  const Type f32 = Float32Type::get(op.getContext()), i32 = IntegerType::get(op.getContext(), 32);
  if (op.getOuts().size() != 1)
    return op.emitOpError() << "has " << op.getOuts().size() << " outs, expected 1";
  if (op.getUp())
    return op.emitOpError() << "'up' is a separate tensor; lower packs gate and up into one weight (packing gate_up16)";
  if (static_cast<bool>(op.getCombineRows()) != static_cast<bool>(op.getCombineWeights()))
    return op.emitOpError() << "'combine' needs both rows and weights";
  struct Check {
    StringRef name;
    Value value;
    Type element;
    SmallVector<int64_t, 2> ranks;
    bool contiguous;
  };
  const Check checks[] = {{"x", op.getX(), f32, {2}, false},
                          {"rows", op.getRows(), i32, {1}, true},
                          {"offsets", op.getOffsets(), i32, {1}, true},
                          {"weight", op.getWeight(), f32, {3, 4}, true},
                          {"bias", op.getBias(), f32, {1, 2}, true},
                          {"up_bias", op.getUpBias(), f32, {1, 2}, true},
                          {"combine_rows", op.getCombineRows(), i32, {1}, true},
                          {"combine_weights", op.getCombineWeights(), f32, {1}, true},
                          {"outs", op.getOuts()[0], f32, {2}, false}};
  for (const Check &check : checks)
    if (check.value && failed(checkKernelMemRef(op, check.name, check.value, check.element, check.ranks, check.contiguous)))
      return failure();
  return success();
}

static LogicalResult readPacking(GroupedMatmulOp op, MatmulSpec &spec) {
  if (op.getPacking() == PackingFamily::Plain)
    return op.emitOpError() << "CPU kernels read packed weights (panel32 or gate_up16); found packing plain";
  spec.gateUp = op.getPacking() == PackingFamily::GateUp16;
  const bool gated = op.getFfn() && op.getFfn()->isGated();
  if (gated != spec.gateUp)
    return op.emitOpError() << "a gated ffn goes with packing gate_up16 and no other does; found packing "
                            << stringifyPackingFamily(op.getPacking()) << (gated ? " with" : " without") << " a gate";
  return success();
}

static LogicalResult readShapes(GroupedMatmulOp op, MatmulSpec &spec) {
  const auto weight = cast<MemRefType>(op.getWeight().getType());
  if (!weight.hasStaticShape())
    return op.emitOpError() << "'weight' must have a static shape, found " << weight;
  const auto shape = weight.getShape();
  spec.experts = shape.size() == 4 ? shape.front() : 1;
  spec.panels = shape[shape.size() - 3];
  spec.k = shape[shape.size() - 2];
  spec.columns = cast<MemRefType>(op.getOuts()[0].getType()).getDimSize(1);
  if (ShapedType::isDynamic(spec.columns))
    return op.emitOpError() << "'outs' must have a static number of columns";
  const int64_t panels = llvm::divideCeil(spec.columns, spec.panelResultColumns());
  if (failed(checkSizes(op, "columns of a packed panel", panelColumns, shape.back())) ||
      failed(checkSizes(op, "panels for the columns of 'outs'", panels, spec.panels)) ||
      failed(checkSizes(op, "columns of 'x'", spec.k, cast<MemRefType>(op.getX().getType()).getDimSize(1))))
    return failure();
  if (const auto columns = op.getColumns())
    if (failed(checkSizes(op, "'columns'", spec.gateUp ? 2 * spec.columns : spec.columns, static_cast<int64_t>(*columns))))
      return failure();
  spec.ragged = static_cast<bool>(op.getOffsets());
  if (spec.ragged)
    return checkSizes(op, "length of 'offsets'", spec.experts + 1, cast<MemRefType>(op.getOffsets().getType()).getDimSize(0));
  return checkSizes(op, "experts of a product without 'offsets'", 1, spec.experts);
}

static LogicalResult checkBias(GroupedMatmulOp op, StringRef name, Value bias, const MatmulSpec &spec) {
  if (!bias)
    return success();
  const auto type = cast<MemRefType>(bias.getType());
  if (failed(checkSizes(op, ("columns of '" + name + "'").str(), spec.biasStride(), type.getShape().back())))
    return failure();
  const int64_t experts = type.getRank() == 2 ? type.getDimSize(0) : 1;
  return checkSizes(op, ("experts of '" + name + "'").str(), spec.experts, experts);
}

static LogicalResult readBias(GroupedMatmulOp op, MatmulSpec &spec) {
  const GateLayout gate = spec.ffn ? spec.ffn.getGate() : GateLayout::None;
  spec.hasGateBias = static_cast<bool>(op.getBias());
  spec.hasUpBias = static_cast<bool>(op.getUpBias());
  if (spec.hasUpBias && gate != GateLayout::Separate)
    return op.emitOpError() << "'up_bias' goes with gate layout separate, found " << stringifyGateLayout(gate);
  if (spec.hasGateBias || spec.hasUpBias)
    spec.bias = gate == GateLayout::Halves        ? BiasForm::Halves
                : gate == GateLayout::Interleaved ? BiasForm::Interleaved
                                                  : BiasForm::Plain;
  if (failed(checkBias(op, "bias", op.getBias(), spec)))
    return failure();
  return checkBias(op, "up_bias", op.getUpBias(), spec);
}

FailureOr<MatmulSpec> MatmulSpec::read(GroupedMatmulOp op) {
  MatmulSpec spec;
  if (op.getFfn())
    spec.ffn = *op.getFfn();
  spec.gather = static_cast<bool>(op.getRows());
  spec.combine = static_cast<bool>(op.getCombineRows());
  if (failed(checkOperands(op)) || failed(readPacking(op, spec)) || failed(readShapes(op, spec)) || failed(readBias(op, spec)))
    return failure();
  return spec;
}

std::string MatmulSpec::kernelKey() const {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << gateUp << gather << combine << static_cast<int>(bias) << hasGateBias << hasUpBias << hasTail() << ' ';
  // The gate layout shows in the place of the bias only.
  if (ffn)
    stream << static_cast<int>(ffn.getActivation()) << ' ' << ffn.alphaValue() << ' ' << ffn.upOffsetValue() << ' '
           << ffn.limitValue();
  return text;
}

std::string MatmulSpec::driverKey() const {
  return llvm::formatv("{0} {1} {2} {3} {4} {5}", kernelKey(), experts, panels, k, columns, ragged);
}

} // namespace moe
