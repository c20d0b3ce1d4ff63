// If and Loop, and what Scan (Scan.cpp) shares with them. The program has no branches, so a body is copied as often as it runs: an If whose
// condition is not known computes both branches and chooses, a Loop or Scan is unrolled. Where only a run tells how many runs of a Loop there are, its body stands
// there once between two marks (RunLoop.cpp).
#include "GraphImporter.h"
#include "OnnxVersions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "moe/IR/ScalarFolding.h"

using namespace mlir;

namespace moe {

static constexpr unsigned maximumDepth = 64;

const wire::Attribute *findAttribute(const wire::Node &node, StringRef name) {
  auto place = llvm::find_if(node.attributes, [&](const wire::Attribute &attribute) { return StringRef(attribute.name) == name; });
  return place == node.attributes.end() ? nullptr : &*place;
}

//===-- Small nodes ------------------------------------------------------===//

FailureOr<Value> GraphImporter::emitNode(StringRef opType, ValueRange operands, ArrayRef<NamedAttribute> attributes, Location loc) {
  int64_t version = resolveVersion("", opType, newestOnnxOpset()).version;
  auto op = OnnxOp::create(builder, loc, RankedTensorType::get({}, builder.getF32Type()), opType, operands, "", version,
                           builder.getDictionaryAttr(attributes), /*subgraphsCount=*/0);
  if (failed(inference.infer(op)))
    return failure();
  return op.getOutputs()[0];
}

FailureOr<Value> GraphImporter::emitInteger(int64_t value, Location loc) {
  auto op = arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(RankedTensorType::get({}, builder.getI64Type()), value));
  if (failed(inference.infer(op)))
    return failure();
  return op.getResult();
}

FailureOr<Value> GraphImporter::emitConstantTrue(Location loc) {
  auto op = arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(RankedTensorType::get({}, builder.getI1Type()), true));
  if (failed(inference.infer(op)))
    return failure();
  return op.getResult();
}

std::optional<int64_t> GraphImporter::knownInteger(Value value) {
  if (!isa<RankedTensorType>(value.getType()))
    return std::nullopt;
  const ValueFacts &facts = inference.facts(value);
  // Trip counts are sometimes what comes out of a computation on floats, of which inference knows nothing.
  if (!facts.content || facts.content->size() != 1)
    return foldToInteger(value);
  auto constant = dyn_cast<AffineConstantExpr>(inference.normalise(facts.content->front()));
  return constant ? std::optional<int64_t>(constant.getValue()) : std::nullopt;
}

FailureOr<Value> GraphImporter::emitChoice(Value condition, Value then, Value otherwise, const wire::Node &node, Location loc, const Twine &what) {
  if (then == otherwise)
    return then;
  auto type = dyn_cast<RankedTensorType>(then.getType()), other = dyn_cast<RankedTensorType>(otherwise.getType());
  bool same = type && other && type.getElementType() == other.getElementType() && type.getRank() == other.getRank();
  if (same) {
    SmallVector<AffineExpr> dims = inference.facts(then).dims, otherDims = inference.facts(otherwise).dims;
    for (auto [dim, otherDim] : llvm::zip(dims, otherDims))
      same &= inference.provablyEqual(dim, otherDim);
  }
  if (!same) {
    nodeError(node, loc) << what << " would have the type " << then.getType() << " or " << otherwise.getType() << ", as the condition says, which is not known when the model is compiled";
    return failure();
  }
  FailureOr<Value> chosen = emitNode("Where", {condition, then, otherwise}, {}, loc);
  if (succeeded(chosen))
    markChoice(*chosen);
  return chosen;
}

/// Raise judges the data of a node only where its result is chosen (BranchDemand.h).
void GraphImporter::markChoice(Value value) { value.getDefiningOp()->setDiscardableAttr("moe.choice", builder.getUnitAttr()); }

/// A condition of one element may have dims, which must not be broadcast into what it chooses.
FailureOr<Value> GraphImporter::emitScalar(Value condition, Location loc) {
  auto type = dyn_cast<RankedTensorType>(condition.getType());
  if (!type || type.getRank() == 0)
    return condition;
  return emitNode("Squeeze", condition, {}, loc);
}

FailureOr<Value> GraphImporter::emitStack(ValueRange slices, int64_t axis, Location loc) {
  auto axes = arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(RankedTensorType::get({1}, builder.getI64Type()), axis));
  if (failed(inference.infer(axes)))
    return failure();
  SmallVector<Value> rows;
  for (Value slice : slices) {
    FailureOr<Value> row = emitNode("Unsqueeze", {slice, axes}, {}, loc);
    if (failed(row))
      return failure();
    rows.push_back(*row);
  }
  return emitNode("Concat", rows, builder.getNamedAttr("axis", builder.getI64IntegerAttr(axis)), loc);
}

