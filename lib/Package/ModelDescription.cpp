// Reads inputs, outputs, cache pairs and checks off the entry function that the lower stage leaves.
#include "moe/Package/ModelDescription.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "moe/IR/Caches.h"
#include "moe/IR/Layers.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace moe {

/// The number of a float of 8 bits or less, 0 for another type.
static uint32_t narrowFloatType(Type type) {
  return llvm::TypeSwitch<Type, uint32_t>(type)
      .Case<Float8E4M3FNType>([](Type) { return OnnxFloat8e4m3fn; })
      .Case<Float8E4M3FNUZType>([](Type) { return OnnxFloat8e4m3fnuz; })
      .Case<Float8E5M2Type>([](Type) { return OnnxFloat8e5m2; })
      .Case<Float8E5M2FNUZType>([](Type) { return OnnxFloat8e5m2fnuz; })
      .Case<Float8E8M0FNUType>([](Type) { return OnnxFloat8e8m0; })
      .Case<Float6E2M3FNType>([](Type) { return OnnxFloat6e2m3; })
      .Case<Float6E3M2FNType>([](Type) { return OnnxFloat6e3m2; })
      .Case<Float4E2M1FNType>([](Type) { return OnnxFloat4e2m1; })
      .Default(0u);
}

/// The elements one after the other, a bool in a byte.
static std::string bytesOf(DenseElementsAttr value) {
  std::string bytes;
  if (value.getElementType().isInteger(1)) {
    for (bool element : value.getValues<bool>())
      bytes += element ? '\1' : '\0';
    return bytes;
  }
  const ArrayRef<char> raw = value.getRawData();
  for (int64_t i = 0, count = value.isSplat() ? value.getNumElements() : 1; i < count; ++i)
    bytes.append(raw.begin(), raw.end());
  return bytes;
}

uint32_t onnxDataType(Type type) {
  if (isa<Float32Type>(type))
    return OnnxFloat;
  if (isa<Float64Type>(type))
    return OnnxDouble;
  if (isa<Float16Type>(type))
    return OnnxFloat16;
  if (isa<BFloat16Type>(type))
    return OnnxBfloat16;
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer)
    return narrowFloatType(type);
  bool isUnsigned = integer.isUnsigned();
  switch (integer.getWidth()) {
  case 1:
    return OnnxBool;
  case 2:
    return isUnsigned ? OnnxUint2 : OnnxInt2;
  case 4:
    return isUnsigned ? OnnxUint4 : OnnxInt4;
  case 8:
    return isUnsigned ? OnnxUint8 : OnnxInt8;
  case 16:
    return isUnsigned ? OnnxUint16 : OnnxInt16;
  case 32:
    return isUnsigned ? OnnxUint32 : OnnxInt32;
  case 64:
    return isUnsigned ? OnnxUint64 : OnnxInt64;
  default:
    return 0;
  }
}

StringRef dataTypeName(uint32_t dataType) {
  switch (dataType) {
  case OnnxFloat:
    return "float32";
  case OnnxUint8:
    return "uint8";
  case OnnxInt8:
    return "int8";
  case OnnxUint16:
    return "uint16";
  case OnnxInt16:
    return "int16";
  case OnnxInt32:
    return "int32";
  case OnnxInt64:
    return "int64";
  case OnnxBool:
    return "bool";
  case OnnxFloat16:
    return "float16";
  case OnnxDouble:
    return "float64";
  case OnnxUint32:
    return "uint32";
  case OnnxUint64:
    return "uint64";
  case OnnxBfloat16:
    return "bfloat16";
  case OnnxFloat8e4m3fn:
    return "float8_e4m3fn";
  case OnnxFloat8e4m3fnuz:
    return "float8_e4m3fnuz";
  case OnnxFloat8e5m2:
    return "float8_e5m2";
  case OnnxFloat8e5m2fnuz:
    return "float8_e5m2fnuz";
  case OnnxFloat8e8m0:
    return "float8_e8m0fnu";
  case OnnxFloat6e2m3:
    return "float6_e2m3fn";
  case OnnxFloat6e3m2:
    return "float6_e3m2fn";
  case OnnxFloat4e2m1:
    return "float4_e2m1fn";
  case OnnxUint4:
    return "uint4";
  case OnnxInt4:
    return "int4";
  case OnnxUint2:
    return "uint2";
  case OnnxInt2:
    return "int2";
  default:
    return "unknown";
  }
}

std::string hexDigest(const std::array<uint8_t, sha256Bytes> &digest) { return llvm::toHex(digest, /*LowerCase=*/true); }

