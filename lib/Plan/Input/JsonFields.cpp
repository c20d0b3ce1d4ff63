// Checked access to JSON objects. Needs nothing but the text; keeps the first error.
#include "JsonFields.h"

#include <cmath>

using namespace llvm;

namespace moe::plan {

namespace {
constexpr size_t maximumBytes = size_t(1) << 30;
constexpr int maximumDepth = 32;

/// False where brackets are nested too deeply. Only counts: what is malformed otherwise is for the parser to say.
bool isShallow(std::string_view text) {
  int depth = 0;
  bool inString = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (inString) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        inString = false;
    } else if (c == '"') {
      inString = true;
    } else if (c == '[' || c == '{') {
      if (++depth > maximumDepth)
        return false;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return true;
}

const char *kindOf(const json::Value *value) {
  if (!value)
    return "nothing";
  switch (value->kind()) {
  case json::Value::Null:
    return "null";
  case json::Value::Boolean:
    return "a boolean";
  case json::Value::Number:
    return "a number";
  case json::Value::String:
    return "a text";
  case json::Value::Array:
    return "an array";
  case json::Value::Object:
    return "an object";
  }
  return "a value";
}
} // namespace

bool failKind(std::string &error, const std::string &path, const char *expected, const json::Value *found) {
  error = path + ": expected " + expected + ", found " + kindOf(found);
  return false;
}

std::optional<json::Value> parseJsonObject(std::string_view text, std::string &error) {
  if (text.size() > maximumBytes) {
    error = "expected at most " + std::to_string(maximumBytes) + " bytes, found " + std::to_string(text.size());
    return std::nullopt;
  }
  if (!isShallow(text)) {
    error = "expected at most " + std::to_string(maximumDepth) + " nested arrays and objects, found more";
    return std::nullopt;
  }
  Expected<json::Value> value = json::parse(StringRef(text.data(), text.size()));
  if (!value) {
    error = toString(value.takeError());
    return std::nullopt;
  }
  if (!value->getAsObject()) {
    failKind(error, "the file", "an object", &*value);
    return std::nullopt;
  }
  return std::move(*value);
}

bool readValue(const json::Value &value, const std::string &path, double &out, std::string &error) {
  std::optional<double> number = value.getAsNumber();
  if (!number || !std::isfinite(*number))
    return failKind(error, path, "a finite number", &value);
  out = *number;
  return true;
}

bool readValue(const json::Value &value, const std::string &path, int64_t &out, std::string &error) {
  std::optional<int64_t> number = value.getAsInteger();
  if (!number)
    return failKind(error, path, "an integer", &value);
  out = *number;
  return true;
}

bool readValue(const json::Value &value, const std::string &path, std::string &out, std::string &error) {
  std::optional<StringRef> text = value.getAsString();
  if (!text)
    return failKind(error, path, "a text", &value);
  out = text->str();
  return true;
}

const json::Value *Fields::find(const char *name) {
  known.insert(name);
  return object.get(name);
}

const json::Array *Fields::array(const char *name, bool required) {
  const json::Value *value = find(name);
  const json::Array *array = value ? value->getAsArray() : nullptr;
  if (!array && (value || required))
    failKind(error, at(name), "an array", value);
  return array;
}

const json::Object *Fields::child(const char *name, bool required) {
  const json::Value *value = find(name);
  const json::Object *child = value ? value->getAsObject() : nullptr;
  if (!child && (value || required))
    failKind(error, at(name), "an object", value);
  return child;
}

bool Fields::finish() {
  for (const auto &field : object) {
    const std::string name = StringRef(field.first).str();
    if (known.count(name))
      continue;
    error = at(name.c_str()) + ": no such field; there are";
    const char *separator = " ";
    for (const std::string &other : known) {
      error += separator + other;
      separator = ", ";
    }
    return false;
  }
  return true;
}

bool Fields::readVersion() {
  int64_t version = 0;
  if (!read("version", version))
    return false;
  if (version == 1)
    return true;
  error = at("version") + ": expected 1, found " + std::to_string(version);
  return false;
}

} // namespace moe::plan
