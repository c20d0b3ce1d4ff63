// numpy's format: what is written is read back, every truncation and every changed byte is refused or harmless.
#include "Failure.h"
#include "Npy.h"

#include <gtest/gtest.h>
#include <random>

using namespace moe::run;

namespace {

constexpr moe_dtype f32 = {MOE_FLOAT, 32, 1}, bf16 = {MOE_BFLOAT, 16, 1}, u16 = {MOE_UINT, 16, 1}, boolean = {MOE_BOOL, 8, 1};

std::vector<unsigned char> fileOf(const Array &array) {
  const std::string header = npyHeader(array.dtype, array.shape);
  std::vector<unsigned char> file(header.begin(), header.end());
  file.insert(file.end(), array.bytes.begin(), array.bytes.end());
  return file;
}

Array sample(moe_dtype dtype, std::vector<int64_t> shape) {
  Array array = Array::zeros(dtype, std::move(shape), "sample");
  for (size_t i = 0; i < array.bytes.size(); ++i)
    array.bytes[i] = static_cast<unsigned char>(i * 37 + 1);
  return array;
}

std::vector<unsigned char> fileWith(const std::string &dict, size_t elementBytes) {
  std::vector<unsigned char> file = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, static_cast<unsigned char>(dict.size()), 0};
  file.insert(file.end(), dict.begin(), dict.end());
  file.resize(file.size() + elementBytes);
  return file;
}

std::string errorOf(const std::vector<unsigned char> &file, moe_dtype expected = f32) {
  try {
    parseNpy(file, "f.npy", expected);
    return "";
  } catch (const Failure &failure) {
    return failure.what();
  }
}

TEST(Npy, RoundTripsEveryType) {
  for (int32_t onnx : {1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28})
    for (const std::vector<int64_t> &shape : {std::vector<int64_t>{}, {5}, {2, 0, 3}, {3, 1, 4}}) {
      const Array array = sample(findOnnxType(onnx)->dtype, shape);
      const std::vector<unsigned char> file = fileOf(array);
      EXPECT_EQ((file.size() - array.bytes.size()) % 64, 0u) << "elements start at a multiple of 64";
      const Array back = parseNpy(file, "f.npy", array.dtype);
      EXPECT_TRUE(sameType(back.dtype, array.dtype)) << typeName(array.dtype);
      EXPECT_EQ(back.shape, array.shape);
      EXPECT_EQ(back.bytes, array.bytes);
    }
}

TEST(Npy, HeaderIsWhatNumpyWrites) {
  const std::string header = npyHeader(f32, {2, 3});
  EXPECT_EQ(header.substr(10, 60), "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } ");
  EXPECT_EQ(header.back(), '\n');
  EXPECT_NE(npyHeader(f32, {2}).find("'shape': (2,), }"), std::string::npos);
  EXPECT_NE(npyHeader(boolean, {}).find("'descr': '|b1', 'fortran_order': False, 'shape': (), }"), std::string::npos);
}

TEST(Npy, Bfloat16ComesAsUint16OrRawBytes) {
  const std::string shape = "'fortran_order': False, 'shape': (2,)}";
  for (const char *descr : {"<u2", "<V2", "|V2"}) {
    const auto file = fileWith(std::string("{'descr': '") + descr + "', " + shape, 4);
    EXPECT_TRUE(sameType(parseNpy(file, "f.npy", bf16).dtype, bf16)) << descr;
  }
  EXPECT_TRUE(sameType(parseNpy(fileWith("{'descr': '<u2', " + shape, 4), "f.npy", u16).dtype, u16));
  EXPECT_EQ(errorOf(fileWith("{'descr': '|V2', " + shape, 4)), "f.npy: elements of type '|V2' are not supported");
}

TEST(Npy, FortranOrderMattersOnlyForMatrices) {
  EXPECT_EQ(errorOf(fileWith("{'descr': '<f4', 'fortran_order': True, 'shape': (2,)}", 8)), "");
  EXPECT_EQ(errorOf(fileWith("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2)}", 8)), "f.npy: expected C order, found Fortran order");
}

TEST(Npy, RefusesStrangeHeaders) {
  EXPECT_NE(errorOf(fileWith("{'descr': '<f4', 'shape': (2,)}", 8)).find("expected the keys"), std::string::npos);
  EXPECT_NE(errorOf(fileWith("{'descr': '<f4', 'descr': '<f4'}", 8)).find("unexpected key 'descr'"), std::string::npos);
  EXPECT_NE(errorOf(fileWith("{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}", 8)).find("True or False"), std::string::npos);
  EXPECT_NE(errorOf(fileWith("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}", 8)).find("expected a size"), std::string::npos);
  EXPECT_NE(errorOf(fileWith("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", 8)).find("64 bits"), std::string::npos);
  EXPECT_NE(errorOf(fileWith("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x", 8)).find("nothing after"), std::string::npos);
  EXPECT_NE(errorOf(fileWith("{'descr': '<f4", 8)).find("end of a string"), std::string::npos);
}

TEST(Npy, TruncationsAndDamageAreErrorsAndNoMore) {
  const std::vector<unsigned char> whole = fileOf(sample(f32, {3, 4}));
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_NE(errorOf({whole.begin(), whole.begin() + size}), "") << size << " bytes";
  std::mt19937 random(7);
  for (int round = 0; round < 20000; ++round) {
    std::vector<unsigned char> damaged = whole;
    for (int change = 0; change < 3; ++change)
      damaged[random() % 128] = static_cast<unsigned char>(random());
    const std::string error = errorOf(damaged);
    EXPECT_TRUE(error.empty() || error.compare(0, 5, "f.npy") == 0) << error;
  }
}

} // namespace
