// The graph around the nodes: opsets, initializers, what the file declares of values, and results.
#include "GraphImporter.h"

#include "NodeOrder.h"
#include "OnnxVersions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace moe {

GraphImporter::GraphImporter(ModuleOp module, Location file, StringRef path, wire::Bytes bytes, const wire::Model &model, const ImportOptions &options)
    : module(module), file(file), model(model), options(options), context(module.getContext()), builder(context),
      tensors(context, path, bytes, options), inference(context) {}

LogicalResult GraphImporter::run() {
  if (model.graph.hasSparseInitializer)
    return emitError(file) << "sparse initializers are not supported";
  graphScope.opsets = &opsets;
  if (failed(declareOpsets()) || failed(declareInitializers(model.graph)) || failed(buildEntry()) || failed(checkInlined()) || failed(buildNodes(model.graph.nodes)) ||
      failed(checkDeclaredValues(model.graph)))
    return failure();
  return finish();
}

LogicalResult GraphImporter::buildNodes(ArrayRef<wire::Node> nodes) {
  std::optional<SmallVector<size_t>> order = orderNodes(nodes, [&](size_t position, const std::string &message) {
    nodeError(nodes[position], nodeLocation(nodes[position], position)) << message;
  });
  if (!order)
    return failure();
  for (size_t position : *order)
    if (failed(buildNode(nodes[position], position)))
      return failure();
  return success();
}

/// Before it, arithmetic broadcast only where attributes said so.
static constexpr int64_t oldestOpset = 7;

LogicalResult GraphImporter::readOpsets(ArrayRef<wire::OpsetImport> imports, llvm::StringMap<int64_t> &opsets) {
  for (const wire::OpsetImport &opset : imports) {
    StringRef domain = opset.domain == "ai.onnx" ? StringRef() : StringRef(opset.domain);
    if (opset.version < 1)
      return emitError(file) << "expected an opset version of at least 1 for domain '" << domain << "', found " << opset.version;
    auto [place, isNew] = opsets.try_emplace(domain, opset.version);
    if (!isNew && place->second != opset.version)
      return emitError(file) << "expected one opset version for domain '" << domain << "', found " << place->second << " and " << opset.version;
    if (domain.empty() && opset.version < oldestOpset)
      emitWarning(file) << "opset " << opset.version << " is older than " << oldestOpset
                        << ", the oldest one supported; a node may be refused or mean something else, and onnx.version_converter makes a newer model";
    if (domain.empty() && opset.version > newestOnnxOpset())
      emitWarning(file) << "opset " << opset.version << " is newer than " << newestOnnxOpset() << ", the newest one known; ops are taken as they were then";
  }
  return success();
}

LogicalResult GraphImporter::declareOpsets() {
  if (model.opsets.empty())
    return emitError(file) << "expected opset_import, found none";
  for (const wire::Function &function : model.functions) {
    std::string key = functionKey(function.domain, function.name, function.overload);
    if (!functions.try_emplace(key, &function).second)
      return emitError(file) << "expected one function '" << key << "', found two";
  }
  return readOpsets(model.opsets, opsets);
}

LogicalResult GraphImporter::declareInitializers(const wire::Graph &graph) {
  for (const wire::TensorProto &tensor : graph.initializers) {
    StringRef name(tensor.name);
    if (name.empty())
      return emitError(file) << "expected initializers with names, found one without";
    if (!scope->initializers.try_emplace(name, &tensor).second)
      return emitError(file) << "expected one initializer called '" << name << "', found two";
  }
  return success();
}

FailureOr<Value> GraphImporter::buildTensor(const wire::TensorProto &tensor, StringRef name, Location loc) {
  FailureOr<TensorSource> source = tensors.read(tensor, loc, /*mustBeDense=*/false);
  if (failed(source))
    return failure();
  uint64_t size = *wire::payloadSize(tensor.dataType, source->type.getNumElements());
  Operation *op = nullptr;
  if (source->dense && size <= largestConstant) {
    op = arith::ConstantOp::create(builder, loc, source->type, source->dense);
  } else {
    OpBuilder detached(context);
    auto weight = WeightOp::create(detached, loc, builder.getStringAttr(name.empty() ? "weight" : name), nullptr, TypeAttr::get(source->type),
                                   source->dense ? Attribute(source->dense) : source->file, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr,
                                   nullptr, nullptr, nullptr);
    // The table renames it where the name is taken; weights stand before the entry, in the order of their first use.
    symbols->insert(weight, Block::iterator(entry));
    op = WeightRefOp::create(builder, loc, source->type, weight.getSymName());
  }
  if (failed(inference.infer(op)))
    return failure();
  return op->getResult(0);
}

FailureOr<Value> GraphImporter::lookup(StringRef name, Location loc) {
  for (NameScope *place = scope; place; place = place->outer) {
    if (auto known = place->values.find(name); known != place->values.end())
      return known->second;
    auto initializer = place->initializers.find(name);
    if (initializer == place->initializers.end())
      continue;
    Location tensorLoc = NameLoc::get(builder.getStringAttr(name), file);
    FailureOr<Value> value = buildTensor(*initializer->second, name, tensorLoc);
    if (succeeded(value))
      place->values[name] = *value;
    return value;
  }
  return Value();
}

