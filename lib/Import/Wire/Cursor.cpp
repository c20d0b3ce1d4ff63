// The wire format's primitives. All arithmetic is on what is left of a message, never on `position + length`, which could overflow.
#include "moe/Import/Wire/Cursor.h"

#include <cstring>

namespace moe::wire {

std::string WireError::str() const {
  std::string place = offset ? "at byte " + std::to_string(*offset) : "";
  if (!path.empty())
    place += (place.empty() ? "in " : ", in ") + path;
  return place + (place.empty() ? "" : ": ") + message;
}

std::string FieldPath::str() const {
  std::string text = parent ? parent->str() : std::string();
  if (!text.empty() && *name)
    text += '.';
  text += name;
  if (index >= 0)
    text += '[' + std::to_string(index) + ']';
  return text;
}

bool Decoder::fail(const uint8_t *at, const FieldPath &path, std::string message) {
  if (!error)
    error = WireError{at ? std::optional<uint64_t>(at - input.data) : std::nullopt, path.str(), std::move(message)};
  return false;
}

bool readVarint(const uint8_t *&position, const uint8_t *end, uint64_t &value) {
  value = 0;
  const uint8_t *at = position;
  for (int shift = 0; shift < 70; shift += 7) {
    if (at == end)
      return false;
    uint8_t byte = *at++;
    if (shift < 64)
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (!(byte & 0x80)) {
      position = at;
      return true;
    }
  }
  return false;
}

static const char *wireTypeName(WireType type) {
  switch (type) {
  case WireType::Varint:
    return "a varint";
  case WireType::Fixed64:
    return "a 64-bit number";
  case WireType::Length:
    return "a length-delimited field";
  case WireType::Fixed32:
    return "a 32-bit number";
  }
  return "an unknown encoding";
}

MessageReader::MessageReader(MessageReader &parent, const Field &field, const char *name, int64_t index)
    : decoder(parent.decoder), ownPath{&parent.ownPath, name, index}, position(nullptr), depth(parent.depth + 1) {
  if (depth > maximumDepth) {
    fail(field.start, "messages are nested deeper than " + std::to_string(maximumDepth));
    return;
  }
  if (!parent.expect(field, name, WireType::Length))
    return;
  message = field.bytes;
  position = message.data;
}

bool MessageReader::next(Field &field) {
  if (decoder.failed() || position == message.end())
    return false;
  return readTag(field) && readPayload(field);
}

bool MessageReader::readTag(Field &field) {
  field.start = position;
  uint64_t tag = 0;
  if (!readVarint(position, message.end(), tag))
    return fail(field.start, "expected a field tag, found a varint that is cut off or longer than ten bytes");
  if (tag > UINT32_MAX || tag < 8)
    return fail(field.start, "expected a field number from 1 to 536870911, found tag " + std::to_string(tag));
  unsigned type = tag & 7;
  if (type == 3 || type == 4)
    return fail(field.start, "field " + std::to_string(tag >> 3) + " is a group, which ONNX does not use");
  if (type > 5)
    return fail(field.start, "field " + std::to_string(tag >> 3) + " has wire type " + std::to_string(type) + ", which does not exist");
  field.number = static_cast<uint32_t>(tag >> 3);
  field.type = static_cast<WireType>(type);
  return true;
}

bool MessageReader::readPayload(Field &field) {
  const uint8_t *end = message.end();
  auto left = [&] { return static_cast<uint64_t>(end - position); };
  field.value = 0;
  field.bytes = {};
  auto cutOff = [&](const std::string &expected) {
    return fail(field.start, "field " + std::to_string(field.number) + ": expected " + expected + ", found " + std::to_string(left()) +
                                 " bytes to the end of its message");
  };
  switch (field.type) {
  case WireType::Varint:
    if (!readVarint(position, end, field.value))
      return cutOff("a varint of at most ten bytes");
    return true;
  case WireType::Fixed32:
  case WireType::Fixed64: {
    size_t width = field.type == WireType::Fixed32 ? 4 : 8;
    if (left() < width)
      return cutOff(std::to_string(width) + " bytes");
    std::memcpy(&field.value, position, width);
    field.bytes = {position, width};
    position += width;
    return true;
  }
  case WireType::Length: {
    uint64_t length = 0;
    if (!readVarint(position, end, length))
      return cutOff("a length");
    if (length > left())
      return cutOff(std::to_string(length) + " bytes");
    field.bytes = {position, static_cast<size_t>(length)};
    position += length;
    return true;
  }
  }
  return false;
}

bool MessageReader::expect(const Field &field, const char *name, WireType type) {
  if (field.type == type)
    return true;
  FieldPath inner{&ownPath, name, -1};
  return decoder.fail(field.start, inner, std::string("expected ") + wireTypeName(type) + ", found " + wireTypeName(field.type));
}

bool MessageReader::read(const Field &field, const char *name, std::string_view &value) {
  if (!expect(field, name, WireType::Length))
    return false;
  value = field.bytes.text();
  return true;
}

bool MessageReader::read(const Field &field, const char *name, Bytes &value) {
  if (!expect(field, name, WireType::Length))
    return false;
  value = field.bytes;
  return true;
}

bool MessageReader::read(const Field &field, const char *name, int64_t &value) {
  if (!expect(field, name, WireType::Varint))
    return false;
  value = static_cast<int64_t>(field.value);
  return true;
}

bool MessageReader::read(const Field &field, const char *name, int32_t &value) {
  if (!expect(field, name, WireType::Varint))
    return false;
  value = static_cast<int32_t>(field.value);
  return true;
}

bool MessageReader::read(const Field &field, const char *name, float &value) {
  if (!expect(field, name, WireType::Fixed32))
    return false;
  std::memcpy(&value, field.bytes.data, sizeof value);
  return true;
}

bool MessageReader::append(const Field &field, const char *name, std::vector<int64_t> &values) {
  if (field.type != WireType::Length) {
    int64_t value = 0;
    if (!read(field, name, value))
      return false;
    values.push_back(value);
    return true;
  }
  const uint8_t *at = field.bytes.data;
  while (at != field.bytes.end()) {
    uint64_t value = 0;
    if (!readVarint(at, field.bytes.end(), value)) {
      FieldPath inner{&ownPath, name, static_cast<int64_t>(values.size())};
      return decoder.fail(at, inner, "expected a varint of at most ten bytes, found the end of the packed run");
    }
    values.push_back(static_cast<int64_t>(value));
  }
  return true;
}

bool MessageReader::append(const Field &field, const char *name, std::vector<float> &values) {
  std::vector<Bytes> runs;
  if (!appendRun(field, name, WireType::Fixed32, runs))
    return false;
  size_t old = values.size(), count = runs[0].size / sizeof(float);
  values.resize(old + count);
  if (count)
    std::memcpy(values.data() + old, runs[0].data, count * sizeof(float));
  return true;
}

bool MessageReader::append(const Field &field, const char *name, std::vector<std::string_view> &values) {
  std::string_view value;
  if (!read(field, name, value))
    return false;
  values.push_back(value);
  return true;
}

bool MessageReader::appendRun(const Field &field, const char *name, WireType element, std::vector<Bytes> &runs) {
  if (field.type != WireType::Length && !expect(field, name, element))
    return false;
  if (field.type == WireType::Varint) {
    // A lone varint lies between its tag and the next field.
    const uint8_t *at = field.start;
    uint64_t tag = 0;
    readVarint(at, message.end(), tag);
    runs.push_back({at, static_cast<size_t>(position - at)});
    return true;
  }
  size_t width = element == WireType::Fixed32 ? 4 : element == WireType::Fixed64 ? 8 : 1;
  if (field.bytes.size % width) {
    FieldPath inner{&ownPath, name, -1};
    return decoder.fail(field.start, inner,
                        "expected a packed run of " + std::to_string(width) + "-byte numbers, found " + std::to_string(field.bytes.size) + " bytes");
  }
  runs.push_back(field.bytes);
  return true;
}

} // namespace moe::wire
