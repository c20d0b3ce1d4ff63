// What an artifact says about its model: the binary description against the runtime's test encoder and its reader, JSON and model.h by content.
#include "../Runtime/InfoBlob.h"
#include "TestModule.h"
#include "moe/Machine/Cpuid.h"
#include "moe/Package/Package.h"
#include "moe/Runtime/Error.h"
#include "moe/Runtime/ModelInfoReader.h"

#include "llvm/Support/JSON.h"

using namespace moe;

namespace {

using DescriptionTest = ModuleTest;

const char *cacheModule = R"(
  module attributes {moe.checks = ["expected seq to be even"], moe.faults = ["an id", "a position"]} {
    func.func @entry(%x: memref<?x?xf32> {moe.name = "x", moe.dims = ["batch", "seq"], moe.input = 0 : i64},
        %past: memref<?x2x?x4xf32, strided<[?, ?, ?, 1]>> {moe.name = "past", moe.dims = ["batch", "2", "past", "4"], moe.input = 1 : i64,
          moe.past_of = 1 : i64},
        %y: memref<?x?xf32> {moe.name = "y", moe.dims = ["batch", "seq"], moe.output = 0 : i64},
        %present: memref<?x2x?x4xf32, strided<[?, ?, ?, 1]>> {moe.name = "present", moe.dims = ["batch", "2", "total", "4"],
          moe.output = 1 : i64, moe.present_of = 1 : i64},
        %arena: memref<?xi8> {moe.arena}) attributes {moe.entry} {
      return
    }
  })";

std::vector<uint8_t> infoOf(const ModelDescription &model) {
  std::vector<uint8_t> bytes;
  std::string error;
  EXPECT_TRUE(writeModelInfo(model, bytes, error)) << error;
  return bytes;
}

} // namespace

TEST_F(DescriptionTest, BinaryFormIsTheOneThatTheRuntimeTests) {
  auto module = parse(cacheModule);
  auto model = describeModel(*module);
  ASSERT_TRUE(succeeded(model)) << takeDiagnostics();
  model->isaVersions = {{"avx2", {"avx2", "fma"}, {1, 2}}, {"plain", {}, {1}}};
  model->weights.bytes = 5000;
  model->weights.sha256.fill(0xab);
  model->weights.sections.resize(3);
  model->weights.sections[1].bytes = 4096;
  model->weights.sections[2].offset = 4096;
  model->weights.sections[2].bytes = 904;
  MoeLayerInfo layer;
  layer.name = "layer 0";
  layer.form = "batched";
  layer.experts = 8;
  layer.topK = 2;
  layer.hidden = 64;
  layer.intermediate = 96;
  model->layers = {layer};

  BlobModel expected = cacheModel();
  expected.versions = {{"avx2", CpuAvx2 | CpuFma, {1, 2}}, {"plain", 0, {1}}};
  expected.weightsBytes = 5000;
  expected.weightsSha256 = std::string(32, '\xab');
  expected.sections = {{0, 0, 0}, {1, 0, 4096}, {2, 4096, 904}};
  expected.layers = {{"layer 0", "batched", {8, 2, 64, 96}}};
  std::vector<uint8_t> bytes = infoOf(*model);
  EXPECT_EQ(bytes, expected.bytes());

  runtime::ModelInfo info;
  ASSERT_EQ(info.read(bytes.data(), bytes.size()), MOE_STATUS_OK);
  EXPECT_STREQ(info.inputs[1].name, "past");
  EXPECT_EQ(info.inputs[1].pair, 1);
  EXPECT_EQ(info.inputs[1].pair_axis, 2);
}

TEST_F(DescriptionTest, DTypesAndNames) {
  auto module = parse(R"(
    func.func @entry(%a: memref<3xui8> {moe.name = "bytes", moe.input = 0 : i64}, %b: memref<i1> {moe.input = 1 : i64},
        %c: memref<?xi16> {moe.dtype = ui16, moe.dims = ["?"], moe.input = 2 : i64}, %d: memref<1xbf16> {moe.output = 0 : i64})
        attributes {moe.entry} {
      return
    })");
  auto model = describeModel(*module);
  ASSERT_TRUE(succeeded(model)) << takeDiagnostics();
  EXPECT_EQ(model->inputs[0].dataType, OnnxUint8);
  EXPECT_EQ(model->inputs[0].dims[0].size, 3);
  EXPECT_EQ(model->inputs[1].name, "input_1");
  EXPECT_EQ(model->inputs[1].dataType, OnnxBool);
  EXPECT_TRUE(model->inputs[1].dims.empty());
  EXPECT_EQ(model->inputs[2].dataType, OnnxUint16);
  EXPECT_EQ(model->inputs[2].dims[0].size, dynamicDim);
  EXPECT_EQ(model->inputs[2].dims[0].symbol, "");
  EXPECT_EQ(model->outputs[0].dataType, OnnxBfloat16);
  EXPECT_EQ(dataTypeName(model->outputs[0].dataType), "bfloat16");
}

