// Layout of quantised weights from the types of their parts. Formulas: the description of moe.dequant.
#include "moe/IR/Quantization.h"

#include "llvm/Support/MathExtras.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace moe {

unsigned storedBits(QuantFormat format) {
  switch (format) {
  case QuantFormat::Int8Channel:
  case QuantFormat::Int8Group:
  case QuantFormat::Fp8Block:
    return 8;
  case QuantFormat::Int4Group:
  case QuantFormat::Mxfp4:
  case QuantFormat::Nvfp4:
  case QuantFormat::Nf4:
    return 4;
  case QuantFormat::Int2Group:
    return 2;
  case QuantFormat::TernaryDict:
    return 0;
  }
  llvm_unreachable("all formats are listed");
}

bool isIntegerFormat(QuantFormat format) {
  return llvm::is_contained({QuantFormat::Int8Channel, QuantFormat::Int8Group, QuantFormat::Int4Group, QuantFormat::Int2Group}, format);
}

/// e4m3 without infinities: bias 7, the two codes with all bits set are NaN.
static float e4m3Value(unsigned code) {
  const unsigned exponent = code >> 3 & 15, mantissa = code & 7;
  const float sign = code & 0x80 ? -1.0f : 1.0f;
  if ((code & 0x7f) == 0x7f)
    return std::copysign(std::numeric_limits<float>::quiet_NaN(), sign);
  return sign * (exponent ? std::ldexp(8.0f + mantissa, static_cast<int>(exponent) - 10) : std::ldexp(float(mantissa), -9));
}