namespace {

/// Fills the slot of one list that the argument's number names.
LogicalResult describeTensor(func::FuncOp entry, unsigned argument, StringRef kind, std::vector<TensorDescription> &list) {
  auto number = entry.getArgAttrOfType<IntegerAttr>(argument, kind);
  auto type = dyn_cast<MemRefType>(entry.getArgumentTypes()[argument]);
  if (!number || !type)
    return entry.emitOpError("argument ") << argument << ": expected a memref with an integer " << kind;
  int64_t index = number.getInt();
  if (index < 0 || index >= entry.getNumArguments())
    return entry.emitOpError("argument ") << argument << ": " << kind << " " << index << " is out of range";
  if (list.size() <= static_cast<size_t>(index))
    list.resize(index + 1);
  TensorDescription &tensor = list[index];
  if (tensor.dataType != 0)
    return entry.emitOpError("argument ") << argument << ": " << kind << " " << index << " occurs twice";

  auto name = entry.getArgAttrOfType<StringAttr>(argument, "moe.name");
  tensor.name = name ? name.getValue().str() : (kind.substr(4) + "_" + Twine(index)).str();
  // A lowering may have dropped the sign of the elements; then it says which type the model had.
  auto declared = entry.getArgAttrOfType<TypeAttr>(argument, "moe.dtype");
  Type element = declared ? declared.getValue() : type.getElementType();
  // What a buffer holds are bytes at least: raise keeps narrower elements so, and says by moe.dtype what they are.
  const Type held = type.getElementType();
  const bool isHeld = !held.isIntOrFloat() || held.isInteger(1) || held.getIntOrFloatBitWidth() >= 8;
  tensor.dataType = isHeld ? onnxDataType(element) : 0;
  if (tensor.dataType == 0)
    return entry.emitOpError("argument ") << argument << " (" << tensor.name << "): elements of type " << element
                                          << " cannot be a model's input or output";
  auto names = entry.getArgAttrOfType<ArrayAttr>(argument, "moe.dims");
  for (auto [axis, size] : llvm::enumerate(type.getShape())) {
    DimDescription dim;
    auto text = names && axis < names.size() ? dyn_cast<StringAttr>(names[axis]) : StringAttr();
    if (!ShapedType::isDynamic(size))
      dim.size = size;
    else if (text && text.getValue() != "?" && !llvm::all_of(text.getValue(), llvm::isDigit))
      dim.symbol = text.getValue().str();
    tensor.dims.push_back(dim);
  }
  if (auto part = entry.getArgAttrOfType<DenseI64ArrayAttr>(argument, partAttrName)) {
    const ArrayRef<int64_t> numbers = part.asArrayRef();
    if (numbers.size() != 3 || numbers[0] < 0 || numbers[0] >= type.getRank() || !type.isDynamicDim(numbers[0]) || numbers[1] < 1 || numbers[2] < 1 ||
        numbers[1] > std::numeric_limits<uint32_t>::max() / numbers[2])
      return entry.emitOpError("argument ") << argument << " (" << tensor.name << "): expected a part as a dynamic dim, heads and places of a head, found " << part;
    tensor.part = PartDescription{static_cast<uint32_t>(numbers[0]), static_cast<uint32_t>(numbers[1]), static_cast<uint32_t>(numbers[2])};
  }
  if (auto value = entry.getArgAttrOfType<DenseElementsAttr>(argument, "moe.default")) {
    tensor.defaultShape.assign(value.getType().getShape().begin(), value.getType().getShape().end());
    tensor.defaultBytes = bytesOf(value);
  }
  return success();
}

/// The one axis along which the two may differ; -1 if there is none or more than one.
int64_t growingAxis(const TensorDescription &past, const TensorDescription &present) {
  if (past.dims.size() != present.dims.size())
    return -1;
  int64_t found = -1;
  for (size_t axis = 0; axis < past.dims.size(); ++axis) {
    const DimDescription &a = past.dims[axis], &b = present.dims[axis];
    bool same = a.size != dynamicDim ? a.size == b.size : b.size == dynamicDim && !a.symbol.empty() && a.symbol == b.symbol;
    // A rank has the same heads of both.
    same |= past.part && present.part && past.part->axis == axis && present.part->axis == axis;
    if (same)
      continue;
    if (found >= 0)
      return -1;
    found = static_cast<int64_t>(axis);
  }
  return found;
}

/// Inputs with moe.past_of: the number of the output that extends them. A pair whose axis is not known is left out; the caller then passes
/// two buffers, which is always right.
void describePairs(func::FuncOp entry, ModelDescription &model) {
  for (unsigned i = 0; i < entry.getNumArguments(); ++i) {
    auto input = entry.getArgAttrOfType<IntegerAttr>(i, "moe.input");
    auto output = entry.getArgAttrOfType<IntegerAttr>(i, "moe.past_of");
    if (!input || !output || output.getInt() < 0 || static_cast<size_t>(output.getInt()) >= model.outputs.size())
      continue;
    auto declared = entry.getArgAttrOfType<IntegerAttr>(i, "moe.past_axis");
    const TensorDescription &past = model.inputs[input.getInt()], &present = model.outputs[output.getInt()];
    int64_t axis = declared ? declared.getInt() : growingAxis(past, present);
    if (axis >= 0 && static_cast<size_t>(axis) < past.dims.size())
      model.cachePairs.push_back(
          {static_cast<uint32_t>(input.getInt()), static_cast<uint32_t>(output.getInt()), static_cast<uint32_t>(axis)});
  }
}

void describeSource(ModuleOp lowered, SourceDescription &source) {
  auto known = lowered->getAttrOfType<DictionaryAttr>("moe.model");
  if (!known)
    return;
  auto text = [&](StringRef name) {
    auto value = known.getAs<StringAttr>(name);
    return value ? value.getValue().str() : std::string();
  };
  source.producerName = text("producer_name");
  source.domain = text("domain");
  source.description = text("description");
  source.graphName = text("graph_name");
  source.graphDescription = text("graph_description");
  if (auto version = known.getAs<IntegerAttr>("version"))
    source.version = version.getInt();
  auto list = known.getAs<ArrayAttr>("metadata");
  for (size_t i = 0; list && i + 1 < list.size(); i += 2)
    if (auto key = dyn_cast<StringAttr>(list[i]), value = dyn_cast<StringAttr>(list[i + 1]); key && value)
      source.metadata[key.getValue().str()] = value.getValue().str();
}

/// The mesh, if anything is exchanged over it, and the weights whose experts have a sharding.
void describeShards(ModuleOp lowered, ModelDescription &model) {
  lowered.walk([&](GatherSharesOp op) { model.devices = std::max(model.devices, static_cast<uint32_t>(op.getDevices())); });
  if (model.devices == 1)
    return;
  for (auto weight : lowered.getOps<WeightOp>()) {
    auto sharding = weight->getAttrOfType<ShardingAttr>(shardingAttrName);
    auto type = cast<RankedTensorType>(weight.getType());
    if (!sharding || !weight.getSection() || !weight.getOffset() || !type.hasStaticShape() || sharding.devices() != model.devices)
      continue;
    ShardDescription shard;
    shard.section = static_cast<uint32_t>(*weight.getSection());
    shard.offset = *weight.getOffset();
    shard.experts = static_cast<uint32_t>(type.getDimSize(0));
    shard.expertBytes = uint64_t(type.getNumElements() / type.getDimSize(0)) * type.getElementTypeBitWidth() / 8;
    shard.slotsPerDevice = static_cast<uint32_t>(sharding.slotsPerDevice());
    shard.slots.assign(sharding.getSlots().asArrayRef().begin(), sharding.getSlots().asArrayRef().end());
    model.shards.push_back(std::move(shard));
  }
}

} // namespace

