// Layouts: MoeAttrs.td, PackingFamily. A panel holds 32 columns of the product for each k, so a block of k is contiguous in the result and
// the buffer stays small however long K is.
#include "WeightPacking.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/Support/MathExtras.h"

#include <cstring>

using namespace mlir;

namespace moe {

namespace {

constexpr int64_t panelWidth = 32;
constexpr int64_t pairsPerPanel = panelWidth / 2;
/// Values of k per block: 1024·32 floats are 128 KiB.
constexpr int64_t blockDepth = 1024;
constexpr int64_t copyBytes = 1 << 20;

//===-- Elements ----------------------------------------------------------===//

/// Copies an element of `Bytes` bytes.
template <unsigned Bytes> struct Copy {
  static constexpr unsigned inputBytes = Bytes, outputBytes = Bytes;
  static void run(const uint8_t *from, uint8_t *to) { std::memcpy(to, from, Bytes); }
};

/// bf16 is the upper half of f32.
struct Bfloat16ToFloat {
  static constexpr unsigned inputBytes = 2, outputBytes = 4;
  static void run(const uint8_t *from, uint8_t *to) {
    uint16_t half;
    std::memcpy(&half, from, 2);
    uint32_t bits = uint32_t(half) << 16;
    std::memcpy(to, &bits, 4);
  }
};

/// f16 to f32, exact: normal numbers are rebiased, subnormal ones are small integers times 2^-24, and infinities and NaNs keep their payload.
struct HalfToFloat {
  static constexpr unsigned inputBytes = 2, outputBytes = 4;
  static void run(const uint8_t *from, uint8_t *to) {
    uint16_t half;
    std::memcpy(&half, from, 2);
    uint32_t sign = uint32_t(half & 0x8000) << 16, exponent = (half >> 10) & 0x1f, mantissa = half & 0x3ff, bits;
    if (exponent == 0) {
      float value = static_cast<float>(mantissa) * 0x1p-24f;
      std::memcpy(&bits, &value, 4);
    } else {
      bits = ((exponent == 31 ? 255 : exponent + 112) << 23) | (mantissa << 13);
    }
    bits |= sign;
    std::memcpy(to, &bits, 4);
  }
};

/// Calls `run` with the converter from one element type to another; false if there is none.
template <typename Run> bool withConverter(Type from, Type to, Run run) {
  if (from == to) {
    switch (from.isInteger(1) ? 8 : from.getIntOrFloatBitWidth()) {
    case 8:
      return run(Copy<1>()), true;
    case 16:
      return run(Copy<2>()), true;
    case 32:
      return run(Copy<4>()), true;
    case 64:
      return run(Copy<8>()), true;
    default:
      return false;
    }
  }
  if (to.isF32() && from.isBF16())
    return run(Bfloat16ToFloat()), true;
  if (to.isF32() && from.isF16())
    return run(HalfToFloat()), true;
  return false;
}

//===-- Panels ------------------------------------------------------------===//

/// The recipe of a panel layout, checked against its types.
struct PanelPlan {
  int64_t experts, panels, depth;
  int64_t columns; ///< Columns of each source.
  PackingFamily packing;
  GateLayout gate;
  /// Distance in elements between neighbours along the column and along k.
  int64_t columnStride, depthStride;