/// Has each input dim in the expression a name?
bool GraphImporter::isNamed(AffineExpr expression) {
  bool named = true;
  expression.walk([&](AffineExpr part) {
    auto leaf = dyn_cast<AffineSymbolExpr>(part);
    if (!leaf)
      return;
    const DimSymbol &symbol = inference.symbols()[leaf.getPosition()];
    named &= symbol.kind != SymbolKind::Argument || dimNames.contains(symbol.name);
    if (symbol.lhs)
      named &= isNamed(symbol.lhs) && isNamed(symbol.rhs);
  });
  return named;
}

/// A dim of a result for people and callers: its size, or the function of the inputs' dims that it is. Where it depends on data or on a dim without a
/// name: what the file calls it if some input has a dim of that name, else "?".
ArrayAttr GraphImporter::resultDims(Value value, const wire::ValueInfo &declared) {
  SmallVector<AffineExpr> dims = inference.facts(value).dims;
  SmallVector<StringRef> names;
  SmallVector<std::string> texts;
  const bool isDeclared = declared.type.kind == wire::Type::Kind::Tensor && declared.type.dims.size() == dims.size();
  for (auto [position, dim] : llvm::enumerate(dims)) {
    AffineExpr canonical = inference.normalise(dim);
    if (!inference.dependsOnData(canonical) && !inference.usesElements(canonical) && isNamed(canonical)) {
      texts.push_back(inference.text(canonical));
      continue;
    }
    const StringRef name = isDeclared && declared.type.dims[position].kind == wire::Dimension::Kind::Param ? StringRef(declared.type.dims[position].param) : "";
    texts.push_back(!name.empty() && dimNames.contains(name) ? name.str() : "?");
  }
  names.assign(texts.begin(), texts.end());
  return builder.getStrArrayAttr(names);
}

/// An element type that the file declares for what a node makes is a promise: a model that breaks it is wrong somewhere.
LogicalResult GraphImporter::checkDeclaredElement(const wire::ValueInfo &declared, Value value, StringRef what) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || declared.type.kind != wire::Type::Kind::Tensor || declared.type.element == undefined ||
      onnxElementType(context, static_cast<int64_t>(declared.type.element)) == type.getElementType())
    return success();
  return emitError(file) << what << " '" << StringRef(declared.name) << "': expected elements of " << wire::dataTypeName(declared.type.element)
                         << ", which the file declares, found " << type.getElementType() << " by inference";
}

LogicalResult GraphImporter::checkDeclaredValues(const wire::Graph &graph) {
  llvm::StringSet<> given;
  for (const wire::ValueInfo &input : graph.inputs)
    given.insert(StringRef(input.name));
  for (const wire::ValueInfo &declared : graph.values) {
    const StringRef name(declared.name);
    auto known = scope->values.find(name);
    if (known == scope->values.end() || given.contains(name) || scope->initializers.contains(name))
      continue;
    if (failed(checkDeclaredElement(declared, known->second, "value")))
      return failure();
  }
  return success();
}

/// What the file says of an output's shape is a hint. Where it contradicts inference, the user should know which one holds.
void GraphImporter::compareWithDeclared(const wire::ValueInfo &output, Value value) {
  if (output.type.kind != wire::Type::Kind::Tensor || !output.type.hasShape)
    return;
  auto type = cast<RankedTensorType>(value.getType());
  bool differs = static_cast<int64_t>(output.type.dims.size()) != type.getRank();
  for (auto [dim, size] : llvm::zip(output.type.dims, type.getShape()))
    differs |= dim.kind == wire::Dimension::Kind::Value && !ShapedType::isDynamic(size) && dim.value != size;
  if (differs)
    emitWarning(file) << "output '" << StringRef(output.name) << "' is " << type << " by inference, which differs from what the file declares";
}

LogicalResult GraphImporter::finish() {
  SmallVector<Value> results;
  SmallVector<Type> types;
  SmallVector<Attribute> attributes;
  llvm::StringSet<> seen;
  if (model.graph.outputs.empty())
    return emitError(file) << "expected a graph with outputs, found none";
  for (const wire::ValueInfo &output : model.graph.outputs) {
    StringRef name(output.name);
    if (!seen.insert(name).second)
      return emitError(file) << "expected one output called '" << name << "', found two";
    FailureOr<Value> value = lookup(name, file);
    if (failed(value))
      return failure();
    if (!*value)
      return emitError(file) << "output '" << name << "' is no input, initializer or result of a node";
    if (failed(checkDeclaredElement(output, *value, "output")))
      return failure();
    compareWithDeclared(output, *value);
    results.push_back(*value);
    types.push_back(value->getType());
    attributes.push_back(builder.getDictionaryAttr(
        {builder.getNamedAttr("moe.name", builder.getStringAttr(name)), builder.getNamedAttr("moe.dims", resultDims(*value, output))}));
  }
  func::ReturnOp::create(builder, file, results);
  entry.setType(builder.getFunctionType(entry.getArgumentTypes(), types));
  entry.setResAttrsAttr(builder.getArrayAttr(attributes));
  return success();
}

} // namespace moe