FailureOr<ModelDescription> describeModel(ModuleOp lowered) {
  func::FuncOp entry;
  for (auto function : lowered.getOps<func::FuncOp>())
    if (function->hasAttr("moe.entry"))
      entry = function;
  if (!entry)
    return emitError(lowered.getLoc()) << "the module has no function with the attribute moe.entry", failure();
  ModelDescription model;
  for (unsigned i = 0; i < entry.getNumArguments(); ++i) {
    bool isInput = entry.getArgAttr(i, "moe.input") != nullptr, isOutput = entry.getArgAttr(i, "moe.output") != nullptr;
    if (isInput && failed(describeTensor(entry, i, "moe.input", model.inputs)))
      return failure();
    if (isOutput && failed(describeTensor(entry, i, "moe.output", model.outputs)))
      return failure();
  }
  for (const auto *list : {&model.inputs, &model.outputs})
    for (auto [index, tensor] : llvm::enumerate(*list))
      if (tensor.dataType == 0)
        return entry.emitOpError("has no argument that is ") << (list == &model.inputs ? "input " : "output ") << index, failure();
  describePairs(entry, model);
  for (unsigned i = 0; i < entry.getNumArguments(); ++i)
    if (auto position = entry.getArgAttrOfType<IntegerAttr>(i, "moe.values_at"))
      model.sizeInputs.push_back({static_cast<uint32_t>(entry.getArgAttrOfType<IntegerAttr>(i, "moe.input").getInt()), position.getInt()});
  uint32_t place = 0;
  for (unsigned i = 0; i < entry.getNumArguments(); ++i) {
    if (!entry.getArgAttr(i, "moe.output"))
      continue;
    if (auto dims = entry.getArgAttrOfType<DenseI64ArrayAttr>(i, "moe.data_dims"))
      for (int64_t dim : dims.asArrayRef())
        model.foundDims.push_back(place + dim);
    place += cast<MemRefType>(entry.getArgumentTypes()[i]).getRank();
  }
  llvm::sort(model.sizeInputs, [](const SizeInputDescription &a, const SizeInputDescription &b) { return a.position < b.position; });
  for (auto [name, list] : {std::pair("moe.checks", &model.checks), std::pair("moe.faults", &model.faults)})
    if (auto messages = lowered->getAttrOfType<ArrayAttr>(name))
      for (auto message : messages.getAsRange<StringAttr>())
        list->push_back(message.getValue().str());
  describeSource(lowered, model.source);
  describeShards(lowered, model);
  return model;
}

} // namespace moe
