//===- JsonFields.h - checked access to JSON objects --------------*- C++ -*-===//
// Typed reads of the fields of untrusted JSON. The first error is kept and names the field by its path.
#ifndef MOE_LIB_PLAN_INPUT_JSONFIELDS_H
#define MOE_LIB_PLAN_INPUT_JSONFIELDS_H

#include "llvm/Support/JSON.h"

#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace moe::plan {

/// Parses `text`, whose outermost value must be an object. LLVM's parser recurses once for every bracket, so nesting is limited first.
std::optional<llvm::json::Value> parseJsonObject(std::string_view text, std::string &error);

/// Sets `error` to "PATH: expected EXPECTED, found KIND OF value"; always false, so that it can be returned.
bool failKind(std::string &error, const std::string &path, const char *expected, const llvm::json::Value *found);

/// Reads of single values; false and `error` where the value is of another kind.
bool readValue(const llvm::json::Value &value, const std::string &path, double &out, std::string &error);
bool readValue(const llvm::json::Value &value, const std::string &path, int64_t &out, std::string &error);
bool readValue(const llvm::json::Value &value, const std::string &path, std::string &out, std::string &error);

/// The fields of one object.
class Fields {
public:
  /// `path` of the outermost object is empty.
  Fields(const llvm::json::Object &object, std::string path, std::string &error) : object(object), path(std::move(path)), error(error) {}

  /// The path of field `name`.
  std::string at(const char *name) const { return path.empty() ? name : path + "." + name; }
  /// Field `name` into `out`. A missing field is an error where it is `required`, else `out` stays.
  template <typename Type> bool read(const char *name, Type &out, bool required = true) {
    const llvm::json::Value *value = find(name);
    if (!value)
      return !required || failKind(error, at(name), "a value", nullptr);
    return readValue(*value, at(name), out, error);
  }
  /// Field `name` as an array or object; null where it is missing or of another kind: then `error` is set if it is required or of another kind.
  const llvm::json::Array *array(const char *name, bool required = true);
  const llvm::json::Object *child(const char *name, bool required = true);
  /// False and `error` if the object has a field that was never asked for.
  bool finish();
  /// Reads field `version`, which must be 1.
  bool readVersion();

private:
  const llvm::json::Value *find(const char *name);

  const llvm::json::Object &object;
  std::string path;
  std::string &error;
  std::set<std::string> known;
};

} // namespace moe::plan

#endif // MOE_LIB_PLAN_INPUT_JSONFIELDS_H