//===-- Bodies -----------------------------------------------------------===//

const wire::Graph *GraphImporter::subgraph(const wire::Node &node, StringRef name, Location loc) {
  const wire::Attribute *attribute = findAttribute(node, name);
  if (attribute && attribute->type == wire::AttributeType::Graph && attribute->graph.size() == 1)
    return &attribute->graph.front();
  nodeError(node, loc) << "expected a graph in attribute '" << name << "', found none";
  return nullptr;
}

FailureOr<SmallVector<Value>> GraphImporter::buildSubgraph(const wire::Graph &graph, ValueRange arguments, const wire::Node &node, Location loc,
                                                           const Twine &name) {
  if (graph.hasSparseInitializer)
    return nodeError(node, loc) << "sparse initializers are not supported", failure();
  if (graph.inputs.size() != arguments.size())
    return nodeError(node, loc) << "expected a body of " << arguments.size() << " inputs, found " << graph.inputs.size(), failure();
  if (depth >= maximumDepth)
    return nodeError(node, loc) << "expected bodies at most " << maximumDepth << " deep, found more", failure();
  NameScope inner;
  inner.outer = scope;
  inner.opsets = scope->opsets;
  inner.callAttributes = scope->callAttributes;
  inner.prefix = (cast<NameLoc>(loc).getName().getValue() + "/" + name + "/").str();
  for (auto [input, argument] : llvm::zip(graph.inputs, arguments))
    inner.values[StringRef(input.name)] = argument;

  scope = &inner;
  ++depth;
  LogicalResult built = success(succeeded(declareInitializers(graph)) && succeeded(buildNodes(graph.nodes)) && succeeded(checkDeclaredValues(graph)));
  SmallVector<Value> results;
  for (const wire::ValueInfo &output : graph.outputs) {
    if (failed(built))
      break;
    FailureOr<Value> value = lookup(StringRef(output.name), loc);
    if (succeeded(value) && *value)
      results.push_back(*value);
    else if (succeeded(value))
      built = nodeError(node, loc) << "output '" << StringRef(output.name) << "' of the body is no value there";
    else
      built = failure();
  }
  --depth;
  scope = inner.outer;
  if (failed(built))
    return failure();
  return results;
}

LogicalResult GraphImporter::buildControlFlow(const wire::Node &node, Location loc, int64_t version) {
  SmallVector<Value> operands;
  if (failed(collectOperands(node, loc, operands)))
    return failure();
  FailureOr<SmallVector<Value>> results = node.opType == "If"     ? buildIf(node, loc, operands)
                                          : node.opType == "Loop" ? buildLoop(node, loc, operands)
                                                                  : buildScan(node, loc, operands, version);
  if (failed(results))
    return failure();
  if (node.outputs.size() > results->size())
    return nodeError(node, loc) << "expected at most " << results->size() << " outputs, which the body gives, found " << node.outputs.size();
  setOutputs(node, *results);
  return success();
}

//===-- The three --------------------------------------------------------===//

FailureOr<SmallVector<Value>> GraphImporter::buildIf(const wire::Node &node, Location loc, ValueRange operands) {
  const wire::Graph *thenGraph = subgraph(node, "then_branch", loc);
  const wire::Graph *elseGraph = thenGraph ? subgraph(node, "else_branch", loc) : nullptr;
  if (!elseGraph)
    return failure();
  auto type = operands.size() == 1 ? dyn_cast<RankedTensorType>(operands[0].getType()) : RankedTensorType();
  if (!type || !type.getElementType().isInteger(1) || !type.hasStaticShape() || type.getNumElements() != 1)
    return nodeError(node, loc) << "expected one bool as condition", failure();
  if (std::optional<int64_t> condition = knownInteger(operands[0]))
    return buildSubgraph(*condition ? *thenGraph : *elseGraph, {}, node, loc, *condition ? "then" : "else");

  FailureOr<Value> condition = emitScalar(operands[0], loc);
  if (failed(condition))
    return failure();
  branches.emplace_back(*condition, true);
  FailureOr<SmallVector<Value>> then = buildSubgraph(*thenGraph, {}, node, loc, "then");
  if (failed(then))
    return failure();
  branches.back().second = false;
  FailureOr<SmallVector<Value>> otherwise = buildSubgraph(*elseGraph, {}, node, loc, "else");
  if (failed(otherwise))
    return failure();
  branches.pop_back();
  if (then->size() != otherwise->size())
    return nodeError(node, loc) << "expected branches of as many outputs, found " << then->size() << " and " << otherwise->size(), failure();
  SmallVector<Value> results;
  for (auto [i, pair] : llvm::enumerate(llvm::zip(*then, *otherwise))) {
    FailureOr<Value> chosen = emitChoice(*condition, std::get<0>(pair), std::get<1>(pair), node, loc, "output " + Twine(i));
    if (failed(chosen))
      return failure();
    results.push_back(*chosen);
  }
  return results;
}

