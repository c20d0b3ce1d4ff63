// Calls of model-local functions: the body is built in place of the call, with names, opset versions and attributes of its own.
#include "GraphImporter.h"

using namespace mlir;

namespace moe {

/// Bodies in bodies: deeper than any exporter nests, and well within the stack.
static constexpr size_t maximumCalls = 64;

std::string functionKey(std::string_view domain, std::string_view name, std::string_view overload) {
  std::string key = (StringRef(domain == "ai.onnx" ? "" : domain) + "::" + StringRef(name)).str();
  return overload.empty() ? key : key + ":" + std::string(overload);
}

const wire::Function *GraphImporter::functionOf(const wire::Node &node) const {
  if (functions.empty())
    return nullptr;
  return functions.lookup(functionKey(node.domain, node.opType, node.overload));
}

wire::Node GraphImporter::resolveReferences(const wire::Node &node) const {
  wire::Node resolved = node;
  resolved.attributes.clear();
  for (const wire::Attribute &attribute : node.attributes) {
    if (attribute.refName.empty()) {
      resolved.attributes.push_back(attribute);
      continue;
    }
    // An attribute that the call does not give and that has no default is left out: the op's own default holds.
    auto given = scope->callAttributes->find(StringRef(attribute.refName));
    if (given == scope->callAttributes->end())
      continue;
    resolved.attributes.push_back(given->second);
    resolved.attributes.back().name = attribute.name;
  }
  return resolved;
}

//===-- How much there will be --------------------------------------------===//

/// Counts the nodes that inlining makes, each body of a branch or loop once, without making any: functions that call each other twice over ask for
/// more than any machine has, and should be told at once.
uint64_t GraphImporter::countInlined(ArrayRef<wire::Node> nodes, llvm::DenseMap<const wire::Function *, uint64_t> &counts, size_t callDepth) const {
  constexpr uint64_t enough = uint64_t(1) << 40; // sums of these do not overflow
  uint64_t sum = 0;
  for (const wire::Node &node : nodes) {
    ++sum;
    for (const wire::Attribute &attribute : node.attributes)
      for (const wire::Graph &graph : attribute.graph)
        sum += countInlined(graph.nodes, counts, callDepth);
    if (const wire::Function *function = functionOf(node); function && callDepth < maximumCalls) {
      // One that is being counted calls itself, which is an error of its own, as calls are that are too deep.
      auto [place, isNew] = counts.try_emplace(function, 0);
      if (isNew) {
        const uint64_t inner = countInlined(function->nodes, counts, callDepth + 1);
        counts[function] = inner;
      }
      sum += counts[function];
    }
    sum = std::min(sum, enough);
  }
  return sum;
}

LogicalResult GraphImporter::checkInlined() {
  llvm::DenseMap<const wire::Function *, uint64_t> counts;
  for (const auto &[position, node] : llvm::enumerate(model.graph.nodes)) {
    const uint64_t count = functions.empty() ? 0 : countInlined(node, counts, 0);
    if (count > maximumNodes)
      return nodeError(node, nodeLocation(node, position)) << "expected at most " << maximumNodes
                                                           << " nodes when loops are unrolled and functions inlined, but the functions that it calls have "
                                                           << (count >> 40 ? "more than 10^12" : std::to_string(count));
  }
  return success();
}

LogicalResult GraphImporter::buildCall(const wire::Node &node, const wire::Function &function, Location loc) {
  if (llvm::is_contained(calls, &function))
    return nodeError(node, loc) << "the function calls itself, directly or through others";
  if (calls.size() >= maximumCalls)
    return nodeError(node, loc) << "expected calls at most " << maximumCalls << " deep, found more";
  if (node.inputs.size() > function.inputs.size() || node.outputs.size() > function.outputs.size())
    return nodeError(node, loc) << "expected at most " << function.inputs.size() << " inputs and " << function.outputs.size()
                                << " outputs, which the function has, found " << node.inputs.size() << " and " << node.outputs.size();
  SmallVector<Value> operands;
  if (failed(collectOperands(node, loc, operands)))
    return failure();
  for (size_t i = operands.size(); i < function.inputs.size(); ++i)
    operands.push_back(AbsentOp::create(builder, loc, builder.getNoneType()));

  llvm::StringMap<wire::Attribute> attributes;
  for (const wire::Attribute &attribute : function.defaults)
    attributes[StringRef(attribute.name)] = attribute;
  for (const wire::Attribute &attribute : node.attributes)
    attributes[StringRef(attribute.name)] = attribute;
  llvm::StringMap<int64_t> versions;
  if (failed(readOpsets(function.opsets, versions)))
    return failure();
  NameScope inner;
  inner.opsets = &versions;
  inner.callAttributes = &attributes;
  inner.prefix = (cast<NameLoc>(loc).getName().getValue() + "/").str();
  for (auto [name, operand] : llvm::zip(function.inputs, operands))
    inner.values[StringRef(name)] = operand;

  NameScope *caller = scope;
  scope = &inner;
  calls.push_back(&function);
  LogicalResult built = buildNodes(function.nodes);
  SmallVector<Value> results;
  for (size_t i = 0; succeeded(built) && i < node.outputs.size(); ++i) {
    FailureOr<Value> value = lookup(StringRef(function.outputs[i]), loc);
    if (succeeded(value) && *value)
      results.push_back(*value);
    else if (succeeded(value))
      built = nodeError(node, loc) << "output '" << StringRef(function.outputs[i]) << "' of the function is no input and no result of its nodes";
    else
      built = failure();
  }
  calls.pop_back();
  scope = caller;
  if (failed(built))
    return failure();
  setOutputs(node, results);
  return success();
}

} // namespace moe
