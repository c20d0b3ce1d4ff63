// External data: what lies in the model's folder is read; every way out of it, and every range outside the file, is an error.
#include "ImportFixture.h"

#include <unistd.h>

using namespace moe::test;

namespace {

class ExternalDataTest : public ImportTest {
protected:
  /// x [n, 64] times a 64×64 weight in another file.
  ModelParts modelWith(const std::vector<std::pair<std::string, std::string>> &entries) {
    ModelParts parts;
    parts.inputs = {valueInfo("x", 1, {"n", "64"})};
    parts.outputs = {valueInfo("y", 1, {"n", "64"})};
    parts.initializers = {externalTensor("w", {64, 64}, entries)};
    parts.nodes = {node("MatMul", {"x", "w"}, {"y"})};
    return parts;
  }
  static constexpr size_t bytesOfWeight = 64 * 64 * 4;
};

TEST_F(ExternalDataTest, RangesOfTheFile) {
  write("data.bin", std::string(100 + bytesOfWeight, 'x'));
  auto module = import(modelWith({{"location", "data.bin"}, {"offset", "100"}, {"length", std::to_string(bytesOfWeight)}, {"checksum", "whatever"}}));
  ASSERT_TRUE(module) << errors();
  module->walk([&](moe::WeightOp weight) {
    auto file = mlir::cast<moe::FileAttr>(*weight.getSource());
    EXPECT_EQ(file.getPath(), pathOf("data.bin"));
    EXPECT_EQ(file.getOffset(), 100);
    EXPECT_EQ(file.getLength(), static_cast<int64_t>(bytesOfWeight));
  });
  // Offset and length are optional.
  EXPECT_TRUE(import(modelWith({{"location", "./data.bin"}}))) << errors();
}

TEST_F(ExternalDataTest, SmallTensorsAreRead) {
  std::vector<float> values = {1.5f, 2.5f};
  write("data.bin", "abc" + bytesOf(values));
  ModelParts parts;
  parts.outputs = {valueInfo("w", 1, {"2"})};
  parts.initializers = {externalTensor("w", {2}, {{"location", "data.bin"}, {"offset", "3"}})};
  EXPECT_NE(imported(parts).find("dense<[1.500000e+00, 2.500000e+00]>"), std::string::npos);
}

TEST_F(ExternalDataTest, StaysInTheFolder) {
  write("data.bin", std::string(bytesOfWeight, 'x'));
  EXPECT_EQ(failure(modelWith({{"location", pathOf("data.bin")}})),
            "tensor 'w': external data must be named by a path relative to the model's folder, found '" + pathOf("data.bin") + "'");
  EXPECT_EQ(failure(modelWith({{"location", "../data.bin"}})), "tensor 'w': external data must stay inside the model's folder, found '../data.bin'");
  EXPECT_EQ(failure(modelWith({{"location", "a/../../data.bin"}})).find("tensor 'w': "), 0u);
  EXPECT_EQ(failure(modelWith({})), "tensor 'w': expected the location of the external data, found none");
  EXPECT_EQ(failure(modelWith({{"location", "gone.bin"}})),
            "tensor 'w': cannot find the external data '" + pathOf("gone.bin") + "': No such file or directory");
  EXPECT_EQ(failure(modelWith({{"location", "."}})), "tensor 'w': the external data '" + folder.str().str() + "' is no regular file");
}

TEST_F(ExternalDataTest, LinksOnlyWhereTheyAreAllowed) {
  write("blob", std::string(bytesOfWeight, 'x'));
  ASSERT_EQ(::symlink(pathOf("blob").c_str(), pathOf("data.bin").c_str()), 0);
  EXPECT_EQ(failure(modelWith({{"location", "data.bin"}})),
            "tensor 'w': the external data '" + pathOf("data.bin") + "' is a symbolic link, which is read only with --allow-links");
  options.allowLinks = true;
  EXPECT_TRUE(import(modelWith({{"location", "data.bin"}}))) << errors();
}

TEST_F(ExternalDataTest, RangesOutsideTheFile) {
  write("data.bin", std::string(bytesOfWeight, 'x'));
  std::string size = std::to_string(bytesOfWeight);
  EXPECT_EQ(failure(modelWith({{"location", "data.bin"}, {"offset", "1"}})),
            "tensor 'w': expected " + size + " bytes from offset 1 in '" + pathOf("data.bin") + "', found a file of " + size + " bytes");
  EXPECT_NE(failure(modelWith({{"location", "data.bin"}, {"offset", "9223372036854775807"}})).find("from offset 9223372036854775807"), std::string::npos);
  EXPECT_EQ(failure(modelWith({{"location", "data.bin"}, {"offset", "18446744073709551615"}})),
            "tensor 'w': expected the external offset in decimal digits, found '18446744073709551615'");
  EXPECT_EQ(failure(modelWith({{"location", "data.bin"}, {"offset", "-1"}})), "tensor 'w': expected the external offset in decimal digits, found '-1'");
  EXPECT_EQ(failure(modelWith({{"location", "data.bin"}, {"length", "8"}})), "tensor 'w': expected " + size + " bytes of external data, found the length 8");
}

} // namespace