/// The runs behind those that surely happen, whose scan outputs are `slices`.
FailureOr<SmallVector<Value>> GraphImporter::finishLoop(const LoopForm &form, int64_t first, Value active, ArrayRef<SmallVector<Value>> slices) {
  FailureOr<SmallVector<Value>> results = buildRunLoop(form, first, active);
  if (failed(results))
    return failure();
  for (auto [i, rows] : llvm::enumerate(slices)) {
    FailureOr<Value> joined = emitStack(rows, 0, form.loc);
    Value &rest = (*results)[form.values.size() + i];
    if (succeeded(joined))
      joined = emitNode("Concat", {*joined, rest}, builder.getNamedAttr("axis", builder.getI64IntegerAttr(0)), form.loc);
    if (failed(joined))
      return failure();
    rest = *joined;
  }
  return results;
}

/// Copies of a Loop's body while it is known that it runs; what only a run knows are runs of one copy.
FailureOr<SmallVector<Value>> GraphImporter::buildLoop(const wire::Node &node, Location loc, ValueRange operands) {
  const wire::Graph *body = subgraph(node, "body", loc);
  if (!body)
    return failure();
  if (operands.size() < 2 || body->inputs.size() != operands.size() || body->outputs.size() + 1 < operands.size())
    return nodeError(node, loc) << "expected a body of " << operands.size() << " inputs and at least " << operands.size() - 1 << " outputs, found "
                                << body->inputs.size() << " and " << body->outputs.size(), failure();
  size_t carried = operands.size() - 2, scans = body->outputs.size() - 1 - carried;
  bool hasCount = !isa<NoneType>(operands[0].getType()), hasCondition = !isa<NoneType>(operands[1].getType());
  std::optional<int64_t> count = hasCount ? knownInteger(operands[0]) : std::nullopt;
  LoopForm form{node, *body, loc, hasCount ? operands[0] : Value(), SmallVector<Value>(operands.drop_front(2)), scans};

  // Null: the run surely happens.
  Value active;
  if (hasCondition) {
    std::optional<int64_t> known = knownInteger(operands[1]);
    if (known == 0)
      count = 0;
    else if (!known)
      active = operands[1];
  }
  if (active || (hasCount && !count) || ((!count || *count > 1) && !mayFoldCondition(form)))
    return buildRunLoop(form, 0, active);
  FailureOr<Value> always = emitConstantTrue(loc);
  if (failed(always))
    return failure();
  SmallVector<Value> &values = form.values;
  SmallVector<SmallVector<Value>> slices(scans);
  for (int64_t run = 0; !count || run < *count; ++run) {
    if (run >= maximumRuns)
      return nodeError(node, loc) << "the number of runs is more than " << maximumRuns << ", or the loop has no end", failure();
    FailureOr<Value> number = emitInteger(run, loc);
    if (failed(number))
      return failure();
    SmallVector<Value> arguments = {*number, *always};
    llvm::append_range(arguments, values);
    FailureOr<SmallVector<Value>> results = buildSubgraph(*body, arguments, node, loc, Twine(run));
    if (failed(results))
      return failure();
    for (size_t i = 0; i < carried; ++i)
      values[i] = (*results)[i + 1];
    for (size_t i = 0; i < scans; ++i)
      slices[i].push_back((*results)[1 + carried + i]);
    std::optional<int64_t> known = knownInteger(results->front());
    if (known == 0 || (count && run + 1 == *count))
      break;
    if (known)
      continue;
    return finishLoop(form, run + 1, results->front(), slices);
  }
  for (auto [i, rows] : llvm::enumerate(slices)) {
    if (rows.empty())
      return nodeError(node, loc) << "scan output " << i << " of a loop without runs is not supported", failure();
    FailureOr<Value> joined = emitStack(rows, 0, loc);
    if (failed(joined))
      return failure();
    values.push_back(*joined);
  }
  return values;
}

} // namespace moe
