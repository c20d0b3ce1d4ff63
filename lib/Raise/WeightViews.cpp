// Stored weights seen with another shape: another symbol for the same bytes.
#include "WeightViews.h"

#include "moe/IR/MoeDialect.h"

#include "llvm/ADT/SmallString.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

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
