//===- Model.h - an ONNX model as it lies in the file -----------*- C++ -*-===//
// The messages of an ONNX model as plain structs of views into the file: nothing is copied, nothing is interpreted. Doc strings
// and metadata of parts are skipped. No LLVM here.
#ifndef MOE_IMPORT_WIRE_MODEL_H
#define MOE_IMPORT_WIRE_MODEL_H

#include "moe/Import/Wire/Fields.h"
#include "moe/Import/Wire/TensorProto.h"

#include <memory>

namespace moe::wire {

/// A dim of a type: a number, a name, or neither.
struct Dimension {
  enum class Kind { Unset, Value, Param } kind = Kind::Unset;
  int64_t value = 0;
  std::string_view param;
};

/// TypeProto. Only tensors are read further.
struct Type {
  enum class Kind { None, Tensor, Sequence, Map, Optional, SparseTensor, Opaque } kind = Kind::None;
  DataType element = DataType::UNDEFINED;
  bool hasShape = false;
  std::vector<Dimension> dims;
};

struct ValueInfo {
  std::string_view name;
  Type type;
};

struct Graph;

/// AttributeProto. `type` says which value is meant; where a file older than IR 2 leaves it out, it is the value that is there.
struct Attribute {
  std::string_view name, refName;
  AttributeType type = AttributeType::Undefined;
  float f = 0;
  int64_t i = 0;
  std::string_view s;
  std::vector<float> floats;
  std::vector<int64_t> ints;
  std::vector<std::string_view> strings;
  /// One tensor or graph for `t` and `g`, any number for `tensors` and `graphs`.
  std::vector<TensorProto> tensor, tensors;
  std::vector<Graph> graph, graphs;
};

/// ShardedDimProto: an axis, and into how many shards its factors are divided.
struct ShardedAxis {
  struct Factor {
    Dimension size;
    std::optional<int64_t> shards;
  };
  std::optional<int64_t> axis;
  std::vector<Factor> factors;
};

/// ShardingSpecProto: a tensor of a node and who has which shard of it. A device that is a key of `groups` stands for those of its group.
struct ShardingSpec {
  struct Group {
    int64_t key = 0;
    std::vector<int64_t> devices;
  };
  std::string_view tensor;
  std::vector<int64_t> devices;
  std::vector<Group> groups;
  std::vector<ShardedAxis> axes;
};

/// NodeDeviceConfigurationProto.
struct NodeDevices {
  std::string_view configuration;
  std::vector<ShardingSpec> specs;
  std::optional<int32_t> stage;
};

/// DeviceConfigurationProto.
struct DeviceConfiguration {
  std::string_view name;
  std::optional<int32_t> devices;
  std::vector<std::string_view> names;
};

struct Node {
  std::string_view name, opType, domain, overload;
  std::vector<std::string_view> inputs, outputs;
  std::vector<Attribute> attributes;
  std::vector<NodeDevices> devices;
};

struct Graph {
  std::string_view name, docString;
  std::vector<Node> nodes;
  std::vector<TensorProto> initializers;
  std::vector<ValueInfo> inputs, outputs;
  /// value_info: what the file says of results of nodes.
  std::vector<ValueInfo> values;
  bool hasSparseInitializer = false;
};

struct OpsetImport {
  std::string_view domain;
  int64_t version = 0;
};

/// A model-local function. `attributes` are those that a call must give; `defaults` have values where it does not.
struct Function {
  std::string_view domain, name, overload;
  std::vector<std::string_view> inputs, outputs, attributes;
  std::vector<Attribute> defaults;
  std::vector<Node> nodes;
  std::vector<OpsetImport> opsets;
};

struct Model {
  std::optional<int64_t> irVersion;
  std::optional<int64_t> modelVersion;
  std::string_view producerName, producerVersion, domain, docString;
  std::vector<std::pair<std::string_view, std::string_view>> metadata; ///< Keys and values.
  std::vector<OpsetImport> opsets;
  std::vector<Function> functions;
  std::vector<DeviceConfiguration> configurations;
  bool hasGraph = false;
  Graph graph;
};

/// Parses a whole file. Nothing on an error, which `error` receives. The result points into `input`.
std::optional<Model> parseModel(Bytes input, WireError &error);

} // namespace moe::wire

#endif // MOE_IMPORT_WIRE_MODEL_H
