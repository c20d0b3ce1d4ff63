// Layouts: MoeAttrs.td, PackingFamily. A panel holds 32 columns of the product for each k, so a block of k is contiguous in the result and
// the buffer stays small however long K is.
#include "WeightPacking.h"

#include "OrderedPieces.h"
#include "PanelPlan.h"
#include "QuantizedPacking.h"

#include "llvm/ADT/SmallVectorExtras.h"

#include <cstring>

using namespace mlir;

namespace moe {

namespace {

/// Values of k per block, an even number: 1024·32 floats are 128 KiB.
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

/// f32 to bf16, to nearest, ties to even; a NaN stays one and is quiet.
struct FloatToBfloat16 {
  static constexpr unsigned inputBytes = 4, outputBytes = 2;
  static void run(const uint8_t *from, uint8_t *to) {
    uint32_t bits;
    std::memcpy(&bits, from, 4);
    const bool isNan = (bits & 0x7fffffff) > 0x7f800000;
    const auto half = static_cast<uint16_t>(isNan ? (bits >> 16) | 0x40 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    std::memcpy(to, &half, 2);
  }
};

/// f16 to bf16, rounded once: f32 holds every f16.
struct HalfToBfloat16 {
  static constexpr unsigned inputBytes = 2, outputBytes = 2;
  static void run(const uint8_t *from, uint8_t *to) {
    uint8_t wide[4];
    HalfToFloat::run(from, wide);
    FloatToBfloat16::run(wide, to);
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
  if (to.isBF16() && from.isF32())
    return run(FloatToBfloat16()), true;
  if (to.isBF16() && from.isF16())
    return run(HalfToBfloat16()), true;
  return false;
}

//===-- Panels ------------------------------------------------------------===//

/// Values k0 to k0 + count of panel `p` of expert `e`, into zeros.
template <typename Element>
void fillBlock(const PanelPlan &plan, ArrayRef<WeightData> sources, int64_t e, int64_t p, int64_t k0, int64_t count, uint8_t *block) {
  for (int64_t c = 0; c < panelWidth; ++c) {
    auto [source, column] = plan.sourceColumn(e, p, c);
    if (column < 0)
      continue;
    const int64_t first = plan.sourcePlace(e, column) + k0 * plan.depthStride;
    const uint8_t *from = sources[source].bytes.data() + first * Element::inputBytes;
    for (int64_t k = 0; k < count; ++k) {
      Element::run(from, block + plan.place(k, c) * Element::outputBytes);
      from += plan.depthStride * Element::inputBytes;
    }
  }
}

template <typename Element> bool writePanels(const PanelPlan &plan, ArrayRef<WeightData> sources, ByteSink sink) {
  const auto fillPanel = [&](int64_t number, uint8_t *to) {
    for (int64_t k = 0; k < plan.depth; k += blockDepth) {
      const int64_t count = std::min(blockDepth, plan.depth - k);
      fillBlock<Element>(plan, sources, number / plan.panels, number % plan.panels, k, count, to);
      to += plan.panelValues(count) * Element::outputBytes;
    }
  };
  return writeInOrder(plan.experts * plan.panels, plan.panelValues(plan.depth) * Element::outputBytes, fillPanel, sink);
}

//===-- Plain -------------------------------------------------------------===//

template <typename Element> bool writePlain(ArrayRef<uint8_t> bytes, ByteSink sink) {
  constexpr bool copies = std::is_same_v<Element, Copy<Element::inputBytes>>;
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
  auto diagnostic = packingError(op) << "expected one source with the sizes of " << target << ", found ";
  if (sources.size() == 1)
    return diagnostic << sources.front().type;
  return diagnostic << sources.size() << " sources";
}

} // namespace

LogicalResult packWeight(WeightOp op, ArrayRef<WeightData> sources, ByteSink sink) {
  const Type target = cast<RankedTensorType>(op.getType()).getElementType();
  if (sources.empty())
    return packingError(op) << "has no source";
  if (op.getQuant())
    return packQuantized(op, sources, sink);
  const bool plain = op.getPacking().value_or(PackingFamily::Plain) == PackingFamily::Plain;
  FailureOr<PanelPlan> plan;
  if (plain ? failed(checkPlain(op, sources))
            : failed(plan = planPanels(op, llvm::map_to_vector(sources, [](const WeightData &source) { return source.type; }))))
    return failure();
  bool written = false;
  bool known = withConverter(sources.front().type.getElementType(), target, [&](auto element) {
    using Element = decltype(element);
    written = plain ? writePlain<Element>(sources.front().bytes, sink) : writePanels<Element>(*plan, sources, sink);
  });
  if (!known)
    return packingError(op) << "cannot convert elements of type " << sources.front().type.getElementType() << " to " << target;
  return success(written);
}

} // namespace moe
