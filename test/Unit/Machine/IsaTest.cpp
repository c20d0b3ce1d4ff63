// ISA versions: parsing of --cpu-features and the shapes that follow from features.
#include "moe/Machine/Isa.h"

#include "gtest/gtest.h"

using namespace moe;

TEST(Isa, NamedVersionsHaveTheirTiles) {
  std::vector<IsaVersion> versions;
  std::string error;
  ASSERT_TRUE(parseCpuFeatures("x86-64; avx2 ;avx512", versions, error)) << error;
  ASSERT_EQ(versions.size(), 3u);
  EXPECT_EQ(versions[0].featureString(), "");
  EXPECT_EQ(versions[0].f32Tile.columns, 8);
  EXPECT_FALSE(versions[0].hasFma);
  EXPECT_EQ(versions[1].name, "avx2");
  EXPECT_EQ(versions[1].f32Tile.rows, 6);
  EXPECT_EQ(versions[1].f32Tile.columns, 16);
  EXPECT_EQ(versions[2].f32Tile.rows, 12);
  EXPECT_EQ(versions[2].f32Tile.columns, 32);
  EXPECT_TRUE(versions[2].has("avx512vl"));
}

TEST(Isa, ItemsOfOneVersionJoin) {
  std::vector<IsaVersion> versions;
  std::string error;
  ASSERT_TRUE(parseCpuFeatures("avx2,+avxvnni;+avx2,+fma", versions, error)) << error;
  EXPECT_EQ(versions[0].featureString(), "+avx2,+fma,+f16c,+bmi2,+avxvnni");
  EXPECT_EQ(versions[1].name, "+avx2,+fma");
  EXPECT_EQ(versions[1].f32Lanes, 8);
}

TEST(Isa, Avx2WithoutFmaKeepsTheBaseTile) {
  IsaVersion version;
  std::string error;
  ASSERT_TRUE(parseFeatureString("+avx2", version, error)) << error;
  EXPECT_EQ(version.f32Lanes, 4);
  ASSERT_TRUE(parseFeatureString("", version, error)) << error;
  EXPECT_EQ(version.name, "x86-64");
}

TEST(Isa, TilesNeedTheirProductsAndWideVectors) {
  std::vector<IsaVersion> versions;
  std::string error;
  ASSERT_TRUE(parseCpuFeatures("amx;avx512,+amx-tile,+amx-int8;avx2,+amx-tile,+amx-bf16;avx512bf16", versions, error)) << error;
  EXPECT_EQ(versions[0].matrixTiles.kernelRows(), 32);
  EXPECT_TRUE(versions[0].matrixTiles.multipliesPairs && versions[0].matrixTiles.multipliesBytes);
  EXPECT_TRUE(versions[1].matrixTiles.multipliesBytes);
  EXPECT_FALSE(versions[1].matrixTiles.multipliesPairs);
  EXPECT_EQ(versions[2].matrixTiles.kernelRows(), 0); // vectors of 256 bits
  EXPECT_EQ(versions[3].matrixTiles.kernelRows(), 0);
  // Four tiles of sums, two of rows, two of weights.
  EXPECT_EQ(versions[0].matrixTiles.registers, 8);
}

TEST(Isa, RejectsWhatItDoesNotKnow) {
  for (const char *text : {"", "avx3", "avx2;", "avx2,", "-avx2", "+", "avx2;avx2", "avx2 fma"}) {
    std::vector<IsaVersion> versions;
    std::string error;
    EXPECT_FALSE(parseCpuFeatures(text, versions, error)) << text;
    EXPECT_FALSE(error.empty()) << text;
  }
  IsaVersion version;
  std::string error;
  EXPECT_FALSE(parseFeatureString("avx2", version, error));
}

TEST(Isa, FewRowsTakeMoreColumns) {
  const IsaVersion avx512 = describeIsa({"avx512f"}), avx2 = describeIsa({"avx2", "fma"});
  EXPECT_EQ(avx512.tilesFor(1), 4);
  EXPECT_EQ(avx512.tilesFor(2), 2);
  EXPECT_EQ(avx512.tilesFor(3), 2);
  EXPECT_EQ(avx512.tilesFor(4), 1);
  EXPECT_EQ(avx2.tilesFor(1), 4);
  EXPECT_EQ(avx2.tilesFor(2), 2);
  EXPECT_EQ(avx2.tilesFor(6), 1);
  for (const IsaVersion &isa : namedIsaVersions())
    for (int rows = 1; rows <= isa.f32Tile.rows; ++rows)
      EXPECT_LE(rows * 2 * isa.tilesFor(rows), isa.vectorRegisters);
}
