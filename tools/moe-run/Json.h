//===- Json.h - writes JSON -------------------------------------*- C++ -*-===//
#ifndef MOE_RUN_JSON_H
#define MOE_RUN_JSON_H

#include <string>
#include <vector>

namespace moe::run {

/// A string as a JSON literal. Bytes that are no valid UTF-8 become U+FFFD.
std::string jsonString(const std::string &text);
/// A number that reads back as the same double; null for NaN and infinity, which JSON does not have.
std::string jsonNumber(double value);

/// Builds one object or array; the parts are JSON already.
class JsonList {
public:
  /// `brackets` is "{}" or "[]".
  explicit JsonList(const char *brackets) : brackets(brackets) {}
  /// Adds an element of an array.
  JsonList &add(const std::string &json);
  /// Adds a member of an object.
  JsonList &add(const char *key, const std::string &json) { return add(jsonString(key) + ": " + json); }
  std::string str() const { return brackets[0] + text + brackets[1]; }

private:
  const char *brackets;
  std::string text;
};

/// An array of integers.
std::string jsonShape(const std::vector<int64_t> &shape);

} // namespace moe::run

#endif // MOE_RUN_JSON_H
