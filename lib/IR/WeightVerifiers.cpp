// Verifiers of stored weights and of ONNX nodes. The labels are those of the constraints in WeightOps.td and OnnxOps.td.
#include "VerifierUtils.h"
#include "moe/IR/Quantization.h"

#include "llvm/Support/CheckedArithmetic.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace moe {
using namespace verify;

/// Bytes of a dense tensor as ONNX packs it, one per bool; nullopt if that does not fit or the element has no width.
static std::optional<int64_t> bytesOf(RankedTensorType type) {
  if (!type.getElementType().isIntOrFloat())
    return std::nullopt;
  const unsigned width = type.getElementTypeBitWidth();
  std::optional<int64_t> bits = width == 1 ? 8 : width;
  for (int64_t size : type.getShape())
    bits = bits ? llvm::checkedMul<int64_t>(*bits, size) : std::nullopt;
  if (!bits)
    return std::nullopt;
  return *bits / 8 + (*bits % 8 != 0);
}

/// weight-c3 and weight-c4 of one source.
static LogicalResult verifyOneSource(WeightOp op, Attribute source, RankedTensorType type) {
  // weight-c3
  auto file = dyn_cast<FileAttr>(source);
  if (auto elements = dyn_cast<ElementsAttr>(source)) {
    if (elements.getShapedType() != type)
      return op.emitOpError("expected a source of type ") << type << ", got " << elements.getShapedType();
    return success();
  }
  if (!file)
    return op.emitOpError("expected a source of #moe.file or elements, got ") << source;
  // weight-c4
  if (file.getPath().empty() || file.getOffset() < 0)
    return op.emitOpError("expected a path and an offset >= 0, got ") << source;
  const std::optional<int64_t> bytes = bytesOf(type);
  if (!bytes)
    return op.emitOpError("expected a type of integers or floats below 2^63 bits, got ") << type;
  if (file.getLength() != *bytes)
    return op.emitOpError("expected a length of ") << *bytes << " bytes (" << type << "), got " << file.getLength();
  return success();
}

/// weight-c3 and weight-c4.
static LogicalResult verifySource(WeightOp op, Attribute source, RankedTensorType type) {
  auto list = dyn_cast<ArrayAttr>(source);
  if (!list)
    return verifyOneSource(op, source, type);
  // weight-c3
  if (type.getRank() == 0 || static_cast<int64_t>(list.size()) != type.getDimSize(0))
    return op.emitOpError("expected one source for each index of the first dim of ") << type << ", got " << list.size();
  for (Attribute part : list)
    if (failed(verifyOneSource(op, part, type.clone(type.getShape().drop_front()))))
      return failure();
  return success();
}

/// weight-c6 and weight-c7 of a weight that has all attributes of a packed one.
static LogicalResult verifyPacked(WeightOp op, RankedTensorType type) {
  // weight-c6
  const PackingFamily packing = *op.getPacking();
  const bool plain = packing == PackingFamily::Plain;
  if (plain && !op.getQuant())
    return op.getFrom()->size() == 1 ? success() : op.emitOpError("expected 1 weight in from (plain), got ") << op.getFrom()->size();
  const GateLayout gate = plain ? GateLayout::None : *op.getGate();
  if (!plain && (packing == PackingFamily::GateUp16) != (gate != GateLayout::None))
    return op.emitOpError("expected packing panel32 with gate none or gate_up16 with another, got ")
           << stringifyPackingFamily(packing) << " and " << stringifyGateLayout(gate);
  const size_t sources = gate == GateLayout::Separate ? 2 : 1, named = op.getFrom()->size();
  if (op.getQuant() && (named % sources != 0 || !isPartCount(op.getQuant()->getFormat(), named / sources))) {
    InFlightDiagnostic error = op.emitOpError("expected ");
    if (op.getQuant()->getFormat() == QuantFormat::TernaryDict)
      error << 4 * sources;
    else
      error << 2 * sources << " or " << 3 * sources;
    return error << " weights in from (gate " << stringifyGateLayout(gate) << ", dequantised), got " << named;
  }
  if (!op.getQuant() && named != sources)
    return op.emitOpError("expected ") << sources << " weights in from (gate " << stringifyGateLayout(gate) << "), got "
                                       << op.getFrom()->size();
  if (plain)
    return success();
  // weight-c7
  if (op.getBlocks()) {
    if (type.getRank() != 3 || !type.getElementType().isInteger(8))
      return op.emitOpError("expected a packed type of E x P x B i8 (blocks), got ") << type;
    return success();
  }
  const Type element = type.getElementType();
  const bool panels = type.getRank() == 4 && type.getDimSize(3) == 32 && (element.isF32() || element.isF16() || element.isBF16());
  const bool pairs = type.getRank() == 5 && type.getDimSize(3) == 32 && type.getDimSize(4) == 2 && element.isBF16();
  if (!panels && !(pairs && !op.getQuant()))
    return op.emitOpError("expected a packed type of E x P x K x 32 f32, f16 or bf16, or of E x P x K/2 x 32 x 2 bf16, got ") << type;
  return success();
}

