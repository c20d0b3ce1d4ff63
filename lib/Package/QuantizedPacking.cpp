// Quantised sources become panels of blocks, which kernels dequantise, or of f32, where every code is decoded once, here.
#include "QuantizedPacking.h"

#include "OrderedPieces.h"
#include "PanelPlan.h"
#include "QuantizedSource.h"

#include "llvm/Support/Endian.h"

#include <cmath>
#include <cstring>

using namespace mlir;

namespace moe {

namespace {

/// Writes the panels of one weight.
class PanelWriter {
public:
  PanelWriter(WeightOp op, const PanelPlan &plan, ArrayRef<QuantizedSource> sources, ByteSink sink)
      : plan(plan), blocks(op.getBlocksAttr()), outIn(op.getOrder().value_or(WeightOrder::OutIn) == WeightOrder::OutIn),
        narrow(cast<RankedTensorType>(op.getType()).getElementType().isBF16()), sources(sources), sink(sink) {}

  /// False once the sink fails.
  bool write() {
    if (blocks && blocks.getDictionary())
      return writeDictionary();
    if (blocks ? blocks.isTernary() : sources.front().layout().format == QuantFormat::TernaryDict)
      for (const QuantizedSource &source : sources)
        source.decodeDigits(); // Threads must not be the ones to find that missing.
    const int64_t bytes = blocks ? blocks.panelBytes(plan.depth) : plan.depth * panelWidth * (narrow ? 2 : sizeof(float));
    return writeInOrder(plan.experts * plan.panels, bytes, [&](int64_t number, uint8_t *to) {
      const int64_t e = number / plan.panels, p = number % plan.panels;
      blocks ? fillBlocks(e, p, to) : fillFloats(e, p, to);
    }, sink);
  }

private:
  void fillFloats(int64_t e, int64_t p, uint8_t *panel);
  bool writeDictionary();
  void fillNumbers(const QuantizedSource &source, int64_t e, int64_t row, int64_t c, uint8_t *block);
  void fillTernary(const QuantizedSource &source, int64_t e, int64_t row, int64_t c, int64_t k0, int64_t count, uint8_t *block);
  void fillBlocks(int64_t e, int64_t p, uint8_t *panel);
  bool fillQuads(const QuantizedSource &source, int64_t first, int64_t c, int64_t count, unsigned flip, uint8_t *codes);
  void fillColumn(const QuantizedSource &source, int64_t e, int64_t column, int64_t c, int64_t k0, int64_t count, uint8_t *block);
  void storeScale(const QuantizedSource &source, int64_t scale, uint8_t *to);
  void storeZero(const QuantizedSource &source, int64_t scale, uint8_t *to);
  void storeCodes(const QuantizedSource &source, int64_t first, int64_t step, int64_t c, int64_t count, unsigned flip, uint8_t *codes);

  /// The element of column `column` and value `k` as the source counts rows and columns.
  std::pair<int64_t, int64_t> rowColumn(int64_t column, int64_t k) const {
    return outIn ? std::pair(column, k) : std::pair(k, column);
  }

