// The importer on models written by hand: what it makes of valid ones, and that every invalid one gets one clear error.
#include "ImportFixture.h"

using namespace moe::test;

namespace {

TEST_F(ImportTest, SmallModel) {
  std::string text = imported(smallModel());
  EXPECT_NE(text.find("func.func @main(%arg0: tensor<?x4xf32> {moe.dims = [\"n\", \"4\"], moe.name = \"x\"}) -> (tensor<?x2xf32> {moe.dims = [\"n\", \"2\"], "
                      "moe.name = \"y\"}) attributes {moe.entry}"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("moe.onnx \"MatMul\"(%arg0, %cst) version 13 {} : (tensor<?x4xf32>, tensor<4x2xf32>) -> tensor<?x2xf32>"), std::string::npos) << text;
  // Names of nodes are locations; one without a name is called by op and position.
  text = imported(smallModel(), /*withLocations=*/true);
  EXPECT_NE(text.find("loc(\"first\"("), std::string::npos) << text;
  EXPECT_NE(text.find("loc(\"Add#1\"("), std::string::npos) << text;
}

TEST_F(ImportTest, LargeTensorsStayInTheFile) {
  ModelParts parts = smallModel();
  std::vector<float> values(1100);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(i) + 0.5f;
  // Once as raw_data, once as one packed run of float_data, whose layout is the same.
  parts.initializers.push_back(rawTensor("raw", 1, {1100}, bytesOf(values)));
  parts.initializers.push_back(tensorHead("packed", 1, {1100}).text(moe::wire::TensorProtoField::FloatData, bytesOf(values)));
  parts.nodes.push_back(node("Mul", {"raw", "packed"}, {"z"}));
  parts.outputs.push_back(valueInfo("z", 1, {"1100"}));
  auto module = import(parts);
  ASSERT_TRUE(module) << errors();
  std::string bytes = parts.bytes();
  int found = 0;
  module->walk([&](moe::WeightOp weight) {
    auto file = mlir::cast<moe::FileAttr>(*weight.getSource());
    EXPECT_EQ(file.getPath(), modelPath());
    EXPECT_EQ(file.getLength(), 4400);
    EXPECT_EQ(bytes.substr(file.getOffset(), file.getLength()), bytesOf(values)) << weight.getSymName().str();
    ++found;
  });
  EXPECT_EQ(found, 2);
}

TEST_F(ImportTest, ConstantForms) {
  using F = moe::wire::AttributeProtoField;
  ModelParts parts;
  parts.outputs = {valueInfo("i", 7, {}), valueInfo("l", 7, {"2"}), valueInfo("f", 1, {}), valueInfo("t", 22, {"3"})};
  parts.nodes = {
      node("Constant", {}, {"i"}, {intAttribute("value_int", 7)}),
      node("Constant", {}, {"l"}, {Message().text(F::Name, "value_ints").varint(F::Ints, 3).varint(F::Ints, uint64_t(-4)).varint(F::Type, 7)}),
      node("Constant", {}, {"f"}, {Message().text(F::Name, "value_float").raw(F::F << 3 | 5)}),
      node("Constant", {}, {"t"}, {Message().text(F::Name, "value").message(F::T, rawTensor("", 22, {3}, "\x71\x0f")).varint(F::Type, 4)})};
  float half = 0.5f;
  parts.nodes[2] = node("Constant", {}, {"f"}, [&] {
    Message attribute = Message().text(F::Name, "value_float").raw(F::F << 3 | 5);
    attribute.bytes.append(reinterpret_cast<const char *>(&half), sizeof half);
    return std::vector<Message>{attribute};
  }());
  std::string text = imported(parts);
  for (const char *expected : {"dense<7> : tensor<i64>", "dense<[3, -4]> : tensor<2xi64>", "dense<5.000000e-01> : tensor<f32>", "dense<[1, 7, -1]> : tensor<3xi4>"})
    EXPECT_NE(text.find(expected), std::string::npos) << text;
}

TEST_F(ImportTest, NodesAreSorted) {
  ModelParts parts = smallModel();
  std::swap(parts.nodes[0], parts.nodes[1]);
  std::string text = imported(parts);
  EXPECT_LT(text.find("\"MatMul\""), text.find("\"Add\"")) << text;
}

TEST_F(ImportTest, AbsentOperandsAndResults) {
  ModelParts parts;
  parts.inputs = {valueInfo("x", 1, {"n", "8"})};
  parts.initializers = {rawTensor("low", 1, {}, bytesOf<float>({0})), rawTensor("g", 1, {8}, bytesOf(std::vector<float>(8, 1.0f)))};
  parts.opsets = {Message().text(1, "com.microsoft").varint(2, 1)};
  parts.nodes = {node("Clip", {"x", "", "low"}, {"c"}),
                 node("SkipSimplifiedLayerNormalization", {"c", "x", "g"}, {"y", "", "", "sum"}, {}, "", "com.microsoft")};
  parts.outputs = {valueInfo("y", 1, {"n", "8"}), valueInfo("sum", 1, {"n", "8"})};
  std::string text = imported(parts);
  EXPECT_NE(text.find("moe.absent : none"), std::string::npos) << text;
  EXPECT_NE(text.find("domain \"com.microsoft\" version 1"), std::string::npos) << text;
  EXPECT_NE(text.find("-> (tensor<?x8xf32>, none, none, tensor<?x8xf32>)"), std::string::npos) << text;
}

TEST_F(ImportTest, OutputsMayBeInputsAndInitializers) {
  ModelParts parts = smallModel();
  parts.outputs.push_back(valueInfo("x", 1, {"n", "4"}));
  parts.outputs.push_back(valueInfo("b", 1, {"2"}));
  // An input with an initializer has a default and is not asked for.
  parts.inputs.push_back(valueInfo("b", 1, {"2"}));
  std::string text = imported(parts);
  EXPECT_EQ(text.find("%arg1"), std::string::npos) << text;
  EXPECT_NE(text.find("-> (tensor<?x2xf32> {moe.dims = [\"n\", \"2\"], moe.name = \"y\"}, tensor<?x4xf32>"), std::string::npos) << text;
}

TEST_F(ImportTest, WeightNamesAreUnique) {
  ModelParts parts;
  parts.inputs = {valueInfo("x", 1, {"2000"})};
  parts.outputs = {valueInfo("y", 1, {"2000"})};
  parts.initializers = {rawTensor("main", 1, {2000}, std::string(8000, '\1'))};
  parts.nodes = {node("Add", {"x", "main"}, {"y"})};
  auto module = import(parts);
  ASSERT_TRUE(module) << errors();
  EXPECT_TRUE(module->lookupSymbol<mlir::func::FuncOp>("main"));
  EXPECT_TRUE(mlir::succeeded(mlir::verify(*module)));
}

TEST_F(ImportTest, NewerOpsThanTheOpsetAreTakenWithAWarning) {
  ModelParts parts = smallModel();
  parts.nodes.push_back(node("Swish", {"y"}, {"z"}));
  parts.outputs = {valueInfo("z", 1, {"n", "2"})};
  EXPECT_NE(imported(parts).find("\"Swish\"(%1) version 24"), std::string::npos);
  EXPECT_NE(messages().find("Swish is newer than the declared opset 20; it is taken as in opset 24"), std::string::npos) << messages();
}

TEST_F(ImportTest, DimsCanBeFixed) {
  options.fixedDims = {{"n", 3}};
  std::string text = imported(smallModel());
  EXPECT_NE(text.find("%arg0: tensor<3x4xf32> {moe.dims = [\"3\", \"4\"]"), std::string::npos) << text;
  EXPECT_NE(text.find("-> (tensor<3x2xf32> {moe.dims = [\"3\", \"2\"]"), std::string::npos) << text;
  options.fixedDims = {{"m", 3}};
  EXPECT_EQ(failure(smallModel()), "no input has a dim called 'm'; there are 'n'");
  options.fixedDims = {{"n", 0}};
  EXPECT_NE(imported(smallModel()).find("%arg0: tensor<0x4xf32>"), std::string::npos);
  options.fixedDims = {{"n", -1}};
  EXPECT_EQ(failure(smallModel()), "input 'x': expected sizes of at least 0, found -1");
}

TEST_F(ImportTest, DimsWithoutNames) {
  ModelParts parts = smallModel();
  parts.inputs = {valueInfo("x", 1, {"?", "4"})};
  EXPECT_NE(imported(parts).find("tensor<?x4xf32> {moe.dims = [\"?\", \"4\"]"), std::string::npos);
}

//===-- Errors -----------------------------------------------------------===//

TEST_F(ImportTest, FilesThatAreNoModels) {
  EXPECT_NE(failure("").find("not an ONNX model: expected a graph and an ir_version of at least 1, found no graph and no ir_version"), std::string::npos);
  EXPECT_NE(failure("hello, world").find("not an ONNX model"), std::string::npos);
  moe::ImportOptions none;
  mlir::MLIRContext other;
  std::string message;
  mlir::ScopedDiagnosticHandler handler(&other, [&](mlir::Diagnostic &diagnostic) { message = diagnostic.str(); });
  EXPECT_FALSE(moe::importOnnx(other, "/nonexistent/model.onnx", none));
  EXPECT_EQ(message, "cannot open the model: No such file or directory");
  EXPECT_FALSE(moe::importOnnx(other, "/", none));
  EXPECT_EQ(message, "cannot open the model: not a regular file");
}

TEST_F(ImportTest, EveryPrefixIsAnError) {
  std::string bytes = smallModel().bytes();
  for (size_t length = 0; length < bytes.size(); ++length)
    EXPECT_NE(failure(bytes.substr(0, length)), "") << length;
}

TEST_F(ImportTest, NoChangedByteCrashes) {
  std::string bytes = smallModel().bytes();
  int refused = 0;
  for (size_t at = 0; at < bytes.size(); ++at)
    for (unsigned char value : {0x00, 0x7f, 0xff}) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(value);
      refused += !importBytes(changed);
    }
  EXPECT_GT(refused, 100);
}

TEST_F(ImportTest, Garbage) {
  uint32_t state = 1;
  for (int round = 0; round < 500; ++round) {
    std::string bytes(round % 97 + 1, '\0');
    for (char &byte : bytes)
      byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
    EXPECT_NE(failure(bytes), "") << round;
  }
}

TEST_F(ImportTest, DeepNesting) {
  using A = moe::wire::AttributeProtoField;
  // A graph in an attribute of a node in a graph, and so on.
  Message graph;
  for (int depth = 0; depth < 200; ++depth) {
    Message attribute = Message().text(A::Name, "body").message(A::G, graph).varint(A::Type, 5);
    graph = Message().message(moe::wire::GraphProtoField::Node, node("If", {}, {}, {attribute}));
  }
  Message model = Message().varint(moe::wire::ModelProtoField::IrVersion, 10).message(moe::wire::ModelProtoField::Graph, graph);
  EXPECT_NE(failure(model.bytes).find("messages are nested deeper than 100"), std::string::npos);
}

TEST_F(ImportTest, GraphErrors) {
  ModelParts cycle = smallModel();
  cycle.nodes[0] = node("MatMul", {"y", "w"}, {"product"}, {}, "first");
  EXPECT_EQ(failure(cycle), "node 'first' (MatMul): the node depends on its own result: the graph has the cycle 'first' -> 'Add#1' -> 'first'");
  ModelParts twice = smallModel();
  twice.nodes.push_back(node("Neg", {"x"}, {"y"}, {}, "again"));
  EXPECT_EQ(failure(twice), "node 'again' (Neg): output 'y' is already the output of a node");
  ModelParts shadow = smallModel();
  shadow.nodes.push_back(node("Neg", {"x"}, {"w"}, {}, "shadow"));
  EXPECT_EQ(failure(shadow), "node 'shadow' (Neg): output 'w' has the name of an input or initializer");
  ModelParts unknown = smallModel();
  unknown.nodes[1] = node("Add", {"product", "c"}, {"y"});
  EXPECT_EQ(failure(unknown), "node 'Add#1' (Add): input 'c' is no input or initializer of the graph and no result of a node");
  ModelParts output = smallModel();
  output.outputs.push_back(valueInfo("nowhere", 1, {}));
  EXPECT_EQ(failure(output), "output 'nowhere' is no input, initializer or result of a node");
  ModelParts noOutputs = smallModel();
  noOutputs.outputs.clear();
  EXPECT_EQ(failure(noOutputs), "expected a graph with outputs, found none");
  ModelParts initializers = smallModel();
  initializers.initializers.push_back(initializers.initializers[0]);
  EXPECT_EQ(failure(initializers), "expected one initializer called 'w', found two");
  ModelParts inputs = smallModel();
  inputs.inputs.push_back(inputs.inputs[0]);
  EXPECT_EQ(failure(inputs), "expected one input called 'x', found two");
}

TEST_F(ImportTest, TypeErrors) {
  ModelParts noShape = smallModel();
  noShape.inputs = {valueInfo("x", 1, {}, /*hasShape=*/false)};
  EXPECT_EQ(failure(noShape), "input 'x': expected a shape, found none; the rank must be known");
  ModelParts strings = smallModel();
  strings.inputs = {valueInfo("x", 8, {"n", "4"})};
  EXPECT_EQ(failure(strings), "input 'x': expected a data type of numbers, found STRING");
  ModelParts noNumber = smallModel();
  noNumber.inputs = {valueInfo("x", 99, {"n", "4"})};
  EXPECT_EQ(failure(noNumber), "input 'x': expected a data type of numbers, found data type 99");
  ModelParts sequence = smallModel();
  sequence.inputs = {Message().text(1, "x").message(2, Message().message(moe::wire::TypeProtoField::SequenceType, Message()))};
  EXPECT_EQ(failure(sequence), "input 'x': expected a tensor, found a type that is no tensor");
  ModelParts weight = smallModel();
  weight.initializers[0] = rawTensor("w", 1, {4, 2}, "too short");
  EXPECT_NE(failure(weight).find("tensor 'w' of FLOAT and dims [4,2]: expected 32 bytes, found 9"), std::string::npos);
}

TEST_F(ImportTest, OpsetErrors) {
  ModelParts none = smallModel();
  none.opset = 0;
  EXPECT_EQ(failure(none), "expected opset_import, found none");
  ModelParts other = smallModel();
  other.opset = 0;
  other.opsets = {Message().text(1, "com.microsoft").varint(2, 1)};
  EXPECT_EQ(failure(other), "node 'first' (MatMul): expected an opset_import for the domain '', found none");
  ModelParts two = smallModel();
  two.opsets = {Message().varint(2, 18)};
  EXPECT_EQ(failure(two), "expected one opset version for domain '', found 18 and 20");
}

TEST_F(ImportTest, WhatIsNotSupportedNamesTheNode) {
  using A = moe::wire::AttributeProtoField;
  ModelParts unknown = smallModel();
  unknown.nodes[1] = node("Frobnicate", {"product"}, {"y"}, {}, "odd");
  EXPECT_EQ(failure(unknown), "node 'odd' (Frobnicate, version 20): there is no rule to infer its shape; the op is not supported");
  ModelParts branch = smallModel();
  branch.nodes[1] = node("If", {"product"}, {"y"}, {Message().text(A::Name, "then_branch").message(A::G, Message()).varint(A::Type, 5)}, "choice");
  EXPECT_EQ(failure(branch), "node 'choice' (If): expected a graph in attribute 'else_branch', found none");
  ModelParts function = smallModel();
  function.more.message(moe::wire::ModelProtoField::Functions, Message().text(1, "Add").text(10, "local"));
  function.opsets = {Message().text(1, "local").varint(2, 1)};
  function.nodes[1] = node("Add", {"product", "b"}, {"y"}, {}, "call", "local");
  EXPECT_EQ(failure(function), "node 'call' (Add): expected at most 0 inputs and 0 outputs, which the function has, found 2 and 1");
}

} // namespace