TEST_F(DescriptionTest, NarrowTypesAreHeldInBytes) {
  const std::tuple<const char *, uint32_t, const char *> types[] = {
      {"f8E4M3FN", OnnxFloat8e4m3fn, "float8_e4m3fn"}, {"f8E4M3FNUZ", OnnxFloat8e4m3fnuz, "float8_e4m3fnuz"}, {"f8E5M2", OnnxFloat8e5m2, "float8_e5m2"},
      {"f8E5M2FNUZ", OnnxFloat8e5m2fnuz, "float8_e5m2fnuz"}, {"f8E8M0FNU", OnnxFloat8e8m0, "float8_e8m0fnu"}, {"f6E2M3FN", OnnxFloat6e2m3, "float6_e2m3fn"},
      {"f6E3M2FN", OnnxFloat6e3m2, "float6_e3m2fn"}, {"f4E2M1FN", OnnxFloat4e2m1, "float4_e2m1fn"}, {"i4", OnnxInt4, "int4"},
      {"ui4", OnnxUint4, "uint4"}, {"i2", OnnxInt2, "int2"}, {"ui2", OnnxUint2, "uint2"}};
  for (auto [type, number, name] : types) {
    auto module = parse(std::string("func.func @entry(%a: memref<2xi8> {moe.input = 0 : i64, moe.dtype = ") + type + "}) attributes {moe.entry} {\n return\n}");
    auto model = describeModel(*module);
    ASSERT_TRUE(succeeded(model)) << type << takeDiagnostics();
    EXPECT_EQ(model->inputs[0].dataType, number);
    EXPECT_EQ(dataTypeName(number), name);
  }
}

TEST_F(DescriptionTest, RefusesWrongEntries) {
  auto expect = [&](const std::string &arguments, const std::string &message) {
    auto module = parse("func.func @entry(" + arguments + ") attributes {moe.entry} {\n return\n}");
    EXPECT_TRUE(failed(describeModel(*module)));
    EXPECT_NE(takeDiagnostics().find(message), std::string::npos) << arguments;
  };
  expect("%a: memref<2xf32> {moe.input = 1 : i64}, %b: memref<2xf32> {moe.output = 0 : i64}", "has no argument that is input 0");
  expect("%a: memref<2xf32> {moe.input = 0 : i64}, %b: memref<2xf32> {moe.input = 0 : i64}", "moe.input 0 occurs twice");
  expect("%a: memref<2xf32> {moe.input = 9 : i64}", "moe.input 9 is out of range");
  expect("%a: tensor<2xf32> {moe.input = 0 : i64}", "expected a memref");
  expect("%a: memref<2xi4> {moe.name = \"q\", moe.input = 0 : i64}", "(q): elements of type 'i4' cannot be a model's input");
  auto module = parse("module {}");
  EXPECT_TRUE(failed(describeModel(*module)));
}

TEST_F(DescriptionTest, RefusesFeaturesThatNoLoaderTests) {
  ModelDescription model;
  model.isaVersions = {{"strange", {"avx2", "avx10.2"}, {}}};
  std::vector<uint8_t> bytes;
  std::string error;
  EXPECT_FALSE(writeModelInfo(model, bytes, error));
  EXPECT_EQ(error, "CPU feature 'avx10.2' is not one that a loader can test for");
}

TEST_F(DescriptionTest, PairsNeedOneGrowingAxis) {
  std::string text = cacheModule;
  // Two axes differ: no pair, and no error, for two buffers always work.
  text.replace(text.find("[\"batch\", \"2\", \"total\""), 10, "[\"other\",  ");
  auto model = describeModel(*parse(text));
  ASSERT_TRUE(succeeded(model)) << takeDiagnostics();
  EXPECT_TRUE(model->cachePairs.empty());
}