float codeValue(QuantFormat format, unsigned code) {
  static const float e2m1[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  // The quantiles of a normal distribution that QLoRA publishes.
  static const float nf4[] = {-1.0f,
                              -0.6961928009986877f,
                              -0.5250730514526367f,
                              -0.39491748809814453f,
                              -0.28444138169288635f,
                              -0.18477343022823334f,
                              -0.09105003625154495f,
                              0.0f,
                              0.07958029955625534f,
                              0.16093020141124725f,
                              0.24611230194568634f,
                              0.33791524171829224f,
                              0.44070982933044434f,
                              0.5626170039176941f,
                              0.7229568362236023f,
                              1.0f};
  switch (format) {
  case QuantFormat::Mxfp4:
  case QuantFormat::Nvfp4:
    return code & 8 ? -e2m1[code & 7] : e2m1[code & 7];
  case QuantFormat::Nf4:
    return nf4[code & 15];
  case QuantFormat::Fp8Block:
    return e4m3Value(code);
  default:
    return static_cast<float>(code);
  }
}

namespace {

/// Reads the layout part by part; the first misfit is reported.
class LayoutReader {
public:
  LayoutReader(const QuantTypes &types, llvm::function_ref<InFlightDiagnostic()> error) : types(types), error(error) {}

  FailureOr<QuantLayout> read() {
    if (failed(readQuant()) || failed(readResult()))
      return failure();
    if (layout.format == QuantFormat::TernaryDict)
      return failed(readTernary()) ? FailureOr<QuantLayout>(failure()) : layout;
    if (failed(readPayload()) || failed(readScales()) || failed(readZeros()))
      return failure();
    return layout;
  }

private:
  StringRef formatName() { return stringifyQuantFormat(layout.format); }
  LogicalResult readQuant();
  LogicalResult readResult();
  LogicalResult readPayload();
  LogicalResult readScales();
  LogicalResult readZeros();
  LogicalResult readTernary();

  const QuantTypes &types;
  llvm::function_ref<InFlightDiagnostic()> error;
  QuantLayout layout;
  int64_t group = 0;
};

} // namespace

LogicalResult LayoutReader::readQuant() {
  layout.format = types.quant.getFormat();
  layout.bits = storedBits(layout.format);
  // quant-c1
  if (const int64_t bits = types.quant.getBits(); bits != 0 && bits != layout.bits)
    return error() << "expected bits of 0 or " << layout.bits << " (" << formatName() << "), got " << bits;
  // quant-c2
  group = types.quant.getGroupSize();
  const bool needsGroup = llvm::is_contained({QuantFormat::Fp8Block, QuantFormat::Nf4}, layout.format);
  const bool takesGroup = isIntegerFormat(layout.format) && layout.format != QuantFormat::Int8Channel;
  const int64_t fixed = layout.format == QuantFormat::Mxfp4 ? 32 : layout.format == QuantFormat::Nvfp4 ? 16 : 0;
  if (needsGroup ? group < 1 : takesGroup ? group < 0 : group != 0 && group != fixed)
    return error() << "expected "
                   << (needsGroup   ? std::string("a positive group_size")
                       : takesGroup ? std::string("a group_size that is not negative")
                       : fixed      ? "a group_size of 0 or " + std::to_string(fixed)
                                    : std::string("no group_size"))
                   << " (" << formatName() << "), got " << group;
  if (fixed)
    group = fixed;
  // quant-c3
  if (types.quant.getAxis() != -1 && types.quant.getAxis() != -2)
    return error() << "expected axis -1 or -2, got " << types.quant.getAxis();
  return success();
}

LogicalResult LayoutReader::readResult() {
  if (types.result.getRank() < 2 || !types.result.hasStaticShape())
    return error() << "expected a result of rank >= 2 with static sizes, got " << types.result;
  const ArrayRef<int64_t> shape = types.result.getShape();
  layout.outers = ShapedType::getNumElements(shape.drop_back(2));
  layout.rows = shape[shape.size() - 2];
  layout.columns = shape.back();
  return success();
}

LogicalResult LayoutReader::readPayload() {
  const RankedTensorType payload = types.payload;
  const ArrayRef<int64_t> shape = types.result.getShape(), stored = payload.getShape();
  const Type element = payload.getElementType();
  if (!element.isIntOrFloat() || (isIntegerFormat(layout.format) && !isa<IntegerType>(element)) ||
      (layout.format == QuantFormat::Fp8Block && !element.isInteger(8) && !isa<Float8E4M3FNType>(element)))
    return error() << "expected a payload of "
                   << (layout.format == QuantFormat::Fp8Block ? "f8E4M3FN or bytes" : isIntegerFormat(layout.format) ? "integers" : "codes")
                   << " (" << formatName() << "), got " << payload;
  const unsigned width = element.getIntOrFloatBitWidth();
  if (width == layout.bits && stored == shape) {
    layout.isSigned = element.isSignlessInteger();
    layout.rowCodes = layout.columns;
    return success();
  }
  const int64_t filled = group > 0 && types.quant.getAxis() == -1 ? static_cast<int64_t>(llvm::alignTo(layout.columns, group)) : layout.columns;
  const auto bytes = [&](int64_t codes) -> int64_t { return llvm::divideCeil(codes * layout.bits, int64_t(8)); };
  if (width != 8 || stored.size() != shape.size() || stored.drop_back() != shape.drop_back() || stored.back() < bytes(layout.columns) ||
      stored.back() > bytes(filled)) {
    InFlightDiagnostic diagnostic = error();
    diagnostic << "expected a payload of " << layout.bits << "-bit codes of the sizes of " << types.result << ", or rows of "
               << bytes(layout.columns);
    if (bytes(filled) != bytes(layout.columns))
      diagnostic << " to " << bytes(filled);
    return diagnostic << " bytes, got " << payload;
  }
  layout.rowCodes = stored.back() * (8 / layout.bits);
  return success();
}

LogicalResult LayoutReader::readScales() {
  SmallVector<int64_t> sizes(types.result.getShape());
  const auto divide = [&](int64_t &size) { size = llvm::divideCeil(size, group); };
  const bool alongRows = types.quant.getAxis() == -2;
  if (layout.format == QuantFormat::Fp8Block) {
    divide(sizes.back());
    divide(sizes[sizes.size() - 2]);
    layout.groupRows = layout.groupColumns = group;
  } else {
    int64_t &shared = alongRows ? layout.groupRows : layout.groupColumns;
    shared = group ? group : alongRows ? layout.rows : layout.columns;
    shared = std::max<int64_t>(shared, 1);
    auto dim = sizes.begin() + (sizes.size() - (alongRows ? 2 : 1));
    if (group)
      divide(*dim);
    else
      sizes.erase(dim);
  }
  layout.scaleRows = llvm::divideCeil(layout.rows, layout.groupRows);
  layout.scaleColumns = llvm::divideCeil(layout.columns, layout.groupColumns);
  const Type element = types.scales.getElementType();
  // dequant-c5
  if (types.scales.getShape() != ArrayRef(sizes))
    return error() << "expected scales of type " << RankedTensorType::get(sizes, element) << " (" << formatName() << "), got " << types.scales;
  const bool bytes = element.isInteger(8) && layout.format == QuantFormat::Mxfp4;
  if (!bytes && !isa<Float32Type, Float16Type, BFloat16Type, Float8E8M0FNUType, Float8E4M3FNType>(element))
    return error() << "expected scales of f32, f16, bf16, f8E8M0FNU or f8E4M3FN" << (layout.format == QuantFormat::Mxfp4 ? " or bytes" : "")
                   << ", got " << types.scales;
  layout.scaleLine = std::max<int64_t>(sizes.empty() ? 1 : sizes.back(), 1);
  return success();
}

LogicalResult LayoutReader::readZeros() {
  if (!types.zeros)
    return success();
  const RankedTensorType zeros = types.zeros;
  const ArrayRef<int64_t> sizes = types.scales.getShape(), stored = zeros.getShape();
  const Type element = zeros.getElementType();
  // dequant-c6
  if (isa<Float32Type, Float16Type, BFloat16Type>(element) && stored == sizes) {
    layout.zeros = QuantLayout::Zeros::Floats;
    return success();
  }
  layout.zeros = QuantLayout::Zeros::Codes;
  const unsigned width = isa<IntegerType>(element) ? element.getIntOrFloatBitWidth() : 0;
  if (width == layout.bits && stored == sizes) {
    layout.zeroLine = layout.scaleLine;
    return success();
  }
  const int64_t line = sizes.empty() ? 1 : llvm::divideCeil(sizes.back() * layout.bits, int64_t(8));
  if (width != 8 || stored.size() != sizes.size() || sizes.empty() || stored.drop_back() != sizes.drop_back() || stored.back() != line)
    return error() << "expected zeros of f32, f16, bf16 or " << layout.bits << "-bit codes with the sizes of " << types.scales
                   << ", or lines of " << line << " bytes, got " << zeros;
  layout.zeroLine = line * (8 / layout.bits);
  return success();
}

LogicalResult LayoutReader::readTernary() {
  // dequant-c7
  auto isVector = [](RankedTensorType type, unsigned bits) { return type && type.getRank() == 1 && type.getElementType().isInteger(bits); };
  auto complain = [&](StringRef expected, RankedTensorType found) -> LogicalResult {
    InFlightDiagnostic diagnostic = error();
    diagnostic << "expected " << expected << " (ternary_dict), got ";
    return found ? diagnostic << found : diagnostic << "none";
  };
  if (!isVector(types.payload, 16))
    return complain("a payload that is a vector of 16-bit integers", types.payload);
  const int64_t starts = layout.outers * layout.rows + 1;
  if (!isVector(types.zeros, 32) || (!types.zeros.isDynamicDim(0) && types.zeros.getDimSize(0) != starts))
    return complain("zeros that are a vector of " + std::to_string(starts) + " i32", types.zeros);
  SmallVector<int64_t> sizes(types.result.getShape());
  sizes.back() = 2;
  if (types.scales.getShape() != ArrayRef(sizes) || !isa<Float32Type, Float16Type, BFloat16Type>(types.scales.getElementType()))
    return error() << "expected scales with the sizes of " << RankedTensorType::get(sizes, Float32Type::get(types.result.getContext()))
                   << " of f32, f16 or bf16 (ternary_dict), got " << types.scales;
  constexpr int64_t most = 2 * 65536;
  const int64_t words = isVector(types.codebook, 32) ? types.codebook.getDimSize(0) : 0;
  if (!ShapedType::isDynamic(words) && (words < 2 || words > most || words % 2 != 0))
    return complain("a codebook that is a vector of 2 to 131072 32-bit integers, two for each string", types.codebook);
  return success();
}

FailureOr<QuantLayout> QuantLayout::get(const QuantTypes &types, llvm::function_ref<InFlightDiagnostic()> error) {
  return LayoutReader(types, error).read();
}

//===-- #moe.blocks -------------------------------------------------------===//

/// Columns of a panel.
static constexpr int64_t panelColumns = 32;

LogicalResult BlocksAttr::verify(llvm::function_ref<InFlightDiagnostic()> error, PanelCode code, int64_t group, Type scale, Type zero,
                                 bool quads, int64_t dictionary) {
  // blocks-c1
  if (group < 1)
    return error() << "expected a group >= 1, got " << group;
  // blocks-c2
  if (!isa<Float32Type, Float16Type, BFloat16Type>(scale))
    return error() << "expected a scale of f32, f16 or bf16, got " << scale;
  // blocks-c3
  const bool isInteger = code == PanelCode::Int8 || code == PanelCode::Int4 || code == PanelCode::Int2;
  if (zero && (!isInteger || (!zero.isF32() && !zero.isInteger(8))))
    return error() << "expected no zero or, for integers, one of f32 or i8, got " << zero << " (" << stringifyPanelCode(code) << ")";
  // blocks-c4
  if (quads && !isInteger)
    return error() << "expected quads only for integers, got " << stringifyPanelCode(code);
  // blocks-c5
  if (dictionary < 0 || (dictionary && code != PanelCode::Ternary))
    return error() << "expected no dictionary or, for ternary, one of at least 1 byte for a panel, got " << dictionary << " ("
                   << stringifyPanelCode(code) << ")";
  return success();
}

int64_t BlocksAttr::bits() const {
  switch (getCode()) {
  case PanelCode::Int8:
  case PanelCode::E4m3:
    return 8;
  case PanelCode::Int2:
    return 2;
  case PanelCode::Ternary:
    return 0;
  default:
    return 4;
  }
}

int64_t BlocksAttr::scaleBytes() const { return (isTernary() ? 2 : 1) * panelColumns * getScale().getIntOrFloatBitWidth() / 8; }
int64_t BlocksAttr::zeroBytes() const { return getZero() ? panelColumns * getZero().getIntOrFloatBitWidth() / 8 : 0; }

int64_t BlocksAttr::filledGroup() const { return static_cast<int64_t>(llvm::alignTo(getGroup(), 4 * 8 / bits())); }

BlocksAttr BlocksAttr::withDictionary(int64_t panels, int64_t codes) const {
  if (panels < 1)
    return *this;
  return get(getContext(), getCode(), getGroup(), getScale(), getZero(), getQuads(), llvm::divideCeil(dictionaryCodes(panels) + 2 * codes, panels));
}

int64_t BlocksAttr::codeBytes() const {
  // Decoding stores the line that it fills and the next one, which may lie behind the digits.
  if (getDictionary())
    return (llvm::divideCeil(getGroup(), digitsPerLane) + 2) * panelColumns * 4;
  if (isTernary())
    return (getGroup() + ternaryPerByte - 1) / ternaryPerByte * panelColumns;
  if (getQuads())
    return filledGroup() * panelColumns * bits() / 8;
  // Two values of k share the 16 bytes of 2-bit codes.
  return bits() == 2 ? (getGroup() + 1) / 2 * 16 : getGroup() * panelColumns * bits() / 8;
}

} // namespace moe