  const PanelPlan &plan;
  const BlocksAttr blocks;
  const bool outIn, narrow;
  const size_t scaleSize = blocks ? blocks.getScale().getIntOrFloatBitWidth() / 8 : 0;
  const ArrayRef<QuantizedSource> sources;
  const ByteSink sink;
  std::vector<uint8_t> buffer;
};

} // namespace

/// All of k, into zeros.
void PanelWriter::fillFloats(int64_t e, int64_t p, uint8_t *panel) {
  const int64_t bytes = narrow ? 2 : sizeof(float);
  for (int64_t c = 0; c < panelWidth; ++c) {
    const auto [number, column] = plan.sourceColumn(e, p, c);
    for (int64_t k = 0; column >= 0 && k < plan.depth; ++k) {
      const auto [row, inRow] = rowColumn(column, k);
      const float value = sources[number].value(plan.sourceExpert(e), row, inRow);
      uint32_t bits;
      std::memcpy(&bits, &value, sizeof(bits));
      if (narrow) // exact: the values are bf16
        bits >>= 16;
      std::memcpy(panel + (k * panelWidth + c) * bytes, &bits, bytes);
    }
  }
}

void PanelWriter::fillBlocks(int64_t e, int64_t p, uint8_t *panel) {
  for (int64_t k0 = 0; k0 < plan.depth; k0 += blocks.getGroup(), panel += blocks.blockBytes()) {
    const int64_t count = std::min(blocks.getGroup(), plan.depth - k0);
    for (int64_t c = 0; c < panelWidth; ++c)
      if (const auto [number, column] = plan.sourceColumn(e, p, c); column >= 0)
        fillColumn(sources[number], plan.sourceExpert(e), column, c, k0, count, panel);
  }
}

/// The run of bytes of all panels: where codes begin, the numbers, the codes.
bool PanelWriter::writeDictionary() {
  const int64_t panels = plan.experts * plan.panels, columns = panels * panelWidth;
  const auto forEachColumn = [&](llvm::function_ref<void(int64_t place, const QuantizedSource *, int64_t e, int64_t row)> visit) {
    for (int64_t place = 0; place < columns; ++place) {
      const int64_t panel = place / panelWidth;
      const auto [number, row] = plan.sourceColumn(panel / plan.panels, panel % plan.panels, place % panelWidth);
      visit(place, row >= 0 ? &sources[number] : nullptr, plan.sourceExpert(panel / plan.panels), row);
    }
  };
  buffer.assign(blocks.dictionaryCodes(panels), 0);
  uint32_t codes = 0;
  forEachColumn([&](int64_t place, const QuantizedSource *source, int64_t e, int64_t row) {
    llvm::support::endian::write32le(buffer.data() + 4 * place, codes);
    if (!source)
      return;
    codes += source->stringCodes(e, row).size() / 2;
    fillNumbers(*source, e, row, place % panelWidth, buffer.data() + blocks.dictionaryNumbers(panels) + place / panelWidth * blocks.scaleBytes());
  });
  llvm::support::endian::write32le(buffer.data() + 4 * columns, codes);
  if (!sink(buffer))
    return false;
  bool fits = true;
  forEachColumn([&](int64_t, const QuantizedSource *source, int64_t e, int64_t row) {
    fits = fits && (!source || sink(source->stringCodes(e, row)));
  });
  buffer.assign(panels * blocks.getDictionary() - blocks.dictionaryCodes(panels) - 2 * codes, 0);
  return fits && sink(buffer);
}

/// The two numbers of one column, which is a row of the source.
void PanelWriter::fillNumbers(const QuantizedSource &source, int64_t e, int64_t row, int64_t c, uint8_t *block) {
  const int64_t numbers = blocks.scaleBytes() / 2;
  storeScale(source, source.lowIndex(e, row), block + c * numbers / panelWidth);
  storeScale(source, source.highIndex(e, row), block + numbers + c * numbers / panelWidth);
}

/// The numbers of one column and its digits.
void PanelWriter::fillTernary(const QuantizedSource &source, int64_t e, int64_t row, int64_t c, int64_t k0, int64_t count, uint8_t *block) {
  constexpr int64_t perByte = BlocksAttr::ternaryPerByte;
  fillNumbers(source, e, row, c, block);
  uint8_t *codes = block + blocks.scaleBytes();
  for (int64_t k = 0; k < count; k += perByte) {
    unsigned number = 0;
    for (int64_t i = k; i < k + perByte; ++i)
      number = number * 3 + (i < count ? source.digit(e, row, k0 + i) : 0);
    codes[k / perByte * panelWidth + c] = static_cast<uint8_t>((number * 256 + 242) / 243);
  }
}

/// Scale, zero point and codes of one column of a block.
void PanelWriter::fillColumn(const QuantizedSource &source, int64_t e, int64_t column, int64_t c, int64_t k0, int64_t count, uint8_t *block) {
  if (blocks.isTernary())
    return fillTernary(source, e, column, c, k0, count, block);
  const auto [row, inRow] = rowColumn(column, k0);
  const int64_t scale = source.layout().scaleIndex(e, row, inRow);
  storeScale(source, scale, block + c * blocks.scaleBytes() / panelWidth);
  if (blocks.getZero())
    storeZero(source, scale, block + blocks.scaleBytes() + c * blocks.zeroBytes() / panelWidth);
  uint8_t *codes = block + blocks.scaleBytes() + blocks.zeroBytes();
  // Integers are stored without sign; int8 that nothing is subtracted from, with, unless it is multiplied as an integer.
  const bool isInteger = isIntegerFormat(source.layout().format);
  const unsigned half = 1u << (blocks.bits() - 1);
  const bool stored8 = blocks.getCode() == PanelCode::Int8 && !blocks.getZero() && !blocks.getQuads();
  const unsigned flip = (isInteger && source.layout().isSigned ? half : 0) ^ (stored8 ? half : 0);
  const int64_t first = source.layout().codeIndex(e, row, inRow), step = outIn ? 1 : source.layout().rowCodes;
  if (!fillQuads(source, first, c, count, flip, codes))
    storeCodes(source, first, step, c, count, flip, codes);
}

/// Lines of quads, where the codes of a column lie side by side from a whole byte on: four bytes of the source are those of a line in another order.
bool PanelWriter::fillQuads(const QuantizedSource &source, int64_t first, int64_t c, int64_t count, unsigned flip, uint8_t *codes) {
  const int64_t bits = blocks.bits(), perLine = 32 / bits;
  if (!blocks.getQuads() || !outIn || first * bits % 8 != 0 || count % perLine != 0)
    return false;
  const uint8_t *from = source.codes().data() + first * bits / 8;
  const uint32_t flips = flip * (bits == 8 ? 0x01010101u : bits == 4 ? 0x11111111u : 0x55555555u);
  for (int64_t line = 0; line < count / perLine; ++line) {
    uint32_t word = llvm::support::endian::read32le(from + 4 * line);
    // Code a of byte i comes from place 4a + i: in the number of a place the upper and the lower bits change sides.
    const auto swap = [&](uint32_t lower, int distance) {
      const uint32_t moved = (word ^ (word >> distance)) & lower;
      word ^= moved ^ (moved << distance);
    };
    if (bits == 4) {
      swap(0x0000ff00, 8);
      swap(0x00f000f0, 4);
    } else if (bits == 2) {
      swap(0x00cc00cc, 6);
      swap(0x0000f0f0, 12);
    }
    llvm::support::endian::write32le(codes + line * 4 * panelWidth + 4 * c, word ^ flips);
  }
  return true;
}

void PanelWriter::storeScale(const QuantizedSource &source, int64_t scale, uint8_t *to) {
  if (source.scaleType() == blocks.getScale()) {
    std::memcpy(to, source.scaleBytes(scale, scaleSize), scaleSize);
    return;
  }
  const float value = source.scale(scale);
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  if (blocks.getScale().isBF16()) // exact: the source has fewer bits
    bits >>= 16;
  std::memcpy(to, &bits, scaleSize);
}

void PanelWriter::storeZero(const QuantizedSource &source, int64_t scale, uint8_t *to) {
  const float value = source.zero(scale);
  if (blocks.getZero().isF32()) {
    std::memcpy(to, &value, sizeof(value));
    return;
  }
  *to = static_cast<uint8_t>(static_cast<int>(value) + (source.layout().isSigned ? 1 << (blocks.bits() - 1) : 0));
}

/// Codes of one column, `step` places apart in the source.
void PanelWriter::storeCodes(const QuantizedSource &source, int64_t first, int64_t step, int64_t c, int64_t count, unsigned flip, uint8_t *codes) {
  const int64_t bits = blocks.bits();
  const auto each = [&](auto store) {
    for (int64_t k = 0; k < count; ++k)
      store(k, source.codeAt(first + k * step) ^ flip);
  };
  if (blocks.getQuads()) { // A line holds four values of k, then above them in each byte four more, as often as bits are left.
    const int64_t perByte = 8 / bits;
    each([&](int64_t k, unsigned code) {
      const int64_t line = k / (4 * perByte), above = k % (4 * perByte) / 4;
      codes[line * 4 * panelWidth + 4 * c + k % 4] |= static_cast<uint8_t>(code << (above * bits));
    });
    return;
  }
  const int64_t half = c / 16;
  uint8_t *column = codes + c % 16;
  if (bits == 8)
    each([&](int64_t k, unsigned code) { codes[k * panelWidth + c] = static_cast<uint8_t>(code); });
  else if (bits == 4)
    each([&](int64_t k, unsigned code) { column[k * 16] |= static_cast<uint8_t>(code << (4 * half)); });
  else
    each([&](int64_t k, unsigned code) { column[k / 2 * 16] |= static_cast<uint8_t>(code << (4 * (k % 2) + 2 * half)); });
}

/// The sources of a weight, checked against its recipe.
static FailureOr<std::vector<QuantizedSource>> openSources(WeightOp op, ArrayRef<WeightData> parts) {
  const size_t count = op.getGate().value_or(GateLayout::None) == GateLayout::Separate ? 2 : 1;
  if (!op.getValues() || parts.size() % count != 0)
    return packingError(op) << "expected the type of the values and equally many parts for each of " << count << " sources, found "
                            << parts.size(),
           failure();
  std::vector<QuantizedSource> sources;
  const size_t each = parts.size() / count;
  for (size_t first = 0; first < parts.size(); first += each) {
    auto source = QuantizedSource::get(*op.getQuant(), cast<RankedTensorType>(*op.getValues()), parts.slice(first, each),
                                       [&]() { return packingError(op); });
    if (failed(source))
      return failure();
    sources.push_back(*source);
  }
  return sources;
}

/// Do the blocks of `op` hold what its sources have?
static LogicalResult checkBlocks(WeightOp op, const PanelPlan &plan, ArrayRef<QuantizedSource> sources) {
  const bool outIn = op.getOrder().value_or(WeightOrder::OutIn) == WeightOrder::OutIn;
  const BlocksAttr blocks = op.getBlocksAttr();
  int64_t codes = 0;
  for (const QuantizedSource &source : sources) {
    const QuantLayout &layout = source.layout();
    const bool ternary = layout.format == QuantFormat::TernaryDict;
    // The two values of a ternary row hold for all of it.
    const int64_t group = ternary && outIn ? plan.depth : std::min(outIn ? layout.groupColumns : layout.groupRows, plan.depth);
    const bool hasZeros = layout.zeros != QuantLayout::Zeros::None;
    const bool floats = layout.zeros == QuantLayout::Zeros::Floats;
    const Type scale = source.scaleType(), kept = blocks.getScale();
    const bool fits = kept == scale || kept.isF32() || (kept.isBF16() && scale.getIntOrFloatBitWidth() == 8);
    if (!fits || blocks.bits() != layout.bits || ternary != blocks.isTernary() || blocks.getGroup() != group || static_cast<bool>(blocks.getZero()) != hasZeros ||
        (hasZeros && blocks.getZero().isF32() != floats))
      return packingError(op) << "its blocks " << blocks << " do not fit " << *op.getQuant() << " with groups of " << group;
    if (ternary)
      codes += source.codeCount();
  }
  const int64_t panels = plan.experts * plan.panels;
  if (blocks.getDictionary() && blocks.withDictionary(panels, codes) != blocks)
    return packingError(op) << "its blocks " << blocks << " do not fit " << codes << " codes in " << panels << " panels";
  return success();
}

/// Do panels of floats hold the values of the sources? All in f32; those of bf16 in bf16.
static LogicalResult checkFloats(WeightOp op, ArrayRef<QuantizedSource> sources) {
  const Type element = cast<RankedTensorType>(op.getType()).getElementType();
  const bool narrow = element.isBF16() && llvm::all_of(sources, [](const QuantizedSource &source) {
    return source.layout().format == QuantFormat::TernaryDict && source.scaleType().isBF16();
  });
  if (!element.isF32() && !narrow)
    return packingError(op) << "expected panels of f32, found " << op.getType();
  return success();
}

/// Writes the values as f32, in the order that they have.
static bool writePlain(const QuantizedSource &source, ByteSink sink) {
  const QuantLayout &layout = source.layout();
  std::vector<float> line(layout.columns);
  for (int64_t outer = 0; outer < layout.outers; ++outer)
    for (int64_t row = 0; row < layout.rows; ++row) {
      for (int64_t column = 0; column < layout.columns; ++column)
        line[column] = source.value(outer, row, column);
      if (!sink(ArrayRef(reinterpret_cast<const uint8_t *>(line.data()), line.size() * sizeof(float))))
        return false;
    }
  return true;
}

LogicalResult packQuantized(WeightOp op, ArrayRef<WeightData> parts, ByteSink sink) {
  FailureOr<std::vector<QuantizedSource>> sources = openSources(op, parts);
  if (failed(sources))
    return failure();
  if (op.getPacking().value_or(PackingFamily::Plain) == PackingFamily::Plain) {
    const auto type = cast<RankedTensorType>(op.getType()), values = cast<RankedTensorType>(*op.getValues());
    if (!type.getElementType().isF32() || type.getShape() != values.getShape())
      return packingError(op) << "expected f32 of the sizes of " << values << ", found " << type;
    return success(writePlain(sources->front(), sink));
  }
  const SmallVector<RankedTensorType> types(sources->size(), cast<RankedTensorType>(*op.getValues()));
  const FailureOr<PanelPlan> plan = planPanels(op, types);
  if (failed(plan))
    return failure();
  if (op.getBlocksAttr() ? failed(checkBlocks(op, *plan, *sources)) : failed(checkFloats(op, *sources)))
    return failure();
  return success(PanelWriter(op, *plan, *sources, sink).write());
}

} // namespace moe
