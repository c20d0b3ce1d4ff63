// JSON for --json. Names come from models and may hold any bytes.
#include "Json.h"

#include <cmath>
#include <cstdint>
#include <cstdio>

namespace moe::run {

/// Bytes of the valid UTF-8 sequence at `at`, 0 if there is none. Overlong forms and surrogates are not valid.
static size_t sequenceLength(const std::string &text, size_t at) {
  const auto byte = [&](size_t offset) { return at + offset < text.size() ? static_cast<unsigned char>(text[at + offset]) : 0u; };
  const unsigned first = byte(0);
  const size_t length = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : (first & 0xf0) == 0xe0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80)
      return 0;
  const unsigned second = byte(1);
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0) || (first == 0xf0 && second < 0x90) ||
      (first == 0xf4 && second >= 0x90))
    return 0;
  return length;
}

std::string jsonString(const std::string &text) {
  std::string out = "\"";
  for (size_t at = 0; at < text.size();) {
    const size_t length = sequenceLength(text, at);
    const unsigned char c = static_cast<unsigned char>(text[at]);
    if (length == 0) {
      out += "\\ufffd";
    } else if (c < 0x20 || c == '"' || c == '\\') {
      char escape[8];
      std::snprintf(escape, sizeof(escape), "\\u%04x", c);
      out += escape;
    } else {
      out.append(text, at, length);
    }
    at += length ? length : 1;
  }
  return out + '"';
}

std::string jsonNumber(double value) {
  if (!std::isfinite(value))
    return "null";
  char text[32];
  std::snprintf(text, sizeof(text), "%.17g", value);
  return text;
}

JsonList &JsonList::add(const std::string &json) {
  if (!text.empty())
    text += ", ";
  text += json;
  return *this;
}

std::string jsonShape(const std::vector<int64_t> &shape) {
  JsonList list("[]");
  for (int64_t size : shape)
    list.add(std::to_string(size));
  return list.str();
}

} // namespace moe::run
