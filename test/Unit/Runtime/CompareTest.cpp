// The comparison of outputs: tolerance, NaN, infinities, exact integers, half precision; and percentiles, JSON and file names.
#include "Bench.h"
#include "Compare.h"
#include "Files.h"
#include "Json.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>

using namespace moe::run;

namespace {

template <typename T> Array arrayOf(moe_dtype dtype, const std::vector<T> &values) {
  Array array = Array::zeros(dtype, {int64_t(values.size())}, "array");
  std::memcpy(array.bytes.data(), values.data(), array.bytes.size());
  return array;
}
Array floats(const std::vector<float> &values) { return arrayOf({MOE_FLOAT, 32, 1}, values); }

constexpr float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();

TEST(Compare, ToleranceIsAbsolutePlusRelative) {
  const Tolerance tolerance = {0.5, 0.25};
  EXPECT_TRUE(compare(floats({9.5f}), floats({8}), tolerance).passed);  // 1.5 <= 0.5 + 2
  EXPECT_TRUE(compare(floats({10.5f}), floats({8}), tolerance).passed); // 2.5 <= 2.5
  const Comparison worst = compare(floats({1, 10.75f, 2}), floats({1, 8, 2.5f}), tolerance);
  EXPECT_FALSE(worst.passed);
  EXPECT_EQ(worst.outside, 1);
  EXPECT_EQ(worst.worst, 1);
  EXPECT_EQ(worst.largest, 2.75);
  EXPECT_DOUBLE_EQ(worst.largestShare, 2.75 / 2.5);
  EXPECT_FALSE(compare(floats({8}), floats({10.75f}), {0.5, 0.2}).passed) << "relative to want, not to got";
}

TEST(Compare, NanAndInfinity) {
  const Tolerance loose = {1e30, 1e30};
  EXPECT_TRUE(compare(floats({nan, -nan, inf, -inf, 0.f}), floats({-nan, nan, inf, -inf, -0.f}), {0, 0}).passed);
  for (auto [got, want] : {std::pair(nan, 1.f), {1.f, nan}, {inf, 1.f}, {1.f, inf}, {inf, -inf}, {nan, inf}, {inf, nan}})
    EXPECT_FALSE(compare(floats({got}), floats({want}), loose).passed) << got << " for " << want;
}

TEST(Compare, IntegersAreExact) {
  const Tolerance loose = {1e30, 1e30};
  const moe_dtype i64 = {MOE_INT, 64, 1}, boolean = {MOE_BOOL, 8, 1};
  const int64_t big = int64_t(1) << 60;
  EXPECT_TRUE(compare(arrayOf<int64_t>(i64, {big}), arrayOf<int64_t>(i64, {big}), {0, 0}).passed);
  EXPECT_FALSE(compare(arrayOf<int64_t>(i64, {big}), arrayOf<int64_t>(i64, {big + 1}), loose).passed) << "equal as doubles";
  EXPECT_FALSE(compare(arrayOf<uint8_t>(boolean, {1}), arrayOf<uint8_t>(boolean, {0}), loose).passed);
}

TEST(Compare, HalfPrecision) {
  const moe_dtype f16 = {MOE_FLOAT, 16, 1}, bf16 = {MOE_BFLOAT, 16, 1};
  const Array halves = arrayOf<uint16_t>(f16, {0x3c00, 0xc000, 0x7bff, 0x0001, 0x7c00, 0x0400, 0x3555});
  const double expected[] = {1, -2, 65504, std::ldexp(1, -24), HUGE_VAL, std::ldexp(1, -14), 0.333251953125};
  for (int i = 0; i < 7; ++i)
    EXPECT_EQ(elementAsDouble(halves, i), expected[i]);
  EXPECT_TRUE(std::isnan(elementAsDouble(arrayOf<uint16_t>(f16, {0x7e00}), 0)));
  EXPECT_EQ(elementAsDouble(arrayOf<uint16_t>(bf16, {0xc040}), 0), -3);
  EXPECT_FALSE(compare(halves, arrayOf<uint16_t>(bf16, {0, 0, 0, 0, 0, 0, 0}), {1, 1}).problem.empty());
}

TEST(Compare, NarrowTypes) {
  auto valueOf = [](uint8_t code, uint8_t bits, uint8_t byte) { return elementAsDouble(arrayOf<uint8_t>({code, bits, 1}, {byte}), 0); };
  const std::tuple<uint8_t, uint8_t, uint8_t, double> values[] = {
      {MOE_FLOAT8_E4M3FN, 8, 0x7e, 448},           {MOE_FLOAT8_E4M3FN, 8, 0x01, std::ldexp(1, -9)},    {MOE_FLOAT8_E4M3FN, 8, 0x08, std::ldexp(1, -6)},
      {MOE_FLOAT8_E4M3FN, 8, 0xb8, -1},            {MOE_FLOAT8_E4M3FNUZ, 8, 0x7f, 240},                {MOE_FLOAT8_E4M3FNUZ, 8, 0x01, std::ldexp(1, -10)},
      {MOE_FLOAT8_E5M2, 8, 0x7b, 57344},           {MOE_FLOAT8_E5M2, 8, 0xfc, -HUGE_VAL},              {MOE_FLOAT8_E5M2, 8, 0x01, std::ldexp(1, -16)},
      {MOE_FLOAT8_E5M2FNUZ, 8, 0x7f, 57344},       {MOE_FLOAT6_E2M3FN, 6, 0x1f, 7.5},                  {MOE_FLOAT6_E3M2FN, 6, 0x3f, -28},
      {MOE_FLOAT4_E2M1FN, 4, 0x0f, -6},            {MOE_FLOAT4_E2M1FN, 4, 0x01, 0.5},                  {MOE_FLOAT8_E8M0FNU, 8, 0, std::ldexp(1, -127)},
      {MOE_FLOAT8_E8M0FNU, 8, 254, std::ldexp(1, 127)}, {MOE_INT, 4, 0x0f, -1},                        {MOE_INT, 4, 0xf7, 7},
      {MOE_UINT, 4, 0x0f, 15},                     {MOE_INT, 2, 0x02, -2},                             {MOE_UINT, 2, 0x03, 3}};
  for (auto [code, bits, byte, expected] : values)
    EXPECT_EQ(valueOf(code, bits, byte), expected) << "code " << int(code) << ", byte " << int(byte);
  for (auto [code, byte] : {std::pair<uint8_t, uint8_t>(MOE_FLOAT8_E4M3FN, 0xff), {MOE_FLOAT8_E4M3FNUZ, 0x80}, {MOE_FLOAT8_E5M2, 0x7d},
                            {MOE_FLOAT8_E5M2FNUZ, 0x80}, {MOE_FLOAT8_E8M0FNU, 0xff}})
    EXPECT_TRUE(std::isnan(valueOf(code, 8, byte))) << "code " << int(code);
}

TEST(Compare, ShapesMustAgree) {
  Array got = floats({1, 2}), want = floats({1, 2});
  want.shape = {2, 1};
  EXPECT_EQ(compare(got, want, {1, 1}).problem, "expected shape [2, 1], found [2]");
  EXPECT_FALSE(compare(got, want, {1, 1}).passed);
  EXPECT_EQ(indexName(11, {2, 3, 2}), "[1, 2, 1]");
}

TEST(Bench, PercentilesAreNearestRank) {
  const std::vector<double> ten = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  EXPECT_EQ(percentile(ten, 0.5), 5);
  EXPECT_EQ(percentile(ten, 0.9), 9);
  EXPECT_EQ(percentile(ten, 0.99), 10);
  EXPECT_EQ(percentile({7}, 0.5), 7);
}

TEST(Json, EscapesWhatModelsMayHold) {
  EXPECT_EQ(jsonString("a\"b\\c\n"), "\"a\\u0022b\\u005cc\\u000a\"");
  EXPECT_EQ(jsonString("\xc3\xa9\xf0\x9f\x98\x80"), "\"\xc3\xa9\xf0\x9f\x98\x80\"");
  EXPECT_EQ(jsonString("\xc0\xaf|\xed\xa0\x80|\xff|\xe2\x82"), "\"\\ufffd\\ufffd|\\ufffd\\ufffd\\ufffd|\\ufffd|\\ufffd\\ufffd\"");
  EXPECT_EQ(jsonNumber(0.1), "0.10000000000000001");
  EXPECT_EQ(jsonNumber(nan), "null");
}

TEST(Files, NamesStayInTheirFolder) {
  EXPECT_EQ(fileNameFor("layers.0/mlp:out"), "layers.0_mlp_out");
  EXPECT_EQ(fileNameFor("../../etc/passwd"), "_.._.._etc_passwd");
  EXPECT_EQ(fileNameFor(""), "_");
}

} // namespace
