// One node: its version, attributes, operands, and the types of its results.
#include "GraphImporter.h"
#include "OnnxVersions.h"
#include "SpelledNodes.h"

using namespace mlir;

namespace moe {

Location GraphImporter::nodeLocation(const wire::Node &node, size_t position) const {
  std::string name = node.name.empty() ? (StringRef(node.opType) + "#" + Twine(position)).str() : std::string(node.name);
  return NameLoc::get(StringAttr::get(context, scope->prefix + name), file);
}

InFlightDiagnostic GraphImporter::nodeError(const wire::Node &node, Location loc) const {
  return emitError(loc) << "node '" << cast<NameLoc>(loc).getName().getValue() << "' (" << StringRef(node.opType) << "): ";
}

FailureOr<int64_t> GraphImporter::nodeVersion(const wire::Node &node, StringRef domain, size_t position) {
  StringRef opType(node.opType);
  Location loc = nodeLocation(node, position);
  auto declared = scope->opsets->find(domain);
  if (declared == scope->opsets->end()) {
    ArrayRef<int64_t> known = sinceVersions(domain, opType);
    if (domain.empty() || known.empty()) {
      nodeError(node, loc) << "expected an opset_import for the domain '" << domain << "', found none";
      return failure();
    }
    if (warned.insert(domain).second)
      emitWarning(loc) << "no opset_import for the domain '" << domain << "'; its ops are taken in their first version";
    return known.front();
  }
  ResolvedVersion resolved = resolveVersion(domain, opType, declared->second);
  if (resolved.isNewerThanDeclared && warned.insert((domain + "::" + opType).str()).second)
    emitWarning(loc) << opType << " is newer than the declared opset " << declared->second << "; it is taken as in opset " << resolved.version;
  return resolved.version;
}

static StringRef domainOf(const wire::Node &node) { return node.domain == "ai.onnx" ? StringRef() : StringRef(node.domain); }

FailureOr<Attribute> GraphImporter::convertAttribute(const wire::Attribute &attribute, const wire::Node &node, Location loc) {
  StringRef name(attribute.name);
  auto fail = [&]() -> InFlightDiagnostic { return nodeError(node, loc) << "attribute '" << name << "': "; };
  if (!attribute.refName.empty()) {
    fail() << "refers to the attribute '" << StringRef(attribute.refName) << "' of a function, but the node is in none";
    return failure();
  }
  // An attribute that is passed over would leave its default: another computation than the model means.
  const StringRef opType(node.opType);
  if (auto types = attributeTypes(domainOf(node), opType, name); types && !llvm::is_contained(*types, attribute.type)) {
    InFlightDiagnostic error = fail();
    if (types->empty())
      return error << opType << " has no such attribute in any version", failure();
    return error << "expected type " << attributeTypeName(types->front()) << ", found " << attributeTypeName(attribute.type), failure();
  }
  switch (attribute.type) {
  case wire::AttributeType::Float:
    return Attribute(builder.getF32FloatAttr(attribute.f));
  case wire::AttributeType::Int:
    return Attribute(builder.getI64IntegerAttr(attribute.i));
  case wire::AttributeType::String:
    return Attribute(builder.getStringAttr(StringRef(attribute.s)));
  case wire::AttributeType::Floats:
    return Attribute(builder.getDenseF32ArrayAttr(attribute.floats));
  case wire::AttributeType::Ints:
    return Attribute(builder.getDenseI64ArrayAttr(attribute.ints));
  case wire::AttributeType::Strings: {
    SmallVector<StringRef> strings(attribute.strings.begin(), attribute.strings.end());
    return Attribute(builder.getStrArrayAttr(strings));
  }
  case wire::AttributeType::Tensor: {
    if (attribute.tensor.empty())
      break;
    FailureOr<TensorSource> source = tensors.read(attribute.tensor.front(), loc, /*mustBeDense=*/true);
    if (failed(source))
      return failure();
    return Attribute(source->dense);
  }
  case wire::AttributeType::Graph:
  case wire::AttributeType::Graphs:
    fail() << "expected no subgraph, which only If, Loop and Scan have";
    return failure();
  default:
    break;
  }
  fail() << "expected a number, string or tensor, or a list of numbers or strings, found attribute type " << static_cast<int64_t>(attribute.type);
  return failure();
}

/// A Constant becomes what an initializer of the same values would be.
LogicalResult GraphImporter::buildConstant(const wire::Node &node, Location loc) {
  if (node.attributes.size() != 1 || node.outputs.size() != 1 || !node.inputs.empty())
    return nodeError(node, loc) << "expected no inputs, one output and one attribute, found " << node.inputs.size() << ", " << node.outputs.size() << " and "
                                << node.attributes.size();
  const wire::Attribute &attribute = node.attributes.front();
  StringRef name(attribute.name), output(node.outputs.front());
  auto set = [&](FailureOr<Value> value) {
    if (succeeded(value))
      scope->values[output] = *value;
    return success(succeeded(value));
  };
  if (name == "value" && attribute.type == wire::AttributeType::Tensor && !attribute.tensor.empty())
    return set(buildTensor(attribute.tensor.front(), output, loc));
  // The other forms are lists or numbers; written as tensors they take the same way.
  wire::TensorProto tensor;
  tensor.name = node.outputs.front();
  auto bytes = [](const auto &list) { return wire::Bytes{reinterpret_cast<const uint8_t *>(list.data()), list.size() * sizeof(list[0])}; };
  std::vector<float> number = {attribute.f};
  std::vector<int64_t> integer = {attribute.i};
  if (name == "value_float" || name == "value_floats") {
    tensor.dataType = wire::DataType::FLOAT;
    tensor.rawData = bytes(name == "value_float" ? number : attribute.floats);
  } else if (name == "value_int" || name == "value_ints") {
    tensor.dataType = wire::DataType::INT64;
    tensor.rawData = bytes(name == "value_int" ? integer : attribute.ints);
  } else {
    return nodeError(node, loc) << "expected attribute value, value_float, value_floats, value_int or value_ints, found '" << name << "'";
  }
  if (name == "value_floats")
    tensor.dims = {static_cast<int64_t>(attribute.floats.size())};
  else if (name == "value_ints")
    tensor.dims = {static_cast<int64_t>(attribute.ints.size())};
  return set(buildTensor(tensor, output, loc));
}

LogicalResult GraphImporter::collectOperands(const wire::Node &node, Location loc, SmallVectorImpl<Value> &operands) {
  for (std::string_view input : node.inputs) {
    if (input.empty()) {
      operands.push_back(AbsentOp::create(builder, loc, builder.getNoneType()));
      continue;
    }
    FailureOr<Value> value = lookup(StringRef(input), loc);
    if (failed(value))
      return failure();
    if (!*value)
      return nodeError(node, loc) << "input '" << StringRef(input) << "' is no input or initializer of the graph and no result of a node";
    operands.push_back(*value);
  }
  return success();
}

void GraphImporter::setOutputs(const wire::Node &node, ValueRange results) {
  for (auto [output, result] : llvm::zip(node.outputs, results))
    if (!output.empty())
      scope->values[StringRef(output)] = result;
}

LogicalResult GraphImporter::buildNode(const wire::Node &node, size_t position) {
  if (scope->callAttributes && llvm::any_of(node.attributes, [](const wire::Attribute &attribute) { return !attribute.refName.empty(); }))
    return buildNode(resolveReferences(node), position);
  Location loc = nodeLocation(node, position);
  StringRef opType(node.opType), domain = domainOf(node);
  if (opType.empty())
    return nodeError(node, loc) << "expected an op_type, found none";
  for (std::string_view output : node.outputs)
    if (!output.empty() && (scope->values.contains(StringRef(output)) || scope->initializers.contains(StringRef(output))))
      return nodeError(node, loc) << "output '" << StringRef(output) << "' has the name of an input or initializer";
  if (++builtNodes > maximumNodes)
    return nodeError(node, loc) << "expected at most " << maximumNodes << " nodes when loops are unrolled and functions inlined, found more";
  if (const wire::Function *function = functionOf(node))
    return buildCall(node, *function, loc);
  FailureOr<int64_t> version = nodeVersion(node, domain, position);
  if (failed(version))
    return failure();
  if (domain.empty() && opType == "Constant")
    return buildConstant(node, loc);
  if (domain.empty() && (opType == "If" || opType == "Loop" || opType == "Scan"))
    return buildControlFlow(node, loc, *version);
  SmallVector<Value> operands;
  if (failed(collectOperands(node, loc, operands)))
    return failure();
  NamedAttrList attributes;
  for (const wire::Attribute &attribute : node.attributes) {
    if (attribute.name.empty() || attributes.get(StringRef(attribute.name)))
      return nodeError(node, loc) << "expected attributes with names of their own, found '" << StringRef(attribute.name) << "'"
                                  << (attribute.name.empty() ? "" : " twice");
    FailureOr<Attribute> converted = convertAttribute(attribute, node, loc);
    if (failed(converted))
      return failure();
    attributes.set(StringRef(attribute.name), *converted);
  }
  if (isSpelledOut(domain, opType)) {
    SmallVector<bool> wanted = llvm::map_to_vector(node.outputs, [](std::string_view output) { return !output.empty(); });
    FailureOr<SmallVector<Value>> results = spellOut({domain, opType, loc, operands, attributes.getDictionary(context), wanted, *version}, builder, inference);
    if (failed(results))
      return failure();
    setOutputs(node, *results);
    return success();
  }
  // Placeholders: inference sets the types. An absent output stays none.
  SmallVector<Type> types;
  for (std::string_view output : node.outputs)
    types.push_back(output.empty() ? Type(builder.getNoneType()) : RankedTensorType::get({}, builder.getF32Type()));
  auto op = OnnxOp::create(builder, loc, types, opType, operands, domain, *version, attributes.getDictionary(context), /*subgraphsCount=*/0);
  if (failed(inference.infer(op)))
    return failure();
  setOutputs(node, op.getOutputs());
  return success();
}

} // namespace moe
