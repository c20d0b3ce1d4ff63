// Mutations that keep protobuf's lengths true: a change of bytes deep in a message would else break every message around it, and the fuzzer would
// test little beyond the reader's errors. Some mutations are still libFuzzer's plain ones.
#include <cstdint>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <vector>

extern "C" size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t maximum);

namespace {

using Random = std::minstd_rand;

/// One field as it lies in a message: tag and payload. `type` is protobuf's wire type.
struct WireField {
  uint64_t tag = 0;
  unsigned type = 0;
  uint64_t value = 0;
  std::string bytes;
};

bool readVarint(const std::string &message, size_t &at, uint64_t &value) {
  value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (at == message.size())
      return false;
    uint8_t byte = static_cast<uint8_t>(message[at++]);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (!(byte & 0x80))
      return true;
  }
  return false;
}

void writeVarint(std::string &out, uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

/// The fields of a message; nothing where the bytes are none.
std::optional<std::vector<WireField>> split(const std::string &message) {
  std::vector<WireField> fields;
  for (size_t at = 0; at < message.size();) {
    WireField field;
    if (!readVarint(message, at, field.tag) || field.tag >> 3 == 0)
      return std::nullopt;
    field.type = field.tag & 7;
    uint64_t length = field.type == 1 ? 8 : 4;
    if (field.type == 0) {
      if (!readVarint(message, at, field.value))
        return std::nullopt;
    } else if (field.type == 1 || field.type == 2 || field.type == 5) {
      if ((field.type == 2 && !readVarint(message, at, length)) || length > message.size() - at)
        return std::nullopt;
      field.bytes = message.substr(at, length);
      at += length;
    } else {
      return std::nullopt;
    }
    fields.push_back(std::move(field));
  }
  return fields;
}

std::string join(const std::vector<WireField> &fields) {
  std::string message;
  for (const WireField &field : fields) {
    writeVarint(message, field.tag);
    if (field.type == 0)
      writeVarint(message, field.value);
    if (field.type == 2)
      writeVarint(message, field.bytes.size());
    message += field.bytes;
  }
  return message;
}

void mutateBytes(std::string &bytes, size_t room) {
  size_t size = bytes.size();
  bytes.resize(size + room);
  if (bytes.empty())
    return;
  bytes.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t *>(bytes.data()), size, bytes.size()));
}

uint64_t mutateNumber(uint64_t value, Random &random) {
  static const uint64_t edges[] = {0, 1, 2, 7, 10, 16, 127, 255, 1ull << 31, (1ull << 31) - 1, 1ull << 32, 1ull << 40, (1ull << 63) - 1, 1ull << 63, ~0ull, ~1ull};
  switch (random() % 4) {
  case 0: return value + 1;
  case 1: return value - 1;
  case 2: return value ^ 1ull << random() % 64;
  default: return edges[random() % (sizeof edges / sizeof *edges)];
  }
}

/// Changes one thing somewhere in a message of protobuf; false where it has no fields.
bool mutateMessage(std::string &message, size_t room, Random &random, unsigned depth) {
  std::optional<std::vector<WireField>> fields = split(message);
  if (!fields || fields->empty())
    return false;
  size_t at = random() % fields->size(), other = random() % fields->size();
  WireField &field = (*fields)[at];
  unsigned choice = random() % 16;
  if (choice == 0) {
    fields->erase(fields->begin() + static_cast<ptrdiff_t>(at));
  } else if (choice == 1 && field.bytes.size() + 16 < room) {
    WireField copy = field;
    fields->insert(fields->begin() + static_cast<ptrdiff_t>(other), std::move(copy));
  } else if (choice == 2) {
    std::swap(field, (*fields)[other]);
  } else if (choice == 3) {
    field.tag = (field.tag & 7) | (1 + random() % 24) << 3;
  } else if (choice == 4 && (*fields)[other].type == field.type && (*fields)[other].bytes.size() < room) {
    // The other's payload: one name in place of another makes a cycle, a duplicate, a wrong type.
    field.bytes = std::string((*fields)[other].bytes);
  } else if (field.type == 0) {
    field.value = mutateNumber(field.value, random);
  } else if (field.type != 2) {
    field.bytes[random() % field.bytes.size()] ^= static_cast<char>(1 << random() % 8);
  } else if (choice == 5 || depth == 0 || !mutateMessage(field.bytes, room, random, depth - 1)) {
    mutateBytes(field.bytes, room < 64 ? room : 64);
  }
  message = join(*fields);
  return true;
}

} // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t maximum, unsigned seed) {
  constexpr unsigned deepest = 24;
  Random random(seed + 1);
  std::string message(reinterpret_cast<const char *>(data), size);
  const size_t room = maximum > size ? maximum - size : 0;
  if (random() % 8 == 0 || !mutateMessage(message, room, random, deepest) || message.size() > maximum)
    return LLVMFuzzerMutate(data, size, maximum);
  std::memcpy(data, message.data(), message.size());
  return message.size();
}
