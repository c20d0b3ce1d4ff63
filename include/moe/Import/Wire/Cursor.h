//===- Cursor.h - bounds-checked walk over protobuf's wire format -*- C++ -*-===//
// Reads untrusted bytes in place: every length and varint is checked against the end of its message, nesting is limited, and an error names the
// byte and the field. Views point into the given bytes, which must outlive them. No LLVM here: moe-run links this too.
#ifndef MOE_IMPORT_WIRE_CURSOR_H
#define MOE_IMPORT_WIRE_CURSOR_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moe::wire {

/// A view of bytes that somebody else holds.
struct Bytes {
  const uint8_t *data = nullptr;
  size_t size = 0;

  std::string_view text() const { return {reinterpret_cast<const char *>(data), size}; }
  const uint8_t *end() const { return data + size; }
};

/// What is wrong, in which field, and at which byte from the start of the input where it is one place.
struct WireError {
  std::optional<uint64_t> offset;
  std::string path;
  std::string message;

  /// "at byte 17, in graph.node[3].name: message"
  std::string str() const;
};

/// Where a message lies in its parents. Lives on the stack of the functions that parse; made a string only for an error.
struct FieldPath {
  const FieldPath *parent = nullptr;
  const char *name = "";
  int64_t index = -1;

  std::string str() const;
};

/// The encodings of protobuf. The two group encodings are rejected.
enum class WireType : uint8_t { Varint = 0, Fixed64 = 1, Length = 2, Fixed32 = 5 };

/// One field of a message as it lies in the file. `value` holds a varint or fixed number, `bytes` a length-delimited payload.
struct Field {
  uint32_t number = 0;
  WireType type = WireType::Varint;
  uint64_t value = 0;
  Bytes bytes;
  const uint8_t *start = nullptr;
};

/// What one parse shares: where offsets count from and the first error.
struct Decoder {
  explicit Decoder(Bytes input) : input(input) {}

  /// Records the first error; always false, so that it can be returned.
  bool fail(const uint8_t *at, const FieldPath &path, std::string message);
  bool failed() const { return error.has_value(); }

  Bytes input;
  std::optional<WireError> error;
};

/// Reads one varint of at most ten bytes, canonical or not; bits above the 64th are dropped. False where the bytes end first or it is longer.
bool readVarint(const uint8_t *&position, const uint8_t *end, uint64_t &value);

/// Walks the fields of one message. Unknown fields are for the caller to ignore: `next` has already stepped over them.
class MessageReader {
public:
  /// Nested messages deeper than this are an error; protobuf itself has the same limit.
  static constexpr int maximumDepth = 100;

  /// The outermost message: all of the decoder's input.
  MessageReader(Decoder &decoder, const char *name) : decoder(decoder), ownPath{nullptr, name, -1}, message(decoder.input), position(message.data) {}
  /// A message in `field` of `parent`, called `name`; `index` counts the elements of a repeated field.
  MessageReader(MessageReader &parent, const Field &field, const char *name, int64_t index = -1);

  /// The next field. False at the end and on an error; `ok` tells which.
  bool next(Field &field);
  bool ok() const { return !decoder.failed(); }

  /// Typed reads of a field called `name`. A field in an encoding that its type cannot have is an error.
  bool read(const Field &field, const char *name, std::string_view &value);
  bool read(const Field &field, const char *name, Bytes &value);
  bool read(const Field &field, const char *name, int64_t &value);
  bool read(const Field &field, const char *name, int32_t &value);
  bool read(const Field &field, const char *name, float &value);
  /// Appends one element, or the elements of a packed run.
  bool append(const Field &field, const char *name, std::vector<int64_t> &values);
  bool append(const Field &field, const char *name, std::vector<float> &values);
  bool append(const Field &field, const char *name, std::vector<std::string_view> &values);
  /// Appends the bytes of one element or packed run whose elements are encoded as `element`.
  bool appendRun(const Field &field, const char *name, WireType element, std::vector<Bytes> &runs);

  bool fail(const uint8_t *at, std::string text) { return decoder.fail(at, ownPath, std::move(text)); }
  const FieldPath &path() const { return ownPath; }
  Decoder &getDecoder() { return decoder; }

private:
  bool expect(const Field &field, const char *name, WireType type);
  bool readTag(Field &field);
  bool readPayload(Field &field);

  Decoder &decoder;
  FieldPath ownPath;
  Bytes message;
  const uint8_t *position;
  int depth = 0;
};

} // namespace moe::wire

#endif // MOE_IMPORT_WIRE_CURSOR_H
