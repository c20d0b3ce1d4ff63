// The wire cursor and the TensorProto decoder against hand-encoded bytes: every encoding that protobuf allows, and what it does not.
#include "moe/Import/Wire/TensorProto.h"

#include <cstring>
#include <gtest/gtest.h>

using namespace moe::wire;

namespace {

using Buffer = std::vector<uint8_t>;

Bytes view(const Buffer &buffer) { return {buffer.data(), buffer.size()}; }

void append(Buffer &out, const Buffer &more) { out.insert(out.end(), more.begin(), more.end()); }

Buffer lengthField(uint8_t number, const Buffer &payload) {
  Buffer out = {static_cast<uint8_t>(number << 3 | 2), static_cast<uint8_t>(payload.size())};
  append(out, payload);
  return out;
}

/// dims [2], data_type `type`, then `rest`.
Buffer tensorOf(uint8_t type, uint8_t dim, const Buffer &rest) {
  Buffer out = {0x08, dim, 0x10, type};
  append(out, rest);
  return out;
}

std::string errorOf(const Buffer &buffer) {
  WireError error;
  auto tensor = parseTensor(view(buffer), error);
  EXPECT_FALSE(tensor.has_value());
  return error.str();
}

TensorData tensorFrom(const Buffer &buffer) {
  WireError error;
  auto tensor = parseTensor(view(buffer), error);
  EXPECT_TRUE(tensor.has_value()) << error.str();
  return tensor ? std::move(*tensor) : TensorData();
}

Buffer payload(const TensorData &tensor) { return Buffer(tensor.data, tensor.data + tensor.size); }

TEST(Varint, AcceptsNonCanonicalAndStopsAtTheEnd) {
  Buffer bytes = {0x85, 0x80, 0x80, 0x00};
  const uint8_t *at = bytes.data();
  uint64_t value = 0;
  ASSERT_TRUE(readVarint(at, bytes.data() + bytes.size(), value));
  EXPECT_EQ(value, 5u);
  EXPECT_EQ(at, bytes.data() + bytes.size());
  at = bytes.data();
  EXPECT_FALSE(readVarint(at, bytes.data() + 2, value));
  EXPECT_EQ(at, bytes.data());
}

TEST(Varint, TenBytesAreTheMost) {
  Buffer ten(9, 0xff);
  ten.push_back(0x01);
  const uint8_t *at = ten.data();
  uint64_t value = 0;
  ASSERT_TRUE(readVarint(at, ten.data() + ten.size(), value));
  EXPECT_EQ(value, UINT64_MAX);
  Buffer eleven(10, 0x80);
  eleven.push_back(0x00);
  at = eleven.data();
  EXPECT_FALSE(readVarint(at, eleven.data() + eleven.size(), value));
}

TEST(Tensor, RawDataIsUsedInPlace) {
  Buffer bytes = tensorOf(1, 2, lengthField(9, {0, 0, 128, 63, 0, 0, 0, 64}));
  TensorData tensor = tensorFrom(bytes);
  EXPECT_EQ(tensor.dataType, DataType::FLOAT);
  EXPECT_EQ(tensor.dims, std::vector<int64_t>{2});
  EXPECT_TRUE(tensor.inPlace);
  EXPECT_EQ(tensor.data, bytes.data() + 6);
  float values[2];
  std::memcpy(values, tensor.data, sizeof values);
  EXPECT_EQ(values[1], 2.0f);
}

TEST(Tensor, OnePackedFloatRunIsUsedInPlaceAndTwoAreJoined) {
  Buffer one = {0, 0, 128, 63}, two = {0, 0, 0, 64}, both = one;
  append(both, two);
  TensorData packed = tensorFrom(tensorOf(1, 2, lengthField(4, both)));
  EXPECT_TRUE(packed.inPlace);
  Buffer split = lengthField(4, one);
  split.push_back(4 << 3 | 5); // unpacked
  append(split, two);
  TensorData joined = tensorFrom(tensorOf(1, 2, split));
  EXPECT_FALSE(joined.inPlace);
  EXPECT_EQ(payload(joined), both);
}

TEST(Tensor, Int64DataPackedAndUnpacked) {
  Buffer minusOne(9, 0xff);
  minusOne.push_back(1);
  Buffer packed = {3};
  append(packed, minusOne);
  Buffer unpacked = {7 << 3, 3, 7 << 3};
  append(unpacked, minusOne);
  Buffer expected = {3, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255};
  EXPECT_EQ(payload(tensorFrom(tensorOf(7, 2, lengthField(7, packed)))), expected);
  EXPECT_EQ(payload(tensorFrom(tensorOf(7, 2, unpacked))), expected);
}

TEST(Tensor, Int32DataHoldsNarrowTypes) {
  EXPECT_EQ(payload(tensorFrom(tensorOf(10, 2, lengthField(5, {0x80, 0x78, 0x01})))), (Buffer{0x00, 0x3c, 0x01, 0x00})); // f16 1.0
  EXPECT_EQ(payload(tensorFrom(tensorOf(9, 2, lengthField(5, {0, 1})))), (Buffer{0, 1}));                                 // bool
  EXPECT_EQ(payload(tensorFrom(tensorOf(22, 3, lengthField(5, {0x21, 0x0f})))), (Buffer{0x21, 0x0f}));                    // int4, odd tail
}

TEST(Tensor, SixBitElementsArePackedLikeRawData) {
  TensorData typed = tensorFrom(tensorOf(27, 5, lengthField(5, {8, 16, 20, 4, 2})));
  // 8 | 16 << 6 | 20 << 12 | 4 << 18, then 2.
  EXPECT_EQ(payload(typed), (Buffer{0x08, 0x44, 0x11, 0x02}));
}

TEST(Tensor, ScalarsTakeTheLastValueAndUnknownFieldsAreSkipped) {
  Buffer bytes = tensorOf(1, 1, {0x10, 0x02}); // data_type again: UINT8
  append(bytes, lengthField(15, {1, 2, 3}));   // no such field
  append(bytes, {15 << 3, 7});                 // no such field, as a varint
  append(bytes, lengthField(9, {42}));
  TensorData tensor = tensorFrom(bytes);
  EXPECT_EQ(tensor.dataType, DataType::UINT8);
  EXPECT_EQ(payload(tensor), Buffer{42});
}

TEST(Tensor, ExternalTensorsAreMarked) {
  Buffer entry = lengthField(1, {'l', 'o', 'c'});
  append(entry, lengthField(2, {'x'}));
  Buffer rest = lengthField(13, entry);
  append(rest, {14 << 3, 1});
  TensorData tensor = tensorFrom(tensorOf(1, 2, rest));
  EXPECT_TRUE(tensor.external);
  EXPECT_EQ(tensor.size, 0u);
}

TEST(Tensor, WriterRoundTrips) {
  Buffer data = {1, 2, 3, 4, 5, 6};
  Buffer bytes = writeTensor("x", DataType::INT16, {3, 1}, view(data));
  TensorData tensor = tensorFrom(bytes);
  EXPECT_EQ(tensor.name, "x");
  EXPECT_EQ(tensor.dataType, DataType::INT16);
  EXPECT_EQ(tensor.dims, (std::vector<int64_t>{3, 1}));
  EXPECT_EQ(payload(tensor), data);
}

TEST(TensorErrors, NameByteAndField) {
  EXPECT_EQ(errorOf(tensorOf(1, 2, {9 << 3 | 2, 100, 1})),
            "at byte 4, in tensor: field 9: expected 100 bytes, found 1 bytes to the end of its message");
  EXPECT_EQ(errorOf({0x0b}), "at byte 0, in tensor: field 1 is a group, which ONNX does not use");
  EXPECT_EQ(errorOf({0x0f}), "at byte 0, in tensor: field 1 has wire type 7, which does not exist");
  EXPECT_EQ(errorOf({0x02}), "at byte 0, in tensor: expected a field number from 1 to 536870911, found tag 2");
  EXPECT_EQ(errorOf({0x40, 1}), "at byte 0, in tensor.name: expected a length-delimited field, found a varint");
  EXPECT_EQ(errorOf(tensorOf(1, 2, lengthField(4, {1, 2, 3}))),
            "at byte 4, in tensor.float_data: expected a packed run of 4-byte numbers, found 3 bytes");
}

TEST(TensorErrors, HugeLengthsAndSizes) {
  Buffer huge = {9 << 3 | 2};
  append(huge, Buffer(9, 0xff));
  huge.push_back(1);
  EXPECT_NE(errorOf(huge).find("18446744073709551615 bytes"), std::string::npos);
  Buffer dims = {0x10, 1};
  for (int i = 0; i < 5; ++i)
    append(dims, {0x08, 0xff, 0xff, 0xff, 0xff, 0x7f});
  EXPECT_NE(errorOf(dims).find("which is no size"), std::string::npos);
  append(dims, {0x08, 0x00}); // an empty tensor all the same
  EXPECT_EQ(tensorFrom(dims).size, 0u);
}

TEST(TensorErrors, SizeAndValuesMustMatchTheType) {
  EXPECT_NE(errorOf(tensorOf(1, 2, lengthField(9, {0, 0, 0, 0}))).find("expected 8 bytes, found 4"), std::string::npos);
  EXPECT_NE(errorOf(tensorOf(2, 1, lengthField(5, {0x80, 0x04}))).find("element 512 does not fit UINT8"), std::string::npos);
  EXPECT_NE(errorOf(tensorOf(99, 1, {})).find("data type 99"), std::string::npos);
  EXPECT_NE(errorOf(tensorOf(8, 1, {})).find("STRING"), std::string::npos);
}

TEST(TensorErrors, EveryPrefixIsHandled) {
  Buffer data(300, 7);
  Buffer bytes = writeTensor("weights", DataType::UINT8, {3, 100}, view(data));
  for (size_t length = 0; length < bytes.size(); ++length) {
    // A copy, so that a sanitizer sees any read past the prefix.
    Buffer prefix(bytes.begin(), bytes.begin() + length);
    WireError error;
    EXPECT_FALSE(parseTensor(view(prefix), error).has_value()) << length;
  }
}

} // namespace