  /// The source and its column that fill column `c` of panel `p`; -1 if that column is padding.
  std::pair<unsigned, int64_t> sourceColumn(int64_t p, int64_t c) const {
    if (packing == PackingFamily::Panel32) {
      int64_t n = p * panelWidth + c;
      return {0, n < columns ? n : -1};
    }
    const int64_t pair = p * pairsPerPanel + c % pairsPerPanel, isUp = c / pairsPerPanel;
    const int64_t pairs = gate == GateLayout::Separate ? columns : columns / 2;
    if (pair >= pairs)
      return {0, -1};
    switch (gate) {
    case GateLayout::Separate:
      return {static_cast<unsigned>(isUp), pair};
    case GateLayout::Interleaved:
      return {0, 2 * pair + isUp};
    default:
      return {0, isUp * pairs + pair};
    }
  }
};

InFlightDiagnostic error(WeightOp op) { return op.emitError() << "weight @" << op.getSymName() << ": "; }

FailureOr<PanelPlan> planPanels(WeightOp op, ArrayRef<WeightData> sources) {
  PanelPlan plan;
  plan.packing = *op.getPacking();
  plan.gate = op.getGate().value_or(GateLayout::None);
  const bool paired = plan.packing == PackingFamily::GateUp16;
  if (paired != (plan.gate != GateLayout::None))
    return error(op) << "packing " << stringifyPackingFamily(plan.packing) << " does not fit the gate layout "
                     << stringifyGateLayout(plan.gate),
           failure();
  const size_t expected = plan.gate == GateLayout::Separate ? 2 : 1;
  if (sources.size() != expected)
    return error(op) << "expected " << expected << " sources, found " << sources.size(), failure();
  RankedTensorType source = sources.front().type;
  if (sources.back().type != source || (source.getRank() != 2 && source.getRank() != 3))
    return error(op) << "expected sources of one type and of rank 2 or 3, found " << source << " and " << sources.back().type, failure();

  const int64_t rank = source.getRank();
  const bool outIn = op.getOrder().value_or(WeightOrder::OutIn) == WeightOrder::OutIn;
  plan.experts = rank == 3 ? source.getDimSize(0) : 1;
  plan.columns = source.getDimSize(rank - (outIn ? 2 : 1));
  plan.depth = source.getDimSize(rank - (outIn ? 1 : 2));
  plan.columnStride = outIn ? plan.depth : 1;
  plan.depthStride = outIn ? 1 : plan.columns;
  if (paired && expected == 1 && plan.columns % 2 != 0)
    return error(op) << "expected an even number of gate and up columns, found " << plan.columns, failure();
  const int64_t pairs = expected == 2 ? plan.columns : plan.columns / 2;
  plan.panels = paired ? llvm::divideCeil(pairs, pairsPerPanel) : llvm::divideCeil(plan.columns, panelWidth);

  auto target = cast<RankedTensorType>(op.getType());
  auto wanted = RankedTensorType::get({plan.experts, plan.panels, plan.depth, panelWidth}, target.getElementType());
  if (target != wanted)
    return error(op) << "expected the type " << wanted << " for " << stringifyPackingFamily(plan.packing) << " of " << source << ", found "
                     << target,
           failure();
  return plan;
}

/// Values k0 to k0 + count of panel `p` of expert `e`.
template <typename Element>
void fillBlock(const PanelPlan &plan, ArrayRef<WeightData> sources, int64_t e, int64_t p, int64_t k0, int64_t count, uint8_t *block) {
  std::memset(block, 0, count * panelWidth * Element::outputBytes);
  for (int64_t c = 0; c < panelWidth; ++c) {
    auto [source, column] = plan.sourceColumn(p, c);
    if (column < 0)
      continue;
    const int64_t first = e * plan.columns * plan.depth + column * plan.columnStride + k0 * plan.depthStride;
    const uint8_t *from = sources[source].bytes.data() + first * Element::inputBytes;
    uint8_t *to = block + c * Element::outputBytes;
    for (int64_t k = 0; k < count; ++k) {
      Element::run(from, to);
      from += plan.depthStride * Element::inputBytes;
      to += panelWidth * Element::outputBytes;
    }
  }
}

template <typename Element> bool writePanels(const PanelPlan &plan, ArrayRef<WeightData> sources, ByteSink sink) {
  std::vector<uint8_t> block(std::min(blockDepth, plan.depth) * panelWidth * Element::outputBytes);
  for (int64_t e = 0; e < plan.experts; ++e)
    for (int64_t p = 0; p < plan.panels; ++p)
      for (int64_t k = 0; k < plan.depth; k += blockDepth) {
        const int64_t count = std::min(blockDepth, plan.depth - k);
        fillBlock<Element>(plan, sources, e, p, k, count, block.data());
        if (!sink(ArrayRef(block).take_front(count * panelWidth * Element::outputBytes)))
          return false;
      }
  return true;
}

//===-- Plain -------------------------------------------------------------===//

template <typename Element> bool writePlain(ArrayRef<uint8_t> bytes, ByteSink sink) {
  constexpr bool copies = Element::inputBytes == Element::outputBytes;
  std::vector<uint8_t> converted;
  while (!bytes.empty()) {
    ArrayRef<uint8_t> piece = bytes.take_front(copyBytes);
    bytes = bytes.drop_front(piece.size());
    if constexpr (!copies) {
      const size_t count = piece.size() / Element::inputBytes;
      converted.resize(count * Element::outputBytes);
      for (size_t i = 0; i < count; ++i)
        Element::run(piece.data() + i * Element::inputBytes, converted.data() + i * Element::outputBytes);
      piece = converted;
    }
    if (!sink(piece))
      return false;
  }
  return true;
}

LogicalResult checkPlain(WeightOp op, ArrayRef<WeightData> sources) {
  auto target = cast<RankedTensorType>(op.getType());
  if (sources.size() == 1 && sources.front().type.getShape() == target.getShape())
    return success();
  auto diagnostic = error(op) << "expected one source with the sizes of " << target << ", found ";
  if (sources.size() == 1)
    return diagnostic << sources.front().type;
  return diagnostic << sources.size() << " sources";
}

} // namespace

LogicalResult packWeight(WeightOp op, ArrayRef<WeightData> sources, ByteSink sink) {
  const Type target = cast<RankedTensorType>(op.getType()).getElementType();
  if (sources.empty())
    return error(op) << "has no source";
  const bool plain = op.getPacking().value_or(PackingFamily::Plain) == PackingFamily::Plain;
  FailureOr<PanelPlan> plan;
  if (plain ? failed(checkPlain(op, sources)) : failed(plan = planPanels(op, sources)))
    return failure();
  bool written = false;
  bool known = withConverter(sources.front().type.getElementType(), target, [&](auto element) {
    using Element = decltype(element);
    written = plain ? writePlain<Element>(sources.front().bytes, sink) : writePanels<Element>(*plan, sources, sink);
  });
  if (!known)
    return error(op) << "cannot convert elements of type " << sources.front().type.getElementType() << " to " << target;
  return success(written);
}

} // namespace moe
