// Stored weights seen with another shape: another symbol for the same bytes.
#include "WeightViews.h"

#include "moe/IR/MoeDialect.h"

#include "llvm/ADT/SmallString.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace moe;

DenseElementsAttr moe::constantBytes(DenseElementsAttr elements, RankedTensorType type) {
  SmallVector<APInt> bytes;
  auto add = [&](const APInt &element) { bytes.push_back(element.zext(8)); };
  const int64_t count = elements.isSplat() ? 1 : elements.getNumElements();
  if (isa<FloatType>(elements.getElementType())) {
    for (const APFloat &element : llvm::make_range(elements.value_begin<APFloat>(), std::next(elements.value_begin<APFloat>(), count)))
      add(element.bitcastToAPInt());
  } else {
    for (const APInt &element : llvm::make_range(elements.value_begin<APInt>(), std::next(elements.value_begin<APInt>(), count)))
      add(element);
  }
  return DenseElementsAttr::get(type, bytes);
}

/// Bytes of a tensor as files have it: elements of less than a byte share one.
static int64_t storedBytes(RankedTensorType type) {
  const unsigned bits = type.getElementType().isInteger(1) ? 8 : type.getElementTypeBitWidth();
  return static_cast<int64_t>(llvm::divideCeil(uint64_t(type.getNumElements()) * bits, 8));
}

/// The source of the first `count` slices of a tensor of `type` with this source; null where it cannot be had without reading a file.
static Attribute firstOfSource(Attribute source, RankedTensorType type, int64_t count) {
  SmallVector<int64_t> shape(type.getShape());
  if (shape.empty() || count < 1 || count > shape.front() || !type.hasStaticShape() || !type.getElementType().isIntOrFloat() ||
      type.getElementTypeBitWidth() % 8 != 0)
    return {};
  const int64_t all = shape.front();
  shape.front() = count;
  if (auto elements = dyn_cast_or_null<DenseElementsAttr>(source)) {
    const RankedTensorType part = type.clone(shape);
    return elements.isSplat() ? DenseElementsAttr::get(part, elements.getSplatValue<Attribute>())
                              : DenseElementsAttr::getFromRawBuffer(part, elements.getRawData().take_front(elements.getRawData().size() / all * count));
  }
  auto file = dyn_cast_or_null<FileAttr>(source);
  return file && file.getLength() % all == 0 ? FileAttr::get(file.getContext(), file.getPath(), file.getOffset(), file.getLength() / all * count) : FileAttr();
}

/// The weight that `value` refers to; null where it refers to none.
static WeightOp weightBehind(Value value) {
  auto ref = value.getDefiningOp<WeightRefOp>();
  return ref ? ref->getParentOfType<ModuleOp>().lookupSymbol<WeightOp>(ref.getWeightAttr()) : WeightOp();
}

/// What firstSlices makes the first slices from.
static Attribute sourceOfFirst(Value value, int64_t count) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (auto constant = value.getDefiningOp<arith::ConstantOp>())
    return type ? firstOfSource(constant.getValue(), type, count) : Attribute();
  WeightOp weight = weightBehind(value);
  return weight && type && weight.getSource() ? firstOfSource(*weight.getSource(), type, count) : Attribute();
}

bool moe::hasFirstSlices(Value value, int64_t count) { return static_cast<bool>(sourceOfFirst(value, count)); }

Value moe::firstSlices(OpBuilder &builder, Value value, int64_t count) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (type && type.getRank() > 0 && type.getDimSize(0) == count)
    return value;
  Attribute source = sourceOfFirst(value, count);
  if (!source)
    return {};
  SmallVector<int64_t> shape(type.getShape());
  shape.front() = count;
  type = type.clone(shape);
  if (value.getDefiningOp<arith::ConstantOp>())
    return arith::ConstantOp::create(builder, value.getLoc(), cast<DenseElementsAttr>(source));
  WeightOp weight = weightBehind(value);
  SymbolTable symbols(weight->getParentOfType<ModuleOp>());
  OpBuilder top(weight);
  top.setInsertionPointAfter(weight);
  auto first = cast<WeightOp>(top.clone(*weight));
  first.setSymName(weight.getSymName().str() + ".first_" + std::to_string(count));
  first.setTypeAttr(TypeAttr::get(type));
  first.setSourceAttr(source);
  // The name may be taken; then a number is added.
  first->remove();
  StringAttr symbol = symbols.insert(first, std::next(Block::iterator(weight)));
  return WeightRefOp::create(builder, value.getLoc(), type, FlatSymbolRefAttr::get(symbol));
}

Value moe::viewWeight(OpBuilder &builder, Value value, RankedTensorType type) {
  auto ref = value.getDefiningOp<WeightRefOp>();
  if (!ref || !type.hasStaticShape())
    return {};
  auto module = ref->getParentOfType<ModuleOp>();
  auto weight = module.lookupSymbol<WeightOp>(ref.getWeightAttr());
  auto weightType = weight ? dyn_cast<RankedTensorType>(weight.getType()) : RankedTensorType();
  if (!weightType || !weight.getSource())
    return {};
  Attribute source = *weight.getSource();
  if (auto elements = dyn_cast<DenseElementsAttr>(source)) {
    const bool isSpread = weightType.getElementTypeBitWidth() < 8 && type.getElementType().isInteger(8);
    if (weightType.getNumElements() != type.getNumElements() || (!isSpread && weightType.getElementTypeBitWidth() != type.getElementTypeBitWidth()))
      return {};
    if (isSpread)
      elements = constantBytes(elements, weightType.clone(type.getElementType()));
    else if (elements.getElementType() != type.getElementType())
      elements = elements.bitcast(type.getElementType());
    source = elements.reshape(type);
  }
  else if (!isa<FileAttr>(source) || storedBytes(weightType) != storedBytes(type))
    return {};

  std::string name = weight.getSymName().str() + ".as";
  for (int64_t dim : type.getShape())
    name += "_" + std::to_string(dim);
  if (weightType.getElementType() != type.getElementType())
    name += "_signless";
  // The name may belong to another weight of the model; then a number is added.
  std::string unique = name;
  for (unsigned count = 1;; ++count) {
    auto taken = module.lookupSymbol(unique);
    auto existing = dyn_cast_or_null<WeightOp>(taken);
    if (existing && existing.getType() == type && existing.getSource() == source)
      break;
    if (!taken) {
      OpBuilder moduleBuilder(weight);
      moduleBuilder.setInsertionPointAfter(weight);
      auto view = cast<WeightOp>(moduleBuilder.clone(*weight));
      view.setSymName(unique);
      view.setTypeAttr(TypeAttr::get(type));
      view.setSourceAttr(source);
      break;
    }
    unique = name + "_" + std::to_string(count);
  }
  return WeightRefOp::create(builder, ref.getLoc(), type, FlatSymbolRefAttr::get(builder.getContext(), unique));
}
