// The entry: an argument for each input of the graph that is no constant, with its name, dims and, of an overridable initializer, its default.
#include "GraphImporter.h"

using namespace mlir;

namespace moe {

FailureOr<RankedTensorType> GraphImporter::inputType(const wire::ValueInfo &input, SmallVectorImpl<Attribute> &dims) {
  auto fail = [&]() -> InFlightDiagnostic { return emitError(file) << "input '" << StringRef(input.name) << "': "; };
  if (input.type.kind != wire::Type::Kind::Tensor) {
    fail() << "expected a tensor, found " << (input.type.kind == wire::Type::Kind::None ? "no type" : "a type that is no tensor");
    return failure();
  }
  Type element = onnxElementType(context, static_cast<int64_t>(input.type.element));
  if (!element) {
    fail() << "expected a data type of numbers, found " << wire::dataTypeName(input.type.element);
    return failure();
  }
  if (!input.type.hasShape) {
    fail() << "expected a shape, found none; the rank must be known";
    return failure();
  }
  SmallVector<int64_t> shape;
  for (const wire::Dimension &dim : input.type.dims) {
    StringRef name = dim.kind == wire::Dimension::Kind::Param ? StringRef(dim.param) : StringRef();
    int64_t size = ShapedType::kDynamic, digits = 0;
    auto fixed = llvm::find_if(options.fixedDims, [&](const auto &entry) { return !name.empty() && entry.first == name; });
    const bool isFirst = name.empty() || dimNames.insert(name).second;
    if (fixed != options.fixedDims.end())
      size = fixed->second;
    else if (dim.kind == wire::Dimension::Kind::Value)
      size = dim.value;
    else if (!name.empty() && !name.getAsInteger(10, digits) && digits >= 0)
      size = digits; // Some exporters write fixed sizes as names.
    if (size < 0 && size != ShapedType::kDynamic) {
      fail() << "expected sizes of at least 0, found " << size;
      return failure();
    }
    shape.push_back(size);
    const bool isNamed = !name.empty() && (isFirst || !options.ignoreDimNames);
    dims.push_back(builder.getStringAttr(size != ShapedType::kDynamic ? Twine(size) : isNamed ? Twine(name) : Twine("?")));
  }
  return RankedTensorType::get(shape, element);
}

LogicalResult GraphImporter::checkFixedDims() {
  for (const auto &[name, size] : options.fixedDims) {
    if (size < 0)
      return emitError(file) << "expected a size of at least 0 for the dim '" << name << "', found " << size;
    if (dimNames.contains(name))
      continue;
    InFlightDiagnostic report = emitError(file) << "no input has a dim called '" << name << "'; there are";
    SmallVector<StringRef> known;
    for (const auto &entry : dimNames)
      known.push_back(entry.getKey());
    llvm::sort(known);
    if (known.empty())
      report << " none";
    for (auto [position, other] : llvm::enumerate(known))
      report << (position ? ", '" : " '") << other << "'";
    return report;
  }
  return success();
}

/// What IR version 4 brought: before it every initializer had to be an input, and none could be given.
static constexpr int64_t firstOverridable = 4;

/// Of larger defaults the artifact keeps nothing: every run gives a value.
static constexpr uint64_t largestDefault = 1 << 20;

LogicalResult GraphImporter::checkOverridable() {
  for (const std::string &name : options.overridable) {
    if (model.irVersion.value_or(0) < firstOverridable)
      return emitError(file) << "expected an IR version of at least " << firstOverridable << " to make the initializer '" << name << "' overridable, found "
                             << model.irVersion.value_or(0);
    const bool isInput = llvm::any_of(model.graph.inputs, [&](const wire::ValueInfo &input) { return input.name == name; });
    if (!scope->initializers.contains(name) || !isInput)
      return emitError(file) << "expected '" << name << "' to be an input of the graph with an initializer, found "
                             << (isInput ? "an input without one" : scope->initializers.contains(name) ? "an initializer that is no input" : "neither");
  }
  return success();
}

/// What a run takes where it is given nothing; null where that is too large, or has elements of less than a byte.
FailureOr<DenseElementsAttr> GraphImporter::readDefault(const wire::TensorProto &tensor) {
  std::optional<int64_t> count = wire::elementCount(tensor.dims);
  std::optional<uint64_t> bytes = count ? wire::payloadSize(tensor.dataType, *count) : std::nullopt;
  if (!bytes || *bytes > largestDefault || wire::elementBits(tensor.dataType) < 8)
    return DenseElementsAttr();
  FailureOr<TensorSource> source = tensors.read(tensor, NameLoc::get(builder.getStringAttr(StringRef(tensor.name)), file), /*mustBeDense=*/true);
  if (failed(source))
    return failure();
  return source->dense;
}

/// An input's declaration holds for its initializer as well, whichever of both a run reads.
LogicalResult GraphImporter::checkDefault(const wire::ValueInfo &input, const wire::TensorProto &tensor) {
  const wire::Type &declared = input.type;
  if (declared.kind != wire::Type::Kind::Tensor)
    return success();
  if (declared.element != undefined && declared.element != tensor.dataType)
    return emitError(file) << "input '" << StringRef(input.name) << "': expected an initializer of " << wire::dataTypeName(declared.element)
                           << ", which the input is declared as, found " << wire::dataTypeName(tensor.dataType);
  if (!declared.hasShape)
    return success();
  if (declared.dims.size() != tensor.dims.size())
    return emitError(file) << "input '" << StringRef(input.name) << "': expected an initializer of rank " << declared.dims.size()
                           << ", which the input is declared as, found rank " << tensor.dims.size();
  for (auto [position, dim] : llvm::enumerate(declared.dims))
    if (dim.kind == wire::Dimension::Kind::Value && dim.value != tensor.dims[position])
      return emitError(file) << "input '" << StringRef(input.name) << "': expected an initializer of " << dim.value << " in dim " << position
                             << ", which the input is declared as, found " << tensor.dims[position];
  return success();
}

LogicalResult GraphImporter::buildEntry() {
  if (failed(checkOverridable()))
    return failure();
  SmallVector<Type> types;
  SmallVector<StringRef> names;
  SmallVector<DictionaryAttr> attributes;
  llvm::StringSet<> seen;
  for (const wire::ValueInfo &input : model.graph.inputs) {
    StringRef name(input.name);
    if (name.empty())
      return emitError(file) << "expected inputs with names, found one without";
    if (!seen.insert(name).second)
      return emitError(file) << "expected one input called '" << name << "', found two";
    auto initializer = scope->initializers.find(name);
    if (initializer != scope->initializers.end()) {
      if (failed(checkDefault(input, *initializer->second)))
        return failure();
      if (!llvm::is_contained(options.overridable, name))
        continue;
    }
    SmallVector<Attribute> dims;
    FailureOr<RankedTensorType> type = inputType(input, dims);
    if (failed(type))
      return failure();
    types.push_back(*type);
    names.push_back(name);
    NamedAttrList argument;
    argument.set("moe.name", builder.getStringAttr(name));
    argument.set("moe.dims", builder.getArrayAttr(dims));
    if (initializer != scope->initializers.end()) {
      FailureOr<DenseElementsAttr> value = readDefault(*initializer->second);
      if (failed(value))
        return failure();
      if (*value)
        argument.set("moe.default", *value);
    }
    attributes.push_back(argument.getDictionary(context));
  }
  if (failed(checkFixedDims()))
    return failure();
  builder.setInsertionPointToEnd(module.getBody());
  entry = func::FuncOp::create(builder, file, "main", builder.getFunctionType(types, {}));
  entry.setArgAttrsAttr(builder.getArrayAttr(SmallVector<Attribute>(attributes.begin(), attributes.end())));
  entry->setAttr("moe.entry", builder.getUnitAttr());
  symbols.emplace(module);
  Block *block = entry.addEntryBlock();
  for (auto [name, argument] : llvm::zip(names, block->getArguments()))
    scope->values[name] = argument;
  inference.addEntryArguments(entry);
  builder.setInsertionPointToEnd(block);
  return success();
}

} // namespace moe