TEST_F(DescriptionTest, RanksHaveTheSamePartOfPastAndPresent) {
  std::string text = cacheModule;
  for (size_t at = 0; (at = text.find("memref<?x2x?x4xf32", at)) != std::string::npos;)
    text.replace(at, 18, "memref<?x?x?x4xf32");
  for (size_t at = 0; (at = text.find("[\"batch\", \"2\",", at)) != std::string::npos; at += 10)
    text.replace(at, 14, "[\"batch\", \"?\",");
  auto model = describeModel(*parse(text));
  ASSERT_TRUE(succeeded(model)) << takeDiagnostics();
  EXPECT_TRUE(model->cachePairs.empty()); // Two axes may differ.
  for (const char *name : {"moe.name = \"past\"", "moe.name = \"present\""})
    text.insert(text.find(name), "moe.part = array<i64: 1, 8, 4>, ");
  model = describeModel(*parse(text));
  ASSERT_TRUE(succeeded(model)) << takeDiagnostics();
  ASSERT_EQ(model->cachePairs.size(), 1u);
  EXPECT_EQ(model->cachePairs[0].axis, 2u);
  ASSERT_TRUE(model->outputs[1].part);
  EXPECT_EQ(model->outputs[1].part->heads, 8u);
  EXPECT_EQ(model->outputs[1].part->unit, 4u);
  EXPECT_NE(modelHeaderText(*model).find("past  float32 [batch, this rank's of 32, past, 4]"), std::string::npos) << modelHeaderText(*model);
  // The binary form has them behind the devices.
  model->devices = 2;
  model->isaVersions = {{"plain", {}, {}}};
  const std::vector<uint8_t> blob = infoOf(*model);
  runtime::ModelInfo info;
  ASSERT_EQ(info.read(blob.data(), blob.size()), MOE_STATUS_OK) << runtime::lastError();
  ASSERT_EQ(info.numParts, 2u);
  ASSERT_NE(info.partOf(3), nullptr);
  EXPECT_EQ(info.partOf(3)->unit, 4u);
  // Of a dim that is fixed, or is none.
  for (const char *part : {"array<i64: 3, 8, 4>", "array<i64: 4, 8, 4>", "array<i64: 1, 0, 4>", "array<i64: 1, 8>"}) {
    std::string other = text;
    other.replace(other.find("array<i64: 1, 8, 4>"), 19, part);
    EXPECT_TRUE(failed(describeModel(*parse(other)))) << part;
    EXPECT_NE(takeDiagnostics().find("(past): expected a part as a dynamic dim, heads and places of a head"), std::string::npos);
  }
}

TEST_F(DescriptionTest, Manifest) {
  auto model = describeModel(*parse(cacheModule));
  ASSERT_TRUE(succeeded(model));
  model->inputs[0].name = "a \"quoted\" \xff name";
  model->isaVersions = {{"avx2", {"avx2", "fma"}, {1}}};
  model->weights.bytes = 96;
  model->weights.sections.resize(2);
  model->weights.sections[1] = {"panel32", 0, 96, {}};
  model->weights.sections[1].sha256.fill(0x5a);
  MoeLayerInfo layer;
  layer.name = "layer 0";
  layer.activation = "silu";
  layer.gated = true;
  layer.topK = 2;
  model->layers = {layer};
  model->source.producerName = "someone";
  model->source.version = 3;
  model->source.metadata = {{"license", "none"}};
  ArtifactOptions options;
  options.compilerOptions = {{"cpu-features", "avx2"}};
  auto parsed = llvm::json::parse(manifestText(*model, options));
  ASSERT_TRUE(static_cast<bool>(parsed)) << llvm::toString(parsed.takeError());
  const llvm::json::Object &manifest = *parsed->getAsObject();
  EXPECT_EQ(manifest.getInteger("format_version"), 1);
  const llvm::json::Object &source = *manifest.getObject("model");
  EXPECT_EQ(source.getString("producer_name"), "someone");
  EXPECT_EQ(source.getString("description"), "");
  EXPECT_EQ(source.getInteger("version"), 3);
  EXPECT_EQ(source.getObject("custom_metadata_map")->getString("license"), "none");
  EXPECT_EQ(manifest.getObject("compiler")->getObject("options")->getString("cpu-features"), "avx2");
  const llvm::json::Object &past = *(*manifest.getArray("inputs"))[1].getAsObject();
  EXPECT_EQ(past.getString("name"), "past");
  EXPECT_EQ(past.getString("dtype"), "float32");
  EXPECT_EQ(llvm::json::Value(llvm::json::Array(*past.getArray("dims"))), llvm::json::Value(llvm::json::Array{"batch", 2, "past", 4}));
  EXPECT_EQ((*manifest.getArray("kv_pairs"))[0].getAsObject()->getInteger("axis"), 2);
  const llvm::json::Object &found = *(*manifest.getArray("moe_layers"))[0].getAsObject();
  EXPECT_EQ(found.getInteger("top_k"), 2);
  EXPECT_EQ(found.getBoolean("gated"), true);
  EXPECT_EQ((*manifest.getArray("isa_versions"))[0].getAsObject()->getArray("features")->size(), 2u);
  const llvm::json::Array &sections = *manifest.getObject("weights")->getArray("sections");
  ASSERT_EQ(sections.size(), 1u);
  EXPECT_EQ(sections[0].getAsObject()->getInteger("id"), 1);
  EXPECT_EQ(sections[0].getAsObject()->getString("sha256")->substr(0, 4), "5a5a");
}