LogicalResult WeightOp::verify() {
  const auto type = cast<RankedTensorType>(getType());
  // weight-c1
  if (bool(getSource()) == getPacking().has_value())
    return emitOpError("expected either a source or a packing, got ") << (getSource() ? "both" : "neither");
  // weight-c2
  if (!type.hasStaticShape())
    return emitOpError("expected static sizes, got ") << type;
  // weight-c5
  const bool panels = getPacking() && *getPacking() != PackingFamily::Plain;
  if (failed(exactlyWhere(*this, "from", getFrom().has_value(), getPacking().has_value(), "where it is packed")) ||
      failed(exactlyWhere(*this, "order", getOrder().has_value(), panels, "where it is packed in panels")) ||
      failed(exactlyWhere(*this, "gate", getGate().has_value(), panels, "where it is packed in panels")))
    return failure();
  // weight-c10
  if (getQuant().has_value() != getValues().has_value() || (getQuant() && !getPacking()))
    return emitOpError("expected dequant, with a type, only where it is packed");
  if (getQuant() && !panels && !type.getElementType().isF32())
    return emitOpError("expected a type of f32 (plain, dequantised), got ") << type;
  // weight-c11
  if (getBlocks() && (!getQuant() || !panels))
    return emitOpError("expected blocks only with dequant, where it is packed in panels");
  // weight-c12
  const auto columnParts = static_cast<int64_t>(getColumnParts().value_or(1)), depthParts = static_cast<int64_t>(getDepthParts().value_or(1));
  if (columnParts < 1 || depthParts < 1)
    return emitOpError("expected column_parts and depth_parts >= 1, got ") << columnParts << " and " << depthParts;
  if ((getColumnParts() || getDepthParts()) && (!panels || (getQuant() && getDepthParts()) || (getColumnParts() && getDepthParts())))
    return emitOpError("expected column_parts or depth_parts only where it is packed in panels, not both, and depth_parts without dequant");
  if (failed(getSource() ? verifySource(*this, *getSource(), type) : verifyPacked(*this, type)))
    return failure();
  // weight-c8
  if (getSection().has_value() != getOffset().has_value())
    return emitOpError("expected section and offset or neither, got only ") << (getSection() ? "section" : "offset");
  if (!getSection())
    return success();
  const int64_t section = *getSection(), offset = *getOffset();
  if (section < 0 || offset < 0 || offset % 64 != 0)
    return emitOpError("expected a section >= 0 and an offset that is a multiple of 64, got ") << section << " and " << offset;
  return success();
}

/// weight-c9 for the values of one source of a weight packed in panels.
static LogicalResult verifyPanels(WeightOp op, RankedTensorType matrix, FlatSymbolRefAttr symbol, llvm::function_ref<InFlightDiagnostic()> fail) {
  const auto type = cast<RankedTensorType>(op.getType());
  const int64_t rank = matrix.getRank();
  if ((rank != 2 && rank != 3) || !isa<FloatType>(matrix.getElementType()))
    return fail() << "expected " << symbol << " of floats and rank 2 or 3, got " << matrix;
  const bool outIn = *op.getOrder() == WeightOrder::OutIn;
  const auto columnParts = static_cast<int64_t>(op.getColumnParts().value_or(1)), depthParts = static_cast<int64_t>(op.getDepthParts().value_or(1));
  const int64_t experts = (rank == 3 ? matrix.getDimSize(0) : 1) * columnParts * depthParts, out = matrix.getDimSize(rank - (outIn ? 2 : 1)) / columnParts;
  // A panel holds 32 columns, or 16 pairs: of N columns in one tensor, of I in each of two.
  const int64_t panels = llvm::divideCeil(out, *op.getGate() == GateLayout::Separate ? 16 : 32);
  const int64_t depth = matrix.getDimSize(rank - (outIn ? 1 : 2)) / depthParts;
  SmallVector<int64_t> expected = {experts, panels};
  if (op.getBlocks())
    expected.push_back(op.getBlocks()->panelBytes(depth));
  else if (type.getRank() == 5)
    expected.append({(depth + 1) / 2, 32, 2});
  else
    expected.append({depth, 32});
  if (type.getShape() != ArrayRef(expected))
    return fail() << "expected type " << RankedTensorType::get(expected, type.getElementType()) << " for " << symbol << " of " << matrix
                  << ", got " << type;
  return success();
}

