// One function per message. Each reads into a struct that may hold an earlier occurrence of the same field, which is protobuf's merging.
#include "moe/Import/Wire/Model.h"

namespace moe::wire {

static bool readGraph(MessageReader &reader, Graph &graph);

template <typename T>
static int64_t nextIndex(const std::vector<T> &values) {
  return static_cast<int64_t>(values.size());
}

/// Appends an element to a repeated field of messages and reads it.
template <typename T>
static bool readElement(MessageReader &reader, const Field &field, const char *name, std::vector<T> &values, bool (*read)(MessageReader &, T &)) {
  MessageReader inner(reader, field, name, nextIndex(values));
  if (!inner.ok())
    return false;
  values.emplace_back();
  return read(inner, values.back());
}

/// Reads an optional message field: the first occurrence makes it, later ones are merged into it.
template <typename T>
static bool readOptional(MessageReader &reader, const Field &field, const char *name, std::vector<T> &value, bool (*read)(MessageReader &, T &)) {
  MessageReader inner(reader, field, name);
  if (!inner.ok())
    return false;
  if (value.empty())
    value.emplace_back();
  return read(inner, value.front());
}

static bool readDimension(MessageReader &reader, Dimension &dim) {
  using F = TensorShapeProtoDimensionField;
  Field field;
  while (reader.next(field)) {
    if (field.number == F::DimValue) {
      if (!reader.read(field, "dim_value", dim.value))
        return false;
      dim.kind = Dimension::Kind::Value;
    } else if (field.number == F::DimParam) {
      if (!reader.read(field, "dim_param", dim.param))
        return false;
      dim.kind = Dimension::Kind::Param;
    }
  }
  return reader.ok();
}

static bool readTensorType(MessageReader &reader, Type &type) {
  Field field;
  while (reader.next(field)) {
    if (field.number == TypeProtoTensorField::ElemType) {
      int32_t number = 0;
      if (!reader.read(field, "elem_type", number))
        return false;
      type.element = static_cast<DataType>(number);
    } else if (field.number == TypeProtoTensorField::Shape) {
      MessageReader shape(reader, field, "shape");
      type.hasShape = true;
      Field dim;
      while (shape.next(dim))
        if (dim.number == TensorShapeProtoField::Dim && !readElement(shape, dim, "dim", type.dims, readDimension))
          return false;
      if (!shape.ok())
        return false;
    }
  }
  return reader.ok();
}

static bool readType(MessageReader &reader, Type &type) {
  using F = TypeProtoField;
  Field field;
  while (reader.next(field)) {
    Type::Kind kind = Type::Kind::None;
    switch (field.number) {
    case F::TensorType: kind = Type::Kind::Tensor; break;
    case F::SequenceType: kind = Type::Kind::Sequence; break;
    case F::MapType: kind = Type::Kind::Map; break;
    case F::OptionalType: kind = Type::Kind::Optional; break;
    case F::SparseTensorType: kind = Type::Kind::SparseTensor; break;
    case F::OpaqueType: kind = Type::Kind::Opaque; break;
    default: continue;
    }
    // The members of a oneof: another one replaces what was there, the same one is merged.
    if (type.kind != kind)
      type = Type();
    type.kind = kind;
    if (kind != Type::Kind::Tensor)
      continue;
    MessageReader tensor(reader, field, "tensor_type");
    if (!readTensorType(tensor, type))
      return false;
  }
  return reader.ok();
}

static bool readValueInfo(MessageReader &reader, ValueInfo &value) {
  Field field;
  while (reader.next(field)) {
    if (field.number == ValueInfoProtoField::Name && !reader.read(field, "name", value.name))
      return false;
    if (field.number == ValueInfoProtoField::Type) {
      MessageReader type(reader, field, "type");
      if (!readType(type, value.type))
        return false;
    }
  }
  return reader.ok();
}

static bool readAttributeField(MessageReader &reader, const Field &field, Attribute &attribute, AttributeType &seen) {
  using F = AttributeProtoField;
  int32_t number = 0;
  switch (field.number) {
  case F::Name:
    return reader.read(field, "name", attribute.name);
  case F::RefAttrName:
    return reader.read(field, "ref_attr_name", attribute.refName);
  case F::Type:
    if (!reader.read(field, "type", number))
      return false;
    attribute.type = static_cast<AttributeType>(number);
    return true;
  case F::F:
    seen = AttributeType::Float;
    return reader.read(field, "f", attribute.f);
  case F::I:
    seen = AttributeType::Int;
    return reader.read(field, "i", attribute.i);
  case F::S:
    seen = AttributeType::String;
    return reader.read(field, "s", attribute.s);
  case F::T:
    seen = AttributeType::Tensor;
    return readOptional(reader, field, "t", attribute.tensor, readTensorProto);
  case F::G:
    seen = AttributeType::Graph;
    return readOptional(reader, field, "g", attribute.graph, readGraph);
  case F::Floats:
    seen = AttributeType::Floats;
    return reader.append(field, "floats", attribute.floats);
  case F::Ints:
    seen = AttributeType::Ints;
    return reader.append(field, "ints", attribute.ints);
  case F::Strings:
    seen = AttributeType::Strings;
    return reader.append(field, "strings", attribute.strings);
  case F::Tensors:
    seen = AttributeType::Tensors;
    return readElement(reader, field, "tensors", attribute.tensors, readTensorProto);
  case F::Graphs:
    seen = AttributeType::Graphs;
    return readElement(reader, field, "graphs", attribute.graphs, readGraph);
  case F::SparseTensor:
    seen = AttributeType::SparseTensor;
    return true;
  case F::SparseTensors:
    seen = AttributeType::SparseTensors;
    return true;
  case F::Tp:
    seen = AttributeType::TypeProto;
    return true;
  case F::TypeProtos:
    seen = AttributeType::TypeProtos;
    return true;
  default:
    return true;
  }
}

static bool readAttribute(MessageReader &reader, Attribute &attribute) {
  AttributeType seen = AttributeType::Undefined;
  Field field;
  while (reader.next(field))
    if (!readAttributeField(reader, field, attribute, seen))
      return false;
  if (attribute.type == AttributeType::Undefined)
    attribute.type = seen;
  return reader.ok();
}

static bool readFactor(MessageReader &reader, ShardedAxis::Factor &factor) {
  using F = SimpleShardedDimProtoField;
  Field field;
  while (reader.next(field)) {
    bool ok = true;
    int64_t shards = 0;
    switch (field.number) {
    case F::DimValue:
      ok = reader.read(field, "dim_value", factor.size.value);
      factor.size.kind = Dimension::Kind::Value;
      break;
    case F::DimParam:
      ok = reader.read(field, "dim_param", factor.size.param);
      factor.size.kind = Dimension::Kind::Param;
      break;
    case F::NumShards:
      ok = reader.read(field, "num_shards", shards);
      factor.shards = shards;
      break;
    default: break;
    }
    if (!ok)
      return false;
  }
  return reader.ok();
}

static bool readShardedAxis(MessageReader &reader, ShardedAxis &sharded) {
  Field field;
  while (reader.next(field)) {
    if (field.number == ShardedDimProtoField::Axis) {
      int64_t axis = 0;
      if (!reader.read(field, "axis", axis))
        return false;
      sharded.axis = axis;
    } else if (field.number == ShardedDimProtoField::SimpleSharding && !readElement(reader, field, "simple_sharding", sharded.factors, readFactor)) {
      return false;
    }
  }
  return reader.ok();
}

static bool readGroup(MessageReader &reader, ShardingSpec::Group &group) {
  Field field;
  while (reader.next(field)) {
    if (field.number == IntIntListEntryProtoField::Key && !reader.read(field, "key", group.key))
      return false;
    if (field.number == IntIntListEntryProtoField::Value && !reader.append(field, "value", group.devices))
      return false;
  }
  return reader.ok();
}

static bool readShardingSpec(MessageReader &reader, ShardingSpec &spec) {
  using F = ShardingSpecProtoField;
  Field field;
  while (reader.next(field)) {
    bool ok = true;
    switch (field.number) {
    case F::TensorName: ok = reader.read(field, "tensor_name", spec.tensor); break;
    case F::Device: ok = reader.append(field, "device", spec.devices); break;
    case F::IndexToDeviceGroupMap: ok = readElement(reader, field, "index_to_device_group_map", spec.groups, readGroup); break;
    case F::ShardedDim: ok = readElement(reader, field, "sharded_dim", spec.axes, readShardedAxis); break;
    default: break;
    }
    if (!ok)
      return false;
  }
  return reader.ok();
}

static bool readNodeDevices(MessageReader &reader, NodeDevices &devices) {
  using F = NodeDeviceConfigurationProtoField;
  Field field;
  while (reader.next(field)) {
    bool ok = true;
    int32_t stage = 0;
    switch (field.number) {
    case F::ConfigurationId: ok = reader.read(field, "configuration_id", devices.configuration); break;
    case F::ShardingSpec: ok = readElement(reader, field, "sharding_spec", devices.specs, readShardingSpec); break;
    case F::PipelineStage:
      ok = reader.read(field, "pipeline_stage", stage);
      devices.stage = stage;
      break;
    default: break;
    }
    if (!ok)
      return false;
  }
  return reader.ok();
}

static bool readConfiguration(MessageReader &reader, DeviceConfiguration &configuration) {
  using F = DeviceConfigurationProtoField;
  Field field;
  while (reader.next(field)) {
    bool ok = true;
    int32_t devices = 0;
    switch (field.number) {
    case F::Name: ok = reader.read(field, "name", configuration.name); break;
    case F::NumDevices:
      ok = reader.read(field, "num_devices", devices);
      configuration.devices = devices;
      break;
    case F::Device: ok = reader.append(field, "device", configuration.names); break;
    default: break;
    }
    if (!ok)
      return false;
  }
  return reader.ok();
}

static bool readNode(MessageReader &reader, Node &node) {
  using F = NodeProtoField;
  Field field;
  while (reader.next(field)) {
    bool ok = true;
    switch (field.number) {
    case F::Input: ok = reader.append(field, "input", node.inputs); break;
    case F::Output: ok = reader.append(field, "output", node.outputs); break;
    case F::Name: ok = reader.read(field, "name", node.name); break;
    case F::OpType: ok = reader.read(field, "op_type", node.opType); break;
    case F::Domain: ok = reader.read(field, "domain", node.domain); break;
    case F::Overload: ok = reader.read(field, "overload", node.overload); break;
    case F::Attribute: ok = readElement(reader, field, "attribute", node.attributes, readAttribute); break;
    case F::DeviceConfigurations: ok = readElement(reader, field, "device_configurations", node.devices, readNodeDevices); break;
    default: break;
    }
    if (!ok)
      return false;
  }
  return reader.ok();
}

static bool readGraph(MessageReader &reader, Graph &graph) {
  using F = GraphProtoField;
  Field field;
  while (reader.next(field)) {
    bool ok = true;
    switch (field.number) {
    case F::Node: ok = readElement(reader, field, "node", graph.nodes, readNode); break;
    case F::Name: ok = reader.read(field, "name", graph.name); break;
    case F::DocString: ok = reader.read(field, "doc_string", graph.docString); break;
    case F::Initializer: ok = readElement(reader, field, "initializer", graph.initializers, readTensorProto); break;
    case F::Input: ok = readElement(reader, field, "input", graph.inputs, readValueInfo); break;
    case F::Output: ok = readElement(reader, field, "output", graph.outputs, readValueInfo); break;
    case F::ValueInfo: ok = readElement(reader, field, "value_info", graph.values, readValueInfo); break;
    case F::SparseInitializer: graph.hasSparseInitializer = true; break;
    default: break;
    }
    if (!ok)
      return false;
  }
  return reader.ok();
}

static bool readOpset(MessageReader &reader, OpsetImport &opset) {
  Field field;
  while (reader.next(field)) {
    if (field.number == OperatorSetIdProtoField::Domain && !reader.read(field, "domain", opset.domain))
      return false;
    if (field.number == OperatorSetIdProtoField::Version && !reader.read(field, "version", opset.version))
      return false;
  }
  return reader.ok();
}

static bool readFunction(MessageReader &reader, Function &function) {
  using F = FunctionProtoField;
  Field field;
  while (reader.next(field)) {
    bool ok = true;
    switch (field.number) {
    case F::Name: ok = reader.read(field, "name", function.name); break;
    case F::Domain: ok = reader.read(field, "domain", function.domain); break;
    case F::Overload: ok = reader.read(field, "overload", function.overload); break;
    case F::Input: ok = reader.append(field, "input", function.inputs); break;
    case F::Output: ok = reader.append(field, "output", function.outputs); break;
    case F::Attribute: ok = reader.append(field, "attribute", function.attributes); break;
    case F::AttributeProto: ok = readElement(reader, field, "attribute_proto", function.defaults, readAttribute); break;
    case F::Node: ok = readElement(reader, field, "node", function.nodes, readNode); break;
    case F::OpsetImport: ok = readElement(reader, field, "opset_import", function.opsets, readOpset); break;
    default: break;
    }
    if (!ok)
      return false;
  }
  return reader.ok();
}

static bool readModel(MessageReader &reader, Model &model) {
  using F = ModelProtoField;
  Field field;
  while (reader.next(field)) {
    bool ok = true;
    switch (field.number) {
    case F::IrVersion: {
      int64_t version = 0;
      ok = reader.read(field, "ir_version", version);
      model.irVersion = version;
      break;
    }
    case F::ProducerName: ok = reader.read(field, "producer_name", model.producerName); break;
    case F::ProducerVersion: ok = reader.read(field, "producer_version", model.producerVersion); break;
    case F::Domain: ok = reader.read(field, "domain", model.domain); break;
    case F::ModelVersion: {
      int64_t version = 0;
      ok = reader.read(field, "model_version", version);
      model.modelVersion = version;
      break;
    }
    case F::DocString: ok = reader.read(field, "doc_string", model.docString); break;
    case F::MetadataProps: ok = readElement(reader, field, "metadata_props", model.metadata, readStringPair); break;
    case F::OpsetImport: ok = readElement(reader, field, "opset_import", model.opsets, readOpset); break;
    case F::Configuration: ok = readElement(reader, field, "configuration", model.configurations, readConfiguration); break;
    case F::Functions: ok = readElement(reader, field, "functions", model.functions, readFunction); break;
    case F::Graph: {
      MessageReader graph(reader, field, "graph");
      model.hasGraph = true;
      ok = readGraph(graph, model.graph);
      break;
    }
    default: break;
    }
    if (!ok)
      return false;
  }
  return reader.ok();
}

std::optional<Model> parseModel(Bytes input, WireError &error) {
  Decoder decoder(input);
  MessageReader reader(decoder, "");
  Model model;
  if (readModel(reader, model))
    return model;
  error = *decoder.error;
  return std::nullopt;
}

} // namespace moe::wire