TEST_F(DescriptionTest, HeaderSurvivesHostileNames) {
  auto model = describeModel(*parse(cacheModule));
  ASSERT_TRUE(succeeded(model));
  model->inputs[0].name = "x */ int evil; /*\n#error";
  model->inputs[0].dims[0].symbol = "*/";
  std::string header = modelHeaderText(*model);
  EXPECT_NE(header.find("0  x *_ int evil; /*_#error  float32 [*_, seq]"), std::string::npos) << header.substr(0, 600);
  EXPECT_NE(header.find("input 1 and output 1, which is longer along dim 2"), std::string::npos);
  EXPECT_NE(header.find("moe_context_run"), std::string::npos);
}

TEST_F(DescriptionTest, CollectsLayers) {
  auto module = parse(R"(
    moe.weight @w1 : tensor<8x192x64xf16> source(dense<1.0> : tensor<8x192x64xf16>)
    func.func @main(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %given: tensor<?x3xi64>, %w2: tensor<8x64x96xf32>, %w3: tensor<4x64x24xf32>, %w4: tensor<4x24x64xf32>) {
      %w1 = moe.weight_ref @w1 : tensor<8x192x64xf16>
      %scores, %choice = moe.score sigmoid %logits : tensor<?x8xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
      %t, %e, %r, %v, %kth = moe.select top_k %choice : tensor<?x8xf32> {k = 2 : i64}
        -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>, tensor<?x2xf32>
      %slot, %keep, %count, %off = moe.slots %t, %e, %r, %v {experts = 8 : i64}
        : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<8xi32>, tensor<9xi32>
      %y = moe.experts %x, %off gate(%w1 : tensor<8x192x64xf16>) down(%w2 : tensor<8x64x96xf32>)
        {ffn = #moe.ffn<activation = silu, gate = halves>, origin = #moe.origin<"layers.0", "batched">}
        : tensor<?x64xf32>, tensor<9xi32> -> tensor<?x64xf32>
      %t1, %e1, %r1, %v1 = moe.assign %given : tensor<?x3xi64> -> tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1>
      %slot1, %keep1, %count1, %off1 = moe.slots %t1, %e1, %r1, %v1 {experts = 4 : i64}
        : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi1> -> tensor<?xi32>, tensor<?xi1>, tensor<4xi32>, tensor<5xi32>
      %z = moe.experts %y, %off1 gate(%w3 : tensor<4x64x24xf32>) down(%w4 : tensor<4x24x64xf32>)
        {ffn = #moe.ffn<activation = relu>, order = #moe<weight_order in_out>} : tensor<?x64xf32>, tensor<5xi32> -> tensor<?x64xf32>
      return
    })");
  std::vector<MoeLayerInfo> layers = collectMoeLayers(*module);
  ASSERT_EQ(layers.size(), 2u);
  EXPECT_EQ(layers[0].name, "layers.0");
  EXPECT_EQ(layers[0].form, "batched");
  EXPECT_EQ(layers[0].experts, 8);
  EXPECT_EQ(layers[0].topK, 2);
  EXPECT_EQ(layers[0].hidden, 64);
  EXPECT_EQ(layers[0].intermediate, 96);
  EXPECT_EQ(layers[0].activation, "silu");
  EXPECT_TRUE(layers[0].gated);
  EXPECT_EQ(layers[0].router, "sigmoid top_k");
  EXPECT_EQ(layers[0].weightType, "f16");
  EXPECT_EQ(layers[1].form, "mlir");
  EXPECT_EQ(layers[1].experts, 4);
  EXPECT_EQ(layers[1].topK, 3);
  EXPECT_EQ(layers[1].intermediate, 24);
  EXPECT_FALSE(layers[1].gated);
  EXPECT_EQ(layers[1].router, "given");
}
