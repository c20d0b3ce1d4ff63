// Writes ONNX messages by hand, so that tests can make models that no tool would: field by field, in protobuf's wire format.
#ifndef MOE_TEST_UNIT_IMPORT_MODELBUILDER_H
#define MOE_TEST_UNIT_IMPORT_MODELBUILDER_H

#include "moe/Import/Wire/Fields.h"

#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace moe::test {

/// A serialised message; fields are appended.
struct Message {
  std::string bytes;

  Message &varint(uint32_t field, uint64_t value) {
    raw(uint64_t(field) << 3);
    return raw(value);
  }
  Message &text(uint32_t field, const std::string &value) {
    raw(uint64_t(field) << 3 | 2);
    raw(value.size());
    bytes += value;
    return *this;
  }
  Message &message(uint32_t field, const Message &value) { return text(field, value.bytes); }
  Message &raw(uint64_t value) {
    for (; value > 0x7f; value >>= 7)
      bytes += static_cast<char>(value | 0x80);
    bytes += static_cast<char>(value);
    return *this;
  }
};

/// The bytes of a list of numbers.
template <typename T>
std::string bytesOf(const std::vector<T> &values) {
  return std::string(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(T));
}

/// A dim: a number, or a name, or "?" for neither.
inline Message dimension(const std::string &dim) {
  using F = wire::TensorShapeProtoDimensionField;
  Message message;
  if (dim == "?")
    return message;
  bool isNumber = dim.find_first_not_of("0123456789") == std::string::npos;
  return isNumber ? message.varint(F::DimValue, std::stoull(dim)) : message.text(F::DimParam, dim);
}

inline Message valueInfo(const std::string &name, uint64_t type, const std::vector<std::string> &dims, bool hasShape = true) {
  Message shape, tensor, typeProto;
  for (const std::string &dim : dims)
    shape.message(wire::TensorShapeProtoField::Dim, dimension(dim));
  tensor.varint(wire::TypeProtoTensorField::ElemType, type);
  if (hasShape)
    tensor.message(wire::TypeProtoTensorField::Shape, shape);
  typeProto.message(wire::TypeProtoField::TensorType, tensor);
  return Message().text(wire::ValueInfoProtoField::Name, name).message(wire::ValueInfoProtoField::Type, typeProto);
}

/// The head of a TensorProto: name, type, dims.
inline Message tensorHead(const std::string &name, uint64_t type, const std::vector<uint64_t> &dims) {
  using F = wire::TensorProtoField;
  Message tensor;
  for (uint64_t dim : dims)
    tensor.varint(F::Dims, dim);
  return tensor.varint(F::DataType, type).text(F::Name, name);
}

inline Message rawTensor(const std::string &name, uint64_t type, const std::vector<uint64_t> &dims, const std::string &data) {
  return tensorHead(name, type, dims).text(wire::TensorProtoField::RawData, data);
}

/// A tensor in another file.
inline Message externalTensor(const std::string &name, const std::vector<uint64_t> &dims, const std::vector<std::pair<std::string, std::string>> &entries) {
  using F = wire::TensorProtoField;
  Message tensor = tensorHead(name, 1, dims);
  for (const auto &[key, value] : entries)
    tensor.message(F::ExternalData, Message().text(1, key).text(2, value));
  return tensor.varint(F::DataLocation, 1);
}

inline Message node(const std::string &opType, const std::vector<std::string> &inputs, const std::vector<std::string> &outputs,
                    const std::vector<Message> &attributes = {}, const std::string &name = "", const std::string &domain = "") {
  using F = wire::NodeProtoField;
  Message message;
  for (const std::string &input : inputs)
    message.text(F::Input, input);
  for (const std::string &output : outputs)
    message.text(F::Output, output);
  message.text(F::OpType, opType);
  if (!name.empty())
    message.text(F::Name, name);
  if (!domain.empty())
    message.text(F::Domain, domain);
  for (const Message &attribute : attributes)
    message.message(F::Attribute, attribute);
  return message;
}

inline Message intAttribute(const std::string &name, uint64_t value) {
  using F = wire::AttributeProtoField;
  return Message().text(F::Name, name).varint(F::I, value).varint(F::Type, 2);
}

/// What a test model is made of; `bytes` puts it together, the opset last, so that no proper prefix of a model is a model.
struct ModelParts {
  std::vector<Message> nodes, initializers, inputs, outputs;
  uint64_t irVersion = 10, opset = 20;
  std::vector<Message> opsets;
  /// Fields of ModelProto that come before the opsets.
  Message more;

  Message graph() const {
    using F = wire::GraphProtoField;
    Message message;
    for (const Message &part : nodes)
      message.message(F::Node, part);
    for (const Message &part : initializers)
      message.message(F::Initializer, part);
    for (const Message &part : inputs)
      message.message(F::Input, part);
    for (const Message &part : outputs)
      message.message(F::Output, part);
    return message;
  }
  std::string bytes() const {
    using F = wire::ModelProtoField;
    Message model;
    model.varint(F::IrVersion, irVersion).message(F::Graph, graph());
    model.bytes += more.bytes;
    for (const Message &import : opsets)
      model.message(F::OpsetImport, import);
    if (opset)
      model.message(F::OpsetImport, Message().varint(wire::OperatorSetIdProtoField::Version, opset));
    return model.bytes;
  }
};

/// y = x·w + b for x [n, 4].
inline ModelParts smallModel() {
  ModelParts parts;
  parts.inputs = {valueInfo("x", 1, {"n", "4"})};
  parts.outputs = {valueInfo("y", 1, {"n", "2"})};
  parts.initializers = {rawTensor("w", 1, {4, 2}, bytesOf<float>({1, 2, 3, 4, 5, 6, 7, 8})), rawTensor("b", 1, {2}, bytesOf<float>({1, -1}))};
  parts.nodes = {node("MatMul", {"x", "w"}, {"product"}, {}, "first"), node("Add", {"product", "b"}, {"y"})};
  return parts;
}

} // namespace moe::test

#endif // MOE_TEST_UNIT_IMPORT_MODELBUILDER_H
