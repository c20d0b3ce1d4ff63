// The reader of moe_model_info: a whole blob, every truncation of it, every byte changed, and each rule broken once.
#include "InfoBlob.h"
#include "moe/Runtime/Error.h"
#include "moe/Runtime/ModelInfoReader.h"

#include <gtest/gtest.h>
#include <memory>

using namespace moe;
using namespace moe::runtime;

namespace {

/// Reads from memory of exactly the blob's size, so that AddressSanitizer sees a read beyond.
moe_status readBlob(const std::vector<unsigned char> &blob, ModelInfo &info, std::unique_ptr<unsigned char[]> &copy) {
  copy = std::make_unique<unsigned char[]>(blob.size());
  std::copy(blob.begin(), blob.end(), copy.get());
  return info.read(copy.get(), blob.size());
}

std::string errorOf(const BlobModel &model) {
  ModelInfo info;
  std::unique_ptr<unsigned char[]> copy;
  return readBlob(model.bytes(), info, copy) == MOE_STATUS_BAD_ARTIFACT ? lastError() : "no error";
}

BlobModel richModel() {
  BlobModel model = cacheModel();
  model.weightsBytes = 4096 + 10;
  model.inputs.push_back({"counts", moe::OnnxInt64, {{3, ""}}});
  model.defaults = {{0, {2, 1}, "abcdefgh"}};
  model.sizeInputs = {2};
  model.foundDims = {1, 4};
  model.sections = {{7, 0, 100}, {9, 4096, 10}};
  model.versions = {{"wide", 0x30, {0, 1}}, {"plain", 0, {1}}};
  model.layers = {{"layers.0.mlp", "batched", {8, 2, 64, 96}}};
  // Two devices share three experts of 20 bytes, the first on both; two such groups.
  model.devices = 4;
  model.shards = {{0, 40, 20, 3, 2, {0, 1, 2, 0}}};
  // Ranks have their own of 2 heads of past and present (output 1 of 3 inputs).
  model.inputs[1].dims[1].first = model.outputs[1].dims[1].first = -1;
  model.parts = {{1, 1, 2, 1}, {4, 1, 2, 1}};
  return model;
}

TEST(ModelInfo, ReadsEverything) {
  ModelInfo info;
  std::unique_ptr<unsigned char[]> copy;
  ASSERT_EQ(readBlob(richModel().bytes(), info, copy), MOE_STATUS_OK) << lastError();
  ASSERT_EQ(info.numInputs, 3u);
  EXPECT_STREQ(info.inputs[0].name, "x");
  EXPECT_EQ(info.inputs[0].rank, 2);
  EXPECT_EQ(info.inputs[0].dtype.code, MOE_FLOAT);
  EXPECT_EQ(info.inputs[0].dtype.bits, 32);
  EXPECT_EQ(info.inputs[0].pair, -1);
  EXPECT_EQ(info.inputs[1].dims[1].size, -1);
  ASSERT_EQ(info.numParts, 2u);
  ASSERT_NE(info.partOf(4), nullptr);
  EXPECT_EQ(info.partOf(4)->heads, 2u);
  EXPECT_EQ(info.partOf(0), nullptr);
  EXPECT_STREQ(info.inputs[1].dims[2].symbol, "past");
  EXPECT_EQ(info.inputs[1].pair, 1);
  EXPECT_EQ(info.outputs[1].pair, 1);
  EXPECT_EQ(info.outputs[1].pair_axis, 2);
  EXPECT_EQ(info.numInputDims, 7u);
  EXPECT_EQ(info.defaults[1].ndim, -1);
  ASSERT_EQ(info.defaults[0].ndim, 2);
  EXPECT_EQ(info.defaults[0].shape[0], 2);
  EXPECT_EQ(info.defaults[0].shape[1], 1);
  EXPECT_EQ(std::string(static_cast<const char *>(info.defaults[0].data), 8), "abcdefgh");
  ASSERT_EQ(info.numSizeInputs, 1u);
  EXPECT_EQ(info.sizeInputs[0], 2u);
  EXPECT_EQ(info.numSizeElements, 3u);
  ASSERT_EQ(info.numFoundDims, 2u);
  EXPECT_EQ(info.foundDims[1], 4u);
  EXPECT_EQ(info.numOutputDims, 6u);
  ASSERT_EQ(info.numChecks, 1u);
  EXPECT_STREQ(info.checks[0], "expected seq to be even");
  ASSERT_EQ(info.numFaults, 2u);
  EXPECT_STREQ(info.faults[1], "a position");
  ASSERT_EQ(info.numSections, 2u);
  EXPECT_EQ(info.sections[1].offset, 4096u);
  ASSERT_EQ(info.numVersions, 2u);
  EXPECT_STREQ(info.versions[0].name, "wide");
  EXPECT_EQ(info.versions[0].features, 0x30u);
  EXPECT_EQ(info.versions[0].sections[1], 1u);
  ASSERT_EQ(info.numLayers, 1u);
  EXPECT_STREQ(info.layers[0].name, "layers.0.mlp");
  EXPECT_STREQ(info.layers[0].form, "batched");
  EXPECT_EQ(info.layers[0].experts, 8u);
  EXPECT_EQ(info.layers[0].topK, 2u);
  EXPECT_EQ(info.devices, 4u);
  ASSERT_EQ(info.numShards, 1u);
  EXPECT_EQ(info.shards[0].offset, 40u);
  EXPECT_EQ(info.shards[0].expertBytes, 20u);
  ASSERT_EQ(info.shards[0].numSlots, 4u);
  EXPECT_EQ(info.shards[0].slots[2], 2u);
  EXPECT_EQ(info.layers[0].hidden, 64u);
  EXPECT_EQ(info.layers[0].intermediate, 96u);
}

TEST(ModelInfo, RanksTakeTheHeadsThatTheirDevicesRead) {
  struct Case {
    uint32_t heads, unit;
    int64_t rank, ranks, first, count;
  };
  // Four devices: of 8 heads two each, of 2 heads one for two of them, in places of 16 each.
  const Case cases[] = {{8, 1, 0, 1, 0, 8}, {8, 1, 1, 2, 4, 4}, {8, 1, 3, 4, 6, 2}, {2, 16, 0, 1, 0, 32}, {2, 16, 1, 2, 16, 16},
                        {2, 16, 1, 4, 0, 16}, {2, 16, 2, 4, 16, 16}, {1, 3, 3, 4, 0, 3}};
  for (const Case &c : cases) {
    BlobModel model = richModel();
    model.parts = {{1, 1, c.heads, c.unit}, {4, 1, c.heads, c.unit}};
    ModelInfo info;
    std::unique_ptr<unsigned char[]> copy;
    ASSERT_EQ(readBlob(model.bytes(), info, copy), MOE_STATUS_OK) << lastError();
    info.takeParts(c.rank, c.ranks);
    EXPECT_EQ(info.partOf(1)->first, c.first) << c.heads << " heads, rank " << c.rank << " of " << c.ranks;
    EXPECT_EQ(info.inputs[1].dims[1].size, c.count) << c.heads << " heads, rank " << c.rank << " of " << c.ranks;
    EXPECT_EQ(info.outputs[1].dims[1].size, c.count);
    EXPECT_EQ(info.inputs[1].dims[0].size, -1);
  }
}

TEST(ModelInfo, EveryTruncationIsRefused) {
  const std::vector<unsigned char> whole = richModel().bytes();
  BlobModel alone = richModel();
  alone.devices = 1;
  for (size_t size = 0; size < whole.size(); ++size) {
    if (size == alone.bytes().size())
      continue; // What is left with a header that agrees is a model for one device.
    // Once with the size that the header had, once with a header that agrees with the file.
    for (bool patched : {false, true}) {
      std::vector<unsigned char> cut(whole.begin(), whole.begin() + size);
      if (patched && size >= 16)
        *reinterpret_cast<uint32_t *>(&cut[12]) = uint32_t(size);
      ModelInfo info;
      std::unique_ptr<unsigned char[]> copy;
      EXPECT_EQ(readBlob(cut, info, copy), MOE_STATUS_BAD_ARTIFACT) << size << " bytes";
    }
  }
}

TEST(ModelInfo, NoChangedByteBreaksTheReader) {
  const std::vector<unsigned char> whole = richModel().bytes();
  for (size_t at = 0; at < whole.size(); ++at)
    for (unsigned char value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      std::vector<unsigned char> changed = whole;
      changed[at] = value;
      ModelInfo info;
      std::unique_ptr<unsigned char[]> copy;
      if (readBlob(changed, info, copy) != MOE_STATUS_OK)
        continue;
      // What was accepted must be usable.
      for (uint32_t i = 0; i < info.numInputs; ++i)
        EXPECT_LT(strlen(info.inputs[i].name), whole.size());
      for (uint32_t v = 0; v < info.numVersions; ++v)
        for (uint32_t s = 0; s < info.versions[v].numSections; ++s)
          EXPECT_LT(info.versions[v].sections[s], info.numSections);
    }
}

TEST(ModelInfo, EachRuleHasItsMessage) {
  auto broken = [](auto &&change) {
    BlobModel model = richModel();
    change(model);
    return errorOf(model);
  };
  EXPECT_EQ(errorOf(richModel()), "no error");
  EXPECT_NE(broken([](BlobModel &m) { m.formatVersion = 99; }).find("format version"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.inputs[0].dtype = 8; }).find("unknown ONNX data type 8"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.inputs[0].dims.resize(33); }).find("at most 32 dims in 'x', found 33"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.inputs[0].dims[1].first = -2; }).find("dim 1 of 'x' has the size -2"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.inputs[0].name = std::string("a\0b", 3); }).find("NUL"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.pairs[0][0] = 3; }).find("names input 3 of 3"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.pairs.push_back({1, 0, 0}); }).find("of another pair"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.pairs[0][2] = 4; }).find("grows along dim 4"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.pairs[0][0] = 0; }).find("different ranks"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.sizeInputs = {3}; }).find("sizes depend on input 3 of 3"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.defaults[0].input = 3; }).find("default 0 is of input 3 of 3"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.defaults.push_back(m.defaults[0]); }).find("default 1 is of input 0 of 3, expected another"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.defaults[0].shape = {2}; }).find("expected a default of rank 2 for 'x', found rank 1"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.defaults[0].shape = {2, -1}; }).find("the default of 'x' has the size -1 in dim 1"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.defaults[0] = {2, {4}, std::string(32, 'a')}; }).find("the default of 'counts' has the size 4"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.defaults[0].shape = {2, 2}; }).find("has 8 bytes for 4 elements of 32 bits"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.sizeInputs = {0}; }).find("sizes depend on input 'x', expected at most 64 elements"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.inputs[2].dims[0].first = 65; }).find("sizes depend on input 'counts'"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.foundDims = {4, 1}; }).find("expected them in order"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.foundDims = {6}; }).find("finds out dim 6 of 6"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.sections[1].offset = 4097; }).find("multiple of 4096"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.sections[1].bytes = 11; }).find("reaches beyond model.weights"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.sections[1].bytes = ~0ull; }).find("reaches beyond model.weights"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.versions.clear(); }).find("at least one ISA version"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.versions[0].sections[0] = 2; }).find("'wide' reads weight section 2 of 2"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.devices = 5000; }).find("expected 2 to 4096 devices, found 5000"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.shards[0].section = 2; }).find("shard 0 is in weight section 2 of 2"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.shards[0].offset = 41; }).find("shard 0 reaches beyond its section of 100 bytes"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.shards[0].expertBytes = ~0ull; }).find("shard 0 reaches beyond its section"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.shards[0].experts = 0; m.shards[0].slots = {}; }).find("shard 0 reaches beyond its section"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.shards[0].slots[3] = 3; }).find("shard 0 has a slot of expert 3 of 3"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.shards[0].slotsPerDevice = 3; }).find("shard 0 has 4 slots, 3 a device, for 4 devices"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.devices = 3; }).find("shard 0 has 4 slots, 2 a device, for 3 devices"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.parts[1][0] = 5; }).find("part 1 is of tensor 5 of 5"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.parts[1][0] = 1; }).find("part 1 is of tensor 1 of 5, expected them in order"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.parts[0][1] = 3; }).find("part 0 ('past') is of dim 3"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.parts[0][1] = 4; }).find("part 0 ('past') is of dim 4"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.parts[0][2] = 0; }).find("part 0 ('past') is of dim 1, 0 heads of 1"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.parts[0][2] = 1u << 31; m.parts[0][3] = 2; }).find("part 0 ('past')"), std::string::npos);
  EXPECT_NE(broken([](BlobModel &m) { m.parts[0][3] = 0; }).find("2 heads of 0"), std::string::npos);
  std::vector<unsigned char> longer = richModel().bytes();
  longer.push_back(0);
  *reinterpret_cast<uint32_t *>(&longer[12]) += 1;
  ModelInfo info;
  EXPECT_EQ(info.read(longer.data(), longer.size()), MOE_STATUS_BAD_ARTIFACT);
  EXPECT_NE(std::string(lastError()).find("expected the end, found 1 more"), std::string::npos);
}

} // namespace
