// Files are not trusted: every string, start and code is checked before it is used.
#include "TernaryDictionary.h"

#include "llvm/Support/Endian.h"

using namespace mlir;

namespace moe {

static constexpr unsigned pairsPerWord = 7;

int64_t TernaryRows::start(int64_t row) const { return static_cast<int32_t>(llvm::support::endian::read32le(parts.starts.data() + 4 * row)); }

const TernaryRows::Digits &TernaryRows::string(int64_t code) const {
  return strings[llvm::support::endian::read16le(parts.codes.data() + 2 * code)];
}

LogicalResult TernaryRows::readCodebook(llvm::function_ref<InFlightDiagnostic()> error) {
  strings.resize(parts.codebook.size() / 8);
  for (auto [number, string] : llvm::enumerate(strings)) {
    const uint8_t *at = parts.codebook.data() + 8 * number;
    const uint32_t words[] = {llvm::support::endian::read32le(at), llvm::support::endian::read32le(at + 4)};
    const unsigned pairs = words[0] & 15;
    if (pairs < 1 || pairs > 2 * pairsPerWord || (words[1] & 15) != pairs)
      return error() << "string " << number << " of the codebook: expected 1 to " << 2 * pairsPerWord << " pairs in both words, found " << pairs
                     << " and " << (words[1] & 15);
    string.pairs = static_cast<uint8_t>(pairs);
    for (unsigned pair = 0; pair < pairs; ++pair) {
      const unsigned field = words[pair / pairsPerWord] >> (4 + 4 * (pair % pairsPerWord)) & 15;
      string.digit[2 * pair] = field & 3;
      string.digit[2 * pair + 1] = static_cast<uint8_t>(field >> 2);
      if ((field & 3) == 3 || field >> 2 == 3)
        return error() << "string " << number << " of the codebook: expected digits 0, 1 and 2, found 3 in pair " << pair;
    }
  }
  return success();
}

LogicalResult TernaryRows::checkRow(int64_t row, llvm::function_ref<InFlightDiagnostic()> error) const {
  const int64_t count = static_cast<int64_t>(parts.codes.size() / 2), width = (columns + 1) / 2 * 2;
  if (start(row) > start(row + 1) || start(row + 1) > count)
    return error() << "row " << row << ": expected its codes to end from " << start(row) << " to " << count << ", found " << start(row + 1);
  int64_t column = 0;
  for (int64_t place = start(row); place < start(row + 1) && column <= width; ++place) {
    const unsigned code = llvm::support::endian::read16le(parts.codes.data() + 2 * place);
    if (code >= strings.size())
      return error() << "row " << row << ": expected codes of " << strings.size() << " strings, found " << code;
    column += 2 * strings[code].pairs;
  }
  if (column != width)
    return error() << "row " << row << ": expected strings of " << width << " digits, found " << (column > width ? "more" : std::to_string(column));
  return success();
}

FailureOr<TernaryRows> TernaryRows::open(const TernaryParts &parts, int64_t rows, int64_t columns,
                                         llvm::function_ref<InFlightDiagnostic()> error) {
  TernaryRows opened;
  opened.parts = parts;
  opened.rows = rows;
  opened.columns = columns;
  if (failed(opened.readCodebook(error)))
    return failure();
  const int64_t codes = static_cast<int64_t>(parts.codes.size() / 2);
  if (opened.start(0) != 0 || opened.start(rows) != codes)
    return error() << "expected the rows to begin at code 0 and to end at " << codes << ", found " << opened.start(0) << " and "
                   << opened.start(rows);
  for (int64_t row = 0; row < rows; ++row)
    if (failed(opened.checkRow(row, error)))
      return failure();
  return opened;
}

std::vector<uint8_t> TernaryRows::digits() const {
  std::vector<uint8_t> digits(rows * columns);
  for (int64_t row = 0; row < rows; ++row) {
    uint8_t *line = digits.data() + row * columns;
    int64_t column = 0;
    for (int64_t code = start(row); code < start(row + 1); ++code) {
      const Digits &found = string(code);
      // The last digit of an odd row has no column.
      std::copy_n(found.digit.begin(), std::min<int64_t>(2 * found.pairs, columns - column), line + column);
      column += 2 * found.pairs;
    }
  }
  return digits;
}

} // namespace moe
