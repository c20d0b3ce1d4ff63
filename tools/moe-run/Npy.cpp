// numpy's .npy: magic, version, header length, a Python dict literal with exactly three keys, elements. The dict is parsed by a grammar of just
// what numpy writes: strings in single or double quotes, True, False, a tuple of numbers.
#include "Npy.h"
#include "Failure.h"

#include <cstring>

namespace moe::run {
namespace {

/// What the dict says.
struct Header {
  std::string descr;
  bool fortranOrder = false;
  std::vector<int64_t> shape;
  bool hasDescr = false, hasOrder = false, hasShape = false;
};

/// Parses the dict; throws at the first character that numpy would not have written.
class HeaderParser {
public:
  HeaderParser(const std::string &text, const std::string &path) : text(text), path(path) {}

  Header parse() {
    Header header;
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr" && !header.hasDescr) {
        header.hasDescr = true;
        if (peek() == '[')
          fail("structured types are not supported");
        header.descr = string();
      } else if (key == "fortran_order" && !header.hasOrder) {
        header.hasOrder = true;
        header.fortranOrder = boolean();
      } else if (key == "shape" && !header.hasShape) {
        header.hasShape = true;
        header.shape = tuple();
      } else {
        fail("unexpected key '" + key + "'");
      }
      if (!accept(',') && peek() != '}')
        fail("expected ',' or '}'");
    }
    if (!header.hasDescr || !header.hasOrder || !header.hasShape)
      fail("expected the keys descr, fortran_order and shape");
    skipSpace();
    if (at != text.size())
      fail("expected nothing after the dict");
    return header;
  }

private:
  [[noreturn]] void fail(const std::string &what) {
    throw Failure(path + ": .npy header, character " + std::to_string(at) + ": " + what);
  }
  void skipSpace() {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\n' || text[at] == '\t'))
      ++at;
  }
  char peek() {
    skipSpace();
    return at < text.size() ? text[at] : '\0';
  }
  bool accept(char c) {
    const bool found = peek() == c;
    at += found;
    return found;
  }
  void expect(char c) {
    if (!accept(c))
      fail(std::string("expected '") + c + "'");
  }
  std::string string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"')
      fail("expected a string");
    const size_t end = text.find(quote, at + 1);
    if (end == std::string::npos)
      fail("expected the end of a string");
    const std::string value = text.substr(at + 1, end - at - 1);
    at = end + 1;
    return value;
  }
  bool boolean() {
    peek();
    for (bool value : {true, false}) {
      const char *word = value ? "True" : "False";
      if (text.compare(at, std::strlen(word), word) == 0) {
        at += std::strlen(word);
        return value;
      }
    }
    fail("expected True or False");
  }
  std::vector<int64_t> tuple() {
    std::vector<int64_t> values;
    expect('(');
    while (!accept(')')) {
      if (peek() < '0' || peek() > '9')
        fail("expected a size");
      int64_t value = 0;
      for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
        if (value > (INT64_MAX - 9) / 10)
          fail("a size that does not fit 64 bits");
        value = value * 10 + (text[at] - '0');
      }
      values.push_back(value);
      if (values.size() > 32)
        fail("expected at most 32 dims");
      if (!accept(',') && peek() != ')')
        fail("expected ',' or ')'");
    }
    return values;
  }

  const std::string &text;
  const std::string &path;
  size_t at = 0;
};

moe_dtype elementType(const std::string &descr, moe_dtype expected, const std::string &path) {
  const std::string kind = descr.empty() ? "" : descr.substr(1);
  const std::string width = std::to_string(elementBytes(expected));
  const bool isRaw = isForeign(expected) && (kind == "u" + width || kind == "V" + width);
  if (descr.empty() || (descr[0] != '<' && descr[0] != '|' && descr[0] != '='))
    throw Failure(path + ": expected little-endian elements, found '" + descr + "'");
  const ElementType *type = findNpyType(kind);
  if (!type && !isRaw)
    throw Failure(path + ": elements of type '" + descr + "' are not supported");
  return isRaw ? expected : type->dtype;
}

} // namespace

Array parseNpy(const std::vector<unsigned char> &file, const std::string &path, moe_dtype expected) {
  if (file.size() < 10 || std::memcmp(file.data(), "\x93NUMPY", 6) != 0)
    throw Failure(path + ": expected a .npy file, found other bytes at its start");
  const unsigned major = file[6], minor = file[7];
  if (major < 1 || major > 3 || minor != 0)
    throw Failure(path + ": expected .npy version 1.0, 2.0 or 3.0, found " + std::to_string(major) + "." + std::to_string(minor));
  const size_t lengthBytes = major == 1 ? 2 : 4, prefix = 8 + lengthBytes;
  if (file.size() < prefix)
    throw Failure(path + ": the file ends inside its header");
  size_t length = 0;
  for (size_t i = 0; i < lengthBytes; ++i)
    length |= size_t(file[8 + i]) << (8 * i);
  if (length > file.size() - prefix)
    throw Failure(path + ": the file ends inside its header: expected " + std::to_string(prefix + length) + " bytes, found " +
                  std::to_string(file.size()));
  const std::string text(reinterpret_cast<const char *>(file.data()) + prefix, length);
  const Header header = HeaderParser(text, path).parse();
  Array array;
  array.dtype = elementType(header.descr, expected, path);
  array.shape = header.shape;
  const int64_t bytes = countElements(array.shape, array.dtype, path) * elementBytes(array.dtype);
  if (header.fortranOrder && array.shape.size() > 1 && bytes > 0)
    throw Failure(path + ": expected C order, found Fortran order");
  const size_t found = file.size() - prefix - length;
  if (found != size_t(bytes))
    throw Failure(path + ": expected " + std::to_string(bytes) + " bytes of elements for the shape " + shapeName(array.shape) + ", found " +
                  std::to_string(found));
  array.bytes.assign(file.end() - bytes, file.end());
  return array;
}

std::string npyHeader(moe_dtype dtype, const std::vector<int64_t> &shape) {
  const ElementType *type = findType(dtype);
  if (!type)
    throw Failure("cannot write " + typeName(dtype) + " to a .npy file");
  std::string dict = std::string("{'descr': '") + type->npy + "', 'fortran_order': False, 'shape': (";
  for (size_t d = 0; d < shape.size(); ++d)
    dict += std::to_string(shape[d]) + (d + 1 < shape.size() ? ", " : shape.size() == 1 ? "," : "");
  dict += "), }";
  // Version 1 always suffices: 32 dims of 20 digits are far below 65536 characters. The elements start at a multiple of 64.
  dict.append(63 - (10 + dict.size()) % 64, ' ');
  dict += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += char(dict.size() & 0xff);
  header += char(dict.size() >> 8);
  return header + dict;
}

} // namespace moe::run
