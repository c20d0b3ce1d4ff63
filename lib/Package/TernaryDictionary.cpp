// Files are not trusted: every string, start and code is checked before it is used.
#include "TernaryDictionary.h"

#include "llvm/Support/Endian.h"

using namespace mlir;

namespace moe {

namespace {

/// A string of the dictionary: at most 14 pairs of digits.
struct Digits {
  uint8_t pairs = 0;
  std::array<uint8_t, 28> digit = {};
};

constexpr unsigned pairsPerWord = 7;

FailureOr<std::vector<Digits>> readCodebook(ArrayRef<uint8_t> bytes, llvm::function_ref<InFlightDiagnostic()> error) {
  std::vector<Digits> strings(bytes.size() / 8);
  for (auto [number, string] : llvm::enumerate(strings)) {
    const uint8_t *at = bytes.data() + 8 * number;
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
  return strings;
}

} // namespace

FailureOr<std::vector<uint8_t>> decodeTernary(const TernaryParts &parts, int64_t rows, int64_t columns,
                                              llvm::function_ref<InFlightDiagnostic()> error) {
  FailureOr<std::vector<Digits>> strings = readCodebook(parts.codebook, error);
  if (failed(strings))
    return failure();
  auto start = [&](int64_t row) -> int64_t { return static_cast<int32_t>(llvm::support::endian::read32le(parts.starts.data() + 4 * row)); };
  const int64_t codes = static_cast<int64_t>(parts.codes.size() / 2), width = (columns + 1) / 2 * 2;
  if (start(0) != 0 || start(rows) != codes)
    return error() << "expected the rows to begin at code 0 and to end at " << codes << ", found " << start(0) << " and " << start(rows);
  std::vector<uint8_t> digits(rows * columns);
  for (int64_t row = 0; row < rows; ++row) {
    if (start(row) > start(row + 1) || start(row + 1) > codes)
      return error() << "row " << row << ": expected its codes to end from " << start(row) << " to " << codes << ", found " << start(row + 1);
    uint8_t *line = digits.data() + row * columns;
    int64_t column = 0;
    for (int64_t place = start(row); place < start(row + 1); ++place) {
      const unsigned code = llvm::support::endian::read16le(parts.codes.data() + 2 * place);
      if (code >= strings->size())
        return error() << "row " << row << ": expected codes of " << strings->size() << " strings, found " << code;
      const Digits &string = (*strings)[code];
      // The last digit of an odd row has no column.
      for (int64_t i = 0; i < std::min<int64_t>(2 * string.pairs, columns - column); ++i)
        line[column + i] = string.digit[i];
      column += 2 * string.pairs;
      if (column > width)
        break;
    }
    if (column != width)
      return error() << "row " << row << ": expected strings of " << width << " digits, found " << (column > width ? "more" : std::to_string(column));
  }
  return digits;
}

} // namespace moe