LogicalResult PartExpertsOp::verify() {
  const auto weight = cast<RankedTensorType>(getWeight().getType()), result = cast<RankedTensorType>(getResult().getType());
  const auto parts = static_cast<int64_t>(getParts()), dim = static_cast<int64_t>(getDim());
  // part_experts-c1
  if ((weight.getRank() != 2 && weight.getRank() != 3) || !weight.hasStaticShape() || dim < 1 || dim > 2)
    return emitOpError("expected a weight of rank 2 or 3 with static sizes and dim 1 or 2, got ") << weight << " and " << dim;
  // part_experts-c2
  SmallVector<int64_t> sizes(weight.getShape());
  if (sizes.size() == 2)
    sizes.insert(sizes.begin(), 1);
  const int64_t features = sizes[dim] / (getHalves() ? 2 : 1);
  if (parts < 1 || features % parts != 0)
    return emitOpError("expected parts that divide the ") << features << " features, got " << parts;
  // part_experts-c3
  sizes[0] *= parts;
  sizes[dim] /= parts;
  const auto expected = RankedTensorType::get(sizes, weight.getElementType());
  if (result != expected)
    return emitOpError("expected a result of type ") << expected << ", got " << result;
  return success();
}

LogicalResult WeightOp::verifySymbolUses(SymbolTableCollection &tables) {
  if (!getFrom())
    return success();
  const auto type = cast<RankedTensorType>(getType());
  const size_t sources = getGate() && *getGate() == GateLayout::Separate ? 2 : 1, parts = getFrom()->size() / sources;
  SmallVector<WeightOp> named;
  SmallVector<FlatSymbolRefAttr> symbols(getFrom()->getAsRange<FlatSymbolRefAttr>());
  for (FlatSymbolRefAttr symbol : symbols) {
    named.push_back(tables.lookupNearestSymbolFrom<WeightOp>(*this, symbol));
    if (!named.back() || !named.back().getSource())
      return emitOpError("expected from to name a moe.weight with a source, got ") << symbol;
  }
  for (size_t first = 0; first < named.size(); first += parts) {
    auto fail = [&]() {
      InFlightDiagnostic error = emitOpError();
      error.attachNote(named[first].getLoc()) << "the weight " << symbols[first] << " is here";
      return error;
    };
    auto typeOf = [&](size_t part) { return part < parts ? cast<RankedTensorType>(named[first + part].getType()) : RankedTensorType(); };
    // weight-c10
    if (getQuant() && failed(QuantLayout::get({*getQuant(), typeOf(0), typeOf(1), typeOf(2), cast<RankedTensorType>(*getValues()), typeOf(3)}, fail)))
      return failure();
    // weight-c9
    const auto matrix = getQuant() ? cast<RankedTensorType>(*getValues()) : typeOf(0);
    if (*getPacking() != PackingFamily::Plain) {
      if (failed(verifyPanels(*this, matrix, symbols[first], fail)))
        return failure();
    } else if (matrix.getShape() != type.getShape()) {
      return fail() << "expected " << symbols[first] << " with the sizes of " << type << ", got " << matrix;
    }
  }
  return success();
}

LogicalResult WeightRefOp::verifySymbolUses(SymbolTableCollection &tables) {
  // weight_ref-c1
  auto weight = tables.lookupNearestSymbolFrom<WeightOp>(*this, getWeightAttr());
  if (!weight)
    return emitOpError("expected to name a moe.weight, got ") << getWeightAttr();
  // weight_ref-c2
  const ShapedType found = shaped(getType()), expected = shaped(weight.getType());
  if (found.getShape() == expected.getShape() && found.getElementType() == expected.getElementType())
    return success();
  InFlightDiagnostic error = emitOpError("expected the type of ") << getWeightAttr() << ", " << expected << ", got " << getType();
  error.attachNote(weight.getLoc()) << "the weight is here";
  return error;
}

LogicalResult OnnxOp::verify() {
  // onnx-c1
  for (Type type : llvm::concat<const Type>(getOperandTypes(), getResultTypes()))
    if (!isa<RankedTensorType, NoneType>(type))
      return emitOpError("expected operands and results to be ranked tensors or none, got ") << type;
  // onnx-c2
  if (getOpType().empty())
    return emitOpError("expected an op_type, got an empty string");
  if (static_cast<int64_t>(getVersion()) < 1)
    return emitOpError("expected version >= 1, got ") << static_cast<int64_t>(getVersion());
  return success();
}

} // namespace moe
